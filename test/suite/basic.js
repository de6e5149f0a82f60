/* The shapes that a test may have. */
import assert from 'node:assert';
import { WorkerEntrypoint } from 'cloudflare:workers';
import { answer } from './helper.js';

export const objectTest = {
    async test(controller, env, ctx) {
        assert.strictEqual(answer, 42);
        assert.strictEqual(typeof ctx.waitUntil, 'function');
        assert.strictEqual(typeof controller, 'object');
        ctx.waitUntil(scheduler.wait(1));
    },
};

export class ClassTest extends WorkerEntrypoint {
    test() {
        assert.ok(this.ctx);
        assert.ok(this.env);
    }
}

export const collects = {
    test() {
        gc();
    },
};

export const noTest = { fetch: () => new Response('no') };

export default {
    async test(controller, env) {
        assert.deepStrictEqual(Object.keys(env), Object.keys(env).filter((name) => /^[A-Z]+$/.test(name)));
    },
};
