// HTMLRewriter over a page of 1 MB that the Worker holds: milliseconds of processor time per page.

import { readFileSync } from "node:fs";
import { wrk } from "./lib/http.mjs";
import { cpuSeconds, treeOf } from "./lib/proc.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median } from "./lib/stats.mjs";
import { startWorkerd } from "./lib/workerd.mjs";

export const title = "HTMLRewriter over a page of 1 MB, 4 connections";

const WAYS = {
    plain: "sent as it is",
    nothing: "a selector that matches nothing",
    links: "every link (3,637) changed",
    items: "every heading (3,637) and its text read",
};

async function measured(pid, load) {
    const before = cpuSeconds(treeOf(pid));
    const result = await wrk(load);
    return { cpu: ((cpuSeconds(treeOf(pid)) - before) * 1e3) / result.requests, rps: result.rps };
}

export async function run({ rounds, seconds }) {
    const text = readFileSync(new URL("workers/rewrite.js", import.meta.url), "utf8");
    const server = await startSelvedge();
    const peer = await startWorkerd({ rewrite: text });
    try {
        await deploy(server, "rewrite", text);
        const rows = [];
        for (const [way, what] of Object.entries(WAYS)) {
            const load = { path: `/${way}`, seconds, connections: 4 };
            const ours = () => measured(server.pid, { ...load, port: server.port, host: "rewrite.localhost" });
            const theirs = () => measured(peer.pid, { ...load, port: peer.ports.rewrite, host: "localhost" });
            const [mine, other] = await interleave(rounds, ours, theirs);
            const pick = (list, key) => median(list.map((r) => r[key]));
            rows.push({ what: `${what}, processor time per page, ms`, selvedge: pick(mine, "cpu"), peer: pick(other, "cpu"), peerName: "workerd", better: "less" });
            rows.push({ what: `${what}, pages/s`, selvedge: pick(mine, "rps"), peer: pick(other, "rps"), peerName: "workerd", better: "more" });
        }
        return { rows };
    } finally {
        await peer.stop();
        await server.stop();
    }
}
