/* Blob and File: bytes in memory. https://w3c.github.io/FileAPI/ */
import { flags } from "./compat.js";
import { utf8, fromUtf8Raw, viewOf } from "./encoding.js";
import { bytesStream } from "./body_source.js";
import { wrapReadable } from "./streams/classes.js";

const io = native.io;
const SIZE_MAX = 128 * 1024 * 1024;
const OWNED = Symbol("owned");

let access;

function normalType(type) {
    const string = `${type ?? ""}`;
    return /^[\x20-\x7e]*$/.test(string) ? string.toLowerCase() : "";
}

export function concatBytes(parts) {
    if (parts.length === 1) return parts[0];
    let size = 0;
    for (const part of parts) size += part.byteLength;
    const all = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
        all.set(part, at);
        at += part.byteLength;
    }
    return all;
}

function collect(parts) {
    if (parts === null || typeof parts !== "object" || typeof parts[Symbol.iterator] !== "function")
        throw new TypeError("Failed to construct 'Blob': the parts must be a sequence.");
    const pieces = [];
    let size = 0;
    for (const part of parts) {
        if (flags.no_resizable_array_buffer_in_blob && part instanceof ArrayBuffer && part.resizable)
            throw new TypeError("Cannot create a Blob with a resizable ArrayBuffer");
        const bytes = viewOf(part) ?? access.bytes(part) ?? utf8(`${part}`);
        size += bytes.byteLength;
        if (size > SIZE_MAX) throw new RangeError(`Blob size ${size} exceeds limit ${SIZE_MAX}`);
        pieces.push(bytes);
    }
    if (pieces.length === 0) return new Uint8Array(0);
    return pieces.length === 1 ? pieces[0].slice() : concatBytes(pieces);
}

export class Blob {
    #bytes;
    #type;

    constructor(parts = undefined, options = undefined) {
        if (parts === OWNED) {
            this.#bytes = options.bytes;
            this.#type = options.type;
            return;
        }
        if (options?.endings !== undefined) throw new Error("The 'endings' field on 'Options' is not implemented.");
        this.#bytes = parts === undefined ? new Uint8Array(0) : collect(parts);
        this.#type = normalType(options?.type);
    }

    get size() { return this.#bytes.byteLength; }
    get type() { return this.#type; }

    slice(start = undefined, end = undefined, type = undefined) {
        const size = this.#bytes.byteLength;
        const clamp = (v, fallback) => (v === undefined ? fallback : Math.trunc(Number(v)) || 0);
        return makeBlob(this.#bytes.subarray(clamp(start, 0), clamp(end, size)), normalType(type));
    }

    async arrayBuffer() {
        return this.#bytes.slice().buffer;
    }

    async bytes() {
        return this.#bytes.slice();
    }

    async text() {
        return fromUtf8Raw(this.#bytes);
    }

    stream() {
        return wrapReadable(bytesStream(this.#bytes));
    }

    static {
        access = {
            bytes: (blob) => (typeof blob === "object" && blob !== null && #bytes in blob ? blob.#bytes : null),
        };
    }
}

/* The bytes of a Blob (not a copy: do not write), null for anything else. */
export const blobBytes = access.bytes;
export function makeBlob(bytes, type) {
    return new Blob(OWNED, { bytes, type });
}

export class File extends Blob {
    #name;
    #lastModified;

    constructor(parts, name, options = undefined) {
        if (arguments.length < 2)
            throw new TypeError(`Failed to construct 'File': 2 arguments required, but only ${arguments.length} present.`);
        if (parts === OWNED) super(OWNED, options);
        else super(parts, options);
        this.#name = `${name}`;
        this.#lastModified = options?.lastModified === undefined ? io.clock[0] : Math.trunc(Number(options.lastModified)) || 0;
    }

    get name() { return this.#name; }
    get lastModified() { return this.#lastModified; }
}

export function makeFile(bytes, name, type, lastModified = undefined) {
    return new File(OWNED, name, { bytes, type, lastModified });
}
