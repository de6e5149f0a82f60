/*
 * The built-in script of the isolate: what C calls. See docs/architecture.md, "Inside the isolate".
 *
 * `native` (the C functions) and `global` (globalThis) are parameters of the function that the bundler puts
 * around everything (bundle.mjs); all files here use them as free names.
 */
import "./dispose.js";
import { createRegistry } from "../../engine/js/registry.js";
import * as context from "./context.js";
import { tailEvent } from "./tail.js";
import { ExecutionContext, fetchEvent, scheduledEvent, abortEvent, condemnEvent, setCompression } from "./event.js";
import { clearTimeout, setTimeout, timersDue } from "./timers.js";
import { installGlobals, setCompatibility, unhandledRejection } from "./globals.js";
import { compression } from "./streams/extras.js";
import { RPC, fetch, setSubrequestsMax } from "./fetch.js";
import { Response } from "./response.js";
import { serveEntry } from "./rpc/serve.js";
import { URL } from "./url.js";
import { Worker } from "./worker.js";
import { frame } from "./workers.js";
import { warm } from "./warm.js";
import { objectAlarm, objectQuery, objectRequest, objectSession, objectSockets, objectSocketsLost, objectsReset } from "../../product/durable/durable.js";
import { load, setTable } from "./scripts.js";
import { onBuiltins } from "./builtins.js";
import { flags } from "./compat.js";
import { compileModule } from "./wasm.js";
import { table } from "scripts:table"; // last: it imports from everywhere

setTable(table);
installGlobals();
setCompression(compression);

const QUERY = 1048576; // MSG_QUERY of product/messages.h
let worker = null, warming = null, prepared = null;

function makeWorker(specJson) {
    const spec = JSON.parse(specJson);
    if (spec.limits?.subrequests > 0) setSubrequestsMax(spec.limits.subrequests);
    setCompatibility(spec.compat);
    return new Worker(spec, createRegistry);
}

function entry(entrypoint) {
    return worker.entry(entrypoint);
}

export const hooks = {
    /* In a spare, before there is a tenant; load() replaces everything that this sets. True: call again. */
    warm() {
        warming ??= warm(makeWorker);
        return !warming.next().done;
    },

    /* What can be done before the Worker's files are there; C need not call it. */
    prepare(specJson) {
        prepared = makeWorker(specJson);
    },

    load(specJson, evaluate, readFile) {
        context.enter(null); // warm() may have been left half-way
        worker = prepared ?? makeWorker(specJson);
        return worker.load(evaluate, readFile);
    },

    request(channel, method, url, headers, cf, entrypoint, requestId, hasBody, flags, props, object, objectName, subrequests) {
        frame.cur = null;
        if (object !== "" && object !== undefined)
            (flags & RPC ? objectSession : flags & QUERY ? objectQuery : objectRequest)(worker, entrypoint, object, objectName, { channel, method, url, headers, cf, requestId, hasBody, flags });
        else if (flags & RPC) serveEntry(entry(entrypoint), { channel, url, cf, requestId, flags, props, subrequests });
        else fetchEvent(entry(entrypoint).fetch, { channel, method, url, headers, cf, requestId, hasBody, flags, props, subrequests });
    },

    scheduled(channel, scheduledMs, cron, requestId) {
        frame.cur = null;
        scheduledEvent(entry("").scheduled, channel, scheduledMs, cron, requestId);
    },

    tailed(channel, script, version, trace, requestId) {
        frame.cur = null;
        tailEvent(entry("").tail, channel, script, version, trace, requestId);
    },

    alarm(channel, className, object, scheduledMs, retry, requestId) {
        frame.cur = null;
        objectAlarm(worker, className, object, channel, scheduledMs, retry, requestId);
    },

    /* The sockets of an object that finds them again. */
    sockets(channel, className, object, objectName, requestId) {
        frame.cur = null;
        objectSockets(worker, className, object, objectName, channel, requestId);
    },

    /* The objects of this isolate, or only that one, go on elsewhere. */
    objectsReset(why, object) {
        objectsReset(why, object);
    },

    abort(channel) {
        if (!abortEvent(channel)) objectSocketsLost(channel);
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

    /* For the script that test-worker evaluates after this one (test/main.js). */
    inside: () => ({
        hooks, worker: () => worker, fetchEvent, ExecutionContext, Response, URL, fetch, setTimeout, clearTimeout,
        flags, load, compileModule, onBuiltins,
    }),
};
