/* `env.OTHER.fetch()` and `env.ASSETS.fetch()`: the gateway knows what the binding's index means. */
import { makeFetcher } from "../../web/js/fetch.js";
import { makeService } from "../../web/js/rpc/serve.js";

export function make() {
    return (index, config) => (config.type === "service" ? makeService(index) : makeFetcher(index));
}
