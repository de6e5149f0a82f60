/* node:test: only its mocks, as upstream. */
const {
    codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE }, validateBoolean, validateFunction, validateInteger, validateObject,
} = require("./errors.js");

class MockFunctionContext {
    #calls = [];
    #implementation;
    #original;
    #restore;
    #once = new Map();
    #times;

    constructor(implementation, original, restore, times) {
        this.#implementation = implementation;
        this.#original = original;
        this.#restore = restore;
        this.#times = times;
    }

    get calls() { return this.#calls.slice(); }
    callCount() { return this.#calls.length; }
    mockImplementation(fn) {
        validateFunction(fn, "implementation");
        this.#implementation = fn;
    }

    mockImplementationOnce(fn, onCall = undefined) {
        validateFunction(fn, "implementation");
        const next = this.#calls.length, at = onCall ?? next;
        validateInteger(at, "onCall", next);
        this.#once.set(at, fn);
    }

    resetCalls() { this.#calls = []; }
    restore() {
        this.#implementation = this.#original;
        this.#restore?.();
    }

    _next() {
        const n = this.#calls.length, fn = this.#once.get(n) ?? this.#implementation;
        if (n + 1 === this.#times) this.restore();
        this.#once.delete(n);
        return fn;
    }

    _track(call) { this.#calls.push(call); }
}

function timesOf({ times = Infinity }) {
    if (times !== Infinity) validateInteger(times, "options.times", 1);
    return times;
}

/* What a class makes is of the class that was mocked, also when another one makes it. */
function construct(context, original, args, newTarget, mock) {
    const call = { arguments: args, error: undefined, result: undefined, stack: new Error(), target: original, this: undefined };
    try {
        call.result = call.this = Reflect.construct(context._next(), args, newTarget === mock ? original : newTarget);
        return call.result;
    } catch (error) {
        call.error = error;
        throw error;
    } finally {
        context._track(call);
    }
}

function apply(context, self, args) {
    const call = { arguments: args, error: undefined, result: undefined, stack: new Error(), target: undefined, this: self };
    try {
        call.result = Reflect.apply(context._next(), self, args);
        return call.result;
    } catch (error) {
        call.error = error;
        throw error;
    } finally {
        context._track(call);
    }
}

class MockTracker {
    #mocks = [];

    fn(original = function () {}, implementation = original, options = {}) {
        let [first, second, o] = [original, implementation, options];
        if (first !== null && typeof first === "object") [first, o] = [function () {}, first];
        if (second !== null && typeof second === "object") [second, o] = [first, second];
        if (typeof second !== "function") second = first;
        validateFunction(first, "original");
        validateFunction(second, "implementation");
        validateObject(o, "options");
        return this.#make(first, second, undefined, timesOf(o));
    }

    #make(original, implementation, restore, times) {
        const context = new MockFunctionContext(implementation, original, restore, times);
        this.#mocks.push(context);
        const mock = new Proxy(original, {
            apply: (target, self, args) => apply(context, self, args),
            construct: (target, args, newTarget) => construct(context, original, args, newTarget, mock),
            get: (target, key, receiver) => (key === "mock" ? context : Reflect.get(target, key, receiver)),
        });
        return mock;
    }

    method(object, name, implementation = undefined, options = {}) {
        let [second, o] = [implementation, options];
        if (second !== null && typeof second === "object") [second, o] = [undefined, second];
        if (object === null || (typeof object !== "object" && typeof object !== "function")) throw new ERR_INVALID_ARG_TYPE("object", "Object", object);
        if (typeof name !== "string" && typeof name !== "symbol") throw new ERR_INVALID_ARG_TYPE("methodName", ["string", "symbol"], name);
        if (second !== undefined) validateFunction(second, "implementation");
        validateObject(o, "options");
        const { getter = false, setter = false } = o;
        validateBoolean(getter, "options.getter");
        validateBoolean(setter, "options.setter");
        if (getter && setter) throw new ERR_INVALID_ARG_VALUE("options.setter", setter, "cannot be used with 'options.getter'");
        const times = timesOf(o), kind = getter ? "get" : setter ? "set" : "value";
        let owner = object, descriptor;
        while (owner !== null && (descriptor = Object.getOwnPropertyDescriptor(owner, name)) === undefined) owner = Object.getPrototypeOf(owner);
        const original = descriptor?.[kind];
        if (typeof original !== "function") throw new ERR_INVALID_ARG_VALUE("methodName", original, "must be a method");
        const own = Object.getOwnPropertyDescriptor(object, name);
        if (own?.configurable === false) throw new TypeError(`Cannot redefine property: ${String(name)}`);
        const mock = this.#make(original, second ?? original, () => void Object.defineProperty(object, name, descriptor), times);
        Object.defineProperty(object, name, { ...descriptor, [kind]: mock, configurable: true });
        return mock;
    }

    #accessor(kind, object, name, implementation, options) {
        let [second, o] = [implementation, options];
        if (second !== null && typeof second === "object") [second, o] = [undefined, second];
        validateObject(o, "options");
        if (o[kind] === false) throw new ERR_INVALID_ARG_VALUE(`options.${kind}`, false, "cannot be false");
        return this.method(object, name, second, { ...o, [kind]: o[kind] ?? true });
    }

    getter(object, name, implementation = undefined, options = {}) { return this.#accessor("getter", object, name, implementation, options); }
    setter(object, name, implementation = undefined, options = {}) { return this.#accessor("setter", object, name, implementation, options); }
    restoreAll() { for (const m of this.#mocks) m.restore(); }
    reset() {
        this.restoreAll();
        this.#mocks = [];
    }
}

module.exports = { mock: new MockTracker(), MockTracker, MockFunctionContext };
