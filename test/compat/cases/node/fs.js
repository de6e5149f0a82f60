/* The file system in memory: what upstream's does and says, which is not always what Node does. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import { caught } from "../../worker/report.js";

const text = (x) => (x instanceof Error ? [x.name, x.code, x.syscall, x.path, x.message] : x);
const e = (fn) => { try { return fn(); } catch (x) { return text(x); } };
const ea = async (p) => { try { return await p; } catch (x) { return text(x); } };
const cb = (fn) => new Promise((r) => fn((...a) => r(a.map(text))));
let folders = 0;

/* /tmp belongs to the request that all cases share: a folder for each. */
function folder() {
    const dir = `/tmp/f${folders++}`, at = (name) => `${dir}/${name}`;
    fs.mkdirSync(dir);
    fs.writeFileSync(at("a"), "hello world");
    fs.writeFileSync(at("b"), "other");
    fs.mkdirSync(at("d/e/f"), { recursive: true });
    fs.writeFileSync(at("d/x"), Buffer.from([1, 2, 3]));
    return { dir, at };
}

const table = {};
const add = (name, fn) => { table[name] = () => { const { dir, at } = folder(); return fn(at, dir); }; };
add("fs.writeFileSync(at(\"a\"), \"hello\")", (at, dir) => fs.writeFileSync(at("a"), "hello"));
add("fs.readFileSync(at(\"a\"), \"utf8\")", (at, dir) => fs.readFileSync(at("a"), "utf8"));
add("fs.readFileSync(at(\"a\"))", (at, dir) => fs.readFileSync(at("a")));
add("fs.appendFileSync(at(\"a\"), \" world\") ?? fs.readFileSync(at(\"a\"), { encoding: \"latin1\" })", (at, dir) => fs.appendFileSync(at("a"), " world") ?? fs.readFileSync(at("a"), { encoding: "latin1" }));
add("fs.existsSync(at(\"a\"))", (at, dir) => fs.existsSync(at("a")));
add("fs.existsSync(at(\"zz\"))", (at, dir) => fs.existsSync(at("zz")));
add("e(() => fs.readFileSync(at(\"zz\")))", (at, dir) => e(() => fs.readFileSync(at("zz"))));
add("e(() => fs.readFileSync(dir))", (at, dir) => e(() => fs.readFileSync(dir)));
add("e(() => fs.readdirSync(at(\"a\")))", (at, dir) => e(() => fs.readdirSync(at("a"))));
add("fs.readdirSync(dir)", (at, dir) => fs.readdirSync(dir));
add("e(() => fs.mkdirSync(dir))", (at, dir) => e(() => fs.mkdirSync(dir)));
add("fs.mkdirSync(at(\"d/e/f\"), { recursive: true }) === at(\"d\")", (at, dir) => fs.mkdirSync(at("d/e/f"), { recursive: true }) === at("d"));
add("e(() => fs.mkdirSync(at(\"q/r\")))", (at, dir) => e(() => fs.mkdirSync(at("q/r"))));
add("fs.writeFileSync(at(\"d/x\"), Buffer.from([1, 2, 3]))", (at, dir) => fs.writeFileSync(at("d/x"), Buffer.from([1, 2, 3])));
add("fs.readdirSync(dir, { recursive: true }).sort()", (at, dir) => fs.readdirSync(dir, { recursive: true }).sort());
add("fs.readdirSync(dir, { withFileTypes: true }).map((d) => [d.name, d.isFile(), d.isDirectory", (at, dir) => fs.readdirSync(dir, { withFileTypes: true }).map((d) => [d.name, d.isFile(), d.isDirectory()]));
add("(() => { const s = fs.statSync(at(\"a\")); return [s.size, s.isFile(), s.isDirectory(), s.mo", (at, dir) => (() => { const s = fs.statSync(at("a")); return [s.size, s.isFile(), s.isDirectory(), s.mode & 0o170000, s.mtime instanceof Date]; })());
add("fs.statSync(at(\"zz\"), { throwIfNoEntry: false })", (at, dir) => fs.statSync(at("zz"), { throwIfNoEntry: false }));
add("e(() => fs.statSync(at(\"zz\")))", (at, dir) => e(() => fs.statSync(at("zz"))));
add("typeof fs.statSync(at(\"a\"), { bigint: true }).size", (at, dir) => typeof fs.statSync(at("a"), { bigint: true }).size);
add("e(() => fs.rmdirSync(at(\"d\")))", (at, dir) => e(() => fs.rmdirSync(at("d"))));
add("e(() => fs.unlinkSync(at(\"zz\")))", (at, dir) => e(() => fs.unlinkSync(at("zz"))));
add("e(() => fs.rmSync(at(\"zz\")))", (at, dir) => e(() => fs.rmSync(at("zz"))));
add("e(() => fs.rmSync(at(\"d\")))[1]", (at, dir) => e(() => fs.rmSync(at("d")))[1]);
add("fs.rmSync(at(\"zz\"), { force: true })", (at, dir) => fs.rmSync(at("zz"), { force: true }));
add("fs.renameSync(at(\"a\"), at(\"b\")) ?? fs.readFileSync(at(\"b\"), \"utf8\")", (at, dir) => fs.renameSync(at("a"), at("b")) ?? fs.readFileSync(at("b"), "utf8"));
add("e(() => fs.renameSync(at(\"zz\"), at(\"y\")))", (at, dir) => e(() => fs.renameSync(at("zz"), at("y"))));
add("fs.copyFileSync(at(\"b\"), at(\"c\")) ?? fs.readFileSync(at(\"c\"), \"utf8\")", (at, dir) => fs.copyFileSync(at("b"), at("c")) ?? fs.readFileSync(at("c"), "utf8"));
add("e(() => fs.copyFileSync(at(\"b\"), at(\"c\"), fs.constants.COPYFILE_EXCL))", (at, dir) => e(() => fs.copyFileSync(at("b"), at("c"), fs.constants.COPYFILE_EXCL)));
add("fs.symlinkSync(\"b\", at(\"l\")) ?? fs.readFileSync(at(\"l\"), \"utf8\")", (at, dir) => fs.symlinkSync("b", at("l")) ?? fs.readFileSync(at("l"), "utf8"));
add("fs.readlinkSync(at(\"l\"))", (at, dir) => fs.readlinkSync(at("l")));
add("fs.lstatSync(at(\"l\")).isSymbolicLink()", (at, dir) => fs.lstatSync(at("l")).isSymbolicLink());
add("fs.realpathSync(at(\"l\")) === at(\"b\")", (at, dir) => fs.realpathSync(at("l")) === at("b"));
add("e(() => fs.readlinkSync(at(\"b\")))", (at, dir) => e(() => fs.readlinkSync(at("b"))));
add("fs.linkSync(at(\"b\"), at(\"h\")) ?? fs.statSync(at(\"h\")).nlink", (at, dir) => fs.linkSync(at("b"), at("h")) ?? fs.statSync(at("h")).nlink);
add("e(() => fs.symlinkSync(\"x\", at(\"b\")))", (at, dir) => e(() => fs.symlinkSync("x", at("b"))));
add("fs.truncateSync(at(\"c\"), 3) ?? fs.readFileSync(at(\"c\"), \"utf8\")", (at, dir) => fs.truncateSync(at("c"), 3) ?? fs.readFileSync(at("c"), "utf8"));
add("fs.writeFileSync(at(\"c\"), \"X\", { flag: \"a\" }) ?? fs.readFileSync(at(\"c\"), \"utf8\")", (at, dir) => fs.writeFileSync(at("c"), "X", { flag: "a" }) ?? fs.readFileSync(at("c"), "utf8"));
add("e(() => fs.writeFileSync(at(\"c\"), \"X\", { flag: \"wx\" }))", (at, dir) => e(() => fs.writeFileSync(at("c"), "X", { flag: "wx" })));
add("e(() => fs.writeFileSync(at(\"c\"), {}))[1]", (at, dir) => e(() => fs.writeFileSync(at("c"), {}))[1]);
add("e(() => fs.openSync(at(\"c\"), \"nope\"))[1]", (at, dir) => e(() => fs.openSync(at("c"), "nope"))[1]);
add("e(() => fs.closeSync(9999))", (at, dir) => e(() => fs.closeSync(9999)));
add("e(() => fs.accessSync(at(\"zz\")))", (at, dir) => e(() => fs.accessSync(at("zz"))));
add("fs.accessSync(at(\"c\"))", (at, dir) => fs.accessSync(at("c")));
add("fs.cpSync(at(\"d\"), at(\"d2\"), { recursive: true }) ?? fs.readdirSync(at(\"d2\")).sort()", (at, dir) => fs.cpSync(at("d"), at("d2"), { recursive: true }) ?? fs.readdirSync(at("d2")).sort());
add("fs.utimesSync(at(\"c\"), 1, 2) ?? fs.statSync(at(\"c\")).mtimeMs", (at, dir) => fs.utimesSync(at("c"), 1, 2) ?? fs.statSync(at("c")).mtimeMs);
add("(() => { const fd = fs.openSync(at(\"n\"), \"w+\"); const w = fs.writeSync(fd, \"0123456789\"); ", (at, dir) => (() => { const fd = fs.openSync(at("n"), "w+"); const w = fs.writeSync(fd, "0123456789"); const b = Buffer.alloc(4); const r = fs.readSync(fd, b, 0, 4, 2); const s = fs.fstatSync(fd).size; fs.ftruncateSync(fd, 5); fs.closeSync(fd); return [w, r, b.toString(), s, fs.readFileSync(at("n"), "utf8")]; })());
add("e(() => fs.readFileSync(5.5))[1]", (at, dir) => e(() => fs.readFileSync(5.5))[1]);
add("e(() => fs.readFileSync(\"a\\0b\"))[1]", (at, dir) => e(() => fs.readFileSync("a\0b"))[1]);
add("e(() => fs.readFile(\"x\"))[1]", (at, dir) => e(() => fs.readFile("x"))[1]);
add("cb((f) => fs.readFile(at(\"b\"), \"utf8\", f))", (at, dir) => cb((f) => fs.readFile(at("b"), "utf8", f)));
add("cb((f) => fs.readFile(at(\"zz\"), f))", (at, dir) => cb((f) => fs.readFile(at("zz"), f)));
add("cb((f) => fs.writeFile(at(\"w\"), \"1\", f))", (at, dir) => cb((f) => fs.writeFile(at("w"), "1", f)));
add("cb((f) => fs.stat(at(\"zz\"), f))", (at, dir) => cb((f) => fs.stat(at("zz"), f)));
add("cb((f) => fs.mkdir(at(\"m\"), f))", (at, dir) => cb((f) => fs.mkdir(at("m"), f)));
add("cb((f) => fs.exists(at(\"b\"), f))", (at, dir) => cb((f) => fs.exists(at("b"), f)));
add("cb((f) => fs.readdir(at(\"m\"), f))", (at, dir) => cb((f) => fs.readdir(at("m"), f)));
add("fsp.writeFile(at(\"p\"), \"promise\")", (at, dir) => fsp.writeFile(at("p"), "promise"));
add("fsp.readFile(at(\"p\"), \"utf8\")", (at, dir) => fsp.readFile(at("p"), "utf8"));
add("ea(fsp.readFile(at(\"zz\")))", (at, dir) => ea(fsp.readFile(at("zz"))));
add("ea(fsp.access(at(\"p\")))", (at, dir) => ea(fsp.access(at("p"))));
add("ea(fsp.rm(at(\"d2\"), { recursive: true }))", (at, dir) => ea(fsp.rm(at("d2"), { recursive: true })));
add("fsp.readdir(at(\"d\"))", (at, dir) => fsp.readdir(at("d")));
add("(async () => { const h = await fsp.open(at(\"p\"), \"r+\"); const r = await h.read(Buffer.allo", (at, dir) => (async () => { const h = await fsp.open(at("b"), "r+"); const r = await h.read(Buffer.alloc(3), 0, 3, 1); const t = (await h.readFile("utf8")); await h.close(); return [r.bytesRead, r.buffer.toString(), t]; })());
add("(async () => { const out = []; for await (const c of fs.createReadStream(at(\"p\"), { highWa", (at, dir) => (async () => { const out = []; for await (const c of fs.createReadStream(at("b"), { highWaterMark: 3, encoding: "utf8" })) out.push(c); return out; })());
add("new Promise((r) => { const s = fs.createWriteStream(at(\"s\")); s.write(\"a\"); s.end(\"b\"); s.", (at, dir) => new Promise((r) => { const s = fs.createWriteStream(at("s")); s.write("a"); s.end("b"); s.on("close", () => r(fs.readFileSync(at("s"), "utf8"))); }));
add("new Promise((r) => fs.createReadStream(at(\"zz\")).on(\"error\", (x) => r(x.code)))", (at, dir) => new Promise((r) => fs.createReadStream(at("zz")).on("error", (x) => r(x.code))));
add("(async () => { const out = []; for await (const c of fs.createReadStream(at(\"p\"), { start:", (at, dir) => (async () => { const out = []; for await (const c of fs.createReadStream(at("b"), { start: 1, end: 3 })) out.push(c); return Buffer.concat(out).toString(); })());
add("(async () => { const out = []; for await (const d of await fsp.opendir(at(\"d\"))) out.push(", (at, dir) => (async () => { const out = []; for await (const d of await fsp.opendir(at("d"))) out.push(d.name); return out.sort(); })());
add("fs.constants.O_RDONLY", (at, dir) => fs.constants.O_RDONLY);
add("fs.readFileSync(new URL(\"file://\" + at(\"p\")), \"utf8\")", (at, dir) => fs.readFileSync(new URL("file://" + at("p")), "utf8"));
add("fs.readFileSync(Buffer.from(at(\"p\")), \"utf8\")", (at, dir) => fs.readFileSync(Buffer.from(at("p")), "utf8"));
add("fs.rmSync(dir, { recursive: true }) ?? fs.existsSync(dir)", (at, dir) => fs.rmSync(dir, { recursive: true }) ?? fs.existsSync(dir));
add("e(() => fs.writeFileSync(\"/bundle/x\", \"a\"))[1]", (at, dir) => e(() => fs.writeFileSync("/bundle/x", "a"))[1]);
add("fs.readdirSync(\"/\")", (at, dir) => fs.readdirSync("/"));

const bad = [undefined, null, 5, {}, true, Symbol.iterator, "/tmp/nowhere/x"];
for (const name of ["access", "chmod", "chown", "close", "copyFile", "cp", "fchmod", "fsync", "ftruncate", "futimes", "lchmod", 
    "opendir", "readFile", "readv", "statfs", "truncate", "utimes", "writeFile", "writev"])
    table[`${name}Sync, bad arguments`] = () => [...bad, 77].map((v) => [e(() => typeof fs[`${name}Sync`](v)), e(() => typeof fs[`${name}Sync`](v, {})), e(() => typeof fs[`${name}Sync`](v, "x", 1))]);
add("stat of all kinds", (at) => { fs.symlinkSync(at("a"), at("l")); return ["/", "/tmp", "/bundle", "/dev/null", at("a"), at("l")].map((p) => { const { mode, size, nlink, ino, dev, blksize, uid } = fs.lstatSync(p); return [mode, size, nlink, ino, dev, blksize, uid]; }); });
add("times", (at) => { fs.utimesSync(at("a"), 1000, 2000); const { atimeMs, mtimeMs, ctimeMs, birthtimeMs } = fs.statSync(at("a")); return [atimeMs, mtimeMs, ctimeMs, birthtimeMs]; });
add("overwriting by copyFile", (at) => e(() => fs.copyFileSync(at("a"), at("b"))));
add("overwriting by rename", (at) => e(() => fs.renameSync(at("a"), at("b"))));
add("renaming a folder", (at) => { fs.renameSync(at("d"), at("g")); return [fs.existsSync(at("d")), fs.readdirSync(at("g"), { recursive: true }).length]; });
add("glob", (at, dir) => fs.globSync(["**/x", "{a,b}", "d/*"], { cwd: dir }).sort());
add("glob excludes", (at, dir) => fs.globSync("**", { cwd: dir, exclude: ["d/**"] }).sort());
add("reading by pieces", (at) => { const fd = fs.openSync(at("a")), b = Buffer.alloc(4), out = []; for (let n; (n = fs.readSync(fd, b)) > 0;) out.push(b.toString("latin1", 0, n)); fs.closeSync(fd); return out; });
add("positions", (at) => { const fd = fs.openSync(at("a"), "r+"); fs.writeSync(fd, "HE"); fs.writeSync(fd, Buffer.from("WORLD"), 0, 5, 6); fs.closeSync(fd); return fs.readFileSync(at("a"), "utf8"); });
add("appending", (at) => { const fd = fs.openSync(at("a"), "a+"); fs.writeSync(fd, "!", 0); fs.closeSync(fd); return fs.readFileSync(at("a"), "utf8"); });
add("write stream then read stream", async (at) => {
    const w = fs.createWriteStream(at("s"));
    for (let i = 0; i < 5; i++) w.write(`line ${i}\n`);
    await new Promise((r) => w.end(r));
    const out = [];
    for await (const c of fs.createReadStream(at("s"), { encoding: "utf8", start: 2, end: 20, highWaterMark: 7 })) out.push(c);
    return out;
});
add("file handle", async (at) => { const h = await fsp.open(at("a"), "r+"); const r = [await h.read(Buffer.alloc(3), 0, 3, 1), (await h.write("XY", 0)).bytesWritten, (await h.stat()).size]; await h.truncate(4); await h.close(); return [r, h.fd, fs.readFileSync(at("a"), "utf8")]; });
add("a closed handle", async (at) => { const h = await fsp.open(at("a")); await h.close(); return [await ea(h.stat()), await ea(h.read(Buffer.alloc(1)))]; });
add("symlink to a folder", (at) => { fs.symlinkSync(at("d"), at("l")); return [fs.readFileSync(at("l/x")), fs.realpathSync(at("l")), e(() => fs.readdirSync(at("l"))), e(() => fs.rmdirSync(at("l")))]; });
add("link loop", (at) => { fs.symlinkSync(at("l2"), at("l1")); fs.symlinkSync(at("l1"), at("l2")); return caught(() => fs.readFileSync(at("l1"))); });
add("odd names", (at) => { fs.writeFileSync(at("x y%20z#?.txt"), "1"); return fs.readdirSync(at(".")); });

export default table;
