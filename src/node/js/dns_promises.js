/* node:dns/promises: DNS over HTTPS, as upstream. */
const { codes: { ERR_INVALID_ARG_VALUE }, notImplemented, validateOneOf, validatePort, validateString } = require("./errors.js");
const { isIP, isIPv4, isIPv6 } = require("./net.js");

const ENDPOINT = "https://cloudflare-dns.com/dns-query";
const SERVERS = ["1.1.1.1", "2606:4700:4700::1111", "1.0.0.1", "2606:4700:4700::1001"]; // behind it
const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, NAPTR: 35, CAA: 257, ANY: 255 };

function failure(code, syscall, hostname) {
    return Object.assign(new Error(`${syscall} ${code}${hostname === undefined ? "" : ` ${hostname}`}`), { errno: undefined, code, syscall, hostname });
}

async function query(name, type, syscall) {
    let json;
    try {
        const response = await fetch(`${ENDPOINT}?name=${encodeURIComponent(name)}&type=${type}`, { headers: { accept: "application/dns-json" } });
        json = await response.json();
    } catch {
        throw failure("ECONNREFUSED", syscall, name);
    }
    if (json.Status === 3) throw failure("ENOTFOUND", syscall, name);
    if (json.Status === 2) throw failure("ESERVFAIL", syscall, name);
    if (json.Status !== 0) throw failure("EREFUSED", syscall, name);
    const answers = (json.Answer ?? []).filter((a) => type === "ANY" || a.type === TYPES[type]);
    if (answers.length === 0) throw failure("ENODATA", syscall, name);
    return answers;
}

const plain = (name) => name.replace(/\.$/, "");
const unquote = (text) => [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((m) => (m[1] ?? m[2]).replace(/\\(.)/g, "$1"));

/* What a record's text says, by type. */
const READ = {
    A: ({ data }) => data, AAAA: ({ data }) => data, NS: ({ data }) => plain(data), CNAME: ({ data }) => plain(data), PTR: ({ data }) => plain(data),
    MX({ data }) {
        const [priority, exchange] = data.split(" ");
        return { exchange: plain(exchange), priority: Number(priority) };
    },
    TXT: ({ data }) => unquote(data),
    SRV({ data }) {
        const [priority, weight, port, name] = data.split(" ");
        return { name: plain(name), port: Number(port), priority: Number(priority), weight: Number(weight) };
    },
    SOA({ data }) {
        const [nsname, hostmaster, serial, refresh, retry, expire, minttl] = data.split(" ");
        return { nsname: plain(nsname), hostmaster: plain(hostmaster), serial: Number(serial), refresh: Number(refresh), retry: Number(retry), expire: Number(expire), minttl: Number(minttl) };
    },
    NAPTR({ data }) {
        const [order, preference, flags, service, regexp, replacement] = unquote(data);
        return { flags, service, regexp, replacement: plain(replacement ?? ""), order: Number(order), preference: Number(preference) };
    },
    CAA({ data }) {
        const [critical, tag, value] = unquote(data);
        return { critical: Number(critical), [tag]: value };
    },
};

async function resolveType(name, type, syscall, options = undefined) {
    validateString(name, "name");
    const answers = await query(name, type, syscall);
    if (type === "SOA") return READ.SOA(answers[0]);
    if (options?.ttl && (type === "A" || type === "AAAA")) return answers.map((a) => ({ ttl: a.TTL, address: a.data }));
    return answers.map(READ[type]);
}

const resolvers = {};
for (const [method, type, syscall] of [["resolve4", "A", "queryA"], ["resolve6", "AAAA", "queryAaaa"], ["resolveCaa", "CAA", "queryCaa"], ["resolveCname", "CNAME", "queryCname"],
    ["resolveMx", "MX", "queryMx"], ["resolveNaptr", "NAPTR", "queryNaptr"], ["resolveNs", "NS", "queryNs"], ["resolvePtr", "PTR", "queryPtr"], ["resolveSoa", "SOA", "querySoa"],
    ["resolveSrv", "SRV", "querySrv"], ["resolveTxt", "TXT", "queryTxt"]])
    resolvers[method] = { [method]: async (name, options) => resolveType(name, type, syscall, options) }[method];

/* Wrong arguments throw at once; what goes wrong later rejects. */
function resolve(name, rrtype = "A") {
    validateString(rrtype, "rrtype");
    const method = rrtype === "A" ? "resolve4" : rrtype === "AAAA" ? "resolve6" : `resolve${rrtype[0]}${rrtype.slice(1).toLowerCase()}`;
    if (!Object.hasOwn(resolvers, method)) throw new ERR_INVALID_ARG_VALUE("rrtype", rrtype);
    return resolvers[method](name);
}

function lookup(hostname, options = {}) {
    const o = typeof options === "number" ? { family: options } : options ?? {};
    if (hostname) validateString(hostname, "hostname");
    if (o.family !== undefined && o.family !== "IPv4" && o.family !== "IPv6") validateOneOf(o.family, "options.family", [0, 4, 6]);
    const family = o.family === "IPv4" ? 4 : o.family === "IPv6" ? 6 : o.family ?? 0;
    return find(hostname, family, o);
}

async function find(hostname, family, o) {
    const give = (list) => (o.all ? list : list[0]);
    if (!hostname) return o.all ? [] : { address: null, family: family === 6 ? 6 : 4 };
    const literal = isIP(hostname);
    if (literal) return give([{ address: hostname, family: literal }]);
    if (hostname === "localhost") return give([{ address: family === 6 ? "::1" : "127.0.0.1", family: family === 6 ? 6 : 4 }]);
    const jobs = [];
    if (family !== 6) jobs.push(["A", 4]);
    if (family !== 4) jobs.push(["AAAA", 6]);
    const out = [];
    for (const [type, f] of jobs) {
        try {
            for (const a of await query(hostname, type, "getaddrinfo")) out.push({ address: a.data, family: f });
        } catch (error) {
            if (error.code !== "ENODATA" && error.code !== "ENOTFOUND") throw error;
        }
        if (out.length > 0 && !o.all) break;
    }
    if (out.length === 0) throw Object.assign(failure("ENOTFOUND", "getaddrinfo", hostname), { errno: -3008 });
    return give(out);
}

async function reverse(ip) {
    validateString(ip, "ip");
    if (isIPv4(ip)) return resolveType(`${ip.split(".").reverse().join(".")}.in-addr.arpa`, "PTR", "getHostByAddr");
    if (!isIPv6(ip)) throw Object.assign(failure("EINVAL", "getHostByAddr", ip), { errno: -22 });
    const [head, tail] = ip.split("::");
    const left = head ? head.split(":") : [], right = tail ? tail.split(":") : [];
    const all = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill("0"), ...right];
    const nibbles = all.map((g) => g.padStart(4, "0")).join("");
    return resolveType(`${[...nibbles].reverse().join(".")}.ip6.arpa`, "PTR", "getHostByAddr");
}

let order = "verbatim";
const setDefaultResultOrder = (value) => {
    validateOneOf(value, "dnsOrder", ["ipv4first", "ipv6first", "verbatim"]);
    order = value;
};

class Resolver {
    cancel() {}
    getServers() { return SERVERS.slice(); }
    setServers() {}
    setLocalAddress() {}
}
Object.assign(Resolver.prototype, resolvers, { resolve, reverse });
for (const name of Object.keys(Resolver.prototype)) Object.defineProperty(Resolver.prototype, name, { enumerable: false });

const ERRORS = { NODATA: "ENODATA", FORMERR: "EFORMERR", SERVFAIL: "ESERVFAIL", NOTFOUND: "ENOTFOUND", NOTIMP: "ENOTIMP", REFUSED: "EREFUSED", BADQUERY: "EBADQUERY", BADNAME: "EBADNAME", BADFAMILY: "EBADFAMILY", BADRESP: "EBADRESP", CONNREFUSED: "ECONNREFUSED", TIMEOUT: "ETIMEOUT", EOF: "EOF", FILE: "EFILE", NOMEM: "ENOMEM", DESTRUCTION: "EDESTRUCTION", BADSTR: "EBADSTR", BADFLAGS: "EBADFLAGS", NONAME: "ENONAME", BADHINTS: "EBADHINTS", NOTINITIALIZED: "ENOTINITIALIZED", LOADIPHLPAPI: "ELOADIPHLPAPI", ADDRGETNETWORKPARAMS: "EADDRGETNETWORKPARAMS", CANCELLED: "ECANCELLED" };

module.exports = {
    ...resolvers, ADDRCONFIG: 1024, ALL: 256, V4MAPPED: 2048, resolve, reverse, lookup, Resolver, ...ERRORS, getServers: () => SERVERS.slice(), setServers: () => {}, getDefaultResultOrder: () => order, setDefaultResultOrder,
    async lookupService(address, port) {
        if (isIP(address) === 0) throw new ERR_INVALID_ARG_VALUE("address", address);
        validatePort(port);
        return notImplemented("dns.lookupService");
    },
    async resolveAny() { return notImplemented("dns.resolveAny"); },
};
Object.defineProperty(module.exports, "ERRORS", { value: ERRORS, enumerable: false });
