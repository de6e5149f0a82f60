/* What all stream files need: settled promises, queues, strategies. https://streams.spec.whatwg.org/ */
import { flags } from "../compat.js";

export function noop() {}

const { apply } = Reflect;

/* Our own records inherit nothing, so that no setter that a Worker puts on Object.prototype sees them. */
export function bare(...classes) {
    for (const cls of classes) Object.setPrototypeOf(cls.prototype, null);
}

/* WebIDL: a dictionary is an object, or absent. */
export function dictionary(value, name) {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "object" && typeof value !== "function") throw new TypeError(`The ${name} must be an object.`);
    return value;
}

/* Calls a user's start(). Upstream a stream whose start() throws is an errored stream; the standard throws. */
export function callStart(fn, self, argument) {
    if (fn === null) return undefined;
    try {
        return apply(fn, self, [argument]);
    } catch (error) {
        if (flags.pedantic_wpt) throw error;
        return Promise.reject(error);
    }
}

/* A promise with its resolvers as one object. */
export class Deferred {
    constructor() {
        this.promise = new Promise((resolve, reject) => {
            this.resolve = resolve;
            this.reject = reject;
        });
    }
}

export function handled(promise) {
    promise.then(undefined, noop);
    return promise;
}

export function deferredResolved(value) {
    const d = new Deferred();
    d.resolve(value);
    return d;
}

export function deferredRejected(reason) {
    const d = new Deferred();
    d.reject(reason);
    handled(d.promise);
    return d;
}

/* Calls a user's method; what it throws becomes a rejection. */
export function promiseCall(fn, self, ...args) {
    try {
        return Promise.resolve(apply(fn, self, args));
    } catch (error) {
        return Promise.reject(error);
    }
}

/* First in, first out, with sizes. */
export class Queue {
    constructor() {
        this.items = [];
        this.head = 0;
        this.size = 0;
    }

    get length() {
        return this.items.length - this.head;
    }

    push(value, size) {
        this.items.push({ value, size });
        this.size += size;
    }

    shift() {
        const item = this.items[this.head];
        this.items[this.head++] = undefined;
        if (this.head > 32 && this.head * 2 > this.items.length) {
            this.items.splice(0, this.head);
            this.head = 0;
        }
        this.size -= item.size;
        if (this.size < 0) this.size = 0;
        return item.value;
    }

    peek() {
        return this.items[this.head].value;
    }

    /* The first one counts for nothing from now on. */
    forget() {
        const item = this.items[this.head];
        this.size -= item.size;
        item.size = 0;
    }

    clear() {
        this.items.length = this.head = this.size = 0;
    }
}

bare(Deferred, Queue);

export function checkSize(size) {
    if (size === undefined && !flags.pedantic_wpt) return 1;
    if (typeof size === "object" && size !== null && !flags.pedantic_wpt) throw new TypeError("The value cannot be converted because it is not an integer.");
    const n = Number(size);
    if (!(n >= 0) || n === Infinity) throw new RangeError("The size of a chunk must be a finite, non-negative number.");
    return n;
}

export function highWaterMarkOf(strategy, fallback) {
    const mark = strategy?.highWaterMark;
    if (mark === undefined) return fallback;
    const n = Number(mark);
    if (!(n >= 0)) throw new TypeError("The highWaterMark must be a non-negative number.");
    return n;
}

export function sizeOf(strategy) {
    const size = strategy?.size;
    if (size === undefined) return null;
    if (typeof size !== "function") throw new TypeError("The size of a queuing strategy must be a function.");
    return (chunk) => size(chunk);
}

export function method(object, name) {
    const fn = object?.[name];
    if (fn === undefined) return null;
    if (typeof fn !== "function") throw new TypeError(`The ${name} of the underlying object must be a function.`);
    return fn;
}

const countSize = { size() { return 1; } }.size;
const byteSize = { size(chunk) { return flags.pedantic_wpt ? chunk.byteLength : chunk?.byteLength; } }.size;

function strategy(size) {
    return class {
        #highWaterMark;

        constructor(init) {
            if (init === null || typeof init !== "object" || init.highWaterMark === undefined)
                throw new TypeError("The highWaterMark of a queuing strategy is required.");
            this.#highWaterMark = Number(init.highWaterMark);
        }

        get highWaterMark() { return this.#highWaterMark; }
        get size() {
            void this.#highWaterMark;
            return size;
        }
    };
}

export const ByteLengthQueuingStrategy = strategy(byteSize);
export const CountQueuingStrategy = strategy(countSize);
Object.defineProperty(ByteLengthQueuingStrategy, "name", { value: "ByteLengthQueuingStrategy" });
Object.defineProperty(CountQueuingStrategy, "name", { value: "CountQueuingStrategy" });
