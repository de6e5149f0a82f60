/*
 * Settings: JSON with comments in, checked values out.
 */
#include "role/settings.h"

#include "unit/unit.h"

#include <errno.h>

static int apply(const char *text, json_t **settings, struct err *err)
{
    *settings = settings_defaults();
    return settings_apply(*settings, slice_of(text), err);
}

static void test_defaults(UNUSED void **state)
{
    AUTO(json_release) json_t *s = settings_defaults();
    assert_string_equal(json_str(s, "listen", ""), "127.0.0.1:8787");
    assert_int_equal(json_int(s, "isolates.spares", -1), 2);
    assert_true(json_bool(s, "access_log", false));
    assert_null(json_object_get(s, "isolates.per_worker"));
}

static void test_jsonc(UNUSED void **state)
{
    AUTO(json_release) json_t *s = NULL;
    struct err err = {0};
    int r = apply("// first\n"
                  "{ /* a comment, with \"quotes\" and } */\n"
                  "  \"isolates\": { \"spares\": 9, }, // trailing comma\n"
                  "  \"domain\": \"a//b /* not a comment */ ,}\\\"\",\n"
                  "  \"tls.key\": \"k\" /* last */ ,\n"
                  "}\n// end",
                  &s, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
    assert_int_equal(json_int(s, "isolates.spares", -1), 9);
    assert_string_equal(json_str(s, "domain", ""), "a//b /* not a comment */ ,}\"");
    assert_string_equal(json_str(s, "tls.key", ""), "k");
}

static void test_refused(UNUSED void **state)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"{\"isolates\": {\"spares\": 65}}", "isolates.spares must be a whole number from 0 to 64"},
        {"{\"isolates.spares\": \"4\"}", "isolates.spares must be a whole number"},
        {"{\"access_log\": 1}", "access_log must be true or false"},
        {"{\"listen\": 8787}", "listen must be text"},
        {"{\"lisen\": \"x\"}", "there is no setting lisen"},
        {"{\"isolates\": {\"x\": {\"y\": 1}}}", "there is no setting isolates.x.y"},
        {"[]", "one object"},
        {"{", ""},
        {"/* never ends", ""},
        {"{\"a\":\"", ""},
        {"/", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(json_release) json_t *s = NULL;
        struct err err = {0};
        assert_true(apply(rows[i].text, &s, &err) < 0);
        assert_non_null(strstr(err.text, rows[i].sentence));
    }
}

static void test_put(UNUSED void **state)
{
    AUTO(json_release) json_t *s = settings_defaults();
    struct err err = {0};
    assert_int_equal(settings_put(s, "api", "[::1]:0", &err), 0);
    assert_int_equal(settings_put(s, "isolates.spares", "0", &err), 0);
    assert_int_equal(settings_put(s, "isolates.spares", "-1", &err), -EINVAL);
    assert_int_equal(settings_put(s, "nothing", "1", &err), -EINVAL);
    assert_int_equal(json_int(s, "isolates.spares", -1), 0);
}

/* Every standard value keeps its own limits. */
static void test_table(UNUSED void **state)
{
    AUTO(json_release) json_t *s = json_object();
    AUTO(buf_done) struct buf out = {0};
    for (size_t i = 0; i < settings_count; i++) {
        struct err err = {0};
        if (settings_table[i].standard != NULL)
            assert_int_equal(
                settings_put(s, settings_table[i].name, settings_table[i].standard, &err), 0);
    }
    settings_print(&out, s);
    assert_true(buf_len(&out) > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_jsonc),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_put),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
