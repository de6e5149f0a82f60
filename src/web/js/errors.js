/*
 * DOMException, the texts of errors that several files throw, and error → text for logs.
 */

const CODES = {
    IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5,
    NoModificationAllowedError: 7, NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10,
    InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14,
    InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20,
    URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
};

const CONSTANTS = {
    INDEX_SIZE_ERR: 1, DOMSTRING_SIZE_ERR: 2, HIERARCHY_REQUEST_ERR: 3, WRONG_DOCUMENT_ERR: 4,
    INVALID_CHARACTER_ERR: 5, NO_DATA_ALLOWED_ERR: 6, NO_MODIFICATION_ALLOWED_ERR: 7, NOT_FOUND_ERR: 8,
    NOT_SUPPORTED_ERR: 9, INUSE_ATTRIBUTE_ERR: 10, INVALID_STATE_ERR: 11, SYNTAX_ERR: 12,
    INVALID_MODIFICATION_ERR: 13, NAMESPACE_ERR: 14, INVALID_ACCESS_ERR: 15, VALIDATION_ERR: 16,
    TYPE_MISMATCH_ERR: 17, SECURITY_ERR: 18, NETWORK_ERR: 19, ABORT_ERR: 20, URL_MISMATCH_ERR: 21,
    QUOTA_EXCEEDED_ERR: 22, TIMEOUT_ERR: 23, INVALID_NODE_TYPE_ERR: 24, DATA_CLONE_ERR: 25,
};

export class DOMException extends Error {
    #name;

    constructor(message = "", options = "Error") {
        super(String(message));
        if (options !== null && typeof options === "object") {
            this.#name = options.name === undefined ? "Error" : String(options.name);
            if ("cause" in options)
                Object.defineProperty(this, "cause", { value: options.cause, writable: true, configurable: true });
        } else {
            this.#name = String(options);
        }
        Object.defineProperty(this, "stack", { value: errorText(this), writable: true, configurable: true });
    }

    get name() {
        return this.#name;
    }

    get code() {
        return Object.hasOwn(CODES, this.#name) ? CODES[this.#name] : 0;
    }

    static is(value) {
        return typeof value === "object" && value !== null && #name in value;
    }
}
for (const [name, value] of Object.entries(CONSTANTS)) {
    Object.defineProperty(DOMException, name, { value, enumerable: true });
    Object.defineProperty(DOMException.prototype, name, { value, enumerable: true });
}
Object.defineProperty(DOMException.prototype, Symbol.toStringTag, { value: "DOMException", configurable: true });
export const isDOMException = DOMException.is;
delete DOMException.is;

/* Levels of native.io.log(). */
export const LOG_DEBUG = 0, LOG_INFO = 1, LOG_WARN = 2, LOG_ERROR = 3;

export const GLOBAL_SCOPE = "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), " +
    "setting a timeout, and generating random values are not allowed within global scope. To fix this error, perform this " +
    "operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/";

export const OTHER_REQUEST = "Cannot perform I/O on behalf of a different request. I/O objects (such as streams, " +
    "request/response bodies, and others) created in the context of one request handler cannot be accessed from a different " +
    "request's handler. This is a limitation of Cloudflare Workers which allows us to improve overall performance.";

export const OTHER_OBJECT = "Cannot perform I/O on behalf of a different Durable Object. I/O objects (such as streams, " +
    "request/response bodies, and others) created in the context of one Durable Object cannot be accessed from a different " +
    "Durable Object in the same isolate. This is a limitation of Cloudflare Workers which allows us to improve overall performance.";

export const HUNG = "The Workers runtime canceled this request because it detected that your Worker's code had hung and would " +
    "never generate a response. Refer to: https://developers.cloudflare.com/workers/observability/errors/";

export const CONTEXT_ENDED = "Couldn't complete operation because the execution context has ended.";

const ERRNO_TEXT = {
    [-32]: "Network connection lost.",
    [-104]: "Network connection lost.",
    [-110]: "The operation timed out.",
    [-125]: "The operation was canceled.",
    [-7]: "The body is too large.",
    [-122]: "The body is larger than the limit.",
};

/* What broke on a wire, as an error for the Worker. */
export function errnoError(errno) {
    const error = new Error(ERRNO_TEXT[errno] ?? "Network connection lost.");
    if (errno === -32 || errno === -104) error.retryable = true;
    return error;
}

export function illegal() {
    return new TypeError("Illegal invocation");
}

/* The engine writes "function@script:line:column"; everybody expects the form of V8. */
export function stackFrames(stack) {
    if (typeof stack !== "string" || stack === "") return "";
    const lines = [];
    for (const line of stack.split("\n")) {
        const at = line.lastIndexOf("@");
        const place = at < 0 ? line : line.slice(at + 1);
        const name = at > 0 ? line.slice(0, at) : "";
        if (line === "" || place === "[native code]" || place === "" || place.startsWith("selvedge:")) continue;
        lines.push(name === "" || name === "module code" || name === "global code"
            ? `    at ${place}` : `    at ${name} (${place})`);
    }
    return lines.join("\n");
}

function read(object, name) {
    try {
        return object[name];
    } catch {
        return undefined;
    }
}

export function errorName(error) {
    const name = read(error, "name");
    return typeof name === "string" && name !== "" ? name : "Error";
}

export function isError(value) {
    return value instanceof Error || (typeof value === "object" && value !== null &&
        Object.prototype.toString.call(value) === "[object Error]");
}

export function errorTitle(error) {
    const name = errorName(error), message = String(read(error, "message") ?? "");
    return message === "" ? name : `${name}: ${message}`;
}

/* "Name: message" and the frames, whichever form `stack` has. */
export function errorText(error) {
    const title = errorTitle(error), stack = read(error, "stack");
    if (typeof stack !== "string" || stack === "") return title;
    if (/^\s+at /m.test(stack)) return stack;
    const frames = stackFrames(stack);
    return frames === "" ? title : `${title}\n${frames}`;
}

/* An entry of a trace's `exceptions`. What was thrown may be a Proxy whose traps throw. */
export function describeException(value, timestamp) {
    try {
        return describe(value, timestamp);
    } catch {
        return { name: "Error", message: "A value was thrown that cannot be described.", timestamp };
    }
}

function describe(value, timestamp) {
    if (isError(value))
        return { name: errorName(value), message: String(read(value, "message") ?? ""), stack: errorText(value), timestamp };
    const message = typeof value === "object" && value !== null ? JSON.stringify(value) ?? String(value) : String(value);
    return { name: "Error", message, timestamp };
}
