/* Sign, Verify, encryption with key pairs, Diffie-Hellman. */
const {
    codes: { ERR_CRYPTO_ECDH_INVALID_FORMAT, ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY, ERR_CRYPTO_INCOMPATIBLE_KEY, ERR_CRYPTO_INVALID_CURVE, ERR_CRYPTO_INVALID_DIGEST, ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE, ERR_CRYPTO_INVALID_KEYPAIR, ERR_CRYPTO_SIGN_KEY_REQUIRED, ERR_CRYPTO_UNKNOWN_DH_GROUP, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_MISSING_ARGS },
    validateFunction, validateInt32, validateObject, validateString,
} = require("./errors.js");
const { Writable } = require("./stream.js");
const { Buffer } = require("./buffer.js");
const { bytesOf, dataOf, encode, later } = require("./crypto_util.js");
const { callable } = require("./crypto_hash.js");
const { parseKey, isKeyObject, handleOf } = require("./crypto_keys.js");

const n = native.node;

/* --- signatures --- */

function optionsOf(key) {
    const o = typeof key === "object" && key !== null && !isKeyObject(key) && !ArrayBuffer.isView(key) ? key : {};
    const number = (name) => {
        const value = o[name];
        if (value !== undefined && value !== null && value !== value >> 0) throw new ERR_INVALID_ARG_VALUE(`options.${name}`, value);
        return value ?? undefined;
    };
    const encoding = o.dsaEncoding ?? "der";
    if (encoding !== "der" && encoding !== "ieee-p1363") throw new ERR_INVALID_ARG_VALUE("options.dsaEncoding", encoding);
    return { padding: number("padding"), saltLength: number("saltLength"), p1363: encoding === "ieee-p1363" };
}

/* Edwards keys have their digest in them. */
function digestFor(digest, handle) {
    const { type } = n.keyInfo(handle);
    if (type === "ed25519" || type === "ed448") return null;
    return digest ?? "sha256";
}

function signBytes(digest, data, key) {
    if (!key) throw new ERR_CRYPTO_SIGN_KEY_REQUIRED();
    const { padding, saltLength, p1363 } = optionsOf(key);
    const { handle } = parseKey(key, true);
    const out = n.keySign(digestFor(digest, handle), handle, data, padding, saltLength, p1363);
    if (out === undefined) throw new ERR_CRYPTO_INVALID_DIGEST(digest);
    return out;
}

function verifyBytes(digest, data, key, signature) {
    const { padding, saltLength, p1363 } = optionsOf(key);
    const { handle } = parseKey(key, false);
    const out = n.keyVerify(digestFor(digest, handle), handle, data, signature, padding, saltLength, p1363);
    if (out === undefined) throw new ERR_CRYPTO_INVALID_DIGEST(digest);
    return out;
}

class Collector extends Writable {
    #digest;
    #parts = [];

    constructor(algorithm, options) {
        validateString(algorithm, "algorithm");
        if (!n.hashKnown(algorithm)) throw Object.assign(new Error(`Invalid digest: ${algorithm}`), { code: "ERR_CRYPTO_INVALID_DIGEST" });
        super(options);
        this.#digest = algorithm;
    }

    _write(chunk, encoding, callback) {
        this.update(chunk, encoding);
        callback();
    }

    update(data, encoding = undefined) {
        this.#parts.push(Uint8Array.from(dataOf(data, encoding)));
        return this;
    }

    _all() { return Buffer.concat(this.#parts); }
    _digest() { return this.#digest; }
}

class SignImpl extends Collector {
    sign(key, encoding = undefined) { return encode(signBytes(this._digest(), this._all(), key), encoding); }
}
class VerifyImpl extends Collector {
    verify(key, signature, encoding = undefined) { return verifyBytes(this._digest(), this._all(), key, bytesOf(signature, "signature", encoding)); }
}
const Sign = callable(SignImpl, "Sign"), Verify = callable(VerifyImpl, "Verify");

function sign(algorithm, data, key, callback = undefined) {
    if (algorithm !== null && algorithm !== undefined) validateString(algorithm, "algorithm");
    if (callback !== undefined) validateFunction(callback, "callback");
    const bytes = bytesOf(data, "data");
    if (callback === undefined) return encode(signBytes(algorithm ?? null, bytes, key));
    return later(callback, () => encode(signBytes(algorithm ?? null, bytes, key)));
}

function verify(algorithm, data, key, signature, callback = undefined) {
    if (algorithm !== null && algorithm !== undefined) validateString(algorithm, "algorithm");
    if (callback !== undefined) validateFunction(callback, "callback");
    const bytes = bytesOf(data, "data"), sig = bytesOf(signature, "signature");
    if (callback === undefined) return verifyBytes(algorithm ?? null, bytes, key, sig);
    return later(callback, () => verifyBytes(algorithm ?? null, bytes, key, sig));
}

/* --- encryption --- */

const NO_PADDING = 3, PKCS1 = 1, OAEP = 4;

function crypt(operation, wantPrivate, fallback) {
    return function (key, buffer) {
        if (arguments.length < 2) throw new ERR_MISSING_ARGS("options", "buffer");
        const { handle } = parseKey(key, wantPrivate);
        const o = typeof key === "object" && key !== null && !isKeyObject(key) ? key : {};
        const hash = o.oaepHash ?? "sha1";
        if (o.oaepHash !== undefined) validateString(o.oaepHash, "key.oaepHash");
        if (!n.hashKnown(hash)) throw new ERR_CRYPTO_INVALID_DIGEST(hash);
        const label = o.oaepLabel === undefined ? undefined : bytesOf(o.oaepLabel, "key.oaepLabel", o.encoding);
        return encode(n.keyCrypt(operation, handle, bytesOf(buffer, "buffer", o.encoding), o.padding ?? fallback, hash, label));
    };
}

/* --- Diffie-Hellman --- */

function diffieHellman(options, callback = undefined) {
    validateObject(options, "options");
    const { privateKey, publicKey } = options;
    if (!isKeyObject(privateKey)) throw new ERR_INVALID_ARG_VALUE("options.privateKey", privateKey);
    if (!isKeyObject(publicKey)) throw new ERR_INVALID_ARG_VALUE("options.publicKey", publicKey);
    if (privateKey.type !== "private") throw new ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE(privateKey.type, "private");
    if (publicKey.type !== "public" && publicKey.type !== "private") throw new ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE(publicKey.type, "private or public");
    if (privateKey.asymmetricKeyType !== publicKey.asymmetricKeyType || !["dh", "ec", "x25519", "x448"].includes(privateKey.asymmetricKeyType))
        throw new ERR_CRYPTO_INCOMPATIBLE_KEY("key types for Diffie-Hellman", `${privateKey.asymmetricKeyType} and ${publicKey.asymmetricKeyType}`);
    const run = () => encode(n.keyDerive(handleOf(privateKey), handleOf(publicKey)));
    return callback === undefined ? run() : later(callback, run);
}

const FORMS = { compressed: 2, uncompressed: 4, hybrid: 6 };
function formOf(format) {
    if (format === undefined || format === null || format === "") return 4;
    if (!Object.hasOwn(FORMS, format)) throw new ERR_CRYPTO_ECDH_INVALID_FORMAT(format);
    return FORMS[format];
}

class ECDHImpl {
    #curve;
    #scalar = null;
    #point = null;

    constructor(curve) {
        validateString(curve, "curve");
        if (n.ecOrder(curve) === undefined) throw new ERR_CRYPTO_INVALID_CURVE();
        this.#curve = curve;
    }

    generateKeys(encoding = undefined, format = undefined) {
        const order = Buffer.from(n.ecOrder(this.#curve));
        const { randomBytes } = require("./crypto_random.js");
        let scalar;
        do {
            scalar = randomBytes(order.length);
            if (order[0] < 0x80) scalar[0] &= 2 ** Math.ceil(Math.log2(order[0] + 1)) - 1;
        } while (Buffer.compare(scalar, order) >= 0 || scalar.every((b) => b === 0));
        this.#scalar = scalar;
        this.#point = Buffer.from(n.ecPoint(this.#curve, undefined, scalar, 4));
        return this.getPublicKey(encoding, format);
    }

    computeSecret(other, inputEncoding = undefined, outputEncoding = undefined) {
        const point = bytesOf(other, "otherPublicKey", inputEncoding);
        if (this.#scalar === null) throw new ERR_CRYPTO_INVALID_KEYPAIR();
        const secret = n.ecSecret(this.#curve, this.#scalar, point);
        if (secret === undefined) throw new ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY();
        return encode(secret, outputEncoding);
    }

    getPublicKey(encoding = undefined, format = undefined) {
        const form = formOf(format);
        if (this.#point === null) throw Object.assign(new Error("Failed to get ECDH public key"), { code: "ERR_CRYPTO_OPERATION_FAILED" });
        return encode(n.ecPoint(this.#curve, this.#point, undefined, form), encoding);
    }

    getPrivateKey(encoding = undefined) {
        if (this.#scalar === null) throw Object.assign(new Error("Failed to get ECDH private key"), { code: "ERR_CRYPTO_OPERATION_FAILED" });
        return encode(Uint8Array.from(this.#scalar).buffer, encoding);
    }

    setPrivateKey(key, encoding = undefined) {
        const scalar = bytesOf(key, "key", encoding);
        const point = n.ecPoint(this.#curve, undefined, scalar, 4);
        if (point === undefined) throw Object.assign(new Error("Private key is not valid for specified curve."), { code: "ERR_CRYPTO_INVALID_KEYTYPE" });
        this.#scalar = Buffer.from(scalar);
        this.#point = Buffer.from(point);
        return this;
    }

    setPublicKey(key, encoding = undefined) {
        const point = n.ecPoint(this.#curve, bytesOf(key, "key", encoding), undefined, 4);
        if (point === undefined) throw new Error("Failed to convert Buffer to EC_POINT");
        this.#point = Buffer.from(point);
        return this;
    }
}
const ECDH = callable(ECDHImpl, "ECDH");
ECDH.convertKey = function convertKey(key, curve, inputEncoding, outputEncoding, format) {
    validateString(curve, "curve");
    const form = formOf(format);
    const out = n.ecPoint(curve, bytesOf(key, "key", inputEncoding), undefined, form);
    if (out === null) throw new ERR_CRYPTO_INVALID_CURVE();
    if (out === undefined) throw Object.assign(new Error("Failed to convert Buffer to EC_POINT"), { code: "ERR_CRYPTO_OPERATION_FAILED" });
    return encode(out, outputEncoding);
};

/* RFC 2409 and 3526: 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + c). */
const GROUPS = { modp1: [768, 149686], modp2: [1024, 129093], modp5: [1536, 741804], modp14: [2048, 124476], modp15: [3072, 1690314], modp16: [4096, 240904], modp17: [6144, 929484], modp18: [8192, 4743158] };

/* floor(2^bits * pi), by Machin's formula. */
function piBits(bits) {
    const guard = 64n, one = 1n << (BigInt(bits) + guard);
    const arctan = (x) => {
        let term = one / x, sum = term, k = 1n, sign = -1n;
        const square = x * x;
        while (term > 0n) {
            term /= square;
            k += 2n;
            sum += sign * (term / k);
            sign = -sign;
        }
        return sum;
    };
    return (4n * (4n * arctan(5n) - arctan(239n))) >> guard;
}

function groupPrime(name) {
    const [size, c] = GROUPS[name], bits = BigInt(size);
    const prime = 2n ** bits - 2n ** (bits - 64n) - 1n + 2n ** 64n * (piBits(size - 130) + BigInt(c));
    return Buffer.from(prime.toString(16), "hex");
}

const DH_BITS_MAX = 10_000, DH_NOT_PRIME = 1, DH_NOT_SAFE = 2;
const bigOf = (bytes) => (bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`));

class DiffieHellmanImpl {
    #prime;
    #generator;
    #private = null;
    #public = null;
    #verifyError = null;

    constructor(sizeOrKey, keyEncoding = undefined, generator = undefined, generatorEncoding = undefined) {
        let [key, encoding, gen, genEncoding] = [sizeOrKey, keyEncoding, generator, generatorEncoding];
        if (typeof key !== "number" && typeof key !== "string" && !ArrayBuffer.isView(key) && !(key instanceof ArrayBuffer))
            throw new ERR_INVALID_ARG_TYPE("sizeOrKey", ["number", "string", "ArrayBuffer", "Buffer", "TypedArray", "DataView"], key);
        if (encoding !== undefined && !(typeof encoding === "string" && Buffer.isEncoding(encoding)) && encoding !== "buffer") [gen, genEncoding, encoding] = [encoding, gen, undefined];
        if (typeof key === "number") {
            validateInt32(key, "sizeOrKey");
            if (key > DH_BITS_MAX) throw new RangeError(`Invalid DH prime size: more than ${DH_BITS_MAX} bits`);
            if (key < 2) throw new Error("Invalid DH prime size: less than 2 bits");
        }
        if (typeof gen === "number") validateInt32(gen, "generator");
        this.#prime = typeof key === "number" ? Buffer.from(n.primeMake(key, true)) : Buffer.from(bytesOf(key, "sizeOrKey", encoding));
        if (gen === undefined || gen === null) gen = 2;
        this.#generator = typeof gen === "number" ? Buffer.from([gen]) : Buffer.from(bytesOf(gen, "generator", genEncoding));
        if (this.#generator.length > DH_BITS_MAX / 8) throw new RangeError("DH generator is too large");
    }

    /* What is wrong with the prime, as bits of OpenSSL; asked for seldom, and costly. */
    get verifyError() {
        if (this.#verifyError === null) {
            const half = Buffer.from((bigOf(this.#prime) >> 1n).toString(16).padStart(this.#prime.length * 2, "0"), "hex");
            this.#verifyError = !n.primeCheck(this.#prime) ? DH_NOT_PRIME : !n.primeCheck(half) ? DH_NOT_SAFE : 0;
        }
        return this.#verifyError;
    }

    /* A number between 1 and the prime less 1, both of them excluded. */
    #valid(bytes) {
        const value = bigOf(bytes);
        if (value <= 1n) throw Object.assign(new Error("Supplied key is too small"), { code: "ERR_CRYPTO_INVALID_KEYLEN" });
        if (value >= bigOf(this.#prime) - 1n) throw Object.assign(new Error("Supplied key is too large"), { code: "ERR_CRYPTO_INVALID_KEYLEN" });
        return bytes;
    }

    generateKeys(encoding = undefined) {
        if (this.#private === null) {
            const { randomBytes } = require("./crypto_random.js");
            this.#private = randomBytes(this.#prime.length);
            this.#private[0] &= this.#prime[0] >> 1 || 1;
        }
        this.#public = Buffer.from(n.modPow(this.#generator, this.#private, this.#prime));
        return this.getPublicKey(encoding);
    }

    computeSecret(other, inputEncoding = undefined, outputEncoding = undefined) {
        if (this.#private === null) throw new ERR_CRYPTO_INVALID_KEYPAIR();
        return encode(n.modPow(this.#valid(bytesOf(other, "otherPublicKey", inputEncoding)), this.#private, this.#prime), outputEncoding);
    }

    getPrime(encoding = undefined) { return encode(Uint8Array.from(this.#prime).buffer, encoding); }
    getGenerator(encoding = undefined) { return encode(Uint8Array.from(this.#generator).buffer, encoding); }
    getPublicKey(encoding = undefined) {
        if (this.#public === null) throw Object.assign(new Error("No public key - did you forget to generate one?"), { code: "ERR_CRYPTO_INVALID_KEYPAIR" });
        return encode(Uint8Array.from(this.#public).buffer, encoding);
    }

    getPrivateKey(encoding = undefined) {
        if (this.#private === null) throw Object.assign(new Error("No private key - did you forget to generate one?"), { code: "ERR_CRYPTO_INVALID_KEYPAIR" });
        return encode(Uint8Array.from(this.#private).buffer, encoding);
    }

    setPublicKey(key, encoding = undefined) {
        this.#public = Buffer.from(this.#valid(bytesOf(key, "key", encoding)));
        return this;
    }

    setPrivateKey(key, encoding = undefined) {
        this.#private = Buffer.from(bytesOf(key, "key", encoding));
        return this;
    }
}
const DiffieHellman = callable(DiffieHellmanImpl, "DiffieHellman");

class GroupImpl extends DiffieHellmanImpl {
    constructor(name) {
        validateString(name, "name");
        if (!Object.hasOwn(GROUPS, name)) throw new ERR_CRYPTO_UNKNOWN_DH_GROUP();
        super(groupPrime(name));
    }
}
const DiffieHellmanGroup = callable(GroupImpl, "DiffieHellmanGroup");

/* --- certificates --- */

module.exports = {
    Sign, Verify, createSign: (a, o) => new Sign(a, o), createVerify: (a, o) => new Verify(a, o), sign, verify,
    publicEncrypt: crypt(0, false, OAEP), privateDecrypt: crypt(1, true, OAEP), privateEncrypt: crypt(2, true, PKCS1), publicDecrypt: crypt(3, false, PKCS1),
    diffieHellman, ECDH, createECDH: (curve) => new ECDH(curve), DiffieHellman, DiffieHellmanGroup, createDiffieHellman: (...args) => new DiffieHellman(...args),
    getDiffieHellman: (name) => new DiffieHellmanGroup(name), createDiffieHellmanGroup: (name) => new DiffieHellmanGroup(name),
};
