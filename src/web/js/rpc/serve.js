/* RPC sessions over streams of our wires: who calls (openSession), who is called (serve). */
import * as context from "../context.js";
import { errnoError } from "../errors.js";
import { ExecutionContext, sessionEvent } from "../event.js";
import { countSubrequest, failure, fetchBinding, fetchObject, limitSubrequests, RPC } from "../fetch.js";
import { frame } from "../workers.js";
import { bytesOfText, DYNAMIC, setGrant, unpack } from "./grants.js";
import { entryHook, failed, invoke, outcomeOf } from "./hooks.js";
import { Session } from "./session.js";
import { makeServiceStub } from "./stub.js";

const io = native.io;
const HAS_BODY = 1, PACKED = 2097152;
const CANCELED = -125, EIO = -5;
const NO_SESSION = "The target of this RPC call does not answer RPC.";

/* What a Durable Object sends waits for its writes (product/durable/gates.js). */
function leave(invocation, run) {
    const { gate } = invocation;
    if (gate === null || !gate.unconfirmed()) {
        run();
        return;
    }
    gate.hold(() => {
        context.enter(invocation);
        run();
    });
}

/* What comes back into an object that called waits at its gate. */
function arrive(invocation, section, run) {
    const go = () => {
        context.enter(invocation);
        run();
        context.watch(invocation);
    };
    if (section === undefined) {
        frame.cur = null;
        go();
    } else {
        invocation.gate.enter(section, go);
    }
}

/* Reads a channel piece by piece into a session, each piece in the name of the event. */
function pump(session, channel, invocation, section) {
    const next = () => io.read(channel, (buffer, errno) => {
        if (invocation.ended && invocation.gate === null) {
            session.lost(new Error("The execution context which hosted this callback is no longer running."));
            return;
        }
        arrive(invocation, section, () => {
            if (buffer === undefined) session.lost(errnoError(errno));
            else if (buffer === null) session.ended();
            else session.receive(new Uint8Array(buffer));
            if (session.open && buffer !== null && buffer !== undefined) next();
        });
    });
    next();
}

/* Few bytes travel in the message that opens or answers the stream: characters up to 255. */
const INLINE_MAX = 1024;
const inlined = (bytes) => String.fromCharCode.apply(null, bytes);

function bytesOf(text) {
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
}

/* --- calling --- */

/* The stream begins with the first bytes that are written. */
class CallingTransport {
    constructor(invocation, open) {
        this.channel = 0;
        this.invocation = invocation;
        this.open = open;
    }

    write(bytes) {
        leave(this.invocation, () => {
            if (this.channel !== 0) {
                io.write(this.channel, bytes);
                return;
            }
            const short = bytes.length <= INLINE_MAX;
            this.channel = this.open(short ? inlined(bytes) : "");
            this.invocation.own(this.channel);
            if (!short) io.write(this.channel, bytes);
        });
    }

    finish(bytes) {
        leave(this.invocation, () => {
            if (bytes !== null) io.write(this.channel, bytes);
            io.end(this.channel);
        });
    }

    /* Nothing is read any more, and what was written is all. */
    close(answered) {
        if (answered) {
            this.fail();
            return;
        }
        leave(this.invocation, () => {
            io.end(this.channel);
            this.fail();
        });
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

/* What comes with an answer that is none: a sentence, and what the gateway knows of the reason. */
function refusal(error, errno, flags) {
    return error instanceof Error ? error : failure(`${error}`, errno, flags);
}

/*
 * Begins a session: start(first, callback) makes the native call as io.fetch does, with `first` as its cf (the flags of
 * the answer must have RPC), and returns its channel. objectId: of a Durable Object.
 */
export function openSession(start, objectId = null) {
    const invocation = context.need();
    const section = invocation.gate === null ? undefined : invocation.gate.section();
    const answer = (error, status, statusText, headers, flags, length, hasBody) => {
        if (invocation.ended && invocation.gate === null) return;
        arrive(invocation, section, () => {
            if (error !== null && error !== undefined) {
                session.lost(refusal(error, status, statusText));
                return;
            }
            if (!(flags & RPC)) {
                session.lost(new Error(NO_SESSION));
                return;
            }
            if (statusText !== "") session.receive(bytesOf(statusText));
            if (!session.open) return;
            if (hasBody) pump(session, transport.channel, invocation, section);
            else session.ended();
        });
    };
    const transport = new CallingTransport(invocation, (first) => start(first, answer));
    const session = new Session(transport, aroundOf(invocation), null);
    session.objectId = objectId;
    return session;
}

const opening = (binding, path, object, name, place) => {
    countSubrequest();
    return openSession((first, callback) => io.fetch(binding, RPC | HAS_BODY, "POST", `rpc:${path[0] ?? ""}`, "", first, true, callback, object, name, place?.()), place === null ? null : object);
};

/* `env.OTHER`: binding is its index. */
export function makeService(binding) {
    return setGrant(makeServiceStub((path) => opening(binding, path, null, null, null), { fetch: fetchBinding(binding) }), { binding });
}

/* A Worker of a dispatch namespace. options: JSON, for the gateway. */
export function makeDispatched(binding, options, name) {
    return makeServiceStub((path) => opening(binding, path, options, name, null), { fetch: (input, init) => fetchObject(binding, options, name, input, init) });
}

/* The stub of a Durable Object. target: {binding, hex, name, place}: index of its namespace, its id and name, and place()
 * says the class of one that runs here ("@" before it: a facet, which runs nowhere else); members: `fetch` and so on. */
export function makeObjectStub({ binding, hex, name, place }, members, prototype) {
    return setGrant(makeServiceStub((path) => opening(binding, path, hex, name, place), members, prototype), { binding, object: hex, name });
}

/* An entrypoint of a dynamic Worker. ready() asks for its code; options: JSON, for the gateway. */
export function makeLoaded(binding, options, entrypoint, ready) {
    return setGrant(makeServiceStub((path) => {
        ready();
        return opening(binding, path, options, entrypoint, null);
    }, {
        fetch(input, init = undefined) {
            ready();
            return fetchObject(binding, options, entrypoint, input, init);
        },
    }), { refused: DYNAMIC });
}

/* Props of MSG_PACKED. */
export function openProps(text) {
    const { packed, bindings } = JSON.parse(text);
    return unpack(bytesOfText(packed), (bindings ?? []).map((index) => makeService(index)));
}

/* --- being called --- */

class ServingTransport {
    constructor(channel, invocation) {
        this.channel = channel;
        this.invocation = invocation;
        this.answered = false;
    }

    write(bytes) {
        leave(this.invocation, () => {
            if (!this.answered) {
                this.answered = true;
                io.respond(this.channel, 200, RPC | HAS_BODY, -1, "", "", true);
            }
            io.write(this.channel, bytes);
        });
    }

    /* The usual case: head, answer and end in one. */
    finish(bytes) {
        leave(this.invocation, () => {
            if (!this.answered) {
                this.answered = true;
                const short = bytes !== null && bytes.length <= INLINE_MAX;
                io.respond(this.channel, 200, RPC, -1, short ? inlined(bytes) : "", "", short ? null : bytes);
                return;
            }
            if (bytes !== null) io.write(this.channel, bytes);
            io.end(this.channel);
        });
    }

    close() {}

    fail() {
        if (this.answered) io.fail(this.channel, EIO);
        this.answered = true;
    }
}

/* hook: the object that calls go to. first: what came with the request. done() is called when the session is over: the event has answered. */
export function serve(invocation, channel, hook, first, done) {
    const around = {
        pending(delta) {
            invocation.pending += delta;
        },
        threw(error) {
            invocation.outcome = "exception";
            invocation.exception(error);
        },
        over: () => leave(invocation, done),
    };
    const session = new Session(new ServingTransport(channel, invocation), around, hook);
    invocation.session = session;
    if (first !== "") session.receive(bytesOf(first));
    if (session.open) pump(session, channel, invocation, undefined);
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
export function serveEntry(entry, { channel, url, cf, requestId, flags, props, subrequests }) {
    sessionEvent(channel, requestId, flags, { rpcMethod: methodOf(url) }, (invocation, done) => {
        invocation.props = flags & PACKED ? openProps(props) : props;
        limitSubrequests(invocation, subrequests);
        let hook;
        try {
            const { object, options } = entry.receiver(new ExecutionContext(invocation));
            hook = entryHook(object, options);
        } catch (error) {
            hook = fixed(() => failed(error));
        }
        serve(invocation, channel, hook, cf, done);
    });
}

/* The same for a Durable Object: deliver(invocation, fn) → a promise of fn(object). */
export function serveObject(deliver, { channel, url, cf, requestId, flags }) {
    sessionEvent(channel, requestId, flags, { rpcMethod: methodOf(url) }, (invocation, done) =>
        serve(invocation, channel, deliverHook((fn) => deliver(invocation, fn)), cf, done));
}
