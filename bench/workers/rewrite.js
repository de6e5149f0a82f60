// A page of about 1 MB: sent as it is, with a rewriter that finds nothing, and with one that changes every link, or reads every heading.
const PART = `<article class="card x" data-n="1"><h2>Title &amp; more</h2><p>Some text of a usual length, <em>with</em> an <a href="/path?a=1&amp;b=2" class=link>anchor</a> in it.</p><!-- note --><img src="/a.png" alt="" width=10><ul><li>one</li><li>two</li><li>three</li></ul></article>\n`;
const PAGE = `<!doctype html><html><head><title>x</title><style>p > a { color: red }</style><script>if (1 < 2) f("</p>");</script></head><body>${PART.repeat(Math.ceil(1e6 / PART.length))}</body></html>`;
const bytes = new TextEncoder().encode(PAGE);

const ways = {
    plain: (response) => response,
    nothing: (response) => new HTMLRewriter().on("nothing.here > [at=all]", { element() {} }).transform(response),
    links: (response) => new HTMLRewriter().on("a[href]", { element(e) { e.setAttribute("href", `https://example.com${e.getAttribute("href")}`); } }).transform(response),
    items: (response) => {
        let n = 0;
        return new HTMLRewriter().on("h2", { element() { n++; }, text(t) { n += t.text.length; } }).transform(response);
    },
};

export default {
    async fetch(request) {
        const { pathname } = new URL(request.url);
        return ways[pathname.slice(1)](new Response(bytes, { headers: { "content-type": "text/html" } }));
    },
};
