/* node:path, both flavours. A path is a root and the rest; the flavours differ in what a root is. */
const { validateString, validateObject, codes: { ERR_INVALID_ARG_TYPE } } = require("./errors.js");

const cwd = () => "/"; // as upstream: only node:fs and process.chdir() know a working directory
const isSlash = (c) => c === 47;
const isAnySlash = (c) => c === 47 || c === 92;
const isLetter = (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122);

/* Resolves "." and ".." and drops double separators. */
function normalizeParts(path, allowAboveRoot, separator, isSeparator) {
    const out = [];
    let start = 0;
    for (let i = 0; i <= path.length; i++) {
        if (i < path.length && !isSeparator(path.charCodeAt(i))) continue;
        const part = path.slice(start, i);
        start = i + 1;
        if (part === "" || part === ".") continue;
        if (part !== "..") out.push(part);
        else if (out.length > 0 && out.at(-1) !== "..") out.pop();
        else if (allowAboveRoot) out.push("..");
    }
    return out.join(separator);
}

/* --- what both share --- */

function formatWith(separator) {
    return function format(object) {
        validateObject(object, "pathObject");
        const dir = object.dir || object.root;
        const extension = object.ext ? `${object.ext[0] === "." ? "" : "."}${object.ext}` : "";
        const base = object.base || `${object.name || ""}${extension}`;
        if (!dir) return base;
        return dir === object.root ? `${dir}${base}` : `${dir}${separator}${base}`;
    };
}

/* Where the last component begins and ends, trailing separators left out. */
function lastComponent(path, from, isSeparator) {
    let end = path.length;
    while (end > from && isSeparator(path.charCodeAt(end - 1))) end--;
    let start = end;
    while (start > from && !isSeparator(path.charCodeAt(start - 1))) start--;
    return [start, end];
}

function basenameFrom(path, suffix, from, isSeparator) {
    if (suffix !== undefined && suffix === path) return "";
    const [start, end] = lastComponent(path, from, isSeparator);
    const base = path.slice(start, end);
    if (suffix === undefined || suffix.length === 0 || suffix.length >= base.length && suffix !== path.slice(start)) {
        return base;
    }
    return base.endsWith(suffix) && base !== suffix ? base.slice(0, -suffix.length) : base;
}

function extensionOf(base) {
    const dot = base.lastIndexOf(".");
    return dot <= 0 || base === ".." ? "" : base.slice(dot);
}

/* --- posix --- */

const posix = {
    resolve(...args) {
        let resolved = "", absolute = false;
        for (let i = args.length - 1; i >= -1 && !absolute; i--) {
            const path = i >= 0 ? args[i] : cwd();
            if (i >= 0) validateString(path, `paths[${i}]`);
            if (path.length === 0) continue;
            resolved = `${path}/${resolved}`;
            absolute = path.charCodeAt(0) === 47;
        }
        resolved = normalizeParts(resolved, !absolute, "/", isSlash);
        if (absolute) return `/${resolved}`;
        return resolved.length > 0 ? resolved : ".";
    },

    normalize(path) {
        validateString(path, "path");
        if (path.length === 0) return ".";
        const absolute = path.charCodeAt(0) === 47, trailing = path.charCodeAt(path.length - 1) === 47;
        let text = normalizeParts(path, !absolute, "/", isSlash);
        if (text.length === 0) {
            if (absolute) return "/";
            return trailing ? "./" : ".";
        }
        if (trailing) text += "/";
        return absolute ? `/${text}` : text;
    },

    isAbsolute(path) {
        validateString(path, "path");
        return path.charCodeAt(0) === 47;
    },

    join(...args) {
        const parts = [];
        for (const arg of args) {
            validateString(arg, "path");
            if (arg.length > 0) parts.push(arg);
        }
        return parts.length === 0 ? "." : posix.normalize(parts.join("/"));
    },

    relative(from, to) {
        validateString(from, "from");
        validateString(to, "to");
        if (from === to) return "";
        const a = posix.resolve(from), b = posix.resolve(to);
        if (a === b) return "";
        const x = a.split("/").filter(Boolean), y = b.split("/").filter(Boolean);
        let same = 0;
        while (same < x.length && same < y.length && x[same] === y[same]) same++;
        return [...x.slice(same).fill(".."), ...y.slice(same)].join("/");
    },

    toNamespacedPath: (path) => path,

    dirname(path) {
        validateString(path, "path");
        if (path.length === 0) return ".";
        const absolute = path.charCodeAt(0) === 47;
        let end = -1, matched = true;
        for (let i = path.length - 1; i >= 1; --i) {
            if (path.charCodeAt(i) === 47) {
                if (!matched) {
                    end = i;
                    break;
                }
            } else matched = false;
        }
        if (end === -1) return absolute ? "/" : ".";
        if (absolute && end === 1) return "//";
        return path.slice(0, end);
    },

    basename(path, suffix = undefined) {
        if (suffix !== undefined) validateString(suffix, "suffix");
        validateString(path, "path");
        return basenameFrom(path, suffix, 0, isSlash);
    },

    extname(path) {
        validateString(path, "path");
        return extensionOf(basenameFrom(path, undefined, 0, isSlash));
    },

    format: formatWith("/"),

    parse(path) {
        validateString(path, "path");
        const root = path.startsWith("/") ? "/" : "";
        const [start, end] = lastComponent(path, root.length, isSlash);
        const base = path.slice(start, end), ext = base === ".." && root !== "" && start === 1 ? "." : extensionOf(base);
        const dir = start > root.length ? path.slice(0, start - 1) : root;
        return { root, dir, base, ext, name: base.slice(0, base.length - ext.length) };
    },

    sep: "/", delimiter: ":", win32: null, posix: null,
};

/* --- win32 --- */

/* The root: { device: "C:" or "\\\\server\\share", absolute, length: how much of the path it is }. Device paths (\\.\x) have
 * a shorter one, except where `plain` treats them as a server's. */
function windowsRoot(path, plain = false) {
    const len = path.length;
    if (len === 0) return { device: "", absolute: false, length: 0, unc: false };
    if (!isAnySlash(path.charCodeAt(0))) {
        if (len < 2 || !isLetter(path.charCodeAt(0)) || path.charCodeAt(1) !== 58) return { device: "", absolute: false, length: 0, unc: false };
        const absolute = len > 2 && isAnySlash(path.charCodeAt(2));
        return { device: path.slice(0, 2), absolute, length: absolute ? 3 : 2, unc: false };
    }
    if (len > 1 && isAnySlash(path.charCodeAt(1))) {
        let j = 2;
        while (j < len && !isAnySlash(path.charCodeAt(j))) j++;
        if (j < len && j !== 2) {
            const server = path.slice(2, j);
            const last = j;
            while (j < len && isAnySlash(path.charCodeAt(j))) j++;
            if (j < len && j !== last) {
                const begin = j;
                while (j < len && !isAnySlash(path.charCodeAt(j))) j++;
                const unc = { device: `\\\\${server}\\${path.slice(begin, j)}`, absolute: true, length: j, unc: true, whole: j === len };
                if (plain || (server !== "." && server !== "?")) return unc;
                return { device: `\\\\${server}`, absolute: true, length: 4, unc: false };
            }
        }
    }
    return { device: "", absolute: true, length: 1, unc: false };
}

const win32 = {
    resolve(...args) {
        let device = "", tail = "", absolute = false;
        for (let i = args.length - 1; i >= -1; i--) {
            let path;
            if (i >= 0) {
                path = args[i];
                validateString(path, `paths[${i}]`);
                if (path.length === 0) continue;
            } else {
                path = cwd();
                if (device.length > 0 && path.slice(0, 2).toLowerCase() !== device.toLowerCase() && path.charCodeAt(2) === 92) path = `${device}\\`;
            }
            const root = windowsRoot(path);
            if (root.device.length > 0) {
                if (device.length > 0) {
                    if (root.device.toLowerCase() !== device.toLowerCase()) continue;
                } else device = root.device;
            }
            if (absolute) {
                if (device.length > 0) break;
            } else {
                tail = `${path.slice(root.length)}\\${tail}`;
                absolute = root.absolute;
                if (absolute && device.length > 0) break;
            }
        }
        tail = normalizeParts(tail, !absolute, "\\", isAnySlash);
        return absolute ? `${device}\\${tail}` : `${device}${tail}` || ".";
    },

    normalize(path) {
        validateString(path, "path");
        const len = path.length;
        if (len === 0) return ".";
        if (len === 1) return path === "/" ? "\\" : path;
        const root = windowsRoot(path);
        if (root.unc && root.whole) return `${root.device}\\`;
        let tail = root.length < len ? normalizeParts(path.slice(root.length), !root.absolute, "\\", isAnySlash) : "";
        if (tail.length === 0 && !root.absolute) tail = ".";
        if (tail.length > 0 && isAnySlash(path.charCodeAt(len - 1))) tail += "\\";
        if (!root.absolute && root.device === "" && path.includes(":")) {
            // A relative path must not become one with a drive: "./a:b" keeps its dot.
            if (tail.length >= 2 && isLetter(tail.charCodeAt(0)) && tail.charCodeAt(1) === 58) return `.\\${tail}`;
            let at = path.indexOf(":");
            do {
                if (at === len - 1 || isAnySlash(path.charCodeAt(at + 1))) return `.\\${tail}`;
            } while ((at = path.indexOf(":", at + 1)) !== -1);
        }
        if (root.device === "") return root.absolute ? `\\${tail}` : tail;
        return root.absolute ? `${root.device}\\${tail}` : `${root.device}${tail}`;
    },

    isAbsolute(path) {
        validateString(path, "path");
        if (path.length === 0) return false;
        return isAnySlash(path.charCodeAt(0)) ||
            (path.length > 2 && isLetter(path.charCodeAt(0)) && path.charCodeAt(1) === 58 && isAnySlash(path.charCodeAt(2)));
    },

    join(...args) {
        const parts = [];
        for (const arg of args) {
            validateString(arg, "path");
            if (arg.length > 0) parts.push(arg);
        }
        if (parts.length === 0) return ".";
        let joined = parts.join("\\");
        const first = parts[0];
        let needsReplace = true, slashes = 0;
        if (isAnySlash(first.charCodeAt(0))) {
            ++slashes;
            if (first.length > 1 && isAnySlash(first.charCodeAt(1))) {
                ++slashes;
                if (first.length > 2) {
                    if (isAnySlash(first.charCodeAt(2))) ++slashes;
                    else needsReplace = false;
                }
            }
        }
        if (needsReplace) {
            while (slashes < joined.length && isAnySlash(joined.charCodeAt(slashes))) slashes++;
            if (slashes >= 2) joined = `\\${joined.slice(slashes)}`;
        }
        return win32.normalize(joined);
    },

    relative(from, to) {
        validateString(from, "from");
        validateString(to, "to");
        if (from === to) return "";
        const a = win32.resolve(from), b = win32.resolve(to);
        if (a.toLowerCase() === b.toLowerCase()) return "";
        const trim = (s) => s.replace(/^\\+|\\+$/g, "");
        const x = trim(a).split("\\"), y = trim(b).split("\\");
        const unc = a.startsWith("\\\\");
        let same = 0;
        while (same < x.length && same < y.length && x[same].toLowerCase() === y[same].toLowerCase()) same++;
        if (same === 0 || (unc && same === 1)) return b;
        return [...x.slice(same).filter(Boolean).fill(".."), ...y.slice(same)].join("\\");
    },

    toNamespacedPath(path) {
        if (typeof path !== "string" || path.length === 0) return path;
        const resolved = win32.resolve(path);
        if (resolved.length <= 2) return path;
        if (resolved.startsWith("\\\\")) {
            const c = resolved[2];
            if (c !== "?" && c !== ".") return `\\\\?\\UNC\\${resolved.slice(2)}`;
        } else if (/^[A-Za-z]:\\/.test(resolved)) return `\\\\?\\${resolved}`;
        return resolved;
    },

    dirname(path) {
        validateString(path, "path");
        if (path.length === 0) return ".";
        if (path.length === 1) return isAnySlash(path.charCodeAt(0)) ? path : ".";
        const root = windowsRoot(path, true);
        let rootEnd = root.length > 0 ? root.length : -1, offset = Math.max(0, root.length);
        if (root.unc) {
            if (root.whole) return path;
            rootEnd = offset = root.length + 1;
        }
        let end = -1, matched = true;
        for (let i = path.length - 1; i >= offset; --i) {
            if (isAnySlash(path.charCodeAt(i))) {
                if (!matched) {
                    end = i;
                    break;
                }
            } else matched = false;
        }
        if (end === -1) {
            if (rootEnd === -1) return ".";
            end = rootEnd;
        }
        return path.slice(0, end);
    },

    basename(path, suffix = undefined) {
        if (suffix !== undefined) validateString(suffix, "suffix");
        validateString(path, "path");
        const from = path.length >= 2 && isLetter(path.charCodeAt(0)) && path.charCodeAt(1) === 58 ? 2 : 0;
        return basenameFrom(path, suffix, from, isAnySlash);
    },

    extname(path) {
        return extensionOf(win32.basename(path));
    },

    format: formatWith("\\"),

    parse(path) {
        validateString(path, "path");
        if (path.length === 0) return { root: "", dir: "", base: "", ext: "", name: "" };
        const found = windowsRoot(path, true);
        let end = found.length;
        if (found.unc && !found.whole) end = found.length + 1;
        const root = path.slice(0, end);
        if (end === path.length && root !== "") return { root, dir: root, base: "", ext: "", name: "" };
        const [start, stop] = lastComponent(path, end, isAnySlash);
        const base = path.slice(start, stop), ext = extensionOf(base);
        const dir = start > end ? path.slice(0, start - 1) : root;
        return { root, dir, base, ext, name: base.slice(0, base.length - ext.length) };
    },

    sep: "\\", delimiter: ";", win32: null, posix: null,
};

function matchesGlob(path, pattern) {
    validateString(path, "path");
    validateString(pattern, "pattern");
    return require("./fs_glob.js").matcher([pattern])(path);
}

posix.matchesGlob = win32.matchesGlob = matchesGlob;
posix._makeLong = posix.toNamespacedPath;
win32._makeLong = win32.toNamespacedPath;
posix.win32 = win32.win32 = win32;
posix.posix = win32.posix = posix;

module.exports = posix;
