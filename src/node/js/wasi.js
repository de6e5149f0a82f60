module.exports = require("./absent.js")("wasi");
