// Writes reference/<area>.json from workerd. Usage: node test/compat/update.mjs [area…]
// Every area runs twice; a case whose answer is not the same twice cannot be compared and is named.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { areas } from "./areas.mjs";
import { ROOT } from "./lib/bundle.mjs";
import { mismatches } from "./lib/compare.mjs";
import { startPeer } from "./lib/peer.mjs";

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(areas);

async function collect() {
    const peer = await startPeer(names);
    const results = {};
    for (const area of names) results[area] = await peer.ask(area, "/");
    await peer.stop();
    return results;
}

const first = await collect();
const second = await collect();
let count = 0;
mkdirSync(join(ROOT, "reference"), { recursive: true });
for (const area of names) {
    for (const { id, wanted, got } of mismatches(area, first[area], second[area]))
        console.error(`not the same twice: ${id}\n  ${wanted}\n  ${got}`);
    for (const [name, value] of Object.entries(first[area]))
        if (value.value?.$ === "never settled") console.error(`never settled: ${area}/${name}`);
    count += Object.keys(first[area]).length;
    writeFileSync(join(ROOT, "reference", `${area}.json`), JSON.stringify(first[area], null, 1) + "\n");
}
console.log(`${count} cases in ${names.length} areas`);
