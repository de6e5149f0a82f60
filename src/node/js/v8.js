module.exports = require("./absent.js")("v8");
