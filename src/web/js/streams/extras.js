/* The byte transforms of the platform: identity, fixed length, text, compression. */
import { makeByteTransform, TransformState } from "./transform.js";
import { TransformStream, TRANSFORM } from "./classes.js";
import { viewOf, utf8, TextDecoder } from "../encoding.js";
import { highWaterMarkOf } from "./common.js";
import { flags } from "../compat.js";
import { coder } from "../codings.js";

const zlib = native.zlib;
const CODEC_BUFFER = 256 * 1024; // a little data goes through although nobody reads yet, as upstream
const BYTES_ONLY = "This TransformStream is being used as a byte stream, but received a value that is not a BufferSource.";

function bytesIn(chunk) {
    if (typeof chunk === "string") return utf8(chunk);
    const bytes = viewOf(chunk);
    if (bytes === null) throw new TypeError("This WritableStream only supports writing byte types.");
    return bytes;
}

/* What the writable end of an identity stream counts: bytes, when a mark was given (a string may become three per
 * unit); else nothing, and a pipe writes one chunk after the other. */
function identitySizes(mark, early) {
    if (mark === undefined) return { writableSize: () => 0, early };
    return { writableHighWaterMark: mark, writableSize: (chunk) => (typeof chunk === "string" ? chunk.length * 3 : viewOf(chunk)?.byteLength ?? 0), early };
}

const isEmpty = (chunk) => bytesIn(chunk).byteLength === 0;

/* Bytes are copied when they are written: what their owner does to them later changes nothing. */
function keep(chunk) {
    return viewOf(chunk)?.slice() ?? chunk;
}

function pass(chunk, t) {
    t.writable.controller.passed();
    t.enqueue(bytesIn(chunk));
}

function makeIdentity(options, flush, early, max = Infinity) {
    const given = options?.highWaterMark === undefined ? undefined : highWaterMarkOf(options, 0);
    const state = makeByteTransform(pass, flush, identitySizes(given === undefined ? undefined : Math.min(given, max), early));
    state.writable.serial = given === undefined;
    state.writable.controller.keep = keep;
    state.writable.pair = state;
    return state;
}

export class IdentityTransformStream extends TransformStream {
    constructor(options = undefined, state = undefined) {
        super(TRANSFORM, options === TRANSFORM ? state : makeIdentity(options, null, isEmpty));
    }
}
if (flags.typescript_implemented_streams) {
    for (const name of ["readable", "writable"]) {
        const { get } = Object.getOwnPropertyDescriptor(TransformStream.prototype, name);
        Object.defineProperty(IdentityTransformStream.prototype, name, { get, configurable: true, enumerable: true });
    }
}

const LENGTH_MAX = 2n ** 64n;
const lengthError = (text) => new (flags.typescript_implemented_streams ? RangeError : TypeError)(text);

function lengthOf(length) {
    // Upstream takes fractions for the integer below, the implementation behind the flag does not.
    const expected = flags.typescript_implemented_streams ? Number(length) : Math.trunc(Number(length));
    const fits = typeof length === "bigint" ? length >= 0n && length < LENGTH_MAX : expected >= 0 && Number.isSafeInteger(expected);
    if (typeof length !== "bigint" && typeof length !== "number" && flags.typescript_implemented_streams) throw new TypeError("FixedLengthStream requires a number or a bigint.");
    if (!fits) throw lengthError("FixedLengthStream requires an integer expected length less than 2^53.");
    return Number.isSafeInteger(expected) ? expected : length; // exact, however long
}

export class FixedLengthStream extends IdentityTransformStream {
    constructor(length, options = undefined) {
        const expected = lengthOf(length);
        let seen = 0;
        const state = makeIdentity(options, () => {
            if (seen !== expected) throw lengthError("FixedLengthStream did not see all expected bytes before close().");
        }, (chunk) => {
            const n = bytesIn(chunk).byteLength;
            seen += n;
            if (seen > expected) throw lengthError("Attempt to write too many bytes through a FixedLengthStream.");
            return n === 0;
        }, Number(expected));
        state.readable.length = expected;
        super(TRANSFORM, state);
    }
}

const FORMATS = new Set(["gzip", "deflate", "deflate-raw"]);

function checkFormat(format) {
    const name = `${format}`;
    if (!FORMATS.has(name)) throw new TypeError("The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.");
    return name;
}

function codec(format, inflate) {
    const handle = zlib.open(format, inflate);
    const give = (t, out, failure) => {
        if (out === undefined) throw new TypeError(failure);
        if (out.byteLength > 0) t.enqueue(new Uint8Array(out));
    };
    return makeByteTransform(
        (chunk, t) => give(t, zlib.push(handle, bytesIn(chunk), false), zlib.trailing(handle) ? "Trailing bytes after end of compressed data" : "Decompression failed."),
        (t) => give(t, zlib.push(handle, new Uint8Array(0), true), "Called close() on a decompression stream with incomplete data"),
        { readableHighWaterMark: CODEC_BUFFER });
}

export class CompressionStream extends TransformStream {
    constructor(format) {
        super(TRANSFORM, codec(checkFormat(format), false));
    }
}

export class DecompressionStream extends TransformStream {
    constructor(format) {
        super(TRANSFORM, codec(checkFormat(format), true));
    }
}

/* For bodies whose headers name a content coding. */
export function compression(coding) {
    const { push } = coder(coding, false);
    const give = (t, out) => {
        if (out.byteLength > 0) t.enqueue(new Uint8Array(out));
    };
    return new TransformStream(TRANSFORM, makeByteTransform(
        (chunk, t) => give(t, push(bytesIn(chunk), false)),
        (t) => give(t, push(new Uint8Array(0), true)),
        { readableHighWaterMark: CODEC_BUFFER }));
}

export class TextEncoderStream extends TransformStream {
    constructor() {
        let lead = ""; // half of a surrogate pair at the end of a chunk
        super(TRANSFORM, makeByteTransform((chunk, t) => {
            let text = lead + `${chunk}`;
            lead = "";
            const last = text.charCodeAt(text.length - 1);
            if (last >= 0xd800 && last <= 0xdbff) {
                lead = text.slice(-1);
                text = text.slice(0, -1);
            }
            if (text !== "") t.enqueue(utf8(text));
        }, (t) => {
            if (lead !== "") t.enqueue(utf8("\ufffd"));
        }));
    }

    get encoding() { return "utf-8"; }
}

export class TextDecoderStream extends TransformStream {
    #decoder;

    constructor(label = "utf-8", options = undefined) {
        const decoder = new TextDecoder(label, options);
        super(TRANSFORM, new TransformState({
            async transform(chunk, t) {
                if (viewOf(chunk) === null) throw new TypeError(BYTES_ONLY);
                const text = decoder.decode(chunk, { stream: true });
                if (text !== "") t.enqueue(text);
            },
            async flush(t) {
                const text = decoder.decode();
                if (text !== "") t.enqueue(text);
            },
            cancel: null,
        }, undefined, { writableHighWaterMark: 1, writableSize: null, readableHighWaterMark: 0, readableSize: null, bytes: false }));
        this.#decoder = decoder;
    }

    get encoding() { return this.#decoder.encoding; }
    get fatal() { return this.#decoder.fatal; }
    get ignoreBOM() { return this.#decoder.ignoreBOM; }
}
