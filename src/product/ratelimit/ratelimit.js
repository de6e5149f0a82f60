/* Rate limiting binding: the gateway counts (role/gateway_rate.c), for all isolates of the account. */
import { askBinding } from "../../web/js/fetch.js";

const PERIODS = new Set([10, 60]);
const OPTIONS = new Set(["key", "limit", "period"]);

function check(holds, text) {
    if (!holds) throw new Error(text);
}

class RateLimit {
    #index;
    #limit;
    #period;

    constructor(index, config) {
        this.#index = index;
        this.#limit = config.simple?.limit;
        this.#period = config.simple?.period;
    }

    async limit(options = undefined) {
        check(typeof options === "object" && options !== null, "invalid rate limit options");
        const unknown = Object.keys(options).filter((name) => !OPTIONS.has(name));
        check(unknown.length === 0, `bad rate limit options: [${unknown.join(",")}]`);
        const { key = "", limit = this.#limit, period = this.#period } = options;
        check(typeof key === "string", `invalid key: ${key}`);
        check(typeof limit === "number", `limit must be a number: ${limit}`);
        check(typeof period === "number", `period must be a number: ${period}`);
        check(PERIODS.has(period), `unsupported period: ${period}`);
        const { status } = await askBinding(this.#index, JSON.stringify({ key, limit, period }));
        return { success: status === 200 };
    }
}

export function make() {
    return (index, config) => new RateLimit(index, config);
}
