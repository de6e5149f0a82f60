/* Arguments of node:fs: each function checks as upstream does, and gives what the operations of fs_core.js take. */
const {
    codes: { ERR_BUFFER_OUT_OF_BOUNDS, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_UNSUPPORTED_OPERATION },
    validateAbortSignal, validateBoolean, validateInt32, validateInteger, validateObject, validateOneOf, validateString, validateUint32,
} = require("./errors.js");
const { Buffer } = require("./buffer.js");
const C = require("./fs_constants.js");

const UID_MAX = 2 ** 32 - 1;
const { O_RDONLY, O_WRONLY, O_RDWR, O_SYNC, O_CREAT, O_TRUNC, O_APPEND, O_EXCL } = C;
const FLAGS = {
    r: O_RDONLY, rs: O_RDONLY | O_SYNC, "r+": O_RDWR, "rs+": O_RDWR | O_SYNC, w: O_TRUNC | O_CREAT | O_WRONLY, wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
    "w+": O_TRUNC | O_CREAT | O_RDWR, "wx+": O_TRUNC | O_CREAT | O_RDWR | O_EXCL, a: O_APPEND | O_CREAT | O_WRONLY, ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
    as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC, "a+": O_APPEND | O_CREAT | O_RDWR, "ax+": O_APPEND | O_CREAT | O_RDWR | O_EXCL,
    "as+": O_APPEND | O_CREAT | O_RDWR | O_SYNC,
};
const TURNED = { sr: "rs", "sr+": "rs+", xw: "wx", "xw+": "wx+", xa: "ax", sa: "as", "xa+": "ax+", "sa+": "as+" };

function flagsOf(flags, name = "flags") {
    if (typeof flags === "number") {
        validateInt32(flags, name);
        return flags;
    }
    if (flags === undefined || flags === null) return O_RDONLY;
    const key = TURNED[flags] ?? flags;
    if (typeof key === "string" && Object.hasOwn(FLAGS, key)) return FLAGS[key];
    throw new ERR_INVALID_ARG_VALUE(name, flags);
}

function fileMode(value, name, fallback = undefined) {
    let mode = value ?? fallback ?? value;
    if (typeof mode === "string") {
        if (!/^[0-7]+$/.test(mode)) throw new ERR_INVALID_ARG_VALUE(name, mode, "must be a 32-bit unsigned integer or an octal string");
        mode = Number.parseInt(mode, 8);
    }
    validateUint32(mode, name);
    return mode;
}

function fdOf(fd, name = "fd") {
    if (Object.is(fd, -0)) return 0;
    validateInt32(fd, name, 0);
    return fd;
}

function position(value, name = "position") {
    if (typeof value === "number") validateUint32(value, name);
    else if (typeof value !== "bigint" && value !== null) throw new ERR_INVALID_ARG_TYPE(name, ["integer", "bigint", "null"], value);
    return value === null ? null : Number(value);
}

/* An encoding, or options that hold one. */
function encodingOf(options, fallback = "utf8") {
    const o = typeof options === "string" || options === undefined || options === null ? { encoding: options ?? undefined } : options;
    validateObject(o, "options");
    const { encoding = fallback } = o;
    if (encoding !== null && encoding !== "buffer" && !Buffer.isEncoding(encoding)) throw new ERR_INVALID_ARG_VALUE("options.encoding", encoding);
    return encoding;
}

function owner(uid, gid) {
    validateInteger(uid, "uid", -1, UID_MAX);
    validateInteger(gid, "gid", -1, UID_MAX);
}

function statOptions(options = {}) {
    validateObject(options, "options");
    const { bigint = false, throwIfNoEntry = true } = options;
    validateBoolean(bigint, "options.bigint");
    validateBoolean(throwIfNoEntry, "options.throwIfNoEntry");
    return { bigint, throwIfNoEntry };
}

function mkdirOptions(options = {}) {
    const o = typeof options === "number" ? { mode: options } : options;
    validateObject(o, "options");
    const { recursive = false, mode = 0o777 } = o;
    validateBoolean(recursive, "options.recursive");
    fileMode(mode, "mode");
    return recursive;
}

function removeOptions(options = {}) {
    validateObject(options, "options");
    const { force = false, maxRetries = 0, recursive = false, retryDelay = 0 } = options;
    validateBoolean(force, "options.force");
    validateUint32(maxRetries, "options.maxRetries");
    validateBoolean(recursive, "options.recursive");
    validateUint32(retryDelay, "options.retryDelay");
    return { recursive };
}

function listOptions(options) {
    const encoding = encodingOf(options);
    const { withFileTypes = false, recursive = false } = typeof options === "object" && options !== null ? options : {};
    validateBoolean(withFileTypes, "options.withFileTypes");
    validateBoolean(recursive, "options.recursive");
    return { encoding: encoding ?? "utf8", withFileTypes, recursive };
}

function dirOptions(options = {}) {
    validateObject(options, "options");
    const { encoding = "utf8", bufferSize = 32, recursive = false } = options;
    if (encoding !== "buffer" && !Buffer.isEncoding(encoding)) throw new ERR_INVALID_ARG_VALUE("options.encoding", encoding);
    validateUint32(bufferSize, "options.bufferSize");
    validateBoolean(recursive, "options.recursive");
    return { encoding, recursive };
}

function bufferArray(buffers, name = "buffer") {
    if (!Array.isArray(buffers) || !buffers.every((b) => ArrayBuffer.isView(b))) throw new ERR_INVALID_ARG_TYPE(name, "ArrayBufferView[]", buffers);
    return buffers;
}

const bytesIn = (view, offset, length) => new Uint8Array(view.buffer, view.byteOffset + offset, length);

/* [bytes, position] of read(fd, buffer, …) in its forms. */
function readTarget(buffer, offsetOrOptions = {}, length = undefined, at = null) {
    if (!ArrayBuffer.isView(buffer)) throw new ERR_INVALID_ARG_TYPE("buffer", ["Buffer", "TypedArray", "DataView"], buffer);
    let offset, count, where = at;
    if (offsetOrOptions !== null && typeof offsetOrOptions === "object") {
        ({ offset = 0, position: where = null } = offsetOrOptions);
        count = offsetOrOptions.length ?? buffer.byteLength - offset;
    } else if (typeof offsetOrOptions === "number") {
        offset = offsetOrOptions;
        count = length ?? buffer.byteLength - offset;
    } else throw new ERR_INVALID_ARG_TYPE("offset", ["number", "object"], offsetOrOptions);
    validateUint32(offset, "offset");
    validateUint32(count, "length");
    const from = position(where);
    if (buffer.byteOffset + offset + count > buffer.buffer.byteLength)
        throw new ERR_INVALID_ARG_VALUE("offset", buffer.byteOffset + offset, "out of bounds");
    return [bytesIn(buffer, offset, count), from];
}

/* [bytes, position] of write(fd, data, …) in its forms. */
function writeSource(data, offsetOrOptions = null, length = undefined, at = undefined) {
    if (typeof data === "string") {
        const where = position(offsetOrOptions);
        if (length === "hex" && data.length % 2 !== 0) throw new ERR_INVALID_ARG_VALUE("encoding", length, `is invalid for data of length ${data.length}`);
        return [Buffer.from(data, length ?? undefined), where];
    }
    if (!ArrayBuffer.isView(data)) throw new ERR_INVALID_ARG_TYPE("buffer", ["string", "Buffer", "TypedArray", "DataView"], data);
    let offset = offsetOrOptions, count = length, where = at;
    if (typeof offsetOrOptions === "object" && offsetOrOptions !== null)
        ({ offset = 0, length: count = data.byteLength, position: where = null } = offsetOrOptions);
    offset ??= 0;
    validateInteger(offset, "offset", 0);
    count ??= data.byteLength - (typeof offsetOrOptions === "number" ? offset : 0);
    const from = position(where ?? null);
    validateInteger(count, "length", 0);
    if (count > data.byteLength) throw new ERR_BUFFER_OUT_OF_BOUNDS("length");
    if (offset > data.byteLength || offset + count > data.byteLength) throw new ERR_BUFFER_OUT_OF_BOUNDS("offset");
    return [bytesIn(data, offset, count), from];
}

/* { bytes, append, exclusive } of writeFile. */
function fileContent(data, options, fallback = "w") {
    const o = typeof options === "string" || options === undefined || options === null ? { encoding: options ?? undefined } : options;
    validateObject(o, "options");
    const { encoding = "utf8", mode = 0o666, flag = fallback, flush = false } = o;
    if (encoding !== "buffer" && encoding !== null && !Buffer.isEncoding(encoding)) throw new ERR_INVALID_ARG_VALUE("options.encoding", encoding);
    validateBoolean(flush, "options.flush");
    fileMode(mode, "options.mode", 0o666);
    const bits = flagsOf(flag);
    if (!(bits & (O_APPEND | O_WRONLY | O_RDWR))) throw new ERR_INVALID_ARG_VALUE("flag", flag, "must be indicate write or append");
    const bytes = typeof data === "string" ? Buffer.from(data, encoding ?? "utf8") : data;
    if (!ArrayBuffer.isView(bytes)) throw new ERR_INVALID_ARG_TYPE("data", ["string", "Buffer", "TypedArray", "DataView"], data);
    return { bytes: bytesIn(bytes, 0, bytes.byteLength), append: (bits & O_APPEND) !== 0, exclusive: (bits & O_EXCL) !== 0 };
}

function accessMode(mode = C.F_OK) {
    validateInteger(mode, "mode", 0, 7);
    return mode;
}

function copyMode(mode = 0) {
    validateOneOf(mode, "mode", [0, C.COPYFILE_EXCL, C.COPYFILE_FICLONE_FORCE, C.COPYFILE_FICLONE]);
    if (mode & C.COPYFILE_FICLONE_FORCE) throw new ERR_UNSUPPORTED_OPERATION();
    return mode;
}

const COPY_FLAGS = { dereference: false, errorOnExist: false, force: true, preserveTimestamps: false, recursive: false, verbatimSymlinks: false };

function copyOptions(options = {}) {
    validateObject(options, "options");
    const out = {};
    for (const [name, fallback] of Object.entries(COPY_FLAGS)) {
        const { [name]: value = fallback } = options;
        validateBoolean(value, `options.${name}`);
        out[name] = value;
    }
    const { mode = 0, filter } = options;
    validateUint32(mode, "options.mode");
    if (mode & C.COPYFILE_FICLONE_FORCE) throw new ERR_INVALID_ARG_VALUE("options.mode", "COPYFILE_FICLONE_FORCE is not supported");
    if (filter === undefined) return out;
    if (typeof filter !== "function") throw new ERR_INVALID_ARG_TYPE("options.filter", "function", filter);
    throw new ERR_UNSUPPORTED_OPERATION();
}

function timeOf(time) {
    if (typeof time === "number" || typeof time === "string") return new Date(time).getTime();
    if (typeof time === "bigint") return Number(time);
    if (time instanceof Date) {
        if (Number.isNaN(time.getTime())) throw new TypeError("The value cannot be converted because it is not a valid date.");
        return time.getTime();
    }
    throw new ERR_INVALID_ARG_TYPE("time", ["string", "number", "bigint", "Date"], time);
}

const linkType = (type = null) => validateOneOf(type, "type", ["dir", "file", "junction", null]);
const lengthOf = (length = 0) => {
    validateUint32(length, "len");
    return length;
};

function blobOptions(options = {}) {
    validateObject(options, "options");
    const { type = "" } = options;
    validateString(type, "options.type");
    return { type };
}

module.exports = {
    accessMode, blobOptions, bufferArray, copyMode, copyOptions, dirOptions, encodingOf, fdOf, fileContent, fileMode, flagsOf, lengthOf, linkType, listOptions,
    mkdirOptions, owner, position, readTarget, removeOptions, statOptions, timeOf, validateAbortSignal, writeSource,
};
