import process from "node:process";
import fs from "node:fs";

const said = (fn) => { try { return fn(); } catch (e) { return [e.name, e.code, e.message]; } };

export default {
    "working directory": () => { const before = process.cwd(); process.chdir("/tmp"); const there = process.cwd(); process.chdir(before); return [before, there, process.cwd()]; },
    "relative files": () => { process.chdir("/tmp"); fs.writeFileSync("relative.txt", "1"); process.chdir("/bundle"); return fs.readFileSync("/tmp/relative.txt", "utf8"); },
    "no such directory": () => said(() => process.chdir("/tmp/nowhere"))[1],
    "umask": () => [process.umask(), process.umask(0), process.umask("022"), process.umask()],
    "umask, wrong": () => ["8", "abc", "", -1, 1.5, 2 ** 32, NaN, {}, null, true].map((v) => said(() => process.umask(v))[1]),
    "functions that do nothing": () => ["_debugEnd", "_debugProcess", "_tickCallback", "ref", "unref"].map((name) => typeof process[name]()),
    "send": () => process.send("x"),
};
