/*
 * What the API's port serves beside the API: a plain page, and the addresses of live tails.
 */
#include "role/control_impl.h"

#include "product/r2/s3.h"

static void page_on_body(struct api_taker *taker, struct slice bytes, bool end)
{
    (void)taker, (void)bytes, (void)end;
}

static void page_on_writable(struct api_taker *taker)
{
    (void)taker;
}

static void page_on_closed(struct api_taker *taker, int reason)
{
    (void)taker, (void)reason;
}

struct api_taker *control_answered(void)
{
    static struct api_taker taker = {page_on_body, page_on_writable, page_on_closed};
    return &taker;
}

static void page_text(struct control *c, struct buf *out)
{
    buf_printf(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Selvedge</title>\n"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:3em auto;padding:0 "
        "1em}"
        "code{background:#eee;padding:0 .3em}</style></head>\n<body><h1>Selvedge %s</h1>\n"
        "<p>The control API answers at <code>/client/v4</code>. Workers answer at "
        "<code>http://&lt;name&gt;.%s:%u</code>.</p>\n"
        "<p><code>selvedge env</code> prints the settings for wrangler and the SDKs.</p>\n"
        "</body></html>\n",
        SELVEDGE_VERSION, c->api.domain, c->api.http_port);
}

static bool page_is_api(struct slice path)
{
    return slice_starts(path, SLICE("/client/v4"));
}

struct api_taker *control_take(void *arg, struct http_exchange *x)
{
    struct control *c = arg;
    const struct http_request *h = http_request_of(x);
    struct slice rest = h->target, path = slice_cut(&rest, '?');
    if (page_is_api(path) || s3_is(&c->api, h->authority, h->target))
        return NULL;
    if (slice_starts(path, SLICE("/tail/")))
        return tail_take(c, x);
    AUTO(buf_done) struct buf text = {0};
    if (slice_eq(path, SLICE("/"))) {
        page_text(c, &text);
        http_answer(x, 200, SLICE("content-type: text/html; charset=utf-8\r\n"), buf_slice(&text));
        return control_answered();
    }
    http_answer(x, 404, SLICE("content-type: text/plain; charset=utf-8\r\n"),
                SLICE("Nothing here. The API lives under /client/v4.\n"));
    return control_answered();
}
