/*
 * ctx.storage: the key-value API in both forms, transactions, alarms.
 * https://developers.cloudflare.com/durable-objects/api/
 *
 * Everything is synchronous underneath; promises are those of the API. Writes of one turn become one commit
 * (durable_js.c).
 */
import { serialize, deserialize } from "../../web/js/serialize.js";
import { SqlStorage } from "./sql.js";

const durable = native.durable;
const text = native.text;

const KEY_MAX = 2048, PAIRS_MAX = 128, VALUE_MAX_OLD = 131072, VALUE_MAX = 2 * 1024 * 1024;
const MARK = 0, KEEP = 1, UNDO = 2;
const COMMITTED = 0, OPEN = 1;
const KEEP_BOM = 2;

/* UTF-8 bytes of a key, without making them for those that are short enough anyway. */
function byteLength(key) {
    if (key.length * 3 <= KEY_MAX) return key.length;
    let n = 0;
    for (const c of key) {
        const code = c.codePointAt(0);
        n += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    }
    return n;
}

function keyOf(key) {
    const name = typeof key === "string" ? key : String(key);
    const n = byteLength(name);
    if (n > KEY_MAX) throw new RangeError(`Keys cannot be larger than ${KEY_MAX} bytes. A key of size ${n} was provided.`);
    return name;
}

function listRange(options = {}) {
    options ??= {};
    const { start, startAfter, end, prefix, reverse, limit } = options;
    if (start !== undefined && startAfter !== undefined)
        throw new TypeError("list() cannot be called with both start and startAfter values.");
    if (limit !== undefined && !(limit > 0)) throw new TypeError("List limit must be positive.");
    const given = (v) => (v === undefined || v === null ? null : String(v));
    return [given(start), given(startAfter), given(end), given(prefix), reverse === true, limit === undefined ? -1 : Math.trunc(limit)];
}

/* Operations by name, for the store and for transactions. */
class Operations {
    constructor(instance) {
        this.instance = instance;
        this.gates = instance.gates;
        this.valueMax = instance.config.sqlite ? VALUE_MAX : VALUE_MAX_OLD;
    }

    handle() {
        return this.instance.storageHandle();
    }

    pairs(n) {
        if (!this.instance.config.sqlite && n > PAIRS_MAX)
            throw new RangeError(`Maximum number of key value pairs is ${PAIRS_MAX}. ${n} pairs were provided.`);
    }

    getOne(key) {
        const bytes = durable.kvGet(this.handle(), keyOf(key));
        return bytes === undefined ? undefined : deserialize(new Uint8Array(bytes));
    }

    get(key) {
        if (!Array.isArray(key)) return this.getOne(key);
        const keys = key.map(keyOf);
        if (!this.instance.config.sqlite && keys.length > PAIRS_MAX)
            throw new RangeError(`Maximum number of keys is ${PAIRS_MAX}. ${keys.length} keys were provided.`);
        const found = new Map();
        for (const name of [...new Set(keys)].sort(byBytes)) {
            const value = this.getOne(name);
            if (value !== undefined) found.set(name, value);
        }
        return found;
    }

    bytesOf(value) {
        const bytes = serialize(value);
        if (bytes.length > this.valueMax)
            throw new RangeError(`Values cannot be larger than ${this.valueMax} bytes. A value of size ${bytes.length} was provided.`);
        return bytes;
    }

    put(key, value) {
        if (typeof key === "object" && key !== null) return this.putMany(key);
        if (value === undefined) throw new TypeError("put() called with undefined value.");
        const name = keyOf(key);
        durable.kvPut(this.handle(), name, this.bytesOf(value));
    }

    putMany(record) {
        const entries = [];
        for (const [key, value] of Object.entries(record)) if (value !== undefined) entries.push([keyOf(key), this.bytesOf(value)]);
        this.pairs(entries.length);
        const handle = this.handle();
        for (const [name, bytes] of entries) durable.kvPut(handle, name, bytes);
    }

    delete(key) {
        if (!Array.isArray(key)) return durable.kvDelete(this.handle(), keyOf(key));
        const keys = key.map(keyOf);
        this.pairs(keys.length);
        let n = 0;
        for (const name of keys) if (durable.kvDelete(this.handle(), name)) n++;
        return n;
    }

    entries(options) {
        const buffer = durable.kvList(this.handle(), ...listRange(options));
        const bytes = new Uint8Array(buffer), view = new DataView(buffer), list = [];
        for (let at = 0; at < bytes.length;) {
            const n = view.getUint32(at, true), m = view.getUint32(at + 4 + n, true);
            const start = at + 8 + n;
            list.push([text.decode(bytes.subarray(at + 4, at + 4 + n), 0, KEEP_BOM), deserialize(bytes.subarray(start, start + m))]);
            at = start + m;
        }
        return list;
    }

    list(options) {
        return new Map(this.entries(options));
    }
}

function byBytes(a, b) {
    return a < b ? -1 : a > b ? 1 : 0;
}

async function promise(fn) {
    return fn();
}

/* --- transactions --- */

class DurableObjectTransaction {
    #operations;
    #instance;
    #state = "open";

    constructor(operations, instance) {
        this.#operations = operations;
        this.#instance = instance;
    }

    static end(txn, state) {
        if (txn.#state === "open") txn.#state = state;
        return txn.#state;
    }

    #run(name, fn) {
        return promise(() => {
            if (this.#state === "rolled back") throw new Error(`Cannot ${name}() on rolled back transaction`);
            if (this.#state !== "open")
                throw new Error(`Cannot call ${name}() on transaction that has already committed: did you move \`txn\` outside of the closure?`);
            return fn(this.#operations);
        });
    }

    get(key) { return this.#run("get", (o) => o.get(key)); }
    put(key, value) { return this.#run("put", (o) => o.put(key, value)); }
    delete(key) { return this.#run("delete", (o) => o.delete(key)); }
    list(options) { return this.#run("list", (o) => o.list(options)); }
    getAlarm() { return this.#run("getAlarm", () => this.#instance.getAlarm()); }
    setAlarm(time) { return this.#run("setAlarm", () => this.#instance.setAlarm(time)); }
    deleteAlarm() { return this.#run("deleteAlarm", () => this.#instance.deleteAlarm()); }
    deleteAll() { return Promise.reject(new Error("Cannot call deleteAll() within a transaction")); }

    rollback() {
        if (this.#state === "rolled back") return;
        if (this.#state !== "open")
            throw new Error("Cannot call rollback() on transaction that has already committed: did you move `txn` outside of the closure?");
        this.#state = "rolled back";
        durable.transaction(this.#instance.storageHandle(), UNDO);
    }
}
Object.defineProperty(DurableObjectTransaction.prototype, Symbol.toStringTag, { value: "DurableObjectTransaction", configurable: true });

/* --- synchronous keys and values --- */

class SyncKvStorage {
    #operations;
    #live = null; // the only iterator

    constructor(operations) {
        this.#operations = operations;
    }

    get(key) { return this.#operations.getOne(key); }
    put(key, value) {
        if (value === undefined) throw new TypeError("put() called with undefined value.");
        this.#operations.put(String(key), value);
    }

    delete(key) { return this.#operations.delete(String(key)); }

    list(options = undefined) {
        const entries = this.#operations.entries(options);
        const mine = this.#live = {};
        let at = 0;
        return Object.assign(Object.create(iteratorPrototype), {
            next: () => {
                if (this.#live !== mine)
                    throw new Error("kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can exist at a time.");
                return at < entries.length ? { done: false, value: entries[at++] } : { done: true, value: undefined };
            },
        });
    }
}
Object.defineProperty(SyncKvStorage.prototype, Symbol.toStringTag, { value: "SyncKvStorage", configurable: true });
const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

/* --- the store --- */

const NO_SQL = "SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to `new_sqlite_classes` for this class in " +
    "your wrangler configuration's `migrations` section. Note that this change cannot be made after the class is already deployed to production.";

export class DurableObjectStorage {
    #instance;
    #operations;
    #sql;
    #kv;
    #depth = 0; // of transactionSync() and transaction() under way

    constructor(instance) {
        this.#instance = instance;
        this.#operations = new Operations(instance);
        this.#sql = new SqlStorage(this.#operations);
        this.#kv = new SyncKvStorage(this.#operations);
    }

    get(key, options) { return promise(() => this.#operations.get(key)); }
    put(key, value, options) { return promise(() => this.#operations.put(key, value)); }
    delete(key, options) { return promise(() => this.#operations.delete(key)); }
    list(options) { return promise(() => this.#operations.list(options)); }

    deleteAll(options) {
        return promise(() => {
            if (this.#depth > 0) throw new Error("Cannot call deleteAll() within a transaction");
            durable.wipe(this.#instance.storageHandle());
            this.#instance.alarmGone();
        });
    }

    getAlarm(options) { return promise(() => this.#instance.getAlarm()); }
    setAlarm(time, options) { return promise(() => this.#instance.setAlarm(time)); }
    deleteAlarm(options) { return promise(() => this.#instance.deleteAlarm()); }
    sync() { return this.#instance.confirmed(); }

    get sql() {
        if (!this.#instance.config.sqlite) throw new Error(NO_SQL);
        return this.#sql;
    }

    /* A property of the instance's own, as upstream's. */
    set sql(value) { Object.defineProperty(this, "sql", { value, writable: true, enumerable: true, configurable: true }); }

    get kv() {
        if (!this.#instance.config.sqlite) throw new Error(NO_SQL.replace("SQL is", "The synchronous KV API is"));
        return this.#kv;
    }

    transactionSync(closure) {
        if (!this.#instance.config.sqlite) throw new Error(NO_SQL);
        const handle = this.#instance.storageHandle();
        durable.transaction(handle, MARK);
        this.#depth++;
        let result;
        try {
            result = closure();
        } catch (error) {
            this.#depth--;
            durable.transaction(handle, UNDO);
            throw error;
        }
        this.#depth--;
        durable.transaction(handle, KEEP);
        return result;
    }

    /* A savepoint that spans turns: nothing is committed and nothing else runs in the object until it is over. */
    transaction(closure, options) {
        return this.#instance.gates.critical(async () => {
            const handle = this.#instance.storageHandle();
            const txn = new DurableObjectTransaction(this.#operations, this.#instance);
            durable.transaction(handle, MARK);
            durable.hold(handle, true);
            this.#depth++;
            try {
                const result = await closure(txn);
                if (DurableObjectTransaction.end(txn, "committed") === "committed") durable.transaction(handle, KEEP);
                return result;
            } catch (error) {
                if (DurableObjectTransaction.end(txn, "failed") === "failed" && !this.#instance.gates.dead)
                    durable.transaction(handle, UNDO);
                throw error;
            } finally {
                this.#depth--;
                if (!this.#instance.gates.dead) durable.hold(handle, false);
            }
        });
    }

    /* How far the object has come: grows with each commit, also over restarts. */
    getCurrentBookmark() {
        return promise(() => {
            const { stats } = this.#instance.gates, handle = this.#instance.storageHandle();
            const part = (n) => n.toString(16).padStart(8, "0");
            return `${part(durable.facts(handle)[1])}-${part(stats[COMMITTED] + stats[OPEN])}-00000000-${this.#instance.id.slice(0, 32)}`;
        });
    }

    getBookmarkForTime() { return Promise.reject(new Error("Point-in-time recovery is not available on this server.")); }
    onNextSessionRestoreBookmark() { return Promise.reject(new Error("Point-in-time recovery is not available on this server.")); }
}
Object.defineProperty(DurableObjectStorage.prototype, Symbol.toStringTag, { value: "DurableObjectStorage", configurable: true });
