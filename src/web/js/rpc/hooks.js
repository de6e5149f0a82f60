/*
 * What a stub leads to. All hooks have
 *
 *     call(path, payload)   a call, or with payload null the value itself → Outcome
 *     dup(), dispose()      each hook is one reference
 *     onBroken(fn)          fn(error) when nothing can come of it any more
 *
 * Here: those to objects of this isolate. Those to another one are in session.js.
 */
import { encode, make, open } from "./payload.js";
import { disposeOf, handlerOf, isTarget, member, PATH_MAX } from "./target.js";

export const noop = () => {};

/* A call under way: `payload`, a promise of what comes over, and `hook`, the pipeline to it. */
export class Outcome {
    constructor(payload, hook) {
        this.payload = payload;
        this.hook = hook;
        payload.then(undefined, noop); // whoever waits for it hears of it
    }
}

export function failed(error) {
    const payload = Promise.reject(error);
    return new Outcome(payload, new PromiseHook(payload.then()));
}

const NONE = [];

/* Walks all but the last step; a stub on the way takes the rest of it. */
function walk(target, path, entry) {
    let holder = target;
    for (let i = 0; i < path.length; i++) {
        const kind = i === 0 ? entry : null, handler = kind === null ? handlerOf(holder) : undefined;
        if (handler !== undefined) return { handler, rest: path.slice(i), holder: null, name: null, entry: null };
        if (i === path.length - 1) return { handler, rest: NONE, holder, name: path[i], entry: kind };
        holder = member(holder, path[i], kind);
    }
    return { handler: handlerOf(holder), rest: NONE, holder, name: null, entry: null };
}

/* Runs the call on an object. Returns the value or a promise of it; throws what the object throws. Stubs among the
 * arguments are left in cleanup.stubs: they live until the result has been encoded. */
export function invoke(box, path, payload, cleanup) {
    if (path.length > PATH_MAX) throw new TypeError(`RPC pipelined property path is too deep (max ${PATH_MAX}).`);
    const at = walk(box.target, path, box.entry);
    if (at.handler !== undefined) {
        const { payload: answer } = at.handler.liveHook().call(at.rest, payload);
        return answer.then((p) => open(p).value);
    }
    const found = at.name === null ? at.holder : member(at.holder, at.name, at.entry);
    if (payload === null) return found;
    if (typeof found !== "function") {
        const handler = handlerOf(found);
        if (handler === undefined) throw new TypeError(`"${at.name ?? "(this)"}" is not a function.`);
    }
    const { value: args, stubs } = open(payload);
    cleanup.stubs = stubs;
    if (!Array.isArray(args)) throw new TypeError("malformed arguments");
    if (at.entry !== null && at.entry.apply !== undefined) return box.entry.apply(found, at.name, args, at.holder);
    return Reflect.apply(found, at.name === null ? undefined : at.holder, args);
}

export function disposeAll(stubs) {
    if (stubs !== null) for (const stub of stubs) handlerOf(stub)?.dispose();
}

/* A result that is a stub moves to the caller: the callee's own goes once it has been encoded. */
function encodeResult(value) {
    const payload = encode(value);
    handlerOf(value)?.moved();
    return payload;
}

const DONE = Promise.resolve();

/* Calls in the isolate itself: the same copies, the same rules. */
export class LocalHook {
    /* box: {target, refs, entry}; entry is null, or {apply} of an entrypoint. */
    constructor(box) {
        this.box = box;
    }

    call(path, payload) {
        const { box } = this;
        if (box === null) return failed(new Error("RPC stub used after being disposed."));
        return outcomeOf((cleanup) => invoke(box, path, payload, cleanup));
    }

    dup() {
        this.box.refs++;
        return new LocalHook(this.box);
    }

    dispose() {
        const { box } = this;
        if (box === null) return;
        this.box = null;
        if (--box.refs === 0 && box.entry === null) runDispose(box.target);
    }

    onBroken() {}
}

export function runDispose(target) {
    const fn = disposeOf(target);
    if (fn === null) return;
    DONE.then(() => fn.call(target)).catch(noop);
}

/* start(cleanup) → value or promise. */
export function outcomeOf(start) {
    const cleanup = { stubs: null }, box = { live: undefined };
    let value;
    try {
        value = start(cleanup);
    } catch (error) {
        disposeAll(cleanup.stubs);
        return failed(error);
    }
    const done = Promise.resolve(value).then((result) => {
        const handler = handlerOf(result);
        /* A stub moves away with the result; the pipeline keeps a reference of its own. */
        box.live = handler === undefined ? result : make.stub(handler.hookToSend());
        try {
            return encodeResult(result);
        } finally {
            disposeAll(cleanup.stubs);
        }
    }, (error) => {
        disposeAll(cleanup.stubs);
        throw error;
    });
    return new Outcome(done, new ValueHook(done, box, []));
}

export const localHook = (target) => new LocalHook({ target, refs: 1, entry: null });
export const entryHook = (target, entry = {}) => new LocalHook({ target, refs: 1, entry });

/* A pipeline into a result that is not there yet: the object itself, not the copy that goes over. */
export class ValueHook {
    constructor(done, box, prefix) {
        this.done = done;
        this.box = box;
        this.prefix = prefix;
    }

    call(path, payload) {
        const steps = [...this.prefix, ...path], { box } = this;
        return outcomeOf((cleanup) => this.done.then(() => {
            const value = box.live;
            if (payload === null && steps.length === 0) return value;
            return invoke({ target: value, entry: null }, steps, payload, cleanup);
        }));
    }

    at(path) {
        return new ValueHook(this.done, this.box, [...this.prefix, ...path]);
    }

    dup() {
        return this;
    }

    /* Whoever called wants no more of the result. */
    finish() {
        this.done.then(() => {
            const { live } = this.box;
            const handler = handlerOf(live);
            if (handler !== undefined) handler.dispose();
            else if (typeof live === "object" && live !== null && !isTarget(live)) runDispose(live);
        }, noop);
    }

    dispose() {}

    onBroken(fn) {
        this.done.then(undefined, fn);
    }
}

/* A pipeline that leads to whatever hook a promise gives. */
export class PromiseHook {
    constructor(promise) {
        this.promise = promise;
        promise.then(undefined, noop);
    }

    call(path, payload) {
        const outcome = this.promise.then((hook) => hook.call(path, payload));
        return new Outcome(outcome.then((o) => o.payload), new PromiseHook(outcome.then((o) => o.hook)));
    }

    dup() {
        return new PromiseHook(this.promise.then((hook) => hook.dup()));
    }

    dispose() {
        this.promise.then((hook) => hook.dispose(), noop);
    }

    onBroken(fn) {
        this.promise.then((hook) => hook.onBroken(fn), fn);
    }
}
