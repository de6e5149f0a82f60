// Both sides with the Worker of workers/stores.js, and the time of one turn of a loop inside it.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./http.mjs";
import { deploy, startSelvedge, storeBindings } from "./selvedge.mjs";
import { startMiniflare } from "./workerd.mjs";

const source = () => readFileSync(new URL("../workers/stores.js", import.meta.url), "utf8");
export const HOST = "stores.localhost";

export async function startBoth() {
    const folder = mkdtempSync(join(tmpdir(), "bench-stores-"));
    const server = await startSelvedge();
    await deploy(server, "stores", source(), await storeBindings(server));
    const peer = await startMiniflare(source(), folder);
    const ours = await Client.open(server.port);
    const theirs = await Client.open(peer.port);
    for (const client of [ours, theirs]) {
        const answer = await client.ask(HOST, "/prepare");
        if (answer.body !== "ready") throw new Error(`prepare: ${answer.status} ${answer.body.slice(0, 300)}`);
    }
    return {
        server, peer, ours, theirs, folder,
        async stop() {
            ours.close();
            theirs.close();
            await peer.stop();
            await server.stop();
            rmSync(folder, { recursive: true, force: true });
        },
    };
}

/** Microseconds of one turn: a long loop less an empty request, divided. */
export async function microsPerTurn(client, what, turns) {
    const empty = (await client.ask(HOST, "/nothing?n=1")).total;
    const answer = await client.ask(HOST, `/${what}?n=${turns}`);
    if (answer.status !== 200) throw new Error(`${what}: ${answer.status} ${answer.body.slice(0, 300)}`);
    return ((answer.total - empty) * 1000) / turns;
}
