module.exports = require("./absent.js")("repl");
