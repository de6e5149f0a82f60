/* node:worker_threads: one thread, the main one. */
const { codes: { ERR_METHOD_NOT_IMPLEMENTED }, notImplemented } = require("./errors.js");
const EventEmitter = require("./events.js");

/* Also before the global of that name exists. */
const { MessageChannel, MessagePort } = native.scripts.load("messages");

class Worker extends EventEmitter {
    constructor() {
        super();
        notImplemented("Worker");
    }

    postMessage() {}
    async postMessageToThread() {}
    ref() {}
    unref() {}
    async [Symbol.asyncDispose]() {}
}
for (const name of ["terminate", "getHeapSnapshot", "getHeapStatistics", "startCpuProfile", "startHeapProfile", "cpuUsage"])
    Object.defineProperty(Worker.prototype, name, { value: { [name]: async () => { throw new ERR_METHOD_NOT_IMPLEMENTED(`Worker.${name}`); } }[name], writable: true, configurable: true });

class BroadcastChannel {
    constructor() { notImplemented("BroadcastChannel"); }
}

const data = new Map();
module.exports = {
    BroadcastChannel, MessageChannel, MessagePort, Worker, SHARE_ENV: Symbol.for("nodejs.worker_threads.SHARE_ENV"), isMainThread: true, isInternalThread: false, threadId: 0,
    parentPort: null, workerData: null, resourceLimits: {}, getEnvironmentData: (key) => data.get(key), setEnvironmentData: (key, value) => void data.set(key, value),
    isMarkedAsUntransferable: () => false, markAsUntransferable() {}, markAsUncloneable() {}, moveMessagePortToContext: () => new MessageChannel().port1,
    receiveMessageOnPort: () => undefined, postMessageToThread: () => notImplemented("postMessageToThread"),
};
