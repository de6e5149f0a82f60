/* node:constants: those of os, fs and crypto in one object. */
const os = require("./os.js").constants;
module.exports = Object.freeze({
    ...os.errno, ...os.priority, ...os.signals, ...os.dlopen, ...require("./fs_constants.js"), ...require("./crypto_constants.js"),
});
