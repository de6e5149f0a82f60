// Three crashes in a minute open the circuit breaker of that Worker; its neighbours go on, and it comes back by itself.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { binary, startSelvedge } from "./lib/selvedge.mjs";

const isolateOf = (s, script) =>
  JSON.parse(execFileSync(binary, ["status", "--json", "--data", s.data], { encoding: "utf8" })).isolates.list.find((i) => i.script === script);

test("the circuit breaker", async () => {
  const s = await startSelvedge();
  try {
    for (const name of ["doomed", "neighbour"]) await deploy(s, name, `export default { fetch: () => new Response("${name}") }`);
    for (let n = 1; n <= 3; n++) {
      assert.equal((await get(s, "doomed")).text, "doomed");
      const { pid } = isolateOf(s, "doomed");
      process.kill(pid, "SIGKILL");
      await until("its end is recorded", 5000, () => readdirSync(join(s.data, "logs/crashes")).length === n);
    }
    const records = readdirSync(join(s.data, "logs/crashes")).map((name) => JSON.parse(readFileSync(join(s.data, "logs/crashes", name), "utf8")));
    for (const record of records) assert.deepEqual([record.script, record.signal], ["doomed", 9]);

    const refused = await get(s, "doomed");
    assert.equal(refused.status, 503);
    assert.match(refused.text, /crashed again and again; it is started again in \d+ seconds/);
    assert.equal((await get(s, "neighbour")).text, "neighbour");
    assert.match(s.log(), /"breaker_open"/);
    await until("it answers again", 15_000, async () => (await get(s, "doomed")).text === "doomed");
  } finally {
    await s.stop();
  }
});
