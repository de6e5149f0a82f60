// Measures. Usage: node bench/run.mjs [name…]   (http cold memory kv d1 durable durable_objects websocket hibernation rpc html streams r2 start)
//
// Each bench starts Selvedge and its peer in one run and takes turns between them, so that what else
// the machine does hits both. Results go to results/<name>.json and into the tables of README.md.
// BENCH_ROUNDS and BENCH_SECONDS change how often and how long.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { machineFacts } from "./lib/facts.mjs";
import { round } from "./lib/stats.mjs";

const ALL = ["start", "http", "cold", "memory", "kv", "d1", "durable", "durable_objects", "websocket", "hibernation", "rpc", "html", "streams", "r2"];
const names = process.argv.length > 2 ? process.argv.slice(2) : ALL;
const settings = { rounds: Number(process.env.BENCH_ROUNDS ?? 3), seconds: Number(process.env.BENCH_SECONDS ?? 5) };
const here = (path) => new URL(path, import.meta.url);

function ratioOf({ selvedge, peer, better }) {
    if (selvedge === undefined || peer === undefined || !better) return "";
    const ratio = better === "more" ? selvedge / peer : peer / selvedge;
    return `${round(ratio)}×`;
}

function tableOf(title, rows, facts) {
    const number = (value) => (value === undefined ? "" : String(round(value)));
    const lines = [`**${title}** (${facts.commit}, ${facts.date}, load ${round(facts.load_before)} before, ${round(facts.load_after)} after)`, "",
        "| | Selvedge | Peer | | Better by |", "|---|--:|--:|---|--:|"];
    for (const row of rows) lines.push(`| ${row.what} | ${number(row.selvedge)} | ${number(row.peer)} | ${row.peerName ?? ""} | ${ratioOf(row)} |`);
    return lines.join("\n");
}

function intoReadme(name, table, facts) {
    const path = here("README.md");
    let text = readFileSync(path, "utf8");
    const put = (marker, content) => {
        const [open, close] = [`<!-- ${marker} -->`, `<!-- /${marker} -->`];
        const [from, to] = [text.indexOf(open), text.indexOf(close)];
        if (from < 0 || to < 0) throw new Error(`README.md has no ${open} … ${close}`);
        text = `${text.slice(0, from + open.length)}\n${content}\n${text.slice(to)}`;
    };
    put(name, table);
    put("machine", `${facts.cpu}, ${facts.cores} cores, ${facts.memory_gib} GiB, Linux ${facts.kernel}, Debian ${facts.debian}; JavaScriptCore ${facts.engine}, workerd ${facts.workerd}, miniflare ${facts.miniflare}, Node ${facts.node}, Redis ${facts.redis}.`);
    writeFileSync(path, text);
}

mkdirSync(here("results"), { recursive: true });
let failed = 0;
for (const name of names) {
    const bench = await import(`./${name}.mjs`);
    const facts = machineFacts();
    console.log(`${name}: ${bench.title}`);
    try {
        const { rows, ...more } = await bench.run(settings);
        facts.load_after = os.loadavg()[0];
        const table = tableOf(bench.title, rows, facts);
        console.log(`${table}\n`);
        writeFileSync(here(`results/${name}.json`), `${JSON.stringify({ name, title: bench.title, settings, facts, rows, ...more }, null, 1)}\n`);
        intoReadme(name, table, facts);
    } catch (e) {
        failed++;
        console.error(`${name} failed: ${e.stack}\n`);
    }
}
process.exit(failed > 0 ? 1 : 0);
