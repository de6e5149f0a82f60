/*
 * Bytes that come over a wire: a Channel, and the stream made of one when somebody wants a stream.
 *
 * text(), json() and arrayBuffer() of an untouched channel are collected in C and cross once; a channel
 * that is answered with is pumped from wire to wire without entering script.
 */
import * as context from "./context.js";
import { errnoError } from "./errors.js";
import { makeByteStream } from "./streams/bytes.js";
import { fromUtf8 } from "./encoding.js";
import { coder } from "./codings.js";

const io = native.io;
const EIO = -5;

export class Channel {
    /* encoding: null, or the content coding to take off before a Worker sees the bytes. */
    constructor(id, length, encoding) {
        this.id = id;
        this.length = length;
        this.encoding = encoding;
        this.owner = context.current;
        this.dead = null; // the error of every later read
    }

    /* It is about to be consumed as a whole: who is told (errno) when it has been, or null. */
    taken() {
        return null;
    }

    /* fn(id, callback) reads; the callback gets (value, errno). */
    read(fn) {
        context.checkOwner(this.owner);
        if (this.dead !== null) return Promise.reject(this.dead);
        return new Promise((resolve, reject) => {
            fn(this.id, context.track((value, errno) => {
                if (value !== undefined) {
                    resolve(value);
                } else {
                    this.owner.disown(this.id);
                    reject(errnoError(errno));
                }
            }));
        });
    }

    piece() {
        return this.read(io.read);
    }

    /* The same of all of it. */
    async collect(fn) {
        const over = this.taken();
        try {
            const value = await this.read(fn);
            this.owner.disown(this.id);
            over?.(0);
            return value;
        } catch (error) {
            over?.(EIO);
            throw error;
        }
    }

    async bytes() {
        const bytes = new Uint8Array(await this.collect(io.collect));
        return this.encoding === null ? bytes : inflateAll(bytes, this.encoding);
    }

    async text() {
        if (this.encoding !== null) return fromUtf8(await this.bytes());
        return this.collect(io.collectText);
    }

    cancel() {
        this.owner.disown(this.id);
        io.cancel(this.id);
    }
}

/* All of a channel into another, in C; done(errno) comes once. */
export function pipeChannel(channel, to, done = () => {}) {
    const over = channel.taken();
    channel.owner.disown(channel.id);
    io.pipe(channel.id, to, context.track((errno) => {
        over?.(errno);
        done(errno);
    }));
}

export function inflateAll(bytes, encoding) {
    if (bytes.byteLength === 0) return bytes;
    const out = coder(encoding, true).push(bytes, true);
    if (out === undefined) throw new TypeError("Decompression failed.");
    return new Uint8Array(out);
}

/* The byte stream of a channel. While nothing was read, state.channel tells that it is one. */
export function channelStream(channel) {
    const inflate = channel.encoding === null ? null : coder(channel.encoding, true);
    let any = false;
    const state = makeByteStream({
        async pull() {
            for (;;) {
                const piece = await channel.piece();
                if (piece === null) {
                    channel.owner.disown(channel.id);
                    if (any && inflate !== null) {
                        const rest = decoded(inflate, new ArrayBuffer(0), true);
                        if (rest.byteLength > 0) state.controller.enqueueOwned(rest);
                    }
                    finish(state);
                    return;
                }
                any = true;
                const bytes = inflate === null ? new Uint8Array(piece) : decoded(inflate, piece, false);
                if (bytes.byteLength > 0) {
                    state.controller.enqueueOwned(bytes);
                    return;
                }
            }
        },
        cancel() {
            channel.cancel();
            return Promise.resolve();
        },
    });
    state.channel = channel;
    state.length = channel.encoding === null ? channel.length : -1;
    return state;
}

function decoded(inflate, piece, last) {
    const out = inflate.push(new Uint8Array(piece), last);
    if (out === undefined) throw new TypeError("Decompression failed.");
    return new Uint8Array(out);
}

/* Closes a byte stream from outside: BYOB reads that wait are answered too. */
export function finish(state) {
    const controller = state.controller;
    controller.close();
    if (controller.pending.length > 0 && state.reader?.byob !== true) controller.pending.length = 0;
}

/* A stream of bytes that are all here already. */
export function bytesStream(bytes) {
    let given = false;
    const state = makeByteStream({
        pull() {
            if (!given && bytes.byteLength > 0) state.controller.enqueueOwned(bytes.slice());
            given = true;
            finish(state);
            return Promise.resolve();
        },
        cancel: null,
    });
    state.length = bytes.byteLength;
    return state;
}

/* Is it still possible to take the channel of a stream instead of reading the stream? */
export function untouched(state) {
    return state.channel !== null && !state.disturbed && state.reader === null;
}
