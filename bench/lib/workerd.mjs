// The peer: workerd itself for HTTP, miniflare where a binding needs its simulators.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const binary = require("workerd").default;

function configOf(names, bindings) {
    const bound = (name) => Object.entries(bindings[name] ?? {}).map(([binding, service]) => `(name = "${binding}", service = "${service}")`).join(", ");
    const services = names.map((name) => `(name = "${name}", worker = (modules = [(name = "${name}.js", esModule = embed "${name}.js")], compatibilityDate = "2026-01-01", bindings = [${bound(name)}]))`);
    const sockets = names.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`);
    return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [${services.join(", ")}], sockets = [${sockets.join(", ")}]);
`;
}

/** workers: {name: source}; bindings: {name: {BINDING: name of another}}. Resolves once every one of them listens. */
export async function startWorkerd(workers, bindings = {}) {
    const folder = mkdtempSync(join(tmpdir(), "bench-workerd-"));
    const names = Object.keys(workers);
    for (const name of names) writeFileSync(join(folder, `${name}.js`), workers[name]);
    writeFileSync(join(folder, "config.capnp"), configOf(names, bindings));
    const child = spawn(binary, ["serve", "--control-fd=3", join(folder, "config.capnp")], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
    const ports = await new Promise((resolve, reject) => {
        const found = {};
        let text = "";
        let errors = "";
        child.stderr.on("data", (chunk) => { errors += chunk; });
        child.on("exit", (code) => reject(new Error(`workerd ended with ${code}: ${errors}`)));
        child.stdio[3].on("data", (chunk) => {
            text += chunk;
            for (const line of text.split("\n").slice(0, -1)) {
                const event = JSON.parse(line);
                if (event.event === "listen") found[event.socket] = event.port;
            }
            if (Object.keys(found).length === names.length) resolve(found);
        });
    });
    return {
        pid: child.pid,
        ports,
        async stop() {
            const ended = new Promise((resolve) => child.once("exit", resolve));
            child.removeAllListeners("exit");
            child.kill("SIGKILL");
            child.once("exit", () => rmSync(folder, { recursive: true, force: true }));
            await Promise.race([ended, new Promise((r) => setTimeout(r, 1000))]);
            rmSync(folder, { recursive: true, force: true });
        },
    };
}

async function miniflare(source, options) {
    const { Miniflare, convertV4MiniflareOptions, Log, LogLevel } = require("miniflare");
    const mf = new Miniflare(convertV4MiniflareOptions({
        name: "bench", modules: [{ type: "ESModule", path: "main.js", contents: source }], modulesRoot: "/",
        compatibilityDate: "2026-01-01", log: new Log(LogLevel.NONE), cf: false, ...options,
    }));
    const url = await mf.ready;
    return { port: Number(url.port), stop: () => mf.dispose() };
}

/** One Worker with KV, D1 and R2 in miniflare, its data in `folder`. */
export function startMiniflare(source, folder) {
    return miniflare(source, {
        kvNamespaces: { KV: "bench" }, d1Databases: { DB: "bench" }, r2Buckets: { BUCKET: "bench" },
        kvPersist: join(folder, "kv"), d1Persist: join(folder, "d1"), r2Persist: join(folder, "r2"),
    });
}

/** One Worker with the Durable Object class Thing as THINGS. */
export function startMiniflareObjects(source, folder) {
    return miniflare(source, {
        durableObjects: { THINGS: { className: "Thing", useSQLite: true } }, durableObjectsPersist: join(folder, "objects"),
    });
}
