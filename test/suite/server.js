// Servers of node:http: what writes in pieces arrives whole, and as much as was said.
import assert from 'node:assert';
import http from 'node:http';
import { handleAsNodeRequest } from 'cloudflare:node';

let port;

async function ask(env, listener, init) {
    const server = http.createServer(listener).listen(0);
    ({ port } = server.address());
    try {
        const response = await env.SELF.fetch('http://server/path?q=1', init);
        return [response.status, await response.text(), response.headers];
    } finally {
        server.close();
    }
}

export const manyWritesInOneGo = {
    async test(_, env) {
        const [, text] = await ask(env, (req, res) => {
            for (let i = 0; i < 10; i++) res.write(Buffer.alloc(65536, 97));
            res.end('b');
        });
        assert.equal(text.length, 655361);
    },
};

export const piecesOfEveryKind = {
    async test(_, env) {
        const [, text] = await ask(env, (req, res) => {
            res.write('string|');
            res.write(new Uint8Array([85, 56, 124]));
            res.write('');
            setTimeout(() => res.end('late'), 5);
        });
        assert.equal(text, 'string|U8|late');
    },
};

export const requestBodiesArePiped = {
    async test(_, env) {
        const [, text] = await ask(env, (req, res) => req.pipe(res), { method: 'POST', body: Buffer.alloc(131072, 97) });
        assert.equal(text.length, 131072);
    },
};

export const contentLengthHolds = {
    async test(_, env) {
        const send = (...parts) => (req, res) => {
            res.writeHead(200, { 'content-length': '10' });
            for (const part of parts) res.write(part);
            res.end();
        };
        assert.equal((await ask(env, send('0123456789', '0123456789')))[1], '0123456789');
        assert.equal((await ask(env, send('01234')))[1], '01234');
    },
};

export const fieldsThatComeOnce = {
    async test(_, env) {
        const headers = [['constructor', 'a'], ['constructor', 'b'], ['user-agent', 'x'], ['user-agent', 'y'], ['accept', '1'], ['accept', '2']];
        const [, text] = await ask(env, (req, res) => res.end([req.headers.constructor, req.headers['user-agent'], req.headers.accept, req.url].join(' ')), { headers });
        assert.equal(text, 'a, b x 1, 2 /path?q=1');
    },
};

export default { fetch: (request) => handleAsNodeRequest(port, request) };
