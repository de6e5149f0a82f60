/* Namespaces, ids, stubs. https://developers.cloudflare.com/durable-objects/api/namespace/ */
import * as context from "../../web/js/context.js";
import { fetchObject } from "../../web/js/fetch.js";

const durable = native.durable;

const JURISDICTIONS = new Set(["eu", "fedramp", "fedramp-high", "us"]);
const HINTS = new Set(["wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"]);
const ROUTING = new Set(["primary-only"]);
const MAKE = Symbol("make");

export class DurableObjectId {
    #hex;
    #name;
    #jurisdiction;

    constructor(key, hex, name, jurisdiction) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#hex = hex;
        this.#name = name;
        this.#jurisdiction = jurisdiction;
        if (name !== undefined) Object.defineProperty(this, "name", { value: name, enumerable: true, configurable: true });
    }

    /* For the object itself: the gateway has checked it. */
    static of(key, hex, name) {
        return new DurableObjectId(MAKE, hex, name === "" ? undefined : name, durable.idCheck(key, hex) || undefined);
    }

    toString() { return this.#hex; }

    equals(other) {
        if (!(#hex in Object(other))) throw new TypeError("Failed to execute 'equals' on 'DurableObjectId': parameter 1 is not of type 'DurableObjectId'.");
        return other.#hex === this.#hex;
    }

    get jurisdiction() { return this.#jurisdiction; }

    static is(value) {
        return typeof value === "object" && value !== null && #hex in value;
    }
}
const isId = DurableObjectId.is;
delete DurableObjectId.is;
Object.defineProperty(DurableObjectId.prototype, Symbol.toStringTag, { value: "DurableObjectId", configurable: true });

/* RPC (product/rpc) sets `get(stub, name)`: what a property of a stub is that the stub does not have itself. `target`
 * of a stub: {binding, id (hex), name}. */
export const stubHook = { get: null };
const targets = new WeakMap();
export function stubTarget(stub) {
    return targets.get(stub);
}

class DurableObject {
    fetch(input, init) {
        const target = targets.get(this);
        if (target === undefined) throw new TypeError("Illegal invocation");
        return fetchObject(target.binding, target.hex, target.id.name ?? "", input, init);
    }

    get id() { return targets.get(this)?.id; }
    get name() { return targets.get(this)?.id.name; }

    connect() {
        throw new Error("Incoming TCP connections are not supported by this service.");
    }
}
Object.defineProperty(DurableObject.prototype, Symbol.toStringTag, { value: "DurableObject", configurable: true });

const handler = {
    get(base, name, stub) {
        if (name in base || typeof name === "symbol" || name === "then") {
            const value = Reflect.get(base, name, base);
            return typeof value === "function" && name !== "constructor" ? value.bind(base) : value;
        }
        if (stubHook.get !== null) return stubHook.get(base, name);
        return () => Promise.reject(new TypeError(`The RPC receiver does not implement the method "${name}": RPC is not available on this server.`));
    },
};

function makeStub(binding, id) {
    const base = Object.create(DurableObject.prototype);
    targets.set(base, { binding, id, hex: id.toString() });
    const stub = new Proxy(base, handler);
    targets.set(stub, targets.get(base));
    return stub;
}

export class DurableObjectNamespace {
    #binding;
    #key;
    #jurisdiction;

    constructor(key, binding, secret, jurisdiction) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#binding = binding;
        this.#key = secret;
        this.#jurisdiction = jurisdiction;
    }

    newUniqueId(options = undefined) {
        context.need();
        const jurisdiction = this.#jurisdiction ?? jurisdictionOf(options?.jurisdiction);
        return new DurableObjectId(MAKE, durable.idRandom(this.#key, jurisdiction ?? null), undefined, jurisdiction);
    }

    idFromName(name) {
        if (arguments.length === 0) throw new TypeError("Failed to execute 'idFromName' on 'DurableObjectNamespace': parameter 1 is not of type 'string'.");
        const text = String(name);
        return new DurableObjectId(MAKE, durable.idOfName(this.#key, this.#jurisdiction ?? null, text), text, this.#jurisdiction);
    }

    idFromString(text) {
        const hex = String(text).toLowerCase();
        if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError("Invalid Durable Object ID: must be 64 hex digits");
        const jurisdiction = durable.idCheck(this.#key, hex);
        if (jurisdiction === null) throw new TypeError("Durable Object ID is not valid for this namespace.");
        if (this.#jurisdiction !== undefined && jurisdiction !== this.#jurisdiction)
            throw new TypeError("Invalid Durable Object ID: must be from the same jurisdiction as the subnamespace");
        return new DurableObjectId(MAKE, hex, undefined, jurisdiction === "" ? undefined : jurisdiction);
    }

    get(id, options = undefined) {
        if (!isId(id)) throw new TypeError("Failed to execute 'get' on 'DurableObjectNamespace': parameter 1 is not of type 'DurableObjectId'.");
        if (this.#jurisdiction !== undefined && id.jurisdiction !== this.#jurisdiction)
            throw new TypeError("get called on jurisdictional subnamespace with an ID from a different jurisdiction");
        if (durable.idCheck(this.#key, id.toString()) === null) throw new TypeError("Durable Object ID is not valid for this namespace.");
        const { locationHint, routingMode } = options ?? {};
        if (routingMode !== undefined && !ROUTING.has(routingMode)) throw new RangeError(`unknown routingMode: ${routingMode}`);
        if (locationHint !== undefined && !HINTS.has(locationHint)) throw new RangeError(`unsupported locationHint: ${locationHint}`);
        return makeStub(this.#binding, id);
    }

    getByName(name, options = undefined) {
        return this.get(this.idFromName(name), options);
    }

    getExisting(id, options = undefined) {
        return this.get(id, options);
    }

    jurisdiction(name) {
        return new DurableObjectNamespace(MAKE, this.#binding, this.#key, jurisdictionOf(name));
    }
}
Object.defineProperty(DurableObjectNamespace.prototype, Symbol.toStringTag, { value: "DurableObjectNamespace", configurable: true });

function jurisdictionOf(name) {
    if (name === undefined || name === null) return undefined;
    if (!JURISDICTIONS.has(name)) throw new TypeError(`Invalid jurisdiction: ${name}`);
    return name;
}

export function makeNamespace(binding, config) {
    return new DurableObjectNamespace(MAKE, binding, config.key, undefined);
}
