/* Hash, Hmac and key derivation. */
const {
    codes: { ERR_CRYPTO_HASH_FINALIZED, ERR_CRYPTO_INVALID_DIGEST, ERR_CRYPTO_INVALID_KEYLEN, ERR_CRYPTO_INVALID_SCRYPT_PARAMS, ERR_INCOMPATIBLE_OPTION_PAIR, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE },
    validateFunction, validateInteger, validateObject, validateString, validateUint32, validateInt32,
} = require("./errors.js");
const { Transform } = require("./stream.js");
const { bytesOf, dataOf, encode, later, now, soon } = require("./crypto_util.js");

const n = native.node;

/* The state is a native object. */
let handleOf, isDone;
class Digest extends Transform {
    #handle;
    #done = false;
    #bytes = null; // the result, once there is one

    constructor(handle, options) {
        super(options);
        this.#handle = handle;
    }

    _transform(chunk, encoding, callback) {
        n.hashUpdate(this.#handle, dataOf(chunk, encoding));
        callback();
    }

    _flush(callback) {
        this.push(encode(this._final_bytes(false))); // digest() may still be asked
        callback();
    }

    _final_bytes(done = true) {
        this.#done ||= done;
        return (this.#bytes ??= n.hashDigest(this.#handle));
    }

    update(data, encoding) {
        if (this.#done) throw new ERR_CRYPTO_HASH_FINALIZED();
        n.hashUpdate(this.#handle, dataOf(data, encoding));
        return this;
    }

    static {
        handleOf = (digest) => digest.#handle;
        isDone = (digest) => digest.#done;
    }
}
delete Digest.prototype.constructor; // takes a native object: not for others

const unsupported = () => Object.assign(new Error("Digest method not supported"), { code: "ERR_OSSL_EVP_UNSUPPORTED" });

class HashImpl extends Digest {
    constructor(algorithm, options = undefined) {
        let handle;
        if (algorithm instanceof Digest) handle = n.hashCopy(handleOf(algorithm));
        else {
            validateString(algorithm, "algorithm");
            const length = options?.outputLength;
            if (length !== undefined) validateUint32(length, "options.outputLength");
            handle = n.hashOpen(algorithm, length ?? -1);
            if (handle === undefined) throw unsupported();
            if (handle === null) throw Object.assign(new Error("Unsupported state or unable to set output length"), { code: "ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH" });
        }
        super(handle, options);
    }

    copy(options = undefined) {
        if (isDone(this)) throw new ERR_CRYPTO_HASH_FINALIZED();
        return Reflect.construct(HashImpl, [this, options], Hash);
    }

    digest(encoding = undefined) {
        if (isDone(this)) throw new ERR_CRYPTO_HASH_FINALIZED();
        return encode(this._final_bytes(), encoding);
    }
}

class HmacImpl extends Digest {
    constructor(algorithm, key, options = undefined) {
        validateString(algorithm, "hmac");
        const secret = require("./crypto_keys.js").secretBytes(key, "key", options?.encoding);
        const handle = n.hmacOpen(algorithm, secret);
        if (handle === undefined) throw Object.assign(new Error(`Digest method not supported: ${algorithm}`), { code: "ERR_CRYPTO_INVALID_DIGEST" });
        super(handle, options);
    }

    digest(encoding = undefined) {
        if (isDone(this)) return encoding && encoding !== "buffer" ? "" : encode(new ArrayBuffer(0));
        return encode(this._final_bytes(), encoding);
    }
}

/* Without new, as programs of old do. */
function callable(cls, name) {
    const fn = { [name]: function (...args) { return Reflect.construct(cls, args, new.target ?? fn); } }[name];
    fn.prototype = cls.prototype;
    Object.defineProperty(cls.prototype, "constructor", { value: fn, writable: true, configurable: true, enumerable: false });
    return fn;
}
const Hash = callable(HashImpl, "Hash"), Hmac = callable(HmacImpl, "Hmac");

function hash(algorithm, input, options = "hex") {
    validateString(algorithm, "algorithm");
    if (typeof input !== "string" && !ArrayBuffer.isView(input)) throw new ERR_INVALID_ARG_TYPE("input", ["Buffer", "TypedArray", "DataView", "string"], input);
    if (typeof options !== "string" && (typeof options !== "object" || options === null)) throw new ERR_INVALID_ARG_TYPE("options", ["string", "Object"], options);
    const encoding = typeof options === "object" ? options.outputEncoding ?? "hex" : options;
    const out = n.hashOnce(algorithm, bytesOf(input, "input"));
    if (out === undefined) throw unsupported();
    return encode(out, encoding);
}

/* --- derivation: what one call may cost, as upstream --- */

const DERIVED_HASHES_MAX = 255, SCRYPT_COST_MAX = 2 ** 20;

const derived = (message) => (bytes) => {
    if (bytes === undefined) throw new Error(message);
    return encode(bytes);
};

function checkPbkdf2(password, salt, iterations, keylen, digest) {
    if (typeof digest !== "string") throw new ERR_INVALID_ARG_TYPE("digest", "string", digest);
    const p = bytesOf(password, "password"), s = bytesOf(salt, "salt");
    validateInt32(iterations, "iterations", 1);
    validateInt32(keylen, "keylen", 0);
    const size = n.hashKnown(digest) ? n.hashOnce(digest, new Uint8Array(0)).byteLength : 0;
    if (size > 0 && keylen > DERIVED_HASHES_MAX * size) throw new RangeError("Pbkdf2 failed: derived key length exceeds maximum for this hash");
    return {
        start(done) {
            if (size === 0) throw new ERR_CRYPTO_INVALID_DIGEST(digest);
            return n.pbkdf2(digest, p, s, iterations, keylen, done);
        },
        use: derived("PBKDF2 failed"),
    };
}

function pbkdf2(password, salt, iterations, keylen, digest, callback) {
    if (typeof digest === "function") throw new ERR_INVALID_ARG_TYPE("digest", "string", undefined);
    const job = checkPbkdf2(password, salt, iterations, keylen, digest);
    validateFunction(callback, "callback");
    soon(callback, job);
}
const pbkdf2Sync = (password, salt, iterations, keylen, digest) => now(checkPbkdf2(password, salt, iterations, keylen, digest));

function checkScrypt(password, salt, keylen, options) {
    const p = bytesOf(password, "password"), s = bytesOf(salt, "salt");
    validateInt32(keylen, "keylen", 0);
    let N = 16384, r = 8, q = 1, maxmem = 32 * 1024 * 1024;
    if (options !== undefined && options !== null) {
        validateObject(options, "options");
        const pick = (short, long, fallback) => {
            if (options[short] !== undefined && options[long] !== undefined) throw new ERR_INCOMPATIBLE_OPTION_PAIR(short, long);
            const value = options[short] ?? options[long];
            if (value === undefined) return fallback;
            validateUint32(value, options[short] !== undefined ? short : long);
            return value || fallback;
        };
        N = pick("N", "cost", N);
        r = pick("r", "blockSize", r);
        q = pick("p", "parallelization", q);
        if (options.maxmem !== undefined) {
            validateInteger(options.maxmem, "maxmem", 0);
            maxmem = options.maxmem || maxmem;
        }
    }
    const wrong = N < 2 || (N & (N - 1)) !== 0, heavy = 128 * N * r > maxmem, costly = N * r * q > SCRYPT_COST_MAX;
    return {
        start(done) {
            if (wrong || costly) throw new ERR_CRYPTO_INVALID_SCRYPT_PARAMS();
            if (heavy) throw Object.assign(new ERR_CRYPTO_INVALID_SCRYPT_PARAMS(), { message: "Invalid scrypt params: memory limit exceeded" });
            return n.scrypt(p, s, N, r, q, maxmem, keylen, done);
        },
        use: derived("Invalid scrypt params"),
    };
}

function scrypt(password, salt, keylen, options, callback) {
    const [o, done] = typeof options === "function" ? [undefined, options] : [options, callback];
    const job = checkScrypt(password, salt, keylen, o);
    validateFunction(done, "callback");
    soon(done, job);
}
const scryptSync = (password, salt, keylen, options) => now(checkScrypt(password, salt, keylen, options));

function checkHkdf(digest, key, salt, info, length) {
    validateString(digest, "digest");
    const secret = require("./crypto_keys.js").secretBytes(key, "ikm", undefined, true);
    const s = bytesOf(salt, "salt"), i = bytesOf(info, "info");
    validateInteger(length, "length", 0, 2147483647);
    if (i.byteLength > 1024) throw new ERR_OUT_OF_RANGE("info", "must not contain more than 1024 bytes", i.byteLength);
    return () => {
        if (!n.hashKnown(digest)) throw new ERR_CRYPTO_INVALID_DIGEST(digest);
        if (length > DERIVED_HASHES_MAX * n.hashOnce(digest, new Uint8Array(0)).byteLength) throw new ERR_CRYPTO_INVALID_KEYLEN();
        return n.hkdf(digest, secret, s, i, length);
    };
}

function hkdf(digest, key, salt, info, length, callback) {
    const run = checkHkdf(digest, key, salt, info, length);
    validateFunction(callback, "callback");
    later(callback, run);
}
const hkdfSync = (digest, key, salt, info, length) => checkHkdf(digest, key, salt, info, length)();

/* What the library has of Node's list. */
const HASHES = ["RSA-MD5", "RSA-RIPEMD160", "RSA-SHA1", "RSA-SHA224", "RSA-SHA256", "RSA-SHA3-224", "RSA-SHA3-256", "RSA-SHA3-384", "RSA-SHA3-512", "RSA-SHA384", "RSA-SHA512", "RSA-SHA512/224", "RSA-SHA512/256", "blake2b512", "blake2s256", "md5", "md5-sha1", "ripemd", "ripemd160", "rmd160", "sha1", "sha224", "sha256", "sha3-224", "sha3-256", "sha3-384", "sha3-512", "sha384", "sha512", "sha512-224", "sha512-256", "shake128", "shake256", "sm3"];

module.exports = {
    Hash, Hmac, createHash: (algorithm, options) => new Hash(algorithm, options), createHmac: (algorithm, key, options) => new Hmac(algorithm, key, options),
    hash, pbkdf2, pbkdf2Sync, scrypt, scryptSync, hkdf, hkdfSync, getHashes: () => HASHES.slice(), callable,
};
