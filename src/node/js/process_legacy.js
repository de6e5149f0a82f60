/* node:process and the global `process` of Workers from before the second version of them: six members. */
const process = require("./process.js");

module.exports = Object.fromEntries(["env", "exit", "features", "getBuiltinModule", "nextTick", "platform"].map((name) => [name, process[name]]));
