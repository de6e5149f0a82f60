/* Header blocks: walking, building and checking them. */
#include "net_tests.h"

#include "net/http.h"
#include "net/http_token.h"

#include <errno.h>

#define S(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static void http_walks_what_it_builds(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf block = {0};
    struct slice name, value, rest;

    http_header_add(&block, SLICE("a"), SLICE("1"));
    http_header_add(&block, SLICE("empty"), SLICE_NONE);
    http_header_add(&block, SLICE("b"), SLICE("x: y"));
    rest = buf_slice(&block);
    assert_int_equal(http_header_check(rest), 0);
    assert_true(http_header_next(&rest, &name, &value));
    assert_true(slice_eq(name, SLICE("a")) && slice_eq(value, SLICE("1")));
    assert_true(http_header_next(&rest, &name, &value));
    assert_true(slice_eq(name, SLICE("empty")) && value.len == 0);
    assert_true(http_header_next(&rest, &name, &value));
    assert_true(slice_eq(name, SLICE("b")) && slice_eq(value, SLICE("x: y")));
    assert_false(http_header_next(&rest, &name, &value));
    assert_true(http_header_get(buf_slice(&block), SLICE("b"), &value));
    assert_false(http_header_get(buf_slice(&block), SLICE("c"), &value));
}

static void http_check_refuses_other_forms(void **state)
{
    (void)state;
    static const struct {
        struct slice block;
        int result;
    } cases[] = {
        {S(""), 0},
        {S("a: b\r\n"), 0},
        {S("a: \r\n"), 0},
        {S("a: b\xff\r\n"), 0},
        {S("content-length: 3\r\n"), 0},
        {S("a: b"), -EBADMSG},
        {S("a: b\n"), -EBADMSG},
        {S("a:b\r\n"), -EBADMSG},
        {S("A: b\r\n"), -EBADMSG},
        {S(": b\r\n"), -EBADMSG},
        {S("a : b\r\n"), -EBADMSG},
        {S("a:  b\r\n"), -EBADMSG},
        {S("a: b \r\n"), -EBADMSG},
        {S("a: b\rc\r\n"), -EBADMSG},
        {S("a: b\0c\r\n"), -EBADMSG},
        {S("a: b\r\nc\r\n"), -EBADMSG},
        {S("\r\n"), -EBADMSG},
        {S("connection: x\r\n"), -EBADMSG},
        {S("transfer-encoding: chunked\r\n"), -EBADMSG},
        {S("upgrade: websocket\r\n"), -EBADMSG},
        {S("te: trailers\r\n"), -EBADMSG},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (http_header_check(cases[i].block) != cases[i].result)
            fail_msg("case %zu: %.*s", i, SLICE_ARG(cases[i].block));
    }
}

static void http_checks_authorities(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"localhost", true},  {"a.example:80", true}, {"a.example:", true},  {"[::1]", true},
        {"[::1]:8080", true}, {"127.0.0.1:1", true},  {"a_b.example", true}, {"", false},
        {":80", false},       {"a:b", false},         {"a:65536", false},    {"a:080808", false},
        {"user@host", false}, {"a b", false},         {"a/b", false},        {"[::1", false},
        {"[::1]x", false},    {"[gg]", false},        {"a\x80", false},      {"a:1:2", false},
        {"a?b", false},       {"a#b", false},         {"a,b", true},         {"[]", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (http_authority_ok(slice_of(cases[i].text)) != cases[i].ok)
            fail_msg("%s", cases[i].text);
    }
}

static void http_knows_bodiless_responses(void **state)
{
    (void)state;
    assert_true(http_bodiless(SLICE("HEAD"), 200));
    assert_true(http_bodiless(SLICE("GET"), 204));
    assert_true(http_bodiless(SLICE("GET"), 304));
    assert_true(http_bodiless(SLICE("GET"), 101));
    assert_false(http_bodiless(SLICE("GET"), 404));
    assert_string_equal(http_reason(404), "Not Found");
    assert_string_equal(http_reason(299), "");
}

int http_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_walks_what_it_builds),
        cmocka_unit_test(http_check_refuses_other_forms),
        cmocka_unit_test(http_checks_authorities),
        cmocka_unit_test(http_knows_bodiless_responses),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
