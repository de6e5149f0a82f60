// Workers for Platforms: dispatch namespaces, their Workers, outbound Workers, by the real wrangler and the REST API.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { api } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s, world;
const made = [];
const make = (config, files) => {
  const p = project(config, files);
  made.push(p);
  return p;
};
const says = (text) => `
import { WorkerEntrypoint } from "cloudflare:workers";
import { connect } from "cloudflare:sockets";
export default class extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/world") return fetch(searchParams.get("url"), { headers: { "x-from": "${text}" } });
    if (pathname === "/put") return caches.default.put("http://cached.example/", new Response("${text}'s", { headers: { "cache-control": "max-age=60" } })), new Response("put");
    if (pathname === "/match") return new Response(await (await caches.default.match("http://cached.example/"))?.text() ?? "nothing");
    if (pathname === "/socket") { try { const socket = connect(searchParams.get("url")); await socket.opened; return new Response("open"); } catch (error) { return new Response(String(error)); } }
    if (pathname === "/spin") for (;;);
    if (pathname === "/fetches") { for (let i = 0; i < 2; i++) await fetch(searchParams.get("url")); return new Response("both"); }
    if (pathname === "/throw") throw new RangeError("by ${text}");
    return Response.json({ text: "${text}", path: pathname, secret: this.env.SECRET, cf: request.cf === undefined, props: this.ctx.props });
  }
  add(a, b) { return a + b; }
}`;

before(async () => {
  s = await startSelvedge({ settings: { "egress.allow_private": true } });
  world = createServer((request, response) => response.end(`the world, from ${request.headers["x-from"]}`)).listen(0, "127.0.0.1");
  await new Promise((done) => world.once("listening", done));
});
after(async () => {
  world?.close();
  for (const p of made) p.remove?.();
  await s?.stop();
});

test("namespaces by wrangler", async () => {
  const p = make({ name: "none", main: "index.js", compatibility_date: "2026-01-01" }, { "index.js": "" });
  const w = async (args) => (await s.wrangler(args, p.dir)).stdout;
  assert.match(await w(["dispatch-namespace", "create", "staging"]), /Created dispatch namespace "staging"/);
  await w(["dispatch-namespace", "rename", "staging", "production"]);
  assert.match(await w(["dispatch-namespace", "list"]), /production/);
  assert.match(await w(["dispatch-namespace", "get", "production"]), /namespace_id/);
  await w(["dispatch-namespace", "create", "spare"]);
  await w(["dispatch-namespace", "delete", "spare"]);
  await assert.rejects(api(s, "GET", "/workers/dispatch/namespaces/spare"), { status: 404 });
  await assert.rejects(api(s, "POST", "/workers/dispatch/namespaces", { name: "production" }), /already/);
});

test("user Workers: deployed by wrangler, called by name, with an outbound Worker", async () => {
  for (const name of ["alice", "bob"]) {
    const p = make({ name, main: "index.js", compatibility_date: "2026-01-01" }, { "index.js": says(name) });
    await s.wrangler(["deploy", "--dispatch-namespace", "production"], p.dir);
  }
  await api(s, "PUT", "/workers/dispatch/namespaces/production/scripts/alice/secrets", { name: "SECRET", text: "hush", type: "secret_text" });
  const listed = await api(s, "GET", "/workers/dispatch/namespaces/production/scripts");
  assert.deepEqual(listed.map((one) => [one.dispatch_namespace, one.script.id]), [["production", "alice"], ["production", "bob"]]);
  assert.equal((await get(s, "alice")).status, 404); // no route leads there
  assert.deepEqual((await api(s, "GET", "/workers/scripts")).map((one) => one.id), []);

  const out = make({ name: "out", main: "index.js", compatibility_date: "2026-01-01" }, {
    "index.js": `export default { async fetch(request, env) {
      if (env.customer === "blocked") return new Response("blocked", { status: 403 });
      const answer = await fetch(request);
      return new Response(\`\${env.customer} (\${env.extra ?? "no extra"}): \${await answer.text()}\`);
    } }`,
  });
  await s.wrangler(["deploy"], out.dir);
  const main = make({
    name: "dispatcher", main: "index.js", compatibility_date: "2026-01-01",
    dispatch_namespaces: [
      { binding: "D", namespace: "production", outbound: { service: "out", parameters: ["customer"] } },
      { binding: "OPEN", namespace: "production" },
    ],
  }, {
    "index.js": `export default { async fetch(request, env) {
      const url = new URL(request.url);
      const [, kind, name, ...rest] = url.pathname.split("/");
      url.pathname = "/" + rest.join("/");
      const inner = new Request(url, request);
      try {
        switch (kind) {
          case "open": return await env.OPEN.get(name, { from: "dispatcher" }).fetch(inner);
          case "limited": return await env.OPEN.get(name, {}, { limits: { cpuMs: 50, subRequests: 1 } }).fetch(inner);
          case "rpc": return Response.json(await env.OPEN.get(name).add(20, 22));
          case "missing": return Response.json(env.OPEN.get(name) !== undefined && (await env.OPEN.get(name).fetch(inner)).status);
          default: return await env.D.get(name, {}, { outbound: { customer: url.searchParams.get("customer"), extra: "undeclared" } }).fetch(inner);
        }
      } catch (error) { return new Response(String(error), { status: 500 }); }
    } }`,
  });
  await s.wrangler(["deploy"], main.dir);
  const ask = (path) => get(s, "dispatcher", path);
  const url = encodeURIComponent(`http://127.0.0.1:${world.address().port}/`);

  const alice = JSON.parse((await ask("/open/alice/x/y")).text);
  assert.deepEqual(alice, { text: "alice", path: "/x/y", secret: "hush", cf: true, props: { from: "dispatcher" } });
  assert.equal((await ask("/rpc/bob")).text, "42");
  assert.equal((await ask("/missing/nobody")).text, "Error: Worker not found.");
  assert.match((await ask("/open/bob/throw")).text, /RangeError: by bob/);
  const socket = encodeURIComponent(`127.0.0.1:${world.address().port}`);
  assert.equal((await ask(`/open/alice/socket?url=${socket}`)).text, "open");
  assert.equal((await ask(`/open/bob/fetches?url=${url}`)).text, "both");
  assert.match((await ask(`/limited/bob/fetches?url=${url}`)).text, /Too many subrequests/);
  const began = Date.now();
  assert.match((await ask("/limited/bob/spin")).text, /exceeded its CPU/);
  assert.ok(Date.now() - began < 5000); // its version has 30 s
  assert.equal((await ask(`/open/bob/world?url=${url}`)).text, "the world, from bob");
  assert.equal((await ask(`/out/bob/world?url=${url}&customer=bob`)).text, "bob (no extra): the world, from bob");
  assert.equal((await ask(`/out/alice/world?url=${url}&customer=blocked`)).status, 403);
  assert.match((await ask(`/out/alice/socket?url=${socket}`)).text, /cannot connect/); // its outbound Worker answers fetches alone

  await ask("/open/alice/put"); // Workers that are not trusted have caches of their own
  await until("the entry is stored", 3000, async () => (await ask("/open/alice/match")).text === "alice's");
  assert.equal((await ask("/open/bob/match")).text, "nothing");

  await api(s, "PUT", "/workers/dispatch/namespaces/production", { trusted_workers: true });
  await until("its Workers are trusted", 3000, async () => JSON.parse((await ask("/open/alice/")).text).cf === false);
  await api(s, "DELETE", "/workers/dispatch/namespaces/production/scripts/bob");
  await assert.rejects(api(s, "GET", "/workers/dispatch/namespaces/production/scripts/bob"), /10092/);
  assert.equal((await ask("/open/bob")).text, "Error: Worker not found.");
});
