/* node:fs/promises */
const { notImplemented, validateBoolean, validateObject } = require("./errors.js");
const EventEmitter = require("./events.js");
const { ops, run, uvError } = require("./fs_core.js");
const constants = require("./fs_constants.js");
const { Buffer } = require("./buffer.js");

const secret = Symbol("FileHandle");

const closed = () => Object.assign(uvError("EBADF", "stat"), { message: "Bad file descriptor" });

class FileHandle extends EventEmitter {
    #fd;

    constructor(badge, fd) {
        if (badge !== secret) throw new TypeError("Illegal constructor");
        super();
        this.#fd = fd;
    }

    get fd() { return this.#fd; }

    #run(name, ...args) {
        if (this.#fd === undefined) throw closed();
        return run(name, this.#fd, ...args);
    }

    async close() {
        if (this.#fd !== undefined) run("close", this.#fd);
        this.#fd = undefined;
        this.emit("close");
    }

    async read(bufferOrOptions = {}, offsetOrOptions = {}, length = undefined, position = null) {
        let options = bufferOrOptions;
        if (ArrayBuffer.isView(bufferOrOptions))
            options = typeof offsetOrOptions === "number" ? { buffer: bufferOrOptions, offset: offsetOrOptions, length, position } : { ...offsetOrOptions, buffer: bufferOrOptions };
        const { buffer = Buffer.alloc(16384), offset = 0, length: count, position: at = null } = options ?? {};
        return { bytesRead: this.#run("read", buffer, offset ?? 0, count ?? buffer.byteLength - (offset ?? 0), at), buffer };
    }

    async readv(buffers, position = null) { return { bytesRead: this.#run("readv", buffers, position), buffers }; }
    async write(data, offset = null, length = undefined, position = null) {
        const buffer = typeof data === "string" ? Buffer.from(data, length ?? undefined) : data;
        return { bytesWritten: this.#run("write", buffer, offset, typeof length === "string" ? undefined : length, position), buffer };
    }

    async writev(buffers, position = null) { return { bytesWritten: this.#run("writev", buffers, position), buffers }; }
    async readFile(options = undefined) { return this.#run("readFile", options); }
    async writeFile(data, options = undefined) {
        return { bytesWritten: this.#run("writeFile", data, options), buffer: ArrayBuffer.isView(data) ? data : Buffer.from(data, typeof options === "string" ? options : undefined) };
    }

    async appendFile(data, options = undefined) { this.#run("appendFile", data, options); }
    async stat(options = undefined) { return this.#run("fstat", options); }
    async truncate(length = 0) { this.#run("ftruncate", length); }
    async sync() { this.#run("fsync"); }
    async datasync() { this.#run("fdatasync"); }
    async chmod(mode) { this.#run("fchmod", mode); }
    async chown(uid, gid) { this.#run("fchown", uid, gid); }
    async utimes(atime, mtime) { this.#run("futimes", atime, mtime); }
    createReadStream(options = {}) { return require("./fs.js").createReadStream("", { ...options, fd: this }); }
    createWriteStream(options = {}) { return require("./fs.js").createWriteStream("", { ...options, fd: this }); }
    async* readLines() { yield* this.#run("readFile", "utf8").split(/\r?\n/); }

    readableWebStream(options = {}) {
        if (this.#fd === undefined) throw closed();
        validateObject(options, "options");
        const { autoClose = true } = options, handle = this;
        validateBoolean(autoClose, "options.autoClose");
        return new ReadableStream({
            type: "bytes",
            async pull(controller) {
                if (handle.fd === undefined) {
                    controller.close();
                    return void controller.byobRequest?.respond(0);
                }
                const buffer = new Uint8Array(16384), { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, null);
                if (bytesRead > 0) return void controller.enqueue(buffer.subarray(0, bytesRead));
                controller.close();
                return autoClose ? handle.close() : undefined;
            },
            cancel: () => (autoClose ? handle.close() : undefined),
        });
    }

    async [Symbol.asyncDispose]() { await this.close(); }
}

const promises = { constants };
for (const name of ["access", "appendFile", "chmod", "chown", "copyFile", "cp", "lchmod", "lchown", "link", "lstat", "lutimes", "mkdir", "mkdtemp", "readdir",
    "readFile", "readlink", "realpath", "rename", "rm", "rmdir", "stat", "statfs", "symlink", "truncate", "unlink", "utimes"])
    promises[name] = { async [name](...args) { return ops[name].run(...ops[name].check(...(args[0] instanceof FileHandle ? [args[0].fd, ...args.slice(1)] : args))); } }[name];
promises.writeFile = async function writeFile(path, data, options) {
    let content = data;
    if (data !== null && typeof data === "object" && !ArrayBuffer.isView(data) && (data[Symbol.asyncIterator] || data[Symbol.iterator])) {
        const parts = [];
        for await (const part of data) parts.push(typeof part === "string" ? Buffer.from(part) : part);
        content = Buffer.concat(parts);
    }
    run("writeFile", path instanceof FileHandle ? path.fd : path, content, options);
};
promises.open = async function open(path, flags, mode) { return new FileHandle(secret, run("open", path, flags, mode)); };
promises.opendir = async function opendir(path, options) { return require("./fs.js").opendirSync(path, options); };
promises.glob = async function* glob(pattern, options) { yield* require("./fs.js").globSync(pattern, options); };
promises.watch = () => notImplemented("fs.promises.watch");
promises.FileHandle = FileHandle;

module.exports = promises;
