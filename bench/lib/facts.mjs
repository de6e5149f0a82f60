// What a number depends on: the machine and the versions.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";

const require = createRequire(import.meta.url);

function quiet(command, args) {
    try {
        return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
        return "";
    }
}

export function machineFacts() {
    const cpu = os.cpus()[0]?.model ?? "unknown";
    return {
        date: new Date().toISOString().slice(0, 16),
        commit: quiet("git", ["rev-parse", "--short", "HEAD"]),
        cpu, cores: os.cpus().length, memory_gib: Math.round(os.totalmem() / 2 ** 30),
        kernel: os.release(), load_before: os.loadavg()[0],
        node: process.version,
        workerd: require("workerd/package.json").version,
        miniflare: require("miniflare/package.json").version,
        engine: quiet("pkg-config", ["--modversion", "javascriptcoregtk-4.1"]),
        redis: quiet("redis-server", ["--version"]).match(/v=(\S+)/)?.[1] ?? "none",
        debian: readFileSync("/etc/debian_version", "utf8").trim(),
    };
}
