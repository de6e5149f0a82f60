/*
 * HTMLRewriter. C reads the page, matches selectors and writes what is not asked for (src/web/html_rewriter.h); script is
 * entered once for each token that a handler wants.
 *
 * Changes are collected here and written when the token's handlers are through: content may be a stream, and a
 * handler may take its time. Handlers are called in the async context that transform() was called in.
 */
import { flags } from "./compat.js";
import { encodingName, viewOf } from "./encoding.js";
import { isError } from "./errors.js";
import { ACTIVE, COMMENT, ELEMENT, EMITS, END_TAG, FLAGS, INPUT, MAKE, N, NOTHING, OUT, TOKENS, Unit, parserError } from "./html_tokens.js";
import { Response, isResponse, responseContentType, responseIsError } from "./response.js";
import { makeByteStream } from "./streams/bytes.js";
import { readableOf, wrapReadable } from "./streams/classes.js";
import { ReaderState, readerNext, readerRelease, streamCancel } from "./streams/readable.js";
import { frame } from "./workers.js";

const html = native.html;

const WANTS = { element: 1, comments: 2, text: 4, doctype: 8, end: 16 };
const EVENT_HANDLERS = ["", "element", "", "text", "comments", "doctype", "end"];
const ENOMEM = -12, EINVAL = -22;
const OUT_BYTES_MAX = 64 * 1024; // output that waits before a reader is waited for

const isThenable = (value) => (typeof value === "object" || typeof value === "function") && value !== null && typeof value.then === "function";

class Work {
    constructor(handle, elements, documents) {
        this.handle = handle;
        this.elements = elements;
        this.documents = documents;
        this.scratch = new Uint32Array(ACTIVE + elements.length);
        this.frame = frame.cur;
        this.ends = new Map(); // id → End
        this.nextId = 1;
        this.pulled = null; // ends the reader's pull()
        this.wake = null; // somebody wants output
        this.cancelled = null;
        this.input = null;
        this.output = makeByteStream({
            pull: () => new Promise((resolve) => {
                this.pulled = resolve;
                this.wake?.();
            }),
            cancel: (reason) => this.cancel(reason),
        });
    }

    async run(reader) {
        this.input = reader;
        try {
            for (;;) {
                const { value, done } = await readerNext(reader);
                if (this.cancelled !== null) throw this.cancelled;
                if (done) break;
                const bytes = viewOf(value);
                if (bytes === null) throw new TypeError("This ReadableStream did not return bytes.");
                await this.feed(bytes, false);
            }
            await this.feed(undefined, true);
            this.output.controller.close();
        } catch (reason) {
            const error = isError(reason) ? reason : new Error(String(reason)); // as it leaves upstream's parser
            if (this.cancelled === null) this.output.controller.error(error);
            if (reader.stream !== null) streamCancel(reader.stream, error).catch(() => {});
        } finally {
            this.pulled?.();
            readerRelease(reader);
        }
    }

    /* A stream of script learns of it when its next chunk comes, as upstream; a channel at once. */
    async cancel(reason) {
        this.cancelled = reason ?? new TypeError("The body was cancelled.");
        this.wake?.();
        const stream = this.input?.stream ?? null;
        if (stream !== null && stream.channel !== undefined && stream.channel !== null) await streamCancel(stream, reason);
    }

    async feed(bytes, last) {
        this.check(html.write(this.handle, bytes, last));
        for (;;) {
            const wait = this.step();
            if (wait === undefined) return;
            await wait;
        }
    }

    check(r) {
        if (r === ENOMEM) throw parserError("The memory limit has been exceeded.");
        if (r === EINVAL) throw parserError(html.problem(this.handle));
        return r;
    }

    /* To the end of the input, or to something that takes time: its promise. */
    step() {
        for (;;) {
            const event = this.check(html.run(this.handle, this.scratch));
            const waits = this.scratch[OUT];
            if (event === INPUT) return waits > 0 ? this.flush() : undefined;
            const wait = this.event(event);
            if (wait !== undefined) return wait;
            if (waits > OUT_BYTES_MAX) return this.flush();
        }
    }

    /* Gives the output away when somebody wants it. */
    async flush() {
        if (this.pulled === null) await new Promise((resolve) => { this.wake = resolve; });
        this.wake = null;
        if (this.cancelled !== null) throw this.cancelled;
        const out = html.take(this.handle);
        if (out === undefined) return;
        const { pulled } = this;
        this.pulled = null;
        this.output.controller.enqueueOwned(new Uint8Array(out));
        pulled();
    }

    event(kind) {
        const unit = new Unit(this, kind);
        const calls = kind === END_TAG ? this.endCalls(unit) : this.calls(kind);
        for (let i = 0; i < calls.length; i++) {
            const wait = this.call(calls[i], unit);
            if (wait !== undefined) return this.later(unit, calls, i, wait);
        }
        return this.finish(unit);
    }

    /* Handlers of selectors come before those of the document, each in the order of their registration. */
    calls(kind) {
        const { scratch } = this, name = EVENT_HANDLERS[kind], calls = [];
        const n = kind <= COMMENT ? scratch[N] : 0;
        for (let i = 0; i < n; i++) calls.push(this.elements[scratch[ACTIVE + i]][name]);
        if (kind !== ELEMENT) for (const handlers of this.documents) if (handlers[name] !== null) calls.push(handlers[name]);
        return calls;
    }

    /* Elements without an end tag of their own come first. */
    endCalls(unit) {
        const calls = [];
        for (let id = html.nextEnd(this.handle); id !== 0; id = html.nextEnd(this.handle)) {
            const record = this.ends.get(id);
            this.ends.delete(id);
            calls.push({ fn: record.handler, self: undefined, record });
        }
        return calls;
    }

    applyEnd(unit, record) {
        if (record.name !== null) html.setName(this.handle, record.name);
        if (!record.mutated) return;
        unit.touched = true;
        unit.before = record.before;
        unit.after = record.after;
        unit.removed = record.removed;
    }

    /* undefined, or a promise of the handler's end. */
    call({ fn, self, record }, unit) {
        if (record !== undefined) this.applyEnd(unit, record);
        if (fn === null) return undefined;
        const [Token, over] = TOKENS[unit.kind];
        const token = new Token(MAKE, unit);
        const saved = frame.cur;
        let result, wait;
        frame.cur = this.frame;
        try {
            result = fn.call(self, token);
            wait = isThenable(result) ? Promise.resolve(result) : undefined;
        } finally {
            frame.cur = saved;
            if (wait === undefined) over(token);
        }
        return wait?.finally(() => over(token));
    }

    async later(unit, calls, i, wait) {
        await wait;
        for (i++; i < calls.length; i++) await this.call(calls[i], unit);
        await this.finish(unit);
    }

    finish(unit) {
        const { handle } = this;
        if (unit.removeContent || unit.end !== null) {
            const id = unit.end === null ? 0 : this.nextId++;
            if (id !== 0) this.ends.set(id, unit.end);
            html.settle(handle, unit.removeContent, id);
        }
        if (!unit.touched || (unit.flags & EMITS) === 0) return undefined;
        return this.write([...unit.before, null, ...(unit.removed ? unit.replacement : NOTHING), ...unit.after], 0, unit);
    }

    /* null stands for the token itself. */
    write(chunks, i, unit) {
        const { handle } = this;
        for (; i < chunks.length; i++) {
            const chunk = chunks[i];
            if (chunk === null) html.emit(handle, unit.removed);
            else if (chunk.stream === undefined) html.put(handle, chunk.text, chunk.html);
            else return this.pump(chunk).then(() => this.write(chunks, i + 1, unit));
        }
        return undefined;
    }

    async pump({ stream, html: asHtml }) {
        const reader = new ReaderState(stream, false);
        try {
            for (;;) {
                const { value, done } = await readerNext(reader);
                if (done) return;
                const bytes = viewOf(value);
                if (bytes === null) throw new TypeError("This ReadableStream did not return bytes.");
                if (html.putBytes(this.handle, bytes, asHtml) < 0) throw parserError("Invalid UTF-8");
            }
        } finally {
            readerRelease(reader);
        }
    }
}

/* --- the class --- */

function collect(handlers, names, type) {
    if (handlers === null) handlers = {};
    if (typeof handlers !== "object" && typeof handlers !== "function")
        throw new TypeError(`Failed to execute '${type === "ElementContentHandlers" ? "on" : "onDocument"}' on 'HTMLRewriter': parameter ${
            type === "ElementContentHandlers" ? 2 : 1} is not of type '${type}'.`);
    const found = { wants: 0 };
    for (const name of names) {
        const fn = handlers[name];
        if (fn !== undefined && typeof fn !== "function")
            throw new TypeError(`Incorrect type for the '${name}' field on '${type}': the provided value is not of type 'function'.`);
        found[name] = fn === undefined ? null : { fn, self: handlers, record: undefined };
        if (fn !== undefined) found.wants |= WANTS[name];
    }
    return found;
}

function charsetOf(type) {
    const found = /;\s*charset\s*=\s*(?:"([^"]*)"|([^;\s]*))/i.exec(type ?? "");
    return found?.[1] || found?.[2] || "utf-8";
}

export class HTMLRewriter {
    #elements = [];
    #documents = [];

    on(selector, handlers) {
        const text = `${selector}`;
        const found = collect(handlers, ["element", "comments", "text"], "ElementContentHandlers");
        const problem = html.check(text);
        if (problem !== undefined) throw parserError(problem);
        found.selector = text;
        this.#elements.push(found);
        return this;
    }

    onDocument(handlers) {
        this.#documents.push(collect(handlers, ["doctype", "comments", "text", "end"], "DocumentContentHandlers"));
        return this;
    }

    transform(response) {
        if (!isResponse(response))
            throw new TypeError("Failed to execute 'transform' on 'HTMLRewriter': parameter 1 is not of type 'Response'.");
        if (responseIsError(response)) throw new TypeError("HTMLRewriter cannot transform an error response");
        const { body } = response;
        if (body === null) return response;
        if (response.bodyUsed) throw new TypeError("The ReadableStream has been locked to a reader.");
        const elements = [...this.#elements], documents = [...this.#documents];
        const handle = open(responseContentType(response), elements, documents);
        const input = new ReaderState(readableOf(body), false);
        const work = new Work(handle, elements, documents);
        const result = new Response(wrapReadable(work.output), response);
        work.run(input);
        return result;
    }
}

function open(type, elements, documents) {
    const encoding = encodingName(charsetOf(type));
    const wants = Uint32Array.from(elements, (handlers) => handlers.wants);
    const document = documents.reduce((all, handlers) => all | handlers.wants, 0);
    const handle = html.open(encoding ?? "", wants, document, flags.html_rewriter_treats_esi_include_as_void_tag === true,
        ...elements.map((handlers) => handlers.selector));
    if (typeof handle === "string") throw parserError(handle);
    return handle;
}
