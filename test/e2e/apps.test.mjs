// Published libraries, bundled and deployed by the real wrangler. A file of apps/ is a Worker.
import assert from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { get } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "../../node_modules");
const DATE = "2026-04-01";

let s;
before(async () => (s = await startSelvedge()));
after(() => s?.stop());

async function deploy(name, file, config = {}) {
  const p = project({ name, main: "index.js", compatibility_date: DATE, compatibility_flags: ["nodejs_compat"], ...config },
    { "index.js": readFileSync(join(here, "apps", file), "utf8") });
  symlinkSync(modules, join(p.dir, "node_modules"));
  try {
    await s.wrangler(["deploy"], p.dir);
  } finally {
    p.remove();
  }
}

const json = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const form = (body) => ({ method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body });

async function expect(name, rows) {
  for (const [path, options, status, text] of rows) {
    const answer = await get(s, name, path, options);
    assert.equal(answer.text, text, `${name}${path}`);
    assert.equal(answer.status, status, `${name}${path}`);
  }
}

test("express", async () => {
  await deploy("express", "express.js");
  await expect("express", [
    ["/", {}, 200, "express"],
    ["/users/7?q=x", {}, 200, `{"id":"7","q":"x","host":"express.localhost"}`],
    ["/json", json({ n: 21 }), 201, `{"twice":42}`],
    ["/form", form("a=1&b=%C3%A9"), 200, "1+é"],
    ["/stream", {}, 200, "part 0\npart 1\npart 2\n"],
    ["/throws", {}, 500, `{"error":"unexpected"}`],
  ]);
  const answer = await get(s, "express", "/cookie");
  assert.deepEqual([answer.status, answer.headers.location, answer.headers["x-seen"]], [302, "/", "GET"]);
  assert.deepEqual(answer.headers["set-cookie"], ["seen=1; Path=/; HttpOnly"]);
  assert.equal((await get(s, "express", "/none")).status, 404);
  assert.equal((await get(s, "express", "/json", { ...json({}), body: "{" })).status, 400);
  const { etag } = (await get(s, "express", "/")).headers;
  assert.equal((await get(s, "express", "/", { headers: { "if-none-match": etag } })).status, 304);
});

test("koa", async () => {
  await deploy("koa", "koa.js");
  await expect("koa", [
    ["/?q=1", {}, 200, "koa 1"],
    ["/echo", { method: "PUT", body: "body é" }, 200, `{"method":"PUT","text":"body é"}`],
    ["/teapot", {}, 418, "short and stout"],
  ]);
});

test("jose", async () => {
  await deploy("jose", "jose.js");
  const answer = JSON.parse((await get(s, "jose")).text);
  assert.deepEqual(answer, {
    signed: ["ES256", "ES384", "ES512", "PS256", "RS256", "Ed25519"], encrypted: ["A256GCM", "A128CBC-HS256"], keySet: "me", expired: "ERR_JWT_EXPIRED",
    pem: "-----BEGIN PUBLIC KEY-----", thumbprint: answer.thumbprint,
  });
  assert.match(answer.thumbprint, /^[\w-]{43}$/);
});

test("zod", async () => {
  await deploy("zod", "zod.js");
  await expect("zod", [
    ["/", json({ name: "Ada", mail: "a@b.example", age: "36" }), 200, `{"name":"Ada","mail":"a@b.example","age":36,"tags":[]}`],
    ["/", json({ name: "A", mail: "x", tags: ["c"], more: 1 }), 422, `["name: too_small","mail: invalid_format","tags.0: invalid_value",": unrecognized_keys"]`],
  ]);
  assert.deepEqual(JSON.parse((await get(s, "zod")).text).properties.tags.items.enum, ["a", "b"]);
});

test("the Vercel AI SDK", async () => {
  await deploy("ai", "ai.js");
  await expect("ai", [
    ["/text", {}, 200, "Hello, world"],
    ["/tool", {}, 200, `{"steps":[["rain in Bern"],[]],"answer":"Take a coat"}`],
    ["/object", {}, 200, `{"n":7}`],
  ]);
  const chat = await get(s, "ai", "/chat", json({ messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "hi" }] }] }));
  const events = chat.text.split("\n\n").filter(Boolean).map((line) => line.replace(/^data: /, ""));
  assert.equal(events.pop(), "[DONE]");
  assert.deepEqual(events.map((e) => JSON.parse(e)).filter((e) => e.type === "text-delta").map((e) => e.delta), ["You said ", "hi"]);
});

test("a server of the Model Context Protocol, asked by the protocol's own client", async () => {
  await deploy("mcp", "mcp.js", { vars: { NAME: "of the Worker" } });
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const client = new Client({ name: "test", version: "1" });
  const ask = async (url, init = {}) => {
    const answer = await get(s, "mcp", new URL(url).pathname, { method: init.method, headers: Object.fromEntries(new Headers(init.headers)), body: init.body });
    return new Response(answer.status === 202 || answer.status === 204 ? null : answer.body, { status: answer.status, headers: { "content-type": answer.headers["content-type"] ?? "" } });
  };
  await client.connect(new StreamableHTTPClientTransport(new URL("http://mcp.localhost/mcp"), { fetch: ask }));
  assert.deepEqual((await client.listTools()).tools.map((t) => t.name), ["add"]);
  assert.deepEqual((await client.callTool({ name: "add", arguments: { a: 2, b: 40 } })).content, [{ type: "text", text: "42" }]);
  assert.equal((await client.callTool({ name: "add", arguments: { a: "x" } })).isError, true);
  assert.equal((await client.readResource({ uri: "text://name" })).contents[0].text, "of the Worker");
  assert.equal((await client.getPrompt({ name: "greet", arguments: { who: "Ada" } })).messages[0].content.text, "Greet Ada");
  await client.close();
});

test("better-auth over D1", async () => {
  const { stdout } = await s.wrangler(["d1", "create", "auth"], here);
  await deploy("better-auth", "better_auth.js", { d1_databases: [{ binding: "DB", database_name: "auth", database_id: /"?database_id"?\s*[:=]\s*"([^"]+)"/.exec(stdout)[1] }] });
  assert.equal((await get(s, "better-auth", "/migrate")).text, "migrated");
  const person = { name: "Ada", email: "ada@b.example", password: "correct horse" };
  const up = await get(s, "better-auth", "/api/auth/sign-up/email", json(person));
  assert.equal(up.status, 200, up.text);
  assert.equal(JSON.parse(up.text).user.email, person.email);
  assert.equal((await get(s, "better-auth", "/api/auth/sign-in/email", json({ ...person, password: "wrong horse" }))).status, 401);
  const signedIn = await get(s, "better-auth", "/api/auth/sign-in/email", json(person));
  const cookie = signedIn.headers["set-cookie"].map((c) => c.split(";")[0]).join("; ");
  assert.equal(JSON.parse((await get(s, "better-auth", "/api/auth/get-session", { headers: { cookie } })).text).user.name, "Ada");
  assert.equal((await get(s, "better-auth", "/api/auth/get-session")).text, "null");
});

test("drizzle-orm over D1", async () => {
  const { stdout } = await s.wrangler(["d1", "create", "books"], here);
  await deploy("drizzle", "drizzle.js", { d1_databases: [{ binding: "DB", database_name: "books", database_id: /"?database_id"?\s*[:=]\s*"([^"]+)"/.exec(stdout)[1] }] });
  const answer = JSON.parse((await get(s, "drizzle")).text);
  assert.equal(answer.n, 2);
  assert.deepEqual(answer.joined, [{ title: "THE WORD FOR WORLD IS FOREST", by: "Le Guin" }, { title: "The Dispossessed", by: "Le Guin" }]);
  assert.deepEqual(answer.nested.books[0], { title: "The Dispossessed", meta: { year: 1974 }, added: "1970-01-02T00:00:00.000Z" });
  assert.match(answer.conflict, /UNIQUE constraint failed: authors.name/);
});
