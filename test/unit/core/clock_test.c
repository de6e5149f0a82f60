#include "core/clock.h"
#include "core_test.h"

#include <errno.h>
#include <time.h>

static void clocks_go_forward(UNUSED void **state)
{
    int64_t boot = clock_boot_us(), cpu = clock_thread_cpu_us(), wall = clock_wall_ms();
    EXPECT(boot > 0 && clock_boot_us() >= boot);
    EXPECT(cpu >= 0 && clock_thread_cpu_us() >= cpu);
    EXPECT(wall / 1000 - time(NULL) <= 1 && time(NULL) - wall / 1000 <= 1);
}

static void prints(UNUSED void **state)
{
    char t[CLOCK_TEXT_SIZE];
    assert_string_equal(clock_rfc3339(0, t), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_rfc3339(-1, t), "1969-12-31T23:59:59.999Z");
    assert_string_equal(clock_rfc3339(1767323045678, t), "2026-01-02T03:04:05.678Z");
    assert_string_equal(clock_rfc3339(INT64_MAX, t), "9999-12-31T23:59:59.999Z");
    assert_string_equal(clock_rfc3339(INT64_MIN, t), "0000-01-01T00:00:00.000Z");
    assert_string_equal(clock_http_date(784111777000, t), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(clock_http_date(-1, t), "Wed, 31 Dec 1969 23:59:59 GMT");
    assert_string_equal(clock_http_date(951782400000, t), "Tue, 29 Feb 2000 00:00:00 GMT");
}

/* Every 11 days and some from year 1 to 9999, against the C library's calendar. */
static void agrees_with_gmtime(UNUSED void **state)
{
    for (int64_t s = -62135596800; s < 253402300799; s += 1000003 * 7) {
        char ours[CLOCK_TEXT_SIZE], theirs[64];
        time_t t = (time_t)s;
        struct tm tm;
        int64_t back;
        EXPECT(gmtime_r(&t, &tm) != NULL);
        clock_http_date(s * 1000, ours);
        EXPECT(strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
        if (tm.tm_year + 1900 >= 1000) /* %Y does not pad */
            assert_string_equal(ours, theirs);
        EXPECT_EQ(clock_parse_http_date(slice_of(ours), &back), 0);
        EXPECT(back == s * 1000);
    }
}

static void parses_all_three_forms(UNUSED void **state)
{
    int64_t ms;
    EXPECT_EQ(clock_parse_http_date(SLICE("Sun, 06 Nov 1994 08:49:37 GMT"), &ms), 0);
    EXPECT(ms == 784111777000);
    EXPECT_EQ(clock_parse_http_date(SLICE("Sunday, 06-Nov-94 08:49:37 GMT"), &ms), 0);
    EXPECT(ms == 784111777000);
    EXPECT_EQ(clock_parse_http_date(SLICE("Sun Nov  6 08:49:37 1994"), &ms), 0);
    EXPECT(ms == 784111777000);
    EXPECT_EQ(clock_parse_http_date(SLICE("Sun Nov 16 08:49:37 1994"), &ms), 0);
    EXPECT_EQ(clock_parse_http_date(SLICE("Thursday, 01-Jan-70 00:00:00 GMT"), &ms), 0);
    EXPECT(ms == 0 || ms == 3155760000000); /* 2070 from the year 2020 on */
    EXPECT_EQ(clock_parse_http_date(SLICE("Sat, 31 Dec 2016 23:59:60 GMT"), &ms), 0);
}

static void refuses_everything_else(UNUSED void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  0 08:49:37 1994",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    };
    int64_t ms = 42;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_EQ(clock_parse_http_date(slice_of(bad[i]), &ms), -EINVAL);
    EXPECT_EQ(ms, 42);
}

static void parses_rfc3339(UNUSED void **state)
{
    static const char *const bad[] = {"",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2026-01-01T",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01x",
                                      "2026-01-01T00:00:00.Z"};
    int64_t ms = 0;
    EXPECT_EQ(clock_parse_rfc3339(SLICE("1994-11-06T08:49:37Z"), &ms), 0);
    EXPECT_EQ(ms, 784111777000);
    EXPECT_EQ(clock_parse_rfc3339(SLICE("1994-11-06T09:49:37.25+01:00"), &ms), 0);
    EXPECT_EQ(ms, 784111777250);
    EXPECT_EQ(clock_parse_rfc3339(SLICE("1970-01-02"), &ms), 0);
    EXPECT_EQ(ms, 86400000);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_EQ(clock_parse_rfc3339(slice_of(bad[i]), &ms), -EINVAL);
}

int clock_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward),       cmocka_unit_test(prints),
        cmocka_unit_test(agrees_with_gmtime),      cmocka_unit_test(parses_all_three_forms),
        cmocka_unit_test(refuses_everything_else), cmocka_unit_test(parses_rfc3339),
    };
    return RUN("clock", tests);
}
