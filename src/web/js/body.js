/*
 * The body that Request and Response share. https://fetch.spec.whatwg.org/#body-mixin
 *
 * It stays what it was given (string, bytes, channel) until somebody asks for the stream; sending and
 * consuming then go straight to it.
 */
import { Channel, channelStream, bytesStream, untouched } from "./body_source.js";
import { utf8, fromUtf8, viewOf } from "./encoding.js";
import { blobBytes, makeBlob, concatBytes } from "./blob.js";
import { isFormData, serializeMultipart, parseFormData } from "./formdata.js";
import { isParams } from "./url.js";
import { isReadableStream, readableOf, streamFrom, wrapReadable } from "./streams/classes.js";
import { makeReader, readerNext, readerRelease } from "./streams/readable.js";
import { tee } from "./streams/tee.js";

export const NULL = 0, TEXT = 1, BYTES = 2, CHANNEL = 3, STREAM = 4;

const USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.";
/* The text of upstream for clone(), comma and all. */
const LOCKED = "This ReadableStream is currently locked to a reader,";
const TYPE_TEXT = "text/plain;charset=UTF-8";

let access;

/* All bytes of a stream. */
export async function readAll(state) {
    if (untouched(state)) {
        state.disturbed = true;
        return state.channel.bytes();
    }
    const reader = makeReader(state, false);
    const parts = [];
    for (;;) {
        const { value, done } = await readerNext(reader);
        if (done) break;
        const bytes = viewOf(value);
        if (bytes === null) throw new TypeError("This ReadableStream did not return bytes.");
        parts.push(bytes);
    }
    readerRelease(reader);
    return parts.length === 0 ? new Uint8Array(0) : concatBytes(parts);
}

function ownBuffer(bytes) {
    const { buffer } = bytes;
    return bytes.byteLength === buffer.byteLength ? buffer : buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

/* Text as UTF-8 would bring it back: no lone surrogates, no byte order mark. */
function textOf(string) {
    const start = string.charCodeAt(0) === 0xfeff ? string.slice(1) : string;
    return start.isWellFormed() ? start : start.toWellFormed();
}

/* A media type as a Blob has it: names in lower case, no blanks around parameters. */
/* An object with a toString() of its own is a string, even if it can be iterated. */
function saysItself(value) {
    const { toString } = value;
    return value[Symbol.toPrimitive] !== undefined || typeof toString === "function" && toString !== Object.prototype.toString && toString !== Array.prototype.toString;
}

function mimeText(types) {
    if (types.includes('"')) return types;
    const type = types.slice(types.lastIndexOf(",") + 1); // of several headers the last one counts
    const [essence, ...parameters] = type.split(";");
    let text = essence.trim().toLowerCase();
    for (const parameter of parameters) {
        const at = parameter.indexOf("=");
        if (at > 0) text += `;${parameter.slice(0, at).trim().toLowerCase()}=${parameter.slice(at + 1).trim()}`;
    }
    return text;
}

export class Body {
    #kind = NULL;
    #source = null;
    #used = false;

    get body() {
        if (this.#kind === NULL) return null;
        return wrapReadable(this.#stream());
    }

    get bodyUsed() {
        return this.#used || (this.#kind === STREAM && this.#source.disturbed);
    }

    #stream() {
        if (this.#kind === TEXT) this.#source = bytesStream(utf8(this.#source));
        else if (this.#kind === BYTES) this.#source = bytesStream(this.#source);
        else if (this.#kind === CHANNEL) this.#source = channelStream(this.#source);
        if (this.#used) { // consumed before the stream existed
            this.#source.disturbed = true;
            this.#source.controller.close();
        }
        this.#kind = STREAM;
        return this.#source;
    }

    #take() {
        if (this.#kind === NULL) return;
        if (this.bodyUsed) throw new TypeError(USED);
        if (this.#kind === STREAM && this.#source.reader !== null)
            throw new TypeError("This ReadableStream is currently locked to a reader.");
        this.#used = true;
    }

    /* A copy the caller may keep, or the only owner's. */
    async #bytes() {
        this.#take();
        switch (this.#kind) {
        case NULL: return new Uint8Array(0);
        case TEXT: return utf8(this.#source);
        case BYTES: return this.#source;
        case CHANNEL: return this.#source.bytes();
        default: return readAll(this.#source);
        }
    }

    async #text() {
        this.#take();
        switch (this.#kind) {
        case NULL: return "";
        case TEXT: return textOf(this.#source);
        case BYTES: return fromUtf8(this.#source);
        case CHANNEL: return this.#source.text();
        default:
            if (untouched(this.#source)) {
                this.#source.disturbed = true;
                return this.#source.channel.text();
            }
            return fromUtf8(await readAll(this.#source));
        }
    }

    text() {
        return this.#text();
    }

    async json() {
        return JSON.parse(await this.#text());
    }

    async arrayBuffer() {
        const bytes = await this.#bytes();
        return this.#kind === BYTES ? bytes.slice().buffer : ownBuffer(bytes);
    }

    async bytes() {
        const bytes = await this.#bytes();
        return this.#kind === BYTES ? bytes.slice() : bytes;
    }

    async blob() {
        const type = mimeText(access.contentType(this) ?? "");
        return makeBlob(await this.#bytes(), type);
    }

    async formData() {
        const type = access.contentType(this);
        if (type === undefined) throw new TypeError("Parsing a Body as FormData requires a Content-Type header.");
        return parseFormData(await this.#bytes(), type);
    }

    /* Returns the Content-Type that goes with the value, or null. */
    #init(value) {
        if (typeof value === "string") {
            this.#kind = TEXT;
            this.#source = value;
            return TYPE_TEXT;
        }
        const bytes = viewOf(value);
        if (bytes !== null) {
            this.#kind = BYTES;
            this.#source = bytes.slice();
            return null;
        }
        if (isReadableStream(value)) return this.#initStream(readableOf(value));
        return this.#initObject(value);
    }

    #initStream(state) {
        if (state.disturbed)
            throw new TypeError("This ReadableStream is disturbed (has already been read from), and cannot be used as a body.");
        if (state.reader !== null) throw new TypeError("This ReadableStream is locked to a reader, and cannot be used as a body.");
        this.#kind = STREAM;
        this.#source = state;
        return null;
    }

    #initObject(value) {
        const blob = blobBytes(value);
        if (blob !== null) {
            this.#kind = BYTES;
            this.#source = blob;
            return value.type === "" ? null : value.type;
        }
        if (isFormData(value)) {
            const { bytes, type } = serializeMultipart(value);
            this.#kind = BYTES;
            this.#source = bytes;
            return type;
        }
        this.#kind = TEXT;
        if (isParams(value)) {
            this.#source = value.toString();
            return "application/x-www-form-urlencoded;charset=UTF-8";
        }
        if (typeof value === "object" && (typeof value[Symbol.asyncIterator] === "function" ||
            (typeof value[Symbol.iterator] === "function" && !saysItself(value))))
            return this.#initStream(streamFrom(value));
        this.#source = `${value}`;
        return TYPE_TEXT;
    }

    static {
        access = {
            contentType: null,
            init: (body, value) => body.#init(value),
            initText(body, string) {
                body.#kind = TEXT;
                body.#source = string;
            },
            initChannel(body, channel) {
                body.#kind = CHANNEL;
                body.#source = channel;
            },
            kind: (body) => body.#kind,
            source: (body) => body.#source,
            take: (body) => body.#take(),
            /* The same body for a second object; the first is used up when `move`. */
            share(from, to, move) {
                if (from.#kind === NULL) return;
                if (from.bodyUsed) throw new TypeError(move ? USED : LOCKED);
                if (move) {
                    to.#kind = from.#kind;
                    to.#source = from.#source;
                    from.#used = true;
                } else if (from.#kind === CHANNEL || from.#kind === STREAM) {
                    const state = from.#stream();
                    if (state.reader !== null) throw new TypeError(LOCKED);
                    const [first, second] = tee(state);
                    from.#source = first;
                    to.#kind = STREAM;
                    to.#source = second;
                } else {
                    to.#kind = from.#kind;
                    to.#source = from.#source;
                }
            },
            is: (v) => typeof v === "object" && v !== null && #kind in v,
            drop(body) {
                body.#kind = NULL;
                body.#source = null;
            },
        };
    }
}

export const bodyInit = access.init;
export const bodyInitText = access.initText;
export const bodyInitChannel = access.initChannel;
export const bodyKind = access.kind;
export const bodySource = access.source;
export const bodyTake = access.take;
export const bodyShare = access.share;
export const bodyDrop = access.drop;
/* How the mixin learns the Content-Type of whom it is mixed into; undefined when there is none. */
export function setContentType(fn) {
    access.contentType = fn;
}
export { Channel };
