// Workers by the real wrangler: every form of upload, versions, rollback, secrets, tail, delete.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const addWasm = Buffer.from("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b", "hex");
const moduleWorker = `
import text from "./a.txt";
import data from "./b.bin";
import wasm from "./add.wasm";
export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    console.log("path", path);
    if (path === "/throw") throw new Error("boom");
    const { add } = new WebAssembly.Instance(wasm).exports;
    return Response.json({ v: env.V, secret: env.S ?? null, text, bytes: [...new Uint8Array(data)], sum: add(2, 3), version: env.VM.id });
  },
};`;

let s;
const projects = [];
const make = (config, files) => (projects.push(project(config, files)), projects.at(-1));
const text = (r) => r.stdout + r.stderr;
const versionIn = (output) => output.match(/Version ID: ([0-9a-f-]{36})/)[1];
const json = async (name, path = "/") => JSON.parse((await get(s, name, path)).text);
// A deploy is acknowledged before the gateway has the new table; it takes a moment.
const answers = (name, check, path) => until(`${name} answers`, 5000, async () => {
  const value = await json(name, path).catch(() => null);
  return value && check(value) ? value : null;
});

before(async () => {
  s = await startSelvedge();
});
after(async () => {
  await s?.stop();
  for (const p of projects) p.remove();
});

test("whoami", async () => {
  assert.match(text(await s.wrangler(["whoami"])), new RegExp(s.account));
});

test("deploy, redeploy, versions, rollback, secrets, delete", async (t) => {
  const config = { name: "full", main: "index.js", vars: { V: "one" }, version_metadata: { binding: "VM" }, rules: [{ type: "Data", globs: ["**/*.bin"], fallthrough: true }], triggers: { crons: ["*/5 * * * *"] } };
  const p = make(config, { "index.js": moduleWorker, "a.txt": "text!", "b.bin": Buffer.from([1, 2, 3]), "add.wasm": addWasm });
  const w = (args, more) => s.wrangler(args, p.dir, more).then(text);
  let first;

  await t.test("first deploy with text, data and wasm modules", async () => {
    first = versionIn(await w(["deploy"]));
    assert.deepEqual(await answers("full", (v) => v.version === first), { v: "one", secret: null, text: "text!", bytes: [1, 2, 3], sum: 5, version: first });
    const schedules = await api(s, "GET", "/workers/scripts/full/schedules");
    assert.deepEqual(schedules.schedules.map((c) => c.cron), ["*/5 * * * *"]);
  });
  await t.test("secrets: put, bulk, list, delete", async () => {
    await w(["secret", "put", "S"], { input: "hush\n" });
    await answers("full", (v) => v.secret === "hush");
    p.write("secrets.json", '{"S2":"two","S3":"three"}');
    await w(["secret", "bulk", "secrets.json"]);
    await w(["secret", "delete", "S2"]);
    assert.deepEqual(JSON.parse((await s.wrangler(["secret", "list"], p.dir)).stdout).map((b) => b.name).sort(), ["S", "S3"]);
  });
  await t.test("a redeploy keeps secrets and changes vars", async () => {
    const second = versionIn(await w(["deploy", "--var", "V:two", "--message", "second", "--tag", "t2"]));
    const now = await answers("full", (v) => v.version === second);
    assert.equal(now.v, "two");
    assert.equal(now.secret, "hush");
    assert.match(await w(["versions", "view", second]), /t2/);
  });
  await t.test("versions upload does not deploy; versions deploy does", async () => {
    const before = (await json("full")).version;
    const uploaded = versionIn(await w(["versions", "upload", "--message", "third"]));
    assert.equal((await json("full")).version, before);
    await w(["versions", "deploy", `${uploaded}@100`, "-y"]);
    await answers("full", (v) => v.version === uploaded);
    assert.match(await w(["versions", "list"]), /third/);
    assert.match(await w(["deployments", "status"]), new RegExp(uploaded));
    await w(["versions", "deploy", `${uploaded}@60`, `${before}@40`, "-y"]);
    assert.match(await w(["deployments", "list"]), /\(40%\)/);
  });
  await t.test("a version that is not deployed answers under its preview and its alias", async () => {
    const now = (await json("full")).version;
    const said = await w(["versions", "upload", "--var", "V:preview", "--preview-alias", "staging"]);
    const version = versionIn(said);
    assert.match(said, new RegExp(`Preview URL: https://${version.slice(0, 8)}-full\\.`));
    assert.match(said, /Alias URL: https:\/\/staging-full\./);
    for (const label of [version.slice(0, 8), "staging"]) {
      const { text: body } = await get(s, `${label}-full`);
      assert.equal(JSON.parse(body).version, version);
      assert.equal(JSON.parse(body).v, "preview");
    }
    assert.equal((await get(s, "nothing-full")).status, 404);
    assert.equal((await json("full")).version, now);
  });
  await t.test("rollback", async () => {
    await w(["rollback", first, "-y", "-m", "back"]);
    assert.equal((await answers("full", (v) => v.version === first)).v, "one");
  });
  await t.test("a bad script is refused with its own error and changes nothing", async () => {
    p.write("index.js", 'throw new Error("at the start"); export default {};');
    assert.match(text(await s.wrangler(["deploy"], p.dir, { fails: true })), /at the start[^]*10021/);
    p.write("index.js", "export default { fetch() { return new Response(1) ");
    await s.wrangler(["deploy", "--no-bundle"], p.dir, { fails: true });
    assert.equal((await json("full")).version, first);
  });
  await t.test("tail shows logs and exceptions", async () => {
    for (const format of ["json", "pretty"]) {
      const tail = s.wranglerSpawn(["tail", "full", "--format", format], p.dir);
      let out = "";
      for (const stream of [tail.stdout, tail.stderr]) stream.on("data", (chunk) => (out += chunk));
      const pattern = format === "json" ? /"boom"/ : /Error: boom/;
      await until("tail shows the exception", 15_000, async () => (await get(s, "full", "/throw"), pattern.test(out)));
      assert.match(out, /path/);
      tail.kill("SIGINT");
      await new Promise((resolve) => tail.once("exit", resolve));
    }
  });
  await t.test("delete", async () => {
    await w(["delete", "--force"]);
    await until("it is gone", 5000, async () => (await get(s, "full")).status === 404);
    await assert.rejects(api(s, "GET", "/workers/scripts/full/settings"), { status: 404 });
  });
});

test("service-worker format", async () => {
  const p = make({ name: "old", main: "index.js", compatibility_date: "2025-09-01" }, { "index.js": 'addEventListener("fetch", (event) => event.respondWith(new Response(JSON.stringify({ old: V }))));' });
  p.config({ name: "old", main: "index.js", vars: { V: "x" } });
  await s.wrangler(["deploy"], p.dir);
  assert.deepEqual(await answers("old", (v) => v.old), { old: "x" });
});

test("static assets: with a Worker, alone, changed", async () => {
  const p = make({ name: "site", assets: { directory: "public" } }, { "public/index.html": "<h1>hi</h1>", "public/ä b.txt": "text", "public/_headers": "/*\n  X-Test: yes\n" });
  await s.wrangler(["deploy"], p.dir);
  const page = await until("the page", 5000, async () => { const r = await get(s, "site"); return r.status === 200 ? r : null; });
  assert.equal(page.text, "<h1>hi</h1>");
  assert.equal(page.headers["x-test"], "yes");
  assert.equal((await get(s, "site", encodeURI("/ä b.txt"))).text, "text");
  p.write("public/new.css", "b{}");
  await s.wrangler(["deploy"], p.dir);
  await until("the new file", 5000, async () => (await get(s, "site", "/new.css")).text === "b{}");
  assert.equal((await get(s, "site")).text, "<h1>hi</h1>");
});
