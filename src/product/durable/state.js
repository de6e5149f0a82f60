/* What a Durable Object's constructor gets as `ctx`. https://developers.cloudflare.com/durable-objects/api/state/ */
import * as context from "../../web/js/context.js";
import { makeFacets } from "./facets.js";
import { DurableObjectStorage } from "./storage.js";
import { DurableObjectId } from "./namespace.js";

export class DurableObjectState {
    #instance;
    #id;
    #storage;
    #facets = null;

    constructor(instance) {
        this.#instance = instance;
        this.#id = instance.facet?.id ?? DurableObjectId.of(instance.config.key, instance.id, instance.name);
        this.#storage = new DurableObjectStorage(instance);
    }

    get id() { return this.#id; }
    get storage() { return this.#storage; }
    get props() { return this.#instance.facet?.props ?? {}; }
    get facets() { return (this.#facets ??= makeFacets(this.#instance)); }
    get exports() { return exportsOf(); }

    waitUntil(promise) {
        context.current?.waitUntil(promise);
    }

    blockConcurrencyWhile(callback) {
        return this.#instance.block(callback);
    }

    abort(reason, options = undefined) {
        this.#instance.abort(reason);
    }

    acceptWebSocket(webSocket, tags = undefined) {
        this.#instance.sockets.accept(webSocket, tags);
    }

    getWebSockets(tag = undefined) {
        return this.#instance.sockets.list(tag === undefined ? undefined : String(tag));
    }

    getTags(webSocket) {
        return this.#instance.sockets.tagsOf(webSocket);
    }

    setWebSocketAutoResponse(pair = undefined) {
        this.#instance.sockets.setPair(pair);
    }

    getWebSocketAutoResponse() {
        return this.#instance.sockets.pair;
    }

    getWebSocketAutoResponseTimestamp(webSocket) {
        return this.#instance.sockets.answeredAt(webSocket);
    }

    setHibernatableWebSocketEventTimeout(ms = undefined) {
        this.#instance.sockets.setTimeout(ms);
    }

    getHibernatableWebSocketEventTimeout() {
        return this.#instance.sockets.timeoutMs;
    }
}
Object.defineProperty(DurableObjectState.prototype, Symbol.toStringTag, { value: "DurableObjectState", configurable: true });

let exportsOf = () => ({});
export function setObjectExports(fn) {
    exportsOf = fn;
}
