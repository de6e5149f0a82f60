#include "api_test.h"

#include "api/multipart.h"

#include <errno.h>

#define B "----formdata-undici-097898392979"
static const struct slice type = {"multipart/form-data; boundary=" B,
                                  sizeof("multipart/form-data; boundary=" B) - 1};

static int parse(struct arena *arena, struct slice content_type, struct slice body,
                 struct multipart *ret)
{
    struct err err = {0};
    int r = multipart_parse(arena, content_type, body, ret, &err);
    if (r < 0)
        assert_true(err.text[0] != '\0');
    return r;
}

static void test_parts(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena arena = {0};
    struct multipart m;
    struct slice body = SLICE(
        "--" B "\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"a\":1}\r\n"
        "--" B "\r\nContent-Disposition: form-data; name=\"./x.wasm\"; filename=\"./x.wasm\"\r\n"
        "Content-Type: application/wasm\r\n\r\n\0asm\r\n--not the end\r\n\r\n"
        "--" B "\r\ncontent-disposition: form-data; name=\"q%22%0D%0Aq\"\r\n\r\n\r\n--" B "--\r\n");
    EXPECT_EQ(parse(&arena, type, body, &m), 0);
    EXPECT_EQ(m.n, 3);
    EXPECT_SLICE(m.parts[0].name, "metadata");
    EXPECT_SLICE(m.parts[0].content, "{\"a\":1}");
    assert_null(m.parts[0].filename.ptr);
    EXPECT_SLICE(m.parts[1].filename, "./x.wasm");
    EXPECT_SLICE(m.parts[1].type, "application/wasm");
    EXPECT_SLICE(m.parts[1].content, "\0asm\r\n--not the end\r\n");
    EXPECT_SLICE(m.parts[2].name, "q\"\r\nq");
    EXPECT_SLICE(m.parts[2].content, "");
    assert_non_null(multipart_find(&m, "metadata"));
    assert_null(multipart_find(&m, "absent"));
}

/* One SDK says application/javascript over a multipart body. */
static void test_sniffed(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena arena = {0};
    struct multipart m;
    struct slice body =
        SLICE("--" B "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--" B "--\r\n");
    EXPECT(multipart_is(SLICE("application/javascript"), body));
    EXPECT(!multipart_is(SLICE("application/javascript"), SLICE("export default {}")));
    EXPECT_EQ(parse(&arena, SLICE("application/javascript"), body, &m), 0);
    EXPECT_EQ(m.n, 1);
    EXPECT_SLICE(m.parts[0].content, "b");
}

static void test_broken(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "no boundary at all",
        "--" B,
        "--" B "\r\n",
        "--" B "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nnever closed",
        "--" B "\r\nContent-Disposition: form-data\r\n\r\nx\r\n--" B "--",
        "--" B "\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--" B "--",
        "--" B "\r\nContent-Type: text/plain\r\n\r\nx\r\n--" B "--",
        "--" B "\r\nContent-Disposition: form-data; name=\"a\nno end of the header",
        "--" B "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--" B "x\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        AUTO(arena_done) struct arena arena = {0};
        struct multipart m;
        EXPECT_EQ(parse(&arena, type, slice_of(bodies[i]), &m), -EBADMSG);
    }
}

static void test_limits(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena arena = {0}, small = {.limit = 512};
    AUTO(buf_done) struct buf body = {0};
    struct multipart m;
    for (int i = 0; i <= MULTIPART_PARTS_MAX; i++)
        buf_printf(&body, "--" B "\r\nContent-Disposition: form-data; name=\"p%d\"\r\n\r\nx\r\n",
                   i);
    buf_append_slice(&body, SLICE("--" B "--\r\n"));
    EXPECT_EQ(parse(&arena, type, buf_slice(&body), &m), -E2BIG);
    EXPECT_EQ(parse(&small, type, buf_slice(&body), &m), -ENOMEM);

    buf_clear(&body);
    buf_append_slice(&body, SLICE("--" B "\r\nContent-Disposition: form-data; name=\"a\"\r\nX: "));
    for (int i = 0; i < MULTIPART_HEAD_MAX; i++)
        buf_append_char(&body, 'x');
    buf_append_slice(&body, SLICE("\r\n\r\ny\r\n--" B "--\r\n"));
    EXPECT_EQ(parse(&arena, type, buf_slice(&body), &m), -E2BIG);
}

static void flat(const char *const (*fields)[2], size_t n, int want, const char *json)
{
    struct multipart_part parts[16];
    struct multipart m = {parts, n};
    json_t *object = NULL;
    struct err err = {0};
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct multipart_part){.name = slice_of(fields[i][0]),
                                           .content = slice_of(fields[i][1])};
    EXPECT_EQ(multipart_unflatten(&m, "metadata", &object, &err), want);
    if (json != NULL) {
        AUTO(buf_done) struct buf text = {0};
        json_print(&text, object);
        assert_string_equal(buf_cstr(&text), json);
    }
    json_release(&object);
}

static void test_flattened(void **state)
{
    (void)state;
    static const char *const fields[][2] = {
        {"metadata[main_module]", "a.mjs"},           {"metadata[annotations][workers/tag]", "t"},
        {"metadata[bindings][][type]", "plain_text"}, {"metadata[bindings][][name]", "A"},
        {"metadata[bindings][][text]", "true"},       {"metadata[bindings][][type]", "json"},
        {"metadata[bindings][][name]", "B"},          {"metadata[compatibility_flags][]", "x"},
        {"metadata[compatibility_flags][]", "y"},     {"metadata[logpush]", "true"},
        {"metadata[limits][cpu_ms]", "50"},           {"files[]", "not ours"},
    };
    flat(fields, ARRAY_LEN(fields), 0,
         "{\"main_module\":\"a.mjs\",\"annotations\":{\"workers/"
         "tag\":\"t\"},\"bindings\":[{\"type\":"
         "\"plain_text\",\"name\":\"A\",\"text\":\"true\"},{\"type\":\"json\",\"name\":\"B\"}],"
         "\"compatibility_flags\":[\"x\",\"y\"],\"logpush\":true,\"limits\":{\"cpu_ms\":50}}");
}

static void test_flattened_hostile(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"metadata[a", "x"},         {"metadata[a]b", "x"},
        {"metadata[]", "x"},         {"metadata[a][b][c][d][e][f][g][h][i]", "x"},
        {"metadata[a]", "\xff\xfe"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct multipart_part part = {.name = slice_of(cases[i][0]),
                                      .content = slice_of(cases[i][1])};
        struct multipart m = {&part, 1};
        json_t *object = NULL;
        struct err err = {0};
        assert_true(multipart_unflatten(&m, "metadata", &object, &err) < 0);
        json_release(&object);
    }
    static const char *const mixed[][2] = {{"metadata[a]", "x"}, {"metadata[a][b]", "y"}};
    flat(mixed, ARRAY_LEN(mixed), -EBADMSG, NULL);
    static const char *const list[][2] = {{"metadata[a][]", "x"}, {"metadata[a][b]", "y"}};
    flat(list, ARRAY_LEN(list), -EBADMSG, NULL);
}

int multipart_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_sniffed),
        cmocka_unit_test(test_broken),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_flattened), cmocka_unit_test(test_flattened_hostile),
    };
    return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
