/* The global `crypto` and its random numbers; the rest of it is evaluated when `subtle` is looked at. */
import { need } from "./context.js";
import { DOMException } from "./errors.js";
import { load } from "./scripts.js";

const c = native.crypto;
const RANDOM_MAX = 65536;
const INTEGER_ARRAYS = new Set(["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array"]);

const MAKE = Symbol("make");

export class Crypto {
    #brand = true;

    constructor(key = undefined) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
    }

    get subtle() {
        void this.#brand;
        return load("crypto").subtle;
    }

    getRandomValues(view) {
        void this.#brand;
        if (arguments.length === 0) throw new TypeError("getRandomValues() takes an ArrayBufferView.");
        need();
        if (!ArrayBuffer.isView(view) || !INTEGER_ARRAYS.has(Object.prototype.toString.call(view).slice(8, -1)))
            throw new DOMException("ArrayBufferView argument to getRandomValues() must be an integer-typed view.", "TypeMismatchError");
        if (view.byteLength > RANDOM_MAX)
            throw new DOMException(`getRandomValues() only accepts buffers of size <= 64K but provided ${view.byteLength} bytes.`, "QuotaExceededError");
        c.random(view);
        return view;
    }

    randomUUID() {
        void this.#brand;
        need();
        return c.uuid();
    }

    get DigestStream() { return load("digest_stream").DigestStream; }
}

export const crypto = new Crypto(MAKE);
