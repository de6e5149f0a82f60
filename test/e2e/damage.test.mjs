// Files that were damaged are found, named, and left alone; everything else goes on.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { api } from "./lib/deploy.mjs";
import { binary, startSelvedge } from "./lib/selvedge.mjs";

let s, data, kv, fine, bad;
const query = async (id, sql) => {
  const answer = await fetch(`${s.apiUrl}/accounts/${s.account}/d1/database/${id}/query`, { method: "POST", headers: { authorization: `Bearer ${s.token}` }, body: JSON.stringify({ sql }) });
  return answer.json();
};
const value = (ns) => fetch(`${s.apiUrl}/accounts/${s.account}/storage/kv/namespaces/${ns}/values/k`, { headers: { authorization: `Bearer ${s.token}` } });

before(async () => {
  data = mkdtempSync(join(tmpdir(), "selvedge-damage-"));
  s = await startSelvedge({ data });
  [fine, bad] = (await Promise.all(["fine", "bad"].map((name) => api(s, "POST", "/d1/database", { name })))).map((d) => d.uuid);
  kv = [];
  for (const title of ["fine", "bad"]) {
    const { id } = await api(s, "POST", "/storage/kv/namespaces", { title });
    kv.push(id);
    await fetch(`${s.apiUrl}/accounts/${s.account}/storage/kv/namespaces/${id}/values/k`, { method: "PUT", body: "v", headers: { authorization: `Bearer ${s.token}` } });
  }
  for (const id of [fine, bad]) await query(id, "CREATE TABLE t(a); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000) INSERT INTO t SELECT 'row ' || n FROM c");
  await s.stop();
});
after(async () => {
  await s?.stop();
  rmSync(data, { recursive: true, force: true });
});

test("a damaged database and a damaged namespace are named and closed, their neighbours work", async () => {
  const root = join(data, "accounts", readFileSync(join(data, "account"), "utf8").trim());
  const spoil = (path, from, to) => {
    const bytes = readFileSync(join(root, path));
    bytes.fill(0xa5, from, Math.min(to, bytes.length));
    writeFileSync(join(root, path), bytes);
  };
  const db = new DatabaseSync(join(root, "d1", bad, "db.sqlite"));
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)"); // what is in the log is not read from the file
  db.close();
  spoil(`d1/${bad}/db.sqlite`, 4096, 1 << 30);
  spoil(`kv/${kv[1]}/data.mdb`, 0, 8192);
  s = await startSelvedge({ data });

  const first = await query(bad, "SELECT count(a), max(a) FROM t");
  assert.equal(first.success, false);
  assert.match(first.errors[0].message, /malformed: SQLITE_CORRUPT|damaged/);
  const second = await query(bad, "INSERT INTO t VALUES (1)");
  assert.match(second.errors[0].message, new RegExp(`d1/${bad} are damaged; it is closed until`));
  assert.deepEqual((await query(fine, "SELECT count(*) AS n FROM t")).result[0].results, [{ n: 5000 }]);

  await value(kv[1]);
  const closed = await (await value(kv[1])).json();
  assert.match(closed.errors[0].message, new RegExp(`kv/${kv[1]} are damaged`));
  assert.equal(await (await value(kv[0])).text(), "v");
  const events = s.log().split("\n").filter((l) => l.includes("store_damaged")).map((l) => JSON.parse(l).store).sort();
  assert.deepEqual(events, [`d1/${bad}`, `kv/${kv[1]}`].sort());

  const status = (...args) => execFileSync(binary, ["status", "--data", data, ...args], { encoding: "utf8" });
  const { damaged } = JSON.parse(status("--json"));
  assert.deepEqual(damaged.map(({ store }) => store).sort(), events);
  for (const { reason, next } of damaged) assert.ok(reason.length > 0 && /backup/.test(next));
  for (const store of events) assert.match(status(), new RegExp(store));
  await api(s, "DELETE", `/d1/database/${bad}`);
  assert.deepEqual(JSON.parse(status("--json")).damaged.map(({ store }) => store), [`kv/${kv[1]}`]);
});
