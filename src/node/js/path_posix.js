module.exports = require("./path.js");
