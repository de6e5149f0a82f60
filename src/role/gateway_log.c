/*
 * The access log: one JSON line per request of a client, written in batches, never waited for.
 */
#include "role/gateway.h"

#include "core/clock.h"
#include "core/file.h"

#include <unistd.h>

enum { LOG_FLUSH_BYTES = 64 * 1024, LOG_FLUSH_US = 1000 * 1000 };

struct access_log {
    struct loop *loop;
    int fd; /* owned */
    struct buf lines;
    struct timer timer;
    uint64_t dropped;
};

static void log_flush(struct access_log *log)
{
    timer_stop(&log->timer);
    if (file_write_all(log->fd, buf_slice(&log->lines)) < 0)
        log->dropped++; /* a full disk must not stop requests; the count is in the next lines */
    buf_clear(&log->lines);
}

static void log_timer(struct timer *t)
{
    log_flush(CONTAINER_OF(t, struct access_log, timer));
}

struct access_log *access_log_open(struct loop *loop, int fd)
{
    struct access_log *log = mem_new(sizeof(*log));

    log->loop = loop;
    log->fd = fd;
    return log;
}

void access_log_close(struct access_log *log)
{
    if (log == NULL)
        return;
    log_flush(log);
    fd_release(&log->fd);
    buf_done(&log->lines);
    mem_release(&log);
}

/* The time's text changes once in a millisecond at most. */
static const char *log_time(void)
{
    static int64_t last;
    static char text[CLOCK_TEXT_SIZE];
    int64_t now = clock_wall_ms();

    if (now != last) {
        last = now;
        clock_rfc3339(now, text);
    }
    return text;
}

void access_log_write(struct access_log *log, const struct call *c, const struct http_request *r)
{
    struct buf *out = &log->lines;
    struct slice path = r->target;

    path = slice_cut(&path, '?'); /* queries may carry secrets */
    buf_append_slice(out, SLICE("{\"time\":\""));
    buf_append_slice(out, slice_of(log_time()));
    buf_append_slice(out, SLICE("\",\"request\":\""));
    buf_append_slice(out, slice_of(c->request.id));
    buf_append_slice(out, SLICE("\",\"ip\":\""));
    buf_append_slice(out, r->remote_ip);
    buf_append_slice(out, SLICE("\",\"method\":"));
    json_quote(out, r->method);
    buf_append_slice(out, SLICE(",\"host\":"));
    json_quote(out, r->authority);
    buf_append_slice(out, SLICE(",\"path\":"));
    json_quote(out, path);
    buf_append_slice(out, SLICE(",\"status\":"));
    buf_append_u64(out, (uint64_t)c->status);
    buf_append_slice(out, SLICE(",\"bytes\":"));
    buf_append_u64(out, c->bytes_out);
    buf_append_slice(out, SLICE(",\"us\":"));
    buf_append_u64(out, (uint64_t)(clock_boot_us() - c->start_us));
    if (c->worker != NULL) {
        buf_append_slice(out, SLICE(",\"script\":\""));
        buf_append_slice(out, slice_of(worker_script(c->worker)));
        buf_append_slice(out, SLICE("\",\"version\":\""));
        buf_append_slice(out, slice_of(worker_version(c->worker)));
        buf_append_char(out, '"');
    }
    buf_append_slice(out, SLICE("}\n"));
    if (buf_len(out) >= LOG_FLUSH_BYTES)
        log_flush(log);
    else if (log->timer.loop == NULL)
        timer_start(log->loop, &log->timer, LOG_FLUSH_US, log_timer);
}
