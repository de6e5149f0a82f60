// The reference: the same modules on workerd, run by miniflare.

import { createRequire } from "node:module";
import { join } from "node:path";
import { areas, COMPATIBILITY_DATE } from "../areas.mjs";
import { ROOT, echoModules, modulesOf, workerModules } from "./bundle.mjs";

const require = createRequire(import.meta.url);

const MODULE_TYPES = { esm: "ESModule", text: "Text", data: "Data", wasm: "CompiledWasm",
    commonjs: "CommonJS", json: "ESModule" };

// miniflare has no JSON modules of its own; wrangler turns them into scripts in the same way.
function moduleOf({ name, type, contents }) {
    const body = type === "json" ? `export default ${contents};` : contents;
    return { type: MODULE_TYPES[type], path: name, contents: body };
}

function bindingsOf(list = []) {
    const options = { bindings: {}, kvNamespaces: {}, d1Databases: {}, r2Buckets: {}, serviceBindings: {}, ratelimits: {} };
    for (const b of list) {
        if (b.type === "plain_text" || b.type === "secret_text") options.bindings[b.name] = b.text;
        if (b.type === "json") options.bindings[b.name] = b.json;
        if (b.type === "kv") options.kvNamespaces[b.name] = b.id;
        if (b.type === "d1") options.d1Databases[b.name] = b.id;
        if (b.type === "r2") options.r2Buckets[b.name] = b.id;
        if (b.type === "service")
            options.serviceBindings[b.name] = b.entrypoint ? { name: b.service, entrypoint: b.entrypoint, props: b.props } : b.service;
        if (b.type === "ratelimit") options.ratelimits[b.name] = { namespace_id: b.namespace_id, simple: b.simple };
        if (b.type === "version_metadata") options.versionMetadata = b.name;
    }
    return options;
}

function workerOf(area) {
    const { bindings, assets, flags } = areas[area];
    const options = {
        name: area,
        modules: modulesOf(area).map(moduleOf),
        modulesRoot: "/",
        compatibilityDate: COMPATIBILITY_DATE,
        compatibilityFlags: flags ?? [],
        routes: [`${area}.localhost/*`],
        ...bindingsOf(bindings),
    };
    if (assets) {
        options.assets = { directory: join(ROOT, "cases", "assets", "public"), binding: "ASSETS",
            routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: true },
            assetConfig: { html_handling: "auto-trailing-slash", not_found_handling: "404-page" } };
    }
    return options;
}

/** Starts workerd with the given areas. `ask(area, path)` answers parsed JSON. */
export async function startPeer(names) {
    const { Miniflare, convertV4MiniflareOptions, Log, LogLevel } = require("miniflare");
    const echo = { name: "echo", modules: echoModules().map(moduleOf), modulesRoot: "/",
        compatibilityDate: COMPATIBILITY_DATE };
    const callee = { ...echo, name: "callee", modules: workerModules("callee").map(moduleOf) };
    const options = convertV4MiniflareOptions({
        workers: [...names.map(workerOf), echo, callee],
        log: new Log(LogLevel.NONE),
        handleStructuredLogs() {},
        cf: false,
    });
    const mf = new Miniflare(options);
    await mf.ready;
    return {
        async ask(area, path) {
            const response = await mf.dispatchFetch(`http://${area}.localhost${path}`);
            const body = await response.text();
            if (!response.ok) throw new Error(`workerd, ${area}: ${response.status} ${body.slice(0, 400)}`);
            return JSON.parse(body);
        },
        stop: () => mf.dispose(),
    };
}
