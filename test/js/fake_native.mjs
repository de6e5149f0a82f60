/*
 * The isolate's built-in script in Node: the bundle in a context of its own, over natives that use Node's
 * own implementations. Fast to start, and Node's URL, TextDecoder and zlib are an independent opinion.
 */
import {
    constants, createCipheriv, createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman,
    generateKeyPairSync, hkdfSync, pbkdf2Sync, privateDecrypt, publicEncrypt, randomFillSync, randomUUID, sign, timingSafeEqual, verify,
} from "node:crypto";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import zlib from "node:zlib";
import { bundleScripts } from "../../src/web/bundle.mjs";
import { link } from "../../src/engine/js/linker.js";
import { nodeScripts } from "../../src/node/bundle.mjs";

const DIGESTS = ["md5", "sha1", "sha256", "sha384", "sha512"];
const MODES = ["cbc", "ctr", "gcm", "wrap"];
/* Name → text of the built-in scripts. */
let texts = null;
function sources() {
    texts ??= Promise.all([bundleScripts({ minify: false }), nodeScripts(fileURLToPath(new URL("../../src/node/js", import.meta.url)))])
        .then(([scripts, node]) => new Map([...scripts.map((x) => [x.name, x.text]), ...node.scripts.map((x) => [`node/${x.name}`, x.text])]));
    return texts;
}

/* --- pure natives --- */

function urlNatives() {
    const buffer = new ArrayBuffer(32), out = new Uint32Array(buffer);
    const places = (u) => {
        const { href } = u;
        const schemeEnd = u.protocol.length, hasHost = href.startsWith("//", schemeEnd);
        const begin = hasHost ? schemeEnd + 2 : schemeEnd;
        const credentials = u.username !== "" || u.password !== "";
        const hostStart = credentials ? begin + u.username.length + (u.password === "" ? 0 : u.password.length + 1) + 1 : begin;
        const hostEnd = hostStart + u.hostname.length;
        let pathStart = hostEnd + (u.port === "" ? 0 : u.port.length + 1);
        if (!hasHost && href.startsWith("/.//", schemeEnd)) pathStart += 2;
        const pathEnd = pathStart + u.pathname.length;
        const query = href[pathEnd] === "?" ? pathEnd : 0xffffffff;
        const hash = href.indexOf("#", pathEnd);
        out.set([schemeEnd, begin + u.username.length, hostStart, hostEnd, pathStart, query, hash < 0 ? 0xffffffff : hash, hasHost ? 1 : 0]);
        return href;
    };
    const parts = ["href", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
    return {
        places: buffer,
        parse(input, base) {
            const u = URL.parse(input, base);
            return u === null ? undefined : places(u);
        },
        set(href, part, value) {
            const u = new URL(href);
            try {
                u[parts[part]] = value;
            } catch {
                return undefined;
            }
            return places(u);
        },
    };
}

function textNatives(toBuffer) {
    const names = ["utf-8", "windows-1252", "utf-16le", "utf-16be"];
    const decoder = (name, flags) => new TextDecoder(name, { fatal: (flags & 1) !== 0, ignoreBOM: (flags & 2) !== 0 });
    const attempt = (fn) => {
        try {
            return fn();
        } catch {
            return undefined;
        }
    };
    const percent = (string) => {
        const bytes = Buffer.from(string), out = [];
        for (let i = 0; i < bytes.length; i++) {
            const hex = bytes.toString("latin1", i + 1, i + 3);
            if (bytes[i] === 0x25 && /^[0-9a-f]{2}$/i.test(hex)) {
                out.push(Number.parseInt(hex, 16));
                i += 2;
            } else {
                out.push(bytes[i]);
            }
        }
        return Buffer.from(out);
    };
    return {
        decode: (bytes, kind, flags) => attempt(() => decoder(names[kind], flags).decode(new Uint8Array(bytes))),
        encode: (string) => toBuffer(new TextEncoder().encode(string)),
        encodeInto(string, bytes, counts) {
            const { read, written } = new TextEncoder().encodeInto(string, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
            counts[0] = read;
            counts[1] = written;
        },
        latin1: (bytes) => Buffer.from(bytes).toString("latin1"),
        label: (name) => attempt(() => new TextDecoder(name).encoding),
        decodeLegacy(bytes, name, flags, pending) {
            pending[0] = 0;
            return attempt(() => decoder(name, flags).decode(new Uint8Array(bytes)));
        },
        btoa: (string) => attempt(() => btoa(string)),
        atob: (string) => attempt(() => atob(string)),
        percentDecode: (string) => percent(string).toString("utf8"),
        percentBytes: (string) => toBuffer(percent(string)),
    };
}

/* Natives that may take long tell their last argument, here at once (engine/vm_job.h). */
function slow(fn) {
    return (...args) => {
        const done = typeof args.at(-1) === "function" ? args.pop() : undefined;
        const value = fn(...args);
        return done === undefined ? value : void done(value);
    };
}

function cryptoNatives(toBuffer) {
    const digests = new Map();
    return {
        random(view) {
            randomFillSync(Buffer.from(view.buffer, view.byteOffset, view.byteLength));
            return view;
        },
        uuid: () => randomUUID(),
        digest: (kind, bytes) => toBuffer(createHash(DIGESTS[kind]).update(Buffer.from(bytes)).digest()),
        hmac: (kind, key, bytes) => toBuffer(createHmac(DIGESTS[kind], Buffer.from(key)).update(Buffer.from(bytes)).digest()),
        equal: (a, b) => timingSafeEqual(Buffer.from(a), Buffer.from(b)),
        digestOpen(kind) {
            const handle = {};
            digests.set(handle, createHash(DIGESTS[kind]));
            return handle;
        },
        digestPush: (handle, bytes) => void digests.get(handle).update(Buffer.from(bytes)),
        digestEnd: (handle) => toBuffer(digests.get(handle).digest()),
        cipher(mode, encrypt, key, iv, data, extra, tagBits) {
            try {
                const name = `aes-${key.byteLength * 8}-${MODES[mode]}`.replace("-wrap", "-wrap");
                const options = mode === 2 ? { authTagLength: tagBits / 8 } : undefined;
                const vector = mode === 3 ? Buffer.alloc(8, 0xa6) : Buffer.from(iv);
                const c = (encrypt ? createCipheriv : createDecipheriv)(mode === 3 ? `id-aes${key.byteLength * 8}-wrap` : name, Buffer.from(key), vector, options);
                let input = Buffer.from(data);
                if (extra) c.setAAD(Buffer.from(extra));
                if (mode === 2 && !encrypt) {
                    c.setAuthTag(input.subarray(input.length - tagBits / 8));
                    input = input.subarray(0, input.length - tagBits / 8);
                }
                const out = [c.update(input), c.final()];
                if (mode === 2 && encrypt) out.push(c.getAuthTag());
                return toBuffer(Buffer.concat(out));
            } catch {
                return undefined;
            }
        },
        pbkdf2: slow((kind, password, salt, n, length) => toBuffer(pbkdf2Sync(Buffer.from(password), Buffer.from(salt), n, length, DIGESTS[kind]))),
        hkdf: (kind, secret, salt, info, length) => toBuffer(new Uint8Array(hkdfSync(DIGESTS[kind], Buffer.from(secret), Buffer.from(salt), Buffer.from(info), length))),
    };
}

function pairNatives(toBuffer) {
    const attempt = (fn) => {
        try {
            return fn();
        } catch {
            return undefined;
        }
    };
    const read = (bytes, secret) => (secret ? createPrivateKey({ key: Buffer.from(bytes), format: "der", type: "pkcs8" })
        : createPublicKey({ key: Buffer.from(bytes), format: "der", type: "spki" }));
    const options = (scheme, key, salt) => (scheme === 1 ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt }
        : scheme === 2 ? { key, dsaEncoding: "ieee-p1363" } : key);
    const digest = (scheme, kind) => (scheme === 3 ? null : DIGESTS[kind]);
    return {
        pairGenerate: slow((kind, param, exponent) => {
            const type = ["rsa", "ec", "ed25519", "x25519"][kind];
            const { privateKey } = generateKeyPairSync(type, { modulusLength: param, publicExponent: exponent, namedCurve: ["P-256", "P-384", "P-521"][param] });
            return toBuffer(privateKey.export({ format: "der", type: "pkcs8" }));
        }),
        pairPublic: (bytes, secret) => attempt(() => toBuffer((secret ? createPublicKey(read(bytes, true)) : read(bytes, false)).export({ format: "der", type: "spki" }))),
        pairSign: slow((scheme, kind, key, data, salt) => attempt(() => toBuffer(sign(digest(scheme, kind), Buffer.from(data), options(scheme, read(key, true), salt))))),
        pairVerify: (scheme, kind, key, data, salt, signature) => attempt(() => verify(digest(scheme, kind), Buffer.from(data), options(scheme, read(key, false), salt), Buffer.from(signature))) ?? false,
        pairCrypt: (encrypt, kind, key, data, label) => attempt(() => toBuffer((encrypt ? publicEncrypt : privateDecrypt)({ key: read(key, !encrypt), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: DIGESTS[kind], oaepLabel: Buffer.from(label) }, Buffer.from(data)))),
        pairDerive: (mine, theirs) => attempt(() => toBuffer(diffieHellman({ privateKey: read(mine, true), publicKey: read(theirs, false) }))),
    };
}

/* Whole streams at once: nothing comes out before the last push. */
function zlibNatives(toBuffer) {
    const state = new Map();
    const run = {
        "gzip": [zlib.gzipSync, zlib.gunzipSync], "deflate": [zlib.deflateSync, zlib.inflateSync],
        "deflate-raw": [zlib.deflateRawSync, zlib.inflateRawSync],
    };
    return {
        open(format, inflate) {
            const handle = {};
            state.set(handle, { fn: run[format][inflate ? 1 : 0], parts: [] });
            return handle;
        },
        push(handle, bytes, last) {
            const z = state.get(handle);
            z.parts.push(Buffer.from(bytes));
            if (!last) return toBuffer(Buffer.alloc(0));
            try {
                return toBuffer(z.fn(Buffer.concat(z.parts)));
            } catch {
                return undefined;
            }
        },
        trailing: () => false,
    };
}

/* --- io: channels in memory --- */

class FakeIo {
    constructor(toBuffer, fetcher) {
        this.toBuffer = toBuffer;
        this.fetcher = fetcher;
        this.next = 1;
        this.incoming = new Map(); // channel → {parts, ended, waiting}
        this.outgoing = new Map(); // channel → {parts, done}
        this.answers = new Map(); // channel → resolve of the response
        this.ends = new Map();
        this.logs = [];
        this.clock = null;
        this.timer = null;
        this.hooks = null;
    }

    turn(fn) {
        setImmediate(() => {
            this.clock[0] = Date.now();
            fn();
        });
    }

    /* Bytes that somebody may read from a channel; a string, bytes, or an array of either. */
    give(channel, body) {
        const parts = (Array.isArray(body) ? body : [body]).map((p) => Buffer.from(p)).filter((p) => p.length > 0);
        this.incoming.set(channel, { parts });
    }

    natives() {
        const take = (ch) => {
            const c = this.incoming.get(ch);
            return c === undefined ? undefined : c.parts;
        };
        const collect = (ch) => {
            const parts = take(ch);
            this.incoming.delete(ch);
            return parts === undefined ? undefined : Buffer.concat(parts);
        };
        const out = (ch) => {
            if (!this.outgoing.has(ch)) {
                const o = { parts: [] };
                o.done = new Promise((resolve, reject) => Object.assign(o, { resolve, reject }));
                o.done.catch(() => {});
                this.outgoing.set(ch, o);
            }
            return this.outgoing.get(ch);
        };
        return {
            clock: this.clock,
            now: () => this.clock[0],
            log: (level, text) => this.logs.push([level, text]),
            read: (ch, cb) => this.turn(() => {
                const parts = take(ch);
                if (parts === undefined) cb(undefined, -32);
                else if (parts.length === 0) cb(null);
                else cb(this.toBuffer(parts.shift()));
            }),
            collect: (ch, cb) => this.turn(() => {
                const all = collect(ch);
                if (all === undefined) cb(undefined, -32);
                else cb(this.toBuffer(all));
            }),
            collectText: (ch, cb) => this.turn(() => {
                const all = collect(ch);
                if (all === undefined) cb(undefined, -32);
                else cb(new TextDecoder().decode(all));
            }),
            cancel: (ch) => void this.incoming.delete(ch),
            write(ch, chunk) {
                out(ch).parts.push(Buffer.from(chunk));
                return 0;
            },
            whenWritable: (ch, cb) => this.turn(() => cb()),
            end: (ch) => out(ch).resolve(Buffer.concat(out(ch).parts)),
            fail: (ch, errno) => out(ch).reject(new Error(`failed ${errno}`)),
            reset: (ch, errno) => {
                this.incoming.delete(ch);
                out(ch).reject(new Error(`reset ${errno}`));
            },
            pipe: (from, to, cb) => this.turn(() => {
                const all = collect(from);
                out(to).resolve(all ?? Buffer.alloc(0));
                this.turn(() => cb(all === undefined ? -32 : 0));
            }),
            respond: (ch, status, flags, length, statusText, headers, body) => {
                const whole = body === null ? Promise.resolve(Buffer.alloc(0)) : body === true ? out(ch).done : Promise.resolve(Buffer.from(body));
                this.answers.get(ch)?.({ status, flags, length, statusText, headers, body: whole });
            },
            fetch: (binding, flags, method, url, headers, cf, body, cb) => {
                const ch = this.next++;
                const sent = body === null ? Promise.resolve(Buffer.alloc(0)) : body === true ? out(ch).done : Promise.resolve(Buffer.from(body));
                Promise.resolve(this.fetcher({ binding, flags, method, url, headers, cf, body: sent })).then((r) => this.turn(() => {
                    const has = r.body !== undefined;
                    if (has) this.give(ch, r.body);
                    cb(null, r.status ?? 200, r.statusText ?? "", r.headers ?? "", 0, r.length ?? -1, has);
                }), (error) => this.turn(() => cb(error.message)));
                return ch;
            },
            cpuTime: () => 0,
            eventEnd: (ch, outcome, trace) => this.ends.get(ch)?.({ outcome, trace: trace === "" ? null : JSON.parse(trace) }),
            timerAt: (ms) => {
                clearTimeout(this.timer);
                if (ms === Infinity) return;
                this.timer = setTimeout(() => {
                    this.clock[0] = Math.max(Date.now(), ms);
                    this.hooks.timer();
                }, Math.max(0, ms - Date.now()));
            },
        };
    }
}

/* A context of its own with its natives: {inside(code), io, native}. */
export function makeInside(fetcher = () => {
    throw new Error("no network");
}) {
    const context = vm.createContext({});
    const inside = (code) => vm.runInContext(code, context);
    const toBuffer = inside("(bytes) => { const b = new ArrayBuffer(bytes.length); new Uint8Array(b).set(bytes); return b; }");
    const io = new FakeIo(toBuffer, fetcher);
    io.clock = inside("new Float64Array(1)");
    io.clock[0] = Date.now();
    const native = {
        io: io.natives(), url: urlNatives(), text: textNatives(toBuffer), crypto: { ...cryptoNatives(toBuffer), ...pairNatives(toBuffer) }, zlib: zlibNatives(toBuffer),
        kv: {}, d1: {}, r2: {},
    };
    return { inside, io, native };
}

/* The isolate's scripts without a Worker: what makeInside() gives, and the hooks. */
export async function startScripts(made = makeInside()) {
    const { inside, native } = made;
    const scripts = await sources();
    native.script = (name) => inside(scripts.get(name))(native, inside("globalThis"));
    native.node = {};
    made.io.hooks = native.script("main");
    return { ...made, hooks: made.io.hooks };
}

/* A Worker from the text of its main module. Options: bindings, modules, compat, fetcher(call) → answer, format. */
export async function startWorker(script, options = {}) {
    const { inside, io, hooks } = await startScripts(makeInside(options.fetcher));
    while (hooks.warm()) await new Promise((resolve) => setImmediate(resolve)); // microtasks, as when C leaves the VM
    const worker = new FakeWorker(io, hooks, inside);
    await worker.load(script, options);
    return worker;
}

class FakeWorker {
    constructor(io, hooks, inside) {
        Object.assign(this, { io, hooks, inside });
    }

    async load(script, { bindings = [], modules = [], compat = { flags: ["expose_global_message_channel"] }, format = "modules", limits = {}, mainName = "index.js" }) {
        const spec = { version: "v1", version_tag: "", created_ms: 0, format, main: mainName, modules: [], compat, bindings, limits };
        const files = new Map(modules.map((m, i) => [`m${i}`, m.source]));
        spec.modules = modules.map((m, i) => ({ name: m.name, type: m.type, file: `m${i}` }));
        if (format === "wasi") spec.main = modules[0].name;
        const evaluate = () => {
            if (format === "service-worker") return this.inside(script);
            const list = [{ name: mainName, type: "esm", source: script }, ...modules.map((m) => ({ ...m, source: ["esm", "commonjs", "json"].includes(m.type) ? m.source : "" }))];
            const { code, errors } = link({ main: mainName, modules: list, flags: {} });
            if (errors.length > 0) throw new Error(errors[0].text);
            return this.inside(code);
        };
        const readFile = (file, kind) => (kind === "wasm" || kind === "data" ? this.io.toBuffer(Buffer.from(files.get(file))) : files.get(file));
        this.handlers = JSON.parse(await this.hooks.load(JSON.stringify(spec), evaluate, readFile));
    }

    #event(channel) {
        return new Promise((resolve) => this.io.ends.set(channel, resolve));
    }

    /* {status, headers: Headers, text, bytes, end: {outcome, trace}} */
    async fetch(url, { method = "GET", headers = {}, body, cf = "{}", flags = 0, entrypoint = "" } = {}) {
        const channel = this.io.next++;
        let block = "";
        for (const [k, v] of Object.entries(headers)) block += `${k.toLowerCase()}: ${v}\r\n`;
        if (body !== undefined) this.io.give(channel, body);
        const answered = new Promise((resolve) => this.io.answers.set(channel, resolve));
        const ended = this.#event(channel);
        this.io.clock[0] = Date.now();
        this.hooks.request(channel, method, new URL(url).href, block, cf, entrypoint, "req", body !== undefined, flags);
        const answer = await answered;
        const bytes = await answer.body;
        const list = answer.headers.split("\r\n").filter((l) => l !== "").map((l) => l.split(": "));
        return { ...answer, rawHeaders: answer.headers, headers: new Headers(list), bytes, text: bytes.toString("utf8"), end: await ended };
    }

    async scheduled(ms = 0, cron = "* * * * *") {
        const channel = this.io.next++;
        const ended = this.#event(channel);
        this.hooks.scheduled(channel, ms, cron, "req");
        return ended;
    }

    /* Runs the body of an async function in a fetch event and returns what it returns, as JSON carries it. */
    static async run(code, options = {}) {
        const worker = await startWorker(`export default { async fetch(request, env, ctx) {
            try { return Response.json({ value: await (async () => {${code}})() ?? null }); }
            catch (error) { return Response.json({ error: \`\${error.name}: \${error.message}\` }); }
        } }`, options);
        const answer = await worker.fetch("http://test.local/path?q=1", options.request ?? {});
        const { value, error } = JSON.parse(answer.text);
        if (error !== undefined) throw new Error(error);
        return value;
    }
}
export const run = FakeWorker.run;
