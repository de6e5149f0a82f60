/* Frames of an RPC session: their types, and reading one. README.md has the form. */
export const CALL = 1, RETURN = 2, RELEASE = 3, FINISH = 4, ABORT = 5, CHUNK = 6, END = 7, ERROR = 8, CREDIT = 9, CANCEL = 10, CLOSED = 11;

export const EMPTY = new Uint8Array(0);
const LATIN1 = 7, UTF8 = 8, UTF16 = 9; // as in serialize_format.js

export class Malformed {}

export class FrameReader {
    constructor(bytes) {
        this.bytes = bytes;
        this.at = 0;
    }

    left() {
        return this.bytes.length - this.at;
    }

    byte() {
        if (this.at >= this.bytes.length) throw new Malformed();
        return this.bytes[this.at++];
    }

    varint() {
        let n = 0, scale = 1;
        for (;;) {
            const b = this.byte();
            n += (b & 0x7f) * scale;
            if (b < 0x80) return n <= Number.MAX_SAFE_INTEGER ? n : this.bad();
            scale *= 0x80;
            if (scale > 2 ** 49) this.bad();
        }
    }

    bad() {
        throw new Malformed();
    }

    string() {
        const tag = this.byte(), n = this.varint(), start = this.at;
        if (n > this.left() || (tag !== LATIN1 && tag !== UTF8 && tag !== UTF16)) this.bad();
        this.at += n;
        const part = this.bytes.subarray(start, start + n);
        if (tag === UTF8) return native.text.decode(part, 0, 3) ?? this.bad();
        let s = "";
        if (tag === LATIN1) for (let i = 0; i < n; i++) s += String.fromCharCode(part[i]);
        else for (let i = 0; i + 1 < n; i += 2) s += String.fromCharCode(part[i] | (part[i + 1] << 8));
        return s;
    }

    /* What is left: for values, which are bounded by their frame. */
    rest() {
        const part = this.bytes.subarray(this.at);
        this.at = this.bytes.length;
        return part;
    }
}
