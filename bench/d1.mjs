// A D1 point select by primary key in an awaited loop inside a Worker.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { interleave, median } from "./lib/stats.mjs";
import { microsPerTurn, startBoth } from "./lib/stores.mjs";

export const title = "D1 point select, awaited one after the other";

const TURNS = 20000;
const PEER_TURNS = 1000;
const NODE_TURNS = 100000;

function nodeMicros(folder) {
    const db = new DatabaseSync(join(folder, "node.sqlite"));
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, value REAL)");
    db.exec("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) INSERT INTO t SELECT n, 'name ' || n, n * 1.5 FROM c");
    const statement = db.prepare("SELECT id, name, value FROM t WHERE id = ?");
    const once = () => {
        const begin = performance.now();
        for (let i = 0; i < NODE_TURNS; i++) statement.get((i % 1000) + 1);
        return ((performance.now() - begin) * 1000) / NODE_TURNS;
    };
    once();
    const result = median([once(), once(), once()]);
    db.close();
    return result;
}

export async function run({ rounds }) {
    const both = await startBoth();
    try {
        await microsPerTurn(both.ours, "d1select", TURNS);
        await microsPerTurn(both.theirs, "d1select", PEER_TURNS);
        const [ours, theirs] = await interleave(rounds,
            () => microsPerTurn(both.ours, "d1select", TURNS), () => microsPerTurn(both.theirs, "d1select", PEER_TURNS));
        const node = nodeMicros(both.folder);
        const mine = median(ours);
        return {
            rows: [
                { what: "D1 select, µs", selvedge: mine, peer: median(theirs), peerName: "miniflare", better: "less" },
                { what: "D1 select, µs", selvedge: mine, peer: node, peerName: "node:sqlite, not awaited", better: "less" },
            ],
        };
    } finally {
        await both.stop();
    }
}
