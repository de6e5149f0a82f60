/*
 * URL and URLSearchParams. https://url.spec.whatwg.org/
 *
 * C parses into one string and the offsets of its components; getters are substrings. The offsets come back
 * in a scratch array, so a parse is one crossing.
 */
const parse = native.url.parse;
const set = native.url.set;

const PART = { href: 0, protocol: 1, username: 2, password: 3, host: 4, hostname: 5, port: 6, pathname: 7, search: 8, hash: 9 };
const NONE = 0xffffffff;
const COLON = 0x3a;
/* scheme_end, username_end, host_start, host_end, path_start, query_start, fragment_start, has_host */
const scratch = new Uint32Array(native.url.places);

/*
 * URLs that are their own href: http(s), a name of letters, digits and hyphens whose last label begins with a
 * letter, a port that is not the default, and characters that parsing leaves alone. Nearly every URL of a request
 * is one; the pattern costs a fifth of a crossing.
 */
const PLAIN_URL = /^https?:\/\/(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*(?::[1-9][0-9]{0,3})?\/[A-Za-z0-9\-_~!$&'()*+,;=:@/.%]*(?:\?[A-Za-z0-9\-._~!$&()*+,;=:@%/?]*)?$/;
const NOT_PLAIN = /\/\.|%2[eE]|xn--|:80\/|:443\//;

/* Is this string its own href? */
export function isPlainUrl(string) {
    return PLAIN_URL.test(string) && !NOT_PLAIN.test(string);
}

let access;

export class URL {
    #href;
    #schemeEnd;
    #usernameEnd;
    #hostStart;
    #hostEnd;
    #pathStart;
    #queryStart;
    #fragmentStart;
    #hasHost;
    #params = null;

    constructor(url, base = undefined) {
        if (base === undefined && typeof url === "string" && isPlainUrl(url)) {
            this.#takePlain(url);
            return;
        }
        const href = base === undefined ? parse(`${url}`) : parse(`${url}`, `${base}`);
        if (href === undefined) throw new TypeError("Invalid URL string.");
        this.#take(href);
    }

    #take(href) {
        this.#href = href;
        this.#schemeEnd = scratch[0];
        this.#usernameEnd = scratch[1];
        this.#hostStart = scratch[2];
        this.#hostEnd = scratch[3];
        this.#pathStart = scratch[4];
        this.#queryStart = scratch[5];
        this.#fragmentStart = scratch[6];
        this.#hasHost = scratch[7] !== 0;
    }

    #takePlain(href) {
        const schemeEnd = href.charCodeAt(4) === COLON ? 5 : 6, hostStart = schemeEnd + 2;
        const pathStart = href.indexOf("/", hostStart), colon = href.indexOf(":", hostStart);
        this.#href = href;
        this.#schemeEnd = schemeEnd;
        this.#usernameEnd = this.#hostStart = hostStart;
        this.#hostEnd = colon >= 0 && colon < pathStart ? colon : pathStart;
        this.#pathStart = pathStart;
        const query = href.indexOf("?", pathStart);
        this.#queryStart = query < 0 ? NONE : query;
        this.#fragmentStart = NONE;
        this.#hasHost = true;
    }

    #set(part, value) {
        const href = set(this.#href, part, `${value}`);
        if (href === undefined) return false;
        this.#take(href);
        return true;
    }

    get href() { return this.#href; }
    set href(value) {
        if (!this.#set(PART.href, value))
            throw new TypeError("Failed to set the 'href' property on 'URL': the provided value is not of type 'valid URL string'.");
        this.#refresh();
    }

    get protocol() { return this.#href.slice(0, this.#schemeEnd); }
    set protocol(value) { this.#set(PART.protocol, value); }

    get username() {
        return this.#hasHost ? this.#href.slice(this.#schemeEnd + 2, this.#usernameEnd) : "";
    }
    set username(value) { this.#set(PART.username, value); }

    get password() {
        return this.#hasHost && this.#hostStart > this.#usernameEnd + 1
            ? this.#href.slice(this.#usernameEnd + 1, this.#hostStart - 1) : "";
    }
    set password(value) { this.#set(PART.password, value); }

    get host() {
        return this.#hasHost ? this.#href.slice(this.#hostStart, this.#authorityEnd()) : "";
    }
    set host(value) { this.#set(PART.host, value); }

    get hostname() {
        return this.#hasHost ? this.#href.slice(this.#hostStart, this.#hostEnd) : "";
    }
    set hostname(value) { this.#set(PART.hostname, value); }

    get port() {
        const end = this.#authorityEnd();
        return this.#hasHost && end > this.#hostEnd ? this.#href.slice(this.#hostEnd + 1, end) : "";
    }
    set port(value) { this.#set(PART.port, value); }

    /* A path that begins with "//" without a host is written with "/." before it. */
    #authorityEnd() {
        return this.#pathStart;
    }

    get pathname() {
        const end = this.#queryStart !== NONE ? this.#queryStart : this.#fragmentStart;
        return end === NONE ? this.#href.slice(this.#pathStart) : this.#href.slice(this.#pathStart, end);
    }
    set pathname(value) { this.#set(PART.pathname, value); }

    get search() {
        if (this.#queryStart === NONE) return "";
        const search = this.#fragmentStart === NONE ? this.#href.slice(this.#queryStart)
            : this.#href.slice(this.#queryStart, this.#fragmentStart);
        return search.length > 1 ? search : "";
    }
    set search(value) {
        this.#set(PART.search, value);
        this.#refresh();
    }

    get hash() {
        if (this.#fragmentStart === NONE) return "";
        const hash = this.#href.slice(this.#fragmentStart);
        return hash.length > 1 ? hash : "";
    }
    set hash(value) { this.#set(PART.hash, value); }

    get origin() {
        void this.#href;
        const protocol = this.protocol;
        switch (protocol) {
        case "http:": case "https:": case "ws:": case "wss:": case "ftp:":
            return `${protocol}//${this.host}`;
        case "blob:": {
            const inner = parse(this.pathname);
            return inner !== undefined && /^https?:/.test(inner) ? new URL(inner).origin : "null";
        }
        default:
            return "null";
        }
    }

    get searchParams() {
        if (this.#params === null) this.#params = access.linked(this, this.search.slice(1));
        return this.#params;
    }

    #refresh() {
        if (this.#params !== null) access.reload(this.#params, this.search.slice(1));
    }

    toString() { return this.#href; }
    toJSON() { return this.#href; }

    static canParse(url, base = undefined) {
        need(arguments.length, 1, "canParse", "URL");
        return parse(`${url}`, base === undefined ? undefined : `${base}`) !== undefined;
    }

    static parse(url, base = undefined) {
        need(arguments.length, 1, "parse", "URL");
        return URL.canParse(url, base) ? new URL(url, base) : null;
    }

    static createObjectURL() {
        throw new Error("URL.createObjectURL() is not implemented");
    }

    static revokeObjectURL() {
        throw new Error("URL.revokeObjectURL() is not implemented");
    }

    static {
        access = {
            write(url, query) {
                url.#set(PART.search, query);
            },
        };
    }
}

const PLAIN = /^[A-Za-z0-9*\-._~]*$/;

/* application/x-www-form-urlencoded */
export function formEncode(string) {
    if (/^[A-Za-z0-9*\-._]*$/.test(string)) return string;
    return encodeURIComponent(string.toWellFormed())
        .replace(/%20|[!'()~]/g, (c) => (c === "%20" ? "+" : `%${c.charCodeAt(0).toString(16).toUpperCase()}`));
}

export function formDecode(string) {
    if (PLAIN.test(string)) return string;
    const spaced = string.includes("+") ? string.replaceAll("+", " ") : string;
    if (!spaced.includes("%")) return spaced.toWellFormed();
    try {
        return decodeURIComponent(spaced).toWellFormed();
    } catch {
        return native.text.percentDecode(spaced.toWellFormed());
    }
}

export function parseForm(string) {
    const list = [];
    if (string === "") return list;
    for (const piece of string.split("&")) {
        if (piece === "") continue;
        const at = piece.indexOf("=");
        if (at < 0) list.push([formDecode(piece), ""]);
        else list.push([formDecode(piece.slice(0, at)), formDecode(piece.slice(at + 1))]);
    }
    return list;
}

export function serializeForm(list) {
    let out = "";
    for (const [name, value] of list) out += `${out === "" ? "" : "&"}${formEncode(name)}=${formEncode(value)}`;
    return out;
}

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

/* The iterator of a list that may change meanwhile; shared by URLSearchParams, Headers and FormData. */
export function pairIterator(name) {
    const prototype = Object.create(iteratorPrototype, { [Symbol.toStringTag]: { value: `${name} Iterator`, configurable: true } });
    const states = new WeakMap();
    prototype.next = function next() {
        const state = states.get(this);
        if (state === undefined) throw new TypeError("Illegal invocation");
        const list = state.list();
        if (state.at >= list.length) return { done: true, value: undefined };
        const pair = list[state.at++];
        return { done: false, value: state.kind === "key" ? pair[0] : state.kind === "value" ? pair[1] : [pair[0], pair[1]] };
    };
    return (list, kind) => {
        const iterator = Object.create(prototype);
        states.set(iterator, { list, kind, at: 0 });
        return iterator;
    };
}

const iterate = pairIterator("URLSearchParams");

function need(found, wanted, name, object = "URLSearchParams") {
    if (found < wanted) throw new TypeError(`Failed to execute '${name}' on '${object}': ${wanted} arguments required, but only ${found} present.`);
}

export class URLSearchParams {
    #list;
    #url = null;

    constructor(init = "") {
        this.#list = URLSearchParams.#from(init);
    }

    static #from(init) {
        if (typeof init === "object" && init !== null || typeof init === "function") {
            const iterator = init[Symbol.iterator];
            if (#list in init && iterator === URLSearchParams.prototype[Symbol.iterator]) return init.#list.map(([n, v]) => [n, v]);
            if (iterator !== undefined && iterator !== null) {
                const list = [];
                for (const pair of init) {
                    const items = typeof pair === "object" && pair !== null ? [...pair] : [];
                    if (items.length !== 2) throw new TypeError("Invalid URL search params sequence.");
                    list.push([String(items[0]).toWellFormed(), String(items[1]).toWellFormed()]);
                }
                return list;
            }
            const record = new Map(); // names that are equal once they are well-formed: the last value counts
            for (const key of Object.keys(init)) record.set(key.toWellFormed(), String(init[key]).toWellFormed());
            return [...record];
        }
        const string = String(init);
        return parseForm((string.startsWith("?") ? string.slice(1) : string).toWellFormed());
    }

    #changed() {
        if (this.#url !== null) access.write(this.#url, serializeForm(this.#list));
    }

    get size() { return this.#list.length; }

    append(name, value) {
        need(arguments.length, 2, "append");
        this.#list.push([String(name).toWellFormed(), String(value).toWellFormed()]);
        this.#changed();
    }

    delete(name, value = undefined) {
        need(arguments.length, 1, "delete");
        const key = String(name), wanted = value === undefined ? undefined : String(value);
        this.#list = this.#list.filter(([n, v]) => n !== key || (wanted !== undefined && v !== wanted));
        this.#changed();
    }

    get(name) {
        need(arguments.length, 1, "get");
        const key = String(name);
        for (const pair of this.#list) if (pair[0] === key) return pair[1];
        return null;
    }

    getAll(name) {
        need(arguments.length, 1, "getAll");
        const key = String(name);
        return this.#list.filter((p) => p[0] === key).map((p) => p[1]);
    }

    has(name, value = undefined) {
        need(arguments.length, 1, "has");
        const key = String(name), wanted = value === undefined ? undefined : String(value);
        return this.#list.some(([n, v]) => n === key && (wanted === undefined || v === wanted));
    }

    set(name, value) {
        need(arguments.length, 2, "set");
        const key = String(name).toWellFormed(), text = String(value).toWellFormed();
        const at = this.#list.findIndex((p) => p[0] === key);
        if (at < 0) {
            this.#list.push([key, text]);
        } else {
            this.#list = this.#list.filter((p, i) => i <= at || p[0] !== key);
            this.#list[at] = [key, text];
        }
        this.#changed();
    }

    sort() {
        this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
        this.#changed();
    }

    forEach(callback, self = undefined) {
        for (let i = 0; i < this.#list.length; i++) callback.call(self, this.#list[i][1], this.#list[i][0], this);
    }

    keys() { return iterate(() => this.#list, "key"); }
    values() { return iterate(() => this.#list, "value"); }
    entries() { return iterate(() => this.#list, "pair"); }
    toString() { return serializeForm(this.#list); }

    static {
        access.linked = (url, query) => {
            const params = new URLSearchParams();
            params.#list = parseForm(query);
            params.#url = url;
            return params;
        };
        access.reload = (params, query) => {
            params.#list = parseForm(query);
        };
        access.isParams = (value) => typeof value === "object" && value !== null && #list in value;
    }
}
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, {
    value: URLSearchParams.prototype.entries, writable: true, configurable: true,
});
export const isParams = access.isParams;
