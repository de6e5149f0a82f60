// Memory and processor time of processes, from /proc.

import { readFileSync, readdirSync } from "node:fs";

const TICKS_PER_SECOND = 100;

function statOf(pid) {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}

/** The process and all below it. */
export function treeOf(root) {
    const children = new Map();
    for (const name of readdirSync("/proc")) {
        if (!/^\d+$/.test(name)) continue;
        try {
            const { parent } = statOf(name);
            if (!children.has(parent)) children.set(parent, []);
            children.get(parent).push(Number(name));
        } catch {
            // The process ended while we looked.
        }
    }
    const found = [];
    const add = (pid) => { found.push(pid); (children.get(pid) ?? []).forEach(add); };
    add(root);
    return found;
}

/** Kilobytes: proportional share, private, private and written. */
export function memoryOf(pid) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const kb = (name) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))?.[1] ?? 0);
    return { pss: kb("Pss"), privateDirty: kb("Private_Dirty"), private: kb("Private_Dirty") + kb("Private_Clean"), rss: kb("Rss") };
}

export function memorySum(pids) {
    const sum = { pss: 0, private: 0, privateDirty: 0, rss: 0, processes: 0 };
    for (const pid of pids) {
        let one;
        try {
            one = memoryOf(pid);
        } catch {
            continue;
        }
        for (const key of Object.keys(one)) sum[key] += one[key];
        sum.processes += 1;
    }
    return sum;
}

/** Seconds of processor time that these processes have used. */
export function cpuSeconds(pids) {
    let ticks = 0;
    for (const pid of pids) {
        try {
            ticks += statOf(pid).ticks;
        } catch {
            // Gone.
        }
    }
    return ticks / TICKS_PER_SECOND;
}

// Of a process of ours: what its command line says; the supervisor's says nothing.
export function roleOf(pid) {
    try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").match(/--role\0([a-z]+)/)?.[1] ?? "supervisor";
    } catch {
        return "";
    }
}

export function nameOf(pid) {
    try {
        return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    } catch {
        return "";
    }
}
