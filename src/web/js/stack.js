/*
 * `error.stack` as V8 has it: "Name: message" and frames "    at name (file:line:column)".
 * https://v8.dev/docs/stack-trace-api
 *
 * The engine's own `stack` is "name@place" without a title. So the global error classes are functions around the engine's, which
 * write the property anew when an error is made. What the engine itself throws keeps the engine's form; errorText() reads both.
 */
import { errorTitle, stackFrames } from "./errors.js";

const NAMES = ["EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "AggregateError"];
const Native = globalThis.Error;

const hidden = (object, name, value) =>
    Object.defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });

/* A frame, for Error.prepareStackTrace(). */
class CallSite {
    #text;
    #name;
    #place;

    constructor(line) {
        this.#text = line.trim().slice("at ".length);
        [, this.#name, this.#place] = /^(?:(.*) \()?(.*?)\)?$/.exec(this.#text);
    }

    #at(i) { return Number(/:(\d+):(\d+)$/.exec(this.#place)?.[i] ?? 0) || null; }

    getFunctionName() { return this.#name ?? null; }
    getMethodName() { return null; }
    getTypeName() { return null; }
    getThis() { return undefined; }
    getFunction() { return undefined; }
    getFileName() { return this.#place.replace(/:\d+:\d+$/, ""); }
    getScriptNameOrSourceURL() { return this.getFileName(); }
    getLineNumber() { return this.#at(1); }
    getColumnNumber() { return this.#at(2); }
    getEvalOrigin() { return undefined; }
    getPromiseIndex() { return null; }
    isNative() { return false; }
    isToplevel() { return this.#name === undefined; }
    isConstructor() { return false; }
    isEval() { return false; }
    isAsync() { return false; }
    isPromiseAll() { return false; }
    toString() { return this.#text; }
}

function formatted(error, frames) {
    const { prepareStackTrace } = globalThis.Error;
    if (typeof prepareStackTrace === "function")
        return prepareStackTrace(error, frames === "" ? [] : frames.split("\n").map((line) => new CallSite(line)));
    return frames === "" ? errorTitle(error) : `${errorTitle(error)}\n${frames}`;
}

/* Takes the engine's `stack` away; the title is that of the first look, when constructors have named their errors. */
function restack(error) {
    const { stack } = error;
    let text;
    Object.defineProperty(error, "stack", {
        get() { return text ??= formatted(error, stackFrames(stack)); },
        set(value) { hidden(this, "stack", value); },
        enumerable: false, configurable: true,
    });
}

/* A class that makes what `inner` makes; both have one prototype, so `instanceof` sees no difference. */
function around(inner, parent) {
    const { [inner.name]: outer } = {
        [inner.name]: function (...args) {
            const error = Reflect.construct(inner, args, new.target ?? outer);
            restack(error);
            return error;
        },
    };
    Object.setPrototypeOf(outer, parent);
    Object.defineProperty(outer, "prototype", { value: inner.prototype, writable: false });
    Object.defineProperty(outer, "length", { value: inner.length });
    hidden(inner.prototype, "constructor", outer);
    return outer;
}

/* What Error itself has. The engine reads its limit from its own class. */
function addStatics(outer) {
    hidden(outer, "captureStackTrace", function captureStackTrace(object, above = undefined) {
        Native.captureStackTrace(object, above);
        restack(object);
    });
    Object.defineProperty(outer, "stackTraceLimit", {
        get: () => Native.stackTraceLimit,
        set(limit) { Native.stackTraceLimit = limit; },
        enumerable: true, configurable: true,
    });
    if (Native.isError !== undefined) hidden(outer, "isError", Native.isError);
}

export function installErrorClasses(global) {
    const outer = around(Native, Function.prototype);
    addStatics(outer);
    hidden(global, "Error", outer);
    for (const name of NAMES) hidden(global, name, around(global[name], outer));
}
