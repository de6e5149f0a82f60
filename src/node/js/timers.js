/* node:timers. Timers belong to the request that sets them. */
const { timers } = web;
const { validateFunction } = require("./errors.js");

const { Timeout } = timers;

function setTimeoutNode(callback, delay, ...args) {
    validateFunction(callback, "callback");
    return new Timeout(timers.setTimeout(wrapFrame(callback), delay, ...args), false, callback, delay, args);
}
function setIntervalNode(callback, delay, ...args) {
    validateFunction(callback, "callback");
    return new Timeout(timers.setInterval(wrapFrame(callback), delay, ...args), true, callback, delay, args);
}
function setImmediateNode(callback, ...args) {
    validateFunction(callback, "callback");
    return timers.setImmediate(wrapFrame(callback), ...args);
}

function wrapFrame(fn) {
    const { frame } = web, saved = frame.cur;
    if (saved === null) return fn;
    return (...args) => {
        frame.cur = saved;
        try {
            return fn(...args);
        } finally {
            frame.cur = null;
        }
    };
}

module.exports = {
    setTimeout: setTimeoutNode, clearTimeout: timers.clearTimeout, setImmediate: setImmediateNode, clearImmediate: timers.clearImmediate,
    setInterval: setIntervalNode, clearInterval: timers.clearInterval,
    get promises() { return require("./timers_promises.js"); },
    Timeout, active() {}, unenroll() {}, enroll() { throw new Error("Not implemented. timers.enroll() is deprecated. Please use setTimeout instead."); }, _unrefActive() {},
};
Object.defineProperty(setTimeoutNode, Symbol.for("nodejs.util.promisify.custom"), { get: () => require("./timers_promises.js").setTimeout, enumerable: true });
Object.defineProperty(setImmediateNode, Symbol.for("nodejs.util.promisify.custom"), { get: () => require("./timers_promises.js").setImmediate, enumerable: true });
Object.defineProperty(setTimeoutNode, "name", { value: "setTimeout" });
Object.defineProperty(setIntervalNode, "name", { value: "setInterval" });
Object.defineProperty(setImmediateNode, "name", { value: "setImmediate" });
