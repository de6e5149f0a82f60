// examples/room, deployed by wrangler and used by two browser tabs.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium, startBrowser } from "./lib/browser.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const example = join(dirname(fileURLToPath(import.meta.url)), "../../examples/room");
const dir = mkdtempSync(join(tmpdir(), "selvedge-room-"));
let s, browser;
before(async () => {
  cpSync(example, dir, { recursive: true });
  s = await startSelvedge();
  await s.wrangler(["deploy"], dir);
});
after(async () => {
  await browser?.close();
  await s?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test("the API: a room that nobody has entered, wrong names", async () => {
  assert.deepEqual(JSON.parse((await get(s, "room", "/api/rooms/empty")).text), { paragraphs: 0, messages: 0, people: 0 });
  assert.equal((await get(s, "room", "/api/rooms/No%20name")).status, 400);
  assert.equal((await get(s, "room", "/api/other")).status, 404);
  assert.match((await get(s, "room", "/")).text, /<title>Room<\/title>/);
});

test("two people in one room", { timeout: 90_000, skip: chromium === undefined && "Debian's chromium is not installed (apt-get install chromium)" }, async () => {
  const url = (name) => `http://room.localhost:${new URL(s.httpUrl).port}/?name=${name}#plans`;
  browser = await startBrowser();
  const ada = await browser.tab(url("Ada")), bob = await browser.tab(url("Bob"));
  const sees = (tab, what, expression) => until(what, 15_000, () => tab.evaluate(expression).catch(() => false));
  for (const tab of [ada, bob]) await sees(tab, "both are here", `document.querySelectorAll("#people li").length === 2`);

  await ada.evaluate(`document.getElementById("add").click()`);
  await sees(ada, "a paragraph to write in", `document.activeElement.tagName === "TEXTAREA"`);
  await ada.type("Plans for the autumn");
  await ada.key("Enter");
  await sees(ada, "the next paragraph", `document.querySelectorAll(".paragraph").length === 2 && document.activeElement.value === ""`);
  await ada.type("Paint the boat before the rain comes. ");
  const texts = `JSON.stringify([...document.querySelectorAll(".paragraph textarea")].map((t) => t.value))`;
  const both = JSON.stringify(["Plans for the autumn", "Paint the boat before the rain comes. "]);
  await sees(bob, "what Ada wrote", `${texts} === ${JSON.stringify(both)}`);
  await sees(bob, "where Ada is", `document.querySelectorAll(".paragraph .who")[1].textContent === "Ada"`);

  await bob.evaluate(`document.querySelectorAll(".paragraph textarea")[1].focus()`);
  await bob.evaluate(`document.activeElement.setSelectionRange(1000, 1000)`);
  await bob.type("Who has the key of the shed?");
  await sees(ada, "what Bob added", `document.querySelectorAll(".paragraph textarea")[1].value.endsWith("the shed?")`);

  await bob.evaluate(`(document.getElementById("text").value = "I can bring brushes", document.querySelector("#say button").click())`);
  await sees(ada, "the chat", `document.querySelector("#messages li p")?.textContent === "I can bring brushes"`);
  if (process.env.SCREENSHOT) for (const [name, tab] of [["ada", ada], ["bob", bob]]) writeFileSync(`${process.env.SCREENSHOT}-${name}.png`, await tab.screenshot());
  assert.deepEqual(JSON.parse((await get(s, "room", "/api/rooms/plans")).text), { paragraphs: 2, messages: 1, people: 2 });

  await bob.send("Page.navigate", { url: "about:blank" });
  await sees(ada, "Bob has left", `document.querySelectorAll("#people li").length === 1`);
  const third = await browser.tab(url("Cyd"));
  await sees(third, "the document again", `document.querySelectorAll(".paragraph").length === 2 && document.querySelectorAll("#messages li").length === 1`);
  assert.deepEqual([ada.errors, bob.errors, third.errors], [[], [], []]);
});
