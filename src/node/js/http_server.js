/*
 * Servers of node:http. A server listens on a port of this Worker's own table; requests come to it through
 * handleAsNodeRequest() of `cloudflare:node`.
 */
const { codes: { ERR_HTTP_HEADERS_SENT, ERR_HTTP_INVALID_STATUS_CODE, ERR_INVALID_CHAR, ERR_SERVER_NOT_RUNNING } } = require("./errors.js");
const EventEmitter = require("./events.js");
const { IncomingMessage, OutgoingMessage, STATUS_CODES } = require("./http_common.js");

const listening = new Map(); // port -> Server
const NO_BODY = new Set([101, 204, 205, 304]);
let nextPort = 49152;

class ServerResponse extends OutgoingMessage {
    #answer; // (Response) => void
    #controller = null;
    #wake = null;

    constructor(req, options = undefined) {
        super();
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
        const init = { status: this.statusCode, statusText: this.statusMessage, headers };
        if (this._bodyless || NO_BODY.has(this.statusCode)) return void this.#answer(new Response(null, init));
        if (whole !== undefined) return void this.#answer(new Response(whole, init));
        const body = new ReadableStream({
            start: (controller) => { this.#controller = controller; },
            pull: () => {
                this.#wake?.();
                this.#wake = null;
            },
            cancel: () => this.destroy(),
        });
        return void this.#answer(new Response(body, init));
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
        this.#controller.enqueue(Uint8Array.from(chunk));
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
        this.#wake?.();
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
        const o = typeof options === "object" && options !== null ? options : {};
        if (fn) this.on("request", fn);
        this.listening = false;
        this.timeout = 0;
        this.maxHeadersCount = null;
        this.maxRequestsPerSocket = 0;
        this.keepAliveTimeout = o.keepAliveTimeout ?? 5000;
        this.headersTimeout = o.headersTimeout ?? 60000;
        this.requestTimeout = o.requestTimeout ?? 300000;
        this._Incoming = o.IncomingMessage ?? IncomingMessage;
        this._Response = o.ServerResponse ?? ServerResponse;
    }

    listen(...args) {
        const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
        const first = args[0];
        let port = typeof first === "object" && first !== null ? first.port : first;
        port = require("./errors.js").validatePort(port ?? 0, "options.port");
        if (this.listening) throw Object.assign(new Error("Listen method has been called more than once without closing."), { code: "ERR_SERVER_ALREADY_LISTEN" });
        if (port === 0) while (listening.has(nextPort)) nextPort++;
        this.#port = port || nextPort;
        if (listening.has(this.#port)) throw Object.assign(new Error(`listen EADDRINUSE: address already in use :::${this.#port}`), { code: "EADDRINUSE", errno: -98, syscall: "listen", address: "::", port: this.#port });
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
            remoteAddress: request.headers.get("cf-connecting-ip") ?? "127.0.0.1", remotePort: 0, remoteFamily: "IPv4", localAddress: "127.0.0.1", localPort: this.#port,
            encrypted: url.protocol === "https:", destroyed: false, writable: true, readable: true, setTimeout: () => socket, setNoDelay: () => socket, setKeepAlive: () => socket,
            ref: () => socket, unref: () => socket, end() {}, destroy() { socket.destroyed = true; }, address: () => this.address(),
        });
        const req = new this._Incoming(socket);
        req.method = request.method;
        req.url = url.pathname + url.search;
        if (!request.headers.has("host")) req._addHeader("host", url.host);
        for (const [name, value] of request.headers) req._addHeader(name, value);
        req.cloudflare = { env, ctx, cf: request.cf };
        req._setBody(request.body);
        return new Promise((resolve, reject) => {
            const res = new this._Response(req, { answer: (response) => (response instanceof Response ? resolve(response) : reject(response)) });
            res.socket = res.connection = socket;
            request.signal?.addEventListener("abort", () => res.destroy());
            try {
                if (!this.emit("request", req, res)) res.writeHead(404).end();
            } catch (error) {
                reject(error);
            }
        });
    }
}

async function handleAsNodeRequest(port, request, env = undefined, ctx = undefined) {
    const number = typeof port === "object" && port !== null ? port.port : port;
    const server = listening.get(Number(number));
    if (server === undefined)
        throw new Error(`Http server with port ${number} not found. This is likely a bug with your code. You should check if server.listen() was called with the same port (${number})`);
    return server._handle(request, env, ctx);
}

function httpServerHandler(options) {
    const port = options instanceof Server ? options.address()?.port ?? (options.listen(0), options.address().port) : options?.port ?? options;
    if (typeof port !== "number") throw new TypeError("Failed to determine port for server. Please provide a port or a server that listens.");
    return { fetch: (request, env, ctx) => handleAsNodeRequest(port, request, env, ctx) };
}

module.exports = { Server, ServerResponse, createServer: (options, listener) => new Server(options, listener), handleAsNodeRequest, httpServerHandler };
