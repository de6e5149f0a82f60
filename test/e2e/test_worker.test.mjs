// `selvedge test-worker` over the small suites of test/suite.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary } from './lib/selvedge.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const suite = path.join(root, 'test/suite');

function run(...args) {
    return new Promise((resolve) => {
        execFile(path.resolve(binary), ['test-worker', ...args], { cwd: suite, timeout: 60_000 }, (error, stdout, stderr) => {
            const lines = stdout.trimEnd().split('\n').filter((line) => !line.startsWith('    '));
            resolve({ status: error === null ? 0 : error.code, lines: lines.map((line) => line.replace(/ \(\d+ ms\)$/, '')), stderr });
        });
    });
}

test('every export that has test() is run', async () => {
    const { status, lines } = await run('basic.js', 'helper.js');
    assert.deepEqual(lines, ['PASS ClassTest', 'PASS collects', 'PASS default', 'PASS objectTest', '4 passed, 0 failed']);
    assert.equal(status, 0);
});

test('decoders answer damaged input the same however it is cut', async () => {
    const { lines } = await run('--compat-flag', 'nodejs_compat', '--timeout', '60', 'decoders.js');
    assert.deepEqual(lines, ['PASS brotli', 'PASS deflate', 'PASS deflateRaw', 'PASS gzip', 'PASS zstd', '5 passed, 0 failed']);
});

test('--filter and --no-sandbox', async () => {
    const { lines } = await run('--no-sandbox', '--filter', 'Test', 'basic.js', 'helper.js');
    assert.deepEqual(lines, ['PASS ClassTest', 'PASS objectTest', '2 passed, 0 failed']);
});

test('failures are told apart, and those after them still run', async () => {
    const { status, lines } = await run('--timeout', '20', 'failing.js');
    assert.match(lines[0], /^FAIL neverEnds: Error: The Workers runtime canceled this request/);
    assert.deepEqual(lines.slice(1), ['PASS passes', 'FAIL rejects: Error: later', 'FAIL throws: TypeError: as expected', '1 passed, 3 failed']);
    assert.equal(status, 1);
});

test('a description with bindings and a second service', async () => {
    const { status, lines } = await run('--config', 'bindings.json');
    assert.equal(lines.at(-1), '6 passed, 0 failed', lines.join('\n'));
    assert.equal(status, 0);
});

test('objects, entrypoints with props, stores', async () => {
    for (const options of [[], ['--no-sandbox']]) {
        const { status, lines } = await run(...options, '--config', 'objects.json');
        assert.equal(lines.at(-1), '7 passed, 0 failed', lines.join('\n'));
        assert.equal(status, 0);
    }
});

test('Workers that a test brings', async () => {
    const { status, lines } = await run('--config', 'loader.json');
    assert.equal(lines.at(-1), '6 passed, 0 failed', lines.join('\n'));
    assert.equal(status, 0);
});

test('bindings and flags of the command line', async () => {
    const { lines } = await run('--binding', 'TEXT=text', '--compat-flag', 'nodejs_compat', '--compat-date', '2026-01-01', '--filter', 'world', 'bindings.js');
    assert.deepEqual(lines, ['PASS world', '1 passed, 0 failed']);
});

test('slow cryptography and compression leave the thread of the scripts', async () => {
    const { status, lines } = await run('--compat-flag', 'nodejs_compat', '--compat-date', '2026-01-01', 'slow.js');
    assert.equal(lines.at(-1), '6 passed, 0 failed', lines.join('\n'));
    assert.equal(status, 0);
});

test('servers of node:http', async () => {
    const { status, lines } = await run('--config', 'server.json');
    assert.equal(lines.at(-1), '5 passed, 0 failed', lines.join('\n'));
    assert.equal(status, 0);
});

test('what cannot be read or linked is a failure', async () => {
    const missing = await run('no_such_file.js');
    assert.equal(missing.status, 1);
    assert.match(missing.lines[0], /^FAIL \(load\): cannot read no_such_file.js/);
    const broken = await run('basic.js');
    assert.equal(broken.status, 1);
    assert.match(broken.lines[0], /No such module "helper.js"/);
});

test('classic web platform tests', async () => {
    const { status, lines } = await run('--wpt', '--wpt-root', '.', 'wpt/harness.any.js', 'wpt/encodings.any.js', 'wpt/variants.any.js');
    assert.equal(lines[0], '# wpt/harness.any.js');
    assert.deepEqual(lines.slice(-6), ['# wpt/variants.any.js', '# wpt/variants.any.js?1', 'PASS variant ?1', '# wpt/variants.any.js?2', 'PASS variant ?2', '31 passed, 0 failed']);
    assert.equal(status, 0);
});

test('their failures', async () => {
    const { status, lines } = await run('--wpt', '--wpt-root', '.', 'wpt/failing.any.js');
    assert.deepEqual(lines, ['# wpt/failing.any.js', 'FAIL fails: assert_equals: numbers expected 2 but got 1', 'FAIL rejects: Error: no', 'PASS passes', '1 passed, 2 failed']);
    assert.equal(status, 1);
});

test('without files it says how it is used', async () => {
    const { status, lines } = await run();
    assert.equal(status, 2);
    assert.match(lines[0], /^selvedge test-worker/);
});
