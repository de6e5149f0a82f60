/*
 * Event, EventTarget and the kinds of events that the runtime makes. https://dom.spec.whatwg.org/#events
 * There is no tree: a path has at most one target.
 */
import { DOMException, illegal } from "./errors.js";
import { flags } from "./compat.js";

const PHASES = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 };

/* Upstream what is not there yet is undefined. */
function nothing() {
    return flags.pedantic_wpt ? null : undefined;
}

let init; // internal access to Event's private parts

export class Event {
    #type;
    #bubbles;
    #cancelable;
    #composed;
    #target = undefined;
    #dispatching = false;
    #stop = false;
    #stopNow = false;
    #prevented = false;
    #forced = false;
    #trusted = false;

    constructor(type, options = undefined) {
        if (arguments.length === 0) throw new TypeError("Failed to construct 'Event': 1 argument required, but only 0 present.");
        if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function")
            throw new TypeError("Failed to construct 'Event': parameter 2 is not of type 'EventInit'.");
        this.#type = `${type}`;
        this.#bubbles = Boolean(options?.bubbles);
        this.#cancelable = Boolean(options?.cancelable);
        this.#composed = Boolean(options?.composed);
    }

    get type() { return this.#type; }
    get bubbles() { return this.#bubbles; }
    get cancelable() { return this.#cancelable; }
    get composed() { return this.#composed; }
    get defaultPrevented() { return this.#prevented; }
    get returnValue() { return !this.#prevented; }
    get target() { return this.#target ?? nothing(); }
    get srcElement() { return this.#target ?? nothing(); }
    get currentTarget() { return (this.#dispatching || !flags.pedantic_wpt ? this.#target : undefined) ?? nothing(); }
    get eventPhase() { return this.#dispatching ? PHASES.AT_TARGET : PHASES.NONE; }
    get timeStamp() { return 0; } // no clock for side channels
    get isTrusted() { return this.#trusted; }
    get cancelBubble() { return this.#stop; }
    set cancelBubble(v) { if (v) this.#stop = true; }

    composedPath() {
        return this.#dispatching ? [this.#target] : [];
    }

    preventDefault() {
        if (this.#cancelable || this.#forced) this.#prevented = true;
    }

    stopPropagation() {
        this.#stop = true;
    }

    stopImmediatePropagation() {
        this.#stop = this.#stopNow = true;
    }

    static {
        init = {
            is: (event) => typeof event === "object" && event !== null && #type in event,
            begin(event, target) {
                if (event.#dispatching)
                    throw new DOMException("The event is already being dispatched.", "InvalidStateError");
                event.#target = target;
                event.#dispatching = true;
            },
            finish(event) {
                event.#dispatching = event.#stop = event.#stopNow = false;
            },
            stopped: (event) => event.#stopNow,
            forceCancelable(event) {
                event.#forced = true;
            },
            trust(event) {
                event.#trusted = true;
                return event;
            },
        };
    }
}
for (const [name, value] of Object.entries(PHASES)) {
    Object.defineProperty(Event, name, { value, enumerable: true });
    Object.defineProperty(Event.prototype, name, { value, enumerable: true });
}

export const trustEvent = (event) => init.trust(event);

let access;

/* Read in WebIDL's order. */
function listenerOptions(options) {
    if (typeof options !== "object" || options === null) return { capture: Boolean(options), once: false, signal: undefined };
    const capture = Boolean(options.capture), once = Boolean(options.once);
    void options.passive; // listeners here are never passive
    const { signal } = options;
    if (signal !== undefined && typeof signal?.addEventListener !== "function")
        throw new TypeError("addEventListener(): options.signal must be an AbortSignal.");
    return { capture, once, signal };
}

export class EventTarget {
    #listeners = null; // Map: type → array of {callback, once, removed}

    addEventListener(type, callback, options) {
        if (!(#listeners in this)) throw illegal();
        const { capture, once, signal } = listenerOptions(options);
        if (callback === null || callback === undefined) return;
        if (capture) throw new TypeError(`addEventListener(): ${typeof options === "object" ? "options.capture" : "useCapture"} must be false.`);
        if (typeof callback !== "function" && (typeof callback !== "object" || (!flags.pedantic_wpt && typeof callback.handleEvent !== "function")))
            throw new TypeError("The event listener must be a function or an object with handleEvent.");
        if (signal?.aborted) return;
        this.#add(String(type), { callback, once, removed: false });
        signal?.addEventListener("abort", () => this.removeEventListener(type, callback), { once: true });
    }

    #add(type, listener) {
        if (this.#listeners === null) this.#listeners = new Map();
        const list = this.#listeners.get(type);
        if (list === undefined) this.#listeners.set(type, [listener]);
        else if (!list.some((l) => l.callback === listener.callback)) list.push(listener);
        access.added?.(this, type);
    }

    removeEventListener(type, callback, options = undefined) {
        const capture = typeof options === "object" && options !== null ? options.capture : options;
        if (capture && callback !== null && callback !== undefined) throw new TypeError("removeEventListener(): options.capture must be false.");
        const list = this.#listeners?.get(String(type));
        if (list === undefined) return;
        const at = list.findIndex((l) => l.callback === callback);
        if (at >= 0) {
            list[at].removed = true;
            this.#listeners.set(String(type), list.toSpliced(at, 1));
        }
    }

    dispatchEvent(event) {
        if (!(#listeners in this)) throw illegal();
        if (!init.is(event)) throw new TypeError("parameter 1 is not of type 'Event'.");
        init.begin(event, this);
        try {
            const list = this.#listeners?.get(event.type);
            if (list !== undefined) this.#run(event, list.slice());
        } finally {
            init.finish(event);
        }
        return !event.defaultPrevented;
    }

    /* Upstream dispatchEvent() throws what a listener throws, and the others are not called. */
    #run(event, list, report = flags.pedantic_wpt ? access.report : null) {
        for (const listener of list) {
            if (listener.removed) continue;
            if (listener.once) this.removeEventListener(event.type, listener.callback);
            const callback = listener.callback;
            try {
                if (typeof callback === "function") callback.call(this, event);
                else callback.handleEvent(event);
            } catch (error) {
                if (report === null) throw error;
                report(error);
            }
            if (init.stopped(event)) break;
        }
    }

    static {
        access = {
            /* Events of ours. With `plain`, `on<type>` is a plain property and comes first, as upstream. */
            dispatch(target, event, report, plain) {
                const handler = plain ? target[`on${event.type}`] : null, list = target.#listeners?.get(event.type) ?? [];
                init.begin(event, target);
                try {
                    const first = typeof handler === "function" ? [{ callback: handler, once: false, removed: false }] : [];
                    target.#run(event, [...first, ...list], report);
                } finally {
                    init.finish(event);
                }
            },
            /* The same where `on<type>` is one of the listeners (defineHandler). */
            deliver(target, event, report) {
                const list = target.#listeners?.get(event.type) ?? [];
                init.begin(event, target);
                try {
                    target.#run(event, list.slice(), report ?? access.report);
                } finally {
                    init.finish(event);
                }
            },
            has: (target, type) => (target.#listeners?.get(type)?.length ?? 0) > 0,
            report: () => {},
            added: null,
        };
    }
}

/* dispatchEvent() for events whose preventDefault() counts although they are not cancelable. */
export function dispatchPreventable(target, event) {
    init.forceCancelable(event);
    access.deliver(target, event, null);
    return event.defaultPrevented;
}

/* Dispatches an event of ours; what a listener throws goes to report(). */
export const dispatchTo = (target, event, report, plain = false) => access.dispatch(target, event, report, plain);

export const deliverTo = (target, event, report = null) => access.deliver(target, init.trust(event), report);

export const hasListeners = (target, type) => access.has(target, type);
export function onListenerError(report) {
    access.report = report;
}

/* `object.on<type>` as an accessor on a prototype. The handler keeps its place among the listeners. */
export function defineHandler(prototype, type) {
    const slots = new WeakMap();
    Object.defineProperty(prototype, `on${type}`, {
        get() {
            return slots.get(this)?.handler ?? null;
        },
        set(handler) {
            let slot = slots.get(this);
            const usable = typeof handler === "function" || (typeof handler === "object" && handler !== null);
            if (slot === undefined && usable) {
                slot = { handler };
                slots.set(this, slot);
                this.addEventListener(type, (event) => {
                    if (typeof slot.handler === "function") slot.handler.call(this, event);
                    else slot.handler?.handleEvent?.(event);
                });
            } else if (slot !== undefined) {
                slot.handler = usable ? handler : null;
            }
        },
        enumerable: true,
        configurable: true,
    });
}

export class CustomEvent extends Event {
    #detail;

    constructor(type, options) {
        super(type, options);
        this.#detail = options?.detail;
    }

    get detail() { return this.#detail; }
}

/* The waitUntil() of service-worker style events. */
export class ExtendableEvent extends Event {
    constructor(type, options = undefined) {
        if (new.target === ExtendableEvent) throw new TypeError("Illegal constructor");
        super(type, options);
    }

    waitUntil(promise) {
        if (access.waitUntil === undefined) throw illegal();
        access.waitUntil(promise);
    }
}
export function onWaitUntil(fn) {
    access.waitUntil = fn;
}

export class ErrorEvent extends Event {
    #init;

    constructor(type, options = {}) {
        super(type, options);
        this.#init = options;
    }

    get message() { return String(this.#init.message ?? ""); }
    get filename() { return String(this.#init.filename ?? ""); }
    get lineno() { return Number(this.#init.lineno ?? 0); }
    get colno() { return Number(this.#init.colno ?? 0); }
    get error() { return this.#init.error; }
}

export class PromiseRejectionEvent extends Event {
    #promise;
    #reason;

    constructor(type, options) {
        super(type, options);
        this.#promise = options.promise;
        this.#reason = options.reason;
    }

    get promise() { return this.#promise; }
    get reason() { return this.#reason; }
}

export class MessageEvent extends Event {
    #init;

    constructor(type, options = {}) {
        super(type, options);
        this.#init = options;
    }

    get data() { return this.#init.data === undefined ? null : this.#init.data; }
    get origin() { return this.#init.origin ?? null; }
    get lastEventId() { return String(this.#init.lastEventId ?? ""); }
    get source() { return this.#init.source ?? null; }
    get ports() { return this.#init.ports ?? []; }
}

export class CloseEvent extends Event {
    #init;

    constructor(type, options = {}) {
        super(type, options);
        this.#init = options;
    }

    get code() { return Number(this.#init.code ?? 0); }
    get reason() { return String(this.#init.reason ?? "").toWellFormed(); }
    get wasClean() { return Boolean(this.#init.wasClean); }
}
