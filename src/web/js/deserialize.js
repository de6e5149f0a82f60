/*
 * Structured clones from bytes; see serialize.js. The bytes may be hostile: nothing is allocated that they do not pay
 * for with as many bytes of their own, every place is checked, and whatever goes wrong is a DataCloneError.
 */
import { makeBlob, makeFile } from "./blob.js";
import { DOMException } from "./errors.js";
import { refuse } from "./clone.js";
import { SuppressedError } from "./dispose.js";
import * as f from "./serialize_format.js";

const text = native.text;
const SHORT = 64;
const FATAL_KEEP_BOM = 3;
const RESIZABLE_MAX = 128 * 1024 * 1024;
const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError, SuppressedError];

class Malformed {}

function bad() {
    throw new Malformed();
}

function hide(object, key, value) {
    Object.defineProperty(object, key, { value, writable: true, configurable: true });
}

function show(object, key, value) {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function put(object, key, value) {
    if (key === "__proto__") Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    else object[key] = value;
}

class Reader {
    constructor(bytes, options) {
        this.bytes = bytes;
        this.at = 0;
        this.options = options;
        this.objects = [];
    }

    byte() {
        if (this.at >= this.bytes.length) bad();
        return this.bytes[this.at++];
    }

    varint() {
        let n = 0, scale = 1;
        for (;;) {
            const b = this.byte();
            n += (b & 0x7f) * scale;
            if (b < 0x80) break;
            scale *= 0x80;
            if (scale > 2 ** 49) bad();
        }
        return n > Number.MAX_SAFE_INTEGER ? bad() : n;
    }

    /* A part of the input, not a copy. */
    raw(n) {
        const end = this.at + n;
        if (end > this.bytes.length) bad();
        const part = this.bytes.subarray(this.at, end);
        this.at = end;
        return part;
    }

    float() {
        const part = this.raw(8);
        return new DataView(part.buffer, part.byteOffset, 8).getFloat64(0, true);
    }

    characters(tag) {
        const n = this.varint();
        if (tag === f.LATIN1) return n <= SHORT ? this.shortLatin1(n) : text.latin1(this.raw(n));
        const part = this.raw(n);
        if (tag === f.UTF8) return text.decode(part, 0, FATAL_KEEP_BOM) ?? bad();
        if (n % 2 !== 0) bad();
        let s = "";
        for (let i = 0; i < n; i += 2) s += String.fromCharCode(part[i] | (part[i + 1] << 8));
        return s;
    }

    shortLatin1(n) {
        const { bytes, at } = this;
        if (at + n > bytes.length) bad();
        this.at += n;
        let s = "";
        for (let i = at; i < at + n; i++) s += String.fromCharCode(bytes[i]);
        return s;
    }

    string() {
        const tag = this.byte();
        return tag >= f.LATIN1 && tag <= f.UTF16 ? this.characters(tag) : bad();
    }

    keep(object) {
        this.objects.push(object);
        return object;
    }

    value() {
        return this.tagged(this.byte());
    }

    tagged(tag) {
        switch (tag) {
        case f.UNDEFINED: return undefined;
        case f.NULL: return null;
        case f.FALSE: return false;
        case f.TRUE: return true;
        case f.INT: {
            const n = this.varint();
            return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
        }
        case f.NUMBER: return this.float();
        case f.BIGINT: return this.bigint();
        case f.LATIN1: case f.UTF8: case f.UTF16: return this.characters(tag);
        case f.REF: {
            const id = this.varint();
            return id < this.objects.length ? this.objects[id] ?? bad() : bad();
        }
        case f.OBJECT: return this.pairs(this.keep({}));
        case f.ARRAY: return this.array();
        default: return this.special(tag);
        }
    }

    bigint() {
        const negative = this.byte() === 1, digits = this.string();
        if (!/^[0-9a-f]+$/.test(digits)) bad();
        const n = BigInt(`0x${digits}`);
        return negative ? -n : n;
    }

    pairs(object) {
        for (;;) {
            const tag = this.byte();
            if (tag === f.END) return object;
            if (tag < f.LATIN1 || tag > f.UTF16) bad();
            const key = this.characters(tag);
            put(object, key, this.value());
        }
    }

    array() {
        const n = this.varint();
        if (n > this.bytes.length - this.at) bad();
        const array = this.keep([]);
        for (let i = 0; i < n; i++) array.push(this.value());
        return array;
    }

    special(tag) {
        switch (tag) {
        case f.SPARSE: return this.sparse();
        case f.MAP: {
            const map = this.keep(new Map());
            for (let t = this.byte(); t !== f.END; t = this.byte()) {
                const key = this.tagged(t);
                map.set(key, this.value());
            }
            return map;
        }
        case f.SET: {
            const set = this.keep(new Set());
            for (let t = this.byte(); t !== f.END; t = this.byte()) set.add(this.tagged(t));
            return set;
        }
        case f.DATE: return this.keep(new Date(this.float()));
        case f.REGEXP: {
            const source = this.string();
            return this.keep(new RegExp(source, this.string()));
        }
        case f.BOXED: return this.boxed();
        case f.BUFFER: return this.keep(this.raw(this.varint()).slice().buffer);
        case f.RESIZABLE: return this.resizable();
        case f.VIEW: return this.view();
        case f.ERROR: return this.error();
        case f.DOM_EXCEPTION: {
            const name = this.string();
            return this.keep(new DOMException(this.string(), name));
        }
        case f.BLOB: {
            const type = this.string();
            return this.keep(makeBlob(this.raw(this.varint()).slice(), type));
        }
        case f.FILE: {
            const name = this.string(), type = this.string(), time = this.float();
            return this.keep(makeFile(this.raw(this.varint()).slice(), name, type, time));
        }
        case f.EXTERNAL: return this.external();
        default: return bad();
        }
    }

    external() {
        const { external } = this.options, id = this.objects.length;
        if (external === undefined) bad();
        this.objects.push(undefined);
        return (this.objects[id] = external(this));
    }

    sparse() {
        const n = this.varint();
        if (n > 0xffffffff) bad();
        const array = this.keep([]);
        array.length = n;
        this.pairs(array);
        return array.length === n ? array : bad();
    }

    boxed() {
        const id = this.objects.length;
        this.objects.push(undefined);
        const primitive = this.value();
        const boxable = typeof primitive === "boolean" || typeof primitive === "number" || typeof primitive === "string" || typeof primitive === "bigint";
        return boxable ? (this.objects[id] = Object(primitive)) : bad();
    }

    resizable() {
        const n = this.varint(), max = this.varint(), part = this.raw(n);
        if (max < n || max > RESIZABLE_MAX) bad();
        const buffer = new ArrayBuffer(n, { maxByteLength: max });
        new Uint8Array(buffer).set(part);
        return this.keep(buffer);
    }

    view() {
        const Type = global[f.VIEW_CLASSES[this.byte()]] ?? bad();
        const buffer = this.value();
        if (!(buffer instanceof ArrayBuffer)) bad();
        const offset = this.varint();
        return this.keep(new Type(buffer, offset, this.varint()));
    }

    error() {
        const Type = ERRORS[this.byte()] ?? bad(), flags = this.byte();
        const message = flags & f.HAS_MESSAGE ? this.string() : undefined;
        const error = this.keep(Type === AggregateError ? new AggregateError([], message)
            : Type === SuppressedError ? new SuppressedError(undefined, undefined, message) : new Type(message));
        if (flags & f.HAS_STACK) hide(error, "stack", this.string());
        else hide(error, "stack", message === undefined || message === "" ? Type.name : `${Type.name}: ${message}`);
        if (flags & f.HAS_NAME) hide(error, "name", this.string());
        if (flags & f.HAS_ERRORS) show(error, "errors", this.value());
        if (flags & f.HAS_CAUSE) show(error, "cause", this.value());
        for (let tag = this.byte(); tag !== f.END; tag = this.byte()) {
            if (tag < f.LATIN1 || tag > f.UTF16) bad();
            const key = this.characters(tag);
            show(error, key, this.value());
        }
        return error;
    }
}

const JSON_SHORT = 256;

function jsonText(bytes) {
    const n = bytes.length;
    if (n <= JSON_SHORT) {
        const codes = [];
        for (let i = 1; i < n && bytes[i] < 0x80; i++) codes.push(bytes[i]);
        if (codes.length === n - 1) return String.fromCharCode.apply(null, codes);
    }
    return (text.decode(bytes, 0, FATAL_KEEP_BOM) ?? bad()).slice(1);
}

const PLAIN = {};

export function deserialize(bytes, options = PLAIN) {
    try {
        if (bytes[0] === f.JSON_TEXT) return JSON.parse(jsonText(bytes));
        const reader = new Reader(bytes, options);
        if (reader.byte() !== f.BINARY) bad();
        const value = reader.value();
        return reader.at === bytes.length ? value : bad();
    } catch {
        throw refuse("Unable to deserialize cloned data.");
    }
}
