/*
 * Modules that exist so that importing them does not fail: what can be answered is, the rest throws
 * ERR_METHOD_NOT_IMPLEMENTED, as upstream. make(name) gives a module's exports.
 */
const {
    codes: { ERR_INVALID_ARG_VALUE, ERR_TRACE_EVENTS_CATEGORY_REQUIRED }, notImplemented, validateArray, validateBoolean, validateFunction, validateInt32, validateObject, validateOneOf,
    validateString, validateUint32,
} = require("./errors.js");
const EventEmitter = require("./events.js");

const no = (module, name) => ({ [name]: () => notImplemented(`${module}.${name}`) }[name]);
const hide = (proto, name, value) => Object.defineProperty(proto, name, { value, writable: true, configurable: true });
const noClass = (module, name) => ({ [name]: function () { notImplemented(`${module}.${name}`); } }[name]);
const all = (module, names, classes = []) => Object.fromEntries([...names.map((n) => [n, no(module, n)]), ...classes.map((n) => [n, noClass(module, n)])]);

const HEAP = ["total_heap_size", "total_heap_size_executable", "total_physical_size", "total_available_size", "used_heap_size", "heap_size_limit", "malloced_memory",
    "peak_malloced_memory", "does_zap_garbage", "number_of_native_contexts", "number_of_detached_contexts", "total_global_handles_size", "used_global_handles_size", "external_memory"];

/* Functions of v8 that check what they get before they say that they do not exist. */
const snapshotOptions = (options = {}) => {
    validateObject(options, "options");
    for (const name of ["exposeInternals", "exposeNumericValues"]) validateBoolean(options[name] ?? false, `options.${name}`);
};
const V8_CHECKED = {
    getHeapSnapshot: snapshotOptions,
    writeHeapSnapshot(file, options) {
        if (file !== undefined) validateString(file, "filename");
        snapshotOptions(options);
    },
    setFlagsFromString: (flags) => validateString(flags, "flags"),
    isStringOneByteRepresentation: (content) => validateString(content, "content"),
    setHeapSnapshotNearHeapLimit: (limit) => validateUint32(limit, "limit", true),
    queryObjects(ctor, options = {}) {
        validateFunction(ctor, "constructor");
        validateObject(options, "options");
        if (!["count", "summary"].includes(options.format || "count")) throw new ERR_INVALID_ARG_VALUE("options.format", options.format);
    },
};

/* Names of sqlite3.h in the order of their numbers; a gap is a number without a name. */
const SQLITE_CHANGES = {
    CHANGESET_OMIT: 0, CHANGESET_REPLACE: 1, CHANGESET_ABORT: 2, CHANGESET_DATA: 1, CHANGESET_NOTFOUND: 2, CHANGESET_CONFLICT: 3, CHANGESET_CONSTRAINT: 4,
    CHANGESET_FOREIGN_KEY: 5, OK: 0, DENY: 1, IGNORE: 2, COPY: 0,
};
const SQLITE_ACTIONS = `CREATE_INDEX CREATE_TABLE CREATE_TEMP_INDEX CREATE_TEMP_TABLE CREATE_TEMP_TRIGGER CREATE_TEMP_VIEW CREATE_TRIGGER CREATE_VIEW DELETE
    DROP_INDEX DROP_TABLE DROP_TEMP_INDEX DROP_TEMP_TABLE DROP_TEMP_TRIGGER DROP_TEMP_VIEW DROP_TRIGGER DROP_VIEW INSERT PRAGMA READ SELECT TRANSACTION UPDATE
    ATTACH DETACH ALTER_TABLE REINDEX ANALYZE CREATE_VTABLE DROP_VTABLE FUNCTION SAVEPOINT RECURSIVE`;
function sqliteConstants() {
    const actions = SQLITE_ACTIONS.split(/\s+/).map((name, i) => [name, i + 1]);
    return Object.fromEntries([...Object.entries(SQLITE_CHANGES), ...actions].map(([name, value]) => [`SQLITE_${name}`, value]));
}

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
    sqlite: () => ({ ...all("sqlite", ["backup"], ["DatabaseSync", "StatementSync", "Session"]), constants: sqliteConstants() }),
    stream_wrap: () => noClass("_stream_wrap", "JSStreamSocket"),
    trace_events() {
        class Tracing {
            #categories;
            #enabled = false;
            constructor(categories) { this.#categories = categories; }
            enable() { this.#enabled = true; }
            disable() { this.#enabled = false; }
            get enabled() { return this.#enabled; }
            get categories() { return this.#categories.join(","); }
        }
        return {
            createTracing(options) {
                validateObject(options, "options");
                const { categories } = options;
                validateArray(categories, "options.categories");
                categories.forEach((category, i) => validateString(category, `options.categories[${i}]`));
                if (categories.length === 0) throw new ERR_TRACE_EVENTS_CATEGORY_REQUIRED();
                return new Tracing(categories);
            },
            getEnabledCategories: () => undefined,
        };
    },
    v8: () => ({
        ...all("v8", ["takeCoverage", "stopCoverage", "serialize", "deserialize"], ["Serializer", "Deserializer", "DefaultSerializer", "DefaultDeserializer"]),
        GCProfiler: class GCProfiler {
            start() { notImplemented("GCProfiler.start"); }
            stop() { notImplemented("GCProfiler.stop"); }
        },
        ...Object.fromEntries(Object.entries(V8_CHECKED).map(([name, check]) => [name, { [name](...args) {
            check(...args);
            notImplemented(name);
        } }[name]])),
        cachedDataVersionTag: () => 0, getHeapStatistics: () => Object.fromEntries(HEAP.map((name) => [name, 0])), // numbers of another engine
        getCppHeapStatistics(level = "detailed") {
            validateOneOf(level, "type", ["brief", "detailed"]);
            return { committed_size_bytes: 0, resident_size_bytes: 0, used_size_bytes: 0, space_statistics: [], type_names: [], detail_level: level };
        },
        getHeapSpaceStatistics: () => [], getHeapCodeStatistics: () => ({ code_and_metadata_size: 0, bytecode_and_metadata_size: 0, external_script_source_size: 0, cpu_profiler_metadata_size: 0 }),
        promiseHooks: all("promiseHooks", ["createHook", "onInit", "onBefore", "onAfter", "onSettled"]),
        startupSnapshot: { ...all("startupSnapshot", ["addSerializeCallback", "addDeserializeCallback", "setDeserializeMainFunction"]), isBuildingSnapshot: () => false },
    }),
    vm: () => ({
        ...all("vm", ["createContext", "createScript", "runInContext", "runInNewContext", "runInThisContext", "compileFunction", "measureMemory"], ["Script", "Module", "SourceTextModule", "SyntheticModule"]),
        isContext: () => false, constants: { __proto__: null, USE_MAIN_CONTEXT_DEFAULT_LOADER: Symbol("vm_dynamic_import_main_context_default"), DONT_CONTEXTIFY: Symbol("vm_context_no_contextify") },
    }),
    wasi() {
        const given = (value, check, name) => value === undefined || check(value, `options.${name}`);
        class WASI {
            constructor(options = { version: "unstable" }) {
                validateObject(options, "options");
                validateOneOf(options.version, "options.version", ["unstable", "preview1"]);
                given(options.args, validateArray, "args");
                for (const name of ["env", "preopens"]) given(options[name], validateObject, name);
                for (const name of ["stdin", "stdout", "stderr"]) given(options[name], (value) => validateInt32(value, `options.${name}`, 0), name);
                given(options.returnOnExit, validateBoolean, "returnOnExit");
                notImplemented("WASI");
            }
        }
        return { WASI };
    },
};

module.exports = (name) => MODULES[name]();
