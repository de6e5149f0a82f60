const child = require("./old-child.cjs");
exports.kind = "commonjs";
exports.child = child.name;
exports.add = (a, b) => a + b;
exports.types = [typeof module, typeof exports, typeof require, this === module.exports];
