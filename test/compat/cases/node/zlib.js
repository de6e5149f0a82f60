import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import { caught } from "../../worker/report.js";

const text = "The quick brown fox jumps over the lazy dog. ".repeat(3000);
const zipped = zlib.gzipSync(text), deflated = zlib.deflateSync(text), small = zlib.brotliCompressSync(text);
const said = (fn) => { try { return fn(); } catch (e) { return [e.name, e.code, e.errno, e.message]; } };

async function gather(stream) {
    const sizes = [];
    let length = 0;
    for await (const chunk of stream) {
        sizes.push(chunk.length);
        length += chunk.length;
    }
    return [length, Math.max(...sizes)];
}
const fed = (stream, ...chunks) => { for (const chunk of chunks) stream.write(chunk); stream.end(); return stream; };

export default {
    "chunks have the size that was asked for": () => gather(fed(zlib.createGunzip({ chunkSize: 1000 }), zipped)),
    "usual chunks": () => gather(fed(zlib.createGunzip(), zipped)),
    "two members": () => gather(fed(zlib.createGunzip(), zipped, zipped)),
    "trailing bytes end the stream": () => gather(fed(zlib.createInflate(), Buffer.concat([deflated, Buffer.from("trailing")]))),
    "bytesWritten": async () => { const s = fed(zlib.createInflate(), deflated); await gather(s); return s.bytesWritten === deflated.length; },
    "cut off": () => caught(() => gather(fed(zlib.createGunzip(), zipped.subarray(0, 50)))),
    "cut off, brotli": () => caught(() => gather(fed(zlib.createBrotliDecompress(), small.subarray(0, 20)))),
    "broken": () => caught(() => gather(fed(zlib.createGunzip(), Buffer.from("not gzip at all")))),
    "broken, sync": () => Promise.all([zlib.gunzipSync, zlib.inflateSync, zlib.inflateRawSync, zlib.unzipSync].map((fn) => caught(() => fn(Buffer.from("\xff\xff\xff\xff", "latin1")).length))),
    "limit": () => [said(() => zlib.gunzipSync(zipped, { maxOutputLength: 100 })), said(() => zlib.brotliDecompressSync(small, { maxOutputLength: 100 }))],
    "limit, stream": () => gather(fed(zlib.createGunzip({ maxOutputLength: 100 }), zipped)),
    "info": () => { const { buffer, engine } = zlib.gzipSync(text, { info: true }); return [zlib.gunzipSync(buffer).length, engine.constructor.name, engine.bytesWritten]; },
    "params": async () => {
        const s = zlib.createDeflate({ level: 9 });
        s.write(text.slice(0, 1000));
        await new Promise((r) => s.params(0, 0, r));
        s.end(text.slice(1000));
        const chunks = [];
        for await (const c of s) chunks.push(c);
        return zlib.inflateSync(Buffer.concat(chunks)).toString() === text;
    },
    "params of brotli": () => [said(() => void zlib.createBrotliCompress({ params: { 99: 1 } })), said(() => void zlib.createBrotliCompress({ params: { 0: 0, "00": 0 } }))],
    "options": () => [{ level: 10 }, { level: "x" }, { windowBits: 7 }, { memLevel: 0 }, { strategy: 9 }, { chunkSize: 1 }, { flush: 9 }, { finishFlush: -1 }, { dictionary: 5 }, 15].map((o) => said(() => void zlib.createDeflate(o))),
    "dictionary": () => zlib.inflateSync(zlib.deflateSync("abcabc", { dictionary: Buffer.from("abc") }), { dictionary: Buffer.from("abc") }).toString(),
    "without the dictionary": () => caught(() => zlib.inflateSync(zlib.deflateSync("abcabc", { dictionary: Buffer.from("abc") }))),
    "handle": () => { const s = zlib.createDeflate(); const before = s._handle !== null; s.destroy(); return [before, s._handle, s._closed]; },
    "crc32": () => [zlib.crc32("hello"), zlib.crc32(Buffer.from(" world"), zlib.crc32("hello")), zlib.crc32("")],
};
