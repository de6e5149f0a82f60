module.exports = require("./absent.js")("http2");
