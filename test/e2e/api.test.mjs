// The control API as SDKs and Terraform use it, and as those who mean harm do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
before(async () => {
  s = await startSelvedge();
});
after(() => s?.stop());

const esm = "application/javascript+module";
const code = 'export default { fetch(request, env) { return Response.json({ a: env.A ?? null, x: typeof X === "undefined" ? 0 : X }); } };';

// One call with everything under control; checks that status and `success` agree.
async function call(method, path, { body, headers = {}, token = s.token } = {}) {
  const response = await fetch(path.startsWith("http") ? path : `${s.apiUrl}${path.replace("{a}", s.account)}`, { method, body, headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers } });
  const text = await response.text();
  let json = null;
  try { json = JSON.parse(text); } catch { /* raw answers */ }
  if (json && "success" in json) assert.equal(json.success, response.ok, `${method} ${path}: ${response.status}`);
  return { status: response.status, json, text, headers: response.headers, code: json?.errors?.[0]?.code, message: json?.errors?.[0]?.message };
}
const answers = (name, check) => until(`${name} answers`, 5000, async () => {
  const r = await get(s, name);
  return r.status === 200 && check(JSON.parse(r.text)) ? true : null;
});
const enable = (name) => api(s, "POST", `/workers/scripts/${name}/subdomain`, { enabled: true });

function raw(parts, boundary = "----formdata-undici-026173220737") {
  const lines = parts.map(([name, content, more = ""]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`);
  return { body: lines.join("") + `--${boundary}--\r\n`, boundary };
}
const file = (name, type = esm) => `; filename="${name}"\r\nContent-Type: ${type}`;

test("three dialects of upload, and the one with the wrong label, deploy the same Worker", async () => {
  const flat = [["metadata[main_module]", "w.mjs"], ["metadata[compatibility_date]", "2026-01-01"], ["metadata[bindings][][type]", "plain_text"], ["metadata[bindings][][name]", "A"], ["metadata[bindings][][text]", "b"]];
  const metadata = JSON.stringify({ main_module: "w.mjs", compatibility_date: "2026-01-01", bindings: [{ type: "plain_text", name: "A", text: "b" }] });
  const dialects = {
    wrangler: [raw([["metadata", metadata], ["w.mjs", code, file("w.mjs")]]), "multipart/form-data"],
    terraform: [raw([["metadata", metadata, '; filename="metadata"\r\nContent-Type: application/json'], ["files", code, file("w.mjs")]]), "multipart/form-data"],
    flattened: [raw([...flat, ["files[]", code, file("w.mjs")]]), "multipart/form-data"],
    mislabelled: [raw([...flat, ["files[x]", code, file("w.mjs")]]), "application/javascript"],
  };
  for (const [name, [{ body, boundary }, type]] of Object.entries(dialects)) {
    const r = await call("PUT", `/accounts/{a}/workers/scripts/d-${name}`, { body, headers: { "content-type": type === "application/javascript" ? type : `${type}; boundary=${boundary}` } });
    assert.equal(r.status, 200, `${name}: ${r.text}`);
    await enable(`d-${name}`);
    await answers(`d-${name}`, (v) => v.a === "b");
  }
  const list = await api(s, "GET", "/workers/scripts");
  assert.deepEqual(list.map((w) => w.id).filter((id) => id.startsWith("d-")).sort(), ["d-flattened", "d-mislabelled", "d-terraform", "d-wrangler"]);
});

test("both families of resources see one Worker", async () => {
  await deploy(s, "view", code, { bindings: [{ type: "plain_text", name: "A", text: "1" }, { type: "secret_text", name: "S", text: "hush" }] });
  const service = await api(s, "GET", "/workers/services/view");
  const worker = await api(s, "GET", "/workers/workers/view");
  assert.equal(worker.id, service.default_environment.script.tag);
  assert.equal((await api(s, "GET", `/workers/workers/${worker.id}`)).name, "view");
  const settings = await api(s, "GET", "/workers/scripts/view/settings");
  assert.deepEqual(settings.bindings, [{ type: "plain_text", name: "A", text: "1" }, { type: "secret_text", name: "S" }]);
  const content = await call("GET", "/accounts/{a}/workers/scripts/view/content/v2");
  assert.equal(content.headers.get("cf-entrypoint"), "index.js");
  assert.ok(content.text.includes(code));
  assert.ok(!content.text.includes("hush"));
  const made = await api(s, "POST", "/workers/workers/view/versions", { main_module: "w.mjs", compatibility_date: "2026-01-01", modules: [{ name: "w.mjs", content_type: esm, content_base64: Buffer.from(code).toString("base64") }], bindings: [{ type: "plain_text", name: "A", text: "2" }] });
  await api(s, "POST", "/workers/scripts/view/deployments", { strategy: "percentage", versions: [{ version_id: made.id, percentage: 100 }] });
  await enable("view");
  await answers("view", (v) => v.a === "2");
});

test("settings: patch makes a version, inherit takes from the one before, strict says what is wrong", async () => {
  await deploy(s, "conf", code, { bindings: [{ type: "plain_text", name: "A", text: "1" }] });
  const form = new FormData();
  form.set("settings", JSON.stringify({ bindings: [{ type: "plain_text", name: "A", text: "2" }], compatibility_flags: [] }));
  await api(s, "PATCH", "/workers/scripts/conf/settings", form);
  assert.equal((await api(s, "GET", "/workers/scripts/conf/versions")).items.length, 2);
  await deploy(s, "conf", code, { bindings: [{ type: "inherit", name: "A" }] });
  assert.equal((await api(s, "GET", "/workers/scripts/conf/settings")).bindings[0].text, "2");
  const { body, boundary } = raw([["metadata", JSON.stringify({ main_module: "w.mjs", bindings: [{ type: "inherit", name: "NOPE" }] })], ["w.mjs", code, file("w.mjs")]]);
  const r = await call("PUT", "/accounts/{a}/workers/scripts/conf?bindings_inherit=strict", { body, headers: { "content-type": `multipart/form-data; boundary=${boundary}` } });
  assert.equal(r.code, 10057);
  assert.match(r.message, /^inherit binding 'NOPE' is invalid/);
});

test("unknown binding types are kept and returned", async () => {
  await deploy(s, "unknown", code, { bindings: [{ type: "custom_thing", name: "U", k: 1 }] });
  assert.deepEqual((await api(s, "GET", "/workers/scripts/unknown/settings")).bindings, [{ type: "custom_thing", name: "U", k: 1 }]);
});

test("bindings to what does not exist are refused with the codes that clients know", async () => {
  const cases = [[{ type: "kv_namespace", namespace_id: "0".repeat(32) }, 10041], [{ type: "d1", id: "00000000-0000-4000-8000-000000000000" }, 10021], [{ type: "r2_bucket", bucket_name: "nope" }, 10085], [{ type: "service", service: "nope" }, 10143]];
  for (const [binding, wanted] of cases) {
    const error = await deploy(s, "refused", code, { bindings: [{ name: "B", ...binding }] }).catch((e) => e);
    assert.equal(error.errors?.[0].code, wanted, JSON.stringify(binding));
  }
  assert.equal((await call("GET", "/accounts/{a}/workers/services/refused")).code, 10090);
});

test("hostile uploads get a clear error and change nothing", async () => {
  const put = (parts, headers) => {
    const { body, boundary } = raw(parts);
    return call("PUT", "/accounts/{a}/workers/scripts/hostile", { body, headers: { "content-type": `multipart/form-data; boundary=${boundary}`, ...headers } });
  };
  const meta = (main) => ["metadata", JSON.stringify({ main_module: main })];
  for (const name of ["../x.js", "/etc/passwd", "a/../../b.js", "a\\b.js", "a\0b.js"]) assert.equal((await put([meta("w.mjs"), ["w.mjs", code, file("w.mjs")], [name, code, file(name)]])).code, 10021, name);
  assert.equal((await put([meta("w.mjs")])).code, 10021);
  assert.equal((await put([["metadata", "{"], ["w.mjs", code, file("w.mjs")]])).code, 10026);
  assert.equal((await put([["metadata", "[".repeat(200_000)], ["w.mjs", code, file("w.mjs")]])).code, 10026);
  assert.equal((await put([meta("w.mjs"), ["w.mjs", code, file("w.mjs", "image/png")]])).code, 10021);
  assert.equal((await put([meta("w.mjs"), ["w.mjs", code, file("w.mjs")], ["w.mjs", code, file("w.mjs")]])).code, 10021);
  assert.equal((await put(Array.from({ length: 5000 }, (_, i) => [`p${i}`, ""]))).status, 413);
  assert.equal((await put([["metadata", JSON.stringify({ main_module: "w.mjs", bindings: [{ type: "plain_text", text: "x" }] })], ["w.mjs", code, file("w.mjs")]])).code, 10052);
  for (const body of ["", "--", "--x\r\n", "not a form"]) {
    const r = await call("PUT", "/accounts/{a}/workers/scripts/hostile", { body, headers: { "content-type": "multipart/form-data; boundary=x" } });
    assert.equal(r.code, 10026, body);
  }
  for (const bad of ["export default {", "export { nope }; ", 'import "./missing.js"; export default {};', "(".repeat(100_000), `export default ${"[".repeat(50_000)}${"]".repeat(50_000)};`]) {
    const r = await put([meta("w.mjs"), ["w.mjs", bad, file("w.mjs")]]);
    assert.equal(r.code, 10021, bad.slice(0, 40));
    assert.ok(r.message.length > 5);
  }
  assert.equal((await put([meta("x.wasm"), ["x.wasm", "\0asm garbage", file("x.wasm", "application/wasm")]])).code, 10021);
  assert.equal((await call("GET", "/accounts/{a}/workers/services/hostile")).code, 10090);
});

test("a module of 100 MB is too large, and the server lives on", async () => {
  const form = new FormData();
  form.set("metadata", JSON.stringify({ main_module: "w.mjs" }));
  form.set("w.mjs", new File([code], "w.mjs", { type: esm }));
  form.set("big.bin", new File([new Uint8Array(80 << 20)], "big.bin", { type: "application/octet-stream" }));
  assert.equal((await call("PUT", "/accounts/{a}/workers/scripts/large", { body: form })).code, 10027);
  form.set("big.bin", new File([new Uint8Array(105 << 20)], "big.bin", { type: "application/octet-stream" }));
  const r = await call("PUT", "/accounts/{a}/workers/scripts/large", { body: form }).catch((e) => ({ code: 10027, cut: e }));
  assert.equal(r.code, 10027);
  assert.equal((await call("GET", "/health")).status, 200);
});

test("a Worker that throws at its start, or spins, is refused with its own words", async () => {
  const thrown = await deploy(s, "thrower", 'throw new TypeError("at the top"); export default {};').catch((e) => e);
  assert.equal(thrown.errors[0].code, 10021);
  assert.match(thrown.errors[0].message, /TypeError: at the top/);
  const spins = await deploy(s, "spinner", "for (;;); export default {};").catch((e) => e);
  assert.equal(spins.errors[0].code, 10021);
  assert.match(spins.errors[0].message, /startup/i);
});

test("tokens: shape, scopes, rolling, deleting; nobody grants what he has not", async () => {
  const groups = Object.fromEntries((await call("GET", "/user/tokens/permission_groups")).json.result.map((g) => [g.name, g.id]));
  const make = (names, more = {}, options = {}) => call("POST", "/user/tokens", { body: JSON.stringify({ name: "t", policies: [{ effect: "allow", resources: { [`com.cloudflare.api.account.${s.account}`]: "*" }, permission_groups: names.map((n) => ({ id: groups[n] })) }], ...more }), ...options });
  const kv = (await make(["Workers KV Storage Read"])).json.result;
  assert.match(kv.value, /^[0-9A-Za-z_-]{40,80}$/);
  const as = (token) => ({ token });
  assert.equal((await call("GET", "/user/tokens/verify", as(kv.value))).json.result.status, "active");
  assert.equal((await call("GET", "/accounts/{a}/storage/kv/namespaces", as(kv.value))).status, 200);
  const denied = await call("POST", "/accounts/{a}/storage/kv/namespaces", { ...as(kv.value), body: '{"title":"x"}' });
  assert.deepEqual([denied.status, denied.code], [403, 10000]);
  assert.equal((await call("GET", "/accounts/{a}/d1/database", as(kv.value))).status, 403);
  const maker = (await make(["API Tokens Write"])).json.result;
  assert.equal((await make(["Workers Scripts Write"], {}, as(maker.value))).status, 403);
  const rolled = (await call("PUT", `/user/tokens/${kv.id}/value`, { body: "{}" })).json.result;
  assert.equal((await call("GET", "/accounts/{a}/storage/kv/namespaces", as(kv.value))).status, 401);
  assert.equal((await call("GET", "/accounts/{a}/storage/kv/namespaces", as(rolled))).status, 200);
  assert.equal((await call("DELETE", `/user/tokens/${kv.id}`)).status, 200);
  assert.equal((await call("GET", "/accounts/{a}/storage/kv/namespaces", as(rolled))).status, 401);
  assert.equal((await call("GET", "/accounts/{a}/storage/kv/namespaces", as(null))).code, 10000);
  const account = (await call("POST", "/accounts/{a}/tokens", { body: JSON.stringify({ name: "a", policies: maker.policies }) })).json.result;
  assert.equal((await call("GET", "/user/tokens/verify", as(account.value))).code, 1000);
  assert.equal((await call("GET", "/accounts/{a}/tokens/verify", as(account.value))).json.result.status, "active");
});

test("lists end: page by page until empty, whatever the client asks for", async () => {
  for (let i = 0; i < 5; i++) await api(s, "POST", "/storage/kv/namespaces", { title: `list-${i}` });
  const page = async (query) => (await call("GET", `/accounts/{a}/storage/kv/namespaces${query}`)).json;
  assert.deepEqual((await page("?page=2")).result, []);
  const two = await page("?per_page=2&page=3&order=title");
  assert.deepEqual(two.result.map((n) => n.title), ["list-4"]);
  assert.equal(two.result_info.total_pages, 3);
  for (const path of ["/accounts", "/memberships", "/zones", "/user/tokens", "/accounts/{a}/tokens", "/accounts/{a}/d1/database", "/accounts/{a}/workers/workers", "/accounts/{a}/workers/durable_objects/namespaces", "/accounts/{a}/members"])
    assert.deepEqual((await call("GET", `${path}?page=99`)).json.result, [], path);
});

test("the odd wire: text/plain JSON, trailing slash, encoded slashes, unknown routes, wrong methods", async () => {
  const made = await call("POST", "/accounts/{a}/r2/buckets", { body: '{"name":"plain"}', headers: { "content-type": "text/plain;charset=UTF-8" } });
  assert.equal(made.status, 200);
  assert.equal((await call("GET", "/accounts/{a}/r2/buckets/")).status, 200);
  const put = await call("PUT", "/accounts/{a}/r2/buckets/plain/objects/d%2Fa%20b.txt", { body: "x", headers: { "content-type": "text/x" } });
  assert.equal(put.json.result.key, "d/a b.txt");
  assert.equal((await call("GET", "/accounts/{a}/r2/buckets/plain/objects/d/a%20b.txt")).text, "x");
  const unknown = await call("GET", "/accounts/{a}/flying/carpets");
  assert.deepEqual([unknown.status, unknown.code], [404, 7003]);
  assert.equal((await call("POST", "/accounts/{a}/workers/subdomain")).status, 405);
  assert.ok(unknown.headers.get("cf-ray"));
  const taken = await call("POST", "/accounts/{a}/r2/buckets", { body: '{"name":"plain"}' });
  assert.deepEqual([taken.status, taken.code, taken.headers.get("x-should-retry")], [409, 10004, "false"]);
});

test("zones, routes and custom domains send requests to their Worker", async () => {
  await deploy(s, "routed", code, { bindings: [{ type: "plain_text", name: "A", text: "routed" }] });
  const zone = (await call("POST", "/zones", { body: JSON.stringify({ name: "example.com", account: { id: s.account } }) })).json.result;
  assert.equal(zone.status, "active");
  const route = (await call("POST", `/zones/${zone.id}/workers/routes`, { body: JSON.stringify({ pattern: "example.com/api/*", script: "routed" }) })).json.result;
  await api(s, "PUT", "/workers/domains", { hostname: "app.example.com", service: "routed", environment: "production", zone_id: zone.id });
  const ask = async (host, path) => (await get(s, "x", path, { headers: { host } })).status;
  await until("the route", 5000, async () => (await ask("example.com", "/api/x")) === 200);
  await until("the domain", 5000, async () => (await ask("app.example.com", "/")) === 200);
  assert.equal(await ask("example.com", "/other"), 404);
  await call("DELETE", `/zones/${zone.id}/workers/routes/${route.id}`);
  await until("the route is gone", 5000, async () => (await ask("example.com", "/api/x")) === 404);
});

test("assets: bulk, repeated and reordered uploads give one completion token; an expired session is refused", async () => {
  const manifest = { "/a.txt": { hash: "a".repeat(32), size: 1 }, "/b.txt": { hash: "b".repeat(32), size: 2 } };
  const session = await api(s, "POST", "/workers/scripts/bulk/assets-upload-session", { manifest });
  assert.deepEqual(session.buckets.flat().sort(), ["a".repeat(32), "b".repeat(32)]);
  const upload = (hash, content, token = session.jwt) => {
    const form = new FormData();
    form.set(hash, new File([Buffer.from(content).toString("base64")], hash, { type: "text/plain" }));
    return call("POST", "/accounts/{a}/workers/assets/upload?base64=true", { body: form, token });
  };
  assert.equal((await upload("b".repeat(32), "bb", "not.a.token")).status, 401);
  assert.equal((await upload("b".repeat(32), "wrong size")).status, 400);
  assert.equal((await upload("c".repeat(32), "c")).status, 400);
  const one = await upload("b".repeat(32), "bb");
  assert.deepEqual([one.status, one.json.result], [200, {}]);
  assert.equal((await upload("b".repeat(32), "bb")).status, 200);
  const last = await upload("a".repeat(32), "a");
  assert.equal(last.status, 201);
  const form = new FormData();
  form.set("metadata", JSON.stringify({ assets: { jwt: last.json.result.jwt, config: {} }, compatibility_date: "2026-01-01" }));
  await api(s, "PUT", "/workers/scripts/bulk", form);
  await enable("bulk");
  await until("the asset", 5000, async () => (await get(s, "bulk", "/b.txt")).text === "bb");
  assert.equal((await api(s, "POST", "/workers/scripts/other/assets-upload-session", { manifest })).buckets.length, 0);
  const bad = await call("POST", "/accounts/{a}/workers/scripts/x/assets-upload-session", { body: JSON.stringify({ manifest: { "no-slash": { hash: "../../etc", size: 1 } } }) });
  assert.equal(bad.status, 400);
});

test("every change leaves an audit row, reading does not", async () => {
  await api(s, "POST", "/storage/kv/namespaces", { title: "audited" });
  await api(s, "GET", "/storage/kv/namespaces");
  const rows = await api(s, "GET", "/audit_logs?per_page=1000");
  assert.match(rows[0].action.type, /^post \/accounts\/:account\/storage\/kv\/namespaces$/);
  assert.equal(rows[0].action.result, true);
  assert.equal(rows[0].actor.name, "first token");
  assert.ok(rows.every((r) => !r.action.type.startsWith("get ")));
});

test("a tail's address without its secret is refused", async () => {
  const tail = await api(s, "POST", "/workers/scripts/routed/tails", { filters: [] });
  const wrong = tail.url.replace(/\w{32}$/, "0".repeat(32)).replace(/^ws/, "http");
  const key = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13", connection: "Upgrade", upgrade: "websocket" };
  const { request } = await import("node:http");
  const status = await new Promise((resolve, reject) => {
    const req = request(wrong, { headers: key }, (res) => (res.resume(), resolve(res.statusCode)));
    req.on("upgrade", (res, socket) => (socket.destroy(), resolve(101)));
    req.on("error", reject);
    req.end();
  });
  assert.equal(status, 403);
});
