/*
 * console: each call is an entry of the event's trace, its arguments made safe for JSON at once.
 * https://console.spec.whatwg.org/
 */
import * as context from "./context.js";
import { inspect, format, expand } from "./inspect.js";
import { isError, errorText, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } from "./errors.js";

const io = native.io;
const LEVELS = { log: LOG_INFO, debug: LOG_DEBUG, info: LOG_INFO, warn: LOG_WARN, error: LOG_ERROR };
const PIECE_MAX = 64 * 1024;

let indent = 0;
const counts = new Map(), timers = new Map();

/* One argument as it stands in the trace. */
function traceValue(value) {
    switch (typeof value) {
    case "string": return value.length > PIECE_MAX ? value.slice(0, PIECE_MAX) : value;
    case "number": return Number.isFinite(value) ? value : String(value);
    case "boolean": return value;
    case "object": return value === null ? null : traceObject(value);
    default: return typeof value === "bigint" ? `${value}n` : typeof value === "undefined" ? "undefined" : inspect(value);
    }
}

function traceObject(value) {
    if (isError(value)) return errorText(value);
    const prototype = Object.getPrototypeOf(value);
    if (Array.isArray(value) || prototype === Object.prototype || prototype === null) {
        try {
            const text = JSON.stringify(value);
            if (text !== undefined && text.length <= PIECE_MAX) return JSON.parse(text);
        } catch {
            // A cycle, a BigInt or a throwing getter: shown as text instead.
        }
    }
    return inspect(value).slice(0, PIECE_MAX);
}

function sizeOf(message) {
    let n = 16;
    for (const item of message) n += typeof item === "string" ? item.length : typeof item === "object" && item !== null ? JSON.stringify(item).length : 8;
    return n;
}

function messageOf(args) {
    if (args.length > 1 && typeof args[0] === "string" && args[0].includes("%")) {
        const [text, used] = expand(args);
        return [text, ...args.slice(used).map(traceValue)];
    }
    return args.map(traceValue);
}

function emit(level, args) {
    const invocation = context.current;
    if (invocation === null) {
        io.log(LEVELS[level], format(...args));
        return;
    }
    const message = messageOf(args);
    if (indent > 0) message.unshift(" ".repeat(indent * 2 - 1));
    invocation.log(level, message, sizeOf(message));
}

function label(name) {
    return name === undefined ? "default" : `${name}`;
}

function elapsed(name) {
    const start = timers.get(name);
    if (start !== undefined) return `${name}: ${io.clock[0] - start}ms`;
    emit("warn", [`Timer '${name}' does not exist`]);
    return null;
}

function tableRows(data, columns) {
    const entries = data instanceof Map ? [...data] : Object.entries(data);
    const names = [];
    const rows = entries.map(([index, row]) => {
        const cells = new Map();
        if (typeof row === "object" && row !== null) {
            for (const [k, v] of Object.entries(row)) {
                if (columns !== undefined && !columns.includes(k)) continue;
                if (!names.includes(k)) names.push(k);
                cells.set(k, inspect(v, { depth: 0 }));
            }
        } else {
            if (!names.includes("Values")) names.push("Values");
            cells.set("Values", inspect(row, { depth: 0 }));
        }
        return [String(index), cells];
    });
    return { names: ["(index)", ...names], rows: rows.map(([i, cells]) => [i, ...names.map((n) => cells.get(n) ?? "")]) };
}

function table(data, columns) {
    if (typeof data !== "object" || data === null) return format(data);
    const { names, rows } = tableRows(data, columns);
    const widths = names.map((n, c) => Math.max(n.length, ...rows.map((row) => row[c].length)) + 2);
    const line = (cells) => `│${cells.map((t, c) => ` ${t}`.padEnd(widths[c])).join("│")}│`;
    const rule = (l, m, r) => l + widths.map((w) => "─".repeat(w)).join(m) + r;
    return [rule("┌", "┬", "┐"), line(names), rule("├", "┼", "┤"), ...rows.map(line), rule("└", "┴", "┘")].join("\n");
}

export const console = {
    log(...args) { emit("log", args); },
    debug(...args) { emit("debug", args); },
    info(...args) { emit("info", args); },
    warn(...args) { emit("warn", args); },
    error(...args) { emit("error", args); },
    trace(...args) { emit("log", [`Trace${args.length > 0 ? `: ${format(...args)}` : ""}`]); },
    dir(value, options) { emit("log", [inspect(value, options)]); },
    dirxml(...args) { emit("log", args); },
    assert(condition, ...args) {
        if (condition) return;
        if (typeof args[0] === "string") emit("error", [`Assertion failed: ${args[0]}`, ...args.slice(1)]);
        else emit("error", ["Assertion failed", ...args]);
    },
    clear() {},
    count(name) {
        const key = label(name), n = (counts.get(key) ?? 0) + 1;
        counts.set(key, n);
        emit("info", [`${key}: ${n}`]);
    },
    countReset(name) { counts.delete(label(name)); },
    group(...args) {
        if (args.length > 0) emit("log", args);
        indent = Math.min(indent + 1, 32);
    },
    groupCollapsed(...args) { console.group(...args); },
    groupEnd() { indent = Math.max(0, indent - 1); },
    table(data, columns) { emit("log", [table(data, columns)]); },
    time(name) { timers.set(label(name), io.clock[0]); },
    timeLog(name, ...args) {
        const text = elapsed(label(name));
        if (text !== null) emit("log", [text, ...args]);
    },
    timeEnd(name) {
        const text = elapsed(label(name));
        if (text !== null) emit("log", [text]);
        timers.delete(label(name));
    },
    timeStamp() {},
    profile() {},
    profileEnd() {},
};
Object.defineProperty(console, Symbol.toStringTag, { value: "console", configurable: true });
