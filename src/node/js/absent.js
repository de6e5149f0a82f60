/*
 * Modules that exist so that importing them does not fail: what can be answered is, the rest throws
 * ERR_METHOD_NOT_IMPLEMENTED, as upstream. make(name) gives a module's exports.
 */
const { notImplemented } = require("./errors.js");
const EventEmitter = require("./events.js");

const no = (module, name) => ({ [name]: () => notImplemented(`${module}.${name}`) }[name]);
const noClass = (module, name) => ({ [name]: function () { notImplemented(`${module}.${name}`); } }[name]);
const all = (module, names, classes = []) => Object.fromEntries([...names.map((n) => [n, no(module, n)]), ...classes.map((n) => [n, noClass(module, n)])]);

const MODULES = {
    child_process: () => all("child_process", ["_forkChild", "exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"], ["ChildProcess"]),
    cluster() {
        const cluster = new EventEmitter();
        return Object.assign(cluster, {
            isWorker: false, isMaster: true, isPrimary: true, Cluster: noClass("cluster", "Cluster"), _maxListeners: 10, workers: {}, settings: {}, SCHED_NONE: 1, SCHED_RR: 2, schedulingPolicy: 2, Worker: noClass("cluster", "Worker"),
            setupPrimary: no("cluster", "setupPrimary"), setupMaster: no("cluster", "setupMaster"), fork: no("cluster", "fork"), disconnect: no("cluster", "disconnect"),
        });
    },
    dgram: () => all("dgram", ["createSocket", "_createSocketHandle"], ["Socket"]),
    domain() {
        class Domain extends EventEmitter {
            members = [];
            add() {}
            remove() {}
            enter() {}
            exit() {}
            run(fn, ...args) { return fn.apply(this, args); }
            bind(fn) { return fn; }
            intercept(fn) { return (error, ...args) => fn(...args); }
        }
        const create = () => new Domain();
        return { Domain, createDomain: create, create, active: null, _stack: [] };
    },
    http2: () => ({
        ...all("http2", ["connect", "createServer", "createSecureServer", "getDefaultSettings", "getPackedSettings", "getUnpackedSettings", "performServerHandshake"], ["Http2ServerRequest", "Http2ServerResponse"]),
        constants: { NGHTTP2_NO_ERROR: 0, NGHTTP2_CANCEL: 8, HTTP2_HEADER_STATUS: ":status", HTTP2_HEADER_METHOD: ":method", HTTP2_HEADER_AUTHORITY: ":authority", HTTP2_HEADER_SCHEME: ":scheme", HTTP2_HEADER_PATH: ":path", HTTP2_HEADER_CONTENT_TYPE: "content-type", HTTP2_HEADER_CONTENT_LENGTH: "content-length" },
        sensitiveHeaders: Symbol("sensitiveHeaders"),
    }),
    inspector: () => ({ url: () => undefined, close() {}, console: globalThis.console, Network: {}, ...all("inspector", ["open", "waitForDebugger"], ["Session"]) }),
    repl: () => ({ ...all("repl", ["start"], ["REPLServer", "Recoverable"]), writer: require("./inspect.js").inspect, REPL_MODE_SLOPPY: Symbol("repl-sloppy"), REPL_MODE_STRICT: Symbol("repl-strict"), builtinModules: [], _builtinLibs: [] }),
    sqlite: () => ({ ...all("sqlite", ["backup"], ["DatabaseSync", "StatementSync", "Session"]), constants: { SQLITE_CHANGESET_OMIT: 0, SQLITE_CHANGESET_REPLACE: 1, SQLITE_CHANGESET_ABORT: 2 } }),
    stream_wrap: () => noClass("_stream_wrap", "JSStreamSocket"),
    trace_events: () => ({ createTracing: () => ({ enabled: false, categories: "", enable() {}, disable() {} }), getEnabledCategories: () => "" }),
    v8: () => ({
        ...all("v8", ["getHeapSnapshot", "writeHeapSnapshot", "setFlagsFromString", "takeCoverage", "stopCoverage", "queryObjects", "serialize", "deserialize"], ["Serializer", "Deserializer", "DefaultSerializer", "DefaultDeserializer", "GCProfiler"]),
        cachedDataVersionTag: () => 0, getHeapStatistics() {
            const [used, total, extra] = native.node.memory();
            return { total_heap_size: total, total_heap_size_executable: 0, total_physical_size: total, total_available_size: 128 * 1024 * 1024, used_heap_size: used, heap_size_limit: 128 * 1024 * 1024, malloced_memory: 0, peak_malloced_memory: 0, does_zap_garbage: 0, number_of_native_contexts: 1, number_of_detached_contexts: 0, total_global_handles_size: 0, used_global_handles_size: 0, external_memory: extra };
        },
        getCppHeapStatistics: () => ({}), getHeapSpaceStatistics: () => [], getHeapCodeStatistics: () => ({ code_and_metadata_size: 0, bytecode_and_metadata_size: 0, external_script_source_size: 0, cpu_profiler_metadata_size: 0 }),
        promiseHooks: { createHook: () => () => {}, onInit: () => () => {}, onBefore: () => () => {}, onAfter: () => () => {}, onSettled: () => () => {} },
        startupSnapshot: { addSerializeCallback() {}, addDeserializeCallback() {}, setDeserializeMainFunction() {}, isBuildingSnapshot: () => false },
        isStringOneByteRepresentation: (text) => !/[^\x00-\xff]/.test(text), setHeapSnapshotNearHeapLimit() {},
    }),
    vm: () => ({
        ...all("vm", ["createContext", "createScript", "runInContext", "runInNewContext", "runInThisContext", "compileFunction", "measureMemory"], ["Script", "Module", "SourceTextModule", "SyntheticModule"]),
        isContext: () => false, constants: { __proto__: null, USE_MAIN_CONTEXT_DEFAULT_LOADER: Symbol("vm_dynamic_import_main_context_default"), DONT_CONTEXTIFY: Symbol("vm_context_no_contextify") },
    }),
    wasi: () => all("wasi", [], ["WASI"]),
    worker_threads() {
        const data = new Map();
        return {
            isMainThread: true, isInternalThread: false, threadId: 0, threadName: "", parentPort: null, workerData: null, resourceLimits: {}, SHARE_ENV: Symbol.for("nodejs.worker_threads.SHARE_ENV"),
            MessageChannel: globalThis.MessageChannel, MessagePort: globalThis.MessagePort, BroadcastChannel: noClass("worker_threads", "BroadcastChannel"), Worker: noClass("worker_threads", "Worker"),
            markAsUncloneable() {}, markAsUntransferable() {}, isMarkedAsUntransferable: () => false, moveMessagePortToContext: no("worker_threads", "moveMessagePortToContext"),
            receiveMessageOnPort: no("worker_threads", "receiveMessageOnPort"), postMessageToThread: no("worker_threads", "postMessageToThread"),
            getEnvironmentData: (key) => data.get(key), setEnvironmentData: (key, value) => void (value === undefined ? data.delete(key) : data.set(key, value)),
        };
    },
};

module.exports = (name) => MODULES[name]();
