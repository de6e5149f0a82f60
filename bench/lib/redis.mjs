// Redis on a free port, and the smallest client that can be fair to it: one socket, one write a command.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";

async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

export async function startRedis(folder, args = []) {
    const port = await freePort();
    const child = spawn("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder, ...args], { stdio: ["ignore", "pipe", "ignore"] });
    await new Promise((resolve, reject) => {
        child.stdout.on("data", (text) => { if (String(text).includes("Ready to accept")) resolve(); });
        child.on("error", reject);
        child.on("exit", () => reject(new Error("redis-server ended")));
    });
    return { port, stop() { child.removeAllListeners("exit"); child.kill("SIGKILL"); } };
}

export async function redisClient(port) {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    await once(socket, "connect");
    let waiting = null;
    socket.on("data", (chunk) => { const done = waiting; waiting = null; done?.(chunk); });
    return {
        command(...words) {
            const text = `*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join("")}`;
            return new Promise((resolve) => { waiting = resolve; socket.write(text); });
        },
        close: () => socket.destroy(),
    };
}
