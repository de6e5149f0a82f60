/*
 * Patterns of URLPattern: text → tokens → parts → a regular expression and the normal form of the text.
 * https://urlpattern.spec.whatwg.org/#patterns
 */

export const fail = (text = "Failed to construct URLPattern") => new TypeError(text);

const NAME_START = /[\p{ID_Start}$_]/u, NAME_PART = /[\p{ID_Continue}$\u200c\u200d]/u;
const isName = (c, first) => (first ? NAME_START : NAME_PART).test(c);
const isDigit = (c) => c >= "0" && c <= "9";
const SINGLE = { "*": "asterisk", "+": "other-modifier", "?": "other-modifier", "{": "open", "}": "close" };

/* The end of a group that begins behind "(" at `at`; -1 when it is none. */
function groupEnd(points, at) {
    let depth = 1, i = at;
    for (; i < points.length; i++) {
        const c = points[i];
        if (c > "\x7f" || (i === at && c === "?")) return -1;
        if (c === "\\") {
            if (++i === points.length || points[i] > "\x7f") return -1;
        } else if (c === ")") {
            if (--depth === 0) break;
        } else if (c === "(") {
            depth++;
            if (points[i + 1] !== "?") return -1;
        }
    }
    return depth !== 0 || i === at ? -1 : i;
}

/* {type, index, value}; index counts code units. Lenient: what is wrong becomes an invalid-char. */
export function tokenize(input, lenient) {
    const points = Array.from(input), tokens = [];
    let index = 0;
    for (let i = 0; i < points.length;) {
        const c = points[i];
        let type = SINGLE[c] ?? "char", end = i + 1, value = c;
        if (c === "\\") {
            type = end < points.length ? "escaped-char" : null;
            value = points[end];
            end++;
        } else if (c === ":") {
            while (end < points.length && isName(points[end], end === i + 1)) end++;
            type = end > i + 1 ? "name" : null;
            value = points.slice(i + 1, end).join("");
        } else if (c === "(") {
            const close = groupEnd(points, end);
            type = close < 0 ? null : "regexp";
            value = points.slice(i + 1, close).join("");
            end = close + 1;
        }
        if (type === null) {
            if (!lenient) throw fail();
            type = "invalid-char";
            value = c;
            end = i + 1;
        }
        tokens.push({ type, index, value });
        for (; i < end; i++) index += points[i].length;
    }
    tokens.push({ type: "end", index: input.length, value: "" });
    return tokens;
}

const escapePattern = (text) => text.replace(/[+*?:{}()\\]/g, "\\$&");
const escapeRegExp = (text) => text.replace(/[.+*?^${}()[\]|/\\]/g, "\\$&");
export { escapePattern };

/* --- parts --- */

const FULL = ".*";
const segment = (options) => `[^${escapeRegExp(options.delimiter)}]+?`;

class Parser {
    constructor(input, options, encode) {
        this.tokens = tokenize(input, false);
        this.options = options;
        this.encode = encode;
        this.segment = segment(options);
        this.parts = [];
        this.names = new Set();
        this.pending = ""; // text that is not a part yet
        this.index = 0;
        this.nextName = 0;
    }

    take(type) {
        const token = this.tokens[this.index];
        if (token.type !== type) return null;
        this.index++;
        return token;
    }

    need(type) {
        if (this.take(type) === null) throw fail();
    }

    takeGroup(name) {
        return this.take("regexp") ?? (name === null ? this.take("asterisk") : null);
    }

    takeText() {
        let text = "";
        for (;;) {
            const token = this.take("char") ?? this.take("escaped-char");
            if (token === null) return text;
            text += token.value;
        }
    }

    takeModifier() {
        const token = this.take("other-modifier") ?? this.take("asterisk");
        return token === null ? "" : token.value;
    }

    parse() {
        while (this.index < this.tokens.length) {
            const char = this.take("char"), name = this.take("name"), group = this.takeGroup(name);
            if (name !== null || group !== null) {
                this.named(char, name, group);
                continue;
            }
            const fixed = char ?? this.take("escaped-char");
            if (fixed !== null) {
                this.pending += fixed.value;
            } else if (this.take("open") !== null) {
                this.braced();
            } else {
                this.flush();
                this.need("end");
            }
        }
        return this.parts;
    }

    named(char, name, group) {
        let prefix = char === null ? "" : char.value;
        if (prefix !== "" && prefix !== this.options.prefix) {
            this.pending += prefix;
            prefix = "";
        }
        this.flush();
        this.add(prefix, name, group, "", this.takeModifier());
    }

    braced() {
        const prefix = this.takeText(), name = this.take("name"), group = this.takeGroup(name), suffix = this.takeText();
        this.need("close");
        this.add(prefix, name, group, suffix, this.takeModifier());
    }

    flush() {
        if (this.pending === "") return;
        const value = this.encode(this.pending);
        this.pending = "";
        this.parts.push({ type: "fixed-text", value, modifier: "", name: "", prefix: "", suffix: "" });
    }

    add(prefix, nameToken, group, suffix, modifier) {
        if (nameToken === null && group === null && modifier === "") {
            this.pending += prefix;
            return;
        }
        this.flush();
        if (nameToken === null && group === null) {
            if (prefix !== "")
                this.parts.push({ type: "fixed-text", value: this.encode(prefix), modifier, name: "", prefix: "", suffix: "" });
            return;
        }
        let value = group === null ? this.segment : group.type === "asterisk" ? FULL : group.value, type = "regexp";
        if (value === this.segment) type = "segment-wildcard";
        else if (value === FULL) type = "full-wildcard";
        if (type !== "regexp") value = "";
        const name = nameToken === null ? String(this.nextName++) : nameToken.value;
        if (this.names.has(name)) throw fail();
        this.names.add(name);
        this.parts.push({ type, value, modifier, name, prefix: this.encode(prefix), suffix: this.encode(suffix) });
    }
}

/* --- what becomes of parts --- */

function regexpOf(parts, options) {
    const names = [];
    let result = "^";
    for (const { type, value, modifier, name, prefix: before, suffix: after } of parts) {
        if (type === "fixed-text") {
            result += modifier === "" ? escapeRegExp(value) : `(?:${escapeRegExp(value)})${modifier}`;
            continue;
        }
        names.push(name);
        const body = type === "segment-wildcard" ? segment(options) : type === "full-wildcard" ? FULL : value;
        const prefix = escapeRegExp(before), suffix = escapeRegExp(after), once = modifier === "" || modifier === "?";
        if (prefix === "" && suffix === "") result += once ? `(${body})${modifier}` : `((?:${body})${modifier})`;
        else if (once) result += `(?:${prefix}(${body})${suffix})${modifier}`;
        else result += `(?:${prefix}((?:${body})(?:${suffix}${prefix}(?:${body}))*)${suffix})${modifier === "*" ? "?" : ""}`;
    }
    return { source: `${result}$`, names };
}

/* Without braces another text would follow than this one. */
function needsBraces(part, custom, previous, next, options) {
    if (part.suffix !== "" || (part.prefix !== "" && part.prefix !== options.prefix)) return true;
    if (custom && part.type === "segment-wildcard" && part.modifier === "" && next !== undefined && next.prefix === "" && next.suffix === "") {
        if (next.type === "fixed-text" ? isName(Array.from(next.value)[0], false) : isDigit(next.name[0])) return true;
    }
    return part.prefix === "" && previous?.type === "fixed-text" && options.prefix !== "" && previous.value.at(-1) === options.prefix;
}

function groupText(part, custom, previous, braces, options) {
    if (part.type === "regexp") return `(${part.value})`;
    if (part.type === "segment-wildcard") return custom ? "" : `(${segment(options)})`;
    const short = !custom && (previous === undefined || previous.type === "fixed-text" || previous.modifier !== "" || braces || part.prefix !== "");
    return short ? "*" : "(.*)";
}

function textOf(parts, options) {
    let result = "";
    for (const [i, part] of parts.entries()) {
        const previous = parts[i - 1];
        if (part.type === "fixed-text") {
            result += part.modifier === "" ? escapePattern(part.value) : `{${escapePattern(part.value)}}${part.modifier}`;
            continue;
        }
        const custom = !isDigit(part.name[0]), braces = needsBraces(part, custom, previous, parts[i + 1], options);
        result += `${braces ? "{" : ""}${escapePattern(part.prefix)}${custom ? `:${part.name}` : ""}${groupText(part, custom, previous, braces, options)}`;
        if (part.type === "segment-wildcard" && custom && part.suffix !== "" && isName(Array.from(part.suffix)[0], false)) result += "\\";
        result += `${escapePattern(part.suffix)}${braces ? "}" : ""}${part.modifier}`;
    }
    return result;
}

/* {text, regexp, names, hasGroups} of one component of a URL. options: {delimiter, prefix, ignoreCase}. */
export function compile(input, encode, options) {
    const parts = new Parser(input, options, (text) => (text === "" ? "" : encode(text))).parse();
    const { source, names } = regexpOf(parts, options);
    let regexp;
    try {
        regexp = new RegExp(source, options.ignoreCase ? "vi" : "v");
    } catch {
        throw fail();
    }
    return { text: textOf(parts, options), regexp, names, hasGroups: parts.some((part) => part.type === "regexp") };
}
