/* The state behind TransformStream and the byte transforms of the runtime. https://streams.spec.whatwg.org/#ts-class */
import { flags } from "../compat.js";
import { Deferred, bare, handled } from "./common.js";
import { ReadableState, DefaultController, ERRORED as READ_ERRORED, READABLE } from "./readable.js";
import { ByteController } from "./bytes.js";
import { WritableState, WritableController, WRITABLE, ERRORING, ERRORED, startErroring } from "./writable.js";

/* Without this flag a TransformStream of the user's is never full: so the upstream runtime was at first. */
const SIGNALS = "fixup-transform-stream-backpressure";

/* transformer: {transform(chunk, t), flush(t), cancel(reason)}, promises or null. `begun` is a promise that
 * the user's start() settles. */
export class TransformState {
    constructor(transformer, begun, sizes) {
        this.transformer = transformer;
        this.early = sizes.early ?? null; // looks at a chunk at once: true = nothing to do, may throw
        this.backpressure = true;
        this.backpressureChange = new Deferred();
        this.finishing = null; // promise of whichever of cancel, abort, close came first
        this.facade = null;
        this.splice = null; // what feeds it, as long as nobody has looked (splice.js)
        this.writable = new WritableState();
        this.readable = new ReadableState();
        new WritableController(this.writable, {
            write: (chunk) => this.sinkWrite(chunk),
            close: () => this.sinkClose(),
            abort: (reason) => this.sinkAbort(reason),
        }, sizes.writableHighWaterMark, sizes.writableSize).begin(begun);
        const source = { pull: () => this.sourcePull(), cancel: (reason) => this.sourceCancel(reason) };
        if (sizes.bytes) {
            this.readable.bytes = true;
            const controller = new ByteController(this.readable, source, sizes.readableHighWaterMark, 0);
            controller.internal = true;
            controller.begin(begun);
        } else {
            new DefaultController(this.readable, source, sizes.readableHighWaterMark, sizes.readableSize).begin(begun);
        }
    }

    setBackpressure(on) {
        this.backpressureChange.resolve(undefined);
        this.backpressureChange = new Deferred();
        this.backpressure = on;
    }

    enqueue(chunk) {
        const controller = this.readable.controller;
        if (!controller.canEnqueue()) throw new TypeError("The readable side of this TransformStream is no longer readable.");
        try {
            if (this.readable.bytes) controller.enqueueOwned(chunk);
            else controller.enqueue(chunk);
        } catch (error) {
            this.errorWritable(error);
            throw this.readable.error;
        }
        const backpressure = !controller.shouldPull();
        if (backpressure !== this.backpressure && (this.readable.bytes || flags[SIGNALS])) this.setBackpressure(true);
    }

    error(reason) {
        this.readable.controller.error(reason);
        this.errorWritable(reason);
    }

    errorWritable(reason) {
        this.transformer = null;
        this.writable.controller.errorIfNeeded(reason);
        if (this.backpressure) this.setBackpressure(false);
    }

    terminate() {
        this.readable.controller.close();
        this.errorWritable(new TypeError("The transform stream has been terminated"));
    }

    async sinkWrite(chunk) {
        if (this.early !== null && this.looked(chunk)) return undefined;
        if (this.backpressure) {
            await this.backpressureChange.promise;
            if (this.writable.state === ERRORING) throw this.writable.error;
        }
        return this.transform(chunk);
    }

    looked(chunk) {
        try {
            return this.early(chunk);
        } catch (error) {
            this.error(error);
            throw error;
        }
    }

    async transform(chunk) {
        try {
            if (this.transformer === null || this.transformer.transform === null) this.enqueue(chunk);
            else await this.transformer.transform(chunk, this);
        } catch (error) {
            this.error(error);
            throw error;
        }
    }

    async sinkClose() {
        if (this.finishing !== null) return this.finishing;
        const transformer = this.transformer;
        this.transformer = null;
        const done = new Deferred();
        this.finishing = handled(done.promise);
        try {
            if (transformer !== null && transformer.flush !== null) await transformer.flush(this);
        } catch (error) {
            this.readable.controller.error(error);
            done.reject(error);
            throw error;
        }
        if (this.readable.state === READ_ERRORED) {
            done.reject(this.readable.error);
            throw this.readable.error;
        }
        this.readable.controller.close();
        done.resolve(undefined);
    }

    async sinkAbort(reason) {
        if (this.finishing !== null) return this.finishing;
        const done = await this.cancelled(reason);
        if (this.readable.state === READ_ERRORED) {
            done.reject(this.readable.error);
            throw this.readable.error;
        }
        this.readable.controller.error(reason);
        done.resolve(undefined);
    }

    sourcePull() {
        this.splice?.fallBack();
        this.setBackpressure(false);
        return this.backpressureChange.promise;
    }

    async sourceCancel(reason) {
        this.splice?.fallBack();
        if (this.finishing !== null) return this.finishing;
        const done = await this.cancelled(reason);
        if (this.writable.state === ERRORED) {
            done.reject(this.writable.error);
            throw this.writable.error;
        }
        this.writable.controller.errorIfNeeded(reason);
        if (this.backpressure) this.setBackpressure(false);
        done.resolve(undefined);
    }

    /* Runs the user's cancel(); a failure of it errors both ends. */
    async cancelled(reason) {
        const transformer = this.transformer;
        this.transformer = null;
        const done = new Deferred();
        this.finishing = handled(done.promise);
        try {
            if (transformer !== null && transformer.cancel !== null) await transformer.cancel(reason);
        } catch (error) {
            if (this.readable.state === READABLE) this.readable.controller.error(error);
            if (this.writable.state === WRITABLE) startErroring(this.writable, error);
            if (this.backpressure) this.setBackpressure(false);
            done.reject(error);
            throw error;
        }
        return done;
    }
}

bare(TransformState);

/* A transform of the runtime from anything to bytes. transform(chunk, t) and flush(t) may be async. */
export function makeByteTransform(transform, flush, sizes = {}) {
    const call = (fn) => (fn === null ? null : async (...args) => fn(...args));
    return new TransformState({ transform: call(transform), flush: call(flush), cancel: null }, undefined, {
        writableHighWaterMark: 1, writableSize: null, readableHighWaterMark: 0, readableSize: null, bytes: true, ...sizes,
    });
}
