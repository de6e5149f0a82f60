import { bytes, caught, chunksOf, kind, text } from "../../worker/report.js";

const source = (...parts) => new ReadableStream({ type: "bytes", start(c) { for (const p of parts) c.enqueue(bytes(p)); c.close(); } });
const byob = (s) => s.getReader({ mode: "byob" });

export default {
    "default reader": async () => (await chunksOf(source("ab", "cd"))).map(text),
    "byob reader": async () => { const r = byob(source("abcdef")); const a = await r.read(new Uint8Array(4)); const b = await r.read(new Uint8Array(4)); const c = await r.read(new Uint8Array(4)); return [[a.done, text(a.value)], [b.done, text(b.value)], [c.done, c.value?.byteLength]]; },
    "byob detaches": async () => { const v = new Uint8Array(4); await byob(source("abcd")).read(v); return v.byteLength; },
    "byob keeps buffer size": async () => { const { value } = await byob(source("ab")).read(new Uint8Array(8)); return [value.byteLength, value.buffer.byteLength, value.byteOffset]; },
    "byob offset": async () => { const { value } = await byob(source("ab")).read(new Uint8Array(new ArrayBuffer(8), 2, 4)); return [value.byteLength, value.byteOffset]; },
    "byob Uint16Array": async () => { const { value } = await byob(source("abcd")).read(new Uint16Array(4)); return [value.constructor.name, value.length]; },
    "byob DataView": async () => { const { value } = await byob(source("abcd")).read(new DataView(new ArrayBuffer(4))); return [value.constructor.name, value.byteLength]; },
    "byob zero length": () => caught(() => byob(source("a")).read(new Uint8Array(0))),
    "byob not a view": () => kind(() => byob(source("a")).read("x")),
    "byob min": async () => { const r = byob(source("ab", "cd", "ef")); const { value } = await r.read(new Uint8Array(6), { min: 5 }); return text(value); },
    "byob min too large": () => caught(() => byob(source("a")).read(new Uint8Array(2), { min: 3 })),
    "byob min zero": () => kind(() => byob(source("a")).read(new Uint8Array(2), { min: 0 })),
    "readAtLeast": async () => { const r = byob(source("ab", "cd", "ef")); return text((await r.readAtLeast(4, new Uint8Array(6))).value); },
    "byob on body": async () => { const r = byob(new Response("hello").body); const { value } = await r.read(new Uint8Array(3)); return text(value); },
    "byob on body end": async () => { const r = byob(new Response("he").body); await r.read(new Uint8Array(3)); const { done, value } = await r.read(new Uint8Array(3)); return [done, value?.byteLength]; },
    "byobRequest": async () => {
        const s = new ReadableStream({ type: "bytes", pull(c) { const v = c.byobRequest.view; v[0] = 65; v[1] = 66; c.byobRequest.respond(2); } });
        return text((await byob(s).read(new Uint8Array(5))).value);
    },
    "byobRequest without byob": async () => { let r = 0; const s = new ReadableStream({ type: "bytes", pull(c) { r = c.byobRequest; c.enqueue(bytes("x")); } }); await s.getReader().read(); return r; },
    "autoAllocateChunkSize": async () => { let size; const s = new ReadableStream({ type: "bytes", autoAllocateChunkSize: 16, pull(c) { size = c.byobRequest.view.byteLength; c.byobRequest.view[0] = 65; c.byobRequest.respond(1); } }); return [text((await s.getReader().read()).value), size]; },
    "autoAllocateChunkSize zero": () => caught(() => new ReadableStream({ type: "bytes", autoAllocateChunkSize: 0 })),
    "respondWithNewView": async () => { const s = new ReadableStream({ type: "bytes", pull(c) { const v = c.byobRequest.view; v[0] = 67; c.byobRequest.respondWithNewView(new Uint8Array(v.buffer, v.byteOffset, 1)); } }); return text((await byob(s).read(new Uint8Array(5))).value); },
    "respond too much": () => kind(async () => { let e; const s = new ReadableStream({ type: "bytes", pull(c) { try { c.byobRequest.respond(99); } catch (x) { e = x; c.error(x); } } }); await byob(s).read(new Uint8Array(5)).catch(() => {}); throw e; }),
    "enqueue string": () => kind(() => new ReadableStream({ type: "bytes", start(c) { c.enqueue("x"); } })),
    "enqueue empty": () => caught(() => new ReadableStream({ type: "bytes", start(c) { c.enqueue(new Uint8Array(0)); } })),
    "enqueue transfers": () => { const b = bytes("abc"); new ReadableStream({ type: "bytes", start(c) { c.enqueue(b); } }); return b.byteLength; },
    "desiredSize": () => { let d = []; new ReadableStream({ type: "bytes", start(c) { d.push(c.desiredSize); c.enqueue(bytes("abc")); d.push(c.desiredSize); } }, { highWaterMark: 10 }); return d; },
    "tee": async () => { const [a, b] = source("ab", "c").tee(); return [text(await new Response(a).arrayBuffer()), text(await new Response(b).arrayBuffer())]; },
    "tee byob": async () => { const [a, b] = source("ab", "c").tee(); const r = byob(a); const x = text((await r.read(new Uint8Array(9))).value); return [x, text(await new Response(b).arrayBuffer())]; },
    "tee byob reaches the source": async () => {
        let c;
        const [a, b] = new ReadableStream({ type: "bytes", start(x) { c = x; } }).tee();
        const p = byob(a).read(new Uint8Array(9)), q = byob(b).read(new Uint8Array(4));
        const { view, atLeast } = c.byobRequest;
        const length = view.byteLength;
        view.set(bytes("hello"));
        c.byobRequest.respond(5);
        return [length, atLeast, text((await p).value), text((await q).value)];
    },
    "tee byob of which one is cancelled": async () => {
        let c;
        const [a, b] = new ReadableStream({ type: "bytes", start(x) { c = x; } }).tee();
        const r = byob(a), p = r.read(new Uint8Array(8)), q = byob(b).read(new Uint8Array(8));
        const request = c.byobRequest;
        request.view.set(bytes("xy"));
        await r.cancel();
        request.respond(2);
        return [(await p).done, text((await q).value)];
    },
    "readAtLeast past the end": async () => { const r = byob(source("ab", "c")); const a = await r.readAtLeast(9, new Uint8Array(9)); const b = await r.readAtLeast(9, new Uint8Array(9)); return [a.done, text(a.value), b.done, b.value.byteLength]; },
    "then on Object.prototype": async () => {
        let c, called = false;
        const r = byob(new ReadableStream({ type: "bytes", start(x) { c = x; } })), p = r.read(new Uint8Array(4));
        Object.defineProperty(Object.prototype, "then", { configurable: true, get() { called = true; } });
        c.enqueue(bytes("ab"));
        delete Object.prototype.then;
        return [text((await p).value), called];
    },
    "size strategy refused": () => kind(() => new ReadableStream({ type: "bytes" }, { size: () => 1 })),
    "close with byob pending": async () => { let c; const s = new ReadableStream({ type: "bytes", start(x) { c = x; } }); const p = byob(s).read(new Uint8Array(4)); c.close(); c.byobRequest?.respond(0); const { done, value } = await p; return [done, value?.byteLength]; },
    "error with byob pending": () => caught(async () => { let c; const s = new ReadableStream({ type: "bytes", start(x) { c = x; } }); const p = byob(s).read(new Uint8Array(4)); c.error(new RangeError("e")); return p; }),
    "byob cancel": async () => { let why; const s = new ReadableStream({ type: "bytes", cancel(r) { why = r; } }); await byob(s).cancel("x"); return why; },
    "byob release": () => caught(() => { const r = byob(source("a")); r.releaseLock(); return r.read(new Uint8Array(1)); }),
    "default reads of what waits": async () => {
        const lengths = [];
        for (const sizes of [[3, 3], [1, 5000], [10000], [4096, 1], [4095, 2], [2, 4096]]) {
            const reader = new ReadableStream({ type: "bytes", start(c) { for (const n of sizes) c.enqueue(new Uint8Array(n)); c.close(); } }).getReader();
            const seen = [];
            for (;;) { const { value, done } = await reader.read(); if (done) break; seen.push(value.byteLength); }
            lengths.push(seen);
        }
        return lengths;
    },
};
