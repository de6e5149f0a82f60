/* node:perf_hooks: the performance of the web platform, and histograms. Time stands still while code runs. */
const { codes: { ERR_ILLEGAL_CONSTRUCTOR, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE }, validateFunction, validateInteger, validateNumber } = require("./errors.js");

const MAKE = Symbol("make");

class Histogram {
    #values = new Map();
    #count = 0;
    #exceeds = 0;

    constructor(key) {
        if (key !== MAKE) throw new ERR_ILLEGAL_CONSTRUCTOR();
    }

    _record(value) {
        this.#values.set(value, (this.#values.get(value) ?? 0) + 1);
        this.#count++;
    }

    #sorted() { return [...this.#values].sort((a, b) => a[0] - b[0]); }
    get count() { return this.#count; }
    get exceeds() { return this.#exceeds; }
    get min() { return this.#count === 0 ? 9223372036854776000 : this.#sorted()[0][0]; }
    get max() { return this.#count === 0 ? 0 : this.#sorted().at(-1)[0]; }
    get mean() {
        let sum = 0;
        for (const [v, n] of this.#values) sum += v * n;
        return this.#count === 0 ? NaN : sum / this.#count;
    }

    get stddev() {
        const { mean } = this;
        let sum = 0;
        for (const [v, n] of this.#values) sum += (v - mean) ** 2 * n;
        return this.#count === 0 ? NaN : Math.sqrt(sum / this.#count);
    }

    percentile(p) {
        validateNumber(p, "percentile");
        if (p <= 0 || p > 100) throw new ERR_OUT_OF_RANGE("percentile", "> 0 && <= 100", p);
        let left = Math.max(1, Math.ceil((p / 100) * this.#count));
        for (const [v, n] of this.#sorted()) if ((left -= n) <= 0) return v;
        return 0;
    }

    percentileBigInt(p) { return BigInt(this.percentile(p)); }
    get countBigInt() { return BigInt(this.count); }
    get minBigInt() { return BigInt(this.min); }
    get maxBigInt() { return BigInt(this.max); }
    get exceedsBigInt() { return BigInt(this.exceeds); }
    get percentiles() { return new Map([[100, this.max]]); }
    get percentilesBigInt() { return new Map([[100, BigInt(this.max)]]); }
    reset() {
        this.#values.clear();
        this.#count = 0;
    }

    toJSON() {
        return { count: this.count, min: this.min, max: this.max, mean: this.mean, exceeds: this.exceeds, stddev: this.stddev, percentiles: Object.fromEntries(this.percentiles) };
    }
}

class RecordableHistogram extends Histogram {
    record(value) {
        if (typeof value !== "bigint") validateInteger(value, "val", 1);
        this._record(Number(value));
    }

    recordDelta() { this._record(1); }
    add(other) {
        if (!(other instanceof RecordableHistogram)) throw new ERR_INVALID_ARG_TYPE("other", "RecordableHistogram", other);
        for (let i = 0; i < other.count; i++) this._record(other.mean);
    }
}

class IntervalHistogram extends Histogram {
    enable() { return true; }
    disable() { return true; }
}

/* Time stands still: there is nothing to measure. */
function timerify(fn) {
    validateFunction(fn, "fn");
    return fn;
}

const utilization = () => ({ idle: 0, active: 0, utilization: 0 });
const extend = (name, value) => {
    if (!(name in performance)) Object.defineProperty(performance, name, { value, writable: true, configurable: true, enumerable: false });
};
extend("eventLoopUtilization", utilization);
extend("timerify", timerify);
extend("markResourceTiming", () => {});
extend("nodeTiming", { name: "node", entryType: "node", startTime: 0, duration: 0, nodeStart: 0, v8Start: 0, bootstrapComplete: 0, environment: 0, loopStart: 0, loopExit: -1, idleTime: 0 });

module.exports = {
    Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, PerformanceObserverEntryList, PerformanceResourceTiming,
    monitorEventLoopDelay: () => new IntervalHistogram(MAKE), eventLoopUtilization: utilization, timerify,
    createHistogram: () => new RecordableHistogram(MAKE), performance,
    constants: {
        NODE_PERFORMANCE_ENTRY_TYPE_GC: 0, NODE_PERFORMANCE_ENTRY_TYPE_HTTP: 1, NODE_PERFORMANCE_ENTRY_TYPE_HTTP2: 2, NODE_PERFORMANCE_ENTRY_TYPE_NET: 3, NODE_PERFORMANCE_ENTRY_TYPE_DNS: 4,
        NODE_PERFORMANCE_GC_MAJOR: 4, NODE_PERFORMANCE_GC_MINOR: 1, NODE_PERFORMANCE_GC_INCREMENTAL: 8, NODE_PERFORMANCE_GC_WEAKCB: 16,
        NODE_PERFORMANCE_GC_FLAGS_NO: 0, NODE_PERFORMANCE_GC_FLAGS_CONSTRUCT_RETAINED: 2, NODE_PERFORMANCE_GC_FLAGS_FORCED: 4,
        NODE_PERFORMANCE_GC_FLAGS_SYNCHRONOUS_PHANTOM_PROCESSING: 8, NODE_PERFORMANCE_GC_FLAGS_ALL_AVAILABLE_GARBAGE: 16,
        NODE_PERFORMANCE_GC_FLAGS_ALL_EXTERNAL_MEMORY: 32, NODE_PERFORMANCE_GC_FLAGS_SCHEDULE_IDLE: 64,
    },
};
