/* node:readline/promises */
const readline = require("./readline.js");
const { AbortError } = require("./errors.js");

class Interface extends readline.Interface {
    question(query, options = {}) {
        const { signal } = options;
        if (signal?.aborted) return Promise.reject(new AbortError(undefined, { cause: signal.reason }));
        return new Promise((resolve, reject) => {
            super.question(query, resolve);
            signal?.addEventListener("abort", () => reject(new AbortError(undefined, { cause: signal.reason })), { once: true });
        });
    }
}
class Readline {
    clearLine() { return this; }
    clearScreenDown() { return this; }
    cursorTo() { return this; }
    moveCursor() { return this; }
    commit() { return Promise.resolve(); }
    rollback() { return this; }
}
module.exports = { Interface, Readline, createInterface: (input, output) => new Interface(input, output) };
