// WebSockets: clients of Workers (npm `ws`, raw frames, Node's own WebSocket), pairs, service bindings, and sockets that Workers open.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import dns from "node:dns";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import WebSocketClient, { WebSocketServer } from "ws";
import { deploy } from "./lib/deploy.mjs";
import { get, raw, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const FLAGS = { compatibility_date: "2026-07-01" };

const SOCKETS = `
const seen = [];
let last = null;
function serve(request, socket, path) {
  socket.accept();
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    seen.push(typeof data === "string" ? data.slice(0, 40) : data.byteLength);
    if (data === "throw") throw new Error("from the listener");
    if (data === "close") return socket.close(4001, "as asked");
    if (data === "flood") { for (let i = 0; i < 640; i++) socket.send("x".repeat(100_000)); return socket.close(1000, "flooded"); }
    if (data === "burst") { for (let i = 0; i < 1000; i++) socket.send(String(i)); return; }
    socket.send(data);
  });
  socket.addEventListener("close", (e) => { last = { code: e.code, reason: e.reason, wasClean: e.wasClean, readyState: socket.readyState }; });
  socket.addEventListener("error", (e) => { last = { error: e.message }; });
}
export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === "/last") return Response.json({ last, seen: seen.splice(0) });
    if (path === "/headers") return Response.json(Object.fromEntries(request.headers));
    if (path === "/plain") return new Response("no socket here", { status: 403 });
    if (path === "/proxy") return env.OTHER.fetch("http://other/ws", request);
    if (path === "/bound") {
      const { webSocket } = await env.OTHER.fetch("http://other/ws", { headers: { Upgrade: "websocket" } });
      webSocket.accept();
      const text = new Promise((resolve) => webSocket.addEventListener("message", (e) => resolve(e.data)));
      webSocket.send("through the binding");
      const closed = new Promise((resolve) => webSocket.addEventListener("close", (e) => resolve([e.code, e.reason])));
      const got = await text;
      webSocket.close(4100, "enough");
      return Response.json([got, await closed]);
    }
    last = null;
    const [client, server] = Object.values(new WebSocketPair());
    if (path === "/late") {
      setTimeout(() => serve(request, server, path), 100);
    } else serve(request, server, path);
    const headers = request.headers.has("sec-websocket-protocol") ? { "sec-websocket-protocol": "second" } : { "x-worker": "yes" };
    return new Response(null, { status: 101, webSocket: client, headers });
  },
};`;

let selvedge;

before(async () => {
  selvedge = await startSelvedge({ settings: { "egress.allow_private": true } });
  await deploy(selvedge, "other", SOCKETS, FLAGS);
  await deploy(selvedge, "sockets", SOCKETS, { ...FLAGS, bindings: [{ type: "service", name: "OTHER", service: "other" }] });
});

after(async () => {
  await selvedge?.stop();
});

const port = () => new URL(selvedge.httpUrl).port;

// A client that keeps what happened: `next()` is the next message, `closed` the code and reason.
function open(path = "/ws", options = {}, name = "sockets", protocols = []) {
  const client = new WebSocketClient(`ws://127.0.0.1:${port()}${path}`, protocols, { perMessageDeflate: false, ...options, headers: { host: `${name}.localhost:${port()}` } });
  const waiting = [], messages = [];
  client.on("message", (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length > 0) waiting.shift()(message);
    else messages.push(message);
  });
  client.next = () => (messages.length > 0 ? Promise.resolve(messages.shift()) : new Promise((resolve) => waiting.push(resolve)));
  client.closed = new Promise((resolve) => client.on("close", (code, reason) => resolve([code, reason.toString()])));
  client.failures = [];
  client.on("error", (error) => client.failures.push(error.message));
  client.on("upgrade", (response) => (client.response = response));
  return new Promise((resolve, reject) => {
    client.once("open", () => resolve(client));
    client.once("unexpected-response", (_, response) => resolve(response));
    client.once("error", reject);
  });
}

const lastOf = async (name = "sockets") => JSON.parse((await get(selvedge, name, "/last")).text);
const ended = (name) => until("the Worker's socket to end", 3000, async () => (await lastOf(name)).last);

test("echoes text and bytes, in order", async () => {
  const client = await open();
  assert.equal(client.response.headers["x-worker"], "yes");
  client.send("hello");
  client.send(Buffer.from([0, 1, 255]));
  client.send("");
  client.send("grüße 🎉");
  assert.deepEqual([await client.next(), await client.next(), await client.next(), await client.next()], ["hello", Buffer.from([0, 1, 255]), "", "grüße 🎉"]);
  client.send("burst");
  for (let i = 0; i < 1000; i++) assert.equal(await client.next(), String(i));
  client.close();
  await client.closed;
});

test("Node's own client", async (t) => {
  const { lookup } = dns;
  t.after(() => (dns.lookup = lookup));
  dns.lookup = (name, options, done) => lookup(name.endsWith(".localhost") ? "127.0.0.1" : name, options, done);
  const client = new WebSocket(`ws://sockets.localhost:${port()}/ws`);
  client.binaryType = "arraybuffer";
  const messages = [];
  const closed = new Promise((resolve) => (client.onclose = (e) => resolve([e.code, e.reason, e.wasClean])));
  client.onmessage = ({ data }) => {
    messages.push(typeof data === "string" ? data : data.byteLength);
    if (messages.length === 2) client.close(3000, "done");
  };
  client.onopen = () => (client.send("one"), client.send(new Uint8Array(70_000)));
  assert.deepEqual(await closed, [3000, "done", true]);
  assert.deepEqual(messages, ["one", 70_000]);
});

test("close codes go both ways", async () => {
  const client = await open();
  client.close(4000, "bye");
  assert.deepEqual(await client.closed, [4000, "bye"]);
  assert.deepEqual(await ended(), { code: 4000, reason: "bye", wasClean: true, readyState: 3 });

  const silent = await open();
  silent.close();
  assert.deepEqual(await silent.closed, [1005, ""]);
  assert.deepEqual(await ended(), { code: 1005, reason: "", wasClean: true, readyState: 3 });

  const asked = await open();
  asked.send("close");
  assert.deepEqual(await asked.closed, [4001, "as asked"]);
  assert.deepEqual(await ended(), { code: 4001, reason: "as asked", wasClean: true, readyState: 3 });
});

test("a client that vanishes, and a listener that throws", async () => {
  const client = await open();
  client.send("x");
  await client.next();
  client.terminate();
  assert.deepEqual(await ended(), { code: 1006, reason: "WebSocket disconnected without sending Close frame.", wasClean: false, readyState: 3 });

  const thrown = await open();
  thrown.send("before");
  thrown.send("throw");
  assert.deepEqual(await thrown.closed, [1006, ""]);
  assert.equal(await thrown.next(), "before");
  assert.deepEqual(await ended(), { error: "Uncaught Error: from the listener" });
});

// Frames written by hand: what the client library would not send.
function frame(first, payload, { masked = true, length = payload.length } = {}) {
  const head = [first];
  if (length < 126) head.push((masked ? 0x80 : 0) | length);
  else if (length < 65_536) head.push((masked ? 0x80 : 0) | 126, length >> 8, length & 255);
  else head.push((masked ? 0x80 : 0) | 127, 0, 0, 0, 0, (length >>> 24) & 255, (length >> 16) & 255, (length >> 8) & 255, length & 255);
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const body = Buffer.from(payload);
  if (masked) for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3];
  return Buffer.concat([Buffer.from(head), mask, body]);
}

async function rawSocket() {
  const client = await open();
  return Object.assign(client, { write: (...frames) => client._socket.write(Buffer.concat(frames)) });
}

test("fragments with a ping between them; every byte in a packet of its own", async () => {
  const client = await rawSocket();
  const pong = new Promise((resolve) => client.on("pong", (data) => resolve(data.toString())));
  client.write(frame(0x01, "frag"), frame(0x89, "are you there"), frame(0x00, "men"), frame(0x80, "ted"));
  assert.equal(await client.next(), "fragmented");
  assert.equal(await pong, "are you there");
  client._socket.setNoDelay(true);
  for (const byte of frame(0x81, "slowly")) {
    client._socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await client.next(), "slowly");
  client.terminate();
});

for (const [name, bytes, code] of [
  ["an unmasked frame", frame(0x81, "x", { masked: false }), 1002],
  ["an unknown opcode", frame(0x83, ""), 1002],
  ["a reserved bit without an extension", frame(0xc1, "x"), 1002],
  ["a continuation of nothing", frame(0x80, "x"), 1002],
  ["a long ping", frame(0x89, "x".repeat(126)), 1002],
  ["a close code that must not be sent", frame(0x88, Buffer.from([0x03, 0xed])), 1002],
  ["text that is not UTF-8", frame(0x81, Buffer.from([0xc0, 0x80])), 1007],
  ["a message over the limit", frame(0x82, "", { length: 32 * 1024 * 1024 + 1 }), 1009],
]) {
  test(`${name} ends the connection with ${code}`, async () => {
    const client = await rawSocket();
    client.write(bytes);
    assert.equal((await client.closed)[0], code);
    const { error } = await ended();
    assert.match(error, new RegExp(`^Uncaught Error: WebSocket protocol error; protocolError.statusCode = ${code}; `));
  });
}

test("large messages and many in flight", async () => {
  const client = await open("/ws", { maxPayload: 64 << 20 });
  const large = randomBytes(1 << 20), huge = Buffer.alloc(20 << 20, 7);
  for (let i = 0; i < 8; i++) client.send(large);
  for (let i = 0; i < 8; i++) assert.ok(large.equals(await client.next()));
  client.send(huge);
  assert.ok(huge.equals(await client.next()));
  client.close();
  await client.closed;
});

test("compression: agreed on as offered, with and without a window that is kept", async () => {
  const text = JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ id: i, name: `name ${i}` })));
  for (const [offer, agreed] of [
    [true, "permessage-deflate"],
    [{ threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true }, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
    [{ threshold: 0, serverMaxWindowBits: 9 }, "permessage-deflate; server_max_window_bits=9"],
    [{ threshold: 0, serverMaxWindowBits: 8 }, "permessage-deflate; server_max_window_bits=8"],
    [false, undefined],
  ]) {
    const client = await open("/ws", { perMessageDeflate: offer });
    assert.equal(client.response.headers["sec-websocket-extensions"], agreed);
    const before = client._socket.bytesRead;
    for (let i = 0; i < 4; i++) {
      client.send(text);
      assert.equal(await client.next(), text);
    }
    const bytes = client._socket.bytesRead - before;
    if (agreed) assert.ok(bytes < text.length * 2, `${bytes} of ${4 * text.length} bytes came, ${agreed}`);
    client.send("short");
    assert.equal(await client.next(), "short");
    client.close();
    assert.deepEqual(await client.closed, [1005, ""]);
  }
});

test("a slow reader holds the Worker's messages back, and gets all of them", async () => {
  const client = await open("/ws", { maxPayload: 1 << 20 });
  client._socket.pause();
  client.send("flood"); // 64 MB
  await new Promise((resolve) => setTimeout(resolve, 500));
  let bytes = 0;
  client.on("message", (data) => (bytes += data.length));
  client._socket.resume();
  assert.deepEqual(await client.closed, [1000, "flooded"]);
  assert.equal(bytes, 64_000_000);
});

test("a Worker that accepts late gets what came before", async () => {
  const client = await open("/late");
  client.send("early");
  assert.equal(await client.next(), "early");
  client.close();
  await client.closed;
});

test("what is no handshake, and Workers that do not answer with a socket", async () => {
  const head = (fields) => `GET /ws HTTP/1.1\r\nHost: sockets.localhost:${port()}\r\n${fields}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  assert.match(await raw(selvedge, [head("Sec-WebSocket-Version: 13\r\n"), /\r\n\r\n/], 500), /^HTTP\/1.1 400 /);
  assert.match(await raw(selvedge, [head("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"), /\r\n\r\n/], 500), /^HTTP\/1.1 400 /);
  assert.match(await raw(selvedge, [head("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), /\r\n\r\n/], 500), /^HTTP\/1.1 426 [^]*sec-websocket-version: 13/);
  assert.equal((await get(selvedge, "sockets", "/ws")).status, 500, "a socket for a request that did not ask for one");
  const refused = await open("/plain");
  assert.equal(refused.statusCode, 403);
  const seen = await open("/headers");
  let text = "";
  for await (const chunk of seen) text += chunk;
  assert.equal(JSON.parse(text).upgrade, "websocket");
  const chosen = await open("/ws", {}, "sockets", ["first", "second"]);
  assert.equal(chosen.protocol, "second");
  chosen.close();
  await chosen.closed;
});

test("through a service binding: as a proxy and with the socket in hand", async () => {
  const client = await open("/proxy");
  client.send("hello");
  assert.equal(await client.next(), "hello");
  client.send(Buffer.alloc(300_000, 1));
  assert.equal((await client.next()).length, 300_000);
  client.close(4200, "proxied");
  assert.deepEqual(await client.closed, [4200, "proxied"]);
  assert.deepEqual(await ended("other"), { code: 4200, reason: "proxied", wasClean: true, readyState: 3 });

  const vanishing = await open("/proxy");
  vanishing.send("x");
  await vanishing.next();
  vanishing.terminate();
  assert.equal((await ended("other")).code, 1006);

  const asked = await open("/proxy");
  asked.send("close");
  assert.deepEqual(await asked.closed, [4001, "as asked"]);

  assert.deepEqual(JSON.parse((await get(selvedge, "sockets", "/bound")).text), ["through the binding", [4100, "enough"]]);
});

const ROOM = `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  sockets = new Set();
  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    this.sockets.add(server);
    server.addEventListener("message", ({ data }) => { for (const socket of this.sockets) socket.send(this.sockets.size + ":" + data); });
    server.addEventListener("close", () => this.sockets.delete(server));
    return new Response(null, { status: 101, webSocket: client });
  }
}
export default { fetch(request, env) { return env.ROOM.get(env.ROOM.idFromName("one")).fetch(request); } };`;

test("clients of one Durable Object hear each other", async () => {
  await deploy(selvedge, "room", ROOM, { ...FLAGS, bindings: [{ type: "durable_object_namespace", name: "ROOM", class_name: "Room" }], migrations: { new_tag: "v1", new_sqlite_classes: ["Room"] } });
  const [a, b] = [await open("/", {}, "room"), await open("/", {}, "room")];
  a.send("from a");
  assert.deepEqual([await a.next(), await b.next()], ["2:from a", "2:from a"]);
  a.close(1000);
  await a.closed;
  await until("the object to let it go", 3000, async () => {
    b.send("alone?");
    return (await b.next()) === "1:alone?";
  });
  b.close();
  await b.closed;
});

// --- the other direction ---

async function peer() {
  const http = createServer((_, response) => response.end("plain"));
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 0 }, handleProtocols: (offered) => [...offered].pop() });
  http.on("upgrade", (request, socket, head) => {
    if (request.url === "/deny") return socket.end("HTTP/1.1 403 Forbidden\r\nx-why: no\r\ncontent-length: 4\r\n\r\nnope");
    if (request.url === "/nonsense") return socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: bm9uc2Vuc2U=\r\n\r\n");
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on("error", () => {});
      client.on("message", (data, binary) => (request.url === "/terminate" ? client.terminate() : client.send(data, { binary })));
      if (request.url === "/close") client.close(4002, "the server");
      if (request.url === "/headers") client.send(JSON.stringify(request.headers));
    });
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { port: http.address().port, close() { for (const c of sockets.clients) c.terminate(); http.closeAllConnections(); http.close(); } };
}

const CLIENT = `
const log = (socket) => {
  const events = [];
  events.closed = new Promise((resolve) => socket.addEventListener("close", (e) => { events.push(["close", e.code, e.reason, e.wasClean]); resolve(events); }));
  socket.addEventListener("open", () => events.push(["open", socket.protocol]));
  socket.addEventListener("message", (e) => events.push(["message", typeof e.data === "string" ? e.data : e.data.size]));
  socket.addEventListener("error", (e) => events.push(["error", e.message]));
  return events;
};
const until = async (events, n) => { while (events.length < n) await scheduler.wait(2); };
const tests = {
  async echo(url) {
    const socket = new WebSocket(url + "/echo", ["one", "two"]), events = log(socket);
    await until(events, 1);
    socket.send("hello");
    socket.send(new Uint8Array(200_000));
    await until(events, 3);
    socket.close(4321, "enough");
    return events.closed;
  },
  async fetched(url) {
    const response = await fetch(url.replace("ws", "http") + "/echo", { headers: { Upgrade: "websocket" } });
    const socket = response.webSocket, events = log(socket);
    socket.accept();
    socket.send("fetched");
    await until(events, 1);
    socket.close();
    await events.closed;
    return [response.status, ...events];
  },
  async closed(url) { return log(new WebSocket(url + "/close")).closed; },
  async vanished(url) {
    const socket = new WebSocket(url + "/terminate"), events = log(socket);
    await until(events, 1);
    socket.send("x");
    return events.closed;
  },
  async denied(url) {
    const events = await log(new WebSocket(url + "/deny")).closed;
    const response = await fetch(url.replace("ws", "http") + "/deny", { headers: { Upgrade: "websocket" } });
    return [...events, response.status, response.webSocket, response.headers.get("x-why"), await response.text()];
  },
  async nonsense(url) { return log(new WebSocket(url + "/nonsense")).closed; },
  async headers(url) {
    const response = await fetch(url.replace("ws", "http") + "/headers", { headers: { Upgrade: "websocket", "x-mine": "yes", "sec-websocket-key": "forged" } });
    const socket = response.webSocket, events = log(socket);
    socket.accept();
    await until(events, 1);
    const seen = JSON.parse(events[0][1]);
    socket.close();
    return [seen["x-mine"], seen["sec-websocket-version"], seen["sec-websocket-key"] !== "forged", seen.upgrade, seen.connection];
  },
};
export default { async fetch(request) {
  const { searchParams, pathname } = new URL(request.url);
  if (pathname === "/pass") return fetch("http://127.0.0.1:" + searchParams.get("port") + "/echo", request);
  return Response.json(await tests[pathname.slice(1)]("ws://127.0.0.1:" + searchParams.get("port")));
} };`;

test("sockets that a Worker opens", async (t) => {
  const server = await peer();
  t.after(() => server.close());
  await deploy(selvedge, "client", CLIENT, FLAGS);
  const ask = async (name) => JSON.parse((await get(selvedge, "client", `/${name}?port=${server.port}`)).text);
  assert.deepEqual(await ask("echo"), [["open", "two"], ["message", "hello"], ["message", 200_000], ["close", 4321, "enough", true]]);
  assert.deepEqual(await ask("fetched"), [101, ["message", "fetched"], ["close", 1005, "", true]]);
  assert.deepEqual(await ask("closed"), [["open", ""], ["close", 4002, "the server", true]]);
  assert.deepEqual(await ask("vanished"), [["open", ""], ["close", 1006, "WebSocket disconnected without sending Close frame.", false]]);
  assert.deepEqual(await ask("denied"), [
    ["error", "Uncaught TypeError: Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 (switching protocols), but received 403 instead."],
    ["close", 1006, "Failed to establish websocket connection", false], 403, null, "no", "nope",
  ]);
  assert.deepEqual(await ask("nonsense"), [["error", "Uncaught Error: Failed to establish the WebSocket connection: the server's answer is no WebSocket handshake."], ["close", 1006, "Failed to establish websocket connection", false]]);
  assert.deepEqual(await ask("headers"), ["yes", "13", true, "websocket", "Upgrade"]);

  const client = await open(`/pass?port=${server.port}`, {}, "client");
  client.send("all the way");
  assert.equal(await client.next(), "all the way");
  client.close(4400, "and back");
  assert.deepEqual(await client.closed, [4400, "and back"]);
});

test("a thousand connections", async () => {
  const clients = await Promise.all(Array.from({ length: 1000 }, () => open()));
  clients.forEach((client, i) => client.send(`client ${i}`));
  const answers = await Promise.all(clients.map((client) => client.next()));
  answers.forEach((answer, i) => assert.equal(answer, `client ${i}`));
  assert.equal((await get(selvedge, "sockets", "/last")).status, 200, "and other requests are served");
  clients.slice(0, 500).forEach((client) => client.close(1000));
  clients.slice(500).forEach((client) => client.terminate());
  const codes = await Promise.all(clients.map(async (client) => (await client.closed)[0]));
  assert.deepEqual([codes.filter((code) => code === 1000).length, codes.filter((code) => code === 1006).length], [500, 500]);
});

test("a deploy leaves open sockets alone; a stop says goodbye", async (t) => {
  const own = await startSelvedge();
  t.after(() => own.stop().catch(() => {}));
  const saved = selvedge;
  selvedge = own;
  try {
    await deploy(own, "sockets", SOCKETS, FLAGS);
    const client = await open();
    await deploy(own, "sockets", "export default { fetch: () => new Response('new') }", FLAGS);
    assert.equal((await get(own, "sockets", "/")).text, "new");
    client.send("still here");
    assert.equal(await client.next(), "still here");
    const stopped = own.stop();
    assert.deepEqual(await client.closed, [1001, "The server is stopping."]);
    await stopped;
  } finally {
    selvedge = saved;
  }
});

test("a connection that is cut inside a frame", async () => {
  const socket = connect(Number(port()), "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`GET /ws HTTP/1.1\r\nHost: sockets.localhost:${port()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  const head = await new Promise((resolve) => socket.once("data", (data) => resolve(data.toString())));
  assert.match(head, /^HTTP\/1.1 101 [^]*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
  socket.write(frame(0x81, "x".repeat(50), { length: 100 }));
  socket.end();
  assert.equal((await ended()).code, 1006);
});
