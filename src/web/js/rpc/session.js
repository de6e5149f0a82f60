/*
 * One RPC session: two sides, frames both ways (README.md has the format). Both sides are equal, but that one of them
 * (the callee) begins with export 0, the object that the session is for.
 *
 * transport: {write(bytes), finish(bytes), close(answered), fail()}; finish() sends the last bytes and ends, close() is
 * the caller's word that it is satisfied.
 */
import { Writer } from "../serialize.js";
import { failed, localHook, noop, Outcome } from "./hooks.js";
import { encode, encodeError, open, Payload, READABLE, SERVICE, WRITABLE } from "./payload.js";
import { PATH_MAX } from "./target.js";
import { ChunkSource, ReadableEnd, WritableEnd, WritableTarget } from "./streams.js";
import * as frames from "./frames.js";

const { CALL, RETURN, RELEASE, FINISH, ABORT, CHUNK, END, ERROR, CREDIT, CANCEL, CLOSED } = frames;
const FRAME_MAX = 33 * 1024 * 1024;
const TABLE_MAX = 65536; // entries of each table
const HAS_ARGS = 1; // flag of CALL
const REJECTED = 1, LAST = 2; // flags of RETURN
const TO_EXPORT = 0, TO_ANSWER = 1; // targets of CALL
const CAP_EXPORT = 0, CAP_IMPORT = 1, CAP_ANSWER = 2, CAP_READABLE = 3, CAP_WRITABLE = 4, CAP_SERVICE = 5;
const NONE = [];

let spare = null;

function takeWriter() {
    const writer = spare ?? new Writer();
    spare = null;
    return writer;
}

/* What another Worker threw says so, and which object it was. */
function remote(error, objectId) {
    if (typeof error !== "object" || error === null || !Object.isExtensible(error)) return error;
    error.remote = true;
    if (objectId !== null) error.durableObjectId = objectId;
    return error;
}

function errorOf(payload) {
    try {
        return open(payload).value;
    } catch {
        return new Error("Network connection lost.");
    }
}

/* --- hooks to the other side --- */

class ImportHook {
    constructor(entry) {
        this.entry = entry;
    }

    call(path, payload) {
        const { session, id } = this.entry;
        return session.call(TO_EXPORT, id, path, payload);
    }

    dup() {
        this.entry.refs++;
        return new ImportHook(this.entry);
    }

    dispose() {
        if (--this.entry.refs === 0) this.entry.session.release(this.entry.id);
    }

    onBroken(fn) {
        this.entry.session.onBroken(fn);
    }
}

/* The pipeline to the result of a question. */
class QuestionHook {
    constructor(session, question, prefix) {
        this.session = session;
        this.question = question;
        this.prefix = prefix;
    }

    call(path, payload) {
        const { session, question } = this, steps = this.prefix.length === 0 ? path : [...this.prefix, ...path];
        if (question.error !== null) return failed(question.error.reason);
        if (question.local !== null) return question.local.call(steps, payload);
        if (question.plain !== null) return copied(question.plain, steps, payload);
        return session.call(TO_ANSWER, question.id, steps, payload, this);
    }

    /* Can it be answered without the other side? */
    isSettled() {
        const { error, local, plain } = this.question;
        return error !== null || local !== null || plain !== null;
    }

    dup() {
        return this;
    }

    dispose() {}

    finish() {
        const { session, question } = this;
        if (question.finished || !session.open) return;
        question.finished = true;
        session.finishQuestion(question.id);
    }

    onBroken(fn) {
        this.question.promise.then(() => this.session.onBroken(fn), fn);
    }
}

/* A call on a result that was nothing but values. */
function copied(bytes, path, payload) {
    let value;
    try {
        value = open(new Payload(bytes, NONE)).value;
    } catch (error) {
        return failed(error);
    }
    return localHook(value).call(path, payload);
}

class Question {
    constructor(id, base, path, isGet) {
        this.id = id;
        this.base = base; // the pipeline that it was asked through, or null
        this.path = path;
        this.isGet = isGet;
        this.local = null; // hook that answers for it after the session
        this.finished = false;
        this.plain = null; // bytes of a result without capabilities
        this.error = null; // {reason}
        this.promise = new Promise((resolve, reject) => {
            this.resolve = resolve;
            this.reject = reject;
        });
    }

    fail(reason) {
        this.error = { reason };
        this.reject(reason);
    }
}

/* --- the session --- */

export class Session {
    /* main: hook of export 0, or null. around: {pending(delta), run} of the event that this side belongs to. */
    constructor(transport, around, main) {
        this.transport = transport;
        this.around = around;
        this.isCallee = main !== null;
        this.objectId = null; // of the Durable Object that it calls
        this.open = true;
        this.error = null;
        this.exports = new Map();
        this.imports = new Map();
        this.questions = new Map();
        this.answers = new Map(); // id → Outcome
        this.running = 0; // answers that are not there yet
        this.streams = new Map();
        this.nextExport = 1;
        this.nextQuestion = 1;
        this.nextStream = 0;
        this.broken = null;
        this.out = null;
        this.scheduled = false;
        this.lastSent = false;
        this.held = false;
        this.rest = null; // bytes of an incomplete frame
        this.spent = null; // hooks to let go of when the frame is complete
        this.expecting = main !== null; // no call has come yet
        if (main === null) return;
        this.exports.set(0, main);
        this.hold();
    }

    /* Does this side wait for the other? Kept up to date for the detection of hung events. */
    hold() {
        const wants = this.open && (this.expecting || this.rest !== null || this.questions.size > 0 || this.exports.size > (this.isCallee ? 1 : 0) || this.streams.size > 0);
        if (wants === this.held) return;
        this.held = wants;
        this.around.pending(wants ? 1 : -1);
    }

    onBroken(fn) {
        if (this.error !== null) {
            Promise.resolve().then(() => fn(this.error)).catch(noop);
            return;
        }
        (this.broken ??= []).push(fn);
    }

    /* --- sending --- */

    begin(type) {
        this.out ??= takeWriter();
        const { out } = this;
        out.room(5);
        this.frameAt = out.length;
        out.length += 4;
        out.byte(type);
        return out;
    }

    end() {
        const { out } = this, { bytes } = out, n = out.length - this.frameAt - 4;
        for (let i = 0; i < 4; i++) bytes[this.frameAt + i] = (n >>> (8 * i)) & 0xff;
        if (!this.scheduled) {
            this.scheduled = true;
            Promise.resolve().then(() => this.flush());
        }
        const { spent } = this;
        if (spent === null) return;
        this.spent = null;
        for (const hook of spent) hook.dispose();
    }

    flush() {
        this.scheduled = false;
        const { out } = this;
        if (out === null) return;
        this.out = null;
        const bytes = out.bytes.slice(0, out.length);
        out.length = 0;
        if (out.bytes.length <= 65536) spare = out;
        if (this.lastSent) this.transport.finish(bytes);
        else if (this.open) this.transport.write(bytes);
    }

    path(out, path) {
        out.varint(path.length);
        for (const step of path) out.string(step);
    }

    payload(out, payload) {
        const { caps, bytes } = payload;
        payload.caps = NONE;
        out.varint(caps.length);
        for (const cap of caps) this.capability(out, cap);
        out.raw(bytes);
    }

    capability(out, { kind, hook, stream }) {
        if (kind === READABLE || kind === WRITABLE) return this.sendStream(out, kind, stream);
        if (hook instanceof ImportHook && hook.entry.session === this) {
            out.byte(CAP_IMPORT);
            out.varint(hook.entry.id);
            (this.spent ??= []).push(hook);
        } else if (hook instanceof QuestionHook && hook.session === this && !hook.question.finished) {
            out.byte(CAP_ANSWER);
            out.varint(hook.question.id);
            this.path(out, hook.prefix);
        } else {
            const id = this.nextExport++;
            this.exports.set(id, hook);
            out.byte(kind === SERVICE ? CAP_SERVICE : CAP_EXPORT);
            out.varint(id);
        }
    }

    callMain(path, payload) {
        return this.call(TO_EXPORT, 0, path, payload);
    }

    call(kind, target, path, payload, base = null) {
        if (!this.open) {
            payload?.drop();
            return failed(this.error ?? new Error("Network connection lost."));
        }
        const question = new Question(this.nextQuestion++, base, path, payload === null);
        this.questions.set(question.id, question);
        const out = this.begin(CALL);
        out.byte(payload === null ? 0 : HAS_ARGS);
        out.varint(question.id);
        out.byte(kind);
        out.varint(target);
        this.path(out, path);
        if (payload !== null) this.payload(out, payload);
        this.end();
        this.hold();
        return new Outcome(question.promise, new QuestionHook(this, question, NONE));
    }

    release(id) {
        this.imports.delete(id);
        if (!this.open) return;
        this.begin(RELEASE).varint(id);
        this.end();
        this.maybeClose();
    }

    finishQuestion(id) {
        this.begin(FINISH).varint(id);
        this.end();
    }

    respond(id, rejected, payload) {
        if (!this.open) {
            payload.drop();
            return;
        }
        this.running--;
        const last = this.isCallee && this.running === 0 && payload.caps.length === 0 && this.isBare();
        const out = this.begin(RETURN);
        out.byte((rejected ? REJECTED : 0) | (last ? LAST : 0));
        out.varint(id);
        this.payload(out, payload);
        this.end();
        if (last) {
            this.lastSent = true;
            this.flush();
            this.over();
        } else {
            this.hold();
        }
    }

    /* Nothing is held on either side but the main object. */
    isBare() {
        return this.imports.size === 0 && this.questions.size === 0 && this.streams.size === 0 && this.exports.size <= (this.isCallee ? 1 : 0);
    }

    /* The caller ends a session when nobody wants anything of it. */
    maybeClose() {
        this.hold();
        if (this.isCallee || !this.open || this.running > 0 || !this.isBare()) return;
        this.flush();
        this.over();
        this.transport.close(false);
    }

    /* --- receiving --- */

    receive(bytes) {
        try {
            this.parse(bytes);
        } catch (error) {
            this.abort(error instanceof frames.Malformed ? new Error("The other side of an RPC session broke its rules.") : error);
        }
        this.hold();
    }

    parse(piece) {
        let bytes = piece;
        if (this.rest !== null) bytes = this.joined(piece);
        let at = 0;
        while (this.open && bytes.length - at >= 4) {
            const n = (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
            if (n > FRAME_MAX || n === 0) throw new frames.Malformed();
            if (bytes.length - at - 4 < n) break;
            this.frame(new frames.FrameReader(bytes.subarray(at + 4, at + 4 + n)));
            at += 4 + n;
        }
        if (!this.open || at === bytes.length) return;
        const left = bytes.subarray(at);
        this.rest = { parts: [left], size: left.length, need: this.needed(left) };
    }

    needed(left) {
        return left.length < 4 ? 4 : 4 + ((left[0] | (left[1] << 8) | (left[2] << 16) | (left[3] << 24)) >>> 0);
    }

    /* Pieces of a long frame are joined once, when it is there. */
    joined(piece) {
        const { rest } = this;
        rest.parts.push(piece);
        rest.size += piece.length;
        if (rest.size < rest.need) return frames.EMPTY;
        this.rest = null;
        const all = new Uint8Array(rest.size);
        let at = 0;
        for (const part of rest.parts) {
            all.set(part, at);
            at += part.length;
        }
        return all;
    }

    frame(reader) {
        const type = reader.byte();
        switch (type) {
        case CALL: return this.onCall(reader);
        case RETURN: return this.onReturn(reader);
        case RELEASE: return this.onRelease(reader.varint());
        case FINISH: return this.onFinish(reader.varint());
        case ABORT: return this.abort(this.readError(reader));
        default: return this.onStream(type, reader);
        }
    }

    readPath(reader) {
        const n = reader.varint(), path = [];
        if (n > PATH_MAX) throw new frames.Malformed();
        for (let i = 0; i < n; i++) path.push(reader.string());
        return path;
    }

    readPayload(reader) {
        const n = reader.varint();
        if (n > reader.left()) throw new frames.Malformed();
        const caps = n === 0 ? NONE : [];
        for (let i = 0; i < n; i++) caps.push(this.readCapability(reader));
        return new Payload(reader.rest(), caps);
    }

    readError(reader) {
        return errorOf(this.readPayload(reader));
    }

    readCapability(reader) {
        const kind = reader.byte(), id = reader.varint();
        switch (kind) {
        case CAP_EXPORT: case CAP_SERVICE: {
            if (this.imports.has(id) || this.imports.size >= TABLE_MAX) throw new frames.Malformed();
            const entry = { session: this, id, refs: 1 };
            this.imports.set(id, entry);
            return { kind: kind === CAP_SERVICE ? SERVICE : 0, hook: new ImportHook(entry), stream: null, taken: false };
        }
        case CAP_IMPORT: {
            const hook = this.exports.get(id);
            if (hook === undefined || id === 0) throw new frames.Malformed();
            return { kind: 0, hook: hook.dup(), stream: null, taken: false };
        }
        case CAP_ANSWER: {
            const answer = this.answers.get(id), path = this.readPath(reader);
            if (answer === undefined) throw new frames.Malformed();
            return { kind: 0, hook: answer.hook.at(path), stream: null, taken: false };
        }
        case CAP_READABLE: case CAP_WRITABLE: return this.readStream(kind, id, reader);
        default: throw new frames.Malformed();
        }
    }

    onCall(reader) {
        const flags = reader.byte(), id = reader.varint(), kind = reader.byte(), target = reader.varint(), path = this.readPath(reader);
        if (this.answers.has(id) || this.answers.size >= TABLE_MAX) throw new frames.Malformed();
        const payload = flags & HAS_ARGS ? this.readPayload(reader) : null;
        const hook = kind === TO_EXPORT ? this.exports.get(target) : kind === TO_ANSWER ? this.answers.get(target)?.hook : undefined;
        if (hook === undefined) throw new frames.Malformed();
        this.expecting = false;
        this.running++;
        const outcome = hook.call(path, payload);
        this.answers.set(id, outcome);
        outcome.payload.then((result) => this.respond(id, false, result), (error) => {
            this.around.threw?.(error);
            this.respond(id, true, encodeError(error));
        });
    }

    onReturn(reader) {
        const flags = reader.byte(), id = reader.varint(), question = this.questions.get(id);
        if (question === undefined) throw new frames.Malformed();
        const payload = this.readPayload(reader);
        this.questions.delete(id);
        if (flags & REJECTED) {
            question.fail(remote(errorOf(payload), this.objectId));
        } else {
            if (payload.caps.length === 0) {
                question.plain = payload.bytes;
                question.finished = true;
            }
            question.resolve(payload);
        }
        if (flags & LAST) {
            this.settleLocally();
            this.over();
            this.transport.close(true);
            return;
        }
        if (payload.caps.length === 0) this.finishQuestion(id);
        /* Whoever waits takes the stubs first. */
        Promise.resolve().then(() => this.maybeClose());
    }

    /* The other side has answered all that it knew of; what went into the pipeline meanwhile is answered from the results. */
    settleLocally() {
        const left = [...this.questions.values()];
        this.questions.clear();
        for (const question of left) {
            if (question.base === null || !question.base.isSettled()) {
                question.fail(new Error("Network connection lost."));
                continue;
            }
            const outcome = question.base.call(question.path, question.isGet ? null : encode([]));
            question.local = outcome.hook;
            outcome.payload.then((p) => question.resolve(p), (error) => question.fail(error));
        }
    }

    onRelease(id) {
        const hook = this.exports.get(id);
        if (hook === undefined || id === 0) throw new frames.Malformed();
        this.exports.delete(id);
        hook.dispose();
        this.maybeClose();
        this.maybeFinish();
    }

    onFinish(id) {
        const answer = this.answers.get(id);
        if (answer === undefined) return;
        this.answers.delete(id);
        answer.hook.finish?.();
    }

    /* The callee's part of maybeClose(): tells its event that nothing runs. */
    maybeFinish() {
        if (this.isCallee) this.hold();
    }

    /* --- streams --- */

    sendStream(out, kind, state) {
        const id = this.nextStream++, key = id * 2 + 1;
        out.byte(kind === READABLE ? CAP_READABLE : CAP_WRITABLE);
        out.varint(id);
        out.varint(state.length >= 0 ? state.length + 1 : 0);
        this.streams.set(key, kind === READABLE ? new ChunkSource(this, key, state) : new WritableTarget(this, key, state));
    }

    readStream(kind, id, reader) {
        const key = id * 2, length = reader.varint() - 1;
        if (this.streams.has(key) || this.streams.size >= TABLE_MAX) throw new frames.Malformed();
        const end = kind === CAP_READABLE ? new ReadableEnd(this, key, length) : new WritableEnd(this, key);
        this.streams.set(key, end);
        return { kind: kind === CAP_READABLE ? READABLE : WRITABLE, hook: null, stream: end.state, taken: false };
    }

    /* Keys are seen from here; the other side sees the last bit reversed. */
    streamFrame(type, key) {
        const out = this.begin(type);
        out.varint(key);
        return out;
    }

    streamDone(key) {
        if (!this.streams.delete(key)) return;
        Promise.resolve().then(() => this.maybeClose());
        this.hold();
    }

    onStream(type, reader) {
        const theirs = reader.varint(), key = theirs % 2 === 0 ? theirs + 1 : theirs - 1;
        const stream = this.streams.get(key);
        if (type < CHUNK || type > CLOSED) throw new frames.Malformed();
        if (stream === undefined) return; // it has ended here, they do not know yet
        switch (type) {
        case CHUNK: return stream.onChunk(reader.rest());
        case END: return stream.onEnd();
        case ERROR: return stream.onError(this.readError(reader));
        case CREDIT: return stream.onCredit(reader.varint());
        case CANCEL: return stream.onCancel(this.readError(reader));
        case CLOSED: return stream.onClosed();
        }
    }

    streamError(type, key, error) {
        if (!this.open) return;
        const payload = encodeError(error), out = this.streamFrame(type, key);
        this.payload(out, payload);
        this.end();
    }

    /* --- the end --- */

    /* The other side ended in order. */
    ended() {
        if (!this.open) return;
        if (this.isCallee) {
            this.over();
            this.transport.finish(null);
        } else {
            this.lost(new Error("Network connection lost."));
        }
    }

    /* A rule was broken, or the event here has failed: the other side is told. */
    abort(error) {
        if (!this.open) return;
        if (this.out !== null) this.out.length = 0;
        const payload = encodeError(error), out = this.begin(ABORT);
        this.payload(out, payload);
        this.end();
        this.lastSent = true;
        this.flush();
        this.lost(error);
    }

    /* The connection broke. */
    lost(error) {
        if (!this.open) return;
        this.error = error;
        this.over();
        this.transport.fail();
    }

    over() {
        if (!this.open) return;
        this.open = false;
        this.hold();
        const error = this.error ?? new Error("Network connection lost.");
        for (const question of this.questions.values()) question.fail(error);
        this.questions.clear();
        for (const stream of this.streams.values()) stream.onLost();
        this.streams.clear();
        for (const [id, hook] of this.exports) if (id !== 0 || this.isCallee) hook.dispose();
        this.exports.clear();
        for (const answer of this.answers.values()) answer.hook.finish?.();
        this.answers.clear();
        this.imports.clear();
        if (this.error !== null && this.broken !== null) for (const fn of this.broken) Promise.resolve().then(() => fn(error)).catch(noop);
        this.broken = null;
        this.around.over?.();
    }
}
