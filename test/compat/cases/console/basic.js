import { kind } from "../../worker/report.js";

const methods = ["assert", "clear", "count", "countReset", "debug", "dir", "dirxml", "error", "group", "groupCollapsed", "groupEnd", "info", "log", "table", "time", "timeEnd", "timeLog", "timeStamp", "trace", "warn", "profile", "profileEnd", "context", "createTask"];
const table = {};
for (const m of methods) table[`typeof ${m}`] = () => typeof console[m];
for (const m of ["log", "debug", "info", "warn", "error", "dir", "table", "trace", "group", "groupEnd", "count", "time", "timeEnd", "assert"]) table[`${m} returns`] = () => kind(() => console[m]("x"));

export default {
    ...table,
    "odd arguments": () => kind(() => console.log(undefined, null, Symbol("x"), 1n, () => 1, new Proxy({}, {}), new Map([[1, 2]]), [, 1])),
    "cycle": () => kind(() => { const a = {}; a.a = a; console.log(a); }),
    "throwing getter": () => kind(() => console.log({ get x() { throw new Error("no"); } })),
    "throwing toString": () => kind(() => console.log({ toString() { throw new Error("no"); } })),
    "no arguments": () => console.log(),
    "detached": () => kind(() => { const { log } = console; log("x"); }),
    "large": () => console.log("x".repeat(1000)),
    "format": () => console.log("%s %d %i %f %o %O %c %j %%", "a", 1, 2.5, 3.5, {}, {}, "css", {}),
    "tag": () => Object.prototype.toString.call(console),
};
