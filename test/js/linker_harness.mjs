// Runs the same modules twice, through the linker and natively in Node, and tells what each printed,
// exported or threw.
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { link } from '../../src/engine/js/linker.js';
import { createRegistry } from '../../src/engine/js/registry.js';

const TYPES = { '.js': 'esm', '.mjs': 'esm', '.cjs': 'commonjs', '.json': 'json', '.txt': 'text', '.bin': 'data', '.wasm': 'wasm' };

export function toModules(files) {
    return Object.entries(files).map(([name, source]) => {
        const type = TYPES[path.extname(name)];
        const isBytes = type === 'data' || type === 'wasm';
        return isBytes ? { name, type, bytes: source } : { name, type, source };
    });
}

export function describeError(error) {
    if (!(error instanceof Error)) return { thrown: String(error) };
    const message = error.message.split('\n')[0];
    return { name: error.name, message };
}

// What can be seen of a namespace object.
function describeNamespace(namespace) {
    const values = {};
    for (const key of Reflect.ownKeys(namespace)) {
        try {
            const value = namespace[key];
            values[String(key)] = typeof value === 'function' ? `function ${value.name}` : JSON.stringify(value);
        } catch (error) {
            values[String(key)] = describeError(error);
        }
    }
    return values;
}

async function turns() {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

// run() gives a namespace, or a promise of one.
async function observe(run) {
    const lines = [];
    globalThis.log = (...values) => void lines.push(values.map((value) => String(value)).join(' '));
    let result;
    try {
        result = { namespace: describeNamespace(await run()) };
    } catch (error) {
        result = { error: describeError(error) };
    }
    await turns();
    delete globalThis.log;
    return { lines, ...result };
}

export function load(files, main = 'main.js', { flags, modules = toModules(files), registryFlags, ...options } = {}) {
    const linked = link({ main, modules, flags });
    if (linked.errors.length > 0) throw new SyntaxError(linked.errors[0].text);
    const assets = {
        load(name) {
            const module = modules.find((item) => item.name === name);
            return module.bytes ?? module.source;
        },
    };
    const registry = createRegistry({ assets, flags: registryFlags, ...options });
    (0, eval)(linked.code)(registry.rt);
    return { linked, registry };
}

export function runLinked(files, main = 'main.js', options = {}) {
    return observe(() => load(files, main, options).registry.evaluate(main));
}

export async function runNative(files, main = 'main.js') {
    const dir = mkdtempSync(path.join(tmpdir(), 'linker-'));
    try {
        writeFileSync(path.join(dir, 'package.json'), '{"type":"module"}');
        for (const [name, source] of Object.entries(files)) {
            const file = path.join(dir, name);
            mkdirSync(path.dirname(file), { recursive: true });
            writeFileSync(file, source);
        }
        return await observe(() => import(pathToFileURL(path.join(dir, main)).href));
    } finally {
        rmSync(dir, { recursive: true, force: true });
    }
}
