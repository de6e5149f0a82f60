import { Buffer } from "node:buffer";
import { promisify } from "node:util";
import zlib, { constants } from "node:zlib";
import { caught } from "../../worker/report.js";

const text = "The quick brown fox jumps over the lazy dog. ".repeat(400);
const frame = zlib.zstdCompressSync(text);
const half = frame.subarray(0, frame.length >> 1);
const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag, ZSTD_c_strategy, ZSTD_fast, ZSTD_d_windowLogMax } = constants;

async function gather(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
}

export default {
    "magic number": () => frame.subarray(0, 4).toString("hex"),
    "round trip": () => zlib.zstdDecompressSync(frame).toString() === text,
    "round trip, callback": async () => (await promisify(zlib.zstdDecompress)(await promisify(zlib.zstdCompress)(text))).toString() === text,
    "empty": () => zlib.zstdDecompressSync(zlib.zstdCompressSync("")).length,
    "level": () => zlib.zstdDecompressSync(zlib.zstdCompressSync(text, { params: { [ZSTD_c_compressionLevel]: 19 } })).length,
    "checksum and strategy": () => zlib.zstdDecompressSync(zlib.zstdCompressSync(text, { params: { [ZSTD_c_checksumFlag]: 1, [ZSTD_c_strategy]: ZSTD_fast } })).length,
    "parameter unknown to streams": () => caught(() => void new zlib.ZstdCompress({ params: { 9999: 1 } })),
    "parameter that is no number": () => caught(() => void new zlib.ZstdCompress({ params: { [ZSTD_c_compressionLevel]: "9" } })),
    "not a frame": () => caught(() => zlib.zstdDecompressSync("this is not a frame").length),
    "half a frame": () => caught(() => zlib.zstdDecompressSync(half).length),
    "half a frame, stream": () => caught(() => { const s = zlib.createZstdDecompress(); s.end(half); return gather(s); }),
    "two frames": () => zlib.zstdDecompressSync(Buffer.concat([frame, frame])).length,
    "window limit": () => caught(() => zlib.zstdDecompressSync(frame, { params: { [ZSTD_d_windowLogMax]: 10 } }).length),
    "stream": async () => {
        const pack = zlib.createZstdCompress(), unpack = zlib.createZstdDecompress();
        pack.pipe(unpack);
        for (let i = 0; i < text.length; i += 1000) pack.write(text.slice(i, i + 1000));
        pack.end();
        return (await gather(unpack)) === text;
    },
    "byte by byte": async () => {
        const unpack = zlib.createZstdDecompress();
        for (const b of frame) unpack.write(Buffer.of(b));
        unpack.end();
        return (await gather(unpack)) === text;
    },
    "flush": () => new Promise((resolve) => {
        const pack = zlib.createZstdCompress(), unpack = zlib.createZstdDecompress();
        unpack.once("data", (chunk) => resolve(chunk.toString()));
        pack.pipe(unpack);
        pack.write("first");
        pack.flush();
    }),
};
