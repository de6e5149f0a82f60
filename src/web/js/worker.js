/* A loaded Worker: its exports classified, its env, and how each kind of entrypoint is called. */
import * as workers from "./workers.js";
import * as context from "./context.js";
import { ExecutionContext, setExports } from "./event.js";
import { setDynamic, unpack } from "./rpc/grants.js";
import { handlerCall, makeLoopback } from "./rpc/loopback.js";
import { makeService } from "./rpc/serve.js";
import { builtins } from "./builtins.js";
import { compileModule, isModule } from "./wasm.js";
import { setModules, serviceWorker } from "./service_worker.js";
import { makeWasi } from "./wasi.js";
import { makeObjectClass, setClassOf } from "../../product/durable/facets.js";
import { makeProducts } from "../../product/products.js";

const HANDLERS = ["fetch", "scheduled", "queue", "email", "tail", "trace", "tailStream", "connect", "test", "alarm"];

/* --- env --- */

const PLAIN = {
    plain_text: (config) => config.text,
    secret_text: (config) => config.text,
    json: (config) => config.json,
    wasm_module: (config, spec, readFile) => compileModule(readFile(config.file, "wasm")),
    text_blob: (config, spec, readFile) => readFile(config.file, "text"),
    data_blob: (config, spec, readFile) => readFile(config.file, "data"),
    version_metadata: (config, spec) => ({
        id: spec.version, tag: spec.version_tag ?? "", timestamp: new Date(spec.created_ms ?? 0).toISOString(),
    }),
};

function makeEnv(spec, readFile) {
    const factories = makeProducts(native);
    const env = {};
    (spec.bindings ?? []).forEach((config, index) => {
        const { name, type } = config;
        if (Object.hasOwn(factories, type)) env[name] = factories[type](index, config);
        else if (Object.hasOwn(PLAIN, type)) env[name] = PLAIN[type](config, spec, readFile);
        // Types that are not known here are stored and listed by the API, and absent from env.
    });
    return spec.dynamic ? broughtEnv(spec, readFile) : env;
}

/* The env that the Worker which brought this one has given. */
function broughtEnv(spec, readFile) {
    setDynamic();
    const bytes = new Uint8Array(readFile("env", "data"));
    return bytes.length === 0 ? {} : unpack(bytes, spec.env_bindings.map((index) => makeService(index)));
}

/* --- classification of exports --- */

function kindOf(value) {
    if (typeof value === "object" && value !== null) return "object";
    if (typeof value !== "function" || !/^class\b/.test(Function.prototype.toString.call(value))) return null;
    for (let c = value; c !== null; c = Object.getPrototypeOf(c)) {
        if (c === workers.WorkerEntrypoint) return "entrypoint";
        if (c === workers.DurableObject) return "object-class";
        if (c === workers.WorkflowEntrypoint) return "workflow";
    }
    return "object-class";
}

function handlersOf(target) {
    return HANDLERS.filter((name) => typeof target[name] === "function");
}

function handlerMissing(name) {
    if (name !== "fetch") return new Error(`Handler does not export a ${name}() function${name === "scheduled" ? "" : "."}`);
    const text = "Received a FetchEvent but we lack a handler for FetchEvents. Did you remember to export a fetch() function?";
    context.current?.log("error", [text], text.length);
    return new Error("Handler does not export a fetch() function.");
}

/* An outbound Worker's event brings variables of its own. */
const envOf = (env, invocation) => (invocation.variables === null ? env : { ...env, ...invocation.variables });

/* Each entry gives {fetch(request, invocation), scheduled(controller, invocation), tail(items, invocation)}. */
function objectEntry(handler, env) {
    const call = (name) => (argument, invocation, ctx = undefined) => {
        const fn = handler[name];
        if (typeof fn !== "function") throw handlerMissing(name);
        return fn.call(handler, argument, envOf(env, invocation), ctx ?? new ExecutionContext(invocation));
    };
    return { fetch: call("fetch"), scheduled: call("scheduled"), tail: call("tail"), receiver: (ctx) => ({ object: handler, options: { apply: handlerCall(env, ctx) } }) };
}

function classEntry(Class, env) {
    const call = (name) => (argument, invocation, ctx = undefined) => {
        const instance = new Class(ctx ?? new ExecutionContext(invocation), envOf(env, invocation));
        if (typeof instance[name] !== "function") throw handlerMissing(name);
        return instance[name](argument);
    };
    return { fetch: call("fetch"), scheduled: call("scheduled"), tail: call("tail"), receiver: (ctx) => ({ object: new Class(ctx, env), options: {} }) };
}

function throwingEntry(error) {
    const fail = () => {
        throw error();
    };
    return { fetch: fail, scheduled: fail, tail: fail, receiver: fail };
}

export class Worker {
    constructor(spec, createRegistry) {
        this.spec = spec;
        this.createRegistry = createRegistry;
        this.evaluate = null;
        this.readFile = null;
        this.env = null;
        this.exported = null;
        this.entries = new Map();
        this.main = null; // the default entry
        this.loopback = null; // ctx.exports, once asked for
    }

    /* The JSON of the handlers' names, or a promise of it. */
    load(evaluate, readFile) {
        this.evaluate = evaluate;
        this.readFile = readFile;
        this.env = makeEnv(this.spec, this.readFile);
        workers.setWorld(this.env, () => this.exportsObject());
        setModules(this.spec.format !== "service-worker");
        switch (this.spec.format) {
        case "service-worker": return this.loadScript();
        case "wasi": return this.loadWasi();
        default: return this.loadModules();
        }
    }

    loadModules() {
        const registry = this.createRegistry({
            builtins: builtins(this.spec, () => registry, this.readFile),
            assets: { load: (name, type) => this.asset(name, type) },
            flags: {
                requireReturnsDefault: this.hasFlag("require_returns_default_export", "2026-01-22"),
                newRegistry: this.hasFlag("new_module_registry"),
            },
            frame: workers.frame,
        });
        const register = this.evaluate();
        if (typeof register === "function") register(registry.rt);
        const namespace = registry.evaluate();
        return typeof namespace.then === "function" && Object.getPrototypeOf(namespace) !== null
            ? namespace.then((ns) => this.loaded(ns)) : this.loaded(namespace);
    }

    hasFlag(name, since) {
        const { date = "", flags = [] } = this.spec.compat ?? {};
        return flags.includes(name) || (since !== undefined && date >= since);
    }

    asset(name, type) {
        const module = (this.spec.modules ?? []).find((m) => m.name === name || m.name.replace(/^\.\//, "") === name.replace(/^\.\//, ""));
        if (module === undefined) throw new Error(`No such module "${name}".`);
        return this.readFile(module.file, type);
    }

    loaded(namespace) {
        this.exported = namespace;
        setExports(() => this.exportsObject());
        this.main = this.makeEntry("default");
        const value = namespace.default;
        const target = typeof value === "function" ? value.prototype : value;
        let handlers = target === null || target === undefined ? [] : handlersOf(target);
        if (handlers.length === 0 && serviceWorker.handlers().length > 0) {
            this.main = serviceWorker;
            handlers = serviceWorker.handlers();
        }
        return JSON.stringify(handlers);
    }

    makeEntry(name) {
        const value = this.exported[name];
        switch (kindOf(value)) {
        case "object": return objectEntry(value, this.env);
        case "entrypoint": return classEntry(value, this.env);
        case "object-class": case "workflow":
            return throwingEntry(() => new TypeError(`The entrypoint name ${name} refers to a Durable Object class, but the incoming request is trying to invoke it as a stateless worker.`));
        default:
            return throwingEntry(() => (name === "default" ? handlerMissing("fetch")
                : new TypeError(`The entrypoint name ${name} was not found in this worker. Ensure the worker exports an entrypoint with that name.`)));
        }
    }

    entry(name) {
        if (name === "" || name === "default") return this.main;
        let entry = this.entries.get(name);
        if (entry === undefined) {
            entry = this.makeEntry(name);
            if (kindOf(this.exported?.[name]) !== null) this.entries.set(name, entry);
        }
        return entry;
    }

    /* ctx.exports: loopback to the entrypoints of this Worker, called in place. */
    exportsObject() {
        if (this.loopback !== null) return this.loopback;
        this.loopback = {};
        for (const name of Object.keys(this.exported ?? {})) {
            const kind = kindOf(this.exported[name]);
            if (kind === "object" || kind === "entrypoint") this.loopback[name] = makeLoopback(() => this.entry(name), name);
            else if (kind === "object-class") this.loopNamespace(name);
        }
        return this.loopback;
    }

    /* A class of Durable Objects: its namespace where that is bound as well, since the gateway grants calls by binding; else the class. */
    loopNamespace(name) {
        const bindings = this.spec.bindings ?? [];
        const own = bindings.find((b) => b.type === "durable_object_class" && b.class_name === name);
        const bound = bindings.find((b) => own !== undefined && b.type === "durable_object_namespace" && b.namespace_id === own.namespace_id);
        if (bound === undefined) {
            this.loopback[name] = makeObjectClass(this.exported[name]);
            return;
        }
        this.loopback[name] = this.env[bound.name];
        setClassOf(this.env[bound.name], this.exported[name]);
    }

    loadScript() {
        for (const [name, value] of Object.entries(this.env))
            Object.defineProperty(global, name, { value, writable: true, configurable: true, enumerable: true });
        const register = this.evaluate();
        if (typeof register === "function") {
            const registry = this.createRegistry({ builtins: builtins(this.spec, () => registry, this.readFile), frame: workers.frame });
            register(registry.rt);
            registry.evaluate();
        }
        this.main = serviceWorker;
        return JSON.stringify(serviceWorker.handlers());
    }

    loadWasi() {
        const file = (this.spec.modules ?? []).find((m) => m.name === this.spec.main)?.file ?? this.spec.modules?.[0]?.file ?? "m0";
        const module = compileModule(this.readFile(file, "wasm"));
        if (!isModule(module)) throw new TypeError("The main module is not WebAssembly.");
        this.main = makeWasi(module, this.env, this.spec.main);
        return '["fetch"]';
    }
}
