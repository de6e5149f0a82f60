/* X509Certificate. */
const { codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE }, validateBoolean, validateObject, validateOneOf, validateString } = require("./errors.js");
const { Buffer } = require("./buffer.js");
const { bytesOf } = require("./crypto_util.js");
const { handleOf, isKeyObject, wrapHandle } = require("./crypto_keys.js");

const n = native.node;
const HOST = 0, MAIL = 1, IP = 2; // kinds of certCheck()
/* Options of checkHost() and checkEmail(), and their bits. */
const SUBJECT = { default: 0, always: 0x1, never: 0x20 };
const FLAGS = { wildcards: [true, 0x2], partialWildcards: [true, 0x4], multiLabelWildcards: [false, 0x8], singleLabelSubdomains: [false, 0x10] };

function flagsOf(options) {
    validateObject(options, "options");
    const { subject = "default" } = options;
    validateString(subject, "options.subject");
    validateOneOf(subject, "options.subject", Object.keys(SUBJECT));
    let flags = SUBJECT[subject];
    for (const [name, [usual, bit]] of Object.entries(FLAGS)) {
        const value = options[name] ?? usual;
        validateBoolean(value, `options.${name}`);
        if (value !== (bit <= 0x4)) flags |= bit; // the first two say what is not allowed
    }
    return flags;
}

/* "C=US\nO=x" as an object; what is there twice is a list. */
function partsOf(text, separator) {
    const out = Object.create(null);
    for (const line of text.split("\n").filter(Boolean)) {
        const at = line.indexOf(separator), name = line.slice(0, at), value = line.slice(at + separator.length);
        out[name] = out[name] === undefined ? value : [out[name], value].flat();
    }
    return out;
}

class X509Certificate {
    #c;
    #handle;
    #key;

    constructor(data) {
        const parts = n.certParse(bytesOf(data, "buffer"));
        if (parts === undefined) throw new ERR_INVALID_ARG_VALUE("buffer", data, "is not a certificate");
        [this.#c, this.#handle, this.#key] = parts;
    }

    #print(hash) {
        return Buffer.from(n.hashOnce(hash, new Uint8Array(this.#c.raw))).toString("hex").toUpperCase().replace(/(..)(?=.)/g, "$1:");
    }

    get subject() { return this.#c.subject; }
    get issuer() { return this.#c.issuer; }
    get subjectAltName() { return this.#c.subjectAltName; }
    get infoAccess() { return this.#c.infoAccess; }
    get keyUsage() { return this.#c.keyUsage?.split(","); }
    get extKeyUsage() { return this.keyUsage; }
    get issuerCertificate() { return undefined; }
    get validFrom() { return this.#c.validFrom; }
    get validTo() { return this.#c.validTo; }
    get validFromDate() { return new Date(this.#c.validFrom); }
    get validToDate() { return new Date(this.#c.validTo); }
    get serialNumber() { return this.#c.serialNumber; }
    get ca() { return this.#c.ca; }
    get raw() { return Buffer.from(this.#c.raw); }
    get fingerprint() { return this.#print("sha1"); }
    get fingerprint256() { return this.#print("sha256"); }
    get fingerprint512() { return this.#print("sha512"); }
    get publicKey() { return wrapHandle(this.#key, false); }

    #check(kind, name, label, flags) {
        validateString(name, label);
        const found = n.certCheck(this.#handle, kind, name, flags);
        if (found === null) throw new ERR_INVALID_ARG_VALUE(label, name);
        return found;
    }

    checkHost(name, options = {}) { return this.#check(HOST, name, "name", flagsOf(options)); }
    checkEmail(mail, options = {}) { return this.#check(MAIL, mail, "email", flagsOf(options)); }
    checkIP(ip) { return this.#check(IP, ip, "ip", 0); }

    checkIssued(other) {
        if (!(other instanceof X509Certificate)) throw new ERR_INVALID_ARG_TYPE("otherCert", "X509Certificate", other);
        return n.certIssued(this.#handle, other.#handle);
    }

    #with(key, label, type) {
        if (!isKeyObject(key)) throw new ERR_INVALID_ARG_TYPE(label, "KeyObject", key);
        if (key.type !== type) throw type === "private" ? new ERR_INVALID_ARG_TYPE(label, "PrivateKeyObject", key) : new ERR_INVALID_ARG_VALUE(label, key);
        return n.certVerify(this.#handle, handleOf(key), type === "private");
    }

    checkPrivateKey(key) { return this.#with(key, "pkey", "private"); }
    verify(key) { return this.#with(key, "pkey", "public"); }

    /* As tls gives them. */
    toLegacyObject() {
        const key = this.publicKey, rsa = key.asymmetricKeyType === "rsa", jwk = rsa ? key.export({ format: "jwk" }) : undefined;
        const hex = (value) => Buffer.from(value, "base64url").toString("hex");
        const access = this.infoAccess === undefined ? undefined : partsOf(this.infoAccess, ":");
        return {
            subject: { ...partsOf(this.subject, "=") }, issuer: { ...partsOf(this.issuer, "=") }, subjectaltname: this.subjectAltName,
            infoAccess: access && Object.fromEntries(Object.entries(access).map(([name, value]) => [name, [value].flat()])), ca: this.ca,
            ...(rsa ? { modulus: hex(jwk.n).toUpperCase(), bits: key.asymmetricKeyDetails.modulusLength, exponent: `0x${hex(jwk.e).replace(/^0+/, "")}` } : {}),
            pubkey: key.export({ format: "der", type: "spki" }), valid_from: this.validFrom, valid_to: this.validTo,
            fingerprint: this.fingerprint, fingerprint256: this.fingerprint256, fingerprint512: this.fingerprint512, ext_key_usage: this.keyUsage,
            serialNumber: this.serialNumber, raw: this.raw,
        };
    }

    toString() { return `-----BEGIN CERTIFICATE-----\n${this.raw.toString("base64").replace(/(.{64})(?=.)/g, "$1\n")}\n-----END CERTIFICATE-----\n`; }
    toJSON() { return this.toString(); }
}

module.exports = { X509Certificate };
