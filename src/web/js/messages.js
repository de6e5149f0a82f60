/* MessageChannel: both ends in this isolate. */
import { Event, EventTarget, MessageEvent, defineHandler, deliverTo } from "./events.js";
import { structuredClone } from "./clone.js";

const MAKE = Symbol("make");
let access;

export class MessagePort extends EventTarget {
    #peer = null;
    #started = false;
    #closed = false;
    #queue = [];

    constructor(key) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        super();
    }

    postMessage(data, options = undefined) {
        const transfer = Array.isArray(options) ? options : options?.transfer;
        if (transfer !== undefined && transfer.length > 0) throw new Error("Transfer list is not supported");
        const copy = structuredClone(data);
        const peer = this.#peer;
        if (this.#closed || peer === null || peer.#closed) return;
        peer.#queue.push(copy);
        if (peer.#started) peer.#deliver();
    }

    #deliver() {
        Promise.resolve().then(() => {
            if (this.#queue.length === 0) return; // what was posted before a close still arrives
            const data = this.#queue.shift();
            deliverTo(this, new MessageEvent("message", { data, source: this.#peer }));
        });
    }

    start() {
        if (this.#started) return;
        this.#started = true;
        for (let i = 0; i < this.#queue.length; i++) this.#deliver();
    }

    close() {
        if (this.#closed) return;
        this.#closed = true;
        this.#peer?.close();
        Promise.resolve().then(() => deliverTo(this, new Event("close")));
    }

    static {
        access = {
            pair() {
                const a = new MessagePort(MAKE), b = new MessagePort(MAKE);
                a.#peer = b;
                b.#peer = a;
                return [a, b];
            },
        };
    }
}
defineHandler(MessagePort.prototype, "message");
defineHandler(MessagePort.prototype, "messageerror");
defineHandler(MessagePort.prototype, "close");

/* Setting onmessage starts the port. */
const onmessage = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
Object.defineProperty(MessagePort.prototype, "onmessage", {
    ...onmessage,
    set(handler) {
        onmessage.set.call(this, handler);
        this.start();
    },
});

export class MessageChannel {
    #ports = access.pair();

    get port1() { return this.#ports[0]; }
    get port2() { return this.#ports[1]; }
}
