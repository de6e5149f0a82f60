/*
 * Headers. https://fetch.spec.whatwg.org/#headers-class
 *
 * Two forms: the header block as it came from C (net/http.h: "name: value\r\n" each, names in lower case,
 * one code unit per byte), searched in place by get() and has(); and a list of [name, value], made at the
 * first use that needs it. Names are kept in lower case only: they go out so in HTTP/2 anyway.
 */
import { pairIterator } from "./url.js";
import { fromUtf8, utf8 } from "./encoding.js";

const NAME = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const LOWER = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
const BAD_VALUE = /[\0\r\n]/;
const NON_ASCII = /[^\x00-\x7f]/;
const PADDED = /^[\t\r\n ]|[\t\r\n ]$/;

function normalName(name) {
    const string = `${name}`;
    if (LOWER.test(string)) return string;
    if (!NAME.test(string)) throw new TypeError("Invalid header name.");
    return string.toLowerCase();
}

function normalValue(value) {
    let string = typeof value === "string" ? value : `${value}`;
    if (PADDED.test(string)) string = string.replace(/^[\t\r\n ]+|[\t\r\n ]+$/g, "");
    if (BAD_VALUE.test(string)) throw new TypeError("Invalid header value.");
    return string;
}

/* Bytes of the wire → text: UTF-8 when it is that, else each byte a character. */
function fromWire(value) {
    if (!NON_ASCII.test(value)) return value;
    const bytes = new Uint8Array(value.length);
    for (let i = 0; i < value.length; i++) bytes[i] = value.charCodeAt(i);
    return native.text.decode(bytes, 0, 1) ?? value;
}

export function toWire(value) {
    if (!NON_ASCII.test(value)) return value;
    let out = "";
    for (const b of utf8(value)) out += String.fromCharCode(b);
    return out;
}

function parseBlock(block) {
    const list = [];
    let from = 0;
    while (from < block.length) {
        let end = block.indexOf("\r\n", from);
        if (end < 0) end = block.length;
        const colon = block.indexOf(":", from);
        if (colon > from && colon < end)
            list.push([block.slice(from, colon), fromWire(block.slice(block[colon + 1] === " " ? colon + 2 : colon + 1, end))]);
        from = end + 2;
    }
    return list;
}

/* The value of the first line of that name at or behind `from`, the beginning of a line; undefined when there
 * is none. Where the next line begins is left in `searchedTo` (a result object would be an allocation). */
let searchedTo = 0;
export function findInBlock(block, name, from) {
    const key = `${name}: `;
    let start = from + key.length;
    if (!block.startsWith(key, from)) {
        const at = block.indexOf(`\r\n${key}`, from);
        if (at < 0) return undefined;
        start = at + 2 + key.length;
    }
    const end = block.indexOf("\r\n", start);
    searchedTo = end + 2;
    return block.slice(start, end);
}

/* Fields that belong to one connection; a header block has none of them (net/http.h). */
const FRAMING = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]);

let access;
const iterate = pairIterator("Headers");

export class Headers {
    #block = ""; // valid while #list is null
    #list = null;
    #immutable = false;
    #sorted = null;

    constructor(init = undefined) {
        if (init === undefined) return;
        if (init === null || (typeof init !== "object" && typeof init !== "function"))
            throw new TypeError("Failed to construct 'Headers': constructor parameter 1 is not of type 'Headers or Sequence or object'.");
        this.#fill(init);
    }

    #fill(init) {
        if (#block in init) {
            if (init.#list === null && this.#list === null && this.#block === "") this.#block = init.#block;
            else for (const [name, value] of init.#all()) this.#all().push([name, value]);
            this.#sorted = null;
            return;
        }
        const iterator = init[Symbol.iterator];
        if (iterator !== undefined && iterator !== null) {
            for (const pair of init) {
                const items = typeof pair === "object" && pair !== null ? [...pair] : [];
                if (items.length !== 2)
                    throw new TypeError("To initialize a Headers object from a sequence, each inner sequence must have exactly two elements.");
                this.append(items[0], items[1]);
            }
            return;
        }
        const list = this.#all();
        for (const key of Object.keys(init)) list.push([normalName(key), normalValue(init[key])]);
    }

    #all() {
        if (this.#list === null) {
            this.#list = this.#block === "" ? [] : parseBlock(this.#block);
            this.#block = "";
        }
        return this.#list;
    }

    #write() {
        if (this.#immutable) throw new TypeError("Can't modify immutable headers.");
        this.#sorted = null;
        return this.#all();
    }

    append(name, value) {
        const key = normalName(name), text = normalValue(value);
        this.#write().push([key, text]);
    }

    set(name, value) {
        const key = normalName(name), text = normalValue(value);
        const list = this.#write();
        const at = list.findIndex((p) => p[0] === key);
        if (at < 0) {
            list.push([key, text]);
            return;
        }
        list[at] = [key, text];
        for (let i = list.length - 1; i > at; i--) if (list[i][0] === key) list.splice(i, 1);
    }

    delete(name) {
        const key = normalName(name), list = this.#write();
        for (let i = list.length - 1; i >= 0; i--) if (list[i][0] === key) list.splice(i, 1);
    }

    get(name) {
        return this.#get(normalName(name)) ?? null;
    }

    #get(key) {
        if (this.#list === null) {
            if (this.#block === "") return undefined;
            let value = findInBlock(this.#block, key, 0);
            if (value === undefined) return undefined;
            for (;;) {
                const next = findInBlock(this.#block, key, searchedTo);
                if (next === undefined) return fromWire(value);
                value += `, ${next}`;
            }
        }
        let value;
        for (const pair of this.#list) {
            if (pair[0] === key) value = value === undefined ? pair[1] : `${value}, ${pair[1]}`;
        }
        return value;
    }

    has(name) {
        const key = normalName(name);
        if (this.#list === null) return this.#block !== "" && findInBlock(this.#block, key, 0) !== undefined;
        return this.#list.some((p) => p[0] === key);
    }

    getSetCookie() {
        return this.#all().filter((p) => p[0] === "set-cookie").map((p) => p[1]);
    }

    getAll(name) {
        if (normalName(name) !== "set-cookie")
            throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
        return this.getSetCookie();
    }

    #sort() {
        if (this.#sorted !== null) return this.#sorted;
        const map = new Map(), cookies = [];
        for (const [name, value] of this.#all()) {
            if (name === "set-cookie") cookies.push([name, value]);
            else if (map.has(name)) map.get(name)[1] += `, ${value}`;
            else map.set(name, [name, value]);
        }
        const sorted = [...map.values(), ...cookies].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
        return (this.#sorted = sorted);
    }

    forEach(callback, self = undefined) {
        if (typeof callback !== "function") throw new TypeError("The callback of forEach() is not a function.");
        for (let i = 0; i < this.#sort().length; i++) {
            const [name, value] = this.#sort()[i];
            callback.call(self, value, name, this);
        }
    }

    /* Iterators show the headers as they were, as upstream. */
    #snapshot() {
        const list = this.#sort();
        return () => list;
    }

    keys() { return iterate(this.#snapshot(), "key"); }
    values() { return iterate(this.#snapshot(), "value"); }
    entries() { return iterate(this.#snapshot(), "pair"); }

    static {
        access = {
            is: (v) => typeof v === "object" && v !== null && #block in v,
            fromBlock(block, immutable) {
                const headers = new Headers();
                headers.#block = block;
                headers.#immutable = immutable;
                return headers;
            },
            block(headers) {
                if (headers.#list === null) return headers.#block;
                let out = "";
                for (const [name, value] of headers.#list) if (!FRAMING.has(name)) out += `${name}: ${toWire(value)}\r\n`;
                return out;
            },
            get: (headers, key) => headers.#get(key),
            freeze(headers) {
                headers.#immutable = true;
                return headers;
            },
            add(headers, key, value) { // for names and values of ours: no checks
                if (headers.#list === null) headers.#block += `${key}: ${value}\r\n`;
                else headers.#list.push([key, value]);
                headers.#sorted = null;
            },
        };
    }
}
Object.defineProperty(Headers.prototype, Symbol.iterator, {
    value: Headers.prototype.entries, writable: true, configurable: true,
});

export const isHeaders = access.is;
export const headersFromBlock = access.fromBlock;
export const headerBlock = access.block;
/* By lower-case name; undefined when absent. */
export const headerGet = access.get;
export const freezeHeaders = access.freeze;
export const headerAdd = access.add;
