// The official TypeScript SDK, unmodified: every method of what is served ends, and gives back what was put in.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Cloudflare from "cloudflare";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s, c, account_id;
const esm = "application/javascript+module";
const all = async (list) => {
  const items = [];
  for await (const item of list) items.push(item);
  return items;
};
const file = (code) => new File([code], "w.mjs", { type: esm });

before(async () => {
  s = await startSelvedge();
  c = new Cloudflare({ apiToken: s.token, baseURL: s.apiUrl });
  account_id = s.account;
});
after(() => s?.stop());

test("identity", async () => {
  assert.equal((await c.user.tokens.verify()).status, "active");
  assert.deepEqual((await all(c.accounts.list())).map((a) => a.id), [account_id]);
  assert.equal((await all(c.memberships.list()))[0].account.id, account_id);
  assert.deepEqual(await all(c.accounts.members.list({ account_id })), []);
});

test("KV", async () => {
  const kv = c.kv.namespaces;
  const { id } = await kv.create({ account_id, title: "sdk" });
  assert.deepEqual((await all(kv.list({ account_id }))).map((n) => n.id), [id]);
  await kv.values.update("a/b é", { account_id, namespace_id: id, value: "v", metadata: { a: "b" } });
  await kv.values.update("k", { account_id, namespace_id: id, value: "w" });
  assert.equal(await (await kv.values.get("a/b é", { account_id, namespace_id: id })).text(), "v");
  assert.deepEqual(await kv.metadata.get("a/b é", { account_id, namespace_id: id }), { a: "b" });
  assert.deepEqual((await all(kv.keys.list(id, { account_id }))).map((k) => k.name), ["a/b é", "k"]);
  await kv.bulkUpdate(id, { account_id, body: [{ key: "x", value: "y" }] });
  assert.deepEqual((await kv.bulkGet(id, { account_id, keys: ["x", "none"] })).values, { x: "y", none: null });
  await kv.bulkDelete(id, { account_id, body: ["x"] });
  await kv.delete(id, { account_id });
  await assert.rejects(kv.get(id, { account_id }), Cloudflare.NotFoundError);
});

test("D1", async () => {
  const { uuid } = await c.d1.database.create({ account_id, name: "sdk" });
  const [result] = await all(c.d1.database.query(uuid, { account_id, sql: "SELECT 1 AS a, ? AS b", params: ["x"] }));
  assert.deepEqual(result.results, [{ a: 1, b: "x" }]);
  const [raw] = await all(c.d1.database.raw(uuid, { account_id, sql: "SELECT 1 AS a" }));
  assert.deepEqual(raw.results, { columns: ["a"], rows: [[1]] });
  assert.deepEqual((await all(c.d1.database.list({ account_id }))).map((d) => d.uuid), [uuid]);
  await assert.rejects(all(c.d1.database.query(uuid, { account_id, sql: "SELECT * FROM none" })), Cloudflare.BadRequestError);
  await c.d1.database.delete(uuid, { account_id });
});

test("R2", async () => {
  const bucket_name = "sdk-bucket";
  await c.r2.buckets.create({ account_id, name: bucket_name });
  assert.deepEqual((await c.r2.buckets.list({ account_id })).buckets.map((b) => b.name), [bucket_name]);
  await c.r2.buckets.objects.upload("d/a.txt", Buffer.from("hi"), { account_id, bucket_name });
  assert.equal(await (await c.r2.buckets.objects.get("d/a.txt", { account_id, bucket_name })).text(), "hi");
  assert.deepEqual((await all(c.r2.buckets.objects.list(bucket_name, { account_id }))).map((o) => o.key), ["d/a.txt"]);
  await assert.rejects(c.r2.buckets.create({ account_id, name: bucket_name }), Cloudflare.ConflictError);
  await c.r2.buckets.objects.delete("d/a.txt", { account_id, bucket_name });
  await c.r2.buckets.delete(bucket_name, { account_id });
});

test("Workers: upload, settings, secrets, versions, triggers, delete", async () => {
  const w = c.workers.scripts;
  const code = "export default { fetch(r, e) { return new Response(e.A); } }";
  const made = await w.update("sdkw", { account_id, metadata: { main_module: "w.mjs", compatibility_date: "2025-01-01", bindings: [{ type: "plain_text", name: "A", text: "b" }] }, files: [file(code)] });
  assert.equal(made.id, "sdkw");
  await w.subdomain.create("sdkw", { account_id, enabled: true });
  await until("it answers", 5000, async () => (await get(s, "sdkw")).text === "b");
  assert.equal(await w.get("sdkw", { account_id }), code);
  assert.ok((await (await w.content.get("sdkw", { account_id })).text()).includes(code));
  await w.scriptAndVersionSettings.edit("sdkw", { account_id, settings: { bindings: [{ type: "plain_text", name: "A", text: "c" }] } });
  await until("the new setting", 5000, async () => (await get(s, "sdkw")).text === "c");
  assert.deepEqual((await w.settings.edit("sdkw", { account_id, tags: ["x"] })).tags, ["x"]);
  await w.secrets.update("sdkw", { account_id, name: "S", text: "x", type: "secret_text" });
  assert.deepEqual((await all(w.secrets.list("sdkw", { account_id }))).map((b) => b.name), ["S"]);
  await w.versions.create("sdkw", { account_id, metadata: { main_module: "w.mjs", compatibility_date: "2025-01-01" }, files: [file(code)] });
  assert.equal((await all(w.versions.list("sdkw", { account_id }))).length, 4);
  assert.equal((await w.schedules.update("sdkw", { account_id, body: [{ cron: "* * * * *" }] })).schedules.length, 1);
  assert.ok((await w.tail.create("sdkw", { account_id, body: {} })).url.startsWith("ws://"));
  assert.equal((await c.workers.beta.workers.get("sdkw", { account_id })).name, "sdkw");
  assert.equal((await all(c.workers.beta.workers.versions.list("sdkw", { account_id }))).length, 4);

  const zone = await c.zones.create({ account: { id: account_id }, name: "sdk.example" });
  const route = await c.workers.routes.create({ zone_id: zone.id, pattern: "sdk.example/*", script: "sdkw" });
  assert.deepEqual((await all(c.workers.routes.list({ zone_id: zone.id }))).map((r) => r.id), [route.id]);
  await c.workers.routes.delete(route.id, { zone_id: zone.id });
  const domain = await c.workers.domains.update({ account_id, hostname: "a.sdk.example", service: "sdkw", environment: "production", zone_id: zone.id });
  assert.deepEqual((await all(c.workers.domains.list({ account_id }))).map((d) => d.id), [domain.id]);
  await c.workers.domains.delete(domain.id, { account_id });
  await w.delete("sdkw", { account_id });
  assert.deepEqual(await all(w.list({ account_id })), []);
});

test("tokens", async () => {
  const group = (await all(c.user.tokens.permissionGroups.list())).find((g) => g.name === "D1 Read");
  const policies = [{ effect: "allow", resources: { [`com.cloudflare.api.account.${account_id}`]: "*" }, permission_groups: [{ id: group.id }] }];
  const token = await c.user.tokens.create({ name: "d1", policies });
  const reader = new Cloudflare({ apiToken: token.value, baseURL: s.apiUrl });
  assert.deepEqual(await all(reader.d1.database.list({ account_id })), []);
  await assert.rejects(reader.d1.database.create({ account_id, name: "x" }), Cloudflare.PermissionDeniedError);
  await c.user.tokens.update(token.id, { name: "renamed", policies });
  assert.ok((await all(c.user.tokens.list())).some((t) => t.name === "renamed"));
  await c.user.tokens.delete(token.id);
  await assert.rejects(reader.user.tokens.verify(), Cloudflare.AuthenticationError);
});
