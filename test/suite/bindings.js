import { deepStrictEqual, rejects, strictEqual } from 'node:assert';

export const values = {
    test(controller, env) {
        strictEqual(env.TEXT, 'text');
        deepStrictEqual(env.JSON, { a: [1] });
        strictEqual(new TextDecoder().decode(env.DATA), 'bytes');
    },
};

export const services = {
    async test(controller, env) {
        const response = await env.OTHER.fetch('http://other/path?x=1', { method: 'POST', body: 'hello' });
        strictEqual(response.status, 201);
        strictEqual(response.headers.get('x-path'), '/path');
        strictEqual(await response.text(), 'HELLO');
    },
};

export const itself = {
    async test(controller, env) {
        const response = await env.SELF.fetch('http://self/');
        strictEqual(await response.text(), 'self');
    },
};

export const entrypoint = {
    async test(controller, env) {
        strictEqual(await (await env.NAMED.fetch('http://named/')).text(), 'named');
    },
};

export const thrown = {
    async test(controller, env) {
        await rejects(env.OTHER.fetch('http://other/throw'), { message: 'from the other' });
    },
};

export const world = {
    async test() {
        await rejects(fetch('http://example.com/'));
    },
};

export default { fetch: () => new Response('self') };
