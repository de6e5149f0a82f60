/* node:stream: readable-stream (Node's own, as a package), and what it leaves out: the bridges to web streams. */
const stream = require("readable_stream");
const { AbortError, codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_STREAM_PREMATURE_CLOSE }, validateBoolean, validateObject } = require("./errors.js");
const { Buffer } = require("./buffer.js");

const { Readable, Writable, Duplex, finished } = stream;
const HIGH_WATER_MARK = 64 * 1024;
stream.setDefaultHighWaterMark(false, HIGH_WATER_MARK);

const isWeb = (value, cls) => value instanceof cls;

/* --- Node to web --- */

function readableToWeb(readable, options = {}) {
    if (typeof readable?.on !== "function" || typeof readable.read !== "function") throw new ERR_INVALID_ARG_TYPE("streamReadable", "stream.Readable", readable);
    if (stream.isDestroyed?.(readable) || readable.destroyed || readable.readableEnded) {
        const empty = new ReadableStream();
        empty.cancel();
        return empty;
    }
    const objectMode = readable.readableObjectMode, bytes = options.type === "bytes";
    const strategy = options.strategy ?? (objectMode ? new CountQueuingStrategy({ highWaterMark: readable.readableHighWaterMark })
        : bytes ? undefined : { highWaterMark: readable.readableHighWaterMark, size: (chunk) => chunk?.byteLength ?? chunk?.length ?? 1 });
    let controller, wasCanceled = false;
    readable.pause();
    const cleanup = finished(readable, (error) => {
        let reason = error;
        if (reason?.code === "ERR_STREAM_PREMATURE_CLOSE") reason = new AbortError(undefined, { cause: error });
        cleanup();
        readable.on("error", () => {});
        if (reason) return controller.error(reason);
        if (wasCanceled) return undefined;
        controller.close();
        if (bytes) controller.byobRequest?.respond(0);
        return undefined;
    });
    readable.on("data", (chunk) => {
        let piece = chunk;
        if (Buffer.isBuffer(piece) && !objectMode) piece = new Uint8Array(piece);
        controller.enqueue(piece);
        if (controller.desiredSize <= 0) readable.pause();
    });
    return new ReadableStream({
        ...(bytes ? { type: "bytes" } : {}),
        start(c) { controller = c; },
        pull() { readable.resume(); },
        cancel(reason) {
            wasCanceled = true;
            stream.destroy(readable, reason);
        },
    }, strategy);
}

function writableToWeb(writable) {
    if (typeof writable?.write !== "function" || typeof writable.on !== "function") throw new ERR_INVALID_ARG_TYPE("streamWritable", "stream.Writable", writable);
    if (writable.destroyed || writable.writableEnded) {
        const closed = new WritableStream();
        closed.close();
        return closed;
    }
    let controller, drain = null, closed = null;
    const cleanup = finished(writable, (error) => {
        let reason = error;
        if (reason?.code === "ERR_STREAM_PREMATURE_CLOSE") reason = new AbortError(undefined, { cause: error });
        cleanup();
        writable.on("error", () => {});
        if (reason) {
            drain?.reject(reason);
            if (closed !== null) closed.reject(reason);
            controller.error(reason);
        } else if (closed !== null) closed.resolve();
        else controller.error(new AbortError());
        drain = closed = null;
    });
    writable.on("drain", () => {
        drain?.resolve();
        drain = null;
    });
    const strategy = writable.writableObjectMode ? new CountQueuingStrategy({ highWaterMark: writable.writableHighWaterMark })
        : { highWaterMark: writable.writableHighWaterMark, size: (chunk) => chunk?.byteLength ?? chunk?.length ?? 1 };
    return new WritableStream({
        start(c) { controller = c; },
        write(chunk) {
            if (writable.writableNeedDrain || !writable.write(chunk)) {
                drain = Promise.withResolvers();
                return drain.promise;
            }
            return undefined;
        },
        abort(reason) { stream.destroy(writable, reason); },
        close() {
            if (closed === null && !writable.writableEnded) {
                closed = Promise.withResolvers();
                writable.end();
            }
            return closed?.promise;
        },
    }, strategy);
}

function duplexToWeb(duplex) {
    if (typeof duplex?._writableState !== "object" || typeof duplex._readableState !== "object") throw new ERR_INVALID_ARG_TYPE("duplex", "stream.Duplex", duplex);
    return { readable: readableToWeb(duplex), writable: writableToWeb(duplex) };
}

/* --- web to Node --- */

function optionsOf(options) {
    validateObject(options, "options");
    const { encoding, objectMode = false } = options;
    validateBoolean(objectMode, "options.objectMode");
    if (encoding !== undefined && !Buffer.isEncoding(encoding)) throw new ERR_INVALID_ARG_VALUE(encoding, "options.encoding");
    return options;
}

function readInto(reader, target, state) {
    reader.read().then(({ done, value }) => {
        if (done) target.push(null);
        else target.push(typeof value === "object" && value instanceof Uint8Array && !Buffer.isBuffer(value) && !target.readableObjectMode
            ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value);
    }, (error) => {
        state.closed = true;
        target.destroy(error);
    });
}

function readableFromWeb(readableStream, options = {}) {
    if (!isWeb(readableStream, ReadableStream)) throw new ERR_INVALID_ARG_TYPE("readableStream", "ReadableStream", readableStream);
    const { highWaterMark, encoding, objectMode = false, signal } = optionsOf(options);
    const reader = readableStream.getReader(), state = { closed: false };
    const readable = new Readable({
        objectMode, highWaterMark, encoding, signal,
        read() { readInto(reader, readable, state); },
        destroy(error, callback) {
            const done = () => queueMicrotask(() => callback(error));
            if (state.closed) return done();
            return reader.cancel(error ?? undefined).then(done, done);
        },
    });
    reader.closed.then(() => { state.closed = true; }, (error) => {
        state.closed = true;
        stream.destroy(readable, error);
    });
    return readable;
}

function writableFromWeb(writableStream, options = {}) {
    if (!isWeb(writableStream, WritableStream)) throw new ERR_INVALID_ARG_TYPE("writableStream", "WritableStream", writableStream);
    const { highWaterMark, decodeStrings = true, objectMode = false, signal } = optionsOf(options);
    const writer = writableStream.getWriter();
    let closed = false;
    const call = (start, callback) => writer.ready.then(start).then(() => callback(), (error) => callback(error ?? new AbortError()));
    const writable = new Writable({
        highWaterMark, objectMode, decodeStrings, signal,
        write(chunk, encoding, callback) {
            const piece = typeof chunk === "string" && decodeStrings && !objectMode ? new TextEncoder().encode(chunk) : chunk;
            call(() => writer.write(piece), callback);
        },
        writev(chunks, callback) {
            call(() => Promise.all(chunks.map(({ chunk }) => writer.write(chunk))), callback);
        },
        final(callback) {
            call(() => (closed ? undefined : writer.close()), callback);
        },
        destroy(error, callback) {
            const done = () => queueMicrotask(() => callback(error));
            if (closed) return done();
            return (error === null || error === undefined ? writer.close() : writer.abort(error)).then(done, done);
        },
    });
    writer.closed.then(() => {
        closed = true;
        if (!writable.writableEnded) stream.destroy(writable, new ERR_STREAM_PREMATURE_CLOSE());
    }, (error) => {
        closed = true;
        stream.destroy(writable, error);
    });
    return writable;
}

function duplexFromWeb(pair, options = {}) {
    validateObject(pair, "pair");
    const { readable, writable } = pair;
    if (!isWeb(readable, ReadableStream)) throw new ERR_INVALID_ARG_TYPE("pair.readable", "ReadableStream", readable);
    if (!isWeb(writable, WritableStream)) throw new ERR_INVALID_ARG_TYPE("pair.writable", "WritableStream", writable);
    const reader = readable.getReader(), writer = writable.getWriter(), state = { closed: false };
    let writerClosed = false;
    const duplex = new Duplex({
        allowHalfOpen: true, ...optionsOf(options),
        read() { readInto(reader, duplex, state); },
        write(chunk, encoding, callback) {
            const piece = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
            writer.ready.then(() => writer.write(piece)).then(() => callback(), callback);
        },
        final(callback) {
            (writerClosed ? Promise.resolve() : writer.close()).then(() => callback(), callback);
        },
        destroy(error, callback) {
            const jobs = [state.closed ? null : reader.cancel(error ?? undefined), writerClosed ? null : writer.abort(error ?? undefined)];
            Promise.allSettled(jobs).then(() => callback(error));
        },
    });
    const mark = (error) => { if (error) stream.destroy(duplex, error); };
    reader.closed.then(() => { state.closed = true; }, (e) => { state.closed = true; mark(e); });
    writer.closed.then(() => { writerClosed = true; }, (e) => { writerClosed = true; mark(e); });
    return duplex;
}

Object.assign(Readable, { fromWeb: readableFromWeb, toWeb: readableToWeb });
Object.assign(Writable, { fromWeb: writableFromWeb, toWeb: writableToWeb });
const duplexFrom = Duplex.from;
Object.assign(Duplex, { fromWeb: duplexFromWeb, toWeb: duplexToWeb, from(body) {
    if (body instanceof ReadableStream) return readableFromWeb(body);
    if (body instanceof WritableStream) return writableFromWeb(body);
    if (body?.readable instanceof ReadableStream && body.writable instanceof WritableStream) return duplexFromWeb(body);
    return duplexFrom(body);
} });

/* finished() and pipeline() know web streams too. */
const eos = stream.finished, pipe = stream.pipeline;
const toNode = (part) => (part instanceof ReadableStream ? readableFromWeb(part) : part instanceof WritableStream ? writableFromWeb(part)
    : part?.readable instanceof ReadableStream && part.writable instanceof WritableStream ? duplexFromWeb(part) : part);
stream.finished = Object.assign(function finished(target, ...args) { return eos(toNode(target), ...args); }, eos);
stream.pipeline = function pipeline(...parts) { return pipe(...parts.map((p) => (Array.isArray(p) ? p.map(toNode) : toNode(p)))); };
const promises = { ...stream.promises };
promises.pipeline = function pipeline(...parts) { return stream.promisesOfPackage.pipeline(...parts.map(toNode)); };
promises.finished = function finished(target, options) { return stream.promisesOfPackage.finished(toNode(target), options); };
Object.defineProperty(stream, "promisesOfPackage", { value: stream.promises, enumerable: false });
Object.defineProperty(stream, "promises", { value: promises, enumerable: true, configurable: true });
const custom = Symbol.for("nodejs.util.promisify.custom");
for (const name of ["finished", "pipeline"]) Object.defineProperty(stream[name], custom, { value: promises[name], enumerable: true });

/* Two ends: what is written to one is read from the other. */
class Side extends Duplex {
    constructor(options) {
        super(options);
        this.other = null;
        this.waiting = null;
    }

    _read() {
        const callback = this.waiting;
        this.waiting = null;
        callback?.();
    }

    _write(chunk, encoding, callback) {
        if (chunk.length === 0) return void queueMicrotask(callback);
        this.other.push(chunk);
        this.other.waiting = callback;
        return undefined;
    }

    _final(callback) {
        this.other.on("end", callback);
        this.other.push(null);
    }
}
for (const key of ["other", "waiting"]) Object.defineProperty(Side.prototype, key, { writable: true, value: null });
stream.duplexPair = function duplexPair(options) {
    const a = new Side(options), b = new Side(options);
    a.other = b;
    b.other = a;
    return [a, b];
};

stream.isReadable ??= (s) => s?.readable ?? null;
stream.isWritable = (s) => (s && typeof s.writable === "boolean" ? s.writable && !s.destroyed && !s.writableEnded : null);
stream._isArrayBufferView = ArrayBuffer.isView;
stream._isUint8Array = (v) => v instanceof Uint8Array;
stream._uint8ArrayToBuffer = (v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength);

module.exports = stream;
