/* Two streams of what one brings. https://streams.spec.whatwg.org/#abstract-opdef-readablestreamtee */
import { Deferred } from "./common.js";
import { ReadableState, ReaderState, DefaultController, readerRead, readerRelease, streamCancel } from "./readable.js";
import { ByteController } from "./bytes.js";
import { flags } from "../compat.js";

/* What both kinds share: who is gone, and the error of the source. */
class Tee {
    constructor(source) {
        this.source = source;
        this.reader = null;
        this.reading = false;
        this.reasons = [undefined, undefined];
        this.gone = [false, false];
        this.cancelled = new Deferred();
        this.branches = [];
        this.take(false);
    }

    take(byob) {
        const reader = new ReaderState(this.source, byob);
        this.reader = reader;
        reader.closed.promise.then(undefined, (error) => {
            if (this.reader !== reader) return;
            for (const branch of this.branches) branch.controller.error(error);
            this.over();
        });
    }

    makeBranch(index) {
        const stream = new ReadableState();
        stream.length = this.source.length;
        stream.bytes = this.source.bytes;
        const ends = { pull: () => this.pull(index), cancel: (reason) => this.cancel(index, reason) };
        this.makeController(stream, ends);
        this.branches.push(stream);
    }

    cancel(index, reason) {
        this.gone[index] = true;
        this.reasons[index] = reason;
        if (this.gone[1 - index]) this.cancelled.resolve(streamCancel(this.source, this.reasons));
        /* The standard lets the first wait for the second; upstream does not. */
        else if (!flags.pedantic_wpt) return Promise.resolve();
        return this.cancelled.promise;
    }

    /* Nobody waits for a cancellation any more. */
    over() {
        if (!this.gone[0] || !this.gone[1]) this.cancelled.resolve(undefined);
    }

    closeBranches() {
        this.reading = false;
        for (const i of [0, 1]) if (!this.gone[i]) this.branches[i].controller.close();
    }
}

class ValueTee extends Tee {
    constructor(source) {
        super(source);
        this.again = false;
    }

    makeController(stream, ends) {
        new DefaultController(stream, ends, 1, null).begin(undefined);
    }

    pull() {
        this.again = this.reading;
        if (!this.reading) this.read();
        return Promise.resolve();
    }

    read() {
        this.reading = true;
        readerRead(this.reader, {
            chunk: (chunk) => Promise.resolve().then(() => this.deliver(chunk)),
            close: () => {
                this.closeBranches();
                this.over();
            },
            error: () => { this.reading = false; },
        });
    }

    deliver(chunk) {
        this.again = false;
        for (const i of [0, 1]) if (!this.gone[i]) this.branches[i].controller.enqueue(chunk);
        this.reading = false;
        if (this.again) this.read();
    }
}

function copyOf(chunk) {
    return new Uint8Array(chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + chunk.byteLength));
}

/* The destination of a BYOB read on a branch is passed on to the source. */
class ByteTee extends Tee {
    constructor(source) {
        super(source);
        this.again = [false, false];
    }

    makeController(stream, ends) {
        const controller = new ByteController(stream, ends, 0, 0);
        /* Upstream a read reaches the source at once. */
        if (flags.pedantic_wpt) controller.begin(undefined);
        else controller.beginNow();
    }

    pull(index) {
        if (this.reading) this.again[index] = true;
        else this.read(index);
        return Promise.resolve();
    }

    read(index) {
        this.reading = true;
        const request = this.branches[index].controller.byobRequest();
        if (request === null) this.readChunk();
        else if (!flags.pedantic_wpt && this.source.controller.queue.size > 0) this.takeAll();
        else this.readInto(index, request);
    }

    use(byob) {
        if (this.reader.byob === byob) return;
        const before = this.reader;
        this.reader = null;
        readerRelease(before);
        this.take(byob);
    }

    readChunk() {
        this.use(false);
        readerRead(this.reader, {
            chunk: (chunk) => Promise.resolve().then(() => this.deliver(chunk, -1)),
            close: () => {
                this.closeBranches();
                for (const i of [0, 1]) this.answerClosed(i);
                this.over();
            },
            error: () => { this.reading = false; },
        });
    }

    /* Upstream both branches get what is there, and not only what fits into one of them. */
    takeAll() {
        const { controller } = this.source, chunk = controller.takeBytes(controller.queue.size);
        controller.afterTake();
        Promise.resolve().then(() => this.deliver(chunk, -1));
    }

    readInto(index, { view, atLeast }) {
        this.use(true);
        this.source.disturbed = true;
        this.source.controller.pullInto(view, 1, {
            chunk: (chunk) => Promise.resolve().then(() => this.deliver(chunk, index)),
            close: (chunk) => {
                this.closeBranches();
                if (chunk !== undefined) {
                    if (!this.gone[index]) this.branches[index].controller.respondWithNewView(chunk);
                    if (!this.gone[1 - index]) this.answerClosed(1 - index);
                }
                this.over();
            },
            error: () => { this.reading = false; },
            whole: flags.pedantic_wpt ? null : (chunk, buffer) => Promise.resolve().then(() => {
                const { pending } = this.branches[index].controller;
                if (pending.length > 0) pending[0].buffer = buffer;
                this.deliver(chunk, -1);
            }),
        }, atLeast);
    }

    answerClosed(index) {
        const { controller } = this.branches[index];
        if (controller.pending.length > 0) controller.respond(0);
    }

    /* owner: the branch whose destination the chunk lies in, or -1. */
    deliver(chunk, owner) {
        const { branches, gone, again } = this;
        again[0] = again[1] = false;
        const first = owner < 0 ? 0 : owner, second = 1 - first;
        const copy = gone[second] ? null : gone[first] && owner < 0 ? chunk : copyOf(chunk);
        if (!gone[first]) {
            if (owner < 0) branches[first].controller.enqueueOwned(chunk);
            else branches[first].controller.respondWithNewView(chunk);
        }
        if (copy !== null) branches[second].controller.enqueueOwned(copy);
        this.reading = false;
        if (again[0]) this.read(0);
        else if (again[1]) this.read(1);
    }
}

export function tee(source) {
    const t = source.controller instanceof ByteController ? new ByteTee(source) : new ValueTee(source);
    t.makeBranch(0);
    t.makeBranch(1);
    return t.branches;
}
