// cloudflare:sockets and what stands on it: node:net, node:tls and real clients of databases.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const dir = mkdtempSync(join(tmpdir(), "selvedge-sockets-"));
let selvedge, guarded;
const servers = [];
const listen = (server) => new Promise((resolve) => { servers.push(server); server.listen(0, "127.0.0.1", () => resolve(server.address().port)); });

const source = `
import { connect } from "cloudflare:sockets";
import net from "node:net";
import tls from "node:tls";
const text = async (stream) => { let all = ""; const d = new TextDecoder(); for await (const chunk of stream) all += d.decode(chunk, { stream: true }); return all; };
const encode = (s) => new TextEncoder().encode(s);
const show = (e) => e.name + ": " + e.message;
const tests = {
  async echo(q) {
    const s = connect("127.0.0.1:" + q.get("port"));
    const info = await s.opened;
    const w = s.writable.getWriter();
    await w.write(encode("hello "));
    await w.write(encode("world"));
    await w.close();
    return [await text(s.readable), info.remoteAddress, typeof info.localAddress, await s.closed.then(() => "closed"), s.secureTransport, s.upgraded];
  },
  async early(q) { // written before it is open
    const s = connect({ hostname: "127.0.0.1", port: Number(q.get("port")) });
    const w = s.writable.getWriter();
    w.write(encode("early")); w.close();
    return text(s.readable);
  },
  async large(q) {
    const s = connect("127.0.0.1:" + q.get("port"));
    const w = s.writable.getWriter();
    const send = (async () => { for (let i = 0; i < 100; i++) await w.write(new Uint8Array(50000).fill(i)); await w.close(); })();
    let n = 0, sum = 0;
    for await (const chunk of s.readable) { n += chunk.byteLength; for (const b of chunk) sum += b; }
    await send;
    return [n, sum];
  },
  async half(q) { // the peer ends first, we go on
    const s = connect("127.0.0.1:" + q.get("port"), { allowHalfOpen: q.has("open") });
    const said = await text(s.readable);
    const w = s.writable.getWriter();
    try { await w.write(encode("after")); await w.close(); } catch (e) { return [said, "cannot write"]; }
    return [said, "written"];
  },
  async refused(q) {
    const s = connect("127.0.0.1:" + q.get("port"));
    const results = await Promise.allSettled([s.opened, s.closed, text(s.readable)]);
    return results.map((r) => r.status === "rejected" ? show(r.reason) : r.value);
  },
  async errors() {
    const bad = [];
    for (const [address, options] of [["nonsense"], [":80"], ["host"], ["a b:80"], ["h:1", { secureTransport: "maybe" }]]) {
      try { connect(address, options); bad.push("none"); } catch (e) { bad.push(show(e)); }
    }
    return bad;
  },
  async close(q) {
    const s = connect("127.0.0.1:" + q.get("port"));
    await s.opened;
    await s.close();
    return [await s.closed.then(() => "closed"), await text(s.readable).catch(show)];
  },
  async starttls(q) {
    const s = connect("127.0.0.1:" + q.get("port"), { secureTransport: "starttls" });
    const w = s.writable.getWriter(), r = s.readable.getReader();
    await w.write(encode("STARTTLS"));
    const go = new TextDecoder().decode((await r.read()).value);
    w.releaseLock(); r.releaseLock();
    const secure = s.startTls({ expectedServerHostname: q.get("host") });
    const sw = secure.writable.getWriter();
    const out = [go, s.upgraded, secure.secureTransport];
    try {
      await secure.opened;
      await sw.write(encode("over tls"));
      await sw.close();
      out.push(await text(secure.readable));
    } catch (e) { out.push(show(e)); }
    try { s.startTls(); } catch (e) { out.push(show(e)); }
    try { secure.startTls(); } catch (e) { out.push(show(e)); }
    return out;
  },
  async tls(q) {
    const s = connect(q.get("host") + ":" + q.get("port"), { secureTransport: "on" });
    try {
      await s.opened;
      const w = s.writable.getWriter();
      await w.write(encode("hi")); await w.close();
      return await text(s.readable);
    } catch (e) { return show(e); }
  },
  net(q) {
    return new Promise((resolve) => {
      const events = [];
      const s = net.connect({ host: "127.0.0.1", port: Number(q.get("port")) });
      let all = "";
      s.setEncoding("utf8");
      for (const name of ["connect", "ready", "end", "close"]) s.on(name, () => events.push(name));
      s.on("data", (d) => (all += d));
      s.on("error", (e) => resolve([e.code, e.message]));
      s.on("close", () => resolve([all, events]));
      s.on("connect", () => s.end("from node:net"));
    });
  },
  nodetls(q) {
    return new Promise((resolve) => {
      const s = tls.connect({ host: "127.0.0.1", port: Number(q.get("port")) }, () => s.end("by node:tls"));
      let all = "";
      s.on("data", (d) => (all += d)).on("error", (e) => resolve([e.code, e.message])).on("close", () => resolve([all, s.authorized]));
    });
  },
  async unread(q) { const s = connect("127.0.0.1:" + q.get("port")); await s.opened; return "left"; },
  redis: (q) => redis(Number(q.get("port")), q.get("tls")),
};
/* A client of Redis as small as it can be, over node:net or node:tls. */
function redis(port) {
  return new Promise((resolve, reject) => {
    const s = net.createConnection(port, "127.0.0.1");
    let all = "";
    s.on("error", reject);
    s.on("data", (d) => { all += d; if (all.includes("+bye") || all.endsWith("$5\\r\\nvalue\\r\\n")) { s.end(); resolve(all); } });
    s.on("connect", () => s.write("*3\\r\\n$3\\r\\nSET\\r\\n$3\\r\\nkey\\r\\n$5\\r\\nvalue\\r\\n*2\\r\\n$3\\r\\nGET\\r\\n$3\\r\\nkey\\r\\n"));
  });
}
export default { async fetch(request) {
  const url = new URL(request.url);
  try { return Response.json(await tests[url.pathname.slice(1)](url.searchParams) ?? null); } catch (e) { return new Response(e.stack ?? String(e), { status: 500 }); }
} };`;

before(async () => {
  selvedge = await startSelvedge({ settings: { "egress.allow_private": true } });
  await deploy(selvedge, "sockets", source, { compatibility_date: "2026-07-01", compatibility_flags: ["nodejs_compat"] });
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", join(dir, "key"), "-out", join(dir, "crt"), "-days", "2", "-subj", "/CN=db.test", "-addext", "subjectAltName=DNS:db.test,IP:127.0.0.1"], { stdio: "ignore" });
});
after(async () => {
  for (const server of servers) server.close();
  await selvedge.stop();
  await guarded?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ask = async (name, query = {}, from = selvedge) => {
  const r = await get(from, "sockets", `/${name}?${new URLSearchParams(query)}`);
  assert.equal(r.status, 200, r.text);
  return JSON.parse(r.text);
};
const echo = () => listen(createServer({ allowHalfOpen: true }, (s) => { s.on("error", () => {}); s.pipe(s); }));

test("bytes go both ways and each end is told", async () => {
  const port = await echo();
  assert.deepEqual(await ask("echo", { port }), ["hello world", `127.0.0.1:${port}`, "string", "closed", "off", false]);
  assert.equal(await ask("early", { port }), "early");
});

test("large amounts, with back-pressure", async () => {
  assert.deepEqual(await ask("large", { port: await echo() }), [5_000_000, 50000 * 4950]);
});

test("half open only when asked for", async () => {
  let got = "";
  const port = await listen(createServer({ allowHalfOpen: true }, (s) => { s.on("error", () => {}); s.on("data", (d) => (got += d)); s.end("bye"); }));
  assert.deepEqual(await ask("half", { port }), ["bye", "cannot write"]);
  assert.deepEqual(await ask("half", { port, open: "" }), ["bye", "written"]);
  await until("the rest", 5000, () => got === "after");
});

test("refused connections and bad addresses", async () => {
  const port = await listen(createServer());
  servers.pop().close();
  const failed = await ask("refused", { port });
  assert.deepEqual(failed, Array(3).fill("Error: proxy request failed, cannot connect to the specified address"));
  assert.deepEqual((await ask("refused", { port: 25 }))[0], "Error: proxy request failed, cannot connect to the specified address");
  assert.deepEqual(await ask("errors"), [
    "TypeError: Specified address is missing port.", "TypeError: Specified address could not be parsed.", "TypeError: Specified address is missing port.",
    "TypeError: Specified address could not be parsed.", "TypeError: Unsupported value in secureTransport socket option: maybe",
  ]);
});

test("closing, and leaving without", async () => {
  let open = 0;
  const port = await listen(createServer((s) => { open++; s.on("error", () => {}); s.on("close", () => open--); s.resume(); }));
  assert.deepEqual((await ask("close", { port }))[0], "closed");
  assert.equal(await ask("unread", { port }), "left");
  await until("no connection left", 5000, () => open === 0);
});

test("private addresses are refused unless they are allowed", async () => {
  guarded = await startSelvedge();
  await deploy(guarded, "sockets", source, { compatibility_date: "2026-07-01", compatibility_flags: ["nodejs_compat"] });
  let connected = false;
  const port = await listen(createServer(() => (connected = true)));
  assert.equal((await ask("refused", { port }, guarded))[0], "Error: proxy request failed, cannot connect to the specified address");
  assert.equal(connected, false);
});

test("TLS from the start and by startTls() wants a certificate that is trusted", async () => {
  const files = { key: readFileSync(join(dir, "key")), cert: readFileSync(join(dir, "crt")) };
  const secure = await listen(createTlsServer(files, (s) => { s.on("error", () => {}); s.pipe(s); }));
  assert.match(await ask("tls", { host: "127.0.0.1", port: secure }), /cannot connect to the specified address/);
  const upgrading = await listen(createServer((s) => {
    s.on("error", () => {});
    s.once("data", () => {
      s.write("GO");
      const t = new TLSSocket(s, { isServer: true, ...files });
      t.on("error", () => {});
      t.pipe(t);
    });
  }));
  const out = await ask("starttls", { host: "db.test", port: upgrading });
  assert.deepEqual(out.slice(0, 3), ["GO", true, "on"]);
  assert.match(out[3], /TLS to db.test failed: self.signed certificate/);
  assert.deepEqual(out.slice(4), ["TypeError: startTls has already been called on this socket, or the socket was transferred over RPC.", "TypeError: Cannot startTls on a TLS socket."]);
});

test("TLS with an authority of the settings, by node:tls too", async () => {
  const files = { key: readFileSync(join(dir, "key")), cert: readFileSync(join(dir, "crt")) };
  const trusting = await startSelvedge({ settings: { "egress.allow_private": true, "egress.authorities": join(dir, "crt") } });
  try {
    await deploy(trusting, "sockets", source, { compatibility_date: "2026-07-01", compatibility_flags: ["nodejs_compat"] });
    const secure = await listen(createTlsServer(files, (s) => { s.on("error", () => {}); s.pipe(s); }));
    assert.equal(await ask("tls", { host: "127.0.0.1", port: secure }, trusting), "hi");
    const upgrading = await listen(createServer((s) => {
      s.on("error", () => {});
      s.once("data", () => {
        s.write("GO");
        const t = new TLSSocket(s, { isServer: true, ...files });
        t.on("error", () => {});
        t.pipe(t);
      });
    }));
    assert.deepEqual((await ask("starttls", { host: "db.test", port: upgrading }, trusting)).slice(0, 4), ["GO", true, "on", "over tls"]);
    assert.match((await ask("starttls", { host: "other.test", port: upgrading }, trusting))[3], /hostname mismatch/i);
    assert.deepEqual(await ask("nodetls", { port: secure }, trusting), ["by node:tls", true]);
  } finally {
    await trusting.stop();
  }
});

test("a real Redis", { skip: !existsSync("/usr/bin/redis-server") }, async () => {
  const socket = createServer();
  const port = await listen(socket);
  servers.pop();
  await new Promise((resolve) => socket.close(resolve));
  const server = spawn("/usr/bin/redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", dir], { stdio: "ignore" });
  try {
    await until("Redis", 10000, () => new Promise((resolve) => { const s = connect(port, "127.0.0.1", () => (s.destroy(), resolve(true))); s.on("error", () => resolve(false)); }));
    assert.equal(await ask("redis", { port }), "+OK\r\n$5\r\nvalue\r\n");
  } finally {
    server.kill();
  }
});

test("node:net", async () => {
  const [all, events] = await ask("net", { port: await echo() });
  assert.equal(all, "from node:net");
  assert.deepEqual(events, ["connect", "ready", "end", "close"]);
  const port = await listen(createServer());
  servers.pop().close();
  assert.equal((await ask("net", { port }))[0], "ECONNREFUSED");
});
