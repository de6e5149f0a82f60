module.exports = require("./stubs.js")("child_process");
