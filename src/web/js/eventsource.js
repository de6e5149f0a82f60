/*
 * EventSource, the client of server-sent events. https://html.spec.whatwg.org/#server-sent-events
 *
 *     CONNECTING --answer--> OPEN --the server ends--> CONNECTING (after a pause) ...
 *         +-- wrong answer --> CLOSED     +-- close(), an error --> CLOSED
 */
import * as context from "./context.js";
import { DOMException } from "./errors.js";
import { Event, EventTarget, MessageEvent, ErrorEvent, defineHandler, dispatchTo, trustEvent } from "./events.js";
import { AbortController } from "./abort.js";
import { TextDecoder } from "./encoding.js";
import { isReadableStream } from "./streams/classes.js";
import { startTimer, stopTimer } from "./timers.js";
import { URL } from "./url.js";
import { fetch } from "./fetch.js";

const CONNECTING = 0, OPEN = 1, CLOSED = 2;
const RETRY_MS = 2000, RETRY_MIN_MS = 1000, RETRY_MAX_MS = 10_000;
const LINE_MAX = 16 * 1024 * 1024; // characters of one event
const FROM = Symbol("from");

class OpenEvent extends Event {}

/* Lines to events: give(type, data, id), retry(ms). */
class Parser {
    #text = new TextDecoder();
    #rest = "";
    #skipLf = false; // the last piece ended in CR
    #data = "";
    #type = "";

    constructor(lastId, give, retry) {
        this.lastId = lastId;
        this.give = give;
        this.retry = retry;
    }

    push(bytes) {
        let text = this.#rest + this.#text.decode(bytes, { stream: true });
        if (this.#skipLf && text.length > 0) {
            if (text[0] === "\n") text = text.slice(1);
            this.#skipLf = false;
        }
        let from = 0;
        for (const end of text.matchAll(/\r\n|\n|\r/g)) {
            this.#line(text.slice(from, end.index));
            from = end.index + end[0].length;
            this.#skipLf = end[0] === "\r" && from === text.length;
        }
        this.#rest = text.slice(from);
        if (this.#rest.length + this.#data.length > LINE_MAX) throw new Error("The event is too large.");
    }

    #line(line) {
        if (line === "") {
            this.#end();
            return;
        }
        const colon = line.indexOf(":");
        if (colon === 0) return;
        const name = colon < 0 ? line : line.slice(0, colon);
        let value = colon < 0 ? "" : line.slice(colon + 1);
        if (value.startsWith(" ")) value = value.slice(1);
        switch (name) {
        case "data":
            this.#data += `${value}\n`;
            break;
        case "event":
            this.#type = value;
            break;
        case "id":
            if (!value.includes("\0")) this.lastId = value;
            break;
        case "retry":
            if (/^[0-9]+$/.test(value)) this.retry(Number(value));
            break;
        }
    }

    #end() {
        const type = this.#type, data = this.#data.slice(0, -1);
        this.#type = this.#data = "";
        if (data !== "") this.give(type === "" ? "message" : type, data, this.lastId);
    }
}

export class EventSource extends EventTarget {
    #state = CONNECTING;
    #url = "";
    #origin = null;
    #fetch = fetch;
    #controller = null; // of the connection
    #reader = null;
    #timer = null;
    #retryMs = RETRY_MS;
    #lastId = "";
    #owner;

    constructor(url, init = undefined) {
        super();
        if (context.current === null)
            throw new DOMException("An EventSource can only be created within the context of a worker request.", "NotSupportedError");
        this.#owner = context.current;
        if (url === FROM) {
            this.#state = OPEN;
            this.#read(init);
            return;
        }
        if (url === undefined) throw new TypeError("Failed to construct 'EventSource': constructor parameter 1 is not of type 'string'.");
        const parsed = URL.parse(`${url}`);
        if (parsed === null) throw new DOMException(`Cannot open an EventSource to '${url}'. The URL is invalid.`, "SyntaxError");
        if (init?.withCredentials)
            throw new DOMException("The init.withCredentials option is not supported. It must be false or undefined.", "NotSupportedError");
        const { fetcher } = init ?? {};
        if (fetcher !== undefined && fetcher !== null) this.#fetch = (input, options) => fetcher.fetch(input, options);
        this.#url = parsed.href;
        this.#origin = parsed.origin;
        this.#connect();
    }

    static from(stream) {
        if (!isReadableStream(stream))
            throw new TypeError("Failed to execute 'from' on 'EventSource': parameter 1 is not of type 'JsReadableStream'.");
        return new EventSource(FROM, stream);
    }

    get readyState() { return this.#state; }
    get url() { return this.#url; }
    get withCredentials() { return false; }

    close() {
        if (this.#state === CLOSED) return;
        this.#state = CLOSED;
        if (this.#timer !== null) stopTimer(this.#timer);
        this.#controller?.abort();
        this.#reader?.cancel().catch(() => {});
    }

    /* The first error is the last event. */
    #fail(error) {
        if (this.#state === CLOSED) return;
        this.close();
        this.#dispatch(new ErrorEvent("error", { error }));
    }

    async #connect() {
        const headers = { accept: "text/event-stream", "cache-control": "no-cache" };
        if (this.#lastId !== "") headers["last-event-id"] = this.#lastId;
        this.#controller = new AbortController();
        try {
            const response = await this.#fetch(this.#url, { headers, signal: this.#controller.signal });
            if (this.#state === CLOSED) return;
            const wrong = refusal(response);
            if (wrong !== null) {
                response.body?.cancel().catch(() => {});
                this.#fail(new DOMException(wrong, "AbortError"));
                return;
            }
            this.#state = OPEN;
            this.#origin = new URL(response.url === "" ? this.#url : response.url).origin;
            this.#dispatch(new OpenEvent("open"));
            if (this.#state === OPEN) await this.#read(response.body);
        } catch (error) {
            this.#fail(error);
        }
    }

    async #read(stream) {
        const parser = new Parser(this.#lastId, (type, data, lastEventId) => {
            if (this.#state === OPEN) this.#dispatch(new MessageEvent(type, { data, lastEventId, origin: this.#origin }));
        }, (ms) => {
            this.#retryMs = Math.min(Math.max(ms, RETRY_MIN_MS), RETRY_MAX_MS);
        });
        try {
            this.#reader = stream === null ? null : stream.getReader();
            while (this.#reader !== null && this.#state === OPEN) {
                const { value, done } = await this.#reader.read();
                if (done) break;
                parser.push(value);
                this.#lastId = parser.lastId;
            }
            this.#ended();
        } catch (error) {
            this.#fail(error);
        }
    }

    #ended() {
        if (this.#state === CLOSED) return;
        this.#state = this.#url === "" ? CLOSED : CONNECTING; // a stream of the Worker's is nothing to go back to
        this.#dispatch(new ErrorEvent("error", { error: new Error("The server disconnected.") }));
        if (this.#state === CONNECTING) this.#timer = startTimer(() => this.#connect(), this.#retryMs, this.#owner);
    }

    #dispatch(event) {
        dispatchTo(this, trustEvent(event), (error) => this.#fail(error));
    }
}

/* Why an answer is no stream of events, or null. */
function refusal(response) {
    if (!response.ok) return `The response status code was ${response.status}.`;
    const type = response.headers.get("content-type");
    if (type === null) return "No content type header was present in the response.";
    if (!/^\s*text\/event-stream\s*(?:;|$)/i.test(type)) return `The content type '${type}' is invalid.`;
    return response.body === null ? "The server provided no content." : null;
}

for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSED })) {
    Object.defineProperty(EventSource, name, { value, enumerable: true });
    Object.defineProperty(EventSource.prototype, name, { value, enumerable: true });
}
for (const type of ["open", "message", "error"]) defineHandler(EventSource.prototype, type);
