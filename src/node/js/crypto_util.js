/* What the files of node:crypto share: bytes of arguments, encodings of results. */
const { codes: { ERR_INVALID_ARG_TYPE } } = require("./errors.js");
const { Buffer } = require("./buffer.js");
const { later, now, soon } = require("./jobs.js");

const view = (v) => (v instanceof Uint8Array ? v : new Uint8Array(v.buffer, v.byteOffset, v.byteLength));

/* Bytes of a string, a buffer or an ArrayBuffer. */
function bytesOf(value, name, encoding = undefined, { keys = false } = {}) {
    if (typeof value === "string") return Buffer.from(value, encoding === "buffer" || encoding === undefined ? "utf8" : encoding);
    if (ArrayBuffer.isView(value)) return view(value);
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    throw new ERR_INVALID_ARG_TYPE(name, ["ArrayBuffer", "Buffer", "TypedArray", "DataView", "string", ...(keys ? ["KeyObject", "CryptoKey"] : [])], value);
}

/* A result, in the encoding the caller wants. */
function encode(arrayBuffer, encoding) {
    const buffer = Buffer.from(arrayBuffer);
    return encoding === undefined || encoding === null || encoding === "buffer" ? buffer : buffer.toString(encoding);
}

/* Data of update(): strings have an encoding. */
function dataOf(data, encoding, name = "data") {
    if (typeof data === "string") return Buffer.from(data, encoding === "buffer" ? "utf8" : encoding);
    if (ArrayBuffer.isView(data)) return view(data);
    throw new ERR_INVALID_ARG_TYPE(name, ["string", "Buffer", "TypedArray", "DataView"], data);
}

module.exports = { bytesOf, dataOf, encode, later, now, soon, view };
