/*
 * The wire's socket: batching, descriptors, buffers, life and death.
 *
 * Everything written during a round of the loop gathers in one buffer that leaves at the end of the
 * round. A write that happens outside a round, or in a hook after ours, is caught by a timer of zero
 * length (`kick`), which also carries every event that must not come from inside a call.
 */
#include "proc/wire_impl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void wire_on_ready(struct watch *watch, uint32_t events);
static void wire_on_kick(struct timer *t);

static void wire_on_hook(struct loop_hook *hook)
{
    wire_flush(CONTAINER_OF(hook, struct wire, hook));
}

void wire_init(struct wire *w, struct loop *loop, int side, const struct wire_events *events,
               void *user)
{
    w->loop = loop;
    w->fd = -1;
    w->events = events;
    w->user = user;
    w->hook.run = wire_on_hook;
    w->next_id = side == 0 ? 1 : 2;
    w->local_parity = w->next_id & 1;
    list_init(&w->streams);
    list_init(&w->pool);
}

struct wire *wire_create(struct loop *loop, int fd, int side, const struct wire_events *events,
                         void *user)
{
    CHECK(fd >= 0 && (side == 0 || side == 1));
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);

    struct wire *w = mem_new(sizeof(*w));
    wire_init(w, loop, side, events, user);
    w->fd = fd;
    watch_start(loop, &w->watch, fd, EPOLLIN, wire_on_ready);
    w->watched = true;
    return w;
}

void *wire_user(struct wire *w)
{
    return w->user;
}

size_t wire_streams(const struct wire *w)
{
    return w->n_streams;
}

size_t wire_backlog(const struct wire *w)
{
    return buf_len(&w->out);
}

void wire_kick(struct wire *w)
{
    if (w->kick.loop == NULL)
        timer_start(w->loop, &w->kick, 0, wire_on_kick);
}

static void wire_watch(struct wire *w)
{
    if (w->watched)
        watch_change(&w->watch, (w->paused ? 0 : EPOLLIN) | (w->blocked ? EPOLLOUT : 0));
}

void wire_pause(struct wire *w, bool paused)
{
    if (w->dead || w->paused == paused)
        return;
    w->paused = paused;
    if (!paused && !w->watched && w->fd >= 0) {
        watch_start(w->loop, &w->watch, w->fd, EPOLLIN, wire_on_ready);
        w->watched = true;
    }
    wire_watch(w);
    if (!paused && (w->in_end > w->in_start || w->is_alone))
        wire_kick(w);
}

/* --- sending --- */

static void wire_out_drop(struct wire *w)
{
    buf_done(&w->out);
    while (w->mark_at < w->n_marks)
        close(w->marks[w->mark_at++].fd);
    free(w->marks);
    w->marks = NULL;
    w->mark_at = w->n_marks = w->marks_cap = 0;
    w->blocked = false;
}

static void wire_mark_add(struct wire *w, int fd)
{
    if (w->mark_at == w->n_marks)
        w->mark_at = w->n_marks = 0;
    if (w->n_marks == w->marks_cap) {
        w->marks_cap = w->marks_cap == 0 ? 8 : w->marks_cap * 2;
        w->marks = mem_grow(w->marks, w->marks_cap * sizeof(*w->marks));
    }
    w->marks[w->n_marks++] = (struct wire_mark){.at = w->out_total, .fd = fd};
}

void wire_frame_put(struct wire *w, struct wire_head head, struct slice payload, int fd)
{
    CHECK(payload.len <= WIRE_PAYLOAD_MAX);
    if (w->dead || w->write_dead) {
        fd_release(&fd);
        return;
    }
    if (fd >= 0) {
        head.flags |= WIRE_FD;
        wire_mark_add(w, fd);
    }
    head.length = (uint32_t)payload.len;
    size_t size = sizeof(head) + payload.len;
    char *at = buf_reserve(&w->out, size);
    memcpy(at, &head, sizeof(head));
    if (payload.len > 0)
        memcpy(at + sizeof(head), payload.ptr, payload.len);
    buf_added(&w->out, size);
    w->out_total += size;

    if (!link_is_in_list(&w->hook.link) && !w->blocked) {
        loop_hook_add(w->loop, &w->hook);
        wire_kick(w);
    }
    if (buf_len(&w->out) >= WIRE_OUT_EAGER && !w->blocked && w->fd >= 0)
        wire_flush(w);
    if (buf_len(&w->out) > WIRE_BACKLOG_MAX) {
        w->fail_reason = -ENOBUFS;
        wire_kick(w);
    }
}

static ssize_t wire_send_some(struct wire *w, size_t len, int fd)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = w->out.data + w->out.start, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_LEN(sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t n = sendmsg(w->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

/* Sends up to the next descriptor's frame, or from one descriptor's frame to the next. */
static int wire_send_segment(struct wire *w)
{
    int fd = -1;
    size_t at = w->mark_at;
    if (at < w->n_marks && w->marks[at].at == w->out_sent)
        fd = w->marks[at++].fd;
    size_t len = buf_len(&w->out);
    if (at < w->n_marks)
        len = MIN(len, w->marks[at].at - w->out_sent);

    ssize_t n = wire_send_some(w, len, fd);
    if (n < 0)
        return (int)n;
    if (fd >= 0) {
        close(fd);
        w->mark_at = at;
    }
    w->out_sent += (uint64_t)n;
    buf_consume(&w->out, (size_t)n);
    return 0;
}

void wire_flush(struct wire *w)
{
    loop_hook_remove(&w->hook);
    if (w->dead || w->write_dead)
        return;
    if (w->fd < 0) {
        wire_pair_flush(w);
        return;
    }
    int r = 0;
    while (buf_len(&w->out) > 0 && r == 0)
        r = wire_send_segment(w);
    if (r == -EINTR)
        return wire_flush(w);
    if (r < 0 && r != -EAGAIN) {
        /* What the other side sent before it went is still to be read; the end of it closes us. */
        w->write_dead = true;
        wire_out_drop(w);
        if (r != -EPIPE && r != -ECONNRESET) {
            w->fail_reason = r;
            wire_kick(w);
        }
    }
    w->blocked = buf_len(&w->out) > 0;
    wire_watch(w);
    if (!w->blocked && w->out.cap > WIRE_OUT_EAGER * 2)
        buf_done(&w->out);
    if (w->kick.loop != NULL && w->fail_reason == 0 && w->in_start == w->in_end)
        timer_stop(&w->kick);
}

void wire_note_last(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args)
{
    if (w->dead || w->write_dead || w->blocked)
        return;
    struct wire_head head = {
        .length = (uint32_t)args.len, .stream = stream_id, .op = op, .kind = WIRE_NOTE};
    AUTO(buf_done) struct buf frame = {0};
    buf_append(&frame, &head, sizeof(head));
    buf_append_slice(&frame, args);
    /* Whether it arrives whole is all the same: nothing comes after it. */
    ssize_t n = send(w->fd, frame.data, buf_len(&frame), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
}

/* --- receiving --- */

static size_t wire_in_wanted(const struct wire *w)
{
    struct wire_head head;
    if (w->in_end - w->in_start < sizeof(head))
        return WIRE_IN_MIN;
    memcpy(&head, w->in + w->in_start, sizeof(head));
    return sizeof(head) + MIN(head.length, (uint32_t)WIRE_PAYLOAD_MAX);
}

/* Moves what is left of the last read to the front and makes room for the rest of its frame. */
void wire_in_prepare(struct wire *w)
{
    size_t len = w->in_end - w->in_start;
    if (len == 0 && w->in_cap > WIRE_IN_MAX) {
        free(w->in);
        w->in = NULL;
        w->in_cap = 0;
    }
    if (w->in_start > 0 && len > 0)
        memmove(w->in, w->in + w->in_start, len);
    w->in_start = 0;
    w->in_end = len;

    size_t cap = MAX(wire_in_wanted(w), w->in_cap);
    if (cap > w->in_cap) {
        w->in = mem_grow(w->in, cap);
        w->in_cap = cap;
    }
}

static int wire_take_fds(struct wire *w, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        int fd;
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        if (w->n_fds == WIRE_FDS_MAX) {
            close(fd);
            return -EBADMSG;
        }
        w->fds[w->n_fds++] = fd;
    }
    return 0;
}

/* Bytes read; 0 at the end; negative errno. */
static ssize_t wire_read(struct wire *w)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    wire_in_prepare(w);
    struct iovec iov = {.iov_base = w->in + w->in_end, .iov_len = w->in_cap - w->in_end};
    /* Room for exactly one descriptor: the kernel closes what a peer sends beyond it. */
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t n = recvmsg(w->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    int r = wire_take_fds(w, &msg);
    if (r < 0)
        return r;
    w->in_end += (size_t)n;
    if (w->in_end == w->in_cap && w->in_cap < WIRE_IN_MAX) {
        w->in = mem_grow(w->in, w->in_cap * 2);
        w->in_cap *= 2;
    }
    return n;
}

static int wire_claim_fd(struct wire *w, const struct wire_head *head, int *ret)
{
    *ret = -1;
    if ((head->flags & WIRE_FD) == 0)
        return 0;
    if (w->n_fds == 0)
        return -EBADMSG;
    *ret = w->fds[0];
    w->n_fds--;
    memmove(w->fds, w->fds + 1, w->n_fds * sizeof(w->fds[0]));
    return 0;
}

/* One whole frame: 1; none yet: 0; else negative errno. */
static int wire_next_frame(struct wire *w)
{
    struct wire_head head;
    if (w->in_end - w->in_start < sizeof(head))
        return 0;
    memcpy(&head, w->in + w->in_start, sizeof(head));
    if (head.length > WIRE_PAYLOAD_MAX)
        return -EBADMSG;
    if (w->in_end - w->in_start - sizeof(head) < head.length)
        return 0;
    struct slice payload = slice_from(w->in + w->in_start + sizeof(head), head.length);
    w->in_start += sizeof(head) + head.length;

    int fd;
    int r = wire_claim_fd(w, &head, &fd);
    if (r < 0)
        return r;
    r = wire_frame_deliver(w, &head, payload, fd);
    return r < 0 ? r : 1;
}

static void wire_dispatch(struct wire *w)
{
    int r = 1;
    w->busy++;
    while (r == 1 && !w->dead && !w->paused)
        r = wire_next_frame(w);
    if (r == 0 && w->in_start == w->in_end && w->n_fds > 0)
        r = -EBADMSG; /* a descriptor that no frame announced */
    if (r < 0)
        wire_fail(w, r);
    w->busy--;
    wire_maybe_free(w);
}

static void wire_read_and_dispatch(struct wire *w)
{
    ssize_t n = wire_read(w);
    if (n == -EAGAIN || n == -EINTR)
        return;
    if (n <= 0)
        wire_fail(w, (int)n);
    else
        wire_dispatch(w);
}

static void wire_on_ready(struct watch *watch, uint32_t events)
{
    struct wire *w = CONTAINER_OF(watch, struct wire, watch);
    if (events & EPOLLOUT)
        wire_flush(w);
    if (w->paused) {
        /* A hang-up cannot be masked; it waits until reading goes on. */
        if (events & (EPOLLHUP | EPOLLERR)) {
            watch_stop(&w->watch);
            w->watched = false;
        }
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        wire_read_and_dispatch(w);
}

static void wire_on_kick(struct timer *t)
{
    struct wire *w = CONTAINER_OF(t, struct wire, kick);
    if (w->fail_reason < 0)
        return wire_fail(w, w->fail_reason);
    w->busy++;
    if (buf_len(&w->out) > 0 && !w->blocked)
        wire_flush(w);
    if (!w->paused && w->in_end > w->in_start)
        wire_dispatch(w);
    if (w->is_alone && !w->paused)
        wire_fail(w, 0);
    w->busy--;
    wire_maybe_free(w);
}

/* --- the end --- */

static void wire_shut(struct wire *w)
{
    w->dead = true;
    if (w->watched)
        watch_stop(&w->watch);
    w->watched = false;
    wire_pair_leave(w);
    loop_hook_remove(&w->hook);
    timer_stop(&w->kick);
    wire_out_drop(w);
    while (w->n_fds > 0)
        close(w->fds[--w->n_fds]);
    fd_release(&w->fd);
}

/* Streams that only waited to send their last bytes have no owner any more. */
static void wire_drop_closed_streams(struct wire *w)
{
    LIST_FOR_SAFE (l, &w->streams) {
        struct wire_stream *s = LIST_ENTRY(l, struct wire_stream, link);
        if (!s->accepted)
            wire_stream_free(s);
    }
}

void wire_fail(struct wire *w, int reason)
{
    if (w->dead)
        return;
    w->busy++;
    wire_shut(w);
    wire_drop_closed_streams(w);

    /* Callbacks close streams, also others than their own: each is moved aside before it is told. */
    struct link told;
    list_init(&told);
    for (struct link *l; !w->destroyed && (l = list_pop_front(&w->streams)) != NULL;) {
        list_push_back(&told, l);
        wire_stream_lost(LIST_ENTRY(l, struct wire_stream, link), reason < 0 ? reason : -EPIPE);
    }
    for (struct link *l; (l = list_pop_front(&told)) != NULL;)
        list_push_back(&w->streams, l);
    if (!w->destroyed && w->events->closed != NULL)
        w->events->closed(w, reason);
    w->busy--;
    wire_maybe_free(w);
}

void wire_maybe_free(struct wire *w)
{
    if (!w->destroyed || w->busy > 0 || !list_empty(&w->streams))
        return;
    for (struct link *l; (l = list_pop_front(&w->pool)) != NULL;)
        free(LIST_ENTRY(l, struct wire_stream, link));
    free(w->slots);
    free(w->in);
    free(w);
}

void wire_destroy(struct wire *w)
{
    if (w == NULL || w->destroyed)
        return;
    if (!w->dead) {
        if (!w->blocked)
            wire_flush(w);
        wire_shut(w);
    }
    w->destroyed = true;
    w->busy++;
    wire_drop_closed_streams(w);
    w->busy--;
    wire_maybe_free(w);
}
