/* node:zlib over the natives of node_zlib.c, node_brotli.c and node_zstd.c: one-shot, callback and stream forms. */
const {
    codes: { ERR_BROTLI_INVALID_PARAM, ERR_BUFFER_TOO_LARGE, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_ZLIB_INITIALIZATION_FAILED, ERR_ZSTD_INVALID_PARAM },
    validateFunction, validateNumber,
} = require("./errors.js");
const { Buffer, kMaxLength } = require("./buffer.js");
const { Transform } = require("./stream.js");
const constants = require("./zlib_constants.js");

const n = native.node;
const TOO_LARGE = -1000;
const { Z_NO_FLUSH, Z_BLOCK, Z_FULL_FLUSH, Z_FINISH, BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH, BROTLI_OPERATION_EMIT_METADATA } = constants;
const { ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end } = constants;
const CODES = { 0: "Z_OK", 1: "Z_STREAM_END", 2: "Z_NEED_DICT", "-1": "Z_ERRNO", "-2": "Z_STREAM_ERROR", "-3": "Z_DATA_ERROR", "-4": "Z_MEM_ERROR", "-5": "Z_BUF_ERROR", "-6": "Z_VERSION_ERROR" };
const codes = Object.freeze({ ...CODES, ...Object.fromEntries(Object.entries(CODES).map(([k, v]) => [v, Number(k)])) });

function number(value, name, lower, upper, fallback) {
    if (value === undefined || Number.isNaN(value)) return fallback;
    if (typeof value !== "number") throw new ERR_INVALID_ARG_TYPE(name, "number", value);
    if (!Number.isFinite(value)) throw new ERR_OUT_OF_RANGE(name, "a finite number", value);
    if (value < lower || value > upper) throw new ERR_OUT_OF_RANGE(name, upper === Infinity ? `>= ${lower}` : `>= ${lower} and <= ${upper}`, value);
    return value;
}

function bytesOf(data, name = "buffer") {
    if (typeof data === "string") return Buffer.from(data);
    if (ArrayBuffer.isView(data)) return data;
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    throw new ERR_INVALID_ARG_TYPE(name, ["string", "Buffer", "TypedArray", "DataView", "ArrayBuffer"], data);
}

function dictionaryOf(value) {
    if (value === undefined || ArrayBuffer.isView(value)) return value;
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    throw new ERR_INVALID_ARG_TYPE("options.dictionary", ["Buffer", "TypedArray", "DataView", "ArrayBuffer"], value);
}

/* --- engines: open(options), write(bytes, flush, limit), reset() --- */

class ZlibEngine {
    #handle;

    constructor(mode, options = {}) {
        this.mode = mode;
        this.flushFlag = number(options.flush, "options.flush", Z_NO_FLUSH, Z_BLOCK, Z_NO_FLUSH);
        this.finishFlag = number(options.finishFlush, "options.finishFlush", Z_NO_FLUSH, Z_BLOCK, Z_FINISH);
        this.fullFlag = Z_FULL_FLUSH;
        const inflates = mode === constants.INFLATE || mode === constants.GUNZIP || mode === constants.UNZIP;
        let window = 15;
        if (!((options.windowBits === undefined || options.windowBits === null || options.windowBits === 0) && inflates))
            window = number(options.windowBits, "options.windowBits", mode === constants.GZIP ? 9 : 8, 15, 15);
        if (mode === constants.DEFLATERAW && window === 8) window = 9;
        this.level = number(options.level, "options.level", -1, 9, -1);
        const memLevel = number(options.memLevel, "options.memLevel", 1, 9, 8);
        this.strategy = number(options.strategy, "options.strategy", 0, 4, 0);
        this.#handle = n.zlibOpen(mode, window, this.level, memLevel, this.strategy, dictionaryOf(options.dictionary));
        if (typeof this.#handle === "number") throw new ERR_ZLIB_INITIALIZATION_FAILED();
    }

    write(bytes, flush, limit) { return n.zlibWrite(this.#handle, bytes, flush, limit); }
    reset() { n.zlibReset(this.#handle); }
    close() { n.zlibClose(this.#handle); }
    params(level, strategy) {
        this.level = level;
        this.strategy = strategy;
        return n.zlibParams(this.#handle, level, strategy);
    }

    error(code, message) {
        return Object.assign(new Error(message), { errno: code, code: CODES[code] });
    }
}

class BrotliEngine {
    #handle;

    constructor(mode, options = {}) {
        this.encode = mode === constants.BROTLI_ENCODE;
        this.flushFlag = number(options.flush, "options.flush", BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_EMIT_METADATA, BROTLI_OPERATION_PROCESS);
        this.finishFlag = number(options.finishFlush, "options.finishFlush", BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_EMIT_METADATA, BROTLI_OPERATION_FINISH);
        this.fullFlag = BROTLI_OPERATION_FLUSH;
        const pairs = [];
        for (const [key, value] of Object.entries(options.params ?? {})) {
            if (Number.isNaN(+key) || +key < 0 || +key > (this.encode ? 9 : 1)) throw new ERR_BROTLI_INVALID_PARAM(key);
            if (typeof value !== "number" && typeof value !== "boolean") throw new ERR_INVALID_ARG_TYPE("options.params[key]", "number", value);
            pairs.push(+key, +value);
        }
        this.pairs = new Uint32Array(pairs);
        this.reset();
        if (this.#handle === undefined) throw new ERR_ZLIB_INITIALIZATION_FAILED();
    }

    write(bytes, flush, limit) { return n.brotliWrite(this.#handle, bytes, flush, limit); }
    reset() { this.#handle = n.brotliOpen(this.encode, this.pairs); }
    close() { n.brotliClose(this.#handle); }
    error(code, message) {
        if (code === -5) return Object.assign(new Error(message), { errno: code, code: "Z_BUF_ERROR" });
        if (this.encode) return Object.assign(new Error("Compression failed"), { errno: code, code: "ERR_BROTLI_COMPRESSION_FAILED" });
        return Object.assign(new Error("Decompression failed"), { errno: code, code: `ERR_${message.replace(/^BROTLI_DECODER/, "")}` });
    }
}

class ZstdEngine {
    #handle;

    constructor(mode, options = {}) {
        const encode = mode === constants.ZSTD_COMPRESS;
        this.flushFlag = number(options.flush, "options.flush", ZSTD_e_continue, ZSTD_e_end, ZSTD_e_continue);
        this.finishFlag = number(options.finishFlush, "options.finishFlush", ZSTD_e_continue, ZSTD_e_end, ZSTD_e_end);
        this.fullFlag = ZSTD_e_flush;
        const last = encode ? constants.ZSTD_c_overlapLog : constants.ZSTD_d_windowLogMax;
        const pairs = [];
        for (const [key, value] of Object.entries(options.params ?? {})) {
            if (Number.isNaN(+key) || +key < 0 || +key > last) throw new ERR_ZSTD_INVALID_PARAM(key);
            if (typeof value !== "number" && typeof value !== "boolean") throw new ERR_INVALID_ARG_TYPE("options.params[key]", "number", value);
            pairs.push(+key, +value);
        }
        this.encode = encode;
        this.#handle = n.zstdOpen(encode, new Int32Array(pairs), options.pledgedSrcSize ?? -1);
        if (typeof this.#handle === "string")
            throw Object.assign(new Error(`Setting parameter failed: ${this.#handle}`), { errno: -1, code: "ERR_ZSTD_PARAM_SET_FAILED" });
    }

    write(bytes, flush, limit) { return n.zstdWrite(this.#handle, bytes, flush, limit); }
    reset() { n.zstdReset(this.#handle); }
    close() { n.zstdClose(this.#handle); }
    error(code, message) {
        return Object.assign(new Error(message), { errno: code, code: this.encode ? "ERR_ZSTD_COMPRESSION_FAILED" : "ERR_ZSTD_DECOMPRESSION_FAILED" });
    }
}

const KINDS = {
    Deflate: [ZlibEngine, constants.DEFLATE], Inflate: [ZlibEngine, constants.INFLATE], Gzip: [ZlibEngine, constants.GZIP],
    Gunzip: [ZlibEngine, constants.GUNZIP], DeflateRaw: [ZlibEngine, constants.DEFLATERAW], InflateRaw: [ZlibEngine, constants.INFLATERAW],
    Unzip: [ZlibEngine, constants.UNZIP], BrotliCompress: [BrotliEngine, constants.BROTLI_ENCODE], BrotliDecompress: [BrotliEngine, constants.BROTLI_DECODE],
    ZstdCompress: [ZstdEngine, constants.ZSTD_COMPRESS], ZstdDecompress: [ZstdEngine, constants.ZSTD_DECOMPRESS],
};

function limitOf(options) {
    return number(options?.maxOutputLength, "options.maxOutputLength", 1, kMaxLength, kMaxLength);
}

/* An ArrayBuffer, or throws what the library found wrong. */
function result(engine, answer, limit) {
    if (!Array.isArray(answer)) return Buffer.from(answer);
    const [code, message, , bytes] = answer;
    if (code === 0) return Buffer.from(bytes);
    throw code === TOO_LARGE ? new ERR_BUFFER_TOO_LARGE(limit) : engine.error(code, message);
}

function oneShot(kind, data, options) {
    const [Engine, mode] = KINDS[kind];
    const bytes = bytesOf(data), limit = limitOf(options);
    if (options?.chunkSize !== undefined) number(options.chunkSize, "options.chunkSize", 64, Infinity, 16384);
    const engine = new Engine(mode, options ?? {});
    try {
        const out = result(engine, engine.write(bytes, engine.finishFlag, limit), limit);
        return options?.info ? { buffer: out, engine: new exportsOf[kind](options) } : out;
    } finally {
        engine.close();
    }
}

/* --- streams --- */

class ZlibBase extends Transform {
    #engine;

    constructor(kind, options) {
        if (options !== undefined && options !== null && typeof options !== "object") throw new ERR_INVALID_ARG_TYPE("options", "Object", options);
        const o = options ?? {};
        const chunkSize = number(o.chunkSize, "options.chunkSize", 64, Infinity, 16384);
        const [Engine, mode] = KINDS[kind];
        const engine = new Engine(mode, o);
        super({ autoDestroy: true, ...o });
        this.#engine = engine;
        this._limit = limitOf(o);
        this._chunkSize = chunkSize;
        this._produced = 0;
        this.bytesWritten = 0;
        this._level = engine.level;
        this._strategy = engine.strategy;
    }

    get _closed() { return this.#engine === null; }
    get bytesRead() { return this.bytesWritten; }

    _run(bytes, flush) {
        const engine = this.#engine;
        this.bytesWritten += bytes.byteLength;
        let out = result(engine, engine.write(bytes, flush, this._limit), this._limit);
        while (out.length > 0) {
            this.push(out.subarray(0, this._chunkSize));
            out = out.subarray(this._chunkSize);
        }
    }

    _attempt(bytes, flush, callback) {
        if (this.#engine === null) return void callback();
        try {
            this._run(bytes, flush);
        } catch (error) {
            return void callback(error);
        }
        callback();
        return undefined;
    }

    _transform(chunk, encoding, callback) {
        // The last piece ends the data: nothing more is kept back.
        const last = this.writableEnded && this.writableLength === chunk.byteLength;
        this._final_written = last;
        this._attempt(chunk, last ? this.#engine.finishFlag : this.#engine.flushFlag, callback);
    }

    _flush(callback) {
        if (this._final_written) return void callback();
        return this._attempt(Buffer.alloc(0), this.#engine?.finishFlag, callback);
    }

    flush(kind, callback) {
        let what = kind, done = callback;
        if (typeof what === "function" || (what === undefined && !done)) [what, done] = [this.#engine?.fullFlag, what];
        if (this.writableFinished) return void (done && queueMicrotask(done));
        if (this.writableEnded) return void (done && this.once("end", done));
        // Behind everything that was written so far.
        this.write(Buffer.alloc(0), () => this._attempt(Buffer.alloc(0), what, (error) => {
            if (error) this.destroy(error);
            else done?.();
        }));
        return undefined;
    }

    params(level, strategy, callback) {
        number(level, "level", -1, 9);
        number(strategy, "strategy", 0, 4);
        try {
            this.push(result(this.#engine, this.#engine.params(level, strategy), this._limit));
            this._level = level;
            this._strategy = strategy;
            queueMicrotask(() => callback?.());
        } catch (error) {
            queueMicrotask(() => callback?.(error));
        }
    }

    reset() {
        if (this.#engine === null) throw new Error("zlib binding closed");
        this.#engine.reset();
    }

    close(callback) {
        if (callback) require("./stream.js").finished(this, () => callback());
        this.destroy();
    }

    _destroy(error, callback) {
        this.#engine?.close();
        this.#engine = null;
        callback(error);
    }
}
for (const name of ["_final_written"]) Object.defineProperty(ZlibBase.prototype, name, { value: false, writable: true });

const zlib = module.exports = {};
const exportsOf = zlib;

zlib.crc32 = function crc32(data, value = 0) {
    if (typeof data !== "string" && !ArrayBuffer.isView(data)) throw new ERR_INVALID_ARG_TYPE("data", ["Buffer", "TypedArray", "DataView", "string"], data);
    validateNumber(value, "value", 0, 0xffffffff);
    return n.crc32(typeof data === "string" ? Buffer.from(data) : data, value);
};

for (const kind of Object.keys(KINDS)) {
    const cls = { [kind]: class extends ZlibBase {
        constructor(options) { super(kind, options); }
    } }[kind];
    /* Programs call these without new, too. */
    const callable = function (options) { return Reflect.construct(cls, [options], new.target ?? callable); };
    Object.defineProperty(callable, "name", { value: kind });
    callable.prototype = cls.prototype;
    Object.defineProperty(cls.prototype, "constructor", { value: callable, writable: true, configurable: true, enumerable: false });
    zlib[kind] = callable;
}
for (const kind of Object.keys(KINDS)) {
    const name = kind[0].toLowerCase() + kind.slice(1);
    zlib[name] = { [name](data, options, callback) {
        let o = options, done = callback;
        if (typeof o === "function") [o, done] = [undefined, o];
        validateFunction(done, "callback");
        bytesOf(data);
        let out, error = null;
        try {
            out = oneShot(kind, data, o);
        } catch (e) {
            if (e.code === "ERR_INVALID_ARG_TYPE" || e.code === "ERR_OUT_OF_RANGE") throw e;
            error = e;
        }
        queueMicrotask(() => (error === null ? done(null, out) : done(error)));
    } }[name];
    zlib[`${name}Sync`] = { [`${name}Sync`]: (data, options) => oneShot(kind, data, options) }[`${name}Sync`];
    zlib[`create${kind}`] = { [`create${kind}`]: (options) => new zlib[kind](options) }[`create${kind}`];
}
zlib.constants = constants;
zlib.codes = codes;
for (const [key, value] of Object.entries(constants)) zlib[key] ??= value;
