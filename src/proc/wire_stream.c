/*
 * Streams: the table of open ones, and what their owners do with them.
 *
 * Numbers of one side grow by two, so a table indexed by the number's low bits with linear probing is
 * nearly free of collisions. Structs are kept in a pool: a request costs no allocation.
 */
#include "proc/wire_impl.h"

#include <stdlib.h>

/* --- the table --- */

static size_t wire_slot_home(const struct wire *w, uint32_t id)
{
    return id & (w->n_slots - 1);
}

static size_t wire_slot_of(const struct wire *w, uint32_t id)
{
    size_t at = wire_slot_home(w, id);
    while (w->slots[at].id != 0 && w->slots[at].id != id)
        at = (at + 1) & (w->n_slots - 1);
    return at;
}

struct wire_stream *wire_stream_find(struct wire *w, uint32_t id)
{
    if (w->n_slots == 0)
        return NULL;
    return w->slots[wire_slot_of(w, id)].stream;
}

static void wire_slots_grow(struct wire *w)
{
    struct wire_slot *old = w->slots;
    size_t n_old = w->n_slots;
    w->n_slots = n_old == 0 ? WIRE_SLOTS_MIN : n_old * 2;
    w->slots = mem_new(w->n_slots * sizeof(*w->slots));
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].id != 0)
            w->slots[wire_slot_of(w, old[i].id)] = old[i];
    }
    free(old);
}

/* Closes the gap by moving back what stands behind it and may stand there. */
static void wire_slot_remove(struct wire *w, uint32_t id)
{
    size_t mask = w->n_slots - 1;
    size_t hole = wire_slot_of(w, id);
    for (size_t at = (hole + 1) & mask; w->slots[at].id != 0; at = (at + 1) & mask) {
        size_t home = wire_slot_home(w, w->slots[at].id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            w->slots[hole] = w->slots[at];
            hole = at;
        }
    }
    w->slots[hole] = (struct wire_slot){0};
}

struct wire_stream *wire_stream_new(struct wire *w, uint32_t id, bool opener)
{
    struct link *l = list_pop_front(&w->pool);
    struct wire_stream *s;
    if (l != NULL) {
        s = LIST_ENTRY(l, struct wire_stream, link);
        w->n_pool--;
        *s = (struct wire_stream){0};
    } else {
        s = mem_new(sizeof(*s));
    }
    s->wire = w;
    s->id = id;
    s->opener = opener;
    s->accepted = true;
    s->send_credit = s->recv_credit = WIRE_WINDOW;

    if (2 * (w->n_streams + 1) > w->n_slots)
        wire_slots_grow(w);
    w->slots[wire_slot_of(w, id)] = (struct wire_slot){id, s};
    w->n_streams++;
    (*(opener ? &w->n_local : &w->n_remote))++;
    list_push_back(&w->streams, &s->link);
    return s;
}

void wire_stream_free(struct wire_stream *s)
{
    struct wire *w = s->wire;
    wire_slot_remove(w, s->id);
    w->n_streams--;
    (*(s->opener ? &w->n_local : &w->n_remote))--;
    list_remove(&s->link);
    buf_done(&s->pending);
    if (w->n_pool < WIRE_POOL_MAX && !w->destroyed) {
        list_push_front(&w->pool, &s->link);
        w->n_pool++;
    } else {
        free(s);
    }
    wire_maybe_free(w);
}

/* --- owners' calls --- */

static uint32_t wire_take_id(struct wire *w)
{
    uint32_t id;
    do {
        id = w->next_id;
        w->next_id += 2;
        if (w->next_id > WIRE_STREAM_ID_MAX)
            w->next_id = w->local_parity == 1 ? 1 : 2;
    } while (wire_stream_find(w, id) != NULL);
    return id;
}

struct wire_stream *wire_open(struct wire *w, uint16_t op, struct slice args, int fd, bool end,
                              const struct wire_stream_events *events, void *user)
{
    if (w->dead || w->n_local >= WIRE_STREAMS_MAX) {
        fd_release(&fd);
        return NULL;
    }
    struct wire_stream *s = wire_stream_new(w, wire_take_id(w), true);
    s->events = events;
    s->user = user;
    s->local_ended = end;
    struct wire_head head = {
        .stream = s->id, .op = op, .kind = WIRE_OPEN, .flags = end ? WIRE_END : 0};
    wire_frame_put(w, head, args, fd);
    return s;
}

void wire_stream_own(struct wire_stream *s, const struct wire_stream_events *events, void *user)
{
    CHECK(events != NULL);
    s->events = events;
    s->user = user;
}

void *wire_stream_user(struct wire_stream *s)
{
    return s->user;
}

uint32_t wire_stream_id(const struct wire_stream *s)
{
    return s->id;
}

struct wire *wire_stream_wire(struct wire_stream *s)
{
    return s->wire;
}

void wire_reply(struct wire_stream *s, struct slice args, int fd, bool end)
{
    CHECK(!s->opener && !s->replied);
    s->replied = true;
    s->local_ended = end;
    if (s->was_reset || s->send_dead) {
        fd_release(&fd);
        return;
    }
    struct wire_head head = {.stream = s->id, .kind = WIRE_REPLY, .flags = end ? WIRE_END : 0};
    wire_frame_put(s->wire, head, args, fd);
}

static void wire_data_put(struct wire_stream *s, struct slice bytes, bool end)
{
    do {
        struct slice part = {bytes.ptr, MIN(bytes.len, (size_t)WIRE_DATA_MAX)};
        bytes = slice_skip(bytes, part.len);
        bool last = end && bytes.len == 0;
        struct wire_head head = {.stream = s->id, .kind = WIRE_DATA, .flags = last ? WIRE_END : 0};
        wire_frame_put(s->wire, head, part, -1);
    } while (bytes.len > 0);
}

/* A closed stream has sent its last byte. */
static void wire_stream_settle(struct wire_stream *s)
{
    if (!s->remote_ended) {
        int32_t reason = s->reset_reason;
        wire_frame_put(s->wire, (struct wire_head){.stream = s->id, .kind = WIRE_RESET},
                       slice_from(&reason, sizeof(reason)), -1);
    }
    wire_stream_free(s);
}

void wire_stream_pump(struct wire_stream *s)
{
    size_t n = MIN(buf_len(&s->pending), s->send_credit);
    if (n > 0) {
        bool last = n == buf_len(&s->pending);
        s->send_credit -= n;
        wire_data_put(s, (struct slice){buf_slice(&s->pending).ptr, n}, last && s->pending_end);
        buf_consume(&s->pending, n);
    }
    if (n > 0 && buf_len(&s->pending) == 0) {
        buf_done(&s->pending);
        if (!s->accepted)
            wire_stream_settle(s);
    }
}

void wire_send(struct wire_stream *s, struct slice bytes, bool end)
{
    CHECK(!s->local_ended && (s->opener || s->replied));
    s->local_ended = end;
    if (s->was_reset || s->send_dead || s->wire->dead || (bytes.len == 0 && !end))
        return;
    size_t n = 0;
    if (buf_len(&s->pending) == 0) {
        n = MIN(bytes.len, s->send_credit);
        if (n > 0 || bytes.len == 0) {
            s->send_credit -= n;
            wire_data_put(s, (struct slice){bytes.ptr, n}, end && n == bytes.len);
        }
    }
    if (n < bytes.len)
        buf_append_slice(&s->pending, slice_skip(bytes, n));
    s->pending_end = end;
}

size_t wire_send_room(const struct wire_stream *s)
{
    if (s->send_dead || s->was_reset || s->wire->dead)
        return WIRE_WINDOW; /* bytes are dropped; nobody shall wait */
    return buf_len(&s->pending) > 0 ? 0 : s->send_credit;
}

size_t wire_send_queued(const struct wire_stream *s)
{
    return buf_len(&s->pending);
}

void wire_consumed(struct wire_stream *s, size_t n)
{
    CHECK(n <= s->unread);
    s->unread -= n;
    s->consumed += n;
    if (s->consumed < WIRE_CREDIT_STEP || s->remote_ended || s->was_reset)
        return;
    uint32_t credit = (uint32_t)s->consumed;
    s->recv_credit += s->consumed;
    s->consumed = 0;
    wire_frame_put(s->wire, (struct wire_head){.stream = s->id, .kind = WIRE_CREDIT},
                   slice_from(&credit, sizeof(credit)), -1);
}

void wire_stream_close(struct wire_stream *s, int reason)
{
    CHECK(s->accepted);
    s->accepted = false;
    s->events = NULL;
    s->reset_reason = reason < 0 ? reason : -ECANCELED;
    if (s->wire->dead || s->was_reset || s->send_dead)
        return wire_stream_free(s);
    if (s->local_ended && buf_len(&s->pending) > 0)
        return; /* goes when the last byte went */
    if (!s->local_ended)
        s->remote_ended = false; /* so that the other side is told */
    wire_stream_settle(s);
}

void wire_stream_leave(struct wire_stream *s)
{
    CHECK(s->accepted && (s->remote_ended || s->was_reset || s->wire->dead));
    s->accepted = false;
    s->events = NULL;
    wire_stream_free(s);
}

void wire_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd)
{
    wire_frame_put(w, (struct wire_head){.stream = stream_id, .op = op, .kind = WIRE_NOTE}, args,
                   fd);
}
