module.exports = require("./stubs.js")("v8");
