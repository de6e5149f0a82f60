/* The Node modules there are so far, each under "node:x" and "x". */
import { asyncHooksModule } from "./async_hooks.js";

export function nodeBuiltins() {
    const map = new Map();
    for (const [name, load] of [["async_hooks", asyncHooksModule]]) {
        let made = null;
        const once = () => (made ??= load());
        map.set(`node:${name}`, once);
        map.set(name, once);
    }
    return map;
}
