/*
 * The life of an event: from the hook that C calls to io.eventEnd().
 *
 *     begin → handler → answer (io.respond) → body sent → waitUntil settled → end
 *
 * The plain path (a handler that returns a Response with a string) makes no promise and one crossing.
 */
import * as context from "./context.js";
import { Invocation, WAIT_UNTIL_MS } from "./context.js";
import { DOMException, HUNG, illegal } from "./errors.js";
import { NULL, TEXT, BYTES, CHANNEL, bodyKind, bodySource, bodyTake } from "./body.js";
import { channelStream, pipeChannel, untouched } from "./body_source.js";
import { sendStream } from "./send.js";
import * as responses from "./response.js";
import { incomingRequest, requestSignal } from "./request.js";
import { openProps } from "./rpc/serve.js";
import { abortSignal } from "./abort.js";
import { makeReader, streamCancel } from "./streams/readable.js";
import { ENCODE_MANUAL, HAS_BODY, PASS_THROUGH, THREW, RETRYABLE, OVERLOADED, OBJECT_RESET, WEBSOCKET, COMPRESS, limitSubrequests } from "./fetch.js";
import { releaseSocket, coupleSocket, handOnSocket } from "./websocket.js";
import { codingOf, encoded } from "./codings.js";
import { flags } from "./compat.js";
import { utf8 } from "./encoding.js";
import { toWire } from "./headers.js";
import { wrapReadable, readableOf } from "./streams/classes.js";
import { startTimer, stopTimer } from "./timers.js";
import { frame } from "./workers.js";

const io = native.io;
const EIO = -5;
const HUNG_CHECK_MS = 100;
const THROWN_MAX = 4096; // characters of a thrown error's text that another Worker sees
const TRACE = 16, VARIABLES = 32768, PACKED = 2097152; // MSG_TRACE, MSG_VARIABLES of product/messages.h

const byChannel = new Map(); // events with something left to do, for hooks.abort

/* --- the context object that handlers get --- */

export class ExecutionContext {
    #invocation;
    #props;

    /* props: those of a loopback call; else those of the event. */
    constructor(invocation, props = undefined) {
        if (!(invocation instanceof Invocation)) throw new TypeError("Illegal constructor");
        this.#invocation = invocation;
        this.#props = props;
    }

    waitUntil(promise) {
        if (!(#invocation in this)) throw illegal();
        if (arguments.length === 0)
            throw new TypeError("Failed to execute 'waitUntil' on 'ExecutionContext': parameter 1 is not of type 'Promise'.");
        this.#invocation.waitUntil(promise);
    }

    passThroughOnException() {
        if (!(#invocation in this)) throw illegal();
        this.#invocation.passThrough = true;
    }

    abort(reason = undefined) {
        throw reason ?? new Error("Worker execution was aborted due to call to ctx.abort().");
    }

    /* Who the caller is, for Workers behind Access; nobody has said. */
    get access() { return undefined; }

    get props() {
        if (this.#props !== undefined) return this.#props;
        const { props = "" } = this.#invocation;
        if (typeof props === "string") this.#invocation.props = props === "" ? {} : JSON.parse(props);
        return this.#invocation.props;
    }

    get exports() {
        return exportsOf === null ? {} : exportsOf();
    }
}

Object.defineProperty(ExecutionContext.prototype, Symbol.toStringTag, { value: "ExecutionContext", configurable: true });

let exportsOf = null;
export function setExports(fn) {
    exportsOf = fn;
}

/* --- answering --- */

function failText(passThrough) {
    return passThrough ? null : "error code: 1101";
}

/* Called by another Worker: what is thrown here is thrown there. */
function isNested(invocation) {
    return invocation.requestId.includes(".");
}

function thrownText(error) {
    let text = "Error: internal error";
    try {
        text = error instanceof Error ? `${error.name}: ${error.message}` : `Error: ${error}`;
    } catch {
        // A getter or toString() of the Worker's own threw.
    }
    return toWire(text.slice(0, THROWN_MAX).toWellFormed());
}

/* What an error says about itself, for callers in other Workers. */
function errorFlags(error) {
    let flags = THREW;
    try {
        if (error.retryable === true) flags |= RETRYABLE;
        if (error.overloaded === true) flags |= OVERLOADED;
        if (error.durableObjectReset === true) flags |= OBJECT_RESET;
    } catch {
        // null, or a Proxy of the Worker's own.
    }
    return flags;
}

/* True when a Durable Object's answer has to wait for its writes; it is then given by again(). */
function held(invocation, again) {
    if (invocation.gate === null || !invocation.gate.unconfirmed()) return false;
    invocation.gate.hold(() => {
        context.enter(invocation);
        again();
    });
    return true;
}

/* The handler threw, rejected, or gave something that is no response. */
function fail(invocation, error) {
    if (invocation.answered || held(invocation, () => failEvent(invocation, error))) return;
    failEvent(invocation, error);
}

/* Whatever else was going on with it. */
export function failEvent(invocation, error) {
    if (invocation.answered) return;
    invocation.answered = true;
    invocation.outcome = "exception";
    invocation.exception(error);
    invocation.status = 500;
    if (invocation.kind === "fetch" && isNested(invocation) && !invocation.passThrough)
        io.respond(invocation.channel, 500, errorFlags(error), 0, thrownText(error), "", null);
    else if (invocation.kind === "fetch")
        io.respond(invocation.channel, 500, invocation.passThrough ? PASS_THROUGH : 0, -1, "",
            "content-type: text/plain; charset=UTF-8\r\n", failText(invocation.passThrough));
    invocation.session?.abort(error);
    sent(invocation);
}

/* Everything of the response has left; what runs under waitUntil() has a limit from here. */
function sent(invocation) {
    if (invocation.sent) return;
    invocation.sent = true;
    if (invocation.waits === 0) {
        finish(invocation);
        return;
    }
    invocation.cap = startTimer(() => {
        if (invocation.ended) return;
        invocation.log("warn", ["waitUntil() tasks did not complete within the allowed time after invocation end and have been cancelled. See: https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil"], 0);
        finish(invocation);
    }, WAIT_UNTIL_MS);
}

function finish(invocation) {
    if (invocation.ended) return;
    if (byChannel.get(invocation.channel) === invocation) byChannel.delete(invocation.channel);
    invocation.end();
}

Invocation.prototype.settle = function settle() {
    if (this.sent && this.waits === 0 && !this.ended) {
        if (this.cap !== null) stopTimer(this.cap);
        finish(this);
    }
};

function respond(invocation, response) {
    if (invocation.answered || held(invocation, () => respondNow(invocation, response))) return;
    respondNow(invocation, response);
}

function respondNow(invocation, response) {
    if (invocation.answered) return;
    if (!responses.isResponse(response)) {
        fail(invocation, new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'."));
        return;
    }
    if (responses.responseIsError(response)) {
        fail(invocation, new TypeError("Return value from serve handler must not be an error response (like Response.error())."));
        return;
    }
    const kind = bodyKind(response), socket = responses.responseSocket(response);
    try {
        bodyTake(response);
        if (socket !== null) respondSocket(invocation, response, socket);
        else if (kind === NULL || kind === TEXT || kind === BYTES) respondWhole(invocation, response, kind);
        else respondStream(invocation, response, kind);
    } catch (error) {
        fail(invocation, error);
    }
}

/* From here the event lasts as long as the connection. */
function respondSocket(invocation, response, socket) {
    if (!invocation.upgrade)
        throw new TypeError('Worker tried to return a WebSocket in a response to a request which did not contain the header "Upgrade: websocket".');
    releaseSocket(socket);
    invocation.answered = true;
    invocation.status = 101;
    const going = handOnSocket(socket);
    io.respond(invocation.channel, 101, WEBSOCKET | (flags.web_socket_compression ? COMPRESS : 0) | (going?.flags ?? 0), -1, "",
        responses.responseBlock(response), true, going?.number ?? 0);
    if (going !== null) {
        going.done();
        sent(invocation);
        return;
    }
    invocation.socket = coupleSocket(socket, invocation.channel, invocation, () => sent(invocation));
}

function respondWhole(invocation, response, kind) {
    const status = responses.responseStatus(response);
    let body = kind === NULL ? null : bodySource(response);
    let flags = 0;
    if (body !== null) {
        const coding = codingOf(responses.responseHeader(response, "content-encoding"));
        if (coding !== null) {
            flags = ENCODE_MANUAL;
            if (!responses.responseManual(response))
                body = encoded(coding, typeof body === "string" ? utf8(body) : body);
        }
    }
    invocation.answered = true;
    invocation.status = status;
    io.respond(invocation.channel, status, flags, -1, responses.responseStatusText(response), responses.responseBlock(response), body);
    sent(invocation);
}

/* The bytes of a response whose body comes later: {channel} for a pump in C, {stream} for one in script. */
export function responseStreamSource(response, kind, coding) {
    const source = bodySource(response);
    const channel = kind === CHANNEL ? source : untouched(source) ? source.channel : null;
    const manual = responses.responseManual(response);
    if (channel !== null && (channel.encoding === null ? coding === null || manual : channel.encoding === coding)) {
        if (kind !== CHANNEL) source.disturbed = true;
        return { channel, stream: null, length: channel.length, coded: coding !== null };
    }
    const stream = kind === CHANNEL ? channelStream(source) : source;
    if (coding === null || manual) return { channel: null, stream, length: stream.length, coded: coding !== null };
    return { channel: null, stream: compressed(stream, coding), length: -1, coded: true };
}

function compressed(stream, coding) {
    return readableOf(wrapReadable(stream).pipeThrough(makeCompression(coding)));
}

let makeCompression = null;
export function setCompression(fn) {
    makeCompression = fn;
}

function respondStream(invocation, response, kind) {
    const status = responses.responseStatus(response);
    const coding = codingOf(responses.responseHeader(response, "content-encoding"));
    const source = responseStreamSource(response, kind, coding);
    const flags = HAS_BODY | (source.coded ? ENCODE_MANUAL : 0);
    if (source.channel !== null) context.checkOwner(source.channel.owner);
    const reader = source.channel === null ? makeReader(source.stream, false) : null;
    invocation.answered = true;
    invocation.status = status;
    io.respond(invocation.channel, status, flags, source.length, responses.responseStatusText(response),
        responses.responseBlock(response), true);
    if (source.channel !== null) {
        pipeChannel(source.channel, invocation.channel, (errno) => {
            if (errno) invocation.outcome = errno === -32 ? "canceled" : invocation.outcome;
            sent(invocation);
        });
        return;
    }
    invocation.reader = reader;
    sendStream(source.stream, invocation.channel, reader).then(() => sent(invocation), (error) => {
        if (!invocation.gone) {
            invocation.outcome = "exception";
            invocation.exception(error);
        }
        sent(invocation);
    });
}

/* --- fetch --- */

async function settled(invocation, promise) {
    let response;
    try {
        response = await promise;
    } catch (error) {
        fail(invocation, error);
        return;
    }
    respond(invocation, response);
}

/* call(request, invocation) runs the handler. */
export function fetchEvent(call, { channel, method, url, headers, cf, requestId, hasBody, flags, props, subrequests }) {
    const invocation = new Invocation("fetch", channel, requestId);
    limitSubrequests(invocation, subrequests);
    if ((flags & PACKED) !== 0) invocation.props = openProps(props);
    else if ((flags & VARIABLES) === 0) invocation.props = props;
    else invocation.variables = JSON.parse(props);
    invocation.traced = (flags & TRACE) !== 0;
    if ((flags & WEBSOCKET) !== 0) {
        invocation.upgrade = true;
        headers += "upgrade: websocket\r\n";
    }
    byChannel.set(channel, invocation);
    context.enter(invocation);
    let result;
    try {
        const request = incomingRequest(channel, method, url, headers, cf, hasBody);
        invocation.request = request;
        result = call(request, invocation);
    } catch (error) {
        fail(invocation, error);
        return;
    }
    if (responses.isResponse(result)) {
        respond(invocation, result);
    } else {
        settled(invocation, result);
        context.watch(invocation);
    }
}

/* --- RPC --- */

/* One session; begin(invocation, done) starts it and calls done() when it is over. */
export function sessionEvent(channel, requestId, flags, detail, begin) {
    const invocation = new Invocation("jsrpc", channel, requestId);
    invocation.traced = (flags & TRACE) !== 0;
    invocation.detail = detail;
    byChannel.set(channel, invocation);
    context.enter(invocation);
    begin(invocation, () => {
        invocation.answered = true;
        sent(invocation);
    });
    context.watch(invocation);
}

/* --- messages of sockets that outlive the object's stay in memory --- */

/* One of many events that share a channel. */
class PartInvocation extends Invocation {
    #done = null;

    /* start() begins it and returns its result, or a promise of it; done() comes once, after that. */
    follow(start, done) {
        this.#done = done;
        context.enter(this);
        frame.cur = null;
        let result;
        try {
            result = start();
        } catch (error) {
            this.giveUp(error);
            return;
        }
        settledPlain(this, result);
    }

    giveUp(error) {
        fail(this, error);
    }

    end() {
        const done = this.#done;
        this.#done = null;
        if (done !== null) {
            context.enter(this);
            done();
        }
        super.end();
    }

    report() {
        if (this.logs !== null || this.exceptions !== null || this.traced) io.eventPart(this.channel, context.hooks.trace(this));
    }
}

export function partEvent(channel, requestId, detail) {
    const invocation = new PartInvocation("hibernatableWebSocket", channel, requestId);
    invocation.detail = detail;
    return invocation;
}

/* --- scheduled --- */

export class ScheduledController {
    #time;
    #cron;

    constructor(scheduledTime, cron) {
        this.#time = scheduledTime;
        this.#cron = cron;
    }

    get scheduledTime() { return this.#time; }
    get cron() { return this.#cron; }
    get type() { return "scheduled"; }
    noRetry() {}
}

async function settledPlain(invocation, promise) {
    try {
        await promise;
    } catch (error) {
        fail(invocation, error);
        return;
    }
    if (invocation.answered) return;
    invocation.answered = true;
    sent(invocation);
}

/* An event without an answer: its outcome is that of the handler and of what it left under waitUntil(). */
export function plainEvent(kind, channel, requestId, detail, run) {
    const invocation = new Invocation(kind, channel, requestId);
    invocation.detail = detail;
    byChannel.set(channel, invocation);
    context.enter(invocation);
    let result;
    try {
        result = run(invocation);
    } catch (error) {
        fail(invocation, error);
        return;
    }
    settledPlain(invocation, result);
    context.watch(invocation);
}

export function scheduledEvent(call, channel, scheduledMs, cron, requestId) {
    plainEvent("scheduled", channel, requestId, { cron, scheduledTime: scheduledMs },
        (invocation) => call(new ScheduledController(scheduledMs, cron), invocation));
}

/* --- the client went away --- */

/* False: there is no such event. */
export function abortEvent(channel) {
    const invocation = byChannel.get(channel);
    if (invocation === undefined) return false;
    context.enter(invocation);
    if (invocation.session !== null) {
        if (invocation.session.open) invocation.outcome = "canceled";
        invocation.session.lost(new Error("Network connection lost."));
        return true;
    }
    if (invocation.socket !== null) {
        invocation.outcome = "canceled";
        invocation.socket.vanished();
        return true;
    }
    invocation.gone = true;
    invocation.outcome = "canceled";
    invocation.answered = true;
    const signal = invocation.request === null ? null : requestSignal(invocation.request);
    if (signal !== null) abortSignal(signal, new DOMException("The client has disconnected", "AbortError"));
    if (invocation.reader?.stream) streamCancel(invocation.reader.stream, new Error("Network connection lost.")).catch(() => {});
    sent(invocation);
    return true;
}

/* The isolate ends (CPU, memory): what the event has logged is reported, its code does not run again. */
export function condemnEvent(channel, outcome) {
    const invocation = byChannel.get(channel);
    if (invocation === undefined) return;
    context.enter(invocation);
    const text = { exceededCpu: "Worker exceeded CPU time limit.", exceededMemory: "Worker exceeded memory limit." }[outcome] ?? outcome;
    /* Without an answer of ours the client gets the platform's page for this outcome. */
    invocation.answered = true;
    invocation.outcome = outcome;
    invocation.exception(new Error(text));
    finish(invocation);
}

/* --- hung requests --- */

let hungTimer = null;

/* An event that waits for nothing: looked at again once the microtasks of this entry have run. */
context.setWatcher(() => {
    if (hungTimer === null) hungTimer = startTimer(checkHung, HUNG_CHECK_MS);
});

function checkHung() {
    hungTimer = null;
    // What one event waits for may be done by another: a promise kept in a global variable.
    for (const invocation of context.open) if (invocation.pending > 0) return rearm();
    for (const invocation of [...context.open]) {
        if (invocation.sent || invocation.pending > 0 || invocation.gate !== null) continue;
        context.enter(invocation);
        if (invocation.calls.length > 0) {
            invocation.calls.at(-1)(new Error(HUNG)); // the innermost one is what waits for nothing
            context.watch(invocation);
        } else if (invocation.answered) stuck(invocation);
        else fail(invocation, new Error(HUNG));
    }
}

/* The stream of a response that nothing can feed any more. */
function stuck(invocation) {
    invocation.outcome = "exception";
    invocation.exception(new Error(HUNG));
    invocation.gone = true;
    if (invocation.reader?.stream) streamCancel(invocation.reader.stream, new Error(HUNG)).catch(() => {});
    io.fail(invocation.channel, EIO);
    sent(invocation);
}

function rearm() {
    for (const invocation of context.open) {
        if (!invocation.sent && invocation.pending === 0 && invocation.gate === null) {
            hungTimer = startTimer(checkHung, HUNG_CHECK_MS);
            return;
        }
    }
}

/* --- traces --- */

const SECRET = /^(?:authorization|cookie|set-cookie|.*(?:auth|key|secret|token|jwt).*)$/i;

function headersForTrace(headers) {
    const out = {};
    for (const [name, value] of headers) out[name] = SECRET.test(name) ? "REDACTED" : value;
    return out;
}

function eventForTrace(invocation) {
    if (invocation.kind !== "fetch") return invocation.detail;
    const request = invocation.request;
    if (request === null) return null;
    const event = { request: { url: request.url, method: request.method, headers: headersForTrace(request.headers), cf: request.cf ?? {} } };
    if (invocation.status !== 0) event.response = { status: invocation.status };
    return event;
}

/* Control adds what only it knows: script and version. */
context.hooks.trace = (invocation) => JSON.stringify({
    wallTime: Math.max(0, invocation.now() - invocation.start),
    cpuTime: io.cpuTime(invocation.channel),
    truncated: false,
    executionModel: invocation.gate === null ? "stateless" : "durableObject",
    outcome: invocation.outcome,
    diagnosticsChannelEvents: [],
    exceptions: invocation.exceptions ?? [],
    logs: invocation.logs ?? [],
    eventTimestamp: invocation.start,
    event: eventForTrace(invocation),
});


