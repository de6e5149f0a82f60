// The server as a process: start, lock, status, restarts, reload, stop. No Worker is needed for this.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const bin = process.env.SELVEDGE_BIN ?? new URL("../../build/selvedge", import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), "selvedge-server-"));
const data = join(root, "data");
const config = join(root, "settings.jsonc");
let server;

function run(...args) {
  return spawnSync(bin, [...args, "--data", data], { encoding: "utf8", timeout: 20000 });
}
const status = () => JSON.parse(run("status", "--json").stdout);
const role = (name) => status().roles.find((r) => r.role === name);

async function until(what, look, ms = 15000) {
  const end = Date.now() + ms;
  for (;;) {
    try {
      const value = look();
      if (value) return value;
    } catch {}
    if (Date.now() > end) throw new Error(`${what} did not happen`);
    await new Promise((r) => setTimeout(r, 30));
  }
}

async function start(...more) {
  const child = spawn(bin, ["serve", "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--config", config, ...more],
    { stdio: ["ignore", "pipe", "pipe"] });
  child.text = { out: "", log: "" };
  child.stdout.on("data", (d) => { child.text.out += d; });
  child.stderr.on("data", (d) => { child.text.log += d; });
  child.ended = new Promise((r) => child.on("exit", (code, signal) => r({ code, signal })));
  await until("start", () => child.text.out.includes("is running"));
  return child;
}

before(async () => {
  writeFileSync(config, '// comment\n{ "isolates": { "spares": 2, }, }\n');
  server = await start();
});
after(async () => {
  server.kill("SIGKILL");
  await server.ended;
  rmSync(root, { recursive: true, force: true });
});

test("the start message names addresses, token and next step", () => {
  const out = server.text.out;
  assert.match(out, /Workers {2}http:\/\/127\.0\.0\.1:\d+/);
  assert.match(out, /API {6}http:\/\/127\.0\.0\.1:\d+\/client\/v4/);
  assert.ok(out.includes(`${data}/token`));
  assert.match(out, / env --data \S+\)"/);
});

test("the data directory is private and has an account", () => {
  assert.equal(statSync(data).mode & 0o777, 0o700);
  assert.match(readFileSync(join(data, "account"), "utf8").trim(), /^[0-9a-f]{32}$/);
});

test("status shows every role ready and the spares", async () => {
  const s = await until("spares", () => { const now = status(); return now.isolates.spares === 2 && now; });
  assert.deepEqual(s.roles.map((r) => [r.role, r.ready]),
    [["template", true], ["keeper", true], ["control", true], ["gateway", true]]);
  assert.match(run("status").stdout, /gateway +\d+ +yes/);
});

test("env prints what clients need, with the real ports", () => {
  const { stdout } = run("env");
  const run1 = JSON.parse(readFileSync(join(data, "run.json"), "utf8"));
  assert.ok(stdout.includes(`export CLOUDFLARE_API_BASE_URL=http://${run1.api}/client/v4\n`));
  assert.match(stdout, /export CLOUDFLARE_API_TOKEN=\S{40}\n/);
  assert.match(stdout, /export CLOUDFLARE_ACCOUNT_ID=[0-9a-f]{32}\n/);
  assert.match(stdout, /export WRANGLER_SEND_METRICS=false\n/);
});

test("tokens: create, use, list, revoke", () => {
  const made = run("token", "create", "for the test");
  assert.equal(made.status, 0, made.stderr);
  const id = made.stdout.match(/id +(\S+)/)[1];
  assert.match(run("token", "list").stdout, new RegExp(`${id}.*for the test`));
  assert.equal(run("token", "revoke", id).status, 0);
  assert.doesNotMatch(run("token", "list").stdout, new RegExp(`${id} +active`));
  const wrong = run("token", "revoke", "../x");
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /no token id/);
});

test("a second server cannot share the data directory", () => {
  const second = spawnSync(bin, ["serve", "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"], { encoding: "utf8", timeout: 10000 });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /another server uses the data directory/);
});

test("an address in use is said clearly", () => {
  const { listen } = JSON.parse(readFileSync(join(data, "run.json"), "utf8"));
  const other = join(root, "other");
  const second = spawnSync(bin, ["serve", "--data", other, "--listen", listen, "--api", "127.0.0.1:0"], { encoding: "utf8", timeout: 10000 });
  assert.equal(second.status, 1);
  assert.match(second.stderr, new RegExp(`cannot listen on ${listen}: Address already in use`));
});

for (const name of ["keeper", "control", "gateway", "template"])
  test(`kill -9 of the ${name}: started again, with a crash record`, async () => {
    const before = role(name);
    const records = readdirSync(join(data, "logs/crashes")).length;
    process.kill(before.pid, "SIGKILL");
    await until("restart", () => { const now = role(name); return now.ready && now.pid !== before.pid && now.restarts === before.restarts + 1; });
    const names = readdirSync(join(data, "logs/crashes")).sort();
    assert.ok(names.length > records);
    const record = JSON.parse(readFileSync(join(data, "logs/crashes", names.at(-1)), "utf8"));
    assert.equal(record.role, name);
    assert.equal(record.signal, 9);
    await until("spares", () => status().isolates.spares === 2);
    for (const other of status().roles) assert.equal(other.ready, true);
  });

test("SIGHUP reads the settings again; a broken file changes nothing", async () => {
  writeFileSync(config, '{ "isolates.spares": 3 }');
  server.kill("SIGHUP");
  await until("three spares", () => status().isolates.spares === 3);
  writeFileSync(config, '{ "isolates.spares": "many" }');
  server.kill("SIGHUP");
  await until("a refusal", () => server.text.log.includes("settings_refused"));
  assert.equal(status().isolates.spares, 3);
  writeFileSync(config, "{}");
});

test("what the sandboxes of the roles leave", () => {
  for (const { role: name, pid } of status().roles.filter((r) => r.role !== "template")) {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    assert.match(text, /Seccomp:\s+2/, name);
    assert.match(text, /NoNewPrivs:\s+1/, name);
    assert.match(text, /CapEff:\s+0000000000000000/, name);
    assert.match(text, /CapBnd:\s+0000000000000000/, name);
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n").map((l) => l.split(" "));
    assert.ok(mounts.length < 16, `${name} sees ${mounts.length} mounts`);
    assert.match(mounts.find((m) => m[4] === "/")[5], /^ro,/, name);
    assert.ok(!mounts.some((m) => m[4] === "/proc" || m[4] === "/sys"), name);
  }
});

test("the isolates' sandboxes", () => {
  const spares = status().isolates.list;
  assert.ok(spares.length > 0);
  const uids = new Set();
  for (const { pid } of spares) {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    assert.match(text, /Seccomp:\s+2/);
    assert.match(text, /CapEff:\s+0000000000000000/);
    uids.add(text.match(/Uid:\s+(\d+)/)[1]);
  }
  if (process.getuid() === 0) {
    assert.equal(uids.size, spares.length, "each isolate has a number of its own");
    assert.ok(!uids.has("0"));
  }
});

test("commands without a server say so", () => {
  const nowhere = spawnSync(bin, ["env", "--data", join(root, "nowhere")], { encoding: "utf8" });
  assert.equal(nowhere.status, 1);
  assert.match(nowhere.stderr, /no server runs on/);
  assert.equal(spawnSync(bin, ["nonsense"]).status, 2);
  assert.match(execFileSync(bin, ["--help"], { encoding: "utf8" }), /selvedge serve/);
  assert.match(execFileSync(bin, ["settings"], { encoding: "utf8" }), /isolates\.spares/);
  const bad = spawnSync(bin, ["serve", "--listen", "no address", "--data", join(root, "bad")], { encoding: "utf8" });
  assert.equal(bad.status, 1);
  assert.match(bad.stderr, /"no address" is not an address/);
});

test("SIGTERM: orderly, quick, nothing left behind", async () => {
  const { listen } = JSON.parse(readFileSync(join(data, "run.json"), "utf8"));
  const pids = [...status().roles, ...status().isolates.list].map((p) => p.pid);
  const started = Date.now();
  server.kill("SIGTERM");
  const { code } = await server.ended;
  assert.equal(code, 0);
  assert.ok(Date.now() - started < 5000);
  await until("children's end", () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  assert.ok(!existsSync(join(data, "run.json")));
  const refused = await new Promise((r) => connect({ host: "127.0.0.1", port: Number(listen.split(":")[1]) })
    .on("error", () => r(true)).on("connect", function () { this.destroy(); r(false); }));
  assert.ok(refused);
});

test("kill -9 of the server takes everything with it; the next start works", async () => {
  server = await start("--https", "127.0.0.1:0");
  assert.match(server.text.out, /https:\/\/127\.0\.0\.1:\d+/);
  const pids = status().roles.map((p) => p.pid);
  server.kill("SIGKILL");
  await server.ended;
  await until("children's end", () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  server = await start();
  server.kill("SIGINT");
  assert.equal((await server.ended).code, 0);
});
