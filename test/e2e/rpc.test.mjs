// RPC between deployed Workers: methods, properties, functions, stubs, pipelines, streams, errors, props, disposal.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const callee = `
import { WorkerEntrypoint, RpcTarget, RpcStub } from "cloudflare:workers";
let disposed = 0, instances = 0, pings = 0;

class Counter extends RpcTarget {
    #n;
    constructor(n) { super(); this.#n = n; this.own = 1; }
    add(k) { this.#n += k; return this.#n; }
    get value() { return this.#n; }
    get nested() { return { deep: { n: this.#n, twice: (x) => x * 2 } }; }
    self() { return this; }
    [Symbol.dispose]() { disposed++; }
}

export default class Main extends WorkerEntrypoint {
    constructor(ctx, env) { super(ctx, env); this.field = 1; instances++; }
    add(a, b) { return a + b; }
    echo(...args) { return args; }
    instances() { return instances; }
    disposed() { return disposed; }
    counter(n) { return new Counter(n); }
    pair() { return { a: new Counter(1), b: new Counter(2), plain: [1, 2] }; }
    get greeting() { return "hello"; }
    profile(id) { return { id, name: "n" + id, address: { city: "c" } }; }
    fn() { let n = 0; return () => ++n; }
    async callBack(f, n) { const out = []; for (let i = 0; i < n; i++) out.push(await f(i)); return out; }
    async useTarget(t) { return await t.add(5) + await t.value; }
    fail(kind) {
        if (kind === "range") throw Object.assign(new RangeError("out"), { code: 42 });
        if (kind === "custom") throw Object.assign(new Error("mine"), { name: "MyError" });
        if (kind === "value") throw { not: "an error" };
        throw new Error("plain", { cause: new TypeError("why") });
    }
    async slowFail() { await scheduler.wait(1); throw new Error("later"); }
    stream(n) {
        let i = 0;
        return new ReadableStream({ type: "bytes", pull(c) { if (i === n) c.close(); else { i++; c.enqueue(new Uint8Array(1000).fill(i)); } } });
    }
    async total(stream) { let n = 0; for await (const c of stream) n += c.length; return n; }
    async fill(writable, n) { const w = writable.getWriter(); for (let i = 0; i < n; i++) await w.write(new Uint8Array(1000)); await w.close(); return n; }
    response(text) { return new Response(text, { status: 201, headers: { "x-a": "b" } }); }
    async request(r) { return [r.method, r.url, r.headers.get("x-q"), await r.text()]; }
    big(n) { return "x".repeat(n); }
    never() { return new Promise(() => {}); }
    background() { this.ctx.waitUntil((async () => { await scheduler.wait(10); pings++; })()); return pings; }
    pings() { return pings; }
    notOurs() { return new (class Odd {})(); }
    _under() { return "visible"; }
    fetch(request) { return new Response("fetched " + new URL(request.url).pathname); }
}

export class Named extends WorkerEntrypoint {
    props() { return this.ctx.props; }
    async fetch() { return Response.json(this.ctx.props); }
}

export const handlers = {
    three(arg, env, ctx) { return [arg, typeof env, typeof ctx.waitUntil]; },
    four(a, b, c, d) {},
};
`;

const caller = `
import { RpcTarget, RpcStub, RpcPromise, RpcProperty, ServiceStub, WorkerEntrypoint, exports as top } from "cloudflare:workers";

class Local extends RpcTarget {
    n = 10;
    #v = 1;
    add(k) { this.#v += k; return this.#v; }
    get value() { return this.#v; }
}

const textOf = async (promise) => { try { return ["value", await promise]; } catch (e) { return [e.name, e.message]; } };
const bytesOf = async (stream) => { let n = 0; for await (const c of stream) n += c.length; return n; };

const cases = {
    plain: async (s) => [await s.add(1, 2), await s.echo("a", [1, { b: null }], undefined, -0 === 0)],
    types: async (s) => {
        const [d, m, b, e, u, r] = await s.echo(new Date(5), new Map([[1, new Set([2])]]), 10n, new RangeError("r"), new Uint8Array([1, 2]), /x/g);
        return [d.getTime(), m.get(1).has(2), String(b), e instanceof RangeError, [...u], r.flags];
    },
    instances: async (s) => { const a = await s.instances(); return await s.instances() - a; },
    counter: async (s) => { using c = await s.counter(3); return [await c.add(2), await c.value, await c.nested.deep.n, await c.nested.deep.twice(4)]; },
    pipeline: async (s) => [await s.counter(1).add(4), await s.profile(7).name, await s.profile(7).address.city, await s.counter(2).self().self().value],
    fn: async (s) => { using f = await s.fn(); return [await f(), await f()]; },
    order: async (s) => { using f = await s.fn(); return Promise.all([f(), f(), f(), f()]); },
    callback: async (s) => s.callBack((i) => i * 10, 3),
    target: async (s) => s.useTarget(new Local()),
    back: async (s) => { const local = new Local(); const [stub] = await s.echo(local); return stub.add(1); },
    pair: async (s) => { using p = await s.pair(); return [await p.a.add(1), await p.b.add(1), p.plain]; },
    dup: async (s) => {
        const c = await s.counter(1), d = c.dup();
        c[Symbol.dispose]();
        const after = await textOf(c.add(1));
        const alive = await d.add(1);
        d[Symbol.dispose]();
        return [after, alive];
    },
    disposal: async (s) => {
        const before = await s.disposed();
        { using c = await s.counter(1); await c.add(1); }
        await scheduler.wait(20);
        const one = await s.disposed();
        { using p = await s.pair(); }
        await scheduler.wait(20);
        return [one - before, await s.disposed() - one];
    },
    errors: async (s) => {
        const out = [];
        for (const kind of ["range", "custom", "plain"]) {
            try { await s.fail(kind); } catch (e) { out.push([e.constructor.name, e.name, e.message, e.code, e.cause?.name]); }
        }
        try { await s.fail("value"); } catch (e) { out.push(e); }
        out.push(await textOf(s.slowFail()));
        return out;
    },
    refusals: async (s) => [
        await textOf(s.missing()), await textOf(s.field), await textOf(s.field()), await textOf(s.greeting()), await textOf(s.notOurs()),
        await textOf(s.echo(Symbol("x"))), await textOf(s.echo(new WeakMap())), await textOf(s.add(1, 2).foo()), await textOf(s.alarm()), await textOf(s.counter(1).own), await s._under(),
    ],
    streamOut: async (s) => bytesOf(await s.stream(500)),
    streamIn: async (s) => { let i = 0; return s.total(new ReadableStream({ type: "bytes", pull(c) { if (++i > 300) c.close(); else c.enqueue(new Uint8Array(1000)); } })); },
    writable: async (s) => {
        const { readable, writable } = new IdentityTransformStream();
        const [n, bytes] = await Promise.all([s.fill(writable, 200), bytesOf(readable)]);
        return [n, bytes];
    },
    response: async (s) => { const r = await s.response("text"); return [r.status, r.headers.get("x-a"), await r.text()]; },
    request: async (s) => s.request(new Request("http://x/y", { method: "POST", body: "body", headers: { "x-q": "1" } })),
    fetch: async (s) => (await s.fetch("http://x/path")).text(),
    big: async (s) => { const a = await s.big(3_000_000); const [b] = await s.echo(a); return [a.length, b.length]; },
    tooBig: async (s) => textOf(s.echo(new Uint8Array(33 * 1024 * 1024))),
    classes: async (s) => { const p = s.add(1, 1), c = await s.counter(1), r = [p instanceof RpcPromise, s.greeting instanceof RpcProperty, s instanceof ServiceStub, c instanceof RpcStub, typeof s, typeof c, s.then]; await p; return r; },
    localStub: async () => { const s = new RpcStub(new Local()); const f = new RpcStub((x) => x + 1); return [await s.add(1), await s.value, await f(1), await textOf(s.n), await textOf((async () => new RpcStub(5))())]; },
    background: async (s) => { const n = await s.background(); await scheduler.wait(50); return await s.pings() - n; },
    parallel: async (s) => (await Promise.all(Array.from({ length: 200 }, (_, i) => s.add(i, 1)))).reduce((a, b) => a + b, 0),
    passStub: async (s) => { using c = await s.counter(5); return s.useTarget(c); },
    passService: async (s, env) => { const [t] = await s.echo(env.CALLEE); return [await t.add(2, 3), await (await t.fetch("http://x/z")).text()]; },
    passPromise: async (s) => s.useTarget(s.counter(7)),
    props: async (s, env) => [await env.NAMED.props(), await (await env.NAMED.fetch("http://x/")).json()],
    handlers: async (s, env) => [await env.HANDLERS.three(1), await textOf(env.HANDLERS.four(1)), await textOf(env.HANDLERS.three()), await textOf(env.HANDLERS.three(1, 2))],
    loopback: async (s, env, ctx) => [await ctx.exports.Inner.who(), await ctx.exports.Inner({ props: { who: "me" } }).who(), await top.Inner({ props: { who: "you" } }).who(), await (await ctx.exports.Inner.fetch("http://x/q")).text(), await textOf(ctx.exports.Inner.nothing())],
};

export class Inner extends WorkerEntrypoint {
    who() { return this.ctx.props.who ?? "nobody"; }
    fetch(request) { return new Response("inner " + new URL(request.url).pathname); }
}

export default {
    async fetch(request, env, ctx) {
        const name = new URL(request.url).pathname.slice(1);
        try { return Response.json(await cases[name](env.CALLEE, env, ctx) ?? null); } catch (e) { return new Response(String(e.stack), { status: 500 }); }
    },
};
`;

const objects = `
import { DurableObject, RpcTarget } from "cloudflare:workers";
class Cursor extends RpcTarget { #o; constructor(o) { super(); this.#o = o; } next() { return this.#o.bump(); } }
export class Obj extends DurableObject {
    n = 0;
    async bump() { this.n++; await this.ctx.storage.put("n", this.n); return this.n; }
    async stored() { return this.ctx.storage.get("n"); }
    cursor() { return new Cursor(this); }
    who() { return this.ctx.id.name; }
    fail() { throw new RangeError("from object"); }
    async call(f) { return await f(this.n) + 1; }
}
const textOf = async (promise) => { try { return ["value", await promise]; } catch (e) { return [e.name, e.message]; } };
export default {
    async fetch(request, env) {
        const o = env.OBJ.getByName(new URL(request.url).pathname), out = [];
        out.push(await o.bump(), await o.bump(), await o.stored(), await o.who(), await Promise.all([o.bump(), o.bump(), o.bump()]));
        { using c = await o.cursor(); out.push(await c.next(), await c.next()); }
        out.push(await o.cursor().next(), await o.call((x) => x * 10), await textOf(o.fail()), await textOf(o.nothing()), o.name, String(o.id).length);
        return Response.json(out);
    },
};
`;

let selvedge;
before(async () => {
  selvedge = await startSelvedge();
  await deploy(selvedge, "callee", callee);
  await deploy(selvedge, "caller", caller, {
    bindings: [
      { name: "CALLEE", type: "service", service: "callee" },
      { name: "NAMED", type: "service", service: "callee", entrypoint: "Named", props: { tenant: "t1", list: [1, { a: 2 }] } },
      { name: "HANDLERS", type: "service", service: "callee", entrypoint: "handlers" },
    ],
  });
});
after(() => selvedge?.stop());

test("Durable Objects", { timeout: 15000 }, async () => {
  await deploy(selvedge, "objects", objects, {
    bindings: [{ name: "OBJ", type: "durable_object_namespace", class_name: "Obj" }],
    migrations: { new_tag: "v1", steps: [{ new_sqlite_classes: ["Obj"] }] },
  });
  const answer = JSON.parse((await get(selvedge, "objects", "/x")).text);
  assert.deepEqual(answer, [1, 2, 2, "/x", [3, 4, 5], 6, 7, 8, 81, ["RangeError", "from object"], missing("nothing"), "/x", 64]);
  assert.equal(JSON.parse((await get(selvedge, "objects", "/x")).text)[0], 9);
});

const missing = (name) => ["TypeError", `The RPC receiver does not implement the method "${name}".`];
const expected = {
  plain: [3, ["a", [1, { b: null }], null, true]],
  types: [5, true, "10", true, [1, 2], "g"],
  instances: 1,
  counter: [5, 5, 5, 8],
  pipeline: [5, "n7", "c", 2],
  fn: [1, 2],
  order: [1, 2, 3, 4],
  callback: [0, 10, 20],
  target: 12,
  back: 2,
  pair: [2, 3, [1, 2]],
  dup: [["Error", "RPC stub used after being disposed."], 2],
  disposal: [1, 2],
  errors: [["RangeError", "RangeError", "out", 42, null], ["Error", "MyError", "mine", null, null], ["Error", "Error", "plain", null, "TypeError"], { not: "an error", remote: true }, ["Error", "later"]],
  streamOut: 500000,
  streamIn: 300000,
  writable: [200, 200000],
  response: [201, "b", "text"],
  request: ["POST", "http://x/y", "1", "body"],
  fetch: "fetched /path",
  big: [3_000_000, 3_000_000],
  classes: [true, true, true, true, "object", "function", null],
  background: 1,
  parallel: 20100,
  passStub: 20,
  passService: [5, "fetched /z"],
  passPromise: 24,
  props: [{ tenant: "t1", list: [1, { a: 2 }] }, { tenant: "t1", list: [1, { a: 2 }] }],
  loopback: ["nobody", "me", "you", "inner /q", missing("nothing")],
};

for (const [name, value] of Object.entries(expected)) {
  test(name, { timeout: 15000 }, async () => {
    const r = await get(selvedge, "caller", `/${name}`);
    assert.equal(r.status, 200, r.text);
    assert.deepEqual(JSON.parse(r.text), value);
  });
}

test("what is refused", async () => {
  const r = await get(selvedge, "caller", "/refusals");
  assert.deepEqual(JSON.parse(r.text), [
    missing("missing"), missing("field"), missing("field"), ["TypeError", '"greeting" is not a function.'],
    ["DataCloneError", 'Could not serialize object of type "Odd". This type does not support serialization.'],
    ["DataCloneError", "Symbol(x) could not be cloned."], ["DataCloneError", '#<WeakMap> could not be cloned.'],
    missing("foo"), ["TypeError", "'alarm' is a reserved method and cannot be called over RPC."], missing("own"), "visible",
  ]);
});

test("limits, handlers of objects, local stubs", async () => {
  assert.match((await get(selvedge, "caller", "/tooBig")).text, /limited to 32MiB/);
  const h = JSON.parse((await get(selvedge, "caller", "/handlers")).text);
  assert.deepEqual(h[0], [1, "object", "function"]);
  assert.match(h[1][1], /^Cannot call handler function "four"/);
  assert.match(h[2][1], /^Attempted to call RPC function "three"/);
  const l = JSON.parse((await get(selvedge, "caller", "/localStub")).text);
  assert.deepEqual(l, [2, 2, 2, missing("n"), ["TypeError", "Failed to construct 'JsRpcStub': constructor parameter 1 is not of type 'Object'."]]);
});
