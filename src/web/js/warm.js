/*
 * Runs the way of a Worker once, before there is one: in a spare isolate the engine then has compiled what the
 * first load and the first request go through. That is three milliseconds of a cold start, for nothing that
 * stays: channel 0 is nobody's, and C ignores what is said about it.
 */
import * as context from "./context.js";
import { fetchEvent } from "./event.js";
import { Response } from "./response.js";
import { Headers } from "./headers.js";
import { URL } from "./url.js";
import { console } from "./console.js";

/* The form that the linker gives a module (engine/js/linker.js). */
function script(runtime) {
    runtime.main = "warm.js";
    runtime.esm("warm.js", ["cloudflare:workers"], (exp) => {
        let env;
        return {
            setters: [(namespace) => {
                env = namespace.env;
            }],
            execute() {
                exp({ default: () => ({ fetch: (request) => answer(request, env) }) });
            },
        };
    }, { line: 1, exports: ["default", "default"], imports: [0, "env"] });
}

const ANSWERS = {
    "/plain": () => new Response("text"),
    "/json": () => Response.json({ a: 1 }),
    "/headers": () => {
        const headers = new Headers({ a: "b" });
        headers.set("content-type", "text/html");
        return new Response("text", { status: 201, headers });
    },
    "/async": async (request) => {
        const url = new URL("../x?y#z", request.url);
        return new Response(url.searchParams.get("y") ?? request.headers.get("host"), { headers: { "content-type": "text/html" } });
    },
    "/log": async (request) => {
        console.log("text", { method: request.method });
        return new Response(null, { status: 204 });
    },
};

function answer(request, env) {
    return ANSWERS[new URL(request.url).pathname](request, env);
}

const SPEC = {
    account: "", script: "warm", version: "", created_ms: 0, format: "modules", compat: { date: "2026-01-01", flags: [] }, modules: [],
    limits: { cpu_ms: 30000, subrequests: 1000, memory_mb: 128 }, mounts: [], assets: null, main: "warm.js", code: "linked.js",
    bindings: [{ name: "TEXT", type: "plain_text", text: "" }, { name: "JSON", type: "json", json: {} }],
};

/* makeWorker(specJson) as for tenants. Yields between steps: their microtasks run then, and a tenant may come. */
export function* warm(makeWorker) {
    const worker = makeWorker(JSON.stringify(SPEC));
    worker.load(() => script, () => "");
    for (const path of Object.keys(ANSWERS)) {
        yield;
        fetchEvent(worker.entry("").fetch, {
            channel: 0, method: "GET", url: `http://warm.invalid${path}`, headers: "host: warm.invalid\r\naccept: */*\r\n", cf: "{}",
            requestId: "", hasBody: false, flags: 0,
        });
    }
    yield;
    context.enter(null);
}
