/* Randomness and primes. */
const { codes: { ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE }, validateBoolean, validateFunction, validateInt32, validateNumber, validateObject } = require("./errors.js");
const { Buffer, kMaxLength } = require("./buffer.js");
const { later, now, soon } = require("./crypto_util.js");

const n = native.node;
const PIECE = 65536;
const PRIME_BITS_MAX = 8192; // minutes beyond
const INTEGER_MAX = 2 ** 48 - 1;

/* Through the global's own function: it knows where there is no randomness yet. */
function fill(bytes) {
    for (let at = 0; at < bytes.length; at += PIECE) crypto.getRandomValues(bytes.subarray(at, at + PIECE));
    return bytes;
}

function checkSize(size) {
    validateNumber(size, "size", 0, Math.min(kMaxLength, 2147483647));
    return size >>> 0;
}

function randomBytes(size, callback = undefined) {
    const length = checkSize(size);
    if (callback !== undefined) validateFunction(callback, "callback");
    if (callback === undefined) return fill(Buffer.alloc(length));
    return later(callback, () => fill(Buffer.alloc(length)));
}

function part(buffer, offset = 0, size = undefined) {
    const isBuffer = buffer instanceof ArrayBuffer;
    if (!isBuffer && !ArrayBuffer.isView(buffer)) throw new ERR_INVALID_ARG_TYPE("buf", ["ArrayBuffer", "ArrayBufferView"], buffer);
    const width = buffer.BYTES_PER_ELEMENT ?? 1, total = buffer.byteLength;
    validateNumber(offset, "offset");
    const from = offset * width;
    if (Number.isNaN(from) || from > total || from < 0) throw new ERR_OUT_OF_RANGE("offset", `>= 0 && <= ${total}`, offset);
    let count = total - from;
    if (size !== undefined) {
        validateNumber(size, "size");
        count = size * width;
        if (Number.isNaN(count) || count < 0) throw new ERR_OUT_OF_RANGE("size", `>= 0 && <= ${kMaxLength}`, size);
        if (count + from > total) throw new ERR_OUT_OF_RANGE("size + offset", `<= ${total}`, count + from);
    }
    return isBuffer ? new Uint8Array(buffer, from, count) : new Uint8Array(buffer.buffer, buffer.byteOffset + from, count);
}

function randomFillSync(buffer, offset, size) {
    fill(part(buffer, offset, size));
    return buffer;
}

function randomFill(buffer, offset, size, callback) {
    let [o, s, done] = [offset, size, callback];
    if (typeof o === "function") [o, s, done] = [0, undefined, o];
    else if (typeof s === "function") [s, done] = [undefined, s];
    validateFunction(done, "callback");
    const target = part(buffer, o, s);
    later(done, () => {
        fill(target);
        return buffer;
    });
}

function randomInt(min, max, callback) {
    let [low, high, done] = [min, max, callback];
    if (max === undefined || typeof max === "function") [low, high, done] = [0, min, max];
    if (done !== undefined) validateFunction(done, "callback");
    if (!Number.isSafeInteger(low)) throw new ERR_INVALID_ARG_TYPE("min", "a safe integer", low);
    if (!Number.isSafeInteger(high)) throw new ERR_INVALID_ARG_TYPE("max", "a safe integer", high);
    if (high <= low) throw new ERR_OUT_OF_RANGE("max", `greater than the value of "min" (${low})`, high);
    const range = high - low;
    if (!(range <= INTEGER_MAX)) throw new ERR_OUT_OF_RANGE(max === undefined || typeof max === "function" ? "max" : "max - min", `<= ${INTEGER_MAX}`, range);
    const limit = INTEGER_MAX - (INTEGER_MAX % range);
    const run = () => {
        for (;;) {
            const x = fill(Buffer.alloc(6)).readUIntBE(0, 6);
            if (x < limit) return low + (x % range);
        }
    };
    if (done === undefined) return run();
    return later(done, run);
}

function randomUUID(options = undefined) {
    if (options !== undefined) {
        validateObject(options, "options");
        if (options.disableEntropyCache !== undefined) validateBoolean(options.disableEntropyCache, "options.disableEntropyCache");
    }
    return crypto.randomUUID();
}

/* --- primes --- */

const toBig = (value, name) => {
    if (value === undefined) return undefined;
    if (typeof value === "bigint") {
        if (value < 0n) throw new ERR_OUT_OF_RANGE(name, ">= 0", value);
        const hex = value.toString(16);
        return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
    }
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return Buffer.from(value.buffer ?? value, value.byteOffset, value.byteLength);
    throw new ERR_INVALID_ARG_TYPE(name, ["ArrayBuffer", "TypedArray", "Buffer", "DataView", "bigint"], value);
};

function primeJob(size, options = {}) {
    validateInt32(size, "size", 1);
    if (size > PRIME_BITS_MAX) throw new RangeError(`The prime size must not be greater than ${PRIME_BITS_MAX} bits`);
    validateObject(options, "options");
    const { safe = false, bigint = false } = options;
    validateBoolean(safe, "options.safe");
    validateBoolean(bigint, "options.bigint");
    const add = toBig(options.add, "options.add"), rem = toBig(options.rem, "options.rem");
    return {
        start: (done) => n.primeMake(size, safe, add, rem, done),
        use(bytes) {
            if (bytes === undefined) throw new Error("prime generation failed");
            return bigint ? BigInt(`0x${Buffer.from(bytes).toString("hex")}`) : bytes;
        },
    };
}

function generatePrime(size, options, callback) {
    const [o, done] = typeof options === "function" ? [{}, options] : [options, callback];
    validateFunction(done, "callback");
    soon(done, primeJob(size, o));
}

function checkJob(candidate, options = {}) {
    validateObject(options, "options");
    const { checks = 0 } = options;
    validateInt32(checks, "options.checks", 0);
    const bytes = toBig(candidate, "candidate");
    return { start: (done) => n.primeCheck(bytes, done), use: (prime) => prime };
}

function checkPrime(candidate, options, callback) {
    const [o, done] = typeof options === "function" ? [{}, options] : [options, callback];
    validateFunction(done, "callback");
    soon(done, checkJob(candidate, o));
}

module.exports = {
    randomBytes, pseudoRandomBytes: randomBytes, rng: randomBytes, prng: randomBytes, randomFill, randomFillSync, randomInt, randomUUID,
    generatePrime, generatePrimeSync: (size, options) => now(primeJob(size, options)), checkPrime, checkPrimeSync: (candidate, options) => now(checkJob(candidate, options)),
};
