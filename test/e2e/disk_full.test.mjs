// A full disk under KV, D1 and Durable Objects: it is said, nothing acknowledged is lost, and writing goes on once there is room.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const WORKER = `
import { DurableObject } from "cloudflare:workers";
export class Thing extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url), body = await request.text();
    if (request.method === "PUT") await this.ctx.storage.put(pathname, body);
    return new Response((await this.ctx.storage.get(pathname)) ?? "none");
  }
}
export default {
  async fetch(request, env) {
    const url = new URL(request.url), [, kind, key] = url.pathname.split("/");
    try {
      if (kind === "kv") {
        if (request.method === "PUT") await env.KV.put(key, await request.text());
        return new Response((await env.KV.get(key)) ?? "none");
      }
      if (kind === "d1") {
        if (request.method === "PUT") await env.DB.prepare("INSERT OR REPLACE INTO t VALUES (?, ?)").bind(key, await request.text()).run();
        return new Response((await env.DB.prepare("SELECT v FROM t WHERE k = ?").bind(key).first("v")) ?? "none");
      }
      return await env.THINGS.getByName("one").fetch("http://o/" + key, { method: request.method, body: request.method === "PUT" ? await request.text() : undefined });
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};`;
const KINDS = ["kv", "d1", "do"];
const valueOf = (kind, i) => `${kind} ${i} `.repeat(1500);

/** Takes all room that is left, and says how to give it back. */
function fill(folder) {
  const path = join(folder, "filler"), fd = openSync(path, "w"), block = Buffer.alloc(4096, 1);
  try {
    for (;;) writeSync(fd, block);
  } catch (error) {
    assert.equal(error.code, "ENOSPC");
  }
  closeSync(fd);
  return () => rmSync(path);
}

async function prepare(s) {
  const kv = await api(s, "POST", "/storage/kv/namespaces", { title: "full" });
  const d1 = await api(s, "POST", "/d1/database", { name: "full" });
  await api(s, "POST", `/d1/database/${d1.uuid}/query`, { sql: "CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT)" });
  await deploy(s, "full", WORKER, {
    bindings: [{ name: "KV", type: "kv_namespace", namespace_id: kv.id }, { name: "DB", type: "d1", id: d1.uuid }, { name: "THINGS", type: "durable_object_namespace", class_name: "Thing" }],
    migrations: { new_tag: "v1", new_sqlite_classes: ["Thing"] },
  });
  await api(s, "POST", "/workers/scripts/full/subdomain", { enabled: true });
}

const clientOf = (s) => (kind, key, value) =>
  get(s, "full", `/${kind}/${key}`, value === undefined ? {} : { method: "PUT", body: value }).catch((error) => ({ status: 599, text: String(error) }));

/** Writes until each product has refused `times` writes or taken `most`; what was acknowledged goes into `kept`. */
async function write(ask, kept, { from, most, times }) {
  const errors = {};
  for (const kind of KINDS) {
    errors[kind] = [];
    for (let i = from; i < from + most && errors[kind].length < times; i++) {
      const { status, text } = await ask(kind, `k${i}`, valueOf(kind, i));
      if (status === 200) kept.push([kind, i]);
      else errors[kind].push(text);
    }
  }
  return errors;
}

async function verify(ask, kept) {
  for (const [kind, i] of kept) {
    const read = await until(`${kind} answers`, 20_000, async () => ((await ask(kind, `k${i}`)).status === 200 ? ask(kind, `k${i}`) : null));
    assert.equal(read.text, valueOf(kind, i), `${kind} ${i}`);
  }
}

test("KV, D1 and objects on a full disk", { skip: process.getuid() !== 0 && "needs root for a small file system" }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), "selvedge-full-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "none", data], { stdio: "pipe" });
  } catch {
    rmSync(data, { recursive: true, force: true });
    t.skip("no file system can be mounted here");
    return;
  }
  let s = null;
  try {
    s = await startSelvedge({ data });
    await prepare(s);
    let ask = clientOf(s);
    const kept = [];
    assert.deepEqual(await write(ask, kept, { from: 0, most: 5, times: 1 }), { kv: [], d1: [], do: [] });
    for (let round = 1; round <= 2; round++) {
      const free = fill(data);
      const errors = await write(ask, kept, { from: round * 10_000, most: 1500, times: 3 });
      for (const kind of KINDS) {
        assert.ok(errors[kind].length > 0, `${kind} was never refused`);
        for (const text of errors[kind]) assert.match(text, /no space|No space|SQLITE_FULL|full|reset/i, `${kind}: ${text}`);
      }
      // Reading goes on; an object that was reset has to write before it can open again.
      await verify(ask, kept.filter(([kind]) => kind !== "do").slice(-20));
      free();
      for (const kind of KINDS) await until(`${kind} takes writes again`, 20_000, async () => {
        const { status } = await ask(kind, `again${round}`, "x");
        return status === 200;
      });
    }
    await verify(ask, kept);
    await s.kill("SIGKILL");
    s = await startSelvedge({ data });
    ask = clientOf(s);
    await verify(ask, kept);
  } finally {
    await s?.stop();
    execFileSync("umount", ["-l", data]);
    rmSync(data, { recursive: true, force: true });
  }
});
