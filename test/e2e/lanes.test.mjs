// Four gateway processes on whatever cores there are: objects are one for all of them, and survive the death of any.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { Agent } from "node:http";
import { connect } from "node:net";
import { availableParallelism, loadavg } from "node:os";
import { after, before, test } from "node:test";
import WebSocketClient from "ws";
import { api, deploy } from "./lib/deploy.mjs";
import { agentless, get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const LANES = 4;
const wait = (ms) => new Promise((r) => setTimeout(r, ms));
// What is promised holds on a machine that has time for us.
const within = (ms) => ms * Math.max(1, Math.ceil(loadavg()[0] / availableParallelism()));

const code = (version = 1) => `
import { DurableObject, RpcTarget } from "cloudflare:workers";
let isolate;
const wait = (ms) => new Promise((r) => setTimeout(r, ms));
class Cursor extends RpcTarget { #o; constructor(o) { super(); this.#o = o; } next() { return this.#o.add(); } }
export class Counter extends DurableObject {
  constructor(ctx, env) { super(ctx, env); this.born = crypto.randomUUID(); }
  async add() { const v = ((await this.ctx.storage.get("v")) ?? 0) + 1; this.ctx.storage.put("v", v); return v; }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/add") return Response.json({ v: await this.add(), born: this.born, version: ${version} });
    if (pathname === "/value") return Response.json((await this.ctx.storage.get("v")) ?? 0);
    if (pathname === "/echo") return new Response(request.body);
    if (pathname === "/slow") { await wait(Number(searchParams.get("ms"))); return new Response("slow " + await this.add()); }
    if (pathname === "/alarm") { await this.ctx.storage.setAlarm(Date.now() + Number(searchParams.get("ms"))); return new Response("set"); }
    if (pathname === "/fired") return Response.json((await this.ctx.storage.get("fired")) ?? 0);
    const [client, server] = Object.values(new WebSocketPair());
    if (pathname === "/hibernate") this.ctx.acceptWebSocket(server);
    else { server.accept(); server.addEventListener("message", (e) => server.send("live " + e.data)); }
    return new Response(null, { status: 101, webSocket: client });
  }
  async alarm() { await this.ctx.storage.put("fired", ((await this.ctx.storage.get("fired")) ?? 0) + 1); }
  async webSocketMessage(ws, message) { ws.send(message === "add" ? String(await this.add()) : "asleep " + message); }
  cursor() { return new Cursor(this); }
  stream(n) { let i = 0; return new ReadableStream({ type: "bytes", pull(c) { if (i++ === n) c.close(); else c.enqueue(new Uint8Array(16384).fill(i)); } }); }
}
export default { async fetch(request, env) {
  const url = new URL(request.url), stub = env.COUNTER.getByName(url.searchParams.get("o") ?? "x");
  if (url.pathname === "/isolate") return new Response(isolate ??= crypto.randomUUID());
  if (url.pathname === "/version") return new Response("${version}");
  if (url.pathname === "/rpc") {
    using cursor = await stub.cursor();
    const first = await cursor.next(), second = await cursor.next();
    let bytes = 0; for await (const chunk of await stub.stream(20)) bytes += chunk.byteLength;
    return Response.json([second - first, bytes]);
  }
  if (url.pathname === "/cache") {
    const key = new Request("http://cached/" + url.searchParams.get("k"));
    if (request.method === "PUT") { await caches.default.put(key, new Response(request.body, { headers: { "cache-control": "max-age=60" } })); return new Response("put"); }
    if (request.method === "DELETE") return new Response(String(await caches.default.delete(key)));
    return (await caches.default.match(key)) ?? new Response("none");
  }
  if (url.pathname === "/rate") return new Response(String((await env.RATE.limit({ key: url.searchParams.get("k") })).success));
  return stub.fetch(request);
} };`;

const metadata = {
  compatibility_date: "2026-01-20",
  bindings: [
    { type: "durable_object_namespace", name: "COUNTER", class_name: "Counter" },
    { type: "ratelimit", name: "RATE", namespace_id: "1", simple: { limit: 10, period: 60 } },
  ],
};

let s;
before(async () => {
  s = await startSelvedge({ settings: { lanes: LANES } });
  await deploy(s, "lanes", code(), { ...metadata, migrations: { new_tag: "v1", new_sqlite_classes: ["Counter"] } });
});
after(() => s?.stop());

// Each on a connection of its own, so that the kernel picks a lane.
const ask = (path, options = {}) => get(s, "lanes", path, { ...agentless, ...options });
const json = async (path, options) => {
  const { status, text } = await ask(path, options);
  assert.equal(status, 200, `${path}: ${text}`);
  return JSON.parse(text);
};
const names = (n, prefix) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
const all = (list, fn) => Promise.all(list.map(fn));

async function status() {
  const text = await new Promise((resolve, reject) => {
    let out = "";
    connect(`${s.data}/status.sock`).setEncoding("utf8").on("data", (d) => (out += d)).on("end", () => resolve(out)).on("error", reject);
  });
  return JSON.parse(text);
}
const lane = async (n) => (await status()).roles.find((r) => r.role === `gateway.${n}`);
const laneReady = (n, old) => until(`lane ${n} again`, 15000, async () => ((r) => r.ready && r.pid !== old)(await lane(n)));
const lastTable = () => JSON.parse(s.log().split("\n").filter((l) => l.includes('"event":"lanes"')).at(-1));

// By the local port of a client's connection: the process that has accepted it.
function acceptedBy(pids) {
  const port = new URL(s.httpUrl).port;
  const inodes = new Map();
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
    const f = line.trim().split(/\s+/);
    if (f.length > 9 && parseInt(f[1].split(":")[1], 16) === Number(port)) inodes.set(`socket:[${f[9]}]`, parseInt(f[2].split(":")[1], 16));
  }
  const byPort = new Map();
  for (const [n, pid] of pids.entries())
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      let target = "";
      try { target = readlinkSync(`/proc/${pid}/fd/${fd}`); } catch {} // closed meanwhile
      if (inodes.get(target)) byPort.set(inodes.get(target), n);
    }
  return byPort;
}
const lanePids = async () => (await status()).roles.filter((r) => r.role.startsWith("gateway.")).map((r) => r.pid);

test("every lane answers, and every object is one for all of them", async () => {
  assert.equal((await status()).roles.filter((r) => r.role.startsWith("gateway.") && r.ready).length, LANES);
  const isolates = new Set((await all(names(48, "i"), () => ask("/isolate"))).map((r) => r.text));
  assert.ok(isolates.size >= LANES - 1, `${isolates.size} isolates for ${LANES} lanes`);
  const seen = await all(names(30, "o"), async (o) => {
    const answers = await all(names(8, ""), () => json(`/add?o=${o}`));
    return [answers.map((a) => a.v).sort((a, b) => a - b).join(), new Set(answers.map((a) => a.born)).size];
  });
  for (const [values, instances] of seen) assert.deepEqual([values, instances], ["1,2,3,4,5,6,7,8", 1]);
});

test("bodies, RPC with streams and stubs go through", async () => {
  const body = "0123456789abcdef".repeat(40000);
  await all(names(12, "e"), async (o) => assert.equal((await ask(`/echo?o=${o}`, { method: "POST", body })).text.length, body.length));
  for (const answer of await all(names(16, "r"), (o) => json(`/rpc?o=${o}`))) assert.deepEqual(answer, [1, 20 * 16384]);
});

test("alarms fire, once each", async () => {
  const objects = names(24, "a");
  await all(objects, (o) => ask(`/alarm?o=${o}&ms=300`));
  await until("all alarms", 15000, async () => (await all(objects, (o) => json(`/fired?o=${o}`))).every((n) => n > 0));
  await wait(700);
  assert.deepEqual([...new Set(await all(objects, (o) => json(`/fired?o=${o}`)))], [1]);
});

test("there is one cache, and one count of a rate limit", async () => {
  await ask("/cache?k=stays", { method: "PUT", body: "here" }); // for a test further down: by then it is on the disk
  for (const k of names(4, "k")) {
    assert.equal((await ask(`/cache?k=${k}`, { method: "PUT", body: `stored ${k}` })).text, "put");
    assert.deepEqual([...new Set((await all(names(8, ""), () => ask(`/cache?k=${k}`))).map((r) => r.text))], [`stored ${k}`]);
    assert.equal((await ask(`/cache?k=${k}`, { method: "DELETE" })).text, "true");
    assert.deepEqual([...new Set((await all(names(8, ""), () => ask(`/cache?k=${k}`))).map((r) => r.text))], ["none"]);
  }
  for (;;) { // not where one window ends
    const window = () => Math.floor(Date.now() / 60000), begin = window(), k = Math.random();
    const passed = (await all(names(24, ""), () => ask(`/rate?k=${k}`))).filter((r) => r.text === "true").length;
    if (window() !== begin) continue;
    assert.equal(passed, 10);
    break;
  }
});

function socket(path) {
  const base = new URL(s.httpUrl);
  const ws = new WebSocketClient(`ws://${base.host}${path}`, { headers: { host: `lanes.localhost:${base.port}` } });
  ws.got = [];
  ws.on("message", (data) => ws.got.push(String(data)));
  ws.on("error", () => {});
  ws.closed = new Promise((resolve) => ws.on("close", resolve));
  return new Promise((resolve, reject) => {
    ws.on("open", () => resolve(ws));
    ws.on("error", reject);
  });
}

test("a lane dies under load: no acknowledged write is lost, its objects answer within a second", async () => {
  const objects = names(48, "d");
  const victim = 2, pids = await lanePids();
  await all(objects, (o) => json(`/add?o=${o}`));
  const kept = names(24, "").map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  await all(kept, (agent) => ask("/isolate", { agent }));
  const owners = acceptedBy(pids);
  const agentLane = kept.map((agent) => owners.get(Object.values(agent.freeSockets)[0][0].localPort));
  assert.ok(agentLane.every((n) => n !== undefined), `connections without a lane: ${agentLane}`);
  const sockets = await all(names(24, "w"), async (o, i) => ({ ws: await socket(`${i % 2 ? "/hibernate" : "/live"}?o=${o}`), path: `${i % 2 ? "/hibernate" : "/live"}?o=${o}` }));

  const acked = new Map(objects.map((o) => [o, new Set()]));
  const after = new Map();
  let over = false, killedAt = 0;
  const load = all(objects, async (o) => {
    while (!over) {
      const begin = performance.now();
      const answer = await ask(`/add?o=${o}`).catch(() => null); // a connection of the lane that died
      if (answer?.status !== 200) { await wait(5); continue; }
      const { v } = JSON.parse(answer.text);
      assert.ok(!acked.get(o).has(v), `${o}: ${v} was answered twice`);
      acked.get(o).add(v);
      if (killedAt && begin > killedAt && !after.has(o)) after.set(o, performance.now() - killedAt);
    }
  });
  const broken = new Set();
  const undisturbed = all(kept, async (agent, i) => {
    while (!over) {
      const answer = await ask("/isolate", { agent }).catch(() => null);
      if (answer?.status !== 200) broken.add(agentLane[i]);
      await wait(10);
    }
  });
  await wait(400);
  killedAt = performance.now();
  process.kill(pids[victim], "SIGKILL");
  await until("all objects after the death", 20000, () => after.size === objects.length);
  await wait(500);
  over = true;
  await Promise.all([load, undisturbed]);

  const slowest = Math.max(...after.values());
  assert.ok(slowest < within(1000), `an object answered after ${slowest} ms`);
  for (const [o, values] of acked) assert.ok((await json(`/value?o=${o}`)) >= Math.max(...values), `${o} lost a write`);
  assert.deepEqual([...broken].filter((n) => n !== victim), [], "requests in other lanes were disturbed");

  await laneReady(victim, pids[victim]);
  for (const { ws, path } of sockets) {
    if (ws.readyState === WebSocketClient.OPEN) ws.send("hello"); // its object may have moved with the next table
    const said = await Promise.race([ws.closed, until("an echo", 10000, () => ws.got.some((m) => m.endsWith("hello"))).then(() => "echo")]);
    assert.ok(said === "echo" || said === 1006 || said === 1012, `a socket said ${said}`);
    ws.terminate();
    const again = await socket(path);
    again.send("hello");
    await until("an echo after connecting again", 10000, () => again.got.some((m) => m.endsWith("hello")));
    again.terminate();
  }
  for (const agent of kept) agent.destroy();
});

test("a lane that is back has its objects again; the cache stays where it went", async () => {
  assert.equal(lastTable().live, "f");
  const pid = (await lanePids())[0];
  process.kill(pid, "SIGKILL");
  await until("the cache elsewhere", 15000, async () => (await ask("/cache?k=stays").catch(() => null))?.text === "here");
  await laneReady(0, pid);
  await until("the table", 5000, () => lastTable().live === "f");
  assert.notEqual(lastTable().first, "0");
  assert.deepEqual([...new Set((await all(names(12, ""), () => ask("/cache?k=stays"))).map((r) => r.text))], ["here"]);
  const values = await all(names(30, "o"), async (o) => (await all(names(3, ""), () => json(`/add?o=${o}`))).map((a) => a.v).sort((a, b) => a - b));
  for (const v of values) assert.deepEqual(v, [9, 10, 11]);
});

test("a deploy while requests run: nobody fails, all lanes have the new version when it is answered", async () => {
  let over = false, n = 0;
  const load = all(names(8, "v"), async (o) => {
    while (!over) {
      const { status, text } = await ask("/isolate");
      assert.equal(status, 200, text);
      n++;
    }
  });
  await deploy(s, "lanes", code(2), metadata);
  const versions = await all(names(24, ""), () => ask("/version"));
  over = true;
  await load;
  assert.ok(n > 0);
  assert.deepEqual([...new Set(versions.map((r) => r.text))], ["2"]);
  await until("objects of the new version", 10000, async () => (await all(names(12, "v"), (o) => json(`/add?o=${o}`))).every((a) => a.version === 2));
});

test("SQL over an object finds its lane", async () => {
  const [namespace] = await api(s, "GET", "/workers/durable_objects/namespaces");
  const objects = await api(s, "GET", `/workers/durable_objects/namespaces/${namespace.id}/objects`);
  for (const { id } of objects.slice(0, 8)) {
    const result = await api(s, "POST", `/workers/durable_objects/namespaces/${namespace.id}/query`, { durable_object_id: id, queries: [{ sql: "SELECT 1 AS one" }] });
    assert.ok(JSON.stringify(result).includes("one"), JSON.stringify(result));
  }
});

test("SIGTERM: requests that other lanes' objects answer are finished", async () => {
  const slow = names(12, "s").map((o) => ask(`/slow?o=${o}&ms=600`).catch((e) => ({ text: String(e) })));
  await wait(250);
  const stopped = s.stop();
  for (const { text } of await Promise.all(slow)) assert.match(text, /^slow 1$/);
  await stopped;
  assert.equal(await s.exited, 0);
  s = null;
});
