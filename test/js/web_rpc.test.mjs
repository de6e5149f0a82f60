/* RPC sessions over a pipe in memory: both ends in one process, bytes cut, changed and lost in between. */
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { bundle } from "../../src/web/bundle.mjs";
import { makeInside } from "./fake_native.mjs";

const script = makeInside();
const { text } = await bundle(fileURLToPath(new URL("fixtures/rpc_entry.js", import.meta.url)), { minify: false });
script.hooks = script.inside(text)(script.native, script.inside("globalThis"));
const globals = script.inside("globalThis");
for (const name of ["connect", "RpcStub", "RpcTarget"]) globals[name] = script.hooks[name];
script.inside(`
class Counter extends RpcTarget {
    #n; constructor(n, log) { super(); this.#n = n; this.log = log; }
    add(k) { return this.#n += k; }
    get value() { return this.#n; }
    [Symbol.dispose]() { this.log?.push("disposed"); }
}
class Main {
    log = [];
    add(a, b) { return a + b; }
    echo(...args) { return args; }
    counter(n) { return new Counter(n, this.log); }
    fail() { throw Object.assign(new RangeError("out"), { code: 1 }); }
    async callBack(f, n) { const out = []; for (let i = 0; i < n; i++) out.push(await f(i)); return out; }
    profile() { return { name: "n", deep: { list: [1, 2] }, twice: (x) => x * 2 }; }
    hang() { return new Promise(() => {}); }
    stream(n) { let i = 0; return new ReadableStream({ type: "bytes", pull(c) { if (i++ === n) c.close(); else c.enqueue(new Uint8Array(50000)); } }); }
    async total(s) { let n = 0; for await (const c of s) n += c.length; return n; }
}
globalThis.Counter = Counter;
globalThis.Main = Main;
globalThis.settle = async () => { for (let i = 0; i < 50; i++) await null; };
globalThis.textOf = async (p) => { try { return ["value", await p]; } catch (e) { return [e.name, e.message]; } };`);
const run = (body) => script.inside(`(async () => { const main = new Main(), { stub, sessions } = connect(main); ${body} })()`);
const same = (actual, expected) => assert.deepEqual(JSON.parse(JSON.stringify(actual)), expected);

test("a plain call is one message each way, and nothing stays", async () => {
    same(await run(`
        const r = await stub.add(1, 2); await settle();
        const [s] = sessions;
        return [r, s.state.messages, s.state.bytes < 80, s.caller.open, s.callee.open, s.waits, s.state.over, s.callee.exports.size];`),
    [3, 2, true, false, false, { caller: 0, callee: 0 }, 2, 0]);
});

test("stubs keep a session until they are disposed", async () => {
    same(await run(`
        const c = await stub.counter(1), [s] = sessions;
        const out = [await c.add(1), await c.add(1), s.caller.open, s.waits.callee];
        const d = c.dup(); c[Symbol.dispose](); await settle();
        out.push(s.caller.open, await d.value);
        d[Symbol.dispose](); await settle();
        out.push(s.caller.open, s.callee.open, s.waits, main.log);
        return out;`), [2, 3, true, 1, true, 3, false, false, { caller: 0, callee: 0 }, ["disposed"]]);
});

test("pipelines are sent with the call", async () => {
    same(await run(`
        const out = [await stub.counter(1).add(4), await stub.profile().deep.list, await stub.profile().twice(4)];
        return out;`), [5, [1, 2], 8]);
});

test("callbacks, in order", async () => {
    same(await run(`return [await stub.callBack((i) => i * 2, 3), await stub.echo(1, undefined, [null])];`), [[0, 2, 4], [1, null, [null]]]);
});

test("errors", async () => {
    same(await run(`
        try { await stub.fail(); } catch (e) { return [e instanceof RangeError, e.message, e.code, e.remote, await textOf(stub.nope()), await textOf(stub.log), await textOf(stub.add(1, 2).x())]; }`),
    [true, "out", 1, true, ["TypeError", 'The RPC receiver does not implement the method "nope".'], ["TypeError", 'The RPC receiver does not implement the method "log".'],
        ["TypeError", 'The RPC receiver does not implement the method "x".']]);
});

test("streams have credit", async () => {
    same(await run(`
        let pulled = 0;
        const source = new ReadableStream({ type: "bytes", pull(c) { pulled++; c.enqueue(new Uint8Array(60000)); } });
        const reader = (await stub.echo(source))[0].getReader();
        await settle();
        const early = pulled;
        for (let i = 0; i < 20; i++) await reader.read();
        await reader.cancel();
        return [early < 10, pulled >= 20, await stub.total(await stub.stream(20))];`), [true, true, 1000000]);
});

test("a broken connection is told to everybody", async () => {
    same(await run(`
        const c = await stub.counter(1), [s] = sessions, heard = [];
        c.onRpcBroken((e) => heard.push(e.message));
        s.caller.lost(new Error("gone")); await settle();
        return [heard, await textOf(c.add(1)), s.waits, main.log];`), [["gone"], ["Error", "gone"], { caller: 0, callee: 0 }, ["disposed"]]);
});

test("frames that arrive byte by byte", async () => {
    same(await run(`
        const cut = connect(main), big = "x".repeat(3000);
        const whole = (await stub.echo(big))[0].length;
        const s = sessions[0];
        return whole;`), 3000);
    const bytewise = script.inside(`(async () => {
        const main = new Main();
        let session = null;
        const { stub, sessions } = connect(main, (bytes, fromCaller) => {
            const side = fromCaller ? sessions.at(-1).callee : sessions.at(-1).caller;
            for (let i = 0; i + 1 < bytes.length; i++) if (side.open) side.receive(bytes.slice(i, i + 1));
            return bytes.slice(-1);
        });
        return [await stub.echo("abc", { a: [1] }), await stub.counter(1).add(1)];
    })()`);
    same(await bytewise, [["abc", { a: [1] }], 2]);
});

function random(seed) {
    let x = seed >>> 0 || 1;
    return (n) => {
        x ^= x << 13;
        x >>>= 0;
        x ^= x >>> 17;
        x ^= x << 5;
        x >>>= 0;
        return x % n;
    };
}

test("hostile frames: every promise settles, nothing is held", async () => {
    const rounds = Number(process.env.FUZZ_ROUNDS ?? 1500), next = random(Number(process.env.FUZZ_SEED ?? 11));
    globals.next = next;
    const outcomes = await script.inside(`(async (rounds) => {
        const outcomes = { value: 0, error: 0 };
        for (let round = 0; round < rounds; round++) {
            const main = new Main();
            const { stub, sessions } = connect(main, (bytes) => {
                if (next(3) !== 0) return bytes;
                const list = [...bytes];
                for (let k = next(3) + 1; k > 0 && list.length > 0; k--) {
                    if (next(2) === 0) list[next(list.length)] = next(256);
                    else if (next(2) === 0) list.splice(next(list.length), next(4));
                    else list.splice(next(list.length), 0, next(256));
                }
                return Uint8Array.from(list);
            });
            const calls = [() => stub.add(1, 2), () => stub.counter(1).add(1), () => stub.callBack((i) => i, 2), () => stub.echo(new Map([[1, [2]]]), "x"), () => stub.profile().twice(1), () => stub.fail(), () => stub.stream(2)];
            const promise = textOf(calls[next(calls.length)]());
            await settle();
            await settle();
            for (const s of sessions) { // as when both events end
                s.caller.lost(new Error("end"));
                s.callee.lost(new Error("end"));
            }
            await settle();
            const [kind] = await promise;
            outcomes[kind === "value" ? "value" : "error"]++;
            for (const s of sessions) if (s.waits.caller !== 0 || s.waits.callee !== 0 || s.caller.exports.size + s.callee.exports.size > 0) throw new Error("held in round " + round);
        }
        return outcomes;
    })(${rounds})`);
    assert.ok(outcomes.value > 0 && outcomes.error > 0);
});
