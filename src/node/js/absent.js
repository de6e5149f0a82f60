/*
 * Modules that exist so that importing them does not fail: what can be answered is, the rest throws
 * ERR_METHOD_NOT_IMPLEMENTED, as upstream. make(name) gives a module's exports.
 */
const { notImplemented, validateArray, validateFunction, validateObject, validateOneOf, validateString } = require("./errors.js");
const EventEmitter = require("./events.js");

const no = (module, name) => ({ [name]: () => notImplemented(`${module}.${name}`) }[name]);
const hide = (proto, name, value) => Object.defineProperty(proto, name, { value, writable: true, configurable: true });
const noClass = (module, name) => ({ [name]: function () { notImplemented(`${module}.${name}`); } }[name]);
const all = (module, names, classes = []) => Object.fromEntries([...names.map((n) => [n, no(module, n)]), ...classes.map((n) => [n, noClass(module, n)])]);

const HEAP = ["total_heap_size", "total_heap_size_executable", "total_physical_size", "total_available_size", "used_heap_size", "heap_size_limit", "malloced_memory",
    "peak_malloced_memory", "does_zap_garbage", "number_of_native_contexts", "number_of_detached_contexts", "total_global_handles_size", "used_global_handles_size", "external_memory"];

const MODULES = {
    child_process() {
        class ChildProcess extends EventEmitter {
            constructor() {
                super();
                notImplemented("child_process.ChildProcess");
            }

            kill() { return false; }
            send() { return false; }
            disconnect() {}
            ref() {}
            unref() {}
            [Symbol.dispose]() {}
        }
        const checked = (name, check) => ({ [name](...args) {
            check(...args);
            notImplemented(`child_process.${name}`);
        } }[name]);
        const command = (value) => validateString(value, "command");
        return {
            ...all("child_process", ["_forkChild", "execFile", "execFileSync", "execSync", "spawn"]), ChildProcess,
            exec: checked("exec", (text, options, callback) => {
                command(text);
                if (options !== undefined && options !== null) validateObject(options, "options");
                if (callback !== undefined && callback !== null) validateFunction(callback, "callback");
            }),
            fork: checked("fork", (path, args, options) => {
                const list = args === undefined || args === null || (typeof args === "object" && !Array.isArray(args)) ? [] : args;
                validateArray(list, "args");
                if (options !== undefined && options !== null) validateObject(options, "options");
            }),
            spawnSync: checked("spawnSync", command),
        };
    },
    cluster() {
        class Worker extends EventEmitter {
            _connected = false;
            id = 0;
            get process() { return globalThis.process; }
            get exitedAfterDisconnect() { return this._connected; }
            isConnected() { return this._connected; }
            isDead() { return true; }
            send() { return false; }
            kill() { this._connected = false; }
            destroy() { this._connected = false; }
            disconnect() {
                this._connected = false;
                return this;
            }
        }
        const fields = { isWorker: false, isMaster: true, isPrimary: true, SCHED_NONE: 1, SCHED_RR: 2, schedulingPolicy: 2, workers: {}, settings: {}, Worker };
        const methods = Object.fromEntries(["setupPrimary", "setupMaster", "fork", "disconnect"].map((name) => [name, no("cluster", name)]));
        class Cluster extends EventEmitter {
            constructor() {
                super();
                Object.assign(this, fields, methods);
            }
        }
        return Object.assign(new Cluster(), { _maxListeners: 10, Cluster });
    },
    domain() {
        class Domain extends EventEmitter {
            add() {}
            remove() {}
            enter() {}
            exit() {}
            run(fn, ...args) { return fn.apply(this, args); }
            bind(fn) { return fn; }
            intercept(fn) { return fn; }
            _errorHandler(error) { throw error; }
        }
        return { Domain, createDomain: () => new Domain(), create: new Domain(), active: null, _stack: [] };
    },
    http2: () => ({
        ...all("http2", ["connect", "createServer", "createSecureServer", "getDefaultSettings", "getPackedSettings", "getUnpackedSettings", "performServerHandshake"], ["Http2ServerRequest", "Http2ServerResponse"]),
        constants: { NGHTTP2_NO_ERROR: 0, NGHTTP2_CANCEL: 8, HTTP2_HEADER_STATUS: ":status", HTTP2_HEADER_METHOD: ":method", HTTP2_HEADER_AUTHORITY: ":authority", HTTP2_HEADER_SCHEME: ":scheme", HTTP2_HEADER_PATH: ":path", HTTP2_HEADER_CONTENT_TYPE: "content-type", HTTP2_HEADER_CONTENT_LENGTH: "content-length" },
        sensitiveHeaders: Symbol("sensitiveHeaders"),
    }),
    inspector() {
        class Session extends EventEmitter {
            constructor() {
                super();
                notImplemented("Session");
            }
        }
        for (const name of ["connect", "connectToMainThread", "disconnect", "post"]) hide(Session.prototype, name, no("Session", name));
        const quiet = ["debug", "error", "info", "log", "warn", "dir", "dirxml", "table", "trace", "group", "groupCollapsed", "groupEnd", "clear", "count", "countReset", "assert",
            "profile", "profileEnd", "time", "timeLog", "timeStamp"];
        return {
            Session, url: () => undefined, close() {}, waitForDebugger() {}, open: () => ({ [Symbol.dispose]: () => Promise.resolve() }),
            console: Object.fromEntries(quiet.map((name) => [name, () => {}])),
            Network: all("Network", ["requestWillBeSent", "dataReceived", "dataSent", "responseReceived", "loadingFinished", "loadingFailed", "webSocketCreated",
                "webSocketHandshakeResponseReceived", "webSocketClosed"]),
        };
    },
    repl() {
        const { Interface } = require("./readline.js");
        class REPLServer extends Interface {
            constructor() {
                super(notImplemented("REPLServer"));
            }
        }
        for (const name of ["setupHistory", "defineCommand", "displayPrompt", "clearBufferedCommand"]) hide(REPLServer.prototype, name, no("REPLServer", name));
        class Recoverable extends SyntaxError {
            constructor(err) {
                super();
                this.err = err;
            }
        }
        const builtinModules = Object.keys(web.MODULES).filter((name) => !name.startsWith("_") && !web.PREFIX_ONLY.includes(name));
        return { ...all("repl", ["start", "writer"]), REPLServer, Recoverable, REPL_MODE_SLOPPY: Symbol("repl-sloppy"), REPL_MODE_STRICT: Symbol("repl-strict"), builtinModules, _builtinLibs: builtinModules };
    },
    sqlite: () => ({ ...all("sqlite", ["backup"], ["DatabaseSync", "StatementSync", "Session"]), constants: { SQLITE_CHANGESET_OMIT: 0, SQLITE_CHANGESET_REPLACE: 1, SQLITE_CHANGESET_ABORT: 2 } }),
    stream_wrap: () => noClass("_stream_wrap", "JSStreamSocket"),
    trace_events: () => ({ createTracing: () => ({ enabled: false, categories: "", enable() {}, disable() {} }), getEnabledCategories: () => "" }),
    v8: () => ({
        ...all("v8", ["getHeapSnapshot", "writeHeapSnapshot", "setFlagsFromString", "takeCoverage", "stopCoverage", "queryObjects", "serialize", "deserialize"], ["Serializer", "Deserializer", "DefaultSerializer", "DefaultDeserializer", "GCProfiler"]),
        cachedDataVersionTag: () => 0, getHeapStatistics: () => Object.fromEntries(HEAP.map((name) => [name, 0])), // numbers of another engine
        getCppHeapStatistics(level = "detailed") {
            validateOneOf(level, "type", ["brief", "detailed"]);
            return { committed_size_bytes: 0, resident_size_bytes: 0, used_size_bytes: 0, space_statistics: [], type_names: [], detail_level: level };
        },
        getHeapSpaceStatistics: () => [], getHeapCodeStatistics: () => ({ code_and_metadata_size: 0, bytecode_and_metadata_size: 0, external_script_source_size: 0, cpu_profiler_metadata_size: 0 }),
        promiseHooks: { createHook: () => () => {}, onInit: () => () => {}, onBefore: () => () => {}, onAfter: () => () => {}, onSettled: () => () => {} },
        startupSnapshot: { addSerializeCallback() {}, addDeserializeCallback() {}, setDeserializeMainFunction() {}, isBuildingSnapshot: () => false },
        isStringOneByteRepresentation: (text) => !/[^\x00-\xff]/.test(text), setHeapSnapshotNearHeapLimit() {},
    }),
    vm: () => ({
        ...all("vm", ["createContext", "createScript", "runInContext", "runInNewContext", "runInThisContext", "compileFunction", "measureMemory"], ["Script", "Module", "SourceTextModule", "SyntheticModule"]),
        isContext: () => false, constants: { __proto__: null, USE_MAIN_CONTEXT_DEFAULT_LOADER: Symbol("vm_dynamic_import_main_context_default"), DONT_CONTEXTIFY: Symbol("vm_context_no_contextify") },
    }),
    wasi: () => all("wasi", [], ["WASI"]),
};

module.exports = (name) => MODULES[name]();
