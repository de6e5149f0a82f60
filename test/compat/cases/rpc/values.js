import { caught, kind } from "../../worker/report.js";

const withoutNumbers = (text) => text.replace(/\d{3,}/, "N");
const back = (env, value) => env.CALLEE.one(value);

export default {
    "primitives": ({ env }) => env.CALLEE.echo(undefined, null, true, 0, -0, NaN, -Infinity, 1.5, 2 ** 53, "text", "\ud800", "\u{1f600}", 10n, -(2n ** 70n)),
    "containers": ({ env }) => env.CALLEE.echo([], [1, [2]], [, 1], {}, { a: { b: undefined } }, new Map([[1, new Set([2])]]), { ["__proto__"]: 1 }),
    "dates and expressions": ({ env }) => env.CALLEE.echo(new Date(5), new Date(NaN), /x+/gi),
    "boxes": ({ env }) => env.CALLEE.echo(Object(1), Object("s"), Object(false)),
    "bytes": ({ env }) => env.CALLEE.echo(new ArrayBuffer(3), new Uint8Array([1, 2]), new Float64Array([1.5]), new DataView(new ArrayBuffer(4), 1, 2), new BigInt64Array([-1n])),
    "view of a large buffer": async ({ env }) => { const v = await back(env, new Uint8Array(new ArrayBuffer(10000), 100, 4)); return v.length; },
    "cycle": async ({ env }) => { const a = { n: 1 }; a.self = a; const b = await back(env, a); return [b.self === b, b.n]; },
    "shared": async ({ env }) => { const x = {}; const [a, b] = await back(env, [x, x]); return a === b; },
    "null prototype": ({ env }) => env.CALLEE.kindOf(Object.create(null)),
    "getter": async ({ env }) => back(env, { get a() { return 1; } }),
    "symbol keys are left out": async ({ env }) => back(env, { [Symbol("s")]: 1, a: 1 }),
    "toJSON is not called": async ({ env }) => { using r = await back(env, { toJSON() { return 1; }, a: 1 }); return Object.keys(r); },
    "blob": async ({ env }) => { const b = await back(env, new Blob(["abc"], { type: "text/x" })); return [await b.text(), b.type]; },
    "a class instance": ({ env }) => caught(() => back(env, new (class Odd {})())),
    "a class instance from the callee": ({ env }) => caught(() => env.CALLEE.classInstance()),
    "refused": async ({ env }) => {
        const out = [];
        for (const v of [Symbol("x"), new WeakMap(), new URL("http://x/"), new URLSearchParams("a=b"), new FormData(), new AbortController(), new Event("x"), new TextEncoder(), Promise.resolve(1)]) out.push(await caught(() => back(env, v)));
        return out;
    },
    "refused names": async ({ env }) => { const out = []; for (const v of [Symbol("x"), new WeakMap()]) out.push(await kind(() => back(env, v))); return out; },
    "too big": async ({ env }) => withoutNumbers(await caught(() => back(env, new Uint8Array(33 * 1024 * 1024)))),
    "too big from the callee": async ({ env }) => withoutNumbers(await caught(() => env.CALLEE.big(33 * 1024 * 1024))),
    "a megabyte": async ({ env }) => (await back(env, "x".repeat(1024 * 1024))).length,
    "arguments object": ({ env }) => kind(() => (function () { return back(env, arguments); })(1)),

    "errors": async ({ env }) => {
        const out = [];
        for (const k of ["range", "custom", "class", "dom", "aggregate", "plain"]) {
            try { await env.CALLEE.throwError(k); } catch (e) {
                out.push([k, e.constructor.name, e.name, e.message, e.code, e.extra, e.tag, e.remote, e.cause?.name, e.cause?.message, e.errors?.length, k === "dom" ? null : Object.keys(e)]);
            }
        }
        return out;
    },
    "errors: stack": async ({ env }) => { try { await env.CALLEE.throwError("range"); } catch (e) { return [typeof e.stack, String(e.stack).split("\n")[0]]; } },
    "errors: other values": async ({ env }) => {
        const out = [];
        for (const v of ["text", 5, null, undefined, { a: 1 }, [1]]) { try { await env.CALLEE.throwValue(v); out.push("returned"); } catch (e) { out.push(e); } }
        return out;
    },
    "errors as values": async ({ env }) => { const e = await back(env, Object.assign(new RangeError("r", { cause: 1 }), { code: 2 })); return [e instanceof RangeError, e.message, e.code, e.cause, Object.keys(e)]; },
};
