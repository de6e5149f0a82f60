/*
 * The built-in scripts that are evaluated when they are first needed; what no row names belongs to the script that every
 * isolate starts with. Files are relative to src/. The bundler (bundle.mjs) turns imports across scripts into calls.
 *
 * unloaded: what exported functions answer while their script has not been evaluated, since nothing of its kind can exist.
 */
export const ENTRY = "web/js/main.js";

export const SCRIPTS = {
    streams: {
        files: ["common", "readable", "bytes", "writable", "transform", "pipe", "tee", "splice", "classes", "extras"].map((name) => `web/js/streams/${name}.js`)
            .concat("web/js/send.js"),
        unloaded: { isReadableStream: "false", isWritableStream: "false" },
    },
    forms: { files: ["web/js/blob.js", "web/js/formdata.js"], unloaded: { blobBytes: "null", isFormData: "false" } },
    crypto: { files: ["web/js/crypto.js", "web/js/crypto_pairs.js", "web/js/der.js"], unloaded: { isKey: "false" } },
    digest_stream: { files: ["web/js/digest_stream.js"] },
    clone: { files: ["clone", "serialize", "deserialize", "serialize_format"].map((name) => `web/js/${name}.js`) },
    messages: { files: ["web/js/messages.js"] },
    performance: { files: ["web/js/performance.js"] },
    url_pattern: { files: ["web/js/url_pattern.js", "web/js/url_pattern_parse.js", "web/js/url_pattern_string.js"] },
    html: { files: ["web/js/html_rewriter.js", "web/js/html_tokens.js"] },
    eventsource: { files: ["web/js/eventsource.js"] },
    websocket: { files: ["web/js/websocket.js"], unloaded: { isWebSocket: "false" } },
    rpc: { files: ["frames", "grants", "hooks", "loopback", "payload", "serve", "session", "streams", "stub"].map((name) => `web/js/rpc/${name}.js`) },
    inspect: { files: ["web/js/inspect.js"] },
    wasi: { files: ["web/js/wasi.js"] },
    durable: { files: ["durable", "facets", "gates", "instance", "namespace", "sql", "state", "storage"].map((name) => `product/durable/${name}.js`) },
    keeper_call: { files: ["product/keeper_call.js"] },
    ratelimit: { files: ["product/ratelimit/ratelimit.js"] },
    loader: { files: ["product/fetcher/loader.js"] },
    sockets: { files: ["product/sockets/sockets.js"] },
    cache: { files: ["product/cache/cache.js"] },
    kv: { files: ["product/kv/kv.js"] },
    d1: { files: ["product/d1/d1.js"] },
    r2: { files: ["product/r2/r2.js", "product/r2/r2_options.js"] },
};
