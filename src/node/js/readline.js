/* node:readline over streams; there is no terminal. */
const EventEmitter = require("./events.js");
const { AbortError } = require("./errors.js");
const { StringDecoder } = require("./string_decoder.js");

class Interface extends EventEmitter {
    #text = "";
    #decoder = new StringDecoder("utf8");
    #question = null;
    #skipLf = false;

    constructor(input, output = undefined) {
        super();
        const o = input?.input !== undefined || input?.output !== undefined ? input : { input, output };
        this.input = o.input;
        this.output = o.output;
        this.terminal = false;
        this.line = "";
        this.cursor = 0;
        this.closed = false;
        this._prompt = o.prompt ?? "";
        if (this.input !== undefined) {
            this.input.on("data", (chunk) => this.#feed(typeof chunk === "string" ? chunk : this.#decoder.write(chunk)));
            this.input.on("end", () => {
                this.#feed(this.#decoder.end());
                if (this.#text.length > 0) this.#line(this.#text);
                this.#text = "";
                this.close();
            });
            this.input.on("error", (error) => this.emit("error", error));
            this.input.resume?.();
        }
    }

    #feed(piece) {
        let text = piece;
        if (this.#skipLf && text.startsWith("\n")) text = text.slice(1);
        if (text === "") return;
        this.#skipLf = text.endsWith("\r");
        const lines = (this.#text + text).split(/\r\n|\n|\r|\u2028|\u2029/);
        this.#text = lines.pop();
        for (const line of lines) this.#line(line);
    }

    #line(line) {
        if (this.#question !== null) {
            const answer = this.#question;
            this.#question = null;
            answer(line);
        } else this.emit("line", line);
    }

    getPrompt() { return this._prompt; }
    setPrompt(prompt) { this._prompt = `${prompt}`; }
    prompt() { this.output?.write(this._prompt); }
    question(query, options, callback) {
        const done = typeof options === "function" ? options : callback;
        this.output?.write(query);
        this.#question = done;
    }

    write(data) { if (data !== undefined && data !== null) this.#feed(`${data}`); }
    pause() {
        this.input?.pause?.();
        this.emit("pause");
        return this;
    }

    resume() {
        this.input?.resume?.();
        this.emit("resume");
        return this;
    }

    close() {
        if (this.closed) return;
        this.closed = true;
        this.input?.pause?.();
        this.emit("close");
    }

    getCursorPos() { return { rows: 0, cols: 0 }; }
    [Symbol.dispose]() { this.close(); }
    async* [Symbol.asyncIterator]() {
        const lines = [];
        let wake = null, over = this.closed, error = null;
        const ring = () => {
            wake?.();
            wake = null;
        };
        this.on("line", (line) => {
            lines.push(line);
            ring();
        });
        this.on("close", () => {
            over = true;
            ring();
        });
        this.on("error", (e) => {
            error = e;
            ring();
        });
        try {
            for (;;) {
                while (lines.length > 0) yield lines.shift();
                if (error !== null) throw error;
                if (over) return;
                await new Promise((resolve) => { wake = resolve; });
            }
        } finally {
            this.close();
        }
    }
}

/* Nothing is written: there is no terminal. */
const done = (callback) => {
    if (typeof callback === "function") queueMicrotask(() => callback(null));
    return false;
};
module.exports = {
    Interface, createInterface: (input, output) => new Interface(input, output), clearLine: (s, d, cb) => done(cb), clearScreenDown: (s, cb) => done(cb),
    cursorTo: (s, x, y, cb) => done(typeof y === "function" ? y : cb), moveCursor: (s, x, y, cb) => done(cb), emitKeypressEvents() {},
};
Object.defineProperty(module.exports, "promises", { get: () => require("./readline_promises.js"), enumerable: true, configurable: true });
