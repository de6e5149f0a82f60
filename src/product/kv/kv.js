/*
 * KVNamespace. https://developers.cloudflare.com/kv/api/
 *
 * Reads are answered from the namespace's files in this process, so they resolve at once.
 */
import * as context from "../../web/js/context.js";
import { viewOf, utf8 } from "../../web/js/encoding.js";
import { bytesStream } from "../../web/js/body_source.js";
import { isReadableStream, readableOf, wrapReadable } from "../../web/js/streams/classes.js";
import { keeperCall, keeperSend } from "../keeper_call.js";

const kv = native.kv;

const TEXT = 0, BYTES = 1;
const VALUE_MAX = 25 * 1024 * 1024;
const METADATA_MAX = 1024;
const BULK_MAX = 100;
const LIST_MAX = 1000;
const TTL_MIN_S = 60;
const CACHE_TTL_MIN_S = 30;
const E2BIG = -7;
const TYPES = new Set(["text", "json", "arrayBuffer", "stream"]);
const UNKNOWN_TYPE = 'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".';
const BAD_VALUE = "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.";

function checkCacheTtl({ cacheTtl }, verb) {
    if (cacheTtl === undefined) return;
    const ttl = seconds(cacheTtl);
    if (ttl < CACHE_TTL_MIN_S) throw new Error(`KV ${verb} failed: 400 Invalid cache_ttl of ${ttl}. Cache TTL must be at least ${CACHE_TTL_MIN_S}.`);
}

/* "text", {type} or nothing, as get() takes it. */
function typeOf(options) {
    if (options === undefined || options === null) return "text";
    if (typeof options === "object") {
        checkCacheTtl(options, "GET");
        options = options.type ?? "text";
    }
    const type = `${options}`;
    if (!TYPES.has(type)) throw new TypeError(UNKNOWN_TYPE);
    return type;
}

/* What C gave for a type (text or bytes) as what was asked for. */
function shaped(value, type) {
    if (type === "json") return JSON.parse(value);
    if (type === "stream") return wrapReadable(bytesStream(new Uint8Array(value)));
    return value;
}

function kindOf(type) {
    return type === "text" || type === "json" ? TEXT : BYTES;
}

function bulkType(options) {
    const given = typeof options === "object" && options !== null;
    if (given) checkCacheTtl(options, "GET_BULK");
    const type = (given ? options.type : options) ?? "text";
    if (type !== "text" && type !== "json")
        throw new Error(`KV GET_BULK failed: 400 "${type}" is not a valid type. Use "json" or "text"`);
    return type;
}

/* [key, [value, metadata] or null] for each key, in order. */
function* bulk(index, keys, options) {
    const type = bulkType(options);
    if (keys.length === 0) throw new Error("KV GET_BULK failed: 400 You must request a minimum of 1 key");
    if (keys.length > BULK_MAX) throw new Error(`KV GET_BULK failed: 400 You can request a maximum of ${BULK_MAX} keys`);
    let size = 0;
    for (const name of keys) {
        const key = `${name}`;
        const entry = kv.entry(index, key, TEXT);
        if (entry !== null) {
            size += entry[0].length;
            if (size > VALUE_MAX) throw new Error("KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB");
            if (type === "json") entry[0] = bulkJson(entry[0]);
        }
        yield [key, entry];
    }
}

function bulkJson(text) {
    try {
        return JSON.parse(text);
    } catch {
        throw new Error("KV GET_BULK failed: 400 At least one of the requested keys corresponds to a non-json value");
    }
}

/* As an integer of WebIDL: what is no number is 0, fractions are cut. */
function seconds(value) {
    const n = Math.trunc(Number(value));
    return Number.isFinite(n) ? n : 0;
}

/* Seconds since 1970, 0 for never. */
function expirationOf({ expiration, expirationTtl }) {
    const now = Math.floor(native.io.now() / 1000);
    if (expirationTtl !== undefined && expirationTtl !== null) {
        const ttl = seconds(expirationTtl);
        if (ttl <= 0)
            throw new Error(`KV PUT failed: 400 Invalid expiration_ttl of ${ttl}. Please specify integer greater than 0.`);
        if (ttl < TTL_MIN_S)
            throw new Error(`KV PUT failed: 400 Invalid expiration_ttl of ${ttl}. Expiration TTL must be at least ${TTL_MIN_S}.`);
        return now + ttl;
    }
    if (expiration === undefined || expiration === null) return 0;
    const at = seconds(expiration);
    if (at <= now)
        throw new Error(`KV PUT failed: 400 Invalid expiration of ${at}. Please specify integer greater than the current number of seconds since the UNIX epoch.`);
    if (at < now + TTL_MIN_S)
        throw new Error(`KV PUT failed: 400 Invalid expiration of ${at}. Expiration times must be at least ${TTL_MIN_S} seconds in the future.`);
    return at;
}

function metadataOf(metadata) {
    if (metadata === undefined || metadata === null) return "";
    const text = JSON.stringify(metadata);
    if (text === undefined) return "";
    const { length } = utf8(text);
    if (length > METADATA_MAX) throw new Error(`KV PUT failed: 413 Metadata length of ${length} exceeds limit of ${METADATA_MAX}.`);
    return text;
}

function tooLong(length) {
    return new Error(`KV PUT failed: 413 Value length of ${length} exceeds limit of ${VALUE_MAX}.`);
}

/* A string or bytes of allowed length. */
function plainValue(value) {
    if (typeof value === "string") {
        if (value.length * 3 > VALUE_MAX) {
            const { length } = utf8(value);
            if (length > VALUE_MAX) throw tooLong(length);
        }
        return value;
    }
    const bytes = viewOf(value);
    if (bytes === null) {
        if (value === null || value === undefined || typeof value === "object" || typeof value === "function" || typeof value === "symbol")
            throw new TypeError(BAD_VALUE);
        return `${value}`;
    }
    if (bytes.byteLength > VALUE_MAX) throw tooLong(bytes.byteLength);
    return bytes;
}

/* The keeper's texts begin with a status; others are ours. */
function failed(verb, { text }) {
    return new Error(`KV ${verb} failed: ${/^\d{3} /.test(text) ? text : `500 ${text || "Internal Server Error"}`}`);
}

function listLimit(limit) {
    if (limit === undefined || limit === null) return LIST_MAX;
    const n = Number(limit);
    if (!Number.isInteger(n) || n < 1)
        throw new Error(`KV GET failed: 400 Invalid key_count_limit of ${limit}. Please specify an integer greater than 0.`);
    if (n > LIST_MAX)
        throw new Error(`KV GET failed: 400 Invalid key_count_limit of ${limit}. Please specify an integer less than ${LIST_MAX}.`);
    return n;
}

const MAKE = Symbol("make");

export class KVNamespace {
    #index;

    constructor(key, index) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#index = index;
    }

    async get(key, options = undefined) {
        context.need();
        if (options === undefined && typeof key === "string") return kv.get(this.#index, key, TEXT);
        if (Array.isArray(key)) {
            const found = new Map();
            for (const [name, entry] of bulk(this.#index, key, options)) found.set(name, entry === null ? null : entry[0]);
            return found;
        }
        const type = typeOf(options);
        const value = kv.get(this.#index, key, kindOf(type));
        return value === null ? null : shaped(value, type);
    }

    async getWithMetadata(key, options = undefined) {
        context.need();
        if (Array.isArray(key)) {
            const found = new Map();
            for (const [name, entry] of bulk(this.#index, key, options))
                found.set(name, entry === null ? null : { value: entry[0], metadata: entry[1] });
            return found;
        }
        const type = typeOf(options);
        const entry = kv.entry(this.#index, key, kindOf(type));
        if (entry === null) return { value: null, metadata: null, cacheStatus: null };
        return { value: shaped(entry[0], type), metadata: entry[1], cacheStatus: null };
    }

    async list(options = undefined) {
        context.need();
        const { prefix, cursor, limit } = options ?? {};
        const found = kv.list(this.#index, `${prefix ?? ""}`, `${cursor ?? ""}`, listLimit(limit));
        found.cacheStatus = null;
        return found;
    }

    async put(key, value, options = undefined) {
        context.need();
        const expiration = expirationOf(options ?? {}), metadata = metadataOf(options?.metadata);
        const stream = isReadableStream(value) ? readableOf(value) : null;
        const body = stream === null ? plainValue(value) : true;
        if (stream !== null && stream.length > VALUE_MAX) throw tooLong(stream.length);
        const start = (callback) => kv.put(this.#index, key, body, metadata, expiration, callback);
        const answer = await (stream === null ? keeperCall(start) : keeperSend(start, stream));
        if (answer.result === E2BIG && !answer.text.startsWith("413")) throw tooLong(VALUE_MAX + 1); // or more: the rest was not read
        if (answer.result < 0) throw failed("PUT", answer);
    }

    async delete(key) {
        context.need();
        const answer = await keeperCall((callback) => kv.remove(this.#index, key, callback));
        if (answer.result < 0) throw failed("DELETE", answer);
    }

    async deleteBulk(keys) {
        context.need();
        await Promise.all(Array.from(keys, (key) => this.delete(key)));
    }
}

Object.defineProperty(KVNamespace.prototype, Symbol.toStringTag, { value: "KvNamespace", configurable: true });

export function make() {
    return (index) => new KVNamespace(MAKE, index);
}
