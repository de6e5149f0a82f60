// From the start of the program to its first answer.

import { Client } from "./lib/http.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { median } from "./lib/stats.mjs";
import { startMiniflare, startWorkerd } from "./lib/workerd.mjs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const title = "Start to ready";

const HELLO = 'export default { fetch() { return new Response("Hello, world!"); } };';

async function timed(start) {
    const begin = performance.now();
    const running = await start();
    const took = performance.now() - begin;
    await running.stop();
    return took;
}

async function answering(start) {
    const running = await start();
    const client = await Client.open(running.port ?? running.ports.hello);
    await client.ask("localhost");
    client.close();
    return running;
}

export async function run({ rounds }) {
    const folder = mkdtempSync(join(tmpdir(), "bench-start-"));
    const times = { ours: [], workerd: [], miniflare: [] };
    for (let i = 0; i < rounds + 2; i++) {
        times.ours.push(await timed(() => startSelvedge()));
        times.workerd.push(await timed(() => answering(() => startWorkerd({ hello: HELLO }))));
        times.miniflare.push(await timed(() => answering(() => startMiniflare(HELLO, folder))));
    }
    const server = await startSelvedge();
    const begin = performance.now();
    await deploy(server, "hello", HELLO);
    const deployed = performance.now() - begin;
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
    const mine = median(times.ours);
    return {
        rows: [
            { what: "empty data directory to ready (account, token, keys made), ms", selvedge: mine, peer: median(times.workerd), peerName: "workerd to first answer", better: "less" },
            { what: "the same", selvedge: mine, peer: median(times.miniflare), peerName: "miniflare to first answer", better: "less" },
            { what: "first deploy through the REST API, ms", selvedge: deployed },
        ],
    };
}
