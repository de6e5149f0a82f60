// One case per global name, one for each class's own members and statics.

const NAMES = `AbortController AbortSignal AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Blob Boolean Body Buffer
ByteLengthQueuingStrategy Cache CacheStorage CloseEvent Cloudflare CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DataView Date DecompressionStream
DisposableStack Error ErrorEvent EvalError Event EventSource EventTarget ExtendableEvent FetchEvent File FinalizationRegistry FixedLengthStream Float16Array Float32Array Float64Array FormData
Function HTMLRewriter Headers IdentityTransformStream Infinity Int16Array Int32Array Int8Array Intl Iterator JSON Map Math MessageChannel MessageEvent MessagePort NaN Navigator Number Object
Performance PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming Promise PromiseRejectionEvent Proxy RangeError
ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader ReferenceError Reflect RegExp Request Response
ScheduledController ScheduledEvent ServiceWorkerGlobalScope Set SharedArrayBuffer String SubtleCrypto SuppressedError Symbol SyntaxError TailEvent TextDecoder TextDecoderStream TextEncoder TextEncoderStream
TraceEvent TransformStream TransformStreamDefaultController TypeError URIError URL URLPattern URLSearchParams Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly WebSocket
WebSocketPair WebSocketRequestResponsePair WorkerGlobalScope WritableStream WritableStreamDefaultController WritableStreamDefaultWriter XMLHttpRequest Worker SharedWorker Notification BroadcastChannel
addEventListener atob btoa caches clearImmediate clearInterval clearTimeout console crypto decodeURI decodeURIComponent dispatchEvent document encodeURI encodeURIComponent escape eval fetch gc global globalThis
importScripts indexedDB isFinite isNaN localStorage navigator origin parseFloat parseInt performance process queueMicrotask removeEventListener reportError require scheduler self sessionStorage setImmediate setInterval setTimeout
structuredClone undefined unescape window alert open print postMessage`.split(/\s+/);

const CLASSES = `AbortController AbortSignal Blob Body ByteLengthQueuingStrategy CountQueuingStrategy Crypto CryptoKey CustomEvent CloseEvent MessageEvent ErrorEvent PromiseRejectionEvent CompressionStream DecompressionStream DOMException Event EventTarget
ExtendableEvent FetchEvent ScheduledEvent File FixedLengthStream FormData Headers IdentityTransformStream MessageChannel MessagePort Navigator Performance ReadableByteStreamController ReadableStream ReadableStreamBYOBReader
ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder TextDecoderStream TextEncoder TextEncoderStream TransformStream
TransformStreamDefaultController URL URLPattern URLSearchParams WebSocket WebSocketPair WritableStream WritableStreamDefaultController WritableStreamDefaultWriter HTMLRewriter Cache CacheStorage EventSource ServiceWorkerGlobalScope WorkerGlobalScope`.split(/\s+/);

const plain = (name) => !["constructor", "length", "name", "prototype", "arguments", "caller"].includes(name);
const table = {};
for (const name of NAMES) table[`typeof ${name}`] = () => typeof globalThis[name];
for (const name of CLASSES) {
    table[`members of ${name}`] = () => {
        const C = globalThis[name];
        return typeof C === "function" ? Object.getOwnPropertyNames(C.prototype).filter(plain).sort() : "absent";
    };
    table[`statics of ${name}`] = () => {
        const C = globalThis[name];
        return typeof C === "function" ? Object.getOwnPropertyNames(C).filter(plain).sort() : "absent";
    };
    table[`parent of ${name}`] = () => {
        const C = globalThis[name];
        return typeof C === "function" ? Object.getPrototypeOf(C.prototype)?.constructor?.name ?? null : "absent";
    };
}
table["enumerable globals"] = () => Object.keys(globalThis).sort();

export default table;
