/*
 * WASI preview 1 for a Worker that is one `.wasm` file: one instance per request, the request's body on
 * standard input, CGI variables (RFC 3875) in the environment, head and body of the answer on standard
 * output. https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md and the WAGI convention.
 *
 * There are no files: descriptors 0, 1 and 2 are all there is.
 */
import { Response } from "./response.js";
import { Headers } from "./headers.js";
import { URL } from "./url.js";
import { utf8, fromUtf8 } from "./encoding.js";
import { concatBytes } from "./blob.js";
import { isError } from "./errors.js";
import * as context from "./context.js";

const { Instance } = global.WebAssembly ?? {};

const SUCCESS = 0, BADF = 8, FAULT = 21, INVAL = 28, NOSYS = 52, SPIPE = 70, NOTCAPABLE = 76;
const CHARACTER_DEVICE = 2;
const STDOUT_MAX = 128 * 1024 * 1024, LINE_MAX = 8192;
const RIGHT_FD_READ = 2n, RIGHT_FD_WRITE = 64n;

class Exit {
    constructor(code) {
        this.code = code;
    }
}

function strings(list) {
    return list.map((s) => utf8(`${s}\0`));
}

/* One run of a module: memory, arguments, the three descriptors. */
class Run {
    constructor(args, environment, stdin) {
        this.args = strings(args);
        this.environment = strings(Object.entries(environment).map(([k, v]) => `${k}=${v}`));
        this.stdin = stdin;
        this.stdinAt = 0;
        this.out = [];
        this.outSize = 0;
        this.errors = "";
        this.memory = null;
    }

    view() {
        return new DataView(this.memory.buffer);
    }

    bytes(at, length) {
        return new Uint8Array(this.memory.buffer, at >>> 0, length >>> 0);
    }

    /* The scatter list of a read or write: calls fn with each piece until it returns less than that. */
    vectors(at, count, fn) {
        const view = this.view();
        let total = 0;
        for (let i = 0; i < count; i++) {
            const piece = this.bytes(view.getUint32(at + 8 * i, true), view.getUint32(at + 8 * i + 4, true));
            const n = fn(piece);
            total += n;
            if (n < piece.byteLength) break;
        }
        return total;
    }

    writeList(list, pointers, buffer) {
        const view = this.view();
        let at = buffer;
        list.forEach((item, i) => {
            view.setUint32(pointers + 4 * i, at, true);
            this.bytes(at, item.byteLength).set(item);
            at += item.byteLength;
        });
        return SUCCESS;
    }

    sizes(list, countAt, sizeAt) {
        const view = this.view();
        view.setUint32(countAt, list.length, true);
        view.setUint32(sizeAt, list.reduce((n, item) => n + item.byteLength, 0), true);
        return SUCCESS;
    }

    read(piece) {
        const rest = this.stdin.subarray(this.stdinAt, this.stdinAt + piece.byteLength);
        piece.set(rest);
        this.stdinAt += rest.byteLength;
        return rest.byteLength;
    }

    write(fd, piece) {
        if (fd === 2) {
            this.log(fromUtf8(piece));
            return piece.byteLength;
        }
        this.outSize += piece.byteLength;
        if (this.outSize > STDOUT_MAX) throw new RangeError(`The answer is larger than ${STDOUT_MAX} bytes.`);
        this.out.push(piece.slice());
        return piece.byteLength;
    }

    /* Standard error, line by line, is the log. */
    log(text) {
        const lines = (this.errors + text).split("\n");
        this.errors = lines.pop().slice(0, LINE_MAX);
        for (const line of lines) context.current?.log("error", [line], line.length);
    }

    finish() {
        if (this.errors !== "") this.log("\n");
        return this.out.length === 0 ? new Uint8Array(0) : concatBytes(this.out);
    }
}

function clockTime(id) {
    if (id > 3) return null;
    return BigInt(Math.round(native.io.clock[0])) * 1_000_000n;
}

function fdstat(run, fd, at) {
    if (fd > 2) return BADF;
    const view = run.view();
    for (let i = 0; i < 24; i++) view.setUint8(at + i, 0);
    view.setUint8(at, CHARACTER_DEVICE);
    view.setBigUint64(at + 8, fd === 0 ? RIGHT_FD_READ : RIGHT_FD_WRITE, true);
    return SUCCESS;
}

function filestat(run, fd, at) {
    if (fd > 2) return BADF;
    run.bytes(at, 64).fill(0);
    run.view().setUint8(at + 16, CHARACTER_DEVICE);
    return SUCCESS;
}

/* poll_oneoff: time does not pass while a script runs, so every subscription is ready at once. */
function poll(run, subscriptions, events, count, resultAt) {
    if (count === 0) return INVAL;
    const view = run.view();
    for (let i = 0; i < count; i++) {
        const from = subscriptions + 48 * i, to = events + 32 * i;
        run.bytes(to, 32).fill(0);
        view.setBigUint64(to, view.getBigUint64(from, true), true);
        view.setUint8(to + 10, view.getUint8(from + 8));
    }
    view.setUint32(resultAt, count, true);
    return SUCCESS;
}

function imports(run) {
    const preview1 = {
        args_get: (pointers, buffer) => run.writeList(run.args, pointers, buffer),
        args_sizes_get: (count, size) => run.sizes(run.args, count, size),
        environ_get: (pointers, buffer) => run.writeList(run.environment, pointers, buffer),
        environ_sizes_get: (count, size) => run.sizes(run.environment, count, size),
        clock_res_get(id, at) {
            if (clockTime(id) === null) return INVAL;
            run.view().setBigUint64(at, 1_000_000n, true);
            return SUCCESS;
        },
        clock_time_get(id, precision, at) {
            const time = clockTime(id);
            if (time === null) return INVAL;
            run.view().setBigUint64(at, time, true);
            return SUCCESS;
        },
        random_get(at, length) {
            native.crypto.random(run.bytes(at, length));
            return SUCCESS;
        },
        fd_read(fd, vectors, count, resultAt) {
            if (fd !== 0) return BADF;
            run.view().setUint32(resultAt, run.vectors(vectors, count, (piece) => run.read(piece)), true);
            return SUCCESS;
        },
        fd_write(fd, vectors, count, resultAt) {
            if (fd !== 1 && fd !== 2) return BADF;
            run.view().setUint32(resultAt, run.vectors(vectors, count, (piece) => run.write(fd, piece)), true);
            return SUCCESS;
        },
        fd_close: (fd) => (fd > 2 ? BADF : SUCCESS),
        fd_fdstat_get: (fd, at) => fdstat(run, fd, at),
        fd_fdstat_set_flags: (fd) => (fd > 2 ? BADF : SUCCESS),
        fd_filestat_get: (fd, at) => filestat(run, fd, at),
        fd_seek: (fd) => (fd > 2 ? BADF : SPIPE),
        fd_tell: (fd) => (fd > 2 ? BADF : SPIPE),
        fd_prestat_get: () => BADF,
        fd_prestat_dir_name: () => BADF,
        poll_oneoff: (from, to, count, at) => poll(run, from, to, count, at),
        sched_yield: () => SUCCESS,
        proc_exit(code) {
            throw new Exit(code);
        },
        proc_raise: () => NOSYS,
    };
    for (const name of ["path_open", "path_filestat_get", "path_create_directory", "path_link", "path_readlink",
        "path_remove_directory", "path_rename", "path_symlink", "path_unlink_file", "path_filestat_set_times"])
        preview1[name] = () => NOTCAPABLE;
    for (const name of ["fd_advise", "fd_allocate", "fd_datasync", "fd_sync", "fd_fdstat_set_rights", "fd_filestat_set_size",
        "fd_filestat_set_times", "fd_pread", "fd_pwrite", "fd_readdir", "fd_renumber"])
        preview1[name] = () => BADF;
    for (const name of ["sock_accept", "sock_recv", "sock_send", "sock_shutdown"]) preview1[name] = () => NOSYS;
    return preview1;
}

/* Only what the module asks for: each import costs the instance something. */
function importObject(run, wanted) {
    const all = imports(run), out = {};
    for (const { module, name } of wanted) {
        out[module] ??= {};
        if (all[name] !== undefined) out[module][name] = guarded(all[name]);
    }
    return out;
}

/* An address outside of the memory is the module's error, not ours. */
function guarded(fn) {
    return (...args) => {
        try {
            return fn(...args);
        } catch (error) {
            if (error instanceof RangeError && !error.message.startsWith("The answer")) return FAULT;
            throw error;
        }
    };
}

/* --- CGI --- */

function environmentOf(request, url, env, length) {
    const out = {
        GATEWAY_INTERFACE: "CGI/1.1", SERVER_SOFTWARE: "Selvedge", SERVER_PROTOCOL: "HTTP/1.1",
        REQUEST_METHOD: request.method, SCRIPT_NAME: "", PATH_INFO: url.pathname, PATH_TRANSLATED: url.pathname,
        QUERY_STRING: url.search.slice(1), SERVER_NAME: url.hostname,
        SERVER_PORT: url.port !== "" ? url.port : url.protocol === "https:" ? "443" : "80",
        X_FULL_URL: request.url, CONTENT_LENGTH: String(length), CONTENT_TYPE: request.headers.get("content-type") ?? "",
        REMOTE_ADDR: request.headers.get("cf-connecting-ip") ?? "", REMOTE_HOST: request.headers.get("cf-connecting-ip") ?? "",
    };
    for (const [name, value] of request.headers) {
        if (name === "proxy" || name === "authorization" || name === "content-type" || name === "content-length") continue;
        out[`HTTP_${name.toUpperCase().replaceAll("-", "_")}`] = value;
    }
    for (const [name, value] of Object.entries(env)) if (typeof value === "string") out[name] = value;
    return out;
}

/* Head, empty line, body. `Status: 404 Not Found` and `Location:` mean what they do in CGI. */
function responseOf(bytes) {
    const raw = native.text.latin1(bytes.subarray(0, 64 * 1024));
    const end = /\r?\n\r?\n/.exec(raw);
    if (end === null) throw new Error("The module wrote no header lines and empty line to standard output.");
    const headers = new Headers();
    let status = 200, statusText;
    for (const line of raw.slice(0, end.index).split(/\r?\n/)) {
        const colon = line.indexOf(":");
        if (colon <= 0) throw new Error(`The module wrote a header line without a colon: ${line.slice(0, 100)}`);
        const name = line.slice(0, colon).trim().toLowerCase(), value = line.slice(colon + 1).trim();
        if (name === "status") {
            status = Number.parseInt(value, 10);
            statusText = value.replace(/^\d+\s*/, "") || undefined;
            continue;
        }
        if (name === "location" && status === 200) status = 302;
        headers.append(name, value);
    }
    const body = bytes.subarray(end.index + end[0].length);
    return new Response(body.byteLength === 0 || [204, 205, 304].includes(status) ? null : body, { status, statusText, headers });
}

function execute(module, wanted, run) {
    const instance = new Instance(module, importObject(run, wanted));
    const { memory, _start: start, _initialize: initialize } = instance.exports;
    run.memory = memory;
    const entry = start ?? initialize;
    if (typeof entry !== "function" || memory === undefined)
        throw new TypeError("The module does not export _start and memory: it is no WASI command.");
    try {
        entry();
    } catch (error) {
        if (!(error instanceof Exit)) throw error;
        if (error.code !== 0) throw new Error(`The module ended with exit code ${error.code}.`);
    }
}

export function makeWasi(module, env, name) {
    const wanted = global.WebAssembly.Module.imports(module);
    return {
        async fetch(request) {
            const stdin = await request.bytes();
            const url = new URL(request.url);
            const args = [name, ...(url.search.includes("=") ? [] : url.search.slice(1).split("+").filter((s) => s !== ""))];
            const run = new Run(args, environmentOf(request, url, env, stdin.byteLength), stdin);
            try {
                execute(module, wanted, run);
            } catch (error) {
                run.finish();
                throw isError(error) ? error : new Error(String(error));
            }
            return responseOf(run.finish());
        },
        scheduled() {
            throw new Error("Handler does not export a scheduled() function");
        },
        tail() {
            throw new Error("Handler does not export a tail() function.");
        },
    };
}
