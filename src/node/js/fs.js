/* node:fs: synchronous and callback forms of the operations of fs_core.js, and what is only here. */
const { codes: { ERR_DIR_CLOSED, ERR_INVALID_ARG_TYPE, ERR_MISSING_ARGS }, notImplemented, validateObject, validateString } = require("./errors.js");
const { ops, run, exists, entriesOf, Stats, Dirent, toPath } = require("./fs_core.js");
const check = require("./fs_check.js");
const constants = require("./fs_constants.js");
const { Buffer } = require("./buffer.js");

const fs = module.exports = {};

/* The result comes later, in the caller's async context. */
function later(callback, ...args) {
    queueMicrotask(() => callback(...args));
}

/* check() has thrown by now what is wrong with the arguments; what goes wrong from here is the callback's. */
function settle(callback, act, ...more) {
    if (typeof callback !== "function") throw new ERR_INVALID_ARG_TYPE("callback", ["function"], callback);
    let result;
    try {
        result = act();
    } catch (error) {
        return void later(callback, error);
    }
    return void (result === undefined && more.length === 0 ? later(callback, null) : later(callback, null, result, ...more.filter((value) => value !== undefined)));
}

const withName = (name, fn) => Object.defineProperty(fn, "name", { value: name });
const OPTIONAL = ["close", "fsync", "fdatasync"]; // they do without a callback

for (const [name, op] of Object.entries(ops)) {
    fs[`${name}Sync`] = withName(`${name}Sync`, (...args) => op.run(...op.check(...args)));
    fs[name] = withName(name, (...args) => {
        const callback = typeof args.at(-1) === "function" ? args.pop() : OPTIONAL.includes(name) && args.length < 2 ? () => {} : undefined;
        const checked = op.check(...args);
        settle(callback, () => op.run(...checked), ...(name === "mkdir" ? [undefined] : []));
    });
}
fs.exists = (path, callback) => void queueMicrotask(() => callback(exists(path)));
fs.existsSync = (path) => exists(path);
fs.realpath.native = fs.realpath;
fs.realpathSync.native = fs.realpathSync;

/* These give their buffers back, too. */
fs.read = function read(fd, ...rest) {
    const callback = rest.findLast((arg) => typeof arg === "function");
    let [buffer, offset, length, position] = rest.filter((arg) => typeof arg !== "function");
    if (!ArrayBuffer.isView(buffer)) {
        if (buffer !== undefined && buffer !== null && typeof buffer !== "object") throw new ERR_INVALID_ARG_TYPE("buffer", ["Buffer", "TypedArray", "DataView"], buffer);
        ({ buffer = Buffer.alloc(16384), offset = 0, length, position = null } = buffer ?? {});
    }
    check.fdOf(fd);
    if (callback === undefined) throw new ERR_INVALID_ARG_TYPE("callback", ["function"], callback);
    const checked = ops.read.check(fd, buffer, offset ?? 0, length ?? undefined, position ?? null);
    settle(callback, () => ops.read.run(...checked), buffer);
};
for (const name of ["write", "readv", "writev"]) {
    fs[name] = withName(name, (fd, data, ...rest) => {
        const callback = rest.findLast((arg) => typeof arg === "function");
        const [first, ...others] = rest.filter((arg) => typeof arg !== "function");
        const options = typeof data === "string" && typeof first === "object" && first !== null; // here, not in writeSync()
        const checked = ops[name].check(fd, data, options ? first.position : first, ...others);
        settle(callback, () => ops[name].run(...checked), data);
    });
}
for (const name of ["read", "write", "readv", "writev"])
    Object.defineProperty(fs[name], Symbol.for("nodejs.util.promisify.customArgs"), { value: [name.startsWith("read") ? "bytesRead" : "bytesWritten", name.endsWith("v") ? "buffers" : "buffer"] });

/* --- Dir --- */

class Dir {
    #entries;
    #path;
    #encoding;

    constructor(entries, path, { encoding = "utf8" } = {}) {
        if (entries === undefined || entries === null) throw new ERR_MISSING_ARGS("handle");
        this.#entries = entries;
        this.#path = path;
        this.#encoding = encoding;
    }

    get path() { return this.#path; }

    readSync() {
        if (this.#entries === undefined) throw new ERR_DIR_CLOSED();
        const entry = this.#entries.shift();
        if (entry === undefined) return null;
        const bytes = Buffer.from(entry.name);
        return new Dirent(this.#encoding === "buffer" ? bytes : bytes.toString(this.#encoding), entry.type, entry.parentPath);
    }

    closeSync() {
        if (this.#entries === undefined) throw new ERR_DIR_CLOSED();
        this.#entries = undefined;
    }

    read(callback = undefined) {
        if (typeof callback !== "function") return Promise.resolve().then(() => this.readSync());
        try {
            return later(callback, null, this.readSync());
        } catch (error) {
            return later(callback, error, null);
        }
    }

    close(callback = undefined) {
        this.closeSync();
        return typeof callback === "function" ? later(callback, null) : Promise.resolve();
    }

    async* entries() {
        for (let entry = await this.read(); entry !== null; entry = await this.read()) yield entry;
    }

    [Symbol.asyncIterator]() { return this.entries(); }
    async [Symbol.asyncDispose]() { await this.close(); }
    [Symbol.dispose]() { this.closeSync(); }
}

ops.opendir = {
    check: (path, options) => [check.dirOptions(options), toPath(path), path],
    run: ({ encoding, recursive }, text, path) => new Dir(entriesOf(text, recursive), path, { encoding }),
};
fs.opendirSync = (...args) => run("opendir", ...args);
fs.opendir = (path, options, callback = options) => {
    const checked = ops.opendir.check(path, typeof options === "function" ? undefined : options);
    settle(callback, () => ops.opendir.run(...checked));
};

/* --- streams --- */

for (const [name, cls] of [["ReadStream", "ReadStream"], ["WriteStream", "WriteStream"], ["FileReadStream", "ReadStream"], ["FileWriteStream", "WriteStream"]])
    Object.defineProperty(fs, name, { get: () => require("./fs_streams.js")[cls], enumerable: true, configurable: true });
fs.createReadStream = function createReadStream(path, options = undefined) { return new (require("./fs_streams.js").ReadStream)(path, options); };
fs.createWriteStream = function createWriteStream(path, options = undefined) { return new (require("./fs_streams.js").WriteStream)(path, options); };

/* --- the rest --- */

fs.openAsBlob = function openAsBlob(path, options = undefined) {
    const text = toPath(path), { type } = check.blobOptions(options);
    return new Blob([run("readFile", text)], { type });
};

function globChecked(pattern, options = {}) {
    const patterns = typeof pattern === "string" ? [pattern] : [...pattern];
    for (const p of patterns) validateString(p, "pattern");
    validateObject(options, "options");
    const cwd = options.cwd instanceof URL ? options.cwd.pathname : options.cwd ?? require("./process.js").cwd();
    validateString(cwd, "options.cwd");
    return [patterns, cwd, options];
}

function globRun(patterns, cwd, { withFileTypes = false, exclude = undefined }) {
    const { matcher, walkPatterns } = require("./fs_glob.js");
    const list = (dir) => {
        try {
            return entriesOf(toPath(dir), false);
        } catch {
            return null;
        }
    };
    const patternExcludes = Array.isArray(exclude) ? matcher(exclude) : () => false;
    const excludes = typeof exclude === "function" ? exclude : () => false;
    const out = [];
    for (const [path, type] of walkPatterns(patterns, cwd, list, (kind) => kind === constants.UV_DIRENT_DIR)) {
        if (patternExcludes(path)) continue;
        const at = path.lastIndexOf("/");
        const value = withFileTypes ? new Dirent(path.slice(at + 1), type, at === -1 ? cwd : `${cwd}/${path.slice(0, at)}`) : path;
        if (!excludes(value)) out.push(value);
    }
    return out;
}
fs.globSync = (pattern, options = undefined) => globRun(...globChecked(pattern, options));
fs.glob = (pattern, options, callback = options) => {
    const checked = globChecked(pattern, typeof options === "function" ? undefined : options);
    settle(callback, () => globRun(...checked));
};
for (const name of ["watch", "watchFile", "unwatchFile"]) fs[name] = () => notImplemented(`fs.${name}`);

Object.assign(fs, { Stats, Dirent, Dir, constants, F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, _toUnixTimestamp: (t) => Number(t) });
Object.defineProperty(fs, "promises", { get: () => require("./fs_promises.js"), enumerable: true, configurable: true });
