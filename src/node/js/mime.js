/* util.MIMEType and util.MIMEParams. https://mimesniff.spec.whatwg.org/#mime-type */
const { codes: { ERR_INVALID_MIME_SYNTAX } } = require("./errors.js");

const NOT_TOKEN = /[^!#$%&'*+\-.^_`|~A-Za-z0-9]/g;
const NOT_QUOTED = /[^\t\u0020-~\u0080-\u00FF]/g;

function search(re, text) {
    re.lastIndex = 0;
    const found = re.exec(text);
    return found === null ? -1 : found.index;
}

function checkToken(what, text) {
    const bad = search(NOT_TOKEN, text);
    if (text === "" || bad !== -1) throw new ERR_INVALID_MIME_SYNTAX(what, text, bad);
}

const encode = (value) => (value === "" || search(NOT_TOKEN, value) !== -1 ? `"${value.replace(/["\\]/g, "\\$&")}"` : value);

let parseInto;
class MIMEParams {
    #data = new Map();

    delete(name) { this.#data.delete(name); }
    get(name) { return this.#data.has(name) ? this.#data.get(name) : null; }
    has(name) { return this.#data.has(name); }
    set(name, value) {
        const key = `${name}`, text = `${value}`;
        checkToken("parameter name", key);
        const bad = search(NOT_QUOTED, text);
        if (bad !== -1) throw new ERR_INVALID_MIME_SYNTAX("parameter value", text, bad);
        this.#data.set(key, text);
    }

    *entries() { yield* this.#data.entries(); }
    *keys() { yield* this.#data.keys(); }
    *values() { yield* this.#data.values(); }
    [Symbol.iterator]() { return this.entries(); }
    toString() { return [...this.#data].map(([k, v]) => `${k}=${encode(v)}`).join("; "); }
    toJSON() { return this.toString(); }

    static {
        parseInto = (params, text) => {
            let at = 0;
            while (at < text.length) {
                while (/[\r\n\t ]/.test(text[at] ?? "")) at++;
                let end = at;
                while (end < text.length && text[end] !== ";" && text[end] !== "=") end++;
                const name = text.slice(at, end).toLowerCase();
                at = end;
                if (at < text.length && text[at] === ";") {
                    at++;
                    continue;
                }
                at++;
                let value = "";
                if (text[at] === '"') {
                    for (at++; at < text.length && text[at] !== '"'; at++) {
                        if (text[at] === "\\" && at + 1 < text.length) at++;
                        value += text[at];
                    }
                    while (at < text.length && text[at] !== ";") at++;
                } else {
                    end = text.indexOf(";", at);
                    if (end < 0) end = text.length;
                    value = text.slice(at, end).replace(/[\r\n\t ]+$/, "");
                    at = end;
                    if (value === "") {
                        at++;
                        continue;
                    }
                }
                at++;
                if (name !== "" && search(NOT_TOKEN, name) === -1 && search(NOT_QUOTED, value) === -1 && !params.#data.has(name)) params.#data.set(name, value);
            }
        };
    }
}

class MIMEType {
    #type;
    #subtype;
    #params = new MIMEParams();

    constructor(text) {
        const s = `${text}`.replace(/^[\r\n\t ]+/, "");
        const slash = s.indexOf("/");
        const type = slash < 0 ? s : s.slice(0, slash);
        if (slash < 0 || type === "" || search(NOT_TOKEN, type) !== -1) throw new ERR_INVALID_MIME_SYNTAX("type", `${text}`, slash < 0 ? -1 : search(NOT_TOKEN, type));
        const rest = s.slice(slash + 1), semi = rest.indexOf(";");
        const subtype = (semi < 0 ? rest : rest.slice(0, semi)).replace(/[\r\n\t ]+$/, "");
        if (subtype === "" || search(NOT_TOKEN, subtype) !== -1) throw new ERR_INVALID_MIME_SYNTAX("subtype", `${text}`, subtype === "" ? -1 : search(NOT_TOKEN, subtype));
        this.#type = type.toLowerCase();
        this.#subtype = subtype.toLowerCase();
        if (semi >= 0) parseInto(this.#params, rest.slice(semi + 1));
    }

    get type() { return this.#type; }
    set type(v) {
        checkToken("type", `${v}`);
        this.#type = `${v}`.toLowerCase();
    }

    get subtype() { return this.#subtype; }
    set subtype(v) {
        checkToken("subtype", `${v}`);
        this.#subtype = `${v}`.toLowerCase();
    }

    get essence() { return `${this.#type}/${this.#subtype}`; }
    get params() { return this.#params; }
    toString() {
        const params = this.#params.toString();
        return `${this.essence}${params === "" ? "" : `;${params}`}`;
    }

    toJSON() { return this.toString(); }
}

module.exports = { MIMEType, MIMEParams };
