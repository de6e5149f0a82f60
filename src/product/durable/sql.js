/* ctx.storage.sql and its cursors. https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/ */
const durable = native.durable;

const ROWS_READ = 3, ROWS_WRITTEN = 4; // enum durable_stat
const CHUNK = 128;

/* A value as a statement takes it. */
function parameter(value) {
    switch (typeof value) {
    case "number":
        return value;
    case "string":
        return value.isWellFormed() ? value : value.toWellFormed();
    case "undefined":
        return null;
    case "bigint":
        if (BigInt.asIntN(64, value) !== value) throw new RangeError("BigInt value is out of the range of a 64-bit integer.");
        return { high: Number(value >> 32n), low: Number(value & 0xffffffffn) };
    case "object":
        if (value === null || value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value;
    }
    return String(value); // booleans too, as upstream
}

/* Cursors that nobody will ever finish. */
const forgotten = new FinalizationRegistry((cursor) => durable.sqlClose(cursor));

export class SqlStorageCursor {
    #storage;
    #cursor = 0; // of C; 0 = it has given everything
    #names;
    #rows = []; // flat values that are here already
    #at = 0;
    #read = 0;
    #written = 0;

    constructor(storage, query, values) {
        const handle = storage.handle();
        this.#storage = storage;
        const [cursor, names, rows, writes] = values.length === 0
            ? durable.sqlExec(handle, query) : durable.sqlExec(handle, query, ...values.map(parameter));
        this.#cursor = cursor;
        this.#names = names;
        this.#take(rows, 1);
        if (writes) while (this.#cursor !== 0) this.#more(CHUNK);
        if (this.#cursor !== 0) forgotten.register(this, this.#cursor);
    }

    #take(rows, from) {
        const stats = this.#storage.gates.stats;
        for (let i = from; i < rows.length; i++) this.#rows.push(rows[i]);
        this.#read = stats[ROWS_READ];
        this.#written = stats[ROWS_WRITTEN];
    }

    #more(n) {
        const names = this.#names.length;
        const rows = durable.sqlStep(this.#cursor, n);
        const done = rows[0] === 1;
        if (!done && names > 0 && (rows.length - 1) % names !== 0) this.#names = durable.sqlNames(this.#cursor);
        if (done) this.#cursor = 0;
        this.#take(rows, 1);
    }

    /* The values of the next row, or null. */
    #next() {
        const width = this.#names.length;
        if (this.#at >= this.#rows.length) {
            this.#rows.length = 0;
            this.#at = 0;
            if (this.#cursor !== 0) this.#more(1);
            if (this.#rows.length === 0) return null;
        }
        const row = this.#rows.slice(this.#at, this.#at + width);
        this.#at += width;
        return row;
    }

    #object(values) {
        const row = {}, names = this.#names;
        for (let i = 0; i < names.length; i++) row[names[i]] = values[i];
        return row;
    }

    next() {
        const values = this.#next();
        return values === null ? { done: true } : { done: false, value: this.#object(values) };
    }

    #rest() {
        while (this.#cursor !== 0) this.#more(CHUNK);
        const width = this.#names.length, rows = [];
        for (; this.#at < this.#rows.length; this.#at += width) rows.push(this.#rows.slice(this.#at, this.#at + width));
        this.#rows.length = 0;
        this.#at = 0;
        return rows;
    }

    toArray() {
        return this.#rest().map((values) => this.#object(values));
    }

    one() {
        const first = this.#next();
        if (first === null) throw new Error("Expected exactly one result from SQL query, but got no results.");
        if (this.#next() !== null) {
            if (this.#cursor !== 0) durable.sqlClose(this.#cursor);
            this.#cursor = 0;
            throw new Error("Expected exactly one result from SQL query, but got multiple results.");
        }
        return this.#object(first);
    }

    raw() {
        const next = () => {
            const value = this.#next();
            return value === null ? { done: true } : { done: false, value };
        };
        return Object.assign(Object.create(iteratorPrototype), { next, toArray: () => this.#rest() });
    }

    get columnNames() { return [...this.#names]; }
    get rowsRead() { return this.#read; }
    get rowsWritten() { return this.#written; }
    [Symbol.iterator]() { return this; }
    get [Symbol.toStringTag]() { return "Cursor"; }
}

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

export class SqlStorage {
    #storage;

    constructor(storage) {
        this.#storage = storage;
    }

    exec(query, ...values) {
        if (typeof query !== "string") query = String(query);
        return new SqlStorageCursor(this.#storage, query, values);
    }

    get databaseSize() {
        return durable.facts(this.#storage.handle())[0];
    }

    get Cursor() { return SqlStorageCursor; }
    get [Symbol.toStringTag]() { return "SqlStorage"; }
}
