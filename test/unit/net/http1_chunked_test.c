/* The chunked decoder, whole and byte by byte. */
#include "net_tests.h"

#include "net/http1_chunked.h"

#include <errno.h>

#define S(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct {
    struct slice in;
    int result;       /* HTTP1_CHUNKED_* or an error */
    const char *body; /* for END */
    size_t left;      /* bytes that belong to the next message */
} cases[] = {
    {S("0\r\n\r\n"), HTTP1_CHUNKED_END, "", 0},
    {S("5\r\nhello\r\n0\r\n\r\n"), HTTP1_CHUNKED_END, "hello", 0},
    {S("5\r\nhello\r\n0\r\n\r\nGET"), HTTP1_CHUNKED_END, "hello", 3},
    {S("1\r\na\r\nA\r\n0123456789\r\n000\r\n\r\n"), HTTP1_CHUNKED_END, "a0123456789", 0},
    {S("3;name=value;x=\"y\"\r\nabc\r\n0;e\r\n\r\n"), HTTP1_CHUNKED_END, "abc", 0},
    {S("3\r\n\r\n\0\r\n0\r\n\r\n"), HTTP1_CHUNKED_END, NULL, 0},
    {S("0\r\nX: 1\r\nY:2\r\n\r\nrest"), HTTP1_CHUNKED_END, "", 4},
    {S("5\r\nhel"), HTTP1_CHUNKED_MORE, "hel", 0},
    {S(""), HTTP1_CHUNKED_MORE, "", 0},
    {S("\r\n"), -EBADMSG, "", 0},
    {S("g\r\n"), -EBADMSG, "", 0},
    {S("-1\r\n"), -EBADMSG, "", 0},
    {S("+1\r\n"), -EBADMSG, "", 0},
    {S("0x1\r\n"), -EBADMSG, "", 0},
    {S(" 1\r\n"), -EBADMSG, "", 0},
    {S("1 \r\n"), -EBADMSG, "", 0},
    {S("1 ;x\r\n"), -EBADMSG, "", 0},
    {S("1\n"), -EBADMSG, "", 0},
    {S("1\r\r\n"), -EBADMSG, "", 0},
    {S("1;a\nb\r\n"), -EBADMSG, "", 0},
    {S("1;a\rb\r\n"), -EBADMSG, "", 0},
    {S("1;a\0\r\n"), -EBADMSG, "", 0},
    {S("1\r\naX\r\n"), -EBADMSG, "a", 0},
    {S("1\r\na\n"), -EBADMSG, "a", 0},
    {S("1\r\nab\r\n"), -EBADMSG, "a", 0},
    {S("1\r\na\r\r\n"), -EBADMSG, "a", 0},
    {S("0\r\nX : 1\r\n\r\n"), -EBADMSG, "", 0},
    {S("0\r\nX\r\n\r\n"), -EBADMSG, "", 0},
    {S("0\r\n X: 1\r\n\r\n"), -EBADMSG, "", 0},
    {S("0\r\nX: 1\n\r\n"), -EBADMSG, "", 0},
    {S("0\r\nX: \x01\r\n\r\n"), -EBADMSG, "", 0},
    {S("0\r\n\n"), -EBADMSG, "", 0},
    {S("fffffffffffffff\r\n"), HTTP1_CHUNKED_MORE, "", 0},
    {S("ffffffffffffffff\r\n"), -E2BIG, "", 0},
    {S("0000000000000000\r\n"), -E2BIG, "", 0},
};

static int decode(struct http1_chunked *c, struct slice *in, struct buf *body)
{
    struct slice data;
    int r;

    while ((r = http1_chunked_next(c, in, &data)) == HTTP1_CHUNKED_DATA)
        buf_append_slice(body, data);
    return r;
}

static void check(size_t i, int r, struct buf *body, size_t left)
{
    if (r != cases[i].result)
        fail_msg("case %zu gave %d: %.*s", i, r, SLICE_ARG(cases[i].in));
    if (cases[i].body != NULL && !slice_eq(buf_slice(body), slice_of(cases[i].body)))
        fail_msg("case %zu body: %.*s", i, SLICE_ARG(buf_slice(body)));
    if (r == HTTP1_CHUNKED_END && left != cases[i].left)
        fail_msg("case %zu left %zu", i, left);
}

static void http1_chunked_decodes_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(http1_chunked_done) struct http1_chunked c = {0};
        AUTO(buf_done) struct buf body = {0};
        struct slice in = cases[i].in;

        int r = decode(&c, &in, &body);
        check(i, r, &body, in.len);
    }
}

static void http1_chunked_decodes_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(http1_chunked_done) struct http1_chunked c = {0};
        AUTO(buf_done) struct buf body = {0};
        size_t at = 0;
        int r = HTTP1_CHUNKED_MORE;

        while (r == HTTP1_CHUNKED_MORE && at < cases[i].in.len) {
            struct slice one = {cases[i].in.ptr + at++, 1};
            r = decode(&c, &one, &body);
        }
        check(i, r, &body, cases[i].in.len - at);
    }
}

static void http1_chunked_keeps_its_limits(void **state)
{
    (void)state;
    AUTO(http1_chunked_done) struct http1_chunked long_line = {0}, long_trailer = {0}, many = {0};
    AUTO(buf_done) struct buf text = {0}, body = {0};

    buf_printf(&text, "1;%0*d", HTTP_CHUNK_LINE_MAX, 0);
    struct slice in = buf_slice(&text);
    assert_int_equal(decode(&long_line, &in, &body), -E2BIG);

    buf_clear(&text);
    buf_printf(&text, "0\r\nx: %0*d", HTTP_TRAILER_MAX, 0);
    in = buf_slice(&text);
    assert_int_equal(decode(&long_trailer, &in, &body), -E2BIG);

    buf_clear(&text);
    buf_printf(&text, "0\r\n");
    for (int i = 0; i <= HTTP_FIELDS_MAX; i++)
        buf_printf(&text, "x: %d\r\n", i);
    in = buf_slice(&text);
    assert_int_equal(decode(&many, &in, &body), -E2BIG);
}

int http1_chunked_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http1_chunked_decodes_whole),
        cmocka_unit_test(http1_chunked_decodes_byte_by_byte),
        cmocka_unit_test(http1_chunked_keeps_its_limits),
    };
    return cmocka_run_group_tests_name("http1_chunked", tests, NULL, NULL);
}
