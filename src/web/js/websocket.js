/*
 * WebSocket, WebSocketPair. https://websockets.spec.whatwg.org/, with what the edge adds (pairs, accept()).
 *
 * A socket talks to its far side, which is one of two: the other end of a pair in this isolate (`Local`), or
 * a channel whose stream carries messages (`Wire`; io.messages(), docs/architecture.md). Handing one end of a
 * pair to a response couples the other end with that response's channel. Frames, pings and compression are
 * the gateway's.
 *
 *     NEW --accept()--> ACCEPTED      NEW --used in a response--> RELEASED      CONNECTING --> ACCEPTED
 */
import * as context from "./context.js";
import { DOMException, errorTitle, isError } from "./errors.js";
import { Event, EventTarget, MessageEvent, CloseEvent, ErrorEvent, dispatchTo, trustEvent } from "./events.js";
import { serialize, deserialize } from "./serialize.js";
import { makeBlob } from "./blob.js";
import { utf8, viewOf } from "./encoding.js";
import { startTimer } from "./timers.js";
import { URL } from "./url.js";
import { flags } from "./compat.js";
import { connectSocket } from "./fetch.js";

const io = native.io;
const EIO = -5;
/* proc/wire_message.h, and what io.messages() adds */
const TEXT = 1, BINARY = 2, CLOSE = 8, FAILED = 15, ENDED = -1;
const NO_CODE = 1005, ABNORMAL = 1006;
const REASON_MAX = 123, ATTACHMENT_MAX = 16384;
/* A turn of a pair comes before timers that are due for less than this, however late the loop is. */
const TURN_MS = 50;
const NEW = 0, CONNECTING = 1, ACCEPTED = 2, RELEASED = 3;
const MAKE = Symbol("make");
const JOIN = 8192, HIBERNATE = 16384; // MSG_* of product/messages.h
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VANISHED = "WebSocket disconnected without sending Close frame.";
const NOT_ACCEPTED = "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.";

/* --- far sides --- */

/* The other end of a pair in this isolate: each message arrives in a turn of its own. */
class Local {
    constructor(peer) {
        this.peer = peer;
    }

    send(data) {
        const value = typeof data === "string" ? data.toWellFormed() : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
        access.deliver(this.peer, [typeof data === "string" ? TEXT : BINARY, value, 0]);
    }

    close(code, reason) {
        access.deliver(this.peer, [CLOSE, reason, code]);
    }

    queued() { return 0; }
    start() {}
    over() {}

    abort() {
        access.deliver(this.peer, [ENDED, 0, 0]);
    }
}

/* A channel. done: called once, when nothing more goes over it. */
class Wire {
    constructor(channel, invocation, done, joinable = false) {
        this.channel = channel;
        this.invocation = invocation;
        this.done = done;
        this.held = false;
        this.joinable = joinable; // nobody has read it yet, and the gateway can do without us
    }

    send(data) {
        const { gate } = this.invocation;
        if (gate !== null && gate.unconfirmed()) {
            const copy = typeof data === "string" ? data : data.slice();
            gate.hold(() => io.sendMessage(this.channel, copy));
        } else {
            io.sendMessage(this.channel, data);
        }
    }

    close(code, reason) {
        const { gate } = this.invocation;
        if (gate !== null && gate.unconfirmed()) gate.hold(() => io.sendClose(this.channel, code, reason));
        else io.sendClose(this.channel, code, reason);
    }

    queued() {
        return io.queued(this.channel);
    }

    /* From here the connection keeps the event open. */
    start(receive) {
        const invocation = this.invocation;
        this.held = true;
        invocation.pending++;
        invocation.waits++;
        const going = io.messages(this.channel, (type, value, code) => {
            if (invocation.ended) return;
            context.enter(invocation);
            receive(type, value, code);
            context.watch(invocation);
        });
        if (!going) startTimer(() => receive(ENDED, 0, 0), 0, invocation);
    }

    finish() {
        const { done, invocation } = this;
        if (this.held) {
            this.held = false;
            invocation.pending--;
            invocation.waits--;
        }
        this.done = null;
        invocation.disown(this.channel);
        if (done !== null) done();
        invocation.settle();
    }

    over() {
        io.end(this.channel);
        this.finish();
    }

    abort() {
        io.fail(this.channel, EIO);
        this.finish();
    }
}

/* The gateway, for a socket that a Durable Object wants to find again (product/durable/sockets.js). */
class Kept {
    constructor(entry) {
        this.entry = entry;
    }

    send(data) {
        this.entry.send(data);
    }

    close(code, reason) {
        this.entry.close(code, reason);
    }

    queued() { return 0; }
    start() {}
    over() {}

    abort() {
        this.entry.drop();
    }
}

/* --- the class --- */

let access;

function checkClose(code, reason) {
    if (code !== undefined && (!(code >= 1000 && code <= 4999) || code === 1004 || code === NO_CODE || code === ABNORMAL || code === 1015))
        throw new DOMException(`Invalid WebSocket close code: ${code}.`, "InvalidAccessError");
    if (flags.pedantic_wpt && code !== undefined && code !== 1000 && code < 3000)
        throw new DOMException(`Invalid WebSocket close code: ${code}.`, "InvalidAccessError");
    if (reason === undefined) return;
    if (code === undefined)
        throw new DOMException("If you specify a WebSocket close reason, you must also specify a code.", "InvalidAccessError");
    if (utf8(reason).byteLength > REASON_MAX)
        throw new DOMException(`WebSocket close reason must not be longer than ${REASON_MAX} bytes when UTF-8 encoded.`, "SyntaxError");
}

function syntaxError(text) {
    return new DOMException(`WebSocket Constructor: ${text}`, "SyntaxError");
}

function parseTarget(input) {
    const text = `${input}`, url = URL.parse(text);
    if (url === null) throw syntaxError("The url is invalid.");
    if (url.protocol !== "ws:" && url.protocol !== "wss:") throw syntaxError("The url scheme must be ws or wss.");
    if (url.href.includes("#")) throw syntaxError("The url fragment must be empty.");
    return url;
}

function parseProtocols(protocols) {
    if (protocols === undefined || protocols === null) return [];
    if (typeof protocols !== "object" || !(Symbol.iterator in protocols)) {
        if (!TOKEN.test(`${protocols}`)) throw syntaxError("The protocol header token is invalid.");
        return [`${protocols}`];
    }
    const list = Array.from(protocols, (p) => `${p}`);
    if (!list.every((p) => TOKEN.test(p))) throw syntaxError("One of the protocol header tokens is invalid.");
    if (new Set(list).size !== list.length) throw syntaxError("The protocols header cannot have repeating values.");
    return list;
}

export class WebSocket extends EventTarget {
    #state = NEW;
    #far = null;
    #owner;
    #inbox = []; // of a pair's end that was not accepted yet; then of turns to come
    #turn = null;
    #closedIn = false;
    #closedOut = false;
    #failed = false;
    #halfOpen = false;
    #constructed = false;
    #url = null;
    #protocol = "";
    #extensions = "";
    #binaryType = flags.websocket_standard_binary_type ? "blob" : "arraybuffer";
    #attachment = null;
    #entry = null; // of a socket that a Durable Object wants to find again

    constructor(url, protocols = undefined) {
        super();
        if (url === MAKE) {
            this.#owner = context.current;
            return;
        }
        const target = parseTarget(url), list = parseProtocols(protocols);
        this.#owner = context.need();
        this.#constructed = true;
        this.#state = CONNECTING;
        this.#url = target.href;
        this.#connect(`http${target.href.slice(2)}`, list);
    }

    async #connect(url, protocols) {
        try {
            const answer = await connectSocket(url, protocols);
            if (this.#failed) {
                io.reset(answer.channel, EIO);
            } else if (!answer.isSocket) {
                io.reset(answer.channel, EIO);
                this.#refused(new TypeError(`Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 (switching protocols), but received ${answer.status} instead.`));
            } else {
                this.#connected(answer, protocols);
            }
        } catch (error) {
            this.#refused(error);
        }
    }

    #connected(answer, protocols) {
        const protocol = answer.header("sec-websocket-protocol");
        if (protocol !== undefined && !protocols.includes(protocol)) {
            io.reset(answer.channel, EIO);
            this.#refused(new Error("Failed to establish the WebSocket connection: the server chose a protocol that was not offered."));
            return;
        }
        this.#protocol = protocol ?? "";
        this.#extensions = answer.header("sec-websocket-extensions") ?? "";
        this.#far = new Wire(answer.channel, answer.invocation, null);
        this.#state = ACCEPTED;
        this.#dispatch(new Event("open"));
        if (!this.#failed) this.#start();
    }

    #refused(error) {
        if (this.#failed) return;
        this.#report(error);
        this.#dispatch(new CloseEvent("close", { code: ABNORMAL, reason: "Failed to establish websocket connection", wasClean: false }));
    }

    get readyState() {
        if (this.#failed || (this.#closedIn && this.#closedOut)) return 3;
        if (this.#closedIn || this.#closedOut) return 2;
        return this.#state === CONNECTING ? 0 : 1;
    }

    get url() { return this.#url; }
    get protocol() { return this.#protocol; }
    get extensions() { return this.#extensions; }
    get bufferedAmount() { return this.#far?.queued() ?? 0; }
    get binaryType() { return this.#binaryType; }
    set binaryType(value) { if (value === "blob" || value === "arraybuffer") this.#binaryType = value; }

    accept(options = undefined) {
        if (this.#constructed)
            throw new TypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
        if (this.#state === RELEASED) throw new TypeError("Can't accept() WebSocket that was already used in a response.");
        if (this.#state === ACCEPTED) return;
        context.checkOwner(this.#owner);
        this.#halfOpen = Boolean(options?.allowHalfOpen);
        this.#state = ACCEPTED;
        this.#start();
    }

    #start() {
        this.#far.start((type, value, code) => this.#receive(type, value, code));
        this.#plan();
    }

    send(message) {
        if (arguments.length === 0)
            throw new TypeError("Failed to execute 'send' on 'WebSocket': parameter 1 is not of type 'ArrayBuffer or ArrayBufferView or string'.");
        const data = typeof message === "string" ? message : viewOf(message) ?? `${message}`;
        if (this.#closedOut && !this.#failed) throw new TypeError("Can't call WebSocket send() after close().");
        if (this.#state !== ACCEPTED) throw new TypeError(NOT_ACCEPTED);
        context.checkOwner(this.#owner);
        if (!this.#failed && !this.#closedOut) this.#far.send(data);
    }

    close(code = undefined, reason = undefined) {
        const number = code === undefined ? undefined : Math.trunc(Number(code)) || 0;
        const text = reason === undefined ? undefined : `${reason}`.toWellFormed();
        if (this.#state === CONNECTING) {
            checkClose(number, text);
            if (this.#failed) return;
            this.#failed = true;
            startTimer(() => {
                this.#failed = false;
                this.#refused(new Error("Network connection lost."));
            }, 0, this.#owner);
            return;
        }
        if (this.#state !== ACCEPTED) throw new TypeError(NOT_ACCEPTED);
        checkClose(number, text);
        if (this.#closedOut || this.#failed) return;
        context.checkOwner(this.#owner);
        this.#sendClose(number ?? 0, text ?? "");
        if (this.#closedIn) this.#far.over();
    }

    #sendClose(code, reason) {
        this.#closedOut = true;
        this.#far.close(code, reason);
    }

    /* Bytes, so that an attachment can outlive this isolate. */
    serializeAttachment(value) {
        this.#attachment = serialize(value, {
            max: ATTACHMENT_MAX,
            tooBig: (n) => new Error(`A WebSocket 'attachment' cannot be larger than ${ATTACHMENT_MAX} bytes.'attachment' was ${n} bytes.`),
        });
        this.#entry?.keep(this.#attachment);
    }

    deserializeAttachment() {
        return this.#attachment === null ? null : deserialize(this.#attachment);
    }

    /* --- what arrives --- */

    #receive(type, value, code) {
        if (this.#failed || this.#closedIn) return;
        if (this.#entry !== null) {
            this.#receiveKept(type, value, code);
            return;
        }
        switch (type) {
        case TEXT:
            this.#dispatch(new MessageEvent("message", { data: value }));
            break;
        case BINARY:
            this.#dispatch(new MessageEvent("message", { data: this.#binaryType === "blob" ? makeBlob(new Uint8Array(value), "") : value }));
            break;
        case CLOSE:
            this.#closing(value, code);
            break;
        case FAILED:
            this.#break(new Error(value));
            break;
        default:
            this.#vanish();
        }
    }

    /* Handlers of the object's class instead of listeners. */
    #receiveKept(type, value, code) {
        const entry = this.#entry;
        switch (type) {
        case TEXT: case BINARY:
            entry.message(this, value);
            break;
        case CLOSE:
            this.#closedIn = true;
            if (!this.#closedOut && flags.web_socket_auto_reply_to_close) this.#sendClose(code, value);
            entry.closed(this, code === 0 ? NO_CODE : code, value, true, () => {
                if (!this.#closedOut) this.#far.abort(); // the object had its chance to answer
            });
            break;
        case FAILED:
            this.#failed = true;
            entry.failed(this, new Error(value));
            break;
        default:
            this.#closedIn = this.#closedOut = true;
            entry.closed(this, ABNORMAL, VANISHED, false, () => {});
        }
    }

    #closing(reason, code) {
        this.#closedIn = true;
        if (!this.#closedOut && !this.#halfOpen && flags.web_socket_auto_reply_to_close) this.#sendClose(code, reason);
        this.#dispatch(new CloseEvent("close", { code: code === 0 ? NO_CODE : code, reason, wasClean: true }));
        if (this.#closedOut && !this.#failed) this.#far.over();
    }

    #vanish() {
        this.#closedIn = this.#closedOut = true;
        this.#dispatch(new CloseEvent("close", { code: ABNORMAL, reason: VANISHED, wasClean: false }));
        if (!this.#failed) this.#far.abort();
    }

    /* The first error is the last thing that happens to a socket. */
    #report(error) {
        this.#failed = true;
        const title = isError(error) ? errorTitle(error) : String(error);
        this.#dispatch(new ErrorEvent("error", { message: `Uncaught ${title}`, error }));
    }

    #break(error) {
        if (this.#failed) return;
        this.#report(error);
        this.#far.abort();
    }

    /* A listener that throws breaks the connection. */
    #dispatch(event) {
        dispatchTo(this, trustEvent(event), (error) => {
            context.current?.exception(error);
            if (this.#far !== null && !this.#failed) this.#break(error);
        }, true);
    }

    /* One message a turn, for ends of a pair. */
    #plan() {
        if (this.#turn !== null || this.#state !== ACCEPTED || this.#inbox.length === 0) return;
        this.#turn = startTimer(() => {
            this.#turn = null;
            const [type, value, code] = this.#inbox.shift();
            this.#receive(type, value, code);
            this.#plan();
        }, -TURN_MS, this.#owner);
    }

    /* --- responses --- */

    #release() {
        if (this.#state === RELEASED) throw new TypeError("Can't return WebSocket that was already used in a response.");
        if (this.#constructed) throw new TypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`");
        if (this.#state === ACCEPTED) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
        context.checkOwner(this.#owner);
        this.#state = RELEASED;
    }

    #couple(channel, invocation, done) {
        const far = this.#far;
        if (far instanceof Wire) return pump(channel, far.channel, invocation, done);
        const near = far.peer;
        for (const [type, value, code] of this.#inbox) {
            if (type === CLOSE) io.sendClose(channel, code, value);
            else io.sendMessage(channel, value);
        }
        this.#inbox.length = 0;
        if (near.#state === RELEASED) return pump(channel, near.#channel, invocation, done);
        near.#far = new Wire(channel, invocation, done);
        if (near.#state === ACCEPTED) near.#far.start((type, value, code) => near.#receive(type, value, code));
        return { vanished: () => near.#lost() };
    }

    #channel = 0; // of a released end

    #lost() {
        if (this.#state === ACCEPTED) this.#receive(ENDED, 0, 0);
        else this.#far.finish();
    }

    static {
        access = {
            is: (v) => typeof v === "object" && v !== null && #closedIn in v,
            pair() {
                const a = new WebSocket(MAKE), b = new WebSocket(MAKE);
                a.#far = new Local(b);
                b.#far = new Local(a);
                return [a, b];
            },
            fetched(channel, invocation, protocol, extensions, joinable) {
                const socket = new WebSocket(MAKE);
                socket.#far = new Wire(channel, invocation, null, joinable);
                socket.#protocol = protocol;
                socket.#extensions = extensions;
                return socket;
            },
            deliver(socket, message) {
                if (socket.#failed || socket.#closedIn) return;
                socket.#inbox.push(message);
                socket.#plan();
            },
            /* A Durable Object accepts it; check() may still refuse. What the object's entry holds of it. */
            hibernate(socket, entry, check) {
                if (socket.#state === ACCEPTED || socket.#constructed)
                    throw new Error("Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`");
                const far = socket.#far;
                if (socket.#state !== NEW || !(far instanceof Local) || far.peer.#state !== NEW)
                    throw new Error("Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.");
                context.checkOwner(socket.#owner);
                check();
                socket.#entry = entry;
                socket.#state = ACCEPTED;
                socket.#plan();
                return { socket, receiveFrame: (type, value, code) => socket.#receive(type, value, code) };
            },
            /* The same for one that the object finds again. */
            wake(entry, owner, attachment, closedOut) {
                const socket = new WebSocket(MAKE);
                socket.#owner = owner;
                socket.#state = ACCEPTED;
                socket.#far = new Kept(entry);
                socket.#entry = entry;
                socket.#attachment = attachment === null ? null : new Uint8Array(attachment);
                socket.#closedOut = closedOut;
                return { socket, receiveFrame: (type, value, code) => socket.#receive(type, value, code) };
            },
            /* How a response with it leaves: {flags, number, done()} when the gateway takes it from here, else null. */
            handOn(socket) {
                const far = socket.#far;
                if (far instanceof Wire && far.joinable && !far.held)
                    return { flags: JOIN, number: far.channel, done: () => far.invocation.disown(far.channel) };
                const near = far instanceof Local ? far.peer : null;
                if (near === null || near.#entry === null) return null;
                const done = () => {
                    const kept = new Kept(near.#entry);
                    near.#far = kept;
                    near.#entry.couple(near.#attachment);
                    for (const [type, value, code] of socket.#inbox.splice(0)) {
                        if (type === CLOSE) kept.close(code, value);
                        else if (type !== ENDED) kept.send(typeof value === "string" ? value : new Uint8Array(value));
                    }
                };
                return { flags: HIBERNATE, number: near.#entry.number, done };
            },
            release: (socket) => socket.#release(),
            couple(socket, channel, invocation, done) {
                socket.#channel = channel;
                return socket.#couple(channel, invocation, done);
            },
        };
    }
}

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
for (const [name, value] of Object.entries(STATES)) {
    for (const key of [name, `READY_STATE_${name}`]) {
        Object.defineProperty(WebSocket, key, { value, enumerable: true });
        Object.defineProperty(WebSocket.prototype, key, { value, enumerable: true });
    }
}

/* Two channels whose messages pass each other by in C. */
function pump(a, b, invocation, done) {
    let left = 2, over = false;
    const finish = () => {
        if (over) return;
        over = true;
        done();
    };
    const ended = (errno) => {
        left--;
        if (left === 0 || errno) finish();
    };
    io.pipe(a, b, context.track(ended));
    io.pipe(b, a, context.track(ended));
    return { vanished: finish };
}

export class WebSocketPair {
    constructor() {
        context.need();
        [this[0], this[1]] = access.pair();
    }

    *[Symbol.iterator]() {
        yield this[0];
        yield this[1];
    }
}

/* For state.setWebSocketAutoResponse(). */
export class WebSocketRequestResponsePair {
    #request;
    #response;

    constructor(request, response) {
        for (const [i, text] of [request, response].entries())
            if (text === undefined)
                throw new TypeError(`Failed to construct 'WebSocketRequestResponsePair': constructor parameter ${i + 1} is not of type 'string'.`);
        this.#request = `${request}`;
        this.#response = `${response}`;
    }

    get request() { return this.#request; }
    get response() { return this.#response; }
}

export const isWebSocket = access.is;
/* The socket of a fetch that was answered with 101. */
export const fetchedSocket = access.fetched;
/* For the sockets of Durable Objects: product/durable/sockets.js. */
export const hibernateSocket = access.hibernate;
export const wakeSocket = access.wake;
/* The gateway may do without this isolate, or without the object being awake. */
export const handOnSocket = access.handOn;
/* A response takes the socket: throws when it may not. */
export const releaseSocket = access.release;
/* ... and from now on its messages go over the channel; done() when that is over. {vanished()}: tell it that the client has. */
export const coupleSocket = access.couple;
