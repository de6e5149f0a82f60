module.exports = require("./stream.js").Duplex;
