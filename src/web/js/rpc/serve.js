/* RPC sessions over streams of our wires: who calls (openSession), who is called (serve). */
import * as context from "../context.js";
import { errnoError } from "../errors.js";
import { ExecutionContext, sessionEvent } from "../event.js";
import { countSubrequest, fetchBinding } from "../fetch.js";
import { frame } from "../workers.js";
import { entryHook, failed, invoke, outcomeOf } from "./hooks.js";
import { Session } from "./session.js";
import { makeServiceStub } from "./stub.js";

const io = native.io;
const HAS_BODY = 1;
export const RPC = 512; // product/messages.h
const CANCELED = -125, EIO = -5;
const NO_SESSION = "The target of this RPC call does not answer RPC.";

/* Reads a channel piece by piece into a session, each piece in the name of the event. */
function pump(session, channel, invocation) {
    const next = () => io.read(channel, (buffer, errno) => {
        if (invocation.ended) {
            session.lost(new Error("The execution context which hosted this callback is no longer running."));
            return;
        }
        context.enter(invocation);
        frame.cur = null;
        if (buffer === undefined) session.lost(errnoError(errno));
        else if (buffer === null) session.ended();
        else session.receive(new Uint8Array(buffer));
        if (session.open && buffer !== null && buffer !== undefined) next();
        context.watch(invocation);
    });
    next();
}

/* --- calling --- */

class CallingTransport {
    constructor(channel, invocation) {
        this.channel = channel;
        this.invocation = invocation;
    }

    write(bytes) {
        io.write(this.channel, bytes);
    }

    finish(bytes) {
        if (bytes !== null) io.write(this.channel, bytes);
        io.end(this.channel);
    }

    /* Nothing is read any more, and what was written is all. */
    close() {
        this.invocation.disown(this.channel);
        io.end(this.channel);
        io.reset(this.channel, CANCELED);
    }

    fail() {
        this.invocation.disown(this.channel);
        io.reset(this.channel, CANCELED);
    }
}

/* The event in whose name a session calls. */
function aroundOf(invocation) {
    return {
        pending(delta) {
            invocation.pending += delta;
        },
    };
}

/*
 * Begins a session: start(callback) makes the native call as io.fetch does (the flags of the answer must have RPC) and
 * returns its channel. For bindings: openBinding().
 */
export function openSession(start) {
    const invocation = context.need();
    const transport = new CallingTransport(0, invocation);
    const session = new Session(transport, aroundOf(invocation), null);
    const channel = start((error, status, statusText, headers, flags) => {
        if (invocation.ended) return;
        context.enter(invocation);
        frame.cur = null;
        if (error !== null && error !== undefined) session.lost(new Error(`${error}`));
        else if (!(flags & RPC)) session.lost(new Error(NO_SESSION));
        else if (session.open) pump(session, channel, invocation);
        context.watch(invocation);
    });
    transport.channel = channel;
    invocation.own(channel);
    return session;
}

/* `env.OTHER`: binding is its index. */
export function makeService(binding) {
    return makeServiceStub((path) => {
        countSubrequest();
        return openSession((callback) => io.fetch(binding, RPC | HAS_BODY, "POST", `rpc:${path[0] ?? ""}`, "", "", true, callback));
    }, { fetch: fetchBinding(binding) });
}

/* --- being called --- */

class ServingTransport {
    constructor(channel) {
        this.channel = channel;
        this.answered = false;
    }

    write(bytes) {
        if (!this.answered) {
            this.answered = true;
            io.respond(this.channel, 200, RPC | HAS_BODY, -1, "", "", true);
        }
        io.write(this.channel, bytes);
    }

    /* The usual case: head, answer and end in one. */
    finish(bytes) {
        if (!this.answered) {
            this.answered = true;
            io.respond(this.channel, 200, RPC, -1, "", "", bytes);
            return;
        }
        if (bytes !== null) io.write(this.channel, bytes);
        io.end(this.channel);
    }

    close() {}

    fail() {
        if (this.answered) io.fail(this.channel, EIO);
        this.answered = true;
    }
}

/* hook: the object that calls go to. done() is called when the session is over: the event has answered. */
export function serve(invocation, channel, hook, done) {
    const around = {
        pending(delta) {
            invocation.pending += delta;
        },
        threw(error) {
            invocation.outcome = "exception";
            invocation.exception(error);
        },
        over: done,
    };
    const session = new Session(new ServingTransport(channel), around, hook);
    invocation.session = session;
    pump(session, channel, invocation);
    return session;
}

function fixed(call) {
    return { call, dup: () => fixed(call), dispose() {}, onBroken() {} };
}

/* The hook of an object that has to be asked for: deliver(fn) → a promise of fn(object). For Durable Objects. */
export function deliverHook(deliver) {
    return fixed((path, payload) => outcomeOf((cleanup) => deliver((object) => invoke({ target: object, entry: {} }, path, payload, cleanup))));
}

const methodOf = (url) => url.slice("rpc:".length);

/* An RPC event of an entrypoint (an entry as of worker.js): a new instance for each. */
export function serveEntry(entry, { channel, url, requestId, flags, props }) {
    sessionEvent(channel, requestId, flags, { rpcMethod: methodOf(url) }, (invocation, done) => {
        invocation.props = props;
        let hook;
        try {
            const { object, options } = entry.receiver(new ExecutionContext(invocation));
            hook = entryHook(object, options);
        } catch (error) {
            hook = fixed(() => failed(error));
        }
        serve(invocation, channel, hook, done);
    });
}

/* The same for a Durable Object: deliver(invocation, fn) → a promise of fn(object). */
export function serveObject(deliver, { channel, url, requestId, flags }) {
    sessionEvent(channel, requestId, flags, { rpcMethod: methodOf(url) }, (invocation, done) =>
        serve(invocation, channel, deliverHook((fn) => deliver(invocation, fn)), done));
}
