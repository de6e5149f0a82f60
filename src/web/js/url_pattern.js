/* URLPattern. https://urlpattern.spec.whatwg.org/ */
import { URL } from "./url.js";
import { compile, escapePattern, fail } from "./url_pattern_parse.js";
import { parseString } from "./url_pattern_string.js";

const COMPONENTS = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];
const PORTS = { http: "80", https: "443", ws: "80", wss: "443", ftp: "21", file: "" };
const isSpecialScheme = (scheme) => Object.hasOwn(PORTS, scheme);

const DEFAULT = { delimiter: "", prefix: "", ignoreCase: false };
const HOSTNAME = { delimiter: ".", prefix: "", ignoreCase: false };
const PATHNAME = { delimiter: "/", prefix: "/", ignoreCase: false };

/* --- components as the URL parser writes them --- */

const dummy = () => new URL("https://dummy.invalid");

function throughSetter(part, strip) {
    return (value) => {
        const url = dummy();
        url[part] = value;
        return strip ? url[part].slice(1) : url[part];
    };
}

const encode = {
    protocol(value) {
        if (value === "") return value;
        const url = URL.parse(`${value}://dummy.invalid`);
        if (url === null) throw fail();
        return url.protocol.slice(0, -1);
    },
    username: throughSetter("username", false),
    password: throughSetter("password", false),
    hostname(value) {
        if (value === "") return value;
        const url = dummy();
        url.hostname = value;
        if (url.hostname === "dummy.invalid" && value.toLowerCase() !== "dummy.invalid") throw fail();
        return url.hostname;
    },
    bracketed(value) {
        if (!/^[0-9a-f[\]:]*$/i.test(value)) throw fail();
        return value.toLowerCase();
    },
    port(value, protocol = "") {
        if (value === "") return value;
        const digits = /^[0-9]+/.exec(value.replace(/[\t\n\r]/g, ""));
        if (digits === null || Number(digits[0]) > 65535) throw fail();
        const port = String(Number(digits[0]));
        return PORTS[protocol] === port ? "" : port;
    },
    pathname(value) {
        if (value === "") return value;
        const rooted = value.startsWith("/"), url = dummy();
        url.pathname = rooted ? value : `/-${value}`;
        return rooted ? url.pathname : url.pathname.slice(2);
    },
    opaque: (value) => value.replace(/[\t\n\r]/g, "").replace(/[^\x20-\x7e]+/gu, (part) => encodeURIComponent(part.toWellFormed())),
    search: throughSetter("search", true),
    hash: throughSetter("hash", true),
};

/* --- dictionaries of components --- */

const isRooted = (path, pattern) => path.startsWith("/") || (pattern && (path.startsWith("\\/") || path.startsWith("{/")));

/* What the base has for components that stand left of all those that are given. */
function inherit(init, pattern, result) {
    const base = URL.parse(init.baseURL);
    if (base === null) throw fail();
    const text = (value) => (pattern ? escapePattern(value) : value);
    const lacks = (...names) => names.every((name) => init[name] === undefined);
    if (lacks("protocol")) result.protocol = text(base.protocol.slice(0, -1));
    if (!pattern && lacks("protocol", "hostname", "port", "username")) result.username = base.username;
    if (!pattern && lacks("protocol", "hostname", "port", "username", "password")) result.password = base.password;
    const left = ["protocol"], values = { hostname: base.hostname, port: base.port, pathname: base.pathname, search: base.search.slice(1), hash: base.hash.slice(1) };
    for (const [name, value] of Object.entries(values)) {
        left.push(name);
        if (lacks(...left)) result[name] = text(value);
    }
    return base;
}

const isOpaque = (url) => !url.pathname.startsWith("/");

function pathOf(init, base, pattern, protocol) {
    let path = init.pathname;
    if (base !== null && !isOpaque(base) && !isRooted(path, pattern)) {
        const parent = pattern ? escapePattern(base.pathname) : base.pathname;
        path = parent.slice(0, parent.lastIndexOf("/") + 1) + path;
    }
    if (pattern) return path;
    return protocol === "" || isSpecialScheme(protocol) ? encode.pathname(path) : encode.opaque(path);
}

/* pattern: the values are patterns, and stay as they are; else parts of a URL. `missing` is for what nobody gives. */
function processInit(init, pattern, missing) {
    const result = Object.fromEntries(COMPONENTS.map((name) => [name, missing]));
    const base = init.baseURL === undefined ? null : inherit(init, pattern, result);
    const set = (name, value) => { result[name] = pattern ? value : encode[name](value, result.protocol ?? ""); };
    const without = (value, char) => (value.startsWith(char) ? value.slice(1) : value);
    if (init.protocol !== undefined) set("protocol", init.protocol.replace(/:$/, ""));
    for (const name of ["username", "password", "hostname", "port"]) if (init[name] !== undefined) set(name, init[name]);
    if (init.pathname !== undefined) result.pathname = pathOf(init, base, pattern, result.protocol ?? "");
    if (init.search !== undefined) set("search", without(init.search, "?"));
    if (init.hash !== undefined) set("hash", without(init.hash, "#"));
    return result;
}

const text = (value) => `${value}`.toWellFormed();

/* The members of a URLPatternInit as strings. */
function readInit(value) {
    const init = {};
    for (const name of [...COMPONENTS, "baseURL"]) {
        const member = value[name];
        if (member !== undefined) init[name] = text(member);
    }
    return init;
}

const isDictionary = (value) => typeof value === "object" || typeof value === "function";

const matchesSpecial = (component) => Object.keys(PORTS).some((scheme) => component.regexp.test(scheme));

function initOf(input, baseURL) {
    if (isDictionary(input)) {
        if (baseURL !== undefined) throw fail();
        return readInit(input ?? {});
    }
    const init = parseString(text(input), (protocol) => matchesSpecial(compile(protocol, encode.protocol, DEFAULT)));
    if (baseURL !== undefined) init.baseURL = text(baseURL);
    else if (init.protocol === undefined) throw fail();
    return init;
}

function build(init, ignoreCase) {
    const given = processInit(init, true, undefined), components = {};
    for (const name of COMPONENTS) given[name] ??= "*";
    if (isSpecialScheme(given.protocol) && given.port === PORTS[given.protocol]) given.port = "";
    const bracketed = /^(\[|\{\[|\\\[)/.test(given.hostname) && given.hostname.length > 1;
    for (const name of COMPONENTS) {
        let encoder = encode[name], options = DEFAULT;
        if (name === "hostname") {
            encoder = bracketed ? encode.bracketed : encode.hostname;
            options = HOSTNAME;
        } else if (name === "pathname") {
            const special = matchesSpecial(components.protocol);
            encoder = special ? encode.pathname : encode.opaque;
            options = { ...special ? PATHNAME : DEFAULT, ignoreCase };
        } else if (name === "search" || name === "hash") {
            options = { ...DEFAULT, ignoreCase };
        }
        components[name] = compile(given[name], (value) => encoder(value), options);
    }
    return components;
}

/* The components of what is matched; null when it is no URL. */
function subjectOf(input, baseURL, method) {
    if (isDictionary(input)) {
        if (baseURL !== undefined) throw fail(`Failed to ${method} URLPattern`);
        try {
            return processInit(readInit(input ?? {}), false, "");
        } catch {
            return null;
        }
    }
    const url = baseURL === undefined ? URL.parse(text(input)) : URL.parse(text(input), text(baseURL));
    if (url === null) return null;
    const { username, password, hostname, port, pathname } = url;
    return { protocol: url.protocol.slice(0, -1), username, password, hostname, port, pathname, search: url.search.slice(1), hash: url.hash.slice(1) };
}

export class URLPattern {
    #components;

    constructor(input = {}, second = undefined, third = undefined) {
        const options = isDictionary(second) ? second : third;
        const baseURL = isDictionary(second) ? undefined : second;
        this.#components = build(initOf(input, baseURL), Boolean(options?.ignoreCase));
    }

    get protocol() { return this.#components.protocol.text; }
    get username() { return this.#components.username.text; }
    get password() { return this.#components.password.text; }
    get hostname() { return this.#components.hostname.text; }
    get port() { return this.#components.port.text; }
    get pathname() { return this.#components.pathname.text; }
    get search() { return this.#components.search.text; }
    get hash() { return this.#components.hash.text; }
    get hasRegExpGroups() { return COMPONENTS.some((name) => this.#components[name].hasGroups); }

    test(input = {}, baseURL = undefined) {
        const subject = subjectOf(input, baseURL, "test");
        return subject !== null && COMPONENTS.every((name) => this.#components[name].regexp.test(subject[name]));
    }

    exec(input = {}, baseURL = undefined) {
        const subject = subjectOf(input, baseURL, "exec");
        if (subject === null) return null;
        const result = { inputs: baseURL === undefined ? [input] : [input, text(baseURL)] };
        for (const name of COMPONENTS) {
            const { regexp, names } = this.#components[name];
            const match = regexp.exec(subject[name]);
            if (!Array.isArray(match)) return null; // a script may have put another exec() in place
            result[name] = { input: subject[name], groups: Object.fromEntries(names.map((key, i) => [key, match[i + 1]])) };
        }
        return result;
    }
}
