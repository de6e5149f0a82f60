// SQL made to hurt: it ends by itself or by a limit, and the account's other databases do not wait for it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api } from "./lib/deploy.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
const make = (name) => api(s, "POST", "/d1/database", { name }).then((d) => d.uuid);
const query = async (id, sql, signal) => {
  const answer = await fetch(`${s.apiUrl}/accounts/${s.account}/d1/database/${id}/query`, { method: "POST", signal, headers: { authorization: `Bearer ${s.token}` }, body: JSON.stringify({ sql }) });
  return answer.json();
};
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
  const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";
  const running = slow.map((id) => query(id, endless, gone.signal).catch(() => null));
  await new Promise((r) => setTimeout(r, 300));
  const began = Date.now();
  assert.equal((await query(quick, "INSERT INTO t VALUES (1)")).success, true);
  assert.ok(Date.now() - began < 15000, "it had to wait for the 30 s of the others");
  gone.abort();
  await Promise.all(running);
});
