/* node:tls: client sockets with TLS, over `cloudflare:sockets`; certificates are checked outside. */
const { codes: { ERR_OPTION_NOT_IMPLEMENTED, ERR_OUT_OF_RANGE, ERR_TLS_INVALID_CONTEXT }, notImplemented, validateFunction } = require("./errors.js");
const net = require("./net.js");
const { Buffer } = require("./buffer.js");

/* Certificates are checked outside: nobody else's check could be kept. */
function checkOptions(o) {
    if (o?.checkServerIdentity !== undefined) {
        validateFunction(o.checkServerIdentity, "options.checkServerIdentity");
        if (o.checkServerIdentity !== checkServerIdentity) throw new ERR_OPTION_NOT_IMPLEMENTED("options.checkServerIdentity");
    }
    if (o?.secureContext !== undefined && o.secureContext !== null && o.secureContext.context === undefined) throw new ERR_TLS_INVALID_CONTEXT("context");
}

class TLSSocket extends net.Socket {
    constructor(socket, options = undefined) {
        checkOptions(options);
        super(socket === undefined || typeof socket?._socket === "function" ? options : { ...socket, ...options });
        this.encrypted = true;
        this.authorized = false;
        this.authorizationError = null;
        this.alpnProtocol = false;
        this.servername = options?.servername ?? false;
        this._secure = "on";
        this.once("secureConnect", () => { this.authorized = true; });
        this._parent = typeof socket?._socket === "function" ? socket : null;
    }

    getPeerCertificate() { return {}; }
    getCertificate() { return {}; }
    getCipher() { return { name: "TLS_AES_128_GCM_SHA256", standardName: "TLS_AES_128_GCM_SHA256", version: "TLSv1.3" }; }
    getProtocol() { return "TLSv1.3"; }
    getSession() { return undefined; }
    isSessionReused() { return false; }
    getEphemeralKeyInfo() { return {}; }
    getFinished() { return undefined; }
    getPeerFinished() { return undefined; }
    getPeerX509Certificate() { return undefined; }
    getX509Certificate() { return undefined; }
    getSharedSigalgs() { return []; }
    getTLSTicket() { return undefined; }
    setServername() {}
    setMaxSendFragment() { return true; }
    setKeyCert() {}
    disableRenegotiation() {}
    enableTrace() {}
    renegotiate(options, callback) { queueMicrotask(() => callback?.(null)); }
    exportKeyingMaterial() { return notImplemented("tls.TLSSocket.exportKeyingMaterial"); }

    /* STARTTLS on the connection of another socket. */
    _upgrade(parent, host) {
        const start = () => {
            parent._release();
            const secure = parent._socket().startTls();
            this.connecting = true;
            this._attach(secure, host, parent.remotePort, (error) => this.destroy(error));
        };
        if (parent._socket() === null || parent.connecting) parent.once("connect", start);
        else start();
    }
}
Object.defineProperty(TLSSocket.prototype, "_parent", { value: null, writable: true });

function connect(...args) {
    const [options, callback] = net._normalizeArgs(args);
    const extra = args.find((a, i) => i > 0 && typeof a === "object" && a !== null);
    const o = { ...options, ...extra };
    const socket = new TLSSocket(o.socket, o);
    if (callback) socket.once("secureConnect", callback);
    if (o.timeout) socket.setTimeout(o.timeout);
    if (o.socket) socket._upgrade(o.socket, o.servername ?? o.host ?? o.socket.remoteAddress);
    else socket.connect([{ port: o.port ?? 443, host: o.host ?? "localhost" }, null]);
    return socket;
}

class SecureContext {
    constructor() { this.context = {}; }
}

function convertALPNProtocols(protocols, out) {
    if (Array.isArray(protocols)) {
        protocols.forEach((p, i) => {
            const { length } = Buffer.from(p);
            if (length > 255) throw new ERR_OUT_OF_RANGE(`The byte length of the protocol at index ${i} exceeds the maximum length.`, "<= 255", length, true);
        });
        out.ALPNProtocols = Buffer.concat(protocols.map((p) => Buffer.concat([Buffer.from([p.length]), Buffer.from(p)])));
    } else if (ArrayBuffer.isView(protocols)) out.ALPNProtocols = Buffer.from(protocols);
}

function matches(pattern, host) {
    const p = pattern.toLowerCase().split("."), h = host.toLowerCase().replace(/\.$/, "").split(".");
    if (p.length !== h.length) return false;
    return p.every((part, i) => part === h[i] || (i === 0 && part === "*" && p.length > 2));
}

function checkServerIdentity(hostname, cert) {
    const host = `${hostname}`, names = (cert.subjectaltname ?? "").split(", ").filter(Boolean);
    const dns = names.filter((n) => n.startsWith("DNS:")).map((n) => n.slice(4)), ips = names.filter((n) => n.startsWith("IP Address:")).map((n) => n.slice(11));
    let reason;
    if (net.isIP(host)) {
        if (ips.includes(host)) return undefined;
        reason = `IP: ${host} is not in the cert's list: ${ips.join(", ")}`;
    } else if (dns.length > 0 || cert.subject?.CN) {
        const list = dns.length > 0 ? dns : [cert.subject.CN].flat();
        if (list.some((n) => matches(n, host))) return undefined;
        reason = dns.length > 0 ? `Host: ${host}. is not in the cert's altnames: ${cert.subjectaltname}` : `Host: ${host}. is not cert's CN: ${cert.subject.CN}`;
    } else reason = "Cert does not contain a DNS name";
    return Object.assign(new Error(`Hostname/IP does not match certificate's altnames: ${reason}`), { code: "ERR_TLS_CERT_ALTNAME_INVALID", reason, host, cert });
}

function Server() { notImplemented("tls.Server"); }
const CIPHERS = ["tls_aes_256_gcm_sha384", "tls_chacha20_poly1305_sha256", "tls_aes_128_gcm_sha256"];
module.exports = {
    CLIENT_RENEG_LIMIT: 3, CLIENT_RENEG_WINDOW: 600, DEFAULT_CIPHERS: CIPHERS.map((c) => c.toUpperCase()).join(":"), DEFAULT_ECDH_CURVE: "auto", DEFAULT_MIN_VERSION: "TLSv1.2",
    DEFAULT_MAX_VERSION: "TLSv1.3", getCiphers: () => CIPHERS.slice(), rootCertificates: [], getCACertificates: () => [], setDefaultCACertificates: () => notImplemented("tls.setDefaultCACertificates"),
    convertALPNProtocols, checkServerIdentity, createSecureContext: () => new SecureContext(), SecureContext, TLSSocket, Server, createServer: () => notImplemented("tls.createServer"),
    connect, translatePeerCertificate: (cert) => cert || null, createSecurePair: () => notImplemented("tls.createSecurePair"),
};
