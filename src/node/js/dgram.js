module.exports = require("./absent.js")("dgram");
