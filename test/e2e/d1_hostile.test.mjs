// SQL made to hurt: it ends by itself or by a limit, and the account's other databases do not wait for it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
const make = (name) => api(s, "POST", "/d1/database", { name }).then((d) => d.uuid);
const query = async (id, sql, signal) => {
  const answer = await fetch(`${s.apiUrl}/accounts/${s.account}/d1/database/${id}/query`, { method: "POST", signal, headers: { authorization: `Bearer ${s.token}` }, body: JSON.stringify({ sql }) });
  return answer.json();
};
// Takes 30 s unless it is stopped.
const ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";
const failure = async (id, sql) => (await query(id, sql)).errors[0]?.message ?? "it worked";

before(async () => {
  s = await startSelvedge();
});
after(() => s?.stop());

test("limits end what grows, and the database goes on", async () => {
  const id = await make("bombs");
  const bombs = [
    ["SELECT zeroblob(1000000000)", /too big/],
    ["SELECT randomblob(1000000000)", /too big/],
    ["SELECT printf('%.*c', 1000000000, 'x')", /too big|it worked/],
    ["SELECT replace(hex(zeroblob(1000000)), '0', 'xxxxxxxxxx')", /too big/],
    ["SELECT 'a' LIKE '" + "%a".repeat(40) + "'", /LIKE or GLOB pattern too complex/],
    ["SELECT 'a' GLOB '" + "*a".repeat(40) + "'", /LIKE or GLOB pattern too complex/],
    ["SELECT " + Array(101).fill("1").join(","), /too many columns/],
    ["SELECT " + "(".repeat(200) + "1" + ")".repeat(200), /parser stack overflow|too large|too deep/i],
    ["SELECT '" + "x".repeat(100001) + "'", /too long/],
    ["WITH RECURSIVE c(x) AS (SELECT randomblob(1000000) UNION ALL SELECT randomblob(1000000) FROM c) SELECT count(*) FROM (SELECT x FROM c ORDER BY x)", /exceeded its memory limit/],
    ["ATTACH DATABASE '/data/x' AS x", /not authorized|too many attached/],
    ["VACUUM INTO '/data/x'", /not authorized|cannot VACUUM/],
    ["SELECT load_extension('x')", /not authorized|no such function/],
    ["PRAGMA writable_schema = ON", /not authorized/],
    ["PRAGMA journal_mode = DELETE", /not authorized/],
    ["SELECT * FROM _cf_METADATA", /prohibited|not authorized|no such table/],
    ["BEGIN", /transaction/],
  ];
  for (const [sql, text] of bombs) assert.match(await failure(id, sql), text, sql.slice(0, 60));
  assert.deepEqual((await query(id, "SELECT 1 AS a")).result[0].results, [{ a: 1 }]);
});

test("ten databases that compute do not hold up an eleventh", async () => {
  const slow = await Promise.all(Array.from({ length: 10 }, (_, i) => make(`slow${i}`)));
  const quick = await make("quick");
  await query(quick, "CREATE TABLE t(a)");
  const gone = new AbortController();
  const running = slow.map((id) => query(id, ENDLESS, gone.signal).catch(() => null));
  await new Promise((r) => setTimeout(r, 300));
  const began = Date.now();
  assert.equal((await query(quick, "INSERT INTO t VALUES (1)")).success, true);
  assert.ok(Date.now() - began < 15000, "it had to wait for the 30 s of the others");
  gone.abort();
  await Promise.all(running);
});

const slowWorker = `
let reading = 0;
export default { async fetch(request, { DB }) {
  switch (new URL(request.url).pathname) {
    case "/slow": reading++; try { return Response.json(await DB.prepare("${ENDLESS}").first()); } finally { reading--; }
    case "/batch": return Response.json(await DB.batch([DB.prepare("SELECT 1 AS a"), DB.prepare("${ENDLESS}")]));
    case "/write": return Response.json((await DB.prepare("INSERT INTO t VALUES (?)").bind(1).run()).meta.changes);
    case "/long": return Response.json((await DB.prepare("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3000000) SELECT count(*) AS n FROM c").first("n")));
    default: return Response.json({ reading });
  }
} };`;

test("a long read of a Worker does not hold up its isolate, and ends when nobody waits for it", async () => {
  const id = await make("reader");
  await query(id, "CREATE TABLE t(a)");
  await deploy(s, "reader", slowWorker, { bindings: [{ type: "d1", name: "DB", id }] });
  assert.equal((await get(s, "reader", "/write")).text, "1");
  for (const path of ["/slow", "/batch"]) {
    const gone = new AbortController();
    const slow = get(s, "reader", path, { signal: gone.signal }).catch(() => null);
    await new Promise((r) => setTimeout(r, 500));
    const began = Date.now();
    assert.equal((await get(s, "reader")).status, 200);
    assert.ok(Date.now() - began < 5000, "the isolate stood still");
    gone.abort();
    await slow;
    assert.equal((await get(s, "reader", "/write")).text, "1");
    assert.ok(Date.now() - began < 15000, "the query went on without anybody who waits");
  }
});

test("a long read that ends by itself gives its result", async () => {
  assert.equal((await get(s, "reader", "/long")).text, "3000000");
});

test("a client of the REST API that goes away ends its query", async () => {
  const id = await make("goes");
  await query(id, "CREATE TABLE t(a)");
  for (const sql of [ENDLESS, `INSERT INTO t ${ENDLESS}`]) {
    const gone = new AbortController();
    const running = query(id, sql, gone.signal).catch(() => null);
    await new Promise((r) => setTimeout(r, 500));
    gone.abort();
    await running;
    const began = Date.now();
    assert.equal((await query(id, "INSERT INTO t VALUES (1)")).success, true);
    assert.ok(Date.now() - began < 15000, "the query went on");
  }
  assert.deepEqual((await query(id, "SELECT count(*) AS n FROM t")).result[0].results, [{ n: 2 }]);
});

test("a result too large for memory is refused while it grows", async () => {
  const id = await make("large");
  const rows = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000) SELECT hex(zeroblob(500000)) AS h FROM c";
  assert.match(await failure(id, rows), /too large to fit in memory/);
  assert.equal((await query(id, "SELECT 1 AS a")).success, true);
});
