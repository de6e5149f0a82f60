// KV, D1 and R2 as a Worker sees them: in its sandbox, reading in place, writing through the keeper.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const source = `
async function attempt(fn) {
  try { return await fn(); } catch (e) { return e.name + ": " + e.message + (e.cause ? " | " + e.cause.message : ""); }
}
const kv = async ({ KV, SAME }) => {
  const out = {};
  out.missing = await KV.get("none");
  await KV.put("a", "text é", { metadata: { m: 1 }, expirationTtl: 3600 });
  out.text = [await KV.get("a"), await SAME.get("a")];
  out.metadata = (await KV.getWithMetadata("a")).metadata;
  await KV.put("j", JSON.stringify({ x: [1] }));
  out.json = await KV.get("j", "json");
  out.bytes = (await KV.get("j", "arrayBuffer")).byteLength;
  await KV.put("s", new Response("from a stream").body);
  out.stream = await new Response(await KV.get("s", "stream")).text();
  out.bulk = [...await KV.get(["a", "none"])];
  const page = await KV.list({ limit: 2 });
  out.page = [page.keys.map((k) => k.name), page.list_complete];
  out.rest = (await KV.list({ cursor: page.cursor })).keys.map((k) => k.name);
  await KV.delete("a");
  out.deleted = await KV.get("a");
  const long = "k".repeat(512);
  await KV.put(long, "v");
  out.long = await KV.get(long);
  const large = new Uint8Array(25 * 1024 * 1024).fill(5);
  await KV.put("large", large);
  out.large = (await KV.get("large", "arrayBuffer")).byteLength;
  out.errors = [];
  for (const fn of [() => KV.get(""), () => KV.get("x".repeat(513)), () => KV.put("k", "v", { expirationTtl: 5 }), () => KV.put("k", {}),
    () => KV.put("k", new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 20)); } })),
    () => KV.put("k", new ReadableStream({ pull(c) { c.error(new Error("mine")); } })), () => KV.list({ cursor: "%%" })])
    out.errors.push(await attempt(fn));
  return out;
};
const d1 = async ({ DB }) => {
  const out = {};
  out.exec = (await DB.exec("DROP TABLE IF EXISTS t\\nCREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c)")).count;
  out.insert = (await DB.prepare("INSERT INTO t(b, c) VALUES(?, ?)").bind("x", new Uint8Array([1, 2])).run()).meta;
  out.returning = await DB.prepare("INSERT INTO t(b, c) VALUES(?, ?) RETURNING *").bind("y\\u0000z", true).first();
  out.first = await DB.prepare("SELECT * FROM t WHERE a = ?").bind(1).first();
  out.column = await DB.prepare("SELECT * FROM t WHERE a = ?").bind(1).first("b");
  out.raw = await DB.prepare("SELECT a, b FROM t").raw({ columnNames: true });
  out.reads = (await DB.batch([DB.prepare("SELECT 1 AS one"), DB.prepare("SELECT ? AS two").bind(2.5)])).map((r) => r.results);
  out.mixed = (await DB.batch([DB.prepare("INSERT INTO t(b) VALUES('z')"), DB.prepare("SELECT count(*) AS n FROM t")])).map((r) => r.results);
  out.counters = await DB.prepare("SELECT last_insert_rowid() AS id").first("id");
  await DB.exec("CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5(body)");
  await DB.prepare("INSERT INTO f VALUES(?)").bind("hello world").run();
  out.fts = await DB.prepare("SELECT highlight(f, 0, '[', ']') AS h FROM f WHERE f MATCH ?").bind("hello").first("h");
  const session = DB.withSession("first-primary");
  out.bookmark = [session.getBookmark(), await session.prepare("SELECT 1 AS x").first("x"), session.getBookmark()];
  out.errors = [];
  for (const fn of [() => DB.prepare("SELEC").run(), () => DB.prepare("SELECT * FROM nope").all(), () => DB.prepare("SELECT 1").bind(undefined),
    () => DB.prepare("SELECT ?").all(), () => DB.prepare("INSERT INTO t(b) VALUES('x')").run(), () => DB.exec("SELECT 1\\nSELEC"),
    () => DB.batch([DB.prepare("INSERT INTO t(b) VALUES('q')"), DB.prepare("INSERT INTO t(b) VALUES('x')")]),
    () => DB.prepare("SELECT count(*) AS n FROM t").first("n"), () => DB.prepare("ATTACH 'x' AS y").run()])
    out.errors.push(await attempt(fn));
  return out;
};
const r2 = async ({ B }) => {
  const out = {};
  out.missing = [await B.get("none"), await B.head("none")];
  const put = await B.put("a.txt", "hello", { httpMetadata: { contentType: "text/plain" }, customMetadata: { k: "v" },
    sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" });
  out.put = [put.size, put.etag, put.checksums.toJSON().sha256.length];
  const got = await B.get("a.txt");
  out.get = [await got.text(), got.bodyUsed, got.customMetadata];
  out.range = await (await B.get("a.txt", { range: { offset: 1, length: 3 } })).text();
  out.condition = [(await B.get("a.txt", { onlyIf: { etagMatches: "no" } })).body === undefined, await B.put("a.txt", "x", { onlyIf: { etagDoesNotMatch: "*" } })];
  const big = new Uint8Array(3_000_000).map((_, i) => i % 251);
  out.big = (await B.put("dir/big", new Response(big).body)).size;
  const back = new Uint8Array(await (await B.get("dir/big")).arrayBuffer());
  out.same = back.length === big.length && back.every((v, i) => v === i % 251);
  let n = 0;
  for await (const piece of (await B.get("dir/big", { range: { suffix: 1_000_000 } })).body) n += piece.length;
  out.streamed = n;
  const list = await B.list({ delimiter: "/", include: ["customMetadata"] });
  out.list = [list.objects.map((o) => [o.key, o.customMetadata]), list.delimitedPrefixes, list.truncated];
  await B.delete(["a.txt", "never"]);
  out.left = (await B.list()).objects.map((o) => o.key);
  out.errors = [];
  for (const fn of [() => B.put("k", new ReadableStream({ pull(c) { c.close(); } })), () => B.put("k", "hello", { md5: "00".repeat(16) }),
    () => B.get("dir/big", { range: { offset: 1e9 } }), () => B.put("k".repeat(1025), "x"), () => B.list({ limit: 0 })])
    out.errors.push(await attempt(fn));
  return out;
};
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/stream") return new Response((await env.B.get("dir/big")).body);
    return Response.json(await { "/kv": kv, "/d1": d1, "/r2": r2 }[pathname](env));
  },
};`;

const UNIQUE = "Error: D1_ERROR: UNIQUE constraint failed: t.b: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE) | UNIQUE constraint failed: t.b: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)";

let s;
const ask = async (path) => JSON.parse((await get(s, "bound", path)).body);

before(async () => {
  s = await startSelvedge();
  const kv = await api(s, "POST", "/storage/kv/namespaces", { title: "one" });
  const d1 = await api(s, "POST", "/d1/database", { name: "one" });
  await api(s, "POST", "/r2/buckets", { name: "bucket" });
  await deploy(s, "bound", source, {
    bindings: [
      { name: "KV", type: "kv_namespace", namespace_id: kv.id }, { name: "SAME", type: "kv_namespace", namespace_id: kv.id },
      { name: "DB", type: "d1", id: d1.uuid }, { name: "B", type: "r2_bucket", bucket_name: "bucket" },
    ],
  });
});
after(() => s.stop());

test("KV", async () => {
  const out = await ask("/kv");
  const errors = out.errors;
  delete out.errors;
  assert.deepEqual(out, {
    missing: null, text: ["text é", "text é"], metadata: { m: 1 }, json: { x: [1] }, bytes: 9, stream: "from a stream",
    bulk: [["a", "text é"], ["none", null]], page: [["a", "j"], false], rest: ["s"], deleted: null, long: "v", large: 25 * 1024 * 1024,
  });
  assert.deepEqual(errors, [
    "TypeError: Key name cannot be empty.",
    "Error: KV GET failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
    "Error: KV PUT failed: 400 Invalid expiration_ttl of 5. Expiration TTL must be at least 60.",
    "TypeError: KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.",
    "Error: KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400.",
    "Error: mine",
    "Error: KV GET failed: 400 Invalid cursor.",
  ]);
});

test("D1", async () => {
  const out = await ask("/d1");
  assert.equal(out.exec, 2);
  assert.equal(out.insert.changes, 1);
  assert.equal(out.insert.last_row_id, 1);
  assert.equal(out.insert.changed_db, true);
  assert.equal(out.insert.rows_written, 2);
  assert.deepEqual(out.returning, { a: 2, b: "y\0z", c: 1 });
  assert.deepEqual(out.first, { a: 1, b: "x", c: [1, 2] });
  assert.equal(out.column, "x");
  assert.deepEqual(out.raw, [["a", "b"], [1, "x"], [2, "y\0z"]]);
  assert.deepEqual(out.reads, [[{ one: 1 }], [{ two: 2.5 }]]);
  assert.deepEqual(out.mixed, [[], [{ n: 3 }]]);
  assert.equal(out.counters, 3);
  assert.equal(out.fts, "[hello] world");
  assert.equal(out.bookmark[0], null);
  assert.match(out.bookmark[2], /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/);
  assert.deepEqual(out.errors, [
    'Error: D1_ERROR: near "SELEC": syntax error at offset 0: SQLITE_ERROR | near "SELEC": syntax error at offset 0: SQLITE_ERROR',
    "Error: D1_ERROR: no such table: nope: SQLITE_ERROR | no such table: nope: SQLITE_ERROR",
    "Error: D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined' | Type 'undefined' not supported for value 'undefined'",
    "Error: D1_ERROR: Wrong number of parameter bindings for SQL query. | Wrong number of parameter bindings for SQL query.",
    UNIQUE,
    'Error: D1_EXEC_ERROR: Error in line 2: SELEC: near "SELEC": syntax error at offset 0: SQLITE_ERROR | Error in line 2: SELEC: near "SELEC": syntax error at offset 0: SQLITE_ERROR',
    UNIQUE,
    3,
    "Error: D1_ERROR: not authorized: SQLITE_AUTH | not authorized: SQLITE_AUTH",
  ]);
});

test("R2", async () => {
  const out = await ask("/r2");
  const errors = out.errors;
  delete out.errors;
  assert.deepEqual(out, {
    missing: [null, null], put: [5, "5d41402abc4b2a76b9719d911017c592", 64], get: ["hello", true, { k: "v" }], range: "ell",
    condition: [true, null], big: 3_000_000, same: true, streamed: 1_000_000, list: [[["a.txt", { k: "v" }]], ["dir/"], false], left: ["dir/big"],
  });
  assert.match(errors[0], /^TypeError: Provided readable stream must have a known length/);
  assert.match(errors[1], /^Error: put: The MD5 checksum you specified did not match what we received\.\n/);
  assert.equal(errors[2], "Error: get: The requested range is not satisfiable (10039)");
  assert.equal(errors[3], "Error: put: The specified object name is not valid. (10020)");
  assert.equal(errors[4], "Error: list: MaxKeys params must be positive integer <= 1000. (10022)");
  const streamed = await get(s, "bound", "/stream");
  assert.equal(streamed.headers["content-length"], "3000000");
  assert.equal(streamed.body.length, 3_000_000);
});
