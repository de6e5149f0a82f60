// D1 inside a Worker, awaited one after the other: a point select by primary key, an insert that is durable when it
// resolves, a scan of 1,000 rows. The peers: miniflare, and node:sqlite in its own process (WAL, synchronous=FULL).

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { interleave, median } from "./lib/stats.mjs";
import { microsPerTurn, startBoth } from "./lib/stores.mjs";

export const title = "D1 point select, insert and scan, awaited one after the other";

// What to run in the Worker, and how often: here, in miniflare, in Node.
const KINDS = [
    { what: "select", ours: 20000, theirs: 1000, node: 100000, sql: "SELECT id, name, value FROM t WHERE id = ?", once: (s, i) => s.get((i % 1000) + 1) },
    { what: "insert", ours: 500, theirs: 200, node: 500, sql: "INSERT INTO log (text) VALUES (?)", once: (s) => s.run("x".repeat(100)) },
    { what: "scan", ours: 500, theirs: 100, node: 2000, sql: "SELECT id, name, value FROM t", once: (s) => s.all() },
];

function nodeMicros(folder, kind) {
    const db = new DatabaseSync(join(folder, `node-${kind.what}.sqlite`));
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, value REAL); CREATE TABLE log (id INTEGER PRIMARY KEY, text TEXT)");
    db.exec("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) INSERT INTO t SELECT n, 'name ' || n, n * 1.5 FROM c");
    const statement = db.prepare(kind.sql);
    const round = () => {
        const begin = performance.now();
        for (let i = 0; i < kind.node; i++) kind.once(statement, i);
        return ((performance.now() - begin) * 1000) / kind.node;
    };
    round();
    const result = median([round(), round(), round()]);
    db.close();
    return result;
}

async function rowsOf(both, rounds, kind) {
    const what = `d1${kind.what}`;
    await microsPerTurn(both.ours, what, kind.ours);
    await microsPerTurn(both.theirs, what, kind.theirs);
    const [ours, theirs] = await interleave(rounds,
        () => microsPerTurn(both.ours, what, kind.ours), () => microsPerTurn(both.theirs, what, kind.theirs));
    const selvedge = median(ours);
    const row = (peer, peerName) => ({ what: `D1 ${kind.what}, µs`, selvedge, peer, peerName, better: "less" });
    return [row(median(theirs), "miniflare"), row(nodeMicros(both.folder, kind), "node:sqlite, not awaited")];
}

export async function run({ rounds }) {
    const both = await startBoth();
    try {
        const rows = [];
        for (const kind of KINDS) rows.push(...await rowsOf(both, rounds, kind));
        return { rows };
    } finally {
        await both.stop();
    }
}
