// Imports into D1 step by step, as wrangler goes through them, with whoever does the work killed in the middle.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { api } from "./lib/deploy.mjs";
import { until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s, id;
const call = (body) => api(s, "POST", `/d1/database/${id}/import`, body);
const query = async (sql) => (await api(s, "POST", `/d1/database/${id}/query`, { sql }))[0].results;

async function ingest(text) {
  const etag = createHash("md5").update(text).digest("hex");
  const { filename, upload_url } = await call({ action: "init", etag });
  const put = await fetch(upload_url, { method: "PUT", body: text });
  assert.equal(put.status, 200);
  assert.equal(put.headers.get("etag"), `"${etag}"`);
  return call({ action: "ingest", filename, etag });
}

async function finish({ at_bookmark }) {
  for (;;) {
    const answer = await call({ action: "poll", current_bookmark: at_bookmark });
    if (answer.status !== "active") return answer;
  }
}

const kill = (role) => {
  const children = readFileSync(`/proc/${s.pid}/task/${s.pid}/children`, "utf8").split(" ").filter(Boolean);
  const pid = children.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes(`--role\0${role}\0`));
  process.kill(Number(pid), "SIGKILL");
};

const ROWS = 200_000;
const big = `CREATE TABLE big(a INTEGER PRIMARY KEY, b TEXT);\n${Array.from({ length: ROWS }, (_, i) => `INSERT INTO big VALUES(${i}, 'row ${i}');`).join("\n")}\n`;

before(async () => {
  s = await startSelvedge();
  id = (await api(s, "POST", "/d1/database", { name: "imports" })).uuid;
});
after(() => s?.stop());

test("an import is under way until a poll says that it is complete", async () => {
  await assert.rejects(call({ action: "poll", current_bookmark: "x" }), /Not currently importing/);
  const begun = await ingest("CREATE TABLE t(a);\nINSERT INTO t VALUES(1);\nINSERT INTO t VALUES(2);");
  assert.deepEqual([begun.success, begun.type, begun.status, begun.messages.length], [true, "import", "active", 1]);
  const answer = await finish(begun);
  assert.equal(answer.status, "complete");
  assert.equal(answer.result.num_queries, 3);
  assert.equal(answer.result.meta.changes, 2);
  assert.ok(answer.result.final_bookmark > begun.at_bookmark);
  assert.deepEqual(await query("SELECT count(*) AS n FROM t"), [{ n: 2 }]);
});

test("an import that fails says why, and leaves nothing", async () => {
  const answer = await finish(await ingest("INSERT INTO t VALUES(3);\nINSERT INTO nope VALUES(1);"));
  assert.equal(answer.status, "error");
  assert.equal(answer.success, false);
  assert.match(answer.error, /no such table: nope/);
  assert.deepEqual(await query("SELECT count(*) AS n FROM t"), [{ n: 2 }]);
});

test("what was not uploaded, or not begun, is not ingested", async () => {
  const { filename } = await call({ action: "init", etag: "0".repeat(32) });
  await assert.rejects(call({ action: "ingest", filename, etag: "0".repeat(32) }), /was not uploaded/);
  await assert.rejects(call({ action: "ingest", filename: "x.sql", etag: "0".repeat(32) }), /was begun/);
});

for (const role of ["keeper", "control"])
  test(`${role} killed in the middle: all of the file or nothing, and the poll says so`, async () => {
    await query("DROP TABLE IF EXISTS big");
    const begun = await ingest(big);
    assert.equal(begun.status, "active");
    await new Promise((r) => setTimeout(r, 100));
    kill(role);
    const answer = await until("a poll is answered", 60_000, () => finish(begun).catch(() => null));
    const [{ n }] = await query("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'big'");
    if (answer.status === "error") {
      assert.match(answer.error, /interrupted/);
      if (/Nothing of the file/.test(answer.error)) assert.equal(n, 0);
    } else assert.equal(n, 1);
    if (n === 1) assert.deepEqual(await query("SELECT count(*) AS n FROM big"), [{ n: ROWS }]);
    await query("DROP TABLE IF EXISTS big");
    assert.equal((await finish(await ingest(big))).status, "complete");
    assert.deepEqual(await query("SELECT count(*) AS n, sum(a) AS s FROM big"), [{ n: ROWS, s: (ROWS * (ROWS - 1)) / 2 }]);
    assert.deepEqual(await query("PRAGMA quick_check"), [{ quick_check: "ok" }]);
  });
