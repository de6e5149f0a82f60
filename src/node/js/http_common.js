/* What clients and servers of node:http share: names, headers, incoming and outgoing messages. */
const {
    codes: { ERR_HTTP_HEADERS_SENT, ERR_HTTP_INVALID_HEADER_VALUE, ERR_INVALID_ARG_TYPE, ERR_INVALID_CHAR, ERR_INVALID_HTTP_TOKEN, ERR_STREAM_WRITE_AFTER_END },
    validateString,
} = require("./errors.js");
const { Readable, Writable } = require("./stream.js");
const { Buffer } = require("./buffer.js");

const METHODS = ["ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE"];

const STATUS_CODES = {
    100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints", 200: "OK", 201: "Created", 202: "Accepted",
    203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content", 206: "Partial Content", 207: "Multi-Status", 208: "Already Reported",
    226: "IM Used", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 305: "Use Proxy",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict",
    410: "Gone", 411: "Length Required", 412: "Precondition Failed", 413: "Payload Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
    416: "Range Not Satisfiable", 417: "Expectation Failed", 418: "I'm a Teapot", 421: "Misdirected Request", 422: "Unprocessable Entity",
    423: "Locked", 424: "Failed Dependency", 425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported", 506: "Variant Also Negotiates",
    507: "Insufficient Storage", 508: "Loop Detected", 509: "Bandwidth Limit Exceeded", 510: "Not Extended", 511: "Network Authentication Required",
};

const TOKEN = /^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/, BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

function validateHeaderName(name, label = undefined) {
    if (typeof name !== "string" || !TOKEN.test(name)) throw new ERR_INVALID_HTTP_TOKEN(label || "Header name", name);
}

function validateHeaderValue(name, value) {
    if (value === undefined) throw new ERR_HTTP_INVALID_HEADER_VALUE(value, name);
    if (BAD_VALUE.test(value)) throw new ERR_INVALID_CHAR("header content", name);
}

/* Headers that come once: the first one counts. The others are joined; set-cookie is a list. */
const ONCE = new Set(["age", "authorization", "content-length", "content-type", "etag", "expires", "from", "host", "if-modified-since", "if-unmodified-since", "last-modified", "location", "max-forwards", "proxy-authorization", "referer", "retry-after", "server", "user-agent"]);

class IncomingMessage extends Readable {
    constructor(socket = undefined) {
        super({ highWaterMark: 64 * 1024 });
        this.socket = socket;
        this.httpVersion = this.httpVersionMajor = this.httpVersionMinor = null;
        this.complete = false;
        this.rawHeaders = [];
        this.rawTrailers = [];
        this.trailers = {};
        this.trailersDistinct = {};
        this.headers = {};
        this.headersDistinct = Object.create(null);
        this.joinDuplicateHeaders = false;
        this.aborted = false;
        this.upgrade = null;
        this.url = "";
        this.method = null;
        this.statusCode = null;
        this.statusMessage = null;
        this._reader = null;
        this._consuming = this._dumped = this._paused = false;
    }

    get connection() { return this.socket; }
    set connection(socket) { this.socket = socket; }

    _addHeader(name, value) {
        this.rawHeaders.push(name, value);
        (this.headersDistinct[name.toLowerCase()] ??= []).push(value);
        this._addHeaderLine(name, value, this.headers);
    }

    _addHeaderLine(name, value, headers) {
        const key = name.toLowerCase();
        if (key === "set-cookie") (headers[key] ??= []).push(value);
        else if (typeof headers[key] !== "string") headers[key] = value; // what Object.prototype has is none
        else if (!ONCE.has(key) || this.joinDuplicateHeaders) headers[key] += (key === "cookie" ? "; " : ", ") + value;
    }

    /* Where the body comes from: a web stream, or null. */
    _setBody(body) {
        this.httpVersion = "1.1";
        this.httpVersionMajor = this.httpVersionMinor = 1;
        this._reader = body === null ? null : body.getReader();
        this._ready = true;
        if (this._waiting) this._read();
    }

    _read() {
        if (!this._ready) {
            this._waiting = true;
            return;
        }
        if (this._reader === null) {
            this.complete = true;
            this.push(null);
            return;
        }
        this._reader.read().then(({ done, value }) => {
            if (done) this.complete = true;
            this.push(done ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength));
        }, (error) => this.destroy(error));
    }

    _destroy(error, callback) {
        if (!this.readableEnded || !this.complete) {
            this.aborted = true;
            this._reader?.cancel(error ?? undefined).catch(() => {});
        }
        queueMicrotask(() => callback(error));
    }

    setTimeout(ms, callback = undefined) {
        void ms;
        if (callback) this.once("timeout", callback);
        return this;
    }
}
for (const name of ["_ready", "_waiting"]) Object.defineProperty(IncomingMessage.prototype, name, { value: false, writable: true });

class OutgoingMessage extends Writable {
    #headers = new Map(); // lower case -> [name, value]

    constructor(options = undefined) {
        super({ highWaterMark: 64 * 1024, decodeStrings: true, ...options });
        this.sendDate = false;
        this.chunkedEncoding = false;
        this.shouldKeepAlive = true;
        this.useChunkedEncodingByDefault = true;
        this.finished = false;
        this.socket = this.connection = null;
        this._headerSent = false;
    }

    get headersSent() { return this._headerSent; }
    set headersSent(v) {}

    #check(what) {
        if (this._headerSent) throw new ERR_HTTP_HEADERS_SENT(what);
    }

    setHeader(name, value) {
        this.#check("set");
        validateHeaderName(name);
        for (const item of Array.isArray(value) ? value : [value]) validateHeaderValue(name, item);
        this.#headers.set(name.toLowerCase(), [name, value]);
        return this;
    }

    setHeaders(headers) {
        this.#check("set");
        if (!headers || Array.isArray(headers) || typeof headers.keys !== "function" || typeof headers.get !== "function")
            throw new ERR_INVALID_ARG_TYPE("headers", ["Headers", "Map"], headers);
        const cookies = typeof headers.getSetCookie === "function" ? headers.getSetCookie() : [];
        for (const [name, value] of headers) if (name.toLowerCase() !== "set-cookie" || cookies.length === 0) this.setHeader(name, value);
        if (cookies.length > 0) this.setHeader("set-cookie", cookies);
        return this;
    }

    appendHeader(name, value) {
        this.#check("append");
        validateHeaderName(name);
        for (const item of Array.isArray(value) ? value : [value]) validateHeaderValue(name, item);
        const old = this.#headers.get(name.toLowerCase());
        if (old === undefined) return this.setHeader(name, value);
        this.#headers.set(name.toLowerCase(), [old[0], [old[1], value].flat()]);
        return this;
    }

    getHeader(name) {
        validateString(name, "name");
        return this.#headers.get(name.toLowerCase())?.[1];
    }

    getHeaderNames() { return [...this.#headers.keys()]; }
    getRawHeaderNames() { return [...this.#headers.values()].map(([name]) => name); }
    getHeaders() {
        const out = Object.create(null);
        for (const [key, [, value]] of this.#headers) out[key] = value;
        return out;
    }

    hasHeader(name) {
        validateString(name, "name");
        return this.#headers.has(name.toLowerCase());
    }

    removeHeader(name) {
        validateString(name, "name");
        this.#check("remove");
        this.#headers.delete(name.toLowerCase());
    }

    /* As a web Headers object. */
    _webHeaders() {
        const out = new Headers();
        for (const [name, value] of this.#headers.values()) for (const item of Array.isArray(value) ? value : [value]) out.append(name, String(item));
        return out;
    }

    write(chunk, encoding, callback) {
        if (this.writableEnded) {
            const error = new ERR_STREAM_WRITE_AFTER_END(), done = typeof encoding === "function" ? encoding : callback;
            queueMicrotask(() => done?.(error));
            this.destroy(error);
            return false;
        }
        return super.write(chunk, encoding, callback);
    }

    end(chunk, encoding, callback) {
        this.finished = true;
        super.end(chunk, encoding, callback);
        return this;
    }

    addTrailers() {}
    flushHeaders() {}
    setTimeout(ms, callback = undefined) {
        void ms;
        if (callback) this.once("timeout", callback);
        return this;
    }
}

module.exports = { METHODS, STATUS_CODES, validateHeaderName, validateHeaderValue, IncomingMessage, OutgoingMessage };
