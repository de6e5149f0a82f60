// HTTPS with the local authority: clients that trust it verify every Worker's own name, and get HTTP/2.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
let ca;
let port;
before(async () => {
  s = await startSelvedge({ args: ["--https", "127.0.0.1:0"] });
  await deploy(s, "secure", `export default { fetch(r) { return Response.json({ url: r.url, cf: r.cf }) } }`);
  ca = readFileSync(join(s.data, "keys/authority.crt"));
  port = Number(JSON.parse(readFileSync(join(s.data, "run.json"), "utf8")).https.split(":").pop());
});
after(() => s.stop());

// Connects to loopback, verifies the certificate for `servername`.
const get = (servername, options = {}) =>
  new Promise((resolve, reject) => {
    const req = request({ host: "127.0.0.1", port, servername, ca, path: "/x", headers: { host: servername }, ...options }, (res) => {
      let text = "";
      res.on("data", (chunk) => (text += chunk));
      res.on("end", () => resolve({ status: res.statusCode, text }));
    });
    req.on("error", reject);
    req.end();
  });

test("a Worker's own name verifies against the local authority", async () => {
  const answer = await get("secure.localhost");
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.text).url, "https://secure.localhost/x");
  assert.equal((await get("localhost", { headers: { host: "secure.localhost" } })).status, 200);
});

test("TLS 1.2 and 1.3 say which they are", async () => {
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const answer = await get("secure.localhost", { minVersion: version, maxVersion: version, agent: false });
    assert.equal(JSON.parse(answer.text).cf.tlsVersion, version);
  }
});

test("a client that does not trust the authority, and one that asks for a foreign name, are refused by their own check", async () => {
  await assert.rejects(get("secure.localhost", { ca: undefined, agent: false }), /unable to verify|self-signed|local issuer/i);
  await assert.rejects(get("secure.example.com", { agent: false }), /does not match/);
});

test("ALPN gives HTTP/2", async () => {
  const client = connectHttp2(`https://secure.localhost:${port}`, { ca, lookup: (host, options, done) => done(null, options.all ? [{ address: "127.0.0.1", family: 4 }] : "127.0.0.1", 4) });
  const text = await new Promise((resolve, reject) => {
    const stream = client.request({ ":path": "/h2" });
    let body = "";
    stream.on("data", (chunk) => (body += chunk));
    stream.on("end", () => resolve(body));
    client.on("error", reject);
  });
  assert.equal(client.alpnProtocol, "h2");
  client.close();
  assert.equal(JSON.parse(text).cf.httpProtocol, "HTTP/2");
});
