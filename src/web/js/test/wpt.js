/*
 * One classic test file (.any.js): its META lines, the scripts it includes, the file itself, the results.
 * Files come by fetch() from the command, which serves the tests' root.
 */
import { Harness, testGlobals } from "./harness.js";

const TIMEOUT_MS = 30_000, LONG_TIMEOUT_MS = 240_000;

/* {script: [...], title, timeout, variant: [...]}: the comment lines at the top. */
export function readMeta(text) {
    const meta = { script: [], variant: [], title: null, timeout: null };
    for (const line of text.split(/\r?\n/)) {
        const found = /^\/\/\s*META:\s*(\w+)=(.*)$/.exec(line);
        if (found === null) {
            if (line.startsWith("//") || line.trim() === "") continue;
            break;
        }
        const [, key, value] = found;
        if (Array.isArray(meta[key])) meta[key].push(value.trim());
        else if (key in meta) meta[key] = value.trim();
    }
    return meta;
}

class Page {
    constructor({ global, fetch, evaluate }, url) {
        this.global = global;
        this.fetch = fetch;
        this.evaluate = evaluate;
        this.url = url;
    }

    async read(reference) {
        const url = new URL(reference, this.url);
        const response = await this.fetch(url);
        if (!response.ok) throw new Error(`${url.pathname}: ${response.status}`);
        return response.text();
    }

    /* What a file expects of the global scope besides the harness. */
    install(harness) {
        const { global, url, fetch } = this;
        const resolve = (input) => (typeof input === "string" ? new URL(input, url).href : input);
        const define = (name, value) => Object.defineProperty(global, name, { value, writable: true, configurable: true, enumerable: false });
        for (const [name, value] of Object.entries(testGlobals(harness))) define(name, value);
        const { href, origin, protocol, host, hostname, port, pathname, search, hash } = url;
        define("location", { href, origin, protocol, host, hostname, port, pathname, search, hash, toString: () => href });
        define("GLOBAL", { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false });
        define("fetch", { fetch: (input, init) => fetch(resolve(input), init) }.fetch);
        define("fetch_json", async (reference) => JSON.parse(await this.read(reference)));
    }

    run(name, text, harness) {
        try {
            this.evaluate(name, text);
        } catch (error) {
            harness.uncaught(error);
        }
    }
}

/* The results of all subtests: [{name, status, message, stack}]. */
export async function runFile(world, address) {
    const page = new Page(world, new URL(address));
    const text = await page.read(page.url);
    const meta = readMeta(text);
    if (meta.variant.length > 0 && page.url.search === "") return [{ variants: meta.variant }];
    const harness = new Harness({
        title: meta.title ?? page.url.pathname, setTimeout: world.setTimeout, clearTimeout: world.clearTimeout,
        timeoutMs: meta.timeout === "long" ? LONG_TIMEOUT_MS : TIMEOUT_MS,
    });
    const scripts = await Promise.all(meta.script.map((reference) => page.read(reference)));
    page.install(harness);
    harness.begin();
    scripts.forEach((script, i) => page.run(meta.script[i], script, harness));
    page.run(page.url.pathname, text, harness);
    harness.loaded();
    await harness.over.promise;
    return harness.results();
}
