/* Which part of a pattern's text belongs to which component. https://urlpattern.spec.whatwg.org/#constructor-string-parsing */
import { tokenize } from "./url_pattern_parse.js";

const LITERAL = new Set(["char", "escaped-char", "invalid-char"]);
const NO_QUESTION = new Set(["name", "regexp", "close", "asterisk"]); // after these "?" is a modifier
const ORDER = ["protocol", "authority", "username", "password", "hostname", "port", "pathname", "search", "hash"];
const rank = (state) => ORDER.indexOf(state);

class StringParser {
    constructor(input, isSpecial) {
        this.input = input;
        this.isSpecial = isSpecial;
        this.tokens = tokenize(input, true);
        this.result = {};
        this.start = this.index = this.depth = this.brackets = 0;
        this.step = 1;
        this.special = false;
        this.state = "init";
    }

    token(at = this.index) {
        return this.tokens[Math.min(at, this.tokens.length - 1)];
    }

    is(value, at = this.index) {
        const token = this.token(at);
        return token.value === value && LITERAL.has(token.type);
    }

    isSearch() {
        if (this.is("?")) return true;
        if (this.token().value !== "?") return false;
        return this.index === 0 || !NO_QUESTION.has(this.token(this.index - 1).type);
    }

    component() {
        return this.input.slice(this.token(this.start).index, this.token().index);
    }

    rewind(state = this.state) {
        this.index = this.start;
        this.step = 0;
        this.state = state;
    }

    change(state, skip) {
        const { result } = this, from = rank(this.state), to = rank(state);
        if (from >= 0 && this.state !== "authority") result[this.state] = this.component();
        if (this.state !== "init" && state !== "done") {
            if (from <= rank("password") && to >= rank("port")) result.hostname ??= "";
            if (from <= rank("port") && to >= rank("search")) result.pathname ??= this.special ? "/" : "";
            if (from <= rank("pathname") && to >= rank("hash")) result.search ??= "";
        }
        this.state = state;
        this.index += skip;
        this.start = this.index;
        this.step = 0;
    }

    /* The states that follow a path, or what may take the place of one. */
    tail(pathname) {
        if (pathname && this.is("/")) this.change("pathname", 0);
        else if (this.state !== "search" && this.isSearch()) this.change("search", 1);
        else if (this.is("#")) this.change("hash", 1);
        else return false;
        return true;
    }

    atEnd() {
        if (this.state === "init") {
            this.rewind();
            if (this.is("#")) this.change("hash", 1);
            else if (this.isSearch()) this.change("search", 1);
            else this.change("pathname", 0);
            return true;
        }
        if (this.state === "authority") {
            this.rewind("hostname");
            return true;
        }
        this.change("done", 0);
        return false;
    }

    atProtocol() {
        if (!this.is(":")) return;
        this.special = this.isSpecial(this.component());
        if (this.is("/", this.index + 1) && this.is("/", this.index + 2)) this.change("authority", 3);
        else this.change(this.special ? "authority" : "pathname", 1);
    }

    atHostname() {
        if (this.is("[")) this.brackets++;
        else if (this.is("]")) this.brackets--;
        else if (this.is(":") && this.brackets === 0) this.change("port", 1);
        else this.tail(true);
    }

    literal() {
        switch (this.state) {
        case "init":
            if (this.is(":")) this.rewind("protocol");
            break;
        case "protocol":
            this.atProtocol();
            break;
        case "authority":
            if (this.is("@")) this.rewind("username");
            else if (this.is("/") || this.isSearch() || this.is("#")) this.rewind("hostname");
            break;
        case "username":
            if (this.is(":")) this.change("password", 1);
            else if (this.is("@")) this.change("hostname", 1);
            break;
        case "password":
            if (this.is("@")) this.change("hostname", 1);
            break;
        case "hostname":
            this.atHostname();
            break;
        case "port":
            this.tail(true);
            break;
        case "pathname":
        case "search":
            this.tail(false);
            break;
        }
    }

    parse() {
        for (; this.index < this.tokens.length; this.index += this.step) {
            this.step = 1;
            const { type } = this.token();
            if (type === "end") {
                if (!this.atEnd()) break;
                continue;
            }
            if (type === "open") {
                this.depth++;
                continue;
            }
            if (this.depth > 0) {
                if (type !== "close") continue;
                this.depth--;
            }
            this.literal();
        }
        if (this.result.hostname !== undefined) this.result.port ??= "";
        return this.result;
    }
}

/* isSpecial(text of a protocol's pattern): it matches one of the special schemes. */
export function parseString(input, isSpecial) {
    return new StringParser(input, isSpecial).parse();
}
