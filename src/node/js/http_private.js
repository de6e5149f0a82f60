/* node:_http_common, _http_outgoing and _http_server: what programs of old reach for. */
const http = require("./http.js");
const common = require("./http_common.js");

module.exports = {
    ...http, CRLF: "\r\n", _checkInvalidHeaderChar: (value) => /[^\t\x20-\x7e\x80-\xff]/.test(value), _checkIsHttpToken: (value) => /^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/.test(value),
    chunkExpression: /(?:^|\W)chunked(?:$|\W)/i, continueExpression: /(?:^|\W)100-continue(?:$|\W)/i, kIncomingMessage: Symbol("IncomingMessage"), methods: common.METHODS, parsers: {},
    kHighWaterMark: Symbol("kHighWaterMark"), kUniqueHeaders: Symbol("kUniqueHeaders"),
    parseUniqueHeadersOption: (headers) => (Array.isArray(headers) ? new Set(headers.map((name) => name.toLowerCase())) : null),
    httpServerPreClose() {}, kConnectionsCheckingInterval: Symbol("http.server.connectionsCheckingInterval"), kServerResponse: Symbol("ServerResponse"), setupConnectionsTracking() {}, storeHTTPOptions() {},
};
