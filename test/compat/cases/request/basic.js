import { caught, kind } from "../../worker/report.js";

const U = "https://example.com/path?q=1#frag";
const show = (r) => ({
    method: r.method, url: r.url, redirect: r.redirect, headers: r.headers, bodyUsed: r.bodyUsed,
    hasBody: r.body !== null, integrity: r.integrity, keepalive: r.keepalive, cache: r.cache,
});

const methods = {};
for (const m of ["get", "Post", "PATCH", "patch", "options", "HEAD", "foo", "TRACE", "CONNECT", "a b", "", "é"])
    methods[`method ${JSON.stringify(m)}`] = () => caught(() => new Request(U, { method: m }).method);

const urls = {};
for (const u of ["/relative", "", "http://", "ftp://x/", "http://h:99999/", "data:text/plain,x", "HTTP://EXAMPLE.com:80/a/../b", "http://user:pw@h/", "mailto:x"])
    urls[`url ${JSON.stringify(u)}`] = () => caught(() => new Request(u).url);

export default {
    ...methods,
    ...urls,
    "from string": () => show(new Request(U)),
    "from URL": () => show(new Request(new URL(U))),
    "from Request": () => show(new Request(new Request(U, { method: "PUT", headers: { a: "1" }, body: "x" }))),
    "from object with toString": () => caught(() => new Request({ toString: () => U }).url),
    "from undefined": () => caught(() => new Request()),
    "init null": () => caught(() => show(new Request(U, null))),
    "init is a Request": () => show(new Request("https://b.example/", new Request(U, { method: "DELETE", headers: { x: "1" } }))),
    "init overrides request": () => show(new Request(new Request(U, { method: "PUT", headers: { a: "1" } }), { method: "POST", headers: { b: "2" } })),
    "headers only override": () => show(new Request(new Request(U, { headers: { a: "1" } }), { headers: { b: "2" } })),
    "content-type of string": () => new Request(U, { method: "POST", body: "x" }).headers,
    "content-type stays": () => new Request(U, { method: "POST", body: "x", headers: { "Content-Type": "a/b" } }).headers,
    "content-type of params": () => new Request(U, { method: "POST", body: new URLSearchParams({ a: 1 }) }).headers,
    "content-type of blob": () => new Request(U, { method: "POST", body: new Blob(["x"], { type: "text/x" }) }).headers,
    "content-type of untyped blob": () => new Request(U, { method: "POST", body: new Blob(["x"]) }).headers,
    "content-type of bytes": () => new Request(U, { method: "POST", body: new Uint8Array(2) }).headers,
    "content-type of form": () => new Request(U, { method: "POST", body: new FormData() }).headers.get("content-type").split("=")[0],
    "content-type of stream": () => new Request(U, { method: "POST", body: new ReadableStream() }).headers,
    "GET with body": () => caught(() => new Request(U, { body: "x" })),
    "HEAD with body": () => caught(() => new Request(U, { method: "HEAD", body: "x" })),
    "GET with null body": () => show(new Request(U, { body: null })),
    "GET with empty body": () => caught(() => show(new Request(U, { body: "" }))),
    "DELETE with body": () => new Request(U, { method: "DELETE", body: "x" }).text(),
    "redirect manual": () => new Request(U, { redirect: "manual" }).redirect,
    "redirect error": () => caught(() => new Request(U, { redirect: "error" })),
    "redirect other": () => caught(() => new Request(U, { redirect: "x" })),
    "cache no-store": () => new Request(U, { cache: "no-store" }).cache,
    "cache no-cache": () => caught(() => new Request(U, { cache: "no-cache" }).cache),
    "cache force-cache": () => caught(() => new Request(U, { cache: "force-cache" }).cache),
    "integrity empty": () => caught(() => new Request(U, { integrity: "" }).integrity),
    "integrity set": () => caught(() => new Request(U, { integrity: "sha256-x" })),
    "mode is undefined": () => [new Request(U).mode, new Request(U).credentials, new Request(U).referrer, new Request(U).destination, new Request(U).duplex],
    "signal given": () => { const c = new AbortController(); const r = new Request(U, { signal: c.signal }); c.abort(); return r.signal.aborted; },
    "signal absent": () => { const s = new Request(U).signal; return s === null ? null : s.aborted; },
    "signal null": () => caught(() => new Request(U, { signal: null }).url),
    "signal wrong": () => kind(() => new Request(U, { signal: {} }).url),
    "cf is copied": () => { const cf = { cacheTtl: 5, nested: { a: 1 } }; const r = new Request(U, { cf }); return [r.cf, r.cf === cf]; },
    "cf absent": () => new Request(U).cf,
    "cf of clone": () => { const r = new Request(U, { cf: { a: { b: 1 } } }); const c = r.clone(); return [c.cf, c.cf === r.cf]; },
    "clone": async () => {
        const r = new Request(U, { method: "POST", body: "hello", headers: { a: "1" } });
        const c = r.clone();
        c.headers.set("a", "2");
        return [await r.text(), await c.text(), r.headers.get("a"), c.headers.get("a")];
    },
    "clone after use": async () => {
        const r = new Request(U, { method: "POST", body: "hello" });
        await r.text();
        return caught(() => r.clone());
    },
    "new from used": async () => {
        const r = new Request(U, { method: "POST", body: "hello" });
        await r.text();
        return caught(() => new Request(r));
    },
    "new from used with other body": async () => {
        const r = new Request(U, { method: "POST", body: "hello" });
        await r.text();
        return caught(() => new Request(r, { body: "other" }).text());
    },
    "new takes the body": async () => {
        const r = new Request(U, { method: "POST", body: "hello" });
        const s = new Request(r);
        return [r.bodyUsed, await s.text(), await caught(() => r.text())];
    },
    "fragment in url": () => new Request("https://a.b/#x").url,
    "credentials in url": () => caught(() => new Request("https://u:p@a.b/").url),
    "headers mutable": () => { const r = new Request(U); r.headers.set("a", "b"); return r.headers; },
    "headers same object": () => { const r = new Request(U); return r.headers === r.headers; },
    "tag": () => Object.prototype.toString.call(new Request(U)),
    "url is read only": () => { "use strict"; return kind(() => { const r = new Request(U); r.url = "x"; return r.url; }); },
    "subclass": () => { class R extends Request { get two() { return 2; } } const r = new R(U); return [r.two, r.method, r instanceof Request]; },
    "without new": () => kind(() => Request(U)),
    "incoming url": ({ request }) => new URL(request.url).hostname.endsWith(".localhost"),
    "incoming method": ({ request }) => request.method,
    "incoming redirect": ({ request }) => request.redirect,
    "incoming body": ({ request }) => request.body,
    "incoming headers immutable": ({ request }) => caught(() => request.headers.set("a", "b")),
    "incoming append immutable": ({ request }) => caught(() => request.headers.append("a", "b")),
    "incoming delete immutable": ({ request }) => caught(() => request.headers.delete("a")),
    "incoming copy mutable": ({ request }) => { const r = new Request(request); r.headers.set("x-a", "b"); return r.headers.get("x-a"); },
    "incoming instanceof": ({ request }) => [request instanceof Request, Object.prototype.toString.call(request)],
    "incoming signal": ({ request }) => request.signal.aborted,
    "incoming empty text": async ({ request }) => new Request(request).text(),
};
