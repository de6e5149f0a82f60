/* The life of an event: answers, failures, waitUntil(), traces, limits; entrypoints and formats of Workers. */
import assert from "node:assert/strict";
import test from "node:test";
import { readFileSync } from "node:fs";
import { startWorker } from "./fake_native.mjs";

async function once(body, options = {}) {
    const worker = await startWorker(`export default { ${body} };`, options);
    return worker.fetch(options.url ?? "http://w.test/", options.request);
}

test("a plain response is one answer and no trace", async () => {
    const r = await once(`fetch() { return new Response("hi"); }`);
    assert.deepEqual([r.status, r.text, r.rawHeaders, r.end], [200, "hi", "content-type: text/plain;charset=UTF-8\r\n", { outcome: "ok", trace: null }]);
});

test("a trace is made when somebody tails", async () => {
    const r = await once(`fetch() { return new Response(null, { status: 204 }); }`, { request: { flags: 16, headers: { Cookie: "a=b", "X-A": "1" } } });
    assert.equal(r.end.trace.event.response.status, 204);
    assert.deepEqual(r.end.trace.event.request.headers, { cookie: "REDACTED", "x-a": "1" });
    assert.equal(r.end.trace.event.request.url, "http://w.test/");
});

test("exceptions answer 500 and are traced", async () => {
    for (const body of [`fetch() { throw new RangeError("bad"); }`, `async fetch() { throw new RangeError("bad"); }`]) {
        const r = await once(body);
        assert.deepEqual([r.status, r.text, r.end.outcome], [500, "error code: 1101", "exception"]);
        const [e] = r.end.trace.exceptions;
        assert.deepEqual([e.name, e.message, e.stack.startsWith("RangeError: bad\n    at ")], ["RangeError", "bad", true]);
    }
});

test("whatever is thrown, there is an answer", async () => {
    for (const value of ["1", "'text'", "null", "undefined", "Symbol('s')", "{ a: 1 }", "new Proxy({}, { getPrototypeOf() { throw 1; }, get() { throw 2; } })",
        "Object.create(null)", "{ toJSON() { throw 1; } }", "Object.defineProperty(new Error(), 'stack', { get() { throw 1; } })", "(() => { const e = new Error(); e.message = e; return e; })()"]) {
        const r = await once(`fetch() { throw ${value}; }`);
        assert.deepEqual([r.status, r.end.outcome, r.end.trace.exceptions.length], [500, "exception", 1], value);
    }
});

test("runaway recursion is an exception", async () => {
    const r = await once(`fetch() { const f = () => f() + 1; return f(); }`);
    assert.equal(r.end.trace.exceptions[0].name, "RangeError");
});

test("passThroughOnException marks the answer", async () => {
    const r = await once(`fetch(q, e, ctx) { ctx.passThroughOnException(); throw new Error("x"); }`);
    assert.deepEqual([r.status, r.flags], [500, 4]);
});

test("what is no response is refused", async () => {
    for (const value of ["'str'", "undefined", "null", "42", "Response.error()", "{ then: 1 }"])
        assert.equal((await once(`fetch() { return ${value}; }`)).status, 500, value);
});

test("a missing handler", async () => {
    const r = await once(`scheduled() {}`);
    assert.equal(r.end.trace.exceptions[0].message, "Handler does not export a fetch() function.");
});

test("a promise that cannot settle is called hung", async () => {
    const r = await once(`fetch() { return new Promise(() => {}); }`);
    assert.match(r.end.trace.exceptions[0].message, /had hung and would never generate a response/);
});

test("a stream of a response that nothing feeds is broken off", async () => {
    const worker = await startWorker(`export default { fetch() { return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([65])); } })); } };`);
    await assert.rejects(worker.fetch("http://a/"), /failed/);
});

test("a wait for another event's promise is not", async () => {
    const worker = await startWorker(`let shared; export default { async fetch() { shared ??= scheduler.wait(150); await shared; return new Response("ok"); } };`);
    const answers = await Promise.all([worker.fetch("http://a/"), worker.fetch("http://a/")]);
    assert.deepEqual(answers.map((r) => r.text), ["ok", "ok"]);
});

test("waitUntil keeps the event open; its rejection is traced only", async () => {
    const r = await once(`fetch(q, e, ctx) { ctx.waitUntil(scheduler.wait(10).then(() => { console.log("late"); throw new Error("in background"); })); return new Response("x"); }`);
    assert.equal(r.status, 200);
    assert.deepEqual([r.end.outcome, r.end.trace.logs[0].message, r.end.trace.exceptions[0].message], ["ok", ["late"], "in background"]);
});

test("timers end with their event", async () => {
    const worker = await startWorker(`let n = 0; export default { async fetch(q) { if (q.url.endsWith("n")) return new Response(String(n)); setInterval(() => n++, 1); return new Response("x"); } };`);
    await worker.fetch("http://a/");
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await worker.fetch("http://a/n")).text, "0");
});

test("I/O outside of an event is refused", async () => {
    for (const call of ["fetch('http://x')", "setTimeout(() => {}, 1)", "crypto.randomUUID()", "crypto.getRandomValues(new Uint8Array(1))", "AbortSignal.timeout(1)"]) {
        const text = `let error; try { const p = ${call}; await p; } catch (e) { error = e; } export default { fetch() { return new Response(error?.message); } };`;
        const r = await (await startWorker(text)).fetch("http://a/");
        assert.match(r.text, /^Disallowed operation called within global scope/, call);
    }
});

test("a body of another event is refused", async () => {
    const worker = await startWorker(`let kept; export default { async fetch(q) { if (kept) { try { await kept.text(); } catch (e) { return new Response(e.message); } } kept = q; await scheduler.wait(30); return new Response("x"); } };`);
    const first = worker.fetch("http://a/", { method: "POST", body: "b" });
    assert.match((await worker.fetch("http://a/")).text, /Cannot perform I\/O on behalf of a different request/);
    await first;
});

test("streams of responses", async () => {
    const ok = await once(`fetch() { let i = 0; return new Response(new ReadableStream({ async pull(c) { await scheduler.wait(1); if (i++ < 3) c.enqueue(new TextEncoder().encode("p" + i)); else c.close(); } })); }`);
    assert.deepEqual([ok.text, ok.length, ok.flags], ["p1p2p3", -1, 1]);
    const fixed = await once(`fetch() { const t = new FixedLengthStream(3); const w = t.writable.getWriter(); w.write(new Uint8Array([65, 66, 67])); w.close(); return new Response(t.readable); }`);
    assert.deepEqual([fixed.text, fixed.length], ["ABC", 3]);
});

test("request bodies: whole, piped, transformed", async () => {
    const request = { method: "POST", body: ["hel", "lo"], headers: { "content-length": "5" } };
    for (const [body, expected] of [
        [`async fetch(q) { return new Response((await q.text()).toUpperCase()); }`, "HELLO"],
        [`fetch(q) { return new Response(q.body); }`, "hello"],
        [`fetch(q) { const t = new IdentityTransformStream(); q.body.pipeTo(t.writable); return new Response(t.readable); }`, "hello"],
        [`async fetch(q) { let s = ""; for await (const c of q.body) s += "<" + new TextDecoder().decode(c) + ">"; return new Response(s); }`, "<hel><lo>"],
        [`async fetch(q) { const [a, b] = q.body.tee(); return new Response(await new Response(a).text() + await new Response(b).text()); }`, "hellohello"],
        [`async fetch(q) { const c = q.clone(); return new Response(await c.text() + await q.text()); }`, "hellohello"],
    ]) assert.equal((await once(body, { request })).text, expected, body);
});

test("headers of answers hold no framing fields", async () => {
    const r = await once(`fetch() { return new Response("x", { headers: { "Transfer-Encoding": "chunked", Connection: "close", "X-\\u0041": "\\u20ac" } }); }`);
    assert.equal(r.rawHeaders, `x-a: ${Buffer.from("€").toString("latin1")}\r\ncontent-type: text/plain;charset=UTF-8\r\n`);
});

test("content-encoding is applied, taken off, and passed through", async () => {
    const zlib = await import("node:zlib");
    const packed = zlib.gzipSync("packed text");
    const fetcher = () => ({ headers: "content-encoding: gzip\r\n", body: packed, length: packed.length });
    const made = await once(`fetch() { return new Response("abc", { headers: { "content-encoding": "gzip" } }); }`);
    assert.deepEqual([zlib.gunzipSync(made.bytes).toString(), made.flags], ["abc", 2]);
    const read = await once(`async fetch() { return new Response(await (await fetch("http://x/")).text()); }`, { fetcher });
    assert.equal(read.text, "packed text");
    const passed = await once(`fetch() { return fetch("http://x/"); }`, { fetcher });
    assert.deepEqual([passed.bytes.equals(packed), passed.length, passed.flags], [true, packed.length, 3]);
    const rewrapped = await once(`async fetch() { const r = await fetch("http://x/"); return new Response(r.body, { headers: { a: "b" } }); }`, { fetcher });
    assert.deepEqual([rewrapped.text, rewrapped.length], ["packed text", -1]);
});

test("fetch follows redirects as the standard says", async () => {
    const seen = [];
    const fetcher = (c) => {
        seen.push(`${c.method} ${c.url} ${/authorization/.test(c.headers)}`);
        if (c.url === "http://x/a") return { status: 302, headers: "location: /b\r\n" };
        if (c.url === "http://x/b") return { status: 307, headers: "location: http://other/c#f\r\n" };
        return { status: 200, body: "end" };
    };
    const r = await once(`async fetch() { const r = await fetch("http://x/a", { method: "POST", body: "b", headers: { authorization: "s" } }); return Response.json([await r.text(), r.url, r.redirected]); }`, { fetcher });
    assert.deepEqual(JSON.parse(r.text), ["end", "http://other/c", true]);
    assert.deepEqual(seen, ["POST http://x/a true", "GET http://x/b true", "GET http://other/c false"]);
});

test("redirect loops and subrequests have limits", async () => {
    const fetcher = () => ({ status: 302, headers: "location: /again\r\n" });
    const loop = await once(`async fetch() { try { await fetch("http://x/"); } catch (e) { return new Response(e.message); } }`, { fetcher });
    assert.match(loop.text, /^Too many redirects\./);
    const many = await once(`async fetch() { let n = 0; try { for (;;) { await fetch("http://x/"); n++; } } catch (e) { return new Response(n + e.message); } }`, { fetcher: () => ({}), limits: { subrequests: 7 } });
    assert.equal(many.text, "7Too many subrequests.");
});

test("fetch can be aborted", async () => {
    const fetcher = () => new Promise(() => {});
    const r = await once(`async fetch() { try { await fetch("http://x/", { signal: AbortSignal.timeout(5) }); } catch (e) { return new Response(e.name); } }`, { fetcher });
    assert.equal(r.text, "TimeoutError");
});

test("data: URLs", async () => {
    const r = await once(`async fetch() { const a = await fetch("data:text/x;base64,aGk="), b = await fetch("data:,a%20b"); return Response.json([await a.text(), a.headers.get("content-type"), await b.text()]); }`);
    assert.deepEqual(JSON.parse(r.text), ["hi", "text/x", "a b"]);
});

test("entrypoints: classes, named ones, wrong ones", async () => {
    const worker = await startWorker(`import { WorkerEntrypoint, DurableObject } from "cloudflare:workers";
        export default class extends WorkerEntrypoint { fetch(q) { return new Response(this.env.V + typeof this.ctx.waitUntil); } }
        export class Named extends WorkerEntrypoint { fetch() { return new Response("named"); } }
        export class Store extends DurableObject {}
        export const helper = () => 1;`, { bindings: [{ name: "V", type: "plain_text", text: "v" }] });
    assert.deepEqual(worker.handlers, ["fetch"]);
    assert.equal((await worker.fetch("http://a/")).text, "vfunction");
    assert.equal((await worker.fetch("http://a/", { entrypoint: "Named" })).text, "named");
    assert.match((await worker.fetch("http://a/", { entrypoint: "Nope" })).end.trace.exceptions[0].message, /^The entrypoint name Nope was not found/);
    assert.match((await worker.fetch("http://a/", { entrypoint: "Store" })).end.trace.exceptions[0].message, /refers to a Durable Object class/);
});

test("service-worker scripts", async () => {
    const worker = await startWorker(`addEventListener("fetch", (e) => { e.waitUntil(Promise.resolve()); e.respondWith(new Response(V + e.request.method)); });`,
        { format: "service-worker", bindings: [{ name: "V", type: "plain_text", text: "v" }] });
    assert.deepEqual(worker.handlers, ["fetch"]);
    assert.equal((await worker.fetch("http://a/")).text, "vGET");
});

test("scheduled events", async () => {
    const worker = await startWorker(`export default { async scheduled(c, env, ctx) { console.log(c.cron, c.scheduledTime); ctx.waitUntil(scheduler.wait(3).then(() => console.log("after"))); if (c.cron === "bad") throw new Error("no"); } };`);
    const ok = await worker.scheduled(7000, "1 * * * *");
    assert.deepEqual([ok.outcome, ok.trace.event, ok.trace.logs.map((l) => l.message)], ["ok", { cron: "1 * * * *", scheduledTime: 7000 }, [["1 * * * *", 7000], ["after"]]]);
    assert.equal((await worker.scheduled(0, "bad")).outcome, "exception");
});

test("console: levels, formats, limits", async () => {
    const r = await once(`fetch() { console.log("a %s %d %j", "b", 1.5, { c: 1 }, "d"); console.warn({ n: [1, { x: null }] }); console.error(new TypeError("e")); console.debug(undefined, 5n, new Map([[1, 2]])); console.log("x".repeat(300000)); for (let i = 0; i < 9; i++) console.log("y".repeat(60000)); return new Response(); }`);
    const logs = r.end.trace.logs;
    assert.deepEqual(logs.slice(0, 2).map((l) => [l.level, l.message]), [["log", ['a b 1.5 {"c":1}', "d"]], ["warn", [{ n: [1, { x: null }] }]]]);
    assert.match(logs[2].message[0], /^TypeError: e/);
    assert.deepEqual(logs[3].message, ["undefined", "5n", "Map(1) { 1 => 2 }"]);
    assert.match(logs.at(-1).message[0], /^Log size limit exceeded/);
    assert.ok(JSON.stringify(logs).length < 400000);
});

// As upstream: what a listener throws reaches who dispatches the event.
test("errors of timers are recorded, not fatal; those of listeners are thrown", async () => {
    const r = await once(`async fetch() { setTimeout(() => { throw new Error("timer"); }, 1); const t = new EventTarget(); t.addEventListener("x", () => { throw new Error("listener"); }); let caught; try { t.dispatchEvent(new Event("x")); } catch (e) { caught = e.message; } await scheduler.wait(5); return new Response(caught); }`);
    assert.deepEqual([r.text, r.end.trace.exceptions.map((e) => e.message)], ["listener", ["timer"]]);
});

test("modules: wasm, text, data, json; bytes are not compiled at run time", async () => {
    const wasm = Buffer.from("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b", "hex");
    const worker = await startWorker(`import m from "./a.wasm"; import t from "./t.txt"; import d from "./d.bin"; import j from "./j.json";
        export default { async fetch() { const i = await WebAssembly.instantiate(m); let refused = ""; try { new WebAssembly.Module(new Uint8Array(8)); } catch (e) { refused = e.name; }
        return Response.json([i.exports.add(2, 3), t, d.byteLength, j.k, refused]); } };`,
    { modules: [{ name: "a.wasm", type: "wasm", source: wasm }, { name: "t.txt", type: "text", source: "tt" }, { name: "d.bin", type: "data", source: "ddd" }, { name: "j.json", type: "json", source: '{"k":1}' }] });
    assert.deepEqual(JSON.parse((await worker.fetch("http://a/")).text), [5, "tt", 3, 1, "CompileError"]);
});

test("AsyncLocalStorage survives awaits, timers and then()", async () => {
    const worker = await startWorker(`import { AsyncLocalStorage } from "node:async_hooks"; const als = new AsyncLocalStorage();
        export default { async fetch() { const one = async (n) => als.run(n, async () => { await scheduler.wait(5 - n); const a = als.getStore(); const b = await Promise.resolve().then(() => als.getStore()); const c = await new Promise((r) => setTimeout(() => r(als.getStore()), 1)); return [a, b, c]; });
        return Response.json([await Promise.all([one(1), one(2)]), als.getStore() ?? null]); } };`, { compat: { flags: ["nodejs_compat"] } });
    assert.deepEqual(JSON.parse((await worker.fetch("http://a/")).text), [[[1, 1, 1], [2, 2, 2]], null]);
});

test("a bare .wasm answers through WASI", async () => {
    const source = readFileSync(new URL("fixtures/wasi_echo.wasm", import.meta.url));
    const worker = await startWorker("", { format: "wasi", modules: [{ name: "echo.wasm", type: "wasm", source }], bindings: [{ name: "VAR", type: "plain_text", text: "value" }] });
    const r = await worker.fetch("http://w.test:8080/a/b?q=1&r=2", { method: "POST", body: "on stdin", headers: { "X-Some": "header", "content-length": "8" } });
    assert.deepEqual([r.status, r.statusText, r.headers.get("content-type"), r.headers.get("x-from")], [201, "Created", "text/plain", "wasi"]);
    const lines = r.text.trim().split("\n");
    for (const line of ["REQUEST_METHOD=POST", "PATH_INFO=/a/b", "QUERY_STRING=q=1&r=2", "SERVER_NAME=w.test", "SERVER_PORT=8080", "CONTENT_LENGTH=8", "HTTP_X_SOME=header", "VAR=value"])
        assert.ok(lines.includes(line), line);
    assert.equal(lines.at(-1), "[on stdin]");
    assert.deepEqual(r.end.trace.logs.map((l) => [l.level, ...l.message]), [["error", "logged"], ["error", "line"]]);
});
