/*
 * What a Worker holds: RpcStub, RpcPromise, RpcProperty, ServiceStub. Each is a Proxy over a shared target with a
 * handler of its own; any name that is not ours is a property of what is at the other end.
 */
import { DISPOSE } from "../dispose.js";
import { Fetcher } from "../fetch.js";
import { disposeAll, failed, localHook, noop, PromiseHook } from "./hooks.js";
import { encode, make, open } from "./payload.js";
import { HANDLER, handlerOf, isPlain, isTarget, PATH_MAX } from "./target.js";

const callable = () => {};
const object = {};

const STUB_DISPOSED = "RPC stub used after being disposed.";
const PROMISE_DISPOSED = "RPC promise used after being disposed.";

class Base {
    get(target, key) {
        if (key === HANDLER) return this;
        if (typeof key === "symbol") return this.symbol(key);
        const own = this.own(key);
        if (own !== undefined) return own;
        return key in this.prototype ? Reflect.get(this.prototype, key) : this.property(key);
    }

    symbol(key) {
        return Reflect.get(this.prototype, key);
    }

    own() {
        return undefined;
    }

    getPrototypeOf() { return this.prototype; }
    setPrototypeOf() { return false; }
    has(target, key) { return typeof key === "string" || key in this.prototype; }
    set() { return false; }
    defineProperty() { return false; }
    deleteProperty() { return false; }
    ownKeys() { return []; }
    getOwnPropertyDescriptor() { return undefined; }
    preventExtensions() { return false; }
}

function property(owner, path) {
    return new Proxy(callable, new PropertyHandler(owner, path));
}

/* Arguments that cannot be sent reject. */
function call(owner, path, args) {
    let outcome;
    try {
        const hook = owner.liveHook();
        outcome = hook.call(path, encode(args));
    } catch (error) {
        outcome = failed(error);
    }
    return new Proxy(callable, new PromiseHandler(outcome));
}

/* The value that came, given a way to dispose of what is in it. */
function received(payload) {
    const { value, stubs } = open(payload);
    if (typeof value !== "object" || value === null || handlerOf(value) !== undefined) return { value, stubs };
    const dispose = stubs === null ? noop : () => disposeAll(stubs);
    Object.defineProperty(value, DISPOSE, { value: dispose, writable: true, configurable: true });
    return { value, stubs };
}

class StubHandler extends Base {
    constructor(hook) {
        super();
        this.hook = hook;
    }

    get prototype() { return RpcStub.prototype; }

    apply(target, self, args) {
        return call(this, [], args);
    }

    liveHook() {
        if (this.hook === null) throw new Error(STUB_DISPOSED);
        return this.hook;
    }

    hookToSend() {
        return this.liveHook().dup();
    }

    own(key) {
        switch (key) {
        case "dup": return () => makeStub(this.liveHook().dup());
        case "onRpcBroken": return (fn) => this.liveHook().onBroken(fn);
        default: return undefined;
        }
    }

    /* A stub is no thenable: it would be called when somebody awaits it. */
    get(target, key) {
        return key === "then" ? undefined : super.get(target, key);
    }

    symbol(key) {
        return key === DISPOSE ? () => this.dispose() : super.symbol(key);
    }

    property(key) {
        return property(this, [key]);
    }

    dispose() {
        const { hook } = this;
        this.hook = null;
        hook?.dispose();
    }

    moved() {
        this.dispose();
    }
}

export function makeStub(hook) {
    return new Proxy(callable, new StubHandler(hook));
}

/* owner: whose hook the path begins at. */
class PropertyHandler extends Base {
    constructor(owner, path) {
        super();
        this.owner = owner;
        this.path = path;
        this.value = null;
    }

    get prototype() { return RpcProperty.prototype; }

    apply(target, self, args) {
        return call(this.owner, this.path, args);
    }

    own(key) {
        switch (key) {
        case "then": return (a, b) => this.promise().then(a, b);
        case "catch": return (a) => this.promise().catch(a);
        case "finally": return (a) => this.promise().finally(a);
        default: return undefined;
        }
    }

    property(key) {
        if (this.path.length >= PATH_MAX) throw new TypeError(`RPC pipelined property path is too deep (max ${PATH_MAX}).`);
        return property(this.owner, [...this.path, key]);
    }

    promise() {
        if (this.value === null) {
            let outcome;
            try {
                outcome = this.owner.liveHook().call(this.path, null);
            } catch (error) {
                outcome = failed(error);
            }
            this.value = outcome.payload.then((payload) => received(payload).value);
        }
        return this.value;
    }

    /* A stub of the property: calls on it go to wherever it leads. */
    liveHook() {
        return new PathHook(this.owner.liveHook().dup(), this.path);
    }

    hookToSend() {
        return this.liveHook();
    }

    dispose() {}
    moved() {}
}

/* A hook with a path in front of every call. */
export class PathHook {
    constructor(hook, path) {
        this.hook = hook;
        this.path = path;
    }

    call(path, payload) {
        return this.hook.call([...this.path, ...path], payload);
    }

    dup() {
        return new PathHook(this.hook.dup(), this.path);
    }

    dispose() {
        this.hook.dispose();
    }

    onBroken(fn) {
        this.hook.onBroken(fn);
    }
}

class PromiseHandler extends Base {
    constructor(outcome) {
        super();
        this.outcome = outcome;
        this.value = null;
        this.result = null; // {value, stubs} once opened
        this.disposed = false;
    }

    get prototype() { return RpcPromise.prototype; }

    apply(target, self, args) {
        return call(this, [], args);
    }

    own(key) {
        switch (key) {
        case "then": return (a, b) => this.promise().then(a, b);
        case "catch": return (a) => this.promise().catch(a);
        case "finally": return (a) => this.promise().finally(a);
        case "onRpcBroken": return (fn) => this.liveHook().onBroken(fn);
        default: return undefined;
        }
    }

    symbol(key) {
        return key === DISPOSE ? () => this.dispose() : super.symbol(key);
    }

    property(key) {
        return property(this, [key]);
    }

    promise() {
        if (this.value === null) {
            this.value = this.outcome.payload.then((payload) => {
                this.result = received(payload);
                return this.result.value;
            });
        }
        return this.value;
    }

    /* Before the result is here: the pipeline. Afterwards: the result. */
    liveHook() {
        if (this.disposed) throw new Error(PROMISE_DISPOSED);
        if (this.result === null) return this.outcome.hook;
        const handler = handlerOf(this.result.value);
        return handler === undefined ? localHook(this.result.value) : handler.liveHook();
    }

    hookToSend() {
        return this.liveHook().dup();
    }

    dispose() {
        if (this.disposed) return;
        this.disposed = true;
        if (this.value !== null) {
            this.value.then(() => disposeAll(this.result.stubs), noop);
            this.outcome.hook.finish?.();
            return;
        }
        /* Who awaits it still gets the result. */
        this.outcome.payload.then((payload) => {
            if (this.value === null) payload.drop();
        }, noop);
        this.outcome.hook.dispose();
        this.outcome.hook.finish?.();
    }

    moved() {}
}

/* --- the classes --- */

export class RpcStub {
    constructor(value) {
        if ((typeof value !== "object" && typeof value !== "function") || value === null)
            throw new TypeError("Failed to construct 'JsRpcStub': constructor parameter 1 is not of type 'Object'.");
        const usable = (typeof value === "object" && value !== null && (isTarget(value) || isPlain(value))) || typeof value === "function";
        if (!usable) throw new TypeError("RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.");
        const handler = handlerOf(value);
        return makeStub(handler === undefined ? localHook(value) : handler.hookToSend());
    }
}

export class RpcPromise {
    constructor() {
        throw new TypeError("Illegal constructor");
    }
}

export class RpcProperty {
    constructor() {
        throw new TypeError("Illegal constructor");
    }
}

for (const [cls, tag] of [[RpcStub, "JsRpcStub"], [RpcPromise, "JsRpcPromise"], [RpcProperty, "JsRpcProperty"]])
    Object.defineProperty(cls.prototype, Symbol.toStringTag, { value: tag, configurable: true });

/* --- service bindings and whatever else begins a session for each call --- */

class ServiceHandler extends Base {
    constructor(hook, members, prototype) {
        super();
        this.hook = hook;
        this.members = members;
        this.prototype = prototype;
        this.cache = new Map();
        this.added = new Set();
    }

    apply(target, self, args) {
        return this.members.call(...args);
    }

    own(key) {
        return Object.hasOwn(this.members, key) ? this.members[key] : undefined;
    }

    get(target, key) {
        if (key === HANDLER) return this;
        if (typeof key === "symbol") return Reflect.get(this.prototype, key);
        if (Object.hasOwn(this.members, key)) return this.members[key];
        if (key === "then" || key === "toJSON") return undefined;
        if (key in this.prototype) return Reflect.get(this.prototype, key);
        let found = this.cache.get(key);
        if (found === undefined) {
            found = property(this, [key]);
            if (this.cache.size < 256) this.cache.set(key, found);
        }
        return found;
    }

    /* Whoever holds it may put something of his own on it; what it had stays. */
    set(target, key, value) {
        if (typeof key !== "string" || (Object.hasOwn(this.members, key) && !this.added.has(key))) return false;
        this.added.add(key);
        this.members[key] = value;
        return true;
    }

    getOwnPropertyDescriptor(target, key) {
        return typeof key === "string" && Object.hasOwn(this.members, key) && key !== "fetch" && key !== "connect" && key !== "call"
            ? { value: this.members[key], enumerable: true, configurable: true, writable: this.added.has(key) } : undefined;
    }

    ownKeys() {
        return Object.keys(this.members).filter((key) => key !== "fetch" && key !== "connect" && key !== "call");
    }

    liveHook() { return this.hook; }
    hookToSend() { return this.hook.dup(); }
    dispose() {}
    moved() {}
}

/* Begins a session for each call. start(path) → Session whose main object is what the path begins at. */
class SessionHook {
    constructor(start, members) {
        this.start = start;
        this.members = members;
    }

    call(path, payload) {
        if (path.length > PATH_MAX) return failed(new TypeError(`RPC pipelined property path is too deep (max ${PATH_MAX}).`));
        if (path.length === 1 && payload !== null && path[0] === "fetch" && this.members.fetch !== undefined)
            return localHook({ fetch: this.members.fetch }).call(path, payload);
        let session;
        try {
            session = this.start(path);
        } catch (error) {
            payload?.drop();
            return failed(error);
        }
        return session.callMain(path, payload);
    }

    dup() { return this; }
    dispose() {}
    onBroken() {}
}

/* A stub around a hook of its own kind. members: what the stub has itself, `fetch` among it; `call`, if there, makes it
 * callable. prototype: what it is an instance of. */
export function makeStubOf(hook, members, prototype = Fetcher.prototype) {
    return new Proxy(members.call === undefined ? object : callable, new ServiceHandler(hook, members, prototype));
}

/*
 * The stub of something remote that needs no session to exist: a service binding, a Durable Object.
 * start(path) → Session, for each method call (serve.js: openSession).
 */
export function makeServiceStub(start, members, prototype = Fetcher.prototype) {
    return makeStubOf(new SessionHook(start, members), members, prototype);
}

make.stub = makeStub;
make.local = localHook;
make.service = (hook) => {
    const fetch = (...args) => call({ liveHook: () => hook }, ["fetch"], args).then((value) => value);
    return makeStubOf(hook, { fetch });
};

export { PromiseHook };
