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

/** A file beside the data; each call appends 4 KiB, waits until they are on disk, and says the milliseconds. */
function openFsync(folder) {
    const path = join(folder, "bench-fsync");
    const fd = openSync(path, "w");
    const block = Buffer.alloc(4096, 7);
    const once = () => {
        const begin = process.hrtime.bigint();
        writeSync(fd, block);
        fdatasyncSync(fd);
        return Number(process.hrtime.bigint() - begin) / 1e6;
    };
    return { once, close() { closeSync(fd); rmSync(path); } };
}

/** An fsync, a request without a write, one with it, and again: what disturbs one disturbs all. Then the peer. */
async function alone(both, client, fsync, what) {
    const times = { fsync: [], empty: [], ours: [], theirs: [] };
    for (let i = 0; i < SAMPLES; i++) {
        times.fsync.push(fsync.once());
        times.empty.push((await client.ask(HOST, "/nothing")).total);
        times.ours.push((await client.ask(HOST, `/${what}`)).total);
    }
    for (let i = 0; i < SAMPLES; i++) times.theirs.push((await both.theirs.ask(HOST, `/${what}`)).total);
    return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
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
        const fsync = openFsync(both.server.data ?? dirname(both.folder));
        for (const [name, what] of Object.entries(KINDS)) {
            const p50 = await alone(both, client, fsync, what);
            rows.push({ what: `fsync of 4 KiB meanwhile, p50, ms`, selvedge: p50.fsync });
            rows.push({ what: `request without a write meanwhile, p50, ms`, selvedge: p50.empty });
            rows.push({ what: `${name} alone, p50, ms`, selvedge: p50.ours, peer: p50.theirs, peerName: "miniflare", better: "less" });
            rows.push({ what: `${name} alone, p50 in fsyncs`, selvedge: (p50.ours - p50.empty) / p50.fsync });
            const load = { host: HOST, path: `/${what}`, seconds, connections: CONNECTIONS };
            const many = await wrk({ port: both.server.port, ...load });
            const peer = await wrk({ port: both.peer.port, ...load });
            rows.push({ what: `${name}, ${CONNECTIONS} at once, per second`, selvedge: many.rps, peer: peer.rps, peerName: "miniflare", better: "more" });
        }
        const redis = await redisAlways();
        rows.push({ what: "Redis SET from Node, appendfsync always, alone p50, ms", peer: redis.p50, peerName: "Redis" });
        rows.push({ what: `Redis SET, appendfsync always, ${CONNECTIONS} clients, per second`, peer: redis.perSecond, peerName: "Redis" });
        client.close();
        fsync.close();
        return { rows };
    } finally {
        await both.stop();
    }
}
