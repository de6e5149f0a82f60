// What a bucket is set to: through the REST API (and wrangler), seen by Workers, S3 and public addresses.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { deploy } from "./lib/deploy.mjs";
import { until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let selvedge, folder;
before(async () => {
  selvedge = await startSelvedge();
  folder = mkdtempSync(join(tmpdir(), "selvedge-r2-"));
  await rest("POST", "/r2/buckets", { name: "box" });
});
after(async () => {
  await selvedge?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function raw(method, path, body, headers = {}) {
  const answer = await fetch(`${selvedge.apiUrl}/accounts/${selvedge.account}${path}`, {
    method, headers: { authorization: `Bearer ${selvedge.token}`, ...headers }, body: body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json().catch(() => null) };
}
async function rest(method, path, body, headers) {
  const answer = await raw(method, path, body, headers);
  assert.ok(answer.body?.success, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body.result;
}
async function refused(code, status, method, path, body) {
  const answer = await raw(method, path, body);
  assert.deepEqual([answer.status, answer.body.errors[0].code], [status, code], JSON.stringify(answer.body));
}
const put = (key, text, headers) => rest("PUT", `/r2/buckets/box/objects/${key}`, text, headers);

// A request to the gateway for a host that no resolver knows.
function visit(host, path, options = {}) {
  const { hostname, port } = new URL(selvedge.httpUrl);
  return new Promise((resolve, reject) => {
    const r = request({ hostname, port, path, method: options.method ?? "GET", headers: { host, ...options.headers } }, (answer) => {
      const chunks = [];
      answer.on("data", (c) => chunks.push(c)).on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
    });
    r.on("error", reject).end();
  });
}

test("cross-origin rules", async () => {
  const rules = [{ id: "a", allowed: { origins: ["https://x.example"], methods: ["GET"], headers: ["range"] }, exposeHeaders: ["etag"], maxAgeSeconds: 9 }];
  await refused(10059, 404, "GET", "/r2/buckets/box/cors");
  await rest("PUT", "/r2/buckets/box/cors", { rules });
  assert.deepEqual((await rest("GET", "/r2/buckets/box/cors")).rules, rules);
  await refused(10001, 400, "PUT", "/r2/buckets/box/cors", { rules: [{ allowed: { origins: ["*"], methods: ["BREW"] } }] });
  await rest("DELETE", "/r2/buckets/box/cors");
  await refused(10059, 404, "GET", "/r2/buckets/box/cors");
  await refused(10006, 404, "GET", "/r2/buckets/none/cors");
});

test("locks hold for REST, Workers and lifecycle alike", async () => {
  await put("held/a", "x");
  await put("free/a", "x");
  await rest("PUT", "/r2/buckets/box/lock", { rules: [{ id: "l", enabled: true, prefix: "held/", condition: { type: "Age", maxAgeSeconds: 3600 } }] });
  assert.equal((await rest("GET", "/r2/buckets/box/lock")).rules[0].id, "l");
  assert.equal((await raw("PUT", "/r2/buckets/box/objects/held/a", "y")).status, 403);
  assert.equal((await raw("DELETE", "/r2/buckets/box/objects/held/a")).status, 403);
  await put("held/new", "x");
  await put("free/a", "y");
  await rest("PUT", "/r2/buckets/box/lifecycle", { rules: [{ id: "all", enabled: true, conditions: { prefix: "" }, deleteObjectsTransition: { condition: { type: "Age", maxAge: 0 } } }] });
  await until("swept", 20_000, async () => (await rest("GET", "/r2/buckets/box/objects")).map((o) => o.key).join() === "held/a,held/new");
  await rest("PUT", "/r2/buckets/box/lock", { rules: [] });
  await until("all swept", 20_000, async () => (await rest("GET", "/r2/buckets/box/objects")).length === 0);
  await rest("PUT", "/r2/buckets/box/lifecycle", { rules: [] });
  await rest("POST", "/r2/buckets", { name: "fresh" });
  assert.equal((await rest("GET", "/r2/buckets/fresh/lifecycle")).rules[0].id, "Default Multipart Abort Rule");
});

test("a public bucket", async () => {
  const large = Buffer.alloc(300_000, "abcdefghij");
  await put("dir/a b.txt", "hello", { "content-type": "text/plain", "cache-control": "max-age=5" });
  await put("large.bin", large);
  const managed = await rest("GET", "/r2/buckets/box/domains/managed");
  assert.match(managed.domain, /^pub-[0-9a-f]{32}\.r2\.localhost$/);
  assert.equal(managed.enabled, false);
  assert.equal((await visit(managed.domain, "/large.bin")).status, 404);
  assert.equal((await rest("PUT", "/r2/buckets/box/domains/managed", { enabled: true })).enabled, true);
  const small = await visit(managed.domain, "/dir/a%20b.txt");
  assert.deepEqual([small.status, `${small.body}`, small.headers["content-type"], small.headers["cache-control"]], [200, "hello", "text/plain", "max-age=5"]);
  const etag = `"${createHash("md5").update(large).digest("hex")}"`;
  const whole = await visit(managed.domain, "/large.bin");
  assert.ok(whole.body.equals(large));
  assert.deepEqual([whole.headers.etag, whole.headers["content-length"], whole.headers["accept-ranges"]], [etag, "300000", "bytes"]);
  const part = await visit(managed.domain, "/large.bin", { headers: { range: "bytes=100000-100009" } });
  assert.deepEqual([part.status, `${part.body}`, part.headers["content-range"]], [206, "abcdefghij", "bytes 100000-100009/300000"]);
  const head = await visit(managed.domain, "/large.bin", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, "300000", 0]);
  assert.equal((await visit(managed.domain, "/large.bin", { headers: { "if-none-match": etag } })).status, 304);
  assert.equal((await visit(managed.domain, "/large.bin", { headers: { "if-match": '"other"' } })).status, 412);
  assert.equal((await visit(managed.domain, "/large.bin", { headers: { range: "bytes=400000-" } })).status, 416);
  assert.equal((await visit(managed.domain, "/none")).status, 404);
  assert.equal((await visit(managed.domain, "/")).status, 404);
  assert.equal((await visit(managed.domain, "/large.bin", { method: "POST" })).status, 401);
  await rest("PUT", "/r2/buckets/box/cors", { rules: [{ allowed: { origins: ["https://x.example"], methods: ["GET"] } }] });
  const cross = await visit(managed.domain, "/large.bin", { headers: { origin: "https://x.example" } });
  assert.equal(cross.headers["access-control-allow-origin"], "https://x.example");
  assert.equal((await visit(managed.domain, "/large.bin", { method: "OPTIONS", headers: { origin: "https://x.example", "access-control-request-method": "GET" } })).status, 204);
  assert.equal((await visit(managed.domain, "/large.bin", { method: "OPTIONS", headers: { origin: "https://y.example", "access-control-request-method": "GET" } })).status, 403);
  await rest("PUT", "/r2/buckets/box/domains/managed", { enabled: false });
  assert.equal((await visit(managed.domain, "/large.bin")).status, 404);
});

test("a custom domain", async () => {
  await put("page.html", "<p>", { "content-type": "text/html" });
  const made = await rest("POST", "/r2/buckets/box/domains/custom", { domain: "files.example.com", zoneId: "0".repeat(32), enabled: true });
  assert.deepEqual([made.domain, made.enabled, made.status.ssl], ["files.example.com", true, "active"]);
  assert.equal(`${(await visit("files.example.com", "/page.html")).body}`, "<p>");
  assert.equal((await rest("GET", "/r2/buckets/box/domains/custom")).domains.length, 1);
  assert.equal((await rest("PUT", "/r2/buckets/box/domains/custom/files.example.com", { minTLS: "1.2" })).minTLS, "1.2");
  assert.equal((await rest("GET", "/r2/buckets/box/domains/custom/files.example.com")).minTLS, "1.2");
  await rest("DELETE", "/r2/buckets/box/domains/custom/files.example.com");
  assert.equal((await visit("files.example.com", "/page.html")).status, 404);
});

test("notifications become rows of the outbox in the same transaction", async () => {
  const path = "/event_notifications/r2/fresh/configuration";
  assert.equal((await raw("GET", path)).status, 404);
  await rest("PUT", `${path}/queues/q1`, { rules: [{ prefix: "in/", suffix: ".txt", actions: ["PutObject", "DeleteObject"] }] });
  await rest("PUT", `${path}/queues/q1`, { rules: [{ actions: ["CopyObject"], description: "copies" }] });
  const shown = await rest("GET", path);
  assert.deepEqual([shown.bucketName, shown.queues.length, shown.queues[0].rules.length], ["fresh", 1, 2]);
  for (const key of ["in/a.txt", "in/a.png", "out/a.txt"]) await rest("PUT", `/r2/buckets/fresh/objects/${key}`, "x");
  await rest("DELETE", "/r2/buckets/fresh/objects/in/a.txt");
  const db = new DatabaseSync(join(selvedge.data, "accounts", selvedge.account, "r2/fresh/index.sqlite"), { readOnly: true });
  const events = db.prepare("SELECT queue, body FROM outbox ORDER BY id").all().map((row) => ({ queue: row.queue, ...JSON.parse(row.body) }));
  db.close();
  assert.deepEqual(events.map((e) => [e.queue, e.action, e.bucket, e.object.key]), [["q1", "PutObject", "fresh", "in/a.txt"], ["q1", "DeleteObject", "fresh", "in/a.txt"]]);
  assert.deepEqual([events[0].account, events[0].object.size], [selvedge.account, 1]);
  await rest("DELETE", `${path}/queues/q1`, { ruleIds: [shown.queues[0].rules[0].ruleId] });
  assert.equal((await rest("GET", `${path}/queues/q1`)).rules.length, 1);
  await rest("DELETE", `${path}/queues/q1`);
  assert.equal((await raw("GET", path)).status, 404);
});

test("storage class, usage, what is not served", async () => {
  await rest("POST", "/r2/buckets", { name: "cold", storageClass: "InfrequentAccess" });
  assert.equal((await rest("PUT", "/r2/buckets/cold/objects/a", "12345")).storage_class, "InfrequentAccess");
  await rest("PATCH", "/r2/buckets/cold", undefined, { "cf-r2-storage-class": "Standard" });
  assert.equal((await rest("PUT", "/r2/buckets/cold/objects/b", "x")).storage_class, "Standard");
  const usage = await rest("GET", "/r2/metrics");
  assert.ok(usage.standard.published.objects >= 2);
  assert.equal((await rest("GET", "/r2/buckets/cold/sippy")).enabled, false);
  assert.equal((await raw("PUT", "/r2/buckets/cold/sippy", {})).body.success, false);
});

test("a Worker with a customer's key", async () => {
  const code = `export default { async fetch(request, env) {
    const key = new Uint8Array(32).fill(7), other = "00".repeat(32), out = [], large = "0123456789".repeat(5000);
    const fails = async (fn) => { try { await fn(); return "fine"; } catch (e) { return e.message; } };
    for (const [name, text] of [["small", "secret"], ["large", large]]) {
      const made = await env.B.put(name, text, { ssecKey: key });
      out.push(typeof made.ssecKeyMd5, (await env.B.head(name)).ssecKeyMd5 === made.ssecKeyMd5);
      out.push(await (await env.B.get(name, { ssecKey: "07".repeat(32) })).text() === text);
      out.push(await (await env.B.get(name, { ssecKey: key, range: { offset: 3, length: 2 } })).text() === text.slice(3, 5));
      out.push(/10090/.test(await fails(() => env.B.get(name))), /10091/.test(await fails(() => env.B.get(name, { ssecKey: other }))));
    }
    out.push(await fails(() => env.B.put("k", "x", { ssecKey: "abc" })));
    const upload = await env.B.createMultipartUpload("parts", { ssecKey: key });
    const a = new Uint8Array(5 * 1024 * 1024).fill(65), part = [await upload.uploadPart(1, a, { ssecKey: key }), await upload.uploadPart(2, "end", { ssecKey: key })];
    out.push(/10090/.test(await fails(() => upload.uploadPart(3, "x"))));
    await upload.complete(part);
    out.push(await (await env.B.get("parts", { ssecKey: key, range: { suffix: 5 } })).text());
    return Response.json(out);
  } };`;
  await deploy(selvedge, "sealed", code, { bindings: [{ type: "r2_bucket", name: "B", bucket_name: "box" }] });
  const answer = JSON.parse(`${(await visit("sealed.localhost", "/")).body}`);
  const each = ["string", true, true, true, true, true];
  assert.deepEqual(answer, [...each, ...each, "SSE-C Key must be 32 bytes in length", true, "AAend"]);
});

test("wrangler's commands", async () => {
  const { writeFileSync } = await import("node:fs");
  const run = async (...args) => (await selvedge.wrangler(["r2", "bucket", ...args], folder)).stdout;
  const cors = join(folder, "cors.json");
  writeFileSync(cors, JSON.stringify({ rules: [{ allowed: { origins: ["https://w.example"], methods: ["GET"] } }] }));
  await run("cors", "set", "cold", "--file", cors, "--force");
  assert.match(await run("cors", "list", "cold"), /w\.example/);
  await run("lifecycle", "add", "cold", "old", "tmp/", "--expire-days", "3", "--force");
  assert.match(await run("lifecycle", "list", "cold"), /old/);
  await run("lock", "add", "cold", "hold", "held/", "--retention-days", "2", "--force");
  assert.match(await run("lock", "list", "cold"), /hold/);
  await run("dev-url", "enable", "cold", "--force");
  assert.match(await run("dev-url", "get", "cold"), /pub-[0-9a-f]{32}\.r2\.localhost/);
  await run("domain", "add", "cold", "--domain", "w.example.com", "--zone-id", "0".repeat(32), "--force");
  assert.match(await run("domain", "list", "cold"), /w\.example\.com/);
});
