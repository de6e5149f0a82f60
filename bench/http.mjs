// Hello world and JSON over HTTP/1.1 with keep-alive: requests per second, processor time per request, memory.

import { readFileSync } from "node:fs";
import { wrk } from "./lib/http.mjs";
import { cpuSeconds, memorySum, treeOf } from "./lib/proc.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median, pause } from "./lib/stats.mjs";
import { startWorkerd } from "./lib/workerd.mjs";

export const title = "HTTP/1.1, keep-alive, 64 connections, wrk with one thread";

const source = (name) => readFileSync(new URL(`workers/${name}.js`, import.meta.url), "utf8");

async function measured(pid, load) {
    const before = cpuSeconds(treeOf(pid));
    const result = await wrk(load);
    result.cpuMicros = ((cpuSeconds(treeOf(pid)) - before) * 1e6) / result.requests;
    return result;
}

function rowsOf(name, [ours, theirs]) {
    const pick = (list, key) => median(list.map((r) => r[key]));
    return [
        { what: `${name}, requests/s`, selvedge: pick(ours, "rps"), peer: pick(theirs, "rps"), peerName: "workerd", better: "more" },
        { what: `${name}, processor time per request, µs`, selvedge: pick(ours, "cpuMicros"), peer: pick(theirs, "cpuMicros"), peerName: "workerd", better: "less" },
        { what: `${name}, p99, ms`, selvedge: pick(ours, "p99"), peer: pick(theirs, "p99"), peerName: "workerd", better: "less" },
    ];
}

export async function run({ rounds, seconds }) {
    const workers = { hello: source("hello"), json: source("json") };
    const server = await startSelvedge();
    const peer = await startWorkerd(workers);
    try {
        for (const [name, text] of Object.entries(workers)) await deploy(server, name, text);
        const rows = [];
        for (const name of Object.keys(workers)) {
            const path = name === "json" ? "/some/path?q=search" : "/";
            const ours = () => measured(server.pid, { port: server.port, host: `${name}.localhost`, path, seconds });
            const theirs = () => measured(peer.pid, { port: peer.ports[name], host: "localhost", path, seconds });
            await wrk({ port: server.port, host: `${name}.localhost`, path, seconds: 1 });
            await wrk({ port: peer.ports[name], host: "localhost", path, seconds: 1 });
            rows.push(...rowsOf(name, await interleave(rounds, ours, theirs)));
        }
        await pause(500);
        const mine = memorySum(treeOf(server.pid));
        const other = memorySum(treeOf(peer.pid));
        rows.push({ what: `memory after it (Pss of all ${mine.processes} processes), MB`, selvedge: mine.pss / 1024, peer: other.pss / 1024, peerName: "workerd", better: "less" });
        rows.push({ what: "private memory after it, MB", selvedge: mine.private / 1024, peer: other.private / 1024, peerName: "workerd", better: "less" });
        return { rows };
    } finally {
        await peer.stop();
        await server.stop();
    }
}
