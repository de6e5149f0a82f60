/* Deep equality of util.isDeepStrictEqual and assert. STRICT compares prototypes and types, LOOSE with ==. */
const types = require("./types.js");

const STRICT = 0, LOOSE = 1, PARTIAL = 2;
const enumerable = Object.prototype.propertyIsEnumerable;

function symbolsOf(value) {
    return Object.getOwnPropertySymbols(value).filter((s) => enumerable.call(value, s));
}

function sameBytes(a, b) {
    if (a.byteLength !== b.byteLength) return false;
    const x = new Uint8Array(a.buffer ?? a, a.byteOffset ?? 0, a.byteLength), y = new Uint8Array(b.buffer ?? b, b.byteOffset ?? 0, b.byteLength);
    for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
    return true;
}

function sameFloats(a, b) {
    if (a.byteLength !== b.byteLength) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !(Number.isNaN(a[i]) && Number.isNaN(b[i]))) return false;
    return true;
}

const BOXED = [
    [types.isNumberObject, (a, b) => Object.is(Number.prototype.valueOf.call(a), Number.prototype.valueOf.call(b))],
    [types.isStringObject, (a, b) => String.prototype.valueOf.call(a) === String.prototype.valueOf.call(b)],
    [types.isBooleanObject, (a, b) => Boolean.prototype.valueOf.call(a) === Boolean.prototype.valueOf.call(b)],
    [types.isBigIntObject, (a, b) => BigInt.prototype.valueOf.call(a) === BigInt.prototype.valueOf.call(b)],
    [types.isSymbolObject, (a, b) => Symbol.prototype.valueOf.call(a) === Symbol.prototype.valueOf.call(b)],
];

function deepEqual(a, b, mode, memo) {
    if (a === b) return a !== 0 || mode === LOOSE || Object.is(a, b);
    if (mode !== LOOSE) {
        if (typeof a !== "object") return typeof a === "number" && Number.isNaN(a) && Number.isNaN(b);
        if (typeof b !== "object" || a === null || b === null) return false;
        if (mode === STRICT && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    } else {
        if (a === null || typeof a !== "object")
            return (b === null || typeof b !== "object") && (a == b || (Number.isNaN(a) && Number.isNaN(b))); // eslint-disable-line eqeqeq
        if (b === null || typeof b !== "object") return false;
    }
    const tagA = Object.prototype.toString.call(a), tagB = Object.prototype.toString.call(b);
    if (tagA !== tagB) return false;
    if (Array.isArray(a)) {
        if (!Array.isArray(b) || (mode !== PARTIAL && a.length !== b.length)) return false;
        if (mode === PARTIAL) return partialArray(a, b, memo);
        const keysA = ownKeys(a, true), keysB = ownKeys(b, true);
        return keysA.length === keysB.length && byKeys(a, b, mode, memo, keysA, "array");
    }
    if (tagA === "[object Object]") return byKeys(a, b, mode, memo, undefined, "none");
    if (types.isDate(a)) {
        if (!types.isDate(b) || !Object.is(Date.prototype.getTime.call(a), Date.prototype.getTime.call(b))) return false;
    } else if (types.isRegExp(a)) {
        if (!types.isRegExp(b) || a.source !== b.source || a.flags !== b.flags || a.lastIndex !== b.lastIndex) return false;
    } else if (types.isNativeError(a) || a instanceof Error) {
        if (!(types.isNativeError(b) || b instanceof Error)) return false;
        if (a.message !== b.message || a.name !== b.name) return false;
        if (!sameHidden(a, b, "cause", mode, memo) || !sameHidden(a, b, "errors", mode, memo)) return false;
    } else if (types.isArrayBufferView(a)) {
        if (!types.isArrayBufferView(b)) return false;
        if (types.isFloat32Array(a) || types.isFloat64Array(a) ? !sameFloats(a, b) : !sameBytes(a, b)) return false;
        const skip = (v) => ownKeys(v, true).filter((k) => typeof k === "symbol" || !/^\d+$/.test(k));
        const keysA = skip(a), keysB = skip(b);
        return keysA.length === keysB.length && byKeys(a, b, mode, memo, keysA, "none");
    } else if (types.isSet(a)) {
        if (!types.isSet(b) || (mode !== PARTIAL && a.size !== b.size)) return false;
        return byKeys(a, b, mode, memo, undefined, "set");
    } else if (types.isMap(a)) {
        if (!types.isMap(b) || (mode !== PARTIAL && a.size !== b.size)) return false;
        return byKeys(a, b, mode, memo, undefined, "map");
    } else if (types.isAnyArrayBuffer(a)) {
        if (!types.isAnyArrayBuffer(b) || !sameBytes(a, b)) return false;
    } else if (types.isBoxedPrimitive(a)) {
        const row = BOXED.find(([is]) => is(a));
        if (!row[0](b) || !row[1](a, b)) return false;
    } else if (typeof URL === "function" && a instanceof URL) {
        if (!(b instanceof URL) || a.href !== b.href) return false;
    } else if (types.isBoxedPrimitive(b) || types.isNativeError(b) || types.isArrayBufferView(b) || types.isSet(b) || types.isMap(b) || types.isDate(b) || types.isRegExp(b) || Array.isArray(b)) {
        return false;
    } else if (types.isWeakMap(a) || types.isWeakSet(a) || types.isPromise(a)) {
        return false;
    }
    return byKeys(a, b, mode, memo, undefined, "none");
}

function sameHidden(a, b, key, mode, memo) {
    const x = Object.getOwnPropertyDescriptor(a, key), y = Object.getOwnPropertyDescriptor(b, key);
    if (x === undefined && y === undefined) return true;
    if (mode === PARTIAL && y === undefined) return true;
    if (x === undefined || y === undefined || x.enumerable !== y.enumerable) return false;
    return x.enumerable || deepEqual(a[key], b[key], mode, memo);
}

function ownKeys(value, withSymbols) {
    const keys = Object.keys(value);
    return withSymbols ? keys.concat(symbolsOf(value)) : keys;
}

function byKeys(a, b, mode, memo, known, kind) {
    let keys = known;
    if (keys === undefined) {
        keys = Object.keys(mode === PARTIAL ? b : a);
        if (mode !== PARTIAL && keys.length !== Object.keys(b).length) return false;
        for (const key of keys) if (!Object.hasOwn(mode === PARTIAL ? a : b, key) || !enumerable.call(mode === PARTIAL ? a : b, key)) return false;
        if (mode !== LOOSE) {
            const symbols = symbolsOf(mode === PARTIAL ? b : a);
            for (const s of symbols) if (!enumerable.call(mode === PARTIAL ? a : b, s)) return false;
            if (mode !== PARTIAL && symbolsOf(b).length !== symbols.length) return false;
            keys = keys.concat(symbols);
        }
    } else for (const key of keys) if (!Object.hasOwn(b, key)) return false;
    if (keys.length === 0 && kind === "none") return true;
    if (kind === "set" && mode !== PARTIAL && a.size === 0 && keys.length === 0) return true;

    let seen = memo;
    if (seen === undefined) seen = { a: new Map(), b: new Map(), position: 0 };
    else {
        const x = seen.a.get(a), y = seen.b.get(b);
        if (x !== undefined || y !== undefined) return x === y;
        seen.position++;
    }
    seen.a.set(a, seen.position);
    seen.b.set(b, seen.position);
    const same = contents(a, b, mode, keys, seen, kind);
    seen.a.delete(a);
    seen.b.delete(b);
    return same;
}

function contents(a, b, mode, keys, memo, kind) {
    if (kind === "set" && !setEqual(a, b, mode, memo)) return false;
    if (kind === "map" && !mapEqual(a, b, mode, memo)) return false;
    for (const key of keys) if (!deepEqual(a[key], b[key], mode, memo)) return false;
    return true;
}

/* Each of `b` (partial) or `a` must have a partner of its own on the other side. */
function setEqual(a, b, mode, memo) {
    const [from, to] = mode === PARTIAL ? [b, a] : [a, b];
    const rest = [];
    for (const value of from) {
        if (to.has(value)) continue;
        if (mode !== LOOSE && (typeof value !== "object" || value === null)) return false;
        rest.push(value);
    }
    if (rest.length === 0) return true;
    const candidates = [...to].filter((v) => !from.has(v));
    return rest.every((value) => {
        const at = candidates.findIndex((c) => (mode === PARTIAL ? deepEqual(c, value, mode, memo) : deepEqual(value, c, mode, memo)));
        if (at < 0) return false;
        candidates.splice(at, 1);
        return true;
    });
}

function mapEqual(a, b, mode, memo) {
    const [from, to] = mode === PARTIAL ? [b, a] : [a, b];
    const equal = (x, y) => (mode === PARTIAL ? deepEqual(y, x, mode, memo) : deepEqual(x, y, mode, memo));
    const rest = [];
    for (const [key, value] of from) {
        if (typeof key === "object" && key !== null) {
            rest.push([key, value]);
            continue;
        }
        if (to.has(key)) {
            if (!equal(value, to.get(key))) return false;
        } else if (mode === LOOSE) rest.push([key, value]);
        else return false;
    }
    const candidates = [...to].filter(([k]) => mode === LOOSE || (typeof k === "object" && k !== null));
    return rest.every(([key, value]) => {
        const at = candidates.findIndex(([k, v]) => equal(key, k) && equal(value, v));
        if (at < 0) return false;
        candidates.splice(at, 1);
        return true;
    });
}

function partialArray(a, b, memo) {
    if (b.length > a.length) return false;
    let at = 0;
    for (const value of b) {
        while (at < a.length && !deepEqual(a[at], value, PARTIAL, memo)) at++;
        if (at++ >= a.length) return false;
    }
    return true;
}

module.exports = {
    isDeepEqual: (a, b) => deepEqual(a, b, LOOSE),
    isDeepStrictEqual: (a, b) => deepEqual(a, b, STRICT),
    isPartialStrictEqual: (a, b) => deepEqual(a, b, PARTIAL),
};
