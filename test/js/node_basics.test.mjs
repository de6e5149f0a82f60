// node: modules that need no C: paths, URLs, events, utilities.
import { compare } from './node_harness.mjs';

// Newer versions of Node show these otherwise; version 22 is what process.version says.
const NODE22 = [
    { expr: 'inspect(new ArrayBuffer(4))', want: '"ArrayBuffer { [Uint8Contents]: <00 00 00 00>, byteLength: 4 }"' },
    { expr: 'inspect(new DataView(new ArrayBuffer(1)))', want: JSON.stringify('DataView {\n  byteLength: 1,\n  byteOffset: 0,\n  buffer: ArrayBuffer { [Uint8Contents]: <00>, byteLength: 1 }\n}') },
    { expr: 'inspect((function () { return arguments; })(1, 2))', want: '"[Arguments] [ 1, 2 ]"' },
];

compare('path', {
    head: `import path, { posix, win32 } from 'node:path';
const inputs = ['', '.', '..', '/', '//', '///a//b', '/a/b/c.txt', 'a/b/../c', './a/./b', '../a', 'a/', '/a/b/', 'a.b.c', '.bashrc', '.a.b', 'a.', 'a..', '/..', '/../a', 'C:\\\\a\\\\b', 'C:', 'C:a', 'C:/a/b/', '\\\\\\\\srv\\\\share\\\\x', '\\\\\\\\srv\\\\share', '\\\\a\\\\b', 'a\\\\b\\\\..\\\\c', '//srv/share/x/..', 'file.ext/', 'c:.', './c:a', '\\\\\\\\.\\\\COM1', '\\\\\\\\?\\\\C:\\\\a', 'a/b\\\\c.d', ' a b.c '];
process.chdir('/');
const each = (fn) => inputs.map((x) => { try { return fn(x); } catch (e) { return e.code; } });`,
    cases: [
        ...['posix', 'win32'].flatMap((f) => [
            ...['normalize', 'isAbsolute', 'dirname', 'basename', 'extname', 'toNamespacedPath'].map((m) => `each((x) => ${f}.${m}(x))`),
            `each((x) => ${f}.parse(x))`, `each((x) => ${f}.format(${f}.parse(x)))`, `each((x) => ${f}.join(x, 'q'))`, `each((x) => ${f}.join('q', x))`,
            `each((x) => ${f}.join('/', x, '..'))`, `each((x) => ${f}.resolve('${f === 'posix' ? '/r/s' : 'D:\\\\r\\\\s'}', x))`,
            `each((x) => ${f}.relative('${f === 'posix' ? '/a/b' : 'C:\\\\a\\\\b'}', ${f}.resolve('${f === 'posix' ? '/a' : 'C:\\\\a'}', x)))`,
            `each((x) => ${f}.basename(x, '.txt'))`, `[${f}.sep, ${f}.delimiter]`,
            `${f}.format({ dir: '/x', name: 'n', ext: 'e' })`, `${f}.format({ root: '/', base: 'b' })`,
        ]),
        'path === posix', 'path.win32 === win32', 'path.join(1)', 'path.basename("a", 1)', 'path.relative("/a/b/c", "/a/d")', 'path.relative("/a", "/a/")',
        'path.basename("aaa.html", ".html")', 'path.basename("a.b", "a.b")', 'path.basename("/x/a.b/", "b")', 'path.matchesGlob("a/b.js", "a/*.js")', 'path.matchesGlob("a/b/c.js", "a/**/*.js")',
    ],
});

compare('querystring', {
    head: `import qs from 'node:querystring';`,
    cases: [
        'qs.parse("a=1&b=2&a=3")', 'qs.parse("a=%20b+c&d")', 'qs.parse("a=%zz&b=%e2%82%ac")', 'qs.parse("a:1;b:2", ";", ":")', 'qs.parse("")', 'qs.parse("&&a=1&")',
        'qs.parse("a=1&b=2&c=3", null, null, { maxKeys: 2 })', 'qs.parse("=x&y=")', 'Object.getPrototypeOf(qs.parse("a=1"))', 'qs.parse("a=b=c")',
        'qs.stringify({ a: 1, b: [1, "x y"], c: null, d: undefined, e: true, f: NaN, g: 5n })', 'qs.stringify({ a: "€&=" })', 'qs.stringify({ a: 1, b: 2 }, ";", ":")',
        'qs.escape("a b&c=ü")', 'qs.unescape("a%20b%")', 'qs.escape({ toString: () => "x y" })', 'qs.stringify({ a: "x" }, null, null, { encodeURIComponent: (s) => s + "!" })',
        'qs.parse("a=%F0%9F%98%80")', 'qs.unescapeBuffer("a%20%zz")', 'qs.decode === qs.parse', 'qs.stringify("x")', 'qs.stringify({ a: "\\ud800" })',
    ],
});

compare('url', {
    head: `import url from 'node:url';
const p = (s, ...r) => { const u = url.parse(s, ...r); return { ...u }; };`,
    cases: [
        'p("http://user:pass@host.com:8080/p/a/t/h?query=string#hash")', 'p("/a/b?c=d")', 'p("//host/path")', 'p("//host/path", false, true)', 'p("mailto:a@b.c")',
        'p("http://a.com/?x=1&x=2", true)', 'p("HTTP://EXAMPLE.com/Path")', 'p("javascript:alert(1)")', 'p("http://[::1]:80/x")', 'p("a/b")', 'p("")',
        'url.parse(1)', 'url.format({ protocol: "http", host: "a.com", pathname: "x", query: { a: 1, b: [2, 3] } })', 'url.format({ hostname: "::1", port: 80, slashes: true, protocol: "http:" })',
        'url.format(new URL("http://u:p@测试.com/a?b#c"), { auth: false, fragment: false, unicode: true, search: false })', 'url.format("http://a b.com")',
        'url.resolve("/one/two/three", "four")', 'url.resolve("http://example.com/", "/one")', 'url.resolve("http://example.com/one", "../two")', 'url.resolve("http://a.com/b", "http://c.com")',
        'url.fileURLToPath("file:///a/b%20c.txt")', 'url.fileURLToPath("http://a")', 'url.fileURLToPath("file://host/a")', 'url.fileURLToPath("file:///a%2fb")', 'url.fileURLToPath(5)',
        'url.fileURLToPath("file:///C:/a b", { windows: true })', 'url.pathToFileURL("/a b#?%.txt").href', 'url.pathToFileURL("/a/").href', 'url.pathToFileURL("C:\\\\x y\\\\", { windows: true }).href',
        'url.domainToASCII("español.com")', 'url.domainToASCII("xn--iñvalid.com")', 'url.domainToUnicode("xn--fiq228c.com")',
        'url.urlToHttpOptions(new URL("https://a:b@测试:8080/x?y#z"))', 'url.URL === URL', 'url.URLSearchParams === URLSearchParams',
    ],
});

compare('events', {
    head: `import EventEmitter, { once, on, errorMonitor, getEventListeners, EventEmitterAsyncResource } from 'node:events';
function trace(fn) { const log = []; fn(new EventEmitter(), (...a) => { log.push(a); }); return log; }`,
    cases: [
        'trace((e, l) => { e.on("a", l); e.emit("a", 1, 2); e.emit("b"); })', 'trace((e, l) => { e.once("a", l); e.emit("a", 1); e.emit("a", 2); })',
        'trace((e, l) => { e.prependListener("a", () => l(1)); e.on("a", () => l(2)); e.prependOnceListener("a", () => l(0)); e.emit("a"); e.emit("a"); })',
        'trace((e, l) => { e.on("newListener", (n) => l("new", n)); e.on("removeListener", (n) => l("gone", n)); const f = () => {}; e.on("x", f); e.off("x", f); })',
        'new EventEmitter().emit("error", new TypeError("bad"))', 'new EventEmitter().emit("error", 5)', 'new EventEmitter().emit("error")', 'new EventEmitter().emit("error", { a: 1 })',
        'trace((e, l) => { e.on(errorMonitor, (x) => l("mon", x)); try { e.emit("error", new Error("z")); } catch (x) { l(x.message); } })',
        'new EventEmitter().on("a", 5)', 'new EventEmitter().setMaxListeners(-1)', 'new EventEmitter().getMaxListeners()', 'EventEmitter.defaultMaxListeners',
        '(() => { const e = new EventEmitter(); e.on("a", () => {}); e.on(Symbol.for("s"), () => {}); return e.eventNames(); })()',
        '(() => { const e = new EventEmitter(); const f = () => {}; e.on("a", f); e.once("a", f); return [e.listenerCount("a"), e.listenerCount("a", f), e.listeners("a").length, e.rawListeners("a")[1] === f]; })()',
        '(() => { const e = new EventEmitter(); e.on("a", () => {}); e.on("b", () => {}); e.removeAllListeners("a"); const x = e.eventNames(); e.removeAllListeners(); return [x, e.eventNames()]; })()',
        'trace((e, l) => { const f = () => { l(1); e.off("a", g); }; const g = () => l(2); e.on("a", f); e.on("a", g); e.emit("a"); e.emit("a"); })',
        '(async () => { const e = new EventEmitter(); queueMicrotask(() => e.emit("x", 1, 2)); return once(e, "x"); })()', '(async () => { const e = new EventEmitter(); queueMicrotask(() => e.emit("error", new Error("no"))); return once(e, "x"); })()',
        '(async () => { const a = new AbortController(); a.abort(); return once(new EventEmitter(), "x", { signal: a.signal }); })()', '(async () => { const t = new EventTarget(); queueMicrotask(() => t.dispatchEvent(new Event("x"))); return (await once(t, "x")).length; })()',
        '(async () => { const e = new EventEmitter(); queueMicrotask(() => { e.emit("x", 1); e.emit("x", 2); e.emit("end"); }); const out = []; for await (const v of on(e, "x", { close: ["end"] })) out.push(v); return out; })()',
        'new Promise((r) => { const e = new EventEmitter({ captureRejections: true }); e.on("error", (x) => r(x.message)); e.on("a", async () => { throw new Error("async"); }); e.emit("a"); })',
        'getEventListeners((() => { const e = new EventEmitter(); e.on("q", show); return e; })(), "q")', 'Object.keys(EventEmitter).sort().join()',
        '(() => { class A extends EventEmitter {} const a = new A(); return [a instanceof EventEmitter, a.constructor.name, Object.keys(a)]; })()', 'EventEmitter.EventEmitter === EventEmitter',
        '(() => { function F() { EventEmitter.call(this); } Object.setPrototypeOf(F.prototype, EventEmitter.prototype); const f = new F(); let n = 0; f.on("a", () => n++); f.emit("a"); return n; })()',
        'new EventEmitterAsyncResource({ name: "Q" }).asyncResource.eventEmitter instanceof EventEmitter', 'new EventEmitterAsyncResource()', 'EventEmitter.usingDomains',
        '(() => { const e = new EventEmitter(); return e.on("a", () => {}) === e && e.setMaxListeners(3) === e && e.off("a", () => {}) === e; })()',
    ],
});

compare('util.inspect', {
    head: `import util, { inspect } from 'node:util';
class Foo { constructor() { this.a = 1; } get b() { return 2; } }
class Bar extends Map {}
const circle = { name: 'c' }; circle.self = circle; circle.list = [circle];
const sym = Symbol('s');
const deep = { a: { b: { c: { d: { e: 1 } } } } };`,
    cases: [
        'inspect(1)', 'inspect(-0)', 'inspect("a\\"b\\n\\\'")', 'inspect("it\\\'s")', 'inspect([1, , 3, , ,])', 'inspect({ a: 1, "b-c": 2, [sym]: 3 })', 'inspect(new Foo())', 'inspect(circle)', 'inspect(deep)',
        'inspect(deep, { depth: 0 })', 'inspect(deep, { depth: null })', 'inspect(deep, false, 1)', 'inspect([[[[]]]])', 'inspect(new Map([["a", { b: 1 }], [1, 2]]))', 'inspect(new Set([1, "x", [2]]))', 'inspect(new Bar([[1, 2]]))',
        'inspect(Object.create(null))', 'inspect(Object.assign(Object.create(null), { x: 1 }))', 'inspect(function foo() {})', 'inspect(() => {})', 'inspect(class A {})', 'inspect(class A extends Foo {})', 'inspect(async () => {})', 'inspect(function* g() {})',
        'inspect(Object.assign(() => {}, { a: 1 }))', 'inspect(new Date(0))', 'inspect(new Date(NaN))', 'inspect(/a/gi)', 'inspect(Symbol("x y"))', 'inspect(10n)', 'inspect(new Number(3))', 'inspect(new String("ab"))', 'inspect(Object(sym))', 'inspect(Object(1n))',
        'inspect(new Uint8Array(3))', 'inspect(new Float64Array([1.5, -0]))', ...NODE22, 'inspect(Buffer.from("abc"))', 'inspect(Buffer.alloc(60))', 'inspect(new WeakMap())', 'inspect(new WeakSet())',
        'inspect({ get a() { return 1; }, set a(v) {}, get b() { return 1; }, set c(v) {} })', 'inspect({ get a() { return { x: 1 }; } }, { getters: true })', 'inspect({ a: undefined, b: null })', 'inspect(Array.from({ length: 120 }, (_, i) => i))', 'inspect(Array.from({ length: 30 }, (_, i) => "item" + i))',
        'inspect("x".repeat(200))', 'inspect(["x".repeat(100)])', 'inspect({ long: "y".repeat(60), other: "z".repeat(40) })', 'inspect({ a: "line1\\nline2 and more text here to be longer" })', 'inspect(Object.assign([1, 2], { k: 1, "-1": 2 }))', 'inspect([undefined, null, NaN])',
        'inspect({ a: 1, b: { c: 2 } }, { compact: false })', 'inspect({ a: 1, b: { c: [1, 2] } }, { compact: true })', 'inspect({ b: 1, a: 2 }, { sorted: true })', 'inspect({ a: 1234567.891 }, { numericSeparator: true })', 'inspect({ a: 1, b: "x" }, { colors: true })',
        'inspect({ [inspect.custom](d, o) { return "custom " + d; } })', 'inspect({ a: { [inspect.custom]: (d, o, i) => ({ n: i === inspect }) } })', 'inspect(new (class extends Array {})(3))', 'inspect(globalThis.Math)', 'inspect(JSON)',
        'inspect([1, 2, 3], { maxArrayLength: 1 })', 'inspect("abcdef", { maxStringLength: 3 })', 'inspect(new Map([[{ a: 1 }, new Set([1])]]), { depth: 0 })', 'inspect({ a: [] , b: {} })', 'inspect([["a", "b"], ["c", "d"]])', 'inspect(Object.create({ inherited: 1 }))',
        'inspect(Object.create(Foo.prototype))', 'inspect({ a: 1n, b: sym, c: true })', 'inspect(new Foo(), { showHidden: true })', 'inspect([1], { showHidden: true })', 'inspect({ __proto__: { constructor: null }, x: 1 })',
        'inspect({ "a b": 1, 5: 2, "": 3 })', 'inspect(Object.defineProperty({}, "h", { value: 1 }), { showHidden: true })', 'inspect([new Error("x")].map(() => 1))', 'inspect(Object.assign(new Error("boom"), { stack: "Error: boom\\n    at a:1:1" }))', 'inspect(Object.assign(new TypeError("t"), { stack: undefined }))', 'inspect({ e: Object.assign(new RangeError("r"), { stack: "RangeError: r\\n    at x (y:1:2)", code: "E" }) })',
        'inspect(new Map([[1, { a: { b: { c: {} } } }]]))', 'inspect({ f() {}, g: class {}, h: Symbol })', 'inspect("\\u0000\\u001b\\x7f")', 'inspect("\\ud800")', 'inspect(["😀", "中文"])', 'inspect([true, false, "a", 1, null])', 'inspect([1.5, 22.25, 333.125, 4, 5, 6, 7])', 'inspect(Array(7).fill("abc"))',
        'inspect({ [Symbol.toStringTag]: "Tag", a: 1 })', 'inspect(new (class X { get [Symbol.toStringTag]() { return "Y"; } })())', 'inspect(null)', 'inspect(undefined)', 'inspect(Object(false))', 'inspect(new Date(0), { colors: true })', 'inspect(new URLSearchParams("a=1")).length > 5',
    ],
});

compare('util', {
    head: `import util, { format, promisify, callbackify, types, inherits, deprecate, isDeepStrictEqual, parseArgs, styleText, MIMEType, stripVTControlCharacters, toUSVString } from 'node:util';
import { isRegExp } from 'node:util/types';
const kinds = [1, 'a', null, undefined, {}, [], new Map(), new Set(), new Date(), /x/, new Error('e'), () => {}, async () => {}, function* () {}, async function* () {}, (function* () {})(), Promise.resolve(), new WeakMap(), new WeakSet(), new ArrayBuffer(1), new DataView(new ArrayBuffer(1)), new Uint8Array(1), new Int16Array(1), new Float64Array(1), new BigInt64Array(1), Object(1), Object('s'), Object(true), Object(1n), Object(Symbol()), new Map().entries(), new Set().values(), (function () { return arguments; })(), Buffer.from('x'), new Uint8ClampedArray(1)];`,
    cases: [
        'format("%s %d %i %f %j %o %O %%", "a", 1.5, 1.9, "2.5", { x: 1 }, [1], { y: 2 })', 'format("%s", null, undefined, Symbol("a"))', 'format("a", "b", { c: 1 })', 'format("%s", { a: { b: { c: 1 } } })', 'format("%d", "0x10")', 'format("%d", 5n)', 'format("%i", "42abc")', 'format("%x", 1)', 'format("%s %s", "only")', 'format("%c%s", "css", "x")',
        'format(1, 2, "3")', 'format("%s", -0)', 'format("%s", class A {})', 'format("%s", () => 5)', 'format("%j", { toJSON() { return "j"; } })', 'format("%O", { a: { b: { c: { d: 1 } } } })', 'format("%s", new Error("x").message)', 'format("100%")', 'format("%s", [1, [2, [3]]])', 'format("%s", { toString() { return "own"; } })', 'format("%s", new (class Z { toString() { return "proto"; } })())', 'format("%j", (() => { const a = {}; a.a = a; return a; })())', 'format("%%%s%%", "a")', 'format()',
        'promisify((a, cb) => cb(null, a + 1))(1)', 'promisify((cb) => cb(new Error("f")))()', 'promisify(5)', 'promisify(setTimeout)(1, "v")', 'new Promise((r) => callbackify(async (a) => a * 2)(4, (e, v) => r([e, v])))', 'new Promise((r) => callbackify(() => Promise.reject(null))((e) => r([e.code, e.reason])))', 'callbackify(async () => {})()', 'promisify(Object.assign((cb) => cb(), { [promisify.custom]: () => "c" }))()',
        ...['isDate', 'isRegExp', 'isMap', 'isSet', 'isNativeError', 'isPromise', 'isAsyncFunction', 'isGeneratorFunction', 'isGeneratorObject', 'isWeakMap', 'isWeakSet', 'isArrayBuffer', 'isAnyArrayBuffer', 'isDataView', 'isTypedArray', 'isUint8Array', 'isInt16Array', 'isFloat64Array', 'isBigInt64Array', 'isNumberObject', 'isStringObject', 'isBooleanObject', 'isBigIntObject', 'isSymbolObject', 'isBoxedPrimitive', 'isMapIterator', 'isSetIterator', 'isArgumentsObject', 'isArrayBufferView', 'isUint8ClampedArray', 'isProxy', 'isExternal', 'isSharedArrayBuffer'].map((f) => `kinds.map((v) => types.${f}(v) ? 1 : 0).join('')`),
        'isRegExp === types.isRegExp', '(() => { function A() {} function B() {} inherits(A, B); return [A.super_ === B, new A() instanceof B]; })()', 'inherits(1, 2)', 'inherits(null, 2)', 'deprecate(() => 5, "old")()',
        'isDeepStrictEqual({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })', 'isDeepStrictEqual([1, 2], [1, "2"])', 'isDeepStrictEqual(new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 1]]))', 'isDeepStrictEqual(new Set([{ a: 1 }, 2]), new Set([2, { a: 1 }]))', 'isDeepStrictEqual(0, -0)', 'isDeepStrictEqual(NaN, NaN)', 'isDeepStrictEqual(new Date(1), new Date(1))', 'isDeepStrictEqual(/a/g, /a/i)', 'isDeepStrictEqual(new Error("a"), new Error("b"))', 'isDeepStrictEqual(Object(1), Object(1))', 'isDeepStrictEqual(new Uint8Array([1]), new Uint8Array([1]))', 'isDeepStrictEqual(Buffer.from("a"), new Uint8Array([97]))', 'isDeepStrictEqual({ a: undefined }, {})', 'isDeepStrictEqual([, 1], [undefined, 1])', 'isDeepStrictEqual((() => { const a = {}; a.a = a; return a; })(), (() => { const a = {}; a.a = a; return a; })())', 'isDeepStrictEqual({ [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 2 })', 'isDeepStrictEqual([1], { 0: 1, length: 1 })', 'isDeepStrictEqual(new Map([[1, 2]]), new Map([[1, 3]]))', 'isDeepStrictEqual(Object.create(null), {})',
        'parseArgs({ args: ["-f", "--bar", "b", "pos"], options: { foo: { type: "boolean", short: "f" }, bar: { type: "string" } }, allowPositionals: true })', 'parseArgs({ args: ["--x"], options: {} })', 'styleText("red", "x")', 'styleText(["bold", "underline"], "x", { validateStream: false })', 'styleText("none", "x", { validateStream: false })', 'stripVTControlCharacters("\\u001b[31mred\\u001b[39m")', 'toUSVString("a\\ud800b")', 'String(new MIMEType("Text/HTML; charset=\\"utf-8\\""))', 'new MIMEType("bad")', 'new MIMEType("text/plain;a=b").params.get("a")', '(() => { const m = new MIMEType("text/plain"); m.params.set("x", "a b"); m.subtype = "html"; return `${m}`; })()',
        'util.getSystemErrorName(-2)', 'util.getSystemErrorName(5)', 'util.getSystemErrorMessage(-2)', 'util.getSystemErrorMap().get(-2)', 'util.parseEnv("A=1\\nB=\\"x y\\"\\n# c\\nC = z # t\\nexport D=\'q\'")', 'util.isArray([])', 'util.types === types', 'util._extend({ a: 1 }, { b: 2 })', 'util.inspect.defaultOptions', 'util.stripVTControlCharacters(5)', 'util.TextEncoder === TextEncoder', 'util.toUSVString(5)',
    ],
});

compare('assert', {
    head: `import assert, { AssertionError } from 'node:assert';
import strict from 'node:assert/strict';
const e = (fn) => { try { fn(); return 'passed'; } catch (x) { return [x.name, x.code, x.message, x.generatedMessage, x.operator]; } };`,
    cases: [
        ...['assert.strictEqual(1, 2)', 'assert.strictEqual("a", "b")', 'assert.equal(1, 2)', 'assert.equal(1, "1")', 'assert.deepEqual({ a: 1 }, { a: "1" })', 'assert.deepEqual({ a: 1 }, { a: 2 })', 'assert.notStrictEqual(1, 1)', 'assert.notDeepStrictEqual({ a: 1 }, { a: 1 })', 'assert.fail()', 'assert.fail("x")', 'assert.throws(() => {})', 'assert.throws(() => { throw new Error("bad"); }, /bad/)', 'assert.throws(() => { throw new Error("bad"); }, /good/)', 'assert.throws(() => { throw new TypeError("bad"); }, TypeError)', 'assert.throws(() => { throw new TypeError("bad"); }, RangeError)', 'assert.throws(() => { throw new TypeError("bad"); }, { name: "TypeError", message: "bad" })', 'assert.throws(() => { throw new Error("bad"); }, { message: "good" })', 'assert.throws(() => { throw new Error("bad"); }, (x) => x.message === "bad")', 'assert.doesNotThrow(() => { throw new Error("bad"); })', 'assert.doesNotThrow(() => {})', 'assert.ifError(null)', 'assert.ifError(new Error("e"))', 'assert.ifError(5)', 'assert.match("abc", /x/)', 'assert.match("abc", /b/)', 'assert.doesNotMatch("abc", /b/)', 'assert.match(5, /x/)', 'assert.match("a", "a")', 'assert.deepStrictEqual({ a: 1, b: [1, 2] }, { a: 1, b: [1, 3] })', 'assert.deepStrictEqual([1, 2, 3], [1, 2, 3])', 'assert.deepStrictEqual([1, 2, 3], [1, 3])', 'assert.strictEqual({}, {})', 'assert.strictEqual([1, 2], [1, 2])', 'assert.notEqual(1, 1)', 'assert.strictEqual(undefined, null)', 'assert.strictEqual(NaN, 0)', 'assert.partialDeepStrictEqual({ a: 1, b: 2 }, { a: 1 })', 'assert.partialDeepStrictEqual({ a: 1 }, { a: 2 })', 'assert.partialDeepStrictEqual(new Set([1, 2]), new Set([2]))', 'assert.strictEqual()', 'assert.ok()', 'assert(true)', 'assert.throws("x")', 'assert.throws(() => { throw new Error("a"); }, "a")', 'strict.equal(1, "1")', 'strict.deepEqual({ a: 1 }, { a: 1 })', 'assert.strictEqual("a".repeat(50), "b")', 'assert.deepStrictEqual(new Map([[1, 2]]), new Map([[1, 3]]))', 'assert.strictEqual(1, 2, new TypeError("mine"))', 'assert.deepStrictEqual(new Date(0), new Date(1))', 'assert.deepStrictEqual(-0, 0)', 'assert.deepEqual(-0, 0)', 'assert.deepEqual([1, [2]], [1, ["2"]])', 'assert.notDeepEqual({ a: 1 }, { a: 1 })'].map((x) => `e(() => { ${x}; })`),
        'assert.rejects(Promise.reject(new Error("r")), /r/)', 'assert.rejects(Promise.resolve(1)).catch((x) => x.message)', 'assert.doesNotReject(Promise.reject(new Error("q"))).catch((x) => x.message)', 'assert.rejects(5).catch((x) => x.code)', 'assert.rejects(async () => { throw new TypeError("t"); }, TypeError)',
        'new AssertionError({ actual: 1, expected: 2, operator: "strictEqual" }).message', 'new AssertionError({ message: "m" }).generatedMessage', 'assert.strict === strict', 'strict.strict === strict', 'Object.keys(new AssertionError({ message: "m", actual: 1, expected: 2, operator: "x" })).filter((k) => !["line", "column", "sourceURL", "diff"].includes(k)).join()',
        { expr: 'e(() => assert.ok(0))[0]', want: '"AssertionError"' }, { expr: 'e(() => assert.strictEqual(1, 2, "msg"))[2]', want: '"msg"' },
    ],
});
