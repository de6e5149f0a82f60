module.exports = require("./stubs.js")("inspector");
