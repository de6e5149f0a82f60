/*
 * Streams of bytes over a session. Whoever sends chunks may have WINDOW bytes under way; the other side gives credit
 * for what was read. A readable is sent by its owner, a writable is written by whoever received it.
 */
import { viewOf } from "../encoding.js";
import { finish } from "../body_source.js";
import { makeByteStream } from "../streams/bytes.js";
import { ReaderState, readerNext, streamCancel, streamError } from "../streams/readable.js";
import { makeWritable, startErroring, WritableState, WriterState, writableAbort, writerClose, writerWrite, WRITABLE } from "../streams/writable.js";
import { CANCEL, CHUNK, CLOSED, CREDIT, END, ERROR } from "./frames.js";
import { noop } from "./hooks.js";

const WINDOW = 128 * 1024, PIECE_MAX = 64 * 1024;

function bytesOf(chunk) {
    const bytes = typeof chunk === "string" ? null : viewOf(chunk);
    if (bytes === null) throw new TypeError("This ReadableStream did not return bytes.");
    return bytes;
}

/* The sending part of both kinds. */
class Sender {
    constructor(session, key) {
        this.session = session;
        this.key = key;
        this.credit = WINDOW;
        this.wake = null;
        this.failure = null; // {error}: the other side wants no more
    }

    async room() {
        while (this.credit <= 0 && this.failure === null) await new Promise((resolve) => this.wake = resolve);
        if (this.failure !== null) throw this.failure.error;
    }

    async send(bytes) {
        for (let at = 0; at < bytes.length; at += PIECE_MAX) {
            await this.room();
            const piece = bytes.subarray(at, at + PIECE_MAX);
            this.session.streamFrame(CHUNK, this.key).raw(piece);
            this.session.end();
            this.credit -= piece.length;
        }
    }

    onCredit(n) {
        this.credit += n;
        this.#go();
    }

    stop(error) {
        this.failure = { error };
        this.#go();
    }

    #go() {
        const { wake } = this;
        this.wake = null;
        wake?.();
    }

    control(type) {
        if (!this.session.open) return;
        this.session.streamFrame(type, this.key);
        this.session.end();
    }
}

/* Owner of a readable that went over. */
export class ChunkSource extends Sender {
    constructor(session, key, state) {
        super(session, key);
        this.reader = new ReaderState(state, false);
        state.disturbed = true;
        this.run();
    }

    async run() {
        try {
            for (;;) {
                await this.room();
                const { value, done } = await readerNext(this.reader);
                if (done) break;
                await this.send(bytesOf(value));
            }
            this.control(END);
        } catch (error) {
            if (this.failure === null) this.session.streamError(ERROR, this.key, error);
            if (this.reader.stream !== null) streamCancel(this.reader.stream, error).catch(noop);
        }
        this.session.streamDone(this.key);
    }

    onCancel(error) {
        this.stop(error);
        if (this.reader.stream !== null) streamCancel(this.reader.stream, error).catch(noop);
    }

    onLost() {
        this.onCancel(new Error("ReadableStream received over RPC disconnected prematurely."));
    }

    onChunk() {}
    onEnd() {}
    onError() {}
    onClosed() {}
}

/* A readable that came. */
export class ReadableEnd {
    constructor(session, key, length) {
        this.session = session;
        this.key = key;
        this.chunks = [];
        this.over = false;
        this.failure = null;
        this.wake = null;
        const end = this;
        this.state = makeByteStream({
            pull: () => end.pull(),
            cancel(reason) {
                session.streamError(CANCEL, key, reason ?? new Error("cancelled"));
                end.done();
                return Promise.resolve();
            },
        });
        this.state.length = length;
    }

    async pull() {
        while (this.chunks.length === 0 && !this.over && this.failure === null) await new Promise((resolve) => this.wake = resolve);
        const chunk = this.chunks.shift();
        if (chunk !== undefined) {
            if (this.session.open && !this.over) {
                this.session.streamFrame(CREDIT, this.key).varint(chunk.length);
                this.session.end();
            }
            this.state.controller.enqueueOwned(chunk);
        } else if (this.failure !== null) {
            throw this.failure.error;
        } else {
            finish(this.state);
        }
    }

    go() {
        const { wake } = this;
        this.wake = null;
        wake?.();
    }

    done() {
        this.over = true;
        this.go();
        this.session.streamDone(this.key);
    }

    onChunk(bytes) {
        if (bytes.length > 0) this.chunks.push(bytes.slice());
        this.go();
    }

    onEnd() {
        this.done();
    }

    onError(error) {
        this.failure = { error };
        if (this.chunks.length === 0) streamError(this.state, error);
        this.done();
    }

    onLost() {
        if (this.over) return;
        this.failure = { error: new Error("ReadableStream received over RPC disconnected prematurely.") };
        this.go();
    }

    onCredit() {}
    onCancel() {}
    onClosed() {}
}

/* A writable that came. */
export class WritableEnd extends Sender {
    constructor(session, key) {
        super(session, key);
        this.closing = null;
        this.state = makeWritable({
            write: (chunk) => this.send(typeof chunk === "string" ? bytesOf(null) : bytesOf(chunk)),
            close: () => this.close(),
            abort: (reason) => {
                session.streamError(ERROR, key, reason ?? new Error("aborted"));
                session.streamDone(key);
                return Promise.resolve();
            },
        });
    }

    close() {
        if (this.failure !== null) return Promise.reject(this.failure.error);
        this.control(END);
        return new Promise((resolve, reject) => this.closing = { resolve, reject });
    }

    onClosed() {
        this.session.streamDone(this.key);
        this.closing?.resolve();
    }

    onCancel(error) {
        this.stop(error);
        this.closing?.reject(error);
        if (this.state.state === WRITABLE) startErroring(this.state, error);
        this.session.streamDone(this.key);
    }

    onLost() {
        const error = new Error("WritableStream received over RPC was disconnected because the remote execution context has ended.");
        this.stop(error);
        this.closing?.reject(error);
        if (this.state.state === WRITABLE) startErroring(this.state, error);
    }

    onChunk() {}
    onEnd() {}
    onError() {}
}

/* Owner of a writable that went over. */
export class WritableTarget {
    constructor(session, key, state) {
        this.session = session;
        this.key = key;
        this.state = state;
        this.writer = new WriterState(state);
    }

    onChunk(bytes) {
        const n = bytes.length;
        writerWrite(this.writer, bytes.slice()).then(() => {
            if (!this.session.open) return;
            this.session.streamFrame(CREDIT, this.key).varint(n);
            this.session.end();
        }, (error) => this.failed(error));
    }

    failed(error) {
        if (!this.session.streams.has(this.key)) return;
        this.session.streamError(CANCEL, this.key, error);
        this.session.streamDone(this.key);
    }

    onEnd() {
        writerClose(this.writer).then(() => {
            if (!this.session.open) return;
            this.session.streamFrame(CLOSED, this.key);
            this.session.end();
            this.session.streamDone(this.key);
        }, (error) => this.failed(error));
    }

    onError(error) {
        writableAbort(this.state, error).catch(noop);
        this.session.streamDone(this.key);
    }

    onLost() {
        writableAbort(this.state, new Error("WritableStream received over RPC was disconnected because the remote execution context has ended.")).catch(noop);
    }

    onCredit() {}
    onCancel() {}
    onClosed() {}
}

export { WritableState };
