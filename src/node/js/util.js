/* node:util. https://nodejs.org/api/util.html */
const {
    codes: { ERR_FALSY_VALUE_REJECTION, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE },
    validateAbortSignal, validateFunction, validateNumber, validateObject, validateOneOf, validateString, validateInteger,
} = require("./errors.js");
const { inspect, format, formatWithOptions, stripVTControlCharacters, colors } = require("./inspect.js");
const types = require("./types.js");
const { errno } = require("./os_constants.js");

const kCustomPromisify = Symbol.for("nodejs.util.promisify.custom");
const kCustomPromisifyArgs = Symbol.for("nodejs.util.promisify.customArgs");

function promisify(original) {
    validateFunction(original, "original");
    if (original[kCustomPromisify] || original === globalThis.setTimeout || original === globalThis.setImmediate) {
        const fn = original[kCustomPromisify] ?? require("./timers_promises.js")[original.name];
        validateFunction(fn, "util.promisify.custom");
        return Object.defineProperty(fn, kCustomPromisify, { value: fn, enumerable: false, writable: false, configurable: true });
    }
    const names = original[kCustomPromisifyArgs];
    function fn(...args) {
        return new Promise((resolve, reject) => {
            Reflect.apply(original, this, [...args, (error, ...values) => {
                if (error) return reject(error);
                if (names !== undefined && values.length > 1) return resolve(Object.fromEntries(names.map((name, i) => [name, values[i]])));
                return resolve(values[0]);
            }]);
        });
    }
    Object.setPrototypeOf(fn, Object.getPrototypeOf(original));
    Object.defineProperty(fn, kCustomPromisify, { value: fn, enumerable: false, writable: false, configurable: true });
    const descriptors = Object.getOwnPropertyDescriptors(original);
    for (const key of Reflect.ownKeys(descriptors)) {
        try {
            Object.defineProperty(fn, key, descriptors[key]);
        } catch {
            // A property that functions have already, not configurable.
        }
    }
    return fn;
}
promisify.custom = kCustomPromisify;

function callbackify(original) {
    validateFunction(original, "original");
    function callbackified(...args) {
        const callback = args.pop();
        validateFunction(callback, "last argument");
        Reflect.apply(original, this, args).then(
            (value) => queueMicrotask(() => callback.call(this, null, value)),
            (reason) => queueMicrotask(() => {
                if (reason) return callback.call(this, reason);
                const error = new ERR_FALSY_VALUE_REJECTION();
                error.reason = reason;
                return callback.call(this, error);
            }));
    }
    const descriptors = Object.getOwnPropertyDescriptors(original);
    if (typeof descriptors.length?.value === "number") descriptors.length.value++;
    if (typeof descriptors.name?.value === "string") descriptors.name.value += "Callbackified";
    delete descriptors.prototype;
    Object.defineProperties(callbackified, descriptors);
    return callbackified;
}

const warned = new Set();
function deprecate(fn, message, code, options = undefined) {
    if (code !== undefined) validateString(code, "code");
    let done = false;
    function deprecated(...args) {
        if (!done) {
            done = true;
            if (code === undefined || !warned.has(code)) {
                warned.add(code);
                console.warn(`${code === undefined ? "" : `[${code}] `}DeprecationWarning: ${message}`);
            }
        }
        return new.target ? Reflect.construct(fn, args, new.target) : Reflect.apply(fn, this, args);
    }
    Object.setPrototypeOf(deprecated, fn);
    if (fn.prototype) deprecated.prototype = fn.prototype;
    Object.defineProperty(deprecated, "length", { value: fn.length, configurable: true });
    return deprecated;
}

function inherits(ctor, superCtor) {
    if (ctor === undefined || ctor === null) throw new ERR_INVALID_ARG_TYPE("ctor", "Function", ctor);
    if (superCtor === undefined || superCtor === null) throw new ERR_INVALID_ARG_TYPE("superCtor", "Function", superCtor);
    if (superCtor.prototype === undefined) throw new ERR_INVALID_ARG_TYPE("superCtor.prototype", "Object", superCtor.prototype);
    Object.defineProperty(ctor, "super_", { value: superCtor, writable: true, configurable: true });
    Object.setPrototypeOf(ctor.prototype, superCtor.prototype);
}

function _extend(target, source) {
    if (source === null || typeof source !== "object") return target;
    return Object.assign(target, source);
}

function debuglog(set, callback = undefined) {
    const name = `${set}`.toUpperCase();
    const pattern = () => {
        const env = require("./process.js").env.NODE_DEBUG ?? "";
        return env.split(",").some((item) => new RegExp(`^${item.replace(/[|\\{}()[\]^$+?.]/g, "\\$&").replaceAll("*", ".*")}$`, "i").test(name));
    };
    const logger = (...args) => {
        if (pattern()) console.error(`${name} 1: ${format(...args)}`);
    };
    callback?.(logger);
    Object.defineProperty(logger, "enabled", { get: pattern, configurable: true, enumerable: true });
    return logger;
}

/* --- system errors --- */

const MESSAGES = { ENOENT: "no such file or directory", EACCES: "permission denied", EPERM: "operation not permitted", EEXIST: "file already exists", ENOTDIR: "not a directory", EISDIR: "illegal operation on a directory", EINVAL: "invalid argument", EMFILE: "too many open files", ENOTEMPTY: "directory not empty", EPIPE: "broken pipe", ECONNREFUSED: "connection refused", ECONNRESET: "connection reset by peer", ETIMEDOUT: "connection timed out", EADDRINUSE: "address already in use", EBADF: "bad file descriptor", EIO: "i/o error", ENOMEM: "not enough memory", ENOSPC: "no space left on device", EROFS: "read-only file system", EXDEV: "cross-device link not permitted", ELOOP: "too many symbolic links encountered", ENOSYS: "function not implemented", EAGAIN: "resource temporarily unavailable", EBUSY: "resource busy or locked", ENAMETOOLONG: "name too long", ENOTSUP: "operation not supported on socket", E2BIG: "argument list too long", EHOSTUNREACH: "host is unreachable", ENETUNREACH: "network is unreachable", ENOTCONN: "socket is not connected", ECANCELED: "operation canceled", EALREADY: "connection already in progress", EOF: "end of file" };
const byNumber = new Map(Object.entries(errno).map(([name, value]) => [-value, name]));
byNumber.set(-4095, "EOF");

function checkErrno(err) {
    validateNumber(err, "err");
    if (err >= 0 || !Number.isSafeInteger(err)) throw new ERR_OUT_OF_RANGE("err", "a negative integer", err);
}
function getSystemErrorName(err) {
    checkErrno(err);
    return byNumber.get(err) ?? `Unknown system error ${err}`;
}
function getSystemErrorMessage(err) {
    checkErrno(err);
    const name = byNumber.get(err);
    return name === undefined ? undefined : MESSAGES[name] ?? name;
}
function getSystemErrorMap() {
    return new Map([...byNumber].map(([value, name]) => [value, [name, MESSAGES[name] ?? name]]));
}

function uvError(code, syscall, extra = {}) {
    const number = code === "EOF" ? -4095 : -errno[code];
    let message = `${code}: ${MESSAGES[code] ?? code}, ${syscall}`;
    if (extra.path !== undefined) message += ` '${extra.path}'`;
    if (extra.dest !== undefined) message += ` -> '${extra.dest}'`;
    const error = new Error(message);
    return Object.assign(error, { errno: number, code, syscall }, extra);
}

function _errnoException(err, syscall, original) {
    const name = getSystemErrorName(err);
    const error = new Error(`${syscall} ${name}${original ? ` ${original}` : ""}`);
    return Object.assign(error, { errno: err, code: name, syscall });
}
function _exceptionWithHostPort(err, syscall, address, port, additional) {
    const name = getSystemErrorName(err);
    let details = "";
    if (port && port > 0) details = ` ${address}:${port}`;
    else if (address) details = ` ${address}`;
    if (additional) details += ` - Local (${additional})`;
    const error = new Error(`${syscall} ${name}${details}`);
    Object.assign(error, { errno: err, code: name, syscall, address });
    if (port) error.port = port;
    return error;
}

/* --- styles, environment files, signals --- */

function styleText(style, text, options = {}) {
    validateString(text, "text");
    validateObject(options, "options");
    const { validateStream = true, stream = require("./process.js").stdout } = options;
    if (validateStream && typeof (stream?.write ?? stream?.on ?? stream?.getReader ?? stream?.getWriter) !== "function")
        throw new ERR_INVALID_ARG_TYPE("stream", ["ReadableStream", "WritableStream", "Stream"], stream);
    const plain = validateStream && !stream.isTTY;
    let open = "", close = "";
    for (const name of Array.isArray(style) ? style : [style]) {
        if (name === "none") continue;
        const codes = colors[name];
        if (codes === undefined) validateOneOf(name, "format", [...Object.keys(colors)]);
        open += `\u001b[${codes[0]}m`;
        close = `\u001b[${codes[1]}m${close}`;
    }
    return plain ? text : `${open}${text}${close}`;
}

function parseEnv(content) {
    validateString(content, "content");
    const out = {};
    const line = /^\s*(?:export\s+)?([\w.-]+)\s*=[^\S\n]*(?:'([^']*)'|"((?:\\"|[^"])*)"|`([^`]*)`|([^#\n]*))?[^\S\n]*(?:#.*)?$/gm;
    for (const [, key, single, double, tick, plain] of content.replaceAll("\r\n", "\n").matchAll(line))
        out[key] = single ?? (double !== undefined ? double.replaceAll("\\n", "\n").replaceAll('\\"', '"') : undefined) ?? tick ?? (plain ?? "").trim();
    return out;
}

async function aborted(signal, resource) {
    if (signal === undefined) throw new ERR_INVALID_ARG_TYPE("signal", "AbortSignal", signal);
    validateAbortSignal(signal, "signal");
    if (typeof resource !== "object" && typeof resource !== "function" || resource === null) throw new ERR_INVALID_ARG_TYPE("resource", ["Object", "Function"], resource);
    if (signal.aborted) return undefined;
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function getCallSites(frameCount = 8) {
    const options = typeof frameCount === "object" ? undefined : frameCount;
    if (options !== undefined) validateInteger(options, "frameCount", 1, 200);
    return (new Error().stack ?? "").split("\n").slice(1, (options ?? 8) + 1).map((text) => {
        const [, name, place, line, column] = /^(?:(.*)@)?(.*?)(?::(\d+))?(?::(\d+))?$/.exec(text);
        return { functionName: name ?? "", scriptId: "0", scriptName: place, lineNumber: Number(line ?? 0), columnNumber: Number(column ?? 0), column: Number(column ?? 0) };
    });
}

function parseArgs(config) {
    try {
        return require("parseargs").parseArgs({ args: [], ...config });
    } catch (error) {
        if (error instanceof TypeError || !`${error.code}`.startsWith("ERR_PARSE_ARGS")) throw error;
        throw Object.assign(new TypeError(error.message), { code: error.code });
    }
}

/* Myers, small inputs: [operation, value] with -1 gone, 0 kept, 1 new. */
function diff(actual, expected) {
    const list = (v, name) => {
        if (typeof v === "string") return v.split("\n").length > 1 ? v.split("\n") : [...v];
        if (Array.isArray(v)) return v;
        throw new ERR_INVALID_ARG_TYPE(name, ["Array", "string"], v);
    };
    const a = list(actual, "actual"), b = list(expected, "expected");
    if (actual === expected) return [];
    const rows = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
        for (let j = b.length - 1; j >= 0; j--) rows[i][j] = a[i] === b[j] ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
    const out = [];
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
        if (i < a.length && j < b.length && a[i] === b[j]) {
            out.push([0, a[i++]]);
            j++;
        } else if (j < b.length && (i === a.length || rows[i][j + 1] >= rows[i + 1][j])) out.push([1, b[j++]]);
        else out.push([-1, a[i++]]);
    }
    return out;
}

/* 128 and the number of the signal, as shells have it. */
function convertProcessSignalToExitCode(signal) {
    validateString(signal, "signal");
    return 128 + require("./os_constants.js").signals[signal];
}

const util = module.exports = {
    _errnoException, _exceptionWithHostPort, _extend, callbackify, debug: debuglog, debuglog, deprecate, format, styleText, formatWithOptions,
    convertProcessSignalToExitCode, getCallSite: getCallSites, getCallSites, setTraceSigInt() {}, getSystemErrorMap, getSystemErrorName, getSystemErrorMessage, inherits, inspect, isArray: Array.isArray,
    isDeepStrictEqual: (a, b) => require("./comparisons.js").isDeepStrictEqual(a, b),
    promisify, stripVTControlCharacters(text) {
        validateString(text, "str");
        return stripVTControlCharacters(text);
    },
    toUSVString: (text) => `${text}`.toWellFormed(), transferableAbortSignal: (signal) => signal,
    transferableAbortController: () => new AbortController(), aborted, types, parseEnv,
    parseArgs, TextDecoder, TextEncoder, diff,
    isBoolean: (v) => typeof v === "boolean", isBuffer: (v) => require("./buffer.js").Buffer.isBuffer(v), isDate: types.isDate,
    isError: (v) => types.isNativeError(v) || v instanceof Error, isFunction: (v) => typeof v === "function", isNull: (v) => v === null,
    isNullOrUndefined: (v) => v === null || v === undefined, isNumber: (v) => typeof v === "number",
    isObject: (v) => v !== null && typeof v === "object", isPrimitive: (v) => v === null || (typeof v !== "object" && typeof v !== "function"),
    isRegExp: types.isRegExp, isString: (v) => typeof v === "string", isSymbol: (v) => typeof v === "symbol", isUndefined: (v) => v === undefined,
    log: (...args) => console.log("%s - %s", new Date().toString().slice(4, 24), format(...args)),
};
for (const name of ["MIMEType", "MIMEParams"])
    Object.defineProperty(util, name, { get: () => require("./mime.js")[name], enumerable: true, configurable: true });
Object.defineProperty(util, "uvError", { value: uvError, enumerable: false });
