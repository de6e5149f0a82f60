/*
 * The operations of node:fs. Each is { check, run }: check(…arguments) throws what is wrong with them and gives a list,
 * run(…list) does it. fs.js and fs_promises.js make the three forms of them.
 */
const { Buffer } = require("./buffer.js");
const C = require("./fs_constants.js");
const check = require("./fs_check.js");
const { uvError, Directory, FileNode, Link, Stdio, toPath, walk, namesOf, childOf, IFREG, IFDIR, IFLNK, IFCHR } = require("./fs_tree.js");

const POSITION_MAX = 2 ** 32 - 1;

/* --- Stats, Dirent --- */

const secret = Symbol("Stats");
const TIMES = { atime: "atimeMs", mtime: "mtimeMs", ctime: "mtimeMs", birthtime: "birthtimeMs" };

class Stats {
    constructor(badge, node, bigint) {
        if (badge !== secret) throw new TypeError("Illegal constructor");
        const n = bigint ? (v) => BigInt(Math.trunc(v)) : (v) => v;
        this.dev = n(node.type === IFCHR ? 1 : 0);
        this.mode = n(node.type | 0o444 | (node.writable ? 0o222 : 0));
        this.nlink = n(1);
        this.uid = n(0);
        this.gid = n(0);
        this.rdev = n(0);
        this.blksize = n(0);
        this.ino = n(0);
        this.size = n(node.type === IFLNK ? 0 : node.size);
        this.blocks = n(0);
        for (const [key, of] of Object.entries(TIMES)) {
            const ms = key === "atime" ? 0 : node[of];
            this[`${key}Ms`] = n(ms);
            if (bigint) this[`${key}Ns`] = BigInt(Math.trunc(ms)) * 1000000n;
            this[key] = new Date(ms);
        }
    }

    isFile() { return isType(this, IFREG); }
    isDirectory() { return isType(this, IFDIR); }
    isSymbolicLink() { return isType(this, IFLNK); }
    isCharacterDevice() { return isType(this, IFCHR); }
    isBlockDevice() { return false; }
    isFIFO() { return false; }
    isSocket() { return false; }
}
const isType = (stats, type) => (Number(stats.mode) & 0o170000) === type;

const KINDS = { [IFREG]: C.UV_DIRENT_FILE, [IFDIR]: C.UV_DIRENT_DIR, [IFLNK]: C.UV_DIRENT_LINK, [IFCHR]: C.UV_DIRENT_CHAR };

class Dirent {
    #type;

    constructor(name, type, parentPath) {
        this.name = name;
        this.parentPath = parentPath;
        this.#type = type;
    }

    isFile() { return this.#type === C.UV_DIRENT_FILE; }
    isDirectory() { return this.#type === C.UV_DIRENT_DIR; }
    isSymbolicLink() { return this.#type === C.UV_DIRENT_LINK; }
    isCharacterDevice() { return this.#type === C.UV_DIRENT_CHAR; }
    isBlockDevice() { return this.#type === C.UV_DIRENT_BLOCK; }
    isFIFO() { return this.#type === C.UV_DIRENT_FIFO; }
    isSocket() { return this.#type === C.UV_DIRENT_SOCKET; }
}

/* --- helpers --- */

/* Its own sentence in place of the usual one. */
function failure(code, syscall, message, extra = {}) {
    return Object.assign(uvError(code, syscall, extra), { message });
}

/* What stands at `text`, or the error that says why it cannot be reached. */
function find(text, syscall, follow = true) {
    const found = walk(text, follow);
    if (found.code !== undefined) throw uvError(found.code, syscall, { path: text });
    if (found.node === undefined) throw uvError("ENOENT", syscall, { path: text });
    return found;
}

/* The place for something new: its parent is a directory that can be written. */
function place(text, syscall) {
    const found = walk(text, true);
    if (found.code !== undefined) throw uvError(found.code, syscall, { path: text });
    if (found.node === undefined) mustWrite(found, syscall, text);
    return found;
}

function mustWrite(found, syscall, text) {
    if (!found.parent?.writable) throw uvError("EPERM", syscall, { path: text });
}

function add(found, node) {
    found.parent.children.set(found.name, node);
}

function remove(found) {
    found.parent.children.delete(found.name);
}

const encoded = (text, encoding) => (encoding === "buffer" ? Buffer.from(text) : encoding === "utf8" || !encoding ? text : Buffer.from(text).toString(encoding));

/* --- descriptors --- */

const open_files = new Map();
["stdin", "stdout", "stderr"].forEach((name, fd) => open_files.set(fd, { node: new Stdio(name), bits: fd === 0 ? C.O_RDWR : C.O_RDWR | C.O_APPEND, position: 0 }));
let nextFd = 3;

function file(fd, syscall) {
    const found = open_files.get(fd);
    if (found === undefined) throw uvError("EBADF", syscall);
    return found;
}

const reads = ({ bits }) => (bits & 3) !== C.O_WRONLY;
const writes = ({ bits }) => (bits & 3) !== C.O_RDONLY || (bits & C.O_APPEND) !== 0;

function openNode(text, bits) {
    const found = place(text, "open"), writing = writes({ bits });
    if (found.node === undefined) {
        if (!(bits & C.O_CREAT)) throw uvError("ENOENT", "open", { path: text });
        const node = new FileNode();
        add(found, node);
        return node;
    }
    const { node } = found;
    if (bits & C.O_EXCL && writing) throw uvError("EEXIST", "open", { path: text });
    if (node.type === IFDIR && writing) throw uvError("EISDIR", "open", { path: text });
    if (writing && !node.writable) throw uvError("EPERM", "open", { path: text });
    if (bits & C.O_TRUNC && node.type === IFREG) node.resize(0);
    return node;
}

function inRange(position, syscall) {
    if (position !== null && position > POSITION_MAX) throw failure("EINVAL", syscall, "position out of range");
    return position;
}

function readInto(fd, buffers, position) {
    const f = file(fd, "read");
    if (!reads(f)) throw uvError("EBADF", "read");
    if (f.node.type === IFDIR) throw uvError("EISDIR", "read");
    let at = inRange(position, "read") ?? f.position, total = 0;
    for (const b of buffers) {
        const bytes = new Uint8Array(b.buffer, b.byteOffset, b.byteLength), n = f.node.read(bytes, at);
        at += n;
        total += n;
        if (n < bytes.length) break;
    }
    if (position === null) f.position += total;
    return total;
}

function writeFrom(fd, buffers, position) {
    const f = file(fd, "write"); // also one that was opened for reading, as upstream
    if (f.node.type === IFDIR) throw uvError("EISDIR", "write");
    const append = (f.bits & C.O_APPEND) !== 0;
    let at = append ? f.node.size : inRange(position, "write") ?? f.position, total = 0;
    for (const b of buffers) {
        const n = f.node.write(new Uint8Array(b.buffer, b.byteOffset, b.byteLength), at);
        at += n;
        total += n;
    }
    if (position === null && !append) f.position += total;
    return total;
}

/* A number is a descriptor, everything else a path. */
const target = (value) => (typeof value === "number" ? check.fdOf(value) : toPath(value));

function readAll(where) {
    if (typeof where === "string") {
        const { node } = find(where, "readAll");
        if (node.type === IFDIR) throw uvError("EISDIR", "readAll");
        return node.content();
    }
    const f = file(where, "fread");
    if (!reads(f) || f.node.type === IFDIR) throw uvError("EBADF", "fread");
    const bytes = f.node.content();
    f.position = bytes.length;
    return bytes;
}

function replaceContent(node, bytes, append) {
    if (append) return node.write(bytes, node.size);
    node.resize(0);
    return node.write(bytes, 0);
}

function writeAll(where, { bytes, append, exclusive }) {
    if (typeof where === "string") {
        const found = place(where, "writeAll");
        if (found.node === undefined) add(found, new FileNode());
        else if (exclusive) throw failure("EEXIST", "writeAll", "file already exists");
        const node = found.node ?? childOf(found.parent, found.name);
        if (node.type === IFDIR) throw uvError("EISDIR", "writeAll");
        if (!node.writable) throw uvError("EPERM", "writeAll");
        return replaceContent(node, bytes, append);
    }
    const f = file(where, "fwrite");
    if (!writes(f) || f.node.type === IFDIR) throw uvError("EBADF", "fwrite");
    const n = replaceContent(f.node, bytes, append || (f.bits & C.O_APPEND) !== 0);
    f.position = f.node.size;
    return n;
}

function setTimes(node, mtime) {
    if (node.type !== IFREG) return;
    if (!node.writable) throw uvError("EPERM", "futimes");
    node.mtimeMs = mtime;
}

/* --- what the pairs share --- */

const onPath = (more = () => []) => (value, ...rest) => [toPath(value), ...more(...rest)];
const onFd = (more = () => []) => (fd, ...rest) => [check.fdOf(fd), ...more(...rest)];
/* mode or owner of the files here are not kept: only whether the file is there counts. */
const changeAt = (syscall, rules, follow) => ({
    check(value, ...rest) {
        rules(...rest);
        return [toPath(value)];
    },
    run: (text) => {
        const { code, node } = walk(text, follow);
        if (code !== undefined || node === undefined) throw uvError("ENOENT", syscall, { path: text });
    },
});
const changeOf = (syscall, rules, statFails = true) => ({
    check(fd, ...rest) {
        const known = check.fdOf(fd);
        rules(...rest);
        return [known];
    },
    run: (fd) => void file(fd, statFails ? "fstat" : syscall),
});
const modeRules = (mode) => check.fileMode(mode, "mode");
const times = (atime, mtime) => {
    check.timeOf(atime);
    return [check.timeOf(mtime)];
};

function statAt(syscall, follow) {
    return {
        check: onPath((options) => [check.statOptions(options)]),
        run(text, { bigint, throwIfNoEntry }) {
            const { code, node } = walk(text, follow);
            if (code !== undefined && code !== "ENOENT") throw uvError(code, "stat");
            if (node !== undefined) return new Stats(secret, node, bigint);
            if (throwIfNoEntry) throw uvError("ENOENT", syscall, { path: text });
            return undefined;
        },
    };
}

function linkTo(existing, text, make) {
    const at = walk(text, true);
    if (at.node !== undefined) throw failure("EEXIST", "link", "File already exists");
    if (text.endsWith("/")) throw failure("EINVAL", "link", "Invalid filename");
    if (at.code === "ENOTDIR") throw failure("EINVAL", "link", "Not a directory");
    if (at.code !== undefined) throw failure("ENOENT", "link", "Directory does not exist", { path: existing });
    const node = make();
    mustWrite(at, "link", undefined);
    add(at, node);
}

function existingNode(text) {
    const { node } = walk(text, false);
    if (node === undefined) throw failure("ENOENT", "link", "File not found", { path: text });
    if (node.type === IFDIR) throw failure("EPERM", "link", "Cannot hardlink to a directory");
    return node;
}

function move(from, to, copy) {
    const op = copy ? "copy" : "rename";
    const at = walk(to, true);
    if (at.node?.type === IFDIR) throw uvError("EISDIR", op);
    if (at.code !== undefined) throw uvError(at.code, op, at.code === "ENOENT" ? { path: at.name } : {});
    const source = walk(from, copy);
    if (source.code !== undefined || source.node === undefined) throw uvError(source.code ?? "ENOENT", op, { path: from });
    if (!copy) mustWrite(source, op);
    if (copy && source.node.type === IFDIR) throw uvError("EISDIR", op);
    mustWrite(at, op);
    if (copy) {
        const node = new FileNode();
        node.write(source.node.content(), 0);
        add(at, node);
    } else {
        if (`${to}/`.startsWith(`${from}/`)) throw uvError("EINVAL", op);
        remove(source);
        add(at, source.node);
    }
}

let temporary = 0; // counts names of mkdtemp

function makeDirectories(text) {
    let at = "", first;
    for (const part of text.split("/").filter(Boolean)) {
        at += `/${part}`;
        const found = walk(at, false);
        if (found.node?.type === IFDIR) continue;
        if (found.node !== undefined) throw uvError(at === text ? "EEXIST" : "ENOTDIR", "mkdir");
        mustWrite(found, "mkdir");
        add(found, new Directory());
        first ??= at;
    }
    return first === text ? undefined : first;
}

function makeDirectory(text, recursive) {
    const { node } = walk(text, false);
    if (node?.type === IFDIR) return undefined;
    if (node !== undefined) throw uvError("EEXIST", "mkdir");
    if (recursive) return makeDirectories(text);
    const found = walk(text, true);
    if (found.code !== undefined) throw uvError(found.code, "mkdir", found.code === "ENOENT" ? { path: found.name } : {});
    mustWrite(found, "mkdir");
    add(found, new Directory());
    return undefined;
}

function removeAt(text, recursive, onlyDirectories) {
    const found = walk(text, false);
    if (found.code === "ENOTDIR") throw uvError("ENOTDIR", "rm", { path: found.name });
    if (found.code !== undefined) throw uvError("ENOENT", "rm", { path: found.name });
    mustWrite(found, "rm");
    if (found.node === undefined) {
        if (onlyDirectories) throw uvError("ENOENT", "rm", { path: found.name });
        return;
    }
    if (onlyDirectories && found.node.type !== IFDIR && walk(text).node?.type !== IFDIR) throw uvError("ENOTDIR", "rm");
    if (found.node.type === IFDIR && !recursive && found.node.children.size > 0) throw uvError("ENOTEMPTY", "rm", { path: found.name });
    remove(found);
}

/* [{ name, parentPath, type }] */
function entriesOf(text, recursive) {
    const { node } = find(text, "readdir", false);
    if (node.type === IFLNK) throw uvError("EINVAL", "readdir", { path: text });
    if (node.type !== IFDIR) throw uvError("ENOTDIR", "readdir", { path: text });
    const out = [], seen = new Set();
    const list = (dir, at, shown) => {
        if (seen.has(dir)) throw uvError("ELOOP", "readdir");
        seen.add(dir);
        for (const name of namesOf(dir)) {
            const child = childOf(dir, name), full = shown === "" ? name : `${shown}/${name}`;
            out.push({ name: recursive ? full : name, parentPath: at, type: KINDS[child.type] });
            const to = recursive && child.type === IFLNK ? walk(child.target).node : child;
            if (recursive && to?.type === IFDIR) list(to, at === "/" ? `/${name}` : `${at}/${name}`, full);
        }
        seen.delete(dir);
    };
    const clean = `/${text.split("/").filter(Boolean).join("/")}`;
    list(node, clean, clean.slice(1));
    return out;
}

const filesystem = (bigint) => Object.fromEntries(["type", "bsize", "blocks", "bfree", "bavail", "files", "ffree"].map((name) => [name, bigint ? 0n : 0]));

/* --- the table --- */

const ops = {
    access: {
        check: onPath((mode) => [check.accessMode(mode)]),
        run(text, mode) {
            const { node } = walk(text);
            if (mode & C.X_OK || node === undefined || (mode & C.W_OK && !node.writable)) throw uvError("ENOENT", "access", { path: text });
        },
    },
    appendFile: { check: (value, data, options) => [target(value), check.fileContent(data, options, "a")], run: writeAll },
    chmod: changeAt("chmod", modeRules, true),
    chown: changeAt("chown", check.owner, true),
    close: { check: onFd(), run: (fd) => void (fd > 2 && open_files.delete(fd)) },
    copyFile: {
        check: (from, to, mode) => [toPath(from), toPath(to), check.copyMode(mode)],
        run(from, to, mode) {
            if (mode & C.COPYFILE_EXCL && walk(to).node !== undefined) throw uvError("EEXIST", "copyFile", { path: to });
            move(from, to, true);
        },
    },
    cp: { check: (from, to, options) => [check.copyOptions(options), toPath(from), toPath(to)], run: (options, from, to) => require("./fs_copy.js")(from, to, options) },
    fchmod: changeOf("fchmod", modeRules),
    fchown: changeOf("fchown", check.owner),
    fdatasync: { check: onFd(), run: (fd) => void file(fd, "fstat") },
    fstat: { check: onFd((options) => [check.statOptions(options)]), run: (fd, { bigint }) => new Stats(secret, file(fd, "fstat").node, bigint) },
    fsync: { check: onFd(), run: (fd) => void file(fd, "fstat") },
    ftruncate: {
        check: (fd, length) => [check.lengthOf(length), check.fdOf(fd)],
        run(length, fd) {
            const { node } = file(fd, "ftruncate");
            if (node.type === IFDIR) throw uvError("EISDIR", "ftruncate");
            if (!node.writable) throw uvError("EPERM", "ftruncate");
            node.resize(length);
        },
    },
    futimes: { check: (fd, atime, mtime) => [...times(atime, mtime), check.fdOf(fd)], run: (mtime, fd) => setTimes(file(fd, "futimes").node, mtime) },
    lchmod: changeAt("lchmod", modeRules, false),
    lchown: changeAt("lchown", check.owner, false),
    link: { check: (existing, value) => [toPath(existing), toPath(value)], run: (existing, text) => linkTo(existing, text, () => existingNode(existing)) },
    lstat: statAt("lstat", false),
    lutimes: { check: (value, atime, mtime) => [...times(atime, mtime), toPath(value)], run: (mtime, text) => setTimes(find(text, "utimes", false).node, mtime) },
    mkdir: { check: (value, options) => [check.mkdirOptions(options), toPath(value)], run: (recursive, text) => makeDirectory(text, recursive) },
    mkdtemp: {
        check: (prefix, options) => [check.encodingOf(options), toPath(prefix)],
        run(encoding, prefix) {
            const text = `${prefix}${temporary++}`;
            makeDirectory(text, false);
            return encoded(text, encoding);
        },
    },
    open: {
        check(value, flags = "r", mode = 0o666) {
            check.fileMode(mode, "mode", 0o666);
            return [toPath(value), check.flagsOf(flags)];
        },
        run(text, bits) {
            const node = openNode(text, bits), fd = nextFd++;
            open_files.set(fd, { node, bits, position: 0 });
            return fd;
        },
    },
    read: { check: onFd(check.readTarget), run: (fd, bytes, position) => (bytes.length === 0 ? 0 : readInto(fd, [bytes], position)) },
    readFile: {
        check(value, options) {
            const encoding = check.encodingOf(options, null);
            if (typeof options === "object" && options !== null) check.flagsOf(options.flag);
            return [target(value), encoding];
        },
        run(where, encoding) {
            const bytes = Buffer.from(readAll(where));
            return encoding === null || encoding === "buffer" ? bytes : bytes.toString(encoding);
        },
    },
    readdir: {
        check: onPath((options) => [check.listOptions(options)]),
        run: (text, { encoding, withFileTypes, recursive }) => entriesOf(text, recursive).map(({ name, type, parentPath }) =>
            (withFileTypes ? new Dirent(encoding === "buffer" ? Buffer.from(name) : name, type, parentPath) : encoded(name, encoding))),
    },
    readlink: {
        check: onPath((options) => [check.encodingOf(options)]),
        run(text, encoding) {
            const { node } = find(text, "readlink", false);
            if (node.type !== IFLNK) throw uvError("EINVAL", "readlink");
            return encoded(node.target, encoding);
        },
    },
    readv: { check: onFd((buffers, position = null) => [check.bufferArray(buffers), check.position(position)]), run: readInto },
    realpath: {
        check: onPath((options) => [check.encodingOf(options)]),
        run(text, encoding) {
            const { node } = find(text, "readlink", false);
            return encoded(node.type === IFLNK ? node.target : `/${text.split("/").filter(Boolean).join("/")}`, encoding);
        },
    },
    rename: { check: (from, to) => [toPath(from), toPath(to)], run: (from, to) => move(from, to, false) },
    rm: { check: (value, options) => [check.removeOptions(options), toPath(value)], run: ({ recursive }, text) => removeAt(text, recursive, false) },
    rmdir: { check: (value, options) => [check.removeOptions(options), toPath(value)], run: ({ recursive }, text) => removeAt(text, recursive, true) },
    stat: statAt("stat", true),
    statfs: { check: onPath((options) => [check.statOptions(options)]), run: (text, { bigint }) => filesystem(bigint) },
    symlink: {
        check(to, value, type) {
            check.linkType(type ?? null);
            return [toPath(to), toPath(value)];
        },
        run: (to, text) => linkTo(to, text, () => new Link(to)),
    },
    truncate: {
        check: (value, length) => [check.lengthOf(length), toPath(value)],
        run(length, text) {
            const { node } = find(text, "ftruncate");
            if (node.type === IFDIR) throw uvError("EISDIR", "ftruncate");
            if (!node.writable) throw uvError("EPERM", "ftruncate");
            node.resize(length);
        },
    },
    unlink: {
        check: onPath(),
        run(text) {
            const found = walk(text, false);
            if (found.code === "ENOTDIR") throw failure("ENOTDIR", "unlink", "Parent path is not a directory");
            if (found.node === undefined) throw failure("ENOENT", "unlink", "File not found", { path: found.name });
            if (found.node.type === IFDIR) throw failure("EISDIR", "unlink", "Cannot unlink a directory");
            mustWrite(found, "unlink");
            remove(found);
        },
    },
    utimes: { check: (value, atime, mtime) => [...times(atime, mtime), toPath(value)], run: (mtime, text) => setTimes(find(text, "utimes").node, mtime) },
    write: { check: onFd(check.writeSource), run: (fd, bytes, position) => writeFrom(fd, [bytes], position) },
    writeFile: { check: (value, data, options) => [target(value), check.fileContent(data, options)], run: writeAll },
    writev: { check: onFd((buffers, position = null) => [check.bufferArray(buffers), check.position(position)]), run: writeFrom },
};

const run = (name, ...args) => ops[name].run(...ops[name].check(...args));

function exists(value) {
    try {
        run("access", value);
        return true;
    } catch {
        return false;
    }
}

module.exports = { ops, run, exists, entriesOf, find, walk, makeDirectory, uvError, Stats, Dirent, toPath, IFDIR, IFLNK, add };
