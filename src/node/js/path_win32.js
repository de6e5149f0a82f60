module.exports = require("./path.js").win32;
