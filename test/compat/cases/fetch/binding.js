import { bytes, caught, chunksOf, later, text } from "../../worker/report.js";

const B = "https://echo.internal";
const ask = async (env, path, init) => (await env.ECHO.fetch(B + path, init)).json();
const show = (r) => ({ status: r.status, statusText: r.statusText, ok: r.ok, redirected: r.redirected, url: r.url, type: r.type });

const table = {};
for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    table[`method ${method}`] = ({ env }) => ask(env, "/m", { method });
for (const code of [200, 201, 204, 304, 400, 404, 418, 500, 503])
    table[`status ${code}`] = async ({ env }) => show(await env.ECHO.fetch(`${B}/status?code=${code}`));
for (const code of [301, 302, 303, 307, 308])
    table[`redirect ${code} of POST`] = async ({ env }) => {
        const r = await env.ECHO.fetch(`${B}/redirect?code=${code}&to=/landed?x=1`, { method: "POST", body: "payload", headers: { "x-keep": "1" } });
        return [show(r), await r.json()];
    };

export default {
    ...table,
    "GET": ({ env }) => ask(env, "/a/b?c=d"),
    "path with escapes": ({ env }) => ask(env, "/a%20b/%C3%A9?x=%26&y=%20"),
    "host": ({ env }) => ask(env, "/"),
    "http scheme": async ({ env }) => (await env.ECHO.fetch("http://other.host:8080/p")).json(),
    "URL object": async ({ env }) => (await env.ECHO.fetch(new URL(B + "/url?q"))).json(),
    "Request object": async ({ env }) => (await env.ECHO.fetch(new Request(B + "/r", { method: "PUT", body: "put", headers: { "x-a": "1" } }))).json(),
    "Request with init": async ({ env }) => (await env.ECHO.fetch(new Request(B + "/r", { headers: { "x-a": "1" } }), { method: "POST", headers: { "x-b": "2" }, body: "over" })).json(),
    "headers": ({ env }) => ask(env, "/h", { headers: { "X-One": "1", "x-two": " two " } }),
    "header joined": ({ env }) => ask(env, "/h", { headers: [["x-a", "1"], ["x-a", "2"]] }),
    "utf-8 header": async ({ env }) => caught(() => ask(env, "/h", { headers: { "x-a": "caf\u00e9" } })),
    "body string": ({ env }) => ask(env, "/", { method: "POST", body: "h\u00e9llo" }),
    "body bytes": ({ env }) => ask(env, "/", { method: "POST", body: bytes("raw") }),
    "body empty": ({ env }) => ask(env, "/", { method: "POST", body: "" }),
    "body params": ({ env }) => ask(env, "/", { method: "POST", body: new URLSearchParams({ a: "1 2" }) }),
    "body blob": ({ env }) => ask(env, "/", { method: "POST", body: new Blob(["blob"], { type: "x/y" }) }),
    "body stream": ({ env }) => ask(env, "/", { method: "POST", body: new ReadableStream({ start(c) { c.enqueue(bytes("st")); c.enqueue(bytes("ream")); c.close(); } }) }),
    "body form": async ({ env }) => {
        const form = new FormData();
        form.append("a", "1");
        form.append("f", new File(["file"], "f.txt", { type: "text/plain" }));
        const r = await env.ECHO.fetch(B + "/pass", { method: "POST", body: form });
        const back = await r.formData();
        return [back.get("a"), back.get("f").name, back.get("f").type, await back.get("f").text()];
    },
    "body large": async ({ env }) => {
        const r = await env.ECHO.fetch(B + "/pass", { method: "POST", body: new Uint8Array(700000).fill(65) });
        return (await r.arrayBuffer()).byteLength;
    },
    "large stream both ways": async ({ env }) => {
        let n = 0;
        const body = new ReadableStream({ pull(c) { if (n++ === 20) c.close(); else c.enqueue(new Uint8Array(20000).fill(n)); } });
        const r = await env.ECHO.fetch(B + "/pass", { method: "POST", body });
        let sum = 0;
        for (const chunk of await chunksOf(r.body)) for (const b of chunk) sum += b;
        return sum;
    },
    "GET with body": ({ env }) => caught(() => ask(env, "/", { body: "x" })),
    "HEAD": async ({ env }) => { const r = await env.ECHO.fetch(B + "/x", { method: "HEAD" }); return [r.status, await r.text()]; },
    "text": async ({ env }) => (await env.ECHO.fetch(B + "/cookies")).text(),
    "set-cookie": async ({ env }) => { const r = await env.ECHO.fetch(B + "/cookies"); return [r.headers.getSetCookie(), r.headers.get("x-two")]; },
    "response headers immutable": async ({ env }) => { const r = await env.ECHO.fetch(B + "/cookies"); return caught(() => r.headers.set("a", "b")); },
    "response copy mutable": async ({ env }) => { const r = new Response((await env.ECHO.fetch(B + "/cookies")).body, { headers: { a: "b" } }); r.headers.set("c", "d"); return [r.headers, await r.text()]; },
    "response remade": async ({ env }) => { const a = await env.ECHO.fetch(B + "/status?code=201"); const b = new Response(a.body, a); b.headers.set("x-new", "1"); return [b.status, b.headers.get("x-new")]; },
    "streamed response": async ({ env }) => text(await (await env.ECHO.fetch(B + "/stream")).arrayBuffer()),
    "empty response": async ({ env }) => { const r = await env.ECHO.fetch(B + "/empty"); return [r.status, await r.text()]; },
    "clone": async ({ env }) => { const r = await env.ECHO.fetch(B + "/cookies"); const c = r.clone(); return [await r.text(), await c.text()]; },
    "redirect followed": async ({ env }) => { const r = await env.ECHO.fetch(`${B}/redirect?to=/landed`); return [show(r), await r.json()]; },
    "redirect manual": async ({ env }) => { const r = await env.ECHO.fetch(`${B}/redirect?to=/landed`, { redirect: "manual" }); return [show(r), r.headers.get("location")]; },
    "redirect without location": async ({ env }) => show(await env.ECHO.fetch(`${B}/status?code=302`)),
    "redirect loop": async ({ env }) => (await caught(() => env.ECHO.fetch(`${B}/loop`)) + "").split(".")[0],
    "redirect of stream": async ({ env }) => caught(async () => show(await env.ECHO.fetch(`${B}/redirect?code=307&to=/x`, { method: "POST", body: new ReadableStream({ start(c) { c.enqueue(bytes("a")); c.close(); } }) }))),
    "redirect to other host": async ({ env }) => { const r = await env.ECHO.fetch(`${B}/redirect?to=https://elsewhere.example/y`); return [r.url, await r.json()]; },
    "the other throws": async ({ env }) => caught(async () => (await env.ECHO.fetch(B + "/broken")).status),
    "what the other throws": async ({ env }) => Promise.all(["range", "text", "null", "named"].map(async (what) => { try { return (await env.ECHO.fetch(`${B}/broken?what=${what}`)).status; } catch (e) { return [e instanceof Error, e instanceof RangeError, e.name, e.message, e.remote]; } })),
    "body breaks half way": async ({ env }) => { const r = await env.ECHO.fetch(B + "/half"); return typeof await caught(() => r.text()); },
    "aborted before": ({ env }) => caught(() => env.ECHO.fetch(B + "/slow?ms=50", { signal: AbortSignal.abort() })),
    "aborted with reason": ({ env }) => caught(() => env.ECHO.fetch(B + "/slow?ms=50", { signal: AbortSignal.abort(new RangeError("why")) })),
    "aborted during": ({ env }) => caught(async () => { const c = new AbortController(); const p = env.ECHO.fetch(B + "/slow?ms=500", { signal: c.signal }); await later(5); c.abort(); return (await p).status; }),
    "timeout signal": ({ env }) => caught(async () => (await env.ECHO.fetch(B + "/slow?ms=1000", { signal: AbortSignal.timeout(10) })).status),
    "parallel": async ({ env }) => (await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => ask(env, `/p${n}`)))).map((r) => r.path),
    "in sequence": async ({ env }) => { const out = []; for (let i = 0; i < 10; i++) out.push((await ask(env, `/s${i}`)).path); return out; },
    "relative url": ({ env }) => caught(() => env.ECHO.fetch("/x")),
    "through an identity": async ({ env }) => { const r = await env.ECHO.fetch(B + "/stream"); return new Response(r.body.pipeThrough(new IdentityTransformStream())).text(); },
    "through an identity, read": async ({ env }) => {
        const r = await env.ECHO.fetch(B + "/stream"), i = new IdentityTransformStream(), p = r.body.pipeTo(i.writable);
        const locked = [r.body.locked, i.writable.locked, i.readable.locked];
        const all = (await chunksOf(i.readable)).map(text).join("");
        return [locked, all, await p, i.writable.locked, r.bodyUsed];
    },
    "through an identity, collected": async ({ env }) => {
        const r = await env.ECHO.fetch(B + "/stream"), i = new IdentityTransformStream(), p = r.body.pipeTo(i.writable);
        const all = await new Response(i.readable).text();
        return [all, await p, r.body.locked, i.writable.locked, r.bodyUsed, await caught(() => i.writable.getWriter().write(bytes("x")))];
    },
    "through an identity, cancelled": async ({ env }) => {
        const r = await env.ECHO.fetch(B + "/stream"), i = new IdentityTransformStream(), p = caught(() => r.body.pipeTo(i.writable));
        await i.readable.cancel(new RangeError("enough"));
        return p;
    },
    "through an identity that was written to": async ({ env }) => {
        const r = await env.ECHO.fetch(B + "/stream"), i = new IdentityTransformStream(), all = new Response(i.readable).text();
        const w = i.writable.getWriter();
        await w.write(bytes("before "));
        w.releaseLock();
        await r.body.pipeTo(i.writable);
        return all;
    },
    "through a fixed length": async ({ env }) => { const r = await env.ECHO.fetch(B + "/pass", { method: "POST", body: "twelve bytes" }); return new Response(r.body.pipeThrough(new FixedLengthStream(12))).text(); },
    "sent on through an identity": async ({ env }) => {
        const r = await env.ECHO.fetch(B + "/stream");
        return (await env.ECHO.fetch(B + "/pass", { method: "POST", body: r.body.pipeThrough(new IdentityTransformStream()) })).text();
    },
    "cancel body": async ({ env }) => { const r = await env.ECHO.fetch(B + "/stream"); await r.body.cancel(); return r.bodyUsed; },
    "body unread": async ({ env }) => (await env.ECHO.fetch(B + "/cookies")).status,
    "binding type": ({ env }) => [typeof env.ECHO, typeof env.ECHO.fetch, Object.prototype.toString.call(env.ECHO)],
    "fetch kept in a variable": ({ env }) => caught(async () => { const f = env.ECHO.fetch; return (await f.call(env.ECHO, B + "/")).status; }),
};
