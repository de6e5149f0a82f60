/* The byte controller: BYOB requests, auto-allocation. https://streams.spec.whatwg.org/#rbs-controller-class */
import { flags } from "../compat.js";
import { Queue } from "./common.js";
import { ReadableState, READABLE, CLOSED, ERRORED, streamClose, streamError } from "./readable.js";

/* A destination that a reader (or auto-allocation) gave and that is not full yet. */
class PullInto {
    constructor(buffer, byteOffset, byteLength, minimum, elementSize, construct, kind) {
        this.buffer = buffer;
        this.bufferLength = buffer.byteLength; // the buffer may be transferred meanwhile
        this.byteOffset = byteOffset;
        this.byteLength = byteLength;
        this.minimum = minimum; // bytes
        this.wanted = minimum; // what its source is told
        this.whole = null; // a tee's: takes a chunk and gets its destination back
        this.filled = 0;
        this.user = null; // the reader's own buffer, where it keeps that while it waits
        this.elementSize = elementSize;
        this.construct = construct;
        this.kind = kind; // "byob" | "default" | "none" (its reader was released)
        this.request = null;
    }
}

/* Upstream a read that got some of its minimum when the stream ends is a read; the next one says so. */
function whole(into) {
    return !flags.pedantic_wpt && into.filled > 0 && into.filled % into.elementSize === 0;
}

/* As it was at first: streams of the runtime leave the buffer with its owner, who may have changed it meanwhile. */
function intoUsers({ user: { buffer: user, byteOffset }, buffer, filled, elementSize, construct: Construct }) {
    if (user.detached) return new Construct(new ArrayBuffer(0));
    const room = Math.max(0, user.byteLength - byteOffset), n = Math.min(filled, room);
    const whole = n - n % elementSize;
    if (room > 0) new Uint8Array(user, byteOffset, whole).set(new Uint8Array(buffer, 0, whole));
    return room > 0 ? new Construct(user, byteOffset, whole / elementSize) : new Construct(user, 0, 0);
}

function checkAttached(buffer) {
    if (buffer.detached) throw new TypeError("The underlying ArrayBuffer has been detached.");
}

function transfer(buffer) {
    try {
        return buffer.transfer();
    } catch {
        throw new TypeError("The underlying ArrayBuffer has been detached.");
    }
}

export class ByteController {
    constructor(stream, source, highWaterMark, autoAllocate) {
        this.stream = stream;
        this.queue = new Queue(); // of Uint8Array
        this.started = this.closeRequested = this.pulling = this.pullAgain = false;
        this.highWaterMark = highWaterMark;
        this.autoAllocate = autoAllocate;
        this.portion = flags.pedantic_wpt ? 0 : autoAllocate; // what one default read gives at most; 0: one chunk
        this.source = source;
        this.pending = []; // of PullInto
        this.request = null; // byobRequest handed out
        this.facade = null;
        this.internal = false; // a source of the runtime
        stream.controller = this;
    }

    begin(start) {
        Promise.resolve(start).then(() => {
            this.started = true;
            this.pull();
        }, (error) => this.error(error));
    }

    beginNow() {
        this.started = true;
        this.pull();
    }

    get desiredSize() {
        const state = this.stream.state;
        if (state === ERRORED) return null;
        return state === CLOSED ? 0 : this.highWaterMark - this.queue.size;
    }

    canEnqueue() {
        return !this.closeRequested && this.stream.state === READABLE;
    }

    waiting() {
        return this.stream.reader === null ? 0 : this.stream.reader.requests.length;
    }

    shouldPull() {
        if (!this.started || !this.canEnqueue() || this.source === null || this.source.pull === null) return false;
        if (this.waiting() > 0) return true;
        return this.highWaterMark - this.queue.size > 0;
    }

    pull() {
        if (!this.shouldPull()) return;
        if (this.pulling) {
            this.pullAgain = true;
            return;
        }
        this.pulling = true;
        this.source.pull().then(() => {
            this.pulling = false;
            if (this.pullAgain) {
                this.pullAgain = false;
                this.pull();
            }
        }, (error) => this.error(error));
    }

    close() {
        if (!this.canEnqueue()) return;
        if (this.queue.size > 0) {
            this.closeRequested = true;
            return;
        }
        if (this.pending.length > 0) {
            const first = this.pending[0];
            if (first.filled % first.elementSize !== 0) {
                const error = new TypeError("This ReadableStream was closed with a partial read pending.");
                this.error(error);
                throw error;
            }
        }
        this.source = null;
        streamClose(this.stream);
        // The standard waits for respond(0); upstream gives readers their views back at once. Both are served.
        if (this.pending.length > 0) Promise.resolve().then(() => this.flushClosed());
    }

    flushClosed() {
        this.invalidate();
        if (this.stream.reader?.byob) while (this.waiting() > 0) this.commit(this.pending.shift());
        this.pending = [];
    }

    error(reason) {
        if (this.stream.state !== READABLE) return;
        this.invalidate();
        this.pending = [];
        this.queue.clear();
        this.source = null;
        streamError(this.stream, reason);
    }

    invalidate() {
        if (this.request === null) return;
        this.request.controller = null;
        this.request.view = null;
        this.request = null;
    }

    enqueue(view) {
        if (!this.canEnqueue()) return;
        if (this.pending.length > 0) checkAttached(this.pending[0].buffer);
        checkAttached(view.buffer);
        const { byteOffset, byteLength } = view; // gone with the transfer
        const chunk = new Uint8Array(transfer(view.buffer), byteOffset, byteLength);
        this.enqueueOwned(chunk);
    }

    /* A chunk whose buffer is nobody else's. */
    enqueueOwned(chunk) {
        if (this.pending.length > 0) {
            const first = this.pending[0];
            this.invalidate();
            first.buffer = transfer(first.buffer);
            if (first.whole !== null && first.kind === "byob") {
                this.pending.shift();
                this.stream.reader.requests.shift();
                first.whole(chunk, first.buffer);
                this.pull();
                return;
            }
            if (first.kind === "none") this.requeue(first);
        }
        const reader = this.stream.reader;
        if (reader !== null && !reader.byob) {
            this.serveFromQueue();
            if (reader.requests.length === 0) {
                this.queue.push(chunk, chunk.byteLength);
            } else {
                if (this.pending.length > 0) this.pending.shift();
                const portion = this.portionNow();
                if (portion === 0 || chunk.byteLength <= portion) {
                    reader.requests.shift().chunk(chunk);
                } else {
                    this.queue.push(chunk, chunk.byteLength);
                    reader.requests.shift().chunk(this.takeChunk());
                }
            }
        } else if (reader !== null) {
            this.queue.push(chunk, chunk.byteLength);
            this.fillPending();
        } else {
            this.queue.push(chunk, chunk.byteLength);
        }
        this.pull();
    }

    /* Bytes that lie in a destination whose reader was released go back into the queue. */
    requeue(into) {
        if (into.filled > 0) {
            const copy = new Uint8Array(into.buffer.slice(into.byteOffset, into.byteOffset + into.filled));
            this.queue.push(copy, copy.byteLength);
        }
        this.pending.shift();
    }

    serveFromQueue() {
        const reader = this.stream.reader;
        while (reader.requests.length > 0 && this.queue.size > 0) reader.requests.shift().chunk(this.takeChunk());
    }

    takeChunk() {
        const { queue } = this, portion = Math.min(queue.size, this.portionNow());
        const chunk = portion === 0 || queue.items[queue.head].size === portion ? queue.shift() : this.takeBytes(portion);
        this.afterTake();
        return chunk;
    }

    /* Readers of ours take chunks as they are. */
    portionNow() {
        return this.stream.reader?.portions === true ? this.portion : 0;
    }

    /* Of as many chunks as it takes. */
    takeBytes(length) {
        const into = new PullInto(new ArrayBuffer(length), 0, length, length, 1, Uint8Array, "default");
        this.fill(into);
        return new Uint8Array(into.buffer);
    }

    afterTake() {
        if (this.queue.size === 0 && this.closeRequested) {
            this.source = null;
            streamClose(this.stream);
        } else {
            this.pull();
        }
    }

    pullSteps(request) {
        if (this.queue.size > 0) {
            request.chunk(this.takeChunk());
            return;
        }
        if (this.autoAllocate > 0)
            this.pending.push(new PullInto(new ArrayBuffer(this.autoAllocate), 0, this.autoAllocate, 1, 1, Uint8Array, "default"));
        this.stream.reader.requests.push(request);
        this.pull();
    }

    /* A BYOB read. min: elements. wanted: bytes, where the reader would like more than it needs. */
    pullInto(view, min, request, wanted = 0) {
        const elementSize = view instanceof DataView ? 1 : view.constructor.BYTES_PER_ELEMENT;
        let into;
        const { byteOffset, byteLength } = view, keeps = this.internal && !flags.streams_byob_reader_detaches_buffer;
        try {
            const buffer = keeps ? new ArrayBuffer(byteLength) : transfer(view.buffer);
            into = new PullInto(buffer, keeps ? 0 : byteOffset, byteLength, min * elementSize, elementSize, view.constructor, "byob");
        } catch (error) {
            request.error(error);
            return;
        }
        if (wanted > into.wanted) into.wanted = wanted;
        into.whole = request.whole ?? null;
        if (keeps) into.user = { buffer: view.buffer, byteOffset };
        const stream = this.stream;
        if (this.pending.length > 0) {
            this.pending.push(into);
            stream.reader.requests.push(request);
            return;
        }
        if (stream.state === CLOSED) {
            request.close(this.finish(into));
            return;
        }
        if (this.queue.size > 0) {
            if (this.fill(into)) {
                const filled = this.finish(into);
                this.afterTake();
                request.chunk(filled);
                return;
            }
            if (this.closeRequested) {
                if (whole(into)) {
                    const filled = this.finish(into);
                    this.afterTake();
                    request.chunk(filled);
                    return;
                }
                const error = new TypeError("This ReadableStream was closed with a partial read pending.");
                this.error(error);
                request.error(error);
                return;
            }
        }
        this.pending.push(into);
        stream.reader.requests.push(request);
        this.pull();
    }

    finish(into) {
        if (into.user !== null) return intoUsers(into);
        const elements = Math.floor(into.filled / into.elementSize);
        return new into.construct(transfer(into.buffer), into.byteOffset, elements);
    }

    /* Copies from the queue; true when the destination is full enough. */
    fill(into) {
        const max = Math.min(this.queue.size, into.byteLength - into.filled);
        const total = into.filled + max;
        const aligned = total - (total % into.elementSize);
        const ready = aligned >= into.minimum;
        let left = ready ? aligned - into.filled : max;
        while (left > 0) {
            const head = this.queue.items[this.queue.head];
            const n = Math.min(left, head.size);
            new Uint8Array(into.buffer, into.byteOffset + into.filled, n).set(head.value.subarray(0, n));
            if (n === head.size) {
                this.queue.shift();
            } else {
                head.value = head.value.subarray(n);
                head.size -= n;
                this.queue.size -= n;
            }
            into.filled += n;
            left -= n;
        }
        return ready;
    }

    fillPending() {
        const ready = [];
        while (this.pending.length > 0 && this.queue.size > 0) {
            if (!this.fill(this.pending[0])) break;
            ready.push(this.pending.shift());
        }
        for (const into of ready) this.commit(into);
    }

    commit(into) {
        const done = this.stream.state === CLOSED;
        const request = this.stream.reader.requests.shift();
        const view = this.finish(into);
        if (done && !whole(into)) request.close(into.kind === "default" ? undefined : view);
        else request.chunk(view);
    }

    byobRequest() {
        if (this.request === null && this.pending.length > 0) {
            const first = this.pending[0];
            this.request = {
                controller: this,
                view: new Uint8Array(first.buffer, first.byteOffset + first.filled, first.byteLength - first.filled),
                atLeast: Math.max(1, first.wanted - first.filled),
                facade: null,
            };
        }
        return this.request;
    }

    respond(written) {
        const first = this.pending[0];
        if (this.stream.state === CLOSED) {
            if (written !== 0) throw new TypeError("The bytesWritten must be zero after the stream is closed.");
        } else {
            if (written === 0) throw new TypeError("The bytesWritten must be more than zero while the stream is open.");
            if (first.filled + written > first.byteLength)
                throw new RangeError(`Too many bytes [${written}] in response to a BYOB read request.`);
        }
        first.buffer = transfer(first.buffer);
        this.respondWith(written);
    }

    respondWithNewView(view) {
        const first = this.pending[0];
        if (this.stream.state === CLOSED) {
            if (view.byteLength !== 0) throw new TypeError("The bytesWritten must be zero after the stream is closed.");
        } else if (view.byteLength === 0) {
            throw new TypeError("The bytesWritten must be more than zero while the stream is open.");
        }
        if (first.byteOffset + first.filled !== view.byteOffset)
            throw new RangeError("The view of respondWithNewView() begins at another offset.");
        if (first.bufferLength !== view.buffer.byteLength)
            throw new RangeError("The view of respondWithNewView() has another buffer.");
        if (first.filled + view.byteLength > first.byteLength)
            throw new RangeError(`Too many bytes [${view.byteLength}] in response to a BYOB read request.`);
        const length = view.byteLength;
        if (!flags.pedantic_wpt && !(view instanceof DataView) && first.kind === "byob" && view.constructor !== Uint8Array) { // as upstream
            first.elementSize = view.constructor.BYTES_PER_ELEMENT;
            first.construct = view.constructor;
        }
        first.buffer = transfer(view.buffer);
        this.respondWith(length);
    }

    respondWith(written) {
        const first = this.pending[0];
        this.invalidate();
        if (this.stream.state === CLOSED) {
            if (first.kind === "none") this.pending.shift();
            if (this.stream.reader?.byob) while (this.waiting() > 0) this.commit(this.pending.shift());
        } else {
            this.filledBy(first, written);
        }
        this.pull();
    }

    filledBy(first, written) {
        first.filled += written;
        if (first.kind === "none") {
            this.requeue(first);
            this.fillPending();
            return;
        }
        if (first.filled < first.minimum) return;
        this.pending.shift();
        const rest = first.filled % first.elementSize;
        if (rest > 0) {
            const end = first.byteOffset + first.filled;
            const copy = new Uint8Array(first.buffer.slice(end - rest, end));
            this.queue.push(copy, rest);
            first.filled -= rest;
        }
        this.commit(first);
        this.fillPending();
    }

    cancelSteps(reason) {
        this.invalidate();
        this.pending = [];
        this.queue.clear();
        const source = this.source;
        this.source = null;
        return source === null || source.cancel === null ? Promise.resolve() : source.cancel(reason);
    }

    releaseSteps() {
        if (this.pending.length > 0) {
            this.pending[0].kind = "none";
            this.pending.length = 1;
        }
    }
}

/* A byte stream made by the runtime. pull() and cancel() return promises. */
export function makeByteStream(source, highWaterMark = 0) {
    const stream = new ReadableState();
    stream.bytes = true;
    const controller = new ByteController(stream, source, highWaterMark, 0);
    controller.internal = true;
    controller.begin(undefined);
    return stream;
}
