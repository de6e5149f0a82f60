/* What of an object is visible over RPC. */
import { DISPOSE } from "../dispose.js";
import { Fetcher } from "../fetch.js";

/* The key by which a stub, promise or property of ours gives its handler; nobody outside has it. */
export const HANDLER = Symbol("handler");

export class RpcTarget {}

/* Base classes whose members are not the user's. */
const BASES = new Set([Object.prototype, Function.prototype, RpcTarget.prototype]);
export function addBase(prototype) {
    BASES.add(prototype);
}

export const PATH_MAX = 64;

export const handlerOf = (value) => ((typeof value === "object" && value !== null) || typeof value === "function" ? value[HANDLER] : undefined);
export const isTarget = (value) => value instanceof RpcTarget;

export function isPlain(value) {
    const prototype = Object.getPrototypeOf(value);
    return prototype === Object.prototype || prototype === null;
}

export function missing(name) {
    return new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

const RESERVED = new Set(["fetch", "connect", "alarm", "webSocketMessage", "webSocketClose", "webSocketError", "dup", "constructor"]);
const RESERVED_TARGET = new Set(["dup", "constructor"]);

function reserved(name) {
    return new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
}

/* A member that a class defines: methods and accessors, not what an instance has of its own. */
function classMember(object, name) {
    for (let p = Object.getPrototypeOf(object); p !== null && !BASES.has(p); p = Object.getPrototypeOf(p))
        if (Object.hasOwn(p, name)) return Reflect.get(p, name, object);
    throw missing(name);
}

function ownMember(object, name) {
    if (!Object.hasOwn(object, name)) throw missing(name);
    return object[name];
}

/* One step of a path. `entry`, unless null: the object is an entrypoint or a Durable Object; with `apply` an object of
 * handlers. */
export function member(object, name, entry) {
    if (entry !== null) {
        if (RESERVED.has(name)) throw reserved(name);
        return entry.apply === undefined ? classMember(object, name) : ownMember(object, name);
    }
    if ((typeof object !== "object" && typeof object !== "function") || object === null) throw missing(name);
    if (isTarget(object)) {
        if (RESERVED_TARGET.has(name)) throw reserved(name);
        return classMember(object, name);
    }
    if (typeof object === "function" || Array.isArray(object) || isPlain(object)) return ownMember(object, name);
    if (object instanceof Fetcher) return object[name];
    throw missing(name);
}

export function disposeOf(value) {
    const fn = value?.[DISPOSE];
    return typeof fn === "function" ? fn : null;
}
