import { bytes, caught, chunksOf, kind, later, text } from "../../worker/report.js";

const from = (...items) => new ReadableStream({ start(c) { for (const i of items) c.enqueue(i); c.close(); } });
const ticking = () => new ReadableStream({ async pull(c) { await later(); c.enqueue(1); } });
const sink = (log, more = {}, strategy) => new WritableStream({ write(x) { log.push(x); }, close() { log.push("close"); }, abort(r) { log.push(["abort", r]); }, ...more }, strategy);

export default {
    "write": async () => { const log = []; const w = sink(log).getWriter(); await w.write(1); await w.write("b"); await w.close(); return log; },
    "writes in order": async () => { const log = []; const w = new WritableStream({ async write(x) { await later(3 - x); log.push(x); } }).getWriter(); w.write(1); w.write(2); await w.write(3); return log; },
    "start order": async () => { const log = []; const w = new WritableStream({ async start() { await later(); log.push("start"); }, write(x) { log.push(x); } }).getWriter(); await w.write(1); return log; },
    "locked": () => { const s = sink([]); const a = s.locked; s.getWriter(); return [a, s.locked]; },
    "getWriter twice": () => caught(() => { const s = sink([]); s.getWriter(); s.getWriter(); }),
    "release": async () => { const s = sink([]); const w = s.getWriter(); w.releaseLock(); return [s.locked, await caught(() => w.write(1))]; },
    "closed after release": () => caught(() => { const w = sink([]).getWriter(); w.releaseLock(); return w.closed; }),
    "ready": async () => { const w = sink([]).getWriter(); return w.ready; },
    "desiredSize": async () => { const w = sink([], {}, { highWaterMark: 3 }).getWriter(); const a = w.desiredSize; const p = w.write(1); const b = w.desiredSize; await p; return [a, b, w.desiredSize]; },
    "desiredSize closed": async () => { const w = sink([]).getWriter(); await w.close(); return w.desiredSize; },
    "back pressure": async () => { let go; const gate = new Promise((r) => { go = r; }); const w = new WritableStream({ write: () => gate }).getWriter(); const log = []; w.write(1); w.ready.then(() => log.push("ready")); await later(); log.push("before"); go(); await later(); return log; },
    "write error": () => caught(() => new WritableStream({ write() { throw new RangeError("w"); } }).getWriter().write(1)),
    "write after error": async () => { const w = new WritableStream({ write() { throw new RangeError("w"); } }).getWriter(); await caught(() => w.write(1)); return [await caught(() => w.write(2)), await caught(() => w.closed)]; },
    "write after close": () => caught(async () => { const w = sink([]).getWriter(); await w.close(); return w.write(1); }),
    "close twice": () => caught(async () => { const w = sink([]).getWriter(); w.close(); return w.close(); }),
    "close error": () => caught(() => sink([], { close() { throw new RangeError("c"); } }).getWriter().close()),
    "close stream": async () => { const log = []; await sink(log).close(); return log; },
    "close locked": () => caught(() => { const s = sink([]); s.getWriter(); return s.close(); }),
    "abort": async () => { const log = []; const s = sink(log); await s.abort("why"); return [log, await caught(() => s.getWriter().write(1))]; },
    "abort with error": async () => { const s = sink([]); await s.abort(new RangeError("why")); return caught(() => s.getWriter().closed); },
    "abort locked": () => caught(() => { const s = sink([]); s.getWriter(); return s.abort(); }),
    "abort signal": async () => { let signal; const s = new WritableStream({ start(c) { signal = c.signal; } }); const before = signal.aborted; await s.abort("r"); return [before, signal.aborted, signal.reason]; },
    "controller error": () => caught(async () => { let c; const s = new WritableStream({ start(x) { c = x; } }); c.error(new RangeError("e")); return s.getWriter().write(1); }),
    "type wrong": () => caught(() => new WritableStream({ type: "x" })),
    "start throws": () => caught(() => new WritableStream({ start() { throw new RangeError("s"); } })),
    "pipeTo": async () => { const log = []; await from(1, 2).pipeTo(sink(log)); return log; },
    "pipeTo preventClose": async () => { const log = []; const s = sink(log); await from(1).pipeTo(s, { preventClose: true }); return [log, s.locked]; },
    "pipeTo source error": async () => { const log = []; const r = await caught(() => new ReadableStream({ start(c) { c.error(new RangeError("src")); } }).pipeTo(sink(log))); return [r, log]; },
    "pipeTo preventAbort": async () => { const log = []; const r = await caught(() => new ReadableStream({ start(c) { c.error(new RangeError("src")); } }).pipeTo(sink(log), { preventAbort: true })); return [r, log]; },
    "pipeTo sink error": async () => { let why; const src = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { why = String(r); } }); const r = await caught(() => src.pipeTo(new WritableStream({ write() { throw new RangeError("dst"); } }))); return [r, why]; },
    "pipeTo preventCancel": async () => { let why = "not cancelled"; const src = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { why = String(r); } }); const r = await caught(() => src.pipeTo(new WritableStream({ write() { throw new RangeError("dst"); } }), { preventCancel: true })); return [r, why]; },
    "pipeTo signal": async () => { const c = new AbortController(); const p = ticking().pipeTo(new WritableStream(), { signal: c.signal }); c.abort(); return caught(() => p); },
    "pipeTo signal reason": async () => { const c = new AbortController(); const p = ticking().pipeTo(new WritableStream(), { signal: c.signal }); c.abort(new RangeError("stop")); return caught(() => p); },
    "pipeTo aborted before it begins": async () => {
        let c, free;
        const target = new WritableStream({ start(x) { c = x; } }), source = new ReadableStream();
        await null;
        c.signal.addEventListener("abort", () => { free = [source.locked, target.locked]; });
        return [await caught(() => source.pipeTo(target, { signal: AbortSignal.abort(new RangeError("early")) })), free];
    },
    "size of a chunk that is waited for": async () => {
        const sizes = [];
        let c;
        const r = new ReadableStream({ start(x) { c = x; } }, { size(x) { sizes.push(x); return 1; }, highWaterMark: 1 }).getReader();
        const p = r.read();
        c.enqueue("a");
        return [(await p).value, sizes];
    },
    "pipeTo locked": () => caught(() => { const s = from(1); s.getReader(); return s.pipeTo(sink([])); }),
    "pipeTo locked sink": () => caught(() => { const s = sink([]); s.getWriter(); return from(1).pipeTo(s); }),
    "pipeTo locks both": () => { const a = new ReadableStream(); const b = new WritableStream(); a.pipeTo(b).catch(() => {}); return [a.locked, b.locked]; },
    "transform identity": async () => chunksOf(from(1, 2).pipeThrough(new TransformStream())),
    "transform": async () => chunksOf(from(1, 2).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x * 10); c.enqueue(x * 10 + 1); } }))),
    "transform start flush": async () => chunksOf(from(1).pipeThrough(new TransformStream({ start(c) { c.enqueue("s"); }, flush(c) { c.enqueue("f"); } }))),
    "transform async": async () => chunksOf(from(1, 2).pipeThrough(new TransformStream({ async transform(x, c) { await later(); c.enqueue(-x); } }))),
    "transform throws": () => caught(() => chunksOf(from(1).pipeThrough(new TransformStream({ transform() { throw new RangeError("t"); } })))),
    "transform error": () => caught(() => chunksOf(from(1).pipeThrough(new TransformStream({ transform(_, c) { c.error(new RangeError("t")); } })))),
    "transform terminate": async () => chunksOf(from(1, 2, 3).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x); if (x === 2) c.terminate(); } }))),
    "transform cancel": async () => { let why; const t = new TransformStream({ cancel(r) { why = r; } }); await t.readable.cancel("x"); return why; },
    "transform types": () => [caughtNow(() => new TransformStream({ readableType: "x" })), caughtNow(() => new TransformStream({ writableType: "x" }))],
    "transform back pressure": async () => { const t = new TransformStream(); const w = t.writable.getWriter(); const log = []; w.write(1).then(() => log.push("written")); await later(); log.push("read"); await t.readable.getReader().read(); await later(); return log; },
    "transform desiredSize": async () => { const t = new TransformStream({}, { highWaterMark: 2 }); return t.writable.getWriter().desiredSize; },
    "pipeThrough returns readable": () => { const t = new TransformStream(); return from(1).pipeThrough(t) === t.readable; },
    "pipeThrough pair": async () => { const log = []; const out = from(1).pipeThrough({ readable: from("r"), writable: sink(log) }); return [await chunksOf(out), log]; },
    "pipeThrough wrong": () => kind(() => from(1).pipeThrough({})),
    "identity stream": async () => { const t = new IdentityTransformStream(); const w = t.writable.getWriter(); const p = w.write(bytes("ab")); const { value } = await t.readable.getReader().read(); await p; return [value.constructor.name, text(value)]; },
    "identity stream string": () => caught(() => { const t = new IdentityTransformStream(); t.readable.getReader().read().catch(() => {}); return t.writable.getWriter().write("x"); }),
    "fixed length": async () => { const t = new FixedLengthStream(4); const w = t.writable.getWriter(); w.write(bytes("ab")).catch(() => {}); w.write(bytes("cd")).then(() => w.close()); return new Response(t.readable).text(); },
    "fixed length too much": () => caught(async () => { const t = new FixedLengthStream(1); const w = t.writable.getWriter(); const r = t.readable.getReader().read(); r.catch(() => {}); return w.write(bytes("ab")); }),
    "fixed length too little": () => caught(async () => { const t = new FixedLengthStream(5); const w = t.writable.getWriter(); const r = new Response(t.readable).text(); r.catch(() => {}); await w.write(bytes("ab")); return w.close(); }),
    "fixed length wrong": () => caught(() => new FixedLengthStream(-1)),
    "compress round trip": async () => { const z = new Response("hello hello hello").body.pipeThrough(new CompressionStream("gzip")); return new Response(z.pipeThrough(new DecompressionStream("gzip"))).text(); },
    "compress formats": async () => { const out = []; for (const f of ["gzip", "deflate", "deflate-raw"]) { const z = new Response("x".repeat(1000)).body.pipeThrough(new CompressionStream(f)); const b = await new Response(z).arrayBuffer(); out.push([f, b.byteLength < 100, new Uint8Array(b)[0]]); } return out; },
    "compress wrong format": () => caught(() => new CompressionStream("zip")),
    "decompress garbage": () => caught(() => new Response(new Response("not gzip at all").body.pipeThrough(new DecompressionStream("gzip"))).text()),
    "strategies": () => [new CountQueuingStrategy({ highWaterMark: 3 }).highWaterMark, new CountQueuingStrategy({ highWaterMark: 3 }).size({}), new ByteLengthQueuingStrategy({ highWaterMark: 5 }).size(new Uint8Array(7))],
    "strategy without argument": () => kind(() => new CountQueuingStrategy()),
    "encoder stream properties": () => { const e = new TextEncoderStream(); const d = new TextDecoderStream("utf-16le", { fatal: true }); return [e.encoding, d.encoding, d.fatal, d.ignoreBOM]; },
    "encoder stream surrogates": async () => (await chunksOf(from("\ud83d", "\ude00x").pipeThrough(new TextEncoderStream()))).map(text),
    "decoder stream split": async () => (await chunksOf(from(new Uint8Array([0xe2, 0x82]), new Uint8Array([0xac])).pipeThrough(new TextDecoderStream()))).join(""),
    "decoder stream fatal": () => kind(() => chunksOf(from(new Uint8Array([0xff])).pipeThrough(new TextDecoderStream("utf-8", { fatal: true })))),
    "decoder stream string": () => kind(() => chunksOf(from("x").pipeThrough(new TextDecoderStream()))),
    "tags": () => [Object.prototype.toString.call(new WritableStream()), Object.prototype.toString.call(new TransformStream())],
};

function caughtNow(fn) {
    try {
        fn();
        return "fine";
    } catch (e) {
        return `${e.name}: ${e.message}`;
    }
}
