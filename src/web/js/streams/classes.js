/* The stream classes that users see: arguments are checked here, the work is done on the states. */
import * as common from "./common.js";
import * as r from "./readable.js";
import * as w from "./writable.js";
import { ByteController } from "./bytes.js";
import { TransformState } from "./transform.js";
import { pipeTo } from "./pipe.js";
import { splice } from "./splice.js";
import { tee } from "./tee.js";
import { isSignal } from "../abort.js";
import { flags } from "../compat.js";
import { ASYNC_DISPOSE } from "../dispose.js";

const NO_PAIR = "pipeThrough() takes an object with a ReadableStream and a WritableStream.";
const MAKE = Symbol("make");
const AUTO_ALLOCATE = 4096;

function illegalConstructor(key) {
    if (key !== MAKE) throw new TypeError("Illegal constructor");
}

const access = {};

/* --- readable --- */

function userMethod(source, name, argument) {
    const fn = common.method(source, name);
    if (fn === null) return null;
    return argument === undefined ? (reason) => common.promiseCall(fn, source, reason)
        : () => common.promiseCall(fn, source, argument());
}

/* Upstream a stream without start() has started when the constructor returns; the standard wants a turn in between. */
function beginStream(controller, start, object, facade) {
    if (start === null && !flags.pedantic_wpt) controller.beginNow();
    else controller.begin(common.callStart(start, object, facade));
}

function fromSource(stream, source, strategy) {
    const type = source?.type === undefined ? undefined : `${source.type}`;
    let controller, facade;
    if (type === "bytes") {
        if (strategy?.size !== undefined && flags.pedantic_wpt) throw new RangeError("A byte stream takes no size function.");
        const mark = common.highWaterMarkOf(strategy, 0);
        const auto = source.autoAllocateChunkSize;
        if (auto !== undefined && !(Number(auto) > 0)) throw new TypeError("The autoAllocateChunkSize option cannot be zero.");
        const ends = { pull: userMethod(source, "pull", () => facade), cancel: userMethod(source, "cancel") };
        controller = new ByteController(stream, ends, mark, auto === undefined ? (flags.pedantic_wpt || flags.streams_no_default_auto_allocate_chunk_size ? 0 : AUTO_ALLOCATE) : Number(auto));
        facade = new ReadableByteStreamController(MAKE, controller);
        if (source.expectedLength !== undefined) stream.length = Number(source.expectedLength);
    } else if (type === undefined) {
        const size = common.sizeOf(strategy), mark = common.highWaterMarkOf(strategy, 1);
        const ends = { pull: userMethod(source, "pull", () => facade), cancel: userMethod(source, "cancel") };
        controller = new r.DefaultController(stream, ends, mark, size);
        facade = new ReadableStreamDefaultController(MAKE, controller);
        if (source?.expectedLength !== undefined) stream.length = Number(source.expectedLength);
    } else {
        throw new TypeError(`"${type}" is not a valid type of ReadableStream.`);
    }
    const start = common.method(source, "start");
    beginStream(controller, start, source, facade);
}

const asyncIteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype);

class StreamIterator {
    #reader;
    #preventCancel;
    #ongoing = null;
    #finished = false;

    constructor(key, reader, preventCancel) {
        illegalConstructor(key);
        this.#reader = reader;
        this.#preventCancel = preventCancel;
    }

    #after(step) {
        this.#ongoing = this.#ongoing === null ? step() : this.#ongoing.then(step, step);
        return this.#ongoing;
    }

    next() {
        return this.#after(async () => {
            if (this.#finished) return { value: undefined, done: true };
            try {
                const result = await r.readerNext(this.#reader);
                if (!result.done) return result;
            } catch (error) {
                this.#finish();
                throw error;
            }
            this.#finish();
            return { value: undefined, done: true };
        });
    }

    #finish() {
        this.#finished = true;
        r.readerRelease(this.#reader);
    }

    return(value) {
        return this.#after(async () => {
            if (!this.#finished) {
                const cancelled = this.#preventCancel ? undefined : r.streamCancel(this.#reader.stream, value);
                this.#finish();
                await cancelled;
            }
            return { value, done: true };
        });
    }
}
Object.setPrototypeOf(StreamIterator.prototype, asyncIteratorPrototype);
delete StreamIterator.prototype.constructor;

export class ReadableStream {
    #state;

    constructor(source = undefined, strategy = undefined) {
        if (source === MAKE) {
            this.#state = strategy;
            strategy.facade = this;
            return;
        }
        if (source === null) throw new TypeError("The underlying source must be an object.");
        const state = new r.ReadableState();
        state.facade = this;
        this.#state = state;
        fromSource(state, source, strategy);
    }

    static from(iterable) {
        const getter = iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator];
        if (typeof getter !== "function") throw new TypeError("ReadableStream.from() takes an iterable.");
        const iterator = getter.call(iterable);
        if ((typeof iterator !== "object" && typeof iterator !== "function") || iterator === null) throw new TypeError("The iterator is not an object.");
        const state = r.makeDefaultStream({
            async pull() {
                const step = await iterator.next();
                if (typeof step !== "object" || step === null) throw new TypeError("The iterator did not return an object.");
                if (step.done) state.controller.close();
                else state.controller.enqueue(await step.value);
            },
            async cancel(reason) {
                if (iterator.return === undefined) return;
                const step = await iterator.return(reason);
                if (typeof step !== "object" || step === null) throw new TypeError("The iterator did not return an object.");
            },
        }, 0);
        return new ReadableStream(MAKE, state);
    }

    get locked() { return this.#state.reader !== null; }

    cancel(reason = undefined) {
        try {
            if (this.#state.reader !== null) throw new TypeError("This ReadableStream is currently locked to a reader.");
            return r.streamCancel(this.#state, reason);
        } catch (error) {
            return Promise.reject(error);
        }
    }

    getReader(options = undefined) {
        const mode = common.dictionary(options, "options of getReader()")?.mode;
        if (mode === undefined) return new ReadableStreamDefaultReader(this);
        if (`${mode}` !== "byob") throw new TypeError("mode must be undefined or 'byob' in call to getReader().");
        return new ReadableStreamBYOBReader(this);
    }

    pipeThrough(transform, options = undefined) {
        const { readable } = transform;
        if (!access.isReadable(readable)) throw new TypeError(NO_PAIR);
        const { writable } = transform;
        if (!access.isWritable(writable)) throw new TypeError(NO_PAIR);
        const checked = pipeOptions(options);
        if (this.locked) throw new TypeError("This ReadableStream is currently locked to a reader.");
        if (writable.locked) throw new TypeError("This WritableStream is currently locked to a writer.");
        common.handled(startPipe(this.#state, writableOf(writable), checked));
        return readable;
    }

    pipeTo(destination, options = undefined) {
        try {
            if (!access.isWritable(destination)) throw new TypeError("pipeTo() takes a WritableStream.");
            const checked = pipeOptions(options);
            if (this.locked) throw new TypeError("This ReadableStream is currently locked to a reader.");
            if (destination.locked) throw new TypeError("This WritableStream is currently locked to a writer");
            return startPipe(this.#state, writableOf(destination), checked);
        } catch (error) {
            return Promise.reject(error);
        }
    }

    tee() {
        if (this.locked) throw new TypeError("This ReadableStream is currently locked to a reader,");
        this.#state.disturbed = true;
        return tee(this.#state).map((state) => new ReadableStream(MAKE, state));
    }

    values(options = undefined) {
        const reader = new r.ReaderState(this.#state, false);
        return new StreamIterator(MAKE, reader, Boolean(options?.preventCancel));
    }

    static {
        access.readable = (stream) => stream.#state;
        access.isReadable = (v) => typeof v === "object" && v !== null && #state in v;
    }
}
Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator, {
    value: ReadableStream.prototype.values, writable: true, configurable: true,
});

function pipeOptions(options) {
    common.dictionary(options, "options of a pipe");
    const preventAbort = Boolean(options?.preventAbort);
    const preventCancel = Boolean(options?.preventCancel);
    const preventClose = Boolean(options?.preventClose);
    const signal = options?.signal;
    if (signal !== undefined && !isSignal(signal)) throw new TypeError("The signal of a pipe must be an AbortSignal.");
    return { signal, preventClose, preventAbort, preventCancel };
}

function startPipe(source, target, options) {
    return splice(source, target, options) ?? pipeTo(source, target, options);
}

export const isReadableStream = (v) => access.isReadable(v);
export const isWritableStream = (v) => access.isWritable(v);
/* The state of a stream of what an iterable gives. */
export const streamFrom = (iterable) => readableOf(ReadableStream.from(iterable));
export function wrapReadable(state) {
    return state.facade ?? new ReadableStream(MAKE, state);
}

export class ReadableStreamDefaultReader {
    #reader;

    constructor(stream) {
        this.#reader = new r.ReaderState(readableOf(stream), false);
        this.#reader.portions = true;
    }

    get closed() { return this.#reader.closed.promise; }

    read() {
        if (this.#reader.stream === null)
            return Promise.reject(new TypeError("This ReadableStream reader has been released."));
        return r.readerNext(this.#reader);
    }

    cancel(reason = undefined) {
        if (this.#reader.stream === null)
            return Promise.reject(new TypeError("This ReadableStream reader has been released."));
        return r.streamCancel(this.#reader.stream, reason);
    }

    releaseLock() { r.readerRelease(this.#reader); }
}

export class ReadableStreamBYOBReader {
    #reader;

    constructor(stream) {
        const state = readableOf(stream);
        if (!(state.controller instanceof ByteController)) throw new TypeError("This ReadableStream does not support BYOB reads.");
        this.#reader = new r.ReaderState(state, true);
    }

    get closed() { return this.#reader.closed.promise; }

    read(view, options = undefined) {
        return this.#read(view, options?.min === undefined ? 1 : Number(options.min));
    }

    readAtLeast(min, view) {
        return this.#read(view, Number(min));
    }

    #read(view, min) {
        const stream = this.#reader.stream;
        if (stream === null) return Promise.reject(new TypeError("This ReadableStream reader has been released."));
        if (!ArrayBuffer.isView(view) || view.byteLength === 0)
            return Promise.reject(new TypeError('You must call read() on a "byob" reader with a positive-sized TypedArray object.'));
        const size = view instanceof DataView ? view.byteLength : view.length;
        if (!(min >= 1)) return Promise.reject(new TypeError(`Requested invalid minimum number of bytes to read (${min}).`));
        if (min > size) {
            const Kind = flags.pedantic_wpt ? RangeError : TypeError;
            return Promise.reject(new Kind(`Minimum bytes to read (${min}) exceeds size of buffer (${size}).`));
        }
        return new Promise((resolve, reject) => {
            const request = {
                chunk: (value) => r.answerRead(resolve, value, false),
                close: (value) => r.answerRead(resolve, value, true),
                error: reject,
            };
            stream.disturbed = true;
            if (stream.state === r.ERRORED) reject(stream.error);
            else stream.controller.pullInto(view, min, request);
        });
    }

    cancel(reason = undefined) {
        if (this.#reader.stream === null)
            return Promise.reject(new TypeError("This ReadableStream reader has been released."));
        return r.streamCancel(this.#reader.stream, reason);
    }

    releaseLock() { r.readerRelease(this.#reader); }
}

export class ReadableStreamDefaultController {
    #c;

    constructor(key = undefined, controller = undefined) {
        illegalConstructor(key);
        this.#c = controller;
    }

    get desiredSize() { return this.#c.desiredSize; }

    close() {
        if (!this.#c.canEnqueue()) throw new TypeError("This ReadableStream is closed.");
        this.#c.close();
    }

    enqueue(chunk = undefined) {
        if (!this.#c.canEnqueue()) throw new TypeError("Unable to enqueue");
        this.#c.enqueue(chunk);
    }

    error(reason = undefined) { this.#c.error(reason); }
}

export class ReadableByteStreamController {
    #c;

    constructor(key = undefined, controller = undefined) {
        illegalConstructor(key);
        this.#c = controller;
    }

    get desiredSize() { return this.#c.desiredSize; }

    get byobRequest() {
        const request = this.#c.byobRequest();
        if (request === null) return null;
        request.facade ??= new ReadableStreamBYOBRequest(MAKE, request);
        return request.facade;
    }

    close() {
        if (!this.#c.canEnqueue()) throw new TypeError("This ReadableStream is closed.");
        this.#c.close();
    }

    enqueue(chunk) {
        if (!ArrayBuffer.isView(chunk)) throw new TypeError("The chunk of a byte stream must be an ArrayBufferView.");
        if (chunk.byteLength === 0) throw new TypeError("Cannot enqueue a zero-length ArrayBuffer.");
        if (!this.#c.canEnqueue()) throw new TypeError("Unable to enqueue");
        this.#c.enqueue(chunk);
    }

    error(reason = undefined) { this.#c.error(reason); }
}

export class ReadableStreamBYOBRequest {
    #r;

    constructor(key = undefined, request = undefined) {
        illegalConstructor(key);
        this.#r = request;
    }

    get view() { return this.#r.view; }
    get atLeast() { return this.#r.atLeast; }

    #controller() {
        if (this.#r.controller === null) throw new TypeError("This ReadableStreamBYOBRequest has been invalidated.");
        return this.#r.controller;
    }

    respond(bytesWritten) {
        if (arguments.length === 0) throw new TypeError("respond() takes the number of bytes written.");
        if (this.#r.view?.buffer.detached) throw new TypeError("The underlying ArrayBuffer has been detached.");
        this.#controller().respond(Number(bytesWritten));
    }

    respondWithNewView(view) {
        if (!ArrayBuffer.isView(view)) throw new TypeError("respondWithNewView() takes an ArrayBufferView.");
        if (!(view.buffer instanceof ArrayBuffer)) throw new TypeError("respondWithNewView() takes no view of a SharedArrayBuffer.");
        if (view.buffer.detached) throw new TypeError("The underlying ArrayBuffer has been detached.");
        this.#controller().respondWithNewView(view);
    }
}

/* --- writable --- */

export class WritableStream {
    #state;

    constructor(sink = undefined, strategy = undefined) {
        if (sink === MAKE) {
            this.#state = strategy;
            strategy.facade = this;
            return;
        }
        if (sink === null) throw new TypeError("The underlying sink must be an object.");
        if (sink?.type !== undefined) throw new RangeError("Invalid underlying sink type. Only undefined is valid.");
        const state = new w.WritableState();
        state.facade = this;
        this.#state = state;
        const size = common.sizeOf(strategy), mark = common.highWaterMarkOf(strategy, 1);
        const write = common.method(sink, "write"), close = common.method(sink, "close"), abort = common.method(sink, "abort");
        let facade;
        const controller = new w.WritableController(state, {
            write: write === null ? null : (chunk) => common.promiseCall(write, sink, chunk, facade),
            close: close === null ? null : () => common.promiseCall(close, sink),
            abort: abort === null ? null : (reason) => common.promiseCall(abort, sink, reason),
        }, mark, size);
        facade = new WritableStreamDefaultController(MAKE, controller);
        const start = common.method(sink, "start");
        beginStream(controller, start, sink, facade);
    }

    get locked() { return this.#state.writer !== null; }

    abort(reason = undefined) {
        if (this.locked) return Promise.reject(new TypeError("This WritableStream is currently locked to a writer."));
        return w.writableAbort(this.#state, reason);
    }

    close() {
        if (this.locked) return Promise.reject(new TypeError("This WritableStream is currently locked to a writer."));
        if (w.closeQueuedOrInFlight(this.#state))
            return Promise.reject(new TypeError("Cannot close a writer that is already being closed"));
        return w.writableClose(this.#state);
    }

    getWriter() { return new WritableStreamDefaultWriter(this); }

    static {
        access.writable = (stream) => stream.#state;
        access.isWritable = (v) => typeof v === "object" && v !== null && #state in v;
    }
}

export function wrapWritable(state) {
    return state.facade ?? new WritableStream(MAKE, state);
}

export class WritableStreamDefaultWriter {
    #writer;

    constructor(stream) {
        this.#writer = new w.WriterState(writableOf(stream));
    }

    get closed() { return this.#writer.closed.promise; }
    get ready() { return this.#writer.ready.promise; }

    get desiredSize() {
        if (this.#writer.stream === null) throw new TypeError("This WritableStream writer has been released.");
        return w.writerDesiredSize(this.#writer);
    }

    #call(fn, argument) {
        if (this.#writer.stream === null)
            return Promise.reject(new TypeError("This WritableStream writer has been released."));
        return fn(this.#writer, argument);
    }

    write(chunk = undefined) { return this.#call(w.writerWrite, chunk); }
    close() { return this.#call(w.writerClose); }
    abort(reason = undefined) { return this.#call((writer) => w.writableAbort(writer.stream, reason)); }
    releaseLock() { w.writerRelease(this.#writer); }
}

export class WritableStreamDefaultController {
    #c;

    constructor(key = undefined, controller = undefined) {
        illegalConstructor(key);
        this.#c = controller;
    }

    get signal() { return this.#c.getSignal(); }
    error(reason = undefined) { this.#c.errorIfNeeded(reason); }
}

/* --- transforms --- */

export class TransformStream {
    #state;

    constructor(transformer = undefined, writableStrategy = undefined, readableStrategy = undefined) {
        if (transformer === MAKE) {
            this.#state = writableStrategy;
            return;
        }
        if (transformer === null) throw new TypeError("The transformer must be an object.");
        if (transformer?.readableType !== undefined) throw new TypeError("transformer.readableType must be undefined.");
        if (transformer?.writableType !== undefined) throw new TypeError("transformer.writableType must be undefined.");
        const sizes = {
            readableHighWaterMark: common.highWaterMarkOf(readableStrategy, 0),
            readableSize: common.sizeOf(readableStrategy),
            writableHighWaterMark: common.highWaterMarkOf(writableStrategy, 1),
            writableSize: common.sizeOf(writableStrategy),
            bytes: false,
        };
        const transform = common.method(transformer, "transform"), flush = common.method(transformer, "flush");
        const cancel = common.method(transformer, "cancel"), start = common.method(transformer, "start");
        const begun = new common.Deferred();
        let facade;
        const state = new TransformState({
            transform: transform === null ? null : (chunk) => common.promiseCall(transform, transformer, chunk, facade),
            flush: flush === null ? null : () => common.promiseCall(flush, transformer, facade),
            cancel: cancel === null ? null : (reason) => common.promiseCall(cancel, transformer, reason),
        }, begun.promise, sizes);
        this.#state = state;
        facade = new TransformStreamDefaultController(MAKE, state);
        if (transformer?.expectedLength !== undefined) state.readable.length = Number(transformer.expectedLength);
        begun.resolve(common.callStart(start, transformer, facade));
    }

    get readable() { return wrapReadable(this.#state.readable); }
    get writable() { return wrapWritable(this.#state.writable); }
}
export const TRANSFORM = MAKE;
/* The states behind the objects. */
export const readableOf = access.readable, writableOf = access.writable;

export class TransformStreamDefaultController {
    #t;

    constructor(key = undefined, state = undefined) {
        illegalConstructor(key);
        this.#t = state;
    }

    get desiredSize() { return this.#t.readable.controller.desiredSize; }
    enqueue(chunk = undefined) { this.#t.enqueue(chunk); }
    error(reason = undefined) { this.#t.error(reason); }
    terminate() { this.#t.terminate(); }
}

if (ASYNC_DISPOSE !== undefined) {
    Object.defineProperty(ReadableStream.prototype, ASYNC_DISPOSE, {
        value() { return this.cancel(); }, writable: true, configurable: true,
    });
}
