import { caught } from "../../worker/report.js";

const fill = async (env) => {
    for (const name of ["l/a", "l/b", "l/c", "l/B", "l/\u00e9", "l/z", "l", "m/1"]) await env.OTHER.put(name, name);
    await env.OTHER.put("l/meta", "v", { metadata: { x: 1 } });
};

export default {
    "all": async ({ env }) => { await fill(env); return env.OTHER.list(); },
    "prefix": ({ env }) => env.OTHER.list({ prefix: "l/" }),
    "prefix without match": ({ env }) => env.OTHER.list({ prefix: "nothing" }),
    "prefix empty": async ({ env }) => (await env.OTHER.list({ prefix: "" })).keys.length,
    "limit": async ({ env }) => { const r = await env.OTHER.list({ prefix: "l/", limit: 2 }); return [r.keys, r.list_complete, typeof r.cursor]; },
    "pages": async ({ env }) => {
        const names = [];
        let cursor;
        for (let page = 0; page < 20; page++) {
            const r = await env.OTHER.list({ prefix: "l/", limit: 2, cursor });
            names.push(r.keys.map((k) => k.name));
            if (r.list_complete) break;
            cursor = r.cursor;
        }
        return names;
    },
    "limit exact": async ({ env }) => { const r = await env.OTHER.list({ prefix: "l/", limit: 7 }); return [r.keys.length, r.list_complete, r.cursor === undefined]; },
    "limit zero": ({ env }) => caught(() => env.OTHER.list({ limit: 0 })),
    "limit negative": ({ env }) => caught(() => env.OTHER.list({ limit: -1 })),
    "limit large": ({ env }) => caught(() => env.OTHER.list({ limit: 1001 })),
    "limit 1000": async ({ env }) => (await env.OTHER.list({ limit: 1000 })).keys.length,
    "null options": async ({ env }) => (await caught(() => env.OTHER.list(null))).returned?.keys.length,
    "null prefix": async ({ env }) => (await caught(() => env.OTHER.list({ prefix: null }))).returned?.keys.length,
    "cursor null": async ({ env }) => (await caught(() => env.OTHER.list({ cursor: null }))).returned?.keys.length,
    "after delete": async ({ env }) => { await env.OTHER.delete("l/a"); return (await env.OTHER.list({ prefix: "l/" })).keys.map((k) => k.name); },
    "many": async ({ env }) => {
        await Promise.all(Array.from({ length: 120 }, (_, i) => env.OTHER.put(`n/${String(i).padStart(3, "0")}`, "")));
        const a = await env.OTHER.list({ prefix: "n/", limit: 100 });
        const b = await env.OTHER.list({ prefix: "n/", limit: 100, cursor: a.cursor });
        return [a.keys.length, a.keys[99].name, b.keys.length, b.keys[0].name, b.list_complete];
    },
};
