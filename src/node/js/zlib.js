/* node:zlib: one-shot and callback forms over the natives of node_zlib.c, node_brotli.c and node_zstd.c; streams are in zlib_base.js. */
const { codes: { ERR_INVALID_ARG_TYPE }, validateFunction } = require("./errors.js");
const { Buffer } = require("./buffer.js");
const { later, now, soon } = require("./jobs.js");
const constants = require("./zlib_constants.js");
const { CODES, KINDS, ZlibBase, chunkSizeOf, number } = require("./zlib_base.js");

const n = native.node;
const TOO_LARGE = -1000, OUTPUT_MAX = 128 * 1024 * 1024; // of one call
const codes = Object.freeze({ ...CODES, ...Object.fromEntries(Object.entries(CODES).map(([k, v]) => [v, Number(k)])) });

function bytesOf(data, name = "buffer") {
    if (typeof data === "string") return Buffer.from(data);
    if (ArrayBuffer.isView(data)) return data;
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    throw new ERR_INVALID_ARG_TYPE(name, ["string", "Buffer", "TypedArray", "DataView", "ArrayBuffer"], data);
}

/* All of it at once, as a job (jobs.js). */
function oneShot(kind, data, options) {
    const o = options ?? {}, { flags, make } = KINDS[kind];
    const bytes = bytesOf(data);
    if (o.info) {
        const engine = new zlib[kind](o);
        return {
            start: () => engine._processChunk(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), engine._finishFlushFlag),
            use: (buffer) => ({ buffer, engine }),
        };
    }
    chunkSizeOf(o);
    const limit = number(o.maxOutputLength, "options.maxOutputLength", 1, OUTPUT_MAX, OUTPUT_MAX);
    number(o.flush, "options.flush", 0, flags.most);
    const finish = number(o.finishFlush, "options.finishFlush", 0, flags.most, flags.finish);
    const { handle } = make(o, new Uint32Array(2), () => {});
    return {
        start: (done) => n[`${handle.kind}Write`](handle.native, bytes, finish, limit, done),
        use(answer) {
            handle.close();
            if (!Array.isArray(answer)) return Buffer.from(answer);
            const [code, message, , out] = answer;
            if (code === 0) return Buffer.from(out);
            if (code === TOO_LARGE) throw new RangeError("Memory limit exceeded");
            const { message: text, ...more } = handle.error(code, message);
            throw Object.assign(new Error(text), more);
        },
    };
}

const zlib = module.exports = {};

zlib.crc32 = function crc32(data, value = 0) {
    if (typeof data !== "string" && !ArrayBuffer.isView(data) && !(data instanceof ArrayBuffer))
        throw new TypeError("Failed to execute 'crc32' on 'ZlibUtil': parameter 1 is not of type 'string or ArrayBuffer or ArrayBufferView'.");
    return n.crc32(bytesOf(data), value >>> 0);
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
        let job;
        try {
            job = oneShot(kind, data, o);
        } catch (e) {
            if (e.code === "ERR_INVALID_ARG_TYPE" || (e.code === "ERR_OUT_OF_RANGE" && !e.message.includes("maxOutputLength"))) throw e;
            return later(done, () => { throw e; });
        }
        return o?.info ? later(done, () => now(job)) : soon(done, job);
    } }[name];
    zlib[`${name}Sync`] = { [`${name}Sync`]: (data, options) => now(oneShot(kind, data, options)) }[`${name}Sync`];
    zlib[`create${kind}`] = { [`create${kind}`]: (options) => new zlib[kind](options) }[`create${kind}`];
}
zlib.constants = constants;
zlib.codes = codes;
for (const [key, value] of Object.entries(constants)) zlib[key] ??= value;
