// The side under test: `selvedge serve` with an empty data directory, deployed to by the REST API.

import { startSelvedge as start } from "../../test/e2e/lib/selvedge.mjs";
import { api, deploy as upload } from "../../test/e2e/lib/deploy.mjs";

export async function startSelvedge(options) {
    const server = await start(options);
    server.port = Number(new URL(server.httpUrl).port);
    return server;
}

export async function deploy(server, name, source, bindings = []) {
    await upload(server, name, source, { bindings });
    await api(server, "POST", `/workers/scripts/${name}/subdomain`, { enabled: true });
}

/** A namespace, a database and a bucket, as bindings KV, DB and BUCKET. */
export async function storeBindings(server) {
    const kv = await api(server, "POST", "/storage/kv/namespaces", { title: "bench" });
    const d1 = await api(server, "POST", "/d1/database", { name: "bench" });
    await api(server, "POST", "/r2/buckets", { name: "bench" });
    return [
        { name: "KV", type: "kv_namespace", namespace_id: kv.id },
        { name: "DB", type: "d1", id: d1.uuid },
        { name: "BUCKET", type: "r2_bucket", bucket_name: "bench" },
    ];
}
