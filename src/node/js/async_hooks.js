/*
 * node:async_hooks: AsyncLocalStorage and AsyncResource over the frame that linked code restores after its waits
 * (engine/js/als.js). What is registered explicitly (then, timers, microtasks) is bound here, once somebody imports
 * this module: nobody else pays.
 */
const { validateFunction, validateString, codes: { ERR_INVALID_ARG_TYPE } } = require("./errors.js");
const { frame, frameGet, frameRun } = web;

/* Runs fn in the frame that is current now. */
function bindFrame(fn) {
    const saved = frame.cur;
    return function (...args) {
        const outer = frame.cur;
        frame.cur = saved;
        try {
            return fn.apply(this, args);
        } finally {
            frame.cur = outer;
        }
    };
}

/* What was taken in one request is no use in another. */
function bindToRequest(fn) {
    const bound = bindFrame(fn), owner = web.context.current;
    if (owner === null || !web.compat.bind_asynclocalstorage_snapshot_to_request) return bound;
    return function (...args) {
        if (web.context.current !== null && web.context.current !== owner)
            throw new Error("Cannot call this AsyncLocalStorage bound function outside of the request in which it was created.");
        return bound.apply(this, args);
    };
}

class AsyncLocalStorage {
    #default;
    #name;

    constructor(options = undefined) {
        this.#default = options?.defaultValue;
        this.#name = options?.name ?? "";
    }

    get name() { return this.#name; }

    run(store, fn, ...args) {
        return frameRun(this, { store }, fn, args);
    }

    exit(fn, ...args) {
        return frameRun(this, { store: undefined }, fn, args);
    }

    getStore() {
        const found = frameGet(this);
        return found === undefined ? this.#default : found.store;
    }

    enterWith() {
        throw new Error("asyncLocalStorage.enterWith() is not implemented");
    }

    disable() {
        throw new Error("asyncLocalStorage.disable() is not implemented");
    }

    static bind(fn) {
        validateFunction(fn, "fn");
        return bindToRequest(fn);
    }

    static snapshot() {
        return bindToRequest((fn, ...args) => fn(...args));
    }
}

let nextId = 1;

class AsyncResource {
    #frame = frame.cur;
    #id = nextId++;
    #type;

    constructor(type, options = {}) {
        validateString(type, "type");
        this.#type = type;
        void options;
    }

    runInAsyncScope(fn, self = undefined, ...args) {
        const outer = frame.cur;
        frame.cur = this.#frame;
        try {
            return fn.apply(self, args);
        } finally {
            frame.cur = outer;
        }
    }

    emitDestroy() { return this; }
    asyncId() { return this.#id; }
    triggerAsyncId() { return 0; }
    get type() { return this.#type; }

    bind(fn, thisArg = undefined) {
        validateFunction(fn, "fn");
        const resource = this;
        return function (...args) {
            return resource.runInAsyncScope(fn, thisArg === undefined ? this : thisArg, ...args);
        };
    }

    static bind(fn, type = undefined, thisArg = undefined) {
        return new AsyncResource(type || fn.name || "bound-anonymous-fn").bind(fn, thisArg);
    }
}

const wrap = (fn) => (typeof fn === "function" && frame.cur !== null ? bindFrame(fn) : fn);

function patchMethod(object, name, make) {
    const original = object[name];
    if (typeof original !== "function") return;
    const { enumerable } = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { value: make(original), writable: true, configurable: true, enumerable });
}

/* catch() and finally() call then(). */
function patch() {
    patchMethod(Promise.prototype, "then", (then) => {
        const patched = { then(onValue, onError) {
            return frame.cur === null ? then.call(this, onValue, onError) : then.call(this, wrap(onValue), wrap(onError));
        } }.then;
        return patched;
    });
    for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"])
        patchMethod(globalThis, name, (original) => ({ [name]: (fn, ...args) => original(wrap(fn), ...args) }[name]));
    bindListeners(AbortSignal);
    // These classes come with scripts of their own: none is evaluated only because somebody has a context.
    for (const [script, name] of [["websocket", "WebSocket"], ["messages", "MessagePort"], ["eventsource", "EventSource"]]) {
        const exports = web.scriptLoaded(script);
        if (exports !== undefined) bindListeners(exports[name]);
        else web.onLoad(script, (loaded) => bindListeners(loaded[name]));
    }
}

/* Listeners for what the runtime itself fires; a plain EventTarget runs them in its dispatcher's frame, as in Node. */
function bindListeners({ prototype }) {
    const bound = new WeakMap(); // listener -> what was registered for it
    const add = prototype.addEventListener, remove = prototype.removeEventListener;
    const define = (name, value) => Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: true });
    define("addEventListener", function addEventListener(type, fn, options) {
        if (typeof fn === "function" && frame.cur !== null && !bound.has(fn)) bound.set(fn, bindFrame(fn));
        return add.call(this, type, bound.get(fn) ?? fn, options);
    });
    define("removeEventListener", function removeEventListener(type, fn) {
        if (bound.has(fn)) remove.call(this, type, bound.get(fn));
        return remove.call(this, type, fn);
    });
}
patch();

function createHook(hooks) {
    if (hooks === null || typeof hooks !== "object") throw new ERR_INVALID_ARG_TYPE("hooks", "Object", hooks);
    return { enable() { return this; }, disable() { return this; } };
}

module.exports = {
    AsyncLocalStorage, AsyncResource, createHook,
    executionAsyncId: () => 0, triggerAsyncId: () => 0, executionAsyncResource: () => ({}), asyncWrapProviders: {},
};
