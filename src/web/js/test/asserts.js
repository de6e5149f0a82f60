/*
 * The assertions that classic web platform tests use, by their public names. Each throws AssertionError.
 */
export class AssertionError extends Error {
    constructor(message) {
        super(message);
        this.name = "AssertionError";
    }
}

/* A feature that a test needs and an implementation may lack. */
export class OptionalFeatureError extends AssertionError {}

const { is, getOwnPropertyDescriptor, getPrototypeOf, keys } = Object;
const TEXT_MAX = 60;

/* --- values in messages --- */

const ESCAPES = { 0: "\\0", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r" };

function quote(text) {
    const plain = text.replace(/\\/g, "\\\\").replace(/"/g, '\\"');
    return `"${plain.replace(/[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]/g, (c) => {
        const code = c.charCodeAt(0);
        return ESCAPES[code] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `U+${code.toString(16)}`);
    })}"`;
}

export function formatValue(value, seen = []) {
    if (Array.isArray(value)) {
        if (seen.includes(value)) return "[...]";
        return `[${value.map((item) => formatValue(item, [...seen, value])).join(", ")}]`;
    }
    switch (typeof value) {
    case "string": return quote(value);
    case "number": return is(value, -0) ? "-0" : String(value);
    case "bigint": return `${value}n`;
    case "symbol": case "boolean": case "undefined": return String(value);
    default: break;
    }
    if (value === null) return "null";
    try {
        const text = `${typeof value} "${String(value)}"`;
        return text.length > 2 * TEXT_MAX ? `${text.slice(0, 2 * TEXT_MAX)}..."` : text;
    } catch (error) {
        return `[stringifying object threw ${error} with type ${typeof error}]`;
    }
}

const typed = (value) => `(${typeof value}) ${formatValue(value)}`;

function check(condition, name, description, text) {
    if (condition) return;
    const about = description === undefined || description === null || description === "" ? "" : `${description} `;
    throw new AssertionError(`${name}: ${about}${text()}`);
}

function kindOf(value) {
    return typeof value === "object" && value !== null ? `object "${value}"` : typed(value);
}

/* --- plain comparisons --- */

const numbers = (holds, words) => (name) => (actual, bound, description) => {
    check(typeof actual === typeof bound && (typeof actual === "number" || typeof actual === "bigint"), name, description,
        () => `expected a number but got a ${typed(actual)}`);
    check(holds(actual, bound), name, description, () => `expected a number ${words} ${bound} but got ${actual}`);
};

const between = (holds, words) => (name) => (actual, lower, upper, description) => {
    check(typeof actual === "number" || typeof actual === "bigint", name, description, () => `expected a number but got a ${typed(actual)}`);
    check(holds(actual, lower, upper), name, description, () => `expected a number ${words(lower, upper)} but got ${actual}`);
};

function arrayEquals(actual, expected, description) {
    const name = "assert_array_equals";
    check(typeof actual === "object" && actual !== null && "length" in actual, name, description,
        () => `value is ${formatValue(actual)}, expected array`);
    check(actual.length === expected.length, name, description,
        () => `lengths differ, expected array ${formatValue(expected)} length ${expected.length}, got ${formatValue(actual)} length ${actual.length}`);
    for (let i = 0; i < actual.length; i++) {
        check(Object.hasOwn(actual, i) === Object.hasOwn(expected, i), name, description,
            () => `expected property ${i} to be ${Object.hasOwn(expected, i) ? "present" : "missing"} but was ${Object.hasOwn(actual, i) ? "present" : "missing"}`);
        check(is(actual[i], expected[i]), name, description,
            () => `expected property ${i} to be ${formatValue(expected[i])} but got ${formatValue(actual[i])} (expected array ${formatValue(expected)} got ${formatValue(actual)})`);
    }
}

function approximately(name, actual, expected, epsilon, description) {
    check(typeof actual === "number", name, description, () => `expected a number but got a ${typed(actual)}`);
    const near = Number.isFinite(actual) || Number.isFinite(expected) ? Math.abs(actual - expected) <= epsilon : is(actual, expected);
    check(near, name, description, () => `expected ${expected} +/- ${epsilon} but got ${actual}`);
}

function objectEquals(actual, expected, description) {
    const name = "assert_object_equals";
    check(typeof actual === "object" && actual !== null, name, description, () => `value is ${formatValue(actual)}, expected object`);
    const walk = (a, b, seen) => {
        seen.push(a);
        for (const key of keys(a)) {
            check(Object.hasOwn(b, key), name, description, () => `unexpected property ${formatValue(key)}`);
            if (typeof a[key] === "object" && a[key] !== null) {
                if (!seen.includes(a[key])) walk(a[key], b[key], seen);
            } else {
                check(is(a[key], b[key]), name, description, () => `property ${formatValue(key)} expected ${formatValue(b[key])} got ${formatValue(a[key])}`);
            }
        }
        for (const key of keys(b)) check(Object.hasOwn(a, key), name, description, () => `expected property ${formatValue(key)} missing`);
        seen.pop();
    };
    walk(actual, expected, []);
}

/* --- what is thrown --- */

const CODES = {
    IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5, NoModificationAllowedError: 7,
    NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13,
    NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20,
    URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
};
/* "NOT_FOUND_ERR" is the old name of "NotFoundError". */
const OLD = new Map(keys(CODES).map((name) => [`${name.slice(0, -5).replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase()}_ERR`, name]));
const UNNUMBERED = ["EncodingError", "NotReadableError", "UnknownError", "ConstraintError", "DataError", "TransactionInactiveError",
    "ReadOnlyError", "VersionError", "OperationError", "NotAllowedError", "OptOutError"];

function checkIsError(name, constructor, thrown, description) {
    check(typeof thrown === "object" && thrown !== null, name, description, () => `threw ${formatValue(thrown)}, not an object`);
    let wanted = constructor;
    if (!wanted.name && wanted.prototype) wanted = wanted.prototype.constructor;
    check(thrown.constructor === wanted && thrown.name === wanted.name, name, description,
        () => `threw ${formatValue(thrown)} (${formatValue(thrown?.name)}) expected instance of ${wanted.name}: ${thrown?.stack ?? ""}`);
}

function checkIsDomException(name, type, thrown, description, constructor) {
    check(typeof thrown === "object" && thrown !== null, name, description, () => `threw ${formatValue(thrown)}, not an object`);
    if (typeof type === "number") {
        const found = keys(CODES).find((key) => CODES[key] === type);
        if (found === undefined) throw new AssertionError(`Test bug: unrecognized DOMException code ${type}`);
        check(thrown.code === type, name, description, () => `threw ${formatValue(thrown)} with code ${thrown.code}, expected ${type}`);
        return;
    }
    const wanted = OLD.get(type) ?? type;
    if (!Object.hasOwn(CODES, wanted) && !UNNUMBERED.includes(wanted)) throw new AssertionError(`Test bug: unrecognized DOMException code name "${type}"`);
    check(thrown.name === wanted, name, description,
        () => `threw ${formatValue(thrown)} with name ${formatValue(thrown.name)}, expected ${formatValue(wanted)}: ${thrown?.stack ?? ""}`);
    check(thrown.code === (CODES[wanted] ?? 0), name, description, () => `threw ${formatValue(thrown)} with code ${thrown.code}, expected ${CODES[wanted] ?? 0}`);
    check(thrown.constructor === (constructor ?? self.DOMException), name, description,
        () => `threw an exception from the wrong global or class: ${thrown.constructor?.name}`);
}

function checkQuota(name, thrown, requested, quota, description) {
    check(typeof thrown === "object" && thrown?.name === "QuotaExceededError", name, description, () => `threw ${formatValue(thrown)}, expected QuotaExceededError`);
    if (quota !== undefined) check(thrown.quota === quota, name, description, () => `quota ${thrown.quota}, expected ${quota}`);
    if (requested !== undefined) check(thrown.requested === requested, name, description, () => `requested ${thrown.requested}, expected ${requested}`);
}

function caught(name, fn, self, description) {
    try {
        fn.call(self);
    } catch (error) {
        if (error instanceof AssertionError) throw error;
        return error;
    }
    throw new AssertionError(`${name}: ${description === undefined ? "" : `${description} `}${fn} did not throw`);
}

async function rejected(name, promise, description) {
    let value;
    try {
        value = await promise;
    } catch (error) {
        return error;
    }
    throw new AssertionError(`${name}: ${description === undefined ? "" : `${description} `}Should have rejected but resolved with ${formatValue(value)}`);
}

/* The optional constructor before the function or the promise. */
function domArguments(rest) {
    return typeof rest[0] === "function" && (typeof rest[1] === "function" || typeof rest[1]?.then === "function") ? rest : [undefined, ...rest];
}

/* --- the table --- */

export const asserts = {
    assert_true: (actual, description) => check(actual === true, "assert_true", description, () => `expected true got ${formatValue(actual)}`),
    assert_false: (actual, description) => check(actual === false, "assert_false", description, () => `expected false got ${formatValue(actual)}`),
    assert_equals(actual, expected, description) {
        check(typeof actual === typeof expected, "assert_equals", description, () => `expected ${typed(expected)} but got ${typed(actual)}`);
        check(is(actual, expected), "assert_equals", description, () => `expected ${formatValue(expected)} but got ${formatValue(actual)}`);
    },
    assert_not_equals: (actual, expected, description) =>
        check(!is(actual, expected), "assert_not_equals", description, () => `got disallowed value ${formatValue(actual)}`),
    assert_in_array: (actual, expected, description) =>
        check(expected.includes(actual), "assert_in_array", description, () => `value ${formatValue(actual)} not in array ${formatValue(expected)}`),
    assert_array_equals: arrayEquals,
    assert_array_approx_equals(actual, expected, epsilon, description) {
        check(actual.length === expected.length, "assert_array_approx_equals", description, () => `lengths differ, expected ${expected.length} got ${actual.length}`);
        for (let i = 0; i < actual.length; i++) approximately("assert_array_approx_equals", actual[i], expected[i], epsilon, description);
    },
    assert_approx_equals: (actual, expected, epsilon, description) => approximately("assert_approx_equals", actual, expected, epsilon, description),
    assert_object_equals: objectEquals,
    assert_less_than: numbers((a, b) => a < b, "less than")("assert_less_than"),
    assert_greater_than: numbers((a, b) => a > b, "greater than")("assert_greater_than"),
    assert_less_than_equal: numbers((a, b) => a <= b, "less than or equal to")("assert_less_than_equal"),
    assert_greater_than_equal: numbers((a, b) => a >= b, "greater than or equal to")("assert_greater_than_equal"),
    assert_between_exclusive: between((a, l, u) => a > l && a < u, (l, u) => `greater than ${l} and less than ${u}`)("assert_between_exclusive"),
    assert_between_inclusive: between((a, l, u) => a >= l && a <= u, (l, u) => `greater than or equal to ${l} and less than or equal to ${u}`)("assert_between_inclusive"),
    assert_regexp_match: (actual, expected, description) =>
        check(expected.test(actual), "assert_regexp_match", description, () => `expected ${expected} but got ${formatValue(actual)}`),
    assert_class_string(object, expected, description) {
        const actual = {}.toString.call(object);
        check(actual === `[object ${expected}]`, "assert_class_string", description, () => `expected "[object ${expected}]" but got ${formatValue(actual)}`);
    },
    assert_own_property: (object, name, description) =>
        check(Object.hasOwn(object, name), "assert_own_property", description, () => `expected property ${formatValue(name)} missing`),
    assert_not_own_property: (object, name, description) =>
        check(!Object.hasOwn(object, name), "assert_not_own_property", description, () => `unexpected property ${formatValue(name)} is found on object`),
    assert_inherits(object, name, description) {
        check(!Object.hasOwn(object, name), "assert_inherits", description, () => `property ${formatValue(name)} found on object expected in prototype chain`);
        check(name in object, "assert_inherits", description, () => `property ${formatValue(name)} not found in prototype chain`);
    },
    assert_idl_attribute: (object, name, description) =>
        check(name in object, "assert_idl_attribute", description, () => `property ${formatValue(name)} not found in prototype chain`),
    assert_readonly(object, name, description) {
        let descriptor;
        for (let o = object; o !== null && descriptor === undefined; o = getPrototypeOf(o)) descriptor = getOwnPropertyDescriptor(o, name);
        check(descriptor !== undefined && !descriptor.writable && descriptor.set === undefined, "assert_readonly", description,
            () => `property ${formatValue(name)} is writable`);
    },
    assert_throws_js: (constructor, fn, description) =>
        checkIsError("assert_throws_js", constructor, caught("assert_throws_js", fn, undefined, description), description),
    assert_throws_dom(type, ...rest) {
        const [constructor, fn, description] = domArguments(rest);
        checkIsDomException("assert_throws_dom", type, caught("assert_throws_dom", fn, undefined, description), description, constructor);
    },
    assert_throws_exactly(expected, fn, description) {
        const thrown = caught("assert_throws_exactly", fn, undefined, description);
        check(is(thrown, expected), "assert_throws_exactly", description, () => `threw ${kindOf(thrown)} but expected ${kindOf(expected)}`);
    },
    assert_throws_quotaexceedederror(fn, requested, quota, description) {
        checkQuota("assert_throws_quotaexceedederror", caught("assert_throws_quotaexceedederror", fn, undefined, description), requested, quota, description);
    },
    assert_any(fn, actual, expected, ...rest) {
        const errors = [];
        for (const item of expected) {
            try {
                fn(actual, item, ...rest);
                return;
            } catch (error) {
                errors.push(error.message);
            }
        }
        throw new AssertionError(errors.join("\n\n"));
    },
    assert_unreached: (description) => check(false, "assert_unreached", description, () => "Reached unreachable code"),
    assert_implements: (condition, description) => check(!!condition, "assert_implements", description, () => "is not implemented"),
    assert_implements_optional(condition, description) {
        if (!condition) throw new OptionalFeatureError(description ?? "optional feature is not implemented");
    },
};

/* The first argument is the test, as is the convention. */
export const rejections = {
    async promise_rejects_js(test, constructor, promise, description) {
        checkIsError("promise_rejects_js", constructor, await rejected("promise_rejects_js", promise, description), description);
    },
    async promise_rejects_dom(test, type, ...rest) {
        const [constructor, promise, description] = domArguments(rest);
        checkIsDomException("promise_rejects_dom", type, await rejected("promise_rejects_dom", promise, description), description, constructor);
    },
    async promise_rejects_exactly(test, expected, promise, description) {
        const thrown = await rejected("promise_rejects_exactly", promise, description);
        check(is(thrown, expected), "promise_rejects_exactly", description, () => `rejected with ${kindOf(thrown)} but expected ${kindOf(expected)}`);
    },
    async promise_rejects_quotaexceedederror(test, promise, requested, quota, description) {
        checkQuota("promise_rejects_quotaexceedederror", await rejected("promise_rejects_quotaexceedederror", promise, description), requested, quota, description);
    },
};
