// 64 MB through a Worker, hashing, JSON and URLs: wall time of one request, and processor time without the client's.

import { readFileSync } from "node:fs";
import { request } from "node:http";
import { cpuSeconds, treeOf } from "./lib/proc.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median } from "./lib/stats.mjs";
import { startWorkerd } from "./lib/workerd.mjs";

export const title = "Streams, digests, JSON and URLs, one request at a time";

const MB = 1024 * 1024, BODY = 64 * MB, PIECE = Buffer.alloc(64 * 1024, "selvedge ");

// Row: way, what it says, requests per measurement, units in one request, unit of the row; upload: it gets 64 MB.
const WAYS = [
    { way: "native", what: "64 MB, request body to response", upload: true, requests: 1 },
    { way: "identity", what: "64 MB through an IdentityTransformStream", upload: true, requests: 1 },
    { way: "transform", what: "64 MB through a TransformStream of script", upload: true, requests: 1 },
    { way: "sha", what: "SHA-256 of 16 MB", requests: 5 },
    { way: "json", what: "JSON of 1 MB parsed and written, ten times", requests: 3 },
    { way: "url", what: "20,000 URLs parsed", requests: 5 },
];

function ask(port, host, { way, upload }) {
    return new Promise((resolve, reject) => {
        const req = request({ port, host: "127.0.0.1", path: `/${way}`, method: upload ? "POST" : "GET", headers: { host, ...(upload && { "content-length": BODY }) } }, (res) => {
            let n = 0;
            res.on("data", (chunk) => { n += chunk.length; });
            res.on("error", reject);
            res.on("end", () => (res.statusCode === 200 && (!upload || n === BODY) ? resolve() : reject(new Error(`${way}: status ${res.statusCode}, ${n} bytes`))));
        });
        req.on("error", reject);
        if (!upload) {
            req.end();
            return;
        }
        let left = BODY;
        const more = () => {
            while (left > 0) {
                left -= PIECE.length;
                if (!req.write(PIECE)) {
                    req.once("drain", more);
                    return;
                }
            }
            req.end();
        };
        more();
    });
}

async function measured(pid, port, host, row) {
    const cpu = cpuSeconds(treeOf(pid)), from = performance.now();
    for (let i = 0; i < row.requests; i++) await ask(port, host, row);
    return { wall: (performance.now() - from) / row.requests, cpu: ((cpuSeconds(treeOf(pid)) - cpu) * 1e3) / row.requests };
}

export async function run({ rounds }) {
    const text = readFileSync(new URL("workers/streams.js", import.meta.url), "utf8");
    const server = await startSelvedge();
    const peer = await startWorkerd({ streams: text });
    try {
        await deploy(server, "streams", text);
        const rows = [];
        for (const row of WAYS) {
            const ours = () => measured(server.pid, server.port, "streams.localhost", row);
            const theirs = () => measured(peer.pid, peer.ports.streams, "localhost", row);
            await ours();
            await theirs();
            const [mine, other] = await interleave(rounds, ours, theirs);
            for (const [key, name] of [["wall", "ms"], ["cpu", "processor time, ms"]])
                rows.push({ what: `${row.what}, ${name}`, selvedge: median(mine.map((r) => r[key])), peer: median(other.map((r) => r[key])), peerName: "workerd", better: "less" });
        }
        return { rows };
    } finally {
        await peer.stop();
        await server.stop();
    }
}
