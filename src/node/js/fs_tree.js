/*
 * The file system of a Worker: /bundle (its modules, read-only), /tmp (in memory, as long as the request) and /dev.
 * Everything here is synchronous and throws errors like the system's; fs.js gives it Node's shapes.
 */
const { uvError } = require("./util.js");
const { context } = web;
const path = require("./path.js");

const SYMLINKS_MAX = 40, FILE_MAX = 128 * 1024 * 1024;
const IFREG = 0o100000, IFDIR = 0o040000, IFLNK = 0o120000, IFCHR = 0o020000;
let nextInode = 1;

class Node {
    constructor(type, mode, writable = true) {
        this.type = type;
        this.mode = mode;
        this.writable = writable;
        this.ino = nextInode++;
        this.nlink = 1;
        this.atimeMs = this.mtimeMs = this.ctimeMs = this.birthtimeMs = context.current === null ? 0 : Date.now();
    }

    touch() {
        this.mtimeMs = this.ctimeMs = Date.now();
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
        if (length > FILE_MAX) throw uvError("ENOSPC", "write");
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
        this.touch();
        return from.length;
    }
}

class Link extends Node {
    constructor(target) {
        super(IFLNK, 0o777);
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
        if (this.name === "random") crypto.getRandomValues(into.subarray(0, Math.min(into.length, 65536)));
        else into.fill(0);
        return this.name === "random" ? Math.min(into.length, 65536) : into.length;
    }

    write(from) {
        if (this.name === "full") throw uvError("ENOSPC", "write");
        return from.length;
    }

    resize() {}
}

/* --- the roots --- */

const root = new Directory(false);
const bundle = new Directory(false), dev = new Directory(false);
root.children.set("bundle", bundle).set("dev", dev);
for (const name of ["null", "zero", "full", "random"]) dev.children.set(name, new Device(name));

for (const module of web.spec.modules ?? []) {
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

/* --- walking --- */

function toPath(value, name = "path") {
    const { codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE } } = require("./errors.js");
    let text = value;
    if (value instanceof URL) text = require("./url.js").fileURLToPath(value);
    else if (ArrayBuffer.isView(value)) text = new TextDecoder().decode(value);
    if (typeof text !== "string") throw new ERR_INVALID_ARG_TYPE(name, ["string", "Buffer", "URL"], value);
    if (text.includes("\0")) throw new ERR_INVALID_ARG_VALUE(name, value, "must be a string, Uint8Array, or URL without null bytes");
    return text;
}

/* { parent, name, node, full }; node undefined when the last part is not there. */
function walk(text, follow, syscall) {
    let links = 0;
    const shown = text;
    const fail = (code) => uvError(code, syscall, { path: shown });
    if (text === "") throw fail("ENOENT");
    let rest = path.resolve(require("./process.js").cwd(), text).split("/").filter(Boolean);
    let parent = null, node = root, full = [];
    while (rest.length > 0) {
        const name = rest.shift();
        if (name === "..") {
            full.pop();
            node = full.reduce((dir, part) => childOf(dir, part), root);
            continue;
        }
        if (node === undefined) throw fail("ENOENT");
        if (node.type !== IFDIR) throw fail("ENOTDIR");
        parent = node;
        node = childOf(parent, name);
        full.push(name);
        if (node !== undefined && node.type === IFLNK && (follow || rest.length > 0)) {
            if (++links > SYMLINKS_MAX) throw fail("ELOOP");
            const { target } = node;
            full.pop();
            if (target.startsWith("/")) full = [];
            node = target.startsWith("/") ? root : parent;
            rest = [...target.split("/").filter((part) => part !== "" && part !== "."), ...rest];
        }
        if (node === undefined && rest.length > 0) throw fail("ENOENT");
    }
    return { parent, name: full.at(-1), node, full: `/${full.join("/")}` };
}

module.exports = { root, Directory, FileNode, Link, Device, toPath, walk, tmp, IFREG, IFDIR, IFLNK, IFCHR };
