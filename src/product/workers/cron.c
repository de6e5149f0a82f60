#include "product/workers/cron.h"

#include <errno.h>
#include <time.h>

enum { CRON_FIELDS = 5, CRON_FRIDAY = 5, CRON_SATURDAY = 6, CRON_WEEK = 7 };

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const day_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

/* A field's values, and the words that stand for them from `least` on. */
struct cron_field {
    unsigned least, most;
    const char *const *names;
    size_t n_names;
};

static const struct cron_field fields[CRON_FIELDS] = {
    {0, 59, NULL, 0},
    {0, 23, NULL, 0},
    {1, 31, NULL, 0},
    {1, 12, month_names, ARRAY_LEN(month_names)},
    {1, 7, day_names, ARRAY_LEN(day_names)},
};

static int cron_value(const struct cron_field *f, struct slice text, unsigned *ret)
{
    uint64_t n;

    for (size_t i = 0; i < f->n_names; i++)
        if (slice_eq_nocase(text, slice_of(f->names[i]))) {
            *ret = f->least + (unsigned)i;
            return 0;
        }
    if (slice_to_u64(text, &n) < 0 || n < f->least || n > f->most)
        return -EINVAL;
    *ret = (unsigned)n;
    return 0;
}

/* One part of a list: "*", "5", "1-5", any of them with "/step". A step alone goes on to the end. */
static int cron_part(const struct cron_field *f, struct slice part, uint64_t *set)
{
    struct slice step_text = part, from_text = slice_cut(&step_text, '/');
    uint64_t step = 1;
    unsigned from = f->least, to = f->most;
    bool stepped = step_text.ptr != NULL;

    if (stepped && (slice_to_u64(step_text, &step) < 0 || step == 0 || step > f->most - f->least))
        return -EINVAL;
    if (!slice_eq(from_text, SLICE("*"))) {
        struct slice to_text = from_text;
        from_text = slice_cut(&to_text, '-');
        if (cron_value(f, from_text, &from) < 0)
            return -EINVAL;
        if (to_text.ptr != NULL && cron_value(f, to_text, &to) < 0)
            return -EINVAL;
        if (to_text.ptr == NULL && !stepped)
            to = from;
    }
    unsigned n = f->most - f->least + 1, length = (to + n - from) % n;
    for (uint64_t i = 0; i <= length; i += step)
        *set |= UINT64_C(1) << (f->least + (from - f->least + i) % n);
    return 0;
}

static int cron_set(const struct cron_field *f, struct slice text, uint64_t *ret)
{
    *ret = 0;
    do {
        if (cron_part(f, slice_cut(&text, ','), ret) < 0)
            return -EINVAL;
    } while (text.ptr != NULL);
    return 0;
}

static bool cron_take_end(struct slice *text, char c)
{
    if (text->len == 0 || (text->ptr[text->len - 1] & ~0x20) != c)
        return false;
    text->len--;
    return true;
}

static int cron_days(struct slice text, struct cron *c)
{
    const struct cron_field *f = &fields[2];
    uint64_t n = 0, set;

    if (slice_eq(text, SLICE("*"))) {
        c->day_kind = CRON_ANY;
        return 0;
    }
    bool nearest = cron_take_end(&text, 'W');
    if (text.len > 0 && (text.ptr[0] & ~0x20) == 'L') {
        c->day_kind = CRON_LAST;
        c->day_nearest = nearest;
        text = slice_skip(text, 1);
        if (text.len == 0)
            return 0;
        if (text.ptr[0] != '-' || slice_to_u64(slice_skip(text, 1), &n) < 0 || n < 1 || n > 30)
            return -EINVAL;
        c->day = (unsigned)n;
        return 0;
    }
    if (nearest) {
        c->day_kind = CRON_NEAREST;
        return cron_value(f, text, &c->day);
    }
    int r = cron_set(f, text, &set);
    c->days = r < 0 ? 0 : (uint32_t)set;
    return r;
}

static int cron_weekdays(struct slice text, struct cron *c)
{
    const struct cron_field *f = &fields[4];
    struct slice nth = text, day = slice_cut(&nth, '#');
    uint64_t n, set;
    int r;

    if (slice_eq(text, SLICE("*"))) {
        c->weekday_kind = CRON_ANY;
        return 0;
    }
    if (slice_eq_nocase(text, SLICE("L"))) { /* the last day of the week */
        c->weekdays = UINT32_C(1) << CRON_SATURDAY;
        return 0;
    }
    if (nth.ptr != NULL) {
        c->weekday_kind = CRON_NTH;
        if (slice_to_u64(nth, &n) < 0 || n < 1 || n > 5)
            return -EINVAL;
        c->nth = (unsigned)n;
    } else if (cron_take_end(&day, 'L')) {
        c->weekday_kind = CRON_LAST;
    } else {
        r = cron_set(f, text, &set);
        c->weekdays = r < 0 ? 0 : (uint32_t)(set >> 1);
        return r;
    }
    r = cron_value(f, day, &c->weekday);
    c->weekday--;
    return r;
}

int cron_parse(struct slice text, struct cron *ret)
{
    struct slice parts[CRON_FIELDS], rest = slice_trim(text);
    struct cron c = {0};
    uint64_t hours, months;
    size_t n = 0;

    while (rest.len > 0) {
        struct slice part = slice_cut(&rest, ' ');
        if (part.len == 0)
            continue;
        if (n == CRON_FIELDS)
            return -EINVAL;
        parts[n++] = part;
    }
    if (n != CRON_FIELDS || cron_set(&fields[0], parts[0], &c.minutes) < 0 ||
        cron_set(&fields[1], parts[1], &hours) < 0 || cron_days(parts[2], &c) < 0 ||
        cron_set(&fields[3], parts[3], &months) < 0 || cron_weekdays(parts[4], &c) < 0)
        return -EINVAL;
    c.hours = (uint32_t)hours;
    c.months = (uint32_t)months;
    *ret = c;
    return 0;
}

static unsigned cron_month_length(const struct tm *at)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = at->tm_year + 1900;
    bool leap = at->tm_mon == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return lengths[at->tm_mon] + (leap ? 1u : 0u);
}

/* The day from Monday to Friday that is nearest to `day` within its month. */
static unsigned cron_nearest(const struct tm *at, unsigned day, unsigned length)
{
    unsigned weekday = (unsigned)(at->tm_wday + 5 * CRON_WEEK - at->tm_mday + (int)day) % CRON_WEEK;

    if (weekday == CRON_SATURDAY)
        return day == 1 ? 3 : day - 1;
    if (weekday == 0)
        return day == length ? day - 2 : day + 1;
    return day;
}

static bool cron_day_matches(const struct cron *c, const struct tm *at)
{
    unsigned length = cron_month_length(at), day = c->day;

    switch (c->day_kind) {
    case CRON_LAST:
        if (c->day >= length)
            return false;
        day = length - c->day;
        if (c->day_nearest)
            day = cron_nearest(at, day, length);
        break;
    case CRON_NEAREST:
        if (c->day > length)
            return false;
        day = cron_nearest(at, c->day, length);
        break;
    default:
        return (c->days >> at->tm_mday & 1) != 0;
    }
    return day == (unsigned)at->tm_mday;
}

static bool cron_weekday_matches(const struct cron *c, const struct tm *at)
{
    bool same = c->weekday == (unsigned)at->tm_wday;

    switch (c->weekday_kind) {
    case CRON_LAST:
        return same && (unsigned)at->tm_mday + CRON_WEEK > cron_month_length(at);
    case CRON_NTH:
        return same && (unsigned)(at->tm_mday - 1) / CRON_WEEK + 1 == c->nth;
    default:
        return (c->weekdays >> at->tm_wday & 1) != 0;
    }
}

bool cron_matches(const struct cron *c, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm at;

    if (wall_ms < 0 || gmtime_r(&seconds, &at) == NULL)
        return false;
    if ((c->minutes >> at.tm_min & 1) == 0 || (c->hours >> at.tm_hour & 1) == 0 ||
        (c->months >> (at.tm_mon + 1) & 1) == 0)
        return false;
    if (c->day_kind == CRON_ANY)
        return c->weekday_kind == CRON_ANY || cron_weekday_matches(c, &at);
    if (c->weekday_kind == CRON_ANY)
        return cron_day_matches(c, &at);
    return cron_day_matches(c, &at) || cron_weekday_matches(c, &at);
}
