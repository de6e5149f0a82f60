/*
 * Servers of node:http. A server listens on a port of this Worker's own table; requests come to it through
 * handleAsNodeRequest() of `cloudflare:node`.
 */
const {
    codes: { ERR_HTTP_HEADERS_SENT, ERR_HTTP_INVALID_STATUS_CODE, ERR_INVALID_CHAR, ERR_OUT_OF_RANGE, ERR_SERVER_ALREADY_LISTEN, ERR_SERVER_NOT_RUNNING },
    validateBoolean, validateInteger, validateNumber, validateObject,
} = require("./errors.js");
const EventEmitter = require("./events.js");
const { IncomingMessage, OutgoingMessage, STATUS_CODES } = require("./http_common.js");

const listening = new Map(); // port -> Server
const REQUEST_TIMEOUT_MS = 300_000, HEADERS_TIMEOUT_MS = 60_000, HIGH_WATER_MARK = 64 * 1024;
/* Fields that a request has once: of what fetch() joined, the first value counts. */
const FIRST_ONLY = new Set(["host", "content-type", "user-agent", "referer", "authorization", "proxy-authorization", "if-modified-since", "if-unmodified-since", "from", "location", "max-forwards"]);
const firstValue = (value) => /^(?:"(?:[^"\\]|\\.)*"|[^,"])*/.exec(value)[0].trim();
const NO_BODY = new Set([101, 204, 205, 304]);
const REMOTE_PORT = 49151; // nobody says which
let nextPort = 49152;

class ServerResponse extends OutgoingMessage {
    #answer; // (Response) => void
    #controller = null;
    #wake = null;
    #left = Infinity; // bytes that may still leave: what content-length says

    constructor(req, options = undefined) {
        super(options?.highWaterMark === undefined ? undefined : { highWaterMark: options.highWaterMark });
        this.req = req;
        this.statusCode = 200;
        this.statusMessage = undefined;
        this.strictContentLength = false;
        this.sendDate = true;
        this.#answer = options?.answer ?? (() => {});
        this._bodyless = req?.method === "HEAD";
    }

    writeHead(status, reason, headers) {
        if (this._headerSent) throw new ERR_HTTP_HEADERS_SENT("write");
        const code = status | 0;
        if (code < 100 || code > 999) throw new ERR_HTTP_INVALID_STATUS_CODE(status);
        this.statusCode = code;
        let fields = headers;
        if (typeof reason === "string") this.statusMessage = reason;
        else fields = reason;
        this.statusMessage ??= STATUS_CODES[code] ?? "unknown";
        if (/[^\t\x20-\x7e\x80-\xff]/.test(this.statusMessage)) throw new ERR_INVALID_CHAR("statusMessage");
        if (Array.isArray(fields)) {
            const flat = Array.isArray(fields[0]) ? fields.flat() : fields;
            for (let i = 0; i < flat.length; i += 2) this.removeHeader(flat[i]);
            for (let i = 0; i < flat.length; i += 2) this.appendHeader(flat[i], flat[i + 1]);
        } else if (fields) for (const [name, value] of Object.entries(fields)) if (name) this.setHeader(name, value);
        this._headWritten = true;
        return this;
    }

    /* The head leaves; everything behind it is the body's stream. */
    #start(whole = undefined) {
        if (this._headerSent) return;
        if (!this._headWritten) this.writeHead(this.statusCode);
        this._headerSent = true;
        const headers = this._webHeaders();
        for (const name of ["connection", "keep-alive", "transfer-encoding"]) headers.delete(name);
        // A body that comes in pieces may turn out shorter than was said; one that is longer is cut.
        const said = headers.get("content-length");
        if (said !== null && whole === undefined) {
            this.#left = Number(said);
            headers.delete("content-length");
        }
        const init = { status: this.statusCode, statusText: this.statusMessage, headers };
        if (this._bodyless || NO_BODY.has(this.statusCode)) return void this.#answer(new Response(null, init));
        if (whole !== undefined) return void this.#answer(new Response(whole, init));
        const body = new ReadableStream({
            start: (controller) => { this.#controller = controller; },
            pull: () => this.#resume(),
            cancel: () => this.destroy(),
        });
        return void this.#answer(new Response(body, init));
    }

    /* The writer goes on; it may want to wait again at once. */
    #resume() {
        const wake = this.#wake;
        this.#wake = null;
        wake?.();
    }

    flushHeaders() { this.#start(); }

    _write(chunk, encoding, callback) {
        // Everything in one piece needs no stream.
        if (!this._headerSent && this.writableEnded && this.writableLength === chunk.byteLength) {
            this.#start(Uint8Array.from(chunk));
            return void callback();
        }
        this.#start();
        if (this.#controller === null) return void callback();
        const bytes = chunk.byteLength <= this.#left ? chunk : chunk.subarray(0, this.#left);
        this.#left -= bytes.byteLength;
        if (bytes.byteLength > 0) this.#controller.enqueue(Uint8Array.from(bytes));
        if (this.#controller.desiredSize > 0) return void callback();
        this.#wake = callback;
        return undefined;
    }

    _final(callback) {
        this.#start(null);
        this.#controller?.close();
        this.#controller = null;
        callback();
    }

    _destroy(error, callback) {
        if (!this._headerSent && error) this.#answer(error);
        if (this.#controller !== null && !this.writableFinished) this.#controller.error(error ?? new Error("aborted"));
        this.#controller = null;
        this.#resume();
        callback(error);
    }

    writeContinue(callback) { callback?.(); }
    writeProcessing() {}
    writeEarlyHints(hints, callback) { callback?.(); }
    assignSocket() {}
    detachSocket() {}
    writeHeader(...args) { return this.writeHead(...args); }
}
for (const name of ["_headWritten", "_bodyless"]) Object.defineProperty(ServerResponse.prototype, name, { value: false, writable: true });

class Server extends EventEmitter {
    #port = null;

    constructor(options, listener) {
        super();
        const fn = typeof options === "function" ? options : listener;
        const o = options === undefined || options === null || options === fn ? {} : options;
        validateObject(o, "options");
        for (const name of ["requestTimeout", "headersTimeout", "keepAliveTimeout", "connectionsCheckingInterval"])
            if (o[name] !== undefined) validateInteger(o[name], name === "connectionsCheckingInterval" ? `options.${name}` : name, 0);
        for (const name of ["requireHostHeader", "joinDuplicateHeaders", "rejectNonStandardBodyWrites", "insecureHTTPParser"])
            if (o[name] !== undefined) validateBoolean(o[name], `options.${name}`);
        if (o.highWaterMark !== undefined) validateNumber(o.highWaterMark, "options.highWaterMark");
        if (fn) this.on("request", fn);
        this.listening = false;
        this.timeout = 0;
        this.maxHeadersCount = null;
        this.maxRequestsPerSocket = 0;
        this.keepAliveTimeout = o.keepAliveTimeout ?? 5000;
        this.keepAliveTimeoutBuffer = 1000;
        this.requestTimeout = o.requestTimeout ?? REQUEST_TIMEOUT_MS;
        this.headersTimeout = o.headersTimeout ?? Math.min(HEADERS_TIMEOUT_MS, this.requestTimeout || HEADERS_TIMEOUT_MS);
        if (this.requestTimeout > 0 && this.headersTimeout > this.requestTimeout)
            throw new ERR_OUT_OF_RANGE("headersTimeout", "<= requestTimeout", o.headersTimeout);
        this.connectionsCheckingInterval = o.connectionsCheckingInterval ?? 30000;
        this.httpAllowHalfOpen = this.rejectNonStandardBodyWrites = false;
        this.requireHostHeader = o.requireHostHeader ?? false;
        this.joinDuplicateHeaders = o.joinDuplicateHeaders ?? false;
        this.highWaterMark = o.highWaterMark > 0 ? o.highWaterMark : HIGH_WATER_MARK;
        this._Incoming = o.IncomingMessage ?? IncomingMessage;
        this._Response = o.ServerResponse ?? ServerResponse;
    }

    listen(...args) {
        const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
        const first = args[0];
        let port = typeof first === "object" && first !== null ? first.port : first;
        port = require("./errors.js").validatePort(port ?? 0, "options.port");
        if (this.listening || listening.has(port)) throw new ERR_SERVER_ALREADY_LISTEN();
        if (port === 0) while (listening.has(nextPort)) nextPort++;
        this.#port = port || nextPort;
        listening.set(this.#port, this);
        this.listening = true;
        if (callback) this.once("listening", callback);
        queueMicrotask(() => this.emit("listening"));
        return this;
    }

    address() { return this.#port === null ? null : { port: this.#port, family: "IPv4", address: "127.0.0.1" }; }

    close(callback = undefined) {
        const was = this.listening;
        if (was) listening.delete(this.#port);
        this.listening = false;
        this.#port = null;
        queueMicrotask(() => {
            callback?.(was ? undefined : new ERR_SERVER_NOT_RUNNING());
            if (was) this.emit("close");
        });
        return this;
    }

    closeAllConnections() {}
    closeIdleConnections() {}
    getConnections(callback) { queueMicrotask(() => callback(null, 0)); }
    setTimeout(ms, callback = undefined) {
        this.timeout = ms;
        if (callback) this.on("timeout", callback);
        return this;
    }

    ref() { return this; }
    unref() { return this; }
    async [Symbol.asyncDispose]() { if (this.listening) await new Promise((resolve) => this.close(resolve)); }

    /* One request of the web; a promise of its Response. */
    _handle(request, env, ctx) {
        const url = new URL(request.url);
        const socket = Object.assign(new EventEmitter(), {
            remoteAddress: request.headers.get("cf-connecting-ip") ?? "127.0.0.1", remotePort: REMOTE_PORT, remoteFamily: "IPv4", localAddress: "127.0.0.1", localPort: this.#port,
            encrypted: url.protocol === "https:", destroyed: false, writable: true, readable: true, setTimeout: () => socket, setNoDelay: () => socket, setKeepAlive: () => socket,
            ref: () => socket, unref: () => socket, end() {}, destroy() { socket.destroyed = true; }, address: () => this.address(),
        });
        const req = new this._Incoming(socket);
        req.method = request.method;
        req.url = url.pathname + url.search;
        if (!request.headers.has("host")) req._addHeader("host", url.host);
        for (const [name, value] of request.headers) req._addHeader(name, FIRST_ONLY.has(name) ? firstValue(value) : value);
        req.cloudflare = { env, ctx, cf: request.cf };
        req._setBody(request.body);
        return new Promise((resolve, reject) => {
            const answer = (response) => (response instanceof Response ? resolve(response) : reject(response));
            const res = new this._Response(req, { answer, highWaterMark: this.highWaterMark });
            res.socket = res.connection = socket;
            request.signal?.addEventListener("abort", () => res.destroy());
            try {
                this.emit("connection", socket);
                if (!this.emit("request", req, res)) res.writeHead(404).end();
            } catch (error) {
                reject(error);
            }
        });
    }
}

/* The port of a number, a descriptor { port }, or what has listen() and address(). */
function portOf(what) {
    let port = what?.port ?? what;
    if (typeof what?.listen === "function" && typeof what.address === "function") {
        if (what.address() === null) what.listen();
        ({ port } = what.address());
    }
    port = typeof port === "number" ? port : NaN;
    if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error("Failed to determine port for server");
    return port;
}

async function handleAsNodeRequest(what, request, env = undefined, ctx = undefined) {
    const port = portOf(what), server = listening.get(port);
    if (server !== undefined) return server._handle(request, env, ctx);
    const text = `Http server with port ${port} not found. This is likely a bug with your code. You should check if server.listen() was called with the same port (${port})`;
    throw Object.assign(new Error(text), { code: "ERR_INVALID_ARG_VALUE" });
}

function httpServerHandler(what, handlers = {}) {
    if (what === undefined || what === null) throw new Error("Server descriptor cannot be null or undefined");
    const port = portOf(what);
    return { ...handlers, fetch: (request, env, ctx) => handleAsNodeRequest(port, request, env, ctx) };
}

module.exports = { Server, ServerResponse, createServer: (options, listener) => new Server(options, listener), handleAsNodeRequest, httpServerHandler };
