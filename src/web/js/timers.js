/*
 * Timers: a binary heap by due time, then by order of creation, over the one timer of C.
 *
 * Each timer runs in its own entry from C so that microtasks drain between two of them. A timer belongs to
 * the event that set it and goes with it.
 */
import * as context from "./context.js";
import { DOMException, GLOBAL_SCOPE, LOG_ERROR } from "./errors.js";
import { isSignal, onAborted } from "./abort.js";

const io = native.io;
const TIMERS_MAX = 10_000; // per event
const DELAY_MAX = 2 ** 31 - 1;

const heap = [];
const byId = new Map();
let nextId = 1;
let sequence = 0;
let armed = Infinity;

class Timer {
    constructor(id, due, run, invocation) {
        this.id = id;
        this.due = due;
        this.order = sequence++;
        this.run = run;
        this.invocation = invocation;
        this.every = -1; // ms; -1 = once
        this.dead = false;
        this.section = invocation === null || invocation.gate === null ? null : invocation.gate.section();
    }
}

function before(a, b) {
    return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function push(timer) {
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
        const up = (i - 1) >> 1;
        if (!before(timer, heap[up])) break;
        heap[i] = heap[up];
        i = up;
    }
    heap[i] = timer;
}

function pop() {
    const top = heap[0], last = heap.pop();
    const n = heap.length;
    if (n === 0) return top;
    let i = 0;
    for (;;) {
        let child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], last)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

function arm() {
    while (heap.length > 0 && heap[0].dead) pop();
    const due = heap.length > 0 ? heap[0].due : Infinity;
    if (due !== armed) {
        armed = due;
        io.timerAt(due);
    }
}

/* invocation null: the runtime's own timer. */
export function startTimer(run, delay, invocation = null) {
    const timer = new Timer(nextId++, io.clock[0] + delay, run, invocation);
    if (invocation !== null) {
        if (invocation.timers === null) invocation.timers = new Set();
        invocation.timers.add(timer);
        invocation.pending++; // something is still going to happen
    }
    byId.set(timer.id, timer);
    push(timer);
    if (timer.due < armed) arm();
    return timer;
}

export function stopTimer(timer) {
    if (timer.dead) return;
    timer.dead = true;
    byId.delete(timer.id);
    const invocation = timer.invocation;
    if (invocation !== null) {
        invocation.timers?.delete(timer);
        invocation.pending--;
    }
    // A heap of cancelled timers would keep their closures alive.
    if (heap.length > 64 && heap.length > 4 * byId.size) compact();
    if (heap.length > 0 && heap[0].dead) arm();
}

function compact() {
    const live = heap.filter((t) => !t.dead);
    heap.length = 0;
    for (const timer of live) push(timer);
}

context.hooks.dropTimers = (invocation) => {
    const timers = invocation.timers;
    invocation.timers = null;
    for (const timer of timers) stopTimer(timer);
};

/* hooks.timer: runs one timer; returns the channel of its event, or 0. */
export function timersDue() {
    armed = Infinity;
    let channel = 0;
    while (heap.length > 0 && heap[0].dead) pop();
    if (heap.length > 0 && heap[0].due <= io.clock[0]) {
        const timer = pop();
        if (timer.invocation !== null) channel = timer.invocation.channel;
        fire(timer);
    }
    arm();
    return channel;
}

function fire(timer) {
    const invocation = timer.invocation;
    if (timer.every >= 0) {
        timer.due = io.clock[0] + Math.max(1, timer.every);
        timer.order = sequence++;
        push(timer);
    } else {
        timer.dead = true;
        byId.delete(timer.id);
        invocation?.timers?.delete(timer);
    }
    const gate = invocation === null ? null : invocation.gate;
    if (gate !== null) {
        gate.enter(timer.section, () => runTimer(timer, invocation));
        return;
    }
    runTimer(timer, invocation);
}

function runTimer(timer, invocation) {
    if (timer.every >= 0 && timer.dead) return; // cleared while it waited at an object's gate
    context.enter(invocation);
    try {
        timer.run();
    } catch (error) {
        if (invocation === null) io.log(LOG_ERROR, String(error));
        else reportTo(error);
    }
    if (invocation !== null) {
        if (timer.every < 0) invocation.pending--;
        context.watch(invocation);
    }
}

let reportTo = () => {};
let reportMicrotask = () => {};
export function onMicrotaskError(report) {
    reportMicrotask = report;
}
export function onTimerError(report) {
    reportTo = report;
}

function schedule(callback, delay, args, every) {
    const invocation = context.current;
    if (invocation === null) throw new Error(GLOBAL_SCOPE);
    if (typeof callback !== "function")
        throw new TypeError("Failed to execute 'setTimeout': parameter 1 is not of type 'Function'.");
    const n = invocation.timers?.size ?? 0;
    if (n >= TIMERS_MAX)
        throw new DOMException(`You have exceeded the number of active timeouts you may set. max active timeouts: ${TIMERS_MAX}, current active timeouts: ${n}, finished timeouts: 0`, "QuotaExceededError");
    let ms = Math.trunc(Number(delay));
    if (!(ms > 0)) ms = 0;
    if (ms > DELAY_MAX) ms = 1;
    const run = () => callback.apply(global, args);
    const timer = startTimer(run, ms, invocation);
    if (every) timer.every = ms;
    return timer.id;
}

export function setTimeout(callback, delay = 0, ...args) {
    return schedule(callback, delay, args, false);
}

export function setInterval(callback, delay = 0, ...args) {
    return schedule(callback, delay, args, true);
}

export function clearTimeout(id) {
    if (id === undefined || id === null) return;
    const timer = byId.get(Number(id));
    if (timer !== undefined && timer.invocation !== null) stopTimer(timer);
}

export function clearInterval(id) {
    clearTimeout(id);
}

export class Immediate {
    #id;

    constructor(id) {
        this.#id = id;
    }

    ref() { return this; }
    unref() { return this; }
    hasRef() { return true; }
    [Symbol.toPrimitive]() { return this.#id; }
    [Symbol.dispose]() { clearTimeout(this.#id); }
}

/* What Node's setTimeout() returns (src/node/js/loader.js, node:timers); a number to everybody who wants one. */
export class Timeout {
    #id;
    #again;
    #ref = true;

    constructor(id, every, callback, delay, args) {
        this.#id = id;
        this.#again = () => (every ? setInterval : setTimeout)(callback, delay, ...args);
    }

    ref() {
        this.#ref = true;
        return this;
    }

    unref() {
        this.#ref = false;
        return this;
    }

    hasRef() { return this.#ref; }
    refresh() {
        clearTimeout(this.#id);
        this.#id = this.#again();
        return this;
    }

    close() {
        clearTimeout(this.#id);
        return this;
    }

    [Symbol.toPrimitive]() { return this.#id; }
    [Symbol.dispose]() { clearTimeout(this.#id); }
}

export function setImmediate(callback, ...args) {
    return new Immediate(schedule(callback, 0, args, false));
}

export function clearImmediate(immediate) {
    if (immediate instanceof Immediate) clearTimeout(immediate[Symbol.toPrimitive]());
}

export class Scheduler {
    wait(delay, options) {
        const signal = options?.signal;
        if (isSignal(signal) && signal.aborted) return Promise.reject(signal.reason);
        return new Promise((resolve, reject) => {
            const id = setTimeout(() => {
                off?.();
                resolve();
            }, delay);
            const off = isSignal(signal) ? onAborted(signal, (reason) => {
                clearTimeout(id);
                reject(reason);
            }) : null;
        });
    }
}

export const scheduler = new Scheduler();

export function queueMicrotask(callback) {
    if (typeof callback !== "function")
        throw new TypeError("Failed to execute 'queueMicrotask' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'.");
    Promise.resolve().then(() => {
        try {
            callback();
        } catch (error) {
            reportMicrotask(error);
        }
    });
}
