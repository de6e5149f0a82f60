module.exports = require("./stubs.js")("domain");
