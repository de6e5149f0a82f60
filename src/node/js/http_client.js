/* ClientRequest over fetch(): the body is gathered, sent when the request ends. */
const { codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_INVALID_HTTP_TOKEN, ERR_INVALID_PROTOCOL, ERR_UNESCAPED_CHARACTERS }, AbortError, validateFunction } = require("./errors.js");
const EventEmitter = require("./events.js");
const { Buffer } = require("./buffer.js");
const { IncomingMessage, OutgoingMessage } = require("./http_common.js");

/* There are no connections to keep: the options are, for who reads them. */
class Agent extends EventEmitter {
    constructor(options = undefined) {
        super();
        this.options = { __proto__: null, ...options, path: null };
        this.defaultPort = 80;
        this.protocol = "http:";
        this.requests = Object.create(null);
        this.sockets = Object.create(null);
        this.freeSockets = Object.create(null);
        this.keepAliveMsecs = this.options.keepAliveMsecs || 1000;
        this.keepAlive = this.options.keepAlive || false;
        this.maxSockets = this.options.maxSockets || Infinity;
        this.maxFreeSockets = this.options.maxFreeSockets || 256;
        this.maxTotalSockets = this.options.maxTotalSockets || Infinity;
        this.totalSocketCount = 0;
    }

    getName(options = {}) {
        const family = options.family === 4 || options.family === 6 ? `:${options.family}` : "";
        return `${options.host || "localhost"}:${options.port || ""}:${options.localAddress || ""}${family}${options.socketPath ? `:${options.socketPath}` : ""}`;
    }

    createConnection() {}
    keepSocketAlive() { return false; }
    reuseSocket() {}
    destroy() {}
}

const globalAgent = new Agent({ keepAlive: true, scheduling: "lifo", timeout: 5000 });
const BAD_PATH = /[^\u0021-\u00ff]/;

/* A path may not name another host. */
function checkPath(path) {
    if (/^[/\\]{2}|^[a-z][a-z0-9+.-]*:/i.test(path)) throw new ERR_INVALID_ARG_VALUE("options.path", path, "must be a path and not name a host");
}

function socketOf(secure) {
    const socket = new EventEmitter();
    return Object.assign(socket, {
        encrypted: secure, remoteAddress: undefined, destroyed: false, writable: true, readable: true, connecting: false,
        setTimeout: () => socket, setNoDelay: () => socket, setKeepAlive: () => socket, ref: () => socket, unref: () => socket, end() {}, destroy() { socket.destroyed = true; },
    });
}

class ClientRequest extends OutgoingMessage {
    #parts = [];
    #abort = new AbortController();
    #origin;
    #timer = null;

    constructor(input, options, callback) {
        super({ autoDestroy: false }); // it lives until its answer is over
        let opts = input, rest = options, done = callback;
        if (typeof opts === "string") opts = require("./url.js").urlToHttpOptions(new URL(opts));
        else if (opts instanceof URL) opts = require("./url.js").urlToHttpOptions(opts);
        else [opts, rest, done] = [undefined, opts, options];
        if (typeof rest === "function") [rest, done] = [undefined, rest];
        const o = { ...opts, ...rest };

        const agent = o.agent === false ? new Agent() : o.agent ?? o._defaultAgent ?? globalAgent;
        if (typeof agent !== "object" || agent === null) throw new ERR_INVALID_ARG_TYPE("options.agent", ["Agent-like Object", "undefined", "false"], o.agent);
        const protocol = o.protocol || o._defaultAgent?.protocol || agent.protocol || "http:", expected = o._defaultAgent?.protocol ?? agent.protocol ?? protocol;
        if (protocol !== expected) throw new ERR_INVALID_PROTOCOL(protocol, expected);
        if (o.path && BAD_PATH.test(String(o.path))) throw new ERR_UNESCAPED_CHARACTERS("Request path");
        if (o.path) checkPath(String(o.path));
        if (o.method !== undefined && o.method !== null && typeof o.method !== "string") throw new ERR_INVALID_ARG_TYPE("options.method", "string", o.method);
        this.method = (o.method || "GET").toUpperCase();
        if (!/^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/.test(this.method)) throw new ERR_INVALID_HTTP_TOKEN("Method", o.method);
        for (const name of ["host", "hostname"])
            if (o[name] !== undefined && o[name] !== null && typeof o[name] !== "string") throw new ERR_INVALID_ARG_TYPE(`options.${name}`, ["string", "undefined", "null"], o[name]);
        this.host = o.hostname || o.host || "localhost";
        this.port = o.port || o.defaultPort || agent.defaultPort;
        this.path = o.path || "/";
        this.protocol = protocol;
        this.agent = agent;
        this.aborted = this.reusedSocket = false;
        this.maxHeadersCount = null;
        this.timeout = o.timeout;
        if (Array.isArray(o.headers)) for (let i = 0; i < o.headers.length; i += 2) this.appendHeader(o.headers[i], o.headers[i + 1]);
        else if (o.headers) for (const [name, value] of Object.entries(o.headers)) if (value !== undefined) this.setHeader(name, value);
        if (Array.isArray(this.getHeader("host"))) throw new ERR_INVALID_ARG_TYPE("options.headers.host", "string", this.getHeader("host"));
        const defaultPort = protocol === "https:" ? 443 : 80, host = this.host.includes(":") && this.host[0] !== "[" ? `[${this.host}]` : this.host;
        const authority = Number(this.port) === defaultPort ? host : `${host}:${this.port}`;
        if ((o.setHost ?? true) && !this.hasHeader("host")) this.setHeader("Host", authority);
        if (o.auth && !this.hasHeader("authorization")) this.setHeader("Authorization", `Basic ${Buffer.from(o.auth).toString("base64")}`);
        this.#origin = `${protocol}//${authority}`;
        if (done !== undefined && done !== null) {
            validateFunction(done, "callback");
            this.once("response", done);
        }
        if (o.signal) {
            const stop = () => this.destroy(new AbortError(undefined, { cause: o.signal.reason }));
            if (o.signal.aborted) queueMicrotask(stop);
            else o.signal.addEventListener("abort", stop, { once: true });
        }
        if (this.timeout) this.setTimeout(this.timeout);
        queueMicrotask(() => {
            if (this.destroyed) return;
            this.socket = this.connection = socketOf(protocol === "https:");
            this.emit("socket", this.socket);
        });
    }

    setTimeout(ms, callback = undefined) {
        if (callback) this.once("timeout", callback);
        clearTimeout(this.#timer ?? undefined);
        this.#timer = ms > 0 && !this.destroyed ? setTimeout(() => this.emit("timeout"), ms) : null;
        return this;
    }

    _write(chunk, encoding, callback) {
        this.#parts.push(Uint8Array.from(chunk));
        callback();
    }

    _final(callback) {
        callback();
        this._headerSent = true;
        this.#send().catch((error) => this.destroy(error));
    }

    async #send() {
        checkPath(this.path); // anybody may have changed it
        const url = `${this.#origin}${this.path.startsWith("/") ? "" : "/"}${this.path}`;
        const headers = this._webHeaders();
        headers.delete("host");
        const body = this.#parts.length > 0 && this.method !== "GET" && this.method !== "HEAD" ? Buffer.concat(this.#parts) : undefined;
        let response;
        try {
            response = await fetch(url, { method: this.method, headers, body, redirect: "manual", signal: this.#abort.signal, encodeResponseBody: "manual" });
        } catch (cause) {
            clearTimeout(this.#timer ?? undefined);
            if (this.destroyed) return;
            throw Object.assign(new Error(`connect ECONNREFUSED ${this.host}:${this.port}`, { cause }), { errno: -111, code: "ECONNREFUSED", syscall: "connect", address: this.host, port: Number(this.port) });
        }
        clearTimeout(this.#timer ?? undefined);
        if (this.destroyed) return;
        const message = new IncomingMessage(this.socket);
        message.statusCode = response.status;
        message.statusMessage = response.statusText || require("./http_common.js").STATUS_CODES[response.status] || "";
        message.url = "";
        message.req = this;
        for (const [name, value] of response.headers) message._addHeader(name, value);
        message._setBody(response.body);
        this.res = message;
        message.once("close", () => this.destroy());
        if (!this.emit("response", message)) message.resume();
    }

    _destroy(error, callback) {
        clearTimeout(this.#timer ?? undefined);
        if (this.res === undefined || !this.res.complete) {
            this.#abort.abort();
            if (this.res !== undefined && !this.res.destroyed) this.res.destroy(error);
        }
        const early = error === null && this.res === undefined;
        callback(early ? Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }) : error);
    }

    abort() {
        if (this.aborted) return;
        this.aborted = true;
        queueMicrotask(() => this.emit("abort"));
        this.destroy();
    }

    onSocket() {}
    setNoDelay() {}
    setSocketKeepAlive() {}
    clearTimeout(callback) { this.setTimeout(0, callback); }
}
for (const name of ["res"]) Object.defineProperty(ClientRequest.prototype, name, { value: undefined, writable: true, configurable: true });

module.exports = { Agent, ClientRequest, globalAgent };
