// R2 by the real wrangler: buckets and objects.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s, p;
const r2 = (...args) => s.wrangler(["r2", ...args], p.dir).then((r) => r.stdout);

before(async () => {
  s = await startSelvedge();
  p = project({ name: "r2" });
});
after(async () => {
  await s?.stop();
  p?.remove();
});

test("buckets: create, list, info, a name that is taken, a name that is none", async () => {
  await r2("bucket", "create", "files");
  assert.match(await r2("bucket", "list"), /files/);
  assert.match(await r2("bucket", "info", "files"), /files/);
  for (const [name, text] of [["files", /already exists/], ["Not_Valid", /not valid|invalid/i]]) {
    const failed = await s.wrangler(["r2", "bucket", "create", name], p.dir, { fails: true });
    assert.match(failed.stdout + failed.stderr, text);
  }
});

test("objects: put, get, delete keep bytes and content type", async () => {
  const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * 7) & 0xff));
  p.write("in.bin", bytes);
  await r2("object", "put", "files/dir/in.bin", "--file", "in.bin", "--content-type", "application/x-test", "--remote");
  await r2("object", "get", "files/dir/in.bin", "--file", "out.bin", "--remote");
  assert.ok(readFileSync(join(p.dir, "out.bin")).equals(bytes));
  const url = `${s.apiUrl}/accounts/${s.account}/r2/buckets/files/objects`;
  const headers = { authorization: `Bearer ${s.token}` };
  const direct = await fetch(`${url}/dir%2Fin.bin`, { headers });
  assert.equal(direct.headers.get("content-type"), "application/x-test");
  assert.equal((await direct.arrayBuffer()).byteLength, bytes.length);
  const list = await (await fetch(`${url}?prefix=dir/`, { headers })).json();
  assert.deepEqual(list.result.map((o) => [o.key, o.size]), [["dir/in.bin", bytes.length]]);
  assert.match(await r2("bucket", "info", "files"), /object_count:\s+1/);

  const full = await s.wrangler(["r2", "bucket", "delete", "files"], p.dir, { fails: true });
  assert.match(full.stdout + full.stderr, /not empty/);
  await r2("object", "delete", "files/dir/in.bin", "--remote");
  const gone = await s.wrangler(["r2", "object", "get", "files/dir/in.bin", "--file", "x", "--remote"], p.dir, { fails: true });
  assert.match(gone.stdout + gone.stderr, /does not exist|404/i);
});

test("delete a bucket", async () => {
  await r2("bucket", "delete", "files");
  assert.doesNotMatch(await r2("bucket", "list"), /files/);
});
