/* node:assert. https://nodejs.org/api/assert.html */
const { codes: { ERR_AMBIGUOUS_ARGUMENT, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_INVALID_RETURN_VALUE, ERR_MISSING_ARGS }, validateFunction, validateObject } = require("./errors.js");
const { inspect } = require("./inspect.js");
const types = require("./types.js");
const { isDeepEqual, isDeepStrictEqual, isPartialStrictEqual } = require("./comparisons.js");

const LINE_MAX = 512, DIFF_MAX = 2000, SIMPLE_MAX = 12;

const TEXTS = {
    deepStrictEqual: "Expected values to be strictly deep-equal:",
    partialDeepStrictEqual: "Expected values to be partially and strictly deep-equal:",
    strictEqual: "Expected values to be strictly equal:",
    strictEqualObject: 'Expected "actual" to be reference-equal to "expected":',
    deepEqual: "Expected values to be loosely deep-equal:",
    notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
    notStrictEqual: 'Expected "actual" to be strictly unequal to:',
    notStrictEqualObject: 'Expected "actual" not to be reference-equal to "expected":',
    notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
    notIdentical: "Values have same structure but are not reference-equal:",
};

const show = (value) => inspect(value, {
    compact: false, customInspect: false, depth: 1000, maxArrayLength: Infinity, showHidden: false, showProxy: false, sorted: true, getters: true,
});

/* Lines of both, by their longest common subsequence: [" " | "+" | "-", line]. */
function diffLines(a, b) {
    if (a.length > DIFF_MAX || b.length > DIFF_MAX) return [...a.map((l) => ["+", l]), ...b.map((l) => ["-", l])];
    const same = (x, y) => x === y || x === `${y},` || `${x},` === y;
    const rows = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
        for (let j = b.length - 1; j >= 0; j--) rows[i][j] = same(a[i], b[j]) ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
    const out = [];
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
        if (i < a.length && j < b.length && same(a[i], b[j])) {
            out.push([" ", a[i++]]);
            j++;
        } else if (i < a.length && (j === b.length || rows[i + 1][j] >= rows[i][j + 1])) out.push(["+", a[i++]]);
        else out.push(["-", b[j++]]);
    }
    return out;
}

/* Long runs of equal lines are cut. */
function printDiff(lines) {
    const out = [];
    let skipped = false;
    for (let i = 0; i < lines.length;) {
        if (lines[i][0] !== " ") {
            out.push(`${lines[i][0]} ${lines[i][1]}`);
            i++;
            continue;
        }
        let end = i;
        while (end < lines.length && lines[end][0] === " ") end++;
        const run = lines.slice(i, end).map(([, line]) => `  ${line}`);
        const head = i === 0 ? 5 : 2, tail = end === lines.length ? 2 : 1;
        if (run.length > head + tail + 1) {
            skipped = true;
            out.push(...run.slice(0, head), "...", ...run.slice(-tail));
        } else out.push(...run);
        i = end;
    }
    return { text: out.join("\n"), skipped };
}

function isSimple(actual, a, expected, b, operator) {
    if (a.length > 1 || b.length > 1 || operator === "partialDeepStrictEqual") return false;
    const object = (v) => v !== null && (typeof v === "object" || typeof v === "function");
    if (object(actual) && object(expected)) return false;
    const length = a[0].length + b[0].length - (typeof actual === "string" ? 2 : 0) - (typeof expected === "string" ? 2 : 0);
    return length <= SIMPLE_MAX && (actual !== 0 || expected !== 0);
}

function createErrDiff(actual, expected, operator, customMessage) {
    let op = operator;
    if (op === "strictEqual" && ((typeof actual === "object" && actual !== null && typeof expected === "object" && expected !== null) ||
        (typeof actual === "function" && typeof expected === "function"))) op = "strictEqualObject";
    const a = show(actual).split("\n"), b = show(expected).split("\n");
    if (a.join("\n") === b.join("\n")) {
        const text = a.length > 50 ? [...a.slice(0, 46), "..."] : a;
        return `${customMessage ?? TEXTS.notIdentical}\n\n${text.join("\n")}\n`;
    }
    if (isSimple(actual, a, expected, b, operator))
        return `${TEXTS[op]}\n\n${a[0]} !== ${b[0]}\n`;
    const { text, skipped } = printDiff(diffLines(a, b));
    return `${TEXTS[op]}\n+ actual - expected${skipped ? "\n... Skipped lines" : ""}\n\n${text}\n`;
}

const cut = (text) => (text.length > LINE_MAX ? `${text.slice(0, LINE_MAX)}...` : text);

function makeMessage(operator, actual, expected) {
    if (operator === "deepStrictEqual" || operator === "strictEqual" || operator === "partialDeepStrictEqual") return createErrDiff(actual, expected, operator);
    if (operator === "notDeepStrictEqual" || operator === "notStrictEqual") {
        let base = TEXTS[operator];
        const lines = show(actual).split("\n");
        if (operator === "notStrictEqual" && ((typeof actual === "object" && actual !== null) || typeof actual === "function")) base = TEXTS.notStrictEqualObject;
        if (lines.length > 50) lines.splice(46, lines.length, "...");
        return lines.length === 1 ? `${base}${lines[0].length > 5 ? "\n\n" : " "}${lines[0]}` : `${base}\n\n${lines.join("\n")}\n`;
    }
    let left = cut(show(actual)), right = cut(show(expected));
    if (operator === "notDeepEqual" || operator === "deepEqual") {
        if (left === right && operator === "notDeepEqual") return `${TEXTS.notDeepEqual}\n\n${left}`;
        return operator === "deepEqual" ? `${TEXTS.deepEqual}\n\n${left}\n\nshould loosely deep-equal\n\n${right}` : `${TEXTS.notDeepEqual}\n\n${left}\n\nshould not loosely deep-equal\n\n${right}`;
    }
    left = `${left} ${operator} `;
    right = `${right}`;
    return left + right;
}

class AssertionError extends Error {
    constructor(options) {
        validateObject(options, "options");
        const { message, operator, actual, expected, details } = options;
        super(message !== undefined && message !== null ? String(message) : makeMessage(operator, actual, expected));
        this.generatedMessage = message === undefined || message === null;
        Object.defineProperty(this, "name", { value: "AssertionError", enumerable: false, writable: true, configurable: true });
        this.code = "ERR_ASSERTION";
        if (details) {
            this.actual = undefined;
            this.expected = undefined;
            this.operator = undefined;
            details.forEach((detail, i) => {
                this[`message ${i}`] = detail.message;
                this[`actual ${i}`] = detail.actual;
                this[`expected ${i}`] = detail.expected;
                this[`operator ${i}`] = detail.operator;
            });
        } else {
            this.actual = actual;
            this.expected = expected;
            this.operator = operator;
        }
        this.diff = options.diff ?? "simple";
    }

    toString() {
        return `${this.name} [${this.code}]: ${this.message}`;
    }

    [inspect.custom](recurseTimes, ctx) {
        return inspect(this, { ...ctx, customInspect: false, depth: 0 });
    }
}

function innerFail(options) {
    if (options.message instanceof Error) throw options.message;
    throw new AssertionError(options);
}

function innerOk(fn, count, value, message) {
    if (value) return;
    if (count === 0) {
        const error = new AssertionError({ message: "No value argument passed to `assert.ok()`", actual: value, expected: true, operator: "==", stackStartFn: fn });
        error.generatedMessage = true;
        throw error;
    }
    if (message instanceof Error) throw message;
    const error = new AssertionError({ message: message ?? "The expression evaluated to a falsy value", actual: value, expected: true, operator: "==", stackStartFn: fn });
    error.generatedMessage = message === undefined || message === null;
    throw error;
}

function assert(...args) {
    innerOk(assert, args.length, ...args);
}
assert.ok = function ok(...args) {
    innerOk(ok, args.length, ...args);
};

assert.fail = function fail(message) {
    if (message instanceof Error) throw message;
    const error = new AssertionError({ message: message === undefined ? "Failed" : message, operator: "fail" });
    error.generatedMessage = message === undefined;
    throw error;
};

assert.AssertionError = AssertionError;

function need(args) {
    if (args.length < 2) throw new ERR_MISSING_ARGS("actual", "expected");
}

const looseEqual = (a, b) => a == b || (Number.isNaN(a) && Number.isNaN(b)); // eslint-disable-line eqeqeq

/* Name -> [operator in the error, does it hold?] */
const CHECKS = {
    equal: ["==", looseEqual],
    notEqual: ["!=", (a, b) => !looseEqual(a, b)],
    deepEqual: ["deepEqual", isDeepEqual],
    notDeepEqual: ["notDeepEqual", (a, b) => !isDeepEqual(a, b)],
    deepStrictEqual: ["deepStrictEqual", isDeepStrictEqual],
    notDeepStrictEqual: ["notDeepStrictEqual", (a, b) => !isDeepStrictEqual(a, b)],
    strictEqual: ["strictEqual", Object.is],
    notStrictEqual: ["notStrictEqual", (a, b) => !Object.is(a, b)],
    partialDeepStrictEqual: ["partialDeepStrictEqual", isPartialStrictEqual],
};
for (const [name, [operator, holds]] of Object.entries(CHECKS)) {
    assert[name] = { [name](...args) {
        need(args);
        const [actual, expected, message] = args;
        if (!holds(actual, expected)) innerFail({ actual, expected, message, operator });
    } }[name];
}

/* --- throws and rejects --- */

class Comparison {
    constructor(object, keys, actual) {
        for (const key of keys) {
            if (!(key in object)) continue;
            if (actual !== undefined && typeof actual[key] === "string" && types.isRegExp(object[key]) && object[key].exec(actual[key]) !== null) this[key] = actual[key];
            else this[key] = object[key];
        }
    }
}

function compareKey(actual, expected, key, message, keys, fn) {
    if (key in actual && isDeepStrictEqual(actual[key], expected[key])) return;
    if (!message) {
        const a = new Comparison(actual, keys), b = new Comparison(expected, keys, actual);
        const error = new AssertionError({ actual: a, expected: b, operator: "deepStrictEqual" });
        error.actual = actual;
        error.expected = expected;
        error.operator = fn;
        throw error;
    }
    innerFail({ actual, expected, message, operator: fn });
}

function expectedException(actual, expected, message, fn) {
    let generated = false, text = message, throwError = false;
    if (typeof expected !== "function") {
        if (types.isRegExp(expected)) {
            const str = String(actual);
            if (expected.exec(str) !== null) return;
            if (!text) {
                generated = true;
                text = `The input did not match the regular expression ${inspect(expected)}. Input:\n\n${inspect(str)}\n`;
            }
            throwError = true;
        } else if (typeof actual !== "object" || actual === null) {
            const error = new AssertionError({ actual, expected, message, operator: "deepStrictEqual" });
            error.operator = fn;
            throw error;
        } else {
            const keys = Object.keys(expected);
            if (expected instanceof Error) keys.push("name", "message");
            else if (keys.length === 0) throw new ERR_INVALID_ARG_VALUE("error", expected, "may not be an empty object");
            for (const key of keys) {
                if (typeof actual[key] === "string" && types.isRegExp(expected[key]) && expected[key].exec(actual[key]) !== null) continue;
                compareKey(actual, expected, key, message, keys, fn);
            }
            return;
        }
    } else if (expected.prototype !== undefined && actual instanceof expected) return;
    else if (Object.prototype.isPrototypeOf.call(Error, expected)) {
        if (!text) {
            generated = true;
            text = `The error is expected to be an instance of "${expected.name}". Received `;
            text += types.isNativeError(actual) || actual instanceof Error ? `"${actual.name}"\n\nError message:\n\n${actual.message}` : `"${inspect(actual, { depth: -1 })}"`;
        }
        throwError = true;
    } else {
        const result = Reflect.apply(expected, {}, [actual]);
        if (result === true) return;
        if (!text) {
            generated = true;
            const name = expected.name ? `"${expected.name}" ` : "";
            text = `The ${name}validation function is expected to return "true". Received ${inspect(result)}`;
            if (types.isNativeError(actual)) text += `\n\nCaught error:\n\n${actual}`;
        }
        throwError = true;
    }
    if (!throwError) return;
    if (text instanceof Error) throw text;
    const error = new AssertionError({ actual, expected, message: text, operator: fn });
    error.generatedMessage = generated;
    throw error;
}

const NOTHING = Symbol("nothing was thrown");

function caught(fn) {
    validateFunction(fn, "fn");
    try {
        fn();
    } catch (error) {
        return error;
    }
    return NOTHING;
}

async function rejected(promiseFn) {
    let promise = promiseFn;
    if (typeof promiseFn === "function") {
        promise = promiseFn();
        if (typeof promise?.then !== "function") throw new ERR_INVALID_RETURN_VALUE("instance of Promise", "promiseFn", promise);
    } else if (typeof promiseFn?.then !== "function") throw new ERR_INVALID_ARG_TYPE("promiseFn", ["Function", "Promise"], promiseFn);
    try {
        await promise;
    } catch (error) {
        return error;
    }
    return NOTHING;
}

function expectsError(fn, actual, error, message) {
    let expected = error, text = message;
    if (typeof expected === "string") {
        if (text !== undefined) throw new ERR_INVALID_ARG_TYPE("error", ["Object", "Error", "Function", "RegExp"], expected);
        if (typeof actual === "object" && actual !== null) {
            if (actual.message === expected) throw new ERR_AMBIGUOUS_ARGUMENT("error/message", `The error message "${actual.message}" is identical to the message.`);
        } else if (actual === expected) throw new ERR_AMBIGUOUS_ARGUMENT("error/message", `The error "${actual}" is identical to the message.`);
        text = expected;
        expected = undefined;
    } else if (expected !== undefined && expected !== null && typeof expected !== "object" && typeof expected !== "function")
        throw new ERR_INVALID_ARG_TYPE("error", ["Object", "Error", "Function", "RegExp"], expected);
    if (actual === NOTHING) {
        let details = "";
        if (expected?.name) details += ` (${expected.name})`;
        details += text ? `: ${text}` : ".";
        innerFail({ actual: undefined, expected, operator: fn, message: `Missing expected ${fn === "rejects" ? "rejection" : "exception"}${details}` });
    }
    if (expected) expectedException(actual, expected, text, fn);
}

function hasMatchingError(actual, expected) {
    if (typeof expected !== "function") {
        if (types.isRegExp(expected)) return expected.exec(String(actual)) !== null;
        throw new ERR_INVALID_ARG_TYPE("expected", ["Function", "RegExp"], expected);
    }
    if (expected.prototype !== undefined && actual instanceof expected) return true;
    if (Object.prototype.isPrototypeOf.call(Error, expected)) return false;
    return Reflect.apply(expected, {}, [actual]) === true;
}

function expectsNoError(fn, actual, error, message) {
    if (actual === NOTHING) return;
    let expected = error, text = message;
    if (typeof expected === "string") {
        text = expected;
        expected = undefined;
    }
    if (expected && !hasMatchingError(actual, expected)) throw actual;
    const details = text ? `: ${text}` : ".";
    innerFail({ actual, expected, operator: fn, message: `Got unwanted ${fn === "doesNotReject" ? "rejection" : "exception"}${details}\nActual message: "${actual?.message}"` });
}

assert.throws = function throws(fn, ...args) { expectsError("throws", caught(fn), ...args); };
assert.rejects = async function rejects(fn, ...args) { expectsError("rejects", await rejected(fn), ...args); };
assert.doesNotThrow = function doesNotThrow(fn, ...args) { expectsNoError("doesNotThrow", caught(fn), ...args); };
assert.doesNotReject = async function doesNotReject(fn, ...args) { expectsNoError("doesNotReject", await rejected(fn), ...args); };

assert.ifError = function ifError(err) {
    if (err === null || err === undefined) return;
    let message = "ifError got unwanted exception: ";
    if (typeof err === "object" && typeof err.message === "string") message += err.message.length === 0 && err.constructor ? err.constructor.name : err.message;
    else message += inspect(err);
    const error = new AssertionError({ actual: err, expected: null, operator: "ifError", message });
    error.generatedMessage = false;
    throw error;
};

function innerMatch(string, regexp, message, name) {
    if (!types.isRegExp(regexp)) throw new ERR_INVALID_ARG_TYPE("regexp", "RegExp", regexp);
    const match = name === "match";
    if (typeof string === "string" && (regexp.exec(string) !== null) === match) return;
    if (message instanceof Error) throw message;
    const generated = !message;
    const text = message || (typeof string !== "string" ? `The "string" argument must be of type string. Received type ${typeof string} (${inspect(string)})`
        : `${match ? "The input did not match the regular expression " : "The input was expected to not match the regular expression "}${inspect(regexp)}. Input:\n\n${inspect(string)}\n`);
    const error = new AssertionError({ actual: string, expected: regexp, message: text, operator: name });
    error.generatedMessage = generated;
    throw error;
}
assert.match = function match(string, regexp, message) { innerMatch(string, regexp, message, "match"); };
assert.doesNotMatch = function doesNotMatch(string, regexp, message) { innerMatch(string, regexp, message, "doesNotMatch"); };

function strict(...args) {
    innerOk(strict, args.length, ...args);
}
assert.strict = Object.assign(strict, assert, {
    equal: assert.strictEqual, deepEqual: assert.deepStrictEqual, notEqual: assert.notStrictEqual, notDeepEqual: assert.notDeepStrictEqual,
});
assert.strict.strict = assert.strict;

/* Assertions with options of their own. */
class Assert {
    constructor(options = undefined) {
        if (options !== undefined) validateObject(options, "options");
        const { strict: isStrict = true } = options ?? {};
        Object.assign(this, isStrict ? assert.strict : assert, { AssertionError });
        delete this.strict;
        delete this.Assert;
    }
}
assert.Assert = assert.strict.Assert = Assert;

module.exports = assert;
