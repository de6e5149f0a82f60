/*
 * Heads: the end is found at the same place however the bytes are cut; a head that is accepted gives a
 * header block in its normal form, which written as a head again says the same.
 */
#include "fuzz.h"
#include "net/http1_parse.h"

static ssize_t find_end_in_pieces(struct slice in, size_t piece)
{
    size_t at = 0;
    for (size_t len = MIN(piece, in.len);; len = MIN(len + piece, in.len)) {
        ssize_t n = http1_head_end(slice_from(in.ptr, len), &at);
        if (n != 0 || len == in.len)
            return n;
    }
}

/* The head again, from what was understood. */
static void print_head(const struct http1_head *head, struct buf *out)
{
    buf_append_slice(out, head->method);
    buf_append_char(out, ' ');
    buf_append_slice(out, head->target);
    buf_printf(out, " HTTP/1.%d\r\n", head->version - 10);
    if (head->authority.len > 0)
        http_header_add(out, SLICE("host"), head->authority);
    buf_append_slice(out, head->headers);
    if (head->chunked)
        buf_printf(out, "transfer-encoding: chunked\r\n");
    buf_printf(out, "connection: %s\r\n", head->keep_alive ? "keep-alive" : "close");
    buf_printf(out, "\r\n");
}

static void check_again(const struct http1_head *head)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct http1_head again;
    size_t at = 0;

    print_head(head, &text);
    CHECK(http1_head_end(buf_slice(&text), &at) == (ssize_t)buf_len(&text));
    if (http1_head_parse(buf_slice(&text), &arena, &again) < 0) {
        CHECK(again.status == 431); /* two lines more than the limit of fields */
        return;
    }
    CHECK(slice_eq(head->method, again.method) && slice_eq(head->target, again.target));
    CHECK(slice_eq(head->authority, again.authority) && slice_eq(head->headers, again.headers));
    CHECK(head->content_length == again.content_length && head->chunked == again.chunked);
    CHECK(head->keep_alive == again.keep_alive && head->version == again.version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_done) struct arena arena = {0};
    struct slice in = slice_from(data, size);
    struct http1_head head;
    size_t at = 0;

    ssize_t n = http1_head_end(in, &at);
    CHECK(n == find_end_in_pieces(in, 1) && n == find_end_in_pieces(in, 7));
    if (n <= 0)
        return 0;
    if (http1_head_parse(slice_from(in.ptr, (size_t)n), &arena, &head) < 0) {
        CHECK(head.status >= 400 && head.status <= 505);
        return 0;
    }
    CHECK(http_header_check(head.headers) == 0);
    check_again(&head);
    return 0;
}
