// `make demo`: starts Selvedge, deploys examples/documents with the real wrangler, feeds it real texts that every
// Debian has, asks, and shows the ranked passages. From a terminal it leaves the page up until Ctrl-C.
import { execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const binary = process.env.SELVEDGE_BIN ?? join(root, "build/selvedge");
const work = join(root, "build/demo");
const data = join(work, "data");
const app = join(work, "documents");
const TEXTS_MAX = 40;
const TEXT_LEAST = 4 * 1024;
const START_MS = 15_000;

const run = promisify(execFile);
const color = process.stdout.isTTY;
const paint = (code, text) => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
const step = (text) => console.log(`\n${paint("1;36", "▸")} ${paint("1", text)}`);
const say = (text) => console.log(`  ${text}`);
const stop = (text) => {
  console.error(`\ndemo: ${text}`);
  process.exitCode = 1;
};

// The usual ports when they are free, else whatever is.
const portFree = (port) =>
  new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
const address = async (port) => `127.0.0.1:${(await portFree(port)) ? port : 0}`;

async function start() {
  const running = await run(binary, ["status", "--data", data]).then(() => true, () => false);
  if (running) throw new Error(`another demo is running in ${data}; end it with Ctrl-C first`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const args = ["serve", "--data", data, "--listen", await address(8787), "--api", await address(8788)];
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk) => (log = (log + chunk).slice(-8192)));
  let gone = null;
  child.once("exit", (code, signal) => (gone = signal ?? code));
  for (const begin = Date.now(); Date.now() - begin < START_MS; await new Promise((r) => setTimeout(r, 20))) {
    if (gone !== null) throw new Error(`selvedge serve ended at once (${gone}):\n${log}`);
    if (existsSync(join(data, "run.json")) && (await environment().catch(() => null))) return child;
  }
  child.kill();
  throw new Error(`selvedge serve was not ready within ${START_MS / 1000} s:\n${log}`);
}

// What `selvedge env` prints for a shell, as an object.
async function environment() {
  const { stdout } = await run(binary, ["env", "--data", data]);
  return Object.fromEntries([...stdout.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value.replace(/^(['"])(.*)\1$/, "$2")]));
}

function wrangler(env, ...args) {
  const node = join(root, "node_modules/.bin/node");
  const script = join(root, "node_modules/wrangler/bin/wrangler.js");
  return run(node, [script, ...args], {
    cwd: app,
    env: { PATH: process.env.PATH, HOME: work, CI: "1", NO_COLOR: "1", ...env },
    maxBuffer: 16 << 20,
  }).catch((error) => {
    throw new Error(`wrangler ${args.join(" ")} failed:\n${error.stdout ?? ""}${error.stderr ?? error}`);
  });
}

// Licences and copyright files: large enough to be worth searching, the same on every Debian.
function texts() {
  const licences = readdirSync("/usr/share/common-licenses").map((name) => [name, join("/usr/share/common-licenses", name)]);
  const copyrights = readdirSync("/usr/share/doc")
    .map((name) => [`${name}-copyright`, join("/usr/share/doc", name, "copyright")])
    .filter(([, path]) => existsSync(path) && statSync(path).size >= TEXT_LEAST);
  const seen = new Set();
  return [...licences, ...copyrights]
    .map(([name, path]) => [name, readFileSync(path)])
    .filter(([, bytes]) => bytes.length >= TEXT_LEAST / 4 && !seen.has(bytes.toString("latin1")) && seen.add(bytes.toString("latin1")))
    .slice(0, TEXTS_MAX);
}

// Node does not resolve *.localhost by itself: the request goes to loopback with the Worker's host name.
function client(env, host) {
  const base = new URL(env.SELVEDGE_URL);
  return async (method, path, body) => {
    const { request } = await import("node:http");
    return new Promise((resolve, reject) => {
      const req = request({ host: base.hostname, port: base.port, method, path, headers: { host: `${host}:${base.port}`, ...(body && { "content-length": body.length }) } }, (res) => {
        const chunks = [];
        res.on("data", (chunk) => chunks.push(chunk));
        res.on("end", () => resolve({ status: res.statusCode, text: Buffer.concat(chunks).toString() }));
      });
      req.on("error", reject);
      req.end(body);
    });
  };
}

async function json(promise, what) {
  const { status, text } = await promise;
  if (status >= 300) throw new Error(`${what}: status ${status}\n${text}`);
  return JSON.parse(text);
}

async function feed(send) {
  const started = performance.now();
  const list = texts();
  let bytes = 0;
  let passages = 0;
  for (const [name, body] of list) {
    const answer = await json(send("PUT", `/api/documents/${encodeURIComponent(name)}`, body), `upload of ${name}`);
    bytes += answer.size;
    passages += answer.passages;
  }
  const seconds = (performance.now() - started) / 1000;
  say(`${list.length} documents, ${(bytes / 1024).toFixed(0)} KB, ${passages} passages, stored and indexed in ${seconds.toFixed(1)} s`);
}

async function ask(send, question) {
  const path = `/api/ask?q=${encodeURIComponent(question)}`;
  const first = performance.now();
  const answer = await json(send("GET", path), question);
  const took = performance.now() - first;
  const second = performance.now();
  await json(send("GET", path), question);
  const again = performance.now() - second;
  console.log(`\n  ${paint("1;33", question)}`);
  say(paint("2", `${answer.passages.length} passages for ${answer.words.join(", ")}: ${took.toFixed(1)} ms, asked again ${again.toFixed(1)} ms`));
  for (const p of answer.passages.slice(0, 2)) {
    const text = p.excerpt.replace(/\s+/g, " ").replace(/<mark>(.*?)<\/mark>/g, (_, word) => paint("1", word));
    say(`${paint("36", p.score.toFixed(2))}  ${paint("4", p.document)} passage ${p.position + 1}`);
    say(`      ${text.slice(0, 300)}`);
  }
  if (answer.passages.length === 0) throw new Error(`no passage answers "${question}"`);
}

const questions = ["May I sell copies of the software?", "Who is liable for damages and loss of data?", "What must I do to distribute a modified version?"];

async function main() {
  step("Starting Selvedge");
  const server = await start();
  process.once("exit", () => server.kill());
  const env = await environment();
  say(`Workers at ${env.SELVEDGE_URL}, API at ${env.CLOUDFLARE_API_BASE_URL}`);

  step("Deploying examples/documents with wrangler");
  cpSync(join(root, "examples/documents"), app, { recursive: true });
  const { stdout } = await wrangler(env, "deploy");
  for (const line of stdout.split("\n").filter((l) => /^(Uploaded|Deployed|Current Version| +http|env\.)/.test(l))) say(line.trim());
  await wrangler(env, "d1", "migrations", "apply", "documents-index", "--remote");
  say("database migrated");

  const send = client(env, "documents.localhost");
  step("Feeding it the texts of this machine");
  await feed(send);
  step("Asking");
  for (const question of questions) await ask(send, question);

  const page = await send("GET", "/");
  if (page.status !== 200 || !page.text.includes("<title>Documents</title>")) throw new Error(`the page is not there: ${page.status}`);
  step("Done");
  const url = new URL(env.SELVEDGE_URL);
  if (!process.stdout.isTTY) return server;
  say(`The page is up at ${paint("1;4", `http://documents.localhost:${url.port}/`)} until you press Ctrl-C.`);
  await new Promise((resolve) => process.once("SIGINT", resolve));
  return server;
}

try {
  const server = await main();
  await new Promise((resolve) => (server.once("exit", resolve), server.kill("SIGTERM")));
} catch (error) {
  stop(error.message);
  process.exit();
}
