import { caught } from "../../worker/report.js";

const PART = 5 * 1024 * 1024;
const start = (env, key, options) => env.BUCKET.createMultipartUpload(key, options);

export default {
    "one part": async ({ env }) => { const u = await start(env, "mp1"); const p = await u.uploadPart(1, "only part"); const o = await u.complete([p]); return [u.key, typeof u.uploadId, p.partNumber, typeof p.etag, o.size, await (await env.BUCKET.get("mp1")).text()]; },
    "two parts": async ({ env }) => { const u = await start(env, "mp2", { httpMetadata: { contentType: "m/p" }, customMetadata: { a: "b" } }); const a = await u.uploadPart(1, new Uint8Array(PART)); const b = await u.uploadPart(2, "tail"); const o = await u.complete([a, b]); return [o.size, /^[0-9a-f]{32}-2$/.test(o.etag), o.httpMetadata, o.customMetadata]; },
    "not listed before": async ({ env }) => { const u = await start(env, "mp3"); await u.uploadPart(1, "x"); const r = [await env.BUCKET.head("mp3"), (await env.BUCKET.list({ prefix: "mp3" })).objects.length]; await u.abort(); return r; },
    "abort": async ({ env }) => { const u = await start(env, "mp4"); const p = await u.uploadPart(1, "x"); return [await u.abort(), await caught(() => u.complete([p])), await env.BUCKET.head("mp4")]; },
    "abort twice": async ({ env }) => { const u = await start(env, "mp5"); await u.abort(); return caught(() => u.abort()); },
    "resume": async ({ env }) => { const u = await start(env, "mp6"); const r = env.BUCKET.resumeMultipartUpload("mp6", u.uploadId); const p = await r.uploadPart(1, "resumed"); await r.complete([p]); return (await env.BUCKET.get("mp6")).text(); },
    "complete twice": async ({ env }) => { const u = await start(env, "mp7"); const p = await u.uploadPart(1, "x"); await u.complete([p]); return caught(() => u.complete([p])); },
    "wrong etag": async ({ env }) => { const u = await start(env, "mp8"); await u.uploadPart(1, "x"); return caught(() => u.complete([{ partNumber: 1, etag: "nope" }])); },
    "part number zero": async ({ env }) => { const u = await start(env, "mp9"); return caught(() => u.uploadPart(0, "x")); },
    "part number large": async ({ env }) => { const u = await start(env, "mp10"); return caught(() => u.uploadPart(10001, "x")); },
    "unknown upload": ({ env }) => caught(() => env.BUCKET.resumeMultipartUpload("mp11", "nothing").uploadPart(1, "x")),
    "small first part": async ({ env }) => { const u = await start(env, "mp12"); const a = await u.uploadPart(1, "small"); const b = await u.uploadPart(2, "tail"); return caught(() => u.complete([a, b])); },
    "part replaced": async ({ env }) => { const u = await start(env, "mp13"); await u.uploadPart(1, "old"); const p = await u.uploadPart(1, "new"); await u.complete([p]); return (await env.BUCKET.get("mp13")).text(); },
};
