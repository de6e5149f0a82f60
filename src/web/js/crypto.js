/*
 * Web Crypto over the natives of group `crypto`. https://w3c.github.io/webcrypto/
 *
 * A CryptoKey keeps its bytes here (raw for secret keys, DER for pairs); each operation is one crossing that starts and
 * ends in C. What takes long (PBKDF2, RSA keys and signatures) is computed on another thread, the rest at once.
 */
import { computed, need } from "./context.js";
import { DOMException } from "./errors.js";
import { viewOf, utf8 } from "./encoding.js";

const c = native.crypto;
const MAKE = Symbol("make");
const PBKDF2_ITERATIONS_MAX = 100_000;

/* Names of the API → numbers of C (enum digest_kind). */
const DIGESTS = { "MD5": 0, "SHA-1": 1, "SHA-256": 2, "SHA-384": 3, "SHA-512": 4 };
const BLOCK_BITS = { "MD5": 512, "SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024 };
const HMAC_JWK = { "SHA-1": "HS1", "SHA-256": "HS256", "SHA-384": "HS384", "SHA-512": "HS512" };
const CIPHERS = { "AES-CBC": 0, "AES-CTR": 1, "AES-GCM": 2, "AES-KW": 3 };
const AES_JWK = { "AES-CBC": "CBC", "AES-CTR": "CTR", "AES-GCM": "GCM", "AES-KW": "KW" };

const USAGES = {
    "HMAC": ["sign", "verify"],
    "AES-GCM": ["encrypt", "decrypt", "wrapKey", "unwrapKey"],
    "AES-CBC": ["encrypt", "decrypt", "wrapKey", "unwrapKey"],
    "AES-CTR": ["encrypt", "decrypt", "wrapKey", "unwrapKey"],
    "AES-KW": ["wrapKey", "unwrapKey"],
    "PBKDF2": ["deriveKey", "deriveBits"],
    "HKDF": ["deriveKey", "deriveBits"],
};

function exception(name, message) {
    return new DOMException(message, name);
}

function missing(field) {
    return new TypeError(`Missing field "${field}" in "algorithm".`);
}

function nameOf(algorithm) {
    const name = typeof algorithm === "string" ? algorithm : algorithm?.name;
    if (name === undefined) throw missing("name");
    return `${name}`.toUpperCase();
}

/* The members of an algorithm, each read once and before any bytes are: a getter may resize or detach the data. */
const ENCRYPT = ["iv", "additionalData", "tagLength", "counter", "length", "label"];
const SIGN = ["hash", "dataLength", "saltLength"];
const GENERATE = ["hash", "modulusLength", "publicExponent", "length", "namedCurve"];
const IMPORT = ["hash", "length", "namedCurve", "compressed"];
const DERIVE = ["salt", "iterations", "hash", "public", "info"];

function taken(algorithm, members) {
    if (typeof algorithm === "string") return { name: algorithm };
    const copy = { name: algorithm?.name };
    if (copy.name === undefined) throw missing("name");
    for (const member of members) {
        const value = algorithm[member];
        copy[member] = member === "hash" && typeof value === "object" && value !== null ? { name: value.name } : value;
    }
    return copy;
}

function bytesOf(value, what) {
    const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
    if (buffer instanceof ArrayBuffer && buffer.detached) return new Uint8Array(0);
    const bytes = viewOf(value);
    if (bytes === null) throw new TypeError(`${what} must be a BufferSource.`);
    return bytes;
}

function digestName(hash) {
    if (hash === undefined) throw missing("hash");
    const name = nameOf(hash);
    if (!(name in DIGESTS)) throw exception("NotSupportedError", "Unrecognized or unimplemented digest algorithm requested.");
    return name;
}

/* MD5 is for digests only: no key is made with it. */
function keyDigestName(hash) {
    const name = digestName(hash);
    if (name === "MD5") throw exception("NotSupportedError", "Unrecognized or unimplemented digest algorithm requested.");
    return name;
}

/* --- keys --- */

let access;

export class CryptoKey {
    #type;
    #extractable;
    #algorithm;
    #usages;
    #data;

    constructor(key = undefined, parts = undefined) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#type = parts.type;
        this.#extractable = parts.extractable;
        this.#algorithm = parts.algorithm;
        this.#usages = parts.usages;
        this.#data = parts.data;
    }

    get type() { return this.#type; }
    get extractable() { return this.#extractable; }
    get algorithm() { return this.#algorithm; }
    get usages() { return this.#usages.slice(); }

    static {
        access = {
            is: (v) => typeof v === "object" && v !== null && #data in v,
            data: (key) => key.#data,
            can: (key, usage) => key.#usages.includes(usage),
        };
    }
}

function makeKey(name, algorithm, data, extractable, usages, verb, type = "secret") {
    const allowed = USAGES[name];
    const list = [...usages].map((u) => `${u}`);
    for (const usage of list)
        if (!allowed.includes(usage)) throw exception("SyntaxError", `Attempt to ${verb} ${type} ${name} key with invalid usage "${usage}".`);
    if (list.length === 0) throw exception("SyntaxError", "Secret/private CryptoKeys must have at least one usage.");
    const sorted = [...new Set(list)];
    return new CryptoKey(MAKE, { type, extractable: Boolean(extractable), algorithm: Object.freeze({ name, ...algorithm }), usages: sorted, data });
}

function checkKey(algorithm, key, usage) {
    if (!access.is(key)) throw new TypeError("The key is not a CryptoKey.");
    const name = nameOf(algorithm), own = key.algorithm.name;
    if (name !== own.toUpperCase())
        throw exception("InvalidAccessError", `Requested algorithm "${name}" does not match this CryptoKey's algorithm "${own}".`);
    if (!access.can(key, usage))
        throw exception("InvalidAccessError", `Requested key usage "${usage}" does not match any usage listed in this CryptoKey.`);
    return name;
}

function base64url(bytes) {
    return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function fromBase64url(text) {
    try {
        return Uint8Array.fromBase64(`${text}`, { alphabet: "base64url" });
    } catch {
        throw exception("DataError", "The JWK holds invalid base64url data.");
    }
}

/* --- secret keys, by family --- */

function hmacAlgorithm(hash, data) {
    return { hash: Object.freeze({ name: hash }), length: data.byteLength * 8 };
}

function importHmac(format, data, algorithm, extractable, usages) {
    const hash = keyDigestName(algorithm.hash);
    if (format === "jwk") checkJwk(data, HMAC_JWK[hash], "sig", extractable, usages);
    const bytes = format === "jwk" ? fromBase64url(data.k) : data;
    if (bytes.byteLength === 0) throw exception("DataError", "Imported HMAC key length must be a non-zero value up to 8 times the key's byte length.");
    return makeKey("HMAC", hmacAlgorithm(hash, bytes), bytes.slice(), extractable, usages, "import");
}

function importAes(name, format, data, extractable, usages) {
    const bytes = format === "jwk" ? fromBase64url(data.k) : data;
    const bits = bytes.byteLength * 8;
    if (bits !== 128 && bits !== 192 && bits !== 256)
        throw exception("DataError", `Imported AES key length must be 128, 192, or 256 bits but provided ${bits}.`);
    if (format === "jwk") checkJwk(data, `A${bits}${AES_JWK[name]}`, "enc", extractable, usages);
    return makeKey(name, { length: bits }, bytes.slice(), extractable, usages, "import");
}

/* What a JWK says about how it may be used. */
function checkJwkUse(jwk, use, extractable, usages) {
    if (usages.length > 0 && jwk.use !== undefined && jwk.use !== use) throw exception("DataError", `The JWK has use "${jwk.use}" where "${use}" is needed.`);
    if (jwk.key_ops !== undefined) {
        const ops = [...jwk.key_ops].map((op) => `${op}`);
        if (new Set(ops).size !== ops.length) throw exception("DataError", 'A JWK may not name a member of "key_ops" twice.');
        for (const usage of usages) if (!ops.includes(usage)) throw exception("DataError", `The "key_ops" of the JWK lack "${usage}".`);
    }
    if (jwk.ext === false && extractable) throw exception("DataError", "The JWK may not be extractable.");
}

function checkJwk(jwk, alg, use, extractable, usages) {
    if (jwk.kty !== "oct") throw exception("DataError", `The JWK has kty "${jwk.kty}" where "oct" is needed.`);
    if (jwk.alg !== undefined && jwk.alg !== alg) throw exception("DataError", `The JWK has alg "${jwk.alg}" where "${alg}" is needed.`);
    checkJwkUse(jwk, use, extractable, usages);
}

function importSecret(name, format, data, algorithm, extractable, usages) {
    if (name === "HMAC") return importHmac(format, data, algorithm, extractable, usages);
    if (name in CIPHERS) return importAes(name, format, data, extractable, usages);
    if (name === "PBKDF2" || name === "HKDF") {
        if (extractable) throw exception("SyntaxError", `${name} keys cannot be extractable.`);
        return makeKey(name, {}, bytesOf(data, "The key data").slice(), false, usages, "import");
    }
    throw exception("NotSupportedError", `Unrecognized key import algorithm "${algorithm.name ?? algorithm}" requested.`);
}

function cipher(name, encrypt, algorithm, key, data) {
    const mode = CIPHERS[name];
    let iv = null, extra = null, tag = 0;
    if (name === "AES-CBC" || name === "AES-GCM") {
        if (algorithm.iv === undefined) throw missing("iv");
        iv = bytesOf(algorithm.iv, "The iv");
        if (name === "AES-CBC" && iv.byteLength !== 16)
            throw exception("OperationError", `AES-CBC IV must be 16 bytes long (provided ${iv.byteLength}).`);
        if (name === "AES-GCM" && iv.byteLength === 0) throw exception("OperationError", "AES-GCM IV must not be empty.");
    }
    if (name === "AES-GCM") {
        extra = algorithm.additionalData === undefined ? null : bytesOf(algorithm.additionalData, "additionalData");
        tag = algorithm.tagLength === undefined ? 128 : Number(algorithm.tagLength);
        if (![32, 64, 96, 104, 112, 120, 128].includes(tag)) throw exception("OperationError", `Invalid AES-GCM tag length ${tag}.`);
        if (!encrypt && data.byteLength < tag / 8)
            throw exception("OperationError", `Ciphertext length of ${data.byteLength * 8} bits must be greater than or equal to the size of the AES-GCM tag length of ${tag} bits.`);
    }
    if (name === "AES-CTR") {
        if (algorithm.counter === undefined) throw missing("counter");
        iv = bytesOf(algorithm.counter, "The counter");
        if (iv.byteLength !== 16) throw exception("OperationError", `Counter must have length of 16 bytes (provided ${iv.byteLength}).`);
        tag = Number(algorithm.length);
        if (!(tag >= 1 && tag <= 128)) throw exception("OperationError", `Invalid counter length of ${algorithm.length} bits provided.`);
    }
    const out = c.cipher(mode, encrypt, access.data(key), iv, data, extra, tag);
    if (out === undefined)
        throw exception("OperationError", encrypt ? "Encryption failed." : `Decryption failed. This could be due to a ciphertext authentication failure, bad padding, incorrect CryptoKey, or another algorithm-specific reason. Input length was ${data.byteLength}, output length expected to be ${Math.max(0, data.byteLength - tag / 8)} for ${name}`);
    return out;
}

function derive(name, algorithm, key, bits) {
    if (bits === null || bits === undefined || bits % 8 !== 0)
        throw exception("OperationError", `${name} needs a length that is a multiple of 8.`);
    const hash = DIGESTS[digestName(algorithm.hash)];
    if (algorithm.salt === undefined) throw missing("salt");
    const salt = bytesOf(algorithm.salt, "The salt");
    if (name === "PBKDF2") {
        const n = Number(algorithm.iterations);
        if (!(n > 0)) throw exception("OperationError", "PBKDF2 needs a positive number of iterations.");
        if (n > PBKDF2_ITERATIONS_MAX)
            throw exception("NotSupportedError", `Pbkdf2 failed: iteration counts above ${PBKDF2_ITERATIONS_MAX} are not supported (requested ${n}).`);
        return computed((done) => c.pbkdf2(hash, access.data(key), salt, n, bits / 8, done));
    }
    if (algorithm.info === undefined) throw missing("info");
    const out = c.hkdf(hash, access.data(key), salt, bytesOf(algorithm.info, "The info"), bits / 8);
    if (out === undefined) throw exception("OperationError", "HKDF failed: the length is too large.");
    return out;
}

/* The other families of keys (RSA, EC, Edwards curves) live in crypto_pairs.js and register here. */
export const families = new Map();

export class SubtleCrypto {
    constructor(key = undefined) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
    }

    async digest(algorithm, data) {
        const name = nameOf(algorithm);
        if (!(name in DIGESTS)) throw exception("NotSupportedError", "Unrecognized or unimplemented digest algorithm requested.");
        return c.digest(DIGESTS[name], bytesOf(data, "The data"));
    }

    async sign(algorithm, key, data) {
        algorithm = taken(algorithm, SIGN);
        const name = checkKey(algorithm, key, "sign"), bytes = bytesOf(data, "The data");
        if (name === "HMAC") return c.hmac(DIGESTS[key.algorithm.hash.name], access.data(key), bytes);
        return families.get(name).sign(algorithm, key, access.data(key), bytes);
    }

    async verify(algorithm, key, signature, data) {
        algorithm = taken(algorithm, SIGN);
        const name = checkKey(algorithm, key, "verify");
        const given = bytesOf(signature, "The signature"), bytes = bytesOf(data, "The data");
        if (name !== "HMAC") return families.get(name).verify(algorithm, key, access.data(key), given, bytes);
        const expected = new Uint8Array(c.hmac(DIGESTS[key.algorithm.hash.name], access.data(key), bytes));
        return expected.byteLength === given.byteLength && c.equal(expected, given);
    }

    async encrypt(algorithm, key, data) {
        algorithm = taken(algorithm, ENCRYPT);
        const name = checkKey(algorithm, key, "encrypt");
        if (families.has(name)) return families.get(name).encrypt(algorithm, key, access.data(key), bytesOf(data, "The data"));
        return cipher(name, true, algorithm, key, bytesOf(data, "The data"));
    }

    async decrypt(algorithm, key, data) {
        algorithm = taken(algorithm, ENCRYPT);
        const name = checkKey(algorithm, key, "decrypt");
        if (families.has(name)) return families.get(name).decrypt(algorithm, key, access.data(key), bytesOf(data, "The data"));
        return cipher(name, false, algorithm, key, bytesOf(data, "The data"));
    }

    async generateKey(algorithm, extractable, usages) {
        need();
        algorithm = taken(algorithm, GENERATE);
        const name = nameOf(algorithm);
        if (families.has(name)) return families.get(name).generate(algorithm, extractable, usages);
        if (name === "HMAC") {
            const hash = keyDigestName(algorithm.hash);
            const bits = algorithm.length === undefined ? BLOCK_BITS[hash] : Number(algorithm.length);
            if (!(bits > 0) || bits % 8 !== 0) throw exception("OperationError", `HMAC key length must be a non-zero multiple of 8 (requested ${bits}).`);
            const data = c.random(new Uint8Array(bits / 8));
            return makeKey("HMAC", hmacAlgorithm(hash, data), data, extractable, usages, "generate");
        }
        if (name in CIPHERS) {
            const bits = Number(algorithm.length);
            if (bits !== 128 && bits !== 192 && bits !== 256)
                throw exception("OperationError", `Generated AES key length must be 128, 192, or 256 bits but requested ${algorithm.length}.`);
            return makeKey(name, { length: bits }, c.random(new Uint8Array(bits / 8)), extractable, usages, "generate");
        }
        throw exception("NotSupportedError", `Unrecognized key generation algorithm "${algorithm.name ?? algorithm}" requested.`);
    }

    async importKey(format, data, algorithm, extractable, usages) {
        algorithm = taken(algorithm, IMPORT);
        const name = nameOf(algorithm);
        if (families.has(name)) return families.get(name).import(format, data, algorithm, extractable, usages);
        if (!(name in USAGES))
            throw exception("NotSupportedError", `Unrecognized key import algorithm "${algorithm.name ?? algorithm}" requested.`);
        if (format !== "raw" && format !== "jwk")
            throw exception("NotSupportedError", `Unrecognized key import format "${format}".`);
        const material = format === "raw" ? bytesOf(data, "The key data") : data;
        return importSecret(name, format, material, algorithm, extractable, usages);
    }

    async exportKey(format, key) {
        if (!access.is(key)) throw new TypeError("The key is not a CryptoKey.");
        if (!key.extractable) throw exception("InvalidAccessError", `Attempt to export non-extractable ${key.algorithm.name} key.`);
        const name = key.algorithm.name.toUpperCase();
        if (families.has(name)) return families.get(name).export(format, key, access.data(key));
        const data = access.data(key);
        if (format === "raw") return data.slice().buffer;
        if (format !== "jwk") throw exception("NotSupportedError", `Unrecognized key export format "${format}".`);
        const alg = name === "HMAC" ? HMAC_JWK[key.algorithm.hash.name] : `A${key.algorithm.length}${AES_JWK[name]}`;
        return { kty: "oct", k: base64url(data), alg, key_ops: key.usages, ext: true };
    }

    async deriveBits(algorithm, key, length = null) {
        algorithm = taken(algorithm, DERIVE);
        const name = checkKey(algorithm, key, "deriveBits");
        if (families.has(name)) return families.get(name).derive(algorithm, key, access.data(key), length);
        return derive(name, algorithm, key, length);
    }

    async deriveKey(algorithm, key, derived, extractable, usages) {
        algorithm = taken(algorithm, DERIVE);
        derived = taken(derived, IMPORT);
        const name = checkKey(algorithm, key, "deriveKey");
        const target = nameOf(derived);
        const bits = derived.length ?? (target === "HMAC" ? BLOCK_BITS[digestName(derived.hash)] : undefined);
        const data = await (families.has(name) ? families.get(name).derive(algorithm, key, access.data(key), bits ?? null)
            : derive(name, algorithm, key, bits ?? 256));
        return importSecret(target, "raw", new Uint8Array(data), derived, extractable, usages);
    }

    async wrapKey(format, key, wrappingKey, algorithm) {
        algorithm = taken(algorithm, ENCRYPT);
        const name = checkKey(algorithm, wrappingKey, "wrapKey");
        const exported = await this.exportKey(format, key);
        const bytes = format === "jwk" ? utf8(JSON.stringify(exported)) : new Uint8Array(exported);
        if (families.has(name)) return families.get(name).encrypt(algorithm, wrappingKey, access.data(wrappingKey), bytes);
        return cipher(name, true, algorithm, wrappingKey, bytes);
    }

    async unwrapKey(format, wrapped, key, algorithm, unwrapped, extractable, usages) {
        algorithm = taken(algorithm, ENCRYPT);
        unwrapped = taken(unwrapped, IMPORT);
        const name = checkKey(algorithm, key, "unwrapKey"), data = bytesOf(wrapped, "The wrapped key");
        const plain = families.has(name) ? families.get(name).decrypt(algorithm, key, access.data(key), data)
            : cipher(name, false, algorithm, key, data);
        const material = format === "jwk" ? JSON.parse(native.text.decode(new Uint8Array(plain), 0, 0)) : plain;
        return this.importKey(format, material, unwrapped, extractable, usages);
    }

    timingSafeEqual(a, b) {
        const left = bytesOf(a, "The first argument"), right = bytesOf(b, "The second argument");
        if (left.byteLength !== right.byteLength) throw new TypeError("Input buffers must have the same byte length.");
        return c.equal(left, right);
    }
}

export const subtle = new SubtleCrypto(MAKE);
export { exception, missing, nameOf, bytesOf, digestName, keyDigestName, checkJwkUse, base64url, fromBase64url, DIGESTS };
export const isKey = access.is;
export const keyData = access.data;
export function makePairKey(type, algorithm, data, extractable, usages) {
    return new CryptoKey(MAKE, { type, extractable: Boolean(extractable), algorithm: Object.freeze(algorithm), usages, data });
}
