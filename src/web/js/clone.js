/* structuredClone in memory. https://html.spec.whatwg.org/#structured-cloning */
import { DOMException, isDOMException, isError } from "./errors.js";
import { runtimePrototypes } from "./interfaces.js";
import { bodilessClone } from "./request.js";
import { isTarget } from "./rpc/target.js";
import { File, blobBytes, makeBlob, makeFile } from "./blob.js";

const ERRORS = new Map([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((c) => [c.name, c]));
const brand = (value) => Object.prototype.toString.call(value);

/* Brand checks that user code cannot fool: an intrinsic getter throws for anything else. */
function tester(prototype, name) {
    const get = Object.getOwnPropertyDescriptor(prototype, name)?.get ?? prototype[name];
    return (value) => {
        try {
            get.call(value);
            return true;
        } catch {
            return false;
        }
    };
}
export const isDate = tester(Date.prototype, "getTime");
export const isRegExp = tester(RegExp.prototype, "exec");
export const isMap = tester(Map.prototype, "size");
export const isSet = tester(Set.prototype, "size");
export const isBuffer = tester(ArrayBuffer.prototype, "byteLength");

const ERROR_OWN = new Set(["message", "stack", "name", "cause", "line", "column", "sourceURL"]);
const OPAQUE = [WeakMap, WeakSet, WeakRef, Promise, FinalizationRegistry];

/* Objects whose state is not in their properties. */
export function isOpaque(value) {
    if (OPAQUE.some((c) => value instanceof c)) return true;
    if (global.WebAssembly !== undefined && brand(value).startsWith("[object WebAssembly")) return true;
    for (let p = Object.getPrototypeOf(value); p !== null; p = Object.getPrototypeOf(p)) if (runtimePrototypes.has(p)) return true;
    return false;
}

export const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;

export function refuse(text) {
    return new DOMException(text, "DataCloneError");
}

export function describe(value) {
    if (typeof value === "function") return Function.prototype.toString.call(value);
    if (typeof value === "symbol") return value.toString();
    return brand(value);
}

class Cloner {
    constructor() {
        this.seen = new Map();
        this.views = null; // view → [offset, length], with a transfer list
        this.second = false;
    }

    clone(value) {
        if (typeof value === "object" && value !== null) {
            const seen = this.seen.get(value);
            return seen !== undefined ? seen : this.object(value);
        }
        if (typeof value === "function" || typeof value === "symbol") throw refuse(`${describe(value)} could not be cloned.`);
        return value;
    }

    keep(value, copy) {
        this.seen.set(value, copy);
        return copy;
    }

    object(value) {
        if (Array.isArray(value)) return this.properties(value, this.keep(value, new Array(value.length)));
        const prototype = Object.getPrototypeOf(value);
        if (prototype === Object.prototype || prototype === null) {
            if (value[Symbol.toStringTag] === undefined || Object.hasOwn(value, Symbol.toStringTag))
                return this.properties(value, this.keep(value, {}));
        }
        return this.special(value);
    }

    special(value) {
        switch (brand(value)) {
        case "[object Boolean]": return this.keep(value, Object(Boolean.prototype.valueOf.call(value)));
        case "[object Number]": return this.keep(value, Object(Number.prototype.valueOf.call(value)));
        case "[object String]": return this.keep(value, Object(String.prototype.valueOf.call(value)));
        case "[object BigInt]": return this.keep(value, Object(BigInt.prototype.valueOf.call(value)));
        }
        if (ArrayBuffer.isView(value)) return this.view(value);
        if (isBuffer(value)) return this.buffer(value);
        if (isDOMException(value)) return this.keep(value, new DOMException(value.message, value.name));
        if (isError(value)) return this.error(value);
        const bytes = blobBytes(value);
        if (bytes !== null)
            return this.keep(value, value instanceof File ? makeFile(bytes, value.name, value.type, value.lastModified) : makeBlob(bytes, value.type));
        if (value instanceof Map && isMap(value)) return this.map(value);
        if (value instanceof Set && isSet(value)) return this.set(value);
        if (value instanceof Date && isDate(value)) return this.keep(value, new Date(Date.prototype.getTime.call(value)));
        if (brand(value) === "[object RegExp]") return this.keep(value, new RegExp(value.source, value.flags));
        if (brand(value) === "[object Arguments]") throw refuse("#<Object> could not be cloned.");
        const request = bodilessClone(value);
        if (request !== null) return this.keep(value, request);
        if (isOpaque(value) || isTarget(value)) {
            const name = value.constructor?.name;
            throw refuse(`Could not serialize object of type "${typeof name === "string" ? name : "Object"}". This type does not support serialization.`);
        }
        return this.properties(value, this.keep(value, {})); // an instance of the user's class: its prototype is lost
    }

    buffer(value) {
        if (value.detached) throw refuse("An ArrayBuffer is detached and could not be cloned.");
        const copy = value.resizable
            ? new ArrayBuffer(value.byteLength, { maxByteLength: value.maxByteLength }) : value.slice(0);
        if (value.resizable) new Uint8Array(copy).set(new Uint8Array(value));
        return this.keep(value, copy);
    }

    view(value) {
        const Type = value instanceof DataView ? DataView : global[typedArrayName.call(value)];
        const [offset, length] = this.second ? this.views.get(value)
            : [value.byteOffset, value instanceof DataView ? value.byteLength : value.length];
        if (this.views !== null && !this.second) this.views.set(value, [offset, length]);
        return this.keep(value, new Type(this.clone(value.buffer), offset, length));
    }

    error(value) {
        const name = `${value.name}`;
        const Type = ERRORS.get(name) ?? Error;
        const fresh = this.keep(value, new Type(value.message === undefined ? undefined : `${value.message}`));
        if (!ERRORS.has(name) && name !== "Error")
            Object.defineProperty(fresh, "name", { value: name, writable: true, configurable: true });
        if (typeof value.stack === "string")
            Object.defineProperty(fresh, "stack", { value: value.stack, writable: true, configurable: true });
        for (const key of Object.keys(value)) if (!ERROR_OWN.has(key))
            Object.defineProperty(fresh, key, { value: this.clone(value[key]), writable: true, enumerable: true, configurable: true });
        if (Object.hasOwn(value, "cause"))
            Object.defineProperty(fresh, "cause", { value: this.clone(value.cause), writable: true, configurable: true });
        return fresh;
    }

    map(value) {
        const copy = this.keep(value, new Map());
        for (const [k, v] of [...Map.prototype.entries.call(value)]) copy.set(this.clone(k), this.clone(v));
        return copy;
    }

    set(value) {
        const copy = this.keep(value, new Set());
        for (const v of [...Set.prototype.values.call(value)]) copy.add(this.clone(v));
        return copy;
    }

    properties(value, copy) {
        for (const key of Object.keys(value)) {
            const item = this.clone(value[key]);
            if (key === "__proto__") Object.defineProperty(copy, key, { value: item, writable: true, enumerable: true, configurable: true });
            else copy[key] = item;
        }
        return copy;
    }
}

export function structuredClone(value, options = undefined) {
    if (arguments.length === 0) throw new TypeError("structuredClone() takes a value.");
    const transfer = options?.transfer === undefined ? [] : [...new Set(options.transfer)];
    for (const item of transfer) {
        if (ArrayBuffer.isView(item)) throw refuse("Value could not be transferred.");
        if (!isBuffer(item)) throw new TypeError("Object is not transferable.");
        if (item.detached) throw refuse("An ArrayBuffer is detached and could not be cloned.");
    }
    const cloner = new Cloner();
    if (transfer.length === 0) return cloner.clone(value);
    // A failure must not detach anything, and views of a detached buffer have forgotten their place: a
    // dry run goes first and notes the views.
    const dry = new Cloner();
    dry.views = new Map();
    dry.clone(value);
    cloner.views = dry.views;
    for (const buffer of transfer) cloner.seen.set(buffer, buffer.transfer());
    cloner.second = true;
    return cloner.clone(value);
}
