/* Namespaces, ids, stubs. https://developers.cloudflare.com/durable-objects/api/namespace/ */
import * as context from "../../web/js/context.js";
import { Fetcher, fetchObject } from "../../web/js/fetch.js";
import { makeObjectStub } from "../../web/js/rpc/serve.js";
import { classHere } from "./instance.js";

const durable = native.durable;

const JURISDICTIONS = new Set(["eu", "fedramp", "fedramp-high", "us"]);
const HINTS = new Set(["wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"]);
const ROUTING = new Set(["primary-only"]);
const MAKE = Symbol("make");
const NAMES_MOST = 256, NAME_LONG = 128; // ids of so many names, of so many characters each, are not computed again

export class DurableObjectId {
    #hex;
    #name;
    #jurisdiction;
    #secret; // of the namespace that has made or checked it

    constructor(key, hex, name, jurisdiction, secret) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#hex = hex;
        this.#name = name;
        this.#jurisdiction = jurisdiction;
        this.#secret = secret;
        if (name !== undefined) Object.defineProperty(this, "name", { value: name, enumerable: true, configurable: true });
    }

    /* For the object itself: the gateway has checked it. */
    static of(key, hex, name) {
        return new DurableObjectId(MAKE, hex, name === "" ? undefined : name, durable.idCheck(key, hex) || undefined, key);
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

    static isOf(id, secret) { return id.#secret === secret; }
}
const { is: isId, isOf } = DurableObjectId;
delete DurableObjectId.is;
delete DurableObjectId.isOf;
Object.defineProperty(DurableObjectId.prototype, Symbol.toStringTag, { value: "DurableObjectId", configurable: true });

class DurableObject extends Fetcher {}
Object.defineProperty(DurableObject.prototype, Symbol.toStringTag, { value: "DurableObject", configurable: true });

function makeStub(binding, namespace, id) {
    const hex = id.toString(), { name } = id, place = () => classHere(namespace, hex);
    return makeObjectStub({ binding, hex, name: name ?? "", place }, {
        id, name,
        fetch: (input, init = undefined) => fetchObject(binding, hex, name ?? "", input, init, place),
        connect() {
            throw new Error("Incoming TCP connections are not supported by this service.");
        },
    }, DurableObject.prototype);
}

export class DurableObjectNamespace {
    #binding;
    #config;
    #key;
    #jurisdiction;
    #hexes = new Map(); // of names that were asked for lately

    constructor(key, binding, config, jurisdiction) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#binding = binding;
        this.#config = config;
        this.#key = config.key;
        this.#jurisdiction = jurisdiction;
    }

    newUniqueId(options = undefined) {
        context.need();
        const jurisdiction = this.#jurisdiction ?? jurisdictionOf(options?.jurisdiction);
        return new DurableObjectId(MAKE, durable.idRandom(this.#key, jurisdiction ?? null), undefined, jurisdiction, this.#key);
    }

    idFromName(name) {
        if (arguments.length === 0) throw new TypeError("Failed to execute 'idFromName' on 'DurableObjectNamespace': parameter 1 is not of type 'string'.");
        const text = String(name);
        return new DurableObjectId(MAKE, this.#hexOf(text), text, this.#jurisdiction, this.#key);
    }

    #hexOf(name) {
        let hex = this.#hexes.get(name);
        if (hex !== undefined) return hex;
        hex = durable.idOfName(this.#key, this.#jurisdiction ?? null, name);
        if (this.#hexes.size >= NAMES_MOST) this.#hexes.clear();
        if (name.length <= NAME_LONG) this.#hexes.set(name, hex);
        return hex;
    }

    idFromString(text) {
        const hex = String(text).toLowerCase();
        if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError("Invalid Durable Object ID: must be 64 hex digits");
        const jurisdiction = durable.idCheck(this.#key, hex);
        if (jurisdiction === null) throw new TypeError("Durable Object ID is not valid for this namespace.");
        if (this.#jurisdiction !== undefined && jurisdiction !== this.#jurisdiction)
            throw new TypeError("Invalid Durable Object ID: must be from the same jurisdiction as the subnamespace");
        return new DurableObjectId(MAKE, hex, undefined, jurisdiction === "" ? undefined : jurisdiction, this.#key);
    }

    get(id, options = undefined) {
        if (!isId(id)) throw new TypeError("Failed to execute 'get' on 'DurableObjectNamespace': parameter 1 is not of type 'DurableObjectId'.");
        if (this.#jurisdiction !== undefined && id.jurisdiction !== this.#jurisdiction)
            throw new TypeError("get called on jurisdictional subnamespace with an ID from a different jurisdiction");
        if (!isOf(id, this.#key) && durable.idCheck(this.#key, id.toString()) === null) throw new TypeError("Durable Object ID is not valid for this namespace.");
        const { locationHint, routingMode } = options ?? {};
        if (routingMode !== undefined && !ROUTING.has(routingMode)) throw new RangeError(`unknown routingMode: ${routingMode}`);
        if (locationHint !== undefined && !HINTS.has(locationHint)) throw new RangeError(`unsupported locationHint: ${locationHint}`);
        return makeStub(this.#binding, this.#config.namespace_id, id);
    }

    getByName(name, options = undefined) {
        return this.get(this.idFromName(name), options);
    }

    getExisting(id, options = undefined) {
        return this.get(id, options);
    }

    jurisdiction(name) {
        return new DurableObjectNamespace(MAKE, this.#binding, this.#config, jurisdictionOf(name));
    }
}
Object.defineProperty(DurableObjectNamespace.prototype, Symbol.toStringTag, { value: "DurableObjectNamespace", configurable: true });

function jurisdictionOf(name) {
    if (name === undefined || name === null) return undefined;
    if (!JURISDICTIONS.has(name)) throw new TypeError(`Invalid jurisdiction: ${name}`);
    return name;
}

export function makeNamespace(binding, config) {
    return new DurableObjectNamespace(MAKE, binding, config, undefined);
}
