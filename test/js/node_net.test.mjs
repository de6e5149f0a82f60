// node:http and its neighbours, and that every module of Node can be imported.
import { compare } from './node_harness.mjs';
import { builtinModules } from 'node:module';

compare('http', {
    head: `import http, { METHODS, STATUS_CODES, validateHeaderName, validateHeaderValue, OutgoingMessage, IncomingMessage, ServerResponse, Agent } from 'node:http';
import https from 'node:https';
import net, { isIP, BlockList, SocketAddress } from 'node:net';
import tls from 'node:tls';
import dns from 'node:dns';
import readline from 'node:readline';
import { Readable, PassThrough } from 'node:stream';
const e = (fn) => { try { return fn(); } catch (x) { return [x.name, x.code, x.message]; } };
const out = () => new OutgoingMessage();`,
    cases: [
        'METHODS.filter((m) => m !== "QUERY")', 'STATUS_CODES[404]', 'STATUS_CODES[418]', 'Object.keys(STATUS_CODES).length', 'e(() => validateHeaderName("a b"))', 'e(() => validateHeaderValue("x", undefined))', 'e(() => validateHeaderValue("x", "a\\u0100"))', 'validateHeaderName("ok")', '(() => { const o = out(); o.setHeader("X-A", "1"); o.appendHeader("x-a", "2"); o.setHeader("B", ["x", "y"]); return [o.getHeader("x-A"), o.getHeaders(), o.getHeaderNames(), o.getRawHeaderNames(), o.hasHeader("b"), o.removeHeader("b"), o.hasHeader("b"), o.headersSent]; })()', 'e(() => out().setHeader("", "x"))', 'e(() => out().setHeader("a"))', 'e(() => out().getHeader(5))', '(() => { const o = out(); o.setHeaders(new Headers({ a: "1", b: "2" })); o.setHeaders(new Map([["c", "3"]])); return o.getHeaders(); })()', 'e(() => out().setHeaders({}))', 'new Agent({ keepAlive: true, maxSockets: 3 }).maxSockets', 'http.globalAgent.defaultPort', 'https.globalAgent.defaultPort', 'http.maxHeaderSize', 'e(() => http.request({ protocol: "https:" }))', 'e(() => http.request("http://a/ b", { path: "/ b" }))', 'e(() => http.request({ method: "B D" }))', 'e(() => http.request({ method: 5 }))', '(() => { const r = http.request("http://u:p@example.com:81/a?b=1", { method: "post", headers: { x: "y" } }); r.on("error", () => {}); const v = [r.method, r.path, r.host, r.protocol, r.getHeaders()]; r.destroy(); return v; })()', '(() => { const m = new IncomingMessage(null); return [m.headers, m.httpVersion, m.complete]; })()', '(() => { const s = http.createServer(); return [s.listening, s.keepAliveTimeout > 0, s.address()]; })()', 'new Promise((r) => http.createServer().close((x) => r(x.code)))', 'e(() => { const s = new ServerResponse({ method: "GET" }); s.writeHead(99); })',
        '["1.2.3.4", "1.2.3", "::1", "fe80::1%eth0", "1::2::3", "256.1.1.1", "::ffff:1.2.3.4", "01.2.3.4", "abcd", "", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "::", 5].map(isIP)', '(() => { const b = new BlockList(); b.addAddress("1.2.3.4"); b.addRange("10.0.0.1", "10.0.0.10"); b.addSubnet("8592:757c:efae:4e45::", 64, "ipv6"); return [b.check("1.2.3.4"), b.check("10.0.0.5"), b.check("10.0.0.11"), b.check("8592:757c:efae:4e45::5", "ipv6"), b.rules.sort()]; })()', '(() => { const a = new SocketAddress({ address: "1.2.3.4", port: 80 }); return [a.address, a.family, a.port]; })()', 'e(() => new SocketAddress({ address: "x" }))[1]', 'new net.Socket().readyState', 'net.Stream === net.Socket', 'e(() => new net.Socket().connect({}))[1]', 'e(() => new net.Socket().connect(70000))[1]', 'tls.checkServerIdentity("a.com", { subject: { CN: "b.com" } }).code', 'tls.checkServerIdentity("a.b.com", { subject: { CN: "x" }, subjectaltname: "DNS:*.b.com" })', 'tls.DEFAULT_MAX_VERSION', 'e(() => dns.lookup("x"))[1]', 'e(() => dns.resolve4("x"))[1]', 'new Promise((r) => dns.lookup("127.0.0.1", (...a) => r(a)))', 'dns.promises.lookup("::1")', 'dns.promises.lookup("localhost", { family: 4 })', 'dns.promises.resolve("x", "NOPE")', 'dns.NOTFOUND', 'e(() => dns.promises.lookup("x", { family: 7 }))[1]',
        '(async () => { const out = []; for await (const l of readline.createInterface({ input: Readable.from(["a\\nb", "c\\r\\n", "d"]) })) out.push(l); return out; })()', 'new Promise((r) => { const rl = readline.createInterface({ input: Readable.from(["answer\\n"]), output: new PassThrough() }); rl.question("q? ", (a) => { rl.close(); r(a); }); })',
    ],
});

// The driver answers every fetch() with a JSON text that repeats the request.
compare('http requests', {
    head: `import http, { createServer } from 'node:http';
import https from 'node:https';
const isolate = navigator.userAgent === 'Cloudflare-Workers';
const ask = (mod, ...a) => new Promise((resolve, reject) => { const r = mod.request(...a, (res) => { let t = ''; res.setEncoding('utf8'); res.on('data', (c) => { t += c; }); res.on('end', () => { const first = JSON.parse(t.split('\\n')[0]); resolve([res.statusCode, res.headers['content-type'], first.method, first.url, t.split('\\n').slice(1).join('|'), first.headers.includes('x-test: 1')]); }); }); r.on('error', reject); r.end(a[0].payload); });
const node = isolate ? await import('cloudflare:node') : null;
const serve = async (handler, ...init) => { const s = createServer(handler).listen(0); const res = await node.handleAsNodeRequest(s.address().port, new Request('http://h.test/path?q=1', init[0])); return [res.status, res.statusText, Object.fromEntries(res.headers), await res.text()]; };`,
    cases: [
        { expr: 'ask(http, "http://example.com/x?y=1")', want: '[200,"application/json","GET","http://example.com/x?y=1","",false]' },
        { expr: 'ask(https, { host: "example.com", path: "/p", method: "POST", headers: { "x-test": 1 }, payload: "body" })', want: '[200,"application/json","POST","https://example.com/p","body",true]' },
        { expr: 'new Promise((resolve, reject) => { const r = http.request({ hostname: "h.test", method: "PUT", path: "/up" }, (res) => { let t = ""; res.on("data", (c) => { t += c; }); res.on("end", () => resolve(t.split("\\n").slice(1).join("|"))); }); r.on("error", reject); r.write("one "); r.end("two"); })', want: '"one two"' },
        { expr: 'new Promise((r) => http.get("http://h.test/", (res) => { res.resume(); res.on("end", () => r([res.complete, res.statusMessage])); }))', want: '[true,"OK"]' },
        { expr: 'new Promise((r) => { const q = http.request("http://h.test/"); q.on("error", (x) => r([x.code, x.message])); q.destroy(); })', want: '["ECONNRESET","socket hang up"]' },
        { expr: 'serve((req, res) => { res.setHeader("X-One", "1"); res.end(`${req.method} ${req.url} ${req.headers.host}`); })', want: '[200,"OK",{x-one:"1"},"GET /path?q=1 h.test"]' },
        { expr: 'serve((req, res) => { res.writeHead(201, "Made", { "content-type": "text/plain", "set-cookie": ["a=1"] }); res.write("part one, "); setTimeout(() => res.end("part two"), 1); })', want: '[201,"Made",{content-type:"text/plain",set-cookie:"a=1"},"part one, part two"]' },
        { expr: 'serve(async (req, res) => { let t = ""; for await (const c of req) t += c; res.statusCode = 202; res.end(t.toUpperCase()); }, { method: "POST", body: "posted" })', want: '[202,"Accepted",{},"POSTED"]' },
        { expr: 'serve((req, res) => { res.writeHead(204).end(); })', want: '[204,"No Content",{},""]' },
        { expr: 'node.handleAsNodeRequest(1, new Request("http://a")).catch((x) => x.message.slice(0, 36))', want: '"Http server with port 1 not found. T"' },
        { expr: '(async () => { const s = createServer((q, r) => r.end("via handler")); s.listen(8080); const h = node.httpServerHandler({ port: 8080 }); return (await h.fetch(new Request("http://a/"))).text(); })()', want: '"via handler"' },
    ],
});

const names = builtinModules.filter((name) => !/^_|internal|^node:(sea|test\/reporters|quic|ffi|vfs|dtls|stream\/iter|zlib\/iter)|^(sys|punycode|wasi|inspector\/promises)$/.test(name)).map((name) => name.replace(/^node:/, ''));
compare('every module can be imported', {
    head: names.map((name, i) => `import * as m${i} from 'node:${name}';`).join('\n'),
    cases: [...names.map((name, i) => ({ expr: `typeof m${i}.default !== 'undefined' && Object.keys(m${i}).length > 1`, want: 'true' })), 'import("punycode").then((m) => m.encode("ü"))', 'import("node:util").then((m) => m.inspect(1))', 'import("child_process").then((m) => typeof m.spawn)', { expr: 'import("child_process").then((m) => m.spawn())', want: 'threw <Error ERR_METHOD_NOT_IMPLEMENTED: The child_process.spawn method is not implemented>' }, 'import("worker_threads").then((m) => m.isMainThread)', 'import("cluster").then((m) => m.default.isPrimary)'],
});
