/* What stands on globalThis. Classes are not enumerable, functions are, as upstream. */
import * as dispose from "./dispose.js";
import * as errors from "./errors.js";
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
import { Blob, File } from "./blob.js";
import { FormData } from "./formdata.js";
import * as streams from "./streams/classes.js";
import * as extras from "./streams/extras.js";
import { ByteLengthQueuingStrategy, CountQueuingStrategy } from "./streams/common.js";
import { structuredClone } from "./clone.js";
import * as crypto from "./crypto.js";
import "./crypto_pairs.js";
import * as perf from "./performance.js";
import { console } from "./console.js";
import { installWasm } from "./wasm.js";
import { runtimePrototypes } from "./inspect.js";
import { MessageChannel, MessagePort } from "./messages.js";
import { FetchEvent, ScheduledEvent, onServiceWorkerListener } from "./service_worker.js";
import { WebSocket, WebSocketPair, WebSocketRequestResponsePair } from "./websocket.js";
import { flags, setFlags } from "./compat.js";
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
    CloseEvent: events.CloseEvent, FetchEvent, ScheduledEvent,
    AbortController: abort.AbortController, AbortSignal: abort.AbortSignal,
    TextEncoder: encoding.TextEncoder, TextDecoder: encoding.TextDecoder,
    TextEncoderStream: extras.TextEncoderStream, TextDecoderStream: extras.TextDecoderStream,
    URL: url.URL, URLSearchParams: url.URLSearchParams,
    Headers, Body, Request, Response, Blob, File, FormData, Fetcher,
    ReadableStream: streams.ReadableStream, ReadableStreamDefaultReader: streams.ReadableStreamDefaultReader,
    ReadableStreamBYOBReader: streams.ReadableStreamBYOBReader, ReadableStreamBYOBRequest: streams.ReadableStreamBYOBRequest,
    ReadableStreamDefaultController: streams.ReadableStreamDefaultController,
    ReadableByteStreamController: streams.ReadableByteStreamController,
    WritableStream: streams.WritableStream, WritableStreamDefaultWriter: streams.WritableStreamDefaultWriter,
    WritableStreamDefaultController: streams.WritableStreamDefaultController,
    TransformStream: streams.TransformStream, TransformStreamDefaultController: streams.TransformStreamDefaultController,
    ByteLengthQueuingStrategy, CountQueuingStrategy,
    IdentityTransformStream: extras.IdentityTransformStream, FixedLengthStream: extras.FixedLengthStream,
    CompressionStream: extras.CompressionStream, DecompressionStream: extras.DecompressionStream,
    Crypto: crypto.Crypto, SubtleCrypto: crypto.SubtleCrypto, CryptoKey: crypto.CryptoKey,
    Performance: perf.Performance, PerformanceEntry: perf.PerformanceEntry, PerformanceMark: perf.PerformanceMark,
    PerformanceMeasure: perf.PerformanceMeasure, PerformanceResourceTiming: perf.PerformanceResourceTiming,
    PerformanceObserver: perf.PerformanceObserver, PerformanceObserverEntryList: perf.PerformanceObserverEntryList,
    MessageChannel, MessagePort, WebSocket, WebSocketPair, WebSocketRequestResponsePair, WorkerGlobalScope, ServiceWorkerGlobalScope, Navigator,
    SuppressedError: dispose.SuppressedError, DisposableStack: dispose.DisposableStack,
    AsyncDisposableStack: dispose.AsyncDisposableStack,
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
    self: global, origin: "null", Cloudflare: { compatibilityFlags: flags }, console, crypto: crypto.crypto, performance: perf.performance,
    scheduler: timers.scheduler, navigator: new Navigator(),
};

const OF_CLASSES = new Set(["constructor", "length", "name", "prototype"]);

/* Methods of a class are enumerable in WebIDL; and objects say their class. */
function asInterface(name, cls) {
    const { prototype } = cls;
    if (!Object.hasOwn(prototype, Symbol.toStringTag))
        Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
    for (const owner of [prototype, cls]) for (const key of Object.getOwnPropertyNames(owner)) {
        const descriptor = Object.getOwnPropertyDescriptor(owner, key);
        if (OF_CLASSES.has(key) || !descriptor.configurable || descriptor.enumerable) continue;
        descriptor.enumerable = true;
        Object.defineProperty(owner, key, descriptor);
    }
    Object.defineProperty(cls, "name", { value: name, configurable: true }); // bundling may have renamed it
    runtimePrototypes.add(prototype);
}

export function reportError(error) {
    const handled = events.hasListeners(scope, "error") && !scope.dispatchEvent(events.trustEvent(new events.ErrorEvent("error", {
        cancelable: true, message: `Uncaught ${errors.isError(error) ? errors.errorTitle(error) : String(error)}`, error,
    })));
    if (!handled) recordError(error);
}

/* Without an event: errors of timers. */
function recordError(error) {
    const invocation = context.current;
    if (invocation !== null) invocation.exception(error);
    else native.io.log(errors.LOG_ERROR, errors.isError(error) ? errors.errorText(error) : String(error));
}

/* hooks.unhandled: the engine saw a rejection without a handler after the microtasks had run. */
export function unhandledRejection(promise, reason) {
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

export function installGlobals() {
    for (const [name, cls] of Object.entries(CLASSES)) {
        asInterface(name, cls);
        Object.defineProperty(global, name, { value: cls, writable: true, configurable: true, enumerable: false });
    }
    for (const [name, fn] of Object.entries(FUNCTIONS))
        Object.defineProperty(global, name, { value: fn, writable: true, configurable: true, enumerable: false });
    for (const [name, value] of Object.entries(VALUES))
        Object.defineProperty(global, name, { value, writable: true, configurable: true, enumerable: name !== "console" });
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
}

/* Globals that depend on the Worker's compatibility flags. */
export function setCompatibility({ date = "", flags: given = [] } = {}) {
    setFlags(date, given);
    if (!flags.nodejs_compat && !flags.nodejs_compat_v2) return;
    for (const name of ["setImmediate", "clearImmediate"])
        Object.defineProperty(global, name, { value: timers[name], writable: true, configurable: true, enumerable: false });
    Object.defineProperty(global, "global", { value: global, writable: true, configurable: true, enumerable: false });
}

export { scope, asInterface };
