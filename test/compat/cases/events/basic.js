import { caught, kind } from "../../worker/report.js";

const fire = (target, type, init) => { const e = new Event(type, init); return [target.dispatchEvent(e), e.defaultPrevented]; };

export default {
    "event defaults": () => { const e = new Event("x"); return { type: e.type, bubbles: e.bubbles, cancelable: e.cancelable, composed: e.composed, defaultPrevented: e.defaultPrevented, returnValue: e.returnValue, phase: e.eventPhase, target: e.target, currentTarget: e.currentTarget, src: e.srcElement, trusted: e.isTrusted, cancelBubble: e.cancelBubble, stamp: typeof e.timeStamp }; },
    "event init": () => { const e = new Event("x", { bubbles: true, cancelable: true, composed: true }); return [e.bubbles, e.cancelable, e.composed]; },
    "event without type": () => kind(() => new Event()),
    "event type converted": () => new Event(5).type,
    "constants": () => [Event.NONE, Event.CAPTURING_PHASE, Event.AT_TARGET, Event.BUBBLING_PHASE, new Event("x").AT_TARGET],
    "dispatch": () => { const t = new EventTarget(); const log = []; t.addEventListener("x", function (e) { log.push([e.type, e.target === t, e.currentTarget === t, e.eventPhase, this === t]); }); return [fire(t, "x"), log]; },
    "target after dispatch": () => { const t = new EventTarget(); const e = new Event("x"); t.dispatchEvent(e); return [e.target === t, e.currentTarget, e.eventPhase]; },
    "order": () => { const t = new EventTarget(); const log = []; for (const n of [1, 2, 3]) t.addEventListener("x", () => log.push(n)); fire(t, "x"); return log; },
    "same listener once": () => { const t = new EventTarget(); let n = 0; const f = () => n++; t.addEventListener("x", f); t.addEventListener("x", f); fire(t, "x"); return n; },
    "remove": () => { const t = new EventTarget(); let n = 0; const f = () => n++; t.addEventListener("x", f); t.removeEventListener("x", f); fire(t, "x"); return n; },
    "once": () => { const t = new EventTarget(); let n = 0; t.addEventListener("x", () => n++, { once: true }); fire(t, "x"); fire(t, "x"); return n; },
    "handleEvent": () => { const t = new EventTarget(); const o = { seen: 0, handleEvent(e) { this.seen = e.type; } }; t.addEventListener("x", o); fire(t, "x"); return o.seen; },
    "null listener": () => { const t = new EventTarget(); return [t.addEventListener("x", null), t.addEventListener("x", undefined)]; },
    "wrong listener": () => kind(() => new EventTarget().addEventListener("x", 5)),
    "preventDefault": () => { const t = new EventTarget(); t.addEventListener("x", (e) => e.preventDefault()); return [fire(t, "x"), fire(t, "x", { cancelable: true })]; },
    "stopImmediatePropagation": () => { const t = new EventTarget(); const log = []; t.addEventListener("x", (e) => { log.push(1); e.stopImmediatePropagation(); }); t.addEventListener("x", () => log.push(2)); fire(t, "x"); return log; },
    "capture true": () => caught(() => new EventTarget().addEventListener("x", () => {}, true)),
    "capture option": () => caught(() => new EventTarget().addEventListener("x", () => {}, { capture: true })),
    "passive option": () => caught(() => new EventTarget().addEventListener("x", () => {}, { passive: true })),
    "capture false": () => caught(() => new EventTarget().addEventListener("x", () => {}, false)),
    "signal already aborted": () => { const t = new EventTarget(); let n = 0; t.addEventListener("x", () => n++, { signal: AbortSignal.abort() }); fire(t, "x"); return n; },
    "add while dispatching": () => { const t = new EventTarget(); const log = []; t.addEventListener("x", () => { log.push(1); t.addEventListener("x", () => log.push(2)); }); fire(t, "x"); return log; },
    "remove while dispatching": () => { const t = new EventTarget(); const log = []; const f = () => log.push(2); t.addEventListener("x", () => { log.push(1); t.removeEventListener("x", f); }); t.addEventListener("x", f); fire(t, "x"); return log; },
    "dispatch while dispatching": () => { const t = new EventTarget(); let r; t.addEventListener("x", (e) => { try { t.dispatchEvent(e); } catch (x) { r = `${x.name}: ${x.message}`; } }); fire(t, "x"); return r; },
    "dispatch again": () => { const t = new EventTarget(); let n = 0; t.addEventListener("x", () => n++); const e = new Event("x"); t.dispatchEvent(e); t.dispatchEvent(e); return n; },
    "dispatch wrong": () => kind(() => new EventTarget().dispatchEvent({})),
    "composedPath": () => { const t = new EventTarget(); let p; t.addEventListener("x", (e) => { p = e.composedPath().map((x) => x === t); }); const e = new Event("x"); t.dispatchEvent(e); return [p, e.composedPath()]; },
    "CustomEvent": () => { const e = new CustomEvent("x", { detail: { a: 1 } }); return [e.detail, new CustomEvent("y").detail, e instanceof Event]; },
    "MessageEvent": () => { const e = new MessageEvent("message", { data: [1] }); return [e.type, e.data]; },
    "CloseEvent": () => { const e = new CloseEvent("close", { code: 1001, reason: "bye", wasClean: true }); return [e.code, e.reason, e.wasClean]; },
    "ErrorEvent": () => { const e = new ErrorEvent("error", { message: "m", filename: "f", lineno: 1, colno: 2, error: 5 }); return [e.message, e.filename, e.lineno, e.colno, e.error]; },
    "subclass target": () => { class T extends EventTarget { constructor() { super(); this.x = 1; } } const t = new T(); let n = 0; t.addEventListener("a", () => n++); t.dispatchEvent(new Event("a")); return [t.x, n]; },
    "subclass event": () => { class E extends Event { constructor() { super("mine"); this.extra = 2; } } const t = new EventTarget(); let x; t.addEventListener("mine", (e) => { x = e.extra; }); t.dispatchEvent(new E()); return x; },
    "timeStamp": () => typeof new Event("x").timeStamp,
    "cancelBubble set": () => { const e = new Event("x"); e.cancelBubble = true; return e.cancelBubble; },
    "tags": () => [new Event("x"), new EventTarget(), new CustomEvent("x")].map((x) => Object.prototype.toString.call(x)),
    "global is EventTarget": () => [globalThis instanceof EventTarget, Object.prototype.toString.call(globalThis)],
    "global listener": () => { let n = 0; const f = () => n++; addEventListener("mine", f); dispatchEvent(new Event("mine")); removeEventListener("mine", f); dispatchEvent(new Event("mine")); return n; },
    "DOMException": () => { const e = new DOMException("m", "AbortError"); return [e.name, e.message, e.code, e instanceof Error, typeof e.stack, String(e)]; },
    "DOMException defaults": () => { const e = new DOMException(); return [e.name, e.message, e.code]; },
    "DOMException unknown name": () => { const e = new DOMException("m", "Mine"); return [e.name, e.code]; },
    "DOMException codes": () => ["IndexSizeError", "NotFoundError", "NotSupportedError", "InvalidStateError", "SyntaxError", "InvalidAccessError", "TimeoutError", "QuotaExceededError", "DataCloneError"].map((n) => new DOMException("", n).code),
    "DOMException constants": () => [DOMException.ABORT_ERR, DOMException.DATA_CLONE_ERR, DOMException.prototype.SYNTAX_ERR],
    "reportError": () => { const log = []; const f = (e) => { log.push([e.type, e.message, e.error instanceof RangeError]); e.preventDefault(); }; addEventListener("error", f); reportError(new RangeError("r")); removeEventListener("error", f); return log; },
    "reportError": () => {
        let seen;
        const listen = (e) => { seen = [e.message, e.filename !== "", e.lineno > 0, e.error]; e.preventDefault(); };
        addEventListener("error", listen);
        reportError("boom");
        removeEventListener("error", listen);
        return seen;
    },
    "reportError of nothing": () => caught(() => reportError()),
    "rejectionhandled": async () => {
        const { promise, resolve } = Promise.withResolvers(), log = [];
        const unhandled = (e) => { log.push(e.type, e.reason); e.preventDefault(); e.promise.catch(() => {}); };
        const handled = (e) => { log.push(e.type, e.reason); resolve(); };
        addEventListener("unhandledrejection", unhandled);
        addEventListener("rejectionhandled", handled);
        Promise.reject("late");
        await promise;
        removeEventListener("unhandledrejection", unhandled);
        removeEventListener("rejectionhandled", handled);
        return log;
    },
};
