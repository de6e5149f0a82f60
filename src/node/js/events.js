/* node:events. https://nodejs.org/api/events.html */
const {
    AbortError, codes: { ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_UNHANDLED_ERROR, ERR_INVALID_THIS },
    validateAbortSignal, validateBoolean, validateFunction, validateNumber, validateInteger, validateString,
} = require("./errors.js");

const kCapture = Symbol("kCapture");
const kErrorMonitor = Symbol("events.errorMonitor");
const kRejection = Symbol.for("nodejs.rejection");
const kShape = Symbol("shapeMode");

let defaultMaxListeners = 10;
let defaultCapture = false;

function EventEmitter(options) {
    EventEmitter.init.call(this, options);
}
EventEmitter.prototype._events = undefined;
EventEmitter.prototype._eventsCount = 0;
EventEmitter.prototype._maxListeners = undefined;

EventEmitter.init = function (options) {
    if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) {
        this._events = Object.create(null);
        this._eventsCount = 0;
    }
    this[kShape] = false;
    this._maxListeners = this._maxListeners || undefined;
    if (options?.captureRejections) {
        validateBoolean(options.captureRejections, "options.captureRejections");
        this[kCapture] = Boolean(options.captureRejections);
    } else this[kCapture] = defaultCapture;
    Object.defineProperty(this, kCapture, { enumerable: false, writable: true });
    Object.defineProperty(this, kShape, { enumerable: false, writable: true });
};

const maxOf = (emitter) => (emitter._maxListeners === undefined ? defaultMaxListeners : emitter._maxListeners);

function capture(emitter, result, type, args) {
    if (!emitter[kCapture] || result === undefined || result === null) return;
    try {
        const { then } = result;
        if (typeof then !== "function") return;
        then.call(result, undefined, (error) => {
            queueMicrotask(() => {
                if (typeof emitter[kRejection] === "function") emitter[kRejection](error, type, ...args);
                else {
                    const previous = emitter[kCapture];
                    try {
                        emitter[kCapture] = false;
                        emitter.emit("error", error);
                    } finally {
                        emitter[kCapture] = previous;
                    }
                }
            });
        });
    } catch (error) {
        emitter.emit("error", error);
    }
}

function emitError(emitter, args) {
    const error = args[0];
    if (error instanceof Error) throw error;
    let text;
    try {
        text = require("./inspect.js").inspect(error);
    } catch {
        text = error;
    }
    const wrapped = new ERR_UNHANDLED_ERROR(text);
    wrapped.context = error;
    throw wrapped;
}

EventEmitter.prototype.emit = function emit(type, ...args) {
    const events = this._events;
    if (type === "error") {
        if (events !== undefined && events[kErrorMonitor] !== undefined) this.emit(kErrorMonitor, ...args);
        if (events === undefined || events.error === undefined) emitError(this, args);
    }
    const handler = events?.[type];
    if (handler === undefined) return false;
    if (typeof handler === "function") {
        const result = handler.apply(this, args);
        if (result !== undefined && result !== null) capture(this, result, type, args);
        return true;
    }
    for (const listener of handler.slice()) {
        const result = listener.apply(this, args);
        if (result !== undefined && result !== null) capture(this, result, type, args);
    }
    return true;
};

function checkListener(listener) {
    validateFunction(listener, "listener");
}

function warn(target, type, existing) {
    existing.warned = true;
    const error = new Error(`Possible EventEmitter memory leak detected. ${existing.length} ${String(type)} listeners added to ${require("./inspect.js").inspect(target, { depth: -1 })}. MaxListeners is ${maxOf(target)}. Use emitter.setMaxListeners() to increase limit`);
    error.name = "MaxListenersExceededWarning";
    console.warn(`${error.name}: ${error.message}`);
}

function add(target, type, listener, prepend) {
    checkListener(listener);
    let events = target._events;
    if (events === undefined) {
        events = target._events = Object.create(null);
        target._eventsCount = 0;
    } else if (events.newListener !== undefined) {
        target.emit("newListener", type, listener.listener ?? listener);
        events = target._events;
    }
    let existing = events[type];
    if (existing === undefined) {
        events[type] = listener;
        ++target._eventsCount;
        return target;
    }
    if (typeof existing === "function") existing = events[type] = prepend ? [listener, existing] : [existing, listener];
    else if (prepend) existing.unshift(listener);
    else existing.push(listener);
    const max = maxOf(target);
    if (max > 0 && existing.length > max && !existing.warned) warn(target, type, existing);
    return target;
}

EventEmitter.prototype.addListener = function addListener(type, listener) { return add(this, type, listener, false); };
EventEmitter.prototype.on = EventEmitter.prototype.addListener;
EventEmitter.prototype.prependListener = function prependListener(type, listener) { return add(this, type, listener, true); };

function onceWrap(target, type, listener) {
    const state = { fired: false };
    const wrapped = function (...args) {
        if (state.fired) return undefined;
        target.removeListener(type, wrapped);
        state.fired = true;
        return listener.apply(target, args);
    };
    wrapped.listener = listener;
    return wrapped;
}

EventEmitter.prototype.once = function once(type, listener) {
    checkListener(listener);
    return this.on(type, onceWrap(this, type, listener));
};
EventEmitter.prototype.prependOnceListener = function prependOnceListener(type, listener) {
    checkListener(listener);
    return this.prependListener(type, onceWrap(this, type, listener));
};

EventEmitter.prototype.removeListener = function removeListener(type, listener) {
    checkListener(listener);
    const events = this._events;
    const list = events?.[type];
    if (list === undefined) return this;
    if (list === listener || list.listener === listener) {
        this._eventsCount -= 1;
        if (this._eventsCount === 0) this._events = Object.create(null);
        else delete events[type];
        if (events.removeListener) this.emit("removeListener", type, list.listener || listener);
        return this;
    }
    if (typeof list === "function") return this;
    const at = list.findLastIndex((l) => l === listener || l.listener === listener);
    if (at < 0) return this;
    if (list.length === 2) events[type] = list[1 - at];
    else {
        const copy = list.toSpliced(at, 1);
        if (list.warned) copy.warned = true;
        events[type] = copy;
    }
    if (events.removeListener !== undefined) this.emit("removeListener", type, listener);
    return this;
};
EventEmitter.prototype.off = EventEmitter.prototype.removeListener;

EventEmitter.prototype.removeAllListeners = function removeAllListeners(type) {
    const events = this._events;
    if (events === undefined) return this;
    if (events.removeListener === undefined) {
        if (arguments.length === 0) {
            this._events = Object.create(null);
            this._eventsCount = 0;
        } else if (events[type] !== undefined) {
            if (--this._eventsCount === 0) this._events = Object.create(null);
            else delete events[type];
        }
        return this;
    }
    if (arguments.length === 0) {
        for (const key of Reflect.ownKeys(events)) if (key !== "removeListener") this.removeAllListeners(key);
        this.removeAllListeners("removeListener");
        this._events = Object.create(null);
        this._eventsCount = 0;
        return this;
    }
    const listeners = events[type];
    if (typeof listeners === "function") this.removeListener(type, listeners);
    else if (listeners !== undefined) for (let i = listeners.length - 1; i >= 0; i--) this.removeListener(type, listeners[i]);
    return this;
};

function listenersOf(target, type, unwrap) {
    const list = target._events?.[type];
    if (list === undefined) return [];
    if (typeof list === "function") return [unwrap ? list.listener ?? list : list];
    return list.map((l) => (unwrap ? l.listener ?? l : l));
}
EventEmitter.prototype.listeners = function listeners(type) { return listenersOf(this, type, true); };
EventEmitter.prototype.rawListeners = function rawListeners(type) { return listenersOf(this, type, false); };
EventEmitter.prototype.listenerCount = function listenerCount(type, listener) {
    const list = this._events?.[type];
    if (list === undefined) return 0;
    const all = typeof list === "function" ? [list] : list;
    if (listener === undefined || listener === null) return all.length;
    return all.filter((l) => l === listener || l.listener === listener).length;
};
EventEmitter.prototype.eventNames = function eventNames() {
    return this._eventsCount > 0 ? Reflect.ownKeys(this._events) : [];
};
EventEmitter.prototype.setMaxListeners = function setMaxListeners(n) {
    validateNumber(n, "setMaxListeners", 0);
    this._maxListeners = n;
    return this;
};
EventEmitter.prototype.getMaxListeners = function getMaxListeners() { return maxOf(this); };

/* --- helpers --- */

function addAbortListener(signal, listener) {
    if (signal === undefined) throw new ERR_INVALID_ARG_TYPE("signal", "AbortSignal", signal);
    validateAbortSignal(signal, "signal");
    validateFunction(listener, "listener");
    let off = () => {};
    if (signal.aborted) queueMicrotask(() => listener());
    else {
        signal.addEventListener("abort", listener, { once: true });
        off = () => signal.removeEventListener("abort", listener);
    }
    return { __proto__: null, [Symbol.dispose]() { off(); } };
}

const isTarget = (emitter) => typeof emitter?.addEventListener === "function";

function targetAdd(emitter, name, listener, flags) {
    if (typeof emitter?.on === "function") {
        if (flags?.once) emitter.once(name, listener);
        else emitter.on(name, listener);
    } else if (isTarget(emitter)) emitter.addEventListener(name, listener, flags);
    else throw new ERR_INVALID_ARG_TYPE("emitter", "EventEmitter", emitter);
}

function targetRemove(emitter, name, listener) {
    if (typeof emitter?.removeListener === "function") emitter.removeListener(name, listener);
    else if (isTarget(emitter)) emitter.removeEventListener(name, listener);
    else throw new ERR_INVALID_ARG_TYPE("emitter", "EventEmitter", emitter);
}

async function once(emitter, name, options = {}) {
    const { signal } = options;
    validateAbortSignal(signal, "options.signal");
    if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
    return new Promise((resolve, reject) => {
        let errorListener;
        const resolver = (...args) => {
            if (errorListener !== undefined) targetRemove(emitter, "error", errorListener);
            if (signal !== undefined) signal.removeEventListener("abort", onAbort);
            resolve(args);
        };
        const onAbort = () => {
            targetRemove(emitter, name, resolver);
            if (errorListener !== undefined) targetRemove(emitter, "error", errorListener);
            reject(new AbortError(undefined, { cause: signal.reason }));
        };
        targetAdd(emitter, name, resolver, { once: true });
        if (name !== "error" && typeof emitter.once === "function") {
            errorListener = (error) => {
                emitter.removeListener(name, resolver);
                if (signal !== undefined) signal.removeEventListener("abort", onAbort);
                reject(error);
            };
            emitter.once("error", errorListener);
        }
        if (signal !== undefined) signal.addEventListener("abort", onAbort, { once: true });
    });
}

function on(emitter, event, options = {}) {
    const { signal } = options;
    validateAbortSignal(signal, "options.signal");
    if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
    const high = options.highWaterMark ?? options.highWatermark ?? Number.MAX_SAFE_INTEGER;
    const low = options.lowWaterMark ?? options.lowWatermark ?? 1;
    validateInteger(high, "options.highWaterMark", 1);
    validateInteger(low, "options.lowWaterMark", 1);
    const events = [], waiting = [], registered = [];
    let error = null, finished = false, paused = false;

    const listen = (name, handler) => {
        targetAdd(emitter, name, handler);
        registered.push([name, handler]);
    };
    const closeHandler = () => {
        finish();
        return Promise.resolve({ value: undefined, done: true });
    };
    const finish = () => {
        if (signal !== undefined) signal.removeEventListener("abort", onAbort);
        for (const [name, handler] of registered.splice(0)) targetRemove(emitter, name, handler);
        finished = true;
        for (const { resolve } of waiting.splice(0)) resolve({ value: undefined, done: true });
    };
    const eventHandler = (...args) => {
        if (waiting.length > 0) waiting.shift().resolve({ value: args, done: false });
        else {
            events.push(args);
            if (!paused && events.length > high && typeof emitter.pause === "function") {
                paused = true;
                emitter.pause();
            }
        }
    };
    const errorHandler = (err) => {
        if (waiting.length > 0) waiting.shift().reject(err);
        else error = err;
        iterator.return();
    };
    const onAbort = () => errorHandler(new AbortError(undefined, { cause: signal.reason }));

    const iterator = {
        next() {
            if (events.length > 0) {
                const value = events.shift();
                if (paused && events.length < low) {
                    emitter.resume();
                    paused = false;
                }
                return Promise.resolve({ value, done: false });
            }
            if (error !== null) {
                const p = Promise.reject(error);
                error = null;
                return p;
            }
            if (finished) return closeHandler();
            return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
        },
        return() { return closeHandler(); },
        throw(err) {
            if (!err || !(err instanceof Error)) throw new ERR_INVALID_ARG_TYPE("EventEmitter.AsyncIterator", "Error", err);
            errorHandler(err);
        },
        [Symbol.asyncIterator]() { return this; },
    };

    listen(event, eventHandler);
    if (event !== "error" && typeof emitter.on === "function") listen("error", errorHandler);
    for (const name of options.close ?? []) listen(name, () => finish());
    if (signal) signal.addEventListener("abort", onAbort, { once: true });
    return iterator;
}

function getEventListeners(emitter, type) {
    if (typeof emitter?.listeners === "function") return emitter.listeners(type);
    if (emitter instanceof EventTarget) return [];
    throw new ERR_INVALID_ARG_TYPE("emitter", ["EventEmitter", "EventTarget"], emitter);
}

function getMaxListeners(emitter) {
    if (typeof emitter?.getMaxListeners === "function") return maxOf(emitter);
    if (emitter instanceof EventTarget) return targetMax.get(emitter) ?? defaultMaxListeners;
    throw new ERR_INVALID_ARG_TYPE("emitter", ["EventEmitter", "EventTarget"], emitter);
}

const targetMax = new WeakMap();
function setMaxListeners(n = defaultMaxListeners, ...targets) {
    validateNumber(n, "setMaxListeners", 0);
    if (targets.length === 0) defaultMaxListeners = n;
    for (const target of targets) {
        if (target instanceof EventTarget) targetMax.set(target, n);
        else if (typeof target?.setMaxListeners === "function") target.setMaxListeners(n);
        else throw new ERR_INVALID_ARG_TYPE("eventTargets", ["EventEmitter", "EventTarget"], target);
    }
}

/* The emitter of a resource: listeners run in the async context of its creation. */
class EventEmitterAsyncResource extends EventEmitter {
    #resource;

    constructor(options = undefined) {
        const { AsyncResource } = require("./async_hooks.js");
        let name;
        if (typeof options === "string") {
            name = options;
            options = undefined;
        } else {
            if (new.target === EventEmitterAsyncResource) validateString(options?.name, "options.name");
            name = options?.name || new.target.name;
        }
        super(options);
        const emitter = this;
        this.#resource = new (class EventEmitterReferencingAsyncResource extends AsyncResource {
            get eventEmitter() { return emitter; }
        })(name);
    }

    emit(event, ...args) {
        if (!(#resource in this)) throw new ERR_INVALID_THIS("EventEmitterAsyncResource");
        return this.#resource.runInAsyncScope(super.emit, this, event, ...args);
    }

    emitDestroy() { this.#resource.emitDestroy(); }
    get asyncId() { return this.#resource.asyncId(); }
    get triggerAsyncId() { return this.#resource.triggerAsyncId(); }
    get asyncResource() { return this.#resource; }
}

module.exports = EventEmitter;
Object.assign(EventEmitter, {
    addAbortListener, once, on, getEventListeners, getMaxListeners, listenerCount: (emitter, type) => {
        if (typeof emitter?.listenerCount === "function") return emitter.listenerCount(type);
        return EventEmitter.prototype.listenerCount.call(emitter, type);
    },
    EventEmitter, usingDomains: false, captureRejectionSymbol: kRejection,
});
Object.defineProperties(EventEmitter, {
    captureRejections: {
        get: () => defaultCapture,
        set(value) {
            validateBoolean(value, "EventEmitter.captureRejections");
            defaultCapture = value;
        }, enumerable: true, configurable: true,
    },
    EventEmitterAsyncResource: { value: EventEmitterAsyncResource, enumerable: true, writable: true, configurable: true },
    errorMonitor: { value: kErrorMonitor, enumerable: true },
    defaultMaxListeners: {
        get: () => defaultMaxListeners,
        set(n) {
            if (typeof n !== "number" || n < 0 || Number.isNaN(n)) throw new ERR_OUT_OF_RANGE("defaultMaxListeners", "a non-negative number", n);
            defaultMaxListeners = n;
        }, enumerable: true,
    },
    setMaxListeners: { value: setMaxListeners, enumerable: true, writable: true, configurable: true },
});
EventEmitter.prototype[kCapture] = false;
Object.defineProperty(EventEmitter.prototype, kCapture, { enumerable: false, writable: true });
