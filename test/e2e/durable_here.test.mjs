// Durable Objects that live in the isolate of the Worker that calls them: the calls stay in the process, and nobody can tell.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const source = `
import { DurableObject, RpcTarget } from "cloudflare:workers";
const wait = (ms) => new Promise((r) => setTimeout(r, ms));
class Part extends RpcTarget { constructor(n) { super(); this.n = n; } twice() { return 2 * this.n; } }
export class Thing extends DurableObject {
  seen = [];
  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/echo": return new Response(request.body, { status: 207, statusText: "Echoed", headers: { "x-method": request.method, "x-sent": request.headers.get("x-sent") ?? "" } });
      case "/sized": return new Response("12345", { headers: { "content-length": "5" } });
      case "/throw": throw new RangeError("thrown here");
      case "/abort": this.ctx.abort("aborted here"); break;
      case "/note": this.seen.push(Number(url.searchParams.get("n"))); return new Response("noted");
      case "/later": this.ctx.waitUntil(wait(2500).then(() => this.ctx.storage.put("later", "done"))); return new Response("answered");
      case "/what": return new Response((await this.ctx.storage.get("later")) ?? "nothing");
      case "/deep": return this.env.THINGS.get(this.ctx.id).fetch(request);
      case "/peer": return this.env.THINGS.getByName("peer of " + url.searchParams.get("n")).fetch("http://o/sized");
    }
    return new Response("pong");
  }
  note(n) { this.seen.push(n); }
  all() { return this.seen; }
  part(n) { return new Part(n); }
  async call(fn) { return await fn(20) + 1; }
  fails() { throw new TypeError("by a method"); }
}
const describe = async (run) => { try { await run(); return null; } catch (e) { return { name: e.name, message: e.message, remote: e.remote, reset: e.durableObjectReset }; } };
export default {
  async fetch(request, env) {
    const url = new URL(request.url), name = url.searchParams.get("name") ?? "one";
    const stub = env.THINGS.getByName(name);
    switch (url.pathname) {
      case "/order": {
        const calls = [];
        for (let i = 0; i < 60; i++) calls.push(url.searchParams.has("fetch") ? stub.fetch("http://o/note?n=" + i).then((r) => r.text()) : stub.note(i));
        await Promise.all(calls);
        return Response.json(await stub.all());
      }
      case "/rpc": { using part = await stub.part(4); return Response.json([await part.twice(), await stub.part(5).twice(), await stub.call((n) => n * 2), await describe(() => stub.fails())]); }
      case "/errors": return Response.json([await describe(() => stub.fetch("http://o/throw")), await describe(() => stub.fetch("http://o/abort")), (await (await stub.fetch("http://o/")).text())]);
      case "/echo": return stub.fetch(new Request("http://o/echo", request));
      case "/cancel": { const c = new AbortController(); const p = stub.fetch("http://o/later", { signal: c.signal }); c.abort(); return Response.json(await describe(() => p)); }
      case "/sized": { const r = await stub.fetch("http://o/sized"); return Response.json([r.headers.get("content-length"), await r.text()]); }
      default: return stub.fetch(request);
    }
  },
};
`;

let server;
const ask = (path, options) => get(server, "things", path, options);
const json = async (path) => JSON.parse((await ask(path)).text);

before(async () => {
    server = await startSelvedge({ settings: { "isolates.idle_s": 1 } });
    await deploy(server, "things", source, {
        bindings: [{ name: "THINGS", type: "durable_object_namespace", class_name: "Thing" }],
        migrations: { new_tag: "v1", new_sqlite_classes: ["Thing"] },
    });
});
after(() => server?.stop());

test("calls arrive in the order in which they were made, also while the object begins", async () => {
    const wanted = Array.from({ length: 60 }, (_, i) => i);
    for (const name of ["first", "second&fetch", "third", "fourth&fetch"]) {
        assert.deepEqual(await json(`/order?name=${name}`), wanted);
        assert.deepEqual(await json(`/order?name=${name}`), [...wanted, ...wanted]);
    }
});

test("the second answer is as the first: bodies, heads, errors, RPC", async () => {
    const body = "0123456789".repeat(200_000);
    for (let i = 0; i < 2; i++) {
        const echoed = await ask("/echo?name=bodies", { method: "POST", body, headers: { "x-sent": "héllo" } });
        assert.equal(echoed.status, 207);
        assert.equal(echoed.headers["x-method"], "POST");
        assert.equal(echoed.text, body);
        assert.deepEqual(await json("/rpc?name=rpc"), [8, 10, 41, { name: "TypeError", message: "by a method", remote: true }]);
        assert.deepEqual(await json("/errors?name=errors"), [
            { name: "RangeError", message: "thrown here", remote: true },
            { name: "Error", message: "aborted here", remote: true },
            "pong",
        ]);
        assert.equal((await json("/cancel?name=cancel")).name, "AbortError");
    }
    assert.deepEqual(await json("/sized?name=sized"), await json("/sized?name=sized"));
    assert.equal((await ask("/peer?name=sized&n=1")).text, "12345");
});

test("an object that calls itself comes to an end", async () => {
    await ask("/?name=deep");
    for (let i = 0; i < 2; i++) {
        const answer = await ask("/deep?name=deep");
        assert.equal(answer.status, 500);
    }
    assert.equal((await ask("/?name=deep")).text, "pong");
});

test("what an object does after its answer keeps the isolate", async () => {
    await ask("/?name=later");
    assert.equal((await ask("/later?name=later")).text, "answered");
    await until("what was written later", 8000, async () => (await ask("/what?name=later")).text === "done");
});
