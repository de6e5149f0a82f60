// D1 by the real wrangler: databases, statements, files, migrations, export, bookmarks.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s, p;
const d1 = (...args) => s.wrangler(["d1", ...args], p.dir).then((r) => r.stdout);
const query = async (sql) => JSON.parse(await d1("execute", "db1", "--remote", "--json", "--command", sql));

before(async () => {
  s = await startSelvedge();
  p = project({ name: "d1" }, {
    "migrations/0001_init.sql": "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO users(name) VALUES('Ada');",
    "rows.sql": "-- a comment; with a semicolon\nCREATE TABLE big(a INTEGER, b TEXT);\nINSERT INTO big VALUES(1,'x;y');\nINSERT INTO big VALUES(2,'it''s');\n",
  });
  const id = (await d1("create", "db1")).match(/"database_id": "([0-9a-f-]{36})"/)[1];
  p.config({ name: "d1", d1_databases: [{ binding: "DB", database_name: "db1", database_id: id }] });
});
after(async () => {
  await s?.stop();
  p?.remove();
});

test("create is seen by list and info", async () => {
  assert.deepEqual(JSON.parse(await d1("list", "--json")).map((d) => d.name), ["db1"]);
  assert.match(await d1("info", "db1"), /db1/);
  const taken = await s.wrangler(["d1", "create", "db1"], p.dir, { fails: true });
  assert.match(taken.stdout + taken.stderr, /already exists/);
});

test("execute --command runs several statements and reports errors with SQLite's words", async () => {
  const results = await query("CREATE TABLE a(x); INSERT INTO a VALUES(1),(2); SELECT * FROM a");
  assert.equal(results.length, 3);
  assert.deepEqual(results[2].results, [{ x: 1 }, { x: 2 }]);
  assert.equal(results[1].meta.changes, 2);
  const failed = await s.wrangler(["d1", "execute", "db1", "--remote", "--command", "SELECT * FROM nope"], p.dir, { fails: true });
  assert.match(failed.stdout + failed.stderr, /no such table: nope: SQLITE_ERROR/);
});

test("several statements are one transaction", async () => {
  await s.wrangler(["d1", "execute", "db1", "--remote", "--command", "INSERT INTO a VALUES(3); INSERT INTO nope VALUES(1)"], p.dir, { fails: true });
  assert.deepEqual((await query("SELECT count(*) AS n FROM a"))[0].results, [{ n: 2 }]);
});

test("execute --file goes through the import", async () => {
  assert.match(await d1("execute", "db1", "--remote", "--file", "rows.sql", "--yes"), /Executed 3 queries/);
  assert.deepEqual((await query("SELECT b FROM big ORDER BY a"))[0].results, [{ b: "x;y" }, { b: "it's" }]);
});

test("migrations list and apply", async () => {
  assert.match(await d1("migrations", "list", "db1", "--remote"), /0001_init/);
  await d1("migrations", "apply", "db1", "--remote");
  assert.match(await d1("migrations", "list", "db1", "--remote"), /No migrations to apply/);
  assert.deepEqual((await query("SELECT name FROM users"))[0].results, [{ name: "Ada" }]);
});

test("export gives SQL that makes the same rows", async () => {
  await d1("export", "db1", "--remote", "--output", "out.sql");
  const text = readFileSync(join(p.dir, "out.sql"), "utf8");
  assert.match(text, /CREATE TABLE big\(a INTEGER, b TEXT\);/);
  assert.match(text, /'it''s'/);
  await d1("export", "db1", "--remote", "--no-data", "--table", "users", "--output", "schema.sql");
  assert.doesNotMatch(readFileSync(join(p.dir, "schema.sql"), "utf8"), /INSERT|big/);
});

test("time-travel info shows a bookmark that grows with writes", async () => {
  const bookmark = async () => (await d1("time-travel", "info", "db1")).match(/[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}/)[0];
  const before = await bookmark();
  await query("INSERT INTO a VALUES(9)");
  assert.ok((await bookmark()) > before);
});

const bookmarkNow = async () => JSON.parse(await d1("time-travel", "info", "db1", "--json")).bookmark;
const travel = async (...args) => JSON.parse(await d1("time-travel", "restore", "db1", "--json", ...args));
const rows = async () => (await query("SELECT group_concat(v) AS v FROM past"))[0].results[0].v;

test("time-travel restore goes back to a bookmark, can be undone, and takes a time", async () => {
  await query("CREATE TABLE past(v); INSERT INTO past VALUES(1)");
  const one = await bookmarkNow();
  await query("INSERT INTO past VALUES(2)");
  await new Promise((r) => setTimeout(r, 1100)); // the client cuts times to seconds
  const between = new Date().toISOString();
  await new Promise((r) => setTimeout(r, 1100));
  await query("DROP TABLE past");
  const info = JSON.parse(await d1("time-travel", "info", "db1", "--timestamp", between, "--json"));
  assert.match(info.bookmark, /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/);
  const back = await travel("--bookmark", one);
  assert.equal(await rows(), "1");
  assert.ok(back.bookmark > back.previous_bookmark);
  await travel("--timestamp", between);
  assert.equal(await rows(), "1,2");
  await travel("--bookmark", back.previous_bookmark);
  assert.deepEqual((await query("SELECT name FROM sqlite_schema WHERE name = 'past'"))[0].results, []);
  assert.deepEqual((await query("PRAGMA quick_check"))[0].results, [{ quick_check: "ok" }]);
});

test("time-travel refuses what it cannot know", async () => {
  const post = (path) => fetch(`${s.apiUrl}/accounts/${s.account}/d1/database/db1/time_travel/${path}`, { method: "POST", headers: { authorization: `Bearer ${s.token}` } }).then((r) => r.json());
  for (const [path, text] of [
    ["restore?bookmark=00000001-00000000-00000000-00000000000000000000000000000000", /no bookmark of this database/],
    ["restore?timestamp=2020-01-01T00:00:00Z", /does not reach back/],
    ["restore?timestamp=soon", /timestamp must be like/],
    ["restore", /must be given/],
  ]) {
    const answer = await post(path);
    assert.equal(answer.success, false);
    assert.match(answer.errors[0].message, text);
  }
});

test("info and insights show what ran, by REST and in a Worker", async () => {
  const { uuid } = await api(s, "POST", "/d1/database", { name: "figures" });
  const run = (sql, params) => api(s, "POST", `/d1/database/${uuid}/query`, { sql, params });
  await run("CREATE TABLE seen(a INTEGER PRIMARY KEY, b)");
  for (let i = 0; i < 5; i++) await run("INSERT INTO seen(b) VALUES(?)", [`${i}`]);
  await deploy(s, "figures", `export default { async fetch(r, { DB }) { let n = 0; for (let i = 0; i < 20; i++) n += (await DB.prepare("SELECT * FROM seen").all()).results.length; return new Response(n); } }`, { bindings: [{ type: "d1", name: "DB", id: uuid }] });
  assert.equal((await get(s, "figures")).text, "100");
  const insights = async (...args) => JSON.parse(await d1("insights", "figures", "--json", ...args));
  const read = await until("the reads in place are told", 30000, async () => (await insights("--sort-by", "reads")).find((q) => q.query === "SELECT * FROM seen"));
  assert.deepEqual([read.numberOfTimesRun, read.totalRowsRead, read.avgRowsRead, read.totalRowsWritten, read.queryEfficiency], [20, 100, 5, 0, 1]);
  const top = await insights("--sort-by", "writes", "--limit", "1");
  assert.deepEqual(top.map((q) => [q.query, q.numberOfTimesRun, q.totalRowsWritten]), [["INSERT INTO seen(b) VALUES(?)", 5, 5]]);
  assert.ok((await insights("--sort-type", "avg", "--sort-by", "time")).every((q) => q.avgDurationMs >= 0 && q.totalDurationMs > 0));
  const info = JSON.parse(await d1("info", "figures", "--json"));
  assert.deepEqual([info.num_tables, info.read_queries_24h, info.write_queries_24h, info.rows_read_24h >= 100, info.rows_written_24h >= 5], [1, 20, 6, true, true]);
  assert.ok(info.database_size > 0);
  const everywhere = JSON.parse(await d1("insights", "--json", "--limit", "50"));
  assert.ok(everywhere.some((q) => q.databaseId === uuid) && new Set(everywhere.map((q) => q.databaseId)).size > 1);
  await api(s, "DELETE", `/d1/database/${uuid}`);
});

test("delete", async () => {
  await d1("delete", "db1", "--skip-confirmation");
  assert.deepEqual(JSON.parse(await d1("list", "--json")), []);
});
