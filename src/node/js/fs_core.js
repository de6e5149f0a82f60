/* The operations of node:fs, synchronous; fs.js and fs_promises.js give them their other forms. */
const { uvError } = require("./util.js");
const { codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE, ERR_FS_EISDIR }, validateInteger } = require("./errors.js");
const { Buffer } = require("./buffer.js");
const path = require("./path.js");
const C = require("./fs_constants.js");
const { Directory, FileNode, Link, toPath, walk, IFREG, IFDIR, IFLNK, IFCHR } = require("./fs_tree.js");

/* --- Stats, Dirent --- */

class Stats {
    constructor(node, bigint) {
        const n = bigint ? (v) => BigInt(Math.trunc(v)) : (v) => v;
        this.dev = n(1);
        this.mode = n(node.type | node.mode);
        this.nlink = n(node.nlink);
        this.uid = n(0);
        this.gid = n(0);
        this.rdev = n(0);
        this.blksize = n(4096);
        this.ino = n(node.ino);
        this.size = n(node.size);
        this.blocks = n(Math.ceil(node.size / 512));
        for (const key of ["atime", "mtime", "ctime", "birthtime"]) this[`${key}Ms`] = n(node[`${key}Ms`]);
        if (bigint) for (const key of ["atime", "mtime", "ctime", "birthtime"]) this[`${key}Ns`] = BigInt(Math.trunc(node[`${key}Ms`])) * 1000000n;
        for (const key of ["atime", "mtime", "ctime", "birthtime"]) {
            const ms = node[`${key}Ms`];
            Object.defineProperty(this, key, { get: () => new Date(ms), enumerable: true, configurable: true });
        }
    }

    #is(type) { return (Number(this.mode) & 0o170000) === type; }
    isFile() { return this.#is(IFREG); }
    isDirectory() { return this.#is(IFDIR); }
    isSymbolicLink() { return this.#is(IFLNK); }
    isCharacterDevice() { return this.#is(IFCHR); }
    isBlockDevice() { return false; }
    isFIFO() { return false; }
    isSocket() { return false; }
}

class Dirent {
    #type;

    constructor(name, node, parentPath) {
        this.name = name;
        this.parentPath = parentPath;
        this.path = parentPath;
        this.#type = node.type;
    }

    isFile() { return this.#type === IFREG; }
    isDirectory() { return this.#type === IFDIR; }
    isSymbolicLink() { return this.#type === IFLNK; }
    isCharacterDevice() { return this.#type === IFCHR; }
    isBlockDevice() { return false; }
    isFIFO() { return false; }
    isSocket() { return false; }
}

/* --- helpers --- */

const FLAGS = {
    r: C.O_RDONLY, rs: C.O_RDONLY, "r+": C.O_RDWR, "rs+": C.O_RDWR, w: C.O_TRUNC | C.O_CREAT | C.O_WRONLY, wx: C.O_TRUNC | C.O_CREAT | C.O_WRONLY | C.O_EXCL,
    "w+": C.O_TRUNC | C.O_CREAT | C.O_RDWR, "wx+": C.O_TRUNC | C.O_CREAT | C.O_RDWR | C.O_EXCL, a: C.O_APPEND | C.O_CREAT | C.O_WRONLY,
    ax: C.O_APPEND | C.O_CREAT | C.O_WRONLY | C.O_EXCL, "a+": C.O_APPEND | C.O_CREAT | C.O_RDWR, "ax+": C.O_APPEND | C.O_CREAT | C.O_RDWR | C.O_EXCL,
};

function flagsOf(flags = "r") {
    if (typeof flags === "number") return flags;
    if (Object.hasOwn(FLAGS, flags)) return FLAGS[flags];
    throw new ERR_INVALID_ARG_VALUE("flags", flags);
}

function optionsOf(options, defaults = {}) {
    if (options === undefined || options === null || typeof options === "function") return defaults;
    if (typeof options === "string") return { ...defaults, encoding: options };
    if (typeof options !== "object") throw new ERR_INVALID_ARG_TYPE("options", ["string", "Object"], options);
    if (options.encoding !== undefined && options.encoding !== null && options.encoding !== "buffer" && !Buffer.isEncoding(options.encoding))
        throw new ERR_INVALID_ARG_VALUE("encoding", options.encoding, "is invalid encoding");
    return { ...defaults, ...options };
}

/* dest: the other path of an operation with two, for the error. */
function find(value, syscall, follow = true, dest = undefined) {
    const text = toPath(value);
    const found = walk(text, follow, syscall);
    if (found.node === undefined) throw uvError("ENOENT", syscall, dest === undefined ? { path: text } : { path: text, dest: toPath(dest) });
    return found;
}

function mustWrite(found, syscall, text, dest = undefined) {
    if (!found.parent?.writable) throw uvError("EPERM", syscall, dest === undefined ? { path: text } : { path: text, dest });
}

const encoded = (text, encoding) => (encoding === "buffer" ? Buffer.from(text) : encoding && encoding !== "utf8" ? Buffer.from(text).toString(encoding) : text);

function bytesOf(data, encoding) {
    if (typeof data === "string") return Buffer.from(data, encoding ?? "utf8");
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    throw new ERR_INVALID_ARG_TYPE("data", ["string", "Buffer", "TypedArray", "DataView"], data);
}

/* --- descriptors --- */

const open_files = new Map();
let nextFd = 3;

function file(fd, syscall) {
    if (typeof fd === "object" && fd !== null && typeof fd.fd === "number") return file(fd.fd, syscall);
    if (typeof fd !== "number") throw new ERR_INVALID_ARG_TYPE("fd", "number", fd);
    if (!Number.isInteger(fd)) throw new ERR_OUT_OF_RANGE("fd", "an integer", fd);
    if (fd < 0 || fd > 2147483647) throw new ERR_OUT_OF_RANGE("fd", ">= 0 && <= 2147483647", fd);
    const found = open_files.get(fd);
    if (found === undefined) throw uvError("EBADF", syscall);
    return found;
}

function openNode(value, flags, mode, syscall = "open") {
    const text = toPath(value), bits = flagsOf(flags);
    const found = walk(text, !(bits & C.O_NOFOLLOW), syscall);
    const writing = (bits & 3) !== C.O_RDONLY;
    if (found.node === undefined) {
        if (!(bits & C.O_CREAT)) throw uvError("ENOENT", syscall, { path: text });
        mustWrite(found, syscall, text);
        const node = new FileNode();
        node.mode = (typeof mode === "string" ? parseInt(mode, 8) : mode) & ~0o022;
        found.parent.children.set(found.name, node);
        found.parent.touch();
        return { node, bits };
    }
    const { node } = found;
    if ((bits & C.O_CREAT) && (bits & C.O_EXCL)) throw uvError("EEXIST", syscall, { path: text });
    if (node.type === IFDIR && writing) throw uvError("EISDIR", syscall, { path: text });
    if (node.type === IFLNK) throw uvError("ELOOP", syscall, { path: text });
    if (writing && !node.writable) throw uvError("EPERM", syscall, { path: text });
    if (bits & C.O_TRUNC && node.type === IFREG) {
        node.resize(0);
        node.touch();
    }
    return { node, bits };
}

const core = {
    open(value, flags = "r", mode = 0o666) {
        const { node, bits } = openNode(value, flags ?? "r", mode ?? 0o666);
        const fd = nextFd++;
        open_files.set(fd, { node, bits, position: 0 });
        return fd;
    },

    close(fd) {
        file(fd, "close");
        open_files.delete(fd);
    },

    read(fd, buffer, offsetOrOptions, length, position) {
        let offset = offsetOrOptions, count = length, at = position, into = buffer;
        if (!ArrayBuffer.isView(into)) ({ buffer: into = Buffer.alloc(16384), offset, length: count, position: at } = into ?? {});
        else if (offset !== null && typeof offset === "object") ({ offset = 0, length: count, position: at } = offset);
        offset ??= 0;
        validateInteger(offset, "offset", 0);
        count ??= into.byteLength - offset;
        if (count === 0) return 0;
        if (count < 0 || offset + count > into.byteLength) throw new ERR_OUT_OF_RANGE("length", `>= 0 && <= ${into.byteLength - offset}`, count);
        const f = file(fd, "read");
        if (f.node.type === IFDIR) throw uvError("EISDIR", "read");
        if ((f.bits & 3) === C.O_WRONLY) throw uvError("EBADF", "read");
        const from = at === undefined || at === null || Number(at) < 0 ? f.position : Number(at);
        const n = f.node.read(new Uint8Array(into.buffer, into.byteOffset + offset, count), from);
        if (from === f.position && (at === undefined || at === null || Number(at) < 0)) f.position += n;
        return n;
    },

    readv(fd, buffers, position) {
        let total = 0;
        for (const b of buffers) {
            const n = core.read(fd, b, 0, b.byteLength, position === undefined || position === null ? null : position + total);
            total += n;
            if (n < b.byteLength) break;
        }
        return total;
    },

    write(fd, data, offsetOrPosition, lengthOrEncoding, position) {
        const f = file(fd, "write");
        let bytes, at;
        if (typeof data === "string") {
            bytes = Buffer.from(data, lengthOrEncoding);
            at = offsetOrPosition;
        } else {
            if (!ArrayBuffer.isView(data)) throw new ERR_INVALID_ARG_TYPE("buffer", ["string", "Buffer", "TypedArray", "DataView"], data);
            let offset = offsetOrPosition, length = lengthOrEncoding;
            at = position;
            if (offset !== null && typeof offset === "object") ({ offset = 0, length, position: at } = offset);
            offset ??= 0;
            length ??= data.byteLength - offset;
            if (offset < 0 || offset > data.byteLength) throw new ERR_OUT_OF_RANGE("offset", `>= 0 && <= ${data.byteLength}`, offset);
            if (length < 0 || offset + length > data.byteLength) throw new ERR_OUT_OF_RANGE("length", `>= 0 && <= ${data.byteLength - offset}`, length);
            bytes = new Uint8Array(data.buffer, data.byteOffset + offset, length);
        }
        if ((f.bits & 3) === C.O_RDONLY) throw uvError("EBADF", "write");
        const append = (f.bits & C.O_APPEND) !== 0, own = typeof at !== "number";
        const n = f.node.write(bytes, append ? f.node.size : own ? f.position : at);
        if (own) f.position = append ? f.node.size : f.position + n;
        return n;
    },

    writev(fd, buffers, position) {
        let total = 0;
        for (const b of buffers) total += core.write(fd, b, 0, b.byteLength, typeof position === "number" ? position + total : null);
        return total;
    },

    fstat: (fd, options = {}) => new Stats(file(fd, "fstat").node, options?.bigint),
    fsync: (fd) => void file(fd, "fsync"),
    fdatasync: (fd) => void file(fd, "fdatasync"),
    fchmod(fd, mode) { file(fd, "fchmod").node.mode = mode & 0o7777; },
    fchown: (fd) => void file(fd, "fchown"),
    futimes(fd, atime, mtime) { setTimes(file(fd, "futime").node, atime, mtime); },
    ftruncate(fd, length = 0) {
        const f = file(fd, "ftruncate");
        if ((f.bits & 3) === C.O_RDONLY) throw uvError("EINVAL", "ftruncate");
        f.node.resize(Math.max(0, length ?? 0));
        f.node.touch();
    },

    /* --- whole files --- */

    readFile(value, options) {
        const { encoding, flag = "r" } = optionsOf(options, { flag: "r" });
        const direct = Number.isInteger(value) || (typeof value === "object" && value !== null && typeof value.fd === "number");
        const { node, position = 0 } = direct ? file(value, "read") : openNode(value, flag, 0o666);
        if (node.type === IFDIR) throw uvError("EISDIR", "read");
        let bytes;
        if (node.type === IFCHR) bytes = Buffer.alloc(0);
        else bytes = Buffer.from(node.content().subarray(position));
        if (direct) file(value, "read").position = node.size;
        return encoding && encoding !== "buffer" ? bytes.toString(encoding) : bytes;
    },

    writeFile(value, data, options) {
        const { encoding, flag, mode } = optionsOf(options, { encoding: "utf8", flag: "w", mode: 0o666 });
        const bytes = bytesOf(data, encoding);
        const direct = Number.isInteger(value) || (typeof value === "object" && value !== null && typeof value.fd === "number");
        if (direct) return void core.write(typeof value === "number" ? value : value.fd, bytes);
        const { node, bits } = openNode(value, flag, mode);
        node.write(bytes, bits & C.O_APPEND ? node.size : 0);
        return undefined;
    },

    appendFile(value, data, options) {
        core.writeFile(value, data, optionsOf(options, { encoding: "utf8", mode: 0o666, flag: "a" }));
    },

    truncate(value, length = 0) {
        const { node } = openNode(value, "r+", 0o666);
        node.resize(Math.max(0, length ?? 0));
        node.touch();
    },

    copyFile(from, to, mode = 0) {
        const source = find(from, "copyfile", true, to), text = toPath(to, "dest");
        if (source.node.type === IFDIR) throw uvError("EISDIR", "copyfile", { path: toPath(from), dest: text });
        const target = walk(text, true, "copyfile");
        if (target.node !== undefined && mode & C.COPYFILE_EXCL) throw uvError("EEXIST", "copyfile", { path: toPath(from), dest: text });
        core.writeFile(text, Uint8Array.from(source.node.content()));
    },

    /* --- names --- */

    access(value, mode = C.F_OK) {
        const { node } = find(value, "access");
        if (mode & C.W_OK && !node.writable) throw uvError("EACCES", "access", { path: toPath(value) });
        if (mode & C.X_OK && node.type === IFREG && !(node.mode & 0o111)) throw uvError("EACCES", "access", { path: toPath(value) });
    },
    exists(value) {
        try {
            find(value, "access");
            return true;
        } catch {
            return false;
        }
    },
    stat: (value, options = {}) => statOf(value, options, true, "stat"),
    lstat: (value, options = {}) => statOf(value, options, false, "lstat"),
    statfs: () => ({ type: 0, bsize: 4096, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 }),
    realpath: (value, options) => encoded(find(value, "realpath").full, optionsOf(options).encoding),
    readlink(value, options) {
        const { node } = find(value, "readlink", false);
        if (node.type !== IFLNK) throw uvError("EINVAL", "readlink", { path: toPath(value) });
        return encoded(node.target, optionsOf(options).encoding);
    },
    symlink(target, value) {
        const to = toPath(target, "target"), text = toPath(value);
        const found = walk(text, false, "symlink");
        if (found.node !== undefined) throw uvError("EEXIST", "symlink", { path: to, dest: text });
        mustWrite(found, "symlink", to, text);
        found.parent.children.set(found.name, new Link(to));
    },
    link(existing, value) {
        const from = find(existing, "link", true, value), text = toPath(value, "newPath");
        const found = walk(text, false, "link");
        if (found.node !== undefined) throw uvError("EEXIST", "link", { path: toPath(existing), dest: text });
        mustWrite(found, "link", toPath(existing), text);
        if (from.node.type === IFDIR) throw uvError("EPERM", "link", { path: toPath(existing), dest: text });
        from.node.nlink++;
        found.parent.children.set(found.name, from.node);
    },
    unlink(value) {
        const found = find(value, "unlink", false);
        if (found.node.type === IFDIR) throw uvError("EISDIR", "unlink", { path: toPath(value) });
        mustWrite(found, "unlink", toPath(value));
        found.node.nlink--;
        found.parent.children.delete(found.name);
        found.parent.touch();
    },
    rename(from, to) {
        const source = find(from, "rename", false, to), text = toPath(to, "newPath");
        const target = walk(text, false, "rename"), both = { path: toPath(from), dest: text };
        mustWrite(source, "rename", both.path, text);
        mustWrite(target, "rename", both.path, text);
        if (target.node === source.node) return;
        if (target.node?.type === IFDIR) {
            if (source.node.type !== IFDIR) throw uvError("EISDIR", "rename", both);
            if (target.node.children.size > 0) throw uvError("ENOTEMPTY", "rename", both);
        } else if (target.node !== undefined && source.node.type === IFDIR) throw uvError("ENOTDIR", "rename", both);
        if (`${target.full}/`.startsWith(`${source.full}/`)) throw uvError("EINVAL", "rename", both);
        source.parent.children.delete(source.name);
        target.parent.children.set(target.name, source.node);
    },
    chmod(value, mode) {
        const found = find(value, "chmod");
        if (!found.node.writable) throw uvError("EPERM", "chmod", { path: toPath(value) });
        found.node.mode = (typeof mode === "string" ? parseInt(mode, 8) : mode) & 0o7777;
    },
    lchmod(value, mode) { core.chmod(value, mode); },
    chown: (value) => void find(value, "chown"),
    lchown: (value) => void find(value, "lchown", false),
    utimes(value, atime, mtime) { setTimes(find(value, "utime").node, atime, mtime); },
    lutimes(value, atime, mtime) { setTimes(find(value, "lutime", false).node, atime, mtime); },

    /* --- directories --- */

    mkdir(value, options) {
        const { recursive = false } = typeof options === "object" && options !== null ? options : {};
        const text = toPath(value);
        if (!recursive) {
            const found = walk(text, true, "mkdir");
            if (found.node !== undefined) throw uvError("EEXIST", "mkdir", { path: text });
            mustWrite(found, "mkdir", text);
            found.parent.children.set(found.name, new Directory());
            return undefined;
        }
        let first, at = "";
        for (const part of path.resolve(require("./process.js").cwd(), text).split("/").filter(Boolean)) {
            at += `/${part}`;
            const found = walk(at, true, "mkdir");
            if (found.node !== undefined) {
                if (found.node.type !== IFDIR) throw uvError(at === path.resolve(text) ? "EEXIST" : "ENOTDIR", "mkdir", { path: text });
                continue;
            }
            mustWrite(found, "mkdir", text);
            found.parent.children.set(found.name, new Directory());
            first ??= at;
        }
        return first;
    },
    mkdtemp(prefix, options) {
        const text = toPath(prefix, "prefix");
        const suffix = Array.from(crypto.getRandomValues(new Uint8Array(6)), (b) => "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[b % 62]).join("");
        core.mkdir(text + suffix);
        return encoded(text + suffix, optionsOf(options).encoding);
    },
    readdir(value, options) {
        const { encoding, withFileTypes = false, recursive = false } = optionsOf(options);
        const text = toPath(value), { node } = find(value, "scandir");
        if (node.type !== IFDIR) throw uvError("ENOTDIR", "scandir", { path: text });
        const out = [];
        const list = (dir, prefix) => {
            const top = dir === require("./fs_tree.js").root;
            const names = top ? ["bundle", "tmp", "dev"] : [...dir.children.keys()].sort(); // upstream's order
            for (const name of names) {
                const child = name === "tmp" && top ? require("./fs_tree.js").tmp() : dir.children.get(name);
                if (withFileTypes) out.push(new Dirent(encoded(name, encoding), child, prefix === "" ? text : path.join(text, prefix)));
                else out.push(encoded(prefix === "" ? name : `${prefix}/${name}`, encoding));
                if (recursive && child.type === IFDIR) list(child, prefix === "" ? name : `${prefix}/${name}`);
            }
        };
        list(node, "");
        return out;
    },
    rmdir(value, options = {}) {
        const text = toPath(value), found = find(value, "rmdir", false);
        if (found.node.type !== IFDIR) throw uvError("ENOTDIR", "rmdir", { path: text });
        if (options?.recursive) return core.rm(value, { recursive: true });
        mustWrite(found, "rmdir", text);
        if (found.node.children.size > 0) throw uvError("ENOTEMPTY", "rmdir", { path: text });
        found.parent.children.delete(found.name);
        return undefined;
    },
    rm(value, options = {}) {
        const { force = false, recursive = false } = options ?? {};
        const text = toPath(value), found = walk(text, false, "rm");
        if (found.node === undefined) {
            if (force) return;
            throw uvError("ENOENT", "lstat", { path: text });
        }
        if (found.node.type === IFDIR && !recursive) {
            const error = new Error(`Path is a directory: rm returned EISDIR (is a directory) ${text}`);
            throw Object.assign(error, { name: "SystemError", code: "ERR_FS_EISDIR", errno: 21, syscall: "rm", path: text });
        }
        mustWrite(found, "rm", text);
        found.parent.children.delete(found.name);
    },
    cp(from, to, options = {}) {
        const checked = copyOptions(options ?? {});
        copyTree(toPath(from, "src"), toPath(to, "dest"), checked);
    },
};

/* --- cp --- */

const COPY_FLAGS = { dereference: false, errorOnExist: false, force: true, preserveTimestamps: false, recursive: false, verbatimSymlinks: false };

function copyOptions(options) {
    const out = { filter: options.filter };
    for (const [name, fallback] of Object.entries(COPY_FLAGS)) {
        const value = options[name] ?? fallback;
        if (typeof value !== "boolean") throw new ERR_INVALID_ARG_TYPE(`options.${name}`, "boolean", value);
        out[name] = value;
    }
    if (out.filter !== undefined && typeof out.filter !== "function") throw new ERR_INVALID_ARG_TYPE("options.filter", "function", out.filter);
    if (options.mode & C.COPYFILE_FICLONE_FORCE) throw new ERR_INVALID_ARG_VALUE("options.mode", options.mode);
    return out;
}

function copyError(code, text, message) {
    return Object.assign(new Error(`${message} ${text}`), { code, syscall: "cp", path: text });
}

function copyTree(from, to, options) {
    if (options.filter !== undefined && !options.filter(from, to)) return;
    const source = find(from, "cp", options.dereference);
    if (source.node.type === IFLNK) copyLink(source.node, from, to, options);
    else if (source.node.type === IFDIR) copyDirectory(source.node, from, to, options);
    else copyOne(source.node, from, to, options);
}

/* False when what stands at `to` stays. */
function mayReplace(to, { force, errorOnExist }) {
    if (force) return true;
    if (errorOnExist) throw copyError("ERR_FS_CP_EEXIST", to, `Target already exists: cp returned EEXIST (${to} already exists)`);
    return false;
}

function copyLink(link, from, to, options) {
    const at = walk(to, false, "cp");
    if (at.node?.type === IFDIR) throw uvError("ENOTDIR", "cp", { path: from, dest: to });
    if (at.node !== undefined) {
        if (!mayReplace(to, options)) return;
        mustWrite(at, "cp", from, to);
        at.parent.children.delete(at.name);
    }
    core.symlink(options.verbatimSymlinks ? link.target : path.resolve(path.dirname(from), link.target), to);
}

function copyDirectory(directory, from, to, options) {
    if (!options.recursive)
        throw copyError("ERR_FS_EISDIR", from, `Recursive option not enabled, cannot copy a directory: cp returned EISDIR (${from} is a directory (not copied))`);
    if (`${path.resolve(to)}/`.startsWith(`${path.resolve(from)}/`))
        throw copyError("ERR_FS_CP_EINVAL", to, `Invalid src or dest: cp returned EINVAL (cannot copy ${from} to a subdirectory of self)`);
    const at = walk(to, true, "cp");
    if (at.node === undefined) core.mkdir(to, { recursive: true });
    else if (at.node.type !== IFDIR)
        throw copyError("ERR_FS_CP_DIR_TO_NON_DIR", to, `Cannot overwrite non-directory with directory: cp returned EISDIR (cannot overwrite non-directory ${to} with directory ${from})`);
    for (const name of [...directory.children.keys()]) copyTree(path.join(from, name), path.join(to, name), options);
}

function copyOne(node, from, to, options) {
    core.mkdir(path.dirname(to), { recursive: true });
    const at = walk(to, options.dereference, "cp");
    if (at.node?.type === IFDIR)
        throw copyError("ERR_FS_CP_NON_DIR_TO_DIR", to, `Cannot overwrite directory with non-directory: cp returned ENOTDIR (cannot overwrite directory ${to} with non-directory ${from})`);
    if (at.node !== undefined && !mayReplace(to, options)) return;
    if (at.node?.type === IFLNK) core.rm(to); // the link itself is replaced
    core.copyFile(from, to);
    if (options.preserveTimestamps) core.utimes(to, node.atimeMs / 1000, node.mtimeMs / 1000);
}

function statOf(value, options, follow, syscall) {
    const text = toPath(value);
    let found;
    try {
        found = walk(text, follow, syscall);
    } catch (error) {
        if (options?.throwIfNoEntry === false && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
        throw error;
    }
    if (found.node === undefined) {
        if (options?.throwIfNoEntry === false) return undefined;
        throw uvError("ENOENT", syscall, { path: text });
    }
    return new Stats(found.node, options?.bigint);
}

const timeOf = (t) => (t instanceof Date ? t.getTime() : typeof t === "string" && Number.isNaN(Number(t)) ? Date.parse(t) : Number(t) * 1000);
function setTimes(node, atime, mtime) {
    node.atimeMs = timeOf(atime);
    node.mtimeMs = timeOf(mtime);
}

module.exports = { core, Stats, Dirent, optionsOf, toPath, file };
