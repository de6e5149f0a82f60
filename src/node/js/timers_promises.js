/* node:timers/promises */
const { AbortError, codes: { ERR_ILLEGAL_CONSTRUCTOR }, validateAbortSignal, validateBoolean, validateNumber, validateObject } = require("./errors.js");
const timers = require("./timers.js");

/* start(done) begins and returns how to cancel. */
function wait(start, value, options) {
    try {
        validateObject(options, "options");
        if (options.signal !== undefined) validateAbortSignal(options.signal, "options.signal");
        if (options.ref !== undefined) validateBoolean(options.ref, "options.ref");
    } catch (error) {
        return Promise.reject(error);
    }
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(new AbortError(undefined, { cause: signal.reason }));
    return new Promise((resolve, reject) => {
        const onAbort = () => {
            cancel();
            reject(new AbortError(undefined, { cause: signal.reason }));
        };
        const cancel = start(() => {
            signal?.removeEventListener("abort", onAbort);
            resolve(value);
        });
        signal?.addEventListener("abort", onAbort, { once: true });
    });
}

function setTimeout(delay, value, options = {}) {
    try {
        if (delay !== undefined) validateNumber(delay, "delay");
    } catch (error) {
        return Promise.reject(error);
    }
    return wait((done) => {
        const timer = timers.setTimeout(done, delay);
        return () => timers.clearTimeout(timer);
    }, value, options);
}

function setImmediate(value, options = {}) {
    return wait((done) => {
        const immediate = timers.setImmediate(done);
        return () => timers.clearImmediate(immediate);
    }, value, options);
}

async function* setInterval(delay, value, options = {}) {
    validateObject(options, "options");
    if (delay !== undefined) validateNumber(delay, "delay");
    const { signal, ref } = options;
    validateAbortSignal(signal, "options.signal");
    if (ref !== undefined) validateBoolean(ref, "options.ref");
    if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
    let due = 0, wake = null;
    const ring = () => {
        wake?.();
        wake = null;
    };
    const timer = timers.setInterval(() => {
        due++;
        ring();
    }, delay);
    signal?.addEventListener("abort", ring, { once: true });
    try {
        while (!signal?.aborted) {
            if (due === 0) await new Promise((resolve) => { wake = resolve; });
            for (; due > 0; due--) yield value;
        }
        throw new AbortError(undefined, { cause: signal.reason });
    } finally {
        timers.clearInterval(timer);
        signal?.removeEventListener("abort", ring);
    }
}

class Scheduler {
    constructor() { throw new ERR_ILLEGAL_CONSTRUCTOR(); }
    yield() { return setImmediate(); }
    wait(delay, options) { return setTimeout(delay, undefined, options); }
}

module.exports = { setTimeout, setImmediate, setInterval, scheduler: Object.create(Scheduler.prototype) };
