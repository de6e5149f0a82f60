// What the cases of the area rpc call.
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

let disposed = 0;
let instances = 0;
let kept = null;

class Counter extends RpcTarget {
    #n;
    own = 1;
    constructor(n) { super(); this.#n = n; }
    add(k) { this.#n += k; return this.#n; }
    get value() { return this.#n; }
    get nested() { return { deep: { n: this.#n, twice: (x) => x * 2 } }; }
    self() { return this; }
    [Symbol.dispose]() { disposed++; }
}

class Base extends WorkerEntrypoint {
    inherited() { return "from the base"; }
}

export default class Main extends Base {
    field = 1;
    arrow = () => 1;
    constructor(ctx, env) { super(ctx, env); instances++; }
    add(a, b) { return a + b; }
    echo(...args) { return args; }
    one(x) { return x; }
    kindOf(x) { return [typeof x, Object.prototype.toString.call(x), x?.constructor?.name]; }
    keysOf(x) { return Object.keys(x); }
    instances() { return instances; }
    disposed() { return disposed; }
    counter(n) { return new Counter(n); }
    pair() { return { a: new Counter(1), b: new Counter(2), plain: [1, 2] }; }
    get greeting() { return "hello"; }
    get later() { return Promise.resolve("later"); }
    get throwing() { throw new RangeError("from a getter"); }
    get methods() { return { twice: (x) => x * 2, deeper: { three: () => 3 } }; }
    profile(id) { return { id, name: "n" + id, address: { city: "c" }, list: [{ x: 1 }] }; }
    fn() { let n = 0; return () => ++n; }
    nothing() {}
    async callBack(f, n) { const out = []; for (let i = 0; i < n; i++) out.push(await f(i)); return out; }
    async useTarget(t) { return await t.add(5) + await t.value; }
    async callName(t, name) { return t[name](); }
    async readName(t, name) { return t[name]; }
    keep(f) { kept = f.dup(); return "kept"; }
    async useKept() { try { return await kept(); } catch (e) { return e.name; } }
    throwValue(x) { throw x; }
    throwError(kind) {
        if (kind === "range") throw Object.assign(new RangeError("out"), { code: 42 });
        if (kind === "custom") throw Object.assign(new Error("mine"), { name: "MyError", extra: { a: 1 } });
        if (kind === "class") throw new (class Special extends TypeError { tag = "t"; })("special");
        if (kind === "dom") throw new DOMException("gone", "AbortError");
        if (kind === "aggregate") throw new AggregateError([new RangeError("r")], "all");
        throw new Error("plain", { cause: new TypeError("why") });
    }
    stream(n) {
        let i = 0;
        return new ReadableStream({ type: "bytes", pull(c) { if (i === n) c.close(); else { i++; c.enqueue(new Uint8Array(10).fill(i)); } } });
    }
    brokenStream() { let i = 0; return new ReadableStream({ type: "bytes", pull(c) { if (i++ === 2) c.error(new RangeError("half")); else c.enqueue(new Uint8Array(3)); } }); }
    objectStream() { return new ReadableStream({ start(c) { c.enqueue({ a: 1 }); c.close(); } }); }
    async total(stream) { let n = 0; for await (const c of stream) n += c.length; return n; }
    async fill(writable, n) { const w = writable.getWriter(); for (let i = 0; i < n; i++) await w.write(new Uint8Array(10)); await w.close(); return n; }
    response(text) { return new Response(text, { status: 201, statusText: "Made", headers: { "x-a": "b" } }); }
    async request(r) { return [r.method, r.url, r.headers.get("x-q"), await r.text(), r.redirect]; }
    headers(h) { return new Headers([...h, ["x-more", "1"]]); }
    classInstance() { return new (class Odd { a = 1; })(); }
    map() { return new Map(); }
    _under() { return "visible"; }
    then2() { return "fine"; }
    dup() { return "mine"; }
    big(n) { return new Uint8Array(n); }
    ctxProps() { return this.ctx.props; }
    fetch(request) { return new Response("fetched " + new URL(request.url).pathname); }
}

export class Named extends WorkerEntrypoint {
    props() { return this.ctx.props; }
    fetch() { return Response.json(this.ctx.props); }
}

export const handlers = {
    three(arg, env, ctx) { return [arg, typeof env, typeof ctx.waitUntil]; },
    two(arg, env) { return [arg, typeof env]; },
    one(arg) { return [arg]; },
    none() { return "none"; },
    four(a, b, c, d) { return [a, d]; },
    value: 5,
    fetch() { return new Response("handlers"); },
};
