// The gateway's cache: fetch with cf options against an origin that counts, what survives restarts and damage, purging, limits.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const data = mkdtempSync(join(tmpdir(), "selvedge-cache-"));
const settings = { "egress.allow_private": true, "cache.object_max": 4_000_000, "cache.disk_max": 12_000_000, "cache.memory_max": 400_000 };
let selvedge, origin, base;
const seen = []; // {path, headers}
const answers = new Map(); // path → (request, response)

const source = `
const U = "https://persist.example/";
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const q = url.searchParams;
    if (url.pathname === "/fetch") {
      const init = JSON.parse(q.get("init") ?? "{}");
      const r = await fetch(q.get("url"), init);
      return new Response(r.body, { status: r.status, headers: { "x-cache": r.headers.get("cf-cache-status") ?? "none", "x-age": r.headers.get("age") ?? "none", "x-range": r.headers.get("content-range") ?? "none", "x-etag": r.headers.get("etag") ?? "none", "x-cookie": r.headers.get("set-cookie") ?? "none", "x-version": r.headers.get("x-version") ?? "none" } });
    }
    if (url.pathname === "/put") {
      const size = Number(q.get("size") ?? 10);
      await caches.default.put(U + q.get("key"), new Response(new Uint8Array(size).fill(65), { headers: { "cache-control": "max-age=1000", "cache-tag": q.get("tag") ?? "" } }));
      return new Response("ok");
    }
    if (url.pathname === "/pump") { // without a byte in script
      const r = await fetch(q.get("url"));
      await caches.default.put(U + q.get("key"), new Response(r.body, { headers: { "cache-control": "max-age=1000" } }));
      return new Response("ok");
    }
    if (url.pathname === "/match") return (await caches.default.match(U + q.get("key"))) ?? new Response("none", { status: 404 });
    if (url.pathname === "/broken") {
      let n = 0;
      const body = new ReadableStream({ pull(c) { if (n++ === 3) c.error(new Error("broke")); else c.enqueue(new Uint8Array(100000)); } });
      try { await caches.default.put(U + "broken", new Response(body, { headers: { "cache-control": "max-age=1000" } })); return new Response("stored"); } catch (e) { return new Response(e.message); }
    }
    if (url.pathname === "/short") {
      try { await caches.default.put(U + "short", new Response(new Uint8Array(5), { headers: { "cache-control": "max-age=1000", "content-length": "10" } })); } catch (e) { return new Response(e.message); }
      return new Response("ok");
    }
    return new Response("?");
  },
};`;

before(async () => {
  origin = createServer((request, response) => {
    seen.push({ path: request.url, method: request.method, headers: request.headers });
    answers.get(request.url.split("?")[0])(request, response);
  });
  await new Promise((resolve) => origin.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${origin.address().port}`;
  await restart();
  await deploy(selvedge, "cache", source, { compatibility_date: "2026-07-01" });
});
after(async () => {
  await selvedge.stop();
  origin.close();
  rmSync(data, { recursive: true, force: true });
});

async function restart(more) {
  selvedge = await startSelvedge({ data, settings: { ...settings, ...more } });
}
const count = (path) => seen.filter((r) => r.path === path).length;
const answer = (path, fn) => answers.set(path, fn);
const ask = async (path, init) => {
  const r = await get(selvedge, "cache", `/fetch?url=${encodeURIComponent(base + path)}&init=${encodeURIComponent(JSON.stringify(init ?? {}))}`);
  return { status: r.status, text: r.text, cache: r.headers["x-cache"], age: r.headers["x-age"], range: r.headers["x-range"], etag: r.headers["x-etag"], cookie: r.headers["x-cookie"], version: r.headers["x-version"] };
};
const files = () => readdirSync(join(data, "cache"), { recursive: true }).filter((name) => name.includes("/")).map((name) => join(data, "cache", name));

test("without options nothing is kept", async () => {
  answer("/plain", (q, r) => r.setHeader("cache-control", "max-age=100").end("plain"));
  assert.deepEqual([(await ask("/plain")).cache, (await ask("/plain")).cache], ["none", "none"]);
  assert.equal(count("/plain"), 2);
});

test("cacheTtl keeps whatever the headers say, without cookies", async () => {
  answer("/ttl", (q, r) => r.setHeader("cache-control", "no-store").setHeader("set-cookie", "a=b").end("ttl"));
  const cf = { cacheTtl: 100 };
  const first = await ask("/ttl", { cf }), second = await ask("/ttl", { cf });
  assert.deepEqual([first.cache, first.text, first.cookie], ["MISS", "ttl", "a=b"]);
  assert.deepEqual([second.cache, second.text, second.cookie, second.age], ["HIT", "ttl", "none", "0"]);
  assert.equal(count("/ttl"), 1);
});

test("cacheEverything obeys Cache-Control", async () => {
  for (const [path, header, status] of [["/e1", "max-age=100", "HIT"], ["/e2", "no-store", "DYNAMIC"], ["/e3", "private", "DYNAMIC"], ["/e4", "s-maxage=100, max-age=0", "HIT"], ["/e5", "max-age=0", "DYNAMIC"]]) {
    answer(path, (q, r) => r.setHeader("cache-control", header).end("x"));
    await ask(path, { cf: { cacheEverything: true } });
    assert.equal((await ask(path, { cf: { cacheEverything: true } })).cache, status, header);
  }
});

test("cacheKey, cacheTtlByStatus", async () => {
  answer("/key", (q, r) => r.end(q.url));
  await ask("/key?a", { cf: { cacheTtl: 60, cacheKey: "mine" } });
  assert.equal((await ask("/key?b", { cf: { cacheTtl: 60, cacheKey: "mine" } })).text, "/key?a");
  answer("/by", (q, r) => r.writeHead(q.url.endsWith("e") ? 500 : 404).end("x"));
  const cf = { cacheTtlByStatus: { "200-299": 100, 404: 100, "500-599": -1 } };
  await ask("/by", { cf });
  assert.deepEqual([(await ask("/by", { cf })).cache, (await ask("/by", { cf })).status], ["HIT", 404]);
  await ask("/by?e", { cf });
  assert.equal((await ask("/by?e", { cf })).cache, "DYNAMIC");
});

test("ranges, conditions and HEAD are answered from the whole", async () => {
  answer("/whole", (q, r) => r.setHeader("etag", '"v1"').setHeader("cache-control", "max-age=100").end("0123456789"));
  const cf = { cacheEverything: true };
  const part = await ask("/whole", { cf, headers: { range: "bytes=2-4" } });
  assert.deepEqual([part.status, part.text, part.range, part.cache], [206, "234", "bytes 2-4/10", "MISS"]);
  assert.equal(seen.at(-1).headers.range, undefined);
  const tail = await ask("/whole", { cf, headers: { range: "bytes=-3" } });
  assert.deepEqual([tail.status, tail.text, tail.cache], [206, "789", "HIT"]);
  assert.equal((await ask("/whole", { cf, headers: { range: "bytes=20-" } })).status, 416);
  assert.equal((await ask("/whole", { cf, headers: { "if-none-match": '"v1"' } })).status, 304);
  const head = await ask("/whole", { cf, method: "HEAD" });
  assert.deepEqual([head.status, head.cache, head.text], [200, "HIT", ""]);
  assert.equal(count("/whole"), 1);
});

test("Vary keeps variants apart", async () => {
  answer("/vary", (q, r) => r.setHeader("vary", "x-lang").setHeader("cache-control", "max-age=100").end(q.headers["x-lang"] ?? "none"));
  const cf = { cacheEverything: true };
  for (const lang of ["de", "en", "de", "en"]) assert.equal((await ask("/vary", { cf, headers: { "x-lang": lang } })).text, lang);
  assert.equal((await ask("/vary", { cf })).text, "none");
  assert.equal(count("/vary"), 3);
});

test("a stale response is asked for again by its validator", async () => {
  let version = 1;
  answer("/renew", (q, r) => {
    r.setHeader("etag", `"v${version}"`).setHeader("cache-control", "max-age=0").setHeader("x-version", `${seen.length}`);
    if (q.headers["if-none-match"] === `"v${version}"`) r.writeHead(304).end();
    else r.end(`body ${version}`);
  });
  const cf = { cacheEverything: true };
  assert.equal((await ask("/renew", { cf })).cache, "MISS");
  const again = await ask("/renew", { cf });
  assert.deepEqual([again.cache, again.text, again.status], ["REVALIDATED", "body 1", 200]);
  assert.equal(again.version, `${seen.length}`);
  version = 2;
  const fresh = await ask("/renew", { cf });
  assert.deepEqual([fresh.cache, fresh.text], ["EXPIRED", "body 2"]);
});

test("stale-while-revalidate and stale-if-error", async () => {
  let n = 0, broken = false;
  answer("/swr", (q, r) => r.setHeader("cache-control", "max-age=0, stale-while-revalidate=100").setHeader("etag", `"${++n}"`).end(`${n}`));
  const cf = { cacheEverything: true };
  await ask("/swr", { cf });
  const stale = await ask("/swr", { cf });
  assert.deepEqual([stale.cache, stale.text], ["UPDATING", "1"]);
  await until("the renewal", 5000, () => count("/swr") >= 2);
  await until("the new one", 5000, async () => Number((await ask("/swr", { cf })).text) >= 2);

  answer("/sie", (q, r) => (broken ? r.writeHead(503).end("down") : r.setHeader("cache-control", "max-age=0, stale-if-error=100").setHeader("etag", '"x"').end("good")));
  await ask("/sie", { cf });
  broken = true;
  const kept = await ask("/sie", { cf });
  assert.deepEqual([kept.cache, kept.text, kept.status], ["STALE", "good", 200]);
});

test("many at once ask the origin once", async () => {
  answer("/herd", (q, r) => setTimeout(() => r.setHeader("cache-control", "max-age=100").end("herd"), 150));
  const all = await Promise.all(Array.from({ length: 20 }, () => ask("/herd", { cf: { cacheEverything: true } })));
  assert.deepEqual(new Set(all.map((r) => r.text)), new Set(["herd"]));
  assert.equal(count("/herd"), 1);
  answer("/herd2", (q, r) => setTimeout(() => r.setHeader("cache-control", "no-store").end("herd"), 50));
  const none = await Promise.all(Array.from({ length: 5 }, () => ask("/herd2", { cf: { cacheEverything: true } })));
  assert.ok(none.every((r) => r.text === "herd"));
  assert.equal(count("/herd2"), 5);
});

test("cache modes of a request", async () => {
  answer("/mode", (q, r) => r.end(`${q.headers["cache-control"]} ${q.headers.pragma}`));
  const cf = { cacheTtl: 100 };
  assert.equal((await ask("/mode", { cf })).text, "undefined undefined");
  assert.equal((await ask("/mode", { cf })).cache, "HIT");
  const noStore = await ask("/mode", { cf, cache: "no-store" });
  assert.deepEqual([noStore.cache, noStore.text], ["none", "no-cache no-cache"]);
  assert.equal((await ask("/mode", { cf })).text, "undefined undefined");
  assert.equal((await ask("/mode", { cf, cache: "no-cache" })).text, "no-cache no-cache");
  assert.equal((await ask("/mode", { cf })).text, "no-cache no-cache");
});

test("large bodies stream through and come from the file", async () => {
  const big = Buffer.alloc(3_000_000, "abcdefghij");
  answer("/big", (q, r) => r.setHeader("cache-control", "max-age=100").end(big));
  const cf = { cacheEverything: true };
  const url = `/fetch?url=${encodeURIComponent(`${base}/big`)}&init=${encodeURIComponent(JSON.stringify({ cf }))}`;
  for (let i = 0; i < 2; i++) assert.ok((await get(selvedge, "cache", url)).body.equals(big));
  assert.equal(count("/big"), 1);
  const part = await ask("/big", { cf, headers: { range: "bytes=1000005-1000009" } });
  assert.equal(part.text, "fghij");
  answer("/huge", (q, r) => r.setHeader("cache-control", "max-age=100").end(Buffer.alloc(5_000_000, "x")));
  assert.equal((await ask("/huge", { cf })).text.length, 5_000_000);
  assert.equal((await ask("/huge", { cf })).cache, "MISS"); // over cache.object_max
  await get(selvedge, "cache", `/pump?key=pumped&url=${encodeURIComponent(`${base}/big`)}`);
  assert.ok((await get(selvedge, "cache", "/match?key=pumped")).body.equals(big));
});

test("what breaks or is too short is not stored", async () => {
  assert.equal((await get(selvedge, "cache", "/broken")).text, "broke");
  assert.equal((await get(selvedge, "cache", "/match?key=broken")).status, 404);
  await get(selvedge, "cache", "/short");
  assert.equal((await get(selvedge, "cache", "/match?key=short")).status, 404);
});

test("responses survive a crash, torn files do not", async () => {
  await get(selvedge, "cache", "/put?key=keep&size=1000");
  await get(selvedge, "cache", "/put?key=torn&size=77777");
  await get(selvedge, "cache", "/put?key=head&size=88888");
  await until("files on disk", 5000, () => [77777, 88888].every((size) => files().some((file) => { const n = statSync(file).size; return n > size && n < size + 5000 && readFileSync(file)[0] !== 0; })));
  await selvedge.kill();
  for (const file of files()) {
    const { size } = statSync(file);
    if (size > 77777 && size < 80000) truncateSync(file, size - 1);
    if (size > 88888 && size < 92000) { const bytes = readFileSync(file); bytes[60] ^= 1; writeFileSync(file, bytes); }
  }
  await restart();
  assert.equal((await get(selvedge, "cache", "/match?key=keep")).body.length, 1000);
  assert.equal((await get(selvedge, "cache", "/match?key=torn")).status, 404);
  assert.equal((await get(selvedge, "cache", "/match?key=head")).status, 404);
});

test("the disk has a limit, the longest unused goes first", async () => {
  for (let i = 0; i < 8; i++) {
    await get(selvedge, "cache", `/put?key=fill${i}&size=2000000`);
    await get(selvedge, "cache", "/match?key=fill0");
  }
  assert.equal((await get(selvedge, "cache", "/match?key=fill0")).status, 200);
  assert.equal((await get(selvedge, "cache", "/match?key=fill1")).status, 404);
  assert.equal((await get(selvedge, "cache", "/match?key=fill7")).status, 200);
  assert.ok(files().reduce((sum, file) => sum + statSync(file).size, 0) <= settings["cache.disk_max"]);
});

test("a zone is purged by file, tag, host, prefix and altogether", async () => {
  const api = async (method, path, body) => {
    const r = await fetch(selvedge.apiUrl + path, { method, headers: { authorization: `Bearer ${selvedge.token}`, "content-type": "application/json" }, body: JSON.stringify(body) });
    return { status: r.status, ...(await r.json()) };
  };
  const zone = (await api("POST", "/zones", { name: "persist.example", account: { id: selvedge.account } })).result.id;
  const other = (await api("POST", "/zones", { name: "other.example", account: { id: selvedge.account } })).result.id;
  const left = async () => (await Promise.all(["a", "b", "dir/c"].map(async (key) => ((await get(selvedge, "cache", `/match?key=${key}`)).status === 200 ? key : "")))).join("");
  const fill = async () => { for (const key of ["a", "b", "dir/c"]) await get(selvedge, "cache", `/put?key=${key}&tag=t-${key},all`); };
  const purge = (body, id = zone) => api("POST", `/zones/${id}/purge_cache`, body);
  for (const [body, rest] of [[{ files: ["https://persist.example/a"] }, "bdir/c"], [{ files: [{ url: "https://persist.example/b" }] }, "adir/c"], [{ tags: ["t-a", "T-B"] }, "dir/c"], [{ prefixes: ["persist.example/dir"] }, "ab"], [{ hosts: ["persist.example"] }, ""], [{ purge_everything: true }, ""]]) {
    await fill();
    assert.equal((await purge({ purge_everything: true }, other)).success, true);
    assert.equal(await left(), "abdir/c");
    const { success, result } = await purge(body);
    assert.deepEqual([success, result], [true, { id: zone }]);
    assert.equal(await left(), rest, JSON.stringify(body));
  }
  assert.equal((await purge({})).errors[0].code, 1012);
  assert.equal((await purge({ tags: [] })).status, 400);
  assert.equal((await purge({ purge_everything: true }, "0".repeat(32))).errors[0].code, 1001);
});
