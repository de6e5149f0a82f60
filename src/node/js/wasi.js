module.exports = require("./stubs.js")("wasi");
