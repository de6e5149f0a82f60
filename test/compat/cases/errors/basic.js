import { kind, later } from "../../worker/report.js";

async function rejections(act) {
    const log = [];
    const un = (e) => { log.push(["unhandledrejection", e.reason?.message ?? String(e.reason), e.promise instanceof Promise, e.cancelable]); e.preventDefault(); };
    const re = (e) => { log.push(["rejectionhandled", e.reason?.message ?? String(e.reason)]); };
    addEventListener("unhandledrejection", un);
    addEventListener("rejectionhandled", re);
    await act(log);
    await later(10);
    removeEventListener("unhandledrejection", un);
    removeEventListener("rejectionhandled", re);
    return log;
}

export default {
    "unhandled rejection": () => rejections(() => { Promise.reject(new Error("one")); }),
    "unhandled non-error": () => rejections(() => { Promise.reject("text"); }),
    "handled at once": () => rejections(() => { Promise.reject(new Error("one")).catch(() => {}); }),
    "handled in the same drain": () => rejections(() => { const p = Promise.reject(new Error("one")); queueMicrotask(() => p.catch(() => {})); }),
    "handled later": () => rejections(async () => { const p = Promise.reject(new Error("one")); await later(5); p.catch(() => {}); }),
    "async function": () => rejections(() => { (async () => { throw new Error("async"); })(); }),
    "two at once": () => rejections(() => { Promise.reject(new Error("a")); Promise.reject(new Error("b")); }),
    "through then": () => rejections(() => { Promise.reject(new Error("a")).then(() => {}); }),
    "finally": () => rejections(() => { Promise.reject(new Error("a")).finally(() => {}); }),
    "eval refused": () => kind(() => eval("1")),
    "Function refused": () => kind(() => new Function("return 1")),
    "async Function refused": () => kind(() => (async () => {}).constructor("return 1")),
    "generator Function refused": () => kind(() => (function* () {}).constructor("return 1")),
    "indirect eval refused": () => kind(() => (0, eval)("1")),
    "timer string refused": () => kind(() => setTimeout("1")),
    "stack is text": () => typeof new Error("x").stack,
    "stack begins with the title": () => new RangeError("x").stack.split("\n")[0],
    "stack of a subclass": () => {
        class A extends Error { constructor(m) { super(m); this.name = "A"; } }
        return new A("q").stack.split("\n")[0];
    },
    "stack of a DOMException": () => new DOMException("m", "AbortError").stack.split("\n")[0],
    "stack has frames": () => /\n {4}at /.test(new Error("x").stack),
    "captureStackTrace writes the title": () => { const o = { name: "N", message: "m" }; Error.captureStackTrace(o); return o.stack.split("\n")[0]; },
    "prepareStackTrace": () => {
        Error.prepareStackTrace = (e, sites) => [String(e), typeof sites[0].getLineNumber(), typeof sites[0].getFileName()];
        const { stack } = new Error("x");
        Error.prepareStackTrace = undefined;
        return stack;
    },
    "errors without new": () => [Error("x") instanceof Error, TypeError("y").stack.split("\n")[0]],
    "constructor of the engine's errors": () => { try { return null.x; } catch (e) { return [e instanceof TypeError, e.constructor === TypeError]; } },
    "error classes": () => [Error.name, Error.length, Object.getPrototypeOf(TypeError) === Error, Error.prototype.constructor === Error, Object.keys(new Error("x"))],
    "stack names a file": () => /basic\.js/.test(new Error("x").stack),
    "stack overflow caught": () => kind(() => { const f = () => f() + 1; return f(); }),
    "overflow twice": async () => { const f = () => f() + 1; return [await kind(f), await kind(f)]; },
    "Error.captureStackTrace": () => typeof Error.captureStackTrace,
    "captureStackTrace works": () => { const o = {}; Error.captureStackTrace(o); return typeof o.stack; },
    "Error.stackTraceLimit": () => typeof Error.stackTraceLimit,
    "cause": () => new Error("a", { cause: 5 }).cause,
    "AggregateError": () => new AggregateError([1, 2], "m").errors,
    "Promise.any rejects": () => kind(() => Promise.any([Promise.reject(1)])),
    "SuppressedError": () => typeof SuppressedError,
    "strict mode": () => (function () { return this === undefined; })(),
    "undeclared": () => kind(() => { notDeclared = 1; }),
};
