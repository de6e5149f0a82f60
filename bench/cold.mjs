// Workers that are deployed and were never called: time to the first byte of their first answer.

import { Client } from "./lib/http.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { median, pause, percentile } from "./lib/stats.mjs";
import { startWorkerd } from "./lib/workerd.mjs";

export const title = "Cold Worker to first byte";

const WORKERS = 200;
const PEER_STARTS = 9;
const PAUSE_MS = 80; // the pool has refilled by then: what is measured is a start from it

const source = (i) => `const n = ${i};
const table = new Map(Array.from({ length: 50 }, (_, k) => [k, k * n]));
export default { fetch(request) { return new Response("cold " + n + " " + table.size + " " + new URL(request.url).pathname); } };`;

async function deployAll(server) {
    const begin = performance.now();
    let next = 0;
    const lane = async () => {
        while (next < WORKERS) {
            const i = next++;
            await deploy(server, `cold${i}`, source(i));
        }
    };
    await Promise.all([lane(), lane()]);
    return (performance.now() - begin) / WORKERS;
}

async function coldTimes(server) {
    const client = await Client.open(server.port);
    const times = [];
    const warm = [];
    for (let i = 0; i < WORKERS; i++) {
        const first = await client.ask(`cold${i}.localhost`, "/x");
        if (!first.body.startsWith(`cold ${i} `)) throw new Error(`Worker ${i}: ${first.status} ${first.body.slice(0, 200)}`);
        times.push(first.first);
        warm.push((await client.ask(`cold${i}.localhost`, "/x")).first);
        await pause(PAUSE_MS);
    }
    client.close();
    return { times, warm };
}

async function peerStart() {
    const begin = performance.now();
    const peer = await startWorkerd({ cold: source(1) });
    const client = await Client.open(peer.ports.cold);
    await client.ask("localhost");
    const took = performance.now() - begin;
    client.close();
    await peer.stop();
    return took;
}

export async function run() {
    const server = await startSelvedge();
    try {
        const deployMs = await deployAll(server);
        await pause(1000);
        const { times, warm } = await coldTimes(server);
        const starts = [];
        for (let i = 0; i < PEER_STARTS; i++) starts.push(await peerStart());
        const peer = { peer: median(starts), peerName: "workerd, new process", better: "less" };
        return {
            rows: [
                { what: "cold p50, ms", selvedge: median(times), ...peer },
                { what: "cold p99, ms", selvedge: percentile(times, 99), ...peer, peer: percentile(starts, 99) },
                { what: "cold worst, ms", selvedge: Math.max(...times) },
                { what: "warm, second request p50, ms", selvedge: median(warm) },
                { what: "deploy through the REST API (script PUT), ms each", selvedge: deployMs },
            ],
            times,
        };
    } finally {
        await server.stop();
    }
}
