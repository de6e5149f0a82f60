module.exports = require("./absent.js")("stream_wrap");
