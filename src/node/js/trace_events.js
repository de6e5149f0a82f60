module.exports = require("./absent.js")("trace_events");
