module.exports = require("readable_stream");
