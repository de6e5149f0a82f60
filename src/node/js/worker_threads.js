module.exports = require("./stubs.js")("worker_threads");
