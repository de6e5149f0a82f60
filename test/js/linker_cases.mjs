// Programs whose meaning the linker must keep: [name, files]. Each runs natively in Node too, and
// both must print, export and throw the same. The entry is main.js; log() prints.
export const cases = [
    // --- exports of every form ---
    ['export declarations', { 'main.js': `export const a = 1; export let b = 2, c = 3; export var d = 4;
export function f() { return a } export class K {} export async function g() {} export function* h() {}` }],
    ['export list and renaming', { 'main.js': `const a = 1, b = 2; export { a, b as c, a as "quoted name", b as default };` }],
    ['export destructuring', { 'main.js': `export const { a, b: [c, ...d], e = 5, ...f } = { a: 1, b: [2, 3, 4], g: 6 }; export let [x, , y = 9] = [1, 2];` }],
    ['default expression', { 'main.js': `export default 1 + 2` }],
    ['default expression with semicolon and comment', { 'main.js': `export default 1 + 2 // three\n; log('next')` }],
    ['default sequence in parentheses', { 'main.js': `export default (log('a'), 7);` }],
    ['default arrow is named default', { 'main.js': `import d from './a.js'; log(d.name);`, 'a.js': `export default () => {}` }],
    ['default parenthesised function is named default', { 'main.js': `import d from './a.js'; log(d.name);`, 'a.js': `export default (function () {})` }],
    ['default anonymous function is named default', { 'main.js': `import d from './a.js'; log(d.name, d());`, 'a.js': `export default function () { return 1 }` }],
    ['default anonymous async generator', { 'main.js': `import d from './a.js'; log(d.name, Object.prototype.toString.call(d()));`, 'a.js': `export default async function* () { }` }],
    ['default anonymous class is named default', { 'main.js': `import d from './a.js'; log(d.name, new d().x);`, 'a.js': `export default class { x = 1 }` }],
    ['default class with a static name', { 'main.js': `import d from './a.js'; log(d.name);`, 'a.js': `export default class { static name = 'mine' }` }],
    ['default named function keeps its name and is local', { 'main.js': `import d from './a.js'; log(d.name, d());`, 'a.js': `export default function foo() { return foo.name }` }],
    ['default named class', { 'main.js': `import d from './a.js'; log(d.name);`, 'a.js': `export default class Foo extends Array {}` }],
    ['default object literal', { 'main.js': `export default { fetch() { return 1 } }` }],
    ['default of a reassigned function', { 'main.js': `import f, { change } from './a.js'; log(f()); change(); log(f());`, 'a.js': `export default function f() { return 1 } export function change() { f = () => 2 }` }],
    ['default expression does not change', { 'main.js': `import v, { change } from './a.js'; log(v); change(); log(v);`, 'a.js': `let v = 1; export default v; export function change() { v = 2 }` }],
    ['export as default is live', { 'main.js': `import v, { change } from './a.js'; log(v); change(); log(v);`, 'a.js': `let v = 1; export { v as default }; export function change() { v = 2 }` }],
    ['one local under two names', { 'main.js': `import { a, b, inc } from './a.js'; inc(); log(a, b);`, 'a.js': `let v = 1; export { v as a, v as b }; export function inc() { v++ }` }],
    ['anonymous default after use of ASI', { 'main.js': `const x = 1\nexport default [x]\nlog('after')` }],
    ['string names', { 'main.js': `import { "a b" as x } from './a.js'; export { "a b" as "c d" } from './a.js'; log(x);`, 'a.js': `const v = 5; export { v as "a b" };` }],
    ['names that are reserved words', { 'main.js': `import { if as x, class as y } from './a.js'; log(x, y); export * from './a.js';`, 'a.js': `const a = 1; export { a as if, a as class, a as default };` }],
    ['a name that is __proto__', { 'main.js': `import * as ns from './a.js'; log(Object.keys(ns), ns["__proto__"]);`, 'a.js': `const a = 1; export { a as "__proto__", a as b };` }],

    // --- live bindings and writes ---
    ['counter', { 'main.js': `import { n, inc } from './a.js'; log(n); inc(); log(n); inc(); log(n);`, 'a.js': `export let n = 0; export function inc() { n++ }` }],
    ['live through a re-export', { 'main.js': `import { m, inc } from './b.js'; inc(); log(m);`, 'b.js': `export { n as m, inc } from './a.js';`, 'a.js': `export let n = 0; export const inc = () => { n += 5 }` }],
    ['live through export star', { 'main.js': `import { n, inc } from './b.js'; inc(); log(n);`, 'b.js': `export * from './a.js';`, 'a.js': `export let n = 0; export const inc = () => ++n` }],
    ['live through import then export', { 'main.js': `import { n, inc } from './b.js'; inc(); log(n);`, 'b.js': `import { n, inc } from './a.js'; export { n, inc };`, 'a.js': `export let n = 0; export const inc = () => { n = n + 1 }` }],
    ['write by destructuring', { 'main.js': `import { a, b, set } from './a.js'; set(); log(a, b);`, 'a.js': `export let a = 0, b = 0; export function set() { [a, { x: b = 7 }] = [5, {}] }` }],
    ['write in a for-in head', { 'main.js': `import { k, set } from './a.js'; set(); log(k);`, 'a.js': `export let k; export function set() { for (k in { p: 1, q: 2 }); }` }],
    ['write in a for-of head', { 'main.js': `import { k, set } from './a.js'; set(); log(k);`, 'a.js': `export let k; export function set() { for ([k] of [[1], [2]]); }` }],
    ['logical assignment', { 'main.js': `import { k, set } from './a.js'; log(k); set(); log(k);`, 'a.js': `export let k = null; export function set() { k ??= 4; k ||= 5; k &&= 6 }` }],
    ['write in a field initialiser', { 'main.js': `import { k, K } from './a.js'; new K(); log(k); new K(); log(k);`, 'a.js': `export let k = 0; export class K { x = k++ }` }],
    ['write at top level only', { 'main.js': `import { k } from './a.js'; log(k);`, 'a.js': `export let k = 0; k = 1; for (const v of [1, 2]) k += v; log(k);` }],
    ['write after await at top level', { 'main.js': `import { k } from './a.js'; log(k);`, 'a.js': `export let k = 0; await null; k = 1;` }],
    ['write in a timer', { 'main.js': `import { k, done } from './a.js'; log(k); await done; log(k);`, 'a.js': `export let k = 0; export const done = new Promise((r) => setTimeout(() => { k = 1; r() }, 1));` }],
    ['shadowed names are left alone', { 'main.js': `import { n, inc } from './a.js';
function f(n) { return n } function g() { let n = 'g'; { const n = 'inner'; log(n) } return n }
function h({ n } = { n: 'h' }) { return n } const i = function n() { return typeof n };
try { throw 'c' } catch (n) { log(n) } for (let n = 0; n < 1; n++) log(n); for (const n of ['of']) log(n);
class K { n = 1; static n() { return 'static' } get() { return this.n } } label: for (;;) { break label }
switch (1) { case 1: let n = 'case'; log(n) } function j() { var n = 'var'; return n } function k() { if (true) { var n = 'hoisted' } return n }
inc(); log(f('p'), g(), h(), i(), new K().get(), K.n(), j(), k(), n, { n }.n, { n: 'key' }.n, [n], \`\${n}\`, (() => n)(), ((n) => n)('arrow'));
class n2 { static { let n = 'sb'; log(n) } }`, 'a.js': `export let n = 0; export function inc() { n++ }` }],
    ['uses of every form', { 'main.js': `import { n, fn, tag, C, change } from './a.js';
change(); const o = { n, m: n }; log(JSON.stringify(o), typeof n, -n, n + 1, n ? 'y' : 'n', fn(), fn?.(), tag\`x\`, new C().v, new C, n in { 1: 2 });
class D extends C {} log(new D().v); const { [n]: computed = n } = {}; log(computed); log(fn.name, fn.call('t'));`,
        'a.js': `export let n = 0; export let fn = function () { return this }, tag = function (s) { return this + s[0] }; export let C = class { v = 1 };
export function change() { n = 1; C = class { v = 2; toString() { return 'C' } }; fn = fn; tag = tag }` }],
    ['a call at the start of a line', { 'main.js': `import { f, swap } from './a.js'\nlet x = 1\nf()\nswap()\nf()\n;[1].forEach(f)`, 'a.js': `export let f = () => log('one'); export function swap() { f = () => log('two') }` }],
    ['assignment to an import throws', { 'main.js': `import { a } from './a.js'; try { a = 2 } catch (e) { log(e.name) } log(a);`, 'a.js': `export let a = 1;` }],
    ['increment of an import throws', { 'main.js': `import { a } from './a.js'; try { a++ } catch (e) { log(e.name) } try { ({ a } = { a: 3 }) } catch (e) { log(e.name) } log(a);`, 'a.js': `export let a = 1;` }],

    // --- order of evaluation ---
    ['depth first', { 'main.js': `import './a.js'; import './b.js'; log('main');`, 'a.js': `import './c.js'; log('a');`, 'b.js': `import './c.js'; log('b');`, 'c.js': `log('c');` }],
    ['imports are hoisted', { 'main.js': `log('main'); import './a.js';`, 'a.js': `log('a');` }],
    ['export from is an import', { 'main.js': `import './b.js'; export { x } from './a.js'; export * from './c.js';`, 'a.js': `log('a'); export const x = 1;`, 'b.js': `log('b')`, 'c.js': `log('c')` }],
    ['evaluated once', { 'main.js': `import './a.js'; import { x } from './a.js'; import * as y from './a.js'; import './dir/../a.js'; log(x === y.x);`, 'a.js': `log('a'); export const x = {};` , 'dir/x.js': ''}],
    ['folders', { 'main.js': `import { v } from './lib/a.js'; log(v);`, 'lib/a.js': `export * from '../other/b.js';`, 'other/b.js': `import c from './deep/c.js'; export const v = 'b' + c;`, 'other/deep/c.js': `export default 'c'` }],
    ['an error stops the importers', { 'main.js': `import './a.js'; import './b.js'; log('main');`, 'a.js': `log('a'); throw new RangeError('boom');`, 'b.js': `log('b');` }],
    ['an error is remembered', { 'main.js': `const t = async () => { try { await import('./a.js') } catch (e) { return e } }; const x = await t(), y = await t(); log(x === y, x.message);`, 'a.js': `log('run'); throw new Error('once');` }],
    ['a thrown value that is not an error', { 'main.js': `import './a.js';`, 'a.js': `throw 'text';` }],
    ['empty module', { 'main.js': `` }],
    ['only comments', { 'main.js': `// nothing\n/* at all */` }],
    ['side effects only', { 'main.js': `import {} from './a.js'; export {} from './b.js'; export {};`, 'a.js': `log('a')`, 'b.js': `log('b')` }],

    // --- cycles ---
    ['functions are hoisted in a cycle', { 'main.js': `import { b } from './b.js'; export function a() { return 'a' } log(b);`, 'b.js': `import { a } from './main.js'; export const b = a() + 'b';` }],
    ['anonymous default function is hoisted in a cycle', { 'main.js': `import { b } from './b.js'; export default function () { return 'a' } log(b);`, 'b.js': `import a from './main.js'; export const b = a() + a.name;` }],
    ['var is undefined in a cycle', { 'main.js': `import './b.js'; export var a = 1;`, 'b.js': `import { a } from './main.js'; log(a);` }],
    ['let throws in a cycle', { 'main.js': `import './b.js'; export let a = 1;`, 'b.js': `import { a } from './main.js'; try { log(a) } catch (e) { log(e.name, e.message) }` }],
    ['const throws in a cycle', { 'main.js': `import './b.js'; export const a = 1;`, 'b.js': `import { a } from './main.js'; a;` }],
    ['class throws in a cycle', { 'main.js': `import './b.js'; export class A {}`, 'b.js': `import { A } from './main.js'; class B extends A {}` }],
    ['default expression throws in a cycle', { 'main.js': `import './b.js'; export default 1;`, 'b.js': `import d from './main.js'; try { log(d) } catch (e) { log(e.name) }` }],
    ['typeof in the dead zone throws', { 'main.js': `import './b.js'; export let a = 1;`, 'b.js': `import { a } from './main.js'; try { log(typeof a) } catch (e) { log(e.name) }` }],
    ['namespace in the dead zone', { 'main.js': `import './b.js'; export let a = 1; export var v = 2; export function f() {}`, 'b.js': `import * as ns from './main.js'; log(Object.getOwnPropertyNames(ns), ns.v, typeof ns.f, 'a' in ns); try { ns.a } catch (e) { log(e.name) }` }],
    ['a function reads later what was not there', { 'main.js': `import { get } from './b.js'; export let a = 1; log(get()); a = 2; log(get());`, 'b.js': `import { a } from './main.js'; export const get = () => a; try { get() } catch (e) { log(e.name) }` }],
    ['a hoisted function before its imports ran', { 'main.js': `import './b.js'; import { k } from './c.js'; export function f() { return k } log(f());`, 'b.js': `import { f } from './main.js'; try { log(f()) } catch (e) { log(e.name) }`, 'c.js': `export const k = 'k'; log('c');` }],
    ['cycle of three', { 'main.js': `import { b } from './b.js'; export const a = 'a'; log('main', b);`, 'b.js': `import { c } from './c.js'; export const b = 'b'; log('b', c());`, 'c.js': `import { a } from './main.js'; import { b } from './b.js'; export function c() { try { return a + b } catch (e) { return e.name } } log('c', c());` }],
    ['self import', { 'main.js': `import * as self from './main.js'; import { f as g, x as y } from './main.js'; log(f(), self.f === g); export function f() { return 'f' } export let x = 1; log(y, self.x); x = 2; log(y, self.x);` }],
    ['two modules, mutual recursion', { 'main.js': `import { even } from './even.js'; log(even(10), even(7));`, 'even.js': `import { odd } from './odd.js'; export const even = (n) => n === 0 || odd(n - 1);`, 'odd.js': `import { even } from './even.js'; export const odd = (n) => n !== 0 && even(n - 1);` }],
    ['cycle of re-exports', { 'main.js': `import { x } from './a.js'; log(x);`, 'a.js': `export * from './b.js'; export const x = 1;`, 'b.js': `export * from './a.js'; import { x } from './a.js'; try { log(x) } catch (e) { log(e.name) }` }],
    ['an error in a cycle', { 'main.js': `import './b.js'; log('never');`, 'b.js': `import './main.js'; throw new Error('in b');` }],
    ['cycle with live binding', { 'main.js': `import { bump, seen } from './b.js'; export let n = 0; export function inc() { n++ } bump(); bump(); log(n, seen());`, 'b.js': `import { n, inc } from './main.js'; export const bump = () => inc(); export const seen = () => n;` }],
    ['block functions and var hoisting in a cycle', { 'main.js': `import './b.js'; var v = 1; { function inner() { return 'i' } v = inner() } export { v }; log(v);`, 'b.js': `import { v } from './main.js'; log(v);` }],
    ['instanceof across a cycle', { 'main.js': `import { Child } from './child.js'; export class Base { make() { return new Child() } } log(typeof Child);`, 'child.js': `import { Base } from './base.js'; export class Child extends Base {} `, 'base.js': `import { Child } from './child.js'; export class Base { static child() { return Child } }` }],

    // --- re-exports, stars, conflicts ---
    ['export star skips default', { 'main.js': `import * as ns from './b.js'; log(Object.keys(ns));`, 'b.js': `export * from './a.js'`, 'a.js': `export const x = 1; export default 2;` }],
    ['local name wins over star', { 'main.js': `import { x } from './b.js'; log(x);`, 'b.js': `export * from './a.js'; export const x = 'b';`, 'a.js': `export const x = 'a';` }],
    ['conflict is left out of the namespace', { 'main.js': `import * as ns from './c.js'; log(Object.keys(ns), ns.x);`, 'c.js': `export * from './a.js'; export * from './b.js';`, 'a.js': `export const x = 'a', y = 1;`, 'b.js': `export const x = 'b', z = 2;` }],
    ['the same binding twice is no conflict', { 'main.js': `import { x } from './c.js'; log(x);`, 'c.js': `export * from './a.js'; export * from './b.js';`, 'a.js': `export const x = 'a';`, 'b.js': `export { x } from './a.js';` }],
    ['export star as', { 'main.js': `export * as ns from './a.js'; import { ns } from './main.js'; log(ns.x, ns[Symbol.toStringTag]);`, 'a.js': `export const x = 1;` }],
    ['export of an imported namespace', { 'main.js': `import * as a from './a.js'; export { a, a as b };`, 'a.js': `export const x = 1;` }],
    ['default forwarded', { 'main.js': `import d, { e } from './b.js'; log(d, e);`, 'b.js': `export { default, default as e } from './a.js';`, 'a.js': `export default 'd';` }],
    ['namespace members through a chain', { 'main.js': `import { inner } from './b.js'; log(inner.deep.x);`, 'b.js': `export * as inner from './c.js';`, 'c.js': `import * as deep from './a.js'; export { deep };`, 'a.js': `export const x = 'x';` }],

    // --- namespace objects ---
    ['reflection', { 'main.js': `import * as ns from './a.js'; log(Object.getPrototypeOf(ns), Object.prototype.toString.call(ns), Object.isExtensible(ns), Reflect.ownKeys(ns).map(String), JSON.stringify(ns), 'a' in ns, 'zz' in ns, ns.zz, Object.isSealed(ns));
const d = Object.getOwnPropertyDescriptor(ns, Symbol.toStringTag); log(d.value, d.writable, d.enumerable, d.configurable); const e = Object.getOwnPropertyDescriptor(ns, 'a'); log(e.enumerable, e.configurable);`, 'a.js': `export const b = 2, a = 1, Z = 0; export default 3;` }],
    ['writes throw', { 'main.js': `import * as ns from './a.js'; for (const f of [() => { ns.a = 2 }, () => { ns.zz = 1 }, () => { delete ns.a }, () => Object.defineProperty(ns, 'q', { value: 1 }), () => Object.setPrototypeOf(ns, {})]) { try { f(); log('ok') } catch (e) { log(e.name) } } log(Reflect.set(ns, 'a', 5), Reflect.deleteProperty(ns, 'nope'), ns.a);`, 'a.js': `export let a = 1;` }],
    ['one namespace object', { 'main.js': `import * as x from './a.js'; import * as y from './a.js'; log(x === y, x === await import('./a.js'));`, 'a.js': `export {}` }],
    ['for-in over a namespace', { 'main.js': `import * as ns from './a.js'; for (const k in ns) log(k, ns[k]);`, 'a.js': `export const b = 2; export const a = 1;` }],
    ['namespace methods get the namespace as this', { 'main.js': `import * as ns from './a.js'; import { f } from './a.js'; log(ns.f() === ns, f() === undefined);`, 'a.js': `export function f() { return this }` }],

    // --- errors of linking ---
    ['missing name', { 'main.js': `log('never'); import { nope } from './a.js';`, 'a.js': `log('never either'); export const x = 1;` }],
    ['missing default', { 'main.js': `import d from './a.js';`, 'a.js': `export const x = 1;` }],
    ['missing name in export from', { 'main.js': `export { nope } from './a.js';`, 'a.js': `` }],
    ['missing name in a cycle of re-exports', { 'main.js': `await import('./c.js').catch((e) => log(e.name));`, 'c.js': `import { q } from './a.js';`, 'a.js': `export { q } from './b.js';`, 'b.js': `export { q } from './a.js';` }],
    ['missing name behind import() can be caught', { 'main.js': `try { await import('./bad.js') } catch (e) { log(e.name) } log('on');`, 'bad.js': `import { nope } from './a.js';`, 'a.js': `export const x = 1;` }],

    // --- top-level await ---
    ['await', { 'main.js': `import { x } from './a.js'; log('main', x);`, 'a.js': `export const x = await Promise.resolve(5); log('a');` }],
    ['siblings run in parallel', { 'main.js': `import './a.js'; import './b.js'; import './c.js'; log('main');`, 'a.js': `log('a1'); await null; log('a2'); await null; log('a3');`, 'b.js': `log('b1'); await null; log('b2');`, 'c.js': `log('c');` }],
    ['parents wait, others do not', { 'main.js': `import './p.js'; import './q.js'; log('main');`, 'p.js': `import './slow.js'; log('p');`, 'q.js': `log('q');`, 'slow.js': `log('s1'); await new Promise((r) => setTimeout(r, 2)); log('s2');` }],
    ['rejection reaches the importer', { 'main.js': `import './a.js'; log('never');`, 'a.js': `await null; throw new Error('late');` }],
    ['rejection and a sibling', { 'main.js': `import './a.js'; import './b.js'; log('never');`, 'a.js': `await null; throw new Error('late');`, 'b.js': `log('b1'); await null; await null; log('b2');` }],
    ['rejection behind import()', { 'main.js': `try { await import('./a.js') } catch (e) { log(e.message) }`, 'a.js': `await null; throw new Error('late');` }],
    ['for await', { 'main.js': `async function* g() { yield 1; yield 2 } for await (const x of g()) log(x); for await (const y of [Promise.resolve(3)]) log(y); log('end');` }],
    ['await in a cycle', { 'main.js': `import './b.js'; export function f() { return 'f' } await null; log('main');`, 'b.js': `import { f } from './main.js'; log(f()); await null; log('b');` }],
    ['await in a cycle, order', { 'main.js': `import './b.js'; import './d.js'; log('main1'); const v = await 5; log('main2', v);`, 'b.js': `import './main.js'; log('b1'); await null\nlog('b2')\nawait null\nlog('b3')`, 'd.js': `log('d')` }],
    ['await of a rejection in a cycle', { 'main.js': `import './b.js'; try { await Promise.reject(new Error('x')) } catch (e) { log(e.message) } finally { log('f') } export const z = (await 1) + await 2; log(z);`, 'b.js': `import './main.js';` }],
    ['for await in a cycle', { 'main.js': `import './b.js'; for await (const x of [1, 2]) log(x); export let done = true;`, 'b.js': `import { done } from './main.js'; export const get = () => done; log('b');` }],
    ['await with a newline and parentheses in a cycle', { 'main.js': `import './b.js'; const x = await\n(1, 2)\nconst y = await\nPromise.resolve(3)\nlog(x, y)`, 'b.js': `import './main.js'` }],
    ['cycle below an asynchronous parent', { 'main.js': `import './a.js'; log('main');`, 'a.js': `import './b.js'; log('a');`, 'b.js': `import './a.js'; import './t.js'; log('b');`, 't.js': `log('t1'); await null; log('t2');` }],
    ['diamond with await', { 'main.js': `import './l.js'; import './r.js'; log('main');`, 'l.js': `import './base.js'; log('l');`, 'r.js': `import './base.js'; await null; log('r');`, 'base.js': `await null; log('base');` }],
    ['await inside nested functions is not top-level', { 'main.js': `async function f() { await null; log('late') } f(); log('main');` }],
    ['await in a class heritage and computed keys', { 'main.js': `class A extends (await Promise.resolve(Object)) { [await 'k']() { return 1 } static [await 's'] = 2 } log(new A().k(), A.s);` }],
    ['await in an export and a template', { 'main.js': `export const { a = await 3 } = {}; export default await \`x\${await 1}\`; log(a);` }],

    // --- import() and import.meta ---
    ['import() gives the namespace', { 'main.js': `const ns = await import('./a.js'); log(ns.x, ns.default);`, 'a.js': `export const x = 1; export default 2;` }],
    ['import() of an evaluated module', { 'main.js': `import * as a from './a.js'; log((await import('./a.js')) === a);`, 'a.js': `log('once');` }],
    ['import() is lazy', { 'main.js': `log('main'); const f = () => import('./a.js'); log('still'); await f(); log('end');`, 'a.js': `log('a');` }],
    ['import() with a computed specifier', { 'main.js': `for (const n of ['a', 'b']) log((await import(\`./\${n}.js\`)).default);`, 'a.js': `export default 'A'`, 'b.js': `export default 'B'` }],
    ['import() of a module in a cycle with us', { 'main.js': `export let v = 1; import('./b.js').then((b) => log(b.got)); v = 2;`, 'b.js': `import { v } from './main.js'; export const got = v;` }],
    ['import() inside CommonJS style code and functions', { 'main.js': `export async function f() { const { x } = await import('./a.js'); return x } log(await f());`, 'a.js': `export const x = 'x';` }],
    ['import() of a thenable namespace', { 'main.js': `log(await import('./a.js'));`, 'a.js': `export function then(resolve) { resolve('thenable') }` }],
    ['import() in parallel', { 'main.js': `const [x, y] = await Promise.all([import('./a.js'), import('./a.js')]); log(x === y);`, 'a.js': `log('a'); await null; log('b');` }],
    ['import() converts its argument first', { 'main.js': `import({ toString() { throw new Error('ts') } }).catch((e) => log(e.message)); log('sync');` }],
    ['import.meta is one object', { 'main.js': `const m = import.meta; log(m === import.meta, typeof m, Object.getPrototypeOf(m), m.url.endsWith('/main.js')); m.own = 1; log(import.meta.own);` }],
    ['import.meta.resolve', { 'main.js': `log(import.meta.resolve('./x/y.js').endsWith('/x/y.js'));` }],

    // --- what differs between a module and a script ---
    ['this is undefined and the code is strict', { 'main.js': `log(this, (function () { return this })()); try { undeclared = 1 } catch (e) { log(e.name) }` }],
    ['top-level names are not global', { 'main.js': `var v = 1; function f() {} log('v' in globalThis, 'f' in globalThis);` }],
    ['hashbang', { 'main.js': `#!/usr/bin/env node\nlog('ran');` }],
    ['removed imports keep statements apart', { 'main.js': `let f = () => log('called')\nimport './a.js'\n(1, 2)\nf()`, 'a.js': `` }],
    ['line numbers', { 'main.js': `import {\n  x,\n} from './a.js';\n\nfunction thrower() {\n  throw new Error('here');\n}\ntry { thrower() } catch (e) { log(e.message) }`, 'a.js': `export const x = 1;` }],
    ['names like ours', { 'main.js': `const $sv = 1, $sve = 2, $svn0 = 3, exp = 4, ctx = 5; log($sv, $sve, $svn0, exp, ctx);` }],
    ['last line is a comment', { 'main.js': `log('x') // no newline` }],
    ['new.target, generators, labels, regular expressions', { 'main.js': `function F() { return new.target === F } log(new F() instanceof F, F()); function* g() { yield* [1, 2] } log([...g()]); outer: for (const i of [1, 2]) for (const j of [1, 2]) { if (j === 2) continue outer; log(i, j) } log(/[/]<!--(?<n>a)/u.test('x'), 4 / 2 / 1);` }],
    ['unicode', { 'main.js': `const ünï = '\u2028💥'; export { ünï as 'naïve name' }; log(ünï.length);` }],
    ['class private names and static blocks', { 'main.js': `class A { #x = 1; static #y = 2; static { log(A.#y) } has(o) { return #x in o } } log(new A().has(new A()));` }],
    ['sloppy names as identifiers', { 'main.js': `const async = 1, of = 2, get = 3, from = 4, as = 5, using = 6; log(async, of, get, from, as, using); export { as as from, from as of };` }],

    // --- using ---
    ['using in a block', { 'main.js': `const r = (n) => ({ [Symbol.dispose]() { log('dispose', n) } }); { using a = r('a'), b = r('b'); log('body'); using c = r('c'); } log('after');` }],
    ['using in a function that returns', { 'main.js': `function f() { 'use strict'; using a = { [Symbol.dispose]() { log('d') } }; return log('r') ?? 'value' } log(f());` }],
    ['using and an error', { 'main.js': `try { using a = { [Symbol.dispose]() { throw new Error('in dispose') } }; throw new Error('in body') } catch (e) { log(e.name, e.error?.message, e.suppressed?.message) }` }],
    ['using null and a wrong value', { 'main.js': `{ using a = null; using b = undefined; log(a, b) } try { using c = {}; } catch (e) { log(e.name) } try { using d = 1; } catch (e) { log(e.name) }` }],
    ['await using', { 'main.js': `{ await using a = { async [Symbol.asyncDispose]() { log('1'); await null; log('2') } }; using b = { [Symbol.dispose]() { log('sync') } }; log('body') } log('after');` }],
    ['using at top level with exports', { 'main.js': `import { f, k } from './a.js'; log(f(), k);`, 'a.js': `export function f() { return 'f' } using r = { [Symbol.dispose]() { log('disposed') } }; export const k = 'k'; log('end of a');` }],
    ['using in for-of', { 'main.js': `const r = (n) => ({ n, [Symbol.dispose]() { log('d', n) } }); next: for (using x of [r(1), r(2), r(3)]) { if (x.n === 2) continue next; log('body', x.n); if (x.n === 3) break }` }],
    ['using with closures and parenthesised value', { 'main.js': `let f; { using a = (log('seq'), { v: 1, [Symbol.dispose]() { log('d') } }); f = () => a.v } log(f());` }],
    ['await using in for-of', { 'main.js': `for (await using x of [{ async [Symbol.asyncDispose]() { log('ad') } }]) log('body'); log('after');` }],
    ['await using at the top of a cycle', { 'main.js': `import './b.js'; await using x = { async [Symbol.asyncDispose]() { log('ad') } }; export function f() { return 1 } log('main');`, 'b.js': `import { f } from './main.js'; log(f());` }],

    // --- JSON and CommonJS ---
    ['json', { 'main.js': `import data from './a.json' with { type: 'json' }; import again from './a.json' with { type: 'json' }; log(data.x[1], data === again, (await import('./a.json', { with: { type: 'json' } })).default === data);`, 'a.json': `{"x": [1, 2]}` }],
    ['commonjs default', { 'main.js': `import c from './a.cjs'; log(c.x, c());`, 'a.cjs': `module.exports = () => 'called'; module.exports.x = 1;` }],
    ['commonjs named', { 'main.js': `import { a, b } from './a.cjs'; log(a, b);`, 'a.cjs': `exports.a = 1; Object.defineProperty(exports, 'b', { enumerable: true, value: 2 });` }],
    ['commonjs is sloppy and has its variables', { 'main.js': `import c from './a.cjs'; log(c);`, 'a.cjs': `log(this === exports, typeof require, typeof module, __filename.endsWith('a.cjs'), typeof __dirname); implicit = 1; log(typeof implicit); delete globalThis.implicit; module.exports = typeof arguments;` }],
    ['commonjs requires commonjs in a circle', { 'main.js': `import a from './a.cjs'; log(a.done, a.b.seen);`, 'a.cjs': `exports.early = 1; exports.b = require('./b.cjs'); exports.done = true;`, 'b.cjs': `const a = require('./a.cjs'); exports.seen = JSON.stringify(a);` }],
    ['commonjs requires once', { 'main.js': `import './a.cjs'; import './b.cjs';`, 'a.cjs': `log('a'); require('./b.cjs'); require('./b.cjs');`, 'b.cjs': `log('b');` }],
    ['commonjs returns early', { 'main.js': `import c from './a.cjs'; log(c.x);`, 'a.cjs': `exports.x = 1; return; exports.x = 2;` }],
    ['commonjs requires an ES module', { 'main.js': `import c from './a.cjs'; log(c);`, 'a.cjs': `const m = require('./m.js'); module.exports = m.x + m.default + Object.prototype.toString.call(m);`, 'm.js': `export const x = 'x'; export default 'd';` }],
    ['commonjs requires json', { 'main.js': `import c from './a.cjs'; log(c);`, 'a.cjs': `module.exports = require('./d.json').v;`, 'd.json': `{"v": 7}` }],
    ['commonjs import()', { 'main.js': `import c from './a.cjs'; log(await c());`, 'a.cjs': `module.exports = async () => (await import('./m.js')).x;`, 'm.js': `export const x = 'dyn';` }],
    ['commonjs throws', { 'main.js': `try { await import('./a.cjs') } catch (e) { log(e.message) }`, 'a.cjs': `throw new Error('cjs');` }],
    ['commonjs that re-exports', { 'main.js': `import { deep } from './a.cjs'; log(deep);`, 'a.cjs': `module.exports = require('./b.cjs');`, 'b.cjs': `exports.deep = 'deep';` }],
];
