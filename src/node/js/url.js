/* node:url: the standard URL classes, the legacy parser (npm's `url`), and paths of files. */
const { codes: { ERR_INVALID_ARG_TYPE, ERR_INVALID_FILE_URL_HOST, ERR_INVALID_FILE_URL_PATH, ERR_INVALID_ARG_VALUE, ERR_INVALID_URL_SCHEME, ERR_MISSING_ARGS }, validateObject, validateString } = require("./errors.js");
const legacy = require("url_legacy");
const path = require("./path.js");

const isURL = (v) => Boolean(v?.href && v.protocol && v.auth === undefined && v.path === undefined);

function parse(text, parseQuery, slashesDenoteHost) {
    if (text instanceof legacy.Url) return text;
    validateString(text, "url");
    return legacy.parse(text, parseQuery, slashesDenoteHost);
}

/* The options of format() for a URL of the standard. */
function formatURL(url, options) {
    if (options !== undefined) validateObject(options, "options");
    const { fragment = true, unicode = false, search = true, auth = true } = options ?? {};
    const copy = new URL(url.href);
    if (!fragment) copy.hash = "";
    if (!search) copy.search = "";
    if (!auth) copy.username = copy.password = "";
    return unicode && copy.hostname !== "" ? copy.href.replace(copy.hostname, domainToUnicode(copy.hostname)) : copy.href;
}

function format(value, options) {
    if (typeof value === "string") return legacy.format(parse(value));
    if (typeof value !== "object" || value === null) throw new ERR_INVALID_ARG_TYPE("urlObject", ["Object", "string"], value);
    if (value instanceof URL) return formatURL(value, options);
    return legacy.format(value);
}

function hostOf(domain) {
    try {
        return new URL(`ws://${domain}`).hostname;
    } catch {
        return "";
    }
}
function domainToASCII(domain) {
    if (arguments.length === 0) throw new ERR_MISSING_ARGS("domain");
    return hostOf(`${domain}`);
}
function domainToUnicode(domain) {
    if (arguments.length === 0) throw new ERR_MISSING_ARGS("domain");
    const { toUnicode } = require("punycode");
    return toUnicode(hostOf(`${domain}`));
}

function checkFile(url) {
    const u = typeof url === "string" ? new URL(url) : url;
    if (!isURL(u)) throw new ERR_INVALID_ARG_TYPE("path", ["string", "URL"], url);
    if (u.protocol !== "file:") throw new ERR_INVALID_URL_SCHEME("file");
    return u;
}

function fileURLToPath(url, options = undefined) {
    const u = checkFile(url);
    if (options?.windows) {
        if (/%2f|%5c/i.test(u.pathname)) throw new ERR_INVALID_FILE_URL_PATH("must not include encoded \\ or / characters", u);
        const name = decodeURIComponent(u.pathname.replaceAll("/", "\\"));
        if (u.hostname !== "") return `\\\\${domainToUnicode(u.hostname)}${name}`;
        if (!/^\\[A-Za-z]:/.test(name)) throw new ERR_INVALID_FILE_URL_PATH("must be absolute", u);
        return name.slice(1);
    }
    if (u.hostname !== "") throw new ERR_INVALID_FILE_URL_HOST("linux");
    if (/%2f/i.test(u.pathname)) throw new ERR_INVALID_FILE_URL_PATH("must not include encoded / characters", u);
    return decodeURIComponent(u.pathname);
}

function fileURLToPathBuffer(url) {
    return require("./querystring.js").unescapeBuffer(checkFile(url).pathname);
}

/* \\\\server\\share\\resource */
function uncToFileURL(name) {
    const resolved = path.win32.resolve(name);
    const end = resolved.indexOf("\\", 2);
    if (end === -1) throw new ERR_INVALID_ARG_VALUE("path", resolved, "Missing UNC resource path");
    if (end === 2) throw new ERR_INVALID_ARG_VALUE("path", resolved, "Empty UNC servername");
    const url = new URL("file:///");
    url.hostname = domainToASCII(resolved.slice(2, end));
    url.pathname = resolved.slice(end).replaceAll("\\", "/").replace(FILE_ESCAPES, escapeChar);
    return url;
}

const escapeChar = (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
const FILE_ESCAPES = /[%\\\n\r\t?#]/g;
function pathToFileURL(name, options = undefined) {
    validateString(name, "path");
    if (options?.windows && name.startsWith("\\\\")) return uncToFileURL(name);
    const flavour = options?.windows ? path.win32 : path;
    let resolved = flavour.resolve(name);
    if (/[/\\]$/.test(name) && options?.windows && !resolved.endsWith("\\")) resolved += "\\";
    else if (name.endsWith("/") && !resolved.endsWith("/")) resolved += "/";
    if (options?.windows) resolved = `/${resolved.replaceAll("\\", "/")}`;
    const url = new URL("file:///");
    url.pathname = resolved.replace(FILE_ESCAPES, escapeChar);
    return url;
}

function urlToHttpOptions(url) {
    const { hostname, pathname, port, username, password, search } = url;
    const options = {
        __proto__: null, ...url, protocol: url.protocol,
        hostname: hostname && hostname[0] === "[" ? hostname.slice(1, -1) : hostname,
        hash: url.hash, search, pathname, path: `${pathname || ""}${search || ""}`, href: url.href,
    };
    if (port !== "") options.port = Number(port);
    if (username || password) options.auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return options;
}

module.exports = {
    Url: legacy.Url, parse, resolve: (source, relative) => parse(source, false, true).resolve(relative),
    resolveObject: (source, relative) => (source ? parse(source, false, true).resolveObject(relative) : relative), format,
    URL, URLSearchParams, domainToASCII, domainToUnicode, pathToFileURL, fileURLToPath, fileURLToPathBuffer, urlToHttpOptions,
    toPathIfFileURL: (value) => (value instanceof URL ? fileURLToPath(value) : value),
};
if (typeof URLPattern === "function") module.exports.URLPattern = URLPattern;
