// Collects what one area uploads: a generated main module, the case tables, and other modules.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { areas } from "../areas.mjs";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

const isTable = (name) => name.endsWith(".js") && !name.startsWith("_");

function mainModule(area, tables) {
    const lines = ['import { answer } from "./worker/report.js";'];
    tables.forEach((name, i) => lines.push(`import t${i} from "./cases/${area}/${name}";`));
    const table = tables.map((name, i) => `${JSON.stringify(name.slice(0, -3))}: t${i}`).join(", ");
    lines.push(`const files = { ${table} };`);
    lines.push("export default {");
    lines.push("    fetch(request, env, ctx) { return answer(request, env, ctx, files); },");
    lines.push("};");
    return lines.join("\n") + "\n";
}

/** @returns {{name: string, type: string, contents: string | Uint8Array}[]} main module first. */
export function modulesOf(area) {
    const folder = join(ROOT, "cases", area);
    const files = readdirSync(folder).sort();
    const tables = files.filter(isTable);
    const modules = [{ name: "main.js", type: "esm", contents: mainModule(area, tables) }];
    modules.push({ name: "worker/report.js", type: "esm",
        contents: readFileSync(join(ROOT, "worker", "report.js"), "utf8") });
    for (const name of files.filter((n) => n.endsWith(".js")))
        modules.push({ name: `cases/${area}/${name}`, type: "esm",
            contents: readFileSync(join(folder, name), "utf8") });
    for (const [name, type] of Object.entries(areas[area].modules ?? {})) {
        const binary = type === "wasm" || type === "data";
        modules.push({ name: `cases/${area}/${name}`, type,
            contents: readFileSync(join(folder, name), binary ? null : "utf8") });
    }
    return modules;
}

export function echoModules() {
    return workerModules("echo");
}

/** A Worker that areas call: one file of worker/. */
export function workerModules(name) {
    return [{ name: "main.js", type: "esm",
        contents: readFileSync(join(ROOT, "worker", `${name}.js`), "utf8") }];
}

/** Files of the static assets of the area "assets": [path, absolute file name]. */
export function assetFiles() {
    const root = join(ROOT, "cases", "assets", "public");
    return readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
        .map((file) => [file.slice(root.length), file]);
}
