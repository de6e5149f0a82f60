/*
 * A pipe from a channel into an identity transform that nobody reads yet. Its readable end takes the channel over:
 * who answers with it, sends it or collects it does so in C, as if there were no transform. Anything else - a reader,
 * a cancellation - starts the pipe that it would have been.
 */
import { Channel, untouched } from "../body_source.js";
import { errnoError } from "../errors.js";
import { Deferred, bare } from "./common.js";
import { pipeTo } from "./pipe.js";
import { READABLE, ReaderState, readerRelease, streamClose, streamError } from "./readable.js";
import { CLOSED, ERRORED, WRITABLE, WriterState, closeQueuedOrInFlight, writerRelease } from "./writable.js";

class SplicedChannel extends Channel {
    constructor(from, length, splice) {
        super(from.id, length, null);
        this.owner = from.owner;
        this.from = from;
        this.splice = splice;
    }

    taken() {
        const before = this.from.taken();
        this.splice.taken();
        return (errno) => {
            before?.(errno);
            this.splice.over(errno);
        };
    }
}

class Splice {
    constructor(source, target, options) {
        this.source = source;
        this.target = target;
        this.options = options;
        this.done = new Deferred();
        this.reader = new ReaderState(source, false);
        this.writer = new WriterState(target);
        source.disturbed = true;
        target.pair.readable.channel = new SplicedChannel(source.channel, target.pair.readable.length, this);
        target.pair.splice = this;
    }

    taken() {
        this.target.pair.splice = null;
    }

    /* Somebody wants to see the bytes. */
    fallBack() {
        this.taken();
        this.target.pair.readable.channel = null;
        this.unlock();
        this.source.disturbed = false;
        pipeTo(this.source, this.target, this.options).then(this.done.resolve, this.done.reject);
    }

    unlock() {
        readerRelease(this.reader);
        writerRelease(this.writer);
    }

    /* All of it has gone its way in C. */
    over(errno) {
        const { source, target } = this, error = errno ? errnoError(errno) : undefined;
        target.state = errno ? ERRORED : CLOSED;
        target.error = error;
        if (source.state === READABLE) {
            if (errno) streamError(source, error);
            else streamClose(source);
        }
        this.unlock();
        if (errno) this.done.reject(error);
        else this.done.resolve(undefined);
    }
}

bare(Splice);

/* Undefined: only a pipe in script can do it. */
export function splice(source, target, options) {
    const { pair } = target;
    if (pair === null || pair.splice !== null || !untouched(source) || source.channel.encoding !== null) return undefined;
    if (options.signal !== undefined || options.preventClose || options.preventAbort || options.preventCancel) return undefined;
    const { readable } = pair;
    const fresh = readable.state === READABLE && !readable.disturbed && readable.reader === null && readable.channel === null;
    if (!fresh || target.state !== WRITABLE || target.used || closeQueuedOrInFlight(target)) return undefined;
    if (readable.length >= 0 && readable.length !== source.channel.length) return undefined;
    return new Splice(source, target, options).done.promise;
}
