/* node:constants: those of os, fs and crypto in one object. */
const os = require("./os.js").constants;
module.exports = Object.freeze({
    EXTENSIONLESS_FORMAT_JAVASCRIPT: 0, EXTENSIONLESS_FORMAT_WASM: 1, O_SYMLINK: 0x200000, SIGINFO: 29,
    ...os.errno, ...os.priority, ...os.signals, ...os.dlopen, ...require("./fs_constants.js"), ...require("./crypto_constants.js"),
});
