/* `env.OTHER.fetch()` and `env.ASSETS.fetch()`: the gateway knows what the binding's index means. */
import { makeFetcher } from "../../web/js/fetch.js";

export function make() {
    return (index) => makeFetcher(index);
}
