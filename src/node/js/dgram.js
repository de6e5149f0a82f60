/* node:dgram: sockets that exist and do nothing, as upstream. */
const { codes: { ERR_INVALID_ARG_TYPE }, validateFunction } = require("./errors.js");
const EventEmitter = require("./events.js");

class Socket extends EventEmitter {
    constructor(options, callback = undefined) {
        super();
        if (typeof options !== "string" && (typeof options !== "object" || options === null || Array.isArray(options)))
            throw new ERR_INVALID_ARG_TYPE("options", ["string", "object"], options);
        if (callback !== undefined) {
            validateFunction(callback, "callback");
            this.on("message", callback);
        }
    }

    bind() { return this; }
    close() { return this; }
    ref() { return this; }
    unref() { return this; }
    address() { return {}; }
    remoteAddress() { return {}; }
    async [Symbol.asyncDispose]() {}
}
for (const name of ["connect", "disconnect", "send", "sendto", "setBroadcast", "setTTL", "setMulticastTTL", "setMulticastLoopback", "setMulticastInterface", "addMembership",
    "dropMembership", "addSourceSpecificMembership", "dropSourceSpecificMembership", "setRecvBufferSize", "setSendBufferSize"])
    Object.defineProperty(Socket.prototype, name, { value: { [name]() {} }[name], writable: true, configurable: true });
for (const name of ["getRecvBufferSize", "getSendBufferSize", "getSendQueueSize", "getSendQueueCount"])
    Object.defineProperty(Socket.prototype, name, { value: { [name]: () => 0 }[name], writable: true, configurable: true });

module.exports = { Socket, createSocket: (options, callback) => new Socket(options, callback), _createSocketHandle: () => require("./errors.js").notImplemented("dgram._createSocketHandle") };
