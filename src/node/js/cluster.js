module.exports = require("./absent.js")("cluster");
