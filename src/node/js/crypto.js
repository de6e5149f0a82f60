/* node:crypto. Each part is loaded when it is first used. */
const { codes: { ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH, ERR_INVALID_ARG_TYPE }, notImplemented } = require("./errors.js");

const PARTS = {
    "./crypto_hash.js": ["Hash", "Hmac", "createHash", "createHmac", "hash", "pbkdf2", "pbkdf2Sync", "scrypt", "scryptSync", "hkdf", "hkdfSync", "getHashes"],
    "./crypto_random.js": ["randomBytes", "pseudoRandomBytes", "rng", "prng", "randomFill", "randomFillSync", "randomInt", "randomUUID", "generatePrime", "generatePrimeSync", "checkPrime", "checkPrimeSync"],
    "./crypto_cipher.js": ["Cipheriv", "Decipheriv", "createCipheriv", "createDecipheriv", "getCipherInfo", "getCiphers"],
    "./crypto_keys.js": ["KeyObject", "SecretKeyObject", "PublicKeyObject", "PrivateKeyObject", "createSecretKey", "createPrivateKey", "createPublicKey", "generateKeyPair", "generateKeyPairSync", "generateKey", "generateKeySync"],
    "./crypto_sign.js": ["Sign", "Verify", "createSign", "createVerify", "sign", "verify", "publicEncrypt", "privateDecrypt", "privateEncrypt", "publicDecrypt", "diffieHellman", "ECDH", "createECDH", "DiffieHellman", "DiffieHellmanGroup", "createDiffieHellman", "createDiffieHellmanGroup", "getDiffieHellman"],
    "./crypto_x509.js": ["X509Certificate"],
};

function timingSafeEqual(a, b) {
    const bytes = (v, name) => {
        if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
        if (v instanceof ArrayBuffer) return new Uint8Array(v);
        throw new ERR_INVALID_ARG_TYPE(name, ["ArrayBuffer", "Buffer", "TypedArray", "DataView"], v);
    };
    const x = bytes(a, "buf1"), y = bytes(b, "buf2");
    if (x.byteLength !== y.byteLength) throw new ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH();
    return native.crypto.equal(x, y);
}

/* Names that Node itself has taken away, or that nobody implements. */
const gone = (name) => ({ [name]: function () { notImplemented(`crypto.${name}`); } }[name]);
function Certificate() {}
for (const name of ["exportChallenge", "exportPublicKey", "verifySpkac"]) Certificate[name] = Certificate.prototype[name] = gone(`Certificate.${name}`);

const crypto = module.exports = {
    timingSafeEqual, getCurves: () => ["prime256v1", "secp224r1", "secp256k1", "secp384r1", "secp521r1"], getFips: () => 0, setFips: () => notImplemented("crypto.setFips"),
    setEngine: () => notImplemented("crypto.setEngine"), secureHeapUsed: () => ({ total: 0, used: 0, utilization: 0, min: 0 }),
    webcrypto: globalThis.crypto, subtle: globalThis.crypto.subtle, getRandomValues: (array) => globalThis.crypto.getRandomValues(array),
    Certificate, CryptoKey, fips: false, Cipher: gone("Cipher"), Decipher: gone("Decipher"), createCipher: gone("createCipher"), createDecipher: gone("createDecipher"),
};
for (const [file, names] of Object.entries(PARTS)) {
    for (const name of names) {
        Object.defineProperty(crypto, name, {
            get() {
                const value = require(file)[name];
                Object.defineProperty(crypto, name, { value, writable: true, configurable: true, enumerable: true });
                return value;
            },
            set(value) { Object.defineProperty(crypto, name, { value, writable: true, configurable: true, enumerable: true }); },
            configurable: true, enumerable: true,
        });
    }
}
Object.defineProperty(crypto, "constants", { get: () => require("./crypto_constants.js"), enumerable: true, configurable: true });
