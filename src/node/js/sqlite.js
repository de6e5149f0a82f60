module.exports = require("./stubs.js")("sqlite");
