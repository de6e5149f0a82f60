/*
 * D1Database. https://developers.cloudflare.com/d1/worker-api/
 *
 * A statement that only reads is compiled and run in this process; everything else goes to the keeper as one
 * unit and comes back when it is durable.
 */
import * as context from "../../web/js/context.js";
import { viewOf } from "../../web/js/encoding.js";
import { keeperCall } from "../keeper_call.js";

const d1 = native.d1;

const OBJECTS = 0, COLUMNS = 1, FIRST = 2;
const ROWS_AND_COLUMNS = 1, MANY = 4;
const SLOTS = 256;
const STAT_DURATION = 0, STAT_ROWS = 1, STAT_SIZE = 2;
const BOOKMARK = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/;
const BLANK = /^\s*(--.*)?$/;
const KEEPER = -1;
const SLOW_MS = 10_000;

function d1Error(message, prefix = "D1_ERROR") {
    return new Error(`${prefix}: ${message}`, { cause: new Error(message) });
}

function failed(error) {
    return d1Error(error.message);
}

/* --- a database: one per binding --- */

class Database {
    constructor(index) {
        this.index = index;
        this.slots = new Map(); // text → slot
        this.writes = new Set(); // texts that the keeper runs
        this.slow = new Map(); // texts that it runs for a while, and until when
        this.freeSlots = [];
        this.nUsed = 0;
        this.stats = null;
    }

    /* The slot of a statement, or KEEPER. Throws what is wrong with it. */
    slot(sql) {
        if (this.slow.size > 0 && this.isSlow(sql)) return KEEPER;
        const slot = this.slots.get(sql);
        if (slot !== undefined) return slot;
        return this.writes.has(sql) ? KEEPER : this.compile(sql);
    }

    compile(sql) {
        const slot = this.takeSlot();
        let here = false;
        try {
            here = d1.prepare(this.index, sql, slot);
        } finally {
            if (!here) this.freeSlots.push(slot);
        }
        if (here) {
            this.slots.set(sql, slot);
            return slot;
        }
        if (this.writes.size === SLOTS) this.writes.clear();
        this.writes.add(sql);
        return KEEPER;
    }

    takeSlot() {
        if (this.freeSlots.length > 0) return this.freeSlots.pop();
        if (this.nUsed < SLOTS) return this.nUsed++;
        const [oldest, slot] = this.slots.entries().next().value;
        this.slots.delete(oldest);
        return slot;
    }

    isSlow(sql) {
        const until = this.slow.get(sql);
        if (until === undefined) return false;
        if (native.io.now() < until) return true;
        this.slow.delete(sql);
        return false;
    }

    /* The rows, or undefined: reading here would take so long that others in this isolate had to wait. */
    read(sql, slot, shape, params) {
        const rows = d1.read(this.index, slot, shape, ...params);
        if (rows !== undefined) return rows;
        if (this.slow.size === SLOTS) this.slow.clear();
        this.slow.set(sql, native.io.now() + SLOW_MS);
        return undefined;
    }

    meta() {
        if (this.stats === null) this.stats = d1.stats(this.index);
        const duration = this.stats[STAT_DURATION];
        return {
            served_by: "selvedge", served_by_region: "LOCAL", served_by_colo: "LOCAL", served_by_primary: true,
            timings: { sql_duration_ms: duration }, duration, changes: 0, last_row_id: 0, changed_db: false,
            size_after: this.stats[STAT_SIZE], rows_read: this.stats[STAT_ROWS], rows_written: 0, total_attempts: 1,
        };
    }

    /* The keeper's results for [{sql, params}]; throws an Error with the bare message and `index`. */
    async send(statements, flags) {
        const body = `[${statements.map(({ sql, params }) => `{"sql":${literal(sql)},"params":[${params.map(literal).join(",")}]}`).join(",")}]`;
        const answer = await keeperCall((callback) => d1.run(this.index, body, flags, callback), true);
        if (answer.result >= 0) return JSON.parse(answer.json);
        const error = new Error(answer.text || "Network connection lost.");
        error.index = answer.json ? JSON.parse(answer.json).index : 0;
        throw error;
    }
}

/* A parameter as the keeper reads it: numbers that are integers for SQLite must not look like fractions,
 * and those beyond 64 bits must not look like integers. */
function literal(value) {
    if (typeof value === "number") {
        if (!Number.isFinite(value)) return "null";
        if (Number.isInteger(value) && Math.abs(value) >= 2 ** 63) {
            const text = String(value);
            return text.includes("e") ? text : `${text}.0`;
        }
        return String(value === 0 ? 0 : value);
    }
    if (typeof value === "string") return JSON.stringify(value.isWellFormed() ? value : value.toWellFormed());
    return value === null ? "null" : `[${value.join(",")}]`;
}

function parameter(value) {
    switch (typeof value) {
    case "number":
        return Number.isFinite(value) ? value : null;
    case "string":
        return value;
    case "boolean":
        return value ? 1 : 0;
    case "object": {
        if (value === null) return null;
        const bytes = viewOf(value);
        if (bytes !== null) return bytes.slice();
        if (Array.isArray(value)) return Uint8Array.from(value, byte);
        break;
    }
    }
    throw unsupported(value);
}

function byte(value) {
    if (typeof value !== "number" || !(value >= 0 && value < 256)) throw unsupported(value);
    return value;
}

function unsupported(value) {
    return d1Error(`Type '${typeof value}' not supported for value '${typeof value === "symbol" ? value.toString() : value}'`, "D1_TYPE_ERROR");
}

/* --- what users hold --- */

const MAKE = Symbol("make");
let statementOf, runBatch;

export class D1PreparedStatement {
    #database;
    #session;
    #sql;
    #params;

    constructor(key, database, session, sql, params) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#database = database;
        this.#session = session;
        this.#sql = sql;
        this.#params = params;
    }

    get statement() { return this.#sql; }
    get params() { return this.#params; }

    bind(...values) {
        for (let i = 0; i < values.length; i++) values[i] = parameter(values[i]);
        return new D1PreparedStatement(MAKE, this.#database, this.#session, this.#sql, values);
    }

    /* The slot, or KEEPER, with errors as D1 names them. */
    #slot() {
        context.need();
        try {
            return this.#database.slot(this.#sql);
        } catch (error) {
            throw failed(error);
        }
    }

    /* Undefined: the keeper has to. */
    #read(slot, shape) {
        if (slot === KEEPER) return undefined;
        try {
            return this.#database.read(this.#sql, slot, shape, this.#params);
        } catch (error) {
            throw failed(error);
        } finally {
            this.#session?.touch();
        }
    }

    async #send(flags) {
        try {
            return (await this.#database.send([{ sql: this.#sql, params: this.#params }], flags))[0];
        } catch (error) {
            throw failed(error);
        } finally {
            this.#session?.touch();
        }
    }

    async first(column = undefined) {
        let row = this.#read(this.#slot(), FIRST);
        if (row === undefined) row = (await this.#send(0)).results[0] ?? null;
        if (column === undefined || column === null || row === null) return row;
        if (!Object.hasOwn(row, column)) throw d1Error(`Column not found (${column})`, "D1_COLUMN_NOTFOUND");
        return row[column];
    }

    async all() {
        const rows = this.#read(this.#slot(), OBJECTS);
        if (rows !== undefined) return { success: true, meta: this.#database.meta(), results: rows };
        const { results, meta } = await this.#send(0);
        return { success: true, meta, results };
    }

    run() {
        return this.all();
    }

    async raw(options = undefined) {
        const { columns, rows } = this.#read(this.#slot(), COLUMNS) ?? (await this.#send(ROWS_AND_COLUMNS)).results;
        if (options?.columnNames) rows.unshift(columns);
        return rows;
    }

    static {
        statementOf = (value) => {
            if (typeof value !== "object" || value === null || !(#sql in value))
                throw new TypeError("batch() takes statements made by prepare().");
            return { sql: value.#sql, params: value.#params };
        };
    }
}

Object.defineProperty(D1PreparedStatement, "name", { value: "D1PreparedStatement", configurable: true }); // the bundler renames it

/* All reads: here, in one snapshot. Null when a statement has to go to the keeper. */
function batchHere(database, statements) {
    const slots = [];
    try {
        for (const { sql } of statements) {
            const slot = database.slot(sql);
            if (slot === KEEPER) return null;
            slots.push(slot);
        }
    } catch {
        return null; // it may be right once the statements before it have run
    }
    if (new Set(slots).size > SLOTS / 2) return null; // later ones would have pushed earlier ones out
    d1.snapshot(database.index, true);
    try {
        const all = [];
        for (const [i, { sql, params }] of statements.entries()) {
            const results = database.read(sql, slots[i], OBJECTS, params);
            if (results === undefined) return null;
            all.push({ success: true, meta: database.meta(), results });
        }
        return all;
    } finally {
        d1.snapshot(database.index, false);
    }
}

runBatch = async (database, statements) => {
    context.need();
    const list = Array.from(statements, statementOf);
    if (list.length === 0) throw d1Error("No SQL statements detected.");
    try {
        const here = batchHere(database, list);
        if (here !== null) return here;
        return (await database.send(list, 0)).map(({ results, meta }) => ({ success: true, meta, results }));
    } catch (error) {
        throw failed(error);
    }
};

export class D1DatabaseSession {
    #database;
    #bookmark;

    constructor(key, database, bookmark) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#database = database;
        this.#bookmark = bookmark;
    }

    prepare(sql) {
        return new D1PreparedStatement(MAKE, this.#database, { touch: () => this.#touch() }, `${sql}`, []);
    }

    async batch(statements) {
        try {
            return await runBatch(this.#database, statements);
        } finally {
            this.#touch();
        }
    }

    getBookmark() {
        return this.#bookmark;
    }

    #touch() {
        const now = d1.bookmark(this.#database.index);
        if (this.#bookmark === null || now > this.#bookmark) this.#bookmark = now;
    }
}

export class D1Database {
    #database;

    constructor(key, index) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#database = new Database(index);
    }

    prepare(sql) {
        return new D1PreparedStatement(MAKE, this.#database, null, `${sql}`, []);
    }

    batch(statements) {
        return runBatch(this.#database, statements);
    }

    async exec(text) {
        context.need();
        const start = native.io.now();
        const lines = `${text}`.trim().split("\n").filter((line) => !BLANK.test(line));
        if (lines.length === 0) throw d1Error("Error in line 1: : No SQL statements detected.", "D1_EXEC_ERROR");
        try {
            const results = await this.#database.send(lines.map((sql) => ({ sql, params: [] })), MANY);
            let duration = 0;
            for (const { meta } of results) duration += meta.duration;
            return { count: lines.length, duration: Math.max(duration, native.io.now() - start) };
        } catch (error) {
            const { index } = error;
            throw d1Error(`Error in line ${index + 1}: ${lines[index]}: ${error.message}`, "D1_EXEC_ERROR");
        }
    }

    withSession(constraint = undefined) {
        const given = constraint === undefined || constraint === null ? "first-unconstrained" : `${constraint}`.trim();
        if (given === "first-primary" || given === "first-unconstrained" || given === "")
            return new D1DatabaseSession(MAKE, this.#database, null);
        if (!BOOKMARK.test(given)) throw new Error("D1_SESSION_ERROR: invalid bookmark or constraint");
        return new D1DatabaseSession(MAKE, this.#database, given);
    }

    async dump() {
        throw d1Error("dump() is only available for alpha databases.", "D1_DUMP_ERROR");
    }
}

export function make() {
    return (index) => new D1Database(MAKE, index);
}
