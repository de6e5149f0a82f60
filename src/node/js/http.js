/* node:http: a client over fetch(), servers behind `cloudflare:node`. */
const common = require("./http_common.js");
const client = require("./http_client.js");
const server = require("./http_server.js");

const request = (...args) => new client.ClientRequest(...args);
function get(...args) {
    const r = request(...args);
    r.end();
    return r;
}
/* Base classes that programs of old call as functions. */
const callable = (cls) => {
    const fn = { [cls.name]: function (...args) { return Reflect.construct(cls, args, new.target ?? fn); } }[cls.name];
    fn.prototype = cls.prototype;
    Object.defineProperty(cls.prototype, "constructor", { value: fn, writable: true, configurable: true, enumerable: false });
    return fn;
};

const http = module.exports = {
    METHODS: common.METHODS.slice().sort(), STATUS_CODES: common.STATUS_CODES, Agent: callable(client.Agent), ClientRequest: callable(client.ClientRequest),
    IncomingMessage: callable(common.IncomingMessage), OutgoingMessage: callable(common.OutgoingMessage), Server: callable(server.Server),
    ServerResponse: callable(server.ServerResponse), createServer: (options, listener) => new http.Server(options, listener),
    validateHeaderName: common.validateHeaderName, validateHeaderValue: common.validateHeaderValue, get, request,
    setMaxIdleHTTPParsers() {}, maxHeaderSize: 16384, globalAgent: client.globalAgent, _connectionListener() {},
    WebSocket: globalThis.WebSocket, CloseEvent: globalThis.CloseEvent, MessageEvent: globalThis.MessageEvent,
};
