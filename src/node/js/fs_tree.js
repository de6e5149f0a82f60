/*
 * The file system of a Worker: /bundle (its modules, read-only), /tmp (in memory, as long as the request) and /dev.
 * Everything here is synchronous and throws errors like the system's; fs.js gives it Node's shapes.
 */
const { getSystemErrorMessage, uvError: systemError } = require("./util.js");
const { context } = web;
const path = require("./path.js");

const SYMLINKS_MAX = 40, FILE_MAX = 128 * 1024 * 1024;
const IFREG = 0o100000, IFDIR = 0o040000, IFLNK = 0o120000, IFCHR = 0o020000;
let nextInode = 1;

/* As upstream's: the place is named only with a path, the code is not in the text. */
function uvError(code, syscall, extra = {}) {
    const error = systemError(code, syscall, extra), text = getSystemErrorMessage(error.errno);
    error.message = code === "ELOOP" ? "symlink depth exceeded" : extra.path === undefined ? text : `${text}, ${syscall} '${extra.path}'`;
    return error;
}

class Node {
    constructor(type, mode, writable = true) {
        this.type = type;
        this.mode = mode;
        this.writable = writable;
        this.ino = nextInode++;
        this.nlink = 1;
        this.mtimeMs = this.birthtimeMs = 0; // writing does not change them, as upstream
    }

    get size() { return 0; }
}

class Directory extends Node {
    constructor(writable = true) {
        super(IFDIR, writable ? 0o777 : 0o555, writable);
        this.children = new Map();
    }
}

class FileNode extends Node {
    constructor(load = null) {
        super(IFREG, load === null ? 0o666 : 0o444, load === null);
        this.load = load;
        this.bytes = new Uint8Array(0);
        this.length = 0;
    }

    content() {
        if (this.load !== null) {
            const value = this.load();
            this.bytes = typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value);
            this.length = this.bytes.length;
            this.load = null;
        }
        return this.bytes.subarray(0, this.length);
    }

    get size() { return this.content().length; }

    resize(length) {
        this.content();
        if (length > FILE_MAX) throw Object.assign(uvError("EPERM", "write"), { message: "File size limit exceeded" });
        if (length > this.bytes.length) {
            const grown = new Uint8Array(Math.max(length, Math.min(FILE_MAX, this.bytes.length * 2)));
            grown.set(this.bytes.subarray(0, this.length));
            this.bytes = grown;
        }
        if (length < this.length) this.bytes.fill(0, length, this.length);
        this.length = length;
    }

    read(into, position) {
        const part = this.content().subarray(position, position + into.length);
        into.set(part);
        return part.length;
    }

    write(from, position) {
        if (position + from.length > this.size) this.resize(position + from.length);
        this.bytes.set(from, position);
        return from.length;
    }
}

class Link extends Node {
    constructor(target) {
        super(IFLNK, 0o444, false);
        this.target = target;
    }

    get size() { return this.target.length; }
}

class Device extends Node {
    constructor(name) {
        super(IFCHR, 0o666);
        this.name = name;
    }

    read(into) {
        if (this.name === "null") return 0;
        if (this.name === "random") for (let i = 0; i < into.length; i += 65536) crypto.getRandomValues(into.subarray(i, i + 65536));
        else into.fill(0);
        return into.length;
    }

    content() { return new Uint8Array(0); }

    write(from) {
        if (this.name === "full") throw uvError("ENOSPC", "write");
        return from.length;
    }

    resize(length) {
        if (this.name === "full" && length > 0) throw uvError("ENOSPC", "write");
    }
}

/* Standard input, output and error: what is written goes where process.stdout and process.stderr do. */
class Stdio extends Device {
    constructor(name) {
        super(name);
        this.type = IFREG;
    }

    read() { return 0; }
    write(from) {
        if (this.name !== "stdin") require("./process.js")[this.name]?.write(Uint8Array.from(from));
        return from.length;
    }

    resize() {}
}

/* --- the roots --- */

const root = new Directory(false);
const bundle = new Directory(false), dev = new Directory(false);
root.children.set("bundle", bundle).set("dev", dev);
for (const name of ["null", "zero", "full", "random"]) dev.children.set(name, new Device(name));

const isFileName = (name) => new URL(name, "file:///").protocol === "file:"; // other modules have no place here
for (const module of (web.spec.modules ?? []).filter(({ name }) => isFileName(name))) {
    const parts = path.normalize(`/${module.name}`).split("/").filter(Boolean);
    let at = bundle;
    for (const part of parts.slice(0, -1)) {
        if (!at.children.has(part)) at.children.set(part, new Directory(false));
        at = at.children.get(part);
    }
    const kind = module.type === "text" || module.type === "json" ? "text" : "data";
    if (parts.length > 0) at.children.set(parts.at(-1), new FileNode(() => web.readFile(module.file, kind)));
}
if (typeof web.spec.main === "string" && !bundle.children.has(path.basename(web.spec.main)))
    bundle.children.set(path.basename(web.spec.main), new FileNode(() => web.readFile(web.spec.code ?? "linked.js", "text")));

/* /tmp belongs to the request. */
const perRequest = new WeakMap();
const globalTmp = new Directory();
function tmp() {
    const request = context.current;
    if (request === null) return globalTmp;
    let dir = perRequest.get(request);
    if (dir === undefined) perRequest.set(request, (dir = new Directory()));
    return dir;
}

const childOf = (dir, name) => (dir === root && name === "tmp" ? tmp() : dir.children.get(name));

/* --- paths: those of file: URLs, as upstream --- */

const PATH_MAX = 4096, SEGMENTS_MAX = 48;

/* Percent signs have one case; empty segments are none. */
const plain = (pathname) => pathname.replace(/%[0-9a-f]{2}/gi, (hex) => hex.toUpperCase());

function toPath(value, name = "path") {
    const { codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE } } = require("./errors.js");
    let url = value;
    if (!(value instanceof URL)) {
        const text = ArrayBuffer.isView(value) ? new TextDecoder().decode(value) : value;
        if (typeof text !== "string") throw new ERR_INVALID_ARG_TYPE(name, ["string", "Buffer", "URL"], value);
        if (text.includes("\0")) throw new ERR_INVALID_ARG_VALUE(name, text, "must not contain null bytes");
        const escaped = text.replace(/[#?]/g, encodeURIComponent).replace(/\/\//g, "/");
        url = new URL(escaped, escaped.startsWith("/") ? "file://" : `file://${require("./process.js").cwd()}/`);
    }
    if (url.protocol !== "file:") throw new TypeError("File path must be a file: URL");
    if (url.host !== "") throw new Error("File path must not have a host");
    const { pathname } = url;
    if (pathname.length > PATH_MAX) throw new Error("File path is too long");
    if (pathname.split("/").length - 1 > SEGMENTS_MAX) throw new Error("File path has too many segments");
    return plain(pathname);
}

const segments = (text) => text.split("/").filter(Boolean);
const namesOf = (dir) => (dir === root ? ["bundle", "tmp", "dev"] : [...dir.children.keys()]); // upstream's order

/* { parent, name, node }: node undefined when it is not there, code set when the way to it is none. */
function walk(text, follow = true) {
    let links = 0, node = root, parent = null, name = "";
    let rest = segments(text);
    while (rest.length > 0) {
        name = rest.shift();
        if (node.type !== IFDIR) return { parent: node, name, node: undefined, code: "ENOTDIR" };
        parent = node;
        node = childOf(parent, name);
        if (node === undefined) return rest.length === 0 ? { parent, name, node } : { name: rest.at(-1), node, code: "ENOENT" };
        if (node.type === IFLNK && (follow || rest.length > 0)) {
            if (++links > SYMLINKS_MAX) return { parent, name, node: undefined, code: "ELOOP" };
            rest = [...segments(node.target), ...rest];
            node = root;
        }
    }
    return { parent, name, node };
}

module.exports = { uvError, root, Directory, FileNode, Link, Device, Stdio, toPath, walk, namesOf, childOf, IFREG, IFDIR, IFLNK, IFCHR, FILE_MAX };
