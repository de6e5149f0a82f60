/* node:console: the global console, and Console over streams. */
const { codes: { ERR_CONSOLE_WRITABLE_STREAM, ERR_INVALID_ARG_VALUE }, notImplemented } = require("./errors.js");
const { formatWithOptions, inspect } = require("./inspect.js");

const globalConsole = globalThis.console;

class Console {
    #out;
    #err;
    #options;
    #indent = "";
    #step;
    #counts = new Map();
    #timers = new Map();

    constructor(options, stderr) {
        const o = options !== null && typeof options === "object" && typeof options.write !== "function" ? options : { stdout: options, stderr };
        const out = o.stdout, err = o.stderr ?? out;
        if (typeof out?.write !== "function") throw new ERR_CONSOLE_WRITABLE_STREAM("stdout");
        if (typeof err?.write !== "function") throw new ERR_CONSOLE_WRITABLE_STREAM("stderr");
        const color = o.colorMode ?? "auto";
        if (color !== "auto" && typeof color !== "boolean") throw new ERR_INVALID_ARG_VALUE("colorMode", color);
        this.#out = out;
        this.#err = err;
        this.#options = { ...o.inspectOptions, ...(color === true ? { colors: true } : {}) };
        this.#step = o.groupIndentation ?? 2;
        for (const name of Object.getOwnPropertyNames(Console.prototype)) if (name !== "constructor") this[name] = this[name].bind(this);
    }

    #write(stream, args) {
        let text = formatWithOptions(this.#options, ...args);
        if (this.#indent !== "") text = this.#indent + text.replaceAll("\n", `\n${this.#indent}`);
        stream.write(`${text}\n`);
    }

    log(...args) { this.#write(this.#out, args); }
    warn(...args) { this.#write(this.#err, args); }
    error(...args) { this.#write(this.#err, args); }
    info(...args) { this.log(...args); }
    debug(...args) { this.log(...args); }
    dirxml(...args) { this.log(...args); }
    dir(value, options = undefined) { this.#write(this.#out, [inspect(value, { customInspect: false, ...this.#options, ...options })]); }
    trace(...args) { this.error(`Trace${args.length > 0 ? `: ${formatWithOptions(this.#options, ...args)}` : ""}`); }
    assert(value, ...args) {
        if (value) return;
        if (typeof args[0] === "string") args[0] = `Assertion failed: ${args[0]}`;
        else args.unshift("Assertion failed");
        this.warn(...args);
    }

    clear() {}
    count(label = "default") {
        const key = `${label}`, n = (this.#counts.get(key) ?? 0) + 1;
        this.#counts.set(key, n);
        this.log(`${key}: ${n}`);
    }

    countReset(label = "default") { this.#counts.delete(`${label}`); }
    group(...args) {
        if (args.length > 0) this.log(...args);
        this.#indent += " ".repeat(this.#step);
    }

    groupCollapsed(...args) { this.group(...args); }
    groupEnd() { this.#indent = this.#indent.slice(0, Math.max(0, this.#indent.length - this.#step)); }
    time(label = "default") { this.#timers.set(`${label}`, performance.now()); }
    timeEnd(label = "default") {
        this.timeLog(label);
        this.#timers.delete(`${label}`);
    }

    timeLog(label = "default", ...args) {
        const start = this.#timers.get(`${label}`);
        if (start !== undefined) this.log("%s: %s", label, `${performance.now() - start}ms`, ...args);
    }

    table(data, columns = undefined) {
        if (data === null || typeof data !== "object") return this.log(data);
        this.log(renderTable(data, columns));
    }
}

function renderTable(data, columns) {
    const entries = data instanceof Map ? [...data] : data instanceof Set ? [...data].map((v, i) => [i, v]) : Object.entries(data);
    const names = [], cell = (v) => inspect(v, { depth: typeof v === "object" && v !== null && !Array.isArray(v) && Object.keys(v).length > 2 ? -1 : 0, maxArrayLength: 3, breakLength: Infinity });
    let values = false;
    const rows = entries.map(([index, row]) => {
        const cells = new Map();
        if (row !== null && typeof row === "object" && !(row instanceof Map)) {
            for (const key of columns ?? Object.keys(row)) {
                if (!names.includes(key)) names.push(key);
                if (Object.hasOwn(row, key)) cells.set(key, cell(row[key]));
            }
        } else {
            values = true;
            cells.set(renderTable, cell(row));
        }
        return [`${index}`, cells];
    });
    const head = ["(index)", ...names, ...(values ? ["Values"] : [])];
    const body = rows.map(([index, cells]) => [index, ...names.map((n) => cells.get(n) ?? ""), ...(values ? [cells.get(renderTable) ?? ""] : [])]);
    const widths = head.map((h, c) => Math.max(h.length, ...body.map((r) => r[c].length)) + 2);
    const line = (cells) => `\u2502${cells.map((t, c) => ` ${t}`.padEnd(widths[c])).join("\u2502")}\u2502`;
    const rule = (l, m, r) => l + widths.map((w) => "\u2500".repeat(w)).join(m) + r;
    return [rule("\u250c", "\u252c", "\u2510"), line(head), rule("\u251c", "\u253c", "\u2524"), ...body.map(line), rule("\u2514", "\u2534", "\u2518")].join("\n");
}

const out = {};
for (const name of Object.getOwnPropertyNames(globalConsole)) if (typeof globalConsole[name] === "function") out[name] = globalConsole[name];
module.exports = Object.assign(out, {
    Console, profile() {}, profileEnd() {}, context: () => notImplemented("console.context"), createTask: () => notImplemented("console.createTask"),
    _stdoutErrorHandler() {}, _stderrErrorHandler() {}, _ignoreErrors: true,
});
