module.exports = require("./stream.js").PassThrough;
