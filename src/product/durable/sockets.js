/*
 * WebSockets that outlive an object's stay in memory. https://developers.cloudflare.com/durable-objects/best-practices/websockets/
 *
 * The connections are in the gateway (role/gateway_hibernate.c). While the object is awake one channel carries all
 * of them as frames (proc/wire_socket.h); each message is an event of its own. The gateway opens the channel: after
 * an answer with such a socket, or before any event for an object that has some, and then tells what the object
 * has forgotten, so that the constructor finds its sockets.
 */
import * as context from "../../web/js/context.js";
import { partEvent } from "../../web/js/event.js";
import { startTimer, stopTimer } from "../../web/js/timers.js";
import { WebSocketRequestResponsePair, hibernateSocket, isWebSocket, wakeSocket } from "../../web/js/websocket.js";

const io = native.io;
/* enum wire_socket_type */
const TEXT = 1, BINARY = 2, CLOSE = 8, FAILED = 15, GONE = 16, KNOWN = 17, READY = 18, ANSWERED = 19, TAGS = 20, ATTACHMENT = 21, PAIR = 22;
const SOCKETS_MAX = 32768, TAGS_MAX = 10, TAG_MAX = 256, PAIR_MAX = 2048, TIMEOUT_MAX = 604_800_000;

const byChannel = new Map(); // channel → Sockets
const byWebSocket = new WeakMap(); // WebSocket → Entry

/* What an object knows of one socket. */
class Entry {
    constructor(sockets, number, tags) {
        this.sockets = sockets;
        this.number = number;
        this.tags = tags;
        this.answeredMs = 0;
        this.webSocket = null;
        this.coupled = false; // the gateway has it
        this.running = false; // an event of it is under way: the next one waits
        this.queue = [];
    }

    /* --- for the WebSocket --- */

    send(data) {
        this.sockets.send(typeof data === "string" ? TEXT : BINARY, this.number, data, 0);
    }

    close(code, reason) {
        this.sockets.send(CLOSE, this.number, reason, code);
    }

    keep(attachment) {
        if (this.coupled) this.sockets.put(ATTACHMENT, this.number, attachment, 0);
    }

    /* The connection shall break. */
    drop() {
        if (this.coupled) this.sockets.put(FAILED, this.number, "", 0);
        this.forget();
    }

    forget() {
        this.sockets.entries.delete(this.number);
    }

    /* The response has left: what was said until then follows. */
    couple(attachment) {
        this.coupled = true;
        if (this.tags.length > 0) this.sockets.put(TAGS, this.number, JSON.stringify(this.tags), 0);
        if (attachment !== null) this.sockets.put(ATTACHMENT, this.number, attachment, 0);
    }

    /* One event of a socket at a time. */
    event(what, call, detail = {}, done = undefined) {
        const run = () => this.sockets.event(what, call, detail, () => {
            done?.();
            const next = this.queue.shift();
            if (next === undefined) this.running = false;
            else Promise.resolve().then(next);
        });
        if (this.running) {
            this.queue.push(run);
        } else {
            this.running = true;
            run();
        }
    }

    message(webSocket, value) {
        this.event("message", (object) => object.webSocketMessage?.(webSocket, value));
    }

    /* done(): what the socket still owes. */
    closed(webSocket, code, reason, wasClean, done) {
        this.event("close", (object) => object.webSocketClose?.(webSocket, code, reason, wasClean), { code, wasClean }, () => {
            done();
            this.forget();
        });
    }

    failed(webSocket, error) {
        this.event("error", (object) => object.webSocketError?.(webSocket, error), {}, () => this.forget());
    }
}

function checkTags(tags) {
    const distinct = new Set();
    for (const tag of tags ?? []) {
        const text = String(tag);
        if (distinct.has(text)) continue;
        if (distinct.size === TAGS_MAX) throw new Error(`a Hibernatable WebSocket cannot have more than ${TAGS_MAX} tags`);
        if (text.length > TAG_MAX) throw new Error(`"${text}" is longer than the max tag length (${TAG_MAX} characters).`);
        distinct.add(text);
    }
    return [...distinct];
}

function checkWebSocket(webSocket, method) {
    if (!isWebSocket(webSocket))
        throw new TypeError(`Failed to execute '${method}' on 'DurableObjectState': parameter 1 is not of type 'WebSocket'.`);
}

export class Sockets {
    constructor(instance) {
        this.instance = instance;
        this.channel = 0;
        this.requestId = "";
        this.ready = true; // false: the gateway is still telling what there is
        this.asleep = false; // we have asked for it
        this.entries = new Map(); // number → Entry
        this.nextNumber = 1;
        this.outbox = []; // frames for when there is a channel
        this.pair = null;
        this.timeoutMs = null;
    }

    /* --- the channel --- */

    open(channel, requestId) {
        this.channel = channel;
        this.requestId = requestId;
        byChannel.set(channel, this);
        io.frames(channel, (type, number, a, b, c) => this.frame(type, number, a, b, c));
        for (const frame of this.outbox.splice(0)) io.sendFrame(channel, ...frame);
    }

    frame(type, number, a, b, c) {
        this.asleep = false;
        if (type === KNOWN) this.known(number, a, b, c);
        else if (type === READY) this.told(a, b);
        else if (type === ANSWERED) this.answered(number, a);
        else this.entries.get(number)?.webSocket.receiveFrame(type === GONE ? -1 : type, a, b);
    }

    known(number, tags, attachment, answeredMs) {
        if (this.entries.has(number)) return;
        const entry = new Entry(this, number, tags === "" ? [] : JSON.parse(tags));
        entry.coupled = true;
        entry.answeredMs = Math.max(0, answeredMs);
        entry.webSocket = wakeSocket(entry, { gate: this.instance.gates, ended: false }, attachment, answeredMs < 0);
        byWebSocket.set(entry.webSocket.socket, entry);
        this.entries.set(number, entry);
        this.nextNumber = Math.max(this.nextNumber, number + 1);
    }

    told(request, response) {
        if (this.ready) return;
        this.ready = true;
        if (request !== null) this.pair = new WebSocketRequestResponsePair(request, response);
        this.instance.socketsTold();
    }

    answered(number, ms) {
        const entry = this.entries.get(number);
        if (entry !== undefined) entry.answeredMs = ms;
    }

    /* Nobody is at the other end any more: because we have asked for it, or all connections are lost. */
    lost() {
        byChannel.delete(this.channel);
        io.eventEnd(this.channel, "ok", "");
        this.channel = 0;
        this.entries.clear();
        if (this.asleep) this.instance.evict();
    }

    /* The object would end, when the gateway has nothing more for it. False: there is nobody to ask. */
    sleep() {
        if (this.channel === 0) return false;
        this.asleep = true;
        io.sleep(this.channel);
        return true;
    }

    /* The object ends; connections that were not put to sleep break. */
    end() {
        const { channel } = this;
        if (channel === 0) return;
        this.channel = 0;
        byChannel.delete(channel);
        io.reset(channel, 0);
        io.eventEnd(channel, "ok", "");
    }

    put(type, number, value, code) {
        if (this.channel !== 0) io.sendFrame(this.channel, type, number, value, code);
        else this.outbox.push([type, number, value, code]);
    }

    /* What was written before must be durable before anybody hears of it. */
    send(type, number, value, code) {
        const { gates } = this.instance;
        if (gates.unconfirmed()) {
            const copy = typeof value === "string" ? value : value.slice();
            gates.hold(() => this.put(type, number, copy, code));
        } else {
            this.put(type, number, value, code);
        }
    }

    /* --- events --- */

    event(what, call, detail, done) {
        const invocation = partEvent(this.channel, this.requestId, { getWebSocketEvent: { webSocketEventType: what, ...detail } });
        let timer = null;
        if (this.timeoutMs !== null && this.timeoutMs > 0)
            timer = startTimer(() => invocation.giveUp(new Error("Durable Object's WebSocket event exceeded its time limit.")), this.timeoutMs);
        invocation.follow(() => this.instance.deliver(invocation, call), () => {
            if (timer !== null) stopTimer(timer);
            done();
        });
    }

    /* --- what the state object offers --- */

    accept(webSocket, tags) {
        checkWebSocket(webSocket, "acceptWebSocket");
        if (this.instance.facet !== null) throw new Error("WebSockets of facets cannot hibernate on this server: use accept().");
        if (this.entries.size >= SOCKETS_MAX)
            throw new Error(`only ${SOCKETS_MAX} websockets can be accepted on a single Durable Object instance`);
        const entry = new Entry(this, this.nextNumber, []);
        entry.webSocket = hibernateSocket(webSocket, entry, () => {
            entry.tags = checkTags(tags);
        });
        this.nextNumber++;
        this.entries.set(entry.number, entry);
        byWebSocket.set(webSocket, entry);
    }

    list(tag) {
        const found = [];
        for (const entry of this.entries.values())
            if (tag === undefined || entry.tags.includes(tag)) found.push(entry.webSocket.socket);
        return found;
    }

    entryOf(webSocket, method) {
        checkWebSocket(webSocket, method);
        const entry = byWebSocket.get(webSocket);
        return entry !== undefined && entry.sockets === this ? entry : null;
    }

    tagsOf(webSocket) {
        const entry = this.entryOf(webSocket, "getTags");
        if (entry === null) throw new Error("only hibernatable websockets can have tags.");
        return [...entry.tags];
    }

    setPair(pair) {
        if (pair === undefined || pair === null) {
            this.pair = null;
            this.put(PAIR, 0, null, 0);
            return;
        }
        if (!(pair instanceof WebSocketRequestResponsePair))
            throw new TypeError("Failed to execute 'setWebSocketAutoResponse' on 'DurableObjectState': parameter 1 is not of type 'WebSocketRequestResponsePair'.");
        const parts = [["Request", pair.request], ["Response", pair.response]].map(([what, text]) => {
            const bytes = new TextEncoder().encode(text);
            if (bytes.length > PAIR_MAX)
                throw new RangeError(`${what} cannot be larger than ${PAIR_MAX} bytes. A ${what.toLowerCase()} of size ${bytes.length} was provided.`);
            return bytes;
        });
        this.pair = pair;
        const [request, response] = parts, frame = new Uint8Array(8 + request.length + response.length), view = new DataView(frame.buffer);
        view.setUint32(0, request.length, true);
        frame.set(request, 4);
        view.setUint32(4 + request.length, response.length, true);
        frame.set(response, 8 + request.length);
        this.put(PAIR, 0, frame, 0);
    }

    answeredAt(webSocket) {
        const entry = this.entryOf(webSocket, "getWebSocketAutoResponseTimestamp");
        return entry === null || entry.answeredMs === 0 ? null : new Date(entry.answeredMs);
    }

    setTimeout(ms) {
        if (ms === undefined || ms === null) {
            this.timeoutMs = null;
            return;
        }
        const number = Math.trunc(Number(ms)) || 0;
        if (number > TIMEOUT_MAX) throw new Error(`Event timeout should not exceed ${TIMEOUT_MAX} ms.`);
        this.timeoutMs = number <= 0 ? null : number;
    }

    /* Sockets whose other end is in this isolate keep the object where it is. */
    busy() {
        for (const entry of this.entries.values()) if (!entry.coupled) return true;
        return false;
    }
}

/* The channel has ended. */
export function socketsLost(channel) {
    context.enter(null);
    byChannel.get(channel)?.lost();
}
