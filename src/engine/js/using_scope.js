// The run-time half of lowered `using` declarations (using.js): what a block has to dispose of, and
// the error, if any, that is on its way out of the block.
// Symbol.dispose and SuppressedError are read when needed: the web platform's script defines them
// where the engine does not.

function suppressed(error, previous) {
    const message = 'An error was suppressed during disposal';
    if (typeof globalThis.SuppressedError === 'function')
        return new globalThis.SuppressedError(error, previous, message);
    return Object.assign(new Error(message), { name: 'SuppressedError', error, suppressed: previous });
}

function methodOf(value, isAsync) {
    if (value === null || value === undefined) return undefined;
    if (typeof value !== 'object' && typeof value !== 'function') throw new TypeError(`${String(value)} is not an object`);
    let method = isAsync ? value[Symbol.asyncDispose] : undefined;
    method ??= value[Symbol.dispose];
    if (typeof method !== 'function') {
        const name = isAsync ? 'Symbol.asyncDispose' : 'Symbol.dispose';
        throw new TypeError(`The value has no method [${name}]`);
    }
    return method;
}

export class UsingScope {
    #resources = [];
    #failure = null;

    add(value) {
        const method = methodOf(value, false);
        if (method !== undefined) this.#resources.push({ value, method, isAsync: false });
        return value;
    }

    // null and undefined count too: `await using x = null` still waits one turn.
    addAsync(value) {
        this.#resources.push({ value, method: methodOf(value, true), isAsync: true });
        return value;
    }

    fail(error) {
        this.#failure = { error };
    }

    #failAgain(error) {
        this.#failure = { error: this.#failure ? suppressed(error, this.#failure.error) : error };
    }

    #finish() {
        if (this.#failure) throw this.#failure.error;
    }

    end() {
        for (let item = this.#resources.pop(); item; item = this.#resources.pop()) {
            try {
                item.method.call(item.value);
            } catch (error) {
                this.#failAgain(error);
            }
        }
        this.#finish();
    }

    async endAsync() {
        for (let item = this.#resources.pop(); item; item = this.#resources.pop()) {
            try {
                const result = item.method?.call(item.value);
                if (item.isAsync) await result;
            } catch (error) {
                this.#failAgain(error);
            }
        }
        this.#finish();
    }
}
