/* What stands on globalThis. Classes are not enumerable, functions are, as upstream. */
import * as dispose from "./dispose.js";
import * as errors from "./errors.js";
import { installErrorClasses } from "./stack.js";
import * as events from "./events.js";
import * as abort from "./abort.js";
import * as timers from "./timers.js";
import * as encoding from "./encoding.js";
import * as url from "./url.js";
import { Headers } from "./headers.js";
import { Body } from "./body.js";
import { Request } from "./request.js";
import { Response } from "./response.js";
import { fetch, Fetcher } from "./fetch.js";
import { structuredClone } from "./clone.js";
import { console } from "./console.js";
import { installWasm } from "./wasm.js";
import { FetchEvent, ScheduledEvent, TailEvent, onServiceWorkerListener } from "./service_worker.js";
import { flags, reflectFlags, setFlags } from "./compat.js";
import { asInterface } from "./interfaces.js";
import { Crypto, crypto } from "./random.js";
import { hideLazyGlobals, lazyGlobal, load, onLoad } from "./scripts.js";
import * as context from "./context.js";

class WorkerGlobalScope extends events.EventTarget {}
class ServiceWorkerGlobalScope extends WorkerGlobalScope {}

class Navigator {
    get userAgent() { return "Cloudflare-Workers"; }
    get hardwareConcurrency() { return 1; }
    get platform() { return ""; }
    get language() { return "en"; }
    get languages() { return ["en"]; }

    sendBeacon(target, body = undefined) {
        if (context.current === null) return false;
        context.current.waitUntil(fetch(target, { method: "POST", body }));
        return true;
    }
}

/* The scope's own EventTarget: globalThis cannot have private fields of ours. */
const scope = new ServiceWorkerGlobalScope();

const CLASSES = {
    DOMException: errors.DOMException,
    Event: events.Event, EventTarget: events.EventTarget, CustomEvent: events.CustomEvent, ExtendableEvent: events.ExtendableEvent,
    ErrorEvent: events.ErrorEvent, PromiseRejectionEvent: events.PromiseRejectionEvent, MessageEvent: events.MessageEvent,
    CloseEvent: events.CloseEvent, FetchEvent, ScheduledEvent, TailEvent,
    AbortController: abort.AbortController, AbortSignal: abort.AbortSignal,
    TextEncoder: encoding.TextEncoder, TextDecoder: encoding.TextDecoder,
    URL: url.URL, URLSearchParams: url.URLSearchParams,
    Headers, Body, Request, Response, Fetcher, Crypto,
    WorkerGlobalScope, ServiceWorkerGlobalScope, Navigator,
    SuppressedError: dispose.SuppressedError, DisposableStack: dispose.DisposableStack,
    AsyncDisposableStack: dispose.AsyncDisposableStack,
};

/* Classes by the script that has them (src/web/scripts.mjs). */
const LATER = {
    streams: [
        "ReadableStream", "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest",
        "ReadableStreamDefaultController", "ReadableByteStreamController", "WritableStream", "WritableStreamDefaultWriter",
        "WritableStreamDefaultController", "TransformStream", "TransformStreamDefaultController", "ByteLengthQueuingStrategy",
        "CountQueuingStrategy", "IdentityTransformStream", "FixedLengthStream", "CompressionStream", "DecompressionStream",
        "TextEncoderStream", "TextDecoderStream",
    ],
    forms: ["Blob", "File", "FormData"],
    crypto: ["SubtleCrypto", "CryptoKey"],
    performance: [
        "Performance", "PerformanceEntry", "PerformanceMark", "PerformanceMeasure", "PerformanceResourceTiming", "PerformanceObserver",
        "PerformanceObserverEntryList",
    ],
    messages: ["MessageChannel", "MessagePort"],
    html: ["HTMLRewriter"],
    url_pattern: ["URLPattern"],
    eventsource: ["EventSource"],
    cache: ["Cache", "CacheStorage"],
    websocket: ["WebSocket", "WebSocketPair", "WebSocketRequestResponsePair"],
};
const FUNCTIONS = {
    fetch, structuredClone, atob: encoding.atob, btoa: encoding.btoa,
    setTimeout: timers.setTimeout, clearTimeout: timers.clearTimeout, setInterval: timers.setInterval,
    clearInterval: timers.clearInterval,
    queueMicrotask: timers.queueMicrotask, reportError,
    addEventListener(type, listener, options) {
        onServiceWorkerListener(`${type}`);
        scope.addEventListener(type, listener, options);
    },
    removeEventListener(type, listener) { scope.removeEventListener(type, listener); },
    dispatchEvent(event) { return scope.dispatchEvent(event); },
};

const VALUES = {
    self: global, origin: "null", Cloudflare: { get compatibilityFlags() { return reflectFlags(); } }, console, crypto,
    scheduler: timers.scheduler, navigator: new Navigator(),
};

/* Where the Worker called us, as an ErrorEvent says it: lines from one, columns from zero. */
function placeOf(error) {
    const found = /(?:@|\bat (?:.* \()?)((?!selvedge:)[^\s@()]+):(\d+):(\d+)\)?$/m.exec(typeof error.stack === "string" ? error.stack : "");
    return found === null ? {} : { filename: found[1], lineno: Number(found[2]), colno: Number(found[3]) - 1 };
}

export function reportError(error) {
    if (arguments.length === 0)
        throw new TypeError("Failed to execute 'reportError' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'Value'.");
    if (!events.hasListeners(scope, "error")) {
        recordError(error);
        return;
    }
    const event = new events.ErrorEvent("error", {
        cancelable: true, message: `Uncaught ${errors.isError(error) ? errors.errorTitle(error) : String(error)}`, error,
        ...placeOf(errors.isError(error) ? error : new Error()),
    });
    events.deliverTo(scope, event, recordError);
    if (!event.defaultPrevented) recordError(error);
}

/* Without an event: errors of timers. */
function recordError(error) {
    const invocation = context.current;
    if (invocation !== null) invocation.exception(error);
    else native.io.log(errors.LOG_ERROR, errors.isError(error) ? errors.errorText(error) : String(error));
}

/* The engine does not tell when a promise that was reported gets its handler: its then() does, once. */
function watchForHandler(promise) {
    const { then } = promise;
    Object.defineProperty(promise, "then", {
        configurable: true, writable: true,
        value(...args) {
            delete promise.then;
            Promise.resolve().then(() => events.deliverTo(scope, new events.PromiseRejectionEvent("rejectionhandled", { promise })));
            return then.apply(promise, args);
        },
    });
}

/* hooks.unhandled: the engine saw a rejection without a handler after the microtasks had run. */
export function unhandledRejection(promise, reason) {
    if (events.hasListeners(scope, "rejectionhandled")) watchForHandler(promise);
    const event = events.trustEvent(new events.PromiseRejectionEvent("unhandledrejection", { promise, reason }));
    if (events.hasListeners(scope, "unhandledrejection") && events.dispatchPreventable(scope, event)) return;
    const invocation = context.current;
    if (invocation === null) {
        native.io.log(errors.LOG_WARN, `Uncaught (in promise) ${errors.isError(reason) ? errors.errorText(reason) : String(reason)}`);
        return;
    }
    invocation.exception(reason);
    if (invocation.ended) invocation.report(); // in this very entry: C has not passed its end on yet
}

function installLater() {
    for (const [script, names] of Object.entries(LATER)) {
        onLoad(script, (exports) => {
            for (const name of names) asInterface(name, exports[name]);
        });
        for (const name of names) lazyGlobal(name, false, () => load(script)[name]);
    }
    lazyGlobal("performance", true, () => load("performance").performance);
    lazyGlobal("caches", true, () => load("cache").caches);
    hideLazyGlobals();
}

export function installGlobals() {
    installErrorClasses(global);
    for (const [name, cls] of Object.entries(CLASSES)) {
        asInterface(name, cls);
        Object.defineProperty(global, name, { value: cls, writable: true, configurable: true, enumerable: false });
    }
    for (const [name, fn] of Object.entries(FUNCTIONS))
        Object.defineProperty(global, name, { value: fn, writable: true, configurable: true, enumerable: false });
    for (const [name, value] of Object.entries(VALUES))
        Object.defineProperty(global, name, { value, writable: true, configurable: true, enumerable: name !== "console" });
    installLater();
    /* The engine's global object has an immutable prototype: only instanceof can be told. */
    for (const cls of [events.EventTarget, WorkerGlobalScope, ServiceWorkerGlobalScope]) {
        const ordinary = Function.prototype[Symbol.hasInstance];
        Object.defineProperty(cls, Symbol.hasInstance, {
            value(v) { return (v === global && this === cls) || ordinary.call(this, v); }, configurable: true,
        });
    }
    Object.defineProperty(global, Symbol.toStringTag, { value: "ServiceWorkerGlobalScope", configurable: true });
    installWasm();
    events.onListenerError(reportError);
    events.onWaitUntil((promise) => context.need().waitUntil(promise));
    timers.onTimerError(recordError);
    timers.onMicrotaskError(reportError);
}

/* Before anything of the Worker runs. Globals of Node: src/node/js/loader.js. */
export function setCompatibility({ date = "", flags: given = [] } = {}) {
    setFlags(date, given);
    if (!flags.expose_global_message_channel) for (const name of LATER.messages) delete global[name];
}

export { scope };
