/* pipeTo() and tee(). https://streams.spec.whatwg.org/#readable-stream-pipe-to */
import { Deferred, handled } from "./common.js";
import {
    ReadableState, ReaderState, DefaultController, READABLE, CLOSED, ERRORED, readerRead, readerRelease, streamCancel,
} from "./readable.js";
import { ByteController } from "./bytes.js";
import * as w from "./writable.js";
import { onAborted } from "../abort.js";
import { flags } from "../compat.js";

class Pipe {
    constructor(source, target, options) {
        this.source = source;
        this.target = target;
        this.options = options;
        this.reader = new ReaderState(source, false);
        this.writer = new w.WriterState(target);
        source.disturbed = true;
        this.shuttingDown = false;
        this.lastWrite = Promise.resolve();
        this.done = new Deferred();
        this.off = null;
    }

    run() {
        const { signal } = this.options;
        if (signal !== undefined) {
            if (signal.aborted) {
                this.abort(signal.reason);
                return this.done.promise;
            }
            this.off = onAborted(signal, (reason) => this.abort(reason));
        }
        this.watch();
        this.pump();
        return this.done.promise;
    }

    abort(reason) {
        const { options, source, target } = this;
        this.shutdown(() => {
            const actions = [];
            if (!options.preventAbort)
                actions.push(target.state === w.WRITABLE ? w.writableAbort(target, reason) : Promise.resolve());
            if (!options.preventCancel)
                actions.push(source.state === READABLE ? streamCancel(source, reason) : Promise.resolve());
            return Promise.all(actions);
        }, { reason });
    }

    /* Errors and closes travel at once, not only when the pump meets them. */
    watch() {
        const { source, target, options } = this;
        const sourceErrored = () => {
            if (options.preventAbort) this.shutdown(null, { reason: source.error });
            else this.shutdown(() => w.writableAbort(target, source.error), { reason: source.error });
        };
        const targetErrored = () => {
            if (options.preventCancel) this.shutdown(null, { reason: target.error });
            else this.shutdown(() => streamCancel(source, target.error), { reason: target.error });
        };
        const sourceClosed = () => {
            if (options.preventClose) this.shutdown(null, null);
            else this.shutdown(() => w.writerCloseWithErrorPropagation(this.writer), null);
        };
        if (source.state === ERRORED) sourceErrored();
        else this.reader.closed.promise.then(undefined, sourceErrored);
        if (target.state === w.ERRORED) targetErrored();
        else this.writer.closed.promise.then(undefined, targetErrored);
        if (source.state === CLOSED) sourceClosed();
        else this.reader.closed.promise.then(sourceClosed, () => {});
        if (w.closeQueuedOrInFlight(target) || target.state === w.CLOSED) {
            const reason = new TypeError("This destination writable stream is closed.");
            if (options.preventCancel) this.shutdown(null, { reason });
            else this.shutdown(() => streamCancel(source, reason), { reason });
        }
    }

    pump() {
        const request = {
            // A microtask later: who enqueues does not run the sink, and a long queue does not recurse.
            chunk: (chunk) => {
                this.lastWrite = handled(Promise.resolve().then(() => {
                    const written = handled(w.writerWrite(this.writer, chunk));
                    if (this.target.serial) written.then(() => this.next(request), () => {});
                    else this.next(request);
                    return written;
                }));
            },
            close: () => {},
            error: () => {},
        };
        this.next(request);
    }

    next(request) {
        if (this.shuttingDown) return;
        const size = w.writerDesiredSize(this.writer);
        if (size === null) return;
        if (size > 0) {
            if (this.reader.stream !== null) readerRead(this.reader, request);
        } else {
            this.writer.ready.promise.then(() => this.next(request), () => {});
        }
    }

    shutdown(action, error) {
        if (this.shuttingDown) return;
        this.shuttingDown = true;
        const target = this.target;
        if (target.state === w.WRITABLE && !w.closeQueuedOrInFlight(target)) this.drain(() => this.act(action, error));
        else this.act(action, error);
    }

    /* Everything read was written. */
    drain(then) {
        const last = this.lastWrite;
        const again = () => (last === this.lastWrite ? then() : this.drain(then));
        last.then(again, again);
    }

    act(action, error) {
        if (action === null) {
            this.finish(error);
            return;
        }
        let promise;
        try {
            promise = action();
        } catch (e) {
            promise = Promise.reject(e);
        }
        promise.then(() => this.finish(error), (reason) => this.finish({ reason }));
    }

    finish(error) {
        w.writerRelease(this.writer);
        readerRelease(this.reader);
        if (this.off !== null) this.off();
        if (error !== null) this.done.reject(error.reason);
        else this.done.resolve(undefined);
    }
}

export function pipeTo(source, target, options) {
    return new Pipe(source, target, options).run();
}

function cloneChunk(chunk) {
    if (chunk instanceof ArrayBuffer) return chunk.slice(0);
    if (ArrayBuffer.isView(chunk)) {
        const copy = chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + chunk.byteLength);
        return chunk instanceof DataView ? new DataView(copy) : new chunk.constructor(copy);
    }
    return chunk;
}

/* Two streams of what one brings. The branches of a byte stream are byte streams. */
export function tee(source) {
    const reader = new ReaderState(source, false);
    const bytes = source.controller instanceof ByteController;
    const cancelled = new Deferred();
    const branches = [];
    const state = { reading: false, again: false, cancels: [undefined, undefined], gone: [false, false] };

    function pull() {
        if (state.reading) {
            state.again = true;
            return Promise.resolve();
        }
        state.reading = true;
        readerRead(reader, {
            chunk: (chunk) => Promise.resolve().then(() => deliver(chunk)),
            close: () => {
                state.reading = false;
                for (const b of [0, 1]) if (!state.gone[b]) branches[b].controller.close();
                if (bytes) for (const b of [0, 1]) if (branches[b].controller.pending.length > 0) branches[b].controller.respond(0);
                if (!state.gone[0] || !state.gone[1]) cancelled.resolve(undefined);
            },
            error: () => { state.reading = false; },
        });
        return Promise.resolve();
    }

    function deliver(chunk) {
        state.again = false;
        const second = bytes && !state.gone[0] && !state.gone[1] ? cloneChunk(chunk) : chunk;
        if (!state.gone[0]) give(branches[0], chunk);
        if (!state.gone[1]) give(branches[1], second);
        state.reading = false;
        if (state.again) pull();
    }

    function give(branch, chunk) {
        if (bytes) branch.controller.enqueueOwned(chunk);
        else branch.controller.enqueue(chunk);
    }

    function cancel(index, reason) {
        state.gone[index] = true;
        state.cancels[index] = reason;
        if (state.gone[1 - index]) cancelled.resolve(streamCancel(source, state.cancels));
        /* The standard lets the first wait for the second; upstream does not. */
        else if (!flags.pedantic_wpt) return Promise.resolve();
        return cancelled.promise;
    }

    for (const index of [0, 1]) {
        const stream = new ReadableState();
        stream.length = source.length;
        stream.bytes = source.bytes;
        const ends = { pull, cancel: (reason) => cancel(index, reason) };
        const controller = bytes ? new ByteController(stream, ends, 0, 0) : new DefaultController(stream, ends, 1, null);
        branches.push(stream);
        controller.begin(undefined);
    }
    reader.closed.promise.then(undefined, (error) => {
        for (const branch of branches) branch.controller.error(error);
        if (!state.gone[0] || !state.gone[1]) cancelled.resolve(undefined);
    });
    return branches;
}
