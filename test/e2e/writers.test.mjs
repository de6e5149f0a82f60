// Several isolates and the REST API write to one D1 database and one KV namespace at once: nothing is lost, nobody sees
// half of a batch, and listings go on where they were.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const WORKERS = ["one", "two", "three"], ROUNDS = 20, LANES = 3;
let s, db, kv;
const source = `
export default { async fetch(request, env) { try { return await answer(request, env); } catch (e) { return new Response(e.message, { status: 500 }); } } };
async function answer(request, { DB, KV }) {
  const url = new URL(request.url), key = url.searchParams.get("key");
  switch (url.pathname) {
    case "/d1": await DB.batch([DB.prepare("UPDATE account SET n = n + 1 WHERE id = 1"), DB.prepare("UPDATE account SET n = n - 1 WHERE id = 2"), DB.prepare("INSERT INTO log VALUES (?)").bind(key)]); break;
    case "/sum": return Response.json(await DB.prepare("SELECT sum(n) AS s FROM account").first("s"));
    case "/put": await KV.put(key, "value of " + key); return new Response(await KV.get(key));
    case "/flicker": await KV.put("flicker/" + key, "x"); await KV.delete("flicker/" + key); break;
    case "/list": {
      const names = [];
      for (let page, cursor; !page?.list_complete; cursor = page.cursor) { page = await KV.list({ limit: 7, cursor }); names.push(...page.keys.map((k) => k.name)); }
      return Response.json(names);
    }
  }
  return new Response("ok");
}`;
const rest = (sql, params) => api(s, "POST", `/d1/database/${db}/query`, { sql, params }).then((r) => r.at(-1).results);
// fn(lane name, round) for every round in every lane, all lanes at once.
const everywhere = (fn) => Promise.all([...WORKERS, "rest"].flatMap((who) => Array.from({ length: LANES }, async (_, lane) => {
  for (let i = 0; i < ROUNDS; i++) await fn(who, `${who}-${lane}-${i}`);
})));
const ok = async (worker, path) => {
  const answer = await get(s, worker, path);
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
};

before(async () => {
  s = await startSelvedge();
  db = (await api(s, "POST", "/d1/database", { name: "together" })).uuid;
  kv = (await api(s, "POST", "/storage/kv/namespaces", { title: "together" })).id;
  await rest("CREATE TABLE account(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO account VALUES (1, 0), (2, 0); CREATE TABLE log(key TEXT PRIMARY KEY)");
  for (const name of WORKERS) await deploy(s, name, source, { bindings: [{ type: "d1", name: "DB", id: db }, { type: "kv_namespace", name: "KV", namespace_id: kv }] });
});
after(() => s?.stop());

test("D1: batches of isolates and of REST clients are whole, and all there", async () => {
  await everywhere(async (who, key) => {
    if (who === "rest") await rest("UPDATE account SET n = n + 1 WHERE id = 1; UPDATE account SET n = n - 1 WHERE id = 2; INSERT INTO log VALUES (?)", [key]);
    else await ok(who, `/d1?key=${key}`);
    assert.equal(await ok(WORKERS[key.length % WORKERS.length], "/sum"), "0");
  });
  const all = (WORKERS.length + 1) * LANES * ROUNDS;
  assert.deepEqual(await rest("SELECT n FROM account ORDER BY id"), [{ n: all }, { n: -all }]);
  assert.deepEqual(await rest("SELECT count(*) AS n FROM log"), [{ n: all }]);
  assert.deepEqual(await rest("PRAGMA quick_check"), [{ quick_check: "ok" }]);
});

test("KV: what was put is there for everybody at once, and listings miss nothing that stayed", async () => {
  const stable = Array.from({ length: 40 }, (_, i) => `e${i}`).concat(Array.from({ length: 40 }, (_, i) => `g${i}`)).sort();
  await api(s, "PUT", `/storage/kv/namespaces/${kv}/bulk`, stable.map((key) => ({ key, value: "v" })));
  await everywhere(async (who, key) => {
    if (who === "rest") {
      const names = (await api(s, "GET", `/storage/kv/namespaces/${kv}/keys`)).map((k) => k.name);
      assert.deepEqual(names.filter((n) => /^[eg]\d/.test(n)), stable);
      return;
    }
    assert.equal(await ok(who, `/put?key=put/${key}`), `value of put/${key}`);
    await ok(who, `/flicker?key=${key}`);
    const names = JSON.parse(await ok(who, "/list"));
    assert.deepEqual(names.filter((n) => /^[eg]\d/.test(n)), stable);
    assert.equal(new Set(names).size, names.length);
  });
  const names = JSON.parse(await ok("one", "/list"));
  assert.equal(names.filter((n) => n.startsWith("put/")).length, WORKERS.length * LANES * ROUNDS);
  assert.equal(names.filter((n) => n.startsWith("flicker/")).length, 0);
});
