// Debian's Chromium without a screen, driven over its DevTools protocol.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import WebSocketClient from "ws";

export const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
const START_MS = 30_000;
const ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0", "--window-size=1200,760", "about:blank"];

// Resolves with {tab(url), close()}. A tab: {evaluate(expression), type(text), key(name), screenshot() → Buffer, send(method, params), errors}.
export async function startBrowser() {
  const profile = mkdtempSync(join(tmpdir(), "selvedge-chromium-"));
  const child = spawn(chromium, [`--user-data-dir=${profile}`, ...ARGUMENTS], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  process.once("exit", () => child.kill("SIGKILL"));
  const connection = await connectTo(await endpoint(child));
  return {
    tab: (url) => openTab(connection, url),
    async close() {
      connection.socket.terminate();
      child.kill("SIGKILL");
      await exited;
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }); // its children write for a moment longer
    },
  };
}

function endpoint(child) {
  let text = "";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`chromium did not start:\n${text.slice(-2000)}`)), START_MS);
    child.stderr.on("data", (chunk) => {
      text += chunk;
      const found = /DevTools listening on (ws:\S+)/.exec(text);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]);
    });
    child.once("exit", (code) => reject(new Error(`chromium ended (${code}):\n${text.slice(-2000)}`)));
  });
}

function connectTo(url) {
  const socket = new WebSocketClient(url);
  const calls = new Map(), listeners = new Set();
  let next = 1;
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.id === undefined) {
      for (const listener of listeners) listener(message);
      return;
    }
    const { resolve, reject } = calls.get(message.id);
    calls.delete(message.id);
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  });
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      calls.set(next, { resolve, reject });
      socket.send(JSON.stringify({ id: next++, method, params, sessionId }));
    });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve({ socket, send, listeners }));
    socket.once("error", reject);
  });
}

async function openTab(connection, url) {
  const { targetId } = await connection.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await connection.send("Target.attachToTarget", { targetId, flatten: true });
  const send = (method, params) => connection.send(method, params, sessionId);
  const errors = [];
  connection.listeners.add((message) => {
    if (message.sessionId !== sessionId) return;
    if (message.method === "Runtime.exceptionThrown") errors.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
  });
  await send("Runtime.enable");
  await send("Page.enable");
  await send("Page.navigate", { url });
  return {
    send,
    errors,
    async evaluate(expression) {
      const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    },
    async type(text) {
      await send("Page.bringToFront");
      await send("Input.insertText", { text });
    },
    async key(key) {
      const code = { Enter: 13, Backspace: 8 }[key];
      for (const type of ["keyDown", "keyUp"]) await send("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode: code });
    },
    screenshot: async () => Buffer.from((await send("Page.captureScreenshot", { format: "png" })).data, "base64"),
  };
}
