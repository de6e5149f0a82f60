module.exports = require("./stubs.js")("dgram");
