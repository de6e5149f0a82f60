/* The older form of a Worker: a script that calls addEventListener(). */
import { ExtendableEvent, hasListeners, trustEvent } from "./events.js";
import { DOMException, LOG_WARN } from "./errors.js";
import { scope } from "./globals.js";
import { fetch } from "./fetch.js";
import * as context from "./context.js";

const HANDLED = new Set(["fetch", "scheduled", "queue", "email", "tail", "trace"]);
let modules = false;

/* In a module Worker these listeners never run. */
export function setModules(on) {
    modules = on;
}

export function onServiceWorkerListener(type) {
    if (!modules || !HANDLED.has(type)) return;
    const text = `When using module syntax, the '${type}' event handler should be declared as an exported function on the root module as opposed to using the global addEventListener().`;
    if (context.current !== null) context.current.log("warn", [text], text.length);
    else native.io.log(LOG_WARN, text);
}

let access;

export class FetchEvent extends ExtendableEvent {
    #request;
    #response = null;
    #open = true;

    constructor(type, init) {
        super(type, init);
        this.#request = init.request;
    }

    get request() { return this.#request; }

    respondWith(response) {
        if (this.#response !== null)
            throw new DOMException("FetchEvent.respondWith() has already been called; it can only be called once.", "InvalidStateError");
        if (!this.#open)
            throw new DOMException("Too late to call FetchEvent.respondWith(). It must be called synchronously in the event handler.", "InvalidStateError");
        this.#response = Promise.resolve(response);
        this.stopImmediatePropagation();
    }

    passThroughOnException() {
        context.need().passThrough = true;
    }

    static {
        access = {
            close(event) {
                event.#open = false;
                return event.#response;
            },
        };
    }
}

export class ScheduledEvent extends ExtendableEvent {
    #controller;

    constructor(type, init) {
        super(type, init);
        this.#controller = init.controller;
    }

    get scheduledTime() { return this.#controller.scheduledTime; }
    get cron() { return this.#controller.cron; }
    noRetry() {}
}

export class TailEvent extends ExtendableEvent {
    #items;

    constructor(type, init) {
        super(type, init);
        this.#items = init.items;
    }

    get events() { return this.#items; }
    get traces() { return this.#items; }
}

/* What the listeners leave to be done. */
export const serviceWorker = {
    handlers: () => [...HANDLED].filter((type) => hasListeners(scope, type)),
    fetch(request) {
        const event = trustEvent(new FetchEvent("fetch", { request, cancelable: true }));
        scope.dispatchEvent(event);
        return access.close(event) ?? fetch(request);
    },
    scheduled(controller) {
        scope.dispatchEvent(trustEvent(new ScheduledEvent("scheduled", { controller })));
    },
    tail(items) {
        scope.dispatchEvent(trustEvent(new TailEvent("tail", { items })));
    },
};

