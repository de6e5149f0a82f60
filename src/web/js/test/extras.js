/*
 * What upstream gives to its own tests: modules of the scheme `workerd:` by flag, and the reader behind
 * `expose_draining_reader`. See docs/testing.md.
 */


/* Code from strings, whatever the isolate says: a script of its own each time. */
function unsafeEval(evaluate, compileModule) {
    const text = (keyword, body, args) => `(${keyword} (${args.join(",")}\n) {\n${body}\n})`;
    return {
        eval: (code, name = "eval") => evaluate(name, `${code}`),
        newFunction: (body, name = "anonymous", ...args) => evaluate(name, text("function", body, args)),
        newAsyncFunction: (body, name = "anonymous", ...args) => evaluate(name, text("async function", body, args)),
        newWasmModule: compileModule,
    };
}

/* There are no gates here that a rollout opens. */
const unsafe = { isTestAutogateEnabled: () => false };

const moduleOf = (value) => {
    let made = null;
    return () => (made ??= Object.freeze({ __proto__: null, default: value() }));
};

export function testModules(flags, evaluate, compileModule) {
    const modules = new Map();
    if (flags.unsafe_module) modules.set("workerd:unsafe", moduleOf(() => unsafe));
    if (flags.unsafe_module) modules.set("workerd:unsafe-eval", moduleOf(() => unsafeEval(evaluate, compileModule)));
    return modules;
}

/* A reader that knows the length: streams is the script of that name. */
export function drainingReader(streams) {
    return class ReadableStreamDrainingReader {
        #state;
        #reader;

        constructor(stream) {
            this.#state = streams.readableOf(stream);
            this.#reader = streams.makeReader(this.#state, false);
        }

        get closed() { return this.#reader.closed.promise; }
        get expectedLength() { return this.#state.length < 0 ? undefined : BigInt(this.#state.length); }

        async read() {
            const { value, done } = await streams.readerNext(this.#reader);
            return { chunks: done ? [] : [value], done };
        }

        cancel(reason = undefined) { return streams.streamCancel(this.#state, reason); }
        releaseLock() { streams.readerRelease(this.#reader); }
    };
}
