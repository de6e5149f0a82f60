/* AbortController and AbortSignal. https://dom.spec.whatwg.org/#aborting-ongoing-activities */
import { DOMException } from "./errors.js";
import { Event, EventTarget, defineHandler, trustEvent } from "./events.js";
import { need } from "./context.js";
import { startTimer } from "./timers.js";

const MAKE = Symbol("make");
let access;

export class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    #algorithms = null;

    constructor(key) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        super();
    }

    get aborted() { return this.#aborted; }
    get reason() { return this.#reason; }

    throwIfAborted() {
        if (this.#aborted) throw this.#reason;
    }

    static abort(reason) {
        const signal = new AbortSignal(MAKE);
        signal.#abort(reason);
        return signal;
    }

    static timeout(ms) {
        const invocation = need();
        const delay = Math.max(0, Number(ms) || 0);
        const signal = new AbortSignal(MAKE);
        startTimer(() => signal.#abort(new DOMException("The operation was aborted due to timeout", "TimeoutError")), delay, invocation);
        return signal;
    }

    static any(signals) {
        const joined = new AbortSignal(MAKE);
        const list = [...signals];
        for (const signal of list)
            if (!access.is(signal)) throw new TypeError("AbortSignal.any() takes a sequence of AbortSignals.");
        for (const signal of list) {
            if (signal.aborted) {
                joined.#abort(signal.reason);
                return joined;
            }
        }
        for (const signal of list) access.on(signal, () => joined.#abort(signal.reason));
        return joined;
    }

    #abort(reason) {
        if (this.#aborted) return;
        this.#aborted = true;
        this.#reason = reason === undefined ? new DOMException("The operation was aborted", "AbortError") : reason;
        const algorithms = this.#algorithms;
        this.#algorithms = null;
        if (algorithms !== null) for (const run of algorithms) run(this.#reason);
        this.dispatchEvent(trustEvent(new Event("abort")));
    }

    static {
        access = {
            is: (v) => typeof v === "object" && v !== null && #aborted in v,
            abort: (signal, reason) => signal.#abort(reason),
            on(signal, run) {
                if (signal.#algorithms === null) signal.#algorithms = new Set();
                signal.#algorithms.add(run);
                return () => signal.#algorithms?.delete(run);
            },
        };
    }
}
defineHandler(AbortSignal.prototype, "abort");

export const isSignal = access.is;
/* Runs before the listeners when the signal is aborted; returns a function that takes it back. */
export const onAborted = access.on;
export const makeSignal = () => new AbortSignal(MAKE);
export const abortSignal = access.abort;

export class AbortController {
    #signal = new AbortSignal(MAKE);

    get signal() { return this.#signal; }

    abort(reason) {
        access.abort(this.#signal, reason);
    }
}
