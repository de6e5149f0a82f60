/* What npm's `url` asks of `qs`. */
const querystring = require("./querystring.js");
module.exports = { parse: (text) => querystring.parse(text), stringify: (object) => querystring.stringify(object) };
