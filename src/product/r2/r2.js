/*
 * R2Bucket. https://developers.cloudflare.com/r2/api/workers/workers-api-reference/
 *
 * Objects are found and read in this process; puts and deletes go to the keeper.
 */
import * as context from "../../web/js/context.js";
import { viewOf, utf8, fromUtf8 } from "../../web/js/encoding.js";
import { blobBytes, makeBlob } from "../../web/js/blob.js";
import { finish } from "../../web/js/body_source.js";
import { makeByteStream } from "../../web/js/streams/bytes.js";
import { isReadableStream, readableOf, wrapReadable } from "../../web/js/streams/classes.js";
import { keeperCall, keeperSend } from "../keeper_call.js";
import { conditionOf, rangeOf, putOptions, ssecKeyOf, writeHttpMetadata, unhex } from "./r2_options.js";

const r2 = native.r2;

const PIECE = 256 * 1024;
const LIST_MAX = 1000;
const KEYS_MAX = 1000;
const PARTS_MAX = 10000;
const PART_MAX = 5 * 2 ** 30;
const OBJECT_MAX = 5 * 2 ** 30 - 5 * 2 ** 20;
const UNKNOWN_LENGTH = "Provided readable stream must have a known length (request/response body or readable half of FixedLengthStream)";
const USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.";
const MAKE = Symbol("make");

function r2Error(action, message) {
    return new Error(`${action}: ${message}`);
}

/* Runs a native; its errors get the action in front. */
function native_(action, fn) {
    try {
        return fn();
    } catch (error) {
        if (!/ \(\d+\)$/.test(error.message)) throw error;
        throw r2Error(action, error.message);
    }
}

function checksumsOf(raw) {
    const sums = {};
    const known = Object.entries(raw).filter(([name]) => !name.startsWith("crc") && name !== "s3"); // those are S3's
    for (const [name, text] of known) sums[name] = unhex(text);
    Object.defineProperty(sums, "toJSON", { value: () => Object.fromEntries(known), enumerable: false });
    return sums;
}

function httpOf(raw) {
    return raw.cacheExpiry === undefined ? raw : { ...raw, cacheExpiry: new Date(raw.cacheExpiry) };
}

export class R2Object {
    constructor(key, raw) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.key = raw.key;
        this.version = raw.version;
        this.size = raw.size;
        this.etag = raw.etag;
        this.httpEtag = `"${raw.etag}"`;
        this.uploaded = new Date(raw.uploaded);
        this.checksums = checksumsOf(raw.checksums);
        if (raw.httpMetadata !== undefined) this.httpMetadata = httpOf(raw.httpMetadata);
        if (raw.customMetadata !== undefined) this.customMetadata = raw.customMetadata;
        if (raw.range !== undefined) this.range = raw.range;
        this.storageClass = raw.storageClass;
        if (raw.ssecKeyMd5 !== undefined) this.ssecKeyMd5 = raw.ssecKeyMd5;
    }

    writeHttpMetadata(headers) {
        if (this.httpMetadata === undefined)
            throw new TypeError(`HTTP metadata unknown for key \`${this.key}\`. Did you forget to add 'httpMetadata' to \`include\` when listing?`);
        writeHttpMetadata(this.httpMetadata, headers);
    }
}

/* Where the bytes of an object are: here already, or in a blob. */
class Source {
    constructor(index, raw, inline, offset, length, seal) {
        this.index = index;
        this.version = raw.version;
        this.pieced = raw.etag.includes("-") ? 1 : 0;
        this.inline = inline;
        this.seal = seal; // what decrypts the blobs, or ""
        this.offset = offset;
        this.length = length;
        this.at = 0;
    }

    /* The next n bytes at most, as an ArrayBuffer of their own. */
    next(n) {
        const length = Math.min(n, this.length - this.at);
        const { at } = this;
        this.at += length;
        if (this.inline !== null) return length === this.inline.byteLength ? this.inline : this.inline.slice(at, at + length);
        return native_("get", () => r2.read(this.index, this.version, this.offset + at, length, this.pieced, this.seal));
    }
}

function sourceStream(source) {
    const state = makeByteStream({
        async pull() {
            if (source.at < source.length) state.controller.enqueueOwned(new Uint8Array(source.next(PIECE)));
            if (source.at === source.length) finish(state);
        },
        cancel() {
            source.at = source.length;
            return Promise.resolve();
        },
    });
    state.length = source.length;
    return state;
}

export class R2ObjectBody extends R2Object {
    #source;
    #stream = null; // state, once somebody asked for it
    #used = false;

    constructor(key, raw, source) {
        super(key, raw);
        this.#source = source;
    }

    get body() {
        if (this.#stream === null) {
            this.#stream = sourceStream(this.#source);
            if (this.#used) {
                this.#stream.disturbed = true;
                this.#stream.controller.close();
            }
        }
        return wrapReadable(this.#stream);
    }

    get bodyUsed() {
        return this.#used || (this.#stream !== null && this.#stream.disturbed);
    }

    /* All bytes; what is large was read in one call. */
    #take() {
        if (this.bodyUsed) throw new TypeError(USED);
        if (this.#stream !== null && this.#stream.reader !== null)
            throw new TypeError("This ReadableStream is currently locked to a reader.");
        this.#used = true;
        if (this.#stream !== null) {
            this.#stream.disturbed = true;
            this.#stream.controller.close();
        }
        return this.#source.next(this.#source.length);
    }

    async arrayBuffer() {
        return this.#take();
    }

    async bytes() {
        return new Uint8Array(this.#take());
    }

    async text() {
        return fromUtf8(new Uint8Array(this.#take()));
    }

    async json() {
        return JSON.parse(fromUtf8(new Uint8Array(this.#take())));
    }

    async blob() {
        return makeBlob(new Uint8Array(this.#take()), this.httpMetadata?.contentType ?? "");
    }
}

/* What put() or uploadPart() was given: a string, bytes, or the state of a stream of known length. */
function putBody(value, method = "put", cls = "R2Bucket") {
    if (value === null) return { body: "", size: 0, state: null };
    if (typeof value === "string") {
        const body = utf8(value);
        return { body, size: body.byteLength, state: null };
    }
    const bytes = viewOf(value) ?? blobBytes(value);
    if (bytes !== null) return { body: bytes, size: bytes.byteLength, state: null };
    if (!isReadableStream(value))
        throw new TypeError(`Failed to execute '${method}' on '${cls}': parameter 2 is not of type 'ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob'.`);
    const state = readableOf(value);
    if (!(state.length >= 0)) throw new TypeError(UNKNOWN_LENGTH);
    return { body: true, size: state.length, state };
}

const INCLUDE = new Set(["httpMetadata", "customMetadata"]);

function includeOf(include) {
    const wanted = new Set();
    for (const item of include ?? []) {
        if (!INCLUDE.has(item)) throw new RangeError(`Unsupported include value ${item}`);
        wanted.add(item);
    }
    return wanted;
}

const INTERNAL = "We encountered an internal error. Please try again. (10001)";

function checked(action, answer) {
    if (answer.result < 0) throw r2Error(action, answer.text || INTERNAL);
    return answer;
}

export class R2MultipartUpload {
    #index;

    constructor(key, index, objectKey, uploadId) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#index = index;
        this.key = objectKey;
        this.uploadId = uploadId;
    }

    async uploadPart(partNumber, value, options = undefined) {
        context.need();
        if (value === undefined || value === null)
            throw new TypeError("Failed to execute 'uploadPart' on 'R2MultipartUpload': parameter 2 is not of type 'ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob'.");
        const n = Math.trunc(Number(partNumber)) || 0;
        if (n < 1 || n > PARTS_MAX) throw new TypeError(`Part number must be between 1 and ${PARTS_MAX} (inclusive). Actual value was: ${n}`);
        const text = JSON.stringify({ ssecKey: ssecKeyOf(options) });
        const { body, size, state } = putBody(value, "uploadPart", "R2MultipartUpload");
        if (size > PART_MAX) throw r2Error("uploadPart", "Your proposed upload exceeds the maximum allowed object size. (100100)");
        const start = (callback) => native_("uploadPart", () => r2.multipartPart(this.#index, this.key, this.uploadId, n, body, size, text, callback));
        const answer = checked("uploadPart", await (state === null ? keeperCall(start) : keeperSend(start, state)));
        return { partNumber: n, etag: JSON.parse(answer.json).etag };
    }

    async abort() {
        context.need();
        checked("abortMultipartUpload", await keeperCall((callback) => native_("abortMultipartUpload", () => r2.multipartAbort(this.#index, this.key, this.uploadId, callback))));
    }

    async complete(uploadedParts) {
        context.need();
        const parts = Array.from(uploadedParts, ({ partNumber, etag }) => ({ partNumber: Math.trunc(Number(partNumber)) || 0, etag: `${etag}` }));
        const start = (callback) => native_("completeMultipartUpload", () => r2.multipartComplete(this.#index, this.key, this.uploadId, JSON.stringify(parts), callback));
        return new R2Object(MAKE, JSON.parse(checked("completeMultipartUpload", await keeperCall(start)).json));
    }
}

export class R2Bucket {
    #index;

    constructor(key, index) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#index = index;
    }

    async head(key) {
        context.need();
        const raw = native_("head", () => r2.head(this.#index, `${key}`));
        if (raw === null) return null;
        raw.range = { offset: 0, length: raw.size };
        return new R2Object(MAKE, raw);
    }

    async get(key, options = undefined) {
        context.need();
        let text = "";
        if (options !== undefined && options !== null)
            text = JSON.stringify({ onlyIf: conditionOf(options.onlyIf), range: rangeOf(options.range), ssecKey: ssecKeyOf(options) });
        const found = native_("get", () => r2.get(this.#index, `${key}`, text));
        if (found === null) return null;
        const [raw, passed, inline, offset, length, seal] = found;
        if (!passed) return new R2Object(MAKE, raw);
        raw.range ??= { offset, length };
        return new R2ObjectBody(MAKE, raw, new Source(this.#index, raw, inline, offset, length, seal));
    }

    async put(key, value, options = undefined) {
        context.need();
        if (value === undefined) throw new TypeError("Failed to execute 'put' on 'R2Bucket': parameter 2 is missing.");
        const { body, size, state } = putBody(value);
        const text = JSON.stringify(putOptions(options ?? {}));
        if (size > OBJECT_MAX) throw r2Error("put", "Your proposed upload exceeds the maximum allowed object size. (100100)");
        const start = (callback) => native_("put", () => r2.put(this.#index, `${key}`, body, text, size, callback));
        const answer = await (state === null ? keeperCall(start) : keeperSend(start, state));
        checked("put", answer);
        return answer.result > 0 ? null : new R2Object(MAKE, JSON.parse(answer.json));
    }

    async delete(keys) {
        context.need();
        const list = Array.isArray(keys) ? keys.map((key) => `${key}`) : [`${keys}`];
        if (list.length > KEYS_MAX) throw r2Error("delete", "The specified object name is not valid. (10020)");
        if (list.length === 0) return;
        const answer = await keeperCall((callback) => r2.remove(this.#index, JSON.stringify(list), callback));
        checked("delete", answer);
    }

    async createMultipartUpload(key, options = undefined) {
        context.need();
        const text = JSON.stringify(putOptions(options ?? {}));
        const start = (callback) => native_("createMultipartUpload", () => r2.multipartCreate(this.#index, `${key}`, text, callback));
        const made = JSON.parse(checked("createMultipartUpload", await keeperCall(start)).json);
        return new R2MultipartUpload(MAKE, this.#index, made.key, made.uploadId);
    }

    resumeMultipartUpload(key, uploadId) {
        return new R2MultipartUpload(MAKE, this.#index, `${key}`, `${uploadId}`);
    }

    async list(options = undefined) {
        context.need();
        const { limit, prefix, cursor, delimiter, startAfter, include } = options ?? {};
        const wanted = includeOf(include);
        const text = (v) => (v === undefined || v === null ? undefined : `${v}`);
        const n = limit === undefined || limit === null ? LIST_MAX : Number(limit);
        const query = JSON.stringify({
            limit: Number.isInteger(n) ? n : 0, prefix: text(prefix), cursor: text(cursor), delimiter: text(delimiter), startAfter: text(startAfter),
        });
        const found = native_("list", () => r2.list(this.#index, query));
        for (const raw of found.objects) {
            if (!wanted.has("httpMetadata")) raw.httpMetadata = {};
            if (!wanted.has("customMetadata")) raw.customMetadata = {};
        }
        found.objects = found.objects.map((raw) => new R2Object(MAKE, raw));
        return found;
    }
}

const tags = [[R2Bucket, "R2Bucket"], [R2MultipartUpload, "R2MultipartUpload"], [R2Object, "HeadResult"], [R2ObjectBody, "GetResult"]];
for (const [cls, value] of tags) Object.defineProperty(cls.prototype, Symbol.toStringTag, { value, configurable: true });

export function make() {
    return (index) => new R2Bucket(MAKE, index);
}
