/*
 * fetch() and the objects that have one: the world, service bindings, assets.
 *
 * One subrequest is one io.fetch(); redirects are followed here, so that a binding's redirects stay inside
 * the binding.
 */
import * as context from "./context.js";
import { Request, isRequest, requestBlock, requestSignal, requestCf, requestManual, requestHeader } from "./request.js";
import { fetchedResponse, Response } from "./response.js";
import { NULL, TEXT, BYTES, CHANNEL, bodyKind, bodySource, bodyTake, bodyInit, Channel, readAll } from "./body.js";
import { channelStream, pipeChannel, untouched } from "./body_source.js";
import { findInBlock } from "./headers.js";
import { onAborted } from "./abort.js";
import { sendStream } from "./send.js";
import { acceptedCodings, codingOf } from "./codings.js";
import { URL } from "./url.js";
import { fetchedSocket } from "./websocket.js";

const io = native.io;
const WORLD = -1;
const REDIRECTS_MAX = 20;
/* product/messages.h */
export const HAS_BODY = 1, ENCODE_MANUAL = 2, PASS_THROUGH = 4, REDIRECT_MANUAL = 8, THREW = 32, WEBSOCKET = 64, JOINABLE = 4096,
    COMPRESS = 128, RETRYABLE = 256, RPC = 512, OVERLOADED = 1024, OBJECT_RESET = 2048, CACHE_NO_STORE = 65536, CACHE_RENEW = 131072;

export let subrequestsMax = 1000;
export function setSubrequestsMax(n) {
    subrequestsMax = n;
}

function isRedirect(status) {
    return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

const EREMOTEIO = -121;
const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

/* Why there is no response: a sentence of the platform, or what the Worker at the other end threw. */
export function failure(text, errno, flags) {
    const error = thrown(text, errno);
    if ((flags & RETRYABLE) !== 0) error.retryable = true;
    if ((flags & OVERLOADED) !== 0) error.overloaded = true;
    if ((flags & OBJECT_RESET) !== 0) error.durableObjectReset = true;
    return error;
}

function thrown(text, errno) {
    if (errno !== EREMOTEIO) return new Error(text);
    const colon = text.indexOf(": "), name = text.slice(0, colon);
    const error = new (ERRORS[name] ?? Error)(text.slice(colon + 2));
    if (error.name !== name) error.name = name;
    error.remote = true;
    return error;
}

/* An event with a limit of its own begins as if it had used up the rest. n: 0 or undefined for none. */
export function limitSubrequests(invocation, n) {
    if (n > 0) invocation.subrequests = Math.max(0, subrequestsMax - n);
}

export function countSubrequest() {
    if (++context.need().subrequests > subrequestsMax) throw new Error("Too many subrequests.");
}

/* One exchange; resolves with {channel, status, statusText, headers, flags, length, hasBody}. */
function exchange(binding, call) {
    const invocation = context.need();
    if (++invocation.subrequests > subrequestsMax) return Promise.reject(new Error("Too many subrequests."));
    const { gate } = invocation;
    if (gate === null || !gate.unconfirmed()) return exchangeNow(invocation, binding, call);
    return new Promise((resolve) => {
        gate.hold(() => {
            context.enter(invocation);
            resolve(exchangeNow(invocation, binding, call));
        });
    });
}

function exchangeNow(invocation, binding, call) {
    return new Promise((resolve, reject) => {
        let off = null;
        const channel = io.fetch(binding, call.flags, call.method, call.url, call.headers, call.cf, call.body,
            context.track((error, status, statusText, headers, flags, length, hasBody) => {
                off?.();
                if (error !== null && error !== undefined) {
                    invocation.disown(channel);
                    reject(error instanceof Error ? error : failure(`${error}`, status, statusText));
                    return;
                }
                if (!hasBody) invocation.disown(channel);
                resolve({ channel, status, statusText, headers, flags, length, hasBody });
            }), call.object, call.objectName, call.place?.());
        invocation.own(channel);
        if (call.signal !== null) {
            off = onAborted(call.signal, (reason) => {
                invocation.disown(channel);
                io.reset(channel, -125);
                reject(reason);
            });
        }
        if (call.stream !== null) sendBody(channel, call.stream);
    });
}

function sendBody(channel, source) {
    if (source instanceof Channel) {
        pipeChannel(source, channel);
    } else {
        sendStream(source, channel).catch(() => {});
    }
}

/* The body of a request: what can be given to io.fetch at once, and what has to follow. */
function bodyOf(request, call) {
    const kind = bodyKind(request);
    if (kind === NULL) return;
    bodyTake(request);
    const source = bodySource(request);
    if (kind === TEXT || kind === BYTES) {
        call.body = source;
        call.again = source;
        return;
    }
    call.body = true;
    call.flags |= HAS_BODY;
    call.once = true;
    const length = kind === CHANNEL ? source.length : source.length;
    if (kind === CHANNEL) {
        call.stream = source;
    } else if (untouched(source) && source.channel.encoding === null) {
        source.disturbed = true;
        call.stream = source.channel;
    } else {
        call.stream = source;
    }
    if (length >= 0 && findInBlock(call.headers, "content-length", 0) === undefined)
        call.headers += `content-length: ${length}\r\n`;
}

function withoutBodyHeaders(block) {
    return block.replace(/(^|\r\n)content-(?:type|length|encoding|language|location): [^\r]*(?=\r\n)/g, "$1").replace(/(\r\n)+/g, "\r\n").replace(/^\r\n/, "");
}

function withoutHeader(block, name) {
    return block.replace(new RegExp(`(^|\\r\\n)${name}: [^\\r]*\\r\\n`, "g"), "$1");
}

/* Changes the call into the one that a redirect asks for. */
function redirect(call, answer, location, trail) {
    trail.push(call.url);
    if (trail.length > REDIRECTS_MAX) throw new TypeError(`Too many redirects. ${trail.join(", ")}`);
    const next = URL.parse(location, call.url);
    if (next === null) throw new TypeError("Invalid Location header; unable to follow redirect.");
    const { status } = answer;
    if ((status === 303 && call.method !== "HEAD") || (status <= 302 && call.method === "POST")) {
        call.method = "GET";
        call.body = null;
        call.stream = null;
        call.once = false;
        call.flags &= ~HAS_BODY;
        call.headers = withoutBodyHeaders(call.headers);
    } else if (call.once) {
        throw new TypeError("A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect requiring the body to be retransmitted. To avoid this error in the future, construct this request from a buffer-like body initializer.");
    }
    if (next.origin !== new URL(call.url).origin) call.headers = withoutHeader(call.headers, "authorization");
    next.hash = "";
    call.url = next.href;
}

/* As upstream, whoever is on the way is told too. */
function cacheMode(call, mode) {
    call.flags |= mode === "no-store" ? CACHE_NO_STORE : CACHE_RENEW;
    for (const name of ["cache-control", "pragma"])
        if (findInBlock(call.headers, name, 0) === undefined) call.headers += `${name}: no-cache\r\n`;
}

async function run(binding, request, object = null, objectName = null, place = null) {
    const signal = requestSignal(request);
    if (signal !== null && signal.aborted) throw signal.reason;
    const call = {
        flags: REDIRECT_MANUAL, method: request.method, url: request.url, headers: requestBlock(request),
        cf: requestCf(request), body: null, stream: null, once: false, signal, object, objectName, place,
    };
    bodyOf(request, call);
    if (requestHeader(request, "upgrade")?.toLowerCase() === "websocket" && call.body === null) {
        call.flags |= WEBSOCKET;
        call.headers = withoutHeader(call.headers, "upgrade");
    }
    if (request.cache !== undefined) cacheMode(call, request.cache);
    // Who wants the bytes as they come says by itself which codings it can read.
    if (binding === WORLD && !requestManual(request) && findInBlock(call.headers, "accept-encoding", 0) === undefined)
        call.headers += `accept-encoding: ${acceptedCodings()}\r\n`;
    const trail = [];
    for (;;) {
        const answer = await exchange(binding, call);
        const location = isRedirect(answer.status) && request.redirect === "follow"
            ? findInBlock(answer.headers, "location", 0) : undefined;
        if (location === undefined) return responseOf(answer, call, trail.length > 0, requestManual(request));
        if (answer.hasBody) io.reset(answer.channel, -125);
        redirect(call, answer, location, trail);
        call.stream = null;
    }
}

function socketOf(answer) {
    const header = (name) => findInBlock(answer.headers, name, 0) ?? "";
    return fetchedSocket(answer.channel, context.current, header("sec-websocket-protocol"), header("sec-websocket-extensions"), (answer.flags & JOINABLE) !== 0);
}

function responseOf(answer, call, redirected, manual) {
    const isSocket = (answer.flags & WEBSOCKET) !== 0;
    if (!isSocket && (call.flags & WEBSOCKET) !== 0) io.end(answer.channel); // no messages of ours follow
    const coding = manual ? null : codingOf(findInBlock(answer.headers, "content-encoding", 0));
    const channel = answer.hasBody && !isSocket && call.method !== "HEAD" ? new Channel(answer.channel, answer.length, coding) : null;
    const hash = call.url.indexOf("#");
    const response = fetchedResponse({
        status: answer.status, statusText: answer.statusText, headers: answer.headers,
        url: hash < 0 ? call.url : call.url.slice(0, hash), redirected, channel, webSocket: isSocket ? socketOf(answer) : null,
    });
    if (channel !== null && call.signal !== null) {
        onAborted(call.signal, (reason) => {
            channel.dead = reason;
            channel.owner.disown(channel.id);
            if (!channel.owner.ended) io.reset(channel.id, -125);
        });
    }
    return response;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // a value that needs no quotes

/* data: URLs. https://fetch.spec.whatwg.org/#data-url-processor */
function dataUrl(url) {
    const hash = url.indexOf("#");
    const text = url.slice(5, hash < 0 ? undefined : hash), comma = text.indexOf(",");
    if (comma < 0) throw new TypeError(`Fetch API cannot load: ${url}`);
    let type = text.slice(0, comma).trim();
    let bytes = native.text.percentBytes(text.slice(comma + 1));
    const base64 = /;\s*base64$/i;
    if (base64.test(type)) {
        type = type.replace(base64, "");
        const binary = native.text.atob(native.text.latin1(new Uint8Array(bytes)));
        if (binary === undefined) throw new TypeError(`Fetch API cannot load: ${url}`);
        bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    }
    if (type.startsWith(";")) type = `text/plain${type}`;
    type = type.replace(/="([^"\\;]*)"/g, (whole, value) => (TOKEN.test(value) ? `=${value}` : whole));
    return new Response(new Uint8Array(bytes), { statusText: "OK", headers: { "content-type": type === "" ? "text/plain;charset=US-ASCII" : type } });
}

function fetchWith(binding, input, init, object = null, objectName = null, place = null) {
    try {
        context.need();
        const request = init === undefined && isRequest(input) ? input : new Request(input, init);
        const url = request.url;
        if (url.startsWith("data:")) return Promise.resolve(dataUrl(url));
        if (!/^https?:/.test(url)) throw new TypeError(`Fetch API cannot load: ${url}`);
        if (request.fetcher !== null && binding === WORLD) return request.fetcher.fetch(request);
        return run(binding, request, object, objectName, place);
    } catch (error) {
        return Promise.reject(error);
    }
}

/* A question to a binding of the gateway's that has no body either way: {status, headers}. */
export function askBinding(binding, cf) {
    return exchange(binding, { flags: 0, method: "GET", url: "", headers: "", cf, body: null, stream: null, signal: null });
}

/* What `new WebSocket(url)` asks: {channel, invocation, status, header(name), isSocket}. */
export async function connectSocket(url, protocols) {
    const invocation = context.need();
    const answer = await exchange(WORLD, {
        flags: REDIRECT_MANUAL | WEBSOCKET, method: "GET", url,
        headers: protocols.length > 0 ? `sec-websocket-protocol: ${protocols.join(", ")}\r\n` : "",
        cf: "", body: null, stream: null, signal: null,
    });
    return {
        channel: answer.channel, invocation, status: answer.status, isSocket: (answer.flags & WEBSOCKET) !== 0,
        header: (name) => findInBlock(answer.headers, name, 0),
    };
}

export function fetch(input, init = undefined) {
    return fetchWith(WORLD, input, init);
}

/* Durable Objects: the object of a namespace by its id, and its name when the caller knows it; place() says the class
 * of an object that runs here. */
export function fetchObject(binding, object, name, input, init, place = null) {
    return fetchWith(binding, input, init, object, name, place);
}

const MAKE = Symbol("make");

/* A service binding, or `env.ASSETS`. */
export class Fetcher {
    #binding;

    constructor(key, binding) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#binding = binding;
    }

    fetch(input, init = undefined) {
        return fetchWith(this.#binding, input, init);
    }

    connect() {
        throw new Error("Incoming TCP connections are not supported by this service.");
    }
}

/* What `fetch` of a service binding does. */
export const fetchBinding = (binding) => (input, init = undefined) => fetchWith(binding, input, init);

export function makeFetcher(binding) {
    return new Fetcher(MAKE, binding);
}

export { readAll, bodyInit, channelStream };
