/* Cipheriv and Decipheriv. */
const {
    codes: { ERR_CRYPTO_INVALID_AUTH_TAG, ERR_CRYPTO_INVALID_IV, ERR_CRYPTO_INVALID_KEYLEN, ERR_CRYPTO_INVALID_STATE, ERR_CRYPTO_UNKNOWN_CIPHER, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE },
    validateObject, validateString, validateUint32,
} = require("./errors.js");
const { Transform } = require("./stream.js");
const { Buffer, normalizeEncoding } = require("./buffer.js");
const { StringDecoder } = require("./string_decoder.js");
const { bytesOf, dataOf, encode } = require("./crypto_util.js");
const { callable } = require("./crypto_hash.js");

const n = native.node;
const AEAD = ["gcm", "ccm", "ocb"];
const GCM_TAGS = [4, 8, 12, 13, 14, 15, 16];

const describe = (cipher) => {
    const info = n.cipherInfo(cipher);
    if (info === undefined) return undefined;
    const [name, nid, blockSize, ivLength, keyLength, mode] = info;
    return { name, nid, blockSize, ivLength, keyLength, mode };
};

const isAead = (info) => AEAD.includes(info.mode) || info.name === "chacha20-poly1305";

class CipherImpl extends Transform {
    #handle;
    #info;
    #encrypt;
    #decoder = null;
    #final = false;
    #tag = null;
    #tagLength;

    constructor(encrypt, cipher, key, iv, options = undefined) {
        validateString(cipher, "cipher");
        const { secretBytes } = require("./crypto_keys.js");
        const info = describe(cipher);
        const secret = secretBytes(key, "key", options?.encoding);
        const nonce = iv === null ? null : bytesOf(iv, "iv");
        if (info === undefined) throw new ERR_CRYPTO_UNKNOWN_CIPHER();
        if (secret.byteLength !== info.keyLength) throw new ERR_CRYPTO_INVALID_KEYLEN();
        const length = nonce?.byteLength ?? 0;
        if (nonce === null ? info.ivLength > 0 : isAead(info) ? length === 0 : length !== info.ivLength) throw new ERR_CRYPTO_INVALID_IV();
        if (info.name === "chacha20-poly1305" && length > 12) throw new ERR_CRYPTO_INVALID_IV();
        if (info.mode === "ccm" && (length < 7 || length > 13)) throw new ERR_CRYPTO_INVALID_IV();
        const tagLength = options?.authTagLength;
        if (tagLength !== undefined && tagLength !== null) {
            validateUint32(tagLength, "options.authTagLength");
            if (info.mode === "gcm" && !GCM_TAGS.includes(tagLength)) throw new ERR_CRYPTO_INVALID_AUTH_TAG(`Invalid authentication tag length: ${tagLength}`);
        } else if (info.mode === "ccm" || info.mode === "ocb") throw new ERR_CRYPTO_INVALID_AUTH_TAG(`authTagLength required for ${cipher}`);
        super(options);
        this.#encrypt = encrypt;
        this.#info = info;
        this.#tagLength = tagLength ?? undefined;
        this.#handle = n.cipherOpen(cipher, encrypt, secret, nonce ?? new Uint8Array(0), tagLength ?? 16);
    }

    _transform(chunk, encoding, callback) {
        try {
            this.push(this.update(chunk, encoding));
            callback();
        } catch (error) {
            callback(error);
        }
    }

    _flush(callback) {
        try {
            this.push(this.final());
            callback();
        } catch (error) {
            callback(error);
        }
    }

    #out(arrayBuffer, encoding, last) {
        if (encoding === undefined || encoding === null || encoding === "buffer") return encode(arrayBuffer);
        this.#decoder ??= new StringDecoder(encoding);
        if (this.#decoder.encoding !== normalizeEncoding(encoding)) throw new ERR_INVALID_ARG_VALUE("outputEncoding", encoding, "cannot be changed");
        const buffer = Buffer.from(arrayBuffer);
        return last ? this.#decoder.end(buffer) : this.#decoder.write(buffer);
    }

    update(data, inputEncoding = undefined, outputEncoding = undefined) {
        const bytes = dataOf(data, inputEncoding);
        if (this.#final) throw new Error("Trying to add data in unsupported state");
        const out = n.cipherUpdate(this.#handle, bytes);
        if (out === undefined) {
            if (this.#info.mode === "ccm" && !this.#encrypt) return this.#out(new ArrayBuffer(0), outputEncoding, false);
            throw new ERR_CRYPTO_INVALID_STATE("update");
        }
        return this.#out(out, outputEncoding, false);
    }

    final(outputEncoding = undefined) {
        if (this.#final) throw new ERR_CRYPTO_INVALID_STATE("final");
        if (isAead(this.#info) && !this.#encrypt && this.#tag === null) throw new Error("Unsupported state or unable to authenticate data");
        const out = n.cipherFinal(this.#handle);
        this.#final = true;
        if (out === undefined) throw new Error("Unsupported state or unable to authenticate data");
        if (this.#encrypt && isAead(this.#info)) this.#tag = n.cipherGetTag(this.#handle);
        return this.#out(out, outputEncoding, true);
    }

    setAutoPadding(on = true) {
        if (this.#final) throw new ERR_CRYPTO_INVALID_STATE("setAutoPadding");
        n.cipherPadding(this.#handle, Boolean(on));
        return this;
    }

    setAAD(data, options = undefined) {
        const bytes = bytesOf(data, "buffer", options?.encoding);
        if (options !== undefined) validateObject(options, "options");
        if (this.#info.mode === "ccm" && options?.plaintextLength === undefined) throw new ERR_INVALID_ARG_VALUE("options.plaintextLength", undefined, "required for CCM mode with AAD");
        if (this.#final || !isAead(this.#info) || !n.cipherAad(this.#handle, bytes, options?.plaintextLength ?? 0)) throw new ERR_CRYPTO_INVALID_STATE("setAAD");
        return this;
    }

    getAuthTag() {
        if (!this.#encrypt || !this.#final || this.#tag === null || this.#tag === undefined) throw new ERR_CRYPTO_INVALID_STATE("getAuthTag");
        return Buffer.from(this.#tag);
    }

    setAuthTag(tag, encoding = undefined) {
        const bytes = bytesOf(tag, "buffer", encoding);
        const { mode } = this.#info;
        const valid = mode === "gcm" ? GCM_TAGS.includes(bytes.byteLength) && (this.#tagLength === undefined || this.#tagLength === bytes.byteLength)
            : bytes.byteLength === (this.#tagLength ?? 16);
        if (!isAead(this.#info) || this.#encrypt || this.#final || this.#tag !== null) throw new ERR_CRYPTO_INVALID_STATE("setAuthTag");
        if (!valid) throw new ERR_CRYPTO_INVALID_AUTH_TAG(`Invalid authentication tag length: ${bytes.byteLength}`);
        if (!n.cipherSetTag(this.#handle, bytes)) throw new ERR_CRYPTO_INVALID_STATE("setAuthTag");
        this.#tag = bytes;
        return this;
    }
}

class CipherivImpl extends CipherImpl {
    constructor(cipher, key, iv, options) { super(true, cipher, key, iv, options); }
}
class DecipherivImpl extends CipherImpl {
    constructor(cipher, key, iv, options) { super(false, cipher, key, iv, options); }
}
delete CipherivImpl.prototype.setAuthTag;
const Cipheriv = callable(CipherivImpl, "Cipheriv"), Decipheriv = callable(DecipherivImpl, "Decipheriv");
Cipheriv.prototype.setAuthTag = undefined;
Decipheriv.prototype.getAuthTag = undefined;

function getCipherInfo(nameOrNid, options = undefined) {
    if (typeof nameOrNid !== "string" && typeof nameOrNid !== "number") throw new ERR_INVALID_ARG_TYPE("nameOrNid", ["string", "number"], nameOrNid);
    let info = typeof nameOrNid === "string" ? describe(nameOrNid) : undefined;
    if (typeof nameOrNid === "number") info = CIPHERS.map(describe).find((c) => c?.nid === nameOrNid);
    if (info === undefined) return undefined;
    const { keyLength, ivLength } = options ?? {};
    if (keyLength !== undefined && keyLength !== info.keyLength) return undefined;
    const out = { mode: info.mode, name: info.name, nid: info.nid, ...(info.mode === "stream" ? {} : { blockSize: info.blockSize }), ...(info.ivLength > 0 ? { ivLength: info.ivLength } : {}), keyLength: info.keyLength };
    if (ivLength !== undefined) {
        if (info.mode === "ccm" ? ivLength < 7 || ivLength > 13 : isAead(info) ? ivLength < 1 : ivLength !== info.ivLength) return undefined;
        out.ivLength = ivLength;
    }
    return out;
}

const sizes = [128, 192, 256];
const CIPHERS = [...sizes.flatMap((s) => ["cbc", "ccm", "cfb", "cfb1", "cfb8", "ctr", "ecb", "gcm", "ocb", "ofb"].map((m) => `aes-${s}-${m}`)), ...sizes.flatMap((s) => ["cbc", "cfb", "ctr", "ecb", "ofb"].map((m) => `aria-${s}-${m}`)), ...sizes.flatMap((s) => ["cbc", "cfb", "ctr", "ecb", "ofb"].map((m) => `camellia-${s}-${m}`)), "chacha20", "chacha20-poly1305", "des-ede-cbc", "des-ede3-cbc", "des-ede3-ecb"].sort();

module.exports = {
    Cipheriv, Decipheriv, createCipheriv: (c, k, i, o) => new Cipheriv(c, k, i, o), createDecipheriv: (c, k, i, o) => new Decipheriv(c, k, i, o),
    getCipherInfo, getCiphers: () => CIPHERS.slice(),
};
