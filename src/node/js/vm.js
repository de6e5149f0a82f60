module.exports = require("./stubs.js")("vm");
