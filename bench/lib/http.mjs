// Load and latency over HTTP/1.1.

import { execFile } from "node:child_process";
import { connect } from "node:net";
import { promisify } from "node:util";

const run = promisify(execFile);

/** wrk with one thread: {rps, p50, p99} (latencies in milliseconds). */
export async function wrk({ port, host, path = "/", seconds = 5, connections = 64 }) {
    const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-H", `Host: ${host}`, `http://127.0.0.1:${port}${path}`];
    const { stdout } = await run("wrk", args, { timeout: (seconds + 30) * 1000 });
    const latency = (p) => {
        const [, value, unit] = stdout.match(new RegExp(`^\\s+${p}%\\s+([\\d.]+)(us|ms|s)$`, "m")) ?? [0, NaN, "ms"];
        return Number(value) * { us: 0.001, ms: 1, s: 1000 }[unit];
    };
    const failed = stdout.match(/Non-2xx or 3xx responses: (\d+)/)?.[1];
    if (failed) throw new Error(`${host}${path}: ${failed} answers were not 2xx\n${stdout}`);
    const socket = stdout.match(/Socket errors: (.*)/)?.[1];
    return {
        rps: Number(stdout.match(/Requests\/sec:\s+([\d.]+)/)[1]),
        requests: Number(stdout.match(/(\d+) requests in/)[1]),
        p50: latency(50), p99: latency(99), ...(socket && { socket }),
    };
}

/** One connection kept alive; ask() resolves with the answer and with the milliseconds to its first byte. */
export class Client {
    static async open(port) {
        const client = new Client();
        client.socket = connect(port, "127.0.0.1");
        client.socket.setNoDelay(true);
        client.socket.on("data", (chunk) => client.take(chunk));
        client.socket.on("error", (e) => client.fail(e));
        client.socket.on("close", () => client.fail(new Error("the connection was closed")));
        await new Promise((resolve, reject) => { client.socket.once("connect", resolve); client.socket.once("error", reject); });
        return client;
    }

    ask(host, path = "/") {
        return new Promise((resolve, reject) => {
            this.pending = { resolve, reject, first: 0, parts: [], begin: process.hrtime.bigint() };
            this.socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        });
    }

    take(chunk) {
        const p = this.pending;
        if (!p) return;
        if (!p.first) p.first = Number(process.hrtime.bigint() - p.begin) / 1e6;
        p.parts.push(chunk);
        const text = Buffer.concat(p.parts).toString("latin1");
        const head = text.indexOf("\r\n\r\n");
        if (head < 0 || !this.complete(text, head)) return;
        this.pending = null;
        const total = Number(process.hrtime.bigint() - p.begin) / 1e6;
        p.resolve({ status: Number(text.slice(9, 12)), body: text.slice(head + 4), first: p.first, total });
    }

    complete(text, head) {
        const length = text.slice(0, head).match(/content-length: *(\d+)/i)?.[1];
        if (length !== undefined) return text.length >= head + 4 + Number(length);
        return text.endsWith("0\r\n\r\n");
    }

    fail(error) {
        const p = this.pending;
        this.pending = null;
        p?.reject(error);
    }

    close() {
        this.pending = null;
        this.socket.destroy();
    }
}
