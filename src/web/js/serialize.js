/*
 * Structured clones as bytes: values of stores, arguments and results of RPC. The form: serialize_format.js.
 *
 *     serialize(value, options)      → Uint8Array of its own; throws DataCloneError
 *     deserialize(bytes, options)    → value; throws DataCloneError for bytes that are none of ours
 *
 * options (both): `external`, for objects that only some can carry (streams, stubs). When serializing it is
 * external(value, writer): false, or true after it has written what it needs. When deserializing, external(reader).
 * options of serialize(): `classes`: true refuses instances of the user's classes, else they become plain objects;
 * `stack`: false leaves stacks of errors out; `max`: bytes, and `tooBig(n)` makes the error.
 *
 * A getter of a value that is nothing but JSON may run twice.
 */
import { File, blobBytes } from "./blob.js";
import { isDOMException, isError } from "./errors.js";
import { describe, isBuffer, isDate, isMap, isOpaque, isRegExp, isSet, refuse, typedArrayName } from "./clone.js";
import * as f from "./serialize_format.js";

export { deserialize } from "./deserialize.js";

const text = native.text;
const SHORT = 64; // characters: copied here, longer strings cross to C
const GROW_MAX = 8 * 1024 * 1024;
const FIRST = 512, KEPT_MAX = 256 * 1024;
/* A view of little of a large buffer takes only its part along. */
const TRIM_MIN = 1024;

const PLAIN = {};
const brand = (value) => Object.prototype.toString.call(value);
const isArguments = (value) => value[Symbol.iterator] !== undefined && brand(value) === "[object Arguments]";
/* Without properties that say anything. */
const BUILTINS = [WeakMap, WeakSet, WeakRef, Promise, FinalizationRegistry];
const float = new DataView(new ArrayBuffer(8));

/* --- bytes --- */

export class Writer {
    constructor() {
        this.bytes = new Uint8Array(FIRST);
        this.length = 0;
        this.options = PLAIN;
        this.ids = null; // object → number
        this.next = 0;
        this.trim = true;
        this.trimmed = null; // buffers of which only a part was written
    }

    room(n) {
        const need = this.length + n;
        if (need <= this.bytes.length) return;
        const { max } = this.options;
        if (max !== undefined && need > max + FIRST) throw this.options.tooBig(need);
        const grown = new Uint8Array(Math.max(need, Math.min(this.bytes.length * 2, this.bytes.length + GROW_MAX)));
        grown.set(this.bytes);
        this.bytes = grown;
    }

    byte(n) {
        if (this.length === this.bytes.length) this.room(1);
        this.bytes[this.length++] = n;
    }

    varint(n) {
        this.room(8);
        while (n >= 0x80) {
            this.bytes[this.length++] = (n % 0x80) | 0x80;
            n = Math.floor(n / 0x80);
        }
        this.bytes[this.length++] = n;
    }

    raw(bytes) {
        this.room(bytes.length);
        this.bytes.set(bytes, this.length);
        this.length += bytes.length;
    }

    float(n) {
        float.setFloat64(0, n, true);
        this.room(8);
        for (let i = 0; i < 8; i++) this.bytes[this.length++] = float.getUint8(i);
    }

    string(s) {
        const n = s.length;
        if (n <= SHORT && this.shortString(s, n)) return;
        if (s.isWellFormed()) {
            const bytes = new Uint8Array(text.encode(s));
            this.byte(f.UTF8);
            this.varint(bytes.length);
            this.raw(bytes);
            return;
        }
        this.byte(f.UTF16);
        this.varint(n * 2);
        this.room(n * 2);
        for (let i = 0; i < n; i++) {
            const c = s.charCodeAt(i);
            this.bytes[this.length++] = c & 0xff;
            this.bytes[this.length++] = c >> 8;
        }
    }

    shortString(s, n) {
        this.room(n + 2);
        const { bytes } = this, start = this.length;
        bytes[start] = f.LATIN1;
        bytes[start + 1] = n;
        for (let i = 0, at = start + 2; i < n; i++, at++) {
            const c = s.charCodeAt(i);
            if (c > 0xff) return false;
            bytes[at] = c;
        }
        this.length = start + 2 + n;
        return true;
    }

    /* --- values --- */

    value(v) {
        switch (typeof v) {
        case "string": return this.string(v);
        case "number": return this.number(v);
        case "boolean": return this.byte(v ? f.TRUE : f.FALSE);
        case "undefined": return this.byte(f.UNDEFINED);
        case "bigint": return this.bigint(v);
        case "object": return v === null ? this.byte(f.NULL) : this.reference(v);
        default: return this.function(v);
        }
    }

    number(v) {
        if ((v | 0) === v && !(v === 0 && 1 / v < 0)) {
            this.byte(f.INT);
            this.varint(v < 0 ? -v * 2 - 1 : v * 2);
        } else {
            this.byte(f.NUMBER);
            this.float(v);
        }
    }

    bigint(v) {
        this.byte(f.BIGINT);
        this.byte(v < 0n ? 1 : 0);
        this.string((v < 0n ? -v : v).toString(16));
    }

    keep(object) {
        this.ids.set(object, this.next++);
    }

    seen(object) {
        if (this.ids === null) {
            this.ids = new Map();
            return false;
        }
        const id = this.ids.get(object);
        if (id === undefined) return false;
        this.byte(f.REF);
        this.varint(id);
        return true;
    }

    function(v) {
        if (typeof v === "function" && (this.seen(v) || this.external(v))) return;
        throw refuse(`${describe(v)} could not be cloned.`);
    }

    external(v) {
        const { external } = this.options;
        if (external === undefined) return false;
        const tagAt = this.length, id = this.next;
        this.byte(f.EXTERNAL);
        this.keep(v);
        if (external(v, this)) return true;
        this.length = tagAt;
        this.ids.delete(v);
        this.next = id;
        return false;
    }

    reference(v) {
        if (this.seen(v)) return;
        if (Array.isArray(v)) return this.array(v);
        const prototype = Object.getPrototypeOf(v);
        if ((prototype === Object.prototype || (prototype === null && !this.options.classes)) &&
            (v[Symbol.toStringTag] === undefined || Object.hasOwn(v, Symbol.toStringTag)) && !isArguments(v)) return this.plain(v);
        this.special(v);
    }

    plain(v) {
        this.keep(v);
        this.byte(f.OBJECT);
        this.pairs(v, Object.keys(v));
        this.byte(f.END);
    }

    pairs(v, keys) {
        for (const key of keys) {
            this.string(key);
            this.value(v[key]);
        }
    }

    array(v) {
        this.keep(v);
        const keys = Object.keys(v), n = v.length;
        if (keys.length === n && (n === 0 || keys[n - 1] === `${n - 1}`)) {
            this.byte(f.ARRAY);
            this.varint(n);
            for (let i = 0; i < n; i++) this.value(v[i]);
            return;
        }
        this.byte(f.SPARSE);
        this.varint(n);
        this.pairs(v, keys);
        this.byte(f.END);
    }

    boxed(v, primitive) {
        this.keep(v);
        this.byte(f.BOXED);
        this.value(primitive);
    }

    special(v) {
        switch (brand(v)) {
        case "[object Boolean]": return this.boxed(v, Boolean.prototype.valueOf.call(v));
        case "[object Number]": return this.boxed(v, Number.prototype.valueOf.call(v));
        case "[object String]": return this.boxed(v, String.prototype.valueOf.call(v));
        case "[object BigInt]": return this.boxed(v, BigInt.prototype.valueOf.call(v));
        }
        if (ArrayBuffer.isView(v)) return this.view(v);
        if (isBuffer(v)) return this.buffer(v);
        if (isDOMException(v)) return this.domException(v);
        if (isError(v)) return this.error(v);
        const bytes = blobBytes(v);
        if (bytes !== null) return this.blob(v, bytes);
        if (v instanceof Map && isMap(v)) return this.map(v);
        if (v instanceof Set && isSet(v)) return this.set(v);
        if (v instanceof Date && isDate(v)) {
            this.keep(v);
            this.byte(f.DATE);
            return this.float(Date.prototype.getTime.call(v));
        }
        if (brand(v) === "[object RegExp]" && isRegExp(v)) {
            this.keep(v);
            this.byte(f.REGEXP);
            this.string(v.source);
            return this.string(v.flags);
        }
        if (this.external(v)) return;
        this.instance(v);
    }

    instance(v) {
        if (brand(v) === "[object Arguments]") throw refuse("#<Object> could not be cloned.");
        const builtin = BUILTINS.find((Class) => v instanceof Class);
        if (builtin !== undefined) throw refuse(`#<${builtin.name}> could not be cloned.`);
        if (this.options.classes || isOpaque(v)) {
            const name = v.constructor?.name;
            throw refuse(`Could not serialize object of type "${typeof name === "string" ? name : "Object"}". This type does not support serialization.`);
        }
        this.keep(v);
        this.byte(f.OBJECT);
        this.pairs(v, Object.keys(v));
        this.byte(f.END);
    }

    map(v) {
        this.keep(v);
        this.byte(f.MAP);
        for (const [key, item] of [...Map.prototype.entries.call(v)]) {
            this.value(key);
            this.value(item);
        }
        this.byte(f.END);
    }

    set(v) {
        this.keep(v);
        this.byte(f.SET);
        for (const item of [...Set.prototype.values.call(v)]) this.value(item);
        this.byte(f.END);
    }

    buffer(v) {
        if (v.detached) throw refuse("An ArrayBuffer is detached and could not be cloned.");
        if (this.trimmed?.has(v)) throw new SharedBuffer();
        this.keep(v);
        this.byte(v.resizable ? f.RESIZABLE : f.BUFFER);
        this.varint(v.byteLength);
        if (v.resizable) this.varint(v.maxByteLength);
        this.raw(new Uint8Array(v));
    }

    view(v) {
        const isData = v instanceof DataView;
        const kind = isData ? 0 : f.VIEW_CLASSES.indexOf(typedArrayName.call(v));
        const length = isData ? v.byteLength : v.length, { buffer, byteLength } = v;
        this.byte(f.VIEW);
        this.byte(kind);
        const waste = buffer.byteLength - byteLength;
        if (this.trim && waste > TRIM_MIN && waste > byteLength && !buffer.resizable && !this.ids.has(buffer)) {
            if (this.trimmed?.has(buffer)) throw new SharedBuffer();
            (this.trimmed ??= new Set()).add(buffer);
            this.next++;
            this.byte(f.BUFFER);
            this.varint(byteLength);
            this.raw(new Uint8Array(buffer, v.byteOffset, byteLength));
            this.varint(0);
        } else {
            if (!this.seen(buffer)) this.buffer(buffer);
            this.varint(v.byteOffset);
        }
        this.varint(length);
        this.keep(v);
    }

    domException(v) {
        this.keep(v);
        this.byte(f.DOM_EXCEPTION);
        this.string(v.name);
        this.string(v.message);
    }

    error(v) {
        this.keep(v);
        const name = `${v.name}`, kind = f.ERROR_CLASSES.indexOf(name);
        const { message, stack } = v;
        const hasStack = this.options.stack !== false && typeof stack === "string";
        const hasErrors = name === "AggregateError" && Array.isArray(v.errors), hasCause = Object.hasOwn(v, "cause");
        this.byte(f.ERROR);
        this.byte(kind < 0 ? 0 : kind);
        this.byte((message !== undefined ? f.HAS_MESSAGE : 0) | (hasStack ? f.HAS_STACK : 0) | (kind < 0 ? f.HAS_NAME : 0) |
            (hasCause ? f.HAS_CAUSE : 0) | (hasErrors ? f.HAS_ERRORS : 0));
        if (message !== undefined) this.string(`${message}`);
        if (hasStack) this.string(stack);
        if (kind < 0) this.string(name);
        if (hasErrors) this.value(v.errors);
        if (hasCause) this.value(v.cause);
        this.pairs(v, Object.keys(v).filter((key) => !OWN_OF_ERRORS.has(key)));
        this.byte(f.END);
    }

    blob(v, bytes) {
        this.keep(v);
        if (v instanceof File) {
            this.byte(f.FILE);
            this.string(v.name);
            this.string(v.type);
            this.float(v.lastModified);
        } else {
            this.byte(f.BLOB);
            this.string(v.type);
        }
        this.varint(bytes.byteLength);
        this.raw(bytes);
    }
}

/* What is carried otherwise, and what the engine notes. */
const OWN_OF_ERRORS = new Set(["message", "stack", "cause", "errors", "line", "column", "sourceURL"]);

/* A buffer that was written in part turns up again: the whole is written after all. */
class SharedBuffer {}

/* --- JSON --- */

/* Objects that were met: an array while they are few. */
class Met {
    constructor() {
        this.few = [];
        this.many = null;
    }

    again(object) {
        if (this.many !== null) {
            if (this.many.has(object)) return true;
            this.many.add(object);
            return false;
        }
        const { few } = this;
        for (let i = 0; i < few.length; i++) if (few[i] === object) return true;
        few.push(object);
        if (few.length === 12) this.many = new Set(few);
        return false;
    }
}

/* Is the value nothing but JSON, without an object that is there twice? Says no at the first doubt. */
function isJson(v, met, depth) {
    switch (typeof v) {
    case "string": case "boolean": return true;
    case "number": return v - v === 0 && (v !== 0 || 1 / v > 0);
    case "object": break;
    default: return false;
    }
    if (v === null) return true;
    if (depth === JSON_DEPTH_MAX || v.toJSON !== undefined || met.again(v)) return false;
    const isArray = Array.isArray(v);
    if (!isArray && (Object.getPrototypeOf(v) !== Object.prototype || v[Symbol.toStringTag] !== undefined || v[Symbol.iterator] !== undefined)) return false;
    const keys = Object.keys(v), n = keys.length;
    if (isArray) {
        if (v.length !== n || (n > 0 && keys[n - 1] !== `${n - 1}`)) return false;
        for (let i = 0; i < n; i++) if (!isJson(v[i], met, depth + 1)) return false;
        return true;
    }
    for (let i = 0; i < n; i++) if (!isJson(v[keys[i]], met, depth + 1)) return false;
    return true;
}

const JSON_DEPTH_MAX = 200;

const JSON_SHORT = 256; // characters that are copied here

function jsonBytes(value) {
    const json = JSON.stringify(value), n = json.length;
    if (n <= JSON_SHORT) {
        const bytes = new Uint8Array(n + 1);
        bytes[0] = f.JSON_TEXT;
        let i = 0;
        for (; i < n; i++) {
            const c = json.charCodeAt(i);
            if (c >= 0x80) break;
            bytes[i + 1] = c;
        }
        if (i === n) return bytes;
    }
    return new Uint8Array(text.encode(`\u0002${json}`));
}

/* --- whole values --- */

let spare = new Writer(); // null while it is in use: a getter may serialize something

function binary(writer, value, options) {
    writer.length = 0;
    writer.options = options;
    writer.ids = writer.trimmed = null;
    writer.next = 0;
    writer.byte(f.BINARY);
    writer.value(value);
    return writer.bytes.slice(0, writer.length);
}

function attempt(value, options) {
    const writer = spare ?? new Writer();
    spare = null;
    try {
        return binary(writer, value, options);
    } catch (error) {
        if (!(error instanceof SharedBuffer)) throw error;
        options.restart?.();
        writer.trim = false;
        return binary(writer, value, options);
    } finally {
        writer.trim = true;
        writer.options = PLAIN;
        writer.ids = writer.trimmed = null;
        if (writer.bytes.length <= KEPT_MAX) spare = writer;
    }
}

/* `options.restart`, if there, is called when everything is written once more: what `external` noted is void. */
export function serialize(value, options = PLAIN) {
    const bytes = typeof value === "object" && value !== null && isJson(value, new Met(), 0)
        ? jsonBytes(value) : attempt(value, options);
    if (options.max !== undefined && bytes.length > options.max) throw options.tooBig(bytes.length);
    return bytes;
}
