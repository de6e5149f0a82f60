/* node:util/types. The engine has no way to ask for an internal slot, so each check calls a method that
 * throws for objects without it. */
const tag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;

function probe(prototype, key) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
    const fn = descriptor.get ?? descriptor.value;
    return (value) => {
        if (value === null || typeof value !== "object") return false;
        try {
            fn.call(value);
            return true;
        } catch {
            return false;
        }
    };
}

const toString = Object.prototype.toString;
const isView = ArrayBuffer.isView;
const typed = (name) => (value) => isView(value) && tag.call(value) === name;

const isDate = probe(Date.prototype, "getTime");
const isMap = probe(Map.prototype, "size");
const isSet = probe(Set.prototype, "size");
const isArrayBuffer = probe(ArrayBuffer.prototype, "byteLength");
const isSharedArrayBuffer = probe(SharedArrayBuffer.prototype, "byteLength");
const isAnyArrayBuffer = (value) => isArrayBuffer(value) || isSharedArrayBuffer(value);
const isNumberObject = probe(Number.prototype, "valueOf");
const isStringObject = probe(String.prototype, "valueOf");
const isBooleanObject = probe(Boolean.prototype, "valueOf");
const isBigIntObject = probe(BigInt.prototype, "valueOf");
const isSymbolObject = probe(Symbol.prototype, "valueOf");
const weakMapHas = WeakMap.prototype.has, weakSetHas = WeakSet.prototype.has, weakRefDeref = globalThis.WeakRef?.prototype.deref;
const flagsOf = Object.getOwnPropertyDescriptor(RegExp.prototype, "hasIndices").get;

function quiet(fn) {
    return (value) => {
        if (value === null || typeof value !== "object") return false;
        try {
            return fn(value) !== undefined;
        } catch {
            return false;
        }
    };
}

const types = {
    isExternal: () => false,
    isDate,
    isArgumentsObject: (v) => v !== null && typeof v === "object" && !(Symbol.toStringTag in v) && toString.call(v) === "[object Arguments]",
    isBigIntObject, isBooleanObject, isNumberObject, isStringObject, isSymbolObject,
    isBoxedPrimitive: (v) => isNumberObject(v) || isStringObject(v) || isBooleanObject(v) || isBigIntObject(v) || isSymbolObject(v),
    isNativeError: (v) => (Error.isError ? Error.isError(v) : v instanceof Error),
    isRegExp: (v) => v !== RegExp.prototype && quiet((r) => flagsOf.call(r))(v),
    isAsyncFunction: (v) => typeof v === "function" && /^\[object Async(Generator)?Function\]$/.test(toString.call(v)),
    isGeneratorFunction: (v) => typeof v === "function" && /Generator/.test(toString.call(v)),
    isGeneratorObject: (v) => v !== null && typeof v === "object" && /^\[object (Async)?Generator\]$/.test(toString.call(v)),
    isPromise: (v) => v instanceof Promise && quiet((p) => toString.call(p))(v),
    isMap, isSet,
    isMapIterator: (v) => v !== null && typeof v === "object" && toString.call(v) === "[object Map Iterator]",
    isSetIterator: (v) => v !== null && typeof v === "object" && toString.call(v) === "[object Set Iterator]",
    isWeakMap: quiet((v) => weakMapHas.call(v, v)),
    isWeakSet: quiet((v) => weakSetHas.call(v, v)),
    isWeakRef: quiet((v) => [weakRefDeref.call(v)]),
    isArrayBuffer, isSharedArrayBuffer, isAnyArrayBuffer,
    isDataView: (v) => isView(v) && tag.call(v) === undefined,
    isProxy: () => false,
    isModuleNamespaceObject: (v) => v !== null && typeof v === "object" && Object.getPrototypeOf(v) === null && v[Symbol.toStringTag] === "Module",
    isArrayBufferView: isView,
    isTypedArray: (v) => isView(v) && tag.call(v) !== undefined,
    isUint8Array: typed("Uint8Array"), isUint8ClampedArray: typed("Uint8ClampedArray"), isUint16Array: typed("Uint16Array"),
    isUint32Array: typed("Uint32Array"), isInt8Array: typed("Int8Array"), isInt16Array: typed("Int16Array"),
    isInt32Array: typed("Int32Array"), isFloat16Array: typed("Float16Array"), isFloat32Array: typed("Float32Array"),
    isFloat64Array: typed("Float64Array"), isBigInt64Array: typed("BigInt64Array"), isBigUint64Array: typed("BigUint64Array"),
    isKeyObject: (v) => typeof v === "object" && v !== null && v[Symbol.for("selvedge.KeyObject")] === true,
    isCryptoKey: (v) => v instanceof globalThis.CryptoKey,
    isEventTarget: (v) => v instanceof EventTarget,
};

module.exports = types;
