/* What a Durable Object's constructor gets as `ctx`. https://developers.cloudflare.com/durable-objects/api/state/ */
import * as context from "../../web/js/context.js";
import { DurableObjectStorage } from "./storage.js";
import { DurableObjectId } from "./namespace.js";

export class DurableObjectState {
    #instance;
    #id;
    #storage;

    constructor(instance) {
        this.#instance = instance;
        this.#id = DurableObjectId.of(instance.config.key, instance.id, instance.name);
        this.#storage = new DurableObjectStorage(instance);
    }

    get id() { return this.#id; }
    get storage() { return this.#storage; }
    get props() { return {}; }
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

    acceptWebSocket() {
        throw new Error("Hibernatable WebSockets are not available on this server yet: use accept() instead of state.acceptWebSocket().");
    }

    getWebSockets() { return []; }
    getTags() { throw new TypeError("only hibernatable websockets can have tags."); }
    setWebSocketAutoResponse() {}
    getWebSocketAutoResponse() { return null; }
    getWebSocketAutoResponseTimestamp() { return null; }
}
Object.defineProperty(DurableObjectState.prototype, Symbol.toStringTag, { value: "DurableObjectState", configurable: true });

let exportsOf = () => ({});
export function setObjectExports(fn) {
    exportsOf = fn;
}
