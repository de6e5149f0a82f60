/* node:perf_hooks: the performance of the web platform. Time stands still while code runs. */
const { notImplemented, validateFunction } = require("./errors.js");

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
class PerformanceNodeTiming {
    constructor() {
        const times = ["startTime", "duration", "nodeStart", "v8Start", "bootstrapComplete", "environment", "loopStart", "loopExit", "idleTime"];
        Object.assign(this, { name: "node", entryType: "node" }, Object.fromEntries(times.map((name) => [name, 0])), { uvMetricsInfo: { loopCount: 0, events: 0, eventsWaiting: 0 } });
    }

    toJSON() { return { ...this }; }
}
extend("nodeTiming", new PerformanceNodeTiming());

module.exports = {
    Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, PerformanceObserverEntryList, PerformanceResourceTiming,
    monitorEventLoopDelay: () => notImplemented("monitorEventLoopDelay"), eventLoopUtilization: utilization, timerify,
    createHistogram: () => notImplemented("createHistogram"), performance,
    constants: Object.freeze({
        NODE_PERFORMANCE_ENTRY_TYPE_GC: 0, NODE_PERFORMANCE_ENTRY_TYPE_HTTP: 1, NODE_PERFORMANCE_ENTRY_TYPE_HTTP2: 2, NODE_PERFORMANCE_ENTRY_TYPE_NET: 3, NODE_PERFORMANCE_ENTRY_TYPE_DNS: 4,
        NODE_PERFORMANCE_GC_MAJOR: 4, NODE_PERFORMANCE_GC_MINOR: 1, NODE_PERFORMANCE_GC_INCREMENTAL: 8, NODE_PERFORMANCE_GC_WEAKCB: 16,
        NODE_PERFORMANCE_GC_FLAGS_NO: 0, NODE_PERFORMANCE_GC_FLAGS_CONSTRUCT_RETAINED: 2, NODE_PERFORMANCE_GC_FLAGS_FORCED: 4,
        NODE_PERFORMANCE_GC_FLAGS_SYNCHRONOUS_PHANTOM_PROCESSING: 8, NODE_PERFORMANCE_GC_FLAGS_ALL_AVAILABLE_GARBAGE: 16,
        NODE_PERFORMANCE_GC_FLAGS_ALL_EXTERNAL_MEMORY: 32, NODE_PERFORMANCE_GC_FLAGS_SCHEDULE_IDLE: 64,
        NODE_PERFORMANCE_MILESTONE_TIME_ORIGIN_TIMESTAMP: 0, NODE_PERFORMANCE_MILESTONE_TIME_ORIGIN: 1, NODE_PERFORMANCE_MILESTONE_ENVIRONMENT: 2,
        NODE_PERFORMANCE_MILESTONE_NODE_START: 3, NODE_PERFORMANCE_MILESTONE_V8_START: 4, NODE_PERFORMANCE_MILESTONE_LOOP_START: 5,
        NODE_PERFORMANCE_MILESTONE_LOOP_EXIT: 6, NODE_PERFORMANCE_MILESTONE_BOOTSTRAP_COMPLETE: 7,
    }),
};
