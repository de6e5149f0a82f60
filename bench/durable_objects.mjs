// Requests to warm Durable Objects through the gateway, durable writes of one and of many.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deploy } from "../test/e2e/lib/deploy.mjs";
import { Client } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median } from "./lib/stats.mjs";
import { startMiniflareObjects } from "./lib/workerd.mjs";

export const title = "Durable Objects: a warm request, a durable write, writes over many objects";

const HOST = "objects.localhost";
const TURNS = 1000;
/** How many objects are written at once, how often each per round here and at the peer. */
const SPREADS = [{ objects: 64, times: 200, peerTimes: 10 }, { objects: 1000, times: 20, peerTimes: 1 }];

const percentile = (times, p) => times.sort((a, b) => a - b)[Math.floor(times.length * p)];

async function latencies(client, path, n) {
    const times = [];
    for (let i = 0; i < n; i++) {
        const answer = await client.ask(HOST, path);
        if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 200)}`);
        times.push(answer.total);
    }
    return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

async function rate(client, objects, times) {
    const answer = await client.ask(HOST, `/many?n=${objects * times}&objects=${objects}`);
    if (answer.status !== 200) throw new Error(`many: ${answer.status} ${answer.body.slice(0, 200)}`);
    return (objects * times * 1000) / answer.total;
}

/** Writes a second over many objects: the first ones of each, which make the databases, do not count. */
async function spread(rounds, ours, theirs, { objects, times, peerTimes }) {
    for (let i = 0; i < 3; i++) await rate(ours, objects, 1);
    await rate(theirs, objects, 1);
    const [many, peerMany] = await interleave(rounds, () => rate(ours, objects, times), () => rate(theirs, objects, peerTimes));
    return { what: `puts over ${objects} objects at once, per second`, selvedge: median(many), peer: median(peerMany), peerName: "miniflare", better: "more" };
}

export async function run({ rounds }) {
    const source = readFileSync(new URL("workers/objects.js", import.meta.url), "utf8");
    const folder = mkdtempSync(join(tmpdir(), "bench-objects-"));
    const server = await startSelvedge();
    let peer = null;
    try {
        await deploy(server, "objects", source, {
            bindings: [{ name: "THINGS", type: "durable_object_namespace", class_name: "Thing" }],
            limits: { subrequests: 1_000_000 }, migrations: { new_tag: "v1", new_sqlite_classes: ["Thing"] },
        });
        peer = await startMiniflareObjects(source, folder);
        const ours = await Client.open(server.port), theirs = await Client.open(peer.port);
        for (const client of [ours, theirs]) await latencies(client, "/ping", 300);
        const [ping, peerPing] = await interleave(rounds, () => latencies(ours, "/ping", TURNS), () => latencies(theirs, "/ping", TURNS));
        const [put, peerPut] = await interleave(rounds, () => latencies(ours, "/put", TURNS / 2), () => latencies(theirs, "/put", TURNS / 4));
        const spreads = [];
        for (const one of SPREADS) spreads.push(await spread(rounds, ours, theirs, one));
        const nothing = await latencies(ours, "/nothing", TURNS);
        ours.close();
        theirs.close();
        const of = (list, key) => median(list.map((x) => x[key]));
        const row = (what, mine, other, better = "less") => ({ what, selvedge: mine, peer: other, peerName: "miniflare", better });
        return { rows: [
            row("warm request to an object, p50, ms", of(ping, "p50"), of(peerPing, "p50")),
            row("warm request to an object, p99, ms", of(ping, "p99"), of(peerPing, "p99")),
            { what: "the same without an object, p50, ms", selvedge: nothing.p50 },
            row("put and response, p50, ms", of(put, "p50"), of(peerPut, "p50")),
            row("put and response, p99, ms", of(put, "p99"), of(peerPut, "p99")),
            ...spreads,
        ] };
    } finally {
        await peer?.stop();
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
    }
}
