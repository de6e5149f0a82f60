/* node:string_decoder: bytes that arrive in pieces, as text without broken characters. */
const { codes: { ERR_INVALID_ARG_TYPE, ERR_UNKNOWN_ENCODING } } = require("./errors.js");
const { Buffer, normalizeEncoding } = require("./buffer.js");

/* How many bytes at the end of b belong to a character that is not complete, and how many it still needs. */
function utf8Rest(b) {
    for (let back = 1; back <= 3 && back <= b.length; back++) {
        const c = b[b.length - back];
        if (c < 0x80) return [0, 0];
        if (c < 0xc0) continue;
        const size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (c < 0xc2 || c > 0xf4 || size <= back) return [0, 0];
        if (back > 1) {
            const second = b[b.length - back + 1];
            if ((c === 0xe0 && second < 0xa0) || (c === 0xed && second > 0x9f) || (c === 0xf0 && second < 0x90) || (c === 0xf4 && second > 0x8f)) return [0, 0];
        }
        return [back, size - back];
    }
    return [0, 0];
}

class StringDecoder {
    #kept = Buffer.alloc(0);
    #need = 0;

    constructor(encoding = undefined) {
        const normal = normalizeEncoding(encoding);
        if (normal === undefined) throw new ERR_UNKNOWN_ENCODING(encoding);
        this.encoding = normal;
    }

    get lastNeed() { return this.#need; }
    get lastTotal() { return this.#kept.length + this.#need; }
    get lastChar() {
        const out = Buffer.alloc(4);
        out.set(this.#kept.subarray(0, 4));
        return out;
    }

    #keep(bytes, n, need) {
        this.#kept = n === 0 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(bytes.length - n));
        this.#need = need;
        return bytes.subarray(0, bytes.length - n);
    }

    write(chunk) {
        if (typeof chunk === "string") return chunk;
        if (!ArrayBuffer.isView(chunk)) throw new ERR_INVALID_ARG_TYPE("buf", ["Buffer", "TypedArray", "DataView"], chunk);
        let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
        if (this.#kept.length > 0) bytes = Buffer.concat([this.#kept, bytes]);
        switch (this.encoding) {
        case "utf8": {
            const [n, need] = utf8Rest(bytes);
            return this.#keep(bytes, n, need).toString("utf8");
        }
        case "utf16le": {
            const half = bytes.length % 2;
            const n = half === 1 ? 1 : bytes.length >= 2 && (bytes[bytes.length - 1] & 0xfc) === 0xd8 ? 2 : 0;
            return this.#keep(bytes, n, n).toString("utf16le");
        }
        case "base64": case "base64url": {
            const n = bytes.length % 3;
            return this.#keep(bytes, n, n === 0 ? 0 : 3 - n).toString(this.encoding);
        }
        default: return bytes.toString(this.encoding);
        }
    }

    end(chunk = undefined) {
        const text = chunk === undefined ? "" : this.write(chunk);
        const rest = this.#kept;
        this.#kept = Buffer.alloc(0);
        this.#need = 0;
        if (rest.length === 0) return text;
        if (this.encoding === "utf8") return `${text}\ufffd`;
        if (this.encoding === "utf16le") return text + rest.subarray(0, rest.length - (rest.length % 2)).toString("utf16le");
        return text + rest.toString(this.encoding);
    }

    text(chunk, offset) {
        this.#kept = Buffer.alloc(0);
        this.#need = 0;
        return this.write(chunk.slice(offset));
    }
}

/* Programs call it without new, too. */
function Decoder(encoding) {
    return Reflect.construct(StringDecoder, [encoding], new.target ?? Decoder);
}
Decoder.prototype = StringDecoder.prototype;
Object.defineProperty(Decoder, "name", { value: "StringDecoder" });
StringDecoder.prototype.constructor = Decoder;

module.exports = { StringDecoder: Decoder };
