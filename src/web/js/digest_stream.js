/* crypto.DigestStream: apart from crypto.js, which needs no streams. */
import { DIGESTS, exception, nameOf } from "./crypto.js";
import { viewOf, utf8 } from "./encoding.js";
import { makeWritable } from "./streams/writable.js";
import { WritableStream, TRANSFORM } from "./streams/classes.js";
import { Deferred, handled } from "./streams/common.js";
import { DISPOSE } from "./dispose.js";

const c = native.crypto;

/* Checksums that are no digests of Web Crypto, as upstream: polynomials in reversed order of bits, low half first. */
const CHECKSUMS = { crc32: [0xedb88320, 0, 4], crc32c: [0x82f63b78, 0, 4], crc64nvme: [0xac4bc9b5, 0x9a6c9329, 8] };

class Checksum {
    #table = new Uint32Array(512); // of 256 values the low halves, then the high ones
    #size;
    #low = 0xffffffff;
    #high = 0xffffffff;

    constructor([low, high, size]) {
        this.#size = size;
        for (let i = 0; i < 256; i++) {
            let a = i, b = 0;
            for (let bit = 0; bit < 8; bit++) {
                const odd = a & 1;
                a = ((a >>> 1) | (b << 31)) >>> 0;
                b >>>= 1;
                if (odd) {
                    a = (a ^ low) >>> 0;
                    b = (b ^ high) >>> 0;
                }
            }
            this.#table[i] = a;
            this.#table[256 + i] = b;
        }
        if (size === 4) this.#high = 0;
    }

    push(bytes) {
        const table = this.#table;
        let low = this.#low, high = this.#high;
        for (const byte of bytes) {
            const at = (low ^ byte) & 0xff;
            low = ((low >>> 8) | (high << 24)) ^ table[at];
            high = (high >>> 8) ^ table[256 + at];
        }
        this.#low = low >>> 0;
        this.#high = high >>> 0;
    }

    value() {
        const view = new DataView(new ArrayBuffer(this.#size));
        view.setUint32(this.#size - 4, ~this.#low >>> 0);
        if (this.#size === 8) view.setUint32(0, ~this.#high >>> 0);
        return view.buffer;
    }
}

/* {push(bytes), value()} */
function digestOf(algorithm) {
    const given = typeof algorithm === "string" ? algorithm : algorithm?.name;
    if (typeof given === "string" && Object.hasOwn(CHECKSUMS, given)) return new Checksum(CHECKSUMS[given]);
    const name = nameOf(given);
    if (!(name in DIGESTS)) throw exception("NotSupportedError", "Unrecognized or unimplemented digest algorithm requested.");
    const handle = c.digestOpen(DIGESTS[name]);
    return { push: (bytes) => c.digestPush(handle, bytes), value: () => c.digestEnd(handle) };
}

/* A stream of bytes whose digest is a promise. */
export class DigestStream extends WritableStream {
    #digest;
    #written = 0;
    #state;

    constructor(algorithm) {
        const running = digestOf(algorithm);
        const digest = new Deferred();
        handled(digest.promise);
        const state = makeWritable({
            write: async (chunk) => {
                const bytes = typeof chunk === "string" ? utf8(chunk) : viewOf(chunk);
                if (bytes === null) throw new TypeError("DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.");
                this.#written += bytes.byteLength;
                running.push(bytes);
            },
            close: async () => digest.resolve(running.value()),
            abort: async (reason) => digest.reject(reason),
        });
        super(TRANSFORM, state);
        this.#digest = digest;
        this.#state = state;
    }

    get digest() { return this.#digest.promise; }
    get bytesWritten() { return BigInt(this.#written); }

    [DISPOSE]() {
        this.#digest.reject(new Error("The DigestStream was disposed."));
        this.#state.controller.errorIfNeeded(new Error("The DigestStream was disposed."));
    }
}
