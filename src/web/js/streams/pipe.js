/* pipeTo(). https://streams.spec.whatwg.org/#readable-stream-pipe-to */
import { Deferred, handled } from "./common.js";
import { ReaderState, READABLE, CLOSED, ERRORED, readerRead, readerRelease, streamCancel } from "./readable.js";
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
                if (!flags.pedantic_wpt) readerRelease(this.reader); // upstream whoever hears of the abort finds it free
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
