/*
 * Bundles built-in scripts into the form that vm_bootstrap() takes:
 *
 *     (function (native, global) { ...; return hooks; })
 *
 * bundle() makes one script of an entry that exports `hooks`. bundleScripts() makes the isolate's own: one that every
 * isolate starts with, and those of scripts.mjs, which are evaluated when one of their functions is first called. Sources
 * import each other as ever; what crosses scripts is replaced here:
 *
 *  - a function of a script not yet evaluated: a function that evaluates the script and calls the real one;
 *  - something else of another script (a class to extend): taken when the importing script is evaluated. The first script
 *    may not do that, since it would be evaluating everything: it asks load() of scripts.js at the time it needs it;
 *  - what scripts take from the first one: a table of exactly that, made when the first of them asks.
 *
 * All files use `native` and `global` as free names. The text is ASCII.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { build } from "esbuild";
import { ENTRY, SCRIPTS } from "./scripts.mjs";

const SRC = fileURLToPath(new URL("..", import.meta.url));
const LOADER = path.join(SRC, "web/js/scripts.js");
const OPEN = '(function (native, global) { "use strict";';
const PARTS = "const { take: $take, live: $live, load: $load, need: $need, loaded: $loaded } = native.scripts;";

/* The export at the end becomes the function's result. A function around the modules (format "iife") would
 * be shorter to write, but the engine would parse everything once more: 4 ms per isolate. */
function returnHooks(text) {
    const end = /export\s*\{\s*(?:([\w$]+) as )?hooks,?\s*\};?\s*$/;
    if (!end.test(text)) throw new Error("the entry must export hooks and nothing else");
    return text.replace(end, (all, name) => `return ${name ?? "hooks"};})`);
}

async function run(minify, options) {
    const result = await build({
        bundle: true, write: false, format: "esm", charset: "ascii", target: "es2024", minifySyntax: minify, minifyWhitespace: minify,
        legalComments: "none", metafile: true, logLevel: "error", ...options,
    });
    const inputs = Object.keys(result.metafile.inputs).filter((name) => !/^[a-z]+:/.test(name));
    return { text: returnHooks(result.outputFiles[0].text), inputs };
}

/* Returns {text, inputs: paths relative to the working directory}. */
export function bundle(entry, { minify = true } = {}) {
    return run(minify, { entryPoints: [entry], banner: { js: OPEN } });
}

/* --- what a file exports --- */

function isFunction(init) {
    return /^(?:Arrow)?FunctionExpression$/.test(init?.type) || (init?.type === "MemberExpression" && init.object.name === "access");
}

/* {parameters, passed}: what the stand-in of a function declares, so that its length stays, and what it passes on. */
function signatureOf(fn, source) {
    if (!/Function/.test(fn?.type)) return { parameters: "...a", passed: "...a" };
    const names = fn.params.map((p, i) => (p.type === "RestElement" ? `...a${i}` : `a${i}`));
    const parameters = names.map((name, i) => (fn.params[i].type === "AssignmentPattern" ? `${name} = undefined` : name)).join(", ");
    const counts = fn.type !== "ArrowFunctionExpression" && source.slice(fn.start, fn.end).includes("arguments");
    return { parameters, passed: counts ? "...arguments" : names.join(", ") };
}

/* Rows {name, kind: "function" | "const" | "let", parameters, passed, origin}; those of another file keep what they are there. */
function readExports(file) {
    const rows = [], source = readFileSync(file, "utf8");
    const add = (name, kind, signature = {}) => rows.push({ name, kind, origin: `${file}:${name}`, ...signature });
    for (const node of parse(source, { ecmaVersion: "latest", sourceType: "module" }).body) {
        if (node.type === "ExportAllDeclaration") throw new Error(`${file}: export * is not known to the bundler`);
        if (node.type !== "ExportNamedDeclaration") continue;
        const d = node.declaration;
        const from = node.source ? readExports(path.resolve(path.dirname(file), node.source.value)) : [];
        if (d === null) {
            for (const { local, exported } of node.specifiers) {
                const known = from.find(({ name }) => name === local.name);
                if (known === undefined) add(exported.name, "const");
                else rows.push({ ...known, name: exported.name });
            }
        } else if (d.type === "FunctionDeclaration") {
            add(d.id.name, "function", signatureOf(d, source));
        } else if (d.type === "ClassDeclaration") {
            add(d.id.name, "const");
        } else {
            for (const { id, init } of d.declarations)
                add(id.name, d.kind === "let" ? "let" : isFunction(init) ? "function" : "const", signatureOf(init, source));
        }
    }
    return rows;
}

class Scripts {
    constructor(minify) {
        this.minify = minify;
        this.owner = new Map(); // file → name of its script
        this.exports = new Map();
        for (const [name, { files }] of Object.entries(SCRIPTS)) for (const file of files) this.owner.set(path.join(SRC, file), name);
        this.first = new Set(); // files of the first script
        this.taken = new Map(); // file of the first script → names that others take
    }

    exportsOf(file) {
        if (!this.exports.has(file)) this.exports.set(file, readExports(file));
        return this.exports.get(file);
    }

    /* Another script's file as the script `from` sees it; null is the first one. */
    foreign(file, from) {
        const owner = this.owner.get(file), { unloaded = {} } = SCRIPTS[owner];
        const lines = from === null ? [`import { load as $load, loaded as $loaded } from ${JSON.stringify(LOADER)};`] : [];
        const given = this.givenBy(owner);
        for (const { name, kind, parameters, passed } of this.exportsOf(file).filter((row) => given.get(row.name) !== null)) {
            const call = `.${name}(${passed})`;
            if (Object.hasOwn(unloaded, name))
                lines.push(`export function ${name}(${parameters}) { const s = $loaded("${owner}"); return s === undefined ? ${unloaded[name]} : s${call}; }`);
            else if (kind === "function") lines.push(`export function ${name}(${parameters}) { return $load("${owner}")${call}; }`);
            else if (from !== null) lines.push(`export const ${name} = /* @__PURE__ */ $need("${owner}", "${name}");`);
        }
        return lines.join("\n");
    }

    /* A file of the first script as others see it. Variables that change are read each time. */
    taking(file) {
        const key = path.relative(SRC, file), rows = this.exportsOf(file);
        const lets = rows.filter(({ kind }) => kind === "let").map(({ name }) => name);
        const lines = rows.filter(({ kind }) => kind !== "let").map(({ name }) => `export const ${name} = /* @__PURE__ */ $take("${key}", "${name}");`);
        if (lets.length > 0) lines.push(`export { ${lets.join(", ")} } from ${JSON.stringify(`live:${file}`)};`);
        return lines.join("\n");
    }

    table() {
        const lines = [], rows = [];
        for (const [key, names] of [...this.taken].sort()) {
            lines.push(`import * as m${rows.length} from ${JSON.stringify(path.join(SRC, key))};`);
            const lets = this.exportsOf(path.join(SRC, key)).filter(({ kind }) => kind === "let").map(({ name }) => name);
            rows.push(`${JSON.stringify(key)}: { ${[...names].sort().map((name) => (lets.includes(name) ? `get ${name}() { return m${rows.length}.${name}; }` : `${name}: m${rows.length}.${name}`)).join(", ")} }`);
        }
        return `${lines.join("\n")}\nexport const table = () => ({ ${rows.join(",\n")} });`;
    }

    plugin(from) {
        const load = (contents, file) => ({ contents, loader: "js", resolveDir: path.dirname(file) });
        return {
            name: "scripts",
            setup: (b) => {
                b.onResolve({ filter: /^scripts:table$/ }, (args) => ({ path: args.path, namespace: "table" }));
                b.onLoad({ filter: /.*/, namespace: "table" }, () => load(this.table(), LOADER));
                b.onResolve({ filter: /^live:/ }, (args) => ({ path: args.path.slice(5), namespace: "live" }));
                b.onLoad({ filter: /.*/, namespace: "live" }, ({ path: file }) => load(`module.exports = $live(${JSON.stringify(path.relative(SRC, file))});`, file));
                b.onResolve({ filter: /^[./]/ }, (args) => {
                    const file = path.resolve(args.resolveDir, args.path);
                    const owner = this.owner.get(file);
                    if (owner !== undefined && owner !== from) return { path: file, namespace: "foreign" };
                    return from !== null && this.first.has(file) ? { path: file, namespace: "taken" } : undefined;
                });
                b.onLoad({ filter: /.*/, namespace: "foreign" }, ({ path: file }) => load(this.foreign(file, from), file));
                b.onLoad({ filter: /.*/, namespace: "taken" }, ({ path: file }) => load(this.taking(file), file));
            },
        };
    }

    async bundleFirst() {
        const { text, inputs } = await run(this.minify, { entryPoints: [path.join(SRC, ENTRY)], banner: { js: OPEN }, plugins: [this.plugin(null)] });
        this.first = new Set(inputs.map((file) => path.resolve(file)));
        return { name: "main", text, inputs };
    }

    /* The names that the text takes from the first script, and the scripts it cannot do without. */
    noteUses(text) {
        const note = (key, name) => (this.taken.get(key) ?? this.taken.set(key, new Set()).get(key)).add(name);
        for (const [, key, name] of text.matchAll(/\$take\(\s*"([^"]+)",\s*"([^"]+)"\s*\)/g)) note(key, name);
        for (const [, key] of text.matchAll(/\$live\(\s*"([^"]+)"\s*\)/g))
            for (const { name, kind } of this.exportsOf(path.join(SRC, key))) if (kind === "let") note(key, name);
        return new Set([...text.matchAll(/\$need\(\s*"([^"]+)"/g)].map((m) => m[1]));
    }

    /* Name → file, of what a script gives; null where two files export different things under one name. */
    givenBy(script) {
        const given = new Map();
        SCRIPTS[script].files.forEach((key, i) => {
            for (const row of this.exportsOf(path.join(SRC, key))) {
                const other = given.get(row.name);
                given.set(row.name, other === undefined || other?.origin === row.origin ? { index: i, origin: row.origin } : null);
            }
        });
        return given;
    }

    async bundleOther(name) {
        const imports = SCRIPTS[name].files.map((file, i) => `import * as f${i} from "./${file}";`);
        const rows = [...this.givenBy(name)].filter(([, given]) => given !== null).map(([key, { index }]) => `${key}: f${index}.${key}`);
        const contents = `${imports.join("\n")}\nexport const hooks = { ${rows.join(", ")} };`;
        const { text, inputs } = await run(this.minify, {
            stdin: { contents, resolveDir: SRC, sourcefile: `scripts:${name}` }, banner: { js: `${OPEN}${PARTS}` }, plugins: [this.plugin(name)],
        });
        return { name, text, inputs, needs: this.noteUses(text) };
    }
}

/* A script that cannot be evaluated before itself would be evaluated for ever; a file in two would exist twice. */
function check(scripts, needs) {
    const walk = (name, above) => {
        if (above.includes(name)) throw new Error(`scripts need each other: ${[...above, name].join(" → ")}`);
        for (const next of needs.get(name)) walk(next, [...above, name]);
    };
    for (const name of needs.keys()) walk(name, []);
    const seen = new Map();
    for (const { name, inputs } of scripts) {
        for (const file of inputs) {
            if (seen.has(file)) throw new Error(`${file} is part of ${seen.get(file)} and of ${name}: give it a row in scripts.mjs`);
            seen.set(file, name);
        }
    }
}

/* All scripts of the isolate: [{name, text, inputs}], the first one's name is "main". */
export async function bundleScripts({ minify = true } = {}) {
    const all = new Scripts(minify);
    await all.bundleFirst();
    const others = await Promise.all(Object.keys(SCRIPTS).map((name) => all.bundleOther(name)));
    const scripts = [await all.bundleFirst(), ...others];
    check(scripts, new Map(others.map(({ name, needs }) => [name, needs])));
    return scripts;
}
