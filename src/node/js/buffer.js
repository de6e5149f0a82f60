/*
 * node:buffer. A Buffer is a Uint8Array with more methods; long strings are converted in C, short ones here, where
 * a loop is faster than the call.
 */
const {
    codes: { ERR_BUFFER_OUT_OF_BOUNDS, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_INVALID_BUFFER_SIZE, ERR_OUT_OF_RANGE, ERR_UNKNOWN_ENCODING },
    validateArray, validateInteger, validateNumber, } = require("./errors.js");
const types = require("./types.js");

const n = native.node;
const kMaxLength = Number.MAX_SAFE_INTEGER; // what Node says
const ENGINE_MAX_LENGTH = 2 ** 32; // of a typed array
const kStringMaxLength = 536870888;
const SHORT = 24; // characters or bytes that are converted here
const customInspect = Symbol.for("nodejs.util.inspect.custom");
const Bytes = Uint8Array;
const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype);

let INSPECT_MAX_BYTES = 50;

class FastBuffer extends Uint8Array {
    constructor(a, b, c) {
        super(a, b, c);
    }
}

function Buffer(arg, encodingOrOffset, length) {
    if (typeof arg === "number") {
        if (typeof encodingOrOffset === "string") throw new ERR_INVALID_ARG_TYPE("string", "string", arg);
        return Buffer.alloc(arg);
    }
    return Buffer.from(arg, encodingOrOffset, length);
}
FastBuffer.prototype.constructor = Buffer;
Buffer.prototype = FastBuffer.prototype;
Object.setPrototypeOf(Buffer, Uint8Array);
Object.defineProperty(Buffer, Symbol.species, { configurable: true, enumerable: false, get() { return FastBuffer; } });
Buffer.poolSize = 8 * 1024;

/* --- encodings --- */

function normalizeEncoding(encoding) {
    if (encoding === undefined || encoding === null || encoding === "utf8" || encoding === "utf-8") return "utf8";
    switch (`${encoding}`.toLowerCase()) {
    case "": case "utf8": case "utf-8": return "utf8";
    case "ucs2": case "ucs-2": case "utf16le": case "utf-16le": return "utf16le";
    case "latin1": case "binary": return "latin1";
    case "base64": return "base64";
    case "base64url": return "base64url";
    case "hex": return "hex";
    case "ascii": return "ascii";
    default: return undefined;
    }
}

function getEncoding(encoding) {
    const normal = normalizeEncoding(encoding);
    if (normal === undefined) throw new ERR_UNKNOWN_ENCODING(encoding);
    return normal;
}

const wrap = (arrayBuffer) => new FastBuffer(arrayBuffer);

/* Length as latin1 when it is short and all ASCII, else -1. */
function shortAscii(text) {
    const { length } = text;
    if (length > SHORT) return false;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return false;
    return true;
}

function utf8Bytes(text) {
    if (!shortAscii(text)) return wrap(n.utf8Bytes(text));
    const out = new FastBuffer(text.length);
    for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
    return out;
}

function base64Length(text) {
    let { length } = text;
    if (text.charCodeAt(length - 1) === 0x3d) length--;
    if (length > 1 && text.charCodeAt(length - 1) === 0x3d) length--;
    return (length * 3) >>> 2;
}

/* slice(bytes, start, end) and write(bytes, text, offset, length) with everything checked; from(text); length(text). */
const OPS = {
    utf8: {
        from: utf8Bytes,
        length: (text) => (shortAscii(text) ? text.length : n.utf8Length(text)),
        write: (b, text, offset, length) => {
            if (shortAscii(text) && text.length <= length) {
                for (let i = 0; i < text.length; i++) b[offset + i] = text.charCodeAt(i);
                return text.length;
            }
            return n.utf8Write(b, text, offset, length);
        },
        slice: (b, start, end) => {
            if (end - start <= SHORT) {
                let text = "", i = start;
                for (; i < end && b[i] < 0x80; i++) text += String.fromCharCode(b[i]);
                if (i === end) return text;
            }
            return n.utf8Slice(b, start, end);
        },
    },
    latin1: {
        from(text) {
            const out = new FastBuffer(text.length);
            OPS.latin1.write(out, text, 0, text.length);
            return out;
        },
        length: (text) => text.length,
        write: (b, text, offset, length) => {
            const count = Math.min(text.length, length);
            const part = count < text.length ? text.slice(0, count) : text;
            if (count > SHORT && n.latin1Write(b, part, offset, count) === count) return count;
            for (let i = 0; i < count; i++) b[offset + i] = part.charCodeAt(i);
            return count;
        },
        slice: (b, start, end) => {
            if (end - start > SHORT) return n.latin1Slice(b, start, end);
            let text = "";
            for (let i = start; i < end; i++) text += String.fromCharCode(b[i]);
            return text;
        },
    },
    utf16le: {
        from(text) {
            const out = new FastBuffer(text.length * 2);
            OPS.utf16le.write(out, text, 0, out.length);
            return out;
        },
        length: (text) => text.length * 2,
        write: (b, text, offset, length) => {
            const count = Math.min(text.length, length >>> 1);
            for (let i = 0, at = offset; i < count; i++) {
                const c = text.charCodeAt(i);
                b[at++] = c;
                b[at++] = c >>> 8;
            }
            return count * 2;
        },
        slice: (b, start, end) => {
            const count = (end - start) >>> 1;
            const bytes = part(b, start, start + count * 2).slice(); // aligned
            const units = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
            let text = "";
            for (let i = 0; i < count; i += 4096) text += String.fromCharCode.apply(null, units.subarray(i, i + 4096));
            return text;
        },
    },
    base64: {
        from(text) {
            try {
                if (text.length > 64) return wrap(Uint8Array.fromBase64(text).buffer);
            } catch {
                // Not strictly base64: the forgiving decoder takes it.
            }
            return wrap(n.base64Bytes(text));
        },
        length: base64Length,
        write: writeBytes((text) => OPS.base64.from(text)),
        slice: (b, start, end) => part(b, start, end).toBase64(),
    },
    base64url: {
        from: (text) => wrap(n.base64Bytes(text)),
        length: base64Length,
        write: writeBytes((text) => OPS.base64.from(text)),
        slice: (b, start, end) => part(b, start, end).toBase64({ alphabet: "base64url", omitPadding: true }),
    },
    hex: {
        from(text) {
            try {
                if (text.length > 64) return wrap(Uint8Array.fromHex(text).buffer);
            } catch {
                // Not all of it is hexadecimal: the forgiving decoder takes what is.
            }
            return wrap(n.hexBytes(text));
        },
        length: (text) => text.length >>> 1,
        write: writeBytes((text) => OPS.hex.from(text)),
        slice: (b, start, end) => part(b, start, end).toHex(),
    },
    ascii: {
        from: (text) => OPS.latin1.from(text),
        length: (text) => text.length,
        write: (b, text, offset, length) => OPS.latin1.write(b, text, offset, length),
        slice: (b, start, end) => n.asciiSlice(b, start, end),
    },
};

const part = (b, start, end) => new Bytes(b.buffer, b.byteOffset + start, end - start);
function writeBytes(from) {
    return (b, text, offset, length) => {
        let bytes = from(text);
        if (bytes.length > length) bytes = bytes.subarray(0, length);
        TypedArrayPrototype.set.call(b, bytes, offset);
        return bytes.length;
    };
}

/* --- making --- */

function assertSize(size) {
    validateNumber(size, "size", 0, kMaxLength);
    if (size > ENGINE_MAX_LENGTH) throw new ERR_OUT_OF_RANGE("size", `>= 0 && <= ${ENGINE_MAX_LENGTH}`, size);
}

Buffer.alloc = function alloc(size, fill, encoding) {
    assertSize(size);
    if (fill !== undefined && encoding !== undefined && typeof encoding !== "string") throw new ERR_INVALID_ARG_TYPE("encoding", "string", encoding);
    const out = new FastBuffer(size);
    if (fill !== undefined && fill !== 0 && size > 0) return fillBuffer(out, fill, 0, out.length, encoding);
    return out;
};
Buffer.allocUnsafe = function allocUnsafe(size) {
    assertSize(size);
    return new FastBuffer(size);
};
Buffer.allocUnsafeSlow = function allocUnsafeSlow(size) {
    assertSize(size);
    return new FastBuffer(size);
};

Buffer.from = function from(value, encodingOrOffset, length) {
    if (typeof value === "string") return fromString(value, encodingOrOffset);
    if (typeof value === "object" && value !== null) {
        if (types.isAnyArrayBuffer(value)) return fromArrayBuffer(value, encodingOrOffset, length);
        const primitive = value.valueOf && value.valueOf();
        if (primitive !== null && primitive !== undefined && primitive !== value && (typeof primitive === "string" || typeof primitive === "object"))
            return from(primitive, encodingOrOffset, length);
        const made = fromObject(value);
        if (made) return made;
        if (typeof value[Symbol.toPrimitive] === "function") {
            const text = value[Symbol.toPrimitive]("string");
            if (typeof text === "string") return fromString(text, encodingOrOffset);
        }
    }
    throw new ERR_INVALID_ARG_TYPE("first argument", ["string", "Buffer", "ArrayBuffer", "Array", "Array-like Object"], value);
};

function fromString(text, encoding) {
    if (typeof encoding !== "string" || encoding.length === 0) return text.length === 0 ? new FastBuffer(0) : utf8Bytes(text);
    const ops = OPS[normalizeEncoding(encoding)];
    if (ops === undefined) throw new ERR_UNKNOWN_ENCODING(encoding);
    return text.length === 0 ? new FastBuffer(0) : ops.from(text);
}

function fromArrayBuffer(buffer, byteOffset, length) {
    let offset = byteOffset === undefined ? 0 : +byteOffset;
    if (Number.isNaN(offset)) offset = 0;
    const maxLength = buffer.byteLength - offset;
    if (maxLength < 0) throw new ERR_BUFFER_OUT_OF_BOUNDS("offset");
    if (length === undefined) return new FastBuffer(buffer, offset, maxLength);
    let count = +length;
    if (!(count > 0)) count = 0;
    if (count > maxLength) throw new ERR_BUFFER_OUT_OF_BOUNDS("length");
    return new FastBuffer(buffer, offset, count);
}

function fromArrayLike(object) {
    if (object.length <= 0) return new FastBuffer(0);
    if (types.isTypedArray(object)) return new FastBuffer(object);
    const out = new FastBuffer(object.length);
    for (let i = 0; i < out.length; i++) out[i] = object[i];
    return out;
}

function fromObject(object) {
    if (object.length !== undefined || types.isAnyArrayBuffer(object.buffer)) {
        if (typeof object.length !== "number") return new FastBuffer(0);
        return fromArrayLike(object);
    }
    if (object.type === "Buffer" && Array.isArray(object.data)) return fromArrayLike(object.data);
    return undefined;
}

Buffer.of = function of(...items) {
    const out = new FastBuffer(items.length);
    for (let i = 0; i < items.length; i++) out[i] = items[i];
    return out;
};

Buffer.copyBytesFrom = function copyBytesFrom(view, offset, length) {
    if (!types.isTypedArray(view)) throw new ERR_INVALID_ARG_TYPE("view", ["TypedArray"], view);
    if (view.length === 0) return new FastBuffer(0);
    let from = 0, to = view.length;
    if (offset !== undefined) {
        validateInteger(offset, "offset", 0);
        if (offset >= view.length) return new FastBuffer(0);
        from = offset;
    }
    if (length !== undefined) {
        validateInteger(length, "length", 0);
        to = Math.min(view.length, from + length);
    }
    const copy = view.slice(from, to);
    return new FastBuffer(copy.buffer, copy.byteOffset, copy.byteLength);
};

Buffer.isBuffer = function isBuffer(b) {
    return b instanceof Buffer;
};
Buffer.isEncoding = function isEncoding(encoding) {
    return typeof encoding === "string" && encoding.length !== 0 && normalizeEncoding(encoding) !== undefined;
};
Buffer[Symbol.for("kIsEncoding")] = undefined;
delete Buffer[Symbol.for("kIsEncoding")];

Buffer.byteLength = function byteLength(value, encoding) {
    if (typeof value !== "string") {
        if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return value.byteLength;
        throw new ERR_INVALID_ARG_TYPE("string", ["string", "Buffer", "ArrayBuffer"], value);
    }
    if (value.length === 0) return 0;
    return (OPS[encoding ? normalizeEncoding(encoding) : "utf8"] ?? OPS.utf8).length(value);
};

Buffer.compare = function compare(a, b) {
    if (!types.isUint8Array(a)) throw new ERR_INVALID_ARG_TYPE("buf1", ["Buffer", "Uint8Array"], a);
    if (!types.isUint8Array(b)) throw new ERR_INVALID_ARG_TYPE("buf2", ["Buffer", "Uint8Array"], b);
    return a === b ? 0 : n.compare(a, 0, a.length, b, 0, b.length);
};

Buffer.concat = function concat(list, length) {
    validateArray(list, "list");
    if (list.length === 0) return new FastBuffer(0);
    const items = [...list]; // each is read once: a getter may change another one's size
    let total = length;
    if (length === undefined) {
        total = 0;
        for (const item of items) if (item.length) total += item.length;
    } else validateInteger(length, "length", 0);
    const out = Buffer.allocUnsafe(total);
    let pos = 0;
    for (let i = 0; i < items.length; i++) {
        const b = items[i];
        if (!types.isUint8Array(b)) throw new ERR_INVALID_ARG_TYPE(`list[${i}]`, ["Buffer", "Uint8Array"], b);
        if (pos + b.length > total) {
            TypedArrayPrototype.set.call(out, b.subarray(0, total - pos), pos);
            pos = total;
            break;
        }
        TypedArrayPrototype.set.call(out, b, pos);
        pos += b.length;
    }
    return out;
};

/* --- views --- */

Object.defineProperty(Buffer.prototype, "parent", { enumerable: true, get() { return this instanceof Buffer ? this.buffer : undefined; } });
Object.defineProperty(Buffer.prototype, "offset", { enumerable: true, get() { return this instanceof Buffer ? this.byteOffset : undefined; } });

function adjust(value, length) {
    const v = Math.trunc(value);
    if (v === 0 || Number.isNaN(v)) return 0;
    if (v < 0) return Math.max(0, v + length);
    return Math.min(v, length);
}

Buffer.prototype.subarray = function subarray(start, end) {
    const from = adjust(start, this.length);
    const to = end !== undefined ? adjust(end, this.length) : this.length;
    return new FastBuffer(this.buffer, this.byteOffset + from, to > from ? to - from : 0);
};
Buffer.prototype.slice = function slice(start, end) {
    return this.subarray(start, end);
};

/* --- to and from text --- */

/* Characters a byte becomes; the others make one at most. */
const GROWTH = { base64: 4 / 3, base64url: 4 / 3, hex: 2 };

Buffer.prototype.toString = function toString(encoding, start, end) {
    if (arguments.length === 0) return OPS.utf8.slice(this, 0, this.length);
    const len = this.length;
    let from = start, to = end;
    if (from <= 0 || from === undefined) from = 0;
    else if (from >= len) return "";
    else from = Math.trunc(from) || 0;
    if (to === undefined || to > len) to = len;
    else to = Math.trunc(to) || 0;
    if (to <= from) return "";
    if (encoding === undefined) return OPS.utf8.slice(this, from, to);
    const normal = encoding === null ? undefined : normalizeEncoding(encoding);
    const ops = OPS[normal];
    if (ops === undefined) throw new ERR_UNKNOWN_ENCODING(encoding);
    if ((to - from) * (GROWTH[normal] ?? 1) > kStringMaxLength) throw new RangeError("String is too long for a V8 string");
    return ops.slice(this, from, to);
};
Buffer.prototype.toLocaleString = Buffer.prototype.toString;

Buffer.prototype.write = function write(string, offset, length, encoding) {
    if (typeof string !== "string") throw new ERR_INVALID_ARG_TYPE("argument", "string", string);
    let at = offset, count = length, name = encoding;
    if (at === undefined) return OPS.utf8.write(this, string, 0, this.length);
    if (count === undefined && typeof at === "string") {
        name = at;
        count = this.length;
        at = 0;
    } else {
        validateInteger(at, "offset", 0, this.length);
        const remaining = this.length - at;
        if (count === undefined) count = remaining;
        else if (typeof count === "string") {
            name = count;
            count = remaining;
        } else {
            validateInteger(count, "length", 0, this.length);
            if (count > remaining) count = remaining;
        }
    }
    return OPS[name ? getEncoding(name) : "utf8"].write(this, string, at, count);
};

for (const [name, encoding] of [["utf8", "utf8"], ["latin1", "latin1"], ["ascii", "ascii"], ["base64", "base64"], ["base64url", "base64url"], ["hex", "hex"], ["ucs2", "utf16le"]]) {
    const ops = OPS[encoding];
    Object.defineProperty(Buffer.prototype, `${name}Slice`, {
        value(start = 0, end = this.length) {
            if (start > this.length || end > this.length && start < 0) throw new ERR_OUT_OF_RANGE("start", `>= 0 && <= ${this.length}`, start);
            return end <= start ? "" : ops.slice(this, start, Math.min(end, this.length));
        }, writable: true, configurable: true, enumerable: true,
    });
    Object.defineProperty(Buffer.prototype, `${name}Write`, {
        value(string, offset = 0, length = this.length - offset) {
            if (typeof string !== "string") throw new ERR_INVALID_ARG_TYPE("argument", "string", string);
            if (offset < 0 || offset > this.length) throw new ERR_BUFFER_OUT_OF_BOUNDS("offset");
            if (length < 0) throw new ERR_BUFFER_OUT_OF_BOUNDS("length");
            return ops.write(this, string, offset, Math.min(length, this.length - offset));
        }, writable: true, configurable: true, enumerable: true,
    });
}

Buffer.prototype.toJSON = function toJSON() {
    return { type: "Buffer", data: Array.from(this) };
};

Buffer.prototype[customInspect] = function (recurseTimes, ctx) {
    const max = INSPECT_MAX_BYTES, actual = Math.min(max, this.length), remaining = this.length - max;
    let text = this.toString("hex", 0, actual).replace(/(.{2})/g, "$1 ").trim();
    if (remaining > 0) text += ` ... ${remaining} more byte${remaining > 1 ? "s" : ""}`;
    if (ctx) {
        let extras = false;
        const object = Object.create(null);
        for (const key of Object.keys(this)) {
            if (/^\d+$/.test(key)) continue;
            extras = true;
            object[key] = this[key];
        }
        if (extras) {
            if (this.length !== 0) text += ", ";
            text += require("./inspect.js").inspect(object, { ...ctx, breakLength: Infinity, compact: true }).slice(27, -2);
        }
    }
    return `<${this.constructor?.name ?? "Buffer"}${text === "" ? "" : ` ${text}`}>`;
};
Buffer.prototype.inspect = Buffer.prototype[customInspect];

/* --- comparing and searching --- */

Buffer.prototype.equals = function equals(other) {
    if (!types.isUint8Array(other)) throw new ERR_INVALID_ARG_TYPE("otherBuffer", ["Buffer", "Uint8Array"], other);
    if (this === other) return true;
    return this.byteLength === other.byteLength && (this.byteLength === 0 || n.compare(this, 0, this.length, other, 0, other.length) === 0);
};

Buffer.prototype.compare = function compare(target, targetStart, targetEnd, sourceStart, sourceEnd) {
    if (!types.isUint8Array(target)) throw new ERR_INVALID_ARG_TYPE("target", ["Buffer", "Uint8Array"], target);
    const check = (value, name, fallback, max) => {
        if (value === undefined) return fallback;
        validateInteger(value, name, 0, max);
        return value;
    };
    const tStart = check(targetStart, "targetStart", 0), tEnd = check(targetEnd, "targetEnd", target.length, target.length);
    const sStart = check(sourceStart, "sourceStart", 0), sEnd = check(sourceEnd, "sourceEnd", this.length, this.length);
    if (sStart >= sEnd) return tStart >= tEnd ? 0 : -1;
    if (tStart >= tEnd) return 1;
    return n.compare(this, sStart, sEnd, target, tStart, tEnd);
};

function search(buffer, value, byteOffset, encoding, forward) {
    let offset = byteOffset, name = encoding;
    if (typeof offset === "string") {
        name = offset;
        offset = undefined;
    } else if (offset > 0x7fffffff) offset = 0x7fffffff;
    else if (offset < -0x80000000) offset = -0x80000000;
    offset = +offset;
    if (Number.isNaN(offset)) offset = forward ? 0 : buffer.length || buffer.byteLength;
    offset = Math.trunc(offset);
    if (typeof value === "number") {
        const byte = value & 0xff;
        let at = offset < 0 ? offset + buffer.length : offset;
        if (!forward) {
            if (at < 0) return -1;
            return TypedArrayPrototype.lastIndexOf.call(buffer, byte, at);
        }
        if (at < 0) at = 0;
        return TypedArrayPrototype.indexOf.call(buffer, byte, at);
    }
    let needle, step = 1;
    if (typeof value === "string") {
        const normal = name === undefined ? "utf8" : getEncoding(name);
        needle = OPS[normal].from(value);
        if (normal === "utf16le") step = 2;
    } else if (types.isUint8Array(value)) {
        needle = value;
        if (name !== undefined && normalizeEncoding(name) === "utf16le") step = 2;
    } else throw new ERR_INVALID_ARG_TYPE("value", ["number", "string", "Buffer", "Uint8Array"], value);
    const { length } = buffer;
    let at = offset;
    if (at < 0) at += length;
    if (at < 0) {
        if (!forward) return -1;
        at = 0;
    }
    if (at > length) {
        if (forward) return needle.length === 0 ? length : -1;
        at = length;
    }
    if (needle.length === 0) return Math.min(at, length);
    if (needle.length > length) return -1;
    let found = n.indexOf(buffer, needle, at, forward);
    while (step === 2 && found >= 0 && found % 2 !== 0) {
        if (!forward && found === 0) return -1;
        found = n.indexOf(buffer, needle, forward ? found + 1 : found - 1, forward);
    }
    return found;
}

Buffer.prototype.indexOf = function indexOf(value, byteOffset, encoding) { return search(this, value, byteOffset, encoding, true); };
Buffer.prototype.lastIndexOf = function lastIndexOf(value, byteOffset, encoding) { return search(this, value, byteOffset, encoding, false); };
Buffer.prototype.includes = function includes(value, byteOffset, encoding) { return this.indexOf(value, byteOffset, encoding) !== -1; };

function fillBuffer(buffer, value, offset, end, encoding) {
    let what = value, from = offset, to = end, name = encoding;
    if (typeof what === "string") {
        if (from === undefined || typeof from === "string") {
            name = from;
            from = 0;
            to = buffer.length;
        } else if (typeof to === "string") {
            name = to;
            to = buffer.length;
        }
        const normal = getEncoding(name);
        if (what.length === 0) what = 0;
        else if (what.length === 1 && (normal === "latin1" || (normal === "utf8" && what.charCodeAt(0) < 128))) what = what.charCodeAt(0) & 0xff;
        name = normal;
    }
    if (from === undefined) {
        from = 0;
        to = buffer.length;
    } else {
        validateNumber(from, "offset", 0);
        if (to === undefined) to = buffer.length;
        else validateNumber(to, "end", 0, buffer.length);
        if (from >= to) return buffer;
    }
    if (typeof what === "number" || typeof what === "boolean" || what === undefined || what === null) {
        TypedArrayPrototype.fill.call(buffer, +what & 0xff, from, to);
        return buffer;
    }
    const bytes = typeof what === "string" ? OPS[name].from(what) : ArrayBuffer.isView(what) ? new Bytes(what.buffer, what.byteOffset, what.byteLength) : null;
    if (bytes === null) {
        TypedArrayPrototype.fill.call(buffer, Number(what) & 0xff, from, to);
        return buffer;
    }
    if (bytes.length === 0) throw new ERR_INVALID_ARG_VALUE("value", value);
    let at = from;
    TypedArrayPrototype.set.call(buffer, bytes.subarray(0, to - from), at);
    at += Math.min(bytes.length, to - from);
    while (at < to) {
        const count = Math.min(at - from, to - at);
        TypedArrayPrototype.copyWithin.call(buffer, at, from, from + count);
        at += count;
    }
    return buffer;
}
Buffer.prototype.fill = function fill(value, offset, end, encoding) { return fillBuffer(this, value, offset, end, encoding); };

function toIndex(value, fallback) {
    if (value === undefined) return fallback;
    const v = Math.trunc(+value);
    return Number.isNaN(v) ? 0 : v;
}

Buffer.prototype.copy = function copy(target, targetStart, sourceStart, sourceEnd) {
    if (!ArrayBuffer.isView(target) && !types.isAnyArrayBuffer(target)) throw new ERR_INVALID_ARG_TYPE("target", ["Buffer", "Uint8Array"], target);
    const to = toIndex(targetStart, 0), from = toIndex(sourceStart, 0);
    let end = toIndex(sourceEnd, this.length);
    if (to < 0) throw new ERR_OUT_OF_RANGE("targetStart", ">= 0", to);
    if (from < 0) throw new ERR_OUT_OF_RANGE("sourceStart", ">= 0", from);
    if (end < 0) throw new ERR_OUT_OF_RANGE("sourceEnd", ">= 0", end);
    const room = target.byteLength;
    if (to >= room || from >= end) return 0;
    end = Math.min(end, this.length);
    const count = Math.min(end - from, room - to);
    const into = ArrayBuffer.isView(target) ? new Bytes(target.buffer, target.byteOffset, target.byteLength) : new Bytes(target);
    into.set(part(this, from, from + count), to);
    return count;
};

/* --- swapping --- */

function swapper(size) {
    return function () {
        if (this.length % size !== 0) throw new ERR_INVALID_BUFFER_SIZE(`${size * 8}-bits`);
        for (let i = 0; i < this.length; i += size) TypedArrayPrototype.reverse.call(part(this, i, i + size));
        return this;
    };
}
Buffer.prototype.swap16 = swapper(2);
Buffer.prototype.swap32 = swapper(4);
Buffer.prototype.swap64 = swapper(8);

/* --- numbers --- */

function boundsError(value, length, type) {
    if (Math.floor(value) !== value) {
        throw new ERR_OUT_OF_RANGE(type || "offset", "an integer", value);
    }
    if (length < 0) throw new ERR_BUFFER_OUT_OF_BOUNDS();
    throw new ERR_OUT_OF_RANGE(type || "offset", `>= ${type ? 1 : 0} and <= ${length}`, value);
}

function checkOffset(b, offset, bytes) {
    if (typeof offset !== "number") throw new ERR_INVALID_ARG_TYPE("offset", "number", offset);
    if (b[offset] === undefined || b[offset + bytes - 1] === undefined) boundsError(offset, b.length - bytes);
}

function checkInt(value, min, max, b, offset, bytes) {
    if (value > max || value < min) {
        const suffix = typeof min === "bigint" ? "n" : "";
        let range;
        if (bytes > 4) {
            range = min === 0 || min === 0n ? `>= 0${suffix} and < 2${suffix} ** ${bytes * 8}${suffix}`
                : `>= -(2${suffix} ** ${bytes * 8 - 1}${suffix}) and < 2${suffix} ** ${bytes * 8 - 1}${suffix}`;
        } else range = `>= ${min}${suffix} and <= ${max}${suffix}`;
        throw new ERR_OUT_OF_RANGE("value", range, value);
    }
    checkOffset(b, offset, bytes);
}

const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Bytes(scratch.buffer);
const proto = Buffer.prototype;

function def(names, fn) {
    for (const name of names) Object.defineProperty(proto, name, { value: fn, writable: true, configurable: true, enumerable: true });
}

/* An unsigned number of up to 6 bytes. */
function readUnsigned(b, offset, bytes, little) {
    let value = 0;
    if (little) for (let i = bytes - 1; i >= 0; i--) value = value * 256 + b[offset + i];
    else for (let i = 0; i < bytes; i++) value = value * 256 + b[offset + i];
    return value;
}

function writeUnsigned(b, value, offset, bytes, little) {
    let rest = value < 0 ? value + 2 ** (8 * bytes) : value;
    for (let i = 0; i < bytes; i++) {
        b[offset + (little ? i : bytes - 1 - i)] = rest % 256;
        rest = Math.floor(rest / 256);
    }
    return offset + bytes;
}

const signed = (value, bytes) => (value >= 2 ** (8 * bytes - 1) ? value - 2 ** (8 * bytes) : value);

for (const bytes of [1, 2, 4]) {
    for (const order of bytes === 1 ? [""] : ["LE", "BE"]) {
        const little = order === "LE", bits = bytes * 8, max = 2 ** bits - 1;
        def([`readUInt${bits}${order}`, `readUint${bits}${order}`], function (offset = 0) {
            checkOffset(this, offset, bytes);
            return readUnsigned(this, offset, bytes, little);
        });
        def([`readInt${bits}${order}`], function (offset = 0) {
            checkOffset(this, offset, bytes);
            return signed(readUnsigned(this, offset, bytes, little), bytes);
        });
        def([`writeUInt${bits}${order}`, `writeUint${bits}${order}`], function (value, offset = 0) {
            const v = +value;
            if (bytes === 1) validateNumber(offset, "offset");
            checkInt(v, 0, max, this, offset, bytes);
            return writeUnsigned(this, Math.trunc(v) || 0, offset, bytes, little);
        });
        def([`writeInt${bits}${order}`], function (value, offset = 0) {
            const v = +value;
            if (bytes === 1) validateNumber(offset, "offset");
            checkInt(v, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, this, offset, bytes);
            return writeUnsigned(this, Math.trunc(v) || 0, offset, bytes, little);
        });
    }
}

function checkByteLength(byteLength) {
    if (typeof byteLength !== "number" || !Number.isInteger(byteLength) || byteLength < 1 || byteLength > 6) boundsError(byteLength, 6, "byteLength");
}

for (const order of ["LE", "BE"]) {
    const little = order === "LE";
    def([`readUInt${order}`, `readUint${order}`], function (offset, byteLength) {
        if (offset === undefined) throw new ERR_INVALID_ARG_TYPE("offset", "number", offset);
        checkByteLength(byteLength);
        checkOffset(this, offset, byteLength);
        return readUnsigned(this, offset, byteLength, little);
    });
    def([`readInt${order}`], function (offset, byteLength) {
        if (offset === undefined) throw new ERR_INVALID_ARG_TYPE("offset", "number", offset);
        checkByteLength(byteLength);
        checkOffset(this, offset, byteLength);
        return signed(readUnsigned(this, offset, byteLength, little), byteLength);
    });
    def([`writeUInt${order}`, `writeUint${order}`], function (value, offset, byteLength) {
        checkByteLength(byteLength);
        checkInt(+value, 0, 2 ** (8 * byteLength) - 1, this, offset, byteLength);
        return writeUnsigned(this, Math.trunc(+value) || 0, offset, byteLength, little);
    });
    def([`writeInt${order}`], function (value, offset, byteLength) {
        checkByteLength(byteLength);
        checkInt(+value, -(2 ** (8 * byteLength - 1)), 2 ** (8 * byteLength - 1) - 1, this, offset, byteLength);
        return writeUnsigned(this, Math.trunc(+value) || 0, offset, byteLength, little);
    });
    const through = (names, writeNames, bytes, get, set, check) => {
        def(names, function (offset = 0) {
            checkOffset(this, offset, bytes);
            for (let i = 0; i < bytes; i++) scratchBytes[i] = this[offset + i];
            return scratch[get](0, little);
        });
        def(writeNames, function (value, offset = 0) {
            check?.(value, this, offset);
            checkOffset(this, offset, bytes);
            scratch[set](0, value, little);
            for (let i = 0; i < bytes; i++) this[offset + i] = scratchBytes[i];
            return offset + bytes;
        });
    };
    through([`readFloat${order}`], [`writeFloat${order}`], 4, "getFloat32", "setFloat32");
    through([`readDouble${order}`], [`writeDouble${order}`], 8, "getFloat64", "setFloat64");
    const bigint = (min, max) => (value, b, offset) => {
        if (typeof value !== "bigint") throw new ERR_INVALID_ARG_TYPE("value", "bigint", value);
        checkInt(value, min, max, b, offset, 8);
    };
    through([`readBigUInt64${order}`, `readBigUint64${order}`], [`writeBigUInt64${order}`, `writeBigUint64${order}`], 8, "getBigUint64", "setBigUint64", bigint(0n, 2n ** 64n - 1n));
    through([`readBigInt64${order}`], [`writeBigInt64${order}`], 8, "getBigInt64", "setBigInt64", bigint(-(2n ** 63n), 2n ** 63n - 1n));
}

/* --- the rest of the module --- */

const TRANSCODE_MAX = 128 * 1024 * 1024; // bytes of the result, at most
const TRANSCODED = ["ascii", "latin1", "utf16le", "utf8"];

function transcode(source, fromEncoding, toEncoding) {
    if (!ArrayBuffer.isView(source)) throw new ERR_INVALID_ARG_TYPE("source", "ArrayBufferView", typeof source);
    const from = normalizeEncoding(fromEncoding), to = normalizeEncoding(toEncoding);
    if (from === undefined) throw new ERR_UNKNOWN_ENCODING(fromEncoding);
    if (to === undefined) throw new ERR_UNKNOWN_ENCODING(toEncoding);
    if (!TRANSCODED.includes(from) || !TRANSCODED.includes(to)) throw new Error("Unable to transcode buffer due to unsupported encoding");
    const bytes = new FastBuffer(source.buffer, source.byteOffset, source.byteLength);
    if (from === "utf16le" && to !== "utf16le" && bytes.length % 2 !== 0) throw new Error("UTF-16le input size should be multiple of 2");
    if (from === "utf8" && to === "utf16le" && !n.isUtf8(bytes)) throw new Error("Unable to transcode buffer");
    if (bytes.length * (to === "utf16le" ? 2 : 1) >= TRANSCODE_MAX) throw new Error("Source buffer is too large to transcode");
    let text = OPS[from].slice(bytes, 0, bytes.length);
    if (to === "ascii" || to === "latin1") text = text.replace(to === "ascii" ? /[^\x00-\x7f]/gu : /[^\x00-\xff]/gu, "?");
    return Buffer.from(text, to);
}

function viewForCheck(input) {
    if (types.isAnyArrayBuffer(input)) return new Bytes(input);
    if (types.isTypedArray(input)) return input;
    throw new ERR_INVALID_ARG_TYPE("input", ["ArrayBuffer", "Buffer", "TypedArray"], input);
}

const constants = { __proto__: null, MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: kStringMaxLength };
Object.defineProperties(constants, {
    MAX_LENGTH: { writable: false, enumerable: true }, MAX_STRING_LENGTH: { writable: false, enumerable: true },
});

function SlowBuffer(length) {
    assertSize(length);
    return new FastBuffer(length);
}

module.exports = {
    Buffer, SlowBuffer, transcode, isUtf8: (input) => n.isUtf8(viewForCheck(input)), isAscii: (input) => n.isAscii(viewForCheck(input)),
    kMaxLength, kStringMaxLength,
    btoa: (input) => btoa(input), atob: (input) => atob(input), constants,
    Blob, File, resolveObjectURL() { throw new Error("resolveObjectURL is not implemented"); },
};
Object.defineProperty(module.exports, "INSPECT_MAX_BYTES", {
    get: () => INSPECT_MAX_BYTES,
    set(value) {
        validateNumber(value, "INSPECT_MAX_BYTES", 0);
        INSPECT_MAX_BYTES = value;
    }, enumerable: true, configurable: true,
});
Object.defineProperty(module.exports, "normalizeEncoding", { value: normalizeEncoding, enumerable: false });
