// kill -9 of each role under load: no acknowledged write is lost, and everything recovers without help.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
const writer = `
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const id = url.searchParams.get("id");
    switch (url.pathname) {
      case "/kv": await env.KV.put("k" + id, "v" + id); return new Response("ok");
      case "/d1": await env.DB.prepare("INSERT INTO t (id) VALUES (?)").bind(Number(id)).run(); return new Response("ok");
      case "/r2": await env.BUCKET.put("o" + id, "content " + id); return new Response("ok");
      case "/check": {
        const ids = await request.json();
        const lost = [];
        const rows = new Set((await env.DB.prepare("SELECT id FROM t").raw()).map((r) => r[0]));
        for (const n of ids.kv) if (await env.KV.get("k" + n) !== "v" + n) lost.push("kv " + n);
        for (const n of ids.d1) if (!rows.has(n)) lost.push("d1 " + n);
        for (const n of ids.r2) { const o = await env.BUCKET.get("o" + n); if (o === null || await o.text() !== "content " + n) lost.push("r2 " + n); }
        return Response.json(lost);
      }
    }
    return new Response("up");
  },
};`;

before(async () => {
  s = await startSelvedge();
  const kv = await api(s, "POST", "/storage/kv/namespaces", { title: "faults" });
  const db = await api(s, "POST", "/d1/database", { name: "faults" });
  await api(s, "POST", "/r2/buckets", { name: "faults" });
  await api(s, "POST", `/d1/database/${db.uuid}/query`, { sql: "CREATE TABLE t (id INTEGER PRIMARY KEY)" });
  await deploy(s, "writer", writer, {
    bindings: [
      { name: "KV", type: "kv_namespace", namespace_id: kv.id },
      { name: "DB", type: "d1", id: db.uuid },
      { name: "BUCKET", type: "r2_bucket", bucket_name: "faults" },
    ],
  });
});
after(() => s?.stop());

// Processes of this instance by role: their command line says it.
function pids(role) {
  const children = new Map();
  for (const name of readdirSync("/proc").filter((n) => /^\d+$/.test(n)))
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, "utf8").replace(/.*\) /s, "").split(" ")[1]);
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      children.set(Number(name), { parent, role: command[command.indexOf("--role") + 1] ?? "", command });
    } catch {}
  const ours = new Set([s.pid]);
  for (let before = 0; before !== ours.size; ) {
    before = ours.size;
    for (const [pid, p] of children) if (ours.has(p.parent)) ours.add(pid);
  }
  return [...ours].filter((pid) => pid !== s.pid && children.get(pid)?.role === role && (role !== "isolate" || true));
}

const up = () => until("recovery", 15000, async () => (await get(s, "writer").catch(() => ({}))).status === 200);

for (const role of ["keeper", "gateway", "control", "template"])
  test(`kill -9 of the ${role} under load`, async () => {
    await up();
    const acknowledged = { kv: [], d1: [], r2: [] };
    let stop = false;
    let next = Math.floor(Math.random() * 1e9) * 1000;
    const load = ["kv", "d1", "r2"].flatMap((kind) =>
      Array.from({ length: 3 }, async () => {
        while (!stop) {
          const id = next++;
          const answer = await get(s, "writer", `/${kind}?id=${id}`).catch(() => null);
          if (answer?.status === 200) acknowledged[kind].push(id);
          else await new Promise((r) => setTimeout(r, 20));
        }
      }),
    );
    for (let i = 0; i < 3; i++) {
      await new Promise((r) => setTimeout(r, 400));
      const list = pids(role);
      assert.ok(list.length > 0, `no ${role} process`);
      for (const pid of list) process.kill(pid, "SIGKILL");
      await up();
    }
    stop = true;
    await Promise.all(load);
    for (const kind of ["kv", "d1", "r2"]) assert.ok(acknowledged[kind].length > 0, `nothing was written to ${kind}`);
    const lost = await get(s, "writer", "/check", { method: "POST", body: JSON.stringify(acknowledged) });
    assert.equal(lost.status, 200, lost.text);
    assert.deepEqual(JSON.parse(lost.text), []);
    const version = await until("control", 15000, () => api(s, "GET", "/workers/scripts").catch(() => null));
    assert.ok(version.some((script) => script.id === "writer"));
  });

test("kill -9 of everything, then a new start: nothing acknowledged is lost", async () => {
  const acknowledged = { kv: [], d1: [], r2: [] };
  for (let i = 0; i < 30; i++)
    for (const kind of ["kv", "d1", "r2"]) {
      const id = 5e12 + i * 3;
      if ((await get(s, "writer", `/${kind}?id=${id}`)).status === 200) acknowledged[kind].push(id);
    }
  await s.kill();
  s = await startSelvedge({ data: s.data });
  await up();
  const lost = await get(s, "writer", "/check", { method: "POST", body: JSON.stringify(acknowledged) });
  assert.deepEqual(JSON.parse(lost.text), []);
});
