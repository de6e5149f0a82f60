/*
 * What `selvedge test-worker` adds to an isolate: runs the tests that a Worker exports, or classic test files.
 *
 * Evaluated after the isolate's own script (../main.js), whose hooks it wraps: a request of method TEST runs
 * one exported test, one of method WPT a file, both answered with a JSON array of results.
 */
import { drainingReader, testModules } from "./extras.js";
import { runFile } from "./wpt.js";

const inside = native.test.inside();
const { fetch, Response, setTimeout, clearTimeout } = inside;
const { stringify } = JSON;
let exported = null;

const isClass = (value) => typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));

function hasTest(value) {
    if (typeof value === "object" && value !== null) return typeof value.test === "function";
    return isClass(value) && typeof value.prototype?.test === "function";
}

function testNames() {
    exported = inside.worker().exported ?? {};
    return stringify(Object.keys(exported).filter((name) => hasTest(exported[name])));
}

/* --- tests of a module --- */

class TestController {}

async function callTest(name, invocation) {
    const value = exported[name];
    const context = new inside.ExecutionContext(invocation);
    const { env } = inside.worker();
    if (isClass(value)) await new value(context, env).test(new TestController());
    else await value.test(new TestController(), env, context);
}

function describe(error) {
    if (typeof error !== "object" || error === null) return { message: `Uncaught ${String(error)}`, stack: "" };
    const title = typeof error.message === "string" ? `${error.name}: ${error.message}` : String(error);
    return { message: title, stack: typeof error.stack === "string" ? error.stack : "" };
}

async function runTest(name, invocation) {
    let result = { name, status: "PASS", message: null, stack: null };
    try {
        await callTest(name, invocation);
    } catch (error) {
        result = { name, status: "FAIL", ...describe(error) };
    }
    return answer([result]);
}

/* Names and messages of tests hold anything; JSON readers want whole characters. */
function answer(results) {
    return new Response(stringify(results, (key, value) => (typeof value === "string" ? value.toWellFormed() : value)));
}

async function runWpt(url) {
    const world = { global, fetch, setTimeout, clearTimeout, evaluate: native.test.evaluate };
    try {
        return answer(await runFile(world, url));
    } catch (error) {
        return answer([{ name: "(file)", status: "FAIL", ...describe(error) }]);
    }
}

function runner(method, url) {
    const { pathname } = new inside.URL(url);
    if (method === "TEST") return (request, invocation) => runTest(decodeURIComponent(pathname.slice(1)), invocation);
    if (method === "WPT") return () => runWpt(url);
    return null;
}

function addExtras(map) {
    const { flags, load, compileModule } = inside;
    for (const [name, make] of testModules(flags, native.test.evaluate, compileModule)) map.set(name, make);
    if (!flags.expose_draining_reader) return;
    const value = drainingReader(load("streams"));
    Object.defineProperty(global, "ReadableStreamDrainingReader", { value, writable: true, configurable: true, enumerable: false });
}

export const hooks = {
    load(...args) {
        Object.defineProperty(global, "gc", { value: native.test.gc, writable: true, configurable: true, enumerable: false });
        inside.onBuiltins((map) => addExtras(map));
        const loaded = inside.hooks.load(...args);
        return typeof loaded === "string" ? testNames() : loaded.then(testNames);
    },

    request(channel, method, url, ...rest) {
        const run = runner(method, url);
        if (run === null) return inside.hooks.request(channel, method, url, ...rest);
        const [headers, cf, , requestId, hasBody, flags] = rest;
        return inside.fetchEvent(run, { channel, method: "GET", url, headers, cf, requestId, hasBody, flags });
    },
};

