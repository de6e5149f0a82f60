// Workers that misbehave hurt only themselves: the neighbour answers all the while, and they come back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

let s;
before(async () => {
  s = await startSelvedge();
  await deploy(s, "neighbour", `export default { fetch() { return new Response("fine") } }`);
  assert.equal((await get(s, "neighbour")).text, "fine");
});
after(() => s?.stop());

// Runs `attack` while a client asks the neighbour; gives what the attack gave and the neighbour's slowest answer.
async function beside(attack) {
  let stop = false;
  let slowest = 0;
  const watching = (async () => {
    while (!stop) {
      const begin = performance.now();
      const answer = await get(s, "neighbour");
      assert.equal(answer.text, "fine");
      slowest = Math.max(slowest, performance.now() - begin);
      await new Promise((r) => setTimeout(r, 10));
    }
  })();
  const result = await attack();
  stop = true;
  await watching;
  return { result, slowest };
}

const attacks = {
  spins: { body: `if (new URL(request.url).pathname === "/") for (;;);`, limits: { cpu_ms: 200 }, within: 1500 },
  allocates: { body: `if (new URL(request.url).pathname === "/") { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(7)); }`, within: 20000 },
  recurses: { body: `if (new URL(request.url).pathname === "/") { const f = () => f() + 1; f(); }`, within: 3000 },
  floods: { body: `if (new URL(request.url).pathname === "/") { for (let i = 0; i < 200000; i++) console.log("x".repeat(100)); throw new Error("end"); }`, within: 20000 },
};
for (const [name, attack] of Object.entries(attacks))
  test(`a Worker that ${name} fails, its neighbour does not notice, and it comes back`, async () => {
    await deploy(s, name, `export default { fetch(request) { ${attack.body} return new Response("back") } }`, { limits: attack.limits });
    const begin = performance.now();
    const { result, slowest } = await beside(() => get(s, name));
    const took = performance.now() - begin;
    assert.ok(result.status >= 500, `status ${result.status}: ${result.text}`);
    assert.ok(took < attack.within, `took ${took.toFixed(0)} ms`);
    assert.ok(slowest < 1000, `neighbour's slowest answer took ${slowest.toFixed(0)} ms`);
    const again = await until("recovery", 5000, async () => {
      const answer = await get(s, name, "/ok").catch(() => ({ status: 0 }));
      return answer.status === 200 && answer;
    });
    assert.equal(again.text, "back");
  });

test("time that other threads compute for a Worker counts as its own", async () => {
  await deploy(s, "derives", `import { pbkdf2 } from "node:crypto";
    const derive = () => new Promise((resolve, reject) => pbkdf2("p", "s", 300000, 64, "sha512", (e, key) => (e ? reject(e) : resolve(key.length))));
    export default { async fetch(request) {
      if (new URL(request.url).pathname === "/") for (let i = 0; i < 1000; i++) await Promise.all([derive(), derive(), derive()]);
      return new Response("back");
    } }`, { limits: { cpu_ms: 300 }, compatibility_flags: ["nodejs_compat"] });
  const begin = performance.now();
  const { result } = await beside(() => get(s, "derives"));
  assert.ok(result.status >= 500, `status ${result.status}: ${result.text}`);
  assert.ok(performance.now() - begin < 20000);
  const again = await until("recovery", 5000, async () => {
    const answer = await get(s, "derives", "/ok").catch(() => ({ status: 0 }));
    return answer.status === 200 && answer;
  });
  assert.equal(again.text, "back");
});

test("10,000 fetches at once end as results or errors; the Worker goes on", async () => {
  await deploy(s, "fetches", `export default { async fetch(request) {
    if (new URL(request.url).pathname !== "/") return new Response("back");
    const all = await Promise.allSettled(Array.from({ length: 10000 }, (_, i) => fetch("http://127.0.0.1:9/" + i)));
    return Response.json(all.map((r) => r.status).reduce((n, x) => ({ ...n, [x]: (n[x] ?? 0) + 1 }), {}));
  } }`);
  const { result } = await beside(() => get(s, "fetches"));
  if (result.status === 200) assert.equal(JSON.parse(result.text).rejected, 10000);
  else assert.ok(result.status >= 500);
  assert.equal((await get(s, "fetches", "/ok")).text, "back");
});

test("a Worker that throws at start is refused with its exception", async () => {
  await assert.rejects(deploy(s, "bad-start", `throw new TypeError("broken from the beginning");`), (e) => e.errors?.[0].code === 10021 && /broken from the beginning/.test(e.errors[0].message));
});

test("a Worker that spins at start is refused", async () => {
  await assert.rejects(deploy(s, "spin-start", `for (;;);`), (e) => e.errors?.[0].code === 10021);
});

test("code cannot be made from strings in a handler", async () => {
  await deploy(s, "evals", `export default { fetch() { const out = []; for (const f of [() => eval("1"), () => new Function("return 1")(), () => new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0]))]) { try { f(); out.push("ran") } catch (e) { out.push(e.name) } } return Response.json(out) } }`);
  assert.deepEqual(JSON.parse((await get(s, "evals")).text), ["EvalError", "EvalError", "CompileError"]);
});

test("the network of this machine is out of reach", async () => {
  await deploy(s, "inside", `export default { async fetch() { const out = []; for (const url of ["http://127.0.0.1:22/", "http://169.254.169.254/latest/meta-data/", "http://[::1]:80/", "http://10.0.0.1/", "http://0x7f000001/"]) { try { await fetch(url); out.push("reached") } catch (e) { out.push(e.name) } } return Response.json(out) } }`);
  assert.ok(JSON.parse((await get(s, "inside")).text).every((x) => x !== "reached"));
});

const uploads = {
  "a path that climbs": () => ({ "index.js": "export default {}", "../../x.js": "1" }),
  "an absolute path": () => ({ "index.js": "export default {}", "/etc/x.js": "1" }),
  "a syntax error": () => ({ "index.js": "export default {" }),
  "an import of nothing": () => ({ "index.js": `import x from "./none.js"; export default {}` }),
  "deep nesting": () => ({ "index.js": `export default ${"[".repeat(200000)}${"]".repeat(200000)}` }),
  "a bomb of a wasm module": () => ({ "index.js": `import m from "./x.wasm"; export default {}`, "x.wasm": new Uint8Array(1024).fill(0xff) }),
};
for (const [what, modules] of Object.entries(uploads))
  test(`an upload with ${what} gets a clear error`, async () => {
    await assert.rejects(deploy(s, "hostile", modules()), (e) => e.status >= 400 && e.status < 500 && e.errors[0].code > 0 && e.errors[0].message.length > 10);
  });

test("an upload of 100 MB and a broken multipart body get clear errors", async () => {
  await assert.rejects(deploy(s, "huge", { "index.js": Buffer.alloc(100 << 20, 32) }), (e) => e.errors?.[0].code === 10027);
  const response = await fetch(`${s.apiUrl}/accounts/${s.account}/workers/scripts/broken`, {
    method: "PUT",
    headers: { authorization: `Bearer ${s.token}`, "content-type": "multipart/form-data; boundary=x" },
    body: "--x\r\ncontent-disposition: form-data; name=metadata\r\n\r\n{",
  });
  assert.equal(response.status, 400);
  assert.equal((await response.json()).success, false);
  assert.equal((await get(s, "neighbour")).text, "fine");
  await api(s, "GET", "/workers/scripts");
});
