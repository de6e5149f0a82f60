// Compares our HTTP/1.1 head parser with Node's (llhttp) on a corpus: written heads, and every one of
// them with a byte put in, taken out or doubled. Where both accept, they must agree on the method, the
// target and the framing of the body; where only one accepts, a row of `differences` must say why.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const build = process.env.SELVEDGE_BIN ? path.dirname(process.env.SELVEDGE_BIN) : path.join(root, 'build');
const driver = path.join(build, 'test/unit/net/http1_driver');

const HOST = 'Host: a.example\r\n';
const bases = [
    `GET / HTTP/1.1\r\n${HOST}\r\n`,
    `GET /a?b=c HTTP/1.1\r\n${HOST}Accept: */*\r\nX-Y: a b\r\n\r\n`,
    `POST /p HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\n`,
    `POST /p HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`,
    `GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
    `GET http://a.example/x HTTP/1.1\r\n${HOST}\r\n`,
    `OPTIONS * HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
];
const post = (fields) => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n`;
const written = [
    post('Content-Length: 5\r\nContent-Length: 5\r\n'),
    post('Content-Length: 5\r\nContent-Length: 6\r\n'),
    post('Content-Length: 5, 5\r\n'),
    post('Content-Length: +5\r\n'),
    post('Content-Length: 0x5\r\n'),
    post('Content-Length: 18446744073709551621\r\n'),
    post('Content-Length: 9223372036854775807\r\n'),
    post('Content-Length: 00005\r\n'),
    post('Content-Length:\r\n'),
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
    post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'),
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'),
    post('Transfer-Encoding: gzip, chunked\r\n'),
    post('Transfer-Encoding: chunked, gzip\r\n'),
    post('Transfer-Encoding: gzip\r\n'),
    post('Transfer-Encoding: identity\r\n'),
    post('Transfer-Encoding: xchunked\r\n'),
    post('Transfer-Encoding:\x0bchunked\r\n'),
    post('Transfer-Encoding: CHUNKED\r\n'),
    post('Transfer-Encoding:\r\n chunked\r\n'),
    post('Transfer-Encoding : chunked\r\n'),
    post('X: y\r\n\tTransfer-Encoding: chunked\r\n'),
    `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`,
    `GET / HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`,
    `GET / HTTP/1.1\r\nHost:\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n`,
    `GET / HTTP/1.1\n${HOST}\r\n`,
    `GET / HTTP/1.1\r\n${HOST}X: a\nY: b\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST}X: a\r\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST}X: caf\xe9\r\n\r\n`,
    `GET /caf\xe9 HTTP/1.1\r\n${HOST}\r\n`,
    `GET /#f HTTP/1.1\r\n${HOST}\r\n`,
    `GET / HTTP/1.2\r\n${HOST}\r\n`,
    `GET / HTTP/2.0\r\n${HOST}\r\n`,
    `GET / HTTP/0.9\r\n${HOST}\r\n`,
    `GET /\r\n${HOST}\r\n`,
    `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`,
    `\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`,
    `CONNECT a.example:443 HTTP/1.1\r\n${HOST}\r\n`,
    `GET a.example HTTP/1.1\r\n${HOST}\r\n`,
    `GET http://b.example/ HTTP/1.1\r\n${HOST}\r\n`,
    `PURGE / HTTP/1.1\r\n${HOST}\r\n`,
    `BREW / HTTP/1.1\r\n${HOST}\r\n`,
    post('Expect: 100-continue\r\nContent-Length: 1\r\n'),
    post('Expect: 200-ok\r\nContent-Length: 1\r\n'),
    post('Connection: "close"\r\n'),
    post('Connection: upgrade\r\nUpgrade: websocket\r\n'),
];

// Each row: what only one of both accepts, and why that is right for us. `ours` says who accepts.
const differences = [
    {
        why: 'methods are any token here: a Worker may answer one that Node does not list',
        ours: true,
        applies: (h) => /^(\r\n)?[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ ]+ HTTP/.test(h) && !http.METHODS.includes(method(h)),
    },
    {
        why: 'the target is visible ASCII without a fragment (RFC 9112 section 3.2); Node lets more through',
        ours: false,
        applies: (h) => /[^\x21-\x7e]|#/.test(target(h)),
    },
    {
        why: 'CONNECT is for proxies; answered with 501',
        ours: false,
        applies: (h) => method(h) === 'CONNECT',
    },
    {
        why: 'the target has one of four forms, and an absolute one must name http(s) and agree with Host',
        ours: false,
        applies: (h) => !target(h).startsWith('/'),
    },
    {
        why: 'Host decides the route, so it must be a host and a port and nothing else',
        ours: false,
        applies: (h) => values(h, 'host').some((v) => !/^([-\w.~!$&'()*+,;=%]+|\[[0-9a-f:.]{2,}\])(:\d{0,5})?$/i.test(v)),
    },
    {
        why: 'Host stands once; Node takes the first of several',
        ours: false,
        applies: (h) => values(h, 'host').length !== 1,
    },
    {
        why: 'the one transfer coding is chunked; others get 501 instead of a guess',
        ours: false,
        applies: (h) => values(h, 'transfer-encoding').some((v) => v.toLowerCase() !== 'chunked'),
    },
    {
        why: 'HTTP/1.0 knows no transfer coding (RFC 9112 section 6.1)',
        ours: false,
        applies: (h) => /HTTP\/1\.0\r\n/.test(h) && values(h, 'transfer-encoding').length > 0,
    },
    {
        why: 'one empty line may stand before a request, not more, and it ends in CRLF',
        ours: false,
        applies: (h) => /^(\r\n\r\n|\r[^\n]|\n|\r\n[\r\n])/.test(h),
    },
    {
        why: 'one blank separates the parts of the request line (RFC 9112 section 3)',
        ours: false,
        applies: (h) => !/^(\r\n)?[^ \r\n]+ [^ \r\n]+ HTTP\/\d\.\d\r\n/.test(h),
    },
    {
        why: 'versions other than 1.0 and 1.1 get 505',
        ours: false,
        applies: (h) => !/ HTTP\/1\.[01]\r\n/.test(h),
    },
    {
        why: 'Connection is a list of tokens; it decides which fields end here',
        ours: false,
        applies: (h) => values(h, 'connection').some((v) => v.split(',').some((m) => !/^[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]*[ \t]*$/.test(m))),
    },
];

const method = (h) => h.replace(/^\r\n/, '').split(' ')[0];
const target = (h) => h.replace(/^\r\n/, '').split('\r\n')[0].split(' ')[1] ?? '';
const values = (h, name) =>
    h.split('\r\n').slice(1).map((l) => l.match(/^([^:]*):[ \t]*(.*?)[ \t]*$/s))
        .filter((m) => m !== null && m[1].toLowerCase() === name).map((m) => m[2]);

function corpus() {
    const heads = new Set([...bases, ...written]);
    const bytes = ['\0', '\t', '\n', '\r', ' ', '"', '#', '(', ',', '/', ':', ';', '@', '\\', '\x7f', '\x80', '\xff', 'x', '0'];
    for (const base of bases) {
        for (let i = 0; i <= base.length; i++) {
            for (const b of bytes) {
                heads.add(base.slice(0, i) + b + base.slice(i));
                heads.add(base.slice(0, i) + b + base.slice(i + 1));
            }
            heads.add(base.slice(0, i) + base.slice(i + 1));
            heads.add(base.slice(0, i + 1) + base.slice(i));
        }
    }
    const seeds = path.join(root, 'test/fuzz/corpus/http1_parse');
    for (const name of readdirSync(seeds))
        heads.add(readFileSync(path.join(seeds, name), 'latin1'));
    return [...heads];
}

function ourVerdicts(heads) {
    const input = Buffer.concat(heads.flatMap((h) => {
        const bytes = Buffer.from(h, 'latin1'), length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return [length, bytes];
    }));
    const run = spawnSync(driver, { input, maxBuffer: 1 << 28, encoding: 'latin1' });
    assert.equal(run.status, 0, `${driver} is not built or failed: ${run.error ?? run.stderr}`);
    return run.stdout.split('\n').slice(0, -1);
}

// Node's server on a connection that is no socket: it reads the head and then the end.
function nodeVerdict(server, head) {
    return new Promise((resolve) => {
        const connection = new Duplex({ read() {}, write(chunk, encoding, done) { done(); } });
        connection.verdict = (v) => { resolve(v); connection.destroy(); };
        connection.on('error', () => connection.verdict('no'));
        connection.on('close', () => resolve('more'));
        server.emit('connection', connection);
        connection.push(Buffer.from(head, 'latin1'));
        connection.push(null);
    });
}

function framing(request) {
    if (request.headers['transfer-encoding'] !== undefined)
        return 'chunked';
    return request.headers['content-length'] === undefined ? 'none' : String(BigInt(request.headers['content-length']));
}

function nodeServer() {
    const server = http.createServer({ insecureHTTPParser: false, requireHostHeader: true });
    const accept = (request) => request.socket.verdict(`ok ${request.method} ${request.url} ${framing(request)}`);
    for (const event of ['request', 'checkContinue', 'checkExpectation', 'connect', 'upgrade'])
        server.on(event, accept);
    server.on('clientError', (error, socket) => socket.verdict(error.code === 'HPE_INVALID_EOF_STATE' ? 'more' : 'no'));
    return server;
}

// Node answers some requests itself (a missing Host) and closes: no event comes, and it counts as "no".
const accepts = (verdict) => verdict.startsWith('ok ');

// An absolute target is split by us and left whole by Node.
const path_of = (verdict) => verdict.replace(/ https?:\/\/[^/ ]*(\S*)/i, (_, p) => ` ${p === '' ? '/' : p}`);

test('our parser and llhttp agree, except where the list says why not', async () => {
    const heads = corpus(), ours = ourVerdicts(heads), server = nodeServer(), used = new Set(), wrong = [];
    assert.equal(ours.length, heads.length);
    let agreed = 0;
    for (let i = 0; i < heads.length; i++) {
        const node = await nodeVerdict(server, heads[i]);
        if (accepts(ours[i]) === accepts(node)) {
            if (accepts(node) && ours[i] !== path_of(node))
                wrong.push({ head: heads[i], ours: ours[i], node });
            else
                agreed++;
            continue;
        }
        const row = differences.find((d) => d.ours === accepts(ours[i]) && d.applies(heads[i]));
        if (row === undefined)
            wrong.push({ head: heads[i], ours: ours[i], node });
        used.add(row);
    }
    assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} of ${heads.length} heads`);
    assert.ok(agreed > heads.length / 2, `${agreed} of ${heads.length} agree`);
    const idle = differences.filter((row) => !used.has(row)).map((row) => row.why);
    assert.deepEqual(idle, [], 'rows that no head needs');
});
