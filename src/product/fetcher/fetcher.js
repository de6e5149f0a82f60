/* Bindings that answer fetch() and RPC; the gateway knows what a binding's index means. */
import { makeFetcher } from "../../web/js/fetch.js";
import { makeDispatched, makeService } from "../../web/js/rpc/serve.js";

const isObject = (value) => typeof value === "object" && value !== null;

function textOf(name, value) {
    if (value !== undefined && value !== null && !isObject(value)) throw new TypeError(`${name} must be an object.`);
    return value ?? undefined;
}

/* `env.DISPATCHER`: Workers of a dispatch namespace by name. That there is none shows at the first call. */
export class DispatchNamespace {
    #binding;

    constructor(binding) {
        this.#binding = binding;
    }

    get(name, args = undefined, options = undefined) {
        if (typeof name !== "string") throw new TypeError("Failed to execute 'get' on 'DispatchNamespace': parameter 1 is not of type 'string'.");
        const { limits, outbound } = textOf("options", options) ?? {};
        const said = { props: textOf("args", args), limits: textOf("limits", limits), outbound: textOf("outbound", outbound) };
        return makeDispatched(this.#binding, JSON.stringify(said), name);
    }
}

const MAKERS = {
    service: makeService,
    assets: makeFetcher,
    dispatch_namespace: (index) => new DispatchNamespace(index),
};

export function make() {
    return (index, config) => MAKERS[config.type](index);
}
