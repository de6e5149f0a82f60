import { caught, kind } from "../../worker/report.js";

const START = "http://user:pw@example.com:8080/p/a?q=1#h";
const setters = {
    href: ["https://x/", "bad"], protocol: ["https", "https:", "foo", "1x", "file"], username: ["", "n\u00e9w", "a:b@c"], password: ["", "p/w"],
    host: ["a.b", "a.b:90", "a.b:", "x/y", "", "[::1]:1", "bad host"], hostname: ["z", "a:1", "", "127.1"], port: ["", "80", "99", "99999", "12x", "x", "443"],
    pathname: ["", "x", "/a/../b", "/?#", "\u00e9 x"], search: ["", "?", "x=1", "?a b", "#"], hash: ["", "#", "x", "#a b`"],
};

const table = {};
for (const [name, values] of Object.entries(setters))
    for (const value of values)
        table[`${name} = ${JSON.stringify(value)}`] = () => caught(() => { const u = new URL(START); u[name] = value; return u.href; });
for (const [name, value] of [["host", "x"], ["port", "1"], ["username", "u"], ["pathname", "x"], ["protocol", "http"], ["search", "q"], ["hash", "h"]])
    table[`opaque ${name}`] = () => { const u = new URL("mailto:a@b"); u[name] = value; return u.href; };

export default {
    ...table,
    "origin is read only": () => kind(() => { const u = new URL(START); u.origin = "x"; return u.origin; }),
    "toString": () => new URL(START).toString(),
    "toJSON": () => JSON.stringify({ u: new URL(START) }),
    "template": () => `${new URL(START)}`,
    "canParse": () => [URL.canParse("http://a"), URL.canParse("x"), URL.canParse("x", "http://a"), URL.canParse("http://[")],
    "parse": () => [URL.parse("http://a")?.href, URL.parse("x"), URL.parse("x", "http://a/b")?.href],
    "createObjectURL": () => caught(() => URL.createObjectURL(new Blob([]))),
    "tag": () => Object.prototype.toString.call(new URL(START)),
    "no arguments": () => kind(() => new URL()),
    "without new": () => kind(() => URL("http://a")),
    "URL from URL": () => new URL(new URL("http://a/b")).href,
    "base is URL": () => new URL("x", new URL("http://a/b")).href,
    "members": () => Object.getOwnPropertyNames(URL.prototype).sort(),
    "keys": () => Object.keys(new URL(START)),
    "searchParams same": () => { const u = new URL(START); return u.searchParams === u.searchParams; },
    "searchParams live to url": () => { const u = new URL(START); u.searchParams.append("b", "2 3"); u.searchParams.delete("q"); return u.href; },
    "searchParams live from url": () => { const u = new URL(START); const p = u.searchParams; u.search = "?z=9&z=8"; return [...p]; },
    "searchParams emptied": () => { const u = new URL(START); u.searchParams.delete("q"); return u.href; },
    "searchParams from href": () => { const u = new URL(START); const p = u.searchParams; u.href = "http://n/?m=1"; return p.get("m"); },
    "search re-encoded": () => { const u = new URL("http://a/?x=~ '%20"); const before = u.search; u.searchParams.sort(); return [before, u.search]; },
};
