module.exports = require("./absent.js")("child_process");
