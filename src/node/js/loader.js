/*
 * The only part of the node: modules that every isolate carries: their names, and how a script gets evaluated
 * when it is first required. The globals of Node (Buffer, process…) are accessors until they are first touched.
 */
import * as workers from "../../web/js/workers.js";
import * as context from "../../web/js/context.js";
import * as timers from "../../web/js/timers.js";
import { lazyGlobal, loaded as scriptLoaded, onLoad } from "../../web/js/scripts.js";
import { keyData } from "../../web/js/crypto.js";
import { flags as compat } from "../../web/js/compat.js";

/* Every name a Worker can import, without `node:`; a name that is not its script's own stands with it. */
const MODULES = {
    _http_agent: "http_client", _http_client: "http", _http_common: "http_private", _http_incoming: "http", _http_outgoing: "http_private",
    _http_server: "http_private", _stream_duplex: "stream_duplex", _stream_passthrough: "stream_passthrough",
    _stream_readable: "stream_readable", _stream_transform: "stream_transform", _stream_wrap: "stream_wrap",
    _stream_writable: "stream_writable", _tls_common: "tls", _tls_wrap: "tls",
    assert: "", "assert/strict": "assert_strict", async_hooks: "", buffer: "", child_process: "", cluster: "", console: "", constants: "",
    crypto: "", dgram: "", diagnostics_channel: "", dns: "", "dns/promises": "dns_promises", domain: "", events: "", fs: "",
    "fs/promises": "fs_promises", http: "", http2: "", https: "", inspector: "", "inspector/promises": "inspector", module: "", net: "",
    os: "", path: "", "path/posix": "path_posix", "path/win32": "path_win32", perf_hooks: "", process: "", punycode: "", querystring: "",
    readline: "", "readline/promises": "readline_promises", repl: "", sqlite: "", stream: "", "stream/consumers": "stream_consumers",
    "stream/promises": "stream_promises", "stream/web": "stream_web", string_decoder: "", sys: "util", test: "", timers: "",
    "timers/promises": "timers_promises", tls: "", trace_events: "", tty: "", url: "", util: "", "util/types": "types", v8: "", vm: "",
    wasi: "", worker_threads: "", zlib: "",
};
/* Those that Node has under their prefix only. */
const PREFIX_ONLY = ["sqlite", "test"];

/* Before nodejs_compat_v2 these are all there is. */
const FIRST = ["assert", "async_hooks", "buffer", "crypto", "diagnostics_channel", "events", "path", "process", "querystring", "stream",
    "string_decoder", "url", "util"];

const V2_SINCE = "2024-09-23", DEFAULT_SINCE = "2026-08-04", ENV_SINCE = "2025-04-01", TIMERS_SINCE = "2026-02-10", PROCESS_SINCE = "2025-09-15";

const loaded = new Map();
/* What scripts may use of the web platform; spec, registry() and readFile() are those of the Worker. */
const web = {
    frame: workers.frame, frameGet: workers.frameGet, frameRun: workers.frameRun, context, timers, keyData, scriptLoaded, onLoad, compat,
    MODULES, PREFIX_ONLY, spec: null, builtins: null, registry: null, readFile: null, env: null, populateEnv: false,
};

function load(name) {
    const id = name.startsWith("./") ? name.slice(2, -3) : name;
    let module = loaded.get(id);
    if (module !== undefined) return module.exports;
    const run = native.script(`node/${id}`);
    module = { exports: {} };
    loaded.set(id, module);
    run(load, module, module.exports, web);
    return module.exports;
}

/* module.exports as a namespace: its members, and the whole of it as the default. */
function namespace(name) {
    const exports = load(MODULES[name] || name);
    const out = Object.create(null);
    const names = Object.keys(exports).filter((key) => key !== "default");
    if (name.startsWith("_stream_")) names.push(exports.name); // the class is the module, and a member of it
    for (const key of [...names, "default"].sort()) {
        const get = key === "default" || (key === exports.name && name.startsWith("_stream_")) ? () => exports : () => exports[key];
        Object.defineProperty(out, key, { get, enumerable: true });
    }
    Object.defineProperty(out, Symbol.toStringTag, { value: "Module" });
    return Object.freeze(out);
}

function once(fn) {
    let made = null;
    return () => (made ??= fn());
}

function installGlobals(date, flags) {
    lazyGlobal("Buffer", false, () => load("buffer").Buffer);
    lazyGlobal("process", false, () => load(MODULES.process || "process"));
    for (const name of ["setImmediate", "clearImmediate"])
        Object.defineProperty(global, name, { value: timers[name], writable: true, configurable: true, enumerable: true });
    Object.defineProperty(global, "global", { value: global, writable: true, configurable: true, enumerable: true });
    if (flags.includes("enable_nodejs_global_timers") || (date >= TIMERS_SINCE && !flags.includes("no_nodejs_global_timers") && !flags.includes("disable_nodejs_global_timers"))) {
        const { setTimeout, setInterval } = global;
        for (const [name, fn] of [["setTimeout", setTimeout], ["setInterval", setInterval]]) {
            const wrapped = { [name]: (callback, delay, ...args) => new timers.Timeout(fn(callback, delay, ...args), name === "setInterval", callback, delay, args) }[name];
            Object.defineProperty(global, name, { value: wrapped, writable: true, configurable: true, enumerable: true });
        }
    }
}

/* Name -> () => namespace, by the compatibility date and flags of the Worker. Installs the globals. */
export function nodeBuiltins(spec, registry, readFile) {
    const { date = "", flags = [] } = spec.compat ?? {};
    Object.assign(web, { spec, registry, readFile, env: workers.worldEnv });
    const on = !flags.includes("no_nodejs_compat") &&
        (flags.includes("nodejs_compat") || flags.includes("nodejs_compat_v2") || date >= DEFAULT_SINCE);
    const v2 = on && !flags.includes("no_nodejs_compat_v2") && (flags.includes("nodejs_compat_v2") || date >= V2_SINCE);
    web.populateEnv = on && !flags.includes("nodejs_compat_do_not_populate_process_env") &&
        (flags.includes("nodejs_compat_populate_process_env") || date >= ENV_SINCE);
    const map = new Map();
    web.builtins = map; // those of `cloudflare:` are added by the caller
    const names = v2 ? Object.keys(MODULES) : on ? FIRST : flags.includes("nodejs_als") ? ["async_hooks"] : [];
    for (const name of names) map.set(`node:${name}`, once(() => namespace(name)));
    if (flags.includes("disable_nodejs_process_v2") || (date < PROCESS_SINCE && !flags.includes("enable_nodejs_process_v2"))) MODULES.process = "process_legacy";
    if (v2) {
        installGlobals(date, flags);
        map.set("cloudflare:node", once(() => workers.namespace({
            httpServerHandler: load("http_server").httpServerHandler, handleAsNodeRequest: load("http_server").handleAsNodeRequest,
        })));
    }
    return map;
}
