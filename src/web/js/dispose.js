/*
 * Explicit resource management for an engine that has the idea but not the names: Symbol.dispose,
 * Symbol.asyncDispose, SuppressedError, DisposableStack and AsyncDisposableStack. The linker lowers the
 * `using` syntax to these.
 */

function wellKnown(name) {
    if (Symbol[name] === undefined)
        Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`), writable: false });
    return Symbol[name];
}

export const DISPOSE = wellKnown("dispose");
export const ASYNC_DISPOSE = wellKnown("asyncDispose");

class SuppressedErrorHere extends Error {
    constructor(error, suppressed, message) {
        super(message);
        Object.defineProperty(this, "error", { value: error, writable: true, configurable: true });
        Object.defineProperty(this, "suppressed", { value: suppressed, writable: true, configurable: true });
    }
}
Object.defineProperty(SuppressedErrorHere, "name", { value: "SuppressedError" });
Object.defineProperty(SuppressedErrorHere.prototype, "name", { value: "SuppressedError", writable: true, configurable: true });

export const SuppressedError = global.SuppressedError ?? SuppressedErrorHere;

function method(value, symbols) {
    for (const symbol of symbols) {
        const fn = value[symbol];
        if (fn !== undefined && fn !== null) {
            if (typeof fn !== "function") throw new TypeError("The dispose method is not a function.");
            return fn;
        }
    }
    throw new TypeError("The value is not disposable.");
}

function collect(error, has, next) {
    return has ? new SuppressedError(next, error, "An error was suppressed during disposal.") : next;
}

class StackBase {
    #entries = [];
    #disposed = false;

    get disposed() {
        return this.#disposed;
    }

    _use(value, symbols) {
        this._check();
        if (value !== null && value !== undefined) {
            const fn = method(value, symbols);
            this.#entries.push(() => fn.call(value));
        }
        return value;
    }

    adopt(value, onDispose) {
        this._check();
        if (typeof onDispose !== "function") throw new TypeError("The callback is not a function.");
        this.#entries.push(() => onDispose(value));
        return value;
    }

    defer(onDispose) {
        this._check();
        if (typeof onDispose !== "function") throw new TypeError("The callback is not a function.");
        this.#entries.push(onDispose);
    }

    _check() {
        if (this.#disposed) throw new ReferenceError("The stack is disposed already.");
    }

    _take() {
        const entries = this.#entries;
        this.#entries = [];
        this.#disposed = true;
        return entries;
    }

    _give(entries) {
        this.#entries = entries;
    }
}

class DisposableStackHere extends StackBase {
    use(value) {
        return this._use(value, [DISPOSE]);
    }

    move() {
        this._check();
        const moved = new DisposableStackHere();
        moved._give(this._take());
        return moved;
    }

    dispose() {
        if (this.disposed) return;
        let error, failed = false;
        for (const run of this._take().reverse()) {
            try {
                run();
            } catch (e) {
                error = collect(error, failed, e);
                failed = true;
            }
        }
        if (failed) throw error;
    }

    [DISPOSE]() {
        this.dispose();
    }
}

class AsyncDisposableStackHere extends StackBase {
    use(value) {
        return this._use(value, [ASYNC_DISPOSE, DISPOSE]);
    }

    move() {
        this._check();
        const moved = new AsyncDisposableStackHere();
        moved._give(this._take());
        return moved;
    }

    async disposeAsync() {
        if (this.disposed) return;
        let error, failed = false;
        for (const run of this._take().reverse()) {
            try {
                await run();
            } catch (e) {
                error = collect(error, failed, e);
                failed = true;
            }
        }
        if (failed) throw error;
    }

    [ASYNC_DISPOSE]() {
        return this.disposeAsync();
    }
}

function named(cls, name) {
    Object.defineProperty(cls, "name", { value: name });
    Object.defineProperty(cls.prototype, Symbol.toStringTag, { value: name, configurable: true });
    return cls;
}

export const DisposableStack = global.DisposableStack ?? named(DisposableStackHere, "DisposableStack");
export const AsyncDisposableStack = global.AsyncDisposableStack ?? named(AsyncDisposableStackHere, "AsyncDisposableStack");

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
if (iteratorPrototype[DISPOSE] === undefined) {
    Object.defineProperty(iteratorPrototype, DISPOSE, {
        value: function () {
            const end = this.return;
            if (end !== undefined) end.call(this);
        },
        writable: true,
        configurable: true,
    });
}
