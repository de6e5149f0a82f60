/*
 * Log lines.
 *
 * A line is built in memory of the thread and leaves with one write(2), so lines of threads and
 * processes that share a pipe do not mix. A line that would be too long loses the end of its values
 * and says so ("cut":true).
 */
#include "core/log.h"

#include "core/clock.h"
#include "core/loop_impl.h"
#include "core/text_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LOG_LINE_MAX = 4096, /* PIPE_BUF: a pipe takes so much in one piece */
    LOG_VALUE_MAX = 2048,
    LOG_TAIL = 32, /* room kept for what ends a line */
};

static const char *log_role_name = "selvedge";
static enum log_level log_least = LOG_INFO;

static _Thread_local struct {
    char text[LOG_LINE_MAX];
    size_t len;
    bool on, cut;
} log_line;

void log_init(const char *role, enum log_level least)
{
    log_role_name = role;
    log_least = least;
    panic_prepare();
}

const char *log_role(void)
{
    return log_role_name;
}

/* Appends `text` as it is; all of it or nothing. */
static bool log_raw(struct slice text)
{
    if (text.len > sizeof(log_line.text) - LOG_TAIL - log_line.len) {
        log_line.cut = true;
        return false;
    }
    memcpy(log_line.text + log_line.len, text.ptr, text.len);
    log_line.len += text.len;
    return true;
}

static void log_member(const char *name, struct slice value)
{
    size_t start = log_line.len;
    bool fits = log_raw(start == 1 ? SLICE("\"") : SLICE(",\"")) && log_raw(slice_of(name)) &&
                log_raw(SLICE("\":\""));
    size_t room = sizeof(log_line.text) - LOG_TAIL - log_line.len;
    if (!fits || room < 2) {
        log_line.len = start;
        log_line.cut = true;
        return;
    }
    log_line.len += text_escape(&value, log_line.text + log_line.len, room - 1);
    if (value.len > 0)
        log_line.cut = true;
    log_line.text[log_line.len++] = '"';
}

void log_begin(enum log_level level, const char *event)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char time[CLOCK_TEXT_SIZE];

    log_line.on = level >= log_least;
    if (!log_line.on)
        return;
    log_line.cut = false;
    log_line.text[0] = '{';
    log_line.len = 1;
    log_member("time", slice_of(clock_rfc3339(clock_wall_ms(), time)));
    log_member("level", slice_of(names[level]));
    log_member("role", slice_of(log_role_name));
    log_member("event", slice_of(event));
}

void log_field(const char *name, const char *fmt, ...)
{
    if (!log_line.on)
        return;

    char value[LOG_VALUE_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof(value))
        log_line.cut = true;
    log_member(name, (struct slice){value, MIN((size_t)n, sizeof(value) - 1)});
}

void log_end(void)
{
    if (!log_line.on)
        return;
    log_line.on = false;

    static const char cut[] = ",\"cut\":true}\n", plain[] = "}\n";
    struct slice tail = log_line.cut ? SLICE(cut) : SLICE(plain);
    memcpy(log_line.text + log_line.len, tail.ptr, tail.len);
    log_line.len += tail.len;

    int saved = errno;
    ssize_t n;
    do {
        n = write(STDERR_FILENO, log_line.text, log_line.len);
    } while (n < 0 && errno == EINTR);
    errno = saved; /* a log that cannot be written is lost: there is nowhere to say so */
}
