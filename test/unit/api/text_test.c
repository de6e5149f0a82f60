#include "api_test.h"

#include "api/jwt.h"
#include "api/router.h"
#include "api/text.h"

#include <errno.h>

static void test_percent(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool plus;
        const char *out; /* NULL: refused */
    } cases[] = {
        {"", false, ""},       {"abc", false, "abc"},   {"a%2Fb", false, "a/b"},
        {"a+b", false, "a+b"}, {"a+b", true, "a b"},    {"%c3%a9", false, "\xc3\xa9"},
        {"%", false, NULL},    {"%1", false, NULL},     {"%zz", false, NULL},
        {"a%2", false, NULL},  {"%41%42", false, "AB"}, {"%4", true, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_done) struct arena arena = {0};
        struct slice out;
        int r = text_percent_decode(&arena, slice_of(cases[i].in), cases[i].plus, &out);
        assert_int_equal(r, cases[i].out == NULL ? -EBADMSG : 0);
        if (r == 0)
            assert_string_equal(out.ptr, cases[i].out);
    }
}

static void test_percent_over_the_limit(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena arena = {.limit = 8};
    struct slice out;
    EXPECT_EQ(text_percent_decode(&arena, SLICE("a long text that does not fit"), false, &out),
              -ENOMEM);
}

static void test_encode_is_decoded(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf text = {0};
    char all[256];
    struct slice out;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    text_percent_encode(&text, slice_from(all, 256));
    EXPECT_EQ(text_percent_decode(&arena, buf_slice(&text), false, &out), 0);
    assert_true(slice_eq(out, slice_from(all, 256)));
}

static void test_names(void **state)
{
    (void)state;
    EXPECT(text_is_name(SLICE("db-1_x.y"), 10));
    EXPECT(!text_is_name(SLICE(""), 10));
    EXPECT(!text_is_name(SLICE(".."), 10));
    EXPECT(!text_is_name(SLICE("a/b"), 10));
    EXPECT(!text_is_name(SLICE("a\0b"), 10));
    EXPECT(!text_is_name(SLICE("12345678901"), 10));
}

static void test_split(void **state)
{
    (void)state;
    struct slice path, query;
    EXPECT_EQ(router_split(SLICE("/client/v4/a/b?x=1"), &path, &query), 0);
    EXPECT_SLICE(path, "/a/b");
    EXPECT_SLICE(query, "x=1");
    EXPECT_EQ(router_split(SLICE("/client/v4"), &path, &query), 0);
    EXPECT_EQ(router_split(SLICE("/client/v45"), &path, &query), -ENOENT);
    EXPECT_EQ(router_split(SLICE("/other"), &path, &query), -ENOENT);
    EXPECT_EQ(router_split(SLICE("*"), &path, &query), -EBADMSG);
    EXPECT_EQ(router_split(SLICE(""), &path, &query), -EBADMSG);
}

static void test_query(void **state)
{
    (void)state;
    struct api api = {0};
    struct api_request req;
    size_t at = 0;
    int64_t n = 7;
    struct err err = {0};
    api_request_init(&req, &api);
    req.query = SLICE("name=a&&name=b%20c&flag=true&n=12&bad=1x&%6e2=%zz");
    assert_string_equal(api_query_next(&req, "name", &at), "a");
    assert_string_equal(api_query_next(&req, "name", &at), "b c");
    assert_null(api_query_next(&req, "name", &at));
    EXPECT(api_query_bool(&req, "flag", false));
    EXPECT(api_query_bool(&req, "absent", true));
    EXPECT_EQ(api_query_int(&req, "n", &n, &err), 0);
    EXPECT_EQ(n, 12);
    EXPECT_EQ(api_query_int(&req, "bad", &n, &err), -EINVAL);
    assert_string_equal(api_query(&req, "n2", "fallback"), "fallback");
    api_request_done(&req);
}

static void test_jwt(void **state)
{
    (void)state;
    struct api api = {.key = {1, 2, 3}};
    struct api_request req;
    api_request_init(&req, &api);
    AUTO(json_release) json_t *claims = json_pack("{s:s}", "file", "x");
    AUTO(json_release) json_t *back = NULL;
    const char *text = jwt_make(&req, "one", 60, claims);
    EXPECT_EQ(jwt_check(&req, "one", slice_of(text), &back), 0);
    assert_string_equal(json_str(back, "file", ""), "x");
    json_t *none = NULL;
    EXPECT_EQ(jwt_check(&req, "other", slice_of(text), &none), -EACCES);
    char *changed = arena_printf(&req.arena, "%s", text);
    changed[strlen(changed) / 2] ^= 1;
    EXPECT_EQ(jwt_check(&req, "one", slice_of(changed), &none), -EACCES);
    text = jwt_make(&req, "one", -1, claims);
    EXPECT_EQ(jwt_check(&req, "one", slice_of(text), &none), -EACCES);
    EXPECT_EQ(jwt_check(&req, "one", SLICE("a.b"), &none), -EACCES);
    EXPECT_EQ(jwt_check(&req, "one", SLICE(""), &none), -EACCES);
    api.key[0] = 9;
    text = jwt_make(&req, "one", 60, claims);
    api.key[0] = 1;
    EXPECT_EQ(jwt_check(&req, "one", slice_of(text), &none), -EACCES);
    api_request_done(&req);
}

int text_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_percent_over_the_limit),
        cmocka_unit_test(test_encode_is_decoded),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_jwt),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
