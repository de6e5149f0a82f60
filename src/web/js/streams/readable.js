/*
 * The state of readable streams and the default controller. The classes that users see (classes.js) hold one
 * of these; the runtime works on the state directly and often never makes the class.
 */
import { Queue, Deferred, bare, deferredResolved, deferredRejected, handled, checkSize, noop } from "./common.js";
import { flags } from "../compat.js";

const ObjectPrototype = Object.prototype;

export const READABLE = 0, CLOSED = 1, ERRORED = 2;

export class ReadableState {
    constructor() {
        this.state = READABLE;
        this.error = undefined;
        this.reader = null;
        this.controller = null;
        this.disturbed = false;
        this.facade = null;
        this.channel = null; // a native source that nothing was read from yet
        this.length = -1; // bytes, when known
        this.bytes = false; // a byte stream of the runtime: chunks are Uint8Array
    }
}

bare(ReadableState);

/* A reader: default or BYOB. A request is {chunk(value), close(value), error(reason)}. */
export class ReaderState {
    constructor(stream, byob) {
        if (stream.reader !== null) throw new TypeError("This ReadableStream is currently locked to a reader.");
        this.stream = stream;
        this.byob = byob;
        this.portions = false; // a reader of the user's: see ByteController
        this.requests = [];
        stream.reader = this;
        if (stream.state === READABLE) this.closed = new Deferred();
        else if (stream.state === CLOSED) this.closed = deferredResolved(undefined);
        else this.closed = deferredRejected(stream.error);
        handled(this.closed.promise);
    }
}

bare(ReaderState);

export function readerRelease(reader) {
    const stream = reader.stream;
    if (stream === null) return;
    const error = new TypeError("This ReadableStream reader has been released.");
    if (stream.state === READABLE) reader.closed.reject(error);
    else reader.closed = deferredRejected(error);
    handled(reader.closed.promise);
    stream.controller.releaseSteps();
    stream.reader = null;
    reader.stream = null;
    const requests = reader.requests;
    reader.requests = [];
    for (const request of requests) request.error(error);
}

export function readerRead(reader, request) {
    const stream = reader.stream;
    stream.disturbed = true;
    if (stream.state === CLOSED) request.close();
    else if (stream.state === ERRORED) request.error(stream.error);
    else stream.controller.pullSteps(request);
}

/* Settles a read. What somebody puts on Object.prototype as `then` must not run in the middle of our work. */
export function answerRead(resolve, value, done) {
    if ("then" in ObjectPrototype) resolve(Promise.resolve().then(() => ({ value, done })));
    else resolve({ value, done });
}

/* One chunk as a promise of {value, done}. */
export function readerNext(reader) {
    const stream = reader.stream;
    const controller = stream.controller;
    // Nothing to wait for: no request object.
    if (stream.state === READABLE && controller.queue.length > 0 && !("then" in ObjectPrototype)) {
        stream.disturbed = true;
        return Promise.resolve({ value: controller.takeChunk(), done: false });
    }
    return new Promise((resolve, reject) => {
        readerRead(reader, {
            chunk: (value) => answerRead(resolve, value, false),
            close: () => answerRead(resolve, undefined, true),
            error: reject,
        });
    });
}

export function streamClose(stream) {
    stream.state = CLOSED;
    const reader = stream.reader;
    if (reader === null) return;
    reader.closed.resolve(undefined);
    if (!reader.byob) {
        const requests = reader.requests;
        reader.requests = [];
        for (const request of requests) request.close();
    }
}

export function streamError(stream, error) {
    stream.state = ERRORED;
    stream.error = error;
    const reader = stream.reader;
    if (reader === null) return;
    reader.closed.reject(error);
    handled(reader.closed.promise);
    const requests = reader.requests;
    reader.requests = [];
    for (const request of requests) request.error(error);
}

export function streamCancel(stream, reason) {
    stream.disturbed = true;
    if (stream.state === CLOSED) return Promise.resolve(undefined);
    if (stream.state === ERRORED) return Promise.reject(stream.error);
    streamClose(stream);
    const reader = stream.reader;
    if (reader !== null && reader.byob) {
        const requests = reader.requests;
        reader.requests = [];
        for (const request of requests) request.close(undefined);
    }
    return stream.controller.cancelSteps(reason).then(noop);
}

export function makeReader(state, byob) {
    return new ReaderState(state, byob);
}

export class DefaultController {
    constructor(stream, source, highWaterMark, size) {
        this.stream = stream;
        this.queue = new Queue();
        this.started = this.closeRequested = this.pulling = this.pullAgain = false;
        this.highWaterMark = highWaterMark;
        this.sizeOf = size;
        this.source = source; // {pull(), cancel(reason)}: either may be null
        this.facade = null;
        stream.controller = this;
    }

    /* start: a promise, or anything else for "has started". */
    begin(start) {
        Promise.resolve(start).then(() => {
            this.started = true;
            this.pull();
        }, (error) => this.error(error));
    }

    beginNow() {
        this.started = true;
        this.pull();
    }

    get desiredSize() {
        const state = this.stream.state;
        if (state === ERRORED) return null;
        return state === CLOSED ? 0 : this.highWaterMark - this.queue.size;
    }

    canEnqueue() {
        return !this.closeRequested && this.stream.state === READABLE;
    }

    close() {
        if (!this.canEnqueue()) return;
        this.closeRequested = true;
        if (this.queue.length === 0) {
            this.source = null;
            streamClose(this.stream);
        }
    }

    enqueue(chunk) {
        if (!this.canEnqueue()) return;
        // Upstream asks for the size of a chunk that somebody waits for, too.
        const size = this.waiting() && flags.pedantic_wpt ? 0 : this.measure(chunk);
        if (!this.canEnqueue()) return;
        if (this.waiting()) this.stream.reader.requests.shift().chunk(chunk);
        else this.queue.push(chunk, size);
        this.pull();
    }

    waiting() {
        const { reader } = this.stream;
        return reader !== null && reader.requests.length > 0;
    }

    measure(chunk) {
        if (this.sizeOf === null) return 1;
        try {
            return checkSize(this.sizeOf(chunk));
        } catch (error) {
            this.error(error);
            throw error;
        }
    }

    error(reason) {
        if (this.stream.state !== READABLE) return;
        this.queue.clear();
        this.source = null;
        streamError(this.stream, reason);
    }

    shouldPull() {
        if (!this.started || !this.canEnqueue() || this.source === null || this.source.pull === null) return false;
        return this.waiting() || this.highWaterMark - this.queue.size > 0;
    }

    pull() {
        if (!this.shouldPull()) return;
        if (this.pulling) {
            this.pullAgain = true;
            return;
        }
        this.pulling = true;
        this.source.pull().then(() => {
            this.pulling = false;
            if (this.pullAgain) {
                this.pullAgain = false;
                this.pull();
            }
        }, (error) => this.error(error));
    }

    /* The first chunk of a queue that is not empty. */
    takeChunk() {
        const chunk = this.queue.shift();
        if (this.closeRequested && this.queue.length === 0) {
            this.source = null;
            streamClose(this.stream);
        } else {
            this.pull();
        }
        return chunk;
    }

    pullSteps(request) {
        if (this.queue.length > 0) {
            request.chunk(this.takeChunk());
        } else {
            this.stream.reader.requests.push(request);
            this.pull();
        }
    }

    cancelSteps(reason) {
        this.queue.clear();
        const source = this.source;
        this.source = null;
        return source === null || source.cancel === null ? Promise.resolve() : source.cancel(reason);
    }

    releaseSteps() {}
}

bare(DefaultController);

/* A stream made by the runtime. pull() returns a promise; cancel(reason) too. */
export function makeDefaultStream(source, highWaterMark = 0) {
    const stream = new ReadableState();
    new DefaultController(stream, source, highWaterMark, null).begin(undefined);
    return stream;
}
