/*
 * util.inspect and util.format, with Node's layout: what fits on a line, how arrays are grouped into
 * columns, how circles and depth are shown. Not shown as in Node: what a promise holds (the engine does not tell).
 */
const { codes: { ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE }, validateObject } = require("./errors.js");
const types = require("./types.js");

const custom = Symbol.for("nodejs.util.inspect.custom");

const defaults = {
    showHidden: false, depth: 2, colors: false, customInspect: true, showProxy: false, maxArrayLength: 100,
    maxStringLength: 10000, breakLength: 80, compact: 3, sorted: false, getters: false, numericSeparator: false,
};

const colors = {
    reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], blink: [5, 25], inverse: [7, 27],
    hidden: [8, 28], strikethrough: [9, 29], doubleunderline: [21, 24], black: [30, 39], red: [31, 39], green: [32, 39],
    yellow: [33, 39], blue: [34, 39], magenta: [35, 39], cyan: [36, 39], white: [37, 39], bgBlack: [40, 49], bgRed: [41, 49],
    bgGreen: [42, 49], bgYellow: [43, 49], bgBlue: [44, 49], bgMagenta: [45, 49], bgCyan: [46, 49], bgWhite: [47, 49],
    framed: [51, 54], overlined: [53, 55], gray: [90, 39], redBright: [91, 39], greenBright: [92, 39], yellowBright: [93, 39],
    blueBright: [94, 39], magentaBright: [95, 39], cyanBright: [96, 39], whiteBright: [97, 39], bgGray: [100, 49],
    bgRedBright: [101, 49], bgGreenBright: [102, 49], bgYellowBright: [103, 49], bgBlueBright: [104, 49],
    bgMagentaBright: [105, 49], bgCyanBright: [106, 49], bgWhiteBright: [107, 49],
};
for (const [alias, name] of Object.entries({ grey: "gray", blackBright: "gray", bgGrey: "bgGray", bgBlackBright: "bgGray", faint: "dim", crossedout: "strikethrough", crossedOut: "strikethrough", strikeThrough: "strikethrough", conceal: "hidden", swapColors: "inverse", swapcolors: "inverse", doubleUnderline: "doubleunderline" }))
    Object.defineProperty(colors, alias, { get: () => colors[name], set(v) { colors[name] = v; }, configurable: true, enumerable: false });
Object.setPrototypeOf(colors, null);

const styles = Object.assign(Object.create(null), {
    special: "cyan", number: "yellow", bigint: "yellow", boolean: "yellow", undefined: "grey", null: "bold", string: "green",
    symbol: "green", date: "magenta", regexp: "red", module: "underline",
});

/* --- strings --- */

const ESCAPED = /[\x00-\x1f\x27\x5c\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const NEEDS_ESCAPE = /[\x00-\x1f\x27\x5c\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const SHORT = { 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 92: "\\\\" };

function escapeChar(c, quote) {
    const code = c.charCodeAt(0);
    if (code === 39) return quote === 39 ? "\\'" : c;
    if (SHORT[code] !== undefined) return SHORT[code];
    if (code > 0xff) return `\\u${code.toString(16)}`;
    return `\\x${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

function strEscape(string) {
    if (string.length < 5000 && !NEEDS_ESCAPE.test(string)) return `'${string}'`;
    let quote = 39;
    if (string.includes("'")) {
        if (!string.includes('"')) quote = 34;
        else if (!string.includes("`") && !string.includes("${")) quote = 96;
    }
    const q = String.fromCharCode(quote);
    return q + string.replace(ESCAPED, (c) => escapeChar(c, quote)) + q;
}

const ANSI = /[\u001B\u009B][[\]()#;?]*(?:(?:(?:(?:;[-a-zA-Z\d/#&.:=?%@~_]+)*|[a-zA-Z\d]+(?:;[-a-zA-Z\d/#&.:=?%@~_]*)*)?(?:\u0007|\u001B\u005C|\u009C))|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~]))/g;
const stripVTControlCharacters = (text) => text.replace(ANSI, "");

function isFullWidth(c) {
    return c >= 0x1100 && (c <= 0x115f || c === 0x2329 || c === 0x232a || (c >= 0x2e80 && c <= 0x3247 && c !== 0x303f) ||
        (c >= 0x3250 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0xa4c6) || (c >= 0xa960 && c <= 0xa97c) || (c >= 0xac00 && c <= 0xd7a3) ||
        (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe10 && c <= 0xfe19) || (c >= 0xfe30 && c <= 0xfe6b) || (c >= 0xff01 && c <= 0xff60) ||
        (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1b000 && c <= 0x1b001) || (c >= 0x1f200 && c <= 0x1f251) ||
        (c >= 0x1f300 && c <= 0x1f64f) || (c >= 0x20000 && c <= 0x3fffd));
}
const isZeroWidth = (c) => c <= 0x1f || (c >= 0x7f && c <= 0x9f) || (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) ||
    (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xfe20 && c <= 0xfe2f) || (c >= 0xe0100 && c <= 0xe01ef);

function getStringWidth(text, removeControlChars = true) {
    let width = 0;
    const plain = (removeControlChars ? stripVTControlCharacters(text) : text).normalize("NFC");
    for (const c of plain) {
        const code = c.codePointAt(0);
        width += isFullWidth(code) ? 2 : isZeroWidth(code) ? 0 : 1;
    }
    return width;
}

/* --- styles --- */

const stylizeNoColor = (text) => text;
function stylizeWithColor(text, style) {
    const name = styles[style];
    if (name === undefined) return text;
    const color = colors[name];
    return color === undefined ? text : `\u001b[${color[0]}m${text}\u001b[${color[1]}m`;
}

/* --- numbers --- */

function separate(text) {
    return text.replace(/(\d)(?=(\d{3})+$)/g, "$1_");
}

function formatNumber(fn, number, numericSeparator) {
    if (!numericSeparator) return fn(Object.is(number, -0) ? "-0" : `${number}`, "number");
    const text = String(number);
    if (!Number.isFinite(number) || text.includes("e")) return fn(text, "number");
    const [int, fraction] = text.split(".");
    const sign = int.startsWith("-") ? "-" : "";
    const whole = sign + separate(int.slice(sign.length));
    if (fraction === undefined) return fn(Object.is(number, -0) ? "-0" : whole, "number");
    return fn(`${whole}.${fraction.replace(/(\d{3})(?=\d)/g, "$1_")}`, "number");
}

function formatBigInt(fn, n, numericSeparator) {
    const text = String(n);
    return fn(`${numericSeparator ? separate(text) : text}n`, "bigint");
}

/* --- entry --- */

function inspect(value, opts) {
    const ctx = {
        budget: {}, indentationLvl: 0, seen: [], currentDepth: 0, stylize: stylizeNoColor, ...defaults, circular: undefined, userOptions: undefined,
    };
    if (arguments.length > 1) {
        if (arguments.length > 2) {
            if (arguments[2] !== undefined) ctx.depth = arguments[2];
            if (arguments.length > 3 && arguments[3] !== undefined) ctx.colors = arguments[3];
        }
        if (typeof opts === "boolean") ctx.showHidden = opts;
        else if (opts) {
            for (const key of Object.keys(opts)) {
                if (Object.hasOwn(defaults, key) || key === "stylize") ctx[key] = opts[key];
                else if (ctx.userOptions === undefined) ctx.userOptions = opts;
            }
        }
    }
    if (ctx.colors) ctx.stylize = stylizeWithColor;
    if (ctx.maxArrayLength === null) ctx.maxArrayLength = Infinity;
    if (ctx.maxStringLength === null) ctx.maxStringLength = Infinity;
    return formatValue(ctx, value, 0);
}
inspect.custom = custom;
Object.defineProperty(inspect, "defaultOptions", {
    get: () => defaults,
    set(options) {
        validateObject(options, "options");
        Object.assign(defaults, options);
    },
});
inspect.colors = colors;
inspect.styles = styles;

function userOptions(ctx, isCrossContext) {
    const ret = { ...Object.fromEntries(Object.keys(defaults).map((k) => [k, ctx[k]])), stylize: ctx.stylize, ...ctx.userOptions };
    if (isCrossContext) Object.setPrototypeOf(ret, null);
    return ret;
}

function formatValue(ctx, value, recurseTimes, typedArray) {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return formatPrimitive(ctx.stylize, value, ctx);
    if (ctx.customInspect) {
        const maybe = value[custom];
        if (typeof maybe === "function" && maybe !== inspect && !(Object.hasOwn(value, "constructor") && value.constructor?.prototype === value)) {
            const depth = ctx.depth === null ? null : ctx.depth - recurseTimes;
            const ret = maybe.call(value, depth, userOptions(ctx, false), inspect);
            if (ret !== value) {
                if (typeof ret !== "object") return `${ret}`;
                return formatValue(ctx, ret, recurseTimes).replaceAll("\n", `\n${" ".repeat(ctx.indentationLvl)}`);
            }
        }
    }
    if (ctx.seen.includes(value)) {
        let index = 1;
        if (ctx.circular === undefined) ctx.circular = new Map([[value, index]]);
        else {
            index = ctx.circular.get(value);
            if (index === undefined) {
                index = ctx.circular.size + 1;
                ctx.circular.set(value, index);
            }
        }
        return ctx.stylize(`[Circular *${index}]`, "special");
    }
    return formatRaw(ctx, value, recurseTimes, typedArray);
}

function formatPrimitive(fn, value, ctx) {
    switch (typeof value) {
    case "string": {
        let trailer = "", text = value;
        if (text.length > ctx.maxStringLength) {
            const more = text.length - ctx.maxStringLength;
            text = text.slice(0, ctx.maxStringLength);
            trailer = `... ${more} more character${more > 1 ? "s" : ""}`;
        }
        if (ctx.compact !== true && text.length > 16 && text.length > ctx.breakLength - ctx.indentationLvl - 4)
            return text.split(/(?<=\n)/).map((line) => fn(strEscape(line), "string")).join(` +\n${" ".repeat(ctx.indentationLvl + 2)}`) + trailer;
        return fn(strEscape(text), "string") + trailer;
    }
    case "number": return formatNumber(fn, value, ctx.numericSeparator);
    case "bigint": return formatBigInt(fn, value, ctx.numericSeparator);
    case "boolean": return fn(`${value}`, "boolean");
    case "undefined": return fn("undefined", "undefined");
    case "symbol": return fn(symbolText(value), "symbol");
    default: return fn("null", "null");
    }
}

const symbolText = (symbol) => symbol.toString().replace(ESCAPED, (c) => escapeChar(c, 39));

/* --- names --- */

function isInstanceof(object, cls) {
    try {
        return object instanceof cls;
    } catch {
        return false;
    }
}

const BUILTIN = new Set(Object.getOwnPropertyNames(globalThis).filter((e) => /^[A-Z][a-zA-Z0-9]+$/.test(e)));

function getConstructorName(obj, ctx, recurseTimes, protoProps) {
    let firstProto;
    const start = obj;
    while (obj || isUndetectable(obj)) {
        const descriptor = Object.getOwnPropertyDescriptor(obj, "constructor");
        if (descriptor !== undefined && typeof descriptor.value === "function" && descriptor.value.name !== "" && isInstanceof(start, descriptor.value)) {
            if (protoProps !== undefined && (firstProto !== obj || !BUILTIN.has(descriptor.value.name)))
                addPrototypeProperties(ctx, start, firstProto ?? start, recurseTimes, protoProps);
            return String(descriptor.value.name);
        }
        obj = Object.getPrototypeOf(obj);
        if (firstProto === undefined) firstProto = obj;
    }
    if (firstProto === null) return null;
    const name = internalClassName(start);
    if (recurseTimes > ctx.depth && ctx.depth !== null) return `${name} <Complex prototype>`;
    const protoConstr = getConstructorName(firstProto, ctx, recurseTimes + 1, protoProps);
    if (protoConstr === null) {
        const inner = inspect(firstProto, { ...userOptionsPlain(ctx), customInspect: false, depth: -1 });
        return `${name} <${inner}>`;
    }
    return `${name} <${protoConstr}>`;
}
const isUndetectable = () => false;
const userOptionsPlain = (ctx) => Object.fromEntries(Object.keys(defaults).map((k) => [k, ctx[k]]));
const internalClassName = (obj) => Object.prototype.toString.call(obj).slice(8, -1).replace(/^.*$/, (t) => (BUILTIN.has(t) ? t : typeof obj === "function" ? "Function" : "Object"));

function addPrototypeProperties(ctx, main, start, recurseTimes, output) {
    let depth = 0, keys, keySet, obj = start;
    do {
        if (depth !== 0 || main === obj) {
            obj = Object.getPrototypeOf(obj);
            if (obj === null) break;
            const descriptor = Object.getOwnPropertyDescriptor(obj, "constructor");
            if (descriptor !== undefined && typeof descriptor.value === "function" && BUILTIN.has(descriptor.value.name)) break;
        }
        if (depth === 0) keySet = new Set();
        else for (const key of keys) keySet.add(key);
        keys = Reflect.ownKeys(obj);
        ctx.seen.push(main);
        for (const key of keys) {
            if (key === "constructor" || Object.hasOwn(main, key) || (depth !== 0 && keySet.has(key))) continue;
            const desc = Object.getOwnPropertyDescriptor(obj, key);
            if (typeof desc.value === "function") continue;
            const value = formatProperty(ctx, obj, recurseTimes, key, OBJECT_TYPE, desc, main);
            output.push(ctx.colors ? `\u001b[2m${value}\u001b[22m` : value);
        }
        ctx.seen.pop();
    } while (++depth !== 3);
}

function getPrefix(constructor, tag, fallback, size = "") {
    if (constructor === null) {
        if (tag !== "" && fallback !== tag) return `[${fallback}${size}: null prototype] [${tag}] `;
        return `[${fallback}${size}: null prototype] `;
    }
    if (tag !== "" && constructor !== tag) return `${constructor}${size} [${tag}] `;
    return `${constructor}${size} `;
}

function getKeys(value, showHidden) {
    const symbols = Object.getOwnPropertySymbols(value);
    if (showHidden) {
        const keys = Object.getOwnPropertyNames(value);
        return symbols.length === 0 ? keys : keys.concat(symbols);
    }
    const keys = Object.keys(value);
    if (symbols.length === 0) return keys;
    return keys.concat(symbols.filter((key) => Object.prototype.propertyIsEnumerable.call(value, key)));
}

const isIndex = (key) => typeof key === "string" && /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 4294967295;
function nonIndexKeys(value, showHidden) {
    return getKeys(value, showHidden).filter((key) => !isIndex(key));
}

const OBJECT_TYPE = 0, ARRAY_TYPE = 1, ARRAY_EXTRAS_TYPE = 2;

/* --- objects --- */

function formatRaw(ctx, value, recurseTimes, typedArray) {
    let keys, protoProps;
    if (ctx.showHidden && (recurseTimes <= ctx.depth || ctx.depth === null)) protoProps = [];
    const constructor = getConstructorName(value, ctx, recurseTimes, protoProps);
    if (protoProps !== undefined && protoProps.length === 0) protoProps = undefined;

    let tag = value[Symbol.toStringTag];
    if (typeof tag !== "string" || (tag !== "" && (ctx.showHidden ? Object.hasOwn(value, Symbol.toStringTag)
        : Object.prototype.propertyIsEnumerable.call(value, Symbol.toStringTag)))) tag = "";
    let base = "", formatter = () => [], braces, noEntries = true, extrasType = OBJECT_TYPE;

    if (Symbol.iterator in value || constructor === null) {
        noEntries = false;
        if (Array.isArray(value)) {
            const prefix = constructor !== "Array" || tag !== "" ? getPrefix(constructor, tag, "Array", `(${value.length})`) : "";
            keys = nonIndexKeys(value, ctx.showHidden);
            braces = [`${prefix}[`, "]"];
            if (value.length === 0 && keys.length === 0 && protoProps === undefined) return `${braces[0]}]`;
            extrasType = ARRAY_EXTRAS_TYPE;
            formatter = formatArray;
        } else if (types.isSet(value)) {
            const prefix = getPrefix(constructor, tag, "Set", `(${value.size})`);
            keys = getKeys(value, ctx.showHidden);
            formatter = constructor !== null ? formatSet : (c, v, r) => formatSet(c, new Set(Set.prototype.values.call(v)), r);
            if (value.size === 0 && keys.length === 0 && protoProps === undefined) return `${prefix}{}`;
            braces = [`${prefix}{`, "}"];
        } else if (types.isMap(value)) {
            const prefix = getPrefix(constructor, tag, "Map", `(${value.size})`);
            keys = getKeys(value, ctx.showHidden);
            formatter = constructor !== null ? formatMap : (c, v, r) => formatMap(c, new Map(Map.prototype.entries.call(v)), r);
            if (value.size === 0 && keys.length === 0 && protoProps === undefined) return `${prefix}{}`;
            braces = [`${prefix}{`, "}"];
        } else if (types.isTypedArray(value)) {
            keys = nonIndexKeys(value, ctx.showHidden);
            const bound = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get.call(value);
            const prefix = getPrefix(constructor, tag, bound, `(${value.length})`);
            braces = [`${prefix}[`, "]"];
            if (value.length === 0 && keys.length === 0 && !ctx.showHidden) return `${braces[0]}]`;
            formatter = formatTypedArray;
            extrasType = ARRAY_EXTRAS_TYPE;
        } else if (types.isMapIterator(value) || types.isSetIterator(value)) {
            keys = getKeys(value, ctx.showHidden);
            braces = [`[${tag}] {`, "}"];
            formatter = () => ["<items unknown>"];
        } else noEntries = true;
    }
    if (noEntries) {
        if (types.isArgumentsObject(value)) {
            keys = nonIndexKeys(value, ctx.showHidden);
            braces = ["[Arguments] [", "]"];
            if (value.length === 0 && keys.length === 0) return "[Arguments] []";
            extrasType = ARRAY_EXTRAS_TYPE;
            formatter = formatArray;
        } else if (constructor === "Object" && tag === "") {
            keys = getKeys(value, ctx.showHidden);
            braces = ["{", "}"];
            if (keys.length === 0 && protoProps === undefined) return "{}";
        } else if (typeof value === "function") {
            keys = getKeys(value, ctx.showHidden);
            base = getFunctionBase(ctx, value, constructor, tag);
            if (keys.length === 0 && protoProps === undefined) return ctx.stylize(base, "special");
            braces = ["{", "}"];
        } else if (types.isRegExp(value)) {
            keys = getKeys(value, ctx.showHidden);
            base = RegExp.prototype.toString.call(constructor !== null ? value : new RegExp(value));
            const prefix = getPrefix(constructor, tag, "RegExp");
            if (prefix !== "RegExp ") base = `${prefix}${base}`;
            if ((keys.length === 0 && protoProps === undefined) || (recurseTimes > ctx.depth && ctx.depth !== null)) return ctx.stylize(base, "regexp");
            braces = ["{", "}"];
        } else if (types.isDate(value)) {
            keys = getKeys(value, ctx.showHidden);
            base = Number.isNaN(Date.prototype.getTime.call(value)) ? Date.prototype.toString.call(value) : Date.prototype.toISOString.call(value);
            const prefix = getPrefix(constructor, tag, "Date");
            if (prefix !== "Date ") base = `${prefix}${base}`;
            if (keys.length === 0 && protoProps === undefined) return ctx.stylize(base, "date");
            braces = ["{", "}"];
        } else if (types.isNativeError(value) || isInstanceof(value, Error)) {
            keys = getKeys(value, ctx.showHidden);
            base = formatError(value, constructor, tag, ctx, keys);
            keys = errorKeys(value, keys, base);
            if (keys.length === 0 && protoProps === undefined) return base;
            braces = ["{", "}"];
        } else if (types.isAnyArrayBuffer(value)) {
            keys = getKeys(value, ctx.showHidden);
            const prefix = getPrefix(constructor, tag, "ArrayBuffer");
            if (typedArray === undefined) formatter = formatArrayBuffer;
            else if (keys.length === 0 && protoProps === undefined) return `${prefix}{ byteLength: ${formatNumber(ctx.stylize, value.byteLength, false)} }`;
            braces = [`${prefix}{`, "}"];
            keys.unshift("byteLength");
        } else if (types.isDataView(value)) {
            keys = getKeys(value, ctx.showHidden);
            braces = [`${getPrefix(constructor, tag, "DataView")}{`, "}"];
            keys.unshift("byteLength", "byteOffset", "buffer");
        } else if (types.isPromise(value)) {
            keys = getKeys(value, ctx.showHidden);
            braces = [`${getPrefix(constructor, tag, "Promise")}{`, "}"];
            formatter = () => [ctx.stylize("<pending>", "special")];
        } else if (types.isWeakSet(value) || types.isWeakMap(value)) {
            keys = getKeys(value, ctx.showHidden);
            braces = [`${getPrefix(constructor, tag, types.isWeakSet(value) ? "WeakSet" : "WeakMap")}{`, "}"];
            formatter = () => [ctx.stylize("<items unknown>", "special")];
        } else if (types.isModuleNamespaceObject(value)) {
            keys = getKeys(value, ctx.showHidden);
            braces = [`${getPrefix(constructor, tag, "Module")}{`, "}"];
            if (braces[0].startsWith("[Object")) braces[0] = "[Module: null prototype] {";
        } else if (types.isBoxedPrimitive(value)) {
            keys = getKeys(value, ctx.showHidden);
            base = getBoxedBase(value, ctx, keys, constructor, tag);
            if (typeof value.valueOf?.() === "string") keys = keys.filter((k) => !isIndex(k));
            if (keys.length === 0 && protoProps === undefined) return base;
            braces = ["{", "}"];
        } else {
            keys = getKeys(value, ctx.showHidden);
            if (keys.length === 0 && protoProps === undefined) return `${getCtxName(constructor, tag)}{}`;
            braces = [`${getCtxName(constructor, tag)}{`, "}"];
        }
    }

    if (recurseTimes > ctx.depth && ctx.depth !== null) {
        let name = getCtxName(constructor, tag).slice(0, -1);
        if (constructor !== null) name = `[${name}]`;
        return ctx.stylize(Array.isArray(value) && constructor === "Array" && tag === "" ? "[Array]" : name, "special");
    }
    recurseTimes += 1;
    ctx.seen.push(value);
    ctx.currentDepth = recurseTimes;
    let output;
    output = formatter(ctx, value, recurseTimes);
    for (const key of keys) output.push(formatProperty(ctx, value, recurseTimes, key, extrasType));
    if (protoProps !== undefined) output.push(...protoProps);

    if (ctx.circular !== undefined) {
        const index = ctx.circular.get(value);
        if (index !== undefined) {
            const reference = ctx.stylize(`<ref *${index}>`, "special");
            if (ctx.compact !== true) base = base === "" ? reference : `${reference} ${base}`;
            else braces[0] = `${reference} ${braces[0]}`;
        }
    }
    ctx.seen.pop();

    if (ctx.sorted) {
        const comparator = ctx.sorted === true ? undefined : ctx.sorted;
        if (extrasType === OBJECT_TYPE) output.sort(comparator);
        else if (keys.length > 1) output.splice(output.length - keys.length, keys.length, ...output.slice(output.length - keys.length).sort(comparator));
    }
    const res = reduceToSingleString(ctx, output, base, braces, extrasType, recurseTimes, value);
    const budget = ctx.budget[ctx.indentationLvl] || 0;
    const newLength = budget + res.length;
    ctx.budget[ctx.indentationLvl] = newLength;
    if (newLength > 2 ** 27) ctx.depth = -1;
    return res;
}

const getCtxName = (constructor, tag) => getPrefix(constructor, tag, "Object");

function getFunctionBase(ctx, value, constructor, tag) {
    const text = Function.prototype.toString.call(value);
    if (text.startsWith("class") && text.endsWith("}")) {
        const slice = text.slice(5, -1);
        const bracket = slice.indexOf("{");
        if (bracket !== -1 && (!slice.slice(0, bracket).includes("(") || /^(\s+[^(]*?)\s*{/.test(slice.replace(/\/\*[\s\S]*?\*\//g, "")))) return getClassBase(value, constructor, tag);
    }
    let type = "Function";
    if (types.isGeneratorFunction(value)) type = `Generator${type}`;
    if (types.isAsyncFunction(value)) type = `Async${type}`;
    let base = `[${type}`;
    if (constructor === null) base += " (null prototype)";
    base += value.name === "" ? " (anonymous)" : `: ${typeof value.name === "string" ? value.name : formatValue(ctx, value.name)}`;
    base += "]";
    if (constructor !== type && constructor !== null) base += ` ${constructor}`;
    if (tag !== "" && constructor !== tag) base += ` [${tag}]`;
    return base;
}

function getClassBase(value, constructor, tag) {
    const hasName = Object.hasOwn(value, "name");
    const name = (hasName && value.name) || "(anonymous)";
    let base = `class ${name}`;
    if (constructor !== "Function" && constructor !== null) base += ` [${constructor}]`;
    if (tag !== "" && constructor !== tag) base += ` [${tag}]`;
    if (constructor !== null) {
        const superName = Object.getPrototypeOf(value).name;
        if (superName) base += ` extends ${superName}`;
    } else base += " extends [null prototype]";
    return `[${base}]`;
}

function getBoxedBase(value, ctx, keys, constructor, tag) {
    let fn, type;
    if (types.isNumberObject(value)) [fn, type] = [Number.prototype.valueOf, "Number"];
    else if (types.isStringObject(value)) [fn, type] = [String.prototype.valueOf, "String"];
    else if (types.isBooleanObject(value)) [fn, type] = [Boolean.prototype.valueOf, "Boolean"];
    else if (types.isBigIntObject(value)) [fn, type] = [BigInt.prototype.valueOf, "BigInt"];
    else [fn, type] = [Symbol.prototype.valueOf, "Symbol"];
    let base = `[${type}`;
    if (type !== constructor) base += constructor === null ? " (null prototype)" : ` (${constructor})`;
    base += `: ${formatPrimitive(stylizeNoColor, fn.call(value), ctx)}]`;
    if (tag !== "" && tag !== constructor) base += ` [${tag}]`;
    if (keys.length !== 0 || ctx.stylize === stylizeNoColor) return base;
    return ctx.stylize(base, type.toLowerCase());
}

/* --- errors --- */

/* The engine's stack has neither the first line nor Node's form of frames. */
function stackOf(error) {
    const name = error.name !== undefined && error.name !== null ? String(error.name) : "Error";
    const message = error.message !== undefined ? String(error.message) : "";
    const code = typeof error.code === "string" && Object.getPrototypeOf(error)?.toString !== Error.prototype.toString && error.toString().startsWith(`${name} [`) ? ` [${error.code}]` : "";
    const title = message === "" ? `${name}${code}` : `${name}${code}: ${message}`;
    const stack = error.stack;
    if (typeof stack !== "string" || stack === "") return typeof stack === "string" || stack === undefined ? `[${title}]` : `[${Error.prototype.toString.call(error)}]`;
    if (stack.includes("\n    at ") || stack.startsWith(title)) return stack;
    const frames = stack.split("\n").filter((line) => line !== "" && !line.includes("[native code]") && /@|:\d+:\d+$/.test(line)).map((line) => {
        const at = line.lastIndexOf("@");
        if (at === -1) return `\n    at ${line}`;
        return at === 0 ? `\n    at ${line.slice(1)}` : `\n    at ${line.slice(0, at)} (${line.slice(at + 1)})`;
    });
    if (frames.length === 0 && !/@|:\d+:\d+$/m.test(stack)) return stack;
    return frames.length === 0 ? `[${title}]` : title + frames.join("");
}

function formatError(err, constructor, tag, ctx) {
    let stack;
    try {
        stack = stackOf(err);
    } catch {
        stack = Error.prototype.toString.call(err);
    }
    const name = err.name !== undefined && err.name !== null ? String(err.name) : "Error";
    if (constructor === null || (name.endsWith("Error") && stack.startsWith(name) && (stack.length === name.length || stack[name.length] === ":" || stack[name.length] === "\n"))) {
        let fallback = "Error";
        if (constructor === null) {
            const start = /^([A-Z][a-z_ A-Z0-9[\]()-]+)(?::|\n\s+at)/.exec(stack) ?? /^([a-z_A-Z0-9-]*Error)$/.exec(stack);
            fallback = (start && start[1]) || "";
            stack = `${getPrefix(constructor, tag, fallback).slice(0, -1)}${stack.slice(fallback.length)}`;
        } else if (constructor !== name && !name.includes(constructor)) {
            stack = constructor.includes(name) ? constructor + stack.slice(name.length) : `${constructor} [${name}]${stack.slice(name.length)}`;
        }
    }
    const pos = (err.message && stack.indexOf(err.message)) || -1;
    const after = pos !== -1 ? pos + err.message.length : 0;
    const stackStart = stack.indexOf("\n    at", after);
    if (stackStart === -1 && !stack.startsWith("[")) stack = `[${stack}]`;
    if (ctx.indentationLvl !== 0) stack = stack.replaceAll("\n", `\n${" ".repeat(ctx.indentationLvl)}`);
    return stack;
}

/* What the text says already is not said again. */
function errorKeys(err, keys, stack) {
    const out = keys.filter((key) => {
        if (key === "line" || key === "column" || key === "sourceURL" || key === "stack") return false;
        if (key === "name" || key === "message") {
            const value = err[key];
            return typeof value !== "string" || !stack.includes(value);
        }
        return true;
    });
    if (Object.hasOwn(err, "cause") && !out.includes("cause")) out.push("cause");
    if (Array.isArray(err.errors) && Object.hasOwn(err, "errors") && !out.includes("errors")) out.push("errors");
    return out;
}

/* --- contents --- */

const remainingText = (n) => `... ${n} more item${n > 1 ? "s" : ""}`;

function formatArray(ctx, value, recurseTimes) {
    const outputLength = Math.min(Math.max(0, ctx.maxArrayLength), value.length);
    const output = [];
    let i = 0;
    for (; i < value.length && output.length < outputLength; i++) {
        if (Object.hasOwn(value, i)) {
            output.push(formatProperty(ctx, value, recurseTimes, i, ARRAY_TYPE));
            continue;
        }
        let n = 0;
        while (i < value.length && !Object.hasOwn(value, i)) {
            n++;
            i++;
        }
        i--;
        output.push(ctx.stylize(`<${n} empty item${n > 1 ? "s" : ""}>`, "undefined"));
    }
    if (i < value.length) output.push(remainingText(value.length - i));
    return output;
}

function formatArrayBuffer(ctx, value) {
    let bytes;
    try {
        bytes = new Uint8Array(value);
    } catch {
        return [ctx.stylize("(detached)", "special")];
    }
    const n = Math.min(Math.max(0, ctx.maxArrayLength), bytes.length);
    let text = Array.from(bytes.subarray(0, n), (b) => b.toString(16).padStart(2, "0")).join(" ");
    const remaining = bytes.length - ctx.maxArrayLength;
    if (remaining > 0) text += ` ... ${remaining} more byte${remaining > 1 ? "s" : ""}`;
    return [`${ctx.stylize("[Uint8Contents]", "special")}: <${text}>`];
}

function formatTypedArray(ctx, value, recurseTimes) {
    const n = Math.min(Math.max(0, ctx.maxArrayLength), value.length);
    const format = value.length > 0 && typeof value[0] === "number" ? formatNumber : formatBigInt;
    const output = new Array(n);
    for (let i = 0; i < n; i++) output[i] = format(ctx.stylize, value[i], ctx.numericSeparator);
    if (value.length > n) output.push(remainingText(value.length - n));
    if (ctx.showHidden) {
        ctx.indentationLvl += 2;
        for (const key of ["BYTES_PER_ELEMENT", "length", "byteLength", "byteOffset", "buffer"])
            output.push(`[${key}]: ${formatValue(ctx, value[key], recurseTimes, true)}`);
        ctx.indentationLvl -= 2;
    }
    return output;
}

function formatSet(ctx, value, recurseTimes) {
    const length = value.size, max = Math.min(Math.max(0, ctx.maxArrayLength), length);
    const output = [];
    ctx.indentationLvl += 2;
    let i = 0;
    for (const v of value) {
        if (i++ >= max) break;
        output.push(formatValue(ctx, v, recurseTimes));
    }
    if (length > max) output.push(remainingText(length - max));
    ctx.indentationLvl -= 2;
    return output;
}

function formatMap(ctx, value, recurseTimes) {
    const length = value.size, max = Math.min(Math.max(0, ctx.maxArrayLength), length);
    const output = [];
    ctx.indentationLvl += 2;
    let i = 0;
    for (const [k, v] of value) {
        if (i++ >= max) break;
        output.push(`${formatValue(ctx, k, recurseTimes)} => ${formatValue(ctx, v, recurseTimes)}`);
    }
    if (length > max) output.push(remainingText(length - max));
    ctx.indentationLvl -= 2;
    return output;
}

function formatProperty(ctx, value, recurseTimes, key, type, desc, original = value) {
    let name, text, extra = " ";
    desc = desc || Object.getOwnPropertyDescriptor(value, key) || { value: value[key], configurable: true, enumerable: true };
    if (desc.value !== undefined) {
        const diff = ctx.compact !== true || type !== OBJECT_TYPE ? 2 : 3;
        ctx.indentationLvl += diff;
        text = formatValue(ctx, desc.value, recurseTimes);
        if (diff === 3 && ctx.breakLength < getStringWidth(text, ctx.colors)) extra = `\n${" ".repeat(ctx.indentationLvl)}`;
        ctx.indentationLvl -= diff;
    } else if (desc.get !== undefined) {
        const label = desc.set !== undefined ? "Getter/Setter" : "Getter";
        const { stylize } = ctx;
        if (ctx.getters && (ctx.getters === true || (ctx.getters === "get" && desc.set === undefined) || (ctx.getters === "set" && desc.set !== undefined))) {
            try {
                const got = desc.get.call(original);
                ctx.indentationLvl += 2;
                if (got === null) text = `${stylize(`[${label}:`, "special")} ${stylize("null", "null")}${stylize("]", "special")}`;
                else if (typeof got === "object") text = `${stylize(`[${label}]`, "special")} ${formatValue(ctx, got, recurseTimes)}`;
                else text = `${stylize(`[${label}:`, "special")} ${formatPrimitive(stylize, got, ctx)}${stylize("]", "special")}`;
                ctx.indentationLvl -= 2;
            } catch (error) {
                text = `${stylize(`[${label}: <Inspection threw (${error.message})>`, "special")}${stylize("]", "special")}`;
            }
        } else text = stylize(`[${label}]`, "special");
    } else if (desc.set !== undefined) text = ctx.stylize("[Setter]", "special");
    else text = ctx.stylize("undefined", "undefined");
    if (type === ARRAY_TYPE) return text;
    if (typeof key === "symbol") name = ctx.stylize(symbolText(key), "symbol");
    else if (key === "__proto__") name = "['__proto__']";
    else if (/^[a-zA-Z_][a-zA-Z_0-9]*$/.test(key)) name = ctx.stylize(key, "name");
    else name = ctx.stylize(strEscape(key), "string");
    if (desc.enumerable === false) name = typeof key === "symbol" ? `[${name}]` : `[${key.replace(ESCAPED, (c) => escapeChar(c, 39))}]`;
    else if (typeof key === "symbol") name = `${name.startsWith("[") ? name : `${name}`}`;
    return `${name}:${extra}${text}`;
}

/* --- layout --- */

function isBelowBreakLength(ctx, output, start, base) {
    let total = output.length + start;
    if (total + output.length > ctx.breakLength) return false;
    for (let i = 0; i < output.length; i++) {
        total += ctx.colors ? stripVTControlCharacters(output[i]).length : output[i].length;
        if (total > ctx.breakLength) return false;
    }
    return base === "" || !base.includes("\n");
}

function reduceToSingleString(ctx, output, base, braces, extrasType, recurseTimes, value) {
    if (ctx.compact !== true) {
        if (typeof ctx.compact === "number" && ctx.compact >= 1) {
            const entries = output.length;
            if (extrasType === ARRAY_EXTRAS_TYPE && entries > 6) output = groupArrayElements(ctx, output, value);
            if (ctx.currentDepth - recurseTimes < ctx.compact && entries === output.length) {
                const start = output.length + ctx.indentationLvl + braces[0].length + base.length + 10;
                if (isBelowBreakLength(ctx, output, start, base)) {
                    const joined = output.join(", ");
                    if (!joined.includes("\n")) return `${base ? `${base} ` : ""}${braces[0]} ${joined} ${braces[1]}`;
                }
            }
        }
        const indentation = `\n${" ".repeat(ctx.indentationLvl)}`;
        return `${base ? `${base} ` : ""}${braces[0]}${indentation}  ${output.join(`,${indentation}  `)}${indentation}${braces[1]}`;
    }
    if (isBelowBreakLength(ctx, output, 0, base)) return `${braces[0]}${base ? ` ${base}` : ""} ${output.join(", ")} ${braces[1]}`;
    const indentation = `\n${" ".repeat(ctx.indentationLvl)}`;
    const ln = base === "" && braces[0].length === 1 ? " " : `${base ? ` ${base}` : ""}\n${" ".repeat(ctx.indentationLvl)}  `;
    return `${braces[0]}${ln}${output.join(`,${indentation}  `)} ${braces[1]}`;
}

function groupArrayElements(ctx, output, value) {
    let totalLength = 0, maxLength = 0, i = 0;
    let outputLength = output.length;
    if (ctx.maxArrayLength < output.length) outputLength--;
    const separatorSpace = 2, dataLen = new Array(outputLength);
    for (; i < outputLength; i++) {
        const len = ctx.colors ? stripVTControlCharacters(output[i]).length : getStringWidth(output[i], false);
        dataLen[i] = len;
        totalLength += len + separatorSpace;
        if (maxLength < len) maxLength = len;
    }
    const actualMax = maxLength + separatorSpace;
    if (actualMax * 3 + ctx.indentationLvl < ctx.breakLength && (totalLength / actualMax > 5 || maxLength <= 6)) {
        const averageBias = Math.sqrt(actualMax - totalLength / output.length);
        const bias = Math.max(actualMax - 3 - averageBias, 1);
        const columns = Math.min(
            Math.round(Math.sqrt(2.5 * bias * outputLength) / bias),
            Math.floor((ctx.breakLength - ctx.indentationLvl) / actualMax),
            ctx.compact * 4,
            15);
        if (columns <= 1) return output;
        const tmp = [], maxLineLength = [];
        for (let c = 0; c < columns; c++) {
            let lineLength = 0;
            for (let j = c; j < output.length; j += columns) if (dataLen[j] > lineLength) lineLength = dataLen[j];
            maxLineLength.push(lineLength + separatorSpace);
        }
        let order = String.prototype.padStart;
        if (value !== undefined) {
            for (let k = 0; k < output.length; k++) {
                if (typeof value[k] !== "number" && typeof value[k] !== "bigint") {
                    order = String.prototype.padEnd;
                    break;
                }
            }
        }
        for (let k = 0; k < outputLength; k += columns) {
            const max = Math.min(k + columns, outputLength);
            let str = "", j = k;
            for (; j < max - 1; j++) {
                const padding = maxLineLength[j - k] + output[j].length - dataLen[j];
                str += order.call(`${output[j]}, `, padding, " ");
            }
            if (order === String.prototype.padStart) {
                const padding = maxLineLength[j - k] + output[j].length - dataLen[j] - separatorSpace;
                str += output[j].padStart(padding, " ");
            } else str += output[j];
            tmp.push(str);
        }
        if (ctx.maxArrayLength < output.length) tmp.push(output[outputLength]);
        output = tmp;
    }
    return output;
}

/* --- format strings --- */

function hasBuiltInToString(value) {
    if (types.isProxy(value)) return true;
    if (!("toString" in value) || typeof value.toString !== "function") return true;
    if (Object.hasOwn(value, "toString")) return false;
    let pointer = value;
    do {
        pointer = Object.getPrototypeOf(pointer);
    } while (!Object.hasOwn(pointer, "toString"));
    const descriptor = Object.getOwnPropertyDescriptor(pointer, "constructor");
    return descriptor !== undefined && typeof descriptor.value === "function" && BUILTIN.has(descriptor.value.name);
}

function formatStringPlaceholder(arg, options) {
    if (typeof arg === "number") return formatNumber(stylizeNoColor, arg, false);
    if (typeof arg === "bigint") return formatBigInt(stylizeNoColor, arg, false);
    if (typeof arg !== "object" || arg === null || !hasBuiltInToString(arg)) return String(arg);
    return inspect(arg, { ...options, depth: 0, colors: false, compact: 3 });
}

function formatNumberPlaceholder(arg, numericSeparator) {
    if (typeof arg === "bigint") return formatBigInt(stylizeNoColor, arg, numericSeparator);
    if (typeof arg === "symbol") return formatNumber(stylizeNoColor, NaN, numericSeparator);
    return formatNumber(stylizeNoColor, Number(arg), numericSeparator);
}

function tryStringify(arg) {
    try {
        return JSON.stringify(arg);
    } catch (error) {
        if (/cycl|circular/i.test(error.message)) return "[Circular]";
        throw error;
    }
}

function formatWithOptionsInternal(options, args) {
    const first = args[0];
    let a = 0, str = "", join = "";
    if (typeof first === "string") {
        if (args.length === 1) return first;
        let lastPos = 0;
        for (let i = 0; i < first.length - 1; i++) {
            if (first.charCodeAt(i) !== 37) continue;
            const next = first.charCodeAt(++i);
            if (a + 1 !== args.length) {
                let text;
                switch (String.fromCharCode(next)) {
                case "s": text = formatStringPlaceholder(args[++a], options); break;
                case "j": text = tryStringify(args[++a]); break;
                case "d": text = formatNumberPlaceholder(args[++a], options?.numericSeparator); break;
                case "O": text = inspect(args[++a], options); break;
                case "o": text = inspect(args[++a], { ...options, showHidden: true, showProxy: true, depth: 4 }); break;
                case "i": {
                    const n = args[++a];
                    text = typeof n === "bigint" ? formatBigInt(stylizeNoColor, n, options?.numericSeparator)
                        : formatNumber(stylizeNoColor, typeof n === "symbol" ? NaN : parseInt(n), options?.numericSeparator);
                    break;
                }
                case "f": {
                    const n = args[++a];
                    text = formatNumber(stylizeNoColor, typeof n === "symbol" ? NaN : parseFloat(n), options?.numericSeparator);
                    break;
                }
                case "c": a++; text = ""; break;
                case "%":
                    str += first.slice(lastPos, i);
                    lastPos = i + 1;
                    continue;
                default: continue;
                }
                if (lastPos !== i - 1) str += first.slice(lastPos, i - 1);
                str += text;
                lastPos = i + 1;
            } else if (next === 37) {
                str += first.slice(lastPos, i);
                lastPos = i + 1;
            }
        }
        if (lastPos !== 0) {
            a++;
            join = " ";
            if (lastPos < first.length) str += first.slice(lastPos);
        }
    }
    while (a < args.length) {
        const value = args[a];
        str += join;
        str += typeof value !== "string" ? inspect(value, { ...options, compact: 3, colors: options?.colors ?? false, depth: options?.depth ?? 2 }) : value;
        join = " ";
        a++;
    }
    return str;
}

const format = (...args) => formatWithOptionsInternal(undefined, args);
function formatWithOptions(options, ...args) {
    if (typeof options !== "object" || options === null) throw new ERR_INVALID_ARG_TYPE("inspectOptions", "object", options);
    return formatWithOptionsInternal(options, args);
}

module.exports = { inspect, format, formatWithOptions, stripVTControlCharacters, getStringWidth, colors, strEscape, stackOf, ERR_OUT_OF_RANGE };
