/*
 * `cloudflare:sockets`. The connection is the gateway's (role/gateway_egress_tcp.c); its bytes come and go over a channel.
 */
import * as context from "../../web/js/context.js";
import { Channel } from "../../web/js/body_source.js";
import { findInBlock } from "../../web/js/headers.js";
import { viewOf } from "../../web/js/encoding.js";
import { asInterface } from "../../web/js/interfaces.js";
import { errnoError } from "../../web/js/errors.js";
import { countSubrequest } from "../../web/js/fetch.js";
import { makeByteStream } from "../../web/js/streams/bytes.js";
import { finish } from "../../web/js/body_source.js";
import { makeWritable, startErroring, writableClose, WRITABLE, closeQueuedOrInFlight } from "../../web/js/streams/writable.js";
import { wrapReadable, wrapWritable, readableOf, writableOf } from "../../web/js/streams/classes.js";
import { streamCancel } from "../../web/js/streams/readable.js";
import { URL } from "../../web/js/url.js";

const { io } = native;
const MAKE = Symbol("make");
const VALID = /^[\w.:[\]-]{1,255}$/; // of a whole address
const MODES = new Set(["off", "on", "starttls"]);
const FAILED = "proxy request failed, cannot connect to the specified address";

/* "host:port" of what connect() was given. */
function authorityOf(address) {
    if (typeof address === "object" && address !== null) {
        const { hostname, port } = address;
        if (hostname === undefined) throw new TypeError("Failed to execute 'connect': required member 'hostname' is missing.");
        return parsed(`${`${hostname}`.includes(":") && !`${hostname}`.startsWith("[") ? `[${hostname}]` : hostname}:${Number(port)}`);
    }
    return parsed(`${address}`);
}

function parsed(text) {
    const url = URL.parse(`fake://${text}`);
    if (url === null) throw new TypeError("Specified address could not be parsed.");
    if (url.hostname === "") throw new TypeError("Specified address is missing hostname.");
    if (url.port === "") throw new TypeError("Specified address is missing port.");
    if (!VALID.test(text)) throw new TypeError("Specified address is empty string, contains unsupported characters or is too long.");
    return { host: url.hostname.toLowerCase(), authority: `${url.hostname.toLowerCase()}:${url.port}` };
}

function optionsOf(options) {
    const { secureTransport = "off", allowHalfOpen = false, highWaterMark } = options ?? {};
    if (!MODES.has(`${secureTransport}`)) throw new TypeError(`Unsupported value in secureTransport socket option: ${secureTransport}`);
    return { secure: `${secureTransport}`, halfOpen: Boolean(allowHalfOpen), highWaterMark };
}

function deferred() {
    const d = {};
    d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
    d.promise.catch(() => {}); // whoever asks for it hears of the error; nobody has to
    return d;
}

export class Socket {
    #channel;
    #host;
    #mode;
    #secure; // of the connection as it is
    #options;
    #opened = deferred();
    #closed = deferred();
    #readable;
    #writable;
    #upgraded = false;
    #over = false;

    /* upgrade: the channel that goes over to TLS, or 0. */
    constructor(key, { host, authority, options, secure, upgrade } = {}) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        const invocation = context.need();
        countSubrequest();
        this.#host = host;
        this.#mode = options.secure;
        this.#secure = secure;
        this.#options = options;
        const id = io.connect(authority, secure, upgrade, context.track((error, status, text, headers) => {
            if (error !== null && error !== undefined) this.#fail(new Error(upgrade === 0 ? `${FAILED}` : `${error}`, { cause: new Error(`${error}`) }));
            else this.#opened.resolve({ remoteAddress: findInBlock(headers, "remote", 0) ?? null, localAddress: findInBlock(headers, "local", 0) ?? null });
        }));
        invocation.own(id);
        this.#channel = new Channel(id, -1, null);
        this.#readable = wrapReadable(this.#source());
        this.#writable = wrapWritable(this.#sink());
    }

    #source() {
        const channel = this.#channel;
        const state = makeByteStream({
            pull: async () => {
                let piece;
                try {
                    piece = await channel.piece();
                } catch (error) {
                    this.#fail(error);
                    throw error;
                }
                if (piece === null) {
                    finish(state);
                    this.#peerEnded();
                } else {
                    state.controller.enqueueOwned(new Uint8Array(piece));
                }
            },
            cancel: () => {
                io.cancel(channel.id);
                return Promise.resolve();
            },
        });
        return state;
    }

    #sink() {
        const channel = this.#channel;
        return makeWritable({
            write: async (chunk) => {
                context.checkOwner(channel.owner);
                const bytes = viewOf(chunk);
                if (bytes === null || typeof chunk === "string")
                    throw new TypeError("This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
                const { gate } = channel.owner;
                if (gate !== null && gate.unconfirmed()) await new Promise((resolve) => gate.hold(resolve));
                if (io.write(channel.id, bytes) > 0) return;
                await new Promise((resolve, reject) => {
                    io.whenWritable(channel.id, context.track((errno) => {
                        if (errno) reject(errnoError(errno));
                        else resolve();
                    }));
                });
            },
            close: async () => {
                io.end(channel.id);
                this.#settle();
            },
            abort: async () => {
                this.#drop();
            },
        }, this.#options.highWaterMark ?? 1);
    }

    get readable() { return this.#readable; }
    get writable() { return this.#writable; }
    get opened() { return this.#opened.promise; }
    get closed() { return this.#closed.promise; }
    get upgraded() { return this.#upgraded; }
    get secureTransport() { return this.#secure === "on" ? "on" : this.#mode; }

    #settle() {
        if (this.#upgraded) return;
        this.#over = true;
        this.#closed.resolve(undefined);
    }

    #fail(error) {
        if (this.#over || this.#upgraded) return;
        this.#over = true;
        this.#opened.reject(error);
        this.#closed.reject(error);
        this.#readable !== undefined && readableOf(this.#readable).controller?.error?.(error);
        const state = this.#writable === undefined ? null : writableOf(this.#writable);
        if (state !== null && state.state === WRITABLE) startErroring(state, error);
        this.#drop();
    }

    #drop() {
        const { id, owner } = this.#channel;
        owner.disown(id);
        if (!owner.ended) io.reset(id, -125);
    }

    /* The peer sends no more. Unless the Worker wants to go on by itself, that is the end of both directions. */
    #peerEnded() {
        if (this.#options.halfOpen || this.#upgraded) return;
        const state = writableOf(this.#writable);
        if (state.state === WRITABLE && !closeQueuedOrInFlight(state)) writableClose(state).catch(() => {});
        this.#settle();
    }

    close() {
        if (this.#over || this.#upgraded) return this.#closed.promise;
        this.#over = true;
        const state = writableOf(this.#writable), readable = readableOf(this.#readable);
        this.#opened.reject(new Error("The socket was closed before it was open."));
        const flushed = state.state !== WRITABLE ? Promise.resolve() : closeQueuedOrInFlight(state) ? state.closeRequest?.promise ?? Promise.resolve() : writableClose(state);
        flushed.catch(() => {}).then(() => {
            streamCancel(readable).catch(() => {});
            this.#closed.resolve(undefined);
        });
        return this.#closed.promise;
    }

    startTls(options = undefined) {
        if (this.#secure === "on") throw new TypeError("Cannot startTls on a TLS socket.");
        if (this.#upgraded) throw new TypeError("startTls has already been called on this socket, or the socket was transferred over RPC.");
        if (this.#mode !== "starttls") throw new TypeError("The `secureTransport` socket option must be set to 'starttls' for startTls to be used.");
        const host = options?.expectedServerHostname ?? this.#host;
        this.#upgraded = true;
        const { id, owner } = this.#channel;
        context.checkOwner(owner);
        const secure = new Socket(MAKE, { host, authority: host, options: this.#options, secure: "on", upgrade: id });
        this.#over = true;
        this.#closed.resolve(undefined);
        return secure;
    }
}

asInterface("Socket", Socket);

export function connect(address, options = undefined) {
    const { host, authority } = authorityOf(address);
    const checked = optionsOf(options);
    return new Socket(MAKE, { host, authority, options: checked, secure: checked.secure === "on" ? "on" : "off", upgrade: 0 });
}
