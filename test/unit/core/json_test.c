#include "core/json.h"
#include "core_test.h"

#include <errno.h>

static void expect_print(const char *in, const char *out)
{
    AUTO(json_release) json_t *v = NULL;
    AUTO(buf_done) struct buf b = {0};
    EXPECT_EQ(json_parse(slice_of(in), &v, NULL), 0);
    json_print(&b, v);
    assert_string_equal(buf_cstr(&b), out);
}

static void parses_and_prints(UNUSED void **state)
{
    expect_print(" { \"a\" : [ 1 , true , null , false ] , \"b\" : {} , \"c\" : [] } ",
                 "{\"a\":[1,true,null,false],\"b\":{},\"c\":[]}");
    expect_print("-9223372036854775808", "-9223372036854775808");
    expect_print("\"\\u00e4\\n\\\"\\\\\\u0001/\"", "\"\xc3\xa4\\n\\\"\\\\\\u0001/\"");
    expect_print("0.1", "0.1");
    expect_print("1.0", "1.0");
    expect_print("1e300", "1e+300");
    expect_print("0.30000000000000004", "0.30000000000000004");
}

static void refuses_with_a_place(UNUSED void **state)
{
    static const char *const bad[] = {"",    "{",        "[1,]", "{\"a\":1,\"a\":2}", "nul",
                                      "1 2", "\"\xff\"", "'a'",  "\"\\u0000\""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        json_t *v = NULL;
        EXPECT_EQ(json_parse(slice_of(bad[i]), &v, NULL), -EBADMSG);
        EXPECT(v == NULL);
    }
    struct err err = {0};
    json_t *v = NULL;
    EXPECT_EQ(json_parse(SLICE("[1,\n x]"), &v, &err), -EBADMSG);
    EXPECT(strstr(err.text, "line 2, column 2") != NULL);
    EXPECT_EQ(json_parse(SLICE_NONE, &v, &err), -EBADMSG);

    /* Nesting deeper than jansson's limit is an error and not a crash. */
    AUTO(buf_done) struct buf deep = {0};
    for (int i = 0; i < 100000; i++)
        buf_append_char(&deep, '[');
    EXPECT_EQ(json_parse(buf_slice(&deep), &v, &err), -EBADMSG);
}

static void looks_up_with_fallbacks(UNUSED void **state)
{
    AUTO(json_release) json_t *v = NULL;
    EXPECT_EQ(json_parse(SLICE("{\"s\":\"x\",\"i\":7,\"r\":1.5,\"t\":true,\"n\":null}"), &v, NULL),
              0);
    assert_string_equal(json_str(v, "s", "-"), "x");
    assert_string_equal(json_str(v, "i", "-"), "-");
    assert_string_equal(json_str(v, "absent", "-"), "-");
    assert_string_equal(json_str(NULL, "s", "-"), "-");
    EXPECT_EQ(json_int(v, "i", -1), 7);
    EXPECT_EQ(json_int(v, "r", -1), -1);
    EXPECT_EQ(json_int(v, "n", -1), -1);
    EXPECT(json_bool(v, "t", false) && json_bool(v, "s", true) && !json_bool(v, "absent", false));
}

static void quotes_any_bytes(UNUSED void **state)
{
    static const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        {SLICE(""), "\"\""},
        {SLICE("a\"\\\b\f\n\r\t"), "\"a\\\"\\\\\\b\\f\\n\\r\\t\""},
        {SLICE("\0\x1f\x7f"), "\"\\u0000\\u001f\x7f\""},
        {SLICE("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {SLICE("\xff"
               "a\xc3"),
         "\"\\ufffda\\ufffd\""},
        {SLICE("\xc0\x80"), "\"\\ufffd\\ufffd\""},            /* overlong */
        {SLICE("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""}, /* surrogate */
        {SLICE("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_done) struct buf b = {0};
        json_quote(&b, cases[i].in);
        assert_string_equal(buf_cstr(&b), cases[i].out);
    }
}

static void quotes_long_text(UNUSED void **state)
{
    AUTO(buf_done) struct buf in = {0}, out = {0};
    AUTO(json_release) json_t *v = NULL;
    for (int i = 0; i < 30000; i++)
        buf_append_slice(&in, i % 3 == 0 ? SLICE("\x01") : SLICE("\xe2\x82\xac"));
    json_quote(&out, buf_slice(&in));
    EXPECT_EQ(json_parse(buf_slice(&out), &v, NULL), 0);
    EXPECT(slice_eq(slice_from(json_string_value(v), json_string_length(v)), buf_slice(&in)));
}

int json_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_prints),       cmocka_unit_test(refuses_with_a_place),
        cmocka_unit_test(looks_up_with_fallbacks), cmocka_unit_test(quotes_any_bytes),
        cmocka_unit_test(quotes_long_text),
    };
    return RUN("json", tests);
}
