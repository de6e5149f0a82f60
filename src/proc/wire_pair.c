/*
 * A wire whose both ends are in this process: the isolate's calls to objects that live in it.
 *
 * Same frames, same rules, same order; only the socket is missing. What one end has written during a round is copied
 * into the other's buffer at its end, and dispatched in the next one: events never come from inside a call. Nothing is
 * copied earlier, since the other end may be dispatching from that buffer.
 */
#include "proc/wire_impl.h"

void wire_create_pair(struct loop *loop, const struct wire_events *events, void *const users[2],
                      struct wire *ret_ends[2])
{
    for (int side = 0; side < 2; side++) {
        ret_ends[side] = mem_new(sizeof(struct wire));
        wire_init(ret_ends[side], loop, side, events, users[side]);
    }
    ret_ends[0]->peer = ret_ends[1];
    ret_ends[1]->peer = ret_ends[0];
}

struct wire_stream *wire_pair_stream(const struct wire_stream *s)
{
    struct wire *peer = s->wire->peer;
    struct wire_stream *other = peer == NULL ? NULL : wire_stream_find(peer, s->id);

    return other != NULL && other->accepted ? other : NULL;
}

void wire_pair_flush(struct wire *w)
{
    struct wire *to = w->peer;
    size_t n = buf_len(&w->out);

    CHECK(w->n_marks == 0);
    if (n > 0 && to != NULL) {
        wire_in_prepare(to);
        if (to->in_cap - to->in_end < n) {
            to->in_cap = to->in_end + n;
            to->in = mem_grow(to->in, to->in_cap);
        }
        memcpy(to->in + to->in_end, w->out.data + w->out.start, n);
        to->in_end += n;
        wire_kick(to);
    }
    w->out_sent += n;
    buf_clear(&w->out);
    if (w->out.cap > WIRE_OUT_EAGER * 2)
        buf_done(&w->out);
    if (w->kick.loop != NULL && w->fail_reason == 0 && w->in_start == w->in_end)
        timer_stop(&w->kick);
}

/* The other end hears of it from its kick, after what was sent before. */
void wire_pair_leave(struct wire *w)
{
    struct wire *peer = TAKE(w->peer);

    if (peer == NULL)
        return;
    peer->peer = NULL;
    peer->is_alone = true;
    wire_kick(peer);
}
