/*
 * Objects that live in this isolate: one Instance per id.
 *
 *     event --> (open the database, which is the lease) --> construct --> RUNNING --> idle 10 s --> gone
 *                    | another process still has it: again in a moment        |
 *                    +--------------------------------------------------------+--> broken: everybody is told why
 *
 * An instance may be dropped at any moment and made again from its database.
 */
import * as context from "../../web/js/context.js";
import { failEvent } from "../../web/js/event.js";
import { startTimer, stopTimer } from "../../web/js/timers.js";
import { frame } from "../../web/js/workers.js";
import { Gates } from "./gates.js";
import { Sockets } from "./sockets.js";
import { DurableObjectState } from "./state.js";

const durable = native.durable;
const io = native.io;

const EAGAIN = -11, EMFILE = -24, ESTALE = -116, ENOSPC = -28, EUCLEAN = -117;
const OPEN_AGAIN_MS = 4, OPEN_MAX_MS = 10_000, IDLE_MS = 10_000, BLOCK_MAX_MS = 30_000;
const OPEN_MOST = 768; // beyond it a start waits until another object has ended
const MEMORY_MOST = 48 * 1024 * 1024; // of their databases: beyond it whoever is idle leaves at once
const LOOK_AT = 64; // instances, to find one that is idle
/* Databases that do not open whenever one tries again: errno → what to do. */
const REFUSALS = new Map([
    [ENOSPC, "Durable Object storage has no space left on the disk: free some, then try again."],
    [EUCLEAN, "Durable Object storage is damaged: restore the object's file from a backup."],
]);
const UNKNOWN = -1; // of what the keeper's index has
const TELL_NOT = 0, TELL_FIRST = 1, TELL_AFTER = 2; // enum alarm_tell
const SYNCED_COUNT = 2; // enum durable_stat
const SYNCED = 0, BROKEN = 1, CLOSED = 2; // enum durable_news

const byKey = new Map(); // "<namespace index>/<id>" → Instance
const byHandle = new Map();
const ownClasses = new Map(); // namespace id → {index, className}: classes of this Worker
const starting = []; // instances that wait for room
let nOpen = 0; // that have room
let evictAt = byKey.values(); // where the search for an idle one goes on
let isSetUp = false;

function mark(error, flags) {
    return Object.assign(error, flags);
}

export function resetError(text) {
    return mark(new Error(text), { durableObjectReset: true, retryable: true });
}

/* C tells: a commit is on disk, an object cannot go on, a database has been closed. */
function news(kind, handle, text) {
    const instance = byHandle.get(handle);
    if (instance === undefined) return;
    if (kind === SYNCED) instance.synced();
    else if (kind === BROKEN) instance.break(mark(new Error(text), { durableObjectReset: true }));
    else instance.closed(handle);
}

export class Instance {
    constructor(index, config, Class, env, id, name) {
        this.index = index; // of the class's binding: what messages to the keeper name
        this.config = config;
        this.Class = Class;
        this.env = env;
        this.id = id;
        this.name = name;
        this.key = `${index}/${id}`;
        this.gates = new Gates();
        this.gates.instance = this;
        this.state = "new";
        this.handle = 0;
        this.hasRoom = false;
        this.object = null;
        this.context = null; // its ctx
        this.error = null; // why it broke
        this.facet = null; // what it is of another instance (facets.js)
        this.facets = new Map(); // name → Facet: those of its own
        this.events = new Set(); // invocations under way
        this.leftovers = new Set(); // ended ones with timers or I/O
        this.queue = []; // events that came before it was running
        this.idleTimer = null;
        this.usedAt = io.clock[0];
        this.sockets = new Sockets(this);
        this.alarmRunning = false;
        this.alarmReplaced = false;
        this.alarmTelling = false;
        this.alarmIndex = UNKNOWN; // what the keeper's index has at the latest
        this.alarmNeed = null; // so many commits must be on disk before the index is told
        this.alarmHolds = false; // the commit waits for the index
    }

    /* --- start --- */

    /* A first event waits until the object's sockets are known. */
    openSockets(channel, requestId) {
        if (this.state === "new") this.sockets.ready = false;
        this.sockets.open(channel, requestId);
        this.watchIdle();
    }

    socketsTold() {
        if (this.state === "new" && this.queue.length > 0) this.start();
    }

    start() {
        this.state = "opening";
        if (this.facet === null || this.facet.isReady()) this.takeRoom();
        else this.facet.prepare(this).then(() => this.state === "opening" && this.takeRoom(), (error) => this.break(error));
    }

    takeRoom() {
        if (nOpen >= OPEN_MOST) {
            starting.push(this);
            evictOne();
            return;
        }
        nOpen++;
        this.hasRoom = true;
        this.lease(io.clock[0]);
    }

    /* The keeper says under which number it may write; who had it before can write no more. */
    lease(since) {
        durable.lease(this.index, this.id, (epoch) => {
            if (this.state !== "opening") return;
            if (epoch > 0) this.open(since, epoch);
            else this.again(since, () => this.lease(since)); // the keeper is being started again
        });
    }

    open(since, epoch) {
        const handle = durable.open(this.index, this.id, epoch);
        if (handle > 0) {
            this.handle = handle;
            byHandle.set(handle, this);
            this.gates.stats = durable.stats(handle);
            this.alarmIndex = durable.alarm(handle);
            if (this.facet?.isDeleted) this.wipe();
            else this.construct();
            return;
        }
        const refusal = REFUSALS.get(handle);
        if (refusal !== undefined) {
            this.break(mark(new Error(refusal), { durableObjectReset: true }));
            return;
        }
        if (handle === EMFILE) evictOne();
        this.again(handle === EAGAIN || handle === EMFILE ? since : -Infinity, () => this.open(since, epoch));
    }

    /* A facet that was deleted: once nothing of it is left on the disk, it is what comes next. */
    wipe() {
        durable.wipe(this.handle);
        this.gates.hold(() => {
            if (this.state !== "opening") return;
            this.facet.wiped();
            if (this.queue.length === 0) this.evict();
            else this.facet.prepare(this).then(() => this.state === "opening" && this.construct(), (error) => this.break(error));
        });
    }

    again(since, run) {
        if (io.clock[0] - since > OPEN_MAX_MS) {
            this.break(mark(new Error("Cannot resolve Durable Object due to transient issue on remote node."), { retryable: true }));
            return;
        }
        startTimer(() => {
            if (this.state === "opening") run();
        }, OPEN_AGAIN_MS);
    }

    construct() {
        const first = this.queue[0].invocation;
        context.enter(first);
        frame.cur = null;
        this.state = "running";
        try {
            this.context = new DurableObjectState(this);
            this.object = new this.Class(this.context, this.env);
        } catch (error) {
            this.break(error);
            return;
        }
        const [{ run }, ...others] = this.queue.splice(0);
        this.admit(first, run);
        for (const other of others) this.gates.enterLater(null, () => this.begin(other.invocation, other.run));
    }

    /* --- events --- */

    /* fn(object) for this event, once the object is there and lets it in: its result, or a promise of it. */
    deliver(invocation, fn) {
        invocation.gate = this.gates;
        this.events.add(invocation);
        this.expect();
        if (this.state === "running" && this.gates.free) return fn(this.object);
        return new Promise((resolve, reject) => {
            const run = () => {
                try {
                    resolve(fn(this.object));
                } catch (error) {
                    reject(error);
                }
            };
            if (this.state === "running") {
                this.admit(invocation, run);
            } else {
                this.queue.push({ invocation, run });
                if (this.state === "new" && this.sockets.ready) this.start();
            }
        });
    }

    /* An event comes: it does not leave before that. */
    expect() {
        if (this.idleTimer !== null) stopTimer(this.idleTimer);
        this.idleTimer = null;
    }

    admit(invocation, run) {
        this.gates.enter(null, () => this.begin(invocation, run));
    }

    begin(invocation, run) {
        if (invocation.ended || invocation.answered) return;
        context.enter(invocation);
        run();
    }

    /* The event is over; what it began may go on as long as the object. */
    eventOver(invocation) {
        this.events.delete(invocation);
        if (invocation.pending > 0 && (invocation.timers?.size || invocation.channels?.size)) this.leftovers.add(invocation);
        if (this.events.size > 0 || this.state !== "running") return;
        this.usedAt = io.clock[0];
        if ((starting.length > 0 || durable.memory() > MEMORY_MOST) && !this.busy() && !this.facet?.isKept()) this.rest();
        else this.watchIdle();
    }

    /* It leaves: at once, or when the gateway agrees that its sockets have nothing more for it. */
    rest() {
        if (this.sockets.sleep()) this.watchIdle();
        else this.evict();
    }

    watchIdle() {
        if (this.idleTimer === null) this.idleTimer = startTimer(() => this.idle(), IDLE_MS);
    }

    busy() {
        for (const invocation of this.leftovers) {
            if (invocation.pending > 0) return true;
            this.leftovers.delete(invocation);
        }
        for (const facet of this.facets.values()) if (facet.instance()?.busy()) return true;
        return this.events.size > 0 || this.gates.unconfirmed() || this.gates.top !== null || this.sockets.busy();
    }

    idle() {
        this.idleTimer = null;
        if (this.state === "dead") return;
        if (this.busy() || this.state === "opening" || this.facet?.isKept()) this.watchIdle();
        else this.rest();
    }

    evict() {
        this.drop(new Error("The Durable Object was evicted."));
    }

    /* --- end --- */

    drop(error) {
        this.state = "dead";
        this.error = error;
        for (const facet of this.facets.values()) facet.end(error);
        this.facets.clear();
        if (this.idleTimer !== null) stopTimer(this.idleTimer);
        this.idleTimer = null;
        this.gates.close();
        this.sockets.end();
        for (const invocation of this.leftovers) invocation.release();
        this.leftovers.clear();
        this.object = null;
        if (this.handle !== 0) durable.close(this.handle);
        else this.closed(0);
    }

    closed(handle) {
        byHandle.delete(handle);
        this.leaveRoom();
        if (byKey.get(this.key) !== this) return;
        byKey.delete(this.key);
        durable.over(this.index, this.id);
    }

    leaveRoom() {
        if (!this.hasRoom) return;
        this.hasRoom = false;
        nOpen--;
        for (let next = starting.shift(); next !== undefined; next = starting.shift()) {
            if (next.state !== "opening") continue;
            next.start();
            return;
        }
    }

    /* It cannot go on: every event under way fails with the error, and the next one meets a new instance. */
    break(error) {
        if (this.state === "dead") return;
        const events = [...this.events];
        this.events.clear();
        this.drop(error);
        const current = context.current;
        for (const invocation of events) {
            context.enter(invocation);
            failEvent(invocation, error);
            invocation.release();
        }
        context.enter(current);
    }

    /* --- what the state object offers --- */

    storageHandle() {
        if (this.state === "dead")
            throw this.error?.durableObjectReset ? this.error : new Error("This Durable Object's instance has ended and can no longer access storage.");
        return this.handle;
    }

    confirmed() {
        const invocation = context.current;
        if (!this.gates.unconfirmed()) return Promise.resolve();
        return new Promise((resolve) => this.gates.hold(() => {
            context.enter(invocation);
            resolve();
        }));
    }

    async block(callback) {
        this.gates.checkDepth(); // outside of what resets the object
        let timer = null;
        try {
            return await this.gates.critical(async () => {
                timer = startTimer(() => this.break(resetError("A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.")), BLOCK_MAX_MS);
                return await callback();
            });
        } catch (error) {
            this.break(error);
            throw error;
        } finally {
            if (timer !== null) stopTimer(timer);
        }
    }

    abort(reason) {
        const error = reason instanceof Error ? reason : new Error(reason === undefined ? "Application called abort() to reset Durable Object." : String(reason));
        this.break(error);
        throw error;
    }

    /* --- alarms --- */

    getAlarm() {
        if (this.alarmRunning && !this.alarmReplaced) return null;
        return durable.alarm(this.storageHandle());
    }

    setAlarm(time) {
        if (this.facet !== null) throw new Error("Facets do not have alarms.");
        const ms = time instanceof Date ? time.getTime() : Number(time);
        if (!(ms > 0)) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
        if (typeof this.Class.prototype.alarm !== "function")
            throw new TypeError("Your Durable Object class must have an alarm() handler in order to call setAlarm()");
        durable.alarmSet(this.storageHandle(), Math.trunc(ms));
        this.forgetRetries();
        this.alarmReplaced = true;
        this.tellAlarm();
    }

    deleteAlarm() {
        if (this.alarmRunning && !this.alarmReplaced) return;
        durable.alarmSet(this.storageHandle(), null);
        this.tellAlarm();
    }

    alarmGone() {
        this.alarmReplaced = true;
        this.tellAlarm();
    }

    /* The keeper's index follows; nothing leaves the object before it is durable. An earlier time is told before the
     * commit, a later one after it: an index that is too early does no harm. */
    tellAlarm() {
        if (!this.alarmTelling) {
            this.alarmTelling = true;
            this.gates.barriers++;
            Promise.resolve().then(() => this.sendAlarm());
        } else if (this.alarmNeed !== null) {
            this.sendAlarm(); // nothing is on its way: it looks anew
        } else if (this.alarmOrder(durable.alarm(this.handle)) === TELL_FIRST) {
            this.holdAlarm(true);
        }
    }

    alarmOrder(at) {
        return this.alarmIndex === UNKNOWN ? TELL_AFTER : durable.alarmOrder(this.alarmIndex, at);
    }

    holdAlarm(on) {
        if (on !== this.alarmHolds) durable.hold(this.handle, on);
        this.alarmHolds = on;
    }

    sendAlarm() {
        if (this.state === "dead") return;
        const at = durable.alarm(this.handle), order = this.alarmOrder(at);
        this.alarmNeed = null;
        this.holdAlarm(order === TELL_FIRST);
        if (order === TELL_FIRST) {
            this.askIndex(at);
        } else if (order === TELL_AFTER) {
            this.alarmNeed = this.gates.need();
            this.tellSynced();
        } else {
            this.alarmTelling = false;
            this.gates.barriers--;
            this.gates.release();
        }
    }

    /* Commits have become durable. */
    synced() {
        this.gates.release();
        if (this.state !== "dead") this.tellSynced();
    }

    tellSynced() {
        if (this.alarmNeed === null || this.alarmNeed > this.gates.stats[SYNCED_COUNT]) return;
        this.alarmNeed = null;
        this.alarmIndex = durable.alarm(this.handle); // at the latest, as long as it is under way
        this.askIndex(this.alarmIndex);
    }

    askIndex(at) {
        durable.alarmTell(this.handle, at === null ? -1 : at, (result) => {
            if (this.state === "dead") return;
            if (result === ESTALE) {
                this.break(resetError("Durable Object was reset because another instance of it has started."));
                return;
            }
            if (result < 0) {
                this.alarmIndex = this.alarmHolds ? this.alarmIndex : UNKNOWN;
                startTimer(() => this.sendAlarm(), 100);
                return;
            }
            this.alarmIndex = at;
            this.sendAlarm();
        });
    }

    /* The keeper says that it is time. Resolves when what followed from it is durable. */
    async alarm(object, counted) {
        const at = durable.alarm(this.handle);
        if (!durable.alarmDue(at, io.clock[0])) {
            this.alarmIndex = UNKNOWN; // it was behind
            this.tellAlarm();
            return this.confirmed();
        }
        const retry = Math.max(counted, durable.alarmRetry(this.handle)); // the keeper may have forgotten
        this.alarmRunning = true;
        this.alarmReplaced = false;
        try {
            if (typeof object.alarm === "function") await object.alarm({ isRetry: retry > 0, retryCount: retry, scheduledTime: at });
            this.endAlarm(false, retry);
        } catch (error) {
            if (this.state !== "dead") this.endAlarm(true, retry);
            throw error;
        } finally {
            this.alarmRunning = false;
        }
        return this.confirmed();
    }

    forgetRetries() {
        if (durable.alarmRetry(this.handle) > 0) durable.alarmRetry(this.handle, 0);
    }

    endAlarm(threw, retry) {
        if (!durable.alarmOver(threw, retry, this.alarmReplaced)) {
            if (threw && !this.alarmReplaced) durable.alarmRetry(this.handle, retry + 1);
            return;
        }
        durable.alarmSet(this.storageHandle(), null);
        this.forgetRetries();
        this.tellAlarm();
    }
}

/* Of some, the one that has been idle longest makes room. */
function evictOne() {
    let oldest = null;
    for (let i = Math.min(LOOK_AT, byKey.size); i > 0; i--) {
        let next = evictAt.next();
        if (next.done) next = (evictAt = byKey.values()).next();
        const instance = next.value;
        if (instance.state === "running" && !instance.facet?.isKept() && !instance.sockets.asleep && !instance.busy() && (oldest === null || instance.usedAt < oldest.usedAt)) oldest = instance;
    }
    oldest?.rest();
}

/* This Worker's class of a namespace. index: of the class's binding. */
export function ownClass(namespace, index, className) {
    ownClasses.set(namespace, { index, className });
}

/* The class of an object that runs here and takes calls from here (role/isolate_here.c); "": ask the gateway. */
export function classHere(namespace, id) {
    const own = ownClasses.get(namespace);
    if (own === undefined) return "";
    const instance = byKey.get(`${own.index}/${id}`);
    if (instance === undefined || instance.state !== "running" || instance.sockets.asleep) return "";
    instance.expect();
    return own.className;
}

export const facetsHere = new Map(); // id of a facet's storage → Facet

/* The instance of an id that has begun, if there is one. */
export function instanceHere(index, id) {
    const instance = byKey.get(`${index}/${id}`);
    return instance === undefined || instance.state === "dead" ? null : instance;
}

/* The running instance of an id, or a new one. */
export function instanceOf(index, config, Class, env, id, name) {
    if (!isSetUp) {
        isSetUp = true;
        durable.setup(news);
    }
    const key = `${index}/${id}`;
    let instance = byKey.get(key);
    if (instance === undefined || instance.state === "dead") {
        instance = new Instance(index, config, Class, env, id, name);
        instance.facet = facetsHere.get(id) ?? null;
        byKey.set(key, instance);
    }
    if (name !== "" && instance.name === "") instance.name = name;
    return instance;
}

const WHY = {
    superseded: "Durable Object reset because its code was updated.",
    memory: "Durable Object's isolate exceeded its memory limit and was reset.",
    moved: "Durable Object reset because another process of the server runs it now.",
};

/* All of them, or the one with this id. */
export function resetThose(why, id) {
    for (const instance of [...byKey.values()]) {
        if (id === "" || instance.id === id) instance.break(resetError(WHY[why] ?? "Durable Object was reset."));
    }
}
