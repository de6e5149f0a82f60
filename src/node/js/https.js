/* node:https */
const http = require("./http.js");
const { notImplemented } = require("./errors.js");

class Agent extends http.Agent {
    constructor(options = undefined) {
        super(options);
        this.defaultPort = 443;
        this.protocol = "https:";
    }
}
const globalAgent = new Agent({ keepAlive: true, scheduling: "lifo", timeout: 5000 });

function request(...args) {
    let at = typeof args[0] === "string" || args[0] instanceof URL ? 1 : 0;
    const options = typeof args[at] === "object" && args[at] !== null ? args[at] : {};
    const merged = { ...options, _defaultAgent: globalAgent };
    if (typeof args[at] === "object") args[at] = merged;
    else args.splice(at, 0, merged);
    at = 0;
    return new http.ClientRequest(...args);
}
function get(...args) {
    const r = request(...args);
    r.end();
    return r;
}
function Server() { notImplemented("https.Server"); }
module.exports = { Agent, globalAgent, Server, createServer: () => notImplemented("https.createServer"), get, request };
