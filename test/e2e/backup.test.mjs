// `selvedge backup` while a Worker writes, and `selvedge restore` into a second instance.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { binary, startSelvedge } from "./lib/selvedge.mjs";

const worker = `
import { DurableObject } from "cloudflare:workers";
export class Box extends DurableObject {
  add(id) { this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY)"); this.ctx.storage.sql.exec("INSERT INTO t VALUES (?)", id); }
  all() { return this.ctx.storage.sql.exec("SELECT id FROM t").toArray().map((r) => r.id); }
}
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const id = Number(url.searchParams.get("id"));
    const box = env.BOX.getByName("one");
    switch (url.pathname) {
      case "/kv": await env.KV.put("k" + id, "v" + id); return new Response("ok");
      case "/d1": await env.DB.prepare("INSERT INTO t (id) VALUES (?)").bind(id).run(); return new Response("ok");
      case "/r2": await env.BUCKET.put("o" + id, "x".repeat(id % 2 ? 100 : 100000) + id); return new Response("ok");
      case "/do": await box.add(id); return new Response("ok");
      case "/check": {
        const ids = await request.json(), lost = [];
        const rows = new Set((await env.DB.prepare("SELECT id FROM t").raw()).map((r) => r[0])), boxed = new Set(await box.all());
        for (const n of ids.kv) if (await env.KV.get("k" + n) !== "v" + n) lost.push("kv " + n);
        for (const n of ids.d1) if (!rows.has(n)) lost.push("d1 " + n);
        for (const n of ids.do) if (!boxed.has(n)) lost.push("do " + n);
        for (const n of ids.r2) { const o = await env.BUCKET.get("o" + n); if (o === null || !(await o.text()).endsWith("x" + n)) lost.push("r2 " + n); }
        return Response.json(lost);
      }
    }
    return new Response("up");
  },
};`;

let s, folder;
const kinds = ["kv", "d1", "r2", "do"];
const acknowledged = { kv: [], d1: [], r2: [], do: [] };
const run = (...args) => new Promise((resolve) => execFile(binary, args, { timeout: 60000 }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, text: stdout + stderr })));
const files = (dir) => readdirSync(dir, { recursive: true }).filter((f) => statSync(join(dir, f)).isFile());

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "selvedge-backup-"));
  s = await startSelvedge();
  const kv = await api(s, "POST", "/storage/kv/namespaces", { title: "b" });
  const db = await api(s, "POST", "/d1/database", { name: "b" });
  await api(s, "POST", "/r2/buckets", { name: "bucket" });
  await api(s, "POST", `/d1/database/${db.uuid}/query`, { sql: "CREATE TABLE t (id INTEGER PRIMARY KEY)" });
  await deploy(s, "writer", worker, {
    bindings: [
      { name: "KV", type: "kv_namespace", namespace_id: kv.id },
      { name: "DB", type: "d1", id: db.uuid },
      { name: "BUCKET", type: "r2_bucket", bucket_name: "bucket" },
      { name: "BOX", type: "durable_object_namespace", class_name: "Box" },
    ],
    migrations: { new_tag: "v1", new_sqlite_classes: ["Box"] },
  });
});
after(async () => {
  await s?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a backup taken under load has all that was acknowledged before it began", async () => {
  let stop = false, next = 1;
  const writers = kinds.map(async (kind) => {
    while (!stop) {
      const id = next++;
      if ((await get(s, "writer", `/${kind}?id=${id}`)).status === 200) acknowledged[kind].push(id);
    }
  });
  await until("writes of each kind", 20000, () => kinds.every((kind) => acknowledged[kind].length > 20));
  const wanted = structuredClone(acknowledged);
  const made = await run("backup", "--data", s.data, join(folder, "copy"));
  stop = true;
  await Promise.all(writers);
  assert.equal(made.code, 0, made.text);
  assert.match(made.text, /^\d+ files, \d+ bytes/);
  const left = files(join(s.data, "accounts")).filter((f) => f.includes(".backup"));
  assert.deepEqual(left, []);

  const restored = await run("restore", "--data", join(folder, "second"), join(folder, "copy"));
  assert.equal(restored.code, 0, restored.text);
  const databases = files(join(folder, "second")).filter((f) => /\.sqlite$|control\.db$/.test(f));
  assert.ok(databases.length >= 4, databases.join());
  for (const f of databases) {
    const db = new DatabaseSync(join(folder, "second", f));
    assert.deepEqual(db.prepare("PRAGMA integrity_check").all().map((r) => r.integrity_check), ["ok"], f);
    db.close();
  }
  const second = await startSelvedge({ data: join(folder, "second") });
  try {
    assert.equal(second.token, s.token);
    const lost = await get(second, "writer", "/check", { method: "POST", body: JSON.stringify(wanted) });
    assert.equal(lost.status, 200, lost.text + second.log());
    assert.deepEqual(JSON.parse(lost.text), []);
  } finally {
    await second.stop();
  }
});

test("a backup of a stopped server", async () => {
  const made = await run("backup", "--data", join(folder, "second"), join(folder, "cold"));
  assert.equal(made.code, 0, made.text);
  assert.ok(existsSync(join(folder, "cold", "control.db")));
});

test("targets that are not empty, and damaged backups, are refused by name", async () => {
  const again = await run("backup", "--data", s.data, join(folder, "copy"));
  assert.equal(again.code, 1);
  assert.match(again.text, /is not empty/);
  const victim = files(join(folder, "copy")).find((f) => f.endsWith("db.sqlite"));
  const bytes = readFileSync(join(folder, "copy", victim));
  bytes[100] ^= 1;
  writeFileSync(join(folder, "copy", victim), bytes);
  const refused = await run("restore", "--data", join(folder, "third"), join(folder, "copy"));
  assert.equal(refused.code, 1);
  assert.ok(refused.text.includes(victim) && refused.text.includes("damaged"), refused.text);
  assert.ok(!existsSync(join(folder, "third")));
});
