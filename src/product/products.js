/* Binding type → factory (index, config) => what stands in `env`. */
import { make as kv } from "./kv/kv.js";
import { make as d1 } from "./d1/d1.js";
import { make as r2 } from "./r2/r2.js";
import { make as durable } from "./durable/durable.js";
import { make as ratelimit } from "./ratelimit/ratelimit.js";
import { make as loader } from "./fetcher/loader.js";
import { make as fetcher } from "./fetcher/fetcher.js";

const MAKERS = { kv_namespace: kv, d1, r2_bucket: r2, durable_object_namespace: durable, service: fetcher, assets: fetcher, dispatch_namespace: fetcher, worker_loader: loader, ratelimit };

/* What makes a factory runs for the first binding of its type: it may be a script of its own. */
export function makeProducts(native, kit) {
    const factories = {};
    for (const [type, make] of Object.entries(MAKERS)) {
        let factory = null;
        factories[type] = (index, config) => (factory ??= make(native, kit))(index, config);
    }
    return factories;
}
