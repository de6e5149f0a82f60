module.exports = require("./absent.js")("sqlite");
