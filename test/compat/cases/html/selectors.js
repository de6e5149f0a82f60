/* Which selectors there are, what is wrong with the others, and what they match. */
import { caught } from "../../worker/report.js";
import { rewrite } from "./_pages.js";

const PAGE = `<html><body class="a B c" id=Top><div id=one class=x><p class="x y">1<p lang=en-US>2<span data-v="Foo bar">3</span></div>`
    + `<div><div><p title="">4</p></div><br><p TYPE=Text>5</p><ul><li>6<li>7<li>8</ul><a href="http://example.com/x.png" rel=NoFollow>9</a></div>`
    + `<svg viewBox=1><g class=x><path/></g></svg><x-y z=1>10</x-y><p></p></body></html>`;

const good = [
    "*", "p", "P", "div p", "div > p", "div>p", "div  >  p", "body > div > p", "div div p", "ul li", "li:first-child", "li:nth-child(2)", "li:nth-child(odd)", "li:nth-child(even)",
    "li:nth-child(2n+1)", "li:nth-child( 2n + 1 )", "li:nth-child(-n+2)", "li:nth-child(n)", "li:nth-child(+3)", "li:nth-child(0)", "li:nth-child(n+2)", "p:nth-of-type(2)", "p:first-of-type", "p:nth-of-type(odd)",
    "div:nth-child(2)", ".x", ".X", "p.x", "p.x.y", ".b", ".B", "#one", "#One", "div#one.x", "[class]", "[id=one]", "[id='one']", "[id=\"one\"]", "[ID=one]", "[class~=x]", "[class~=y]", "[lang|=en]", "[lang|=EN]", "[lang|=EN s]",
    "[href^=http]", "[href^='http://']", "[href$=png]", "[href$='.PNG' i]", "[href*=example]", "[href*='']", "[href^='']", "[title='']", "[title^='']", "[type=text]", "[type=TEXT]", "[type=text s]", "[type=Text s]", "[rel=nofollow]",
    "[data-v=foo]", "[data-v='foo bar']", "[data-v='foo bar' i]", "[data-v~=bar]", "p:not(.x)", "p:not([title])", "p:not(.x):not(.y)", "p:not(.x, [title])", "p:not(.x.q)", "div:not(#one) p", "*:not(p)", ":not(div)", "p:not(:first-child)", "p:not(:not(.x))",
    "p, li", "p,li , a", "p.x, p", "svg", "svg *", "g.x > path", "path", "[viewbox]", "[viewBox]", "x-y", "X-Y[z]", "*|p", "|p", "div *", "body div p span", "\\70", ".\\78", "#\\6fne", "p/* c */.x", "/* c */ p", "div/**/p", "[ id = one ]",
    "body\tp", "body\np", "p[class=x y", "p[class", "p[class='x y'", "br", "span, p:nth-of-type(2)", "div > div > p, ul > li:nth-child(3)", "body [class]", ".a .x", ".a > .x", "li:first-child:nth-of-type(1)",
    "li:NTH-CHILD(2)", "p:Not(.x)", "li:nth-child(1000000000000)", "-x", "_x", "\u00e9",
];
const bad = [
    "", " ", ",", "p,", ",p", "p,,li", ">", "> p", "p >", "p > > a", "p + a", "p ~ a", "p || a", "p +", "p:hover", "p::before", "p:before", ":root", ":empty", "p:last-child", "p:nth-last-child(2)", "p:only-child", "p:is(a)", "p:where(a)", "p:has(a)", "p:lang(en)",
    "p:nth-child()", "p:nth-child(x)", "p:nth-child(2", "p:nth-child(2 of .x)", "p:nth-child(- 2)", "p:nth-child(n2)", "p:nth-child(2n 1)", "p:not()", "p:not(a b)", "p:not(a > b)", "p:not(a", "p:not(", "p:", "p::", "p:1", ".", ".1", "p.", "p..x", "#", "#1", "p#", "[", "[]", "[=]", "[a", "[a=", "[a=]",
    "[a=b", "[a=1]", "[a='b]", "[a=b c]", "[a=b i", "[a b]", "[a!=b]", "[1]", "[a='b' x]", "[a='b'i]", "[*|a]", "[x|a]", "[|id]", "x|p", "*|*", "|*", "*|", "|", "x|", "1", "p 1", "p$", "p&", "&", "p)", "(p)", "p{", "@p", "p;", "'p'", "p!", "p\\", "div::part(x)", ":host", ":host(p)", ":scope",
    "::slotted(p)", "p:not(:hover)", "p:not(p + a)", "p:not(::before)", "a + b ~ c", "a ~ b + c", ":root >", "a + b, c ~ d", "p:first-child()", "p:nth-child", "p[a=b][", "p:not(*|a)", "p:not(x|a)", "<p>", "p/", "p /deep/ a", "p >>> a", "--x", "p:not(a,)", "p[a=b]c", "p*", "**", "p.x#y[z]:hover",
];
const table = {};
for (const selector of [...good, ...bad]) {
    table[`selector ${JSON.stringify(selector)}`] = () => caught(async () => {
        const rewriter = new HTMLRewriter();
        const seen = [];
        rewriter.on(selector, { element(e) { seen.push(`${e.tagName} ${e.getAttribute("class")}`); } });
        await rewriter.transform(new Response(PAGE)).text();
        return seen;
    });
}

export default {
    ...table,
    "comments and text of matched elements only": async () => {
        const seen = [];
        await rewrite("div > p", { comments: (c) => { seen.push(c.text); }, text: (t) => { seen.push(t.text); } }, "a<!--1--><p>b</p><div>c<p>d<i>e<!--2--></i>f</p>g<!--3--></div>");
        return seen;
    },
    "several selectors in order": async () => {
        const seen = [];
        const note = (name) => ({ element() { seen.push(name); }, text(t) { seen.push(`${name} ${t.text}`); } });
        await new HTMLRewriter().on("b", note(1)).onDocument({ text(t) { seen.push(`d ${t.text}`); } }).on("*", note(2)).on("i", note(3)).transform(new Response("<b>x</b>")).text();
        return seen;
    },
    "the same selector twice": async () => new HTMLRewriter().on("p", { element(e) { e.append("1"); } }).on("p", { element(e) { e.append("2"); } }).transform(new Response("<p></p>")).text(),
    "number as selector": () => caught(() => new HTMLRewriter().on(1, {})),
    "text after removed sibling": async () => rewrite("a + b", {}, "").catch((e) => e.message),
};
