// Which modules and globals of Node there are, by compatibility date and flags; and what process.env holds.
import assert from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { findDriver, inIsolate } from './node_harness.mjs';

const driver = findDriver();
const skip = driver === undefined ? 'the target isolate_driver is not built' : false;
const BINDINGS = [
    { name: 'TEXT', type: 'plain_text', text: 'plain' }, { name: 'SECRET', type: 'secret_text', text: 'hidden' },
    { name: 'OBJECT', type: 'json', json: { a: 1 } }, { name: 'STRING', type: 'json', json: 'bare' },
];
const WORKER = `
const has = async (name) => { try { await import(name); return true; } catch { return false; } };
export default { async fetch() {
    const out = { globals: ['Buffer', 'process', 'global', 'setImmediate'].filter((n) => n in globalThis), modules: [] };
    for (const n of ['node:buffer', 'node:async_hooks', 'node:fs', 'fs', 'util', 'node:test', 'cloudflare:node', 'node:nope']) if (await has(n)) out.modules.push(n);
    if (typeof process === 'object') out.env = { ...process.env };
    const t = setTimeout(() => {}, 1);
    out.timer = typeof t;
    clearTimeout(t);
    return new Response('RESULT' + JSON.stringify(out));
} };`;

const ALL = ['node:buffer', 'node:async_hooks', 'node:fs', 'fs', 'util', 'node:test', 'cloudflare:node'];
const GLOBALS = ['Buffer', 'process', 'global', 'setImmediate'];
const ENV = { TEXT: 'plain', SECRET: 'hidden', OBJECT: '{"a":1}', STRING: 'bare' };
const CASES = [
    ['on by date', '2026-08-04', [], { globals: GLOBALS, modules: ALL, env: ENV, timer: 'object' }],
    ['off by flag', '2026-08-04', ['no_nodejs_compat'], { globals: [], modules: [], timer: 'number' }],
    ['not asked for', '2026-01-01', [], { globals: [], modules: [], timer: 'number' }],
    ['asked for', '2026-01-01', ['nodejs_compat'], { globals: GLOBALS, modules: ALL, env: ENV, timer: 'number' }],
    ['before process.env was filled', '2025-01-01', ['nodejs_compat'], { globals: GLOBALS, modules: ALL, env: {}, timer: 'number' }],
    ['filled on request', '2025-01-01', ['nodejs_compat', 'nodejs_compat_populate_process_env'], { globals: GLOBALS, modules: ALL, env: ENV, timer: 'number' }],
    ['not filled on request', '2026-08-04', ['nodejs_compat_do_not_populate_process_env'], { globals: GLOBALS, modules: ALL, env: {}, timer: 'object' }],
    ['the first version', '2024-01-01', ['nodejs_compat'], { globals: [], modules: ['node:buffer', 'node:async_hooks', 'util'], timer: 'number' }],
    ['the second version early', '2024-01-01', ['nodejs_compat_v2'], { globals: GLOBALS, modules: ALL, env: {}, timer: 'number' }],
    ['only the async context', '2024-01-01', ['nodejs_als'], { globals: [], modules: ['node:async_hooks'], timer: 'number' }],
];

for (const [name, date, flags, expected] of CASES) {
    test(`nodejs_compat: ${name}`, { skip }, async () => {
        const dir = mkdtempSync(path.join(tmpdir(), 'node-test-'));
        try {
            const got = JSON.parse(await inIsolate(driver, dir, WORKER, { date, flags }, BINDINGS));
            assert.deepStrictEqual(got, expected);
        } finally {
            rmSync(dir, { recursive: true, force: true });
        }
    });
}
