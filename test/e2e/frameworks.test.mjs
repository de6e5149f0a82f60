// Published frameworks, bundled and deployed by the real wrangler, answer as their documentation says.
import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { get } from "./lib/http.mjs";
import { project } from "./lib/project.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const modules = join(dirname(fileURLToPath(import.meta.url)), "../../node_modules");

const hono = `
import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { stream, streamSSE } from "hono/streaming";
import { validator } from "hono/validator";

const app = new Hono();
app.use("/cors/*", cors({ origin: "https://a.example" }));
app.use("/etag/*", etag());
app.use("/private/*", basicAuth({ username: "u", password: "p" }));
app.get("/", (c) => c.text("hono on " + c.env.NAME));
app.get("/users/:id{[0-9]+}", (c) => c.json({ id: c.req.param("id"), q: c.req.query("q") }));
app.get("/html", (c) => c.html("<h1>é</h1>"));
app.get("/cookie", (c) => { setCookie(c, "seen", "1", { path: "/", httpOnly: true }); return c.text(getCookie(c, "seen") ?? "never"); });
app.get("/redirect", (c) => c.redirect("/html", 301));
app.post("/form", async (c) => { const body = await c.req.parseBody(); return c.json({ name: body.name, file: body.file?.name, text: await body.file?.text() }); });
app.post("/json", validator("json", (value, c) => typeof value.n === "number" ? value : c.text("bad", 400)), (c) => c.json({ twice: c.req.valid("json").n * 2 }));
app.get("/cors/x", (c) => c.text("x"));
app.get("/etag/x", (c) => c.text("x"));
app.get("/private/x", (c) => c.text("secret"));
app.get("/stream", (c) => stream(c, async (s) => { for (let i = 0; i < 3; i++) { await s.write("part " + i + "\\n"); await s.sleep(5); } }));
app.get("/sse", (c) => streamSSE(c, async (s) => { for (let i = 0; i < 2; i++) await s.writeSSE({ event: "tick", data: String(i), id: String(i) }); }));
app.get("/teapot", () => { throw new HTTPException(418, { message: "short and stout" }); });
app.get("/broken", () => { throw new Error("unexpected"); });
app.get("/background", (c) => { c.executionCtx.waitUntil(Promise.resolve()); return c.text("ok"); });
app.onError((error, c) => error instanceof HTTPException ? error.getResponse() : c.json({ error: error.message }, 500));
app.notFound((c) => c.json({ nothing: c.req.path }, 404));
export default app;`;

const itty = `
import { AutoRouter, cors, error, json, withParams } from "itty-router";
const { preflight, corsify } = cors();
const router = AutoRouter({ before: [preflight, withParams], finally: [corsify] });
router
  .get("/hello/:name", ({ name, query }) => ({ hello: name, query }))
  .get("/text", () => "plain")
  .get("/fails", () => error(403, "not for you"))
  .post("/echo", async (request) => json(await request.json()))
  .get("/env", (request, env, ctx) => [env.NAME, typeof ctx.waitUntil]);
export default { ...router };`;

let s;
before(async () => {
  s = await startSelvedge();
  for (const [name, source] of Object.entries({ hono, itty })) {
    const p = project({ name, main: "index.js", compatibility_date: "2026-01-01", vars: { NAME: name } }, { "index.js": source });
    symlinkSync(modules, join(p.dir, "node_modules"));
    const deployed = await s.wrangler(["deploy"], p.dir);
    assert.equal(deployed.code ?? 0, 0, deployed.stderr);
    p.remove();
  }
});
after(() => s?.stop());

const form = () => {
  const body = new FormData();
  body.set("name", "n");
  body.set("file", new File(["content é"], "a.txt"));
  return new Response(body);
};

const requests = {
  hono: [
    ["/", {}, 200, "hono on hono"],
    ["/users/7?q=x%20y", {}, 200, `{"id":"7","q":"x y"}`],
    ["/users/seven", {}, 404, `{"nothing":"/users/seven"}`],
    ["/html", {}, 200, "<h1>é</h1>"],
    ["/cookie", { headers: { cookie: "seen=before" } }, 200, "before"],
    ["/redirect", {}, 301, ""],
    ["/json", { method: "POST", headers: { "content-type": "application/json" }, body: `{"n":21}` }, 200, `{"twice":42}`],
    ["/json", { method: "POST", headers: { "content-type": "application/json" }, body: `{"n":"x"}` }, 400, "bad"],
    ["/cors/x", { headers: { origin: "https://a.example" } }, 200, "x"],
    ["/etag/x", {}, 200, "x"],
    ["/private/x", {}, 401, "Unauthorized"],
    ["/private/x", { headers: { authorization: `Basic ${btoa("u:p")}` } }, 200, "secret"],
    ["/stream", {}, 200, "part 0\npart 1\npart 2\n"],
    ["/sse", {}, 200, "event: tick\ndata: 0\nid: 0\n\nevent: tick\ndata: 1\nid: 1\n\n"],
    ["/teapot", {}, 418, "short and stout"],
    ["/broken", {}, 500, `{"error":"unexpected"}`],
    ["/background", {}, 200, "ok"],
  ],
  itty: [
    ["/hello/world?a=1&a=2", {}, 200, `{"hello":"world","query":{"a":["1","2"]}}`],
    ["/text", {}, 200, `"plain"`],
    ["/fails", {}, 403, `{"status":403,"error":"not for you"}`],
    ["/none", {}, 404, `{"status":404,"error":"Not Found"}`],
    ["/echo", { method: "POST", body: `{"x":[1,2]}` }, 200, `{"x":[1,2]}`],
    ["/env", {}, 200, `["itty","function"]`],
  ],
};

for (const [name, rows] of Object.entries(requests))
  for (const [path, options, status, text] of rows)
    test(`${name}: ${options.method ?? "GET"} ${path} ${status}`, async () => {
      const answer = await get(s, name, path, options);
      assert.equal(answer.text, text);
      assert.equal(answer.status, status);
    });

test("hono: a multipart form with a file", async () => {
  const body = form();
  const answer = await get(s, "hono", "/form", { method: "POST", headers: { "content-type": body.headers.get("content-type") }, body: Buffer.from(await body.arrayBuffer()) });
  assert.equal(answer.text, `{"name":"n","file":"a.txt","text":"content é"}`);
});

test("hono: cookies, CORS and ETag set the fields that browsers need", async () => {
  assert.match((await get(s, "hono", "/cookie")).headers["set-cookie"][0], /^seen=1; Path=\/; HttpOnly$/);
  assert.equal((await get(s, "hono", "/cors/x", { headers: { origin: "https://a.example" } })).headers["access-control-allow-origin"], "https://a.example");
  const { etag } = (await get(s, "hono", "/etag/x")).headers;
  assert.equal((await get(s, "hono", "/etag/x", { headers: { "if-none-match": etag } })).status, 304);
});
