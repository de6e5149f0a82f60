// Tail Workers: what a Worker did arrives in the tail() handler of its consumers, and nothing of theirs comes back to it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
before(async () => (s = await startSelvedge()));
after(() => s?.stop());

const consumer = `export default {
  async fetch(request, env) { return Response.json(JSON.parse((await env.KV.get("items")) ?? "[]")); },
  async tail(items, env, ctx) {
    const before = JSON.parse((await env.KV.get("items")) ?? "[]");
    await env.KV.put("items", JSON.stringify([...before, ...items.map((item) => ({ ...item, kind: item.constructor.name }))]));
    if (items.some((item) => item.logs.some((log) => log.message[0] === "bad"))) throw new Error("the consumer fails");
  },
}`;
const producer = `export default {
  fetch(request) {
    console.log("seen", { path: new URL(request.url).pathname });
    if (request.url.endsWith("/throw")) throw new TypeError("thrown");
    if (request.url.endsWith("/bad")) console.log("bad");
    return new Response("ok", { status: 201 });
  },
  scheduled() {},
}`;

test("tail_consumers of wrangler", async () => {
  const kv = await api(s, "POST", "/storage/kv/namespaces", { title: "items" });
  await deploy(s, "consumer", consumer, { bindings: [{ name: "KV", type: "kv_namespace", namespace_id: kv.id }] });
  const p = project({ name: "producer", main: "index.js", tail_consumers: [{ service: "consumer" }] }, { "index.js": producer });
  try {
    await s.wrangler(["deploy"], p.dir);
  } finally {
    p.remove();
  }
  const items = async (n) => {
    let list;
    await until(`${n} items`, 5000, async () => (list = JSON.parse((await get(s, "consumer")).text)).length >= n);
    return list;
  };
  assert.equal((await get(s, "producer", "/one", { headers: { authorization: "Bearer x" } })).status, 201);
  const [one] = await items(1);
  assert.equal(one.kind, "TraceItem");
  assert.equal(one.scriptName, "producer");
  assert.match(one.scriptVersion.id, /^[0-9a-f-]{36}$/);
  assert.equal(one.outcome, "ok");
  assert.deepEqual(one.logs.map((log) => [log.level, log.message]), [["log", ["seen", { path: "/one" }]]]);
  assert.equal(one.event.request.method, "GET");
  assert.match(one.event.request.url, /\/one$/);
  assert.equal(one.event.request.headers.authorization, "REDACTED");
  assert.equal(one.event.response.status, 201);

  await get(s, "producer", "/throw");
  const two = (await items(2))[1];
  assert.equal(two.outcome, "exception");
  assert.deepEqual([two.exceptions[0].name, two.exceptions[0].message], ["TypeError", "thrown"]);

  await get(s, "producer", "/bad");
  await items(3); // the consumer throws: the producer does not notice
  assert.equal((await get(s, "producer", "/four")).status, 201);
  assert.equal((await items(4)).length, 4);

  await api(s, "PATCH", "/workers/scripts/producer/script-settings", { tail_consumers: [] });
  await until("nobody listens", 3000, async () => {
    const n = (await items(4)).length;
    await get(s, "producer", "/more");
    await new Promise((done) => setTimeout(done, 300));
    return (await items(4)).length === n;
  });
});
