/* node:process and the global `process`. What it says of the machine is fixed; what it does ends with the request. */
const EventEmitter = require("./events.js");
const { codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE }, notImplemented, validateFunction, validateInteger, validateString } = require("./errors.js");

const clock = native.io.clock;
const HOME = "/bundle", UMASK = 0o022, PATH_MAX = 4096;
const directories = new WeakMap(); // of the requests that went elsewhere: /tmp, too, is theirs
const OUTSIDE = {}; // of requests
directories.set(OUTSIDE, HOME);
let exitCode;

/* Strings only, as the environment of a process. */
function makeEnv() {
    const values = Object.create(null);
    if (web.populateEnv) {
        const bindings = web.env();
        for (const { name, type } of web.spec.bindings ?? []) {
            const value = bindings[name];
            if (type === "plain_text" || type === "secret_text") values[name] = `${value}`;
            else if (type === "json") values[name] = typeof value === "string" ? value : JSON.stringify(value);
        }
    }
    return new Proxy(Object.assign({}, values), {
        set(target, key, value) {
            if (typeof key === "symbol" || typeof value === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
            target[key] = `${value}`;
            return true;
        },
        defineProperty(target, key, descriptor) {
            if ("get" in descriptor || "set" in descriptor) throw new ERR_INVALID_ARG_VALUE("descriptor", descriptor, "process.env value must not have getter/setter");
            for (const name of ["configurable", "enumerable", "writable"])
                if (!descriptor[name]) throw new ERR_INVALID_ARG_VALUE(`descriptor.${name}`, descriptor, `process.env value must be ${name}`);
            if (!("value" in descriptor)) throw new ERR_INVALID_ARG_VALUE("descriptor.value", descriptor, "process.env value must be specified explicitly");
            if (typeof key === "symbol" || typeof descriptor.value === "symbol") throw new TypeError("Cannot convert a symbol value to a string");
            return Reflect.defineProperty(target, key, { ...descriptor, value: `${descriptor.value}` });
        },
    });
}

function hrtime(previous = undefined) {
    const now = clock[0];
    const seconds = Math.floor(now / 1000), nanoseconds = Math.round((now % 1000) * 1e6);
    if (previous === undefined) return [seconds, nanoseconds];
    if (!Array.isArray(previous)) throw new ERR_INVALID_ARG_TYPE("time", "Array", previous);
    if (previous.length !== 2) throw new ERR_OUT_OF_RANGE("time", 2, previous.length);
    let s = seconds - previous[0], ns = nanoseconds - previous[1];
    if (ns < 0) {
        s--;
        ns += 1e9;
    }
    return [s, ns];
}
hrtime.bigint = () => BigInt(Math.round(clock[0] * 1000)) * 1000n;

function memoryUsage() {
    const [heapUsed, heapTotal, external] = native.node.memory();
    return { rss: heapTotal + external, heapTotal, heapUsed, external, arrayBuffers: external };
}
memoryUsage.rss = () => memoryUsage().rss;

function nextTick(callback, ...args) {
    validateFunction(callback, "callback");
    queueMicrotask(args.length === 0 ? callback : () => callback(...args));
}

/* (options), (type), (type, constructor), (type, code), (type, code, constructor), (constructor) after the warning. */
function warningOptions(options, second, third) {
    if (options === undefined) return {};
    if (typeof options === "function") return { ctor: options };
    if (options !== null && typeof options === "object" && !Array.isArray(options)) return options;
    if (typeof options !== "string") throw new ERR_INVALID_ARG_TYPE("options", "object", options);
    const ctor = typeof second === "string" ? third : second;
    if (ctor !== undefined && typeof ctor !== "function") throw new ERR_INVALID_ARG_TYPE("ctor", "function", ctor);
    return { type: options, code: typeof second === "string" ? second : undefined, ctor };
}

function emitWarning(warning, options, codeOrCtor, maybeCtor) {
    const { type, code, detail, ctor } = warningOptions(options, codeOrCtor, maybeCtor);
    let error = warning;
    if (typeof error === "string") {
        error = new (ctor ?? Error)(error);
        error.name = type || "Warning";
    } else if (!(error instanceof Error)) throw new ERR_INVALID_ARG_TYPE("warning", "string or Error", error);
    else if (type && type !== "Warning") error.name = type;
    if (code) error.code = code;
    if (detail && typeof detail === "string") error.detail = detail;
    queueMicrotask(() => {
        process.emit("warning", error);
        console.warn(`(node:1) ${error.code ? `[${error.code}] ` : ""}${error.name}: ${error.message}`);
    });
}

/* Lines written to a standard stream go to the log. */
function makeOutput(fd, log) {
    const { Writable } = require("./stream.js");
    let rest = "";
    const stream = new Writable({
        decodeStrings: false,
        write(chunk, encoding, callback) {
            const text = rest + (typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk));
            const lines = text.split("\n");
            rest = lines.pop();
            for (const line of lines) log(line);
            if (rest !== "") queueMicrotask(() => {
                if (rest !== "") log(rest);
                rest = "";
            });
            callback();
        },
    });
    Object.defineProperty(stream, "readable", { value: false, writable: true, configurable: true, enumerable: true });
    return Object.assign(stream, { fd, _type: "fs", _isStdio: true });
}

/* What upstream says it is; the parts' versions are empty there. */
const VERSION = "22.23.4";
const PARTS = ["v8", "modules", "zlib", "brotli", "zstd", "ares", "napi", "llhttp", "nghttp2", "acorn", "ada", "simdutf", "nbytes", "ncrypto", "uvwasi", "uv", "openssl", "sqlite", "icu", "undici", "simdjson", "unicode", "cldr", "tz", "cjs_module_lexer", "amaro", "merve"];

class Process extends EventEmitter {}
const process = module.exports = Object.create(Process.prototype);
EventEmitter.init.call(process);
Object.defineProperty(Process, "name", { value: "process" });
Object.defineProperty(process, Symbol.toStringTag, { value: "process", configurable: true });

function exit(code = undefined) {
    if (code !== undefined) exitCode = Number(code) || 0;
    process.emit("exit", exitCode ?? 0);
    throw new Error(`process.exit(${code ?? ""}) was called; the request ends here.`);
}

const nothing = () => {};
function refuse(syscall) {
    throw Object.assign(new Error(`EPERM: operation not permitted, ${syscall}`), { code: "EPERM", syscall });
}
Object.assign(process, {
    version: `v${VERSION}`,
    versions: { node: VERSION, ...Object.fromEntries(PARTS.map((name) => [name, ""])) },
    arch: "x64", platform: "linux",
    release: { name: "node", lts: "Jod", sourceUrl: `https://nodejs.org/download/release/v${VERSION}/node-v${VERSION}.tar.gz`, headersUrl: `https://nodejs.org/download/release/v${VERSION}/node-v${VERSION}-headers.tar.gz` },
    config: { target_defaults: {}, variables: {} }, title: "workerd", argv: ["workerd"], argv0: "workerd", execArgv: [], execPath: "", pid: 1, ppid: 0, debugPort: 9229,
    moduleLoadList: [], noDeprecation: false, throwDeprecation: false, traceDeprecation: false, sourceMapsEnabled: false,
    features: {
        inspector: false, debug: false, uv: true, ipv6: true, tls_alpn: true, tls_sni: true, tls_ocsp: true, tls: true, cached_builtins: true,
        require_module: false, openssl_is_boringssl: true, typescript: false, // as upstream says
    },
    permission: { has: () => true }, report: { compact: false, directory: "", filename: "", reportOnFatalError: false, reportOnSignal: false, signal: "SIGUSR2", getReport: () => ({}), writeReport: () => "" }, allowedNodeEnvironmentFlags: new Set(),
    nextTick, emitWarning, hrtime, memoryUsage, exit, reallyExit: exit, abort: exit,
    cwd: () => directories.get(web.context.current ?? OUTSIDE) ?? directories.get(OUTSIDE),
    chdir(path) {
        validateString(path, "directory");
        const target = require("./path.js").resolve(process.cwd(), path);
        const there = path.length <= PATH_MAX && require("./fs.js").statSync(target, { throwIfNoEntry: false });
        if (path === "") throw require("./util.js").uvError("ENOENT", "chdir", { path });
        if (path.length > PATH_MAX) throw require("./util.js").uvError("ENAMETOOLONG", "chdir", { path });
        if (there === undefined) throw require("./util.js").uvError("ENOENT", "chdir", { path });
        if (!there.isDirectory()) throw require("./util.js").uvError("ENOTDIR", "chdir", { path });
        directories.set(web.context.current ?? OUTSIDE, target);
    },
    uptime: () => 0,
    resourceUsage: () => ({ userCPUTime: 0, systemCPUTime: 0, maxRSS: 0, sharedMemorySize: 0, unsharedDataSize: 0, unsharedStackSize: 0, minorPageFault: 0, majorPageFault: 0, swappedOut: 0, fsRead: 0, fsWrite: 0, ipcSent: 0, ipcReceived: 0, signalsCount: 0, voluntaryContextSwitches: 0, involuntaryContextSwitches: 0 }),
    constrainedMemory: () => 0, availableMemory: () => 0, umask(value = undefined) {
        if (value === undefined) return UMASK;
        if (typeof value !== "string" && typeof value !== "number") throw new ERR_INVALID_ARG_TYPE("mask", ["number", "string"], value);
        const mask = typeof value === "number" ? value : /^[0-7]+$/.test(value) ? parseInt(value, 8) : NaN;
        if (mask !== mask >>> 0) throw new ERR_INVALID_ARG_VALUE("mask", value, "must be a 32-bit unsigned integer or an octal string");
        return UMASK;
    },
    getuid: () => 0, geteuid: () => 0, getgid: () => 0, getegid: () => 0, getgroups: () => [0],
    ...Object.fromEntries(["setuid", "seteuid", "setgid", "setegid"].map((name) => [name, { [name](id) { if (id !== 0) refuse(name); } }[name]])),
    ...Object.fromEntries(["setgroups", "initgroups"].map((name) => [name, { [name]: () => refuse(name) }[name]])),
    setSourceMapsEnabled: nothing, ref: nothing, unref: nothing,
    loadEnvFile(path = ".env") {
        const text = require("./fs.js").readFileSync(path instanceof URL ? path : String(path), "utf8");
        Object.assign(process.env, require("./util.js").parseEnv(text));
    },
    openStdin: () => process.stdin, assert: (v, m) => require("./assert.js")(v, m),
    getBuiltinModule(id) {
        validateString(id, "id");
        const name = id.startsWith("node:") ? id.slice(5) : id;
        return Object.hasOwn(web.MODULES, name) && (id !== name || !web.PREFIX_ONLY.includes(name)) ? require(web.MODULES[name] || name) : undefined;
    },
    _channel: undefined, _disconnect: undefined, _exiting: false, _handleQueue: undefined, _pendingMessage: undefined, _preload_modules: [], _send: undefined,
    channel: null, connected: false, domain: null, getSourceMapsSupport: () => ({ enabled: false, nodeModules: false, generatedCode: false }),
    _fatalException: () => false, _getActiveHandles: () => [], _getActiveRequests: () => [], _rawDebug: (...args) => console.log(...args),
    ...Object.fromEntries(["_kill", "_linkedBinding", "binding", "cpuUsage", "dlopen", "execve", "getActiveResourcesInfo", "kill", "threadCpuUsage",
        "hasUncaughtExceptionCaptureCallback", "setUncaughtExceptionCaptureCallback"].map((name) => [name, { [name]: () => notImplemented(`process.${name}`) }[name]])),
    ...Object.fromEntries(["_debugEnd", "_debugProcess", "_startProfilerIdleNotifier", "_stopProfilerIdleNotifier", "_tickCallback"].map((name) => [name, { [name]() {} }[name]])),
    send: () => false, finalization: { register: nothing, unregister: nothing, registerBeforeExit: nothing },
});

function lazy(name, get, enumerable = true) {
    Object.defineProperty(process, name, {
        get() {
            const value = get();
            Object.defineProperty(process, name, { value, writable: true, configurable: true, enumerable });
            return value;
        },
        set(value) { Object.defineProperty(process, name, { value, writable: true, configurable: true, enumerable }); },
        configurable: true, enumerable,
    });
}
lazy("env", makeEnv);
lazy("stdout", () => makeOutput(1, (line) => console.log(line)));
lazy("stderr", () => makeOutput(2, (line) => console.error(line)));
lazy("stdin", () => {
    const { ReadStream } = require("./fs.js");
    return Object.assign(new ReadStream(null, { fd: 0, autoClose: false }), { fd: 0 });
});
Object.defineProperty(process, "exitCode", {
    get: () => exitCode,
    set(value) {
        if (value !== undefined && value !== null) validateInteger(typeof value === "string" && value !== "" ? Number(value) : value, "code");
        exitCode = value;
    }, configurable: true, enumerable: true,
});

/* Events of the runtime that programs look for here. */
const on = process.on;
let forwarding = false;
function listen(name, listener) {
    if (!forwarding && (name === "unhandledRejection" || name === "rejectionHandled")) {
        forwarding = true;
        addEventListener("unhandledrejection", (event) => {
            if (process.emit("unhandledRejection", event.reason, event.promise)) event.preventDefault();
        });
        addEventListener("rejectionhandled", (event) => process.emit("rejectionHandled", event.promise));
    }
    return on.call(this, name, listener);
}
for (const name of ["on", "addListener"]) Object.defineProperty(process, name, { value: listen, writable: true, configurable: true });
