/*
 * The little of DER (X.690) that keys need: PKCS #8 (RFC 5208, RFC 5958), SubjectPublicKeyInfo (RFC 5280), RSA keys
 * (RFC 8017), EC keys (RFC 5915).
 */
import { concatBytes } from "./blob.js";

const INTEGER = 0x02, BIT_STRING = 0x03, OCTET_STRING = 0x04, NULL = 0x05, OID = 0x06, SEQUENCE = 0x30, CONTEXT_1 = 0xa1;

const OIDS = {
    "rsa": [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
    "ec": [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
    "ed25519": [0x2b, 0x65, 0x70],
    "x25519": [0x2b, 0x65, 0x6e],
    "P-256": [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    "P-384": [0x2b, 0x81, 0x04, 0x00, 0x22],
    "P-521": [0x2b, 0x81, 0x04, 0x00, 0x23],
};

function element(tag, ...parts) {
    const content = parts.length === 0 ? new Uint8Array(0) : concatBytes(parts.map((p) => (p instanceof Uint8Array ? p : Uint8Array.from(p))));
    const n = content.byteLength;
    const head = n < 0x80 ? [tag, n] : n < 0x100 ? [tag, 0x81, n] : [tag, 0x82, n >> 8, n & 0xff];
    return concatBytes([Uint8Array.from(head), content]);
}

/* A number that is not negative, from its bytes. */
function integer(bytes) {
    let at = 0;
    while (at < bytes.byteLength - 1 && bytes[at] === 0) at++;
    const rest = bytes.subarray(at);
    return rest[0] >= 0x80 ? element(INTEGER, [0], rest) : element(INTEGER, rest);
}

const oid = (name) => element(OID, OIDS[name]);

function algorithm(family, curve) {
    if (family === "rsa") return element(SEQUENCE, oid("rsa"), element(NULL));
    return curve === undefined ? element(SEQUENCE, oid(family)) : element(SEQUENCE, oid("ec"), oid(curve));
}

function spki(family, curve, key) {
    return element(SEQUENCE, algorithm(family, curve), element(BIT_STRING, [0], key));
}

function pkcs8(family, curve, key) {
    return element(SEQUENCE, integer(Uint8Array.of(0)), algorithm(family, curve), element(OCTET_STRING, key));
}

export const rsaPublic = (n, e) => spki("rsa", undefined, element(SEQUENCE, integer(n), integer(e)));

export const rsaPrivate = (parts) => pkcs8("rsa", undefined, element(SEQUENCE, integer(Uint8Array.of(0)), ...parts.map(integer)));

export const ecPublic = (curve, point) => spki("ec", curve, point);

export function ecPrivate(curve, d, point) {
    return pkcs8("ec", curve, element(SEQUENCE, integer(Uint8Array.of(1)), element(OCTET_STRING, d),
        ...(point === null ? [] : [element(CONTEXT_1, element(BIT_STRING, [0], point))])));
}

export const edwardsPublic = (family, x) => spki(family, undefined, x);
export const edwardsPrivate = (family, d) => pkcs8(family, undefined, element(OCTET_STRING, d));

/* --- reading; the bytes were checked by C already --- */

class Reader {
    constructor(bytes) {
        this.bytes = bytes;
        this.at = 0;
    }

    get more() {
        return this.at < this.bytes.byteLength;
    }

    next(tag) {
        const { bytes } = this;
        const found = bytes[this.at++];
        let n = bytes[this.at++];
        if (n >= 0x80) {
            let count = n & 0x7f;
            for (n = 0; count > 0; count--) n = n * 256 + bytes[this.at++];
        }
        if ((tag !== undefined && found !== tag) || this.at + n > bytes.byteLength) throw new TypeError("Malformed key.");
        this.at += n;
        return bytes.subarray(this.at - n, this.at);
    }

    inside(tag) {
        return new Reader(this.next(tag));
    }

    number() {
        const bytes = this.next(INTEGER);
        return bytes[0] === 0 && bytes.byteLength > 1 ? bytes.subarray(1) : bytes;
    }
}

function nameOf(bytes) {
    for (const [name, value] of Object.entries(OIDS))
        if (value.length === bytes.byteLength && value.every((b, i) => b === bytes[i])) return name;
    return null;
}

function readAlgorithm(reader) {
    const a = reader.inside(SEQUENCE);
    const family = nameOf(a.next(OID));
    return { family, curve: family === "ec" && a.more ? nameOf(a.next(OID)) : undefined };
}

/* {family, curve, key}: key is what the bit string holds. */
export function readPublic(der) {
    const outer = new Reader(der).inside(SEQUENCE);
    const info = readAlgorithm(outer);
    return { ...info, key: outer.next(BIT_STRING).subarray(1) };
}

/* The same of PKCS #8: key is what the octet string holds. */
export function readPrivate(der) {
    const outer = new Reader(der).inside(SEQUENCE);
    outer.next(INTEGER);
    const info = readAlgorithm(outer);
    return { ...info, key: outer.next(OCTET_STRING) };
}

/* The numbers of an RSA key: [n, e] or [n, e, d, p, q, dp, dq, qi]. */
export function readNumbers(key, private_) {
    const reader = new Reader(key).inside(SEQUENCE);
    if (private_) reader.next(INTEGER);
    const out = [];
    for (let i = 0; i < (private_ ? 8 : 2); i++) out.push(reader.number());
    return out;
}

/* The scalar of an EC key. */
export function readScalar(key) {
    const reader = new Reader(key).inside(SEQUENCE);
    reader.next(INTEGER);
    return reader.next(OCTET_STRING);
}

export function readSeed(key) {
    return new Reader(key).next(OCTET_STRING);
}
