// Comparison of two sets of results, and the list of differences that are known and explained.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./bundle.mjs";

/** [{match, status, reason}]; `match` is an area/file/case, `*` at its end stands for any rest. */
export function loadDifferences() {
    return JSON.parse(readFileSync(join(ROOT, "differences.json"), "utf8"));
}

export function explain(differences, id) {
    return differences.find(({ match }) =>
        match.endsWith("*") ? id.startsWith(match.slice(0, -1)) : match === id);
}

export function loadReference(area) {
    return JSON.parse(readFileSync(join(ROOT, "reference", `${area}.json`), "utf8"));
}

/** Ids with the two texts where they are not byte for byte the same. */
export function mismatches(area, expected, actual) {
    const found = [];
    for (const [name, want] of Object.entries(expected)) {
        const wanted = JSON.stringify(want);
        const got = actual[name] === undefined ? "missing" : JSON.stringify(actual[name]);
        if (wanted !== got) found.push({ id: `${area}/${name}`, wanted, got });
    }
    return found;
}
