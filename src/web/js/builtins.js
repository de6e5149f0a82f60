/* The modules that a Worker can import without bringing them. Each is made at its first import. */
import { workersModule, workflowsModule } from "./workers.js";
import { nodeBuiltins } from "./node/index.js";

/* registry(): for node:module's createRequire, since the registry is made after this table. */
export function builtins(spec, registry) {
    const map = new Map([
        ["cloudflare:workers", workersModule],
        ["cloudflare:workflows", workflowsModule],
    ]);
    const { date = "", flags = [] } = spec.compat ?? {};
    const off = flags.includes("no_nodejs_compat");
    const als = flags.includes("nodejs_als");
    if (!off && (flags.includes("nodejs_compat") || flags.includes("nodejs_compat_v2")))
        for (const [name, load] of nodeBuiltins(date, registry)) map.set(name, load);
    else if (als)
        for (const [name, load] of nodeBuiltins(date, registry)) if (name.endsWith("async_hooks")) map.set(name, load);
    return map;
}
