// Durable Objects: one instance per id, storage that survives kill -9, gates, alarms, deploys, migrations, SQL.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const code = (version = 1) => `
import { DurableObject } from "cloudflare:workers";
const VERSION = ${version};
const wait = (ms) => new Promise((r) => setTimeout(r, ms));
export class Counter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.born = crypto.randomUUID();
    this.log = [];
    this.inside = 0;
  }
  async fetch(request) {
    const url = new URL(request.url);
    const q = url.searchParams;
    const { storage } = this.ctx;
    switch (url.pathname) {
      case "/inc": { const v = ((await storage.get("v")) ?? 0) + 1; await storage.put("v", v); return Response.json({ v, born: this.born }); }
      case "/value": return Response.json((await storage.get("v")) ?? 0);
      case "/born": return Response.json({ born: this.born, version: VERSION, id: this.ctx.id.toString(), name: this.ctx.id.name });
      case "/slow": await wait(Number(q.get("ms"))); return Response.json({ version: VERSION });
      case "/race": { const n = this.inside++; await wait(1); this.inside--; return Response.json(n); }
      case "/log": return Response.json(this.log);
      case "/block":
        return Response.json(await this.ctx.blockConcurrencyWhile(async () => {
          this.log.push("in");
          await wait(60);
          const inner = await this.ctx.blockConcurrencyWhile(async () => { await wait(5); return 1; });
          this.log.push("out");
          return inner;
        }));
      case "/note": this.log.push("note"); return new Response("noted");
      case "/block-fails": await this.ctx.blockConcurrencyWhile(async () => { await wait(5); throw new RangeError("no start"); }); break;
      case "/abort": this.ctx.abort("gone wrong"); break;
      case "/throw-after-put": await storage.put("v", 41); throw new Error("after put");
      case "/kv": return Response.json(await kv(storage));
      case "/transaction": return Response.json(await transactions(storage));
      case "/sql": return Response.json(sql(storage));
      case "/errors": return Response.json(await errors(this, storage));
      case "/alarm": await storage.setAlarm(Date.now() + Number(q.get("ms"))); if (q.get("fails")) await storage.put("fails", Number(q.get("fails"))); return Response.json(await storage.getAlarm());
      case "/alarm-at": return Response.json(await storage.getAlarm());
      case "/fired": return Response.json((await storage.get("fired")) ?? []);
      case "/timer": setTimeout(() => { this.ctx.storage.put("v", 77); }, 50); return new Response("started");
      case "/deferred": storage.sql.exec("CREATE TABLE p(id INTEGER PRIMARY KEY)"); storage.sql.exec("CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)"); await wait(1); storage.sql.exec("INSERT INTO c VALUES (5)"); return new Response("never");
      case "/loop": for (;;); break;
      case "/stream": { const { readable, writable } = new TransformStream(); const w = writable.getWriter(); (async () => { for (let i = 0; i < 3; i++) { await w.write(new TextEncoder().encode("part " + i + "\\n")); await wait(2); } await w.close(); })(); return new Response(readable); }
      case "/echo": return new Response(request.body, { headers: { "x-method": request.method } });
    }
    return new Response("nothing here", { status: 404 });
  }
  fails() { throw new Error("by a method"); }
  bornAt() { return this.born; }
  async nested(n) {
    const enter = async (left) => left > 0 ? await this.ctx.blockConcurrencyWhile(() => enter(left - 1)) : await this.ctx.blockConcurrencyWhile(() => "in").catch((e) => e.message);
    return await enter(n);
  }
  async alarm(info) {
    const fired = (await this.ctx.storage.get("fired")) ?? [];
    fired.push({ ...info, late: Date.now() - info.scheduledTime, during: await this.ctx.storage.getAlarm() });
    await this.ctx.storage.put("fired", fired);
    const fails = (await this.ctx.storage.get("fails")) ?? 0;
    if (fails > 0) { await this.ctx.storage.put("fails", fails - 1); await this.ctx.storage.sync(); throw new Error("alarm fails"); }
  }
}
async function kv(storage) {
  const out = {};
  await storage.put({ a: 1, b: undefined, "é": new Map([["k", [1n, new Date(5)]]]), z: "last" });
  out.keys = [...(await storage.list()).keys()];
  out.map = (await storage.get("é")).get("k")[1].getTime();
  out.many = [...(await storage.get(["z", "a", "none"])).entries()];
  out.prefix = [...(await storage.list({ prefix: "a" })).keys()];
  out.range = [...(await storage.list({ start: "a", end: "z" })).keys()];
  out.reverse = [...(await storage.list({ reverse: true, limit: 2 })).keys()];
  out.after = [...(await storage.list({ startAfter: "a" })).keys()];
  out.deleted = [await storage.delete("a"), await storage.delete("a"), await storage.delete(["z", "none"])];
  storage.kv.put("sync", { deep: [1] });
  out.sync = [storage.kv.get("sync"), [...storage.kv.list()].length, storage.kv.delete("sync")];
  await storage.deleteAll();
  out.empty = (await storage.list()).size;
  return out;
}
async function transactions(storage) {
  const out = {};
  await storage.put("n", 1);
  try { storage.transactionSync(() => { storage.kv.put("n", 2); throw new Error("undo"); }); } catch (e) { out.sync = [e.message, storage.kv.get("n")]; }
  out.nested = storage.transactionSync(() => { storage.kv.put("n", 3); try { storage.transactionSync(() => { storage.kv.put("n", 4); throw 1; }); } catch {} return storage.kv.get("n"); });
  await storage.transaction(async (txn) => { await txn.put("n", 5); await wait(2); txn.rollback(); });
  out.rollback = await storage.get("n");
  out.result = await storage.transaction(async (txn) => { await txn.put("n", 6); await wait(2); return (await txn.get("n")) * 2; });
  out.committed = await storage.get("n");
  let kept; await storage.transaction(async (txn) => { kept = txn; });
  out.late = await kept.put("x", 1).catch((e) => e.message);
  out.failed = await storage.transaction(async (txn) => { await txn.put("n", 7); throw new Error("no"); }).catch((e) => e.message);
  out.kept = await storage.get("n");
  return out;
}
const attempt = (fn) => { try { return fn(); } catch (e) { return e.name + ": " + e.message; } };
function sql({ sql }) {
  const out = {};
  sql.exec("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, name TEXT, v BLOB); DELETE FROM t");
  out.insert = attempt(() => { const c = sql.exec("INSERT INTO t(name, v) VALUES (?, ?), (?, ?) RETURNING id", "a", new Uint8Array([1, 2]), "b", null); return [c.toArray(), c.rowsWritten, c.columnNames]; });
  out.all = sql.exec("SELECT id, name FROM t ORDER BY id").toArray();
  out.raw = [...sql.exec("SELECT name, name FROM t ORDER BY id").raw()];
  out.one = sql.exec("SELECT count(*) AS n FROM t").one();
  out.iterated = []; for (const row of sql.exec("SELECT id FROM t ORDER BY id")) out.iterated.push(row.id);
  out.types = sql.exec("SELECT ? AS a, ? AS b, ? AS c, ? AS d, 1.5 AS e", true, undefined, 7n, "x").one();
  out.blob = [...new Uint8Array(sql.exec("SELECT v FROM t WHERE id = 1").one().v)];
  out.none = attempt(() => sql.exec("SELECT 1 WHERE 0").one());
  out.several = attempt(() => sql.exec("SELECT id FROM t").one());
  out.count = attempt(() => sql.exec("SELECT ?"));
  out.begin = attempt(() => sql.exec("BEGIN"));
  out.table = attempt(() => sql.exec("SELECT * FROM nope"));
  out.unique = attempt(() => sql.exec("INSERT INTO t(id) VALUES (1)"));
  out.hidden = attempt(() => sql.exec("SELECT key FROM _cf_KV"));
  out.make = attempt(() => sql.exec("CREATE TABLE _cf_x(a)"));
  out.version = attempt(() => sql.exec("SELECT sqlite_version()"));
  out.attach = attempt(() => sql.exec("ATTACH 'x' AS y"));
  out.again = attempt(() => { const a = sql.exec("SELECT id FROM t"); sql.exec("SELECT id FROM t").toArray(); a.next(); a.next(); return "open"; });
  out.fts = attempt(() => { sql.exec("CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5(x)"); sql.exec("INSERT INTO f VALUES ('hello world')"); return sql.exec("SELECT * FROM f WHERE f MATCH 'hello'").toArray(); });
  out.many = sql.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, i * 2 AS d FROM n").toArray().reduce((a, r) => a + r.d, 0);
  out.size = sql.databaseSize > 0;
  return out;
}
async function errors(object, storage) {
  const tell = async (fn) => { try { await fn(); return "fine"; } catch (e) { return e.name + ": " + e.message; } };
  return {
    undefined: await tell(() => storage.put("a", undefined)),
    key: await tell(() => storage.put("k".repeat(2049), 1)),
    value: await tell(() => storage.put("big", "x".repeat(2 * 1024 * 1024 + 10))),
    clone: await tell(() => storage.put("f", () => {})),
    limit: await tell(() => storage.list({ limit: 0 })),
    both: await tell(() => storage.list({ start: "a", startAfter: "a" })),
    alarm: await tell(() => storage.setAlarm(-5)),
    socket: await tell(() => object.ctx.acceptWebSocket({})),
  };
}
export class Plain {
  constructor(state) { this.state = state; }
  async fetch(request) { if (new URL(request.url).pathname === "/sql") return Response.json(attempt(() => this.state.storage.sql)); await this.state.storage.put("x", 1); return Response.json(await this.state.storage.get("x")); }
}
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/exports") return Response.json([ctx.exports.Counter.idFromName("x").equals(env.C.idFromName("x")), await (await ctx.exports.Counter.getByName("exports").fetch("http://x/inc")).json().then((r) => r.v), Object.keys(ctx.exports).sort()]);
    if (url.pathname === "/stubs") return Response.json(await stubs(env));
    if (url.pathname.startsWith("/ids")) return Response.json(ids(env.C));
    const stub = url.searchParams.has("plain") ? env.P.get(env.P.idFromName("p")) : env.C.getByName(url.searchParams.get("name") ?? "x");
    try { return await stub.fetch(request); }
    catch (e) { return Response.json({ name: e.name, message: e.message, remote: e.remote, retryable: e.retryable, reset: e.durableObjectReset }, { status: 500 }); }
  },
};
async function stubs(env) {
  const stub = env.C.getByName("stubs"), born = await stub.bornAt();
  stub.mine = () => "mine";
  return {
    own: [stub.mine(), Object.keys(stub)], kept: attempt(() => { stub.name = "other"; }).split(":")[0],
    thrown: await stub.fails().catch((e) => [e.message, e.remote, e.durableObjectId === stub.id.toString()]),
    nested: [await stub.nested(63), await stub.nested(64)], same: await stub.bornAt() === born,
    plain: await env.P.getByName("stubs").anything().catch((e) => \`\${e.name}: \${e.message.slice(0, 60)}\`),
  };
}
function ids(ns) {
  const a = ns.idFromName("a"), unique = ns.newUniqueId(), eu = ns.jurisdiction("eu");
  const back = ns.idFromString(a.toString());
  return {
    same: a.equals(ns.idFromName("a")), other: a.equals(ns.idFromName("b")), name: a.name, noName: back.name, back: a.equals(back), length: unique.toString().length,
    differs: eu.idFromName("a").toString() !== a.toString(), jurisdiction: ns.idFromString(eu.idFromName("a").toString()).jurisdiction,
    short: attempt(() => ns.idFromString("12")), foreign: attempt(() => ns.idFromString("0".repeat(64))), get: attempt(() => ns.get("x")),
    wrong: attempt(() => eu.get(a)), routing: attempt(() => ns.get(a, { routingMode: "q" })), stub: [ns.get(a).name, ns.get(a).id.equals(a)],
  };
}`;

const bindings = [{ type: "durable_object_namespace", name: "C", class_name: "Counter" }, { type: "durable_object_namespace", name: "P", class_name: "Plain" }];
const migrations = { new_tag: "v1", new_sqlite_classes: ["Counter"], new_classes: ["Plain"] };

let s;
const data = mkdtempSync(join(tmpdir(), "selvedge-durable-"));
before(async () => {
  s = await startSelvedge({ data });
  await deploy(s, "o", code(), { bindings, migrations });
});
after(async () => {
  await s?.stop();
  rmSync(data, { recursive: true, force: true });
});

const at = (path) => get(s, "o", path);
const json = async (path) => {
  const r = await at(path);
  try {
    return JSON.parse(r.text);
  } catch {
    throw new Error(`${path}: ${r.status} ${r.text}`);
  }
};
const fired = (name, n, ms) => until(`alarm of ${name}`, ms, async () => { const r = await get(s, "o", `/fired?name=${name}`).catch(() => null); if (r?.status !== 200) return null; const list = JSON.parse(r.text); return list.length >= n ? list : null; });

// Processes of this instance whose command line says `role`; isolates are forked by the template.
function pids(role) {
  const all = new Map();
  for (const name of readdirSync("/proc").filter((n) => /^\d+$/.test(n)))
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, "utf8").replace(/.*\) /s, "").split(" ")[1]);
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      all.set(Number(name), { parent, role: command[command.indexOf("--role") + 1] ?? "" });
    } catch {}
  const template = [...all].find(([, p]) => p.parent === s.pid && p.role === "template")?.[0];
  if (role === "isolate") return [...all].filter(([, p]) => p.parent === template).map(([pid]) => pid);
  return [...all].filter(([, p]) => p.parent === s.pid && p.role === role).map(([pid]) => pid);
}

async function restart() {
  await s.kill();
  s = await startSelvedge({ data });
  await until("recovery", 15000, async () => (await at("/value?name=up").catch(() => ({}))).status === 200);
}

test("stubs: what a holder puts on them, whose error it was, nesting, classes without RPC", async () => {
  assert.deepEqual(await json("/stubs"), {
    own: ["mine", ["id", "name", "mine"]], kept: "TypeError", thrown: ["by a method", true, true],
    nested: ["in", "blockConcurrencyWhile() calls are nested too deeply."], same: true,
    plain: "TypeError: The receiving Durable Object does not support RPC, because i",
  });
});

test("ids", async () => {
  const r = await json("/ids");
  assert.deepEqual([r.same, r.other, r.name, r.noName, r.back, r.length, r.differs, r.jurisdiction], [true, false, "a", undefined, true, 64, true, "eu"]);
  assert.equal(r.short, "TypeError: Invalid Durable Object ID: must be 64 hex digits");
  assert.equal(r.foreign, "TypeError: Durable Object ID is not valid for this namespace.");
  assert.match(r.get, /^TypeError/);
  assert.equal(r.wrong, "TypeError: get called on jurisdictional subnamespace with an ID from a different jurisdiction");
  assert.equal(r.routing, "RangeError: unknown routingMode: q");
  assert.deepEqual(r.stub, ["a", true]);
});

test("one instance, in-memory state, and its id and name", async () => {
  const [a, b, c] = [await json("/born?name=one"), await json("/born?name=one"), await json("/born?name=two")];
  assert.equal(a.born, b.born);
  assert.notEqual(a.born, c.born);
  assert.equal(a.name, "one");
});

test("200 requests at once meet one instance and lose no count", async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, () => json("/inc?name=many")));
  assert.equal(new Set(answers.map((r) => r.born)).size, 1);
  assert.deepEqual(answers.map((r) => r.v).sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i + 1));
  assert.equal(await json("/value?name=many"), 200);
  assert.ok(Math.max(...await Promise.all(Array.from({ length: 50 }, () => json("/race?name=many")))) > 0, "fetch events interleave at timers");
});

test("requests and responses with bodies and streams", async () => {
  const r = await get(s, "o", "/echo?name=body", { method: "POST", body: "x".repeat(100_000) });
  assert.equal(r.text.length, 100_000);
  assert.equal(r.headers["x-method"], "POST");
  assert.equal((await at("/stream?name=body")).text, "part 0\npart 1\npart 2\n");
});

test("keys and values", async () => {
  assert.deepEqual(await json("/kv?name=kv"), {
    keys: ["a", "z", "é"], map: 5, many: [["a", 1], ["z", "last"]], prefix: ["a"], range: ["a"], reverse: ["é", "z"], after: ["z", "é"],
    deleted: [true, false, 1], sync: [{ deep: [1] }, 2, true], empty: 0,
  });
});

test("transactions", async () => {
  assert.deepEqual(await json("/transaction?name=t"), {
    sync: ["undo", 1], nested: 3, rollback: 3, result: 12, committed: 6,
    late: "Cannot call put() on transaction that has already committed: did you move `txn` outside of the closure?", failed: "no", kept: 6,
  });
});

test("SQL", async () => {
  const r = await json("/sql?name=sql");
  assert.deepEqual(r.insert, [[{ id: 1 }, { id: 2 }], 2, ["id"]]);
  assert.deepEqual(r.all, [{ id: 1, name: "a" }, { id: 2, name: "b" }]);
  assert.deepEqual(r.raw, [["a", "a"], ["b", "b"]]);
  assert.deepEqual(r.one, { n: 2 });
  assert.deepEqual(r.iterated, [1, 2]);
  assert.deepEqual(r.types, { a: "true", b: null, c: 7, d: "x", e: 1.5 });
  assert.deepEqual(r.blob, [1, 2]);
  assert.equal(r.none, "Error: Expected exactly one result from SQL query, but got no results.");
  assert.equal(r.several, "Error: Expected exactly one result from SQL query, but got multiple results.");
  assert.equal(r.count, "Error: Wrong number of parameter bindings for SQL query.");
  assert.match(r.begin, /^Error: To execute a transaction, please use the state\.storage\.transaction\(\)/);
  assert.equal(r.table, "Error: no such table: nope: SQLITE_ERROR");
  assert.match(r.unique, /^Error: UNIQUE constraint failed: t\.id: SQLITE_CONSTRAINT/);
  assert.match(r.hidden, /^Error: (access to _cf_KV\.key is prohibited|no such table)/);
  assert.equal(r.make, "Error: not authorized: SQLITE_AUTH");
  assert.match(r.version, /^Error: not authorized to use function: sqlite_version/);
  assert.match(r.attach, /^Error/);
  assert.equal(r.again, "open");
  assert.deepEqual(r.fts, [{ x: "hello world" }]);
  assert.equal(r.many, 1001000);
  assert.ok(r.size);
});

test("errors of the storage API", async () => {
  const r = await json("/errors?name=e");
  assert.equal(r.undefined, "TypeError: put() called with undefined value.");
  assert.equal(r.key, "RangeError: Keys cannot be larger than 2048 bytes. A key of size 2049 was provided.");
  assert.match(r.value, /^RangeError: Values cannot be larger than/);
  assert.match(r.clone, /^DataCloneError/);
  assert.equal(r.limit, "TypeError: List limit must be positive.");
  assert.match(r.both, /^TypeError/);
  assert.equal(r.alarm, "TypeError: setAlarm() cannot be called with an alarm time <= 0");
});

test("a class of the older kind", async () => {
  assert.equal(await json("/x?plain=1"), 1);
  assert.match(await json("/sql?plain=1"), /^Error: SQL is not enabled for this Durable Object class\./);
});

test("blockConcurrencyWhile keeps others out, nests, and resets the object when it fails", async () => {
  const blocked = json("/block?name=b");
  await new Promise((r) => setTimeout(r, 20));
  const note = at("/note?name=b");
  assert.equal(await blocked, 1);
  await note;
  assert.deepEqual(await json("/log?name=b"), ["in", "out", "note"]);
  const before = await json("/born?name=b");
  const r = await at("/block-fails?name=b");
  assert.equal(r.status, 500);
  assert.match(r.text, /no start/);
  assert.notEqual((await json("/born?name=b")).born, before.born);
});

test("abort: the callers hear the reason, the next one meets a new instance", async () => {
  const before = await json("/born?name=a");
  const waiting = json("/slow?name=a&ms=2000");
  const r = await json("/abort?name=a");
  assert.equal(r.message, "gone wrong");
  assert.equal((await waiting).message, "gone wrong");
  assert.notEqual((await json("/born?name=a")).born, before.born);
});

test("an exception leaves the object and what it has written as they are", async () => {
  const before = await json("/born?name=ex");
  const r = await json("/throw-after-put?name=ex");
  assert.deepEqual([r.name, r.message, r.remote], ["Error", "after put", true]);
  assert.equal(await json("/value?name=ex"), 41);
  assert.equal((await json("/born?name=ex")).born, before.born);
});

test("a constraint that does not hold at the commit resets the object", async () => {
  const r = await json("/deferred?name=d");
  assert.match(r.message, /^Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated:/);
  assert.equal(await json("/value?name=d"), 0);
});

test("timers live on after the event", async () => {
  await at("/timer?name=timer");
  await until("the timer", 2000, async () => (await json("/value?name=timer")) === 77);
});

test("alarms: on time, once, null while they run; retried when the handler throws", async () => {
  await json("/alarm?name=al&ms=150");
  const [first] = await fired("al", 1, 3000);
  assert.deepEqual([first.isRetry, first.retryCount, first.during], [false, 0, null]);
  assert.ok(first.late >= 0 && first.late < 500, `${first.late} ms late`);
  assert.equal(await json("/alarm-at?name=al"), null);
  await json("/alarm?name=al2&ms=1&fails=1");
  const again = await fired("al2", 2, 6000);
  assert.deepEqual([again[1].isRetry, again[1].retryCount], [true, 1]);
  const late = [];
  for (let i = 0; i < 5; i++) {
    await json(`/alarm?name=punctual-${i}&ms=100`);
    late.push((await fired(`punctual-${i}`, 1, 3000))[0].late);
  }
  assert.ok(Math.min(...late) < 50, `alarms come ${late} ms late`);
});

test("the API lists objects page by page and runs SQL in one of them", async () => {
  for (let i = 0; i < 5; i++) await json(`/inc?name=listed-${i}`);
  const namespaces = await api(s, "GET", "/workers/durable_objects/namespaces");
  const { id } = namespaces.find((n) => n.class === "Counter"), plain = namespaces.find((n) => n.class === "Plain");
  const page = async (cursor) => (await fetch(`${s.apiUrl}/accounts/${s.account}/workers/durable_objects/namespaces/${id}/objects?limit=2&cursor=${cursor}`, { headers: { authorization: `Bearer ${s.token}` } })).json();
  const ids = [];
  for (let cursor = ""; cursor !== null; ) {
    const { result, result_info } = await page(cursor);
    assert.ok(result.length <= 2 && result.every((o) => o.hasStoredData));
    ids.push(...result.map((o) => o.id));
    cursor = result_info.cursors.after || null;
  }
  assert.ok(ids.length >= 5 && new Set(ids).size === ids.length);
  const query = (body, ns = id) => api(s, "POST", `/workers/durable_objects/namespaces/${ns}/query`, body);
  const [made, put, got] = await query({ durable_object_name: "studio", queries: [{ sql: "CREATE TABLE t(a, b)" }, { sql: "INSERT INTO t VALUES (?, ?), (3, NULL)", params: [1, "x"] }, { sql: "SELECT * FROM t ORDER BY a" }] });
  assert.deepEqual([made.rows, put.meta.rows_written, got], [[], 2, { columns: ["a", "b"], rows: [[1, "x"], [3, null]], meta: { rows_read: got.meta.rows_read, rows_written: 0 } }]);
  const at = (await json("/born?name=studio")).id;
  assert.deepEqual((await query({ durable_object_id: at, queries: [{ sql: "SELECT count(*) AS n FROM t" }] }))[0].rows, [[2]]);
  await assert.rejects(query({ durable_object_id: at, queries: [{ sql: "INSERT INTO t VALUES (9, 9)" }, { sql: "SELECT * FROM none" }] }), (e) => e.status === 400 && /no such table: none/.test(e.errors[0].message));
  assert.deepEqual((await query({ durable_object_id: at, queries: [{ sql: "SELECT count(*) AS n FROM t" }] }))[0].rows, [[2]], "all or nothing");
  await assert.rejects(query({ durable_object_id: at, queries: [] }), /No queries provided/);
  await assert.rejects(query({ durable_object_id: "12", queries: [{ sql: "SELECT 1" }] }), /64 hex digits/);
  await assert.rejects(query({ durable_object_name: "x", queries: [{ sql: "SELECT 1" }] }, plain.id), /does not use SQLite/);
});

test("ctx.exports has the Worker's own classes as namespaces", async () => {
  assert.deepEqual(await json("/exports"), [true, 1, ["Counter", "Plain", "default"]]);
});

for (const role of ["isolate", "gateway", "keeper"])
  test(`kill -9 of the ${role}: nothing acknowledged is lost`, async () => {
    let last = 0, stop = false;
    const worker = (async () => {
      while (!stop) {
        const r = await at(`/inc?name=kill-${role}`).catch(() => null);
        if (r?.status === 200) last = JSON.parse(r.text).v;
      }
    })();
    await until("some counts", 5000, () => last > 20);
    for (const pid of pids(role)) process.kill(pid, "SIGKILL");
    const before = last;
    await until("counts after it", 20000, () => last > before + 20);
    stop = true;
    await worker;
    assert.ok((await json(`/value?name=kill-${role}`)) >= last);
  });

test("kill -9 of everything: counts and alarms survive", async () => {
  await json("/alarm?name=all-retry&ms=1&fails=2");
  assert.equal((await fired("all-retry", 1, 8000)).at(-1).retryCount, 0);
  for (let i = 0; i < 5; i++) await json("/inc?name=all");
  await json("/alarm?name=all&ms=1500");
  const late = await json("/alarm?name=all-late&ms=1");
  await restart();
  assert.ok((await json("/value?name=all")) === 5);
  const [first] = await fired("all", 1, 8000);
  assert.ok(first.late >= 0);
  assert.equal((await fired("all-retry", 2, 8000))[1].retryCount, 1, "how often it has failed is not forgotten");
  assert.ok(late === null || (await fired("all-late", 1, 8000)).length > 0);
});

test("a Worker reaches the objects of another one, and hears when an endless loop ends its isolate", async () => {
  await deploy(s, "caller", `export default { async fetch(request, env) { const url = new URL(request.url);
    try { return await env.C.getByName(url.searchParams.get("name")).fetch(request); } catch (e) { return Response.json({ message: e.message, reset: e.durableObjectReset }); } } };`, {
    bindings: [{ type: "durable_object_namespace", name: "C", class_name: "Counter", script_name: "o" }],
  });
  await json("/inc?name=loop");
  assert.equal((await get(s, "caller", "/value?name=loop")).text, "1");
  await api(s, "PATCH", "/workers/scripts/o/settings", settings({ limits: { cpu_ms: 200 } }));
  const r = JSON.parse((await get(s, "caller", "/loop?name=loop")).text);
  assert.deepEqual(r, { message: "Durable Object exceeded its CPU time limit and was reset.", reset: true });
  await until("the object", 10000, async () => (await get(s, "caller", "/value?name=loop")).text === "1");
});

function settings(value) {
  const form = new FormData();
  form.set("settings", JSON.stringify(value));
  return form;
}

test("a deploy resets objects: what is under way fails, state stays", async () => {
  await json("/inc?name=dep");
  const waiting = json("/slow?name=dep&ms=5000");
  await new Promise((r) => setTimeout(r, 100));
  await deploy(s, "o", code(2), { bindings });
  const r = await waiting;
  assert.equal(r.message, "Durable Object reset because its code was updated.");
  assert.equal(r.reset, true);
  const now = await json("/born?name=dep");
  assert.equal(now.version, 2);
  assert.equal(await json("/value?name=dep"), 1);
});

test("migrations", async () => {
  const upload = (name, metadata) => deploy(s, name, `import { DurableObject } from "cloudflare:workers"; export class A extends DurableObject { async fetch() { const n = ((await this.ctx.storage.get("n")) ?? 0) + 1; await this.ctx.storage.put("n", n); return new Response(String(n)); } } export { A as B }; export default { fetch(r, env) { return env.A.getByName("x").fetch(r); } };`, metadata);
  const bind = (class_name) => [{ type: "durable_object_namespace", name: "A", class_name }];
  const fails = async (metadata, errno, text) => {
    const e = await upload("m", metadata).then(() => null, (error) => error);
    assert.ok(e, `no error for ${text}`);
    assert.equal(e.errors[0].code, errno, JSON.stringify(e.errors));
    assert.match(e.errors[0].message, text);
  };
  await fails({ bindings: bind("A") }, 10061, /Cannot create binding for class 'A'/);
  await upload("m", { bindings: bind("A"), migrations: { new_tag: "v1", new_sqlite_classes: ["A"] } });
  assert.equal((await get(s, "m")).text, "1");
  await fails({ bindings: bind("A"), migrations: { old_tag: "v0", new_tag: "v2", new_classes: ["B"] } }, 10079, /tag precondition failed/);
  await fails({ bindings: bind("A"), migrations: { old_tag: "v1", new_tag: "v2", new_classes: ["A"] } }, 10074, /already depended on/);
  await fails({ bindings: bind("A"), migrations: { old_tag: "v1", new_tag: "v2", deleted_classes: ["Z"] } }, 10073, /'Z'/);
  await upload("m", { bindings: bind("A") });
  assert.equal((await get(s, "m")).text, "2");
  await upload("m", { bindings: bind("B"), migrations: { old_tag: "v1", new_tag: "v2", steps: [{ renamed_classes: [{ from: "A", to: "B" }] }] } });
  assert.equal((await get(s, "m")).text, "3");
  const list = (await api(s, "GET", "/workers/durable_objects/namespaces")).filter((n) => n.script === "m");
  assert.deepEqual(list.map((n) => [n.name, n.class, n.use_sqlite]), [["m_B", "B", true]]);
  const objects = await api(s, "GET", `/workers/durable_objects/namespaces/${list[0].id}/objects`);
  assert.equal(objects.length, 1);
  assert.match(objects[0].id, /^[0-9a-f]{64}$/);
  await upload("m2", { bindings: bind("B"), migrations: { new_tag: "v1", transferred_classes: [{ from: "B", from_script: "m", to: "B" }] } });
  assert.equal((await get(s, "m2")).text, "4");
  await upload("m2", { bindings: [], migrations: { old_tag: "v1", new_tag: "v2", deleted_classes: ["B"] } });
  assert.ok(!(await api(s, "GET", "/workers/durable_objects/namespaces")).some((n) => n.script === "m2"));
});

test("an idle object leaves memory and comes back from its database", async () => {
  await json("/inc?name=idle");
  const before = await json("/born?name=idle");
  await new Promise((r) => setTimeout(r, 11_500));
  const now = await json("/born?name=idle");
  assert.notEqual(now.born, before.born);
  assert.equal(await json("/value?name=idle"), 1);
});
