/*
 * The algorithms of Web Crypto with key pairs: RSASSA-PKCS1-v1_5, RSA-PSS, RSA-OAEP, ECDSA, ECDH, Ed25519, X25519.
 * Registers them with crypto.js. A private key's data is PKCS #8, a public one's SubjectPublicKeyInfo.
 */
import { families, makePairKey, exception, missing, bytesOf, digestName, keyDigestName, checkJwkUse, base64url, fromBase64url, DIGESTS, isKey, keyData } from "./crypto.js";
import * as der from "./der.js";
import { computed } from "./context.js";

const c = native.crypto;
const RSA = 0, EC = 1, ED25519 = 2, X25519 = 3; // enum pair_kind
const RSASSA = 0, PSS = 1, ECDSA = 2, EDDSA = 3; // enum pair_scheme
const CURVES = { "P-256": { number: 0, size: 32 }, "P-384": { number: 1, size: 48 }, "P-521": { number: 2, size: 66 } };
const RSA_JWK = {
    "RSASSA-PKCS1-v1_5": { "SHA-1": "RS1", "SHA-256": "RS256", "SHA-384": "RS384", "SHA-512": "RS512" },
    "RSA-PSS": { "SHA-1": "PS1", "SHA-256": "PS256", "SHA-384": "PS384", "SHA-512": "PS512" },
    "RSA-OAEP": { "SHA-1": "RSA-OAEP", "SHA-256": "RSA-OAEP-256", "SHA-384": "RSA-OAEP-384", "SHA-512": "RSA-OAEP-512" },
};
const RSA_PARTS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
const BITS_MIN = 256, BITS_MAX = 16384;

function bad(message) {
    return exception("DataError", message);
}

/* The public key as DER, which also proves that the bytes are a key. */
function publicOf(bytes, isPrivate) {
    const out = c.pairPublic(bytes, isPrivate);
    if (out === undefined) throw bad("Invalid key data.");
    return new Uint8Array(out);
}

function field(jwk, name) {
    if (jwk[name] === undefined) throw bad(`Missing field "${name}" in the JWK.`);
    return fromBase64url(jwk[name]);
}

function checkKind(jwk, kty) {
    if (typeof jwk !== "object" || jwk === null || jwk.kty !== kty) throw bad(`The JWK has kty "${jwk?.kty}" where "${kty}" is needed.`);
}

const SIGNS = new Set(["RSASSA-PKCS1-v1_5", "RSA-PSS", "ECDSA", "Ed25519", "NODE-ED25519"]);

/* One family: how its keys look, and what it may be used for. */
class Family {
    /* usages: {public: [...], private: [...]} */
    constructor(name, usages) {
        this.name = name;
        this.usages = usages;
    }

    key(type, algorithm, data, extractable, usages, verb) {
        const allowed = this.usages[type];
        const list = [...usages].map((u) => `${u}`);
        for (const usage of list)
            if (!allowed.includes(usage)) throw exception("SyntaxError", `Attempt to ${verb} ${type} ${this.name} key with invalid usage "${usage}".`);
        if (type === "private" && list.length === 0)
            throw exception("SyntaxError", "Secret/private CryptoKeys must have at least one usage.");
        return makePairKey(type, { name: this.name, ...algorithm }, data, extractable, [...new Set(list)]);
    }

    pair(algorithm, privateDer, extractable, usages) {
        const list = [...usages].map((u) => `${u}`);
        for (const usage of list)
            if (!this.usages.private.includes(usage) && !this.usages.public.includes(usage))
                throw exception("SyntaxError", `Attempt to generate ${this.name} key with invalid usage "${usage}".`);
        const only = (type) => list.filter((u) => this.usages[type].includes(u));
        return {
            publicKey: this.key("public", algorithm, publicOf(privateDer, true), true, only("public"), "generate"),
            privateKey: this.key("private", algorithm, privateDer, extractable, only("private"), "generate"),
        };
    }

    import(format, data, algorithm, extractable, usages) {
        if (format === "jwk") checkJwkUse(data, SIGNS.has(this.name) ? "sig" : "enc", extractable, usages);
        const parts = this.read(format, format === "jwk" ? data : bytesOf(data, "The key data"), algorithm);
        const whole = publicOf(parts.data, parts.type === "private");
        if (parts.type === "public") parts.data = whole;
        return this.key(parts.type, this.describe(parts, algorithm), parts.data, extractable, usages, "import");
    }

    read(format, data, algorithm) {
        switch (format) {
        case "spki": return this.accept("public", data.slice(), der.readPublic, algorithm);
        case "pkcs8": return this.accept("private", data.slice(), der.readPrivate, algorithm);
        case "jwk": return this.fromJwk(data, algorithm);
        case "raw": return { type: "public", data: this.fromRaw(data, algorithm) };
        default: throw exception("NotSupportedError", `Unrecognized key import format "${format}".`);
        }
    }

    accept(type, data, readDer, algorithm) {
        publicOf(data, type === "private");
        this.checkInfo(readDer(data), algorithm);
        return { type, data };
    }

    export(format, key, data) {
        const isPrivate = key.type === "private";
        if (format === "jwk") return { ...this.toJwk(key, data, isPrivate), key_ops: key.usages, ext: key.extractable };
        if (format === "raw" && !isPrivate) return this.toRaw(data);
        if (format !== (isPrivate ? "pkcs8" : "spki"))
            throw exception(format === "spki" || format === "pkcs8" || format === "raw" ? "InvalidAccessError" : "NotSupportedError",
                `Unimplemented or invalid export format "${format}" for a ${key.type} key.`);
        return data.slice().buffer;
    }

    fromRaw() {
        throw exception("NotSupportedError", `Unsupported import format "raw" for ${this.name}.`);
    }

    toRaw() {
        throw exception("NotSupportedError", `Unsupported export format "raw" for ${this.name}.`);
    }
}

/* A name that no algorithm of this kind has, or that of another one. */
function badAlgorithm(family, found, wanted) {
    return Object.values(RSA_JWK[family]).includes(found) ? bad(`The JWK has alg "${found}" where "${wanted}" is needed.`)
        : exception("DataError", `Unrecognized or unimplemented algorithm "${found}" listed in JSON Web Key Algorithm parameter.`);
}

/* --- RSA --- */

class Rsa extends Family {
    constructor(name, scheme, usages) {
        super(name, usages);
        this.scheme = scheme;
    }

    checkInfo(info) {
        if (info.family !== "rsa") throw bad("The key is not an RSA key.");
    }

    describe({ type, data }, algorithm) {
        const isPrivate = type === "private";
        const [n, e] = der.readNumbers((isPrivate ? der.readPrivate : der.readPublic)(data).key, isPrivate);
        const bits = n.byteLength * 8 - Math.clz32(n[0]) + 24;
        if (bits < BITS_MIN || bits > BITS_MAX) throw bad(`Imported RSA key has a modulus of ${bits} bits.`);
        return { modulusLength: bits, publicExponent: e.slice(), hash: Object.freeze({ name: keyDigestName(algorithm.hash) }) };
    }

    fromJwk(jwk, algorithm) {
        checkKind(jwk, "RSA");
        const alg = RSA_JWK[this.name][keyDigestName(algorithm.hash)];
        if (jwk.alg !== undefined && jwk.alg !== alg) throw badAlgorithm(this.name, jwk.alg, alg);
        if (jwk.d === undefined) return { type: "public", data: der.rsaPublic(field(jwk, "n"), field(jwk, "e")) };
        return { type: "private", data: der.rsaPrivate(RSA_PARTS.map((name) => field(jwk, name))) };
    }

    toJwk(key, data, isPrivate) {
        const numbers = der.readNumbers((isPrivate ? der.readPrivate : der.readPublic)(data).key, isPrivate);
        const jwk = { kty: "RSA", alg: RSA_JWK[this.name][key.algorithm.hash.name] };
        numbers.forEach((number, i) => {
            jwk[RSA_PARTS[i]] = base64url(number);
        });
        return jwk;
    }

    async generate(algorithm, extractable, usages) {
        const bits = Number(algorithm.modulusLength);
        if (algorithm.modulusLength === undefined) throw missing("modulusLength");
        if (algorithm.publicExponent === undefined) throw missing("publicExponent");
        const hash = keyDigestName(algorithm.hash);
        if (!(bits >= BITS_MIN && bits <= BITS_MAX) || bits % 128 !== 0)
            throw exception("OperationError", `The modulus length must be a multiple of 128 between ${BITS_MIN} and ${BITS_MAX} bits (requested ${algorithm.modulusLength}).`);
        const exponent = bytesOf(algorithm.publicExponent, "publicExponent").reduce((n, b) => n * 256 + b, 0);
        if (exponent !== 3 && exponent !== 65537) throw exception("OperationError", `The "publicExponent" must be either 3 or 65537, but got ${exponent}.`);
        const data = await computed((done) => c.pairGenerate(RSA, bits, exponent, done));
        if (data === undefined) throw exception("OperationError", "RSA key generation failed.");
        const described = { modulusLength: bits, publicExponent: bytesOf(algorithm.publicExponent, "").slice(), hash: Object.freeze({ name: hash }) };
        return this.pair(described, new Uint8Array(data), extractable, usages);
    }

    salt(algorithm) {
        if (this.scheme !== PSS) return 0;
        if (algorithm.saltLength === undefined) throw missing("saltLength");
        return Number(algorithm.saltLength);
    }

    async sign(algorithm, key, data, bytes) {
        const salt = this.salt(algorithm);
        const out = await computed((done) => c.pairSign(this.scheme, DIGESTS[key.algorithm.hash.name], data, bytes, salt, done));
        if (out === undefined) throw exception("OperationError", "Signing failed.");
        return out;
    }

    verify(algorithm, key, data, signature, bytes) {
        return c.pairVerify(this.scheme, DIGESTS[key.algorithm.hash.name], data, bytes, this.salt(algorithm), signature);
    }

    crypt(encrypt, algorithm, key, data, bytes) {
        const label = algorithm.label === undefined ? new Uint8Array(0) : bytesOf(algorithm.label, "The label");
        const out = c.pairCrypt(encrypt, DIGESTS[key.algorithm.hash.name], data, bytes, label);
        if (out === undefined) throw exception("OperationError", encrypt ? "RSA-OAEP encryption failed." : "RSA-OAEP decryption failed.");
        return out;
    }

    encrypt(algorithm, key, data, bytes) {
        return this.crypt(true, algorithm, key, data, bytes);
    }

    decrypt(algorithm, key, data, bytes) {
        return this.crypt(false, algorithm, key, data, bytes);
    }
}

/* --- elliptic curves --- */

/* A shared secret cut to the wanted number of bits. */
function shared(algorithm, key, data, length) {
    const peer = algorithm.public;
    if (peer === undefined) throw missing("public");
    if (!isKey(peer)) throw new TypeError("The public property of the algorithm must be a CryptoKey.");
    if (peer.type !== "public" || peer.algorithm.name !== key.algorithm.name || peer.algorithm.namedCurve !== key.algorithm.namedCurve)
        throw exception("InvalidAccessError", "The public key does not fit to the private key.");
    const out = c.pairDerive(data, keyData(peer));
    if (out === undefined) throw exception("OperationError", "Failed to derive the shared secret.");
    if (length === null || length === undefined) return out;
    if (length > out.byteLength * 8) throw exception("OperationError", `Derived key length (${length} bits) is too long (should be at most ${out.byteLength * 8} bits).`);
    const bytes = new Uint8Array(out.slice(0, Math.ceil(length / 8)));
    if (length % 8 !== 0) bytes[bytes.byteLength - 1] &= 0xff << (8 - (length % 8));
    return bytes.buffer;
}

class Ec extends Family {
    curve(algorithm) {
        const name = algorithm.namedCurve;
        if (name === undefined) throw missing("namedCurve");
        if (!Object.hasOwn(CURVES, name)) throw exception("NotSupportedError", `Unrecognized or unimplemented EC curve "${name}" requested.`);
        return name;
    }

    checkInfo(info, algorithm) {
        if (info.family !== "ec" || info.curve !== this.curve(algorithm)) throw bad("The key is not on the requested curve.");
    }

    describe(parts, algorithm) {
        return { namedCurve: this.curve(algorithm) };
    }

    fromRaw(data, algorithm) {
        return der.ecPublic(this.curve(algorithm), data.slice());
    }

    toRaw(data) {
        return publicPoint(data).slice().buffer;
    }

    fromJwk(jwk, algorithm) {
        checkKind(jwk, "EC");
        const curve = this.curve(algorithm), { size } = CURVES[curve];
        if (jwk.crv !== curve) throw bad(`The JWK has crv "${jwk.crv}" where "${curve}" is needed.`);
        const point = new Uint8Array(1 + 2 * size);
        point[0] = 4;
        const x = field(jwk, "x"), y = field(jwk, "y");
        if (x.byteLength !== size || y.byteLength !== size) throw bad("The JWK has coordinates of the wrong size.");
        point.set(x, 1);
        point.set(y, 1 + size);
        if (jwk.d === undefined) return { type: "public", data: der.ecPublic(curve, point) };
        return { type: "private", data: der.ecPrivate(curve, field(jwk, "d"), point) };
    }

    toJwk(key, data, isPrivate) {
        const { size } = CURVES[key.algorithm.namedCurve];
        const point = publicPoint(isPrivate ? publicOf(data, true) : data);
        const jwk = { kty: "EC", crv: key.algorithm.namedCurve, x: base64url(point.subarray(1, 1 + size)), y: base64url(point.subarray(1 + size)) };
        if (isPrivate) jwk.d = base64url(padded(der.readScalar(der.readPrivate(data).key), size));
        return jwk;
    }

    generate(algorithm, extractable, usages) {
        const curve = this.curve(algorithm);
        return this.pair({ namedCurve: curve }, new Uint8Array(c.pairGenerate(EC, CURVES[curve].number, 0)), extractable, usages);
    }

    sign(algorithm, key, data, bytes) {
        const out = c.pairSign(ECDSA, DIGESTS[digestName(algorithm.hash)], data, bytes, 0);
        if (out === undefined) throw exception("OperationError", "Signing failed.");
        return out;
    }

    verify(algorithm, key, data, signature, bytes) {
        return c.pairVerify(ECDSA, DIGESTS[digestName(algorithm.hash)], data, bytes, 0, signature);
    }

    derive(algorithm, key, data, length) {
        return shared(algorithm, key, data, length);
    }
}

function publicPoint(spki) {
    return der.readPublic(spki).key;
}

function padded(bytes, size) {
    if (bytes.byteLength >= size) return bytes;
    const out = new Uint8Array(size);
    out.set(bytes, size - bytes.byteLength);
    return out;
}

/* --- Ed25519, X25519 --- */

class Edwards extends Family {
    /* curve: as keys are written; an older name of the algorithm means the same curve. */
    constructor(name, kind, usages, curve = name) {
        super(name, usages);
        this.kind = kind;
        this.curve = curve;
        this.der = curve.toLowerCase();
    }

    checkInfo(info) {
        if (info.family !== this.der) throw bad(`The key is not an ${this.name} key.`);
    }

    describe() {
        return this.name === this.curve ? {} : { namedCurve: this.name };
    }

    fromRaw(data) {
        if (data.byteLength !== 32) throw bad(`A raw ${this.name} key has 32 bytes, not ${data.byteLength}.`);
        return der.edwardsPublic(this.der, data.slice());
    }

    toRaw(data) {
        return publicPoint(data).slice().buffer;
    }

    fromJwk(jwk) {
        checkKind(jwk, "OKP");
        if (this.name === "Ed25519" && jwk.alg !== undefined && jwk.alg !== "EdDSA" && jwk.alg !== this.name) throw bad(`The JWK has alg "${jwk.alg}".`);
        if (jwk.crv !== this.curve) throw bad(`The JWK has crv "${jwk.crv}" where "${this.curve}" is needed.`);
        if (jwk.d === undefined) return { type: "public", data: this.fromRaw(field(jwk, "x")) };
        const data = der.edwardsPrivate(this.der, field(jwk, "d")), x = field(jwk, "x");
        if (base64url(publicPoint(publicOf(data, true))) !== base64url(x)) throw bad("The JWK's halves do not belong together.");
        return { type: "private", data };
    }

    toJwk(key, data, isPrivate) {
        const jwk = { kty: "OKP", crv: this.curve, x: base64url(publicPoint(isPrivate ? publicOf(data, true) : data)) };
        if (isPrivate) jwk.d = base64url(der.readSeed(der.readPrivate(data).key));
        return jwk;
    }

    generate(algorithm, extractable, usages) {
        return this.pair(this.describe(), new Uint8Array(c.pairGenerate(this.kind, 0, 0)), extractable, usages);
    }

    sign(algorithm, key, data, bytes) {
        return c.pairSign(EDDSA, 0, data, bytes, 0);
    }

    verify(algorithm, key, data, signature, bytes) {
        return c.pairVerify(EDDSA, 0, data, bytes, 0, signature);
    }

    derive(algorithm, key, data, length) {
        return shared(algorithm, key, data, length);
    }
}

const SIGNING = { public: ["verify"], private: ["sign"] };
const DERIVING = { public: [], private: ["deriveKey", "deriveBits"] };

for (const family of [
    new Rsa("RSASSA-PKCS1-v1_5", RSASSA, SIGNING),
    new Rsa("RSA-PSS", PSS, SIGNING),
    new Rsa("RSA-OAEP", -1, { public: ["encrypt", "wrapKey"], private: ["decrypt", "unwrapKey"] }),
    new Ec("ECDSA", SIGNING),
    new Ec("ECDH", DERIVING),
    new Edwards("Ed25519", ED25519, SIGNING),
    new Edwards("X25519", X25519, DERIVING),
    new Edwards("NODE-ED25519", ED25519, SIGNING, "Ed25519"),
]) families.set(family.name.toUpperCase(), family);
