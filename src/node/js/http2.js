module.exports = require("./stubs.js")("http2");
