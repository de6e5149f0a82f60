/* crypto.DigestStream: apart from crypto.js, which needs no streams. */
import { DIGESTS, exception, nameOf } from "./crypto.js";
import { viewOf, utf8 } from "./encoding.js";
import { makeWritable } from "./streams/writable.js";
import { WritableStream, TRANSFORM } from "./streams/classes.js";
import { Deferred, handled } from "./streams/common.js";
import { DISPOSE } from "./dispose.js";

const c = native.crypto;

/* A stream of bytes whose digest is a promise. */
export class DigestStream extends WritableStream {
    #digest;
    #written = 0;
    #state;

    constructor(algorithm) {
        const name = nameOf(algorithm);
        if (!(name in DIGESTS)) throw exception("NotSupportedError", "Unrecognized or unimplemented digest algorithm requested.");
        const digest = new Deferred();
        handled(digest.promise);
        const handle = c.digestOpen(DIGESTS[name]);
        const state = makeWritable({
            write: async (chunk) => {
                const bytes = typeof chunk === "string" ? utf8(chunk) : viewOf(chunk);
                if (bytes === null) throw new TypeError("DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.");
                this.#written += bytes.byteLength;
                c.digestPush(handle, bytes);
            },
            close: async () => digest.resolve(c.digestEnd(handle)),
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
