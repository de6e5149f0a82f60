/*
 * `env.LOADER`: Workers that this Worker brings, each in an isolate of its own (role/gateway_loader.c).
 * https://developers.cloudflare.com/dynamic-workers/api-reference/
 *
 * Calls are sent at once and wait in the gateway; meanwhile the first of them asks whether the code is wanted, and brings it.
 */
import * as context from "../../web/js/context.js";
import { utf8 } from "../../web/js/encoding.js";
import { fetchObject } from "../../web/js/fetch.js";
import { grantOfFetcher, pack, packText } from "../../web/js/rpc/grants.js";
import { makeLoaded } from "../../web/js/rpc/serve.js";
import { flags } from "../../web/js/compat.js";

const CODE_MAX = 64 * 1024 * 1024, ENV_MAX = 1024 * 1024;
const ASK_AGAIN_MS = 300_000; // half of what the gateway keeps code that nobody calls
/* What is said about a Worker, as methods: is its code wanted, here it is, there is none. */
const ASK = "GET", CODE = "PUT", FAIL = "POST";
const MAKE = Symbol("make");

/* --- code --- */

/* Members of a module that is an object → the linker's types. */
const TYPES = { js: "esm", cjs: "cjs", text: "text", data: "data", json: "json", py: "py", wasm: "wasm" };
const SCRIPTS = new Set(["esm", "cjs"]);

function bytesOf(name, value) {
    if (value instanceof ArrayBuffer) return new Uint8Array(value.slice(0));
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    throw new TypeError(`Incorrect type for the '${name}' field on 'Module': the provided value is not of type 'ArrayBuffer or ArrayBufferView'.`);
}

function contentOf(kind, value) {
    switch (kind) {
    case "data": case "wasm": return bytesOf(kind, value);
    case "json": return utf8(JSON.stringify(value));
    default: return utf8(String(value));
    }
}

function textModule(name, text) {
    if (name.endsWith(".js")) return { name, type: "esm", bytes: utf8(text) };
    if (name.endsWith(".py")) return { name, type: "py", bytes: utf8(text) };
    const hint = /\.(ts|tsx|jsx)$/.test(name)
        ? ". If you're trying to load TypeScript, bundle it first with '@cloudflare/worker-bundler' and pass the generated JavaScript modules." : "";
    throw new TypeError(`Module name must end with '.js' or '.py' (or the content must be an object indicating the type explicitly). Got: ${name}${hint}`);
}

function moduleOf(name, value) {
    if (typeof value !== "object" || value === null) return textModule(name, String(value));
    const kinds = Object.keys(TYPES).filter((kind) => value[kind] !== undefined);
    if (kinds.length !== 1)
        throw new TypeError(`Each module must contain exactly one of 'js', 'cjs', 'text', 'data', 'json', 'py', or 'wasm'. Module '${name}' contained ${kinds.length} properties.`);
    return { name, type: TYPES[kinds[0]], bytes: contentOf(kinds[0], value[kinds[0]]) };
}

function modulesOf({ modules, mainModule }) {
    const list = Object.entries(Object(modules)).map(([name, value]) => moduleOf(name, value));
    if (list.length === 0) throw new TypeError("Dynamic Worker code must contain at least one module.");
    const isPython = String(mainModule).endsWith(".py");
    for (const { name, type } of list) {
        if (isPython && SCRIPTS.has(type)) throw new TypeError(`Module "${name}" is a JS module, but the main module is a Python module.`);
        if (!isPython && type === "py") throw new TypeError(`Module "${name}" is a Python module, but the main module isn't a Python module.`);
    }
    if (isPython) throw new Error("Python Workers are not available on this server.");
    const size = list.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (size > CODE_MAX) throw new Error(`Dynamic Worker code size (${size} bytes) exceeds the maximum allowed size of ${CODE_MAX} bytes.`);
    return list;
}

function envOf(env) {
    if (env === undefined) return { bytes: new Uint8Array(0), services: [] };
    const packed = pack(env);
    if (packed.bytes.length > ENV_MAX)
        throw new Error(`Dynamic Worker env size (${packed.bytes.length} bytes) exceeds the maximum allowed size of ${ENV_MAX} bytes.`);
    return packed;
}

function checkCode(code) {
    if (typeof code !== "object" || code === null) throw new TypeError("The code of a dynamic Worker must be an object.");
    for (const name of ["compatibilityDate", "mainModule", "modules"])
        if (code[name] === undefined) throw new TypeError(`Missing field '${name}' in 'WorkerCode'.`);
    if (code.allowExperimental && !flags.experimental)
        throw new Error("'allowExperimental' is only allowed when the calling worker has the 'experimental' compat flag set.");
    if (!/^\d{4}-\d{2}-\d{2}$/.test(code.compatibilityDate)) throw new Error(`Invalid compatibility date: ${code.compatibilityDate}`);
}

/* What is sent: u32 length, a description, the env, the modules. */
function bodyOf(code) {
    checkCode(code);
    const modules = modulesOf(code), env = envOf(code.env);
    const about = {
        main: String(code.mainModule), compat: { date: code.compatibilityDate, flags: [...(code.compatibilityFlags ?? [])].map(String) },
        limits: code.limits, modules: modules.map(({ name, type, bytes }) => ({ name, type, size: bytes.length })),
        env_size: env.bytes.length, services: env.services,
    };
    if (code.globalOutbound !== undefined) about.outbound = code.globalOutbound === null ? null : grantOfFetcher(code.globalOutbound, "globalOutbound");
    const head = utf8(JSON.stringify(about)), parts = [head, env.bytes, ...modules.map(({ bytes }) => bytes)];
    const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 4));
    new DataView(body.buffer).setUint32(0, head.length, true);
    let at = 4;
    for (const part of parts) {
        body.set(part, at);
        at += part.length;
    }
    return body;
}

/* --- the stubs --- */

const optionsOf = (options) => {
    const { props, limits } = options ?? {};
    return { props: props === undefined ? undefined : packText(props), limits };
};

export class WorkerStub {
    #binding;
    #key;
    #getCode;
    #askedAt = -Infinity;

    constructor(key, binding, name, getCode) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#binding = binding;
        this.#key = name;
        this.#getCode = getCode;
    }

    #send(method, body) {
        const said = JSON.stringify({ key: this.#key, about: true });
        return fetchObject(this.#binding, said, "", "http://loader/", { method, body });
    }

    async #bring() {
        const { status } = await this.#send(ASK);
        if (status !== 404) return;
        let body;
        try {
            body = bodyOf(await this.#getCode());
        } catch (error) {
            await this.#send(FAIL, error instanceof Error ? `${error.name}: ${error.message}` : `Error: ${error}`);
            return;
        }
        await this.#send(CODE, body);
    }

    /* The code is asked for once in a while, since the gateway may have forgotten it. */
    #ready() {
        const now = native.io.clock[0];
        if (now - this.#askedAt < ASK_AGAIN_MS) return;
        this.#askedAt = now;
        context.need().waitUntil(this.#bring());
    }

    getEntrypoint(name = undefined, options = undefined) {
        const entrypoint = name === undefined || name === null || name === "default" ? "" : String(name);
        const said = JSON.stringify({ key: this.#key, ...optionsOf(options) });
        return makeLoaded(this.#binding, said, entrypoint, () => this.#ready());
    }

    getDurableObjectClass() {
        throw new Error("Classes of Durable Objects in dynamic Workers are not available on this server.");
    }
}
Object.defineProperty(WorkerStub.prototype, Symbol.toStringTag, { value: "WorkerStub", configurable: true });

export class WorkerLoader {
    #binding;

    constructor(key, binding) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#binding = binding;
    }

    #stub(name, getCode) {
        context.need();
        return new WorkerStub(MAKE, this.#binding, name, getCode);
    }

    get(name, getCode) {
        if (typeof getCode !== "function")
            throw new TypeError("Failed to execute 'get' on 'WorkerLoader': parameter 2 is not of type 'Function'.");
        return this.#stub(name === undefined || name === null ? unique() : `name:${name}`, getCode);
    }

    load(code) {
        bodyOf(code); // what is wrong with it is said here
        return this.#stub(unique(), () => code);
    }
}
Object.defineProperty(WorkerLoader.prototype, Symbol.toStringTag, { value: "WorkerLoader", configurable: true });

const unique = () => `one:${native.crypto.uuid()}`;

export function make() {
    return (index) => new WorkerLoader(MAKE, index);
}
