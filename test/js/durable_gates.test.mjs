// Gates of Durable Objects (src/product/durable/gates.js) with a fake of the async context and of the disk.
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const fake = `export const frame = { cur: null };
export function frameGet(key) { for (let f = frame.cur; f !== null && f !== undefined; f = f.parent) if (f.key === key) return f.value; return undefined; }
export const startTimer = (run, delay) => setTimeout(run, delay);`;
const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL("../../src/product/durable/gates.js", import.meta.url))],
  bundle: true, write: false, format: "esm",
  plugins: [{ name: "fake", setup(b) {
    b.onResolve({ filter: /(workers|timers)\.js$/ }, () => ({ path: "workers", namespace: "fake" }));
    b.onLoad({ filter: /.*/, namespace: "fake" }, () => ({ contents: fake, loader: "js" }));
  } }],
  footer: { js: "export { frame };" },
});
const { Gates, frame } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);
const COMMITTED = 0, OPEN = 1, SYNCED = 2;
// A fake of gate_is_open(), which test/sim proves.
globalThis.native = { durable: { gateOpen: (need, synced, barriers) => barriers === 0 && need <= synced } };
const turn = () => new Promise((resolve) => setImmediate(resolve));
const until = async (ready) => { while (!ready()) await turn(); };

// Runs fn as code of the section that is innermost now.
function within(gates, section, fn) {
  const saved = frame.cur;
  frame.cur = { key: gates, value: section, parent: saved };
  try {
    return fn();
  } finally {
    frame.cur = saved;
  }
}

function start() {
  const gates = new Gates(), log = [];
  gates.stats = [0, 0, 0];
  return { gates, log, event: (name) => gates.enter(null, () => log.push(name)) };
}

test("events enter at once, or wait for the section to end, in order", async () => {
  const { gates, log, event } = start();
  event("a");
  let end;
  const section = gates.critical(() => new Promise((resolve) => (end = resolve)));
  event("b");
  event("c");
  gates.enter(gates.top, () => log.push("own"));
  assert.deepEqual(log, ["a", "own"]);
  end(7);
  assert.equal(await section, 7);
  await until(() => log.length === 4);
  assert.deepEqual(log, ["a", "own", "b", "c"]);
});

test("of several that have waited each has what it awaits in a turn of its own", async () => {
  const { gates } = start();
  let end, stored = 0;
  const section = gates.critical(() => new Promise((resolve) => (end = resolve)));
  const seen = [];
  for (let i = 0; i < 4; i++)
    gates.enter(null, async () => {
      const read = await Promise.resolve(stored); // as storage does
      stored = read + 1;
      seen.push(stored);
    });
  end();
  await section;
  await until(() => seen.length === 4);
  assert.deepEqual(seen, [1, 2, 3, 4]);
});

test("a section inside a section keeps out the outer one's own results; failures open the gate again", async () => {
  const { gates, log, event } = start();
  let endOuter, endInner;
  const outer = gates.critical(() => new Promise((resolve) => (endOuter = resolve)));
  const outerSection = gates.top;
  const inner = within(gates, outerSection, () => gates.critical(() => new Promise((_, reject) => (endInner = reject))));
  gates.enter(outerSection, () => log.push("outer's"));
  event("event");
  assert.deepEqual(log, []);
  endInner(new Error("inner"));
  await assert.rejects(inner, /inner/);
  await until(() => log.length > 0);
  assert.deepEqual(log, ["outer's"]);
  endOuter();
  await outer;
  await until(() => log.length > 1);
  assert.deepEqual(log, ["outer's", "event"]);
});

test("sections of different events follow each other", async () => {
  const { gates, log } = start();
  let end;
  const first = gates.critical(() => new Promise((resolve) => (end = resolve)));
  const second = gates.critical(async () => { log.push("second"); await turn(); log.push("second ends"); });
  const third = gates.critical(async () => void log.push("third"));
  await turn();
  assert.deepEqual(log, []);
  end();
  await Promise.all([first, second, third]);
  assert.deepEqual(log, ["second", "second ends", "third"]);
  assert.equal(gates.top, null);
});

test("what leaves waits for the commit that covers what was written before it, and for no later one", () => {
  const { gates, log } = start();
  const { stats } = gates;
  assert.equal(gates.unconfirmed(), false);
  stats[OPEN] = 1;
  assert.equal(gates.unconfirmed(), true);
  gates.hold(() => log.push("first"));
  stats[OPEN] = 0;
  stats[COMMITTED] = 1;
  gates.release();
  assert.deepEqual(log, [], "committed is not durable");
  stats[OPEN] = 1; // the next turn has written already
  gates.hold(() => log.push("second"));
  stats[SYNCED] = 1;
  gates.release();
  assert.deepEqual(log, ["first"]);
  stats[OPEN] = 0;
  stats[COMMITTED] = stats[SYNCED] = 2;
  gates.release();
  assert.deepEqual(log, ["first", "second"]);
  assert.equal(gates.unconfirmed(), false);
});

test("a barrier (the alarm index) holds as well; a closed gate lets nothing through", () => {
  const { gates, log, event } = start();
  gates.barriers++;
  gates.hold(() => log.push("answer"));
  gates.release();
  assert.deepEqual(log, []);
  gates.barriers--;
  gates.release();
  assert.deepEqual(log, ["answer"]);
  gates.hold(() => log.push("lost"));
  gates.close();
  gates.release();
  event("late");
  assert.deepEqual(log, ["answer"]);
});
