/*
 * Time. Leases and time limits use boot time (it counts while the machine sleeps and never jumps);
 * wall time is for display, expiry and restore only.
 */
#pragma once

#include "core/slice.h"

enum { CLOCK_TEXT_SIZE = 32 };

int64_t clock_boot_us(void);
int64_t clock_wall_ms(void);
/* CPU time used by the calling thread. */
int64_t clock_thread_cpu_us(void);
/* RFC 3339 with milliseconds and Z: 2026-01-02T03:04:05.678Z. Returns buf. */
char *clock_rfc3339(int64_t wall_ms, char buf[CLOCK_TEXT_SIZE]);
/* RFC 9110 IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT. Returns buf. */
char *clock_http_date(int64_t wall_ms, char buf[CLOCK_TEXT_SIZE]);
/* A date, or a date and time with "Z" or an offset; -EINVAL when it is none. */
NODISCARD int clock_parse_rfc3339(struct slice text, int64_t *ret_wall_ms);
/* All three forms of RFC 9110 section 5.6.7. -EINVAL when it is none of them. */
NODISCARD int clock_parse_http_date(struct slice text, int64_t *ret_wall_ms);
