module.exports = require("./absent.js")("worker_threads");
