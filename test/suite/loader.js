// Workers that Workers bring: env.loader.
import assert from 'node:assert';
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';

const date = '2025-09-01';
const code = (text, more = {}) => ({ compatibilityDate: date, mainModule: 'main.js', modules: { 'main.js': text }, ...more });

export class Greeter extends WorkerEntrypoint {
    greet(name) {
        return `${this.ctx.props.greeting}, ${name}!`;
    }
}

export const defaultOutbound = { fetch: () => new Response('the world of who brought it') };
export const otherOutbound = { fetch: (request) => new Response(`other: ${request.url}`) };

export class StubCounter extends DurableObject {
    async add(n) {
        const sum = ((await this.ctx.storage.get('n')) ?? 0) + n;
        await this.ctx.storage.put('n', sum);
        return sum;
    }
}

const entrypoints = `
    import { WorkerEntrypoint } from "cloudflare:workers";
    export default { greet: (name) => "Hello, " + name, fetch: () => new Response("fetched") };
    export const alternate = { greet: (name, env, ctx) => ctx.props.greeting + ", " + name };
    export class Fancy extends WorkerEntrypoint {
        async run() {
            const { first, second } = this.ctx.props;
            return [await first.greet("Dave"), await second.greet("Eve")].join(" ");
        }
    }`;

export const basics = {
    async test(controller, env, ctx) {
        const worker = env.loader.get('basics', () => code(entrypoints));
        assert.strictEqual(await worker.getEntrypoint().greet('Alice'), 'Hello, Alice');
        assert.strictEqual(await (await worker.getEntrypoint().fetch('http://x/')).text(), 'fetched');
        const welcome = worker.getEntrypoint('alternate', { props: { greeting: 'Welcome' } });
        assert.strictEqual(await welcome.greet('Bob'), 'Welcome, Bob');
        const fancy = worker.getEntrypoint('Fancy', {
            props: { first: ctx.exports.Greeter({ props: { greeting: "G'day" } }), second: ctx.exports.Greeter({ props: { greeting: 'Sup' } }) },
        });
        assert.strictEqual(await fancy.run(), "G'day, Dave! Sup, Eve!");
        assert.throws(() => worker.getEntrypoint('Fancy', { props: { first: welcome } }), { name: 'DataCloneError', message: /^Entrypoints to dynamically-loaded workers cannot be transferred/ });
        assert.throws(() => worker.getEntrypoint('Fancy', { props: { first: ctx.exports.Greeter } }),
            { name: 'DataCloneError', message: 'Could not serialize object of type "LoopbackServiceStub". This type does not support serialization.' });
    },
};

export const passesEnv = {
    async test(controller, env, ctx) {
        const text = `export default { async fetch(request, env) {
            return Response.json([env.n, [...env.set], await env.greeter.greet("Al"), await env.counter.add(2), await env.counter.add(3)]);
        } }`;
        const worker = env.loader.get('env', () => code(text, {
            env: { n: 123, set: new Set([1]), greeter: ctx.exports.Greeter({ props: { greeting: 'Hi' } }), counter: env.COUNTER.getByName('a') },
        }));
        assert.strictEqual(await (await worker.getEntrypoint().fetch('http://x/')).text(), '[123,[1],"Hi, Al!",2,5]');
    },
};

const passes = 'export default { fetch: (request) => fetch(request) }';

export const outbound = {
    async test(controller, env, ctx) {
        const text = async (more, id) => (await env.loader.get(id, () => code(passes, more)).getEntrypoint().fetch('https://example.com/')).text();
        assert.strictEqual(await text({}, 'inherits'), 'the world of who brought it');
        assert.strictEqual(await text({ globalOutbound: ctx.exports.otherOutbound }, 'other'), 'other: https://example.com/');
        await assert.rejects(text({ globalOutbound: null }, 'none'), {
            name: 'Error',
            message: "This worker is not permitted to access the internet via global functions like fetch(). It must use capabilities (such as bindings in 'env') to talk to the outside world.",
        });
    },
};

export const isolates = {
    async test(controller, env) {
        const counts = 'let i = 0; export default { next: (x) => i++ }';
        let loaded = 0;
        const get = (id) => env.loader.get(id, async () => {
            await new Promise((resolve) => setTimeout(resolve, 1));
            loaded++;
            return code(counts);
        }).getEntrypoint();
        assert.deepStrictEqual([await get('a').next(0), await get('a').next(0), await get('b').next(0), await get(null).next(0), await get(null).next(0)], [0, 1, 0, 0, 0]);
        assert.strictEqual(loaded, 4);
        assert.strictEqual(await env.loader.load(code(counts)).getEntrypoint().next(0), 0);
    },
};

export const modules = {
    async test(controller, env) {
        const worker = env.loader.load({
            compatibilityDate: date, mainModule: 'main.js',
            modules: {
                'main.js': { js: `
                    import text from "./text.txt"; import json from "./data.json"; import cjs from "./c.cjs"; import data from "./b.dat"; import wasm from "./add.wasm";
                    export default { async all(x) { return [text, json.value, cjs.greet("A"), data.byteLength, (await WebAssembly.instantiate(wasm)).exports.add(2, 3)]; } }` },
                'text.txt': { text: 'text' }, 'data.json': { json: { value: 42 } }, 'c.cjs': { cjs: 'module.exports = { greet: (n) => "cjs " + n };' },
                'b.dat': { data: new Uint8Array(5) },
                'add.wasm': { wasm: new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]) },
            },
        });
        assert.deepStrictEqual(await worker.getEntrypoint().all(0), ['text', 42, 'cjs A', 5, 5]);
    },
};

export const errors = {
    async test(controller, env) {
        const call = (id, getCode) => env.loader.get(id, getCode).getEntrypoint().greet('A');
        await assert.rejects(call('throws', () => { throw new RangeError('no code'); }), { name: 'RangeError', message: 'no code' });
        await assert.rejects(call('startup', () => code('throw new Error("intentional")')), { message: /intentional/ });
        await assert.rejects(call('syntax', () => code('export default {')), { message: /Failed to start Worker/ });
        await assert.rejects(call('ts', () => ({ compatibilityDate: date, mainModule: 'a.ts', modules: { 'a.ts': '' } })), { name: 'TypeError', message: /^Module name must end with/ });
        assert.throws(() => env.loader.load(code('', { modules: {} })), { name: 'TypeError', message: 'Dynamic Worker code must contain at least one module.' });
        assert.strictEqual(await call('throws', () => code(entrypoints)), 'Hello, A');
    },
};
