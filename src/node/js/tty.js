/* node:tty: nothing here is a terminal; streams know their descriptor and a size of nothing. */
const { Socket } = require("./net.js");

function ReadStream(fd) {
    return Object.assign(this, { fd, isRaw: false, isTTY: false });
}
function WriteStream(fd) {
    return Object.assign(this, { fd, columns: 0, rows: 0 });
}
for (const Stream of [ReadStream, WriteStream]) {
    Object.setPrototypeOf(Stream.prototype, Socket.prototype);
    Object.setPrototypeOf(Stream, Socket);
}

/* The callback comes last; nothing is written, so that it runs at once. */
const quiet = (name) => ({ [name](...args) {
    args.find((arg) => typeof arg === "function")?.();
    return false;
} }[name]);

ReadStream.prototype.setRawMode = function setRawMode(mode) {
    this.isRaw = mode;
    return this;
};
Object.assign(WriteStream.prototype, {
    isTTY: true, getColorDepth: () => 8, hasColors: () => false, _refreshSize() {},
    getWindowSize() { return [this.columns ?? 0, this.rows ?? 0]; },
    ...Object.fromEntries(["cursorTo", "moveCursor", "clearLine", "clearScreenDown"].map((name) => [name, quiet(name)])),
});

module.exports = { isatty: () => false, ReadStream, WriteStream };
