/* node:net: client sockets over connect() of `cloudflare:sockets`; there is nothing to listen on. */
const {
    codes: { ERR_INVALID_ADDRESS, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_INVALID_IP_ADDRESS, ERR_MISSING_ARGS, ERR_OPTION_NOT_IMPLEMENTED, ERR_OUT_OF_RANGE, ERR_SOCKET_CLOSED,
        ERR_SOCKET_CLOSED_BEFORE_CONNECTION },
    notImplemented, validateBoolean, validateFunction, validateInt32, validateNumber, validateOneOf, validatePort, validateString,
} = require("./errors.js");
const { Duplex, addAbortSignal } = require("./stream.js");
const { Buffer } = require("./buffer.js");

/* --- addresses --- */

const V4 = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(?:\\.(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}";
const IPV4 = new RegExp(`^${V4}$`);

function isIPv4(text) {
    return IPV4.test(`${text}`);
}

function isIPv6(text) {
    let s = `${text}`;
    const zone = s.indexOf("%");
    if (zone >= 0) {
        if (!/^[0-9a-zA-Z.-]+$/.test(s.slice(zone + 1))) return false;
        s = s.slice(0, zone);
    }
    let last = s.slice(s.lastIndexOf(":") + 1);
    if (last.includes(".")) {
        if (!isIPv4(last)) return false;
        s = `${s.slice(0, -last.length)}0:0`;
        last = "";
    }
    const halves = s.split("::");
    if (halves.length > 2) return false;
    const groups = halves.map((h) => (h === "" ? [] : h.split(":")));
    if (!groups.flat().every((g) => /^[0-9a-fA-F]{1,4}$/.test(g))) return false;
    const count = groups.flat().length;
    return halves.length === 2 ? count <= 7 : count === 8;
}

const isIP = (text) => (isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0);

function toNumber(address, family) {
    if (family === "ipv4") return address.split(".").reduce((n, part) => n * 256n + BigInt(part), 0n);
    let s = address.split("%")[0];
    const v4 = /([\d.]+)$/.exec(s);
    if (v4 && v4[1].includes(".")) {
        const n = toNumber(v4[1], "ipv4");
        s = `${s.slice(0, -v4[1].length)}${(n >> 16n).toString(16)}:${(n & 0xffffn).toString(16)}`;
    }
    const [head, tail] = s.split("::");
    const left = head ? head.split(":") : [], right = tail ? tail.split(":") : [];
    const all = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill("0"), ...right];
    return all.reduce((n, part) => n * 65536n + BigInt(`0x${part || "0"}`), 0n);
}

class SocketAddress {
    constructor({ address, family = "ipv4", port = 0, flowlabel = 0 } = {}) {
        const f = `${family}`.toLowerCase();
        this.address = address ?? (f === "ipv4" ? "127.0.0.1" : "::");
        if (isIP(this.address) !== (f === "ipv4" ? 4 : 6)) throw new ERR_INVALID_ADDRESS();
        this.family = f;
        this.port = validatePort(port, "options.port");
        this.flowlabel = flowlabel;
    }

    toJSON() { return { address: this.address, port: this.port, family: this.family, flowlabel: this.flowlabel }; }
    static parse(text) {
        const [, v6, v4, port = 0] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(`${text}`) ?? [];
        const address = v6 ?? v4;
        if (isIP(address) !== (v6 === undefined ? 4 : 6) || Number(port) > 65535) return undefined;
        return new SocketAddress({ address, family: v6 === undefined ? "ipv4" : "ipv6", port: Number(port) });
    }

    static isSocketAddress(value) { return value instanceof SocketAddress; }
}

class BlockList {
    #rules = [];

    #address(value, family) {
        return value instanceof SocketAddress ? [value.address, value.family] : [value, `${family}`.toLowerCase()];
    }

    /* The same for one that must be right. */
    #valid(value, family, name) {
        const [address, f] = this.#address(value, family);
        validateString(address, name);
        validateOneOf(f, "family", ["ipv4", "ipv6"]);
        if (isIP(address) !== (f === "ipv4" ? 4 : 6)) throw new ERR_INVALID_IP_ADDRESS(address);
        return [address, f];
    }

    addAddress(address, family = "ipv4") {
        const [a, f] = this.#valid(address, family, "address");
        const n = toNumber(a, f);
        this.#rules.unshift({ family: f, from: n, to: n, text: `Address: ${f === "ipv4" ? "IPv4" : "IPv6"} ${a}` });
    }

    addRange(start, end, family = "ipv4") {
        const [a, f] = this.#valid(start, family, "start"), [b] = this.#valid(end, family, "end");
        if (toNumber(a, f) > toNumber(b, f)) throw new ERR_INVALID_ARG_VALUE("start", start, "must come before end");
        this.#rules.unshift({ family: f, from: toNumber(a, f), to: toNumber(b, f), text: `Range: ${f === "ipv4" ? "IPv4" : "IPv6"} ${a}-${b}` });
    }

    addSubnet(network, prefix, family = "ipv4") {
        const [a, f] = this.#valid(network, family, "network");
        validateInt32(prefix, "prefix", 0, f === "ipv4" ? 32 : 128);
        const bits = BigInt((f === "ipv4" ? 32 : 128) - prefix);
        const from = (toNumber(a, f) >> bits) << bits;
        this.#rules.unshift({ family: f, from, to: from + (1n << bits) - 1n, text: `Subnet: ${f === "ipv4" ? "IPv4" : "IPv6"} ${a}/${prefix}` });
    }

    check(address, family = "ipv4") {
        const [a, f] = this.#address(address, family);
        if (isIP(a) === 0) return false;
        const n = toNumber(a, f);
        return this.#rules.some((r) => r.family === f && n >= r.from && n <= r.to);
    }

    get rules() { return this.#rules.map((r) => r.text); }
    toJSON() { return this.rules; }
    fromJSON(rules) {
        for (const rule of typeof rules === "string" ? JSON.parse(rules) : rules) {
            const [, kind, family, what] = /^(Address|Range|Subnet): (IPv[46]) (.*)$/.exec(rule) ?? [];
            if (kind === undefined) throw new ERR_INVALID_ARG_VALUE("rules", rules);
            if (kind === "Address") this.addAddress(what, family);
            else if (kind === "Range") this.addRange(...what.split("-"), family);
            else this.addSubnet(what.split("/")[0], Number(what.split("/")[1]), family);
        }
    }

    static isBlockList(value) { return value instanceof BlockList; }
}

/* --- sockets --- */

function normalizeArgs(args) {
    const callback = typeof args.at(-1) === "function" ? args.at(-1) : null;
    if (args.length === 0) return [{}, null];
    const [first, second] = args;
    let options = {};
    if (typeof first === "object" && first !== null) options = first;
    else if (typeof first === "string" && Number.isNaN(Number(first))) options = { path: first };
    else {
        options = { port: first };
        if (typeof second === "string") options.host = second;
    }
    return [options, callback];
}

/* Options that Node checks before it looks anything up. */
function checkConnect(o) {
    for (const name of ["objectMode", "readableObjectMode", "writableObjectMode"])
        if (o[name]) throw new ERR_INVALID_ARG_VALUE(`options.${name}`, o[name], "is not supported");
    if (o.localAddress !== undefined && !isIP(o.localAddress)) throw new ERR_INVALID_IP_ADDRESS(o.localAddress);
    if (o.localPort !== undefined) validateNumber(o.localPort, "options.localPort");
    if (o.autoSelectFamily !== undefined) validateBoolean(o.autoSelectFamily, "options.autoSelectFamily");
    if (o.autoSelectFamilyAttemptTimeout !== undefined) validateInt32(o.autoSelectFamilyAttemptTimeout, "options.autoSelectFamilyAttemptTimeout", 1);
    if (o.lookup !== undefined && o.lookup !== null) validateFunction(o.lookup, "options.lookup");
}

const connectOf = () => web.builtins.get("cloudflare:sockets")?.().connect;

class Socket extends Duplex {
    #socket = null;
    #reader = null;
    #writer = null;
    #timer = null;
    #timeout = 0;
    #written = 0;

    constructor(options = undefined) {
        const o = typeof options === "number" ? { fd: options } : { ...options };
        if (o.fd !== undefined) throw new ERR_OPTION_NOT_IMPLEMENTED("net.Socket.fd");
        checkConnect(o);
        super({ allowHalfOpen: o.allowHalfOpen ?? false, emitClose: false, autoDestroy: true, decodeStrings: true, highWaterMark: o.highWaterMark });
        this.connecting = false;
        this.bytesRead = 0;
        if (o.signal !== undefined) addAbortSignal(o.signal, this); // fields are there by now
        if (o.onread !== undefined && o.onread !== null) this.#onread = o.onread;
        this.remoteAddress = this.remotePort = this.remoteFamily = undefined;
        this.localAddress = this.localPort = undefined;
        this._secure = "off";
        this._options = o;
    }

    get pending() { return this.#socket === null || this.connecting; }
    get readyState() {
        if (this.connecting) return "opening";
        if (this.readable && this.writable) return "open";
        return this.readable ? "readOnly" : this.writable ? "writeOnly" : "closed";
    }

    get _connecting() { return this.connecting; }
    get _handle() { return this.#socket; }
    set _handle(value) { if (value === null) this.#writer = null; }
    get bufferSize() { return this.writableLength; }
    get bytesWritten() { return #written in this ? this.#written + this.writableLength : undefined; }
    get timeout() { return this.#timeout; }

    connect(...args) {
        const [options, callback] = Array.isArray(args[0]) ? args[0] : normalizeArgs(args);
        if (callback) this.once("connect", callback);
        if (this.destroyed) this.#revive();
        checkConnect(options);
        if (options.path !== undefined) notImplemented("net.Socket.connect() with a path");
        if (options.port === undefined) throw new ERR_MISSING_ARGS(["options", "port", "path"]);
        if (typeof options.port !== "number" && typeof options.port !== "string") throw new ERR_INVALID_ARG_TYPE("options.port", ["number", "string"], options.port);
        const port = validatePort(options.port), host = options.host || "localhost";
        if (options.host !== undefined) validateString(options.host, "options.host");
        this.connecting = true;
        this._host = host;
        const fail = (cause) => {
            this.connecting = false;
            const text = cause?.message ?? "";
            const code = cause === undefined ? "ENOTSUP" : /refus|proxy request failed/i.test(text) ? "ECONNREFUSED" : "ECONNRESET";
            this.destroy(Object.assign(new Error(`connect ${code} ${host}:${port}${text === "" ? "" : ` (${text})`}`, { cause }), { code, syscall: "connect", address: host, port }));
        };
        const connect = connectOf();
        if (connect === undefined) {
            queueMicrotask(() => fail(undefined));
            return this;
        }
        const go = (name) => {
            try {
                this._attach(connect({ hostname: name, port }, { secureTransport: this._secure === "on" ? "on" : "starttls", allowHalfOpen: true }), host, port, fail);
            } catch (error) {
                queueMicrotask(() => fail(error));
            }
        };
        if (typeof options.lookup !== "function" || isIP(host)) go(host);
        else this.#lookup(options, host, go);
        return this;
    }

    /* A closed socket may connect again. */
    #revive() {
        this._undestroy();
        this.#socket = this.#reader = this.#writer = null;
        this.#busy = false;
        this.bytesRead = this.#written = 0;
    }

    /* By the caller's own function. */
    #lookup(options, host, go) {
        const { family, hints, lookup, all = false } = options;
        lookup(host, { family, hints, all }, (error, found, kind) => {
            if (this.destroyed) return;
            const address = Array.isArray(found) ? found[0]?.address : found;
            this.emit("lookup", error, address, kind, host);
            if (error) this.destroy(error);
            else go(address);
        });
    }

    /* A socket of the web, still connecting. */
    _attach(socket, host, port, fail) {
        this.#socket = socket;
        this.#reader = socket.readable.getReader();
        this.#writer = socket.writable.getWriter();
        socket.closed.catch(() => {});
        socket.opened.then((info) => {
            this.connecting = false;
            const [, address = host] = /^\[?(.*?)\]?:\d+$/.exec(info?.remoteAddress ?? "") ?? [];
            this.remoteAddress = address;
            this.remotePort = port;
            this.remoteFamily = isIPv6(address) ? "IPv6" : "IPv4";
            this.localAddress = "0.0.0.0";
            this.localPort = 0;
            this.emit("lookup", null, address, isIP(address), host);
            this.emit("connect");
            this.emit(this._secure === "off" || this._secure === "starttls" ? "ready" : "secureConnect");
            this.#touch();
            this.#pump();
        }, fail);
    }

    _socket() { return this.#socket; }
    /* For STARTTLS: the streams go to the secure socket. */
    _release() {
        this.#reader?.releaseLock();
        this.#writer?.releaseLock();
        this.#reader = this.#writer = null;
    }

    #pump() {
        const reader = this.#reader;
        if (reader === null || this.#busy) return;
        this.#busy = true;
        reader.read().then(({ done, value }) => {
            this.#busy = false;
            this.#touch();
            if (done) {
                this.push(null);
                this.read(0);
                return;
            }
            this.bytesRead += value.byteLength;
            if (this.#onread !== null) {
                if (this.#give(value)) this.#pump();
            } else if (this.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))) this.#pump();
        }, (error) => {
            this.#busy = false;
            if (!this.destroyed && this.#reader !== null) this.destroy(Object.assign(new Error(`read ECONNRESET`, { cause: error }), { code: "ECONNRESET", syscall: "read", errno: -104 }));
        });
    }
    #busy = false;
    #onread = null; // { buffer, callback }: bytes go there instead of becoming data

    #give(value) {
        let { buffer } = this.#onread;
        if (typeof buffer === "function") buffer = buffer();
        for (let at = 0; at < value.byteLength; at += buffer.byteLength) {
            const part = value.subarray(at, at + buffer.byteLength);
            buffer.set(part);
            if (this.#onread.callback.call(this, part.byteLength, buffer) === false) return false;
        }
        return true;
    }

    _read() {
        if (!this.connecting && this.#reader !== null) this.#pump();
    }

    /* Runs once there is a connection, or tells why there never will be one. */
    #connected(callback, run) {
        const early = () => {
            this.removeListener("connect", run);
            callback(new ERR_SOCKET_CLOSED_BEFORE_CONNECTION());
        };
        this.once("close", early);
        this.once("connect", () => this.removeListener("close", early));
        this.once("connect", run);
    }

    _write(chunk, encoding, callback) {
        if (this.connecting) return this.#connected(callback, () => this._write(chunk, encoding, callback));
        if (this.#writer === null) {
            callback(new ERR_SOCKET_CLOSED());
            return undefined;
        }
        this.#touch();
        const done = () => {
            this.#written += chunk.byteLength;
            callback();
        };
        this.#writer.write(Uint8Array.from(chunk)).then(done, (error) => callback(Object.assign(new Error("write EPIPE", { cause: error }), { code: "EPIPE", syscall: "write", errno: -32 })));
        return undefined;
    }

    _final(callback) {
        if (this.connecting) return this.#connected(callback, () => this._final(callback));
        if (this.#writer === null) callback();
        else this.#writer.close().then(() => callback(), () => callback());
        return undefined;
    }

    _destroy(error, callback) {
        clearTimeout(this.#timer ?? undefined);
        const socket = this.#socket;
        this.#reader = this.#writer = null;
        this.connecting = false;
        if (socket !== null) socket.close().catch(() => {});
        queueMicrotask(() => {
            callback(error);
            queueMicrotask(() => this.emit("close", Boolean(error))); // says, as nobody else's, whether something failed
        });
    }

    #touch() {
        if (this.#timeout === 0) return;
        clearTimeout(this.#timer ?? undefined);
        this.#timer = setTimeout(() => this.emit("timeout"), this.#timeout);
    }

    setTimeout(ms, callback = undefined) {
        validateNumber(ms, "msecs");
        if (!(ms >= 0 && Number.isFinite(ms))) throw new ERR_OUT_OF_RANGE("msecs", "a non-negative finite number", ms);
        if (this.destroyed) return this;
        this.#timeout = ms;
        clearTimeout(this.#timer ?? undefined);
        if (callback !== undefined) {
            validateFunction(callback, "callback");
            if (ms === 0) this.removeListener("timeout", callback);
            else this.once("timeout", callback);
        }
        this.#touch();
        return this;
    }

    destroySoon() {
        if (this.writable) this.end();
        if (this.writableFinished) this.destroy();
        else this.once("finish", () => this.destroy());
    }

    resetAndDestroy() { return this.#socket === null && !this.connecting ? this.destroy(new ERR_SOCKET_CLOSED()) : this.destroy(); }
    setNoDelay() { return this; }
    setKeepAlive() { return this; }
    ref() { return this; }
    unref() { return this; }
    address() { return this.localAddress === undefined ? {} : { port: this.localPort, family: this.remoteFamily, address: this.localAddress }; }
}
for (const name of ["_host"]) Object.defineProperty(Socket.prototype, name, { value: undefined, writable: true });

/* Programs of old call it without new and inherit by hand. */
function SocketFunction(options) {
    return Reflect.construct(Socket, [options], new.target ?? SocketFunction);
}
Object.defineProperty(SocketFunction, "name", { value: "Socket" });
SocketFunction.prototype = Socket.prototype;
Object.defineProperty(Socket.prototype, "constructor", { value: SocketFunction, writable: true, configurable: true, enumerable: false });

function connect(...args) {
    const normal = normalizeArgs(args);
    const socket = new SocketFunction(normal[0]);
    if (normal[0].timeout) socket.setTimeout(normal[0].timeout);
    return socket.connect(normal);
}

function Server() { notImplemented("net.Server"); }

let autoSelect = false, autoSelectMs = 250;
module.exports = {
    _normalizeArgs: normalizeArgs, BlockList, BoundSocket: function BoundSocket() { notImplemented("net.BoundSocket"); }, SocketAddress, connect, createConnection: connect, createServer: () => notImplemented("net.createServer"), isIP, isIPv4, isIPv6,
    Server, Socket: SocketFunction, Stream: SocketFunction, getDefaultAutoSelectFamily: () => autoSelect, setDefaultAutoSelectFamily: (v) => { autoSelect = v; },
    getDefaultAutoSelectFamilyAttemptTimeout: () => autoSelectMs, setDefaultAutoSelectFamilyAttemptTimeout(ms) {
        validateInt32(ms, "value", 1);
        autoSelectMs = Math.max(10, ms);
    },
};
