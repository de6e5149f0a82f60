module.exports = require("./stubs.js")("repl");
