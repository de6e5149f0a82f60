/*
 * Clocks and the two text forms of wall time.
 *
 * The calendar is computed here (days since 1970 to year, month, day and back, proleptic Gregorian)
 * instead of by gmtime(), which would read the time zone files and accept years of any length.
 */
#include "core/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    MS_PER_DAY = 86400000,
    S_PER_DAY = 86400,
    DAYS_PER_ERA = 146097,  /* 400 years */
    DAYS_TO_EPOCH = 719468, /* from 0000-03-01 to 1970-01-01 */
    RFC850_FUTURE_YEARS = 50,
};

#define CLOCK_MIN_MS (-62167219200000) /* 0000-01-01 */
#define CLOCK_MAX_MS 253402300799999   /* 9999-12-31T23:59:59.999Z */

struct civil {
    int year, month, day; /* month 1..12 */
    int hour, minute, second, ms;
    int weekday; /* 0 = Sunday */
};

static const char clock_days[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
static const char clock_months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int64_t clock_read_us(clockid_t id)
{
    struct timespec t;
    CHECK(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_boot_us(void)
{
    return clock_read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return clock_read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_thread_cpu_us(void)
{
    return clock_read_us(CLOCK_THREAD_CPUTIME_ID);
}

/* Years begin in March here, so that the leap day is the last day of a year. */
static int64_t clock_days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

static void clock_civil_date(int64_t days, struct civil *c)
{
    int64_t z = days + DAYS_TO_EPOCH;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = z - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    c->day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    c->month = (int)(m < 10 ? m + 3 : m - 9);
    c->year = (int)(year_of_era + era * 400 + (c->month <= 2));
}

static struct civil clock_civil(int64_t wall_ms)
{
    int64_t t = MAX(MIN(wall_ms, CLOCK_MAX_MS), CLOCK_MIN_MS);
    int64_t days = t / MS_PER_DAY, ms = t % MS_PER_DAY;
    if (ms < 0) {
        ms += MS_PER_DAY;
        days--;
    }
    struct civil c = {.ms = (int)(ms % 1000),
                      .second = (int)(ms / 1000 % 60),
                      .minute = (int)(ms / 60000 % 60),
                      .hour = (int)(ms / 3600000),
                      .weekday = (int)(((days + 4) % 7 + 7) % 7)};
    clock_civil_date(days, &c);
    return c;
}

/* Writes n decimal digits of value and returns the place behind them. */
static char *clock_put(char *at, int value, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + n;
}

static char *clock_put_time(char *at, const struct civil *c)
{
    at = clock_put(at, c->hour, 2);
    *at++ = ':';
    at = clock_put(at, c->minute, 2);
    *at++ = ':';
    return clock_put(at, c->second, 2);
}

char *clock_rfc3339(int64_t wall_ms, char buf[CLOCK_TEXT_SIZE])
{
    struct civil c = clock_civil(wall_ms);
    char *at = clock_put(buf, c.year, 4);
    *at++ = '-';
    at = clock_put(at, c.month, 2);
    *at++ = '-';
    at = clock_put(at, c.day, 2);
    *at++ = 'T';
    at = clock_put_time(at, &c);
    *at++ = '.';
    at = clock_put(at, c.ms, 3);
    *at++ = 'Z';
    *at = '\0';
    return buf;
}

char *clock_http_date(int64_t wall_ms, char buf[CLOCK_TEXT_SIZE])
{
    struct civil c = clock_civil(wall_ms);
    memcpy(buf, clock_days[c.weekday], 3);
    memcpy(buf + 3, ", ", 2);
    char *at = clock_put(buf + 5, c.day, 2);
    *at++ = ' ';
    memcpy(at, clock_months[c.month - 1], 3);
    at += 3;
    *at++ = ' ';
    at = clock_put(at, c.year, 4);
    *at++ = ' ';
    at = clock_put_time(at, &c);
    memcpy(at, " GMT", 5);
    return buf;
}

/* --- reading: small takers that advance the text and answer whether it matched --- */

static bool take_literal(struct slice *s, const char *literal)
{
    struct slice l = slice_of(literal);
    if (!slice_starts(*s, l))
        return false;
    *s = slice_skip(*s, l.len);
    return true;
}

static bool take_number(struct slice *s, size_t digits, int *ret)
{
    uint64_t n;
    if (s->len < digits || slice_to_u64((struct slice){s->ptr, digits}, &n) < 0)
        return false;
    *ret = (int)n;
    *s = slice_skip(*s, digits);
    return true;
}

static bool take_month(struct slice *s, int *ret)
{
    for (int i = 0; i < 12; i++) {
        if (take_literal(s, clock_months[i])) {
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

/* `letters` of the name, 0 for all. */
static bool take_weekday(struct slice *s, size_t letters)
{
    for (int i = 0; i < 7; i++) {
        struct slice name = slice_of(clock_days[i]);
        name.len = letters == 0 ? name.len : letters;
        if (slice_starts(*s, name)) {
            *s = slice_skip(*s, name.len);
            return true;
        }
    }
    return false;
}

static bool take_time(struct slice *s, struct civil *c)
{
    return take_number(s, 2, &c->hour) && take_literal(s, ":") && take_number(s, 2, &c->minute) &&
           take_literal(s, ":") && take_number(s, 2, &c->second);
}

static bool take_imf(struct slice *s, struct civil *c)
{
    return take_weekday(s, 3) && take_literal(s, ", ") && take_number(s, 2, &c->day) &&
           take_literal(s, " ") && take_month(s, &c->month) && take_literal(s, " ") &&
           take_number(s, 4, &c->year) && take_literal(s, " ") && take_time(s, c) &&
           take_literal(s, " GMT");
}

/* A year of two digits that seems more than 50 years ahead is the past one. */
static int clock_full_year(int two_digits)
{
    int now = clock_civil(clock_wall_ms()).year;
    int year = now - now % 100 + two_digits;
    return year > now + RFC850_FUTURE_YEARS ? year - 100 : year;
}

static bool take_rfc850(struct slice *s, struct civil *c)
{
    bool ok = take_weekday(s, 0) && take_literal(s, ", ") && take_number(s, 2, &c->day) &&
              take_literal(s, "-") && take_month(s, &c->month) && take_literal(s, "-") &&
              take_number(s, 2, &c->year) && take_literal(s, " ") && take_time(s, c) &&
              take_literal(s, " GMT");
    if (ok)
        c->year = clock_full_year(c->year);
    return ok;
}

static bool take_asctime(struct slice *s, struct civil *c)
{
    bool ok = take_weekday(s, 3) && take_literal(s, " ") && take_month(s, &c->month) &&
              take_literal(s, " ");
    ok = ok && (take_literal(s, " ") ? take_number(s, 1, &c->day) : take_number(s, 2, &c->day));
    return ok && take_literal(s, " ") && take_time(s, c) && take_literal(s, " ") &&
           take_number(s, 4, &c->year);
}

static int clock_month_days(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static int clock_of_civil(const struct civil *c, int64_t *ret_wall_ms)
{
    /* 60 is a leap second. */
    if (c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > clock_month_days(c->year, c->month) || c->hour > 23 || c->minute > 59 ||
        c->second > 60)
        return -EINVAL;
    int64_t seconds = c->hour * 3600 + c->minute * 60 + c->second;
    *ret_wall_ms = clock_days_of(c->year, c->month, c->day) * MS_PER_DAY + seconds * 1000 + c->ms;
    return 0;
}

/* Digits of a second: three of them count. */
static bool take_fraction(struct slice *s, struct civil *c)
{
    int scale = 100, digit;
    if (!take_literal(s, "."))
        return true;
    if (s->len == 0 || s->ptr[0] < '0' || s->ptr[0] > '9')
        return false;
    while (take_number(s, 1, &digit)) {
        c->ms += digit * scale;
        scale /= 10;
    }
    return true;
}

static bool take_zone(struct slice *s, int *ret_minutes)
{
    int hours = 0, minutes = 0;
    *ret_minutes = 0;
    if (take_literal(s, "Z") || take_literal(s, "z"))
        return true;
    int sign = take_literal(s, "+") ? 1 : take_literal(s, "-") ? -1 : 0;
    if (sign == 0 || !take_number(s, 2, &hours) || !take_literal(s, ":") ||
        !take_number(s, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

int clock_parse_rfc3339(struct slice text, int64_t *ret_wall_ms)
{
    struct civil c = {0};
    struct slice s = text;
    int zone = 0;
    if (!take_number(&s, 4, &c.year) || !take_literal(&s, "-") || !take_number(&s, 2, &c.month) ||
        !take_literal(&s, "-") || !take_number(&s, 2, &c.day))
        return -EINVAL;
    bool timed = take_literal(&s, "T") || take_literal(&s, "t");
    if (timed && (!take_time(&s, &c) || !take_fraction(&s, &c) || !take_zone(&s, &zone)))
        return -EINVAL;
    int r = s.len > 0 ? -EINVAL : clock_of_civil(&c, ret_wall_ms);
    if (r == 0)
        *ret_wall_ms -= (int64_t)zone * 60000;
    return r;
}

int clock_parse_http_date(struct slice text, int64_t *ret_wall_ms)
{
    static bool (*const forms[])(struct slice *, struct civil *) = {take_imf, take_rfc850,
                                                                    take_asctime};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct slice s = text;
        struct civil c = {0};
        if (!forms[i](&s, &c) || s.len > 0)
            continue;
        return clock_of_civil(&c, ret_wall_ms);
    }
    return -EINVAL;
}
