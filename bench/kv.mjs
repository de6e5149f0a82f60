// env.KV.get of 100 bytes in an awaited loop inside a Worker.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisClient, startRedis } from "./lib/redis.mjs";
import { interleave, median } from "./lib/stats.mjs";
import { microsPerTurn, startBoth } from "./lib/stores.mjs";

export const title = "env.KV.get of 100 bytes, awaited one after the other";

const TURNS = 50000;
const PEER_TURNS = 1000;
const REDIS_TURNS = 20000;

async function redisMicros(rounds) {
    const folder = mkdtempSync(join(tmpdir(), "bench-redis-"));
    const redis = await startRedis(folder);
    const client = await redisClient(redis.port);
    await client.command("SET", "key", "v".repeat(100));
    const times = [];
    for (let r = 0; r < rounds; r++) {
        const begin = performance.now();
        for (let i = 0; i < REDIS_TURNS; i++) await client.command("GET", "key");
        times.push(((performance.now() - begin) * 1000) / REDIS_TURNS);
    }
    client.close();
    redis.stop();
    rmSync(folder, { recursive: true, force: true });
    return median(times);
}

export async function run({ rounds }) {
    const both = await startBoth();
    try {
        await microsPerTurn(both.ours, "kvget", TURNS);
        await microsPerTurn(both.theirs, "kvget", PEER_TURNS);
        const [ours, theirs] = await interleave(rounds,
            () => microsPerTurn(both.ours, "kvget", TURNS), () => microsPerTurn(both.theirs, "kvget", PEER_TURNS));
        const empty = median([await microsPerTurn(both.ours, "nothing", TURNS * 4), await microsPerTurn(both.ours, "nothing", TURNS * 4)]);
        const redis = await redisMicros(rounds);
        const mine = median(ours);
        return {
            rows: [
                { what: "KV get, µs", selvedge: mine, peer: median(theirs), peerName: "miniflare", better: "less" },
                { what: "KV get, µs", selvedge: mine, peer: redis, peerName: "Redis GET from Node, loopback", better: "less" },
                { what: "an awaited async call alone, µs", selvedge: empty },
            ],
        };
    } finally {
        await both.stop();
    }
}
