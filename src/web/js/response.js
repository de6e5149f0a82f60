/* Response. https://fetch.spec.whatwg.org/#response-class */
import { Body, bodyInit, bodyInitText, bodyInitChannel, bodyShare, bodyKind, bodySource, bodyDrop, NULL, TEXT, BYTES } from "./body.js";
import { Headers, headersFromBlock, headerBlock, headerGet, headerAdd, freezeHeaders } from "./headers.js";
import { isWebSocket } from "./websocket.js";

const parse = native.url.parse;

const FETCHED = Symbol("fetched");
/* For answers that came without one (HTTP/2, other isolates). */
const REASONS = {
    101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content",
    206: "Partial Content", 207: "Multi-Status", 208: "Already Reported", 226: "IM Used", 300: "Multiple Choices",
    301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 305: "Use Proxy", 307: "Temporary Redirect",
    308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
    408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed",
    413: "Payload Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 416: "Range Not Satisfiable",
    417: "Expectation Failed", 418: "I'm a teapot", 421: "Misdirected Request", 422: "Unprocessable Entity", 423: "Locked",
    424: "Failed Dependency", 425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout", 505: "HTTP Version Not Supported", 506: "Variant Also Negotiates", 507: "Insufficient Storage",
    508: "Loop Detected", 510: "Not Extended", 511: "Network Authentication Required",
};

let access;

function nullBody(status) {
    return status === 204 || status === 304 || status === 205 || status === 101;
}

export class Response extends Body {
    #status = 200;
    #statusText = ""; // "": C writes the registered phrase
    #headers = null; // null: only #contentType, if that
    #contentType = null;
    #type = "default";
    #url = "";
    #redirected = false;
    #manual = false; // encodeBody: "manual"
    #cf = undefined;
    #webSocket = null;

    constructor(body = null, init = undefined) {
        super();
        if (body === FETCHED) return;
        if (init !== undefined && init !== null) {
            if (typeof init !== "object") throw new TypeError("The init of a Response must be an object.");
            this.#options(init);
        }
        if (body !== null && body !== undefined) this.#setBody(body);
    }

    #options(init) {
        const { status, statusText, headers, encodeBody, webSocket } = init;
        if (webSocket !== undefined && webSocket !== null) {
            if (!isWebSocket(webSocket))
                throw new TypeError("Incorrect type for the 'webSocket' field on 'InitializerDict': the provided value is not of type 'WebSocket'.");
            if (Math.trunc(Number(status)) !== 101) throw new RangeError("Responses with a WebSocket must have status code 101.");
            this.#webSocket = webSocket;
        }
        if (status !== undefined) {
            const n = Math.trunc(Number(status));
            if (!(n >= 200 && n <= 599) && this.#webSocket === null)
                throw new RangeError("Responses may only be constructed with status codes in the range 200 to 599, inclusive.");
            this.#status = n;
        }
        if (statusText !== undefined) {
            const text = `${statusText}`;
            if (!/^[\x20-\x7e\x80-\xff]*$/.test(text)) throw new TypeError("Invalid statusText");
            this.#statusText = text;
        }
        if (headers !== undefined) this.#headers = new Headers(headers);
        if (encodeBody !== undefined) {
            if (encodeBody !== "manual" && encodeBody !== "automatic")
                throw new TypeError(`encodeBody: unexpected value: ${encodeBody}`);
            this.#manual = encodeBody === "manual";
        }
        if (init.cf !== undefined) this.#cf = init.cf;
    }

    #setBody(body) {
        const type = bodyInit(this, body);
        if (nullBody(this.#status)) {
            const kind = bodyKind(this), source = bodySource(this);
            if ((kind === TEXT && source === "") || (kind === BYTES && source.byteLength === 0)) bodyDrop(this);
            else throw new TypeError("Response with null body status (101, 204, 205, or 304) cannot have a body.");
            return;
        }
        if (type === null) return;
        if (this.#headers === null) this.#contentType = type;
        else if (headerGet(this.#headers, "content-type") === undefined) headerAdd(this.#headers, "content-type", type);
    }

    get status() { return this.#status; }
    get statusText() { return this.#statusText; }
    get ok() { return this.#status >= 200 && this.#status <= 299; }
    get redirected() { return this.#redirected; }
    get url() { return this.#url; }
    get type() { return this.#type; }
    get cf() { return this.#cf; }
    get webSocket() { return this.#webSocket; }

    get headers() {
        if (this.#headers === null) {
            this.#headers = this.#contentType === null ? new Headers()
                : headersFromBlock(`content-type: ${this.#contentType}\r\n`, false);
        }
        return this.#headers;
    }

    clone() {
        if (this.#webSocket !== null) throw new TypeError("Cannot clone a response to a WebSocket handshake.");
        const clone = new Response(FETCHED);
        clone.#status = this.#status;
        clone.#statusText = this.#statusText;
        clone.#headers = this.#headers === null ? null : new Headers(this.#headers);
        clone.#contentType = this.#contentType;
        clone.#type = this.#type;
        clone.#url = this.#url;
        clone.#redirected = this.#redirected;
        clone.#manual = this.#manual;
        clone.#cf = this.#cf;
        bodyShare(this, clone, false);
        return clone;
    }

    static json(data, init = undefined) {
        const text = JSON.stringify(data);
        if (text === undefined) throw new TypeError("Value is not JSON serializable");
        const response = new Response(null, init);
        if (nullBody(response.#status))
            throw new TypeError("Response with null body status (101, 204, 205, or 304) cannot have a body.");
        bodyInitText(response, text);
        if (response.#headers === null) response.#contentType = "application/json";
        else if (headerGet(response.#headers, "content-type") === undefined)
            headerAdd(response.#headers, "content-type", "application/json");
        return response;
    }

    static redirect(url, status = 302) {
        const href = parse(`${url}`);
        if (href === undefined) throw new TypeError(`Unable to parse URL: ${url}`);
        const n = Number(status);
        if (![301, 302, 303, 307, 308].includes(n))
            throw new RangeError(`${status} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.`);
        const response = new Response(FETCHED);
        response.#status = n;
        response.#headers = new Headers({ location: href });
        freezeHeaders(response.#headers);
        return response;
    }

    static error() {
        const response = new Response(FETCHED);
        response.#status = 0;
        response.#type = "error";
        return response;
    }

    static {
        access = {
            is: (v) => typeof v === "object" && v !== null && #manual in v,
            status: (response) => response.#status,
            isError: (response) => response.#type === "error",
            statusText: (response) => response.#statusText,
            manual: (response) => response.#manual,
            block(response) {
                if (response.#headers !== null) return headerBlock(response.#headers);
                return response.#contentType === null ? "" : blockOfType(response.#contentType);
            },
            header(response, name) {
                if (response.#headers !== null) return headerGet(response.#headers, name);
                return name === "content-type" && response.#contentType !== null ? response.#contentType : undefined;
            },
            socket: (response) => response.#webSocket,
            /* {status, statusText, headers, url, redirected, channel, webSocket?} */
            fetched(init) {
                const response = new Response(FETCHED);
                response.#status = init.status;
                response.#statusText = init.statusText === "" ? REASONS[init.status] ?? "" : init.statusText;
                response.#headers = headersFromBlock(init.headers, true);
                response.#url = init.url;
                response.#redirected = init.redirected;
                response.#webSocket = init.webSocket ?? null;
                if (init.channel !== null) bodyInitChannel(response, init.channel);
                return response;
            },
        };
    }
}

const blocks = new Map();
function blockOfType(type) {
    let block = blocks.get(type);
    if (block === undefined) {
        block = `content-type: ${type}\r\n`;
        if (blocks.size < 64) blocks.set(type, block);
    }
    return block;
}

export const isResponse = access.is;
export const responseStatus = access.status;
export const responseIsError = access.isError;
export const responseStatusText = access.statusText;
export const responseBlock = access.block;
export const responseHeader = access.header;
export const responseManual = access.manual;
export const responseSocket = access.socket;
export const fetchedResponse = access.fetched;
export const responseContentType = (response) => access.header(response, "content-type");
export { NULL };
