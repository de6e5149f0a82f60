/* The modules that a Worker can import without bringing them. Each is made at its first import. */
import { workersModule, workflowsModule, namespace } from "./workers.js";
import { EmailMessage } from "./email.js";
import { load } from "./scripts.js";
import { nodeBuiltins } from "../../node/js/loader.js";

let extend = () => {};

/* fn(map) adds what only tests may import. */
export function onBuiltins(fn) {
    extend = fn;
}

/* registry(): for node:module's createRequire, since the registry is made after this table. */
export function builtins(spec, registry, readFile) {
    const map = nodeBuiltins(spec, registry, readFile);
    map.set("cloudflare:workers", workersModule);
    map.set("cloudflare:workflows", workflowsModule);
    map.set("cloudflare:email", () => namespace({ EmailMessage }));
    map.set("cloudflare:sockets", () => namespace({ connect: (...args) => load("sockets").connect(...args) }));
    extend(map);
    return map;
}
