/*
 * TextEncoder, TextDecoder, atob, btoa. https://encoding.spec.whatwg.org/
 *
 * C does the codecs. A decoder keeps undecoded bytes at the end of a streamed piece here, so C holds no
 * state between calls.
 */
import { DOMException } from "./errors.js";

const text = native.text;

const FATAL = 1, KEEP_BOM = 2, STREAM = 4;
const UTF8 = 0, LATIN1 = 1, UTF16LE = 2, UTF16BE = 3, LEGACY = 4;

/* Label → encoding, without those that only ICU knows (text.label() answers for them). */
const LABELS = new Map();
for (const [encoding, labels] of Object.entries({
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "utf-16le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
    "utf-16be": "unicodefffe utf-16be",
    "windows-1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
})) for (const label of labels.split(" ")) LABELS.set(label, encoding);

const KINDS = { "utf-8": UTF8, "utf-16le": UTF16LE, "utf-16be": UTF16BE, "windows-1252": LATIN1 };

const Shared = global.SharedArrayBuffer;

/* Bytes of any BufferSource, shared ones too, without copying. */
export function viewOf(source) {
    if (source instanceof Uint8Array) return source;
    if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    if (source instanceof ArrayBuffer || (Shared !== undefined && source instanceof Shared)) return new Uint8Array(source);
    return null;
}

const SHORT = 48;

/* Short ASCII is copied here: less than a crossing. */
export function utf8(string) {
    const n = string.length;
    if (n <= SHORT) {
        const bytes = new Uint8Array(n);
        let i = 0;
        for (; i < n; i++) {
            const c = string.charCodeAt(i);
            if (c >= 0x80) break;
            bytes[i] = c;
        }
        if (i === n) return bytes;
    }
    return new Uint8Array(text.encode(string));
}

/* The same with a byte order mark left in. */
export function fromUtf8Raw(bytes) {
    return text.decode(bytes, UTF8, KEEP_BOM);
}

/* Whole, replacing what is malformed, without the byte order mark. */
export function fromUtf8(bytes) {
    return text.decode(bytes, UTF8, 0);
}

export class TextEncoder {
    get encoding() { return "utf-8"; }

    encode(input = "") {
        return utf8(String(input));
    }

    encodeInto(source, destination) {
        if (!(destination instanceof Uint8Array))
            throw new TypeError("The destination of encodeInto() must be a Uint8Array.");
        const counts = new Uint32Array(2);
        text.encodeInto(String(source), destination, counts);
        return { read: counts[0], written: counts[1] };
    }
}

/* How many bytes at the end are the beginning of a sequence that the next piece may complete. */
function utf8Tail(bytes) {
    const n = bytes.length;
    for (let back = 1; back <= 3 && back <= n; back++) {
        const b = bytes[n - back];
        if (b < 0x80) return 0;
        if (b < 0xc0) continue;
        const need = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc2 ? 2 : 1;
        if (b > 0xf4 || need <= back) return 0;
        if (back > 1 && !secondFits(b, bytes[n - back + 1])) return 0;
        return back;
    }
    return 0;
}

function secondFits(lead, second) {
    if (lead === 0xe0) return second >= 0xa0;
    if (lead === 0xed) return second <= 0x9f;
    if (lead === 0xf0) return second >= 0x90;
    if (lead === 0xf4) return second <= 0x8f;
    return true;
}

function utf16Tail(bytes, big) {
    const odd = bytes.length & 1, n = bytes.length - odd;
    const high = n >= 2 ? bytes[big ? n - 2 : n - 1] : 0;
    return odd + (high >= 0xd8 && high <= 0xdb ? 2 : 0);
}

/* The encoding that a label means; undefined when there is none. */
export function encodingName(label) {
    const name = label.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "").toLowerCase();
    return LABELS.get(name) ?? text.label(name);
}

export class TextDecoder {
    #encoding;
    #kind;
    #fatal;
    #ignoreBOM;
    #tail = null;
    #state = 0; // of encodings with shifts
    #begun = false; // the place where a byte order mark may stand is behind us

    constructor(label = "utf-8", options) {
        const encoding = encodingName(String(label));
        if (encoding === undefined) throw new RangeError(`"${label}" is not a valid encoding.`);
        this.#encoding = encoding;
        this.#kind = KINDS[encoding] ?? LEGACY;
        this.#fatal = Boolean(options?.fatal);
        this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }

    get encoding() { return this.#encoding; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }

    decode(input, options) {
        let bytes = input === undefined ? new Uint8Array(0) : viewOf(input);
        if (bytes === null) throw new TypeError("The input of decode() must be a BufferSource.");
        const stream = Boolean(options?.stream);
        if (this.#tail !== null) {
            const joined = new Uint8Array(this.#tail.length + bytes.length);
            joined.set(this.#tail);
            joined.set(bytes, this.#tail.length);
            bytes = joined;
            this.#tail = null;
        }
        if (stream) bytes = this.#hold(bytes);
        const keep = this.#ignoreBOM || this.#begun;
        const result = this.#convert(bytes, (this.#fatal ? FATAL : 0) | (keep ? KEEP_BOM : 0), stream);
        this.#begun = stream && (this.#begun || bytes.length > 0);
        if (result === undefined) {
            this.#tail = null;
            this.#begun = false;
            throw new TypeError("Failed to decode input.");
        }
        return result;
    }

    #hold(bytes) {
        let n = 0;
        if (this.#kind === UTF8) n = utf8Tail(bytes);
        else if (this.#kind === UTF16LE || this.#kind === UTF16BE) n = utf16Tail(bytes, this.#kind === UTF16BE);
        if (n === 0) return bytes;
        this.#tail = bytes.slice(bytes.length - n);
        return bytes.subarray(0, bytes.length - n);
    }

    #convert(bytes, flags, stream) {
        if (this.#kind !== LEGACY) return text.decode(bytes, this.#kind, flags);
        const memory = new Uint32Array([0, this.#state]);
        const result = text.decodeLegacy(bytes, this.#encoding, flags | (stream ? STREAM : 0), memory);
        if (memory[0] > 0) this.#tail = bytes.slice(bytes.length - memory[0]);
        this.#state = stream && result !== undefined ? memory[1] : 0;
        return result;
    }
}

function needArgument(n, name) {
    if (n === 0) throw new TypeError(`Failed to execute '${name}': 1 argument required, but only 0 present.`);
}

export function btoa(data) {
    needArgument(arguments.length, "btoa");
    const result = text.btoa(String(data));
    if (result === undefined)
        throw new DOMException("btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range.", "InvalidCharacterError");
    return result;
}

export function atob(data) {
    needArgument(arguments.length, "atob");
    const result = text.atob(String(data));
    if (result === undefined)
        throw new DOMException("atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', alphanumeric ASCII, and up to two terminal '=' signs when the input data length is divisible by 4 are allowed.)", "InvalidCharacterError");
    return result;
}
