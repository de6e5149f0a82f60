/* Patterns, their normal form, and what they match. */
import { caught } from "../../worker/report.js";

const PARTS = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];
const show = (pattern) => [PARTS.map((name) => pattern[name]), pattern.hasRegExpGroups];
const patterns = [
    [], [{}], ["https://example.com/:id"], ["https://example.com/books/:id(\\d+)?"], ["https://*.example.com/*"], ["http{s}?://:host/:path*"], ["/books/:id", "https://example.com"], ["?q=:q", "https://example.com/x"],
    ["#h", "https://example.com/x?y"], ["/a"], ["data\\:foobar"], ["https://user:pass@example.com:8080/"], ["https://[\\:\\:1]/"], ["https://example.com:443/"], [{ pathname: "/foo/:bar" }], [{ pathname: "/foo/*" }],
    [{ pathname: "/foo{/:bar}?" }], [{ pathname: "/:a-:b" }], [{ pathname: "/:a/:a" }], [{ pathname: "/(.*)" }], [{ pathname: "/([a-z]+)/(\\d+)" }], [{ pathname: "/{a}b" }], [{ pathname: "/:a{b}" }], [{ pathname: "/(" }],
    [{ pathname: "/{" }], [{ pathname: "/\\:a" }], [{ pathname: "/caf\u00e9" }], [{ hostname: "caf\u00e9.com" }], [{ hostname: "bad host" }], [{ protocol: "http", port: "80" }], [{ port: "abc" }], [{ pathname: "b", baseURL: "https://e.com/a/" }],
    [{ pathname: "/X", search: "?Q" }, { ignoreCase: true }], ["https://e.com/X", { ignoreCase: true }], ["/X", "https://e.com", { ignoreCase: true }], [{ baseURL: "nonsense" }], [{}, "https://e.com"], [5], [null], [{ hash: "#:x" }],
];
const inputs = ["https://example.com/", "https://example.com/books/12", "https://www.example.com/a/b?q=1#h", "http://localhost:8080/foo/bar", "https://e.com/x?q", "nonsense", { pathname: "/foo/bar" }, { pathname: "/a/12" }, { hostname: "example.com" }, { port: "80" }, {}];
const table = {};
for (const args of patterns) {
    table[`pattern ${JSON.stringify(args)}`] = () => caught(() => show(new URLPattern(...args)));
    table[`matches of ${JSON.stringify(args)}`] = () => caught(() => {
        const pattern = new URLPattern(...args);
        return inputs.map((input) => [pattern.test(input), JSON.stringify(pattern.exec(input))]);
    });
}

export default {
    ...table,
    "with a base": () => { const p = new URLPattern({ pathname: "/a/:b" }); return [p.test("c", "https://e.com/a/"), JSON.stringify(p.exec("c", "https://e.com/a/"))]; },
    "dictionary with a base": () => caught(() => new URLPattern({}).test({}, "https://e.com")),
    "groups without a value": () => { const { groups } = new URLPattern({ pathname: "/a{/:b}?" }).exec({ pathname: "/a" }).pathname; return [Object.keys(groups), groups.b === undefined]; },
    "tag": () => Object.prototype.toString.call(new URLPattern()),
    "members": () => { const names = []; for (const name in URLPattern.prototype) names.push(name); return names.sort(); },
};
