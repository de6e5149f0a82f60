import math from "./math.wasm";
import { caught, kind, text } from "../../worker/report.js";

const run = async (report = () => {}) => (await WebAssembly.instantiate(math, { host: { report } })).exports;
const EMPTY = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

export default {
    "module": () => [math instanceof WebAssembly.Module, Object.prototype.toString.call(math)],
    "exports": () => WebAssembly.Module.exports(math),
    "imports": () => WebAssembly.Module.imports(math),
    "custom sections": () => WebAssembly.Module.customSections(math, "nothing").length,
    "instantiate": async () => (await run()).add(2, 3),
    "instantiate gives Instance": async () => (await WebAssembly.instantiate(math, { host: { report() {} } })) instanceof WebAssembly.Instance,
    "new Instance": () => new WebAssembly.Instance(math, { host: { report() {} } }).exports.add(20, 22),
    "instances are apart": async () => { const [a, b] = [await run(), await run()]; return [a.next(), a.next(), b.next()]; },
    "host call": async () => { const log = []; (await run((v) => log.push(v))).tell(21); return log; },
    "host throws": () => caught(async () => (await run(() => { throw new RangeError("host"); })).tell(1)),
    "memory": async () => { const e = await run(); new Uint8Array(e.memory.buffer).set([1, 2, 3], 1024); return e.sum(1024, 3); },
    "memory size": async () => (await run()).memory.buffer.byteLength,
    "memory grow": async () => { const { memory } = await run(); const old = memory.buffer; const pages = memory.grow(1); return [pages, old.byteLength, memory.buffer.byteLength]; },
    "double": async () => (await run()).half(5),
    "trap": () => kind(async () => (await run()).fail(0)),
    "trap leaves it usable": async () => { const e = await run(); await kind(() => e.fail(0)); return e.fail(5); },
    "out of bounds": () => kind(async () => (await run()).sum(0x7ffffff0, 100)),
    "conversions": async () => { const e = await run(); return [e.add("5", null), e.add(2 ** 32 + 1, 1), e.add()]; },
    "missing import": () => kind(() => WebAssembly.instantiate(math, {})),
    "no imports": () => kind(() => WebAssembly.instantiate(math)),
    "wrong import": () => kind(() => WebAssembly.instantiate(math, { host: { report: 5 } })),
    "compile refused": () => kind(() => WebAssembly.compile(EMPTY)),
    "instantiate bytes refused": () => kind(() => WebAssembly.instantiate(EMPTY)),
    "new Module refused": () => kind(() => new WebAssembly.Module(EMPTY)),
    "compile message": () => caught(() => WebAssembly.compile(EMPTY)),
    "validate": () => kind(() => WebAssembly.validate(EMPTY)),
    "own memory": () => { const m = new WebAssembly.Memory({ initial: 1, maximum: 2 }); return [m.buffer.byteLength, m.grow(1), m.buffer.byteLength]; },
    "own table": () => { const t = new WebAssembly.Table({ initial: 2, element: "anyfunc" }); return [t.length, t.get(0)]; },
    "own global": () => { const g = new WebAssembly.Global({ value: "i32", mutable: true }, 5); g.value++; return g.value; },
    "members": () => ["compile", "instantiate", "validate", "compileStreaming", "instantiateStreaming", "Module", "Instance", "Memory", "Table", "Global", "CompileError", "LinkError", "RuntimeError"].map((n) => [n, typeof WebAssembly[n]]),
    "string through memory": async () => { const e = await run(); new Uint8Array(e.memory.buffer).set(new TextEncoder().encode("wasm"), 2048); return text(new Uint8Array(e.memory.buffer, 2048, 4)); },
    "many instances": async () => { let s = 0; for (let i = 0; i < 50; i++) s += (await run()).next(); return s; },
};
