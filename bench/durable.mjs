// Writes that are acknowledged after they are on disk: alone, in units of an fsync of the same disk, and 64 at once.

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { tmpdir } from "node:os";
import { Client, wrk } from "./lib/http.mjs";
import { redisClient, startRedis } from "./lib/redis.mjs";
import { median } from "./lib/stats.mjs";
import { HOST, startBoth } from "./lib/stores.mjs";

export const title = "Durable writes of 100 bytes";

const SAMPLES = 200;
const CONNECTIONS = 64;
const KINDS = { "KV put": "kvput", "D1 insert": "d1insert", "R2 put": "r2put" };

/** Milliseconds of write and fdatasync of 4 KiB appended to a file beside the data. */
function fsyncMillis(folder) {
    const fd = openSync(join(folder, "bench-fsync"), "w");
    const block = Buffer.alloc(4096, 7);
    const times = [];
    for (let i = 0; i < SAMPLES; i++) {
        const begin = process.hrtime.bigint();
        writeSync(fd, block);
        fdatasyncSync(fd);
        times.push(Number(process.hrtime.bigint() - begin) / 1e6);
    }
    closeSync(fd);
    rmSync(join(folder, "bench-fsync"));
    return median(times);
}

async function alone(client, what) {
    const times = [];
    for (let i = 0; i < SAMPLES; i++) times.push((await client.ask(HOST, `/${what}`)).total);
    return median(times);
}

async function redisAlways() {
    const folder = mkdtempSync(join(tmpdir(), "bench-redis-"));
    const redis = await startRedis(folder, ["--appendonly", "yes", "--appendfsync", "always"]);
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => redisClient(redis.port)));
    const times = [];
    for (let i = 0; i < SAMPLES; i++) {
        const begin = performance.now();
        await clients[0].command("SET", `k${i}`, "v".repeat(100));
        times.push(performance.now() - begin);
    }
    const begin = performance.now();
    let done = 0;
    await Promise.all(clients.map(async (client) => {
        while (performance.now() - begin < 2000) {
            await client.command("SET", `k${done}`, "v".repeat(100));
            done++;
        }
    }));
    const perSecond = (done * 1000) / (performance.now() - begin);
    clients.forEach((client) => client.close());
    redis.stop();
    rmSync(folder, { recursive: true, force: true });
    return { p50: median(times), perSecond };
}

export async function run({ seconds }) {
    const both = await startBoth();
    try {
        const rows = [];
        const client = await Client.open(both.server.port);
        const fsync = fsyncMillis(both.server.dataDir ?? dirname(both.folder));
        const empty = await alone(client, "nothing");
        rows.push({ what: "fsync of 4 KiB on that disk, p50, ms", selvedge: fsync });
        rows.push({ what: "request without a write, p50, ms", selvedge: empty });
        for (const [name, what] of Object.entries(KINDS)) {
            const [ours, theirs] = [await alone(client, what), await alone(both.theirs, what)];
            rows.push({ what: `${name} alone, p50, ms`, selvedge: ours, peer: theirs, peerName: "miniflare", better: "less" });
            rows.push({ what: `${name} alone, p50 in fsyncs`, selvedge: (ours - empty) / fsync });
            const load = { host: HOST, path: `/${what}`, seconds, connections: CONNECTIONS };
            const many = await wrk({ port: both.server.port, ...load });
            const peer = await wrk({ port: both.peer.port, ...load });
            rows.push({ what: `${name}, ${CONNECTIONS} at once, per second`, selvedge: many.rps, peer: peer.rps, peerName: "miniflare", better: "more" });
        }
        const redis = await redisAlways();
        rows.push({ what: "Redis SET from Node, appendfsync always, alone p50, ms", peer: redis.p50, peerName: "Redis" });
        rows.push({ what: `Redis SET, appendfsync always, ${CONNECTIONS} clients, per second`, peer: redis.perSecond, peerName: "Redis" });
        client.close();
        return { rows };
    } finally {
        await both.stop();
    }
}
