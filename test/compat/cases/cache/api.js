import { bytes, caught, text } from "../../worker/report.js";

const U = "https://cache.example/compat/";
const fresh = { "cache-control": "max-age=1000" };
const put = (url, body, headers = fresh, init = {}) => caches.default.put(url, new Response(body, { headers, ...init }));
const show = async (r) => (r === undefined ? "none" : [r.status, r.headers.get("content-type"), r.headers.get("x-a"), r.headers.get("cf-cache-status"), await r.text()]);
const stored = async (name, headers, init) => {
    await put(U + name, "body", headers, init);
    return show(await caches.default.match(U + name));
};
const stream = (...parts) => new ReadableStream({ start(c) { for (const part of parts) c.enqueue(bytes(part)); c.close(); } });

export default {
    "classes": () => [typeof caches, typeof Cache, typeof CacheStorage, caches instanceof CacheStorage, caches.default instanceof Cache, Object.prototype.toString.call(caches), Object.prototype.toString.call(caches.default)],
    "same default": () => caches.default === caches.default,
    "constructor": () => caught(() => new Cache()),
    "open": async () => (await caches.open("x")) instanceof Cache,
    "open without a name": () => caught(() => caches.open()),
    "open long": () => caught(() => caches.open("x".repeat(1024))),
    "open just": async () => (await caches.open("x".repeat(1023))) instanceof Cache,
    "unimplemented": () => ["add", "addAll", "matchAll", "keys"].map((name) => typeof caches.default[name]),
    "storage members": () => ["match", "has", "delete", "keys"].map((name) => typeof caches[name]),
    "unimplemented throw": async () => [await caught(() => caches.default.add("https://a.b/")), await caught(() => caches.match("https://a.b/"))],
    "miss": async () => show(await caches.default.match(U + "miss")),
    "put and match": () => stored("plain", { ...fresh, "x-a": "1", "content-type": "text/x" }),
    "put returns": async () => (await put(U + "returns", "x")) === undefined,
    "query and fragment": async () => {
        await put(U + "q?a=1#frag", "one");
        return [await show(await caches.default.match(U + "q?a=1")), await show(await caches.default.match(U + "q?a=1#other")), await show(await caches.default.match(U + "q?a=2"))];
    },
    "Request as key": async () => {
        await caches.default.put(new Request(U + "request", { headers: { "x-b": "1" } }), new Response("r", { headers: fresh }));
        return show(await caches.default.match(new Request(U + "request")));
    },
    "URL as key": async () => {
        await caches.default.put(new URL(U + "url"), new Response("u", { headers: fresh }));
        return show(await caches.default.match(new URL(U + "url")));
    },
    "relative key": async () => [await caught(() => caches.default.match("/x")), await caught(() => caches.default.put("/x", new Response(""))), await caught(() => caches.default.delete("/x"))],
    "replaced": async () => {
        await put(U + "twice", "one");
        await put(U + "twice", "two");
        return show(await caches.default.match(U + "twice"));
    },
    "delete": async () => {
        await put(U + "gone", "x");
        return [await caches.default.delete(U + "gone"), await caches.default.delete(U + "gone"), await show(await caches.default.match(U + "gone"))];
    },
    "named caches are apart": async () => {
        const a = await caches.open("a"), b = await caches.open("b");
        await a.put(U + "named", new Response("A", { headers: fresh }));
        return [await show(await a.match(U + "named")), await show(await b.match(U + "named")), await show(await caches.default.match(U + "named"))];
    },
    "put of POST": () => caught(() => caches.default.put(new Request(U + "post", { method: "POST" }), new Response("x", { headers: fresh }))),
    "put of HEAD": () => caught(() => caches.default.put(new Request(U + "head", { method: "HEAD" }), new Response("x", { headers: fresh }))),
    "put of 206": () => caught(() => put(U + "206", "x", fresh, { status: 206 })),
    "put of Vary *": () => caught(() => put(U + "vary", "x", { ...fresh, vary: "*" })),
    "put of Vary with *": () => caught(() => put(U + "vary", "x", { ...fresh, vary: "a, *" })),
    "put of error": () => caught(() => caches.default.put(U + "error", Response.error())),
    "put of 304": async () => { await put(U + "304", null, fresh, { status: 304 }); return show(await caches.default.match(U + "304")); },
    "put of used body": () => caught(async () => { const r = new Response("x", { headers: fresh }); await r.text(); await caches.default.put(U + "used", r); }),
    "put uses the body": async () => { const r = new Response("x", { headers: fresh }); await caches.default.put(U + "uses", r); return r.bodyUsed; },
    "put of no response": () => caught(() => caches.default.put(U + "none", "x")).then((e) => typeof e),
    "match of POST": async () => {
        await put(U + "m", "x");
        const r = new Request(U + "m", { method: "POST" });
        return [await show(await caches.default.match(r)), await show(await caches.default.match(r, { ignoreMethod: true }))];
    },
    "delete of POST": async () => {
        await put(U + "d", "x");
        const r = new Request(U + "d", { method: "POST" });
        return [await caches.default.delete(r), await caches.default.delete(r, { ignoreMethod: true })];
    },
    "no-store": () => stored("no-store", { "cache-control": "no-store" }),
    "private": () => stored("private", { "cache-control": "private" }),
    "no-cache": () => stored("no-cache", { "cache-control": "no-cache" }),
    "max-age 0": () => stored("zero", { "cache-control": "max-age=0" }),
    "s-maxage over max-age": () => stored("smax", { "cache-control": "max-age=0, s-maxage=100" }),
    "expires": () => stored("expires", { expires: new Date(Date.now() + 100000).toUTCString() }),
    "expired": () => stored("expired", { expires: new Date(Date.now() - 100000).toUTCString() }),
    "set-cookie": () => stored("cookie", { ...fresh, "set-cookie": "a=b" }),
    "set-cookie, private=Set-Cookie": async () => {
        await put(U + "cookie2", "x", { "cache-control": "max-age=100, private=Set-Cookie", "set-cookie": "a=b" });
        const r = await caches.default.match(U + "cookie2");
        return r === undefined ? "none" : [r.status, r.headers.get("set-cookie")];
    },
    "stream": async () => {
        await put(U + "stream", stream("st", "ream"));
        return show(await caches.default.match(U + "stream"));
    },
    "empty body": async () => { await put(U + "empty", ""); return show(await caches.default.match(U + "empty")); },
    "large body": async () => {
        await put(U + "large", new Uint8Array(2_000_000).fill(7));
        const body = new Uint8Array(await (await caches.default.match(U + "large")).arrayBuffer());
        return [body.byteLength, body[0], body.at(-1)];
    },
    "range": async () => {
        await put(U + "range", "0123456789");
        const ask = async (range) => {
            const r = await caches.default.match(new Request(U + "range", { headers: { range } }));
            return r === undefined ? "none" : [r.status, r.headers.get("content-range"), await r.text()];
        };
        return [await ask("bytes=2-4"), await ask("bytes=5-"), await ask("bytes=-3")];
    },
    "if-none-match": async () => {
        await put(U + "etag", "x", { ...fresh, etag: '"v1"' });
        const ask = async (etag) => {
            const r = await caches.default.match(new Request(U + "etag", { headers: { "if-none-match": etag } }));
            return [r.status, await r.text()];
        };
        return [await ask('"v1"'), await ask('"v2"'), await ask('W/"v1"'), await ask('"a", "v1"'), await ask("*")];
    },
    "if-modified-since": async () => {
        await put(U + "modified", "x", { ...fresh, "last-modified": "Tue, 02 Jan 2024 00:00:00 GMT" });
        const ask = async (date) => (await caches.default.match(new Request(U + "modified", { headers: { "if-modified-since": date } }))).status;
        return [await ask("Tue, 02 Jan 2024 00:00:00 GMT"), await ask("Mon, 01 Jan 2024 00:00:00 GMT"), await ask("Wed, 03 Jan 2024 00:00:00 GMT")];
    },
    "response headers immutable": async () => {
        await put(U + "frozen", "x");
        const r = await caches.default.match(U + "frozen");
        return caught(() => r.headers.set("a", "b"));
    },
    "at global scope": ({ env }) => typeof env,
    "text": async () => { await put(U + "text", "h\u00e9"); return text(await (await caches.default.match(U + "text")).arrayBuffer()); },
};
