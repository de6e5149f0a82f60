// Memory of one more idle Worker.

import { Client } from "./lib/http.mjs";
import { memoryOf, memorySum, nameOf, roleOf, treeOf } from "./lib/proc.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { median, pause } from "./lib/stats.mjs";
import { startWorkerd } from "./lib/workerd.mjs";

export const title = "Memory of an idle Worker";

const WORKERS = 20;
const source = (i) => `export default { fetch() { return new Response("idle ${i}"); } };`;

/** Processes that carry a Worker: those that were not there before it was called. */
async function isolatesOf(server) {
    const before = new Set(treeOf(server.pid));
    const client = await Client.open(server.port);
    for (let i = 0; i < WORKERS; i++) {
        await client.ask(`idle${i}.localhost`);
        await pause(50);
    }
    client.close();
    await pause(1500);
    return treeOf(server.pid).filter((pid) => !before.has(pid));
}

async function peerPerWorker() {
    const sizes = [];
    for (const count of [1, WORKERS + 1]) {
        const workers = Object.fromEntries(Array.from({ length: count }, (_, i) => [`idle${i}`, source(i)]));
        const peer = await startWorkerd(workers);
        for (const port of Object.values(peer.ports)) {
            const client = await Client.open(port);
            await client.ask("localhost");
            client.close();
        }
        await pause(500);
        sizes.push(memorySum(treeOf(peer.pid)));
        await peer.stop();
    }
    return { each: (sizes[1].private - sizes[0].private) / WORKERS, first: sizes[0] };
}

export async function run() {
    const server = await startSelvedge();
    try {
        const idle = memorySum(treeOf(server.pid));
        const roles = treeOf(server.pid).map((pid) => ({ name: nameOf(pid), role: roleOf(pid), ...memoryOf(pid) }));
        for (let i = 0; i < WORKERS; i++) await deploy(server, `idle${i}`, source(i));
        const pids = await isolatesOf(server);
        const each = pids.map(memoryOf);
        const peer = await peerPerWorker();
        return {
            rows: [
                { what: "idle Worker, private written memory, MB", selvedge: median(each.map((m) => m.privateDirty)) / 1024, peer: peer.each / 1024, peerName: "workerd, one more Worker in the same process", better: "less" },
                { what: "idle Worker, Pss, MB", selvedge: median(each.map((m) => m.pss)) / 1024 },
                { what: "platform without Workers, Pss of all processes, MB", selvedge: idle.pss / 1024, peer: peer.first.pss / 1024, peerName: "workerd with one Worker", better: "less" },
            ],
            roles,
        };
    } finally {
        await server.stop();
    }
}
