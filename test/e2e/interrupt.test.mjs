// Ctrl-C in a terminal signals the whole process group: the supervisor drains, and nobody else dies of it.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startSelvedge } from "./lib/selvedge.mjs";
import { deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";

const slow = `export default { async fetch(request) {
  if (new URL(request.url).pathname === "/slow") await new Promise((done) => setTimeout(done, 700));
  return new Response("whole");
} }`;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  test(`${signal} to the whole process group cuts no request and leaves no crash record`, async () => {
    const s = await startSelvedge({ detached: true });
    try {
      await deploy(s, "slow", slow);
      assert.equal((await get(s, "slow")).text, "whole");
      const answer = get(s, "slow", "/slow");
      await new Promise((done) => setTimeout(done, 200));
      process.kill(-s.pid, signal);
      assert.equal((await answer).text, "whole");
      if (signal === "SIGHUP") assert.equal((await get(s, "slow")).text, "whole"); // it is a reload
      else assert.equal(await s.exited, 0);
      assert.deepEqual(readdirSync(join(s.data, "logs/crashes")), []);
    } finally {
      await s.stop();
    }
  });
