// The control process under load and under fire: parallel changes, kill -9, restarts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
before(async () => {
  s = await startSelvedge();
});
after(() => s?.stop());

const code = (n) => `export default { fetch: () => new Response("${n}") };`;
// The pid of one role of this server: a child of it with that name.
const pidOf = (role) => Number(execFileSync("ps", ["--ppid", String(s.pid), "-o", "pid=,args="]).toString().split("\n").find((line) => line.includes(`--role ${role}`))?.trim().split(/\s+/)[0]);

test("twenty parallel deploys of one script make twenty versions; the last deployment answers", async () => {
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => deploy(s, "many", code(i))));
  assert.equal(new Set(results.map((r) => r.deployment_id)).size, 20);
  const { items } = await api(s, "GET", "/workers/scripts/many/versions?per_page=100");
  assert.deepEqual(items.map((v) => v.number), Array.from({ length: 20 }, (_, i) => 20 - i));
  await api(s, "POST", "/workers/scripts/many/subdomain", { enabled: true });
  const { deployments } = await api(s, "GET", "/workers/scripts/many/deployments");
  const winner = results.findIndex((r) => r.deployment_id === deployments[0].versions[0].version_id);
  await until("the winner answers", 5000, async () => (await get(s, "many")).text === String(winner));
});

test("parallel writes of many kinds all succeed", async () => {
  const { id } = await api(s, "POST", "/storage/kv/namespaces", { title: "load" });
  await api(s, "POST", "/r2/buckets", { name: "load" });
  const work = [];
  for (let i = 0; i < 50; i++) {
    work.push(fetch(`${s.apiUrl}/accounts/${s.account}/storage/kv/namespaces/${id}/values/k${i}`, { method: "PUT", body: `v${i}`, headers: { authorization: `Bearer ${s.token}` } }).then((r) => r.status));
    work.push(fetch(`${s.apiUrl}/accounts/${s.account}/r2/buckets/load/objects/o${i}`, { method: "PUT", body: "x".repeat(100_000 * (i % 5)), headers: { authorization: `Bearer ${s.token}` } }).then((r) => r.status));
  }
  assert.deepEqual(new Set(await Promise.all(work)), new Set([200]));
  assert.equal((await api(s, "GET", `/storage/kv/namespaces/${id}/keys`)).length, 50);
});

test("kill -9 of control loses nothing that was acknowledged", async () => {
  const pid = pidOf("control");
  assert.ok(pid > 0);
  const acknowledged = [];
  let stop = false;
  const writer = (async () => {
    for (let i = 0; !stop; i++) await api(s, "POST", "/storage/kv/namespaces", { title: `crash-${i}` }).then((n) => acknowledged.push(n.id), () => new Promise((r) => setTimeout(r, 20)));
  })();
  await until("some writes", 5000, () => acknowledged.length > 10);
  process.kill(pid, "SIGKILL");
  const before = acknowledged.length;
  await until("writes go on", 10_000, () => acknowledged.length > before + 10);
  stop = true;
  await writer;
  const ids = new Set((await api(s, "GET", "/storage/kv/namespaces?per_page=1000")).map((n) => n.id));
  assert.ok(acknowledged.every((id) => ids.has(id)));
  assert.notEqual(pidOf("control"), pid);
  assert.equal((await get(s, "many")).status, 200);
});

test("kill -9 of the keeper: calls wait for the new one", async () => {
  const { id } = await api(s, "POST", "/storage/kv/namespaces", { title: "keeper" });
  process.kill(pidOf("keeper"), "SIGKILL");
  await new Promise((r) => setTimeout(r, 5));
  const url = `${s.apiUrl}/accounts/${s.account}/storage/kv/namespaces/${id}/values/k`;
  const put = () => fetch(url, { method: "PUT", body: "v", headers: { authorization: `Bearer ${s.token}` } });
  let r = await put();
  if (r.status !== 200) r = await put(); // the first may have been on its way when the keeper died
  assert.equal(r.status, 200);
});

test("a version that never got its row is swept away at the next start", async () => {
  const dir = join(s.data, "workers/many");
  execFileSync("cp", ["-r", join(dir, readdirSync(dir)[0]), join(dir, "00000000-0000-4000-8000-000000000000")]);
  const before = pidOf("control");
  process.kill(before, "SIGKILL");
  await until("a new control", 10_000, () => pidOf("control") && pidOf("control") !== before);
  await until("the sweep", 5000, () => !readdirSync(dir).includes("00000000-0000-4000-8000-000000000000"));
  assert.equal(readdirSync(dir).length, 20);
});

test("a restart of everything keeps Workers, tokens and stores", async () => {
  const pid = s.pid;
  await s.kill("SIGTERM");
  const again = await startSelvedge({ data: s.data });
  try {
    assert.notEqual(again.pid, pid);
    assert.equal(again.token, s.token);
    await until("it answers", 5000, async () => (await get(again, "many").catch(() => null))?.status === 200);
    assert.ok((await api(again, "GET", "/storage/kv/namespaces?per_page=1000")).some((n) => n.title === "keeper"));
  } finally {
    await again.stop();
  }
});
