import note from "./note.txt";
import page from "./page.html";
import data from "./bytes.bin";
import table from "./table.json";
import math from "./math.wasm";
import old from "./old.cjs";
import * as oldNamespace from "./old.cjs";
import { a, changeA, fromB, readA } from "./_cycle-a.js";
import { early, through } from "./_cycle-b.js";
import original, { count, hoisted, renamed, step, Thing } from "./_live.js";
import * as live from "./_live.js";
import * as re from "./_reexport.js";
import { order, value } from "./_await.js";
import anonymous from "./_default.js";
import "./_side.js";
import "./_side.js";
import { caught, kind } from "../../worker/report.js";

export default {
    "text": () => note,
    "html": () => page,
    "data": () => [data instanceof ArrayBuffer, data],
    "json": () => table,
    "json same object": async () => (await import("./table.json")).default === table,
    "wasm": () => [math instanceof WebAssembly.Module, new WebAssembly.Instance(math, { host: { report() {} } }).exports.add(1, 2)],
    "commonjs": () => [old.kind, old.child, old.add(1, 2), old.types],
    "commonjs namespace": () => Object.keys(oldNamespace).includes("default"),
    "cycle": () => [a, fromB(), readA(), through()],
    "cycle early": () => early,
    "cycle live": () => { changeA("changed"); const seen = [a, readA()]; changeA("a"); return seen; },
    "live binding": () => { const before = count; step(); return [count - before, renamed === count, live.count === count, original]; },
    "namespace keys": () => Object.keys(live),
    "namespace is frozen": () => kind(() => { live.count = 5; return live.count; }),
    "namespace tag": () => Object.prototype.toString.call(live),
    "namespace prototype": () => Object.getPrototypeOf(live),
    "namespace has": () => ["count" in live, "nope" in live, live.nope],
    "namespace delete": () => kind(() => delete live.count),
    "namespace descriptor": () => { const d = Object.getOwnPropertyDescriptor(live, "step"); return [d.writable, d.enumerable, d.configurable, typeof d.value]; },
    "import is read only": () => kind(() => { count = 5; return count; }),
    "reexport": () => [typeof re.step, typeof re.again, re.original, re.ns === live, re.hoisted, Object.keys(re).sort()],
    "hoisted": () => [hoisted(), new Thing().value],
    "top-level await": () => [order, value],
    "default name": () => [anonymous(), anonymous.name],
    "side effect once": () => globalThis.sideEffects,
    "dynamic import": async () => { const m = await import("./_lazy.js"); return [m.default, m.loaded]; },
    "dynamic import twice": async () => [(await import("./_lazy.js")) === (await import("./_lazy.js")), globalThis.lazyLoaded],
    "dynamic import computed": async () => { const name = "./_la" + "zy.js"; return (await import(name)).default; },
    "dynamic import of text": async () => (await import("./note.txt")).default,
    "dynamic import missing": () => kind(() => import("./nothing-here.js")),
    "dynamic import missing computed": () => kind(() => import("./nothing" + "-here.js")),
    "dynamic import throws": () => caught(() => import("./_throws.js")),
    "dynamic import throws again": () => caught(() => import("./_throws.js")),
    "import of namespace": async () => (await import("./_live.js")) === live,
    "import meta": () => typeof import.meta,
    "this": () => kind(() => (() => this)()),
    "arguments of module": () => typeof arguments,
    "cloudflare:workers": async () => typeof (await import("cloudflare:workers")).env,
    "cloudflare unknown": () => kind(() => import("cloudflare:nothing")),
};
