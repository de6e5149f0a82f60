// Deployed unchanged on both sides: loops over the stores, so that HTTP is paid once.

const VALUE = "v".repeat(100);

async function prepare(env) {
    await env.KV.put("key", VALUE);
    await env.DB.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, name TEXT, value REAL)");
    await env.DB.exec("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, text TEXT)");
    const rows = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) INSERT OR REPLACE INTO t SELECT n, 'name ' || n, n * 1.5 FROM c";
    await env.DB.prepare(rows).run();
    await env.BUCKET.put("key", VALUE);
    return "ready";
}

const loops = {
    async nothing() { await null; },
    async kvget(env) { return env.KV.get("key"); },
    async d1select(env, i) { return statement(env).bind((i % 1000) + 1).first(); },
    async r2head(env) { return env.BUCKET.head("key"); },
    async kvput(env, i) { return env.KV.put(`k${i}`, VALUE); },
    async d1scan(env) { return (await env.DB.prepare("SELECT id, name, value FROM t").all()).results.length; },
    async d1insert(env) { return env.DB.prepare("INSERT INTO log (text) VALUES (?)").bind(VALUE).run(); },
    async r2put(env, i) { return env.BUCKET.put(`o${i}`, VALUE); },
};

let prepared = null;
const statement = (env) => (prepared ??= env.DB.prepare("SELECT id, name, value FROM t WHERE id = ?"));
let unique = 0;

export default {
    async fetch(request, env) {
        const url = new URL(request.url);
        const what = url.pathname.slice(1);
        if (what === "prepare") return new Response(await prepare(env));
        const n = Number(url.searchParams.get("n") ?? 1);
        const loop = loops[what];
        let last = null;
        for (let i = 0; i < n; i++) last = await loop(env, n === 1 ? unique++ : i);
        return new Response(last === null || last === undefined ? "done" : "done, with a value");
    },
};
