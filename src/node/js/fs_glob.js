/* Patterns of fs.glob() and path.matchesGlob(): braces, extended groups, classes, ** over directories. */

/* The parts of `text` between separators that stand outside of brackets. */
function split(text, separator) {
    const parts = [""];
    let depth = 0;
    for (let i = 0; i < text.length; i++) {
        const c = text[i];
        if (c === "\\" && i + 1 < text.length) {
            parts[parts.length - 1] += c + text[++i];
            continue;
        }
        if (c === "{" || c === "(") depth++;
        else if (c === "}" || c === ")") depth--;
        if (c === separator && depth === 0) parts.push("");
        else parts[parts.length - 1] += c;
    }
    return parts;
}

/* Where the bracket that opens at `from` closes, or -1. */
function closing(text, from, open, close) {
    let depth = 0;
    for (let i = from; i < text.length; i++) {
        if (text[i] === "\\") i++;
        else if (text[i] === open) depth++;
        else if (text[i] === close && --depth === 0) return i;
    }
    return -1;
}

/* a{b,c} -> [ab, ac] */
function expandBraces(pattern) {
    for (let i = 0; i < pattern.length; i++) {
        if (pattern[i] === "\\") i++;
        if (pattern[i] !== "{") continue;
        const end = closing(pattern, i, "{", "}");
        if (end === -1) return [pattern];
        const choices = split(pattern.slice(i + 1, end), ",");
        if (choices.length === 1) return [pattern];
        return choices.flatMap((choice) => expandBraces(pattern.slice(0, i) + choice + pattern.slice(end + 1)));
    }
    return [pattern];
}

const GROUPS = {
    "@": (g) => `(?:${g})`, "*": (g) => `(?:${g})*`, "+": (g) => `(?:${g})+`, "?": (g) => `(?:${g})?`, "!": (g) => `(?!(?:${g})$)[^/]*`,
};
const literal = (c) => c.replace(/[.+*?^$|()[\]{}\\/]/g, "\\$&");

/* The regular expression's text for one segment of a path. */
function segmentText(segment) {
    let out = "";
    for (let i = 0; i < segment.length; i++) {
        const c = segment[i];
        if (c === "\\" && i + 1 < segment.length) {
            out += literal(segment[++i]);
            continue;
        }
        const end = Object.hasOwn(GROUPS, c) && segment[i + 1] === "(" ? closing(segment, i + 1, "(", ")") : -1;
        const classEnd = c === "[" ? segment.indexOf("]", i + 2) : -1;
        if (end !== -1) {
            out += GROUPS[c](split(segment.slice(i + 2, end), "|").map(segmentText).join("|"));
            i = end;
        } else if (classEnd !== -1) {
            out += `[${segment.slice(i + 1, classEnd).replace(/^!/, "^")}]`;
            i = classEnd;
        } else if (c === "*") out += "[^/]*";
        else if (c === "?") out += "[^/]";
        else out += literal(c);
    }
    return out;
}

const normal = (pattern) => pattern.replace(/^\.\//, "").replace(/\/\/+/g, "/").replace(/(.)\/$/, "$1");
const partsOf = (pattern) => normal(pattern).split("/").filter((part, i, all) => part !== "" && !(part === "**" && all[i - 1] === "**"));

/* A whole pattern, for paths that are known: ["a", "**", "b"]. */
function patternRegExp(pattern) {
    const parts = [];
    for (const part of partsOf(pattern)) {
        if (part === "..") parts.pop();
        else if (part !== ".") parts.push(part);
    }
    let out = "";
    parts.forEach((part, i) => {
        const first = i === 0, last = i === parts.length - 1;
        if (part !== "**") out += `${first || parts[i - 1] === "**" ? "" : "\\/"}${segmentText(part)}`;
        else if (first && last) out = ".*";
        else if (first) out += "(?:.*\\/)?";
        else out += last ? "(?:\\/.*)?" : "(?:\\/[^/]+)*\\/";
    });
    return new RegExp(`^${out}$`);
}

function matcher(patterns) {
    const all = patterns.flatMap(expandBraces).map(patternRegExp);
    return (path) => all.some((re) => re.test(path));
}

/*
 * Walks from `cwd` along the patterns: list(path) gives [{ name, type }] of a directory or null, isDirectory(type) says
 * what can be entered. Returns Map: relative path -> type.
 */
function walkPatterns(patterns, cwd, list, isDirectory) {
    const found = new Map();
    const join = (base, name) => (base === "" ? name : `${base}/${name}`);
    const step = (parts, at, dir, shown, type) => {
        if (at === parts.length) return void (shown !== "" && found.set(shown, type));
        const part = parts[at];
        if (part === ".") return step(parts, at + 1, dir, shown, type);
        if (part === "..") return step(parts, at + 1, dir.slice(0, dir.lastIndexOf("/")) || "/", shown.slice(0, Math.max(0, shown.lastIndexOf("/"))), type);
        const entries = list(dir) ?? [];
        if (part === "**") {
            step(parts, at + 1, dir, shown, type);
            for (const entry of entries) {
                if (isDirectory(entry.type)) step(parts, at, `${dir === "/" ? "" : dir}/${entry.name}`, join(shown, entry.name), entry.type);
                else if (at === parts.length - 1) found.set(join(shown, entry.name), entry.type);
            }
            return undefined;
        }
        const re = new RegExp(`^${segmentText(part)}$`);
        for (const entry of entries) {
            if (!re.test(entry.name) || (at < parts.length - 1 && !isDirectory(entry.type))) continue;
            step(parts, at + 1, `${dir === "/" ? "" : dir}/${entry.name}`, join(shown, entry.name), entry.type);
        }
        return undefined;
    };
    for (const pattern of patterns.flatMap(expandBraces)) step(partsOf(pattern), 0, cwd, "", undefined);
    return found;
}

module.exports = { matcher, walkPatterns };
