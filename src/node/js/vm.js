module.exports = require("./absent.js")("vm");
