/*
 * The I/O context: one Invocation per event, and which of them is running.
 *
 * Every entry from C sets `current` before it runs a tenant's code; microtasks of that entry drain while it
 * is still set. Whatever finishes later (a read, a fetch, a timer) is wrapped by track(), which keeps count
 * of what is outstanding: the count is how a hung request is told from a waiting one.
 */
import { GLOBAL_SCOPE, OTHER_REQUEST, OTHER_OBJECT, CONTEXT_ENDED, describeException } from "./errors.js";

const io = native.io;
/* Wall time of this entry in ms, written by C. */
const clock = io.clock;

/* How long work under waitUntil() may go on after the response. */
export const WAIT_UNTIL_MS = 30_000;
const LOG_BYTES_MAX = 256 * 1024;
const EXCEPTIONS_MAX = 32;

export let current = null;

/* Events between begin and end. */
export const open = new Set();

export function enter(invocation) {
    current = invocation;
}

/* The running event, or the error that belongs to doing I/O outside of one. */
export function need() {
    if (current === null) throw new Error(GLOBAL_SCOPE);
    return current;
}

/* An object that belongs to `owner` is used now. */
export function checkOwner(owner) {
    if (owner === current) return;
    // Events of one Durable Object share what they open.
    if (owner.gate !== null && current !== null && owner.gate === current.gate) return;
    if (owner.ended && current !== null) throw new Error(CONTEXT_ENDED);
    if (current === null) throw new Error(GLOBAL_SCOPE);
    throw new Error(owner.gate !== null && current.gate !== null ? OTHER_OBJECT : OTHER_REQUEST);
}

const NONE = Object.freeze([]);

export class Invocation {
    constructor(kind, channel, requestId) {
        this.kind = kind;
        this.channel = channel;
        this.requestId = requestId;
        this.start = clock[0];
        this.pending = 0; // outstanding I/O and timers
        this.waits = 0; // unsettled promises of waitUntil()
        this.answered = false; // the handler has produced its result
        this.sent = false; // and all of it has left
        this.ended = false;
        this.traced = false; // somebody watches: a trace in any case
        this.outcome = "ok";
        this.passThrough = false;
        this.subrequests = 0;
        this.logs = null;
        this.logBytes = 0;
        this.exceptions = null;
        this.request = null; // for the trace
        this.status = 0;
        this.detail = null; // {cron, scheduledTime} of a scheduled event
        this.channels = null; // open channels, reset when the event ends
        this.timers = null;
        this.ctx = null;
        this.gone = false; // the client is
        this.reader = null; // of the response's stream
        this.cap = null; // timer that ends what runs under waitUntil()
        this.upgrade = false; // the client asks for a WebSocket
        this.socket = null; // and has one: {vanished()}
        this.calls = NONE; // of its own entrypoints, in place: how each is told that it has hung
        this.props = undefined; // or the JSON text of it
        this.variables = null; // of the env of this event alone
        this.session = null; // of an RPC event
        this.gate = null; // of the Durable Object that it is an event of (product/durable/gates.js)
        open.add(this);
    }

    now() {
        return clock[0];
    }

    waitUntil(promise) {
        this.waits++;
        Promise.resolve(promise).then(
            () => this.waitDone(),
            (error) => {
                this.exception(error);
                this.waitDone();
            });
    }

    waitDone() {
        this.waits--;
        this.settle();
    }

    exception(error) {
        if (this.exceptions === null) this.exceptions = [];
        if (this.exceptions.length < EXCEPTIONS_MAX) this.exceptions.push(describeException(error, this.now()));
    }

    log(level, message, size) {
        if (this.logBytes > LOG_BYTES_MAX || (this.ended && current !== this)) return;
        if (this.logs === null) this.logs = [];
        this.logBytes += size;
        if (this.logBytes > LOG_BYTES_MAX)
            this.logs.push({ message: ["Log size limit exceeded: More than 256KB of data (across console.log statements, exception, request metadata and headers) was logged during a single request. Subsequent data for this request will not be recorded in logs, appear when tailing this Worker's logs, or in Tail Workers."], level: "warn", timestamp: this.now() });
        else
            this.logs.push({ message, level, timestamp: this.now() });
        if (this.ended) this.report(); // microtasks of the entry in which the event ended
    }

    own(channel) {
        if (this.channels === null) this.channels = new Set();
        this.channels.add(channel);
    }

    /* The promise of a call within this event, which fails alone when it hangs. */
    calling(promise) {
        const { promise: result, resolve, reject } = Promise.withResolvers();
        if (this.calls === NONE) this.calls = [];
        this.calls.push(reject);
        const over = () => { this.calls = this.calls.filter((call) => call !== reject); };
        promise.then(over, over);
        result.catch(over);
        promise.then(resolve, reject);
        return result;
    }

    disown(channel) {
        if (this.channels !== null) this.channels.delete(channel);
    }

    /* Called whenever something of the event has finished. */
    settle() {
        if (this.sent && this.waits === 0 && !this.ended) this.end();
    }

    end() {
        this.ended = true;
        open.delete(this);
        if (this.gate === null) this.release();
        else this.gate.instance.eventOver(this);
        this.report();
    }

    /* Timers and I/O go. Those of a Durable Object's event live as long as the object. */
    release() {
        if (this.timers !== null) hooks.dropTimers(this);
        if (this.channels !== null) {
            for (const channel of this.channels) io.reset(channel, -125);
            this.channels = null;
        }
    }

    report() {
        const trace = this.logs !== null || this.exceptions !== null || this.traced ? hooks.trace(this) : "";
        io.eventEnd(this.channel, this.outcome, trace);
    }
}

/* Set by the files that know how (they import this one). */
export const hooks = { dropTimers: null, trace: null };

/* A callback for C: counted as outstanding I/O of the running event until its only call. */
export function track(fn) {
    const invocation = need();
    invocation.pending++;
    if (invocation.gate !== null) return trackGated(invocation, invocation.gate, fn);
    return function (a, b, c, d, e, f, g) {
        invocation.pending--;
        if (invocation.ended) return;
        current = invocation;
        fn(a, b, c, d, e, f, g);
        watch(invocation);
    };
}

/* The result waits until the object lets in what was begun where the call was made. */
function trackGated(invocation, gate, fn) {
    const section = gate.section();
    return function (...args) {
        invocation.pending--;
        gate.enter(section, () => {
            current = invocation;
            fn(...args);
        });
    };
}

/* As track(), without counting: for callbacks that may come never or more than once. */
export function bind(fn) {
    const invocation = current;
    return function (...args) {
        current = invocation;
        return fn(...args);
    };
}

let watcher = null;
export function setWatcher(fn) {
    watcher = fn;
}

/* After an entry: an event that waits for nothing we know of may have hung. */
export function watch(invocation) {
    if (invocation.pending === 0 && !invocation.sent && invocation.gate === null && watcher !== null) watcher();
}

/* The value of a native that may leave this thread (engine/vm_job.h); start(callback) calls it. Outside of events it
 * is there at once. */
export function computed(start) {
    return current === null ? start(undefined) : new Promise((resolve) => void start(track(resolve)));
}

/* A promise of what C answers through one callback; start(callback) makes the call. The callback gets
 * (error, value) with error null or undefined for success. */
export function promised(start) {
    return new Promise((resolve, reject) => {
        start(track((error, value) => {
            if (error === null || error === undefined) resolve(value);
            else reject(error);
        }));
    });
}
