/* node:querystring. https://nodejs.org/api/querystring.html */
const { codes: { ERR_INVALID_URI } } = require("./errors.js");

function qsUnescape(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return unescapeBuffer(text).toString();
    }
}

/* Bytes of a text with %XX; what is broken stays. */
function unescapeBuffer(text) {
    const { Buffer } = require("./buffer.js");
    const s = `${text}`;
    const out = [];
    for (let i = 0; i < s.length; i++) {
        if (s[i] === "%" && /^[0-9a-fA-F]{2}$/.test(s.slice(i + 1, i + 3))) {
            out.push(parseInt(s.slice(i + 1, i + 3), 16));
            i += 2;
        } else out.push(s.charCodeAt(i) & 0xff);
    }
    return Buffer.from(out);
}

function qsEscape(value) {
    let text = value;
    if (typeof text !== "string") text = typeof text === "object" ? String(text) : `${text}`;
    try {
        return encodeURIComponent(text);
    } catch {
        // A surrogate pairs with whatever follows it, as in Node.
        const pairs = text.replace(/[\ud800-\udfff][^]?/g, (pair) => {
            if (pair.length < 2) throw new ERR_INVALID_URI();
            return String.fromCodePoint(0x10000 + (((pair.charCodeAt(0) & 0x3ff) << 10) | (pair.charCodeAt(1) & 0x3ff)));
        });
        return encodeURIComponent(pairs);
    }
}

function primitive(value) {
    switch (typeof value) {
    case "string": return value;
    case "number": return Number.isFinite(value) ? `${value}` : "";
    case "bigint": return `${value}`;
    case "boolean": return value ? "true" : "false";
    default: return "";
    }
}

function stringify(object, sep = "&", eq = "=", options = undefined) {
    if (object === null || typeof object !== "object") return "";
    const separator = sep || "&", equals = eq || "=";
    const encode = typeof options?.encodeURIComponent === "function" ? options.encodeURIComponent : querystring.escape;
    const convert = (v) => {
        const text = primitive(v);
        return text === "" ? "" : encode === qsEscape && typeof v !== "string" && /^[\w.-]+$/.test(text) ? text : encode(text);
    };
    const out = [];
    for (const key of Object.keys(object)) {
        const value = object[key], name = encode(primitive(key)) + equals;
        if (Array.isArray(value)) for (const item of value) out.push(name + convert(item));
        else out.push(name + convert(value));
    }
    return out.join(separator);
}

function parse(text, sep = "&", eq = "=", options = undefined) {
    const out = Object.create(null);
    if (typeof text !== "string" || text.length === 0) return out;
    const separator = sep ? String(sep) : "&", equals = eq ? String(eq) : "=";
    let max = 1000;
    if (typeof options?.maxKeys === "number") max = options.maxKeys;
    const custom = typeof options?.decodeURIComponent === "function" ? options.decodeURIComponent : querystring.unescape;
    const decode = (s) => {
        if (custom === qsUnescape) return /%/.test(s) ? qsUnescape(s) : s;
        try {
            return custom(s);
        } catch {
            return querystring.unescape(s);
        }
    };
    let n = 0;
    for (const pair of text.split(separator)) {
        if (max > 0 && n++ >= max) break;
        if (pair === "") continue;
        const at = pair.indexOf(equals);
        const plain = (s) => s.replaceAll("+", custom === qsUnescape ? " " : "%20");
        const key = decode(plain(at < 0 ? pair : pair.slice(0, at)));
        const value = at < 0 ? "" : decode(plain(pair.slice(at + equals.length)));
        const old = out[key];
        if (old === undefined) out[key] = value;
        else if (Array.isArray(old)) old.push(value);
        else out[key] = [old, value];
    }
    return out;
}

const querystring = module.exports = {
    unescapeBuffer, unescape: qsUnescape, escape: qsEscape, stringify, encode: stringify, parse, decode: parse,
};
