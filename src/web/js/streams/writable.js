/* The state of writable streams, their writers and controller. https://streams.spec.whatwg.org/#ws-class */
import { Queue, Deferred, bare, deferredResolved, deferredRejected, handled, checkSize } from "./common.js";
import { makeSignal, abortSignal } from "../abort.js";
import { flags } from "../compat.js";

export const WRITABLE = 0, CLOSED = 1, ERRORING = 2, ERRORED = 3;
const CLOSE = Symbol("close");

export class WritableState {
    constructor() {
        this.state = WRITABLE;
        this.error = undefined;
        this.writer = null;
        this.controller = null;
        this.requests = []; // Deferred of each queued write
        this.inFlightWrite = null;
        this.closeRequest = null;
        this.inFlightClose = null;
        this.lastAbort = null; // what abort() returned
        this.pendingAbort = null; // {deferred, reason, wasErroring}
        this.backpressure = false;
        this.aborting = false; // the sink's abort() runs
        this.facade = null;
        this.channel = null; // where the bytes go, when the sink is native
        this.serial = false; // a pipe waits for each write: desiredSize says nothing
        this.pair = null; // the transform that it belongs to, if bytes pass that as they are
        this.used = false; // something was written or closed
        this.length = -1;
    }
}

bare(WritableState);

export function closeQueuedOrInFlight(stream) {
    return stream.closeRequest !== null || stream.inFlightClose !== null;
}

export class WritableController {
    constructor(stream, sink, highWaterMark, size) {
        this.stream = stream;
        this.queue = new Queue();
        this.started = false;
        this.highWaterMark = highWaterMark;
        this.sizeOf = size;
        this.sink = sink; // {write(chunk), close(), abort(reason)}: promises; each may be null
        this.signal = null;
        this.aborted = null; // reason box until the signal exists
        this.keep = null; // (chunk) => what is queued instead of it
        this.facade = null;
        stream.controller = this;
        stream.backpressure = highWaterMark <= 0;
    }

    begin(start) {
        Promise.resolve(start).then(() => {
            this.started = true;
            this.advance();
        }, (error) => {
            this.started = true;
            dealWithRejection(this.stream, error);
        });
    }

    beginNow() {
        this.started = true;
    }

    getSignal() {
        if (this.signal === null) {
            this.signal = makeSignal();
            if (this.aborted !== null) abortSignal(this.signal, this.aborted.reason);
        }
        return this.signal;
    }

    signalAbort(reason) {
        this.aborted = { reason };
        if (this.signal !== null) abortSignal(this.signal, reason);
    }

    get desiredSize() {
        return this.highWaterMark - this.queue.size;
    }

    chunkSize(chunk) {
        if (this.sizeOf === null) return 1;
        try {
            return checkSize(this.sizeOf(chunk));
        } catch (error) {
            this.errorIfNeeded(error);
            return 1;
        }
    }

    errorIfNeeded(error) {
        if (this.stream.state === WRITABLE) startErroring(this.stream, error);
    }

    write(chunk, size) {
        const stream = this.stream;
        this.queue.push(this.keep === null ? chunk : this.keep(chunk), size);
        if (!closeQueuedOrInFlight(stream) && stream.state === WRITABLE) updateBackpressure(stream, this.desiredSize <= 0);
        this.advance();
    }

    close() {
        this.queue.push(CLOSE, 0);
        this.advance();
    }

    advance() {
        const stream = this.stream;
        if (!this.started || stream.inFlightWrite !== null) return;
        if (stream.state === ERRORING) {
            finishErroring(stream);
            return;
        }
        if (this.queue.length === 0) return;
        const chunk = this.queue.peek();
        if (chunk === CLOSE) this.runClose();
        else this.runWrite(chunk);
    }

    runClose() {
        const stream = this.stream;
        stream.inFlightClose = stream.closeRequest;
        stream.closeRequest = null;
        this.queue.shift();
        const sink = this.sink;
        this.sink = null;
        (sink === null || sink.close === null ? Promise.resolve() : sink.close()).then(
            () => finishClose(stream),
            (error) => finishCloseWithError(stream, error));
    }

    runWrite(chunk) {
        const stream = this.stream;
        stream.inFlightWrite = stream.requests.shift();
        const sink = this.sink;
        (sink === null || sink.write === null ? Promise.resolve() : sink.write(chunk)).then(() => {
            stream.inFlightWrite.resolve(undefined);
            stream.inFlightWrite = null;
            this.queue.shift();
            if (!closeQueuedOrInFlight(stream) && stream.state === WRITABLE)
                updateBackpressure(stream, this.desiredSize <= 0);
            this.advance();
        }, (error) => {
            if (stream.state === WRITABLE) this.sink = null;
            stream.inFlightWrite.reject(error);
            stream.inFlightWrite = null;
            dealWithRejection(stream, error);
        });
    }

    /* The chunk of the running write is no longer here, although its promise is not settled yet. */
    passed() {
        this.queue.forget();
        const { stream } = this;
        if (!closeQueuedOrInFlight(stream) && stream.state === WRITABLE) updateBackpressure(stream, this.desiredSize <= 0);
    }

    abortSteps(reason) {
        const sink = this.sink;
        this.sink = null;
        return sink === null || sink.abort === null ? Promise.resolve() : sink.abort(reason);
    }
}

bare(WritableController);

function updateBackpressure(stream, backpressure) {
    const writer = stream.writer;
    if (writer !== null && backpressure !== stream.backpressure) {
        if (backpressure) writer.ready = new Deferred();
        else writer.ready.resolve(undefined);
    }
    stream.backpressure = backpressure;
}

function dealWithRejection(stream, error) {
    if (stream.state === WRITABLE) startErroring(stream, error);
    else finishErroring(stream);
}

export function startErroring(stream, reason) {
    const controller = stream.controller;
    stream.state = ERRORING;
    stream.error = reason;
    if (stream.writer !== null) rejectReady(stream.writer, reason);
    if (stream.inFlightWrite === null && stream.inFlightClose === null && controller.started) finishErroring(stream);
}

function finishErroring(stream) {
    if (stream.state !== ERRORING || stream.inFlightWrite !== null || stream.inFlightClose !== null) return;
    stream.state = ERRORED;
    stream.controller.queue.clear();
    for (const request of stream.requests) request.reject(stream.error);
    stream.requests = [];
    const abort = stream.pendingAbort;
    if (abort === null) {
        rejectCloseAndClosed(stream);
        return;
    }
    stream.pendingAbort = null;
    if (abort.wasErroring) {
        abort.deferred.reject(stream.error);
        rejectCloseAndClosed(stream);
        return;
    }
    stream.aborting = true;
    stream.controller.abortSteps(abort.reason).then(() => {
        abort.deferred.resolve(undefined);
        rejectCloseAndClosed(stream);
    }, (error) => {
        abort.deferred.reject(error);
        rejectCloseAndClosed(stream);
    });
}

function rejectCloseAndClosed(stream) {
    stream.aborting = false;
    if (stream.closeRequest !== null) {
        stream.closeRequest.reject(stream.error);
        stream.closeRequest = null;
    }
    if (stream.writer !== null) {
        stream.writer.closed.reject(stream.error);
        handled(stream.writer.closed.promise);
    }
}

function finishClose(stream) {
    stream.inFlightClose.resolve(undefined);
    stream.inFlightClose = null;
    if (stream.state === ERRORING) {
        stream.error = undefined;
        if (stream.pendingAbort !== null) {
            stream.pendingAbort.deferred.resolve(undefined);
            stream.pendingAbort = null;
        }
    }
    stream.state = CLOSED;
    if (stream.writer !== null) stream.writer.closed.resolve(undefined);
}

function finishCloseWithError(stream, error) {
    stream.inFlightClose.reject(error);
    stream.inFlightClose = null;
    if (stream.pendingAbort !== null) {
        stream.pendingAbort.deferred.reject(error);
        stream.pendingAbort = null;
    }
    dealWithRejection(stream, error);
}

export function writableAbort(stream, reason) {
    if (stream.state === ERRORED && stream.lastAbort !== null && !flags.pedantic_wpt) return stream.lastAbort; // as upstream
    if (stream.state === CLOSED || stream.state === ERRORED) return Promise.resolve(undefined);
    stream.controller.signalAbort(reason);
    if (stream.state === CLOSED || stream.state === ERRORED) return Promise.resolve(undefined);
    if (stream.pendingAbort !== null) return stream.pendingAbort.deferred.promise;
    const wasErroring = stream.state === ERRORING;
    const deferred = new Deferred();
    stream.lastAbort = deferred.promise;
    stream.pendingAbort = { deferred, reason: wasErroring ? undefined : reason, wasErroring };
    if (!wasErroring) startErroring(stream, reason);
    return deferred.promise;
}

export function writableClose(stream) {
    if (stream.state === CLOSED || stream.state === ERRORED)
        return Promise.reject(new TypeError(stream.state === CLOSED ? "This WritableStream has been closed." : "This WritableStream has been errored."));
    const deferred = new Deferred();
    stream.used = true;
    stream.closeRequest = deferred;
    const writer = stream.writer;
    if (writer !== null && stream.backpressure && stream.state === WRITABLE) writer.ready.resolve(undefined);
    stream.controller.close();
    return deferred.promise;
}

export class WriterState {
    constructor(stream) {
        if (stream.writer !== null) throw new TypeError("This WritableStream is currently locked to a writer.");
        this.stream = stream;
        stream.writer = this;
        if (stream.state === WRITABLE) {
            this.ready = !closeQueuedOrInFlight(stream) && stream.backpressure ? new Deferred() : deferredResolved(undefined);
            this.closed = new Deferred();
        } else if (stream.state === ERRORING) {
            this.ready = deferredRejected(stream.error);
            this.closed = new Deferred();
        } else if (stream.state === CLOSED) {
            this.ready = deferredResolved(undefined);
            this.closed = deferredResolved(undefined);
        } else {
            this.ready = deferredRejected(stream.error);
            this.closed = deferredRejected(stream.error);
        }
        handled(this.closed.promise);
    }
}

bare(WriterState);

function rejectReady(writer, error) {
    // A settled promise cannot be rejected: it is replaced. Rejecting a settled one does nothing.
    writer.ready.reject(error);
    handled(writer.ready.promise);
    writer.ready = deferredRejected(error);
    handled(writer.ready.promise);
}

export function writerWrite(writer, chunk) {
    const stream = writer.stream;
    stream.used = true;
    const size = stream.controller.chunkSize(chunk);
    if (writer.stream !== stream)
        return Promise.reject(new TypeError("This WritableStream writer has been released."));
    if (stream.state === ERRORED) return Promise.reject(stream.error);
    if (stream.state === CLOSED || closeQueuedOrInFlight(stream))
        return Promise.reject(new TypeError("This WritableStream has been closed."));
    if (stream.state === ERRORING) return Promise.reject(stream.error);
    const deferred = new Deferred();
    stream.requests.push(deferred);
    stream.controller.write(chunk, size);
    return deferred.promise;
}

export function writerClose(writer) {
    const stream = writer.stream;
    if (closeQueuedOrInFlight(stream))
        return Promise.reject(new TypeError("Cannot close a writer that is already being closed"));
    return writableClose(stream);
}

export function writerDesiredSize(writer) {
    const stream = writer.stream;
    if (stream.state === ERRORED || stream.state === ERRORING) return null;
    return stream.state === CLOSED ? 0 : stream.controller.desiredSize;
}

export function writerRelease(writer) {
    const stream = writer.stream;
    if (stream === null) return;
    const error = new TypeError("This WritableStream writer has been released.");
    rejectReady(writer, error);
    if (stream.state === WRITABLE || stream.state === ERRORING || stream.aborting) writer.closed.reject(error);
    else writer.closed = deferredRejected(error);
    handled(writer.closed.promise);
    stream.writer = null;
    writer.stream = null;
}

/* Close as pipeTo() does it. */
export function writerCloseWithErrorPropagation(writer) {
    const stream = writer.stream;
    if (closeQueuedOrInFlight(stream) || stream.state === CLOSED) return Promise.resolve(undefined);
    if (stream.state === ERRORED) return Promise.reject(stream.error);
    return writerClose(writer);
}

/* A stream made by the runtime: the sink's functions return promises. */
export function makeWritable(sink, highWaterMark = 1, size = null) {
    const stream = new WritableState();
    new WritableController(stream, sink, highWaterMark, size).begin(undefined);
    return stream;
}
