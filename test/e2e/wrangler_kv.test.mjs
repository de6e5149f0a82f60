// KV by the real wrangler: namespaces, keys, bulk.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s, p, id;
const kv = (...args) => s.wrangler(["kv", ...args], p.dir).then((r) => r.stdout);
const key = (...args) => kv("key", ...args, "--namespace-id", id, "--remote");

before(async () => {
  s = await startSelvedge();
  p = project({ name: "kv" });
});
after(async () => {
  await s?.stop();
  p?.remove();
});

test("namespaces: create, list, rename, a taken title, delete", async () => {
  id = (await kv("namespace", "create", "first")).match(/"id": "(\w{32})"/)[1];
  const other = (await kv("namespace", "create", "second")).match(/"id": "(\w{32})"/)[1];
  const taken = await s.wrangler(["kv", "namespace", "create", "second"], p.dir, { fails: true });
  assert.match(taken.stdout + taken.stderr, /already exists/);
  await kv("namespace", "rename", "--namespace-id", other, "--new-name", "renamed");
  const list = JSON.parse(await kv("namespace", "list"));
  assert.deepEqual(list.map((n) => n.title).sort(), ["first", "renamed"]);
  await kv("namespace", "delete", "--namespace-id", other);
  assert.deepEqual(JSON.parse(await kv("namespace", "list")).map((n) => n.id), [id]);
});

test("keys: put, get, list with prefix, metadata and expiry, delete", async () => {
  await key("put", "plain", "value one");
  await key("put", "dir/ünïcode key", "value two", "--metadata", '{"a":[1,2]}', "--ttl", "3600");
  assert.equal(await key("get", "plain"), "value one");
  assert.equal(await key("get", "dir/ünïcode key"), "value two");
  const all = JSON.parse(await key("list"));
  assert.deepEqual(all.map((k) => k.name), ["dir/ünïcode key", "plain"]);
  assert.deepEqual(all[0].metadata, { a: [1, 2] });
  assert.ok(Math.abs(all[0].expiration - Date.now() / 1000 - 3600) < 60);
  assert.deepEqual(JSON.parse(await key("list", "--prefix", "pl")).map((k) => k.name), ["plain"]);
  await key("delete", "plain");
  const gone = await s.wrangler(["kv", "key", "get", "plain", "--namespace-id", id, "--remote"], p.dir, { fails: true });
  assert.match(gone.stdout + gone.stderr, /404/);
});

test("a value from a file comes back byte for byte", async () => {
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 31) & 0xff));
  p.write("value.bin", bytes);
  await key("put", "binary", "--path", "value.bin");
  const response = await fetch(`${s.apiUrl}/accounts/${s.account}/storage/kv/namespaces/${id}/values/binary`, { headers: { authorization: `Bearer ${s.token}` } });
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes);
});

test("bulk: put, get, delete", async () => {
  p.write("pairs.json", JSON.stringify([{ key: "b1", value: "one" }, { key: "b2", value: Buffer.from("two").toString("base64"), base64: true, metadata: { m: 1 } }]));
  p.write("keys.json", JSON.stringify(["b1", "b2"]));
  await kv("bulk", "put", "pairs.json", "--namespace-id", id, "--remote");
  assert.deepEqual(JSON.parse(await kv("bulk", "get", "keys.json", "--namespace-id", id, "--remote")), { b1: "one", b2: "two" });
  await kv("bulk", "delete", "keys.json", "--namespace-id", id, "--remote", "--force");
  assert.deepEqual(JSON.parse(await key("list", "--prefix", "b")).map((k) => k.name), ["binary"]);
});
