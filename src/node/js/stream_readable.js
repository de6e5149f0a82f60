module.exports = require("./stream.js").Readable;
