/*
 * What may enter an object, and what may leave it.
 *
 * Input: a *section* (blockConcurrencyWhile(), the constructor's, an asynchronous transaction) lets in only what
 * belongs to it: results of I/O that its own code began. Which code that is, the async-context frame tells. Storage
 * is synchronous here, so nothing else has to close the gate: no event can come between a read and what follows it,
 * since each comes in a turn of its own, also when several have waited.
 *
 * Output: what leaves while there are writes that are not on disk waits for the commit that covers them.
 */
import { startTimer } from "../../web/js/timers.js";
import { frame, frameGet } from "../../web/js/workers.js";

const COMMITTED = 0, OPEN = 1, SYNCED = 2; // enum durable_stat
const NESTING_MAX = 64;

export class Gates {
    constructor() {
        this.top = null; // innermost section under way
        this.waiting = []; // {section, run}: what waits to come in
        this.turn = null; // the timer of the turn in which the next of them does
        this.held = []; // {need, run}: what waits to go out, oldest first
        this.barriers = 0; // writes elsewhere (alarm index) that must be durable as well
        this.stats = null; // numbers of the open database
        this.dead = false;
    }

    /* --- in --- */

    /* The section that the running code belongs to. */
    section() {
        return frameGet(this) ?? null;
    }

    /* Nothing is in the way of an event. */
    get free() {
        return this.top === null && this.turn === null;
    }

    /* Runs it now, or when the gate lets code of this section in. */
    enter(section, run) {
        if (this.dead) return;
        if ((this.top === null || this.top === section) && this.turn === null) this.admit(section, run);
        else this.waiting.push({ section, run });
    }

    /* The same, behind what runs now. */
    enterLater(section, run) {
        this.waiting.push({ section, run });
        this.flush();
    }

    /* What built-in code awaits next still belongs to the section. */
    admit(section, run) {
        frame.cur = section === null ? null : { key: this, value: section, parent: null };
        run();
    }

    checkDepth() {
        let depth = 0;
        for (let s = this.section(); s !== null; s = s.parent) depth++;
        if (depth >= NESTING_MAX) throw new Error("blockConcurrencyWhile() calls are nested too deeply.");
    }

    /* body() as a section of its own, inside the one that the running code belongs to. A promise of its result. */
    async critical(body) {
        this.checkDepth();
        const parent = this.section(), section = { parent };
        if (this.top === null || this.top === parent) this.top = section;
        else await new Promise((resolve) => this.waiting.push({ section: parent, run: resolve, opens: section }));
        const saved = frame.cur;
        try {
            let result;
            try {
                frame.cur = { key: this, value: section, parent: saved };
                result = body();
            } finally {
                frame.cur = saved;
            }
            return await result;
        } finally {
            this.leave(section);
        }
    }

    leave(section) {
        if (this.top !== section) return;
        // A section that waited behind one that is over now belongs to what is left of it.
        this.top = section.parent !== null && section.parent.over ? null : section.parent;
        section.over = true;
        this.flush();
    }

    flush() {
        if (!this.dead && this.turn === null && this.waiting.length > 0) this.turn = startTimer(() => this.next(), 0);
    }

    /* In order; what opens a section closes the gate for those behind it. */
    next() {
        this.turn = null;
        const at = this.waiting.findIndex(({ section }) => this.top === null || section === this.top);
        if (this.dead || at < 0) return;
        const [{ section, run, opens }] = this.waiting.splice(at, 1);
        if (opens !== undefined) this.top = opens;
        this.flush();
        this.admit(section, run);
    }

    /* --- out --- */

    /* What is written now is on disk when so many commits are. */
    need() {
        const s = this.stats;
        return s === null ? 0 : s[COMMITTED] + s[OPEN];
    }

    /* durable_plan.h decides. */
    isOpen(need) {
        return native.durable.gateOpen(need, this.stats === null ? 0 : this.stats[SYNCED], this.barriers);
    }

    unconfirmed() {
        return this.held.length > 0 || !this.isOpen(this.need());
    }

    /* Runs it once everything written so far is durable. */
    hold(run) {
        this.held.push({ need: this.need(), run });
    }

    confirmed() {
        return this.unconfirmed() ? new Promise((resolve) => this.hold(resolve)) : Promise.resolve();
    }

    /* The disk has got further, or a barrier has gone. */
    release() {
        while (this.held.length > 0 && this.isOpen(this.held[0].need)) {
            const { run } = this.held.shift();
            run();
        }
    }

    close() {
        this.dead = true;
        this.waiting = [];
        this.held = [];
        this.stats = null;
        this.barriers = 0;
    }
}
