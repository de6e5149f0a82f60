/* What tokens offer, and what becomes of the page. */
import { caught, kind } from "../../worker/report.js";
import { page, rewrite } from "./_pages.js";

const PAGE = "a<div id=x class='k'>b<p>c</p><br>d<img/></div>e";
const element = (change, html = PAGE, selector = "div") => () => caught(() => rewrite(selector, { element: change }, html));
const METHODS = ["before", "after", "prepend", "append", "replace", "setInnerContent"];
const table = {};
for (const method of METHODS) {
    table[`${method} text`] = element((e) => { e[method]("<&>\"'"); });
    table[`${method} html`] = element((e) => { e[method]("<&>", { html: true }); });
    table[`${method} twice`] = element((e) => { e[method]("1"); e[method]("2"); });
    table[`${method} of br`] = element((e) => { e[method]("1"); e[method]("2"); }, PAGE, "br");
    table[`${method} of img`] = element((e) => { e[method]("1"); }, PAGE, "img");
    table[`${method} of nested`] = element((e) => { e[method]("1"); }, "<div>a<div>b</div>c</div>");
    table[`${method} without end tag`] = element((e) => { e[method]("1"); }, "<div>a<p>b", "p");
    table[`${method} closed by parent`] = element((e) => { e[method]("1"); }, "<div>a<p>b</div>c", "p");
    table[`${method} in svg`] = element((e) => { e[method]("1"); }, "<svg><g/><g></g></svg>", "g");
    table[`${method} stream`] = element((e) => { e[method](new Response("<s>").body); });
    table[`${method} stream html`] = element((e) => { e[method](new Response("<s>").body, { html: true }); });
    table[`${method} response`] = element((e) => { e[method](new Response("<s>")); });
    table[`${method} empty response`] = element((e) => { e[method](new Response(null)); });
    table[`${method} number`] = element((e) => { e[method](5); });
    table[`${method} null`] = element((e) => { e[method](null); });
    table[`${method} nothing`] = element((e) => { e[method](); });
    table[`${method} options`] = element((e) => { e[method]("<", null); e[method]("<", {}); e[method]("<", { html: 1 }); e[method]("<", undefined); });
    table[`${method} returns`] = element((e) => { if (e[method]("") !== e) throw new Error("no"); });
    table[`${method} order of all`] = element((e) => { e.before("B"); e.append("Z"); e[method]("M"); e.prepend("P"); e.after("A"); });
    table[`${method} then remove`] = element((e) => { e[method]("M"); e.remove(); });
    table[`remove then ${method}`] = element((e) => { e.remove(); e[method]("M"); });
    table[`keep content then ${method}`] = element((e) => { e.removeAndKeepContent(); e[method]("M"); });
    table[`${method} async`] = element(async (e) => { await scheduler.wait(1); e[method]("M"); await scheduler.wait(1); e[method]("N"); });
}
const names = ["x", "X-Y", "", " ", "1", "a b", "a/b", "a>b", "a=b", "a\n", "\u00e9", "a\u00e9", "a\0b", "a\"b"];
for (const name of names) {
    const label = JSON.stringify(name);
    table[`tagName = ${label}`] = element((e) => { e.tagName = name; });
    table[`setAttribute ${label}`] = element((e) => { e.setAttribute(name, "v"); });
    table[`getAttribute ${label}`] = element((e) => { e.before(JSON.stringify([e.getAttribute(name), e.hasAttribute(name)])); e.removeAttribute(name); });
}
const values = ["", "a b", "\"q\"", "'", "&amp;<>", "\u00e9\u20ac", null, 5, "a\nb"];
for (const value of values) table[`attribute value ${JSON.stringify(value)}`] = element((e) => { e.setAttribute("v", value); });
const comments = ["x", "", "-->", "a-->b", ">", "->", "--!>", "a--b", "-", "<!--", null];
for (const text of comments) table[`comment text ${JSON.stringify(text)}`] = () => caught(() => rewrite("p", { comments(c) { c.text = text; } }, "<p><!--old--></p>"));

const texts = (change, html = "<p>one</p>two") => () => caught(() => rewrite("p", { text: change }, html));
const ends = (change, html = "<p>one</p>two", first = () => {}) => () => caught(() => rewrite("p", { element(e) { first(e); e.onEndTag(change); } }, html));

export default {
    ...table,
    "set attributes": element((e) => { e.setAttribute("id", "new").setAttribute("z", "1").removeAttribute("class"); }),
    "set attribute again": element((e) => { e.setAttribute("Q", "1"); e.setAttribute("q", "2"); }),
    "attributes of self closing": element((e) => { e.setAttribute("q", "1"); }, "<img/><img a=b/><img a=b />", "img"),
    "remove all attributes": element((e) => { e.removeAttribute("id"); e.removeAttribute("class"); }),
    "remove what is not there": element((e) => { e.removeAttribute("nope"); }, "<div  a = 'b' >"),
    "unchanged attributes keep their form": element((e) => { e.setAttribute("z", "1"); }, "<DIV  A = 'b'  c=d\n e>"),
    "duplicate attributes": element((e) => { e.before(e.getAttribute("a")); e.setAttribute("a", "3"); }, "<div a=1 a=2>"),
    "remove duplicates": element((e) => { e.removeAttribute("a"); }, "<div a=1 a=2 b>"),
    "attributes iterator": element((e) => { e.before(JSON.stringify([[...e.attributes], Object.prototype.toString.call(e.attributes), typeof e.attributes.next])); }, "<div A=1 b c='&amp;'>"),
    "iterator after change": element((e) => { const i = e.attributes; i.next(); e.setAttribute("q", ""); i.next(); }),
    "iterator after removal": element((e) => { const i = e.attributes; e.removeAttribute("nope"); i.next(); }),
    "tag name and end tag": element((e) => { e.tagName = "Section"; e.before(e.tagName); }),
    "tag name without content": element((e) => { e.tagName = "hr"; }, PAGE, "br"),
    "tag name of self closing": element((e) => { e.tagName = "x"; }, "<img a/>", "img"),
    "namespaces": async () => { const seen = []; await rewrite("*", { element(e) { seen.push([e.tagName, e.namespaceURI]); } }, "<p><svg><g/><foreignObject><p></p></foreignObject></svg><math><mi></mi></math></p>"); return seen; },
    "removed": element((e) => { const before = e.removed; e.remove(); e.before(`${before} ${e.removed}`); }),
    "removed by parent": async () => { const seen = []; const html = await rewrite("*", { element(e) { seen.push([e.tagName, e.removed]); if (e.tagName === "div") e.remove(); } }, PAGE); return [html, seen]; },
    "handlers within removed content": async () => { const seen = []; const html = await new HTMLRewriter().on("div", { element(e) { e.setInnerContent("!"); } }).on("p", { element(e) { e.before("no"); }, text(t) { seen.push(t.text); }, comments(c) { seen.push(c.text); } }).transform(page("<div><p>a<!--b--></p></div>c")).text(); return [html, seen]; },
    "removed twice": element((e) => { e.remove(); }, "<div>a<div>b</div>c</div>d"),
    "replace twice": element((e) => { e.replace("1"); e.replace("2"); }),
    "several handlers of one element": () => new HTMLRewriter().on("div", { element(e) { e.before("1"); e.setInnerContent("in"); } }).on(".k", { element(e) { e.before("2"); e.append("end"); } }).transform(page(PAGE)).text(),
    "other object for each handler": async () => { const seen = []; await new HTMLRewriter().on("p", { element(e) { seen.push(e); } }).on("p", { element(e) { seen.push(e); } }).transform(page("<p>")).text(); return seen[0] === seen[1]; },
    "onEndTag": ends((t) => { t.before(`[${t.name}]`); t.after("<after>"); }),
    "onEndTag order": ends((t) => { t.before("1"); t.before("2"); t.after("3"); t.after("4"); }),
    "onEndTag html": ends((t) => { t.before("<i>", { html: true }); t.after("</i>", { html: true }); }),
    "onEndTag remove": ends((t) => { t.remove(); }),
    "onEndTag name": ends((t) => { t.name = "Q"; t.after(t.name); }),
    "onEndTag with element changes": ends((t) => { t.before("t"); t.after("u"); }, "<p>x</p>y", (e) => { e.append("a"); e.after("b"); }),
    "onEndTag of implied end": ends((t) => { t.before("t"); }, "<div><p>x</div>y"),
    "onEndTag without end": ends((t) => { t.before("t"); }, "<p>x"),
    "onEndTag twice": ends((t) => { t.before("2"); }, "<p>x</p>", (e) => { e.onEndTag((t) => { t.before("1"); }); }),
    "onEndTag of void": () => caught(() => rewrite("br", { element(e) { e.onEndTag(() => {}); } }, "<br>")),
    "onEndTag of removed": ends((t) => { t.before("t"); }, "<p>x</p>y", (e) => { e.remove(); }),
    "onEndTag nested": async () => { const seen = []; const html = await rewrite("*", { element(e) { const { tagName } = e; e.onEndTag((t) => { seen.push([tagName, t.name]); t.before(tagName); }); } }, "<a><b><c></a></b>"); return [html, seen]; },
    "onEndTag async": ends(async (t) => { await scheduler.wait(1); t.before("x"); }),
    "onEndTag stream": ends((t) => { t.before(new Response("<s>").body, { html: true }); }),
    "onEndTag no function": () => caught(() => rewrite("p", { element(e) { e.onEndTag(5); } }, "<p></p>")),
    "onEndTag returns": async () => { let r; await rewrite("p", { element(e) { r = e.onEndTag(() => {}); } }, "<p></p>"); return r; },
    "onEndTag members": async () => { const seen = []; await rewrite("p", { element(e) { e.onEndTag((t) => { for (const k in t) seen.push(k); seen.push(Object.prototype.toString.call(t)); }); } }, "<p></p>"); return seen.sort(); },
    "text replace": texts((t) => { if (t.text) t.replace("<new>"); }),
    "text replace html": texts((t) => { if (t.text) t.replace("<new>", { html: true }); }),
    "text remove": texts((t) => { t.remove(); }),
    "text around": texts((t) => { t.before("[").after("]").before("(").after(")"); }),
    "text last": texts((t) => { if (t.lastInTextNode) t.after("!"); }),
    "text removed": texts((t) => { if (t.text) { const r = t.removed; t.remove(); t.before(`${r}${t.removed}`); } }),
    "text stream": texts((t) => { if (t.text) t.replace(new Response("s").body); }),
    "text is markup": texts((t) => { t.before(t.text); }, "<p>&lt;a&gt; &amp;</p>"),
    "text members": async () => { const seen = []; await rewrite("p", { text(t) { for (const k in t) seen.push(k); } }, "<p>x</p>"); return seen.sort(); },
    "text async": texts(async (t) => { await scheduler.wait(1); if (t.text) t.replace("later"); }),
    "comment replace": () => rewrite("p", { comments(c) { c.replace("<x>"); c.before("a"); c.after("b"); } }, "<p><!--c--></p>"),
    "comment remove": () => rewrite("p", { comments(c) { c.remove(); } }, "<p>a<!--c-->b</p>"),
    "comment stream": () => caught(() => rewrite("p", { comments(c) { c.replace(new Response("x").body); } }, "<p><!--c--></p>")),
    "comment response": () => caught(() => rewrite("p", { comments(c) { c.before(new Response("x")); } }, "<p><!--c--></p>")),
    "comment changed and around": () => rewrite("p", { comments(c) { c.text = "n"; c.before("a"); c.after("b"); } }, "<p><!--c--></p>"),
    "bogus comment changed": () => rewrite("p", { comments(c) { c.text += "!"; } }, "<p><?x></p><p></1></p>"),
    "comment members": async () => { const seen = []; await rewrite("p", { comments(c) { for (const k in c) seen.push(k); } }, "<p><!--x--></p>"); return seen.sort(); },
    "element members": async () => { const seen = []; await rewrite("p", { element(e) { for (const k in e) seen.push(k); seen.push(Object.prototype.toString.call(e)); } }, "<p>"); return seen.sort(); },
    "document end": () => new HTMLRewriter().onDocument({ end(e) { e.append("<x>"); e.append("<y>", { html: true }); } }).transform(page("a")).text(),
    "document end stream": () => caught(() => new HTMLRewriter().onDocument({ end(e) { e.append(new Response("x").body); } }).transform(page("a")).text()),
    "document end of nothing": () => new HTMLRewriter().onDocument({ end(e) { e.append("x"); } }).transform(page("")).text(),
    "document end in removed": () => new HTMLRewriter().on("p", { element(e) { e.remove(); } }).onDocument({ end(e) { e.append("x"); } }).transform(page("a<p>b")).text(),
    "document comments": () => new HTMLRewriter().onDocument({ comments(c) { c.remove(); } }).transform(page("a<!--x--><p><!--y--></p>")).text(),
    "document text": () => new HTMLRewriter().onDocument({ text(t) { if (t.text) t.replace(t.text.toUpperCase()); } }).transform(page("a<p>b</p><script>c</script>")).text(),
    "doctype is read only": () => caught(() => new HTMLRewriter().onDocument({ doctype(d) { d.name = "x"; } }).transform(page("<!doctype html>")).text()),
    "doctype members": async () => { const seen = []; await new HTMLRewriter().onDocument({ doctype(d) { for (const k in d) seen.push(k); } }).transform(page("<!doctype html>")).text(); return seen.sort(); },
    "dead element": async () => { let kept; await rewrite("p", { element(e) { kept = e; } }, "<p>"); return caught(() => kept.tagName); },
    "dead method": async () => { let kept; await rewrite("p", { element(e) { kept = e; } }, "<p>"); return caught(() => kept.before("x")); },
    "dead text": async () => { let kept; await rewrite("p", { text(t) { kept = t; } }, "<p>x"); return caught(() => kept.text); },
    "dead iterator": async () => { let kept; await rewrite("p", { element(e) { kept = e.attributes; } }, "<p a>"); return caught(() => kept.next()); },
    "globals": () => ["HTMLRewriter", "Element", "Text", "Comment", "EndTag", "Doctype", "DocumentEnd"].map((n) => typeof globalThis[n]),
};
