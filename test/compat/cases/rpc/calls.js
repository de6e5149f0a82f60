import { RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub } from "cloudflare:workers";
import { caught, later } from "../../worker/report.js";

class Local extends RpcTarget {
    n = 10;
    #v = 1;
    add(k) { this.#v += k; return this.#v; }
    get value() { return this.#v; }
    toJSON() { return "json"; }
}

const total = async (stream) => { let n = 0; for await (const c of stream) n += c.length; return n; };

export default {
    "a call": ({ env }) => env.CALLEE.add(1, 2),
    "more arguments than parameters": ({ env }) => env.CALLEE.add(1, 2, 3),
    "fewer": ({ env }) => env.CALLEE.add(1),
    "nothing": ({ env }) => env.CALLEE.nothing(),
    "inherited": ({ env }) => env.CALLEE.inherited(),
    "underscore": ({ env }) => env.CALLEE._under(),
    "named then2": ({ env }) => env.CALLEE.then2(),
    "a new instance each": async ({ env }) => { const a = await env.CALLEE.instances(); return await env.CALLEE.instances() - a; },
    "property": async ({ env }) => env.CALLEE.greeting,
    "property of a property": async ({ env }) => caught(async () => await env.CALLEE.methods.deeper.three()),
    "property that is a promise": async ({ env }) => caught(async () => await env.CALLEE.later),
    "property that throws": async ({ env }) => caught(async () => await env.CALLEE.throwing),
    "function of a property": ({ env }) => env.CALLEE.methods.twice(4),
    "method as a property": async ({ env }) => { using f = await env.CALLEE.add; return [typeof f, await f(2, 3)]; },
    "a missing method": ({ env }) => caught(() => env.CALLEE.missing()),
    "a missing property": async ({ env }) => caught(async () => await env.CALLEE.missing),
    "a field": async ({ env }) => caught(async () => await env.CALLEE.field),
    "an arrow field": ({ env }) => caught(() => env.CALLEE.arrow()),
    "a property that is no function": ({ env }) => caught(() => env.CALLEE.greeting()),
    "reserved names": async ({ env }) => {
        const out = [];
        for (const name of ["alarm", "webSocketMessage", "webSocketClose", "webSocketError", "dup"]) out.push([name, await caught(() => env.CALLEE[name]())]);
        return out;
    },
    "ctx and env are not visible": async ({ env }) => [await caught(async () => await env.CALLEE.ctx), await caught(async () => await env.CALLEE.env)],
    "members of Object": async ({ env }) => [typeof env.CALLEE.toString, typeof env.CALLEE.hasOwnProperty, String(env.CALLEE), Object.keys(env.CALLEE)],
    "types of things": async ({ env }) => {
        const p = env.CALLEE.add(1, 1), c = await env.CALLEE.counter(1), prop = env.CALLEE.greeting;
        const out = [typeof env.CALLEE, typeof p, typeof c, typeof prop, p instanceof RpcPromise, prop instanceof RpcProperty, c instanceof RpcStub,
            env.CALLEE instanceof ServiceStub, env.CALLEE.then, c.then, p instanceof Promise];
        await p;
        return out;
    },
    "tags": async ({ env }) => { const c = await env.CALLEE.counter(1), p = env.CALLEE.add(1, 1); const out = [env.CALLEE, p, c, env.CALLEE.x].map((v) => Object.prototype.toString.call(v)); await p; return out; },
    "then, catch, finally": async ({ env }) => [await env.CALLEE.add(1, 1).then((x) => x + 1), await env.CALLEE.missing().catch((e) => e.name), await env.CALLEE.add(2, 2).finally(() => 1)],
    "props": async ({ env }) => [await env.NAMED.props(), await (await env.NAMED.fetch("http://x/")).json(), await env.CALLEE.ctxProps()],
    "handlers": async ({ env }) => {
        const out = [];
        for (const name of ["three", "two", "one", "none", "four"]) out.push(await caught(() => env.HANDLERS[name](1)));
        out.push(await caught(() => env.HANDLERS.three()), await caught(() => env.HANDLERS.three(1, 2)), await caught(() => env.HANDLERS.value()), await caught(async () => await env.HANDLERS.value), await caught(() => env.HANDLERS.nope(1)));
        return out;
    },
    "fetch": async ({ env }) => (await env.CALLEE.fetch("http://x/path")).text(),
    "order": async ({ env }) => { using f = await env.CALLEE.fn(); return Promise.all([f(), f(), f(), f()]); },
    "many at once": async ({ env }) => (await Promise.all(Array.from({ length: 50 }, (_, i) => env.CALLEE.add(i, 1)))).reduce((a, b) => a + b, 0),

    "stubs: methods, getters": async ({ env }) => { using c = await env.CALLEE.counter(3); return [await c.add(2), await c.value, await c.nested.deep.n, await c.nested.deep.twice(4)]; },
    "stubs: own properties are hidden": async ({ env }) => { using c = await env.CALLEE.counter(3); return [await caught(async () => await c.own), await caught(() => c.own())]; },
    "stubs: missing": async ({ env }) => { using c = await env.CALLEE.counter(3); return [await caught(() => c.gone()), await caught(async () => await c.gone), await caught(() => c())]; },
    "stubs: call on what is no function": async ({ env }) => { using c = await env.CALLEE.counter(3); return caught(() => c.value()); },
    "stubs: after disposal": async ({ env }) => { const c = await env.CALLEE.counter(3); c[Symbol.dispose](); return [await caught(() => c.add(1)), await caught(async () => await c.value)]; },
    "stubs: dup": async ({ env }) => { const c = await env.CALLEE.counter(3), d = c.dup(); c[Symbol.dispose](); const n = await d.add(1); d[Symbol.dispose](); return n; },
    "stubs: in an object": async ({ env }) => { using p = await env.CALLEE.pair(); return [await p.a.add(1), await p.b.add(1), p.plain, typeof p[Symbol.dispose], Object.keys(p)]; },
    "stubs: passed back": async ({ env }) => { using c = await env.CALLEE.counter(5); return env.CALLEE.useTarget(c); },
    "stubs: mine comes back": async ({ env }) => { const [s] = await env.CALLEE.echo(new Local()); return [await s.add(1), s instanceof RpcStub, s instanceof Local]; },
    "stubs: functions": async ({ env }) => [await env.CALLEE.callBack((i) => i * 10, 3), await env.CALLEE.callBack(async (i) => { await later(1); return i; }, 2)],
    "stubs: a callback that throws": ({ env }) => caught(() => env.CALLEE.callBack(() => { throw new RangeError("mine"); }, 1)),
    "stubs: what the callee sees": async ({ env }) => [await env.CALLEE.kindOf(() => 1), await env.CALLEE.kindOf(new Local())],
    "stubs: names": async ({ env }) => [await caught(() => env.CALLEE.callName(new Local(), "n")), await caught(() => env.CALLEE.readName(new Local(), "n")), await caught(() => env.CALLEE.callName({ f: () => 7 }, "f")), await caught(() => env.CALLEE.readName(new Local(), "value"))],
    "pipelines": async ({ env }) => [await env.CALLEE.counter(1).add(4), await env.CALLEE.profile(7).name, await env.CALLEE.profile(7).address.city, await env.CALLEE.counter(2).self().self().value],
    "pipelines: errors": async ({ env }) => [await caught(async () => await env.CALLEE.missing().foo), await caught(() => env.CALLEE.throwError("range").foo()), await caught(() => env.CALLEE.profile(1).name()), await caught(() => env.CALLEE.profile(1).nope()), await caught(async () => await env.CALLEE.profile(1).nope), await caught(() => env.CALLEE.add(1, 2).foo()), await caught(async () => await env.CALLEE.add(1, 2).foo), await caught(() => env.CALLEE.nothing().foo()), await caught(async () => await env.CALLEE.nothing().foo)],
    "pipelines: after the result": async ({ env }) => { const p = env.CALLEE.counter(1); const c = await p; return [await p.add(1), await c.add(1)]; },
    "pipelines: disposed": async ({ env }) => { const p = env.CALLEE.counter(1); p[Symbol.dispose](); return [await caught(() => p.add(1)), typeof await p]; },
    "local stubs": async () => { const s = new RpcStub(new Local()), f = new RpcStub((x) => x + 1), o = new RpcStub({ a: 1, f: () => 2 }); return [await s.add(1), await s.value, await f(1), await o.a, await o.f(), await caught(async () => await s.n)]; },
    "local stubs: refused": async () => { const out = []; for (const v of [5, "s", null, undefined, new Date(0), new (class Odd {})(), [1]]) out.push(await caught(() => { new RpcStub(v); return "made"; })); return out; },
    "classes cannot be made": () => [RpcPromise, RpcProperty].map((c) => { try { new c(); return "made"; } catch (e) { return e.name; } }),
    "loopback": async ({ ctx }) => Object.keys(ctx.exports),

    "streams: out": async ({ env }) => total(await env.CALLEE.stream(100)),
    "streams: out, locked at the sender": async ({ env }) => caught(() => { const s = new ReadableStream({ type: "bytes" }); s.getReader(); return env.CALLEE.total(s); }),
    "streams: in": async ({ env }) => { let i = 0; return env.CALLEE.total(new ReadableStream({ type: "bytes", pull(c) { if (++i > 30) c.close(); else c.enqueue(new Uint8Array(100)); } })); },
    "streams: writable": async ({ env }) => { const { readable, writable } = new IdentityTransformStream(); return Promise.all([env.CALLEE.fill(writable, 20), total(readable)]); },
    "streams: the sender's is locked": async ({ env }) => { const s = new Response("abc").body; const p = env.CALLEE.total(s); const locked = s.locked; return [locked, await p]; },
    "response": async ({ env }) => { const r = await env.CALLEE.response("text"); return [r.status, r.statusText, r.headers.get("x-a"), await r.text()]; },
    "request": ({ env }) => env.CALLEE.request(new Request("http://x/y", { method: "POST", body: "body", headers: { "x-q": "1" } })),
    "headers": async ({ env }) => [...await env.CALLEE.headers(new Headers({ a: "b" }))],
    "service stub as argument": async ({ env }) => { const [t] = await env.CALLEE.echo(env.CALLEE); return [await t.add(2, 3), await (await t.fetch("http://x/z")).text()]; },
};
