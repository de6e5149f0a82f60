/* Scripts that are evaluated when they are first needed: which ones a Worker pays for, and that nobody can tell. */
import assert from "node:assert/strict";
import test from "node:test";
import { startScripts, startWorker } from "./fake_native.mjs";

/* Evaluates `code` in an isolate without a Worker; returns its value and the scripts that this evaluated. */
async function evaluated(code) {
    const { inside, native } = await startScripts();
    const names = [], { script } = native;
    native.script = (name) => {
        names.push(name);
        return script(name);
    };
    const value = inside(code);
    return { value, names };
}

test("a plain Worker evaluates the first script alone", async () => {
    const { native, inside, hooks } = await startScripts();
    native.script = (name) => assert.fail(`${name} was evaluated`);
    assert.equal(typeof hooks.request, "function");
    inside("new Response('x', { headers: { a: 'b' } }); new Request('http://a/', { method: 'POST', body: 'x' }); new URL('http://a/?b=c').searchParams.get('b');");
    inside("crypto.getRandomValues; typeof fetch; Object.getOwnPropertyNames(globalThis); 'ReadableStream' in globalThis");
    while (hooks.warm()) await new Promise((resolve) => setImmediate(resolve));
});

test("a script is evaluated once, by whatever needs it first", async () => {
    assert.deepEqual((await evaluated("ReadableStream; WritableStream; new Response('x').body; undefined")).names, ["streams"]);
    assert.deepEqual((await evaluated("new Response('x').body; undefined")).names, ["streams"]);
    assert.deepEqual((await evaluated("structuredClone({ a: 1 }); structuredClone(1); undefined")).names, ["clone", "forms"]);
    assert.deepEqual((await evaluated("new Response(new Blob(['x'])); undefined")).names, ["forms"]);
});

test("a global that nobody touched looks like any other", async () => {
    const d = (name) => `(({ value, ...rest }) => JSON.stringify([typeof value, value?.name, rest]))(Object.getOwnPropertyDescriptor(globalThis, "${name}"))`;
    assert.equal((await evaluated(d("FormData"))).value, '["function","FormData",{"writable":true,"enumerable":false,"configurable":true}]');
    assert.equal((await evaluated(d("performance"))).value, '["object",null,{"writable":true,"enumerable":true,"configurable":true}]');
    assert.equal((await evaluated("Reflect.getOwnPropertyDescriptor(globalThis, 'Blob').value === Blob")).value, true);
    assert.equal((await evaluated("typeof Object.getOwnPropertyDescriptors(globalThis).TransformStream.value")).value, "function");
    assert.equal((await evaluated("[Object.getOwnPropertyDescriptor, Reflect.getOwnPropertyDescriptor, Object.getOwnPropertyDescriptors].map((f) => `${f.name} ${f.length} ${'prototype' in f} ${/native code/.test(f)}`).join()")).value,
        "getOwnPropertyDescriptor 2 false true,getOwnPropertyDescriptor 2 false true,getOwnPropertyDescriptors 1 false true");
});

test("a global that was replaced before it was touched stays replaced, and the real class is still whole", async () => {
    const { value, names } = await evaluated(`globalThis.ReadableStream = 1;
        const { body } = new Response("x");
        [ReadableStream, Object.prototype.toString.call(body), Object.keys(Object.getPrototypeOf(body)).includes("getReader"), delete globalThis.Blob, typeof Blob].join()`);
    assert.equal(value, "1,[object ReadableStream],true,true,undefined");
    assert.deepEqual(names, ["streams"]);
});

test("a script that could not be evaluated is evaluated again", async () => {
    const { inside, native } = await startScripts();
    const { script } = native;
    native.script = () => {
        throw new RangeError("no stack");
    };
    assert.equal(inside("try { structuredClone(1); } catch (e) { e.message; }"), "no stack");
    native.script = script;
    assert.equal(inside("structuredClone(1)"), 1);
});

test("a product's script is evaluated for its binding", async () => {
    const worker = await startWorker("export default { fetch: (request, env) => new Response(Object.keys(env).join()) };",
        { bindings: [{ name: "DB", type: "d1" }, { name: "TEXT", type: "plain_text", text: "x" }] });
    assert.equal((await worker.fetch("http://a/")).text, "DB,TEXT");
});
