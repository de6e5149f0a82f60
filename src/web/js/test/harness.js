/*
 * The vocabulary of classic web platform tests: test(), promise_test(), async_test(), setup(), done() and what
 * hangs on a test. One Harness per file; its global functions are installed on `global` (testGlobals()).
 */
import { AssertionError, OptionalFeatureError, asserts, formatValue, rejections } from "./asserts.js";

export const PASS = "PASS", FAIL = "FAIL", TIMEOUT = "TIMEOUT", NOTRUN = "NOTRUN", PRECONDITION_FAILED = "PRECONDITION_FAILED";
const MESSAGE_MAX = 2000;

function messageOf(error) {
    if (error instanceof AssertionError) return error.message;
    if (typeof error === "object" && error !== null && typeof error.message === "string") return `${error.name}: ${error.message}`;
    return formatValue(error);
}

/* --- one test --- */

class Test {
    constructor(harness, name, properties) {
        this.harness = harness;
        this.name = name;
        this.properties = properties ?? {};
        this.status = NOTRUN;
        this.message = null;
        this.stack = null;
        this.phase = 0; // new, started, has its result, cleaning up, over
        this.cleanups = [];
        this.index = harness.tests.length;
        this.controller = null;
        this.finished = Promise.withResolvers();
        harness.tests.push(this);
    }

    step(fn, self = this, ...args) {
        if (this.phase >= 3) return undefined;
        if (this.phase === 0) this.phase = 1;
        try {
            return fn.apply(self, args);
        } catch (error) {
            this.fail(error);
            return undefined;
        }
    }

    fail(error) {
        if (this.phase >= 2) return;
        this.set(error instanceof OptionalFeatureError ? PRECONDITION_FAILED : FAIL, error);
        this.done();
    }

    set(status, error) {
        this.status = status;
        this.message = error === null ? null : messageOf(error).slice(0, MESSAGE_MAX);
        this.stack = typeof error?.stack === "string" ? error.stack.slice(0, MESSAGE_MAX) : null;
        this.phase = 2;
    }

    step_func(fn, self = this) {
        const test = this;
        return function (...args) {
            return test.step(fn, arguments.length > 0 && self === test ? this ?? test : self, ...args);
        };
    }

    step_func_done(fn, self = this) {
        const test = this;
        return function (...args) {
            if (fn) test.step(fn, self, ...args);
            test.done();
        };
    }

    unreached_func(description) {
        return this.step_func(() => asserts.assert_unreached(description));
    }

    step_timeout(fn, ms, ...args) {
        return this.harness.setTimeout(() => this.step(fn, this, ...args), ms * this.harness.multiplier);
    }

    step_wait_func(condition, fn, description, timeout = 3000, interval = 100) {
        const end = Math.ceil((timeout * this.harness.multiplier) / interval);
        let turns = 0;
        const check = this.step_func(() => {
            if (condition()) return fn();
            asserts.assert_true(turns++ < end, `${description ?? ""}Timed out waiting on condition`);
            return this.harness.setTimeout(check, interval);
        });
        check();
    }

    step_wait_func_done(condition, fn, ...rest) {
        this.step_wait_func(condition, () => {
            if (fn) fn();
            this.done();
        }, ...rest);
    }

    step_wait(condition, ...rest) {
        return new Promise((resolve) => this.step_wait_func(condition, resolve, ...rest));
    }

    add_cleanup(fn) {
        this.cleanups.push(fn);
    }

    get_signal() {
        if (this.controller === null) {
            this.controller = new AbortController();
            this.cleanups.push(() => this.controller.abort());
        }
        return this.controller.signal;
    }

    force_timeout() {
        this.set(TIMEOUT, null);
        this.phase = 2;
    }

    timeout() {
        if (this.phase >= 2) return;
        if (this.phase === 1) this.set(TIMEOUT, new AssertionError("Test timed out"));
        this.phase = 2;
        this.done();
    }

    done() {
        if (this.phase >= 3) return;
        if (this.phase <= 1) this.set(PASS, null);
        this.phase = 3;
        this.cleanUp();
    }

    /* Asynchronous cleanups are waited for by promise tests, so that the next does not meet their remains. */
    async cleanUp() {
        const waits = [];
        for (const fn of this.cleanups) {
            try {
                waits.push(fn());
            } catch (error) {
                this.harness.problem(`cleanup of "${this.name}": ${messageOf(error)}`);
            }
        }
        if (waits.some((w) => typeof w?.then === "function")) await Promise.allSettled(waits);
        this.phase = 4;
        this.finished.resolve();
        this.harness.testDone(this);
    }
}

/* --- events in order --- */

class EventWatcher {
    constructor(test, target, types, timeoutPromise) {
        const names = typeof types === "string" ? [types] : types;
        let waiting = null;
        const listener = test.step_func((event) => {
            asserts.assert_true(waiting !== null, `Not expecting event, but got ${event.type} event`);
            asserts.assert_equals(event.type, waiting.types[0], `Expected ${waiting.types[0]} event, but got ${event.type} event instead`);
            waiting.types.shift();
            if (waiting.record !== null) waiting.record.push(event);
            if (waiting.types.length > 0) return;
            const { resolve, record } = waiting;
            waiting = null;
            resolve(record ?? event);
        });
        for (const name of names) target.addEventListener(name, listener);
        this.wait_for = (wanted, { record } = {}) => {
            if (waiting !== null) return Promise.reject(new Error("Already waiting for an event or events"));
            return new Promise((resolve, reject) => {
                waiting = { types: typeof wanted === "string" ? [wanted] : [...wanted], resolve, record: record === "all" ? [] : null };
                timeoutPromise?.().then(test.step_func(() => {
                    waiting = null;
                    reject(new AssertionError("EventWatcher: timed out"));
                }));
            });
        };
        this.stop_watching = () => {
            for (const name of names) target.removeEventListener(name, listener);
        };
        test.add_cleanup(this.stop_watching);
    }
}

/* --- a file of tests --- */

export class Harness {
    constructor({ title, setTimeout, clearTimeout, timeoutMs }) {
        this.title = title;
        this.setTimeout = setTimeout;
        this.clearTimeout = clearTimeout;
        this.timeoutMs = timeoutMs;
        this.multiplier = 1;
        this.tests = [];
        this.problems = [];
        this.callbacks = { add_completion_callback: [], add_result_callback: [], add_start_callback: [], add_test_state_callback: [] };
        this.properties = {};
        this.chain = Promise.resolve();
        this.ready = false; // all scripts were evaluated
        this.explicitDone = false;
        this.open = 0; // promise tests and asynchronous ones
        this.single = null;
        this.over = Promise.withResolvers();
        this.closed = false;
    }

    problem(text) {
        this.problems.push(text);
    }

    begin() {
        this.timer = this.setTimeout(() => this.onTimeout(), this.timeoutMs);
    }

    onTimeout() {
        for (const test of this.tests) if (test.phase < 3) test.timeout();
        this.timedOut = true;
        this.close();
    }

    close() {
        if (this.closed) return;
        this.closed = true;
        this.clearTimeout(this.timer);
        this.over.resolve();
    }

    loaded() {
        this.ready = true;
        if (this.single !== null && this.single.phase === 0) this.single.phase = 1;
        this.check();
    }

    testDone(test) {
        for (const fn of this.callbacks.add_result_callback) fn(test);
        this.check();
    }

    check() {
        if (!this.ready || this.closed || this.explicitDone) return;
        if (this.tests.every((test) => test.phase === 4)) this.close();
    }

    results() {
        const out = this.tests.map(({ name, status, message, stack }) => ({ name, status, message, stack }));
        for (const text of this.problems) out.push({ name: "(file)", status: FAIL, message: text, stack: null });
        if (this.timedOut && this.tests.every((test) => test.status !== TIMEOUT)) out.push({ name: "(file)", status: TIMEOUT, message: "the file timed out", stack: null });
        return out;
    }

    nameOf(name) {
        if (name !== undefined && name !== null) return String(name);
        const n = this.unnamed = (this.unnamed ?? -1) + 1;
        return n === 0 ? this.title : `${this.title} ${n}`;
    }

    /* --- what files call --- */

    test(fn, name, properties) {
        const test = new Test(this, this.nameOf(name), properties);
        const value = test.step(fn, test, test);
        if (test.phase <= 1 && typeof value?.then === "function") test.fail(new AssertionError("Test named by test() returned a promise; use promise_test()"));
        test.done();
    }

    async_test(fn, name, properties) {
        const named = typeof fn === "function";
        const test = new Test(this, this.nameOf(named ? name : fn), named ? properties : name);
        if (named) test.step(fn, test, test);
        return test;
    }

    promise_test(fn, name, properties) {
        const test = new Test(this, this.nameOf(name), properties);
        const run = async () => {
            if (test.phase >= 2) return;
            const promise = test.step(fn, test, test);
            if (test.phase < 2) {
                if (typeof promise?.then !== "function") test.fail(new AssertionError("promise_test: test body must return a 'thenable' object"));
                else Promise.resolve(promise).then(() => test.done(), (error) => test.fail(error));
            }
            await test.finished.promise;
        };
        this.chain = this.chain.then(run);
    }

    setup(fn, properties) {
        let given = properties ?? {};
        if (typeof fn === "function") {
            try {
                fn();
            } catch (error) {
                this.problem(`setup: ${messageOf(error)}`);
            }
        } else {
            given = fn ?? {};
        }
        Object.assign(this.properties, given);
        if (given.explicit_done) this.explicitDone = true;
        if (given.timeout_multiplier) this.multiplier = given.timeout_multiplier;
        if (given.single_test) this.single = new Test(this, this.nameOf(null), {});
    }

    promise_setup(fn, properties) {
        this.setup(properties);
        this.chain = this.chain.then(fn).catch((error) => this.problem(`promise_setup: ${messageOf(error)}`));
    }

    done() {
        if (this.single !== null) this.single.done();
        this.explicitDone = false;
        this.check();
    }

    /* An exception outside of every test. */
    uncaught(error) {
        if (this.single !== null) this.single.fail(error);
        else if (!this.properties.allow_uncaught_exception) this.problem(messageOf(error));
    }
}

/* The functions that a file's scripts find as globals. */
export function testGlobals(harness) {
    const out = { ...asserts, ...rejections, format_value: formatValue, AssertionError, OptionalFeatureUnsupportedError: OptionalFeatureError };
    for (const name of ["test", "async_test", "promise_test", "setup", "promise_setup", "done"])
        out[name] = (...args) => harness[name](...args);
    for (const [name, list] of Object.entries(harness.callbacks)) out[name] = (fn) => void list.push(fn);
    out.step_timeout = (fn, ms, ...args) => harness.setTimeout(() => fn(...args), ms * harness.multiplier);
    out.generate_tests = (fn, lists, properties) => {
        for (const [name, ...args] of lists) harness.test(() => fn(...args), name, properties);
    };
    out.on_event = (target, type, fn) => target.addEventListener(type, fn, false);
    out.timeout = () => harness.onTimeout();
    out.EventWatcher = EventWatcher;
    out.token = () => crypto.randomUUID();
    return out;
}
