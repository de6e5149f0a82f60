/* What is a tag, a text, a comment: each page whole, and byte by byte. */
import { page, trace } from "./_pages.js";

const pages = [
    "", "plain", "a<b", "a < b", "<", "<a", "</", "</a", "<!", "<!-", "<!--", "<?x", "</>", "</ x>", "<1>", "a<>b", "<a/>", "<a / >", "<br/>x</br>",
    "<div><p>one<p>two</div>", "<A HREF=X>y</A>", "<a b c=d e='f' g=\"h\" i = j>", "<a =b>", "<a ==b>", "<a b=>", "<a b='>'>", "<a b=c/>", "<a b=c />", "<a b/c>",
    "<a b\n=\nc>", "<a b=\"c\"d>", "<a b b=1 B=2>", "<a \u00e9='\u20ac'>", "<a b='&amp;&lt;x'>&amp;&copy;</a>", "<a b", "<a b=", "<a b='c", "<a b=c", "</a b=c>x",
    "<!---->", "<!-->", "<!--->", "<!-- x -->", "<!--x--!>", "<!--x--!y-->", "<!--x---->", "<!--x-y--z-->", "<!--<!-->", "<!--<!--x-->", "<!--a<b-->", "<!--x--", "<!--x-",
    "<!--x", "<!--x--!", "<!x>", "<!>", "<?php x ?>", "</1>", "<![CDATA[x]]>", "<!-x>",
    "<!doctype html>", "<!DOCTYPE>", "<!doctype  HTML  >", "<!doctypehtml>", "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://x/y\">",
    "<!DOCTYPE html SYSTEM 'a'>", "<!DOCTYPE html PUBLIC 'a'>", "<!DOCTYPE html PUBLIC'a''b'>", "<!DOCTYPE html PUBLIC x>", "<!DOCTYPE html x 'y'>", "<!DOCTYPE html PUBLIC 'a>",
    "<!DOCTYPE html SYSTEM>", "<!DOCTYPE html SYSTEM 'a' b>", "<!doctype html", "<!doctype", "<!doctyp>",
    "<title>a<b>c</title>d", "<textarea><p></textarea>", "<style>a<b</style>x", "<style></styl></style >x", "<style></STYLE>x", "<style></style/>x", "<style></style x=y>z", "<xmp><a></xmp>",
    "<iframe><a></iframe>", "<noscript><a></noscript>", "<noembed><a></noembed>", "<noframes><a></noframes>", "<plaintext><a></plaintext>", "<style><!--</style>-->",
    "<script>a<b</script>c", "<script><!--</script>-->", "<script><!--<script></script>--></script>x", "<script><!--<script></script></script>x", "<script><!-- x --></script>y",
    "<script><!--<script >a</script >b--></script>y", "<script></scriptx></script>", "<script><!-</script>", "<script><!--x-->y</script>z", "<script><!--<scriptx></script>--></script>",
    "<script>\"</\"+\"script>\"</script>", "<script", "<script>", "<script>x</script",
    "<svg><title><p>x</p></title></svg>y", "<svg><style><a></style></svg>", "<svg><![CDATA[a<b]]c]]></svg>", "<svg><![CDATA[x", "<svg><![CDATA[a]]]></svg>", "<math><mi><style><a></style></mi></math>",
    "<math><annotation-xml encoding='text/html'><p><style><a></style></p></annotation-xml></math>", "<math><annotation-xml><style><a></style></annotation-xml></math>",
    "<svg><p><style><a></style>", "<svg><font><style><a></style>", "<svg><font color=x><style><a></style>", "<svg><foreignObject><style><a></style></foreignObject><style><b></style></svg>",
    "<svg/><style><a></style>", "<svg><a/><b></b></svg>", "<svg></p><style><a></style>", "<math></br><style><a></style>", "<svg><desc/><style><a></style></svg>",
    "<select><xmp><a></xmp></select>", "<select><script><a></script></select>", "<select><textarea><a></textarea>", "<select><template><script></script></template></select>", "<frameset><style></style>",
    "<frameset><noframes><a></noframes>", "<select></select><style><a></style>", "<select><input><style><a></style>",
    "<area>x<base>x<br>x<col>x<embed>x<hr>x<img>x<input>x<link>x<meta>x<param>x<source>x<track>x<wbr>x", "<x-y>a</x-y>", "<a:b>c</a:b>", "<a\0b>\0</a\0b>", "<b><i>x</b>y</i>", "</a>x</b>",
    "<table><tr><td>x</table>", "<p>a\r\nb\r</p>", "<h1>x</H1>", "<averyveryverylongtagnamethatnobodyknows x>y</averyveryverylongtagnamethatnobodyknows>",
];
const table = {};
for (const html of pages) {
    table[`page ${JSON.stringify(html)}`] = () => trace(html);
    table[`bytes of ${JSON.stringify(html)}`] = () => trace(html, { n: 1 });
}

export default {
    ...table,
    "nothing to do": async () => new HTMLRewriter().transform(page("<p>a<b")).text(),
    "pieces of a long text": () => trace("<p>" + "x".repeat(3000) + "</p>", { pieces: true }),
    "pieces around less-than": () => trace("<p>a < b << c</p>", { pieces: true }),
    "pieces of raw text": () => trace("<style>a<b</c>d</styl></style>", { pieces: true }),
    "pieces of a script": () => trace("<script>a<!--b<c<script>d</script>e-->f</script>", { pieces: true }),
    "pieces of CDATA": () => trace("<svg><![CDATA[a]b]]c]]></svg>", { pieces: true }),
    "pieces by chunks": () => trace("<p>hello world</p>", { n: 4, pieces: true }),
};
