#include "core/base64.h"
#include "core_test.h"

#include <errno.h>

/* RFC 4648 section 10 and the bytes that tell the two alphabets apart. */
static const struct {
    struct slice bytes, standard, url;
} known[] = {
    {{"", 0}, {"", 0}, {"", 0}},
    {{"f", 1}, {"Zg==", 4}, {"Zg", 2}},
    {{"fo", 2}, {"Zm8=", 4}, {"Zm8", 3}},
    {{"foo", 3}, {"Zm9v", 4}, {"Zm9v", 4}},
    {{"foob", 4}, {"Zm9vYg==", 8}, {"Zm9vYg", 6}},
    {{"fooba", 5}, {"Zm9vYmE=", 8}, {"Zm9vYmE", 7}},
    {{"foobar", 6}, {"Zm9vYmFy", 8}, {"Zm9vYmFy", 8}},
    {{"\xff\xfe\xfb\xef", 4}, {"//777w==", 8}, {"__777w", 6}},
    {{"\0\0", 2}, {"AAA=", 4}, {"AAA", 3}},
};

static void encodes_known_values(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        AUTO(buf_done) struct buf b = {0};
        base64_encode(&b, known[i].bytes, BASE64_STANDARD);
        EXPECT(slice_eq(buf_slice(&b), known[i].standard));
        buf_clear(&b);
        base64_encode(&b, known[i].bytes, BASE64_URL);
        EXPECT(slice_eq(buf_slice(&b), known[i].url));
    }
}

static void decodes_known_values(UNUSED void **state)
{
    AUTO(arena_done) struct arena arena = {0};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct slice s = {0}, bare = known[i].standard;
        EXPECT_EQ(base64_decode(&arena, known[i].standard, BASE64_STANDARD, &s), 0);
        EXPECT(slice_eq(s, known[i].bytes));
        EXPECT_EQ(base64_decode(&arena, known[i].url, BASE64_URL, &s), 0);
        EXPECT(slice_eq(s, known[i].bytes));
        bare.len = known[i].url.len;
        EXPECT_EQ(base64_decode(&arena, bare, BASE64_STANDARD, &s), 0);
        EXPECT(slice_eq(s, known[i].bytes));
    }
}

static void refuses_strays(UNUSED void **state)
{
    static const char *const bad[] = {"Z",    "Zg=",  "Zg===", "Zm8==",      "Zm9v=",
                                      "=",    "==",   "====",  "Zm 9",       "Zm9v\n",
                                      "_-8=", "Zg=a", "Zm9vY", "Z\xc3\xa4=="};
    AUTO(arena_done) struct arena arena = {0};
    struct slice s;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_EQ(base64_decode(&arena, slice_of(bad[i]), BASE64_STANDARD, &s), -EINVAL);
    EXPECT_EQ(base64_decode(&arena, SLICE("//8"), BASE64_URL, &s), -EINVAL);
    EXPECT_EQ(base64_decode(&arena, SLICE("Zm\0v"), BASE64_URL, &s), -EINVAL);
}

static void refuses_over_the_limit(UNUSED void **state)
{
    AUTO(arena_done) struct arena arena = {.limit = 16};
    struct slice s;
    EXPECT_EQ(base64_decode(&arena, SLICE("AAAAAAAAAAAAAAAAAAAAAAAA"), BASE64_URL, &s), -ENOMEM);
}

int base64_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_known_values),
        cmocka_unit_test(decodes_known_values),
        cmocka_unit_test(refuses_strays),
        cmocka_unit_test(refuses_over_the_limit),
    };
    return RUN("base64", tests);
}
