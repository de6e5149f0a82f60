/*
 * Pages: whole, and in pieces of a size that the first byte gives, become the same tokens; untouched they come out
 * as they went in; and with every kind of change at every token nothing breaks.
 */
#include "fuzz.h"
#include "web/html_rewriter.h"

static struct html_rewriter *open_rewriter(unsigned document, const unsigned *wants, size_t n,
                                           struct html_complex *const *selectors,
                                           const char *encoding)
{
    struct html_codec *codec;
    CHECK(html_codec_open(slice_of(encoding), &codec) == 0);
    struct html_rewriter_config config = {
        .selectors = selectors, .wants = wants, .n = n, .document = document, .codec = codec};
    return html_rewriter_create(&config);
}

/* What a handler saw, as text. */
static void note(struct html_rewriter *rw, int event, struct buf *seen)
{
    AUTO(buf_done) struct buf name = {0}, value = {0};
    if (event == HTML_EVENT_TEXT) {
        buf_append_slice(seen, html_rewriter_text(rw)); /* pieces differ, their sum does not */
        if (html_rewriter_is_last(rw))
            buf_append_slice(seen, SLICE("\n"));
        return;
    }
    buf_printf(seen, "[%d ", event);
    if (event == HTML_EVENT_ELEMENT || event == HTML_EVENT_COMMENT)
        html_rewriter_name(rw, seen);
    for (size_t i = 0;
         event == HTML_EVENT_ELEMENT && html_rewriter_attribute(rw, i, &name, &value) == 0; i++)
        buf_printf(&value, " ");
    buf_append_slice(seen, buf_slice(&name));
    buf_append_slice(seen, buf_slice(&value));
    buf_append_slice(seen, SLICE("]"));
}

static void change(struct html_rewriter *rw, int event, unsigned n)
{
    if (event == HTML_EVENT_ELEMENT) {
        if (n % 3 == 0)
            CHECK(html_rewriter_set_attribute(rw, SLICE("a"), SLICE("\"\xe2\x82\xac")) == 0);
        if (n % 5 == 0)
            html_rewriter_remove_attribute(rw, SLICE("b"));
        if (n % 7 == 0)
            CHECK(html_rewriter_set_name(rw, SLICE("x")) == 0);
        html_rewriter_settle(rw, n % 4 == 0, n % 2 == 0 ? n + 1 : 0);
    }
    while (event == HTML_EVENT_END_TAG && html_rewriter_next_end(rw) != 0)
        html_rewriter_put(rw, SLICE("<"), false);
    html_rewriter_put(rw, SLICE("<\xc3\xa9>"), n % 2 == 0);
    html_rewriter_emit(rw, n % 6 == 0);
    CHECK(html_rewriter_put_bytes(rw, SLICE("\xe2\x82"), true) <= 0);
}

static int run(struct html_rewriter *rw, struct slice in, size_t piece, bool changes,
               struct buf *seen)
{
    unsigned n = 0;
    for (size_t at = 0;; at += piece) {
        bool last = at + piece >= in.len;
        struct slice part =
            at >= in.len ? SLICE_NONE : slice_from(in.ptr + at, MIN(piece, in.len - at));
        int event = html_rewriter_write(rw, part, last);
        while (event == 0 && (event = html_rewriter_run(rw)) > 0) {
            note(rw, event, seen);
            if (changes)
                change(rw, event, n++);
            event = 0;
        }
        if (event < 0 || last)
            return event;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    AUTO(arena_done) struct arena arena = {.limit = 1 << 20};
    struct html_complex *selectors[2];
    const char *problem;
    CHECK(html_selector_parse(SLICE("*"), &arena, &selectors[0], &problem) == 0);
    CHECK(html_selector_parse(SLICE("p:nth-of-type(2) > [b]"), &arena, &selectors[1], &problem) ==
          0);
    const unsigned wants[] = {HTML_WANTS_ELEMENT | HTML_WANTS_TEXT,
                              HTML_WANTS_COMMENTS | HTML_WANTS_TEXT};
    const unsigned document =
        HTML_WANTS_COMMENTS | HTML_WANTS_TEXT | HTML_WANTS_DOCTYPE | HTML_WANTS_END;
    const char *encoding = data[1] % 2 == 0 ? "utf-8" : "windows-1252";
    struct slice in = slice_from(data + 2, size - 2);
    size_t piece = (size_t)data[0] % 16 + 1, all = MAX(in.len, (size_t)1);
    AUTO(buf_done) struct buf whole = {0}, pieces = {0}, ignored = {0};

    struct html_rewriter *one = open_rewriter(document, wants, 2, selectors, encoding);
    struct html_rewriter *two = open_rewriter(document, wants, 2, selectors, encoding);
    int r = run(one, in, all, false, &whole);
    CHECK(r == run(two, in, piece, false, &pieces) &&
          slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    CHECK(r < 0 || slice_eq(buf_slice(html_rewriter_out(one)), buf_slice(html_rewriter_out(two))));
    html_rewriter_destroy(one);
    html_rewriter_destroy(two);

    struct html_rewriter *plain = open_rewriter(0, wants, 0, selectors, encoding);
    r = run(plain, in, piece, false, &ignored);
    CHECK(r < 0 || slice_eq(buf_slice(html_rewriter_out(plain)), in));
    html_rewriter_destroy(plain);

    struct html_rewriter *changed = open_rewriter(document, wants, 2, selectors, encoding);
    (void)run(changed, in, piece, true, &ignored); /* may end with an ambiguous page */
    html_rewriter_destroy(changed);
    return 0;
}
