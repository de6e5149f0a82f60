module.exports = require("./stubs.js")("stream_wrap");
