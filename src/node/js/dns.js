/* node:dns: the callback form of node:dns/promises. */
const { validateFunction, validateString } = require("./errors.js");
const promises = require("./dns_promises.js");

const dns = module.exports = {
    ...promises.ERRORS, ADDRCONFIG: 1024, ALL: 256, V4MAPPED: 2048, getServers: promises.getServers, setServers: promises.setServers,
    getDefaultResultOrder: promises.getDefaultResultOrder, setDefaultResultOrder: promises.setDefaultResultOrder,
};

const call = (name, run) => ({ [name](...args) {
    const callback = args.pop();
    validateFunction(callback, "callback");
    validateString(args[0], name === "reverse" ? "ip" : "name");
    run(...args).then((value) => queueMicrotask(() => callback(null, value)), (error) => queueMicrotask(() => callback(error)));
} }[name]);
const names = ["resolve", "resolve4", "resolve6", "resolveAny", "resolveCaa", "resolveCname", "resolveMx", "resolveNaptr", "resolveNs", "resolvePtr", "resolveSoa", "resolveSrv", "resolveTxt", "reverse"];
for (const name of names) dns[name] = call(name, promises[name]);

dns.lookup = function lookup(hostname, options, callback) {
    const [o, done] = typeof options === "function" ? [{}, options] : [options, callback];
    validateFunction(done, "callback");
    promises.lookup(hostname, o).then(
        (found) => queueMicrotask(() => (Array.isArray(found) ? done(null, found) : done(null, found.address, found.family))),
        (error) => queueMicrotask(() => done(error)));
};
dns.lookupService = function lookupService(address, port, callback) {
    validateFunction(callback, "callback");
    promises.lookupService(address, port).then((v) => callback(null, v.hostname, v.service), callback);
};
Object.defineProperty(dns.lookup, Symbol.for("nodejs.util.promisify.customArgs"), { value: ["address", "family"] });

dns.Resolver = class Resolver extends promises.Resolver {};
for (const name of names) if (name !== "resolveAny") Object.defineProperty(dns.Resolver.prototype, name, { value: dns[name], writable: true, configurable: true });
dns.promises = promises;
