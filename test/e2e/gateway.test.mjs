// The gateway as clients see it: framing, streaming, limits, routing, deploys under load.
import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get, raw, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
const echo = `
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/echo": return new Response(request.body, { headers: { "x-method": request.method } });
      case "/headers": return Response.json([...request.headers]);
      case "/cf": return Response.json(request.cf);
      case "/big": return new Response("x".repeat(Number(url.searchParams.get("n"))));
      case "/stream": {
        const { readable, writable } = new TransformStream();
        ctx.waitUntil((async () => {
          const writer = writable.getWriter();
          for (let i = 0; i < 5; i++) { await writer.write(new TextEncoder().encode("piece " + i + "\\n")); await scheduler.wait(20); }
          await writer.close();
        })());
        return new Response(readable);
      }
      case "/slow": await scheduler.wait(Number(url.searchParams.get("ms"))); return new Response("slept");
      case "/throw": throw new Error("thrown on purpose");
      case "/status": return new Response(null, { status: Number(url.searchParams.get("s")) });
    }
    return new Response("hello " + url.pathname);
  },
};`;

before(async () => {
  s = await startSelvedge({ settings: { "place.country": "PT", "place.city": "Évora", "place.asn": 64500 } });
  await deploy(s, "echo", echo);
});
after(() => s?.stop());

const request = (lines, body = "") => `${lines.join("\r\n")}\r\n\r\n${body}`;
const host = () => `Host: echo.localhost`;

test("answers, keeps the connection, answers pipelined requests in order", async () => {
  const answer = await raw(s, request(["GET /a HTTP/1.1", host()]) + request(["GET /b HTTP/1.1", host()]) + request(["GET /c HTTP/1.1", host(), "Connection: close"]));
  const bodies = [...answer.matchAll(/hello \/(\w)/g)].map((m) => m[1]);
  assert.deepEqual(bodies, ["a", "b", "c"]);
});

test("streams a chunked request through and back, with HEAD and 100-continue", async () => {
  const chunked = await raw(s, request(["POST /echo HTTP/1.1", host(), "Transfer-Encoding: chunked", "Connection: close"], "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n"));
  assert.match(chunked, /200 OK/);
  assert.match(chunked.replace(/\r\n[0-9a-f]+\r\n/g, ""), /hello/);
  const head = await get(s, "echo", "/big?n=1000", { method: "HEAD" });
  assert.equal(head.headers["content-length"], "1000");
  assert.equal(head.body.length, 0);
  const expect = await raw(s, [request(["POST /echo HTTP/1.1", host(), "Expect: 100-continue", "Content-Length: 2", "Connection: close"]), /100 Continue/, "ok"]);
  assert.match(expect, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200/);
});

test("a large body makes the round trip unchanged", async () => {
  const body = Buffer.alloc(20 << 20, "abcdefghij");
  const answer = await get(s, "echo", "/echo", { method: "POST", body });
  assert.equal(answer.status, 200);
  assert.ok(answer.body.equals(body));
});

test("pieces arrive as they are written", async () => {
  const answer = await get(s, "echo", "/stream");
  assert.equal(answer.text, "piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n");
});

const smuggling = {
  "two different lengths": ["POST /echo HTTP/1.1", "Host: echo.localhost", "Content-Length: 5", "Content-Length: 6"],
  "length and chunked": ["POST /echo HTTP/1.1", "Host: echo.localhost", "Content-Length: 5", "Transfer-Encoding: chunked"],
  "unknown coding": ["POST /echo HTTP/1.1", "Host: echo.localhost", "Transfer-Encoding: gzip, chunked, identity"],
  "blank before the colon": ["GET / HTTP/1.1", "Host : echo.localhost"],
  "folded field": ["GET / HTTP/1.1", "Host: echo.localhost", "X-A: a", " b"],
  "no host": ["GET / HTTP/1.1"],
  "two hosts": ["GET / HTTP/1.1", "Host: echo.localhost", "Host: other.localhost"],
  "negative length": ["POST /echo HTTP/1.1", "Host: echo.localhost", "Content-Length: -1"],
  "NUL in a value": ["GET / HTTP/1.1", "Host: echo.localhost", "X-A: a\0b"],
  "bare CR": ["GET / HTTP/1.1", "Host: echo.localhost", "X-A: a\rX-B: b"],
};
for (const [what, lines] of Object.entries(smuggling))
  test(`refuses ${what}`, async () => {
    const answer = await raw(s, request(lines, "hello"));
    assert.match(answer, /^HTTP\/1\.[01] (400|501) /);
    assert.match(answer, /connection: close/i);
  });

test("HTTP/2 by prior knowledge", async () => {
  const client = connectHttp2(s.httpUrl);
  const answer = await new Promise((resolve, reject) => {
    const stream = client.request({ ":path": "/h2", ":authority": "echo.localhost" });
    let text = "";
    let status;
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.on("data", (chunk) => (text += chunk));
    stream.on("end", () => resolve({ status, text }));
    stream.on("error", reject);
  });
  client.close();
  assert.deepEqual(answer, { status: 200, text: "hello /h2" });
});

test("an unknown host is 404, an exception 500, each with its request id; the platform's paths are not the Worker's", async () => {
  assert.equal((await get(s, "nobody")).status, 404);
  const thrown = await get(s, "echo", "/throw");
  assert.equal(thrown.status, 500);
  assert.equal((await get(s, "echo", "/cdn-cgi/x")).status, 404);
  assert.match((await get(s, "echo", "/cdn-cgi/trace")).text, /^h=echo\.localhost/);
});

test("clients cannot forge what the platform says about them", async () => {
  const answer = JSON.parse((await get(s, "echo", "/headers", { headers: { "cf-connecting-ip": "6.6.6.6", "x-own": "1" } })).text);
  const headers = Object.fromEntries(answer);
  assert.equal(headers["cf-connecting-ip"], "127.0.0.1");
  assert.equal(headers["x-own"], "1");
});

test("request.cf says how the client came, and where by the settings", async () => {
  const cf = async (headers) => JSON.parse((await get(s, "echo", "/cf", { headers })).text);
  const { tlsClientAuth, ...rest } = await cf({ "accept-encoding": "br, gzip" });
  assert.deepEqual(rest, {
    colo: "LOC", country: "PT", city: "Évora", isEUCountry: "1", asn: 64500, requestPriority: "", edgeRequestKeepAliveStatus: 1,
    httpProtocol: "HTTP/1.1", tlsVersion: "", tlsCipher: "", clientAcceptEncoding: "br, gzip",
  });
  assert.equal(tlsClientAuth.certPresented, "0");
  assert.equal(tlsClientAuth.certVerified, "NONE");
  assert.equal((await cf({})).clientAcceptEncoding, "");
});

test("a deploy cuts no request and the new version answers", async () => {
  const version = (n) => `export default { async fetch() { await scheduler.wait(30); return new Response("v${n}") } }`;
  await deploy(s, "rolling", version(1));
  let stop = false;
  const seen = new Set();
  const load = Array.from({ length: 8 }, async () => {
    while (!stop) {
      const answer = await get(s, "rolling");
      assert.equal(answer.status, 200, answer.text);
      seen.add(answer.text);
    }
  });
  for (let n = 2; n <= 4; n++) {
    await deploy(s, "rolling", version(n));
    await until(`version ${n}`, 5000, () => seen.has(`v${n}`));
  }
  stop = true;
  await Promise.all(load);
});

test("a client that goes away ends its request, not the Worker", async () => {
  const gone = new AbortController();
  const pending = get(s, "echo", "/slow?ms=5000", { signal: gone.signal }).catch(() => "gone");
  setTimeout(() => gone.abort(), 100);
  assert.equal(await pending, "gone");
  assert.equal((await get(s, "echo", "/x")).text, "hello /x");
});
