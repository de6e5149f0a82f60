import { caught } from "../../worker/report.js";

const fill = async (env) => {
    for (const k of ["z/a/1", "z/a/2", "z/b", "z/c/x/y", "z/d", "z/\u00e9"]) await env.BUCKET.put(k, k, { customMetadata: { k: "v" }, httpMetadata: { contentType: "t/t" } });
};
const show = (r) => ({ keys: r.objects.map((o) => o.key), truncated: r.truncated, cursor: typeof r.cursor, prefixes: r.delimitedPrefixes });
const list = (options) => async ({ env }) => caught(async () => { await fill(env); return show(await env.BUCKET.list(options)); });

export default {
    "prefix": list({ prefix: "z/" }),
    "prefix nothing": list({ prefix: "zzz" }),
    "delimiter": list({ prefix: "z/", delimiter: "/" }),
    "delimiter deeper": list({ prefix: "z/c/", delimiter: "/" }),
    "delimiter of two": list({ prefix: "z/", delimiter: "a/" }),
    "limit": list({ prefix: "z/", limit: 2 }),
    "limit with delimiter": list({ prefix: "z/", delimiter: "/", limit: 2 }),
    "startAfter": list({ prefix: "z/", startAfter: "z/b" }),
    "limit zero": list({ prefix: "z/", limit: 0 }),
    "limit large": list({ prefix: "z/", limit: 1001 }),
    "include wrong": list({ prefix: "z/", include: ["x"] }),
    "pages": async ({ env }) => {
        await fill(env);
        const pages = [];
        let cursor;
        for (let i = 0; i < 20; i++) {
            const r = await env.BUCKET.list({ prefix: "z/", limit: 2, cursor });
            pages.push(r.objects.map((o) => o.key));
            if (!r.truncated) break;
            cursor = r.cursor;
        }
        return pages;
    },
    "pages with delimiter": async ({ env }) => {
        await fill(env);
        const pages = [];
        let cursor;
        for (let i = 0; i < 20; i++) {
            const r = await env.BUCKET.list({ prefix: "z/", delimiter: "/", limit: 1, cursor });
            pages.push([r.objects.map((o) => o.key), r.delimitedPrefixes]);
            if (!r.truncated) break;
            cursor = r.cursor;
        }
        return pages;
    },
    "without include": async ({ env }) => { await fill(env); const { objects } = await env.BUCKET.list({ prefix: "z/b" }); return [await caught(() => objects[0].customMetadata), await caught(() => objects[0].httpMetadata)]; },
    "with include": async ({ env }) => { await fill(env); const { objects } = await env.BUCKET.list({ prefix: "z/b", include: ["customMetadata", "httpMetadata"] }); return [objects[0].customMetadata, objects[0].httpMetadata]; },
    "object fields": async ({ env }) => { const { objects: [o] } = await env.BUCKET.list({ prefix: "z/b" }); return [o.size, o.etag, o.storageClass, o.checksums.toJSON(), "body" in o]; },
    "empty key": async ({ env }) => {
        await env.BUCKET.put("", "x");
        const first = await env.BUCKET.list({ limit: 1 });
        const next = await env.BUCKET.list({ limit: 1, cursor: first.cursor });
        await env.BUCKET.delete("");
        return [first.objects.map(({ key }) => key), next.objects.some(({ key }) => key === "")];
    },
    "cursor wrong": async ({ env }) => typeof await caught(() => env.BUCKET.list({ cursor: "garbage" })),
};
