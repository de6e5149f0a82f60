/*
 * The Cache API: `caches.default`, `caches.open(name)`. The store is the gateway's (role/gateway_cache.c); a response
 * streams there and back by channels.
 */
import * as context from "../../web/js/context.js";
import { NULL, TEXT, BYTES, bodyKind, bodySource, bodyTake, Channel } from "../../web/js/body.js";
import { responseStreamSource } from "../../web/js/event.js";
import { pipeChannel } from "../../web/js/body_source.js";
import { codingOf, encoded } from "../../web/js/codings.js";
import { countSubrequest, failure } from "../../web/js/fetch.js";
import { findInBlock } from "../../web/js/headers.js";
import { isRequest, Request, requestBlock } from "../../web/js/request.js";
import * as responses from "../../web/js/response.js";
import { sendStream } from "../../web/js/send.js";
import { utf8 } from "../../web/js/encoding.js";

const { io } = native;
const MATCH = 1, PUT = 2, DELETE = 3; // product/messages.h
const NAME_MAX = 1024;
const MAKE = Symbol("make");

function keyOf(input) {
    return isRequest(input) ? input : new Request(input);
}

function unimplemented(cls, name) {
    return class {
        [name]() { throw new Error(`Failed to execute '${name}' on '${cls}': the method is not implemented.`); }
    }.prototype[name];
}

function lacks(cls, label, names) {
    for (const name of names)
        Object.defineProperty(cls.prototype, name, { value: unimplemented(label, name), writable: true, configurable: true, enumerable: false });
}

function urlOf(request) {
    const { url } = request, hash = url.indexOf("#");
    return hash < 0 ? url : url.slice(0, hash);
}

/* One call: {channel, status, headers, length, hasBody}. send(channel, reject) follows with a body that is not here yet. */
function exchange(operation, name, request, { status = 0, headers = "", body = null, send = null } = {}) {
    const invocation = context.need();
    countSubrequest();
    return new Promise((resolve, reject) => {
        const channel = io.cache(operation, name, urlOf(request), requestBlock(request), status, headers, body,
            context.track((error, answer, text, block, flags, length, hasBody) => {
                if (error !== null && error !== undefined) {
                    invocation.disown(channel);
                    reject(failure(`${error}`, answer, text));
                    return;
                }
                if (!hasBody) invocation.disown(channel);
                resolve({ channel, status: answer, headers: block, length, hasBody });
            }));
        invocation.own(channel);
        send?.(channel, reject);
    });
}

/* What of a response is sent at once, and what follows. */
function bodyOf(response) {
    const kind = bodyKind(response);
    const coding = codingOf(responses.responseHeader(response, "content-encoding"));
    bodyTake(response);
    if (kind === NULL) return { body: null, send: null };
    if (kind === TEXT || kind === BYTES) {
        const body = bodySource(response);
        if (coding === null || responses.responseManual(response)) return { body, send: null };
        return { body: encoded(coding, typeof body === "string" ? utf8(body) : body), send: null };
    }
    const source = responseStreamSource(response, kind, coding);
    return {
        body: true,
        send(channel, reject) {
            if (source.channel !== null) pipeChannel(source.channel, channel);
            else sendStream(source.stream, channel).catch(reject);
        },
    };
}

export class Cache {
    #name;

    constructor(key, name) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#name = name;
    }

    async match(input, options = undefined) {
        const request = keyOf(input);
        if (request.method !== "GET" && options?.ignoreMethod !== true) return undefined;
        const answer = await exchange(MATCH, this.#name, request);
        if (findInBlock(answer.headers, "cf-cache-status", 0) !== "HIT") {
            if (answer.hasBody) io.reset(answer.channel, -125);
            return undefined;
        }
        const coding = codingOf(findInBlock(answer.headers, "content-encoding", 0));
        return responses.fetchedResponse({
            status: answer.status, statusText: "", headers: answer.headers, url: "", redirected: false,
            channel: answer.hasBody ? new Channel(answer.channel, answer.length, coding) : null,
        });
    }

    async put(input, response) {
        const request = keyOf(input);
        if (!responses.isResponse(response))
            throw new TypeError("Failed to execute 'put' on 'Cache': parameter 2 is not of type 'Response'.");
        if (request.method !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
        const status = responses.responseStatus(response);
        if (responses.responseIsError(response)) throw new TypeError("Cache is unable to store an error response");
        if (status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
        const vary = response.headers.get("vary");
        if (vary !== null && vary.split(",").some((name) => name.trim() === "*"))
            throw new TypeError("Cannot cache response with 'Vary: *' header.");
        if (responses.responseSocket(response) !== null) throw new TypeError("Cannot cache WebSocket upgrade response.");
        if (status === 304) {
            const text = "Ignoring attempt to Cache.put() a 304 status response. 304 responses are not meaningful to cache, and a potential source of bugs, such as when fetching in a conditional request.";
            context.current?.log("warn", [text], text.length);
            return;
        }
        const { body, send } = bodyOf(response);
        await exchange(PUT, this.#name, request, { status, headers: responses.responseBlock(response), body, send });
    }

    async delete(input, options = undefined) {
        const request = keyOf(input);
        if (request.method !== "GET" && options?.ignoreMethod !== true) return false;
        return (await exchange(DELETE, this.#name, request)).status === 200;
    }
}

export class CacheStorage {
    #default = new Cache(MAKE, "");

    constructor(key) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
    }

    get default() { return this.#default; }

    async open(name) {
        if (arguments.length === 0)
            throw new TypeError("Failed to execute 'open' on 'CacheStorage': parameter 1 is not of type 'string'.");
        const text = `${name}`;
        if (text.length >= NAME_MAX) throw new TypeError("Cache name is too long.");
        return new Cache(MAKE, `n:${text}`); // so that no name is the default cache's
    }
}

lacks(Cache, "Cache", ["add", "addAll", "matchAll", "keys"]);
lacks(CacheStorage, "CacheStorage", ["match", "has", "delete", "keys"]);

export const caches = new CacheStorage(MAKE);
