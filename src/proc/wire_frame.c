/*
 * What arriving frames mean: the rules of the protocol, one function per kind.
 *
 * Frames for a stream that is not in the table belong to one that we closed a moment ago; they are
 * dropped. Everything else that breaks a rule ends the wire.
 */
#include "proc/wire_impl.h"

#include <unistd.h>

static int wire_on_open(struct wire *w, const struct wire_head *head, struct slice payload, int fd)
{
    bool end = head->flags & WIRE_END;
    if (head->stream == 0 || (head->stream & 1) == w->local_parity ||
        wire_stream_find(w, head->stream) != NULL) {
        fd_release(&fd);
        return -EBADMSG;
    }
    if (w->n_remote >= WIRE_STREAMS_MAX || w->events->open == NULL) {
        int32_t reason = w->events->open == NULL ? -ENOSYS : -EAGAIN;
        fd_release(&fd);
        wire_frame_put(w, (struct wire_head){.stream = head->stream, .kind = WIRE_RESET},
                       slice_from(&reason, sizeof(reason)), -1);
        return 0;
    }
    struct wire_stream *s = wire_stream_new(w, head->stream, false);
    s->remote_ended = end;
    w->events->open(w, s, head->op, payload, fd, end);
    if (w->destroyed || wire_stream_find(w, head->stream) != s)
        return 0;
    CHECK(s->events != NULL || !s->accepted);
    return 0;
}

static int wire_on_reply(struct wire *w, const struct wire_head *head, struct slice payload, int fd)
{
    struct wire_stream *s = wire_stream_find(w, head->stream);
    if (s == NULL || !s->accepted) {
        fd_release(&fd);
        return 0;
    }
    if (!s->opener || s->replied) {
        fd_release(&fd);
        return -EBADMSG;
    }
    s->replied = true;
    s->remote_ended = head->flags & WIRE_END;
    if (s->events->reply != NULL)
        s->events->reply(s, payload, fd, s->remote_ended);
    else
        fd_release(&fd);
    return 0;
}

static int wire_on_data(struct wire *w, const struct wire_head *head, struct slice payload)
{
    struct wire_stream *s = wire_stream_find(w, head->stream);
    if (payload.len > WIRE_DATA_MAX)
        return -EBADMSG;
    if (s == NULL)
        return 0;
    if (s->remote_ended || (s->opener && !s->replied) || payload.len > s->recv_credit)
        return -EBADMSG;
    s->recv_credit -= payload.len;
    s->unread += payload.len;
    s->remote_ended = head->flags & WIRE_END;
    if (!s->accepted)
        return 0;
    if (s->events->data == NULL)
        wire_consumed(s, payload.len);
    else if (payload.len > 0 || s->remote_ended)
        s->events->data(s, payload, s->remote_ended);
    return 0;
}

static int wire_on_credit(struct wire *w, const struct wire_head *head, struct slice payload)
{
    struct wire_stream *s = wire_stream_find(w, head->stream);
    uint32_t n;
    if (payload.len != sizeof(n))
        return -EBADMSG;
    memcpy(&n, payload.ptr, sizeof(n));
    if (s == NULL || s->send_dead)
        return 0;
    if (n > WIRE_WINDOW || s->send_credit + n > WIRE_WINDOW)
        return -EBADMSG;
    bool was_full = wire_send_room(s) == 0;
    s->send_credit += n;
    bool owned = s->accepted;
    wire_stream_pump(s); /* may free a stream that nobody owns any more */
    if (owned && was_full && wire_send_room(s) > 0 && !s->local_ended && s->events->writable)
        s->events->writable(s);
    return 0;
}

/* The other side gives a stream up. After its end it only says that it wants no more bytes. */
static void wire_stream_refuse(struct wire_stream *s)
{
    bool was_full = wire_send_room(s) == 0;
    s->send_dead = true;
    buf_done(&s->pending);
    if (was_full && !s->local_ended && s->events->writable != NULL)
        s->events->writable(s);
}

void wire_stream_lost(struct wire_stream *s, int reason)
{
    if (s->was_reset)
        return;
    bool answered = s->opener || s->local_ended;
    if (s->remote_ended && answered)
        return wire_stream_refuse(s);
    s->was_reset = true;
    buf_done(&s->pending);
    if (s->events->reset != NULL)
        s->events->reset(s, reason);
}

static int wire_on_reset(struct wire *w, const struct wire_head *head, struct slice payload)
{
    struct wire_stream *s = wire_stream_find(w, head->stream);
    int32_t reason;
    if (payload.len != sizeof(reason))
        return -EBADMSG;
    memcpy(&reason, payload.ptr, sizeof(reason));
    if (s == NULL)
        return 0;
    if (!s->accepted) {
        wire_stream_free(s);
        return 0;
    }
    wire_stream_lost(s, reason < 0 && reason > -4096 ? reason : -ECANCELED);
    return 0;
}

int wire_frame_deliver(struct wire *w, const struct wire_head *head, struct slice payload, int fd)
{
    switch (head->kind) {
    case WIRE_OPEN:
        return wire_on_open(w, head, payload, fd);
    case WIRE_REPLY:
        return wire_on_reply(w, head, payload, fd);
    case WIRE_NOTE:
        if (w->events->note != NULL)
            w->events->note(w, head->stream, head->op, payload, fd);
        else
            fd_release(&fd);
        return 0;
    default:
        break;
    }
    if (fd >= 0) {
        close(fd);
        return -EBADMSG;
    }
    switch (head->kind) {
    case WIRE_DATA:
        return wire_on_data(w, head, payload);
    case WIRE_CREDIT:
        return wire_on_credit(w, head, payload);
    case WIRE_RESET:
        return wire_on_reset(w, head, payload);
    default:
        return -EBADMSG;
    }
}
