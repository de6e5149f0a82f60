import { caught, kind } from "../../worker/report.js";

const show = (r) => ({
    status: r.status, statusText: r.statusText, ok: r.ok, redirected: r.redirected, url: r.url,
    type: r.type, headers: r.headers, hasBody: r.body !== null, bodyUsed: r.bodyUsed,
    webSocket: r.webSocket, cf: r.cf,
});

const table = {};
for (const status of [200, 201, 204, 205, 304, 299, 300, 404, 418, 500, 599, 199, 600, 0, 101, 1e9, NaN, "201", 200.7, -1, null])
    table[`status ${String(status)}`] = () => caught(() => show(new Response(null, { status })));
for (const status of [204, 205, 304])
    table[`body with status ${status}`] = () => caught(() => show(new Response("x", { status })));
for (const status of [204, 304])
    table[`empty body with status ${status}`] = () => caught(() => show(new Response("", { status })));
for (const status of [301, 302, 303, 307, 308, 300, 200, 304])
    table[`redirect ${status}`] = () => caught(() => show(Response.redirect("https://a.b/c d", status)));
for (const text of ["", "fine", "a\tb", "a\nb", "é", "\0"])
    table[`statusText ${JSON.stringify(text)}`] = () => caught(() => new Response(null, { statusText: text }).statusText);

export default {
    ...table,
    "no arguments": () => show(new Response()),
    "null": () => show(new Response(null)),
    "undefined": () => show(new Response(undefined)),
    "string": () => show(new Response("x")),
    "empty string": () => show(new Response("")),
    "number": async () => [show(new Response(12)), await new Response(12).text()],
    "object": async () => new Response({ a: 1 }).text(),
    "boolean": async () => new Response(false).text(),
    "symbol": () => kind(() => new Response(Symbol("x")).text()),
    "init null": () => caught(() => show(new Response("x", null))),
    "init is a Response": () => show(new Response("x", new Response("y", { status: 201, statusText: "Made", headers: { a: "b" } }))),
    "init headers pairs": () => new Response(null, { headers: [["a", "1"], ["a", "2"]] }).headers,
    "content-type of string": () => new Response("x").headers,
    "content-type kept": () => new Response("x", { headers: { "content-type": "a/b" } }).headers,
    "content-type of params": () => new Response(new URLSearchParams("a=1")).headers,
    "content-type of blob": () => new Response(new Blob([], { type: "x/y" })).headers,
    "content-type of bytes": () => new Response(new Uint8Array(1)).headers,
    "json": async () => { const r = Response.json({ a: [1, null] }); return [show(r), await r.text()]; },
    "json string": async () => Response.json("x").text(),
    "json init": () => show(Response.json(1, { status: 202, headers: { x: "y" } })),
    "json content-type kept": () => Response.json(1, { headers: { "Content-Type": "a/b" } }).headers,
    "json undefined": () => caught(async () => Response.json(undefined).text()),
    "json function": () => kind(async () => Response.json(() => 1).text()),
    "json cycle": () => kind(() => { const a = {}; a.a = a; return Response.json(a); }),
    "json bigint": () => kind(() => Response.json(1n)),
    "json toJSON": async () => Response.json({ toJSON: () => "made" }).text(),
    "json status 204": () => caught(() => show(Response.json(1, { status: 204 }))),
    "error": () => show(Response.error()),
    "error headers immutable": () => caught(() => Response.error().headers.set("a", "b")),
    "redirect default": () => show(Response.redirect("https://a.b/")),
    "redirect URL": () => Response.redirect(new URL("https://a.b/x#y")).headers.get("location"),
    "redirect relative": () => caught(() => Response.redirect("/x")),
    "redirect headers immutable": () => caught(() => Response.redirect("https://a.b/").headers.set("a", "b")),
    "headers mutable": () => { const r = new Response("x"); r.headers.set("a", "b"); return r.headers; },
    "clone": async () => {
        const r = new Response("hello", { status: 201, headers: { a: "1" } });
        const c = r.clone();
        return [show(c), await r.text(), await c.text()];
    },
    "clone used": async () => { const r = new Response("x"); await r.text(); return caught(() => r.clone()); },
    "clone locked": async () => { const r = new Response("x"); r.body.getReader(); return caught(() => r.clone()); },
    "clone null body": () => show(new Response(null).clone()),
    "clone of clone": async () => { const a = new Response("x"); const b = a.clone(); const c = b.clone(); return Promise.all([a.text(), b.text(), c.text()]); },
    "encodeBody manual": () => caught(() => show(new Response("x", { encodeBody: "manual" }))),
    "encodeBody wrong": () => caught(() => new Response("x", { encodeBody: "x" })),
    "webSocket without 101": () => kind(() => new Response(null, { webSocket: {} })),
    "cf": () => new Response("x", { cf: { a: 1 } }).cf,
    "tag": () => Object.prototype.toString.call(new Response()),
    "static members": () => Object.getOwnPropertyNames(Response).filter((n) => !["length", "name", "prototype"].includes(n)).sort(),
    "subclass": () => { class R extends Response { get two() { return 2; } } const r = new R("x"); return [r.two, r.status, r instanceof Response]; },
    "subclass clone": () => { class R extends Response {} return new R("x").clone() instanceof R; },
    "without new": () => kind(() => Response("x")),
    "getter on wrong object": () => kind(() => Object.getOwnPropertyDescriptor(Response.prototype, "status").get.call({})),
    "stream body": async () => new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([104, 105])); c.close(); } })).text(),
    "stream of strings": () => caught(() => new Response(new ReadableStream({ start(c) { c.enqueue("hi"); c.close(); } })).text()),
    "stream of numbers": () => caught(() => new Response(new ReadableStream({ start(c) { c.enqueue(1); c.close(); } })).text()),
    "locked stream body": () => caught(() => { const s = new ReadableStream(); s.getReader(); return show(new Response(s)); }),
    "disturbed stream body": () => caught(async () => { const s = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)); } }); const r = s.getReader(); await r.read(); r.releaseLock(); return show(new Response(s)); }),
    "iterable body": () => caught(async () => new Response((function* () { yield new Uint8Array([65]); yield new Uint8Array([66]); })()).text()),
    "async iterable body": () => caught(async () => new Response((async function* () { yield new Uint8Array([65]); yield new TextEncoder().encode("bc"); })()).text()),
    "iterable of strings": () => caught(async () => new Response((function* () { yield "a"; yield "b"; })()).text()),
    "array body": () => caught(async () => new Response([1, 2]).text()),
};
