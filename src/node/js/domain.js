module.exports = require("./absent.js")("domain");
