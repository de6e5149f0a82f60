// What each area of cases needs. `modules` are files of the area's folder that are not JavaScript
// tables; their kind decides how they are uploaded; `flags` are compatibility flags. Everything else is found by looking.

export const COMPATIBILITY_DATE = "2026-07-01";

const echo = { name: "ECHO", type: "service", service: "echo" };

export const areas = {
    headers: {},
    request: {},
    response: {},
    body: {},
    fetch: { bindings: [echo] },
    url: {},
    encoding: {},
    streams: {},
    blob: {},
    cache: {},
    sockets: {},
    ratelimit: { bindings: [{ name: "RATE", type: "ratelimit", namespace_id: "1001", simple: { limit: 3, period: 60 } }] },
    abort: {},
    events: {},
    clone: {},
    crypto: {},
    timers: {},
    console: {},
    wasm: { modules: { "math.wasm": "wasm" } },
    errors: {},
    context: { bindings: [echo, { name: "KV", type: "kv", id: "context" }] },
    kv: { bindings: [{ name: "KV", type: "kv", id: "cases" }, { name: "OTHER", type: "kv", id: "other" }] },
    d1: { bindings: [{ name: "DB", type: "d1", id: "cases" }] },
    r2: { bindings: [{ name: "BUCKET", type: "r2", id: "cases" }] },
    assets: { assets: true, bindings: [{ name: "ASSETS", type: "assets" }] },
    vars: {
        bindings: [
            { name: "TEXT", type: "plain_text", text: "plain – text" },
            { name: "JSON", type: "json", json: { a: [1, null, "x"], deep: { b: true } } },
            { name: "SECRET", type: "secret_text", text: "hush" },
            { name: "VERSION", type: "version_metadata" },
        ],
    },
    modules: {
        modules: {
            "note.txt": "text", "page.html": "text", "bytes.bin": "data", "table.json": "json",
            "math.wasm": "wasm", "old.cjs": "commonjs", "old-child.cjs": "commonjs",
        },
    },
    globals: {},
    html: {},
    urlpattern: {},
    websocket: {},
    node: { flags: ["nodejs_compat"] },
    rpc: {
        bindings: [
            { name: "CALLEE", type: "service", service: "callee" },
            { name: "NAMED", type: "service", service: "callee", entrypoint: "Named", props: { tenant: "t1", list: [1, { a: 2 }] } },
            { name: "HANDLERS", type: "service", service: "callee", entrypoint: "handlers" },
        ],
    },
};
