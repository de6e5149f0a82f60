/* Values as text, in the form of Node's util.inspect, and format strings: for the console. */
import { isError, errorText } from "./errors.js";
import { isHeaders } from "./headers.js";
import { isRequest } from "./request.js";
import { isResponse } from "./response.js";
import { isParams } from "./url.js";
import { runtimePrototypes } from "./interfaces.js";

const CUSTOM = Symbol.for("nodejs.util.inspect.custom");
const DEPTH = 2, WIDTH = 72, ITEMS_MAX = 100, STRING_MAX = 10_000;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

function quote(string) {
    const text = string.length > STRING_MAX ? `${string.slice(0, STRING_MAX)}... ${string.length - STRING_MAX} more characters` : string;
    const q = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes("`") ? "`" : "'";
    const body = text.replace(/[\\\n\r\t\b\f\v\0\x01-\x1f\x7f]/g, (c) => ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
    return q + (q === "'" ? body.replaceAll("'", "\\'") : body) + q;
}
const ESCAPES = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v" };

function primitive(value) {
    switch (typeof value) {
    case "string": return quote(value);
    case "number": return Object.is(value, -0) ? "-0" : String(value);
    case "bigint": return `${value}n`;
    case "symbol": return value.toString();
    default: return String(value);
    }
}

function constructorName(value) {
    for (let o = value; o !== null; o = Object.getPrototypeOf(o)) {
        const descriptor = Object.getOwnPropertyDescriptor(o, "constructor");
        if (descriptor !== undefined && typeof descriptor.value === "function" && descriptor.value.name !== "") return descriptor.value.name;
    }
    return null;
}

function keyText(key) {
    if (typeof key === "symbol") return `[${key.toString()}]`;
    return IDENTIFIER.test(key) ? key : quote(key);
}

class Inspector {
    constructor(depth) {
        this.depth = depth;
        this.path = [];
    }

    value(value, level) {
        if (value === null || (typeof value !== "object" && typeof value !== "function")) return primitive(value);
        if (this.path.includes(value)) return "[Circular *1]";
        if (typeof value === "function") return this.function(value, level);
        this.path.push(value);
        try {
            const custom = value[CUSTOM]; // Buffer has one
            if (typeof custom === "function" && Object.getOwnPropertyDescriptor(value, "constructor")?.value?.prototype !== value) {
                const text = custom.call(value, this.depth - level, {}, inspect);
                if (text !== value) return typeof text === "string" ? text : this.value(text, level);
            }
            return this.object(value, level);
        } catch (error) {
            return `[Object: inspection failed: ${isError(error) ? error.message : "unknown"}]`;
        } finally {
            this.path.pop();
        }
    }

    function(value, level) {
        const isClass = /^class\b/.test(Function.prototype.toString.call(value));
        const kind = isClass ? "class" : constructorName(value) ?? "Function";
        const name = typeof value.name === "string" ? value.name : "";
        const title = isClass ? `[class ${name === "" ? "(anonymous)" : name}]` : `[${kind}${name === "" ? " (anonymous)" : `: ${name}`}]`;
        const parts = this.properties(value, level, []);
        return parts.length === 0 ? title : this.join(`${title} {`, parts, "}", level);
    }

    object(value, level) {
        if (isError(value)) return this.error(value, level);
        if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
        if (value instanceof RegExp) return String(value);
        if (value instanceof Number || value instanceof String || value instanceof Boolean)
            return `[${constructorName(value)}: ${primitive(value.valueOf())}]`;
        if (value instanceof Promise) return "Promise { <pending> }";
        if (value instanceof WeakMap || value instanceof WeakSet) return `${constructorName(value)} { <items unknown> }`;
        const name = constructorName(value);
        const deep = level > this.depth;
        if (Array.isArray(value)) return this.array(value, level, name, deep);
        if (value instanceof Map) return this.map(value, level, deep);
        if (value instanceof Set) return this.set(value, level, deep);
        if (value instanceof ArrayBuffer) return this.buffer(value, level, deep);
        if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return this.typed(value, level, name, deep);
        return this.plain(value, level, name, deep);
    }

    error(value, level) {
        let text = errorText(value);
        const parts = this.properties(value, level, ["message", "stack", "line", "column", "sourceURL", "name"]);
        if (Object.hasOwn(value, "cause") && !Object.keys(value).includes("cause"))
            parts.push(`[cause]: ${this.value(value.cause, level + 1)}`);
        if (level > 0 && !text.includes("\n")) text = `[${text}]`;
        return parts.length === 0 ? text : `${text} {\n  ${parts.join(",\n  ")}\n}`;
    }

    array(value, level, name, deep) {
        if (deep) return "[Array]";
        const parts = [];
        const prefix = name === "Array" ? "" : `${name}(${value.length}) `;
        let i = 0;
        for (; i < value.length && parts.length < ITEMS_MAX; i++) {
            if (i in value) {
                parts.push(this.value(value[i], level + 1));
                continue;
            }
            let n = 0;
            for (; i < value.length && !(i in value); i++) n++;
            i--;
            parts.push(`<${n} empty item${n > 1 ? "s" : ""}>`);
        }
        if (i < value.length) parts.push(`... ${value.length - i} more item${value.length - i > 1 ? "s" : ""}`);
        for (const key of Object.keys(value)) if (!/^\d+$/.test(key)) parts.push(this.property(value, key, level));
        return this.join(`${prefix}[`, parts, "]", level);
    }

    typed(value, level, name, deep) {
        if (deep) return `[${name}]`;
        const parts = Array.from(value.subarray(0, ITEMS_MAX), primitive);
        if (value.length > ITEMS_MAX) parts.push(`... ${value.length - ITEMS_MAX} more items`);
        return this.join(`${name}(${value.length}) [`, parts, "]", level);
    }

    buffer(value, level, deep) {
        if (deep) return "[ArrayBuffer]";
        const hex = Array.from(new Uint8Array(value, 0, Math.min(value.byteLength, 50)), (b) => b.toString(16).padStart(2, "0")).join(" ");
        const more = value.byteLength > 50 ? ` ... ${value.byteLength - 50} more bytes` : "";
        return this.join("ArrayBuffer {", [`[Uint8Contents]: <${hex}${more}>`, `byteLength: ${value.byteLength}`], "}", level);
    }

    map(value, level, deep) {
        if (deep) return "[Map]";
        const parts = [];
        for (const [k, v] of value) {
            if (parts.length === ITEMS_MAX) break;
            parts.push(`${this.value(k, level + 1)} => ${this.value(v, level + 1)}`);
        }
        return this.join(`Map(${value.size}) {`, parts, "}", level);
    }

    set(value, level, deep) {
        if (deep) return "[Set]";
        const parts = [];
        for (const v of value) {
            if (parts.length === ITEMS_MAX) break;
            parts.push(this.value(v, level + 1));
        }
        return this.join(`Set(${value.size}) {`, parts, "}", level);
    }

    plain(value, level, name, deep) {
        let title = name === null ? "[Object: null prototype] " : name === "Object" ? "" : `${name} `;
        const tag = value[Symbol.toStringTag];
        if (typeof tag === "string" && tag !== "" && tag !== name) title = `${name ?? "Object"} [${tag}] `;
        if (deep) return `[${name ?? "Object: null prototype"}]`;
        const parts = this.web(value, level) ?? this.properties(value, level, []);
        return this.join(`${title}{`, parts, "}", level);
    }

    /* Objects of ours keep nothing in own properties: their getters are what one wants to see. */
    web(value, level) {
        if (isHeaders(value)) return [...value].map(([k, v]) => `${keyText(k)}: ${quote(v)}`);
        if (isParams(value)) return [...value].map(([k, v]) => `${quote(k)} => ${quote(v)}`);
        const names = isRequest(value) ? ["method", "url", "headers", "redirect", "body", "bodyUsed"]
            : isResponse(value) ? ["status", "statusText", "headers", "ok", "redirected", "url", "bodyUsed"] : getterNames(value);
        if (names === null) return null;
        const own = this.properties(value, level, []);
        return own.concat(names.map((n) => `${n}: ${this.value(value[n], level + 1)}`));
    }

    properties(value, level, skip) {
        const parts = [];
        for (const key of Reflect.ownKeys(value)) {
            if (skip.includes(key) || !Object.prototype.propertyIsEnumerable.call(value, key)) continue;
            if (parts.length === ITEMS_MAX) {
                parts.push("... more");
                break;
            }
            parts.push(this.property(value, key, level));
        }
        return parts;
    }

    property(value, key, level) {
        const { get, set, value: v } = Object.getOwnPropertyDescriptor(value, key);
        const text = get !== undefined ? (set !== undefined ? "[Getter/Setter]" : "[Getter]")
            : set !== undefined ? "[Setter]" : this.value(v, level + 1);
        return `${keyText(key)}: ${text}`;
    }

    join(open, parts, close, level) {
        if (parts.length === 0) return open.endsWith("[") ? `${open}]` : open === "{" ? "{}" : `${open}}`;
        const total = parts.reduce((n, p) => n + p.length + 2, open.length);
        if (total <= WIDTH && !parts.some((p) => p.includes("\n"))) return `${open} ${parts.join(", ")} ${close}`;
        const pad = "  ".repeat(level + 1);
        return `${open}\n${pad}${parts.join(`,\n${pad}`)}\n${"  ".repeat(level)}${close}`;
    }
}

/* The accessors of a class of the runtime (they are few and cheap), or null for other objects. */
function getterNames(value) {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === null || !runtimePrototypes.has(prototype)) return null;
    const names = [];
    for (let p = prototype; p !== null && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
        for (const [name, d] of Object.entries(Object.getOwnPropertyDescriptors(p)))
            if (d.get !== undefined && !names.includes(name)) names.push(name);
    }
    return names;
}
export function inspect(value, options = undefined) {
    const depth = options?.depth === null ? Infinity : options?.depth ?? DEPTH;
    return new Inspector(depth).value(value, 0);
}

const FORMATS = {
    s: (v) => (typeof v === "string" ? v : typeof v === "object" && v !== null ? inspect(v, { depth: 0 }) : typeof v === "bigint" ? `${v}n` : String(v)),
    d: (v) => (typeof v === "bigint" ? `${v}n` : typeof v === "symbol" ? "NaN" : typeof v === "object" && v !== null ? "NaN" : String(Number(v))),
    i: (v) => (typeof v === "bigint" ? `${v}n` : typeof v === "symbol" || typeof v === "object" ? "NaN" : String(Number.parseInt(v, 10))),
    f: (v) => (typeof v === "symbol" ? "NaN" : String(Number.parseFloat(v))),
    o: (v) => inspect(v, { depth: 4 }),
    O: (v) => inspect(v),
    j: (v) => {
        try {
            return JSON.stringify(v);
        } catch {
            return "[Circular]";
        }
    },
    c: () => "",
};

/* Expands %s and its kind in the first argument; returns [text, how many arguments were used]. */
export function expand(args) {
    let used = 1;
    const text = args[0].replace(/%([sdifoOjc%])/g, (whole, kind) => {
        if (kind === "%") return "%";
        if (used >= args.length) return whole;
        return FORMATS[kind](args[used++]);
    });
    return [text, used];
}

export function format(...args) {
    if (args.length === 0) return "";
    let from = 0, out = "";
    if (typeof args[0] === "string") [out, from] = args.length > 1 ? expand(args) : [args[0], 1];
    for (let i = from; i < args.length; i++) {
        const text = typeof args[i] === "string" ? args[i] : inspect(args[i]);
        out += i === 0 ? text : ` ${text}`;
    }
    return out;
}
