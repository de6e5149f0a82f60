/*
 * Arguments and results on their way: bytes, and the capabilities that the bytes name by their place in a list.
 *
 * A capability is {kind, hook} for a stub, {kind, stream} for a stream's state. Whoever has a payload owns them: it is
 * opened once, or dropped.
 */
import { Headers, headerBlock, headersFromBlock, isHeaders } from "../headers.js";
import { Request, isRequest, requestBlock, requestCf } from "../request.js";
import { Response, isResponse, responseBlock } from "../response.js";
import { BYTES, NULL, TEXT, bodyKind, bodySource, bodyTake } from "../body.js";
import { Fetcher } from "../fetch.js";
import { deserialize, serialize } from "../serialize.js";
import { isReadableStream, isWritableStream, readableOf, wrapReadable, wrapWritable, writableOf } from "../streams/classes.js";
import { handlerOf, isTarget } from "./target.js";

export const STUB = 0, SERVICE = 1, READABLE = 2, WRITABLE = 3;
const HEADERS = 4, REQUEST = 5, RESPONSE = 6;
const BYTES_MAX = 32 * 1024 * 1024;

function tooBig(n) {
    return new Error(`Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${n} bytes.`);
}

/* Set by stub.js, which builds on this file. */
export const make = { stub: null, service: null, local: null };

export class Payload {
    constructor(bytes, caps) {
        this.bytes = bytes;
        this.caps = caps;
    }

    drop() {
        for (const cap of this.caps) cap.hook?.dispose();
        this.caps = NONE;
    }
}

const NONE = [];

class Encoder {
    constructor() {
        this.caps = NONE;
        this.classes = true;
        this.stack = false;
        this.max = BYTES_MAX;
        this.tooBig = tooBig;
        this.external = (value, writer) => this.write(value, writer);
        this.restart = () => {
            new Payload(null, this.caps).drop();
            this.caps = NONE;
        };
    }

    add(writer, kind, cap) {
        if (this.caps === NONE) this.caps = [];
        writer.byte(kind);
        writer.varint(this.caps.length);
        this.caps.push(cap);
        return true;
    }

    write(value, writer) {
        const handler = handlerOf(value);
        if (handler !== undefined) {
            const kind = value instanceof Fetcher ? SERVICE : STUB;
            return this.add(writer, kind, { kind, hook: handler.hookToSend(), stream: null });
        }
        if (typeof value === "function") return this.local(writer, value);
        if (isTarget(value)) return this.local(writer, this.duplicate(value));
        if (isReadableStream(value)) return this.stream(writer, READABLE, readableOf(value), "reader");
        if (isWritableStream(value)) return this.stream(writer, WRITABLE, writableOf(value), "writer");
        return this.web(value, writer);
    }

    local(writer, value) {
        return this.add(writer, STUB, { kind: STUB, hook: make.local(value), stream: null });
    }

    duplicate(target) {
        if (typeof target.dup !== "function") return target;
        const copy = target.dup();
        if (isTarget(copy)) return copy;
        throw new TypeError("Couldn't create a stub for the RcpTarget because it has a dup() method which did not return another RpcTarget. Either remove the dup() method or make sure it returns an RpcTarget.");
    }

    stream(writer, kind, state, lock) {
        if (state[lock] !== null)
            throw new TypeError(kind === READABLE ? "The ReadableStream has been locked to a reader." : "The WritableStream has been locked to a writer.");
        return this.add(writer, kind, { kind, hook: null, stream: state });
    }

    web(value, writer) {
        if (isHeaders(value)) {
            writer.byte(HEADERS);
            writer.string(headerBlock(value));
        } else if (isRequest(value)) {
            writer.byte(REQUEST);
            for (const text of [value.method, value.url, requestBlock(value), value.redirect, requestCf(value)]) writer.string(text);
            writer.value(bodyOf(value));
        } else if (isResponse(value)) {
            writer.byte(RESPONSE);
            writer.varint(value.status);
            writer.string(value.statusText);
            writer.string(responseBlock(value));
            writer.value(bodyOf(value));
        } else {
            return false;
        }
        return true;
    }
}

function bodyOf(body) {
    const kind = bodyKind(body);
    if (kind === NULL) return null;
    if (body.bodyUsed) throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    if (kind !== TEXT && kind !== BYTES) return body.body;
    bodyTake(body);
    return bodySource(body);
}

/* Throws what cannot be sent; nothing is held then. */
export function encode(value) {
    const encoder = new Encoder();
    try {
        return new Payload(serialize(value, encoder), encoder.caps);
    } catch (error) {
        encoder.restart();
        throw error;
    }
}

/* What was thrown: an object as it is, anything else as an Error that says it. */
export function encodeError(error) {
    try {
        const isObject = (typeof error === "object" && error !== null) || typeof error === "function";
        return encode(isObject ? error : new Error(String(error)));
    } catch {
        let text = "internal error";
        try {
            text = `${error?.message ?? error}`;
        } catch {
            // A getter of the Worker's own threw.
        }
        return encode(new Error(text));
    }
}

class Decoder {
    constructor(caps) {
        this.caps = caps;
        this.stubs = null; // those that were made, to be disposed together
        this.external = (reader) => this.read(reader);
    }

    cap(reader, kind) {
        const cap = this.caps[reader.varint()];
        if (cap === undefined || cap.taken === true) throw new TypeError("no such capability");
        if ((kind <= SERVICE) !== (cap.hook !== null) || (cap.hook === null && cap.kind !== kind)) throw new TypeError("wrong capability");
        cap.taken = true;
        return cap;
    }

    read(reader) {
        const kind = reader.byte();
        switch (kind) {
        case STUB: case SERVICE: {
            const stub = (kind === STUB ? make.stub : make.service)(this.cap(reader, kind).hook);
            (this.stubs ??= []).push(stub);
            return stub;
        }
        case READABLE: return wrapReadable(this.cap(reader, kind).stream);
        case WRITABLE: return wrapWritable(this.cap(reader, kind).stream);
        case HEADERS: return new Headers(headersFromBlock(reader.string(), false));
        case REQUEST: {
            const method = reader.string(), url = reader.string(), headers = headersFromBlock(reader.string(), false);
            const redirect = reader.string(), cf = reader.string(), body = reader.value();
            return new Request(url, { method, headers, redirect, ...(cf === "" ? {} : { cf: JSON.parse(cf) }), ...(body === null ? {} : { body }) });
        }
        case RESPONSE: {
            const status = reader.varint(), statusText = reader.string(), headers = headersFromBlock(reader.string(), false);
            return new Response(reader.value(), { status, statusText, headers });
        }
        default: throw new TypeError("unknown kind");
        }
    }
}

/* {value, stubs}: stubs is null or those inside the value. */
export function open(payload) {
    const { caps } = payload;
    const decoder = new Decoder(caps);
    payload.caps = NONE;
    try {
        return { value: deserialize(payload.bytes, decoder), stubs: decoder.stubs };
    } catch (error) {
        for (const cap of caps) cap.hook?.dispose();
        throw error;
    }
}
