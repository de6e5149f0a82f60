/* performance: the clock of an event stands still while script runs, so this is about names and marks. */
import { current } from "./context.js";
import { DOMException } from "./errors.js";
import { structuredClone } from "./clone.js";

const io = native.io;
const MAKE = Symbol("make");

export class PerformanceEntry {
    #entry;

    constructor(key, entry) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#entry = entry;
    }

    get name() { return this.#entry.name; }
    get entryType() { return this.#entry.entryType; }
    get startTime() { return this.#entry.startTime; }
    get duration() { return this.#entry.duration; }

    toJSON() {
        return { ...this.#entry };
    }
}

export class PerformanceMark extends PerformanceEntry {
    #detail;

    constructor(name, options = undefined) {
        super(MAKE, { name: `${name}`, entryType: "mark", startTime: options?.startTime ?? io.clock[0], duration: 0 });
        this.#detail = options?.detail === undefined ? null : structuredClone(options.detail);
    }

    get detail() { return this.#detail; }
    toJSON() { return this.#detail === null ? super.toJSON() : { ...super.toJSON(), detail: this.#detail }; }
}

export class PerformanceMeasure extends PerformanceEntry {
    #detail;

    constructor(key, name, start, end, detail) {
        super(key, { name, entryType: "measure", startTime: start, duration: end - start });
        this.#detail = detail;
    }

    get detail() { return this.#detail; }
    toJSON() { return this.#detail === null ? super.toJSON() : { ...super.toJSON(), detail: this.#detail }; }
}

/* Counts of events of a page: there is none. */
class EventCounts {
    #map = new Map();
    get size() { return 0; }
    get(type) { return this.#map.get(type); }
    has(type) { return this.#map.has(type); }
    entries() { return this.#map.entries(); }
    keys() { return this.#map.keys(); }
    values() { return this.#map.values(); }
    forEach(fn, thisArg = undefined) { this.#map.forEach(fn, thisArg); }
    [Symbol.iterator]() { return this.#map.entries(); }
}

export class PerformanceResourceTiming extends PerformanceEntry {}

export class PerformanceObserverEntryList {
    getEntries() { return []; }
    getEntriesByName() { return []; }
    getEntriesByType() { return []; }
}

export class PerformanceObserver {
    observe() {}
    disconnect() {}
    takeRecords() { return []; }
    static get supportedEntryTypes() { return ["mark", "measure"]; }
}

const ENTRIES_MAX = 1000;

export class Performance {
    #entries = [];

    get timeOrigin() { return 0; }
    get eventCounts() { return new EventCounts(); }

    now() {
        return current === null ? 0 : io.clock[0]; // before the first event there is no time
    }

    #add(entry) {
        if (this.#entries.length === ENTRIES_MAX) this.#entries.shift();
        this.#entries.push(entry);
        return entry;
    }

    mark(name, options = undefined) {
        return this.#add(new PerformanceMark(name, options));
    }

    #timeOf(mark, fallback) {
        if (mark === undefined) return fallback;
        if (typeof mark === "number") return mark;
        const found = this.#entries.findLast((e) => e.entryType === "mark" && e.name === `${mark}`);
        if (found === undefined) throw new DOMException(`The mark '${mark}' does not exist.`, "SyntaxError");
        return found.startTime;
    }

    measure(name, startOrOptions = undefined, endMark = undefined) {
        const options = typeof startOrOptions === "object" && startOrOptions !== null ? startOrOptions : { start: startOrOptions, end: endMark };
        let start = this.#timeOf(options.start, undefined), end = this.#timeOf(options.end, undefined);
        if (options.duration !== undefined) {
            if (start === undefined && end !== undefined) start = end - options.duration;
            else end = (start ?? 0) + options.duration;
        }
        const detail = options.detail === undefined ? null : structuredClone(options.detail);
        return this.#add(new PerformanceMeasure(MAKE, `${name}`, start ?? 0, end ?? io.clock[0], detail));
    }

    #clear(type, name) {
        this.#entries = this.#entries.filter((e) => e.entryType !== type || (name !== undefined && e.name !== `${name}`));
    }

    clearMarks(name = undefined) { this.#clear("mark", name); }
    clearMeasures(name = undefined) { this.#clear("measure", name); }
    clearResourceTimings() {}
    setResourceTimingBufferSize() {}
    getEntries() { return this.#entries.slice(); }
    getEntriesByType(type) { return this.#entries.filter((e) => e.entryType === type); }
    getEntriesByName(name, type = undefined) {
        return this.#entries.filter((e) => e.name === name && (type === undefined || e.entryType === type));
    }
    eventLoopUtilization() { return { idle: 0, active: 0, utilization: 0 }; }
    timerify(fn) { return fn; }

    toJSON() {
        return { timeOrigin: 0 };
    }
}

export const performance = new Performance();
