/* The byte form of structured clones: every type there and back, refusals, hostile bytes. */
import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { startScripts } from "./fake_native.mjs";

const script = await startScripts();
Object.assign(script.inside("globalThis"), script.native.scripts.load("clone"));
const inside = (body) => script.inside(`(() => { ${body} })()`);
const there = (expression, options = "{}") => inside(`return deserialize(serialize(${expression}, ${options}));`);
const show = (value) => inspect(value, { depth: 20, showHidden: false });

const SAME = [
    "undefined", "null", "true", "0", "-0", "NaN", "Infinity", "-1", "2147483647", "-2147483648", "4294967296", "1.5", "Number.MAX_SAFE_INTEGER",
    "10n", "-123456789012345678901234567890n", "0n", '""', '"abc"', '"\\u00ff\\u0100"', '"\\ud800x"', '"\\ufeffbom"', '"x".repeat(300)', '"\\ud800".repeat(100)',
    '"\\u20ac".repeat(100)', "[]", "{}", "[1, 'a', null, true]", "[, 1]", "[1, , ]", "Object.assign([1], { x: 2 })", "new Array(5)", "({ a: { b: [1, { c: 2 }] } })",
    "({ a: undefined })", "[undefined, -0, NaN]", "({ ['__proto__']: 1 })", "({ ['__proto__']: undefined })", "({ '': 1, 'a b': 2 })",
    "Object(1)", "Object('s')", "Object(true)", "Object(1n)", "new Date(0)", "new Date(NaN)", "/a+/gi", "new Map([[1, { a: 1 }], ['k', new Map()]])",
    "new Set([1, 'a', { b: 1 }])", "new ArrayBuffer(8)", "new Uint8Array([1, 2, 3])", "new Float64Array([1.5, -0])", "new BigInt64Array([1n, -1n])",
    "new Uint8ClampedArray([300])", "new DataView(new ArrayBuffer(4), 1, 2)", "new Uint16Array(new ArrayBuffer(8), 2, 2)",
    "new Uint8Array(new ArrayBuffer(4, { maxByteLength: 16 }))", "[new Date(1), new Date(1)]", "Array.from({ length: 100 }, (_, i) => ({ i }))",
];

test("values come back as they were", () => {
    for (const expression of SAME) assert.equal(show(there(expression)), show(inside(`return ${expression};`)), expression);
});

test("JSON goes as JSON, anything else in the binary form", () => {
    const first = (expression) => inside(`return serialize(${expression})[0];`);
    for (const e of ["{}", "[]", "({ a: [1, 'x'] })", "[null]"]) assert.equal(first(e), 2, e);
    for (const e of ["1", "'x'", "({ a: undefined })", "[-0]", "[,1]", "({ toJSON() {} }, { toJSON: 1 })", "(() => { const x = {}; return [x, x]; })()", "Object.create(null)", "[NaN]"])
        assert.equal(first(e), 1, e);
});

test("cycles and shared references", () => {
    inside(`
        const shared = { n: 1 }, value = { a: shared, b: shared, list: [shared], map: new Map([[shared, shared]]) };
        value.self = value;
        const v = deserialize(serialize(value));
        if (v.self !== v || v.a !== v.b || v.list[0] !== v.a || v.map.get(v.a) !== v.a || v.a === shared) throw new Error("lost");
        const buffer = new ArrayBuffer(5000), w = deserialize(serialize({ x: new Uint8Array(buffer, 0, 10), y: new Uint8Array(buffer, 5, 10) }));
        if (w.x.buffer !== w.y.buffer || w.y.byteOffset !== 5 || w.x.buffer.byteLength !== 5000) throw new Error("buffer");
        const part = deserialize(serialize(new Uint8Array(buffer, 100, 10)));
        if (part.buffer.byteLength !== 10 || part.byteOffset !== 0) throw new Error("trimmed");
        const ring = new Error("ring"); ring.cause = ring;
        const r = deserialize(serialize(ring));
        if (r.cause !== r) throw new Error("cause");`);
});

test("errors keep class, message, own properties and cause", () => {
    for (const [expression, name, text] of [
        ["new TypeError('t')", "TypeError", "t"], ["new Error()", "Error", ""],
        ["(() => { class Mine extends Error { name = 'Mine'; code = 7; } return new Mine('m'); })()", "Mine", "m"],
        ["new AggregateError([new RangeError('r')], 'all')", "AggregateError", "all"],
    ]) {
        const e = there(expression);
        assert.deepEqual([e.name, e.message, Object.prototype.toString.call(e)], [name, text, "[object Error]"]);
    }
    const e = there("Object.assign(new RangeError('r', { cause: { deep: 1n } }), { code: 'E', when: new Date(5) })");
    assert.deepEqual([e.code, e.when.getTime(), e.cause.deep, Object.keys(e)], ["E", 5, 1n, ["cause", "code", "when"]]);
    assert.equal(there("new AggregateError([new RangeError('r')], 'all')").errors[0].name, "RangeError");
    assert.match(there("new Error('kept')").stack, /kept[^]*at /);
    assert.equal(there("new TypeError('left')", "{ stack: false }").stack, "TypeError: left");
    const d = there("new DOMException('gone', 'AbortError')");
    assert.deepEqual([d.name, d.message, d.code], ["AbortError", "gone", 20]);
});

test("blobs and files", async () => {
    const blob = there("new Blob(['abc'], { type: 'text/x' })"), file = there("new File(['de'], 'n.txt', { type: 'text/plain', lastModified: 9 })");
    assert.deepEqual([await blob.text(), blob.type, await file.text(), file.name, file.lastModified], ["abc", "text/x", "de", "n.txt", 9]);
});

test("what cannot be carried", () => {
    const refused = (expression, options = "{}") => {
        let error = null;
        try {
            inside(`return serialize(${expression}, ${options});`);
        } catch (e) {
            error = e;
        }
        assert.equal(error?.name, "DataCloneError", expression);
        return error.message;
    };
    assert.equal(refused("() => 1"), "() => 1 could not be cloned.");
    assert.equal(refused("[Symbol('s')]"), "Symbol(s) could not be cloned.");
    assert.equal(refused("({ p: Promise.resolve() })"), "#<Promise> could not be cloned.");
    assert.equal(refused("new (class Thing {})()", "{ classes: true }"), 'Could not serialize object of type "Thing". This type does not support serialization.');
    assert.equal(refused("new Headers()"), 'Could not serialize object of type "Headers". This type does not support serialization.');
    refused("new WeakMap()");
    assert.deepEqual(show(there("new (class Thing { a = 1; })()")), "{ a: 1 }");
});

test("deep values", () => {
    inside(`
        let v = null;
        for (let i = 0; i < 2000; i++) v = [v];
        let w = deserialize(serialize(v)), n = 0;
        while (w !== null) { w = w[0]; n++; }
        if (n !== 2000) throw new Error("depth " + n);`);
});

/* A generator of our own, so that a failure can be run again. */
function random(seed) {
    let x = seed >>> 0 || 1;
    return (n) => {
        x ^= x << 13;
        x >>>= 0;
        x ^= x >>> 17;
        x ^= x << 5;
        x >>>= 0;
        return x % n;
    };
}

test("hostile bytes end in a value or in a DataCloneError", () => {
    const seeds = [...SAME, "new Error('e', { cause: 1 })", "new AggregateError([1], 'a')", "new Blob(['x'])", "new File([], 'f')", "new DOMException('a', 'b')",
        "(() => { const a = []; a.push(a, new Map([[a, new Set([a])]])); return a; })()"].map((e) => Buffer.from(inside(`return serialize(${e});`)));
    const bytesInside = script.inside("(list) => deserialize(Uint8Array.from(list))");
    const rounds = Number(process.env.FUZZ_ROUNDS ?? 20000), next = random(Number(process.env.FUZZ_SEED ?? 7));
    let values = 0;
    for (let i = 0; i < rounds; i++) {
        const bytes = [...seeds[next(seeds.length)]];
        for (let k = next(4) + 1; k > 0; k--) {
            switch (next(4)) {
            case 0: bytes[next(bytes.length)] = next(256); break;
            case 1: bytes.splice(next(bytes.length), next(3)); break;
            case 2: bytes.splice(next(bytes.length), 0, next(3) === 0 ? next(256) : next(28)); break;
            default: bytes.splice(next(bytes.length), 0, ...seeds[next(seeds.length)].subarray(1)); break;
            }
        }
        try {
            bytesInside(bytes);
            values++;
        } catch (error) {
            assert.equal(error.name, "DataCloneError", Buffer.from(bytes).toString("hex"));
        }
    }
    assert.ok(values > 0);
});

test("claims of size are not believed", () => {
    const claim = (...bytes) => claimAll(bytes), claimAll = (bytes) => assert.throws(() => script.inside("(list) => deserialize(Uint8Array.from(list))")(bytes), { name: "DataCloneError" });
    claim(1, 12, 0xff, 0xff, 0xff, 0xff, 0x0f);
    claim(1, 19, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
    claim(1, 20, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0);
    claim(1, 10, 0);
    claim(1);
    claim();
    claimAll([1, ...new Array(200000).fill([12, 1]).flat()]);
});
