module.exports = { name: "child" };
