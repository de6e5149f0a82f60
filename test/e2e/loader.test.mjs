// Worker Loader: a Worker, deployed by the real wrangler, that brings others; each in a process of its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { get } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s, p;
const code = `
import { WorkerEntrypoint } from "cloudflare:workers";

export class Notes extends WorkerEntrypoint {
  async save(text) { await this.env.KV.put(this.ctx.props.user, text); return "saved for " + this.ctx.props.user; }
}

const tool = (name) => \`
  let calls = 0;
  export default { async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/spin") for (;;);
    if (pathname === "/world") return fetch("http://example.com/");
    if (pathname === "/keys") return Response.json(Object.keys(env));
    return new Response(["\${name}", ++calls, await env.notes.save("by \${name}")].join(" "));
  } }\`;

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url), id = searchParams.get("id");
    if (pathname === "/note") return new Response(await env.KV.get(id));
    const worker = env.LOADER.get(id, async () => ({
      compatibilityDate: "2026-01-01", mainModule: "main.js", modules: { "main.js": tool(id) },
      env: { notes: ctx.exports.Notes({ props: { user: id } }) }, globalOutbound: null,
    }));
    try {
      return await worker.getEntrypoint(undefined, { limits: { cpuMs: 50 } }).fetch(new Request("http://tool" + pathname));
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};
`;
const text = async (path) => (await get(s, "tools", path)).text;

before(async () => {
  s = await startSelvedge();
  p = project({ name: "kv" });
  const id = (await s.wrangler(["kv", "namespace", "create", "notes"], p.dir)).stdout.match(/"id": "(\w{32})"/)[1];
  p.remove();
  p = project({ name: "tools", main: "index.js", compatibility_date: "2026-01-01", worker_loaders: [{ binding: "LOADER" }], kv_namespaces: [{ binding: "KV", id }] }, { "index.js": code });
  await s.wrangler(["deploy"], p.dir);
});
after(async () => {
  p?.remove();
  await s?.stop();
});

test("a dynamic Worker is loaded once for an id, and reaches what it was given", async () => {
  assert.equal(await text("/?id=a"), "a 1 saved for a");
  assert.equal(await text("/?id=a"), "a 2 saved for a");
  assert.equal(await text("/?id=b"), "b 1 saved for b");
  assert.equal(await text("/note?id=a"), "by a");
  assert.equal(await text("/keys?id=a"), '["notes"]');
});

test("it has no world when it was given none", async () => {
  assert.match(await text("/world?id=a"), /This worker is not permitted to access the internet/);
});

test("one that spins is ended, the others and who brought it go on", async () => {
  assert.match(await text("/spin?id=c"), /CPU time/);
  assert.equal(await text("/?id=a"), "a 3 saved for a");
  assert.match(await text("/?id=c"), /^c \d saved for c$/);
});

test("a new deployment goes on without the old one's Workers", async () => {
  await s.wrangler(["deploy"], p.dir);
  assert.equal(await text("/?id=a"), "a 1 saved for a");
});
