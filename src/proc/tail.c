#include "proc/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { TAIL_READ = 4096 };

static void tail_keep(struct tail *t, const char *text, size_t n)
{
    buf_append(&t->kept, text, n);
    if (buf_len(&t->kept) > TAIL_KEPT)
        buf_consume(&t->kept, buf_len(&t->kept) - TAIL_KEPT);
    ssize_t w = write(STDERR_FILENO, text, n);
    (void)w; /* a log that cannot be written is lost */
}

/* False when there is nothing more to read now, or ever. */
static bool tail_read(struct tail *t)
{
    char text[TAIL_READ];
    if (t->fd < 0)
        return false;
    ssize_t n = read(t->fd, text, sizeof(text));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0 || (t->left > 0 && t->left <= (uint64_t)n)) {
        watch_stop(&t->watch);
        fd_release(&t->fd);
        return false;
    }
    if (t->left > 0)
        t->left -= (uint64_t)n;
    tail_keep(t, text, (size_t)n);
    return true;
}

static void tail_on_ready(struct watch *w, UNUSED uint32_t events)
{
    (void)tail_read(CONTAINER_OF(w, struct tail, watch));
}

int tail_open(struct tail *t, struct loop *loop, uint64_t limit)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    *t = (struct tail){.fd = ends[0], .left = limit};
    watch_start(loop, &t->watch, t->fd, EPOLLIN, tail_on_ready);
    return ends[1];
}

void tail_report(struct tail *t, struct buf *out)
{
    while (tail_read(t))
        continue;
    for (struct slice rest = buf_slice(&t->kept); rest.len > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len == 0 || line.ptr[0] == '{')
            continue;
        buf_append_slice(out, line);
        buf_append_char(out, '\n');
    }
}

void tail_close(struct tail *t)
{
    watch_stop(&t->watch);
    fd_release(&t->fd);
    buf_done(&t->kept);
}
