// What native code inside a deployed Worker's own process can do: nothing. Needs a build with -Dhooks=true,
// where Workers have __syscall(number, ...args); skipped otherwise. x86-64.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deploy } from "./lib/deploy.mjs";
import { get } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const worker = `
export default {
  async fetch(request) {
    if (typeof __syscall === "undefined") return new Response("no hook");
    return new Response(String(__syscall(...JSON.parse(await request.text()))));
  },
};`;

const NR = { read: 0, open: 2, connect: 42, socket: 41, clone: 56, fork: 57, vfork: 58, execve: 59, kill: 62, mkdir: 83, symlink: 88,
  ptrace: 101, mount: 165, umount2: 166, pivot_root: 155, chroot: 161, tkill: 200, openat: 257, unshare: 272, setns: 308, tgkill: 234,
  process_vm_readv: 310, bpf: 321, execveat: 322, userfaultfd: 323, io_uring_setup: 425, open_tree: 428, move_mount: 429, fsopen: 430,
  pidfd_open: 434, openat2: 437, mount_setattr: 442, prctl: 157, setuid: 105, keyctl: 250, getdents64: 217, unlink: 87, rename: 82 };
const AT_FDCWD = -100;
const ENOENT = -2, EACCES = -13, EROFS = -30;
const settings = mkdtempSync(join(tmpdir(), "selvedge-sealed-"));
let s;
let hooked = false;

before(async () => {
  writeFileSync(join(settings, "s.jsonc"), '{ "breaker.crashes": 1000 }');
  s = await startSelvedge({ args: ["--config", join(settings, "s.jsonc")] });
  await deploy(s, "sealed", worker);
  await deploy(s, "neighbour", "export default { fetch: () => new Response('fine') }");
  hooked = (await call([39])).text !== "no hook";
});
after(async () => {
  await s?.stop();
  rmSync(settings, { recursive: true, force: true });
});

const call = (args) => get(s, "sealed", "/", { method: "POST", body: JSON.stringify(args) });

test("what does not exist in there", async (t) => {
  if (!hooked) return t.skip("a build with -Dhooks=true is needed");
  for (const path of ["/proc", "/proc/self/mem", "/proc/1/environ", "/sys", "/etc/passwd", "/../../etc/passwd", s.data, `${s.data}/control.db`, `${s.data}/token`, "/tmp", "/home", "/root", "/usr/bin", "/g/../etc"])
    assert.equal(Number((await call([NR.openat, AT_FDCWD, path, 0])).text), ENOENT, path);
});

test("what cannot be changed", async (t) => {
  if (!hooked) return t.skip("a build with -Dhooks=true is needed");
  const O_WRONLY_CREAT = 0o101;
  for (const path of ["/x", "/g/x", "/g/code/x", "/g/code/linked.js"])
    assert.ok([EACCES, EROFS].includes(Number((await call([NR.openat, AT_FDCWD, path, O_WRONLY_CREAT, 0o600])).text)), path);
  assert.ok([EACCES, EROFS].includes(Number((await call([NR.unlink, "/g/code/linked.js"])).text)));
});

test("only the own version is mounted", async (t) => {
  if (!hooked) return t.skip("a build with -Dhooks=true is needed");
  assert.ok(Number((await call([NR.openat, AT_FDCWD, "/g/code/linked.js", 0])).text) >= 0);
  for (const path of ["/g/code/../../neighbour", "/g/code/../../../control.db", "/g/workers"])
    assert.equal(Number((await call([NR.openat, AT_FDCWD, path, 0])).text), ENOENT, path);
});

const deadly = {
  "a TCP socket": [NR.socket, 2, 1, 0], "a Unix socket": [NR.socket, 1, 1, 0], "a netlink socket": [NR.socket, 16, 3, 0], connect: [NR.connect, 3, "x", 16],
  "kill 1": [NR.kill, 1, 9], "kill everybody": [NR.kill, -1, 9], "tgkill another": [NR.tgkill, 1, 1, 9], "tkill another": [NR.tkill, 1, 9],
  ptrace: [NR.ptrace, 16, 1, 0, 0], "process_vm_readv": [NR.process_vm_readv, 1, "x", 1, "x", 1, 0], pidfd_open: [NR.pidfd_open, 1, 0],
  fork: [NR.fork], vfork: [NR.vfork], "clone of a process": [NR.clone, 17, 0, 0, 0, 0], execve: [NR.execve, "/bin/sh", 0, 0], execveat: [NR.execveat, 3, "", 0, 0, 0x1000],
  unshare: [NR.unshare, 0x10000000], setns: [NR.setns, 3, 0], mount: [NR.mount, "proc", "/g", "proc", 0, 0], umount: [NR.umount2, "/g/code", 2],
  pivot_root: [NR.pivot_root, "/", "/g"], chroot: [NR.chroot, "/g"], open_tree: [NR.open_tree, AT_FDCWD, "/", 1], move_mount: [NR.move_mount, 3, "", AT_FDCWD, "/g", 4],
  fsopen: [NR.fsopen, "proc", 0], mount_setattr: [NR.mount_setattr, AT_FDCWD, "/", 0, "x", 32], openat2: [NR.openat2, AT_FDCWD, "/", "x", 24],
  mkdir: [NR.mkdir, "/g/x", 0o700], symlink: [NR.symlink, "/etc", "/g/x"], rename: [NR.rename, "/g/code", "/g/x"], io_uring: [NR.io_uring_setup, 8, "x"], bpf: [NR.bpf, 0, "x", 64],
  userfaultfd: [NR.userfaultfd, 1], keyctl: [NR.keyctl, 0, -3, 0], setuid: [NR.setuid, 0], "prctl dumpable": [NR.prctl, 4, 1],
};

test("calls that end the process, and nobody else's", async (t) => {
  if (!hooked) return t.skip("a build with -Dhooks=true is needed");
  for (const [name, args] of Object.entries(deadly)) {
    const answer = await call(args);
    assert.equal(answer.status, 502, `${name}: ${answer.status} ${answer.text}`);
    assert.equal((await get(s, "neighbour")).text, "fine");
  }
  assert.match(s.log(), /\\"signal\\":31/);
});

test("the crash is attributed to its Worker", async (t) => {
  if (!hooked) return t.skip("a build with -Dhooks=true is needed");
  const line = s.log().split("\n").find((l) => l.includes('"event":"crash"'));
  const record = JSON.parse(JSON.parse(line).record);
  assert.equal(record.script, "sealed");
  assert.equal(record.account, readFileSync(join(s.data, "account"), "utf8").trim());
});
