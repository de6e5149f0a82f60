import { caught, kind } from "../../worker/report.js";

const same = (v) => structuredClone(v);
const values = {
    undefined, null: null, true: true, zero: -0, number: 1.5, nan: NaN, infinity: -Infinity, bigint: 12345678901234567890n, string: "s\u00e9\u{1f600}", "lone surrogate": "\ud800",
    object: { a: 1, b: { c: [1, 2] } }, array: [1, "2", null, undefined], sparse: [1, , 3], date: new Date(5), "bad date": new Date(NaN), regexp: /a+/gi, map: new Map([[1, { a: 2 }], ["k", new Map()]]), set: new Set([1, "a", new Set([2])]),
    buffer: new Uint8Array([1, 2, 3]).buffer, u8: new Uint8Array([1, 2]), "u8 part": new Uint8Array([1, 2, 3, 4]).subarray(1, 3), f64: new Float64Array([1.5, NaN]), i16: new Int16Array([-1]), big64: new BigInt64Array([-5n]), view: new DataView(new ArrayBuffer(3), 1),
    "Number object": new Number(5), "String object": new String("x"), "Boolean object": new Boolean(false), error: new RangeError("r"), "plain error": new Error("e"), "error with cause": new TypeError("t", { cause: { a: 1 } }), "empty object": {}, "null prototype": Object.assign(Object.create(null), { x: 1 }),
};
const table = {};
for (const [name, v] of Object.entries(values)) table[`clone ${name}`] = () => caught(() => same(v));
const refused = { function: () => 1, symbol: Symbol("x"), promise: Promise.resolve(), weakmap: new WeakMap(), weakset: new WeakSet(), "nested function": { a: () => 1 } };
for (const [name, v] of Object.entries(refused)) table[`refuse ${name}`] = () => { try { same(v); return "cloned"; } catch (e) { return [e.name, e instanceof DOMException, e.code]; } };

export default {
    ...table,
    "not the same": () => { const o = { a: {} }; const c = same(o); return [c === o, c.a === o.a]; },
    "cycle": () => { const o = {}; o.o = o; const c = same(o); return c.o === c; },
    "shared reference": () => { const x = {}; const c = same([x, x]); return c[0] === c[1]; },
    "shared buffer": () => { const b = new ArrayBuffer(4); const c = same([new Uint8Array(b), new Uint16Array(b)]); return c[0].buffer === c[1].buffer; },
    "class instance": () => { class A { x = 1; get y() { return 2; } } const c = same(new A()); return [c, c instanceof A]; },
    "getter": () => same({ get a() { return 5; } }),
    "getter throws": () => kind(() => same({ get a() { throw new RangeError("g"); } })),
    "symbol keys dropped": () => Object.getOwnPropertySymbols(same({ [Symbol("x")]: 1 })).length,
    "non-enumerable dropped": () => { const o = {}; Object.defineProperty(o, "a", { value: 1 }); return Object.getOwnPropertyNames(same(o)); },
    "array extra": () => { const a = [1]; a.x = 2; return same(a).x; },
    "sparse stays": () => 1 in same([1, , 3]),
    "regexp lastIndex": () => { const r = /a/g; r.lastIndex = 3; return same(r).lastIndex; },
    "error parts": () => { const e = new RangeError("m"); e.extra = 1; const c = same(e); return [c.name, c.message, c instanceof RangeError, typeof c.stack, c.extra]; },
    "error own name": () => { class Mine extends Error {} const e = new Mine("m"); e.name = "Mine"; const c = same(e); return [c.name, c.constructor.name]; },
    "DOMException": () => { const c = same(new DOMException("m", "AbortError")); return [c.name, c.message, c instanceof DOMException]; },
    "transfer": () => { const b = new ArrayBuffer(4); const c = structuredClone({ b }, { transfer: [b] }); return [b.byteLength, c.b.byteLength]; },
    "transfer view": () => { const u = new Uint8Array([1, 2]); const c = structuredClone(u, { transfer: [u.buffer] }); return [u.length, c]; },
    "transfer wrong": () => kind(() => structuredClone(1, { transfer: [{}] })),
    "transfer twice": () => kind(() => { const b = new ArrayBuffer(1); structuredClone(1, { transfer: [b, b] }); }),
    "detached": () => kind(() => { const b = new ArrayBuffer(1); structuredClone(b, { transfer: [b] }); return structuredClone(b); }),
    "no argument": () => kind(() => structuredClone()),
    "options null": () => kind(() => structuredClone(1, null)),
    "proxy": () => kind(() => same(new Proxy({}, {}))),
    "deep": () => { let o = {}; const top = o; for (let i = 0; i < 500; i++) o = o.n = {}; let d = 0; for (let c = same(top); c.n; c = c.n) d++; return d; },
    "Headers": () => kind(() => { const c = same(new Headers({ a: "b" })); return c.get("a"); }),
    "Request": () => kind(() => same(new Request("http://a/")) instanceof Request),
    "Blob": () => kind(() => same(new Blob(["x"])) instanceof Blob),
    "URL": () => kind(() => { same(new URL("http://a/")); return "cloned"; }),
};
