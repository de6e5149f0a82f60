/* The way of a response through a rewriter: headers, errors, encodings, streams. */
import { bytes, caught, kind } from "../../worker/report.js";
import { page, rewrite, trace } from "./_pages.js";

const latin = (...codes) => new Uint8Array(codes);
const encoded = async (charset, html, change) => {
    const response = new Response(html, { headers: { "content-type": `text/html; charset=${charset}` } });
    return new HTMLRewriter().on("p", change).transform(response).arrayBuffer();
};
const failing = (handlers, html = "<p>x<!--c--></p>") => () => caught(() => rewrite("p", handlers, html));
const labels = ["utf-8", "UTF8", "iso-8859-1", "windows-1252", "windows-1251", "koi8-r", "shift_jis", "euc-jp", "euc-kr", "gbk", "gb18030", "big5", "utf-16", "utf-16be", "iso-2022-jp", "nope", "", "\"windows-1251\"", "replacement"];
const table = {};
for (const label of labels) {
    table[`charset ${label}`] = () => caught(() => encoded(label, "<p>x</p>", { element(e) { e.append("\u00e9\u0416\u65e5\u{1f600}"); e.setAttribute("a", "\u00e9\u0416"); } }));
    table[`text in ${label}`] = () => caught(() => encoded(label, latin(60, 112, 62, 0xc6, 0xfc, 0x41, 60, 47, 112, 62), { text(t) { t.before(`[${t.text}]`); } }));
}

export default {
    ...table,
    "headers": async () => { const r = new HTMLRewriter().transform(new Response("abc", { status: 201, statusText: "Made", headers: { "content-type": "text/html", "x-a": "1", "content-length": "3" } })); return [r.status, r.statusText, [...r.headers], await r.text()]; },
    "null body": () => { const r = new Response(null, { status: 204 }); return new HTMLRewriter().on("p", {}).transform(r) === r; },
    "empty body": () => new HTMLRewriter().on("p", {}).transform(new Response("")).text(),
    "error response": () => caught(() => new HTMLRewriter().transform(Response.error())),
    "no response": () => kind(() => new HTMLRewriter().transform("x")),
    "used body": async () => { const r = new Response("x"); await r.text(); return caught(() => new HTMLRewriter().transform(r).text()); },
    "input is used": () => { const r = new Response("x"); const out = new HTMLRewriter().transform(r); return [r.bodyUsed, out.bodyUsed, r === out]; },
    "locked body": () => { const r = new Response("x"); r.body.getReader(); return kind(() => new HTMLRewriter().transform(r)); },
    "twice": async () => { const rw = new HTMLRewriter().on("p", { element(e) { e.append("1"); } }); return Promise.all([rw.transform(page("<p></p>")).text(), rw.transform(page("<p>x</p>")).text()]); },
    "rewriter over rewriter": () => { const one = new HTMLRewriter().on("p", { element(e) { e.append("1"); } }); return one.transform(one.transform(page("<p></p>"))).text(); },
    "chained": () => { const rw = new HTMLRewriter(); return [rw.on("p", {}) === rw, rw.onDocument({}) === rw]; },
    "on without handlers": () => kind(() => new HTMLRewriter().on("p")),
    "on with null": () => kind(() => new HTMLRewriter().on("p", null)),
    "handler is no function": () => caught(() => new HTMLRewriter().on("p", { element: 5 })),
    "handler is null": () => caught(() => new HTMLRewriter().on("p", { element: null })),
    "document handler is no function": () => caught(() => new HTMLRewriter().onDocument({ end: "x" })),
    "unknown handlers": () => new HTMLRewriter().on("p", { foo: 5 }).transform(page("<p>")).text(),
    "handlers of a class": () => { class H { n = "!"; element(e) { e.append(this.n); } } return new HTMLRewriter().on("p", new H()).transform(page("<p></p>")).text(); },
    "handlers are read once": async () => { const h = { element(e) { e.append("old"); } }; const rw = new HTMLRewriter().on("p", h); h.element = (e) => { e.append("new"); }; return rw.transform(page("<p></p>")).text(); },
    "bound to the handlers": async () => { let self; const h = { element() { self = this; } }; await rewrite("p", h, "<p>"); return self === h; },
    "element throws": failing({ element() { throw new Error("boom"); } }),
    "element throws a string": failing({ element() { throw "boom"; } }),
    "element rejects": failing({ async element() { throw new RangeError("boom"); } }),
    "text throws": failing({ text() { throw new Error("boom"); } }),
    "comment throws": failing({ comments() { throw new Error("boom"); } }),
    "end throws": () => caught(() => new HTMLRewriter().onDocument({ end() { throw new Error("boom"); } }).transform(page("a")).text()),
    "end tag throws": failing({ element(e) { e.onEndTag(() => { throw new Error("boom"); }); } }),
    "stream fails": failing({ element(e) { e.append(new ReadableStream({ start(c) { c.error(new Error("boom")); } })); } }),
    "stream is not UTF-8": failing({ element(e) { e.append(new Response(latin(0x61, 0xff)).body); } }),
    "stream cut in a character": failing({ element(e) { e.append(new Response(latin(0x61, 0xe2, 0x82)).body); } }),
    "characters over pieces": failing({ element(e) { let i = 0; const all = latin(0xe2, 0x82, 0xac, 0x21); e.append(new ReadableStream({ pull(c) { if (i === 4) c.close(); else c.enqueue(all.slice(i, ++i)); } })); } }),
    "input fails": () => caught(() => new HTMLRewriter().on("p", {}).transform(new Response(new ReadableStream({ start(c) { c.error(new Error("boom")); } }))).text()),
    "ambiguous": () => caught(() => rewrite("p", {}, "<select><xmp><script>\"use strict\";</script></select>")),
    "thenable": () => rewrite("p", { element(e) { return { then(ok) { e.append("t"); ok(); } }; } }, "<p></p>"),
    "order of async": async () => { const seen = []; const h = (n) => ({ async element(e) { seen.push(`${e.tagName} ${n} in`); await scheduler.wait(1); seen.push(`${e.tagName} ${n} out`); } }); await new HTMLRewriter().on("*", h(1)).on("*", h(2)).transform(page("<a><b>")).text(); return seen; },
    "two at once": async () => Promise.all([1, 2].map((n) => rewrite("p", { async element(e) { await scheduler.wait(n); e.append(String(n)); } }, "<p></p>"))),
    "cancel": async () => { const r = new HTMLRewriter().on("p", {}).transform(page("<p>x", 1)); await r.body.cancel(); return r.bodyUsed; },
    "reader": async () => { const reader = new HTMLRewriter().on("p", { element(e) { e.append("!"); } }).transform(page("<p>x</p>")).body.getReader(); let out = ""; for (;;) { const { value, done } = await reader.read(); if (done) return out; out += new TextDecoder().decode(value); } },
    "byob": async () => { const reader = new HTMLRewriter().transform(page("hello")).body.getReader({ mode: "byob" }); const { value } = await reader.read(new Uint8Array(3)); return value; },
    "async context": async () => { const { AsyncLocalStorage } = await import("node:async_hooks").catch(() => ({})); return AsyncLocalStorage === undefined; },
    "large page": async () => { const html = "<ul>" + "<li class=a>item &amp; more</li>".repeat(5000) + "</ul>"; let n = 0; const out = await rewrite("li.a", { element(e) { n++; e.setAttribute("n", String(n)); } }, html, 4096); return [n, out.length, out.slice(-60)]; },
    "large tag": async () => { const html = `<p a="${"x".repeat(300000)}">y</p>`; const out = await rewrite("p", { element(e) { e.setAttribute("b", String(e.getAttribute("a").length)); } }, html, 65536); return out.length; },
    "bad UTF-8 in text": () => trace(latin(60, 112, 62, 0x61, 0xff, 0xe2, 0x82, 0x62, 60, 47, 112, 62)),
    "bad UTF-8 untouched": async () => new HTMLRewriter().on("b", { text() {} }).transform(new Response(latin(60, 112, 62, 0x61, 0xff, 60, 47, 112, 62))).arrayBuffer(),
    "bad UTF-8 in attribute": () => rewrite("p", { element(e) { e.before(JSON.stringify([...e.attributes])); } }, latin(60, 112, 32, 0x61, 61, 0xff, 62)),
    "characters over chunks": () => trace("<p>\u20ac\u{1f600}</p>", { n: 1 }),
    "characters over chunks, pieces": () => trace("<p>a\u20acb</p>", { n: 5, pieces: true }),
    "byte order mark": () => trace("\ufeff<p>x</p>"),
    "Object.prototype.toString": () => Object.prototype.toString.call(new HTMLRewriter()),
    "without new": () => kind(() => HTMLRewriter()),
};
