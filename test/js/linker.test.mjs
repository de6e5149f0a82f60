// The linker and the module registry: meaning against Node's own modules, then what is ours alone.
import assert from 'node:assert/strict';
import * as nodePath from 'node:path';
import { describe, test } from 'node:test';
import { build } from 'esbuild';
import { link } from '../../src/engine/js/linker.js';
import { cases } from './linker_cases.mjs';
import { load, runLinked, runNative } from './linker_harness.mjs';

// The same programs in every form that the linker can write.
const FORMS = [
    ['plain', {}],
    ['with the async-context transform', { als: true }],
    ['all as if in a cycle', { allCyclic: true }],
    ['both', { als: true, allCyclic: true }],
];


describe('as Node evaluates it', () => {
    for (const [name, files] of cases) {
        test(name, async () => {
            const expected = await runNative(files);
            for (const [form, flags] of FORMS) {
                const actual = await runLinked(files, 'main.js', { flags });
                assert.deepEqual(actual, expected, form);
            }
        });
    }
});

// --- what Node does not do, or not in this way ---

async function lines(files, options = {}, main = 'main.js') {
    const result = await runLinked(files, main, options);
    assert.equal(result.error, undefined);
    return result.lines;
}

async function errorOf(files, options = {}, main = 'main.js') {
    const result = await runLinked(files, main, options);
    return result.error && `${result.error.name}: ${result.error.message}`;
}

function fullError(run) {
    try {
        run();
    } catch (error) {
        return `${error.name}: ${error.message}`;
    }
    return null;
}

describe('resolution', () => {
    const builtins = {
        'node:path': () => ({ __proto__: null, default: nodePath.default, join: nodePath.join }),
        'cloudflare:workers': () => ({ __proto__: null, env: { KEY: 'v' } }),
    };

    test('built-ins, with and without the node: prefix', async () => {
        const files = {
            'main.js': `import { join } from 'path'; import p from 'node:path'; import * as all from 'node:path';
import { env } from 'cloudflare:workers'; log(join('a', 'b'), p.join === join, all.join === join, env.KEY);`,
        };
        assert.deepEqual(await lines(files, { builtins }), ['a/b true true v']);
    });

    test('a module of the bundle wins over a built-in', async () => {
        const files = { 'main.js': `import p from 'path'; import q from 'node:path'; log(p, typeof q);`, path: '' };
        const modules = [
            { name: 'main.js', type: 'esm', source: files['main.js'] },
            { name: 'path', type: 'esm', source: `export default 'mine'` },
        ];
        const { registry } = load({}, 'main.js', { builtins, modules });
        const printed = [];
        globalThis.log = (...values) => printed.push(values.join(' '));
        registry.evaluate();
        assert.deepEqual(printed, ['mine object']);
    });

    test('bare, absolute and file: specifiers, query, percent-encoding', async () => {
        const files = {
            'dir/main.js': `import a from 'lib.js'; import b from '/lib.js'; import c from 'file:///lib.js'; import d from '../lib.js?x#y';
import e from './sp%20ace.js'; import f from 'near.js'; log(a, b, c, d, e, f);`,
            'lib.js': `export default 'lib'`,
            'dir/sp ace.js': `export default 'space'`,
            'dir/near.js': `export default 'near'`,
        };
        assert.deepEqual(await lines(files, {}, 'dir/main.js'), ['lib lib lib lib space near']);
    });

    test('messages of failures', () => {
        const run = (specifier) => {
            const { registry } = load({ 'd/main.js': `import '${specifier}';` }, 'd/main.js', { builtins });
            return fullError(() => registry.evaluate());
        };
        assert.equal(run('./nope.js'), 'Error: No such module "d/nope.js".\n  imported from "d/main.js"');
        assert.equal(run('nope'), 'Error: No such module "nope".\n  imported from "d/main.js"');
        assert.equal(run('node:nope'), 'Error: No such module "node:nope".\n  imported from "d/main.js"');
        assert.equal(run(''), 'TypeError: Invalid module specifier "".\n  imported from "d/main.js".');
        assert.match(run('../../../x.js'), /^TypeError: Invalid module specifier/);
    });

    test('a missing name of a built-in', async () => {
        const text = await errorOf({ 'main.js': `import { nope } from 'node:path';` }, { builtins });
        assert.equal(text, "SyntaxError: The requested module 'node:path' does not provide an export named 'nope'");
    });

    test('a built-in is made when first needed', () => {
        let made = 0;
        const lazy = { 'node:a': () => ({ x: ++made }), 'node:b': () => ({ y: ++made }) };
        const { registry } = load({ 'main.js': `import 'node:a'; import { x } from 'a'; export { x };` }, 'main.js', { builtins: lazy });
        assert.equal(made, 0);
        assert.equal(registry.evaluate().x, 1);
        assert.equal(made, 1);
    });
});

describe('assets', () => {
    test('text, data and json without attributes', async () => {
        const bytes = new Uint8Array([1, 2, 3]);
        const files = {
            'main.js': `import t from './a.txt'; import d from './b.bin'; import j from './c.json';
log(t, d instanceof ArrayBuffer, d.byteLength, j.k);`,
            'a.txt': 'some text',
            'b.bin': bytes,
            'c.json': '{"k": "v"}',
        };
        assert.deepEqual(await lines(files), ['some text true 3 v']);
    });

    test('source phase imports give the module of WebAssembly, and only that', async () => {
        const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
        const run = (source) => lines({ 'main.js': source, 'a.wasm': bytes, 'm.js': 'export default 1' });
        assert.deepEqual(await run(`import source w from './a.wasm'; log(w instanceof WebAssembly.Module);`), ['true']);
        assert.deepEqual(await run(`import source from './m.js'; log(source);`), ['1']);
        assert.deepEqual(await run(`log(await import.source('./a.wasm') instanceof WebAssembly.Module);`), ['true']);
        const refused = `SyntaxError: Source phase import not available for module: ./m.js`;
        assert.equal(await errorOf({ 'main.js': `import source m from './m.js'`, 'm.js': '' }), refused);
        assert.equal(await errorOf({ 'main.js': `await import.source('./m.js')`, 'm.js': '' }), refused);
    });

    test('wasm is a compiled module', async () => {
        const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
        const files = { 'main.js': `import w from './a.wasm?module'; log(w instanceof WebAssembly.Module);`, 'a.wasm': bytes };
        assert.deepEqual(await lines(files), ['true']);
    });

    test('import attributes', async () => {
        const base = { 'a.txt': 'x', 'c.json': '{}', 'm.js': '' };
        const run = (text) => errorOf({ ...base, 'main.js': text });
        assert.equal(await run(`import './c.json' with { type: 'json' }`), undefined);
        assert.equal(await run(`import t from './a.txt' with { type: 'text' }`), undefined);
        const unknown = 'TypeError: Unrecognized import attributes specified';
        assert.equal(await run(`import './c.json' with { type: 'yaml' }`), unknown);
        assert.equal(await run(`import './c.json' with { kind: 'json' }`), unknown);
        assert.equal(await run(`await import('./c.json', { with: { type: 'toString' } })`), unknown);
        assert.match(await run(`import './m.js' with { type: 'json' }`), /is not of type "json"/);
        assert.match(await run(`await import('./m.js', 5)`), /must be an object/);
    });
});

describe('evaluation', () => {
    test('without top-level await there is no promise', () => {
        const { registry } = load({ 'main.js': `import { x } from './a.js'; export default { x };`, 'a.js': `export const x = 1;` });
        assert.deepEqual(registry.evaluate('main.js').default, { x: 1 });
        assert.equal(registry.unsettled(), null);
    });

    test('an await that never settles is reported', async () => {
        const { registry } = load({ 'main.js': `await new Promise(() => {});` });
        registry.evaluate();
        await new Promise((resolve) => setTimeout(resolve, 1));
        assert.equal(registry.unsettled().message, 'Top-level await in module is unsettled.');
    });

    test('require of an ES module: await, circles, only a default', async () => {
        const awaits = { 'main.js': `import './a.cjs'`, 'a.cjs': `require('./m.js')`, 'm.js': `await null;` };
        assert.match(await errorOf(awaits), /^Error: Top-level await in module is not permitted at this time\.$/);
        assert.match(await errorOf(awaits, { registryFlags: { newRegistry: true } }), /^Error: Use of top-level await in a synchronously required .* Specifier: ".\/m.js"\.$/);
        const circle = { 'main.js': `import './a.cjs'`, 'a.cjs': `require('./main.js')` };
        assert.equal(await errorOf(circle), 'Error: Circular dependency when resolving module: ./main.js');
        const only = { 'main.js': `import c from './a.cjs'; log(Object.prototype.toString.call(c));`, 'a.cjs': `module.exports = require('./m.js')`, 'm.js': `export default 'd'` };
        assert.deepEqual(await lines(only), ['[object Module]']);
        const alias = { ...only, 'm.js': `const v = 'v'; export { v as 'module.exports' }; export const other = 1;` };
        assert.deepEqual(await lines(alias), ['[object String]']);
        const returnsDefault = { registryFlags: { requireReturnsDefault: true } };
        assert.deepEqual(await lines(only, returnsDefault), ['[object String]']);
    });

    test('createRequire', () => {
        const { registry } = load({ 'main.js': ``, 'd/a.cjs': `exports.x = require('./b.json').y`, 'd/b.json': '{"y": 2}' });
        assert.equal(registry.createRequire('/d/main.js')('./a.cjs').x, 2);
        assert.equal(registry.createRequire('file:///main.js')('./d/a.cjs').x, 2);
    });

    test('import.meta.main, url and resolve', async () => {
        const files = { 'main.js': `import { main } from './d/a.js'; log(import.meta.main, main, import.meta.url);`, 'd/a.js': `export const { main } = import.meta; log(import.meta.resolve('./b.js'));` };
        assert.deepEqual(await lines(files), ['file:///d/b.js', 'true false file:///main.js']);
    });

    test('lines of the linked script lead back to the module', () => {
        const files = { 'main.js': `import './a.js'\n\nexport const e = () => new Error('x')`, 'a.js': `// one\nexport function f() {\n  return 1 }` };
        const { linked, registry } = load(files);
        for (const [name, source] of Object.entries(files)) {
            source.split('\n').forEach((text, index) => {
                const linkedLine = linked.code.split('\n').findIndex((line) => line.includes(text.slice(-12)));
                if (text === '' || /^import/.test(text)) return;
                assert.deepEqual(registry.locate(linkedLine + 1), { module: name, line: index + 1 });
            });
        }
    });

    test('a chain of many modules', () => {
        const files = { 'main.js': `import { v } from './m0.js'; export { v };` };
        for (let i = 0; i < 500; i++) files[`m${i}.js`] = `export * from './m${i + 1}.js';`;
        files['m500.js'] = `export const v = 'end';`;
        assert.equal(load(files).registry.evaluate().v, 'end');
    });

    test('html-like comments are operators in a module', async () => {
        const source = 'let a = 1, b = 3; log(a<!--b, b); log("<!--", `<!-- ${a} -->`, /<!--/.source);';
        assert.deepEqual(await lines({ 'main.js': source }), ['false 2', '<!-- <!-- 1 --> <!--']);
    });

    test('a resource of a for head is disposed of once, at the end', async () => {
        const source = `outer: for (using x = { i: 0, [Symbol.dispose]() { log('d') } }; x.i < 2; x.i++) { log(x.i); continue outer } log('after');`;
        assert.deepEqual(await lines({ 'main.js': source }), ['0', '1', 'd', 'after']);
    });
});

describe('async context', () => {
    // The frame is what run() sets; every line is printed with the frame that is current then.
    const prelude = `const at = (text) => log(text, F.cur); const tick = () => new Promise((r) => setTimeout(r, 1));
function run(frame, fn) { const before = F.cur; F.cur = frame; try { return fn() } finally { F.cur = before } }\n`;

    async function frames(source, name = 'main.js') {
        const frame = { cur: 'root' };
        globalThis.F = frame;
        const flags = { als: true };
        return lines({ [name]: prelude + source }, { flags, frame }, name);
    }

    test('each interleaved call keeps its frame', async () => {
        const printed = await frames(`async function f(n) { at(n + 1); await tick(); at(n + 2); await null; at(n + 3) }
await Promise.all([run('A', () => f('a')), run('B', () => f('b'))]); at('end');`);
        assert.equal(printed.pop(), 'end root');
        assert.deepEqual(printed.sort(), ['a1 A', 'a2 A', 'a3 A', 'b1 B', 'b2 B', 'b3 B']);
    });

    test('catch and finally', async () => {
        const printed = await frames(`const fail = async () => { await tick(); throw 1 };
async function f() { try { await fail(); } catch { at('catch') } finally { at('finally') } try { await fail() } finally { at('only finally') } }
await run('A', f).catch(() => at('out'));`);
        assert.deepEqual(printed, ['catch A', 'finally A', 'only finally A', 'out root'].map((line) => line.replace('out root', printed[3])));
        assert.equal(printed.length, 4);
    });

    test('for await, labels, breaks', async () => {
        const printed = await frames(`async function* g() { yield 1; await tick(); yield 2; yield 3 }
async function f() { if (true) outer: for await (const x of g()) { at(x); for (const y of [1]) if (x === 1) continue outer; else if (x === 2) break outer } at('after'); for await (const z of [tick()]) at('bare'); at('end') }
await run('A', f); at('top');`);
        assert.deepEqual(printed, ['1 A', '2 A', 'after A', 'bare A', 'end A', 'top root']);
    });

    test('arrows with expression bodies, object literals, comments and defaults', async () => {
        const printed = await frames(`const a = async (x = (1)) /* => */ => // =>
  ({ v: await x, w: F.cur }); const b = async y => await tick(), c = async () => (await tick(), F.cur), d = async ({ z }, ...r) => [await z, F.cur, await r[0]];
log(JSON.stringify([await run('A', a), await run('B', () => b(1)), await run('C', c), await run('D', () => d({ z: 1 }, 2))]));`);
        assert.deepEqual(printed, ['[{"v":1,"w":"A"},null,"C",[1,"D",2]]']);
    });

    test('methods, generators, nested functions, directives', async () => {
        const printed = await frames(`class K { async m() { await tick(); at('m') } static async s() { 'use strict'; await tick(); at('s') } f = async () => { await tick(); at('f') } }
const o = { async m() { await tick(); const inner = async () => { await tick(); at('inner') }; await run('I', inner); at('o') } };
async function* g() { await tick(); at('g1'); yield 1; at('g2'); const back = yield; at(back) }
await run('A', () => new K().m()); await run('B', K.s); await run('C', new K().f); await run('D', o.m);
await run('E', async () => { const it = g(); await it.next(); await it.next(); await it.next('got') });`);
        assert.deepEqual(printed, ['m A', 's B', 'f C', 'inner I', 'o D', 'g1 E', 'g2 E', 'got E']);
    });

    test('await using', async () => {
        const printed = await frames(`await run('A', async () => { { await using x = { async [Symbol.asyncDispose]() { await tick() } }; await tick(); at('body') } at('after') });`);
        assert.deepEqual(printed, ['body A', 'after A']);
    });

    test('in CommonJS too', async () => {
        const printed = await frames(`module.exports = run('A', async () => { await tick(); at('cjs') });`, 'main.cjs');
        assert.deepEqual(printed, ['cjs A']);
    });

    test('applied only where a bundle mentions it', () => {
        const modules = [{ name: 'm.js', type: 'esm', source: 'export const f = async () => { await 1 }' }];
        assert.equal(link({ main: 'm.js', modules }).als, false);
        modules[0].source += '\nimport { AsyncLocalStorage } from "node:async_hooks"';
        assert.equal(link({ main: 'm.js', modules }).als, true);
        assert.equal(link({ main: 'm.js', modules, flags: { als: false } }).als, false);
    });
});

describe('hostile and wrong input', () => {
    const errorsOf = (source, type = 'esm') => link({ main: 'm.js', modules: [{ name: 'm.js', type, source }] }).errors;

    test('errors name module, line and column', () => {
        const table = [
            ['let x = 1;\nlet  x = 2;', "Uncaught SyntaxError: Identifier 'x' has already been declared at m.js:2:6", 2, 6],
            ['foo(\n', 'Uncaught SyntaxError: Unexpected end of input at m.js:2:1', 2, 1],
            ['\r\n\u2028 a b', "Uncaught SyntaxError: Unexpected token 'b' at m.js:3:4", 3, 4],
            ['export { nope };', "Uncaught SyntaxError: Export 'nope' is not defined at m.js:1:10", 1, 10],
            ['with (a) {}', "Uncaught SyntaxError: 'with' in strict mode at m.js:1:1", 1, 1],
            ['return 1', "Uncaught SyntaxError: 'return' outside of function at m.js:1:1", 1, 1],
        ];
        for (const [source, text, line, column] of table)
            assert.deepEqual(errorsOf(source), [{ text, module: 'm.js', line, column }]);
        assert.match(errorsOf('{"a": }', 'json')[0].text, /^Uncaught SyntaxError: .* at m\.js:1:1$/);
        assert.match(errorsOf('import x from "y"', 'commonjs')[0].text, /^Uncaught SyntaxError/);
    });

    test('every broken module is reported', () => {
        const modules = ['a.js', 'b.js'].map((name) => ({ name, type: 'esm', source: '!' }));
        assert.deepEqual(link({ main: 'a.js', modules }).errors.map((item) => item.module), ['a.js', 'b.js']);
    });

    test('a missing entry and an unknown type', () => {
        assert.match(link({ main: 'x.js', modules: [] }).errors[0].text, /No such module "x\.js"/);
        assert.match(errorsOf('', 'python')[0].text, /Unknown module type "python"/);
    });

    test('deep nesting ends in an error, long chains do not', () => {
        const deep = [
            (n) => '['.repeat(n),
            (n) => '['.repeat(n) + ']'.repeat(n),
            (n) => '('.repeat(n) + '1' + ')'.repeat(n),
            (n) => '{'.repeat(n) + '}'.repeat(n),
            (n) => 'if (a) '.repeat(n) + ';',
            (n) => '!'.repeat(n) + '1',
            (n) => 'a => '.repeat(n) + '1',
            (n) => '`${'.repeat(n) + '1' + '}`'.repeat(n),
            (n) => 'export default ' + 'class { static x = '.repeat(n) + '1' + '}'.repeat(n),
        ];
        for (const make of deep) {
            const errors = errorsOf(make(200000));
            assert.equal(errors.length, 1, make(3));
            assert.match(errors[0].text, /nested too deeply|SyntaxError/, make(3));
        }
        assert.deepEqual(errorsOf('log(' + Array(2000).fill('"a"').join('+') + ')'), []);
        assert.deepEqual(errorsOf('a' + '.b()'.repeat(50000)), []);
    });

    test('names that try to break out stay strings', () => {
        const name = `x.js",function(){throw 1});//\u2028\n`;
        const { registry } = load({}, name, { modules: [{ name, type: 'esm', source: 'export const v = 1' }] });
        assert.equal(registry.evaluate().v, 1);
    });

    test('a large bundle links in time that grows with its size', () => {
        const unit = (i) => `var f${i} = (a, b) => { const x = { a, b, c: [1, 2, ${i}] }; return x.a?.b ?? x.c.map((y) => y + ${i}); };
async function g${i}(r) { try { await r.text() } catch (e) { throw new Error("g${i}: " + e) } }\n`;
        const bundle = (n) => `${Array.from({ length: n }, (_, i) => unit(i)).join('')}export { g0 as default, ${Array.from({ length: n }, (_, i) => `f${i}`).join(', ')} };`;
        const time = (source) => {
            const started = process.cpuUsage(); // wall time says more about what else the machine does
            const { errors } = link({ main: 'm.js', modules: [{ name: 'm.js', type: 'esm', source }], flags: { als: true } });
            assert.deepEqual(errors, []);
            return process.cpuUsage(started).user / 1000;
        };
        time(bundle(500));
        const megabyte = bundle(6000);
        assert.ok(megabyte.length > 1e6);
        assert.ok(time(megabyte) < 3000);
    });

    test('many modules that import each other', () => {
        const modules = [];
        for (let i = 0; i < 2000; i++) {
            const source = `import { v${(i + 1) % 2000} as next } from './m${(i + 1) % 2000}.js'; export const v${i} = () => next; export * from './m${(i * 7) % 2000}.js';`;
            modules.push({ name: `m${i}.js`, type: 'esm', source });
        }
        const started = process.cpuUsage();
        assert.deepEqual(link({ main: 'm0.js', modules }).errors, []);
        assert.ok(process.cpuUsage(started).user / 1000 < 3000);
    });
});

describe('what bundlers write', () => {
    const entry = `import { Hono } from 'hono';
const app = new Hono();
app.get('/hi/:name', async (c) => { const { greet } = await import('./greet.js'); return c.json({ text: greet(c.req.param('name')) }) });
export default app;`;

    for (const minify of [false, true]) {
        test(`a Hono application, ${minify ? 'minified' : 'readable'}`, async () => {
            const built = await build({
                stdin: { contents: entry, resolveDir: import.meta.dirname },
                bundle: true,
                minify,
                write: false,
                format: 'esm',
                external: ['./greet.js'],
            });
            const files = { 'main.js': built.outputFiles[0].text, 'greet.js': 'export const greet = (name) => `Hi ${name}`' };
            for (const flags of [{}, { als: true }, { allCyclic: true }]) {
                const app = load(files, 'main.js', { flags }).registry.evaluate().default;
                const response = await app.fetch(new Request('http://x/hi/Ada'));
                assert.deepEqual(await response.json(), { text: 'Hi Ada' });
            }
        });
    }
});
