import { caught, kind } from "../../worker/report.js";

const P = (x) => new URLSearchParams(x);
const inits = {
    "string": "a=1&b=2&a=3", "question mark": "?a=1", "two question marks": "??a=1", "empty": "", "no value": "a&b=&=c&&=", "plus": "a+b=c+d", "percent": "a%20b=%C3%A9%zz%", "bad utf8": "a=%ff%fe",
    "unicode": "\u00e9=\u{1f600}", "equals": "a=b=c", "pairs": [["a", "1"], ["b", "2"], ["a", "3"]], "record": { a: 1, b: null, c: undefined }, "empty pairs": [], "hash": "a=#x", "BOM": "\ufeffa=b", "surrogate": "a=\ud800",
};
const table = {};
for (const [name, init] of Object.entries(inits)) table[`from ${name}`] = () => caught(() => [[...P(init)], P(init).toString()]);

export default {
    ...table,
    "from undefined": () => P(undefined).toString(),
    "from null": () => P(null).toString(),
    "from number": () => P(5).toString(),
    "from params": () => { const a = P("x=1"); const b = P(a); a.append("y", "2"); return [a.toString(), b.toString()]; },
    "from FormData": () => caught(() => { const f = new FormData(); f.append("a", "b"); return P(f).toString(); }),
    "from Map": () => P(new Map([["a", "1"]])).toString(),
    "bad pair": () => caught(() => P([["a"]])),
    "bad pair of three": () => caught(() => P([["a", "b", "c"]])),
    "serialise": () => P([["a b", "c&d=e"], ["*-._", "~!'()"], ["\u00e9", "\u20ac"], ["\0", "\n"]]).toString(),
    "append": () => { const p = P("a=1"); p.append("a", "2"); return p.toString(); },
    "delete": () => { const p = P("a=1&b=2&a=3"); p.delete("a"); return p.toString(); },
    "delete value": () => { const p = P("a=1&b=2&a=3"); p.delete("a", "3"); return p.toString(); },
    "delete value undefined": () => { const p = P("a=1&a=undefined"); p.delete("a", undefined); return p.toString(); },
    "get": () => [P("a=1&a=2").get("a"), P("a=1").get("b")],
    "getAll": () => [P("a=1&a=2").getAll("a"), P("a=1").getAll("b")],
    "has": () => [P("a=1").has("a"), P("a=1").has("b"), P("a=1").has("a", "1"), P("a=1").has("a", "2")],
    "set first": () => { const p = P("a=1&b=2&a=3"); p.set("a", "4"); return p.toString(); },
    "set new": () => { const p = P("a=1"); p.set("b", 2); return p.toString(); },
    "sort": () => { const p = P("z=1&a=2&z=0&\u{1f600}=3&\ufb03=4"); p.sort(); return [...p.keys()].join(" ") + p.toString(); },
    "size": () => [P("a=1&a=2&b=3").size, P("").size],
    "keys values entries": () => [[...P("a=1&b=2").keys()], [...P("a=1&b=2").values()], [...P("a=1&b=2").entries()]],
    "forEach": () => { const out = []; P("a=1&b=2").forEach((v, k, self) => out.push([v, k, self instanceof URLSearchParams])); return out; },
    "delete while iterating": () => { const p = P("a=1&b=2&c=3"); const out = []; for (const [k] of p) { out.push(k); p.delete("a"); } return out; },
    "missing argument": () => kind(() => P("").append("a")),
    "tag": () => [Object.prototype.toString.call(P("")), Object.prototype.toString.call(P("").keys())],
    "members": () => Object.getOwnPropertyNames(URLSearchParams.prototype).sort(),
};
