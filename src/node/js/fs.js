/* node:fs: synchronous, callback and stream forms of fs_core.js. */
const { notImplemented, validateFunction } = require("./errors.js");
const { core, Stats, Dirent, optionsOf, toPath } = require("./fs_core.js");
const constants = require("./fs_constants.js");
const { Buffer } = require("./buffer.js");

const fs = module.exports = {};

/* The result comes later, in the caller's async context. */
function later(callback, ...args) {
    queueMicrotask(() => callback(...args));
}

for (const name of Object.keys(core)) {
    const run = core[name];
    fs[`${name}Sync`] = { [`${name}Sync`]: (...args) => run(...args) }[`${name}Sync`];
    fs[name] = { [name](...args) {
        const callback = args.pop();
        validateFunction(callback, "cb");
        let result;
        try {
            result = run(...args);
        } catch (error) {
            if (typeof error.code === "string" && error.code.startsWith("ERR_INVALID_ARG")) throw error;
            return later(callback, error);
        }
        return result === undefined ? later(callback, null) : later(callback, null, result);
    } }[name];
}

fs.exists = (path, callback) => {
    validateFunction(callback, "cb");
    later(callback, core.exists(path));
};
fs.existsSync = (path) => core.exists(path);
/* These give their buffers back, too. */
for (const [name, run] of [["read", core.read], ["write", core.write], ["readv", core.readv], ["writev", core.writev]]) {
    fs[name] = { [name](fd, data, ...rest) {
        const callback = rest.pop() ?? data;
        validateFunction(callback, "cb");
        const buffer = typeof data === "function" ? Buffer.alloc(16384) : name === "read" && !ArrayBuffer.isView(data) ? data.buffer ?? Buffer.alloc(16384) : data;
        try {
            const n = name === "read" && buffer !== data && typeof data === "object" ? run(fd, buffer, data) : run(fd, buffer, ...rest);
            later(callback, null, n, buffer);
        } catch (error) {
            later(callback, error);
        }
    } }[name];
    Object.defineProperty(fs[name], Symbol.for("nodejs.util.promisify.customArgs"), { value: [name.startsWith("read") ? "bytesRead" : "bytesWritten", name.endsWith("v") ? "buffers" : "buffer"] });
}
fs.realpath.native = fs.realpath;
fs.realpathSync.native = fs.realpathSync;

/* --- Dir --- */

class Dir {
    #entries;
    #closed = false;

    constructor(path, options) {
        this.path = path;
        this.#entries = core.readdir(path, { ...options, withFileTypes: true });
    }

    #check() {
        const { codes: { ERR_DIR_CLOSED } } = require("./errors.js");
        if (this.#closed) throw new ERR_DIR_CLOSED();
    }

    readSync() {
        this.#check();
        return this.#entries.shift() ?? null;
    }

    closeSync() {
        this.#check();
        this.#closed = true;
    }

    read(callback = undefined) {
        if (callback === undefined) return Promise.resolve().then(() => this.readSync());
        return later(callback, null, this.readSync());
    }

    close(callback = undefined) {
        if (callback === undefined) return Promise.resolve().then(() => this.closeSync());
        this.closeSync();
        return later(callback, null);
    }

    async* entries() {
        try {
            for (let entry = this.readSync(); entry !== null; entry = this.readSync()) yield entry;
        } finally {
            this.closeSync();
        }
    }

    [Symbol.asyncIterator]() { return this.entries(); }
}
fs.opendirSync = (path, options) => new Dir(toPath(path), optionsOf(options));
fs.opendir = (path, options, callback) => {
    const cb = typeof options === "function" ? options : callback;
    validateFunction(cb, "callback");
    try {
        later(cb, null, fs.opendirSync(path, typeof options === "function" ? undefined : options));
    } catch (error) {
        later(cb, error);
    }
};

/* --- streams --- */

function lazyStreams() {
    const { Readable, Writable } = require("./stream.js");

    class ReadStream extends Readable {
        constructor(path, options) {
            const o = optionsOf(options, {});
            super({ highWaterMark: o.highWaterMark ?? 64 * 1024, encoding: o.encoding, autoDestroy: o.autoClose ?? true, signal: o.signal, emitClose: o.emitClose ?? true });
            this.path = path === undefined || path === null ? undefined : toPath(path);
            this.flags = o.flags ?? "r";
            this.fd = o.fd === undefined ? null : typeof o.fd === "object" && o.fd !== null ? o.fd.fd : o.fd;
            this.start = o.start;
            this.end = o.end ?? Infinity;
            this.pos = o.start;
            this.bytesRead = 0;
        }

        _construct(callback) {
            try {
                if (this.fd === null) this.fd = core.open(this.path, this.flags, 0o666);
                callback();
                this.emit("open", this.fd);
                this.emit("ready");
            } catch (error) {
                callback(error);
            }
        }

        _read(size) {
            queueMicrotask(() => this.#readNow(size));
        }

        #readNow(size) {
            if (this.destroyed) return;
            const left = this.pos === undefined ? this.end - this.bytesRead + 1 : this.end - this.pos + 1;
            const buffer = Buffer.alloc(Math.max(0, Math.min(size, left)));
            try {
                const n = buffer.length === 0 ? 0 : core.read(this.fd, buffer, 0, buffer.length, this.pos ?? null);
                this.bytesRead += n;
                if (this.pos !== undefined) this.pos += n;
                this.push(n === 0 ? null : buffer.subarray(0, n));
            } catch (error) {
                this.destroy(error);
            }
        }

        _destroy(error, callback) {
            closeOf(this);
            callback(error);
        }

        close(callback) {
            if (callback) this.once("close", callback);
            this.destroy();
        }

        get pending() { return this.fd === null; }
    }

    class WriteStream extends Writable {
        constructor(path, options) {
            const o = optionsOf(options, {});
            super({ highWaterMark: o.highWaterMark ?? 16384, decodeStrings: true, defaultEncoding: o.encoding ?? "utf8", autoDestroy: o.autoClose ?? true, signal: o.signal, emitClose: o.emitClose ?? true });
            this.path = path === undefined || path === null ? undefined : toPath(path);
            this.flags = o.flags ?? "w";
            this.mode = o.mode ?? 0o666;
            this.fd = o.fd === undefined ? null : typeof o.fd === "object" && o.fd !== null ? o.fd.fd : o.fd;
            this.pos = o.start;
            this.bytesWritten = 0;
        }

        _construct(callback) {
            try {
                if (this.fd === null) this.fd = core.open(this.path, this.flags, this.mode);
                callback();
                this.emit("open", this.fd);
                this.emit("ready");
            } catch (error) {
                callback(error);
            }
        }

        _write(chunk, encoding, callback) {
            try {
                const n = core.write(this.fd, chunk, 0, chunk.byteLength, this.pos ?? null);
                this.bytesWritten += n;
                if (this.pos !== undefined) this.pos += n;
                callback();
            } catch (error) {
                callback(error);
            }
        }

        _destroy(error, callback) {
            closeOf(this);
            callback(error);
        }

        close(callback) {
            if (callback) this.once("close", callback);
            this.end();
        }

        get pending() { return this.fd === null; }
    }

    function closeOf(stream) {
        if (stream.fd === null) return;
        try {
            core.close(stream.fd);
        } catch {
            // Somebody else closed it.
        }
        stream.fd = null;
    }
    return { ReadStream, WriteStream };
}

let streams = null;
const lazy = (name) => (streams ??= lazyStreams())[name];
for (const [name, cls] of [["ReadStream", "ReadStream"], ["WriteStream", "WriteStream"], ["FileReadStream", "ReadStream"], ["FileWriteStream", "WriteStream"]])
    Object.defineProperty(fs, name, { get: () => lazy(cls), enumerable: true, configurable: true });
fs.createReadStream = (path, options) => new (lazy("ReadStream"))(path, options);
fs.createWriteStream = (path, options) => new (lazy("WriteStream"))(path, options);

fs.openAsBlob = async (path, options = {}) => new Blob([core.readFile(path)], { type: options.type ?? "" });
fs.globSync = (pattern, options = {}) => {
    const { matchesGlob, resolve, join } = require("./path.js");
    const cwd = options.cwd ? toPath(options.cwd) : require("./process.js").cwd();
    const patterns = Array.isArray(pattern) ? pattern : [pattern];
    return core.readdir(resolve(cwd), { recursive: true }).filter((name) => patterns.some((p) => matchesGlob(p.startsWith("/") ? join(cwd, name) : name, p)));
};
fs.glob = (pattern, options, callback) => {
    const cb = typeof options === "function" ? options : callback;
    later(cb, null, fs.globSync(pattern, typeof options === "function" ? {} : options));
};
for (const name of ["watch", "watchFile", "unwatchFile"]) fs[name] = () => notImplemented(`fs.${name}`);

Object.assign(fs, { Stats, Dirent, Dir, constants, F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, _toUnixTimestamp: (t) => Number(t) });
Object.defineProperty(fs, "promises", { get: () => require("./fs_promises.js"), enumerable: true, configurable: true });
