// Damaged streams in pieces of any size: a decoder answers the same however its input was cut, and never ends the isolate.
import assert from 'node:assert';
import zlib from 'node:zlib';

const ROUNDS = 250;
let seed = 12345;
const random = (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
};

const plain = Buffer.from(Array.from({ length: 400 }, (_, i) => `line ${i % 17} of ${i * i}\n`).join(''));

function damaged(bytes) {
    const out = Buffer.from(bytes);
    for (let i = random(4); i > 0; i--) out[random(out.length)] = random(256);
    return random(3) === 0 ? out.subarray(0, random(out.length)) : out;
}

function* pieces(bytes) {
    for (let at = 0; at < bytes.length;) {
        const n = 1 + random(random(2) === 0 ? 8 : 2000);
        yield bytes.subarray(at, at + n);
        at += n;
    }
}

/* What came out before the end or the error, and which of both it was. */
async function through(decoder, parts) {
    const writer = decoder.writable.getWriter(), reader = decoder.readable.getReader(), out = [];
    const writing = (async () => {
        for (const part of parts) await writer.write(part);
        await writer.close();
    })().catch(() => {});
    let failed = false;
    try {
        for (;;) {
            const { value, done } = await reader.read();
            if (done) break;
            out.push(value);
        }
    } catch {
        failed = true;
    }
    await writing;
    return failed ? 'failed' : Buffer.concat(out).toString('base64');
}

async function rounds(encoded, make) {
    for (let i = 0; i < ROUNDS; i++) {
        const input = damaged(encoded);
        const whole = await through(make(), [input]), cut = await through(make(), pieces(input));
        assert.strictEqual(cut, whole, `round ${i}`);
    }
}

const web = (format) => () => new DecompressionStream(format);

export const gzip = { test: () => rounds(zlib.gzipSync(plain), web('gzip')) };
export const deflate = { test: () => rounds(zlib.deflateSync(plain), web('deflate')) };
export const deflateRaw = { test: () => rounds(zlib.deflateRawSync(plain), web('deflate-raw')) };

function node(make, parts) {
    return new Promise((resolve) => {
        const out = [], decoder = make();
        decoder.on('data', (chunk) => out.push(chunk));
        decoder.on('error', () => resolve('failed'));
        decoder.on('end', () => resolve(Buffer.concat(out).toString('base64')));
        for (const part of parts) decoder.write(part);
        decoder.end();
    });
}

async function nodeRounds(encoded, make) {
    for (let i = 0; i < ROUNDS; i++) {
        const input = damaged(encoded);
        assert.strictEqual(await node(make, pieces(input)), await node(make, [input]), `round ${i}`);
    }
}

export const brotli = { test: () => nodeRounds(zlib.brotliCompressSync(plain), () => zlib.createBrotliDecompress()) };
export const zstd = { test: () => nodeRounds(zlib.zstdCompressSync(plain), () => zlib.createZstdDecompress()) };
