/* FormData, and its two forms on the wire. https://xhr.spec.whatwg.org/#interface-formdata, RFC 7578 */
import { flags } from "./compat.js";
import { pairIterator, parseForm } from "./url.js";
import { File, blobBytes, makeFile, concatBytes } from "./blob.js";
import { utf8, fromUtf8 } from "./encoding.js";

const iterate = pairIterator("FormData");
let access;

/* A Blob becomes a File with the name of its field, as upstream; browsers call it "blob". */
function entryValue(name, value, filename) {
    const bytes = blobBytes(value);
    if (bytes === null) return `${value}`.toWellFormed();
    if (filename === undefined) return value instanceof File ? value : makeFile(bytes, name, value.type);
    return makeFile(bytes, `${filename}`, value.type, value instanceof File ? value.lastModified : undefined);
}

export class FormData {
    #list = [];

    #entry(name, value, filename) {
        const key = `${name}`.toWellFormed();
        return [key, entryValue(key, value, filename)];
    }

    append(name, value, filename = undefined) {
        this.#list.push(this.#entry(name, value, filename));
    }

    set(name, value, filename = undefined) {
        const entry = this.#entry(name, value, filename);
        const at = this.#list.findIndex((e) => e[0] === entry[0]);
        if (at < 0) {
            this.#list.push(entry);
            return;
        }
        this.#list = this.#list.filter((e, i) => i <= at || e[0] !== entry[0]);
        this.#list[at] = entry;
    }

    delete(name) {
        const key = `${name}`;
        this.#list = this.#list.filter((e) => e[0] !== key);
    }

    get(name) {
        const key = `${name}`;
        for (const entry of this.#list) if (entry[0] === key) return entry[1];
        return null;
    }

    getAll(name) {
        const key = `${name}`;
        return this.#list.filter((e) => e[0] === key).map((e) => e[1]);
    }

    has(name) {
        const key = `${name}`;
        return this.#list.some((e) => e[0] === key);
    }

    forEach(callback, self = undefined) {
        for (let i = 0; i < this.#list.length; i++) callback.call(self, this.#list[i][1], this.#list[i][0], this);
    }

    keys() { return iterate(() => this.#list, "key"); }
    values() { return iterate(() => this.#list, "value"); }
    entries() { return iterate(() => this.#list, "pair"); }

    static {
        access = {
            is: (v) => typeof v === "object" && v !== null && #list in v,
            list: (form) => form.#list,
        };
    }
}
Object.defineProperty(FormData.prototype, Symbol.iterator, {
    value: FormData.prototype.entries, writable: true, configurable: true,
});
export const isFormData = access.is;

/* --- out --- */

function quoted(string) {
    if (string.endsWith("\\")) throw new TypeError("Name or filename can't end with backslash");
    return string.replace(/["\n]/g, (c) => (c === '"' ? "%22" : "%0A"));
}

/* Returns {bytes, type}. */
export function serializeMultipart(form) {
    const boundary = `----selvedge${native.crypto.uuid().replaceAll("-", "")}`;
    const parts = [];
    for (const [name, value] of access.list(form)) {
        let head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"`;
        if (typeof value === "string") {
            parts.push(utf8(`${head}\r\n\r\n${value}\r\n`));
        } else {
            head += `; filename="${quoted(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
            parts.push(utf8(head), blobBytes(value), utf8("\r\n"));
        }
    }
    parts.push(utf8(`--${boundary}--`));
    return { bytes: concatBytes(parts), type: `multipart/form-data; boundary=${boundary}` };
}

/* --- in --- */

/* "a/b; x=1; y="q"" → {essence, parameters}; parameter names in lower case. */
export function parseMime(value) {
    const at = value.indexOf(";");
    const parameters = new Map();
    if (at >= 0) {
        const pattern = /;\s*([^=;\s]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*)))?/g;
        for (const [, name, inQuotes, bare] of value.slice(at).matchAll(pattern)) {
            const key = name.toLowerCase();
            if (!parameters.has(key))
                parameters.set(key, inQuotes !== undefined ? inQuotes.replace(/\\(.)/g, "$1") : (bare ?? "").trim());
        }
    }
    return { essence: (at < 0 ? value : value.slice(0, at)).trim().toLowerCase(), parameters };
}

function unescapeName(value) {
    if (value.endsWith("\\")) throw new TypeError("Name or filename can't end with backslash");
    return value.replace(/\\(["\\])/g, "$1");
}

/* name="…" or name=…, in a Content-Disposition; undefined when absent. */
function parameterOf(header, name) {
    const match = new RegExp(`;\\s*${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, "i").exec(header);
    return match === null ? undefined : unescapeName(match[1] ?? match[2]);
}

class MultipartReader {
    constructor(bytes, boundary) {
        this.bytes = bytes;
        this.raw = native.text.latin1(bytes); // one character per byte: indexOf is the engine's
        this.mark = `--${boundary}`;
        this.form = new FormData();
    }

    read() {
        let at = this.raw.indexOf(this.mark);
        if (at < 0 || (at > 0 && this.raw[at - 1] !== "\n"))
            throw new TypeError("No initial boundary string (or you have a truncated message).");
        at += this.mark.length;
        for (;;) {
            if (this.raw.startsWith("--", at)) return this.form;
            if (this.raw.startsWith("\r\n", at)) at += 2;
            else if (this.raw[at] === "\n") at++;
            else throw new TypeError("Boundary string was not succeeded by CRLF, LF, or '--'.");
            at = this.part(at);
        }
    }

    part(at) {
        const headEnd = this.headEnd(at);
        const end = this.raw.indexOf(`\n${this.mark}`, headEnd.body - 1);
        if (end < 0) throw new TypeError("No subsequent boundary string after multipart message.");
        const bodyEnd = this.raw[end - 1] === "\r" && end - 1 >= headEnd.body ? end - 1 : Math.max(end, headEnd.body);
        this.add(fromUtf8(this.bytes.subarray(at, headEnd.head)), this.bytes.subarray(headEnd.body, bodyEnd));
        return end + 1 + this.mark.length;
    }

    headEnd(at) {
        const pattern = /\r?\n\r?\n/g;
        pattern.lastIndex = at;
        const match = pattern.exec(this.raw);
        if (match === null) throw new TypeError("No multipart message header termination found.");
        return { head: match.index, body: pattern.lastIndex };
    }

    add(head, content) {
        let disposition, type;
        for (const line of head.split(/\r?\n/)) {
            const colon = line.indexOf(":");
            if (colon <= 0) throw new TypeError("FormData part had invalid headers.");
            const name = line.slice(0, colon).trim().toLowerCase(), value = line.slice(colon + 1).trim();
            if (name === "content-disposition") disposition = value;
            else if (name === "content-type") type = value;
        }
        if (disposition === undefined)
            throw new TypeError("No valid Content-Disposition header found in FormData part.");
        const kind = disposition.split(";", 1)[0].trim();
        if (kind.toLowerCase() !== "form-data")
            throw new TypeError(`Content-Disposition header for FormData part must have the value "form-data", possibly followed by parameters. Got: "${kind}"`);
        const name = parameterOf(disposition, "name"), filename = parameterOf(disposition, "filename");
        if (name === undefined) throw new TypeError("Content-Disposition header in FormData part is missing a name.");
        if (flags.formdata_parser_converts_files_to_strings || filename === undefined || (filename === "" && content.byteLength === 0)) this.form.append(name, fromUtf8(content));
        else this.form.append(name, makeFile(content.slice(), filename, type ?? ""));
    }
}

/* The body of a request or response as FormData, by its Content-Type. */
export function parseFormData(bytes, contentType) {
    if (contentType === undefined || contentType === null)
        throw new TypeError("Parsing a Body as FormData requires a Content-Type header.");
    const { essence, parameters } = parseMime(contentType);
    if (essence === "multipart/form-data") {
        const boundary = parameters.get("boundary");
        if (boundary === undefined)
            throw new TypeError("No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary parameter, e.g. 'Content-Type: multipart/form-data; boundary=\"abcd\"'. See RFC 7578, section 4.");
        if (boundary.length < 1)
            throw new TypeError("Length of multipart/form-data boundary string must be in the range [1, 70].");
        return new MultipartReader(bytes, boundary).read();
    }
    if (essence === "application/x-www-form-urlencoded") {
        const charset = parameters.get("charset");
        if (charset !== undefined && charset.toLowerCase() !== "utf-8")
            throw new TypeError("Non-utf-8 application/x-www-form-urlencoded body.");
        const form = new FormData();
        for (const [name, value] of parseForm(fromUtf8(bytes))) form.append(name, value);
        return form;
    }
    throw new TypeError("Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded");
}
