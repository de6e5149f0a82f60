/*
 * What callers pass to R2, checked and as the C side reads it: conditions, ranges, checksums, metadata.
 */
import { viewOf } from "../../web/js/encoding.js";
import { isHeaders } from "../../web/js/headers.js";

const ALGORITHMS = [
    ["md5", "MD5", 16], ["sha1", "SHA-1", 20], ["sha256", "SHA-256", 32], ["sha384", "SHA-384", 48], ["sha512", "SHA-512", 64],
];
const HTTP_FIELDS = [
    ["contentType", "content-type"], ["contentLanguage", "content-language"], ["contentDisposition", "content-disposition"],
    ["contentEncoding", "content-encoding"], ["cacheControl", "cache-control"],
];
const CLASSES = new Set(["Standard", "InfrequentAccess"]);

export function hex(bytes) {
    return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export function unhex(text) {
    return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)).buffer;
}

/* --- conditions --- */

function etag(text) {
    if (/^"(.*)"$/s.test(text) || /^W\/"(.*)"$/s.test(text))
        throw new TypeError(`Conditional ETag should not be wrapped in quotes (${text}).`);
    return [{ v: text, w: false }];
}

/* If-Match and If-None-Match. https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1 */
function etagsOfHeader(text, name) {
    const list = [];
    let rest = text.trim();
    if (rest === "*") return [{ v: "*", w: false }];
    while (rest !== "") {
        const item = /^(W\/)?"([^"]*)"\s*/.exec(rest);
        if (item === null) {
            if (/^(W\/)?"/.test(rest)) throw new Error("Unclosed double quote for Etag");
            throw new Error(`Invalid ETag in ${name} header`);
        }
        list.push({ v: item[2], w: item[1] !== undefined });
        rest = rest.slice(item[0].length);
        if (rest !== "" && !rest.startsWith(","))
            throw new Error(`Comma was expected to separate etags. Instead got: ${rest[0]}`);
        rest = rest.slice(1).trim();
    }
    return list;
}

function conditionOfHeaders(headers) {
    const condition = { secondsGranularity: true };
    const date = (name) => {
        const text = headers.get(name);
        const ms = text === null ? NaN : Date.parse(text);
        return Number.isNaN(ms) ? undefined : ms;
    };
    const match = headers.get("if-match"), none = headers.get("if-none-match");
    if (match !== null) condition.etagMatches = etagsOfHeader(match, "if-match");
    if (none !== null) condition.etagDoesNotMatch = etagsOfHeader(none, "if-none-match");
    condition.uploadedAfter = date("if-modified-since");
    condition.uploadedBefore = date("if-unmodified-since");
    return condition;
}

export function conditionOf(onlyIf) {
    if (onlyIf === undefined || onlyIf === null) return undefined;
    if (isHeaders(onlyIf)) return conditionOfHeaders(onlyIf);
    const { etagMatches, etagDoesNotMatch, uploadedBefore, uploadedAfter, secondsGranularity } = onlyIf;
    const time = (value) => (value === undefined || value === null ? undefined : new Date(value).getTime());
    return {
        etagMatches: etagMatches === undefined || etagMatches === null ? undefined : etag(`${etagMatches}`),
        etagDoesNotMatch: etagDoesNotMatch === undefined || etagDoesNotMatch === null ? undefined : etag(`${etagDoesNotMatch}`),
        uploadedBefore: time(uploadedBefore), uploadedAfter: time(uploadedAfter),
        secondsGranularity: secondsGranularity === true,
    };
}

/* --- ranges --- */

function rangeOfHeader(text) {
    const found = /^\s*bytes\s*=\s*(?:(\d+)\s*-\s*(\d*)|-\s*(\d+))\s*$/i.exec(text ?? "");
    if (found === null) return undefined;
    const [, first, last, suffix] = found;
    if (suffix !== undefined) return { suffix: Number(suffix) };
    if (last === "") return { offset: Number(first) };
    if (Number(last) < Number(first)) return undefined;
    return { offset: Number(first), length: Number(last) - Number(first) + 1 };
}

export function rangeOf(range) {
    if (range === undefined || range === null) return undefined;
    if (isHeaders(range)) return rangeOfHeader(range.get("range"));
    const { offset, length, suffix } = range;
    if (suffix !== undefined) {
        if (offset !== undefined) throw new TypeError("Suffix is incompatible with offset.");
        if (length !== undefined) throw new TypeError("Suffix is incompatible with length.");
        if (Number(suffix) < 0) throw new RangeError(`Invalid suffix. Suffix (${suffix}) must be greater than or equal to 0.`);
        whole("suffix", "Suffix", suffix);
        return { suffix: Number(suffix) };
    }
    const out = {};
    if (offset !== undefined) {
        if (Number(offset) < 0) throw new RangeError(`Invalid range. Starting offset (${offset}) must be greater than or equal to 0.`);
        whole("range", "Starting offset", offset);
        out.offset = Number(offset);
    }
    if (length !== undefined) {
        if (Number(length) < 0) throw new RangeError(`Invalid range. Length (${length}) must be greater than or equal to 0.`);
        whole("range", "Length", length);
        out.length = Number(length);
    }
    return out;
}

function whole(what, name, value) {
    if (!Number.isInteger(Number(value)))
        throw new RangeError(`Invalid ${what}. ${name} (${value}) must be an integer, not floating point.`);
}

/* --- checksums, metadata --- */

function checksum(value, name, size) {
    const bytes = viewOf(value);
    if (bytes !== null) {
        if (bytes.byteLength !== size) throw new TypeError(`${name} is ${size} bytes, not ${bytes.byteLength}`);
        return hex(bytes);
    }
    const text = `${value}`;
    if (text.length !== 2 * size) throw new TypeError(`${name} is ${2 * size} hex characters, not ${text.length}`);
    if (!/^[0-9a-f]+$/i.test(text)) throw new TypeError(`Provided ${name} wasn't a valid hex string`);
    return text.toLowerCase();
}

function httpOfHeaders(headers) {
    const out = {};
    for (const [member, header] of HTTP_FIELDS) {
        const value = headers.get(header);
        if (value !== null) out[member] = value;
    }
    const expires = Date.parse(headers.get("expires") ?? "");
    if (!Number.isNaN(expires)) out.cacheExpiry = expires;
    return out;
}

export function httpMetadataOf(value) {
    if (value === undefined || value === null) return undefined;
    if (isHeaders(value)) return httpOfHeaders(value);
    const out = {};
    for (const [member] of HTTP_FIELDS)
        if (value[member] !== undefined && value[member] !== null) out[member] = `${value[member]}`;
    if (value.cacheExpiry !== undefined && value.cacheExpiry !== null) out.cacheExpiry = new Date(value.cacheExpiry).getTime();
    return out;
}

function customOf(value) {
    if (value === undefined || value === null) return undefined;
    const out = {};
    for (const [key, entry] of Object.entries(value)) out[key] = `${entry}`;
    return out;
}

/* 32 bytes or their hex digits, as hex; undefined without a key. */
export function ssecKeyOf(options) {
    const key = options?.ssecKey;
    if (key === undefined || key === null) return undefined;
    const bytes = viewOf(key);
    const text = bytes === null ? `${key}`.toLowerCase() : hex(bytes);
    if (text.length !== 64) throw new Error("SSE-C Key must be 32 bytes in length");
    if (!/^[0-9a-f]+$/.test(text)) throw new Error("SSE-C Key must be 32 bytes in length, as bytes or hex digits");
    return text;
}

export function putOptions(options) {
    const out = {
        onlyIf: conditionOf(options.onlyIf), httpMetadata: httpMetadataOf(options.httpMetadata),
        customMetadata: customOf(options.customMetadata), ssecKey: ssecKeyOf(options),
    };
    let given = 0;
    for (const [member, name, size] of ALGORITHMS) {
        if (options[member] === undefined || options[member] === null) continue;
        if (++given > 1) throw new TypeError("You cannot specify multiple hashing algorithms.");
        out[member] = checksum(options[member], name, size);
    }
    if (options.storageClass !== undefined && options.storageClass !== null) {
        if (!CLASSES.has(options.storageClass)) throw new TypeError(`Invalid storage class: ${options.storageClass}`);
        out.storageClass = options.storageClass;
    }
    return out;
}

/* Sets the header fields of an object's httpMetadata. */
export function writeHttpMetadata(http, headers) {
    for (const [member, header] of HTTP_FIELDS)
        if (http[member] !== undefined) headers.set(header, http[member]);
    if (http.cacheExpiry !== undefined) headers.set("expires", http.cacheExpiry.toUTCString());
}
