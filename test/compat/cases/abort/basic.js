import { caught, kind, later } from "../../worker/report.js";

export default {
    "fresh": () => { const c = new AbortController(); return [c.signal.aborted, c.signal.reason, c.signal.onabort]; },
    "abort": () => { const c = new AbortController(); c.abort(); return [c.signal.aborted, c.signal.reason, c.signal.reason instanceof DOMException]; },
    "abort reason": () => { const c = new AbortController(); c.abort("why"); return c.signal.reason; },
    "abort undefined": () => { const c = new AbortController(); c.abort(undefined); return c.signal.reason; },
    "abort null": () => { const c = new AbortController(); c.abort(null); return c.signal.reason; },
    "abort twice": () => { const c = new AbortController(); c.abort(1); c.abort(2); return c.signal.reason; },
    "event": () => { const c = new AbortController(); const log = []; c.signal.addEventListener("abort", (e) => log.push([e.type, e.target === c.signal, e.isTrusted])); c.abort(); c.abort(); return log; },
    "onabort": () => { const c = new AbortController(); const log = []; c.signal.onabort = function (e) { log.push([e.type, this === c.signal]); }; c.abort(); return log; },
    "order": () => { const c = new AbortController(); const log = []; c.signal.addEventListener("abort", () => log.push(1)); c.signal.onabort = () => log.push(2); c.signal.addEventListener("abort", () => log.push(3)); c.abort(); return log; },
    "throwIfAborted": () => { const c = new AbortController(); const a = c.signal.throwIfAborted(); c.abort(new RangeError("x")); return [a, caughtNow(() => c.signal.throwIfAborted())]; },
    "static abort": () => { const s = AbortSignal.abort(); return [s.aborted, s.reason]; },
    "static abort reason": () => AbortSignal.abort(5).reason,
    "timeout": async () => { const s = AbortSignal.timeout(5); const before = s.aborted; await later(60); return [before, s.aborted, s.reason]; },
    "timeout wrong": () => kind(() => AbortSignal.timeout("x").aborted),
    "any": () => { const a = new AbortController(); const b = new AbortController(); const s = AbortSignal.any([a.signal, b.signal]); const before = s.aborted; b.abort("b"); a.abort("a"); return [before, s.aborted, s.reason]; },
    "any already": () => AbortSignal.any([new AbortController().signal, AbortSignal.abort("x")]).reason,
    "any empty": () => AbortSignal.any([]).aborted,
    "any event": () => { const a = new AbortController(); const s = AbortSignal.any([a.signal]); const log = []; s.addEventListener("abort", () => log.push(s.reason)); a.abort("r"); return log; },
    "any nested": () => { const a = new AbortController(); const s = AbortSignal.any([AbortSignal.any([a.signal])]); a.abort("r"); return s.reason; },
    "any wrong": () => kind(() => AbortSignal.any([{}])),
    "constructor of signal": () => kind(() => new AbortSignal()),
    "listener throws": () => { const c = new AbortController(); let second = false; c.signal.addEventListener("abort", () => { second = true; }); return [kindNow(() => c.abort()), second]; },
    "same signal": () => { const c = new AbortController(); return c.signal === c.signal; },
    "tags": () => { const c = new AbortController(); return [Object.prototype.toString.call(c), Object.prototype.toString.call(c.signal)]; },
    "signal is EventTarget": () => new AbortController().signal instanceof EventTarget,
    "removes listener": () => { const c = new AbortController(); const t = new EventTarget(); const log = []; t.addEventListener("x", () => log.push(1), { signal: c.signal }); t.dispatchEvent(new Event("x")); c.abort(); t.dispatchEvent(new Event("x")); return log; },
    "scheduler wait aborted": () => caught(() => scheduler.wait(1000, { signal: AbortSignal.abort() })),
    "scheduler wait aborted later": () => caught(async () => { const c = new AbortController(); const p = scheduler.wait(1000, { signal: c.signal }); c.abort(); return p; }),
};

function caughtNow(fn) {
    try {
        return fn();
    } catch (e) {
        return `${e.name}: ${e.message}`;
    }
}

function kindNow(fn) {
    try {
        return fn();
    } catch (e) {
        return e.name;
    }
}
