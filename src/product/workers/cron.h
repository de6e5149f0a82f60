/*
 * Cron expressions of triggers: five fields (minute, hour, day of month, month, day of week), in UTC.
 *
 * As upstream documents them: days of the week are 1 (Sunday) to 7 or SUN to SAT, months 1 to 12 or JAN to DEC;
 * `*`, lists, ranges (which may wrap around), steps; for days `L`, `LW`, `L-3`, `L-3W` and `15W`, for weekdays
 * `5L` and `5#3`. When both kinds of days are given, either is enough. Pure functions, any thread.
 */
#pragma once

#include "core/slice.h"

#include <stdint.h>

enum cron_kind { CRON_SET, CRON_ANY, CRON_LAST, CRON_NEAREST, CRON_NTH };

struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* bits; days and months from 1, weekdays 0 = Sunday */
    enum cron_kind day_kind; /* CRON_LAST: day = offset from the last day; CRON_NEAREST: to `day` */
    enum cron_kind weekday_kind; /* CRON_LAST, CRON_NTH: of `weekday` */
    unsigned day, weekday, nth;
    bool day_nearest; /* with CRON_LAST: the working day nearest to it */
};

/* -EINVAL when it is no expression. */
NODISCARD int cron_parse(struct slice text, struct cron *ret);
/* Whether the minute that holds this wall time (ms since 1970) is one of the expression's. */
bool cron_matches(const struct cron *cron, int64_t wall_ms);
