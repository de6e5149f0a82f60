#include "product/workers/cron.h"
#include "unit.h"

#include <errno.h>
#include <time.h>

static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};
    return (int64_t)timegm(&tm) * 1000;
}

static bool matches(const char *text, int64_t ms)
{
    struct cron cron;
    EXPECT_EQ(cron_parse(slice_of(text), &cron), 0);
    return cron_matches(&cron, ms);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",           "* * * *",     "* * * * * *", "60 * * * *",   "* 24 * * *",   "* * 0 * *",
        "* * 32 * *", "* * * 13 *",  "* * * * 0",   "* * * * 8",    "*/60 * * * *", "*/0 * * * *",
        "a * * * *",  "1- * * * *",  "1,, * * * *", "* * L-31 * *", "* * LX * *",   "* * * * MON#6",
        "* * * * #1", "* * * FOO *", "* * W * *",   "-1 * * * *",
    };
    struct cron cron;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_EQ(cron_parse(slice_of(bad[i]), &cron), -EINVAL);
}

/* 2026-11-24 is a Tuesday, 2026-02-28 a Saturday, 2026-11-01 a Sunday. */
static void test_matches(void **state)
{
    static const struct {
        const char *text;
        int day, hour, minute;
        bool is;
    } rows[] = {
        {"* * * * *", 24, 1, 2, true},       {"*/5 * * * *", 24, 1, 10, true},
        {"*/5 * * * *", 24, 1, 11, false},   {"5/20 * * * *", 24, 1, 45, true},
        {"5/20 * * * *", 24, 1, 40, false},  {"58-2 * * * *", 24, 1, 59, true},
        {"58-2 * * * *", 24, 1, 2, true},    {"58-2 * * * *", 24, 1, 3, false},
        {"0 9-17/4 * * *", 24, 13, 0, true}, {"0 9-17/4 * * *", 24, 14, 0, false},
        {"0 0 * NOV *", 24, 0, 0, true},     {"0 0 * 1-10,12 *", 24, 0, 0, false},
        {"0 0 * * 3", 24, 0, 0, true},       {"0 0 * * TUE", 24, 0, 0, true},
        {"0 0 * * mon-wed", 24, 0, 0, true}, {"0 0 * * FRI-MON", 24, 0, 0, false},
        {"0 0 * * FRI-MON", 22, 0, 0, true}, {"0 0 * * 1", 22, 0, 0, true},
        {"0 0 * * 3#4", 24, 0, 0, true},     {"0 0 * * 3#3", 24, 0, 0, false},
        {"0 0 * * TUEL", 24, 0, 0, true},    {"0 0 * * 3L", 17, 0, 0, false},
        {"0 0 L * *", 30, 0, 0, true},       {"0 0 L-3 * *", 27, 0, 0, true},
        {"0 0 LW * *", 30, 0, 0, true},      {"0 0 L-1W * *", 30, 0, 0, true},
        {"0 0 L-1W * *", 29, 0, 0, false},   {"0 0 1W * *", 2, 0, 0, true},
        {"0 0 1W * *", 1, 0, 0, false},      {"0 0 7W * *", 6, 0, 0, true},
        {"0 0 24 * MON", 24, 0, 0, true},    {"0 0 23 * TUE", 24, 0, 0, true},
        {"0 0 23 * MON", 24, 0, 0, false},   {"0 0 * * L", 28, 0, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (matches(rows[i].text, at(2026, 11, rows[i].day, rows[i].hour, rows[i].minute)) !=
            rows[i].is)
            fail_msg("%s on day %d", rows[i].text, rows[i].day);
    EXPECT(matches("0 0 LW * *", at(2026, 2, 27, 0, 0)));
    EXPECT(matches("0 0 L * *", at(2024, 2, 29, 0, 0)));
    EXPECT(!matches("0 0 L * *", at(2024, 2, 28, 0, 0)));
    EXPECT(!matches("0 0 31W * *", at(2026, 11, 30, 0, 0)));
    EXPECT(matches("0 0 1W * *", at(2026, 8, 3, 0, 0))); /* the 1st is a Saturday */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_matches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
