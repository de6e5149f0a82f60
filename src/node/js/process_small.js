/* What readable-stream needs of process: not the whole of it. */
const nextTick = (fn, ...args) => queueMicrotask(args.length === 0 ? fn : () => fn(...args));
module.exports = { nextTick, env: {}, emitWarning: (warning) => console.warn(String(warning)), platform: "linux", version: "v22.23.4" };
