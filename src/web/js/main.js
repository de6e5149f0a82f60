/*
 * The built-in script of the isolate: what C calls. See docs/architecture.md, "Inside the isolate".
 *
 * `native` (the C functions) and `global` (globalThis) are parameters of the function that the bundler puts
 * around everything (bundle.mjs); all files here use them as free names.
 */
import "./dispose.js";
import { createRegistry } from "../../engine/js/registry.js";
import { fetchEvent, scheduledEvent, abortEvent, condemnEvent, setCompression, setExports } from "./event.js";
import { timersDue } from "./timers.js";
import { installGlobals, setCompatibility, unhandledRejection } from "./globals.js";
import { compression } from "./streams/extras.js";
import { setSubrequestsMax } from "./fetch.js";
import { setModules } from "./service_worker.js";
import { Worker } from "./worker.js";
import { frame } from "./workers.js";
import { warm } from "./warm.js";

installGlobals();
setCompression(compression);

let worker = null;

function entry(entrypoint) {
    return worker.entry(entrypoint);
}

async function warmFetch(request, env, ctx) {
    const url = new URL(request.url);
    ctx.waitUntil(Promise.resolve());
    if (url.searchParams.get("n") === "0") return Response.json({ cf: request.cf, path: url.pathname });
    const headers = new Headers(request.headers);
    headers.set("content-type", "text/plain");
    return new Response(`${request.method} ${request.headers.get("host")}`, { status: 200, headers });
}

warm((spec, evaluate, readFile) => new Worker(spec, createRegistry, evaluate, readFile));

export const hooks = {
    /* Before there is a tenant: a Worker of our own runs the common paths once, so that no cold start compiles
     * them. Channel 0 is none, so nothing leaves; load() replaces everything set here. */
    warm() {
        const spec = { format: "modules", main: "warm.js", compat: { date: "2026-01-01", flags: [] }, bindings: [], modules: [] };
        const script = () => (rt) => {
            rt.main = "warm.js";
            rt.esm("warm.js", [], (exp) => ({ setters: [], execute: () => exp({ default: () => ({ fetch: warmFetch }) }) }), {});
        };
        hooks.load(JSON.stringify(spec), script, () => "");
        for (let i = 0; i < 4; i++) hooks.request(0, "GET", `http://warm.invalid/a?n=${i % 2}`, "host: warm.invalid\r\n", "{}", "", "", false, 0);
        setModules(false);
        setExports(() => ({}));
    },

    load(specJson, evaluate, readFile) {
        const spec = JSON.parse(specJson);
        if (spec.limits?.subrequests > 0) setSubrequestsMax(spec.limits.subrequests);
        setCompatibility(spec.compat);
        worker = new Worker(spec, createRegistry, evaluate, readFile);
        return worker.load();
    },

    request(channel, method, url, headers, cf, entrypoint, requestId, hasBody, flags) {
        frame.cur = null;
        fetchEvent(entry(entrypoint).fetch, { channel, method, url, headers, cf, requestId, hasBody, flags });
    },

    scheduled(channel, scheduledMs, cron, requestId) {
        frame.cur = null;
        scheduledEvent(entry("").scheduled, channel, scheduledMs, cron, requestId);
    },

    abort(channel) {
        abortEvent(channel);
    },

    /* Returns the channel of the event whose timer ran. */
    timer() {
        frame.cur = null;
        return timersDue();
    },

    /* The isolate is about to end: the last words of each event. */
    condemn(channel, outcome) {
        condemnEvent(channel, outcome);
    },

    unhandled(promise, reason) {
        unhandledRejection(promise, reason);
    },
};
