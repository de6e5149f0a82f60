import { caught } from "../../worker/report.js";

const make = (...pairs) => {
    const h = new Headers();
    for (const [name, value] of pairs) h.append(name, value);
    return h;
};

export default {
    "empty": () => [...new Headers()],
    "from record": () => new Headers({ "Content-Type": "text/plain", "X-A": "1" }),
    "from pairs": () => new Headers([["b", "2"], ["a", "1"], ["B", "3"]]),
    "from Headers": () => new Headers(make(["x", "1"], ["y", "2"])),
    "from Map": () => new Headers(new Map([["m", "1"], ["n", "2"]])),
    "from undefined": () => [...new Headers(undefined)],
    "from null": () => caught(() => [...new Headers(null)]),
    "from number": () => caught(() => [...new Headers(1)]),
    "from string": () => caught(() => [...new Headers("ab")]),
    "pair of one": () => caught(() => new Headers([["a"]])),
    "pair of three": () => caught(() => new Headers([["a", "b", "c"]])),
    "record with number value": () => new Headers({ a: 1, b: null, c: undefined, d: true }),
    "record with symbol key": () => [...new Headers({ a: 1 })],
    "append joins": () => make(["a", "1"], ["a", "2"]).get("a"),
    "append joins across case": () => make(["A", "1"], ["a", "2"]).get("A"),
    "set replaces": () => { const h = make(["a", "1"], ["a", "2"]); h.set("A", "3"); return [...h]; },
    "set new": () => { const h = new Headers(); h.set("Zed", "z"); return [...h]; },
    "delete": () => { const h = make(["a", "1"], ["b", "2"]); h.delete("A"); return [...h]; },
    "delete missing": () => { const h = make(["a", "1"]); return [h.delete("b"), ...h]; },
    "get missing": () => new Headers().get("nothing"),
    "has": () => { const h = make(["a", ""]); return [h.has("A"), h.has("b")]; },
    "empty value": () => make(["a", ""]).get("a"),
    "append empty values": () => make(["a", ""], ["a", ""], ["a", "x"]).get("a"),
    "trims spaces": () => make(["a", " \t x y \t "]).get("a"),
    "inner spaces stay": () => make(["a", "x   y"]).get("a"),
    "sorted by lower case": () => [...make(["Zebra", "1"], ["apple", "2"], ["Mango", "3"])],
    "keys": () => [...make(["B", "1"], ["a", "2"]).keys()],
    "values": () => [...make(["B", "1"], ["a", "2"]).values()],
    "entries": () => [...make(["B", "1"], ["a", "2"]).entries()],
    "forEach": () => {
        const seen = [];
        const h = make(["B", "1"], ["a", "2"]);
        h.forEach(function (value, name, self) { seen.push([value, name, self === h, this?.x]); }, { x: 5 });
        return seen;
    },
    "iterator is entries": () => Headers.prototype[Symbol.iterator] === Headers.prototype.entries,
    "iterator tag": () => Object.prototype.toString.call(new Headers().entries()),
    "tag": () => Object.prototype.toString.call(new Headers()),
    "iterator protocol": () => {
        const it = make(["a", "1"])[Symbol.iterator]();
        return [it.next(), it.next(), it.next(), it[Symbol.iterator]() === it];
    },
    "delete while iterating": () => {
        const h = make(["a", "1"], ["b", "2"], ["c", "3"]);
        const seen = [];
        for (const [name] of h) { seen.push(name); h.delete("b"); }
        return seen;
    },
    "set-cookie stays apart": () => [...make(["set-cookie", "a=1"], ["x", "1"], ["Set-Cookie", "b=2"])],
    "getSetCookie": () => make(["set-cookie", "a=1"], ["set-cookie", "b=2"]).getSetCookie(),
    "getSetCookie none": () => new Headers().getSetCookie(),
    "get set-cookie": () => make(["set-cookie", "a=1"], ["set-cookie", "b=2"]).get("set-cookie"),
    "getAll set-cookie": () => caught(() => make(["set-cookie", "a=1"], ["set-cookie", "b=2"]).getAll("Set-Cookie")),
    "getAll other": () => caught(() => make(["a", "1"]).getAll("a")),
    "values that need strings": () => { const h = new Headers(); h.set("a", 12); h.set("b", {}); return [...h]; },
    "method without arguments": async () => [
        typeof await caught(() => new Headers().get()),
    ],
    "latin1 value": () => make(["a", "caf\u00e9"]).get("a"),
};
