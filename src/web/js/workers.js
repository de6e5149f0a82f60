/* The module `cloudflare:workers`, and those small ones beside it. */
import { flags } from "./compat.js";
import * as context from "./context.js";
import { Fetcher } from "./fetch.js";
import { load } from "./scripts.js";
import { addBase, RpcTarget } from "./rpc/target.js";

export class WorkerEntrypoint {
    constructor(ctx, env) {
        this.ctx = ctx;
        this.env = env;
    }
}

export class DurableObject {
    constructor(ctx, env) {
        this.ctx = ctx;
        this.env = env;
    }
}

export class WorkflowEntrypoint {
    constructor(ctx, env) {
        this.ctx = ctx;
        this.env = env;
    }
}

for (const { prototype } of [WorkerEntrypoint, DurableObject, WorkflowEntrypoint]) addBase(prototype);

/* The async-context frame (engine/js/als.js): an immutable list {key, value, parent}. */
export const frame = { cur: null };

export function frameGet(key) {
    for (let f = frame.cur; f !== null && f !== undefined; f = f.parent) if (f.key === key) return f.value;
    return undefined;
}

export function frameRun(key, value, fn, args = []) {
    const saved = frame.cur;
    frame.cur = { key, value, parent: saved };
    try {
        return fn(...args);
    } finally {
        frame.cur = saved;
    }
}

/* The isolate's env and exports, set when the Worker is loaded; exports are made when somebody asks. */
const world = { env: {}, makeExports: () => ({}), get exports() { return world.makeExports(); } };
export function setWorld(env, makeExports) {
    world.env = env;
    world.makeExports = makeExports;
}

/* For process.env. */
export const worldEnv = () => world.env;

function forward(name, writable) {
    const current = () => {
        const value = frameGet(name);
        if (!flags.disallow_importable_env) return value ?? world[name];
        return typeof value === "object" && value !== null ? value : {};
    };
    return new Proxy({}, {
        get: (_, key) => current()[key],
        has: (_, key) => key in current(),
        set: (_, key, value) => (writable ? Reflect.set(current(), key, value) : false),
        deleteProperty: (_, key) => (writable ? Reflect.deleteProperty(current(), key) : false),
        ownKeys: () => Reflect.ownKeys(current()),
        getOwnPropertyDescriptor(_, key) {
            const d = Reflect.getOwnPropertyDescriptor(current(), key);
            return d === undefined ? undefined : { ...d, configurable: true };
        },
        getPrototypeOf: () => Object.prototype,
    });
}

export function waitUntil(promise) {
    context.need().waitUntil(promise);
}

const noSpan = { setAttribute() { return noSpan; }, end() {}, isTraced: false };

function namespace(members) {
    const ns = Object.create(null);
    for (const name of Object.keys(members).sort()) Object.defineProperty(ns, name, Object.getOwnPropertyDescriptor(members, name));
    Object.defineProperty(ns, Symbol.toStringTag, { value: "Module" });
    return Object.freeze(ns);
}

export const workersModule = () => namespace({
    WorkerEntrypoint, DurableObject, WorkflowEntrypoint, RpcTarget, ServiceStub: Fetcher,
    get RpcStub() { return load("rpc").RpcStub; },
    get RpcPromise() { return load("rpc").RpcPromise; },
    get RpcProperty() { return load("rpc").RpcProperty; },
    env: forward("env", true),
    exports: forward("exports", false),
    withEnv: (env, fn) => frameRun("env", env, fn),
    withExports: (exports, fn) => frameRun("exports", exports, fn),
    withEnvAndExports: (env, exports, fn) => frameRun("env", env, () => frameRun("exports", exports, fn)),
    waitUntil,
    restore: Symbol.for("cloudflare:workers.restore"),
    tracing: { enterSpan: (name, fn, ...args) => fn(noSpan, ...args), startActiveSpan: (name, fn, ...args) => fn(noSpan, ...args) },
});

export class NonRetryableError extends Error {
    constructor(message, name = "NonRetryableError") {
        super(message);
        Object.defineProperty(this, "name", { value: name, writable: true, configurable: true });
    }
}

export const workflowsModule = () => namespace({ NonRetryableError });
export { namespace };
