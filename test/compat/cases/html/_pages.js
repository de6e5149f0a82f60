/* What cases of this area share: a page's way through a rewriter, and what a rewriter saw of it. */
const encoder = new TextEncoder();

/* The page as a stream of pieces of n bytes; 0: as a string. */
export function page(html, n = 0) {
    if (n === 0) return new Response(html);
    const bytes = typeof html === "string" ? encoder.encode(html) : html;
    let at = 0;
    return new Response(new ReadableStream({
        pull(controller) {
            if (at >= bytes.length) return controller.close();
            controller.enqueue(bytes.slice(at, at + n));
            at += n;
        },
    }));
}

export const rewrite = (selector, handlers, html, n = 0) => new HTMLRewriter().on(selector, handlers).transform(page(html, n)).text();

/* Every token of the page, pieces of text joined. */
export async function trace(html, { selector = "*", n = 0, type = undefined, pieces = false } = {}) {
    const seen = [];
    const text = (kind) => (t) => {
        const last = seen.at(-1);
        if (!pieces && last !== undefined && last[0] === kind && last[2] === undefined) {
            last[1] += t.text;
            if (t.lastInTextNode) last[2] = "end";
        } else {
            seen.push(t.lastInTextNode ? [kind, t.text, "end"] : [kind, t.text]);
        }
    };
    const response = page(html, n);
    if (type !== undefined) response.headers.set("content-type", type);
    const result = new HTMLRewriter()
        .on(selector, {
            element(e) {
                seen.push(["element", e.tagName, [...e.attributes], e.namespaceURI]);
                try {
                    e.onEndTag((tag) => { seen.push(["end tag", tag.name]); });
                } catch (error) {
                    seen.push(error.message);
                }
            },
            comments(c) { seen.push(["comment", c.text]); },
            text: text("text"),
        })
        .onDocument({
            doctype(d) { seen.push(["doctype", d.name, d.publicId, d.systemId]); },
            comments(c) { seen.push(["document comment", c.text]); },
            text: pieces ? undefined : text("document text"),
            end() { seen.push(["end"]); },
        })
        .transform(response);
    try {
        seen.push(["output", [...new Uint8Array(await result.arrayBuffer())].map((b) => String.fromCharCode(b)).join("")]);
    } catch (error) {
        seen.push(["error", error.name, error.message]);
    }
    return seen;
}
