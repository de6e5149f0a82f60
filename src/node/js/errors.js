/* Node's coded errors and argument checks. The texts are what programs and their tests match on. */
const TYPES = ["string", "function", "number", "object", "Function", "Object", "boolean", "bigint", "symbol"];
const CLASS = /^[A-Z][a-zA-Z0-9]*$/;

function lazyInspect(value, options) {
    return require("./inspect.js").inspect(value, options);
}

/* What an argument is, for "Received ...". */
function determineSpecificType(value) {
    if (value === null || value === undefined) return `${value}`;
    switch (typeof value) {
    case "function": return `function ${value.name}`;
    case "object":
        if (value.constructor && "name" in value.constructor) return `an instance of ${value.constructor.name}`;
        return lazyInspect(value, { depth: -1 });
    case "string": {
        const text = value.length > 28 ? `${value.slice(0, 25)}...` : value;
        return text.includes("'") ? `type string (${JSON.stringify(text)})` : `type string ('${text}')`;
    }
    case "bigint": return `type bigint (${value}n)`;
    case "number": return Object.is(value, -0) ? "type number (-0)" : `type number (${value})`;
    default: return `type ${typeof value} (${String(value)})`;
    }
}

function join(list, word = "or") {
    if (list.length <= 2) return list.join(` ${word} `);
    return `${list.slice(0, -1).join(", ")}, ${word} ${list.at(-1)}`;
}

function nameOf(name) {
    if (name.endsWith(" argument")) return `${name}`;
    return `"${name}" ${name.includes(".") ? "property" : "argument"}`;
}

function expectedText(expected) {
    const types = [], instances = [], other = [];
    for (const value of Array.isArray(expected) ? expected : [expected]) {
        if (TYPES.includes(value)) types.push(value.toLowerCase());
        else if (CLASS.test(value)) instances.push(value);
        else other.push(value);
    }
    const at = types.indexOf("object");
    if (instances.length > 0 && at !== -1) {
        types.splice(at, 1);
        instances.push("Object");
    }
    const parts = [];
    if (types.length > 0) parts.push(`${types.length > 1 ? "one of type" : "of type"} ${join(types)}`);
    if (instances.length > 0) parts.push(`an instance of ${join(instances)}`);
    if (other.length > 0) {
        if (other.length > 1) parts.push(`one of ${join(other)}`);
        else parts.push(`${other[0].toLowerCase() === other[0] ? "" : "an "}${other[0]}`);
    }
    return parts.join(" or ");
}

function invalidArgType(name, expected, actual) {
    return `The ${nameOf(name)} must be ${expectedText(expected)}. Received ${determineSpecificType(actual)}`;
}

/* 4294967296 -> 4_294_967_296 */
function separated(text) {
    return text.replace(/(\d)(?=(\d{3})+n?$)/g, "$1_");
}

function outOfRange(name, range, input, isInteger = false) {
    let received;
    if (Number.isInteger(input) && Math.abs(input) > 2 ** 32) received = separated(String(input));
    else if (typeof input === "bigint") {
        received = String(input);
        if (input > 2n ** 32n || input < -(2n ** 32n)) received = separated(received);
        received += "n";
    } else received = lazyInspect(input);
    const start = isInteger ? name : `The value of "${name}" is out of range.`;
    return `${start} It must be ${range}. Received ${received}`;
}

function invalidArgValue(name, value, reason = "is invalid") {
    let text = lazyInspect(value);
    if (text.length > 128) text = `${text.slice(0, 128)}...`;
    return `The ${name.includes(".") ? "property" : "argument"} '${name}' ${reason}. Received ${text}`;
}

/* Code -> [class, message or function]. */
const TABLE = {
    ERR_AMBIGUOUS_ARGUMENT: [TypeError, (x, y) => `The "${x}" argument is ambiguous. ${y}`],
    ERR_ARG_NOT_ITERABLE: [TypeError, (x) => `${x} must be iterable`],
    ERR_ASYNC_CALLBACK: [TypeError, (x) => `${x} must be a function`],
    ERR_ASYNC_TYPE: [TypeError, (x) => `Invalid name for async "type": ${x}`],
    ERR_BUFFER_OUT_OF_BOUNDS: [RangeError, (name) => (name ? `"${name}" is outside of buffer bounds` : "Attempt to access memory outside buffer bounds")],
    ERR_BUFFER_TOO_LARGE: [RangeError, (n) => `Cannot create a Buffer larger than ${n} bytes`],
    ERR_CONSOLE_WRITABLE_STREAM: [TypeError, (name) => `Console expects a writable stream instance for ${name}`],
    ERR_CHILD_PROCESS_STDIO_MAXBUFFER: [RangeError, (x) => `${x} maxBuffer length exceeded`],
    ERR_CRYPTO_ECDH_INVALID_FORMAT: [TypeError, (x) => `Invalid ECDH format: ${x}`],
    ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY: [Error, "Public key is not valid for specified curve"],
    ERR_CRYPTO_HASH_FINALIZED: [Error, "Digest already called"],
    ERR_CRYPTO_HASH_UPDATE_FAILED: [Error, "Hash update failed"],
    ERR_CRYPTO_INCOMPATIBLE_KEY: [Error, (name, expected) => `Incompatible ${name}: ${expected}`],
    ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS: [Error, (a, b) => `The selected key encoding ${a} ${b}.`],
    ERR_CRYPTO_INVALID_AUTH_TAG: [TypeError, (x) => x],
    ERR_CRYPTO_INVALID_DIGEST: [TypeError, (name) => `Invalid digest: ${name}`],
    ERR_CRYPTO_INVALID_IV: [TypeError, "Invalid initialization vector"],
    ERR_CRYPTO_INVALID_JWK: [TypeError, "Invalid JWK data"],
    ERR_CRYPTO_INVALID_CURVE: [TypeError, (name) => `Invalid EC curve name${name ? `: ${name}` : ""}`],
    ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE: [TypeError, (actual, expected) => `Invalid key object type ${actual}, expected ${expected}.`],
    ERR_CRYPTO_INVALID_KEYLEN: [RangeError, "Invalid key length"],
    ERR_CRYPTO_INVALID_KEYPAIR: [RangeError, "Invalid key pair"],
    ERR_CRYPTO_INVALID_KEYTYPE: [RangeError, "Invalid key type"],
    ERR_CRYPTO_INVALID_SCRYPT_PARAMS: [RangeError, "Invalid scrypt params"],
    ERR_CRYPTO_INVALID_STATE: [Error, (x) => `Invalid state for operation ${x}`],
    ERR_CRYPTO_OPERATION_FAILED: [Error, (x) => x],
    ERR_CRYPTO_SIGN_KEY_REQUIRED: [Error, "No key provided to sign"],
    ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH: [RangeError, "Input buffers must have the same byte length"],
    ERR_CRYPTO_UNKNOWN_CIPHER: [Error, "Unknown cipher"],
    ERR_CRYPTO_UNKNOWN_DH_GROUP: [Error, "Unknown DH group"],
    ERR_CRYPTO_UNSUPPORTED_OPERATION: [Error, "Unsupported crypto operation"],
    ERR_DIR_CLOSED: [Error, "Directory is closed"],
    ERR_ENCODING_INVALID_ENCODED_DATA: [TypeError, (encoding) => `The encoded data was not valid for encoding ${encoding}`],
    ERR_ENCODING_NOT_SUPPORTED: [RangeError, (x) => `The "${x}" encoding is not supported`],
    ERR_EVENT_RECURSION: [Error, (x) => `The event "${x}" is already being dispatched`],
    ERR_FALSY_VALUE_REJECTION: [Error, "Promise was rejected with falsy value"],
    ERR_FEATURE_UNAVAILABLE_ON_PLATFORM: [TypeError, (x) => `The feature ${x} is unavailable on the current platform, which is being used to run Node.js`],
    ERR_FS_FILE_TOO_LARGE: [RangeError, (n) => `File size (${n}) is greater than 2 GiB`],
    ERR_FS_INVALID_SYMLINK_TYPE: [Error, (x) => `Symlink type must be one of "dir", "file", or "junction". Received "${x}"`],
    ERR_HTTP_HEADERS_SENT: [Error, (x) => `Cannot ${x} headers after they are sent to the client`],
    ERR_HTTP_INVALID_HEADER_VALUE: [TypeError, (value, name) => `Invalid value "${value}" for header "${name}"`],
    ERR_HTTP_INVALID_STATUS_CODE: [RangeError, (x) => `Invalid status code: ${x}`],
    ERR_ILLEGAL_CONSTRUCTOR: [TypeError, "Illegal constructor"],
    ERR_INCOMPATIBLE_OPTION_PAIR: [TypeError, (a, b) => `Option "${a}" cannot be used in combination with option "${b}"`],
    ERR_INVALID_ADDRESS: [Error, "Invalid address"],
    ERR_INVALID_ARG_TYPE: [TypeError, invalidArgType],
    ERR_INVALID_ARG_VALUE: [TypeError, invalidArgValue],
    ERR_INVALID_BUFFER_SIZE: [RangeError, (x) => `Buffer size must be a multiple of ${x}`],
    ERR_INVALID_CALLBACK: [TypeError, (x) => `Callback must be a function. Received ${lazyInspect(x)}`],
    ERR_INVALID_CHAR: [TypeError, (name, field) => `Invalid character in ${name}${field === undefined ? "" : ` ["${field}"]`}`],
    ERR_INVALID_FILE_URL_HOST: [TypeError, (x) => `File URL host must be "localhost" or empty on ${x}`],
    ERR_INVALID_FILE_URL_PATH: [TypeError, (x) => `File URL path ${x}`],
    ERR_INVALID_HTTP_TOKEN: [TypeError, (name, field) => `${name} must be a valid HTTP token ["${field}"]`],
    ERR_INVALID_IP_ADDRESS: [TypeError, (x) => `Invalid IP address: ${x}`],
    ERR_INVALID_MIME_SYNTAX: [TypeError, (production, str, at) => `The MIME syntax for a ${production} in ${JSON.stringify(str)} is invalid${at === -1 ? "" : ` at ${at}`}`],
    ERR_INVALID_PROTOCOL: [TypeError, (protocol, expected) => `Protocol "${protocol}" not supported. Expected "${expected}"`],
    ERR_INVALID_RETURN_VALUE: [TypeError, (input, name, value) => `Expected ${input} to be returned from the "${name}" function but got ${determineSpecificType(value)}.`],
    ERR_INVALID_STATE: [Error, (x) => `Invalid state: ${x}`],
    ERR_INVALID_THIS: [TypeError, (x) => `Value of "this" must be of type ${x}`],
    ERR_INVALID_TUPLE: [TypeError, (a, b) => `${a} must be an iterable ${b} tuple`],
    ERR_INVALID_URI: [URIError, "URI malformed"],
    ERR_INVALID_URL: [TypeError, "Invalid URL"],
    ERR_INVALID_URL_SCHEME: [TypeError, (x) => `The URL must be ${Array.isArray(x) ? `one of scheme ${x.join(" or ")}` : `of scheme ${x}`}`],
    ERR_METHOD_NOT_IMPLEMENTED: [Error, (x) => `The ${x} method is not implemented`],
    ERR_MISSING_ARGS: [TypeError, (...args) => `The ${join(args.map((a) => (Array.isArray(a) ? a.map((x) => `"${x}"`).join(" or ") : `"${a}"`)), "and")} argument${args.length === 1 ? "" : "s"} must be specified`],
    ERR_MISSING_OPTION: [TypeError, (x) => `${x} is required`],
    ERR_MULTIPLE_CALLBACK: [Error, "Callback called multiple times"],
    ERR_OPERATION_FAILED: [Error, (x) => `Operation failed: ${x}`],
    ERR_OUT_OF_RANGE: [RangeError, outOfRange],
    ERR_SERVER_ALREADY_LISTEN: [Error, "Listen method has been called more than once without closing."],
    ERR_SERVER_NOT_RUNNING: [Error, "Server is not running."],
    ERR_SOCKET_CLOSED: [Error, "Socket is closed"],
    ERR_SOCKET_CLOSED_BEFORE_CONNECTION: [Error, "Socket closed before the connection was established"],
    ERR_SOCKET_BAD_PORT: [RangeError, (name, port, zero = true) => `${name} should be ${zero ? ">=" : ">"} 0 and < 65536. Received ${determineSpecificType(port)}.`],
    ERR_STREAM_ALREADY_FINISHED: [Error, (x) => `Cannot call ${x} after a stream was finished`],
    ERR_STREAM_CANNOT_PIPE: [Error, "Cannot pipe, not readable"],
    ERR_STREAM_DESTROYED: [Error, (x) => `Cannot call ${x} after a stream was destroyed`],
    ERR_STREAM_NULL_VALUES: [TypeError, "May not write null values to stream"],
    ERR_STREAM_PREMATURE_CLOSE: [Error, "Premature close"],
    ERR_STREAM_WRITE_AFTER_END: [Error, "write after end"],
    ERR_STRING_TOO_LONG: [Error, (n) => `Cannot create a string longer than 0x${n.toString(16)} characters`],
    ERR_SYSTEM_ERROR: [Error, (x) => x],
    ERR_TLS_INVALID_CONTEXT: [TypeError, (name) => `${name} must be a SecureContext`],
    ERR_TRACE_EVENTS_CATEGORY_REQUIRED: [TypeError, "At least one category is required"],
    ERR_OPTION_NOT_IMPLEMENTED: [Error, (x) => `The ${x} option is not implemented`],
    ERR_UNAVAILABLE_DURING_EXIT: [Error, "Cannot call function in process exit handler"],
    ERR_UNESCAPED_CHARACTERS: [TypeError, (x) => `${x} contains unescaped characters`],
    ERR_UNHANDLED_ERROR: [Error, (error) => (error === undefined ? "Unhandled error." : `Unhandled error. (${error})`)],
    ERR_UNKNOWN_BUILTIN_MODULE: [Error, (x) => `No such built-in module: ${x}`],
    ERR_UNKNOWN_ENCODING: [TypeError, (x) => `Unknown encoding: ${x}`],
    ERR_UNKNOWN_SIGNAL: [TypeError, (x) => `Unknown signal: ${x}`],
    ERR_UNSUPPORTED_OPERATION: [Error, "The requested operation is unsupported"],
    ERR_UNSUPPORTED_DIR_IMPORT: [Error, (x) => x],
    ERR_WORKER_UNSUPPORTED_OPERATION: [TypeError, (x) => `${x} is not supported in workers`],
    ERR_ZLIB_INITIALIZATION_FAILED: [Error, "Initialization failed"],
    ERR_ZSTD_INVALID_PARAM: [RangeError, (x) => `${x} is not a valid Zstd parameter`],
    ERR_BROTLI_INVALID_PARAM: [RangeError, (x) => `${x} is not a valid Brotli parameter`],
    ERR_BROTLI_COMPRESSION_FAILED: [Error, "Compression failed"],
};

function define(error, name, value) {
    Object.defineProperty(error, name, { value, writable: true, enumerable: false, configurable: true });
}

function makeClass(code, Base, message) {
    const text = (args) => (typeof message === "function" ? message(...args) : message);
    const NodeError = {
        [Base.name]: class extends Base {
            constructor(...args) {
                super(text(args));
                this.code = code;
            }

            toString() {
                return `${this.name} [${code}]: ${this.message}`;
            }
        },
    }[Base.name];
    Object.defineProperty(NodeError.prototype, "constructor", { value: Base, writable: true, configurable: true, enumerable: false });
    NodeError.HideStackFramesError = NodeError;
    return NodeError;
}

const codes = {};
for (const code of Object.keys(TABLE)) {
    let made = null;
    Object.defineProperty(codes, code, {
        get: () => (made ??= makeClass(code, ...TABLE[code])), enumerable: true, configurable: true,
    });
}

class AbortError extends Error {
    constructor(message = "The operation was aborted", options = undefined) {
        super(message, options);
        this.code = "ABORT_ERR";
        define(this, "name", "AbortError");
    }
}

const notImplemented = (name) => {
    throw new codes.ERR_METHOD_NOT_IMPLEMENTED(name);
};

/* --- checks of arguments --- */

function validateString(value, name) {
    if (typeof value !== "string") throw new codes.ERR_INVALID_ARG_TYPE(name, "string", value);
}

function validateNumber(value, name, min = undefined, max = undefined) {
    if (typeof value !== "number") throw new codes.ERR_INVALID_ARG_TYPE(name, "number", value);
    if ((min !== undefined && value < min) || (max !== undefined && value > max) || ((min !== undefined || max !== undefined) && Number.isNaN(value)))
        throw new codes.ERR_OUT_OF_RANGE(name, `${min !== undefined ? `>= ${min}` : ""}${min !== undefined && max !== undefined ? " && " : ""}${max !== undefined ? `<= ${max}` : ""}`, value);
}

function validateInteger(value, name, min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER) {
    if (typeof value !== "number") throw new codes.ERR_INVALID_ARG_TYPE(name, "number", value);
    if (!Number.isInteger(value)) throw new codes.ERR_OUT_OF_RANGE(name, "an integer", value);
    if (value < min || value > max) throw new codes.ERR_OUT_OF_RANGE(name, `>= ${min} && <= ${max}`, value);
}

const validateInt32 = (value, name, min = -2147483648, max = 2147483647) => validateInteger(value, name, min, max);
const validateUint32 = (value, name, positive = false) => validateInteger(value, name, positive ? 1 : 0, 4294967295);

function validateBoolean(value, name) {
    if (typeof value !== "boolean") throw new codes.ERR_INVALID_ARG_TYPE(name, "boolean", value);
}

function validateFunction(value, name) {
    if (typeof value !== "function") throw new codes.ERR_INVALID_ARG_TYPE(name, "Function", value);
}

function validateObject(value, name, { allowArray = false, allowFunction = false, nullable = false } = {}) {
    if ((!nullable && value === null) || (!allowArray && Array.isArray(value)) ||
        (typeof value !== "object" && (!allowFunction || typeof value !== "function")))
        throw new codes.ERR_INVALID_ARG_TYPE(name, "Object", value);
}

function validateArray(value, name, minLength = 0) {
    if (!Array.isArray(value)) throw new codes.ERR_INVALID_ARG_TYPE(name, "Array", value);
    if (value.length < minLength) throw new codes.ERR_INVALID_ARG_VALUE(name, value, `must be longer than ${minLength}`);
}

function validateOneOf(value, name, oneOf) {
    if (oneOf.includes(value)) return;
    const allowed = oneOf.map((v) => (typeof v === "string" ? `'${v}'` : String(v))).join(", ");
    throw new codes.ERR_INVALID_ARG_VALUE(name, value, `must be one of: ${allowed}`);
}

function validateAbortSignal(signal, name) {
    if (signal !== undefined && (signal === null || typeof signal !== "object" || !("aborted" in signal)))
        throw new codes.ERR_INVALID_ARG_TYPE(name, "AbortSignal", signal);
}

function validateBuffer(value, name = "buffer") {
    if (!ArrayBuffer.isView(value)) throw new codes.ERR_INVALID_ARG_TYPE(name, ["Buffer", "TypedArray", "DataView"], value);
}

function validatePort(port, name = "Port", allowZero = true) {
    if ((typeof port !== "number" && typeof port !== "string") || (typeof port === "string" && port.trim().length === 0) ||
        +port !== +port >>> 0 || port > 0xffff || (port === 0 && !allowZero))
        throw new codes.ERR_SOCKET_BAD_PORT(name, port, allowZero);
    return port | 0;
}

module.exports = {
    codes, AbortError, define, determineSpecificType, notImplemented,
    validateString, validateNumber, validateInteger, validateInt32, validateUint32, validateBoolean, validateFunction,
    validateObject, validateArray, validateOneOf, validateAbortSignal, validateBuffer, validatePort,
};
