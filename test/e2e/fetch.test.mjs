// fetch() to the world: content codings both ways, uploads that stream, redirects.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { brotliCompressSync, brotliDecompressSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const page = Array.from({ length: 20000 }, (_, i) => `compress ${(i * 7919) % 10007}, `).join("");
const codings = { br: brotliCompressSync, gzip: gzipSync, deflate: deflateSync };
let selvedge, origin, base;

const source = `
export default { async fetch(request) {
  const url = new URL(request.url), to = url.searchParams.get("to");
  switch (url.pathname) {
    case "/text": { const r = await fetch(to); return new Response(await r.text()); }
    case "/stream": { const r = await fetch(to); let n = 0; for await (const chunk of r.body) n += chunk.byteLength; return new Response(String(n)); }
    case "/broken": { const r = await fetch(to); try { await r.text(); return new Response("none"); } catch (e) { return new Response(e.constructor.name); } }
    case "/pass": return fetch(to);
    case "/encode": return new Response("x".repeat(50000), { headers: { "content-encoding": url.searchParams.get("coding") } });
    case "/encode-stream": {
      let n = 0;
      const body = new ReadableStream({ pull(c) { if (n++ === 10) c.close(); else c.enqueue(new TextEncoder().encode("y".repeat(5000))); } });
      return new Response(body, { headers: { "content-encoding": url.searchParams.get("coding") } });
    }
    case "/upload": return fetch(to, { method: "POST", body: request.body });
    case "/made": {
      let n = 0;
      const body = new ReadableStream({ pull(c) { if (n++ === 100) c.close(); else c.enqueue(new Uint8Array(10000).fill(n)); } });
      return fetch(to, { method: "PUT", body });
    }
  }
} };`;

before(async () => {
  origin = createServer((request, response) => {
    const [, kind, coding] = request.url.split("/");
    if (kind === "coded") {
      const body = codings[coding](page);
      response.setHeader("content-encoding", coding).setHeader("x-accept", request.headers["accept-encoding"]).end(body);
    } else if (kind === "cut") {
      response.setHeader("content-encoding", coding).end(codings[coding](page).subarray(0, 50));
    } else {
      let n = 0;
      request.on("data", (chunk) => { n += chunk.length; });
      request.on("end", () => response.end(`${request.method} ${n} ${request.headers["content-length"] ?? request.headers["transfer-encoding"]}`));
    }
  });
  await new Promise((resolve) => origin.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${origin.address().port}`;
  selvedge = await startSelvedge({ settings: { "egress.allow_private": true } });
  await deploy(selvedge, "world", source, { compatibility_date: "2026-07-01" });
  await deploy(selvedge, "old", source, { compatibility_date: "2024-01-01" });
});
after(async () => {
  await selvedge.stop();
  origin.close();
});
const ask = (path, to, options, name = "world") => get(selvedge, name, `${path}?to=${encodeURIComponent(base + to)}`, options);

for (const coding of Object.keys(codings))
  test(`${coding} is taken off when a body is read, and only then`, async () => {
    assert.equal((await ask("/text", `/coded/${coding}`)).text, page);
    assert.equal((await ask("/stream", `/coded/${coding}`)).text, `${page.length}`);
    const passed = await ask("/pass", `/coded/${coding}`);
    assert.equal(passed.headers["content-encoding"], coding);
    assert.equal(passed.headers["x-accept"], "br, gzip");
    assert.ok(passed.body.equals(codings[coding](page)));
    assert.equal((await ask("/broken", `/cut/${coding}`)).text, "TypeError");
  });

test("brotli belongs to a flag", async () => {
  const r = await ask("/pass", "/coded/gzip", undefined, "old");
  assert.equal(r.headers["x-accept"], "gzip");
  assert.equal((await ask("/stream", "/coded/br", undefined, "old")).text, `${brotliCompressSync(page).length}`);
});

test("a response is encoded as its header says", async () => {
  for (const [coding, decode] of [["br", brotliDecompressSync], ["gzip", gunzipSync]]) {
    const whole = await get(selvedge, "world", `/encode?coding=${coding}`);
    assert.equal(whole.headers["content-encoding"], coding);
    assert.equal(decode(whole.body).toString(), "x".repeat(50000));
    const stream = await get(selvedge, "world", `/encode-stream?coding=${coding}`);
    assert.equal(decode(stream.body).toString(), "y".repeat(50000));
  }
});

test("uploads stream, with a length when there is one", async () => {
  const body = Buffer.alloc(3_000_000, "z");
  assert.equal((await ask("/upload", "/up", { method: "POST", body, headers: { "content-length": body.length } })).text, "POST 3000000 3000000");
  assert.equal((await ask("/made", "/up")).text, "PUT 1000000 chunked");
});
