/* Binding type → factory (index, config) => what stands in `env`. */
import { make as kv } from "./kv/kv.js";
import { make as d1 } from "./d1/d1.js";
import { make as r2 } from "./r2/r2.js";
import { make as durable } from "./durable/durable.js";
import { make as fetcher } from "./fetcher/fetcher.js";

export function makeProducts(native, kit) {
    return {
        kv_namespace: kv(native, kit),
        d1: d1(native, kit),
        r2_bucket: r2(native, kit),
        durable_object_namespace: durable(native, kit),
        service: fetcher(native, kit),
        assets: fetcher(native, kit),
    };
}
