// WebSockets of Durable Objects that outlive the object's stay in memory: handlers, tags, attachments, automatic
// answers, waking, and what ends them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import WebSocketClient from "ws";
import { deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { binary, startSelvedge } from "./lib/selvedge.mjs";

const code = (version = 1) => `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.born = crypto.randomUUID();
    this.found = ctx.getWebSockets().length;
  }
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/state") return Response.json({ born: this.born, found: this.found, version: ${version}, name: this.ctx.id.name, sockets: this.ctx.getWebSockets().length, log: await this.ctx.storage.get("log") ?? [] });
    if (url.pathname === "/errors") return Response.json(errors(this.ctx));
    if (url.pathname === "/broadcast") { for (const ws of this.ctx.getWebSockets()) ws.send("to all"); return new Response("sent"); }
    if (url.pathname === "/abort") this.ctx.abort("gone");
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server, url.searchParams.getAll("tag"));
    server.serializeAttachment({ at: url.searchParams.get("at"), n: 0 });
    if (url.searchParams.has("pair")) this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    server.send("welcome " + this.ctx.getTags(server).join());
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(ws, message) {
    const attachment = ws.deserializeAttachment();
    if (message === "state") {
      ws.serializeAttachment({ ...attachment, n: attachment.n + 1 });
      return ws.send(JSON.stringify({ born: this.born, found: this.found, attachment, tags: this.ctx.getTags(ws), b: this.ctx.getWebSockets("b").length, pair: this.ctx.getWebSocketAutoResponse()?.request, answered: this.ctx.getWebSocketAutoResponseTimestamp(ws)?.getTime() }));
    }
    if (message === "put") { this.ctx.storage.put("v", 1); return ws.send("written"); }
    if (message === "slow") { ws.send("slow begins"); await new Promise((r) => setTimeout(r, 30)); return ws.send("slow ends"); }
    if (message === "bye") return ws.close(4002, "as asked");
    if (message === "throw") throw new Error("from the handler");
    ws.send(message);
  }
  async log(entry) { const log = await this.ctx.storage.get("log") ?? []; log.push(entry); await this.ctx.storage.put("log", log); }
  async webSocketClose(ws, code, reason, wasClean) {
    await this.log(["close", code, reason, wasClean, ws.deserializeAttachment().at, this.ctx.getWebSockets().includes(ws)]);
    if (code === 4001) ws.close(code, "seen");
  }
  async webSocketError(ws, error) { await this.log(["error", error.message]); }
}
function errors(ctx) {
  const attempt = (fn) => { try { return fn() ?? null; } catch (e) { return e.name + ": " + e.message; } };
  const pair = () => Object.values(new WebSocketPair());
  const [a, b] = pair(), [c, d] = pair(), [e] = pair(), [f, g] = pair();
  a.accept(); c.accept();
  ctx.acceptWebSocket(f);
  return {
    accepted: attempt(() => ctx.acceptWebSocket(a)), pair: attempt(() => ctx.acceptWebSocket(d)), tags: attempt(() => ctx.acceptWebSocket(e, Array.from({ length: 11 }, (_, i) => "t" + i))),
    long: attempt(() => ctx.acceptWebSocket(e, ["x".repeat(257)])), twice: attempt(() => ctx.acceptWebSocket(f)), accept: attempt(() => f.accept()), none: attempt(() => ctx.acceptWebSocket({})),
    ten: attempt(() => ctx.acceptWebSocket(e, Array.from({ length: 20 }, (_, i) => "t" + (i % 10)))), getTags: attempt(() => ctx.getTags(a)), attachment: attempt(() => e.serializeAttachment("x".repeat(17000))),
    request: attempt(() => ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("x".repeat(2049), ""))), response: attempt(() => ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("", "é".repeat(1025)))),
    timeout: attempt(() => ctx.setHibernatableWebSocketEventTimeout(604800001)), none2: ctx.getWebSocketAutoResponse(), at: attempt(() => ctx.getWebSocketAutoResponseTimestamp(e)),
    listed: ctx.getWebSockets().length, timeouts: [ctx.getHibernatableWebSocketEventTimeout(), (ctx.setHibernatableWebSocketEventTimeout(500), ctx.getHibernatableWebSocketEventTimeout())],
  };
}
export default { fetch(request, env) { return env.ROOM.getByName(new URL(request.url).searchParams.get("room") ?? "x").fetch(request); } };`;

const metadata = {
  compatibility_date: "2026-01-20",
  bindings: [{ type: "durable_object_namespace", name: "ROOM", class_name: "Room" }],
  migrations: { new_tag: "v1", new_sqlite_classes: ["Room"] },
};

let s;
before(async () => {
  s = await startSelvedge({ settings: { "isolates.idle_s": 1 } });
  await deploy(s, "rooms", code(), metadata);
});
after(async () => {
  if (process.env.SHOW) console.log(s.log());
  await s?.stop();
});

// A client with everything that it was sent.
function open(path, options = {}) {
  const base = new URL(s.httpUrl);
  const ws = new WebSocketClient(`ws://${base.host}${path}`, { headers: { host: `${options.script ?? "rooms"}.localhost:${base.port}` } });
  const waiting = [], queue = [];
  ws.on("message", (data, binary) => {
    const value = binary ? data : data.toString();
    if (waiting.length > 0) waiting.shift()(value);
    else queue.push(value);
  });
  ws.on("error", () => {});
  const closed = new Promise((resolve) => ws.on("close", (c, reason) => resolve([c, reason.toString()])));
  const next = () => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve)));
  const ask = async (text) => (ws.send(text), next());
  return { ws, next, ask, closed, queue, opened: new Promise((resolve, reject) => (ws.once("open", resolve), ws.once("error", reject))) };
}
const state = async (room) => JSON.parse((await get(s, "rooms", `/state?room=${room}`)).text);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// Whether an isolate of the Worker is alive.
const runs = async (script) => {
  const { stdout } = await promisify(execFile)(binary, ["status", "--json", "--data", s.data]);
  return JSON.parse(stdout).isolates.list.some((isolate) => isolate.script === script);
};

test("messages are handler calls; tags, attachments, order", { timeout: 20_000 }, async () => {
  const a = open("/?room=plain&at=a&tag=b&tag=c&tag=b"), b = open("/?room=plain&at=b");
  assert.deepEqual([await a.next(), await b.next()], ["welcome b,c", "welcome "]);
  assert.equal(await a.ask("hello"), "hello");
  assert.deepEqual(await b.ask(Buffer.from([0, 255, 7])), Buffer.from([0, 255, 7]));
  const first = JSON.parse(await a.ask("state"));
  assert.deepEqual([first.attachment, first.tags, first.b, first.found], [{ at: "a", n: 0 }, ["b", "c"], 1, 0]);
  assert.equal(JSON.parse(await a.ask("state")).attachment.n, 1);
  assert.equal(await a.ask("put"), "written");
  a.ws.send("slow");
  a.ws.send("after");
  assert.deepEqual([await a.next(), await a.next(), await a.next()], ["slow begins", "slow ends", "after"], "one event of a socket at a time");
  a.ws.send("throw");
  assert.equal(await a.ask("still here"), "still here");
  await get(s, "rooms", "/broadcast?room=plain");
  assert.deepEqual([await a.next(), await b.next()], ["to all", "to all"]);
  const long = "x".repeat(1_000_000);
  assert.equal(await a.ask(long), long);
  assert.equal((await state("plain")).sockets, 2);
  a.ws.send("bye");
  assert.deepEqual(await a.closed, [4002, "as asked"]);
  b.ws.close(4001, "leaving");
  assert.deepEqual(await b.closed, [4001, "seen"]);
  const log = await until("closes", 5000, async () => { const { log } = await state("plain"); return log.length === 2 ? log : null; });
  assert.deepEqual(log, [["close", 4002, "as asked", true, "a", true], ["close", 4001, "leaving", true, "b", true]]);
  assert.equal((await state("plain")).sockets, 0);
});

test("an object that does not answer a close, and a client that vanishes", { timeout: 20_000 }, async () => {
  const a = open("/?room=ends&at=a"), b = open("/?room=ends&at=b");
  await Promise.all([a.next(), b.next()]);
  a.ws.close(4009, "no answer");
  assert.equal((await a.closed)[0], 1006);
  b.ws.terminate();
  const log = await until("ends", 5000, async () => { const { log } = await state("ends"); return log.length === 2 ? log : null; });
  assert.deepEqual(log.map((e) => e.slice(0, 5)).sort((x, y) => x[1] - y[1]), [["close", 1006, "WebSocket disconnected without sending Close frame.", false, "b"], ["close", 4009, "no answer", true, "a"]]);
});

test("upstream's errors and limits", async () => {
  const r = JSON.parse((await get(s, "rooms", "/errors?room=errors")).text);
  assert.deepEqual(r, {
    accepted: "Error: Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`",
    pair: "Error: Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.",
    tags: "Error: a Hibernatable WebSocket cannot have more than 10 tags",
    long: `Error: "${"x".repeat(257)}" is longer than the max tag length (256 characters).`,
    twice: "Error: Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`",
    accept: null,
    none: "TypeError: Failed to execute 'acceptWebSocket' on 'DurableObjectState': parameter 1 is not of type 'WebSocket'.",
    ten: null,
    getTags: "Error: only hibernatable websockets can have tags.",
    attachment: "Error: A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 17005 bytes.",
    request: "RangeError: Request cannot be larger than 2048 bytes. A request of size 2049 was provided.",
    response: "RangeError: Response cannot be larger than 2048 bytes. A response of size 2050 was provided.",
    timeout: "Error: Event timeout should not exceed 604800000 ms.",
    none2: null,
    at: null,
    listed: 2,
    timeouts: [null, 500],
  });
});

test("an idle object sleeps, its sockets stay; a message, an event of another kind and a close wake it", { timeout: 60_000 }, async () => {
  const a = open("/?room=sleep&at=a&tag=b&pair"), b = open("/?room=sleep&at=b&tag=b"), c = open("/?room=sleep2&at=c");
  await Promise.all([a.next(), b.next(), c.next()]);
  const before = JSON.parse(await a.ask("state")), other = JSON.parse(await c.ask("state"));
  assert.equal(await a.ask("ping"), "pong");
  const answered = JSON.parse(await a.ask("state"));
  assert.equal(answered.born, before.born);
  assert.ok(Math.abs(answered.answered - Date.now()) < 5000);
  await wait(10_000);
  await until("nothing of the Worker runs", 15_000, async () => !(await runs("rooms")));
  for (let i = 0; i < 3; i++) assert.equal(await a.ask("ping"), "pong");
  assert.ok(!(await runs("rooms")), "automatic answers wake nobody");
  const after = JSON.parse(await a.ask("state"));
  assert.notEqual(after.born, before.born, "constructed anew");
  assert.deepEqual([after.found, after.attachment, after.tags, after.b, after.pair], [2, { at: "a", n: 2 }, ["b"], 2, "ping"]);
  assert.ok(after.answered >= answered.answered, "the time of the last automatic answer is known");
  const woken = await state("sleep2");
  assert.deepEqual([woken.found, woken.name], [1, "sleep2"], "a request finds the sockets too");
  assert.notEqual(woken.born, other.born);
  await get(s, "rooms", "/broadcast?room=sleep2");
  assert.equal(await c.next(), "to all");
  for (const client of [a, b, c]) client.ws.close(1000);
  await Promise.all([a.closed, b.closed, c.closed]);
});

test("abort() and a deploy end the connections", { timeout: 20_000 }, async () => {
  const a = open("/?room=abort&at=a");
  await a.next();
  await get(s, "rooms", "/abort?room=abort");
  assert.equal((await a.closed)[0], 1006);
  assert.equal((await state("abort")).sockets, 0);
  await deploy(s, "second", code(1), metadata);
  const b = open("/?room=deploy&at=b", { script: "second" });
  await b.next();
  await deploy(s, "second", code(2), { ...metadata, migrations: undefined });
  assert.equal((await b.closed)[0], 1006);
  const answer = await until("the new version", 5000, async () => { const r = await get(s, "second", "/state?room=deploy"); return r.status === 200 ? JSON.parse(r.text) : null; });
  assert.deepEqual([answer.version, answer.sockets], [2, 0]);
});
