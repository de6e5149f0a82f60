import { bytes, caught, chunksOf, hex, kind, text } from "../../worker/report.js";

const R = (body, init) => new Response(body, init);
const USED = "used";

const makers = {
    string: () => "h\u00e9llo \u{1f600}",
    empty: () => "",
    null: () => null,
    ArrayBuffer: () => bytes("buffer").buffer,
    Uint8Array: () => bytes("view"),
    "Uint8Array part": () => bytes("xxviewxx").subarray(2, 6),
    Uint16Array: () => new Uint16Array([0x4142, 0x4344]),
    DataView: () => new DataView(bytes("0123456").buffer, 1, 3),
    Blob: () => new Blob(["bl", "ob"], { type: "text/x-blob" }),
    URLSearchParams: () => new URLSearchParams([["a", "1 2"], ["b", "\u00e9&"]]),
    stream: () => new ReadableStream({ start(c) { c.enqueue(bytes("str")); c.enqueue(bytes("eam")); c.close(); } }),
    String: () => new String("object"),
};

const readers = {
    text: (r) => r.text(),
    arrayBuffer: (r) => r.arrayBuffer(),
    bytes: (r) => r.bytes(),
    blob: async (r) => { const b = await r.blob(); return [b.type, b.size, await b.text()]; },
    stream: async (r) => (r.body === null ? null : text(await new Response(r.body).arrayBuffer())),
};

const table = {};
for (const [from, make] of Object.entries(makers))
    for (const [to, read] of Object.entries(readers))
        table[`${from} to ${to}`] = () => caught(() => read(R(make())));

const json = ['{"a":[1,2,{"b":null}]}', "1", '"x"', " [ ] ", "\ufeff[1]", "null"];
for (const j of json) table[`json ${JSON.stringify(j)}`] = () => kind(() => R(j).json());
for (const j of ["", "{", "undefined", "{'a':1}", "[1,]"]) table[`bad json ${JSON.stringify(j)}`] = () => kind(() => R(j).json());

export default {
    ...table,
    "json of null body": () => kind(() => R(null).json()),
    "twice": async () => { const r = R("x"); await r.text(); return [r.bodyUsed, await caught(() => r.text()), await caught(() => r.json()), await caught(() => r.arrayBuffer())]; },
    "twice at once": async () => { const r = R("x"); const a = r.text(); const b = caught(() => r.text()); return [await a, await b]; },
    "null twice": async () => { const r = R(null); return [await r.text(), await r.text(), r.bodyUsed]; },
    "bodyUsed at once": () => { const r = R("x"); const before = r.bodyUsed; r.text(); return [before, r.bodyUsed]; },
    "bodyUsed by lock": () => { const r = R("x"); r.body.getReader(); return r.bodyUsed; },
    "bodyUsed by read": async () => { const r = R("x"); await r.body.getReader().read(); return r.bodyUsed; },
    "bodyUsed by cancel": async () => { const r = R("x"); await r.body.cancel(); return r.bodyUsed; },
    "read while locked": async () => { const r = R("x"); r.body.getReader(); return caught(() => r.text()); },
    "read after partial": async () => {
        const r = R("x"); const reader = r.body.getReader(); await reader.read(); reader.releaseLock();
        return caught(() => r.text());
    },
    "read after release": async () => { const r = R("x"); const reader = r.body.getReader(); reader.releaseLock(); return r.text(); },
    "body is same object": () => { const r = R("x"); return r.body === r.body; },
    "body chunks are bytes": async () => (await chunksOf(R("hello").body)).map((c) => [c.constructor.name, text(c)]),
    "body of empty string": async () => { const r = R(""); return r.body === null ? null : (await chunksOf(r.body)).length; },
    "BOM dropped by text": async () => (await R(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).text()).length,
    "BOM dropped by json": async () => R(new Uint8Array([0xef, 0xbb, 0xbf, 0x31])).json(),
    "bad UTF-8": async () => R(new Uint8Array([0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82])).text(),
    "surrogates in string": async () => hex(await R("a\ud800b").arrayBuffer()),
    "buffer is copied": async () => { const b = bytes("abc"); const r = R(b); b[0] = 0x7a; return r.text(); },
    "result is own buffer": async () => { const b = bytes("abc"); const out = await R(b).bytes(); return out.buffer !== b.buffer; },
    "detached buffer": () => kind(() => { const b = new ArrayBuffer(4); structuredClone(b, { transfer: [b] }); return R(b).text(); }),
    "blob type with charset": async () => (await R("x", { headers: { "content-type": "Text/HTML; Charset=UTF-8" } }).blob()).type,
    "blob without type": async () => (await R(new Uint8Array(1)).blob()).type,
    "formData urlencoded": async () => [...await R(new URLSearchParams("a=1&b=%C3%A9+x&a=2")).formData()],
    "formData without type": () => caught(() => R(new Uint8Array(2)).formData()),
    "formData wrong type": () => caught(() => R("x").formData()),
    "formData null body": () => caught(() => R(null).formData()),
    "large": async () => { const b = new Uint8Array(300000).fill(7); return (await R(b).arrayBuffer()).byteLength; },
    "large text": async () => (await R("\u00e9".repeat(100000)).text()).length,
    "stream error": () => caught(() => R(new ReadableStream({ start(c) { c.error(new RangeError("mine")); } })).text()),
    "stream pull error": () => caught(() => R(new ReadableStream({ pull() { throw new RangeError("pulled"); } })).text()),
    "stream slow": async () => R(new ReadableStream({ async pull(c) { await new Promise((r) => setTimeout(r, 2)); c.enqueue(bytes("z")); this.n = (this.n ?? 0) + 1; if (this.n === 3) c.close(); } })).text(),
    "text on request": () => new Request("http://a/", { method: "POST", body: "req" }).text(),
    "methods are async": () => kind(() => { const p = Response.prototype.text.call({}); return p instanceof Promise; }),
    [USED + " by Response"]: async () => { const r = R("abc"); const s = new Response(r.body); return [r.bodyUsed, await s.text(), r.bodyUsed]; },
    "tee": async () => { const [a, b] = R("tee me").body.tee(); return [await R(a).text(), await R(b).text()]; },
    "tee used": async () => { const r = R("tee me"); r.body.tee(); return [r.bodyUsed, r.body.locked, await caught(() => r.text())]; },
};
