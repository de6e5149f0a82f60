// R2 when something dies or the disk is full: nothing acknowledged is lost, and what is left over goes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import * as S3 from "@aws-sdk/client-s3";
import { until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const PART = 5 * 1024 * 1024;
const filled = (n, seed) => Buffer.alloc(n, `${seed}-selvedge-`);

async function s3Of(s) {
  const verified = await (await fetch(`${s.apiUrl}/user/tokens/verify`, { headers: { authorization: `Bearer ${s.token}` } })).json();
  const credentials = { accessKeyId: verified.result.id, secretAccessKey: createHash("sha256").update(s.token).digest("hex") };
  const client = new S3.S3Client({ endpoint: `${new URL(s.apiUrl).origin}/s3`, region: "auto", credentials, forcePathStyle: true, maxAttempts: 1 });
  return (name, input) => client.send(new S3[`${name}Command`]({ Bucket: "box", ...input }));
}

// The keeper's process: a descendant of the server's whose command line says so.
function keeperOf(s) {
  const parents = new Map(), roles = new Map();
  for (const name of readdirSync("/proc").filter((n) => /^\d+$/.test(n)))
    try {
      parents.set(Number(name), Number(readFileSync(`/proc/${name}/stat`, "utf8").replace(/.*\) /s, "").split(" ")[1]));
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      roles.set(Number(name), command[command.indexOf("--role") + 1]);
    } catch {}
  const below = (pid) => pid === s.pid || (parents.has(pid) && below(parents.get(pid)));
  return [...roles].filter(([pid, role]) => role === "keeper" && below(pid)).map(([pid]) => pid);
}

const body = async (answer) => Buffer.from(await (await answer).Body.transformToByteArray());

test("kill -9 of the keeper during uploads in parts and lifecycle runs", async () => {
  const s = await startSelvedge();
  try {
    const send = await s3Of(s), kept = new Map(), acknowledged = [];
    await send("CreateBucket");
    const { UploadId } = await send("CreateMultipartUpload", { Key: "parts" });
    for (let i = 0; i < 60; i++) await send("PutObject", { Key: `old/${i}`, Body: filled(i % 2 ? 20_000 : 50, i) });
    await send("PutBucketLifecycleConfiguration", { LifecycleConfiguration: { Rules: [{ ID: "x", Filter: { Prefix: "old/" }, Status: "Enabled", Expiration: { Date: new Date("2020-01-01T00:00:00Z") } }] } });
    let stop = false;
    const writing = (async () => {
      for (let i = 0; !stop; i++) {
        const Body = filled(i % 3 ? 100 : 40_000, i);
        await send("PutObject", { Key: `new/${i}`, Body }).then(() => kept.set(`new/${i}`, Body), () => {});
      }
    })();
    const uploading = (async () => {
      for (let n = 1; n <= 8; n++)
        for (let tries = 0; tries < 40; tries++) {
          const done = await send("UploadPart", { Key: "parts", UploadId, PartNumber: n, Body: filled(n === 8 ? 99 : PART, n) }).catch(() => null);
          if (done) { acknowledged.push({ PartNumber: n, ETag: done.ETag }); break; }
        }
    })();
    for (let i = 0; i < 4; i++) {
      await new Promise((r) => setTimeout(r, 400));
      for (const pid of keeperOf(s)) process.kill(pid, "SIGKILL");
    }
    await uploading;
    stop = true;
    await writing;
    assert.equal(acknowledged.length, 8);
    await until("the keeper is back", 20_000, () => send("CompleteMultipartUpload", { Key: "parts", UploadId, MultipartUpload: { Parts: acknowledged } }).catch(() => null));
    const whole = await body(send("GetObject", { Key: "parts" }));
    assert.ok(whole.equals(Buffer.concat(acknowledged.map(({ PartNumber }) => filled(PartNumber === 8 ? 99 : PART, PartNumber)))));
    assert.ok(kept.size > 0);
    for (const [Key, wanted] of kept) assert.ok((await body(send("GetObject", { Key }))).equals(wanted), Key);
    await until("the rule has been obeyed", 30_000, async () => !(await send("ListObjectsV2", { Prefix: "old/" })).Contents);
  } finally {
    await s.stop();
  }
});

test("a full disk is said, and loses nothing", { skip: process.getuid() !== 0 && "needs root for a small file system" }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), "selvedge-full-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=48m", "none", data], { stdio: "pipe" });
  } catch {
    rmSync(data, { recursive: true, force: true });
    t.skip("no file system can be mounted here");
    return;
  }
  try {
    const s = await startSelvedge({ data });
    try {
      const send = await s3Of(s), kept = [];
      await send("CreateBucket");
      let refused = null;
      for (let i = 0; i < 60 && refused === null; i++)
        await send("PutObject", { Key: `k${i}`, Body: filled(2_000_000, i) }).then(() => kept.push(i), (e) => (refused = e));
      assert.ok(refused, "the disk was never full");
      assert.ok([500, 503, 507].includes(refused.$metadata.httpStatusCode), `${refused}`);
      for (const i of kept) assert.ok((await body(send("GetObject", { Key: `k${i}` }))).equals(filled(2_000_000, i)), `k${i}`);
      for (const i of kept.slice(0, 5)) await send("DeleteObject", { Key: `k${i}` });
      assert.ok((await body(send("GetObject", { Key: `k${kept.at(-1)}` }))).equals(filled(2_000_000, kept.at(-1))));
    } finally {
      await s.stop();
    }
  } finally {
    execFileSync("umount", ["-l", data]);
    rmSync(data, { recursive: true, force: true });
  }
});

test("rules hold for buckets that nobody opens", async () => {
  const data = mkdtempSync(join(tmpdir(), "selvedge-round-"));
  try {
    const first = await startSelvedge({ data });
    const put = (path, value) => fetch(`${first.apiUrl}/accounts/${first.account}/r2/buckets/${path}`, { method: "PUT", headers: { authorization: `Bearer ${first.token}` }, body: value });
    await (await s3Of(first))("CreateBucket");
    for (const key of ["old/a", "old/b", "kept"]) assert.equal((await put(`box/objects/${key}`, key)).status, 200);
    const rules = [{ id: "r", enabled: true, conditions: { prefix: "old/" }, deleteObjectsTransition: { condition: { type: "Age", maxAge: 10 } } }];
    assert.equal((await put("box/lifecycle", JSON.stringify({ rules }))).status, 200);
    await first.stop();
    const second = await startSelvedge({ data });
    const index = new DatabaseSync(join(data, "accounts", second.account, "r2/box/index.sqlite"), { readOnly: true });
    const keys = () => index.prepare("SELECT key FROM objects ORDER BY key").all().map((row) => row.key).join();
    try {
      assert.equal(keys(), "kept,old/a,old/b");
      await until("the rule has been obeyed", 60_000, () => keys() === "kept");
    } finally {
      index.close();
      await second.stop();
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});
