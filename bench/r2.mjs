// Objects of 4 KB, 1 MB and 256 MB over HTTP: PUT through the REST API and GET of a public bucket, against nginx (WebDAV and static files).

import { mkdtempSync, rmSync, openSync, writeSync, fsyncSync, closeSync } from "node:fs";
import { createHash } from "node:crypto";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { api } from "../test/e2e/lib/deploy.mjs";
import { startNginx } from "./lib/nginx.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median } from "./lib/stats.mjs";

export const title = "Objects over HTTP, one connection";

const SIZES = [["4 KB", 4 << 10, 200], ["1 MB", 1 << 20, 30], ["256 MB", 256 << 20, 1]];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function exchange(port, method, path, headers, body) {
    return new Promise((resolve, reject) => {
        const r = request({ host: "127.0.0.1", port, method, path, agent, headers: { ...headers, ...(body && { "content-length": body.length }) } }, (answer) => {
            let n = 0;
            answer.on("data", (piece) => (n += piece.length)).on("error", reject);
            answer.on("end", () => (answer.statusCode < 300 ? resolve(n) : reject(new Error(`${method} ${path}: ${answer.statusCode}`))));
        });
        r.on("error", reject).end(body);
    });
}

/** Milliseconds per exchange. */
async function timed(times, run) {
    const begin = performance.now();
    for (let i = 0; i < times; i++) await run(i);
    return (performance.now() - begin) / times;
}

/** What the machine itself can do, in MB/s: MD5, and a file written and synced. */
function limits(folder, body) {
    const at = performance.now();
    createHash("md5").update(body).digest();
    const hashed = performance.now();
    const fd = openSync(join(folder, "raw"), "w");
    writeSync(fd, body);
    fsyncSync(fd);
    closeSync(fd);
    const mb = body.length / 1e6;
    return [{ what: "MD5 on this machine, MB/s", selvedge: (mb * 1000) / (hashed - at) }, { what: "write and fsync on this disk, MB/s", selvedge: (mb * 1000) / (performance.now() - hashed) }];
}

export async function run({ rounds }) {
    const folder = mkdtempSync(join(tmpdir(), "bench-r2-"));
    const server = await startSelvedge(), nginx = await startNginx(folder);
    try {
        await api(server, "POST", "/r2/buckets", { name: "bench" });
        const { domain } = await api(server, "PUT", "/r2/buckets/bench/domains/managed", { enabled: true });
        const control = new URL(server.apiUrl), prefix = `${control.pathname}/accounts/${server.account}/r2/buckets/bench/objects`;
        const token = { authorization: `Bearer ${server.token}` }, rows = [];
        for (const [name, size, times] of SIZES) {
            const body = Buffer.alloc(size, "selvedge");
            const sides = {
                put: [(i) => exchange(control.port, "PUT", `${prefix}/k${size}-${i}`, token, body), (i) => exchange(nginx.port, "PUT", `/k${size}-${i}`, {}, body)],
                get: [(i) => exchange(server.port, "GET", `/k${size}-${i}`, { host: domain }), (i) => exchange(nginx.port, "GET", `/k${size}-${i}`, {})],
            };
            for (const [what, [ours, theirs]] of Object.entries(sides)) {
                await timed(Math.min(times, 3), ours);
                await timed(Math.min(times, 3), theirs);
                const [a, b] = await interleave(rounds, () => timed(times, ours), () => timed(times, theirs));
                const peerName = what === "put" ? "nginx, WebDAV PUT, not synced, not hashed" : "nginx, static file";
                rows.push({ what: `${what.toUpperCase()} ${name}, ms`, selvedge: median(a), peer: median(b), peerName, better: "less" });
            }
            if (size === SIZES.at(-1)[1]) rows.push(...limits(folder, body));
        }
        return { rows };
    } finally {
        agent.destroy();
        await nginx.stop();
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
    }
}
