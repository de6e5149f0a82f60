import { caught, kind } from "../../worker/report.js";

export default {
    "relative": () => caught(() => fetch("/x")),
    "no argument": () => kind(() => fetch()),
    "unknown scheme": () => caught(() => fetch("ftp://example.com/")),
    "mailto": () => caught(() => fetch("mailto:a@b.c")),
    "data url": () => caught(async () => { const r = await fetch("data:text/plain;charset=utf-8,hello%20there"); return [r.status, r.headers.get("content-type"), await r.text()]; }),
    "data url base64": () => caught(async () => { const r = await fetch("data:application/x;base64,aGk="); return [r.headers.get("content-type"), await r.text()]; }),
    "data url bad": () => kind(async () => (await fetch("data:nocomma")).status),
    "GET with body": () => caught(() => fetch("http://127.0.0.1:1/", { body: "x" })),
    "bad method": () => caught(() => fetch("http://127.0.0.1:1/", { method: "a b" })),
    "bad header": () => caught(() => fetch("http://127.0.0.1:1/", { headers: { "a b": "c" } })),
    "already aborted": () => caught(() => fetch("http://127.0.0.1:1/", { signal: AbortSignal.abort() })),
    "rejects, never throws": () => { let p; try { p = fetch("nonsense"); p.catch(() => {}); } catch { return "threw"; } return p instanceof Promise; },
    "refused connection": () => caught(async () => (await fetch("http://127.0.0.1:1/")).status).then((x) => typeof x),
    "name and length": () => [fetch.name, fetch.length],
};
