// WebSocket echo with 1,000 connections, one message of 32 bytes under way on each; and what 1,000 open sockets weigh.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { cpuSeconds, memorySum, treeOf } from "./lib/proc.mjs";
import { deploy, startSelvedge } from "./lib/selvedge.mjs";
import { interleave, median, pause } from "./lib/stats.mjs";
import { startWorkerd } from "./lib/workerd.mjs";

export const title = "WebSocket echo, 1,000 connections";

const CONNECTIONS = 1000;
const MESSAGE = 32;
const ECHOED = 2 + MESSAGE; // an unmasked frame
const OPENING = 100; // handshakes at once

/* Plain sockets and one prepared frame: a client library would be the slowest part. */
function frame() {
    const mask = randomBytes(4);
    const payload = Buffer.alloc(MESSAGE, "x");
    for (let i = 0; i < MESSAGE; i++) payload[i] ^= mask[i & 3];
    return Buffer.concat([Buffer.from([0x81, 0x80 | MESSAGE]), mask, payload]);
}

function openOne(port, host) {
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
        socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`);
    });
}

async function openAll(port, host) {
    const sockets = [];
    while (sockets.length < CONNECTIONS)
        sockets.push(...await Promise.all(Array.from({ length: OPENING }, () => openOne(port, host))));
    return sockets;
}

/** Every connection echoes for so long; resolves when nothing is under way any more. */
async function echo(pid, sockets, seconds) {
    const message = frame();
    const begin = performance.now();
    const cpu = cpuSeconds(treeOf(pid));
    const end = begin + seconds * 1000;
    let messages = 0;
    await Promise.all(sockets.map((socket) => new Promise((resolve) => {
        let bytes = 0;
        const read = (data) => {
            bytes += data.length;
            if (bytes < ECHOED) return;
            bytes -= ECHOED;
            messages++;
            if (performance.now() < end) {
                socket.write(message);
                return;
            }
            socket.off("data", read);
            resolve();
        };
        socket.on("data", read);
        socket.write(message);
    })));
    return { rate: (messages * 1000) / (performance.now() - begin), cpuMicros: ((cpuSeconds(treeOf(pid)) - cpu) * 1e6) / messages };
}

/** Opens all connections, each with one message back and forth; what they add to the memory of all processes. */
async function weigh(pid, port, host) {
    const first = await openOne(port, host);
    await echo(pid, [first], 0);
    await pause(500);
    const before = memorySum(treeOf(pid));
    const sockets = await openAll(port, host);
    await echo(pid, sockets, 0);
    await pause(2000);
    const after = memorySum(treeOf(pid));
    return { sockets: [first, ...sockets], kilobytes: (after.private - before.private) / CONNECTIONS };
}

export async function run({ rounds, seconds }) {
    const source = readFileSync(new URL("workers/echo.js", import.meta.url), "utf8");
    const server = await startSelvedge();
    const peer = await startWorkerd({ echo: source });
    try {
        await deploy(server, "echo", source);
        const ours = await weigh(server.pid, server.port, "echo.localhost");
        const theirs = await weigh(peer.pid, peer.ports.echo, "localhost");
        const [mine, other] = await interleave(rounds, () => echo(server.pid, ours.sockets, seconds), () => echo(peer.pid, theirs.sockets, seconds));
        const pick = (list, key) => median(list.map((r) => r[key]));
        for (const socket of [...ours.sockets, ...theirs.sockets]) socket.destroy();
        return {
            rows: [
                { what: "echo of 32 bytes, messages/s", selvedge: pick(mine, "rate"), peer: pick(other, "rate"), peerName: "workerd", better: "more" },
                { what: "processor time per message, µs", selvedge: pick(mine, "cpuMicros"), peer: pick(other, "cpuMicros"), peerName: "workerd", better: "less" },
                { what: "an open connection, private memory of all processes, KB", selvedge: ours.kilobytes, peer: theirs.kilobytes, peerName: "workerd", better: "less" },
            ],
        };
    } finally {
        await peer.stop();
        await server.stop();
    }
}
