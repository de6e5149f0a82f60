// The HTTP server with Node's own clients: HTTP/1.1 and HTTP/2, in clear and over TLS, many at once, and
// clients that leave in the middle. The server is the small program test/unit/net/http_demo.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const build = process.env.SELVEDGE_BIN ? path.dirname(process.env.SELVEDGE_BIN) : path.join(root, 'build');
const program = path.join(build, 'test/unit/net/http_demo');
const servers = [];
let clear, tls, dir, ca;

async function start(...args) {
    const child = spawn(program, ['0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.push(child);
    const [line] = await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code) => reject(new Error(`http_demo ended with ${code}`)));
        child.stdout.once('data', (data) => resolve(data.toString().split('\n')));
    });
    child.removeAllListeners('exit');
    return Number(line.replace('port ', ''));
}

before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'selvedge-net-'));
    const [cert, key] = [path.join(dir, 'c.pem'), path.join(dir, 'k.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key,
        '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
    ca = readFileSync(cert);
    clear = await start();
    tls = await start(cert, key);
});

after(() => {
    const ended = servers.map((child) => child.exitCode ?? child.signalCode);
    servers.forEach((child) => child.kill());
    rmSync(dir, { recursive: true });
    assert.deepEqual(ended, [null, null], 'a server ended by itself');
});

const collect = async (stream) => {
    const parts = [];
    for await (const part of stream)
        parts.push(part);
    return Buffer.concat(parts);
};

function ask(module, options, body) {
    return new Promise((resolve, reject) => {
        const request = module.request({ host: 'localhost', ca, ...options }, async (response) => {
            const bytes = await collect(response);
            resolve({ status: response.statusCode, headers: response.headers, trailers: response.trailers, bytes });
        });
        request.on('error', reject);
        request.end(body);
    });
}

function ask2(session, headers, body) {
    return new Promise((resolve, reject) => {
        const stream = session.request(headers, { endStream: body === undefined });
        const answer = { trailers: {} };
        stream.on('response', (h) => (answer.headers = h));
        stream.on('trailers', (t) => (answer.trailers = t));
        stream.on('error', reject);
        collect(stream).then((bytes) => resolve({ ...answer, bytes }), reject);
        if (body !== undefined)
            stream.end(body);
    });
}

const connect = (over) =>
    over === 'tls' ? http2.connect(`https://localhost:${tls}`, { ca }) : http2.connect(`http://localhost:${clear}`);

for (const [name, module, port] of [['clear', http, () => clear], ['TLS', https, () => tls]]) {
    test(`HTTP/1.1 in ${name}: bodies, trailers, files, keep-alive`, async () => {
        const agent = new module.Agent({ keepAlive: true, maxSockets: 1 });
        const body = randomBytes(700_000);
        const of = (p, more = {}) => ({ port: port(), path: p, agent, ...more });
        assert.equal((await ask(module, of('/hello'))).bytes.toString(), 'Hello, World!');
        assert.deepEqual((await ask(module, of('/echo', { method: 'POST', headers: { 'content-length': body.length } }), body)).bytes, body);
        assert.deepEqual((await ask(module, of('/echo', { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }), body)).bytes, body);
        const chunks = await ask(module, of('/chunks'));
        assert.equal(chunks.bytes.toString(), 'one two');
        assert.equal(chunks.trailers['x-sum'], '7');
        assert.deepEqual((await ask(module, of('/file'))).bytes, readFileSync(program));
        assert.equal((await ask(module, of('/big?20000000'))).bytes.length, 20_000_000);
        assert.equal((await ask(module, of('/hello', { method: 'HEAD' }))).headers['content-length'], '13');
        agent.destroy();
    });
}

for (const over of ['clear', 'tls']) {
    test(`HTTP/2 in ${over}: streams side by side`, async () => {
        const session = connect(over);
        const body = randomBytes(900_000);
        const hello = await ask2(session, { ':path': '/hello' });
        assert.equal(hello.headers[':status'], 200);
        assert.equal(hello.headers['content-length'], '13');
        assert.ok(hello.headers.date);
        const [late, echo, chunks, file, big, head] = await Promise.all([
            ask2(session, { ':path': '/late' }),
            ask2(session, { ':path': '/echo', ':method': 'POST' }, body),
            ask2(session, { ':path': '/chunks' }),
            ask2(session, { ':path': '/file' }),
            ask2(session, { ':path': '/big?20000000' }),
            ask2(session, { ':path': '/hello', ':method': 'HEAD' }),
        ]);
        assert.equal(late.bytes.toString(), 'late\n');
        assert.deepEqual(echo.bytes, body);
        assert.equal(chunks.trailers['x-sum'], '7');
        assert.deepEqual(file.bytes, readFileSync(program));
        assert.equal(big.bytes.length, 20_000_000);
        assert.equal(head.bytes.length, 0);
        const many = await Promise.all(Array.from({ length: 500 }, () => ask2(session, { ':path': '/hello' })));
        assert.ok(many.every((m) => m.bytes.toString() === 'Hello, World!'));
        session.close();
    });
}

test('HTTP/2: what is asked for is understood', async () => {
    const session = connect('clear');
    const { bytes } = await ask2(session, { ':path': '/head', cookie: ['a=b', 'c=d'], 'x-y': 'z', te: 'trailers' });
    assert.equal(bytes.toString(), 'x-y: z\r\ncookie: a=b; c=d\r\n');
    assert.equal((await ask2(session, { ':path': '/nowhere' })).headers[':status'], 404);
    // nghttp2 resets what breaks the grammar of HTTP/2; what it lets through we answer.
    const refused = async (headers) => {
        const answer = await ask2(session, headers).catch((error) => error);
        assert.ok(answer.code === 'ERR_HTTP2_STREAM_ERROR' || answer.headers[':status'] === 400, JSON.stringify(answer));
    };
    await refused({ ':path': '/a#b' });
    await refused({ ':path': 'a' });
    await refused({ ':path': '/hello', ':authority': 'a b' });
    await refused({ ':path': '/hello', ':authority': 'a,b:x' });
    await refused({ ':path': '/hello', ':authority': 'a', host: 'other' });
    assert.equal((await ask2(session, { ':path': `/${'x'.repeat(17000)}` })).headers[':status'], 414);
    const fields = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'v']));
    assert.equal((await ask2(session, { ':path': '/hello', ...fields })).headers[':status'], 431);
    session.close();
});

test('HTTP/2: a stream that nobody reads does not stop the others', async () => {
    const session = connect('clear');
    const stuck = session.request({ ':path': '/big?10000000' });
    await new Promise((resolve) => stuck.once('response', resolve));
    stuck.pause();
    assert.equal((await ask2(session, { ':path': '/hello' })).bytes.toString(), 'Hello, World!');
    stuck.close(http2.constants.NGHTTP2_CANCEL);
    assert.equal((await ask2(session, { ':path': '/hello' })).bytes.toString(), 'Hello, World!');
    session.close();
});

test('HTTP/2: a flood of given-up streams ends the connection', async () => {
    const session = connect('clear');
    session.on('error', () => {});
    const ended = new Promise((resolve) => session.once('close', resolve));
    for (let i = 0; i < 5000 && !session.destroyed; i++) {
        const stream = session.request({ ':path': '/late' });
        stream.on('error', () => {});
        stream.close(http2.constants.NGHTTP2_CANCEL);
        if (i % 50 === 49)
            await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
});

test('a change of protocol gives a raw pipe', async () => {
    const [socket, first] = await new Promise((resolve, reject) => {
        const request = http.request({ host: 'localhost', port: clear, path: '/switch', headers: { connection: 'upgrade', upgrade: 'echo' } });
        request.on('upgrade', (response, s, h) => resolve([s, h]));
        request.on('error', reject);
        request.end();
    });
    assert.equal(first.length, 0);
    const body = randomBytes(300_000);
    socket.end(body);
    assert.deepEqual(await collect(socket), body);
});

// Bytes from a table of things that clients do, cut anywhere, and then gone.
test('clients that leave in the middle harm nobody', async () => {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    const says = [
        'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /late HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /file HTTP/1.1\r\nHost: a\r\n\r\n',
        'GET /big?3000000 HTTP/1.1\r\nHost: a\r\n\r\n', 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n' + 'x'.repeat(50000),
        'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n',
        'GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc', 'GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
        'POST /hello HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n', `${preface}\0\0\0\x04\0\0\0\0\0`, `${preface}garbage that is no frame`,
    ];
    let seed = 20261124;
    const random = (n) => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return Math.floor((seed / 2 ** 32) * n);
    };
    const visit = () => new Promise((resolve) => {
        const text = Array.from({ length: 1 + random(6) }, () => says[random(says.length)]).join('');
        const bytes = Buffer.from(random(2) ? text : text.slice(0, random(text.length)), 'latin1');
        const socket = net.connect(random(4) ? clear : tls, 'localhost');
        const at = random(bytes.length + 1), reads = random(2) === 1;
        socket.on('error', () => {});
        socket.on('close', resolve);
        if (reads)
            socket.resume();
        socket.on('connect', () => {
            socket.write(bytes.subarray(0, at));
            setTimeout(() => {
                socket.write(bytes.subarray(at));
                setTimeout(() => (random(2) ? socket.destroy() : socket.resetAndDestroy()), random(15));
            }, random(5));
        });
    });
    for (let round = 0; round < 30; round++)
        await Promise.all(Array.from({ length: 20 }, visit));
    assert.equal((await ask(http, { port: clear, path: '/hello' })).bytes.toString(), 'Hello, World!');
    assert.equal((await ask(https, { port: tls, path: '/hello' })).bytes.toString(), 'Hello, World!');
});
