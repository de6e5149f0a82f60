/*
 * Streams of node:zlib. A handle is one compressor: write() takes a part of the input and fills a part of the output, and
 * says in a state of two numbers how much room and how much input is left. So a stream never makes more than its reader takes.
 */
const {
    codes: { ERR_BROTLI_INVALID_PARAM, ERR_BUFFER_TOO_LARGE, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_ZLIB_INITIALIZATION_FAILED, ERR_ZSTD_INVALID_PARAM },
} = require("./errors.js");
const { Buffer, kMaxLength } = require("./buffer.js");
const { Transform, finished } = require("./stream.js");
const C = require("./zlib_constants.js");

const n = native.node;
const CODES = { 0: "Z_OK", 1: "Z_STREAM_END", 2: "Z_NEED_DICT", "-1": "Z_ERRNO", "-2": "Z_STREAM_ERROR", "-3": "Z_DATA_ERROR", "-4": "Z_MEM_ERROR", "-5": "Z_BUF_ERROR", "-6": "Z_VERSION_ERROR" };

function number(value, name, lower, upper, fallback) {
    if (value === undefined || Number.isNaN(value)) return fallback;
    if (typeof value !== "number") throw new ERR_INVALID_ARG_TYPE(name, "number", value);
    if (!Number.isFinite(value)) throw new ERR_OUT_OF_RANGE(name, "a finite number", value);
    if (value < lower || value > upper) throw new ERR_OUT_OF_RANGE(name, upper === Infinity ? `>= ${lower}` : `>= ${lower} and <= ${upper}`, value);
    return value;
}

/* --- handles --- */

class Handle {
    #state = null;
    #done = null;
    #failed = null;
    #native = null;

    initialize(native, writeState, done) {
        if (!(ArrayBuffer.isView(writeState) && writeState.length >= 2)) throw new TypeError("Invalid write result buffer");
        this.#state = writeState;
        this.#done = done;
        this.#native = native;
        return true;
    }

    setErrorHandler(failed) { this.#failed = failed; }

    #step(flush, input, inOff, inLen, output, outOff, outLen) {
        const [from, size, at, room] = [inOff >>> 0, inLen >>> 0, outOff >>> 0, outLen >>> 0];
        if (this.#native === null) throw new Error("zlib binding closed");
        if (input !== null && from + size > input.byteLength) throw new Error("Input access is not within bounds");
        if (at + room > output.byteLength) throw new Error("Output access is not within bounds");
        const answer = n[`${this.kind}Step`](this.#native, flush, input === null ? undefined : new Uint8Array(input.buffer, input.byteOffset + from, size),
            new Uint8Array(output.buffer, output.byteOffset + at, room), this.#state);
        if (answer === undefined) return true;
        const error = this.error(answer[0], answer[1], true);
        this.#failed?.(error.errno, error.code, error.message);
        return false;
    }

    writeSync(...args) { this.#step(...args); }
    write(...args) { if (this.#step(...args)) this.#done(); }
    get native() { return this.#native; }
    close() {
        if (this.#native !== null) n[`${this.kind}Close`](this.#native);
        this.#native = null;
    }
}

class ZlibStream extends Handle {
    #mode;

    constructor(mode) {
        if (!(mode >= C.DEFLATE && mode <= C.UNZIP)) throw new TypeError("Invalid zlib mode");
        super();
        this.#mode = mode;
    }

    get kind() { return "zlib"; }

    initialize(window, level, memLevel, strategy, writeState, done, dictionary = undefined) {
        const bits = window === 0 ? 15 : this.#mode === C.DEFLATERAW && window === 8 ? 9 : window;
        const native = n.zlibOpen(this.#mode, bits, level, memLevel, strategy, dictionary);
        if (typeof native === "number") throw new ERR_ZLIB_INITIALIZATION_FAILED();
        super.initialize(native, writeState, done);
    }

    params(level, strategy) { if (this.native !== null) n.zlibParams(this.native, level, strategy); }
    reset() { if (this.native !== null) n.zlibReset(this.native); }
    error(code, message) { return { errno: code, code: CODES[code], message }; }
}

class BrotliStream extends Handle {
    #encode;
    #again;

    constructor(encode) {
        super();
        this.#encode = encode;
    }

    get kind() { return "brotli"; }

    initialize(pairs, writeState, done) {
        this.#again = () => n.brotliOpen(this.#encode, pairs);
        const native = this.#again();
        if (native === undefined) throw new ERR_ZLIB_INITIALIZATION_FAILED();
        this.reset = () => super.initialize(this.#again(), writeState, done);
        return super.initialize(native, writeState, done);
    }

    params() {}
    error(code, message, streaming = false) {
        if (code === -5) return { errno: code, code: "Z_BUF_ERROR", message: streaming ? "Unexpected end of file" : message };
        if (this.#encode) return { errno: code, code: "ERR_BROTLI_COMPRESSION_FAILED", message: "Compression failed" };
        return { errno: code, code: `ERR_${message.replace(/^BROTLI_DECODER/, "")}`, message: "Decompression failed" };
    }
}

class ZstdStream extends Handle {
    #encode;

    constructor(encode) {
        super();
        this.#encode = encode;
    }

    get kind() { return "zstd"; }

    initialize(pairs, writeState, done, size = -1) {
        const native = n.zstdOpen(this.#encode, pairs, size);
        if (typeof native === "string") throw Object.assign(new Error(`Setting parameter failed: ${native}`), { errno: -1, code: "ERR_ZSTD_PARAM_SET_FAILED" });
        return super.initialize(native, writeState, done);
    }

    reset() { n.zstdReset(this.native); }
    params() {}
    error(code, message) { return { errno: code, code: this.#encode ? "ERR_ZSTD_COMPRESSION_FAILED" : "ERR_ZSTD_DECOMPRESSION_FAILED", message }; }
}

/* --- what each kind is: its handle, its flags --- */

function dictionaryOf(value) {
    if (value === undefined || ArrayBuffer.isView(value)) return value;
    if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return Buffer.from(value);
    throw new ERR_INVALID_ARG_TYPE("options.dictionary", ["Buffer", "TypedArray", "DataView", "ArrayBuffer"], value);
}

function zlibSettings(mode, o) {
    const inflates = mode === C.INFLATE || mode === C.GUNZIP || mode === C.UNZIP;
    const unset = o.windowBits === undefined || o.windowBits === null || o.windowBits === 0;
    return {
        window: unset && inflates ? 0 : number(o.windowBits, "options.windowBits", mode === C.GZIP ? 9 : 8, 15, 15),
        level: number(o.level, "options.level", -1, 9, -1), memLevel: number(o.memLevel, "options.memLevel", 1, 9, 8),
        strategy: number(o.strategy, "options.strategy", 0, 4, 0), dictionary: dictionaryOf(o.dictionary),
    };
}

function pairsOf(params, last, Wrong) {
    const pairs = [], seen = new Set();
    for (const [key, value] of Object.entries(params ?? {})) {
        if (seen.has(+key) || Number.isNaN(+key) || +key < 0 || +key > last) throw new Wrong(key);
        if (typeof value !== "number" && typeof value !== "boolean") throw new ERR_INVALID_ARG_TYPE("options.params[key]", "number", value);
        seen.add(+key);
        pairs.push(+key, +value);
    }
    return pairs;
}

const PLAIN = { flush: C.Z_NO_FLUSH, finish: C.Z_FINISH, full: C.Z_FULL_FLUSH, most: C.Z_BLOCK };
const BROTLI = { flush: C.BROTLI_OPERATION_PROCESS, finish: C.BROTLI_OPERATION_FINISH, full: C.BROTLI_OPERATION_FLUSH, most: C.BROTLI_OPERATION_EMIT_METADATA };
const ZSTD = { flush: C.ZSTD_e_continue, finish: C.ZSTD_e_end, full: C.ZSTD_e_flush, most: C.ZSTD_e_end };

const plain = (mode) => ({
    flags: PLAIN,
    make(o, state, done) {
        const s = zlibSettings(mode, o), handle = new ZlibStream(mode);
        handle.initialize(s.window, s.level, s.memLevel, s.strategy, state, done, s.dictionary);
        return { handle, level: s.level, strategy: s.strategy };
    },
});
const brotli = (encode) => ({
    flags: BROTLI,
    make(o, state, done) {
        const pairs = new Uint32Array(pairsOf(o.params, C.BROTLI_PARAM_NDIRECT, ERR_BROTLI_INVALID_PARAM)), handle = new BrotliStream(encode);
        handle.initialize(pairs, state, done);
        return { handle };
    },
});
const zstd = (encode) => ({
    flags: ZSTD,
    make(o, state, done) {
        const pairs = new Int32Array(pairsOf(o.params, encode ? C.ZSTD_c_overlapLog : C.ZSTD_d_windowLogMax, ERR_ZSTD_INVALID_PARAM)), handle = new ZstdStream(encode);
        handle.initialize(pairs, state, done, o.pledgedSrcSize ?? -1);
        return { handle };
    },
});
const KINDS = {
    Deflate: plain(C.DEFLATE), Inflate: plain(C.INFLATE), Gzip: plain(C.GZIP), Gunzip: plain(C.GUNZIP), DeflateRaw: plain(C.DEFLATERAW), InflateRaw: plain(C.INFLATERAW),
    Unzip: plain(C.UNZIP), BrotliCompress: brotli(true), BrotliDecompress: brotli(false), ZstdCompress: zstd(true), ZstdDecompress: zstd(false),
};

/* --- streams --- */

const kFlag = Symbol("flush flag"), kError = Symbol("error");
const EAGER = [C.Z_NO_FLUSH, C.Z_BLOCK, C.Z_PARTIAL_FLUSH, C.Z_SYNC_FLUSH, C.Z_FULL_FLUSH, C.Z_FINISH];
const stronger = (a, b) => (EAGER.indexOf(a) > EAGER.indexOf(b) ? a : b);
const emptyWith = (flag) => Object.assign(Buffer.alloc(0), { [kFlag]: flag });

function chunkSizeOf(o) {
    const value = o.chunkSize;
    if (value === undefined || value === null || Number.isNaN(value)) return C.Z_DEFAULT_CHUNK;
    return number(value, "options.chunkSize", C.Z_MIN_CHUNK, Infinity, C.Z_DEFAULT_CHUNK);
}

class ZlibBase extends Transform {
    #flags;
    #pending = null; // { chunk, at, flag, callback } of the write under way

    constructor(kind, options) {
        const o = options ?? {}, { flags, make } = KINDS[kind];
        const chunkSize = chunkSizeOf(o);
        const flush = number(o.flush, "options.flush", 0, flags.most, flags.flush), finish = number(o.finishFlush, "options.finishFlush", 0, flags.most, flags.finish);
        const most = number(o.maxOutputLength, "options.maxOutputLength", 1, kMaxLength, kMaxLength);
        const state = new Uint32Array(2);
        let self = null;
        const stepped = () => self.#stepped();
        const made = make(o, state, flags === BROTLI ? stepped : () => queueMicrotask(stepped)); // as upstream
        super({ autoDestroy: true, ...o, encoding: undefined, objectMode: false, writableObjectMode: false });
        self = this;
        made.handle.setErrorHandler((errno, code, message) => this.#failed(Object.assign(new Error(message), { code, errno })));
        this.#flags = flags;
        Object.assign(this, {
            bytesWritten: 0, _handle: made.handle, _writeState: state, _outBuffer: Buffer.allocUnsafe(chunkSize), _outOffset: 0, _chunkSize: chunkSize,
            _defaultFlushFlag: flush, _finishFlushFlag: finish, _defaultFullFlushFlag: flags.full, _info: Boolean(o.info), _maxOutputLength: most,
            _level: made.level, _strategy: made.strategy,
        });
    }

    get _closed() { return this._handle === null; }
    get bytesRead() { return this.bytesWritten; }
    set bytesRead(value) { this.bytesWritten = value; }

    #failed(error) {
        this[kError] = error;
        this.destroy(error);
    }

    #step() {
        const p = this.#pending;
        this._handle.write(p.flag, p.chunk, p.at, p.chunk.byteLength - p.at, this._outBuffer, this._outOffset, this._chunkSize - this._outOffset);
    }

    /* Takes what a step gave; room for the next one. */
    #take() {
        const [room, left] = this._writeState, p = this.#pending;
        const made = this._chunkSize - this._outOffset - room;
        const read = p.chunk.byteLength - p.at - left;
        const out = made > 0 ? this._outBuffer.subarray(this._outOffset, this._outOffset + made) : null;
        this.bytesWritten += read;
        p.at += read;
        this._outOffset += made;
        if (room === 0 || this._outOffset >= this._chunkSize) {
            this._outBuffer = Buffer.allocUnsafe(this._chunkSize);
            this._outOffset = 0;
        }
        return { out, room, left };
    }

    #over() {
        const { callback } = this.#pending;
        this.#pending = null;
        callback();
    }

    #stepped() {
        if (this.#pending === null) return undefined;
        if (this.destroyed || this._handle === null) return this.#over();
        const { out, room, left } = this.#take();
        const full = out !== null && !this.push(out);
        if (this.destroyed) return this.#over();
        if (room === 0 && !full) return this.#step();
        if (room === 0) {
            const before = this._read;
            this._read = (size) => { // goes on when somebody reads
                this._read = before;
                if (this._handle !== null) this.#step();
                this._read(size);
            };
            return undefined;
        }
        if (left > 0) this.push(null); // the data has ended; what follows is not ours
        return this.#over();
    }

    _transform(chunk, encoding, callback) {
        let flag = chunk[kFlag] ?? this._defaultFlushFlag;
        if (this.writableEnded && this.writableLength === chunk.byteLength)
            flag = this.#flags === PLAIN ? stronger(flag, this._finishFlushFlag) : this._finishFlushFlag;
        this._processChunk(chunk, flag, callback);
    }

    _flush(callback) { this._transform(emptyWith(this._finishFlushFlag), "utf8", callback); }
    _final(callback) { callback(); }

    _processChunk(chunk, flag, callback = undefined) {
        if (typeof callback !== "function") return this._processSync(chunk, flag);
        if (this._handle === null) return void queueMicrotask(callback);
        this.#pending = { chunk, at: 0, flag, callback };
        return this.#step();
    }

    /* All of the output at once; the stream is closed then. */
    _processSync(chunk, flag) {
        const parts = [];
        let total = 0;
        if (this._handle === null) throw new Error("zlib binding closed");
        this.on("error", () => {});
        this.#pending = { chunk, at: 0, flag, callback: () => {} };
        for (;;) {
            const p = this.#pending;
            this._handle.writeSync(flag, chunk, p.at, chunk.byteLength - p.at, this._outBuffer, this._outOffset, this._chunkSize - this._outOffset);
            if (this[kError] !== undefined) throw this[kError];
            const { out, room } = this.#take();
            if (out !== null) parts.push(out);
            total += out?.length ?? 0;
            if (total > this._maxOutputLength) {
                this._shut();
                throw new ERR_BUFFER_TOO_LARGE(this._maxOutputLength);
            }
            if (room !== 0) break;
        }
        this.#pending = null;
        this._shut();
        return Buffer.concat(parts, total);
    }

    flush(kind = undefined, callback = undefined) {
        let what = kind, done = callback;
        if (typeof what === "function" || (what === undefined && !done)) [what, done] = [this._defaultFullFlushFlag, what];
        if (this.writableFinished) return void (done && queueMicrotask(done));
        if (this.writableEnded) return void (done && this.once("end", done));
        return void this.write(emptyWith(what), "utf8", done);
    }

    params(level, strategy, callback) {
        number(level, "level", -1, 9);
        number(strategy, "strategy", 0, 4);
        if (this._level === level && this._strategy === strategy) return void queueMicrotask(() => callback?.());
        return void this.flush(C.Z_SYNC_FLUSH, () => {
            if (this._handle === null) return;
            this._handle.params(level, strategy);
            if (this.destroyed) return;
            this._level = level;
            this._strategy = strategy;
            callback?.();
        });
    }

    reset() {
        if (this._handle === null) throw new Error("zlib binding closed");
        this._handle.reset();
    }

    close(callback = undefined) {
        if (callback) finished(this, callback);
        this.destroy();
    }

    _shut() {
        this._handle?.close();
        this._handle = null;
    }

    _destroy(error, callback) {
        this._shut();
        callback(error);
    }
}

module.exports = { CODES, KINDS, ZlibBase, chunkSizeOf, number };
