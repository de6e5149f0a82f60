/* KeyObject and its kinds: secret, public, private; parsing, writing, JWK, generating. */
const {
    codes: { ERR_CRYPTO_INVALID_CURVE, ERR_CRYPTO_INVALID_JWK, ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE, ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE },
    define, validateFunction, validateInteger, validateObject, validateOneOf, validateString, validateUint32,
} = require("./errors.js");
const { Buffer } = require("./buffer.js");
const { bytesOf, later, now, soon } = require("./crypto_util.js");

const n = native.node;
const MARK = Symbol.for("selvedge.KeyObject");
const OWN = Symbol("own");
const MODULUS_MAX = 16384;
const CURVES = { "prime256v1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1" };
const NAMED = Object.fromEntries(Object.entries(CURVES).map(([k, v]) => [v, k]));
const OKP = { ed25519: "Ed25519", ed448: "Ed448", x25519: "X25519", x448: "X448" };

let isKeyObject, handleOf;

class KeyObject {
    #type;
    #handle; // bytes of a secret key, or a native key

    constructor(own, type, handle) {
        if (own !== OWN) {
            if (own !== "secret" && own !== "public" && own !== "private") throw new ERR_INVALID_ARG_VALUE("type", own);
            throw new ERR_INVALID_ARG_TYPE("handle", "object", type);
        }
        this.#type = type;
        this.#handle = handle;
    }

    get [MARK]() { return true; }
    get type() { return this.#type; }
    static {
        isKeyObject = (value) => typeof value === "object" && value !== null && #type in value;
        handleOf = (key) => key.#handle;
    }

    static from(key) {
        if (!(key instanceof CryptoKey)) throw new ERR_INVALID_ARG_TYPE("key", "CryptoKey", key);
        const raw = web.keyData(key);
        return key.type === "secret" ? createSecretKey(raw) : key.type === "private" ? createPrivateKey({ key: Buffer.from(raw), format: "der", type: "pkcs8" })
            : createPublicKey({ key: Buffer.from(raw), format: "der", type: "spki" });
    }

    equals(other) {
        if (!isKeyObject(other)) throw new ERR_INVALID_ARG_TYPE("otherKeyObject", "KeyObject", other);
        if (this.#type !== other.#type) return false;
        if (this.#type === "secret") return Buffer.compare(this.#handle, other.#handle) === 0;
        return n.keyEqual(this.#handle, other.#handle);
    }

    get [Symbol.toStringTag]() { return "KeyObject"; }
}

class SecretKeyObject extends KeyObject {
    get symmetricKeySize() { return handleOf(this).byteLength; }
    export(options = undefined) {
        if (options !== undefined) {
            validateObject(options, "options");
            if (options.format !== undefined) validateOneOf(options.format, "options.format", [undefined, "buffer", "jwk"]);
            if (options.format === "jwk") return { kty: "oct", k: Buffer.from(handleOf(this)).toString("base64url"), ext: true }; // as upstream
        }
        return Buffer.from(handleOf(this));
    }
}

class AsymmetricKeyObject extends KeyObject {
    #info = null;

    _info() { return (this.#info ??= n.keyInfo(handleOf(this))); }
    get asymmetricKeyType() { return this._info().type || undefined; }
    get asymmetricKeyDetails() {
        const { type, bits, curve, publicExponent, hash, mgf, saltLength } = this._info();
        if (type === "rsa" || type === "rsa-pss") {
            const out = { modulusLength: bits, publicExponent: BigInt(`0x${Buffer.from(publicExponent).toString("hex")}`) };
            if (hash !== undefined) Object.assign(out, { hashAlgorithm: hash.toLowerCase().replace("sha2-", "sha"), mgf1HashAlgorithm: (mgf ?? hash).toLowerCase().replace("sha2-", "sha"), saltLength });
            return out;
        }
        return type === "ec" ? { namedCurve: curve } : {};
    }

    _jwk(isPrivate) {
        const { type, curve } = this._info();
        const parts = n.keyParts(handleOf(this), isPrivate);
        const b64 = (v) => Buffer.from(v).toString("base64url");
        if (type === "rsa") return { kty: "RSA", n: b64(parts.n), e: b64(parts.e), ...(isPrivate ? { d: b64(parts.d), p: b64(parts.p), q: b64(parts.q), dp: b64(parts.dp), dq: b64(parts.dq), qi: b64(parts.qi) } : {}) };
        if (type === "ec") {
            if (!Object.hasOwn(CURVES, curve)) throw Object.assign(new Error(`Unsupported JWK EC curve: ${curve}.`), { code: "ERR_CRYPTO_JWK_UNSUPPORTED_CURVE" });
            return { kty: "EC", x: b64(parts.x), y: b64(parts.y), crv: CURVES[curve], ...(isPrivate ? { d: b64(parts.d) } : {}) };
        }
        if (Object.hasOwn(OKP, type)) return { ...(type === "ed25519" ? { alg: "EdDSA" } : {}), crv: OKP[type], ...(isPrivate ? { d: b64(parts.d) } : {}), x: b64(parts.x), kty: "OKP" };
        throw Object.assign(new Error("Key type is invalid for JWK export"), { code: "ERR_CRYPTO_JWK_UNSUPPORTED_KEY_TYPE" });
    }
}

/* The library's names for Node's. */
const STRUCTURES = { spki: "SubjectPublicKeyInfo", pkcs8: "PrivateKeyInfo", pkcs1: "type-specific", sec1: "type-specific" };

function writeKey(key, options, isPrivate) {
    validateObject(options, "options");
    const { format, type, cipher, passphrase } = options;
    if (format === "jwk") {
        if (passphrase !== undefined) throw new ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS("jwk", "does not support encryption");
        return key._jwk(isPrivate);
    }
    const kind = key.asymmetricKeyType;
    if (format !== "pem" && format !== "der") throw new ERR_INVALID_ARG_VALUE("options.format", format);
    if (!(isPrivate ? ["pkcs1", "pkcs8", "sec1"] : ["pkcs1", "spki"]).includes(type)) throw new ERR_INVALID_ARG_VALUE("options.type", type);
    if (type === "pkcs1" && kind !== "rsa") throw new ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS(type, "can only be used for RSA keys");
    if (type === "sec1" && kind !== "ec") throw new ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS(type, "can only be used for EC keys");
    if (cipher !== undefined && cipher !== null) {
        validateString(cipher, "options.cipher");
        if (format === "der" && (type === "pkcs1" || type === "sec1")) throw new ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS(type, "does not support encryption");
        if (passphrase === undefined) throw new ERR_INVALID_ARG_VALUE("options.passphrase", passphrase);
    } else if (passphrase !== undefined) throw new ERR_INVALID_ARG_VALUE("options.cipher", cipher);
    const structure = cipher && type === "pkcs8" ? "EncryptedPrivateKeyInfo" : STRUCTURES[type];
    const out = n.keyWrite(handleOf(key), isPrivate, format.toUpperCase(), structure, cipher ?? "", passphrase === undefined ? undefined : bytesOf(passphrase, "options.passphrase"));
    if (out === undefined) throw Object.assign(new Error("Unknown cipher"), { code: "ERR_CRYPTO_UNKNOWN_CIPHER" });
    const buffer = Buffer.from(out);
    return format === "pem" ? buffer.toString("latin1") : buffer;
}

class PublicKeyObject extends AsymmetricKeyObject {
    toCryptoKey(algorithm, extractable, usages) { return crypto.subtle.importKey("spki", this.export({ format: "der", type: "spki" }), algorithm, extractable, usages); }
    export(options) { return writeKey(this, options, false); }
}

class PrivateKeyObject extends AsymmetricKeyObject {
    toCryptoKey(algorithm, extractable, usages) { return crypto.subtle.importKey("pkcs8", this.export({ format: "der", type: "pkcs8" }), algorithm, extractable, usages); }
    export(options) { return writeKey(this, options, true); }
}

/* --- JWK in --- */

/* DER pieces, enough to say a JWK's numbers in the forms that the library reads. */
function der(tag, ...parts) {
    const body = Buffer.concat(parts), size = body.length;
    const head = size < 128 ? [size] : size < 256 ? [0x81, size] : size < 65536 ? [0x82, size >> 8, size & 255] : [0x83, size >> 16, (size >> 8) & 255, size & 255];
    return Buffer.concat([Buffer.from([tag, ...head]), body]);
}
function derInteger(bytes) {
    let b = Buffer.from(bytes);
    while (b.length > 1 && b[0] === 0) b = b.subarray(1);
    return der(2, b[0] & 0x80 ? Buffer.concat([Buffer.from([0]), b]) : b);
}
const OIDS = { prime256v1: "06082a8648ce3d030107", secp384r1: "06052b81040022", secp521r1: "06052b81040023", secp256k1: "06052b8104000a" };
const EC_PUBLIC = Buffer.from("06072a8648ce3d0201", "hex");

const NEEDED = { RSA: ["n", "e"], EC: ["crv", "x", "y"], OKP: ["crv"] };

function fromJwk(key, wantPrivate) {
    validateObject(key, "key.key");
    validateOneOf(key.kty, "key.key.kty", ["RSA", "EC", "OKP"]);
    const missing = [...NEEDED[key.kty], ...(wantPrivate ? ["d"] : [])].find((name) => key[name] === undefined);
    if (missing !== undefined) throw Object.assign(new Error(`${key.kty} JWK missing ${missing} parameter`), { code: "ERR_CRYPTO_INVALID_JWK" });
    const isPrivate = wantPrivate && key.d !== undefined;
    const b64 = (name) => {
        validateString(key[name], `key.key.${name}`);
        return Buffer.from(key[name], "base64url");
    };
    let handle;
    try {
        if (key.kty === "OKP") {
            validateOneOf(key.crv, "key.key.crv", Object.values(OKP));
            handle = n.keyRaw(key.crv.toUpperCase(), isPrivate, b64(isPrivate ? "d" : "x"));
        } else if (key.kty === "EC") {
            validateOneOf(key.crv, "key.key.crv", Object.keys(NAMED));
            const point = Buffer.concat([Buffer.from([4]), b64("x"), b64("y")]), oid = Buffer.from(OIDS[NAMED[key.crv]], "hex");
            handle = isPrivate
                ? n.keyParse(der(0x30, derInteger([1]), der(4, b64("d")), der(0xa0, oid), der(0xa1, der(3, Buffer.from([0]), point))), true, "DER", "type-specific")
                : n.keyParse(der(0x30, der(0x30, EC_PUBLIC, oid), der(3, Buffer.from([0]), point)), false, "DER", "SubjectPublicKeyInfo");
        } else if (isPrivate) {
            const names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
            handle = n.keyParse(der(0x30, derInteger([0]), ...names.map((k) => derInteger(b64(k)))), true, "DER", "type-specific");
        } else handle = n.keyParse(der(0x30, derInteger(b64("n")), derInteger(b64("e"))), false, "DER", "type-specific");
    } catch (error) {
        if (`${error.code}`.startsWith("ERR_INVALID_ARG")) throw error;
        throw new ERR_CRYPTO_INVALID_JWK();
    }
    if (handle === undefined || handle === null) throw new ERR_CRYPTO_INVALID_JWK();
    return handle;
}

/* --- in general --- */

const PRIVATE_PEM = /-----BEGIN (ENCRYPTED |RSA |EC )?PRIVATE KEY/;

const KEY_KINDS = ["ArrayBuffer", "Buffer", "TypedArray", "DataView", "string", "object"];

/* What createPublicKey() and its kind take: { handle, isPrivate }. */
function parseKey(input, wantPrivate) {
    if (isKeyObject(input)) {
        if (input.type === "secret" || (wantPrivate && input.type !== "private")) throw new ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE(input.type, wantPrivate ? "private" : "private or public");
        return { handle: handleOf(input), isPrivate: input.type === "private" };
    }
    if (input instanceof CryptoKey) return parseKey(KeyObject.from(input), wantPrivate);
    const plain = typeof input === "string" || ArrayBuffer.isView(input) || input instanceof ArrayBuffer;
    if (input === undefined || input === null) throw new ERR_INVALID_ARG_TYPE("key", KEY_KINDS, input);
    const { key = undefined, format = "pem", type = undefined, passphrase = undefined, encoding = undefined } = plain ? { key: input } : input;
    if (key === undefined || key === null) throw new ERR_INVALID_ARG_TYPE("options.key", KEY_KINDS, key);
    if (isKeyObject(key) || key instanceof CryptoKey) return parseKey(key, wantPrivate);
    if (typeof key !== "string" && typeof key !== "object") throw new ERR_INVALID_ARG_TYPE("key", KEY_KINDS, key);
    if (format === "jwk") return { handle: fromJwk(key, wantPrivate || key?.d !== undefined), isPrivate: key?.d !== undefined };
    validateOneOf(format, "key.format", ["pem", "der", "jwk"]);
    if (typeof key !== "string" && !ArrayBuffer.isView(key) && !(key instanceof ArrayBuffer)) throw new ERR_INVALID_ARG_TYPE("key.key", ["ArrayBuffer", "Buffer", "TypedArray", "DataView", "string", "KeyObject", "CryptoKey"], key);
    const bytes = bytesOf(key, "key.key", encoding);
    if (format === "der" && type === undefined) throw new ERR_INVALID_ARG_VALUE("key.type", type);
    if (type !== undefined && !Object.hasOwn(STRUCTURES, type)) throw new ERR_INVALID_ARG_VALUE("key.type", type);
    let isPrivate = wantPrivate;
    if (!wantPrivate) isPrivate = format === "pem" ? PRIVATE_PEM.test(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")) : type === "pkcs8" || type === "sec1";
    const structure = format === "pem" ? "" : STRUCTURES[type];
    let handle;
    try {
        handle = n.keyParse(bytes, isPrivate, format.toUpperCase(), isPrivate && type === "pkcs8" && passphrase !== undefined ? "EncryptedPrivateKeyInfo" : structure, passphrase === undefined || passphrase === null ? undefined : bytesOf(passphrase, "key.passphrase"));
    } catch (error) {
        if (format === "der" && type === "pkcs8" && passphrase !== undefined) handle = n.keyParse(bytes, isPrivate, "DER", structure);
        else throw error;
    }
    if (handle === null) throw Object.assign(new TypeError("Passphrase required for encrypted key"), { code: "ERR_MISSING_PASSPHRASE" });
    return { handle, isPrivate };
}

function createSecretKey(key, encoding = undefined) {
    const bytes = bytesOf(key, "key", encoding);
    return new SecretKeyObject(OWN, "secret", Uint8Array.from(bytes));
}

function createPrivateKey(key) {
    if (isKeyObject(key)) throw new ERR_INVALID_ARG_TYPE("key", ["ArrayBuffer", "Buffer", "TypedArray", "DataView", "string", "Object"], key);
    return new PrivateKeyObject(OWN, "private", parseKey(key, true).handle);
}

const publicOf = (handle) => n.keyParse(new Uint8Array(n.keyWrite(handle, false, "DER", "SubjectPublicKeyInfo", "")), false, "DER", "SubjectPublicKeyInfo");

function createPublicKey(key) {
    if (isKeyObject(key) && key.type !== "private") throw new ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE(key.type, "private");
    const { handle, isPrivate } = parseKey(key, false);
    return new PublicKeyObject(OWN, "public", isPrivate ? publicOf(handle) : handle);
}

/* Bytes of a secret: strings, buffers, secret KeyObjects. */
function secretBytes(key, name, encoding = undefined) {
    if (isKeyObject(key)) {
        if (key.type !== "secret") throw new ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE(key.type, "secret");
        return handleOf(key);
    }
    if (key instanceof CryptoKey) return secretBytes(KeyObject.from(key), name);
    return bytesOf(key, name, encoding, { keys: true });
}

/* --- generating --- */

/* Arguments of keyMake() but for its callback. */
function pairArguments(type, options) {
    validateString(type, "type");
    const o = options ?? {};
    if (options !== undefined) validateObject(options, "options");
    switch (type) {
    case "rsa": case "rsa-pss": {
        validateObject(options, "options");
        validateUint32(o.modulusLength, "options.modulusLength");
        if (o.modulusLength > MODULUS_MAX) throw new RangeError(`options.modulusLength must not be greater than ${MODULUS_MAX}`);
        if (o.publicExponent !== undefined) validateUint32(o.publicExponent, "options.publicExponent");
        const pss = type === "rsa-pss";
        return [pss ? "RSA-PSS" : "RSA", o.modulusLength, o.publicExponent ?? 65537, pss ? o.hashAlgorithm ?? "" : "", pss ? o.mgf1HashAlgorithm ?? "" : "", pss ? o.saltLength ?? -1 : -1];
    }
    case "ec":
        validateObject(options, "options");
        validateString(o.namedCurve, "options.namedCurve");
        return ["EC", 0, 0, o.namedCurve, "", -1];
    case "ed25519": case "ed448": case "x25519": case "x448": return [type.toUpperCase(), 0, 0, "", "", -1];
    default: throw new ERR_INVALID_ARG_VALUE("type", type, "must be one of: 'rsa', 'ec', 'ed25519', 'x25519', 'dh'");
    }
}

function pairJob(type, options) {
    const { publicKeyEncoding, privateKeyEncoding } = options ?? {};
    for (const [name, value] of [["publicKeyEncoding", publicKeyEncoding], ["privateKeyEncoding", privateKeyEncoding]])
        if (value !== undefined && value !== null && typeof value !== "object") throw new ERR_INVALID_ARG_VALUE(`options.${name}`, value);
    const args = pairArguments(type, options);
    return {
        start: (done) => n.keyMake(...args, done),
        use(handle) {
            if (handle === undefined) throw type === "ec" ? new ERR_CRYPTO_INVALID_CURVE() : new Error("Key generation failed");
            const publicKey = new PublicKeyObject(OWN, "public", publicOf(handle)), privateKey = new PrivateKeyObject(OWN, "private", handle);
            return { publicKey: publicKeyEncoding ? publicKey.export(publicKeyEncoding) : publicKey, privateKey: privateKeyEncoding ? privateKey.export(privateKeyEncoding) : privateKey };
        },
    };
}

function generateKeyPair(type, options, callback) {
    const [o, done] = typeof options === "function" ? [undefined, options] : [options, callback];
    validateFunction(done, "callback");
    soon((error, pair) => (error ? done(error) : done(null, pair.publicKey, pair.privateKey)), pairJob(type, o));
}
define(generateKeyPair, Symbol.for("nodejs.util.promisify.customArgs"), ["publicKey", "privateKey"]);

function secretJob(type, options) {
    validateString(type, "type");
    validateObject(options, "options");
    const { length } = options;
    if (type === "hmac") validateInteger(length, "options.length", 8, 65536);
    else if (type === "aes") validateOneOf(length, "options.length", [128, 192, 256]);
    else throw new ERR_INVALID_ARG_VALUE("type", type, "must be one of: 'rsa', 'ec', 'ed25519', 'x25519', 'dh'");
    return () => createSecretKey(require("./crypto_random.js").randomBytes(length >> 3));
}
function generateKey(type, options, callback) {
    validateFunction(callback, "callback");
    later(callback, secretJob(type, options));
}

const wrapHandle = (handle, isPrivate) => (isPrivate ? new PrivateKeyObject(OWN, "private", handle) : new PublicKeyObject(OWN, "public", handle));

module.exports = {
    KeyObject, SecretKeyObject, PublicKeyObject, PrivateKeyObject, createSecretKey, createPrivateKey, createPublicKey, generateKeyPair, generateKeyPairSync: (type, options) => now(pairJob(type, options)),
    generateKey, generateKeySync: (type, options) => secretJob(type, options)(), secretBytes, parseKey, isKeyObject, handleOf, wrapHandle,
};
