// EventSource in Workers, against a server that answers rightly and wrongly.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const WORKER = `
let outside;
try { new EventSource("http://x/"); } catch (e) { outside = e.name + ": " + e.message; }
const log = (source) => {
  const events = [];
  for (const type of ["open", "message", "error", "custom"])
    source.addEventListener(type, (e) => events.push([type, type === "error" ? String(e.error) : e.data, e.lastEventId, source.readyState]));
  return events;
};
const until = async (events, n) => { while (events.length < n) await scheduler.wait(2); };
const tests = {
  async events(url) {
    const source = new EventSource(url + "/events"), events = log(source);
    await until(events, 5);
    source.close();
    return [...events, source.readyState];
  },
  async again(url) {
    const source = new EventSource(url + "/again"), events = log(source);
    await until(events, 5);
    source.close();
    return events;
  },
  async wrong(url) {
    const all = [];
    for (const path of ["/empty", "/500", "/text"]) {
      const events = log(new EventSource(url + path));
      await until(events, 1);
      all.push(...events);
    }
    return all;
  },
  async stream() {
    const { readable, writable } = new TransformStream();
    const source = EventSource.from(readable), events = log(source);
    const writer = writable.getWriter(), text = new TextEncoder();
    for (const piece of ["data: a\\r", "\\nid: 7\\rdata: b\\r\\ndata: c\\n", "\\nda", "ta:d\\n\\ndata: lost"]) await writer.write(text.encode(piece));
    await writer.close();
    await until(events, 3);
    return [...events, source.url];
  },
  async outside() { return outside; },
};
export default { async fetch(request) {
  const { searchParams, pathname } = new URL(request.url);
  return Response.json(await tests[pathname.slice(1)]("http://127.0.0.1:" + searchParams.get("port")));
} };`;

let selvedge, server;
const lastIds = [];

before(async () => {
  let visits = 0;
  server = createServer((request, response) => {
    const events = (text) => (response.writeHead(200, { "content-type": "text/event-stream" }), response.write(text), response);
    if (request.url === "/events") events("\ufeffdata: one\n\nid: 5\ndata: two\ndata: lines\n\nevent: custom\ndata: three\n\n:comment\n\ndata:four\n\n");
    else if (request.url === "/again") {
      lastIds.push(request.headers["last-event-id"]);
      if (visits++ === 0) events("retry: 1000\nid: abc\ndata: first\n\n").end();
      else events("data: second\n\n");
    } else if (request.url === "/empty") response.writeHead(204).end();
    else if (request.url === "/500") response.writeHead(500).end();
    else response.writeHead(200, { "content-type": "text/plain" }).end("data: x\n\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  selvedge = await startSelvedge({ settings: { "egress.allow_private": true } });
  await deploy(selvedge, "events", WORKER, { compatibility_date: "2026-07-01" });
});

after(async () => {
  server.closeAllConnections();
  server.close();
  await selvedge?.stop();
});

const ask = async (name) => JSON.parse((await get(selvedge, "events", `/${name}?port=${server.address().port}`)).text);

test("events of a server", async () => {
  assert.deepEqual(await ask("events"), [["open", null, null, 1], ["message", "one", "", 1], ["message", "two\nlines", "5", 1], ["custom", "three", "5", 1], ["message", "four", "5", 1], 2]);
});

test("comes back after the server's pause with the last id", async () => {
  assert.deepEqual(await ask("again"), [["open", null, null, 1], ["message", "first", "abc", 1], ["error", "Error: The server disconnected.", null, 0], ["open", null, null, 1], ["message", "second", "abc", 1]]);
  assert.deepEqual(lastIds, [undefined, "abc"]);
});

test("gives up when the answer is none", async () => {
  assert.deepEqual(await ask("wrong"), [
    ["error", "AbortError: No content type header was present in the response.", null, 2],
    ["error", "AbortError: The response status code was 500.", null, 2],
    ["error", "AbortError: The content type 'text/plain' is invalid.", null, 2],
  ]);
});

test("events of a stream, cut anywhere; nothing outside of requests", async () => {
  assert.deepEqual(await ask("stream"), [["message", "a\nb\nc", "7", 1], ["message", "d", "7", 1], ["error", "Error: The server disconnected.", null, 2], ""]);
  assert.equal(await ask("outside"), "NotSupportedError: An EventSource can only be created within the context of a worker request.");
});
