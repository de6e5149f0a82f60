module.exports = require("./stubs.js")("cluster");
