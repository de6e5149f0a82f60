// A Worker that calls another one over a service binding: methods and fetch, one after another and many at once.

import { readFileSync } from "node:fs";
import { get as httpGet } from "node:http";
import { cpuSeconds, treeOf } from "./lib/proc.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median } from "./lib/stats.mjs";
import { startWorkerd } from "./lib/workerd.mjs";

export const title = "Calls between Workers";

const CALLS = 500; // of one event: upstream allows a thousand subrequests
const KINDS = [
    { how: "rpc", at: 1, what: "a method call, µs" },
    { how: "rpc", at: 50, what: "the same, 50 at once" },
    { how: "fetch", at: 1, what: "a fetch, µs" },
];

function ask(port, host, path) {
    return new Promise((resolve, reject) => {
        httpGet({ host: "127.0.0.1", port, path, headers: { host } }, (answer) => {
            let text = "";
            answer.on("data", (chunk) => { text += chunk; });
            answer.on("end", () => (text === "done" ? resolve() : reject(new Error(text))));
        }).on("error", reject);
    });
}

async function callsFor(pid, port, host, { how, at }, seconds) {
    const path = (n) => `/?n=${n}&at=${at}&how=${how}`;
    const cpu = cpuSeconds(treeOf(pid));
    const end = performance.now() + seconds * 1000;
    let spent = 0, calls = 0;
    while (performance.now() < end) {
        const begin = performance.now();
        await ask(port, host, path(CALLS));
        spent += performance.now() - begin;
        calls += CALLS;
    }
    return { micros: (spent * 1000) / calls, cpu: ((cpuSeconds(treeOf(pid)) - cpu) * 1e6) / calls };
}

export async function run({ rounds, seconds }) {
    const [caller, callee] = ["caller", "callee"].map((name) => readFileSync(new URL(`workers/rpc_${name}.js`, import.meta.url), "utf8"));
    const server = await startSelvedge();
    const peer = await startWorkerd({ caller, callee }, { caller: { CALLEE: "callee" } });
    try {
        await deploy(server, "callee", callee);
        await deploy(server, "caller", caller, [{ type: "service", name: "CALLEE", service: "callee" }]);
        const rows = [];
        for (const kind of KINDS) {
            const ours = () => callsFor(server.pid, server.port, "caller.localhost", kind, seconds);
            const theirs = () => callsFor(peer.pid, peer.ports.caller, "localhost", kind, seconds);
            await interleave(1, ours, theirs); // warm
            const [mine, other] = await interleave(rounds, ours, theirs);
            const pick = (list, key) => median(list.map((r) => r[key]));
            rows.push({ what: kind.what, selvedge: pick(mine, "micros"), peer: pick(other, "micros"), peerName: "workerd", better: "less" });
            rows.push({ what: "processor time of it, µs", selvedge: pick(mine, "cpu"), peer: pick(other, "cpu"), peerName: "workerd", better: "less" });
        }
        return { rows };
    } finally {
        await peer.stop();
        await server.stop();
    }
}
