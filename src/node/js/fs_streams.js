/*
 * fs.ReadStream and fs.WriteStream: functions to be called with or without new, over five operations that the option `fs`
 * may replace. Closing waits for the operation under way.
 */
const {
    codes: { ERR_INVALID_ARG_VALUE, ERR_INVALID_THIS, ERR_METHOD_NOT_IMPLEMENTED, ERR_OUT_OF_RANGE, ERR_STREAM_DESTROYED, ERR_SYSTEM_ERROR },
    validateAbortSignal, validateBoolean, validateFunction, validateObject, validateString, validateUint32,
} = require("./errors.js");
const { Buffer } = require("./buffer.js");
const { Readable, Writable, finished } = require("./stream.js");
const check = require("./fs_check.js");
const { toPath } = require("./fs_tree.js");

const kFs = Symbol("fs"), kBusy = Symbol("busy"), kIdle = Symbol("idle"), RETRIES_MAX = 5;
const OPERATIONS = ["open", "close", "fsync", "read", "write", "writev"];
const usual = Object.fromEntries(OPERATIONS.map((name) => [name, (...args) => void Promise.resolve().then(() => require("./fs.js")[name](...args))]));

/* The operations of a FileHandle, as callbacks. */
function ofHandle(handle) {
    const settle = (promise, cb, pick) => void promise.then((result) => cb(null, ...pick(result)), cb);
    const none = () => [];
    return {
        open: () => { throw new ERR_METHOD_NOT_IMPLEMENTED("open()"); },
        close: (fd, cb) => settle(handle.close(), cb, none),
        fsync: (fd, cb) => settle(handle.sync(), cb, none),
        read: (fd, ...rest) => settle(handle.read(...rest.slice(0, -1)), rest.at(-1), (r) => [r.bytesRead, r.buffer]),
        write: (fd, ...rest) => settle(handle.write(...rest.slice(0, -1)), rest.at(-1), (r) => [r.bytesWritten, r.buffer]),
        writev: (fd, ...rest) => settle(handle.writev(...rest.slice(0, -1)), rest.at(-1), (r) => [r.bytesWritten, r.buffers]),
    };
}

function operationsOf(fs) {
    validateObject(fs, "options.fs");
    const out = {};
    for (const name of OPERATIONS) {
        out[name] = fs[name] === undefined ? usual[name] : fs === usual ? usual[name] : (...args) => fs[name](...args);
        validateFunction(fs[name] ?? out[name], `options.fs.${name}`);
    }
    return out;
}

const isHandle = (value) => value instanceof require("./fs_promises.js").FileHandle;

/* Checks what both kinds take and sets their common fields; gives the options of the stream below. */
function prepare(stream, path, options, flag) {
    const o = options === null ? {} : typeof options === "string" ? { encoding: options } : options;
    validateObject(o, "options");
    const { encoding = null, autoClose = true, emitClose = true, start = 0, highWaterMark = 64 * 1024, signal = null, flags = flag, fd = null, mode = 0o666, fs = usual } = o;
    if (encoding !== "buffer" && encoding !== null && !Buffer.isEncoding(encoding)) throw new ERR_INVALID_ARG_VALUE("options.encoding", encoding);
    validateBoolean(autoClose, "options.autoClose");
    validateBoolean(emitClose, "options.emitClose");
    validateUint32(start, "options.start");
    validateUint32(highWaterMark, "options.highWaterMark");
    if (signal !== null) validateAbortSignal(signal, "options.signal");
    validateString(flags, "options.flags");
    check.fileMode(mode, "options.mode", 0o666);
    stream[kFs] = operationsOf(fs);
    stream[kBusy] = false;
    if (fd === null) {
        stream.fd = null;
        stream.path = toPath(path);
        stream.flags = flags;
        stream.mode = mode;
    } else if (typeof fd === "object" && isHandle(fd)) {
        if (fs !== usual) throw new ERR_METHOD_NOT_IMPLEMENTED("FileHandle with fs");
        stream[kFs] = ofHandle(fd);
        fd.on("close", () => stream.close());
        stream.fd = fd.fd ?? null;
    } else stream.fd = check.fdOf(fd);
    stream.start = start;
    stream.pos = start;
    return { o, below: { highWaterMark, emitClose, autoDestroy: autoClose, signal: signal ?? undefined, construct, destroy } };
}

/* Programs replace open(): the stream is ready when that emits "open". */
function constructByOpen(stream, callback) {
    const { emit } = stream;
    stream.emit = function (name, ...args) {
        if (name !== "open" && name !== "error") return Reflect.apply(emit, this, [name, ...args]);
        this.emit = emit;
        callback(name === "open" ? null : args[0]);
        if (name === "open") Reflect.apply(emit, this, [name, ...args]);
        return true;
    };
    stream.open();
}

function construct(callback) {
    if (typeof this.fd === "number") return void callback(null);
    if (typeof this.open === "function") return void constructByOpen(this, callback);
    return void this[kFs].open(this.path, this.flags, this.mode, (error, fd) => {
        if (error) return void callback(error);
        this.fd = fd;
        callback(null);
        this.emit("open", fd);
        this.emit("ready");
        return undefined;
    });
}

function closeFile(stream, error, callback) {
    const { fd } = stream;
    stream.fd = null;
    stream[kFs].close(fd, (failure) => callback(failure || error));
}

function finish(stream, error, callback) {
    if (stream.fd === null || stream.fd === undefined) return void callback(error);
    if (!stream.flush) return void closeFile(stream, error, callback);
    return void stream[kFs].fsync(stream.fd, (failure) => closeFile(stream, error || failure, callback));
}

function destroy(error, callback) {
    if (!this[kBusy]) return void finish(this, error, callback);
    return void this.once(kIdle, (failure) => finish(this, error || failure, callback));
}

/* --- reading --- */

/* With autoClose: false the stream stays as it is. */
function failStream(stream, error) {
    if (stream.autoClose) return void stream.destroy(error);
    stream._readableState.errored ??= error;
    stream._readableState.errorEmitted = true;
    return void queueMicrotask(() => stream.emit("error", error));
}

function read(size) {
    const left = this.end - (this.pos === undefined ? this.bytesRead : this.pos) + 1;
    const n = Math.min(left, size);
    if (n <= 0 || this.fd === null) return void this.push(null);
    const buffer = Buffer.alloc(n);
    this[kBusy] = true;
    return void this[kFs].read(this.fd, buffer, 0, n, this.pos, (error, count, bytes) => {
        this[kBusy] = false;
        if (this.destroyed) return void this.emit(kIdle, error);
        if (error) return void failStream(this, error);
        if (!(count > 0)) return void this.push(null);
        if (this.pos !== undefined) this.pos += count;
        this.bytesRead += count;
        return void this.push(count === bytes.length ? bytes : Buffer.from(bytes.subarray(0, count)));
    });
}

function ReadStream(path, options = {}) {
    if (!(this instanceof ReadStream)) return new ReadStream(path, options);
    const { o, below } = prepare(this, path, options, "r");
    const { end = Infinity } = o;
    if (end !== Infinity) {
        validateUint32(end, "options.end");
        if (this.start > end) throw new ERR_OUT_OF_RANGE("start", `<= "end" (here: ${end})`, this.start);
    }
    this.end = end;
    this.bytesRead = 0;
    Reflect.apply(Readable, this, [{ ...below, encoding: o.encoding, read }]);
    return undefined;
}
Object.setPrototypeOf(ReadStream.prototype, Readable.prototype);
Object.setPrototypeOf(ReadStream, Readable);
ReadStream.prototype.close = function close(callback = undefined) {
    if (typeof callback === "function") finished(this, callback);
    this.destroy();
};

/* --- writing --- */

/* Calls `operation` until all is written; an operation that takes nothing five times has failed. */
function writeOut(stream, operation, bytes, position, callback, tries = 0) {
    operation(bytes, position, (error, count) => {
        const again = error?.code === "EAGAIN", n = again ? 0 : count ?? 0;
        if (stream.destroyed || (error && !again)) return void callback(error || new ERR_STREAM_DESTROYED("write"));
        stream.bytesWritten += n;
        const next = n > 0 ? 0 : tries + 1, rest = bytes.subarray(n);
        if (next > RETRIES_MAX) return void callback(new ERR_SYSTEM_ERROR("write failed"));
        if (rest.length === 0) return void callback(null);
        return void writeOut(stream, operation, rest, position === undefined ? undefined : position + n, callback, next);
    });
}

function begin(stream, size, callback) {
    stream[kBusy] = true;
    if (stream.pos !== undefined) stream.pos += size;
    return (error) => {
        stream[kBusy] = false;
        callback(error);
        if (stream.destroyed) stream.emit(kIdle, error);
    };
}

function write(data, encoding, callback) {
    const bytes = typeof data === "string" ? Buffer.from(data, encoding) : Buffer.from(data.buffer, data.byteOffset, data.byteLength), { pos } = this;
    const done = begin(this, bytes.length, callback);
    writeOut(this, (piece, at, cb) => this[kFs].write(this.fd, piece, 0, piece.length, at, cb), bytes, pos, done);
}

function writev(list, callback) {
    const chunks = list.map(({ chunk }) => chunk), { pos } = this;
    const size = chunks.reduce((n, chunk) => n + chunk.length, 0), done = begin(this, size, callback);
    let first = true;
    writeOut(this, (piece, at, cb) => {
        this[kFs].writev(this.fd, first ? chunks : [piece], at, cb);
        first = false;
    }, Buffer.concat(chunks), pos, done);
}

function WriteStream(path, options = {}) {
    if (!(this instanceof WriteStream)) return new WriteStream(path, options);
    const { o, below } = prepare(this, path, options, "w");
    validateBoolean(o.flush ?? false, "options.flush");
    this.flush = o.flush ?? false;
    this.bytesWritten = 0;
    const vectors = o.fs === undefined || o.fs.writev !== undefined || o.fs.write === undefined;
    const single = o.fs === undefined || o.fs.write !== undefined || o.fs.writev === undefined;
    Reflect.apply(Writable, this, [{ ...below, decodeStrings: true, ...(single ? { write } : {}), ...(vectors ? { writev } : {}) }]);
    if (o.encoding) this.setDefaultEncoding(o.encoding);
    return undefined;
}
Object.setPrototypeOf(WriteStream.prototype, Writable.prototype);
Object.setPrototypeOf(WriteStream, Writable);
WriteStream.prototype.destroySoon = WriteStream.prototype.end;
WriteStream.prototype.close = function close(callback = undefined) {
    if (callback) {
        if (this.closed) return void queueMicrotask(callback);
        this.on("close", callback);
    }
    if (!this.autoClose) this.on("finish", this.destroy);
    this.end();
    return undefined;
};

for (const [cls, state] of [[ReadStream, "_readableState"], [WriteStream, "_writableState"]]) {
    Object.defineProperty(cls.prototype, "autoClose", {
        get() {
            if (this === undefined || this === null || this[kFs] === undefined) throw new ERR_INVALID_THIS(cls.name);
            return this[state]?.autoDestroy ?? false;
        },
        set(value) { if (this[state] !== undefined) this[state].autoDestroy = value; },
    });
    Object.defineProperty(cls.prototype, "pending", { get() { return this.fd === null; }, configurable: true });
}

module.exports = { ReadStream, WriteStream };
