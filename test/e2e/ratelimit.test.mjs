// The rate limiting binding: from wrangler's configuration to counts that Workers share.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let selvedge;
before(async () => { selvedge = await startSelvedge(); });
after(() => selvedge.stop());

const source = `export default { async fetch(request, env) {
  const { success } = await env.RATE.limit({ key: new URL(request.url).pathname });
  return new Response(String(success), { status: success ? 200 : 429 });
} };`;
const rate = (namespace_id, limit, period) => ({ bindings: [{ name: "RATE", type: "ratelimit", namespace_id, simple: { limit, period } }] });
const ask = async (name, path) => (await get(selvedge, name, path)).status;

// The window must not change between the requests.
async function inOneWindow(seconds, fn) {
  for (;;) {
    const epoch = Math.floor(Date.now() / (seconds * 1000));
    const value = await fn();
    if (Math.floor(Date.now() / (seconds * 1000)) === epoch) return value;
  }
}

test("deployed by wrangler", async () => {
  const p = project({ name: "limited", main: "index.js", ratelimits: [{ name: "RATE", namespace_id: "7", simple: { limit: 2, period: 60 } }] }, { "index.js": source });
  try {
    const { stdout } = await selvedge.wrangler(["deploy"], p.dir);
    assert.match(stdout, /RATE/);
  } finally {
    p.remove();
  }
  let n = 0;
  const seen = await inOneWindow(60, async () => {
    const path = `/w${n++}`;
    return [await ask("limited", path), await ask("limited", path), await ask("limited", path)];
  });
  assert.deepEqual(seen, [200, 200, 429]);
});

test("Workers with one namespace share its counts, a window ends", async () => {
  for (const name of ["one", "two"]) await deploy(selvedge, name, source, rate("8", 2, 10));
  await deploy(selvedge, "three", source, rate("9", 2, 10));
  let n = 0;
  const seen = await inOneWindow(10, async () => {
    const path = `/s${n++}`;
    return [await ask("one", path), await ask("two", path), await ask("one", path), await ask("two", path), await ask("three", path)];
  });
  assert.deepEqual(seen, [200, 200, 429, 429, 200]);
  await until("the next window", 15000, async () => (await ask("one", `/s${n - 1}`)) === 200);
});

test("what cannot be counted is refused", async () => {
  for (const binding of [rate("1", 5, 30), rate("1", -1, 60), rate("", 5, 60), rate("1", "x", 10)])
    await assert.rejects(deploy(selvedge, "bad", source, binding), { status: 400 });
});
