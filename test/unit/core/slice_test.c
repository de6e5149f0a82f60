#include "core/slice.h"
#include "core_test.h"

#include <errno.h>

static void compares(UNUSED void **state)
{
    EXPECT(slice_eq(SLICE("ab"), SLICE("ab")) && !slice_eq(SLICE("ab"), SLICE("ac")));
    EXPECT(slice_eq(SLICE_NONE, SLICE("")) && slice_eq(slice_of(NULL), SLICE_NONE));
    EXPECT(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    EXPECT(slice_compare(SLICE("b"), SLICE("ab")) > 0);
    EXPECT(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
    EXPECT_EQ(slice_compare(SLICE_NONE, SLICE("")), 0);
    EXPECT(slice_eq_nocase(SLICE("Content-TYPE"), SLICE("content-type")));
    EXPECT(!slice_eq_nocase(SLICE("a"), SLICE("ab")) && !slice_eq_nocase(SLICE("@"), SLICE("`")));
    EXPECT(!slice_eq_nocase(SLICE("\xc4"), SLICE("\xe4")));
    EXPECT(slice_starts(SLICE("abc"), SLICE("ab")) && !slice_starts(SLICE("a"), SLICE("ab")));
    EXPECT(slice_ends(SLICE("abc"), SLICE("bc")) && !slice_ends(SLICE("c"), SLICE("bc")));
    EXPECT(slice_ends(SLICE("abc"), SLICE("")) && slice_starts(SLICE_NONE, SLICE_NONE));
}

static void finds_and_cuts(UNUSED void **state)
{
    EXPECT_EQ(slice_find(SLICE("a,b"), ','), 1);
    EXPECT_EQ(slice_find(SLICE_NONE, ','), -1);
    EXPECT_EQ(slice_find_slice(SLICE("hay needle"), SLICE("needle")), 4);
    EXPECT_EQ(slice_find_slice(SLICE("hay"), SLICE("needle")), -1);
    EXPECT_EQ(slice_find_slice(SLICE_NONE, SLICE("")), 0);
    EXPECT_SLICE(slice_skip(SLICE("abc"), 1), "bc");
    EXPECT_EQ(slice_skip(SLICE("abc"), 9).len, 0);
    EXPECT_EQ(slice_skip(SLICE_NONE, 9).len, 0);
    EXPECT_SLICE(slice_trim(SLICE(" \t\r\na b\n ")), "a b");
    EXPECT_EQ(slice_trim(SLICE("  ")).len, 0);

    struct slice rest = SLICE("a,,b");
    EXPECT_SLICE(slice_cut(&rest, ','), "a");
    EXPECT_SLICE(slice_cut(&rest, ','), "");
    EXPECT_SLICE(slice_cut(&rest, ','), "b");
    EXPECT(rest.ptr == NULL && rest.len == 0);
    rest = SLICE("a,");
    (void)slice_cut(&rest, ',');
    EXPECT(rest.ptr != NULL && rest.len == 0);
}

static void reads_numbers(UNUSED void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "1e3",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    uint64_t n = 5;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_EQ(slice_to_u64(slice_of(bad[i]), &n), -EINVAL);
    EXPECT_EQ(n, 5);
    EXPECT_EQ(slice_to_u64(SLICE("18446744073709551615"), &n), 0);
    EXPECT(n == UINT64_MAX);
    EXPECT_EQ(slice_to_u64(SLICE("007"), &n), 0);
    EXPECT_EQ(n, 7);
}

static void becomes_cstr(UNUSED void **state)
{
    char buf[4];
    EXPECT_EQ(slice_to_cstr(SLICE("abc"), buf, sizeof(buf)), 0);
    assert_string_equal(buf, "abc");
    EXPECT_EQ(slice_to_cstr(SLICE("abcd"), buf, sizeof(buf)), -E2BIG);
    EXPECT_EQ(slice_to_cstr(SLICE("a\0b"), buf, sizeof(buf)), -EINVAL);
    EXPECT_EQ(slice_to_cstr(SLICE_NONE, buf, sizeof(buf)), 0);
    assert_string_equal(buf, "");
    EXPECT_EQ(slice_to_cstr(SLICE_NONE, buf, 0), -E2BIG);
}

int slice_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(finds_and_cuts),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(becomes_cstr),
    };
    return RUN("slice", tests);
}
