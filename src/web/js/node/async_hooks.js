/* node:async_hooks: AsyncLocalStorage and AsyncResource over the frame that linked code restores. */
import { frame, frameGet, frameRun, namespace } from "../workers.js";

export class AsyncLocalStorage {
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

    enterWith(store) {
        frame.cur = { key: this, value: { store }, parent: frame.cur };
    }

    disable() {
        this.enterWith(undefined);
    }

    static bind(fn) {
        return bindFrame(fn);
    }

    static snapshot() {
        return bindFrame((fn, ...args) => fn(...args));
    }
}

export function bindFrame(fn) {
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

let nextId = 1;

export class AsyncResource {
    #frame = frame.cur;
    #id = nextId++;
    #type;

    constructor(type) {
        this.#type = type;
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

    bind(fn) {
        return (...args) => this.runInAsyncScope(fn, undefined, ...args);
    }

    static bind(fn) {
        return bindFrame(fn);
    }

    asyncId() { return this.#id; }
    triggerAsyncId() { return 0; }
    emitDestroy() { return this; }
    get type() { return this.#type; }
}

/* then(), catch(), finally() outside of linked async functions keep their frame too. Patched when the module
 * is first imported: nobody else pays. */
let patched = false;
function patchPromises() {
    if (patched) return;
    patched = true;
    const { prototype } = Promise;
    const { then } = prototype;
    const wrap = (fn) => (typeof fn === "function" && frame.cur !== null ? bindFrame(fn) : fn);
    Object.defineProperty(prototype, "then", {
        value: function (onValue, onError) {
            return then.call(this, wrap(onValue), wrap(onError));
        },
        writable: true,
        configurable: true,
    });
    for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]) {
        const original = global[name];
        Object.defineProperty(global, name, {
            value: (fn, ...args) => original(wrap(fn), ...args), writable: true, configurable: true, enumerable: true,
        });
    }
}

export function asyncHooksModule() {
    patchPromises();
    const members = {
        AsyncLocalStorage,
        AsyncResource,
        executionAsyncId: () => 0,
        triggerAsyncId: () => 0,
        executionAsyncResource: () => ({}),
        createHook: () => ({ enable() { return this; }, disable() { return this; } }),
    };
    return namespace({ ...members, default: members });
}
