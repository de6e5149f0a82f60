// Compares Selvedge with workerd, case by case and byte by byte. Part of `make check`.
//
//   node --test test/compat/run.mjs           every area
//   AREAS="url kv" node --test …              some areas
//   RESULTS=file.json node --test …           also writes what Selvedge answered
//
// What workerd answers lies in reference/ (update.mjs); that it still does is a test of its own.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { areas } from "./areas.mjs";
import { explain, loadDifferences, loadReference, mismatches } from "./lib/compare.mjs";
import { startPeer } from "./lib/peer.mjs";
import { askArea, deployArea, startUnderTest } from "./lib/selvedge.mjs";

const names = process.env.AREAS ? process.env.AREAS.split(/\s+/) : Object.keys(areas);
const differences = loadDifferences();
const collected = {};
const explained = new Set();
let server;

before(async () => { server = await startUnderTest(); });
after(async () => {
    await server?.stop();
    if (process.env.RESULTS) writeFileSync(process.env.RESULTS, JSON.stringify(collected, null, 1));
});

function unexplained(area, expected, actual) {
    return mismatches(area, expected, actual).filter(({ id }) => {
        const known = explain(differences, id);
        if (known) explained.add(known.match);
        return !known;
    });
}

const listing = (found) => found.map(({ id, wanted, got }) => `${id}\n    workerd:  ${wanted}\n    selvedge: ${got}`).join("\n");

for (const area of names) {
    test(`${area} answers like workerd`, async () => {
        const expected = loadReference(area);
        await deployArea(server, area);
        collected[area] = await askArea(server, area, Object.keys(expected));
        const found = unexplained(area, expected, collected[area]);
        assert.equal(found.length, 0, `${found.length} of ${Object.keys(expected).length} differ\n${listing(found)}`);
    });
}

test("every listed difference is still one", { skip: names.length < Object.keys(areas).length }, () => {
    const stale = differences.filter(({ match }) => !explained.has(match)).map(({ match }) => match);
    assert.deepEqual(stale, [], "equal by now: take them out of differences.json");
});

test("the reference is what workerd answers", async () => {
    const peer = await startPeer(names);
    try {
        for (const area of names) {
            const found = mismatches(area, loadReference(area), await peer.ask(area, "/"));
            assert.equal(found.length, 0, `run update.mjs\n${listing(found)}`);
        }
    } finally {
        await peer.stop();
    }
});
