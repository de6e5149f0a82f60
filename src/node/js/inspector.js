module.exports = require("./absent.js")("inspector");
