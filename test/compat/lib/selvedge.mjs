// The side under test: areas deployed through the REST API, asked over HTTP.

import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { extname } from "node:path";
import { startSelvedge } from "../../e2e/lib/selvedge.mjs";
import { api } from "../../e2e/lib/deploy.mjs";
import { get } from "../../e2e/lib/http.mjs";
import { areas, COMPATIBILITY_DATE } from "../areas.mjs";
import { assetFiles, echoModules, modulesOf, workerModules } from "./bundle.mjs";

const CONTENT_TYPES = { esm: "application/javascript+module", text: "text/plain", data: "application/octet-stream",
    wasm: "application/wasm", commonjs: "application/javascript", json: "application/json" };

const ASSET_TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8" };

/** Makes the store a binding names and returns the binding as the API wants it. */
async function bindingOf(server, area, b) {
    const title = `${area}-${b.id}`;
    switch (b.type) {
    case "kv": {
        const { id } = await api(server, "POST", "/storage/kv/namespaces", { title });
        return { name: b.name, type: "kv_namespace", namespace_id: id };
    }
    case "d1": {
        const { uuid } = await api(server, "POST", "/d1/database", { name: title });
        return { name: b.name, type: "d1", id: uuid };
    }
    case "r2":
        await api(server, "POST", "/r2/buckets", { name: title });
        return { name: b.name, type: "r2_bucket", bucket_name: title };
    default:
        return b;
    }
}

async function uploadAsset(server, jwt, hash, file) {
    const type = ASSET_TYPES[extname(file)] ?? "application/null";
    const response = await fetch(`${server.apiUrl}/accounts/${server.account}/workers/assets/upload?base64=true`, {
        method: "POST",
        headers: { authorization: `Bearer ${jwt}` },
        body: formOf(hash, readFileSync(file).toString("base64"), type),
    });
    const answer = await response.json();
    if (!answer.success) throw new Error(`asset ${file}: ${JSON.stringify(answer.errors)}`);
    return answer.result.jwt;
}

function formOf(hash, text, type) {
    const form = new FormData();
    form.set(hash, new File([text], hash, { type }));
    return form;
}

async function uploadAssets(server, script) {
    const manifest = {};
    const byHash = new Map();
    for (const [path, file] of assetFiles()) {
        const content = readFileSync(file);
        const hash = createHash("sha256").update(content).update(extname(file)).digest("hex").slice(0, 32);
        manifest[path] = { hash, size: content.length };
        byHash.set(hash, file);
    }
    const session = await api(server, "POST", `/workers/scripts/${script}/assets-upload-session`, { manifest });
    let { jwt } = session;
    for (const hash of session.buckets.flat())
        jwt = (await uploadAsset(server, session.jwt, hash, byHash.get(hash))) || jwt;
    return jwt;
}

async function put(server, script, modules, metadata) {
    const form = new FormData();
    form.set("metadata", JSON.stringify({ main_module: modules[0].name, compatibility_date: COMPATIBILITY_DATE, ...metadata }));
    for (const { name, type, contents } of modules)
        form.set(name, new File([contents], name, { type: CONTENT_TYPES[type] }));
    await api(server, "PUT", `/workers/scripts/${script}`, form);
    await api(server, "POST", `/workers/scripts/${script}/subdomain`, { enabled: true });
}

/** Uploads the cases of one area as the Worker `compat-<area>`. */
export async function deployArea(server, area) {
    const script = `compat-${area}`;
    const bindings = [];
    for (const b of areas[area].bindings ?? []) bindings.push(await bindingOf(server, area, b));
    const metadata = { bindings, compatibility_flags: areas[area].flags ?? [] };
    if (areas[area].assets) {
        const jwt = await uploadAssets(server, script);
        metadata.assets = { jwt, config: { html_handling: "auto-trailing-slash", not_found_handling: "404-page", run_worker_first: true } };
    }
    await put(server, script, modulesOf(area), metadata);
}

/** Starts `selvedge serve` with an empty data directory and the Worker that others are bound to. */
export async function startUnderTest() {
    const server = await startSelvedge();
    await put(server, "echo", echoModules(), { bindings: [] });
    await put(server, "callee", workerModules("callee"), { bindings: [] });
    return server;
}

async function askOnce(server, area, path) {
    const answer = await get(server, `compat-${area}`, path);
    if (answer.status !== 200) throw new Error(`${area}: ${answer.status} ${answer.text.slice(0, 300)}`);
    return JSON.parse(answer.text);
}

/** All results of an area. When the whole cannot be had, each case is asked for by itself. */
export async function askArea(server, area, ids) {
    try {
        return await askOnce(server, area, "/");
    } catch (whole) {
        const results = {};
        for (const id of ids) {
            try {
                Object.assign(results, await askOnce(server, area, `/?only=${encodeURIComponent(id)}`));
            } catch (e) {
                results[id] = { failed: e.message };
            }
        }
        if (Object.values(results).every((r) => r.failed)) throw whole;
        return results;
    }
}
