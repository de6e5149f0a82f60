/*
 * Request heads: a table of good ones with what they mean, a table of bad ones with the answer they
 * get. Most bad ones are known ways to make two servers disagree about where a message ends.
 */
#include "net_tests.h"

#include "net/http1_parse.h"

#include <errno.h>
#include <stdio.h>

#define H "Host: a.example\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" H

static const struct {
    const char *head, *method, *target, *authority, *block;
    int64_t content_length;
    int version;
    bool chunked, keep_alive, expect;
    const char *upgrade;
} good[] = {
    {GET H "\r\n", "GET", "/", "a.example", "", -1, 11, false, true, false, ""},
    {"\r\n" GET H "\r\n", "GET", "/", "a.example", "", -1, 11, false, true, false, ""},
    {GET "HOST:A.Example:8080\r\n\r\n", "GET", "/", "a.example:8080", "", -1, 11, false, true,
     false, ""},
    {GET "host: [::1]:80 \r\n\r\n", "GET", "/", "[::1]:80", "", -1, 11, false, true, false, ""},
    {GET H "X-A: 1\r\nAccept:*/*\r\n\r\n", "GET", "/", "a.example", "x-a: 1\r\naccept: */*\r\n", -1,
     11, false, true, false, ""},
    {GET H "X:  \t padded \t\r\nY:\r\nZ: a: b:c\r\n\r\n", "GET", "/", "a.example",
     "x: padded\r\ny: \r\nz: a: b:c\r\n", -1, 11, false, true, false, ""},
    {GET H "X: tab\tinside\r\n\r\n", "GET", "/", "a.example", "x: tab\tinside\r\n", -1, 11, false,
     true, false, ""},
    {GET H "X: caf\xc3\xa9\r\n\r\n", "GET", "/", "a.example", "x: caf\xc3\xa9\r\n", -1, 11, false,
     true, false, ""},
    {GET H "A: 1\r\nA: 2\r\n\r\n", "GET", "/", "a.example", "a: 1\r\na: 2\r\n", -1, 11, false, true,
     false, ""},
    {GET H "!#$%&'*+-.^_`|~0aZ: v\r\n\r\n", "GET", "/", "a.example", "!#$%&'*+-.^_`|~0az: v\r\n",
     -1, 11, false, true, false, ""},
    {POST "Content-Length: 5\r\n\r\n", "POST", "/", "a.example", "content-length: 5\r\n", 5, 11,
     false, true, false, ""},
    {POST "Content-Length: 0\r\n\r\n", "POST", "/", "a.example", "content-length: 0\r\n", 0, 11,
     false, true, false, ""},
    {POST "Content-Length: 9223372036854775807\r\n\r\n", "POST", "/", "a.example",
     "content-length: 9223372036854775807\r\n", INT64_MAX, 11, false, true, false, ""},
    {POST "Transfer-Encoding: chunked\r\n\r\n", "POST", "/", "a.example", "", -1, 11, true, true,
     false, ""},
    {POST "TRANSFER-ENCODING:\tCHUNKED \r\n\r\n", "POST", "/", "a.example", "", -1, 11, true, true,
     false, ""},
    {POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n", "POST", "/", "a.example",
     "content-length: 5\r\n", 5, 11, false, true, true, ""},
    {GET H "Connection: close\r\n\r\n", "GET", "/", "a.example", "", -1, 11, false, false, false,
     ""},
    {GET H "Connection: keep-alive, Close\r\n\r\n", "GET", "/", "a.example", "", -1, 11, false,
     false, false, ""},
    {GET H "Connection: keep-alive\r\nKeep-Alive: 5\r\n\r\n", "GET", "/", "a.example", "", -1, 11,
     false, true, false, ""},
    {GET H "X-Hop: 1\r\nConnection: x-hop, x-other\r\nX-Other: 2\r\nZ: 3\r\n\r\n", "GET", "/",
     "a.example", "z: 3\r\n", -1, 11, false, true, false, ""},
    {POST "Connection: content-length\r\nContent-Length: 3\r\n\r\n", "POST", "/", "a.example",
     "content-length: 3\r\n", 3, 11, false, true, false, ""},
    {GET H "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\n", "GET", "/",
     "a.example", "sec-websocket-key: k\r\n", -1, 11, false, true, false, "websocket"},
    {GET H "Upgrade: websocket\r\n\r\n", "GET", "/", "a.example", "", -1, 11, false, true, false,
     ""},
    {GET H "TE: trailers\r\nTrailer: X\r\nProxy-Connection: close\r\nHTTP2-Settings: x\r\n\r\n",
     "GET", "/", "a.example", "", -1, 11, false, true, false, ""},
    {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "", -1, 10, false, false, false, ""},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET", "/", "", "", -1, 10, false, true,
     false, ""},
    {"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", "POST", "/", "",
     "content-length: 2\r\n", 2, 10, false, false, false, ""},
    {"GET http://a.example HTTP/1.1\r\n" H "\r\n", "GET", "/", "a.example", "", -1, 11, false, true,
     false, ""},
    {"GET HTTP://A.example/x?y HTTP/1.1\r\n" H "\r\n", "GET", "/x?y", "a.example", "", -1, 11,
     false, true, false, ""},
    {"GET https://a.example/ HTTP/1.1\r\n" H "\r\n", "GET", "/", "a.example", "", -1, 11, false,
     true, false, ""},
    {"GET http://b.example/ HTTP/1.0\r\n\r\n", "GET", "/", "b.example", "", -1, 10, false, false,
     false, ""},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS", "*", "a.example", "", -1, 11, false, true, false,
     ""},
    {"PURGE-1 /a//b/../c?d=%zz&e[]=\"{|}^`\\ HTTP/1.1\r\n" H "\r\n", "PURGE-1",
     "/a//b/../c?d=%zz&e[]=\"{|}^`\\", "a.example", "", -1, 11, false, true, false, ""},
};

static const struct {
    const char *head;
    int status; /* -1: refused while looking for the end */
} bad[] = {
    /* The request line. */
    {"\r\n\r\n", 400},
    {"GET\r\n\r\n", 400},
    {"GET /\r\n\r\n", 400},
    {"GET / \r\n" H "\r\n", 400},
    {" GET / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /  HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\tHTTP/1.1\r\n" H "\r\n", 400},
    {"GET /a b HTTP/1.1\r\n" H "\r\n", 400},
    {"G(T / HTTP/1.1\r\n" H "\r\n", 400},
    {"G\xc3\x89T / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / http/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1\r\n" H "\r\n", 400},
    {"GET / HTTP/11\r\n" H "\r\n", 400},
    {"GET / HTTP/1.10\r\n" H "\r\n", 400},
    {"GET / HTTP/+1.1\r\n" H "\r\n", 400},
    {"GET / XTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.2\r\n" H "\r\n", 505},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505},
    {"GET / HTTP/0.9\r\n" H "\r\n", 505},
    {"GET / HTTP/3.0\r\n" H "\r\n", 505},
    {"\r\n\r\n" GET H "\r\n", 400},
    {"\n" GET H "\r\n", -1},
    /* The target. */
    {"GET /\x80 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /#fragment HTTP/1.1\r\n" H "\r\n", 400},
    {"GET a.example HTTP/1.1\r\n" H "\r\n", 400},
    {"GET ?x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"OPTIONS ** HTTP/1.1\r\n" H "\r\n", 400},
    {"CONNECT a.example:443 HTTP/1.1\r\n" H "\r\n", 501},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://a.example?x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://u@a.example/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://b.example/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://a.example:80/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET ftp://a.example/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http:/a.example/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://a.example\\x/ HTTP/1.1\r\n" H "\r\n", 400},
    /* Host. */
    {GET "\r\n", 400},
    {GET H H "\r\n", 400},
    {GET H "Host: b.example\r\n\r\n", 400},
    {GET H "hOST: a.example\r\n\r\n", 400},
    {GET "Host:\r\n\r\n", 400},
    {GET "Host: a b\r\n\r\n", 400},
    {GET "Host: a.example, b.example\r\n\r\n", 400},
    {GET "Host: http://a.example\r\n\r\n", 400},
    {GET "Host: u@a.example\r\n\r\n", 400},
    {GET "Host: a.example/\r\n\r\n", 400},
    {GET "Host: a.example:99999\r\n\r\n", 400},
    {GET "Host: a.example:x\r\n\r\n", 400},
    {GET "Host: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\n" H H "\r\n", 400},
    /* Field syntax. */
    {GET H "X : 1\r\n\r\n", 400},
    {GET H "X\t: 1\r\n\r\n", 400},
    {GET H " X: 1\r\n\r\n", 400},
    {GET " " H "\r\n", 400},
    {GET H "X: 1\r\n folded\r\n\r\n", 400},
    {GET H "X: 1\r\n\tfolded\r\n\r\n", 400},
    {GET H "X: 1\r\n \r\n\r\n", 400},
    {GET H "X\r\n\r\n", 400},
    {GET H ": 1\r\n\r\n", 400},
    {GET H "X Y: 1\r\n\r\n", 400},
    {GET H "X(: 1\r\n\r\n", 400},
    {GET H "X\xc3\xa9: 1\r\n\r\n", 400},
    {GET H "X/: 1\r\n\r\n", 400},
    {GET H "X: a\rb\r\n\r\n", -1},
    {GET H "X: a\nY: b\r\n\r\n", -1},
    {GET H "X: a\r\r\n\r\n", -1},
    {GET H "X: a\x01\r\n\r\n", -1},
    {GET H "X: a\x7f\r\n\r\n", -1},
    {GET H "X: a\vb\r\n\r\n", -1},
    {GET H "X: a\fb\r\n\r\n", -1},
    {GET H "X: \x1b[0m\r\n\r\n", -1},
    {"GET / HTTP/1.1\n" H "\n", -1},
    {GET "Host: a.example\n\r\n", -1},
    {GET H "\n", -1},
    {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", -1},
    /* Lengths. */
    {POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {POST "Content-Length: 5, 5\r\n\r\n", 400},
    {POST "Content-Length: 5,6\r\n\r\n", 400},
    {POST "Content-Length: +5\r\n\r\n", 400},
    {POST "Content-Length: -5\r\n\r\n", 400},
    {POST "Content-Length: 0x5\r\n\r\n", 400},
    {POST "Content-Length: 5 5\r\n\r\n", 400},
    {POST "Content-Length: 5.0\r\n\r\n", 400},
    {POST "Content-Length: 1e3\r\n\r\n", 400},
    {POST "Content-Length: 5_0\r\n\r\n", 400},
    {POST "Content-Length: \"5\"\r\n\r\n", 400},
    {POST "Content-Length:\r\n\r\n", 400},
    {POST "Content-Length: five\r\n\r\n", 400},
    {POST "Content-Length: \xef\xbc\x95\r\n\r\n", 400},
    {POST "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {POST "Content-Length: 18446744073709551621\r\n\r\n", 400},
    {POST "Content-Length : 5\r\n\r\n", 400},
    {POST "Content-Length\r\n: 5\r\n\r\n", 400},
    {POST "Content-Length: 5\r\n 6\r\n\r\n", 400},
    /* Transfer codings. */
    {POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: chunked, identity\r\n\r\n", 501},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: gzip\r\n\r\n", 501},
    {POST "Transfer-Encoding: identity\r\n\r\n", 501},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
    {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {POST "Transfer-Encoding:\r\n\r\n", 400},
    {POST "Transfer-Encoding: ,chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding : chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\x0b\r\n\r\n", -1},
    {POST "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n",
     -1},
    {POST "Transfer-Encoding: chunked\xc2\xa0\r\n\r\n", 400},
    {POST "Transfer-Encoding: chun\xc4\xb1ked\r\n\r\n", 400},
    {POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400},
    {POST "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer\x01-Encoding: chunked\r\n\r\n", -1},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    /* The rest. */
    {GET H "Connection: a b\r\n\r\n", 400},
    {GET H "Connection: \"close\"\r\n\r\n", 400},
};

static struct slice head_of(const char *text)
{
    return slice_of(text);
}

static void http1_reads_good_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO(arena_done) struct arena arena = {0};
        struct slice in = head_of(good[i].head);
        struct http1_head head;
        size_t at = 0;

        if (http1_head_end(in, &at) != (ssize_t)in.len)
            fail_msg("no end in %s", good[i].head);
        if (http1_head_parse(in, &arena, &head) != 0)
            fail_msg("status %d for %s", head.status, good[i].head);
        if (!slice_eq(head.method, slice_of(good[i].method)) ||
            !slice_eq(head.target, slice_of(good[i].target)) ||
            !slice_eq(head.authority, slice_of(good[i].authority)) ||
            !slice_eq(head.upgrade, slice_of(good[i].upgrade)))
            fail_msg("words of %s", good[i].head);
        if (!slice_eq(head.headers, slice_of(good[i].block)))
            fail_msg("block of %s: %.*s", good[i].head, SLICE_ARG(head.headers));
        if (head.content_length != good[i].content_length || head.version != good[i].version ||
            head.chunked != good[i].chunked || head.keep_alive != good[i].keep_alive ||
            head.expect_continue != good[i].expect)
            fail_msg("meaning of %s", good[i].head);
        assert_int_equal(http_header_check(head.headers), 0);
    }
}

static void http1_refuses_bad_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(arena_done) struct arena arena = {0};
        struct slice in = head_of(bad[i].head);
        struct http1_head head;
        size_t at = 0;

        ssize_t n = http1_head_end(in, &at);
        if (bad[i].status < 0) {
            if (n != -EBADMSG)
                fail_msg("not refused at once: %s", bad[i].head);
            continue;
        }
        if (n <= 0)
            fail_msg("no end in %s", bad[i].head);
        int r = http1_head_parse(slice_from(in.ptr, (size_t)n), &arena, &head);
        if (r != -EBADMSG || head.status != bad[i].status)
            fail_msg("r %d status %d instead of %d for %s", r, head.status, bad[i].status,
                     bad[i].head);
    }
}

/* However the bytes are cut, the end is found at the same place, and never early. */
static void http1_finds_the_end_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct slice in = head_of(good[i].head);
        size_t at = 0;

        for (size_t len = 0; len < in.len; len++)
            assert_int_equal(http1_head_end(slice_from(in.ptr, len), &at), 0);
        assert_int_equal(http1_head_end(in, &at), in.len);
    }
}

static void http1_leaves_what_follows(void **state)
{
    (void)state;
    struct slice in = SLICE(GET H "\r\nGET /next");
    size_t at = 0;

    assert_int_equal(http1_head_end(in, &at), in.len - 9);
}

static int parse_status(struct buf *text, size_t limit)
{
    AUTO(arena_done) struct arena arena = {.limit = limit};
    struct http1_head head;

    int r = http1_head_parse(buf_slice(text), &arena, &head);
    return r == 0 ? 0 : head.status;
}

static void http1_keeps_its_limits(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf text = {0};

    buf_printf(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < HTTP_FIELDS_MAX; i++)
        buf_printf(&text, "x: %d\r\n", i);
    buf_printf(&text, "\r\n");
    assert_int_equal(parse_status(&text, 0), 0);
    assert_int_equal(parse_status(&text, 64), 431);
    text.end -= 2;
    buf_printf(&text, "y: 1\r\n\r\n");
    assert_int_equal(parse_status(&text, 0), 431);

    buf_clear(&text);
    buf_printf(&text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_TARGET_MAX - 1, 0);
    assert_int_equal(parse_status(&text, 0), 0);
    buf_clear(&text);
    buf_printf(&text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_TARGET_MAX, 0);
    assert_int_equal(parse_status(&text, 0), 414);
}

/* A NUL byte cannot stand in the tables above. */
static void http1_refuses_nul(void **state)
{
    (void)state;
    struct slice in = SLICE(GET H "X: a\0b\r\n\r\n");
    size_t at = 0;

    assert_int_equal(http1_head_end(in, &at), -EBADMSG);
}

int http1_parse_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http1_reads_good_heads),
        cmocka_unit_test(http1_refuses_bad_heads),
        cmocka_unit_test(http1_finds_the_end_in_pieces),
        cmocka_unit_test(http1_leaves_what_follows),
        cmocka_unit_test(http1_keeps_its_limits),
        cmocka_unit_test(http1_refuses_nul),
    };
    return cmocka_run_group_tests_name("http1_parse", tests, NULL, NULL);
}
