/* node:tty: nothing here is a terminal. */
const { notImplemented } = require("./errors.js");

function ReadStream() { notImplemented("tty.ReadStream"); }
function WriteStream() { notImplemented("tty.WriteStream"); }
module.exports = { isatty: () => false, ReadStream, WriteStream };
