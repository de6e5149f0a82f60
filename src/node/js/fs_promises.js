/* node:fs/promises */
const { notImplemented } = require("./errors.js");
const EventEmitter = require("./events.js");
const { core } = require("./fs_core.js");
const constants = require("./fs_constants.js");
const { Buffer } = require("./buffer.js");

class FileHandle extends EventEmitter {
    #fd;

    constructor(fd) {
        super();
        this.#fd = fd;
    }

    get fd() { return this.#fd; }
    async close() {
        if (this.#fd < 0) return;
        core.close(this.#fd);
        this.#fd = -1;
        this.emit("close");
    }

    async read(buffer, offset, length, position) {
        let into = buffer, at = offset, count = length, pos = position;
        if (!ArrayBuffer.isView(into)) ({ buffer: into = Buffer.alloc(16384), offset: at, length: count, position: pos } = into ?? {});
        else if (at !== null && typeof at === "object") ({ offset: at, length: count, position: pos } = at);
        return { bytesRead: core.read(this.#fd, into, at, count, pos), buffer: into };
    }

    async readv(buffers, position) { return { bytesRead: core.readv(this.#fd, buffers, position), buffers }; }
    async write(data, ...rest) { return { bytesWritten: core.write(this.#fd, data, ...rest), buffer: data }; }
    async writev(buffers, position) { return { bytesWritten: core.writev(this.#fd, buffers, position), buffers }; }
    async readFile(options) { return core.readFile(this.#fd, options); }
    async writeFile(data, options) { return core.writeFile(this.#fd, data, options); }
    async appendFile(data, options) { return core.writeFile(this.#fd, data, options); }
    async stat(options) { return core.fstat(this.#fd, options); }
    async truncate(length) { return core.ftruncate(this.#fd, length); }
    async sync() { return core.fsync(this.#fd); }
    async datasync() { return core.fdatasync(this.#fd); }
    async chmod(mode) { return core.fchmod(this.#fd, mode); }
    async chown() {}
    async utimes(atime, mtime) { return core.futimes(this.#fd, atime, mtime); }
    createReadStream(options) { return require("./fs.js").createReadStream(undefined, { ...options, fd: this.#fd }); }
    createWriteStream(options) { return require("./fs.js").createWriteStream(undefined, { ...options, fd: this.#fd }); }
    async* readLines() { yield* core.readFile(this.#fd, "utf8").split(/\r?\n/); }
    readableWebStream() { return new Blob([core.readFile(this.#fd)]).stream(); }
    async [Symbol.asyncDispose]() { await this.close(); }
}

const promises = { constants };
for (const name of ["access", "appendFile", "chmod", "chown", "copyFile", "cp", "lchmod", "lchown", "link", "lstat", "lutimes", "mkdir", "mkdtemp", "readdir",
    "readFile", "readlink", "realpath", "rename", "rm", "rmdir", "stat", "statfs", "symlink", "truncate", "unlink", "utimes"])
    promises[name] = { async [name](...args) { return core[name](...args); } }[name];
promises.writeFile = async function writeFile(path, data, options) {
    if (data !== null && typeof data === "object" && !ArrayBuffer.isView(data) && (data[Symbol.asyncIterator] || data[Symbol.iterator])) {
        const parts = [];
        for await (const part of data) parts.push(typeof part === "string" ? Buffer.from(part) : part);
        return core.writeFile(path, Buffer.concat(parts), options);
    }
    return core.writeFile(path, data, options);
};
promises.open = async function open(path, flags, mode) { return new FileHandle(core.open(path, flags, mode)); };
promises.opendir = async function opendir(path, options) { return require("./fs.js").opendirSync(path, options); };
promises.glob = async function* glob(pattern, options) { yield* require("./fs.js").globSync(pattern, options); };
promises.watch = () => notImplemented("fs.promises.watch");
promises.FileHandle = FileHandle;

module.exports = promises;
