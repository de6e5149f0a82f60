/* node:test: only its mocks, as upstream. */
const { validateFunction, codes: { ERR_INVALID_ARG_VALUE } } = require("./errors.js");

class MockFunctionContext {
    #calls = [];
    #implementation;
    #original;
    #restore;
    #once = new Map();

    constructor(implementation, original, restore) {
        this.#implementation = implementation;
        this.#original = original;
        this.#restore = restore;
    }

    get calls() { return this.#calls.slice(); }
    callCount() { return this.#calls.length; }
    mockImplementation(fn) {
        validateFunction(fn, "implementation");
        this.#implementation = fn;
    }

    mockImplementationOnce(fn, at = this.#calls.length) {
        validateFunction(fn, "implementation");
        this.#once.set(at, fn);
    }

    resetCalls() { this.#calls = []; }
    restore() {
        this.#implementation = this.#original;
        this.#restore?.();
    }

    _next() {
        const n = this.#calls.length, fn = this.#once.get(n) ?? this.#implementation;
        this.#once.delete(n);
        return fn;
    }

    _track(call) { this.#calls.push(call); }
}

class MockTracker {
    #mocks = [];

    fn(original = function () {}, implementation = original, options = undefined) {
        const impl = typeof implementation === "function" ? implementation : original;
        void options;
        return this.#make(original, impl, undefined);
    }

    #make(original, implementation, restore) {
        const context = new MockFunctionContext(implementation, original, restore);
        this.#mocks.push(context);
        return new Proxy(original, {
            apply(_, self, args) {
                const fn = context._next();
                let result, error;
                try {
                    return (result = Reflect.apply(fn, self, args));
                } catch (e) {
                    error = e;
                    throw e;
                } finally {
                    context._track({ arguments: args, error, result, stack: new Error(), target: undefined, this: self });
                }
            },
            construct(target, args, newTarget) {
                const result = Reflect.construct(context._next(), args, newTarget);
                context._track({ arguments: args, error: undefined, result, stack: new Error(), target: newTarget, this: result });
                return result;
            },
            get: (target, key, receiver) => (key === "mock" ? context : Reflect.get(target, key, receiver)),
        });
    }

    method(object, name, implementation = undefined, options = undefined) {
        const o = typeof implementation === "object" && implementation !== null ? implementation : options ?? {};
        const kind = o.getter ? "get" : o.setter ? "set" : "value";
        let owner = object, descriptor;
        while (owner !== null && (descriptor = Object.getOwnPropertyDescriptor(owner, name)) === undefined) owner = Object.getPrototypeOf(owner);
        const original = descriptor?.[kind];
        if (typeof original !== "function") throw new ERR_INVALID_ARG_VALUE("methodName", original, "must be a method");
        const own = Object.hasOwn(object, name);
        const mock = this.#make(original, typeof implementation === "function" ? implementation : original, () => {
            if (own) Object.defineProperty(object, name, descriptor);
            else delete object[name];
        });
        Object.defineProperty(object, name, { ...descriptor, [kind]: mock, configurable: true });
        return mock;
    }

    getter(object, name, implementation = undefined, options = undefined) { return this.method(object, name, implementation, { ...options, getter: true }); }
    setter(object, name, implementation = undefined, options = undefined) { return this.method(object, name, implementation, { ...options, setter: true }); }
    restoreAll() { for (const m of this.#mocks) m.restore(); }
    reset() {
        this.restoreAll();
        this.#mocks = [];
    }
}

module.exports = { mock: new MockTracker(), MockTracker, MockFunctionContext };
