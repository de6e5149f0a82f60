/* Request. https://fetch.spec.whatwg.org/#request-class, with what the edge adds (cf, fetcher). */
import { Body, bodyInit, bodyInitChannel, bodyShare, bodyKind, setContentType, NULL, Channel } from "./body.js";
import { Headers, headersFromBlock, headerBlock, headerGet, headerAdd, isHeaders, findInBlock } from "./headers.js";
import { isSignal, makeSignal } from "./abort.js";
import { isPlainUrl } from "./url.js";
import { flags } from "./compat.js";
import { isResponse, responseContentType } from "./response.js";

const parse = native.url.parse;

const INCOMING = Symbol("incoming");
/* Those that the server side of HTTP knows; anything else is refused as upstream. */
const METHODS = new Set(("GET HEAD POST PUT DELETE PATCH PURGE OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK " +
    "ACL REPORT MKACTIVITY CHECKOUT MERGE MSEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE QUERY BAN").split(" "));
/* The flag that each mode needs. */
const CACHE_MODES = { "no-store": "cache_option_enabled", "no-cache": "cache_no_cache_enabled", reload: "cache_reload_enabled" };

let access;

function normalMethod(method) {
    const string = `${method}`;
    switch (string) {
    case "GET": case "POST": case "PUT": case "DELETE": case "HEAD": case "PATCH": case "OPTIONS":
        return string;
    }
    const upper = string.toUpperCase();
    if (!METHODS.has(upper)) throw new TypeError(`Invalid HTTP method string: ${string}`);
    return upper;
}

function copyCf(cf) {
    if (cf === null || typeof cf !== "object") return undefined;
    try {
        return JSON.parse(JSON.stringify(cf));
    } catch {
        throw new TypeError("The cf object of a request must be JSON.");
    }
}

function checkCf(cf, cache) {
    if (cf?.cacheControl === undefined) return;
    if (cf.cacheTtl !== undefined)
        throw new TypeError("The 'cacheControl' and 'cacheTtl' options on cf are mutually exclusive. Use 'cacheControl' for explicit Cache-Control header directives, or 'cacheTtl' for a simplified TTL, but not both.");
    if (cache !== undefined)
        throw new TypeError("The 'cacheControl' option on cf cannot be used together with the 'cache' request option. Use 'cacheControl' for explicit Cache-Control header directives instead.");
}

export class Request extends Body {
    #method = "GET";
    #url;
    #headers = null; // made from #block at the first use
    #block = "";
    #incoming = false;
    #redirect = "follow";
    #signal = null;
    #cf = undefined; // an object, or the JSON text of an incoming request
    #cache = undefined;
    #manual = false; // encodeResponseBody
    #fetcher = null;

    constructor(input, init = undefined) {
        super();
        if (input === INCOMING) {
            this.#method = init.method;
            this.#url = init.url;
            this.#block = init.headers;
            this.#cf = init.cf;
            this.#incoming = true;
            this.#redirect = "manual";
            return;
        }
        if (typeof input === "object" && input !== null && #method in input) this.#copy(input, init);
        else this.#url = this.#parseUrl(input);
        if (init !== undefined && init !== null) this.#options(init, input);
    }

    #parseUrl(input) {
        if (input === undefined) throw new TypeError("Failed to construct 'Request': constructor parameter 1 is not of type 'Request or string'.");
        if (typeof input === "string" && isPlainUrl(input)) return input;
        const url = parse(`${input}`);
        if (url === undefined) throw new TypeError(`Invalid URL: ${input}`);
        return url;
    }

    #copy(from, init) {
        this.#method = from.#method;
        this.#url = from.#url;
        if (from.#headers === null) this.#block = from.#block;
        else this.#headers = new Headers(from.#headers);
        this.#redirect = from.#redirect;
        this.#signal = from.#incoming ? null : from.#signal;
        this.#cf = from.#cf;
        this.#cache = from.#cache;
        this.#manual = from.#manual;
        this.#fetcher = from.#fetcher;
        if (init?.body !== undefined && init.body !== null) return;
        if (bodyKind(from) !== NULL) {
            if (from.bodyUsed) throw new TypeError("Cannot reconstruct a Request with a used body.");
            bodyShare(from, this, true);
        }
    }

    #options(init, input) {
        if (init.method !== undefined) this.#method = normalMethod(init.method);
        if (init.headers !== undefined) {
            this.#headers = new Headers(init.headers);
            this.#block = "";
        }
        this.#settings(init);
        const body = init.body;
        if (body === undefined || body === null) return;
        if (this.#method === "GET" || this.#method === "HEAD")
            throw new TypeError("Request with a GET or HEAD method cannot have a body.");
        const type = bodyInit(this, body);
        if (type !== null && headerGet(this.headers, "content-type") === undefined)
            headerAdd(this.headers, "content-type", type);
    }

    #settings(init) {
        if (init.redirect !== undefined) {
            const redirect = `${init.redirect}`;
            if (redirect !== "follow" && redirect !== "manual")
                throw new TypeError('Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be implemented since it does not make sense at the edge; use "manual" and check the response status code).');
            this.#redirect = redirect;
        }
        if (init.signal !== undefined) {
            if (init.signal !== null && !isSignal(init.signal)) throw new TypeError("The signal of a request must be an AbortSignal.");
            this.#signal = init.signal;
        }
        if (init.cache !== undefined) {
            if (!flags.cache_option_enabled) throw new Error("The 'cache' field on 'RequestInitializerDict' is not implemented.");
            const cache = `${init.cache}`;
            if (!Object.hasOwn(CACHE_MODES, cache) || !flags[CACHE_MODES[cache]]) throw new TypeError(`Unsupported cache mode: ${cache}`);
            this.#cache = cache;
        }
        if (init.integrity !== undefined && `${init.integrity}` !== "")
            throw new TypeError("Subrequest integrity checking is not implemented. The integrity option must be either undefined or an empty string.");
        if (init.cf !== undefined) {
            checkCf(init.cf, init.cache);
            this.#cf = copyCf(init.cf);
        }
        if (init.encodeResponseBody !== undefined) this.#manual = init.encodeResponseBody === "manual";
        if (init.fetcher !== undefined) this.#fetcher = init.fetcher;
    }

    get method() { return this.#method; }
    get url() { return this.#url; }

    get headers() {
        if (this.#headers === null) {
            this.#headers = headersFromBlock(this.#block, this.#incoming);
            this.#block = "";
        }
        return this.#headers;
    }

    get redirect() { return this.#redirect; }

    get signal() {
        if (this.#signal === null) this.#signal = makeSignal();
        return this.#signal;
    }

    get cf() {
        if (typeof this.#cf === "string") this.#cf = this.#cf === "" ? undefined : JSON.parse(this.#cf);
        return this.#cf;
    }

    get cache() { return this.#cache; }
    get integrity() { return ""; }
    get keepalive() { return false; }
    get fetcher() { return this.#fetcher; }

    clone() {
        const clone = new Request(INCOMING, { method: this.#method, url: this.#url, headers: "", cf: copyCf(this.cf) });
        clone.#headers = new Headers(this.headers);
        clone.#incoming = false;
        clone.#redirect = this.#redirect;
        clone.#signal = this.#incoming ? null : this.#signal;
        clone.#cache = this.#cache;
        clone.#manual = this.#manual;
        clone.#fetcher = this.#fetcher;
        bodyShare(this, clone, false);
        return clone;
    }

    static {
        access = {
            is: (v) => typeof v === "object" && v !== null && #method in v,
            block: (request) => (request.#headers === null ? request.#block : headerBlock(request.#headers)),
            signalIfAny: (request) => request.#signal,
            cfText: (request) => (request.#cf === undefined ? "" : typeof request.#cf === "string" ? request.#cf : JSON.stringify(request.#cf)),
            manual: (request) => request.#manual,
            header: (request, name) => (request.#headers === null ? findInBlock(request.#block, name, 0) : headerGet(request.#headers, name)),
            incoming: (request) => request.#incoming,
            contentType: (request) => headerGet(request.headers, "content-type"),
        };
    }
}

export const isRequest = access.is;
/* For structuredClone(): a second one of a Request without a body; null for everything else. */
export function bodilessClone(value) {
    return access.is(value) && bodyKind(value) === NULL ? new Request(value) : null;
}
export const requestBlock = access.block;
export const requestSignal = access.signalIfAny;
export const requestCf = access.cfText;
export const requestManual = access.manual;
export const requestIncoming = access.incoming;
/* By lower-case name; undefined when absent. */
export const requestHeader = access.header;

/* The request of a fetch event. */
export function incomingRequest(channel, method, url, headers, cf, hasBody) {
    const request = new Request(INCOMING, { method, url, headers, cf });
    if (hasBody) {
        const length = headerGet(request.headers, "content-length");
        bodyInitChannel(request, new Channel(channel, length === undefined ? -1 : Number(length), null));
    }
    return request;
}

setContentType((body) => (access.is(body) ? access.contentType(body) : isResponse(body) ? responseContentType(body) : undefined));
export { isHeaders };
