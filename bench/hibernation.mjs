// Hibernating WebSockets: what 10,000 sleeping objects with a socket each weigh, and one message to 1,000 sockets of a
// room beside a server of Node and `ws`.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { cpuSeconds, memorySum, treeOf } from "./lib/proc.mjs";
import { deploy } from "../test/e2e/lib/deploy.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median, pause } from "./lib/stats.mjs";

export const title = "Hibernating WebSockets";

const OBJECTS = 10_000;
const LISTENERS = 1000;
const BROADCASTS = 100;
const MESSAGE = 64;
const HEARD = 2 + MESSAGE; // an unmasked frame
const OPENING = 50; // handshakes at once
const ASLEEP_MS = 60_000;

/* A prepared frame and plain sockets: a client library would be the slowest part. */
function frame(length) {
    const mask = randomBytes(4);
    const payload = Buffer.alloc(length, "x");
    for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3];
    return Buffer.concat([Buffer.from([0x81, 0x80 | length]), mask, payload]);
}

function openOne(port, host, path) {
    return new Promise((resolve, reject) => {
        const socket = connect(port, "127.0.0.1");
        socket.setNoDelay(true);
        socket.on("error", reject);
        let head = "";
        const read = (data) => {
            head += data.toString("latin1");
            if (!head.includes("\r\n\r\n")) return;
            socket.off("data", read);
            if (head.startsWith("HTTP/1.1 101")) resolve(socket);
            else reject(new Error(head));
        };
        socket.on("data", read);
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`);
    });
}

async function openAll(n, port, host, pathOf) {
    const sockets = [];
    while (sockets.length < n)
        sockets.push(...await Promise.all(Array.from({ length: OPENING }, (_, i) => openOne(port, host, pathOf(sockets.length + i)))));
    return sockets;
}

/* One message of the first socket to all: the time until the last one has it. */
function broadcast(sockets, message) {
    return new Promise((resolve) => {
        const begin = performance.now();
        let left = sockets.length;
        for (const socket of sockets) {
            let bytes = 0;
            const read = (data) => {
                bytes += data.length;
                if (bytes < HEARD) return;
                socket.off("data", read);
                if (--left === 0) resolve(performance.now() - begin);
            };
            socket.on("data", read);
        }
        sockets[0].write(message);
    });
}

async function broadcasts(pid, sockets) {
    const message = frame(MESSAGE);
    const times = [];
    for (let i = 0; i < BROADCASTS / 5; i++) await broadcast(sockets, message); // warm
    const cpu = cpuSeconds(treeOf(pid));
    for (let i = 0; i < BROADCASTS; i++) times.push(await broadcast(sockets, message));
    return { ms: median(times), cpuMs: ((cpuSeconds(treeOf(pid)) - cpu) * 1000) / BROADCASTS };
}

/* All objects sleep when no isolate but spares is left. */
async function weigh(server) {
    const empty = memorySum(treeOf(server.pid));
    const sockets = await openAll(OBJECTS, server.port, "room.localhost", (i) => `/object-${i}`);
    const awake = treeOf(server.pid).length;
    for (const begin = performance.now(); treeOf(server.pid).length >= awake && performance.now() - begin < ASLEEP_MS;) await pause(500);
    await pause(2000);
    const full = memorySum(treeOf(server.pid));
    const echoed = await broadcast([sockets[7]], frame(MESSAGE)); // they are alive
    for (const socket of sockets) socket.destroy();
    return { total: full.private / 1024, each: (full.private - empty.private) / OBJECTS, echoed };
}

function startPeer() {
    const child = spawn(process.execPath, [fileURLToPath(new URL("lib/ws_room.mjs", import.meta.url))], { stdio: ["ignore", "pipe", "inherit"] });
    return new Promise((resolve) => child.stdout.once("data", (port) => resolve({ child, port: Number(port) })));
}

export async function run({ rounds }) {
    const server = await startSelvedge({ settings: { "isolates.idle_s": 1 } });
    const peer = await startPeer();
    try {
        await deploy(server, "room", readFileSync(new URL("workers/room.js", import.meta.url), "utf8"), {
            bindings: [{ type: "durable_object_namespace", name: "ROOM", class_name: "Room" }],
            migrations: { new_tag: "v1", new_sqlite_classes: ["Room"] },
        });
        const weight = await weigh(server);
        const ours = await openAll(LISTENERS, server.port, "room.localhost", () => "/all");
        const theirs = await openAll(LISTENERS, peer.port, "localhost", () => "/");
        const [mine, other] = await interleave(rounds, () => broadcasts(server.pid, ours), () => broadcasts(peer.child.pid, theirs));
        const pick = (list, key) => median(list.map((r) => r[key]));
        for (const socket of [...ours, ...theirs]) socket.destroy();
        return {
            rows: [
                { what: "10,000 sleeping objects with a socket each: private memory of all processes, MB", selvedge: weight.total },
                { what: "one of them, KB", selvedge: weight.each },
                { what: "message to one of them until its answer, ms", selvedge: weight.echoed },
                { what: "one message to 1,000 sockets of a room, ms until the last has it", selvedge: pick(mine, "ms"), peer: pick(other, "ms"), peerName: "Node, ws", better: "less" },
                { what: "processor time of it, ms", selvedge: pick(mine, "cpuMs"), peer: pick(other, "cpuMs"), peerName: "Node, ws", better: "less" },
            ],
        };
    } finally {
        peer.child.kill();
        await server.stop();
    }
}
