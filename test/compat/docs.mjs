// Writes docs/compatibility.md from the reference, the list of differences and, when given, a run's
// results. Usage: node test/compat/docs.mjs [results.json] (see RESULTS of run.mjs)

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { areas, COMPATIBILITY_DATE } from "./areas.mjs";
import { ROOT } from "./lib/bundle.mjs";
import { explain, loadDifferences, loadReference, mismatches } from "./lib/compare.mjs";

const differences = loadDifferences();
const results = process.argv[2] ? JSON.parse(readFileSync(process.argv[2], "utf8")) : null;

function rowOf(area) {
    const expected = loadReference(area);
    const ids = Object.keys(expected).map((name) => `${area}/${name}`);
    const listed = ids.filter((id) => explain(differences, id));
    const found = results?.[area] ? mismatches(area, expected, results[area]) : null;
    const open = found ? found.filter(({ id }) => !explain(differences, id)).map(({ id }) => id) : [];
    const differ = found ? found.length : listed.length;
    return { area, total: ids.length, same: ids.length - differ, open };
}

/* Differences with the same reason share a row. */
function byReason() {
    const rows = new Map();
    for (const { match, status, reason } of differences) {
        if (!rows.has(reason)) rows.set(reason, { matches: [], status, reason });
        rows.get(reason).matches.push(match);
    }
    return [...rows.values()];
}

const escape = (text) => text.replaceAll("|", "\\|");
const rows = Object.keys(areas).map(rowOf);
const sum = (key) => rows.reduce((n, row) => n + row[key], 0);

const lines = [
    "# Compatibility",
    "",
    "<!-- Made by tools/compat-docs from test/compat; change that instead. -->",
    "",
    "The same Worker modules run on workerd and on Selvedge and report what they see; equal means equal byte for byte, texts of errors",
    `included. Compatibility date ${COMPATIBILITY_DATE}. How it works: \`test/compat/README.md\`.`,
    "",
    "| Area | Cases | Equal |",
    "|---|--:|--:|",
    ...rows.map((row) => `| ${row.area} | ${row.total} | ${row.same} |`),
    `| all | ${sum("total")} | ${sum("same")} |`,
    "",
    "## Differences",
    "",
    "`engine`: JavaScriptCore instead of V8. `choice`: different on purpose. `standard`: Selvedge does what the standard says, workerd does not.",
    "`later`: not built yet.",
    "",
    "| Cases | Status | Why |",
    "|---|---|---|",
    ...byReason().map(({ matches, status, reason }) => `| ${matches.map((m) => `\`${escape(m)}\``).join("<br>")} | ${status} | ${escape(reason)} |`),
];
const open = rows.flatMap((row) => row.open);
if (open.length > 0) {
    lines.push("", "## Not explained", "", "Found by the last run and not yet looked into:", "");
    lines.push(...open.map((id) => `- \`${escape(id)}\``));
}
writeFileSync(join(ROOT, "..", "..", "docs", "compatibility.md"), lines.join("\n") + "\n");
console.log(`${sum("same")} of ${sum("total")} equal`);
