// Cron triggers run by themselves, also for minutes that passed while the server was away.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const data = mkdtempSync(join(tmpdir(), "selvedge-cron-"));
let selvedge, namespace;

const source = `
export default {
  async scheduled(controller, env) {
    if (controller.cron.startsWith("*/59")) throw new Error("no");
    await env.KV.put(\`\${controller.cron}|\${controller.scheduledTime}\`, "1");
  },
  async fetch(request, env) {
    return Response.json((await env.KV.list()).keys.map((key) => key.name));
  },
};`;

before(async () => {
  selvedge = await startSelvedge({ data });
  namespace = await api(selvedge, "POST", "/storage/kv/namespaces", { title: "runs" });
  await deploy(selvedge, "cron", source, { bindings: [{ name: "KV", type: "kv_namespace", namespace_id: namespace.id }] });
});
after(async () => {
  await selvedge.stop();
  rmSync(data, { recursive: true, force: true });
});

const runs = async () => JSON.parse((await get(selvedge, "cron")).text).map((name) => name.split("|"));

// As if the server had been away since `minutes` ago.
function turnBack(minutes) {
  const db = new DatabaseSync(join(data, "control.db"), { timeout: 5000 });
  const minute = Math.floor(Date.now() / 60000) * 60000;
  db.exec(`UPDATE cron_clock SET minute_ms = ${minute - minutes * 60000}; UPDATE worker_schedules SET created_ms = 0`);
  db.close();
}

async function restart() {
  selvedge = await startSelvedge({ data });
}

test("expressions that are none are refused", async () => {
  for (const cron of ["* * * *", "61 * * * *", "* * * * 8", "nonsense"])
    await assert.rejects(api(selvedge, "PUT", "/workers/scripts/cron/schedules", [{ cron }]), { status: 400 });
});

test("each due minute fires once, with its own time", async () => {
  await api(selvedge, "PUT", "/workers/scripts/cron/schedules", [{ cron: "* * * * *" }, { cron: "*/59 * * * *" }, { cron: "0 0 31 2 *" }]);
  await selvedge.stop();
  turnBack(3);
  const from = Date.now();
  await restart();
  const seen = await until("three runs", 20000, async () => {
    const rows = await runs();
    return rows.length >= 3 && rows;
  });
  for (const [cron, time] of seen) {
    assert.equal(cron, "* * * * *");
    assert.equal(Number(time) % 60000, 0);
    assert.ok(Number(time) > from - 4 * 60000 && Number(time) <= Date.now(), time);
  }
  assert.equal(new Set(seen.map(([, time]) => time)).size, seen.length);
});

test("what the gateway could not run is run after a restart", async () => {
  const minute = Math.floor(Date.now() / 60000) * 60000 - 5 * 3600000;
  await selvedge.kill();
  const db = new DatabaseSync(join(data, "control.db"), { timeout: 5000 });
  db.exec(`INSERT INTO cron_due (script, cron, scheduled_ms) VALUES ('cron', '* * * * *', ${minute}), ('gone', '* * * * *', ${minute})`);
  db.close();
  await restart();
  await until("the old run", 20000, async () => (await runs()).some(([, time]) => Number(time) === minute));
  await until("an empty table", 10000, () => {
    const db = new DatabaseSync(join(data, "control.db"), { readOnly: true, timeout: 5000 });
    const { n } = db.prepare("SELECT count(*) AS n FROM cron_due").get();
    db.close();
    return n === 0;
  });
});
