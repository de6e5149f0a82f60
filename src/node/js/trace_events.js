module.exports = require("./stubs.js")("trace_events");
