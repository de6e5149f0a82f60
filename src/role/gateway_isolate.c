/*
 * The isolates of a version: start, choice, queue, retirement.
 *
 * A version has no isolate, or some. A call goes to the least busy one. When there is none, one is asked
 * for and calls wait in the version's bounded queue; when all are busy and the best of them has said
 * nothing for GATEWAY_HEARD_MS, a helper is started beside it, up to the limit per Worker.
 *
 * Only an isolate without events is idle, and only idle ones are retired.
 */
#include "role/gateway_isolate.h"

#include "core/clock.h"
#include "core/log.h"
#include "product/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- links --- */

static void link_touch(struct isolate_link *l)
{
    list_remove(&l->in_gateway);
    list_push_back(&l->gateway->isolates, &l->in_gateway);
}

static void link_unlist(struct isolate_link *l)
{
    if (!link_is_in_list(&l->in_worker))
        return;
    list_remove(&l->in_worker);
    list_remove(&l->in_gateway);
    l->worker->n_isolates--;
    l->gateway->n_isolates--;
}

static void link_free(struct isolate_link *l)
{
    link_unlist(l);
    objects_leave(l, NULL);
    if (l->want != NULL)
        wire_stream_close(l->want, -ECANCELED);
    if (l->wire != NULL)
        wire_destroy(l->wire);
    map_done(&l->events);
    map_done(&l->held);
    worker_unref(l->worker);
    outbound_unref(l->outbound);
    mem_release(&l);
}

/* Takes it out of service: no new calls. It is dropped when its last event has ended. */
void link_leave(struct isolate_link *l, const char *why)
{
    AUTO(buf_done) struct buf out = {0};

    if (l->state == ISOLATE_LEAVING)
        return;
    l->state = ISOLATE_LEAVING;
    link_unlist(l);
    objects_leave(l, l->n_events != 0 ? why : NULL);
    if (l->n_events != 0)
        return;
    msg_isolate_drop_pack(&out, &(struct msg_isolate_drop){.isolate = l->id, .why = slice_of(why)});
    wire_note(l->gateway->rc->supervisor, 0, OP_isolate_drop, buf_slice(&out), -1);
    link_free(l);
}

void event_free(struct event *e)
{
    struct isolate_link *l = e->link;

    map_remove_u64(&l->events, e->stream_id);
    object_event_end(e);
    l->n_events--;
    if (e->is_socket)
        l->n_sockets--;
    outbound_unref(e->outbound);
    mem_release(&e);
    if (l->n_events == 0) {
        l->idle_since_us = loop_now_us(l->gateway->loop);
        if (l->state == ISOLATE_LEAVING) {
            l->state = ISOLATE_READY; /* so that leaving runs again, now to its end */
            link_leave(l, "retired");
        }
    }
}

static void event_over(struct event *e, struct slice outcome)
{
    if (e->done != NULL) {
        e->done(e->done_arg, outcome);
        e->done = NULL;
    }
    if (e->call == NULL)
        event_free(e);
    else
        e->stream_id = 0; /* the call still streams; freed with it */
}

struct event *event_create(struct isolate_link *l)
{
    struct event *e = mem_new(sizeof(*e));

    e->link = l;
    l->n_events++;
    if (l->n_events == l->n_sockets + 1)
        l->heard_us = loop_now_us(l->gateway->loop);
    return e;
}

void event_number(struct event *e, struct wire_stream *s)
{
    e->stream_id = wire_stream_id(s);
    map_put_u64(&e->link->events, e->stream_id, e);
}

static bool is_silent(const struct isolate_link *l)
{
    return l->n_events != l->n_sockets &&
           loop_now_us(l->gateway->loop) - l->heard_us > GATEWAY_HEARD_MS * 1000;
}

/* One that answers comes before one that has been silent for a while; then the fewest events decide. */
static bool is_better(const struct isolate_link *a, const struct isolate_link *b)
{
    bool silent_a = is_silent(a), silent_b = is_silent(b);

    return silent_a != silent_b ? silent_b : a->n_events < b->n_events;
}

/* One that has said why it ends takes no more calls, though its process is still there. */
struct isolate_link *least_busy(struct worker *w)
{
    struct isolate_link *best = NULL;

    LIST_FOR (at, &w->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_worker);
        if (l->state == ISOLATE_READY && l->outcome[0] == '\0' &&
            (best == NULL || is_better(l, best)))
            best = l;
    }
    return best;
}

/* Where a new object goes: objects stay where they are, so it is their number that spreads them. */
static struct isolate_link *fewest_objects(struct worker *w)
{
    struct isolate_link *best = NULL;

    LIST_FOR (at, &w->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_worker);
        if (l->state == ISOLATE_READY && l->outcome[0] == '\0' && !is_silent(l) &&
            (best == NULL || l->n_homes < best->n_homes))
            best = l;
    }
    return best != NULL ? best : least_busy(w);
}

static void queue_flush(struct worker *w, struct isolate_link *l)
{
    struct link *at;

    while ((at = list_pop_front(&w->queue)) != NULL) {
        struct call *c = LIST_ENTRY(at, struct call, queued);
        isolate_call_cancel(c);
        link_send(l, c);
    }
}

void worker_queue_fail(struct worker *w, int status, struct slice text)
{
    struct link *at;

    while ((at = list_pop_front(&w->queue)) != NULL) {
        struct call *c = LIST_ENTRY(at, struct call, queued);
        isolate_call_cancel(c);
        if (w->dynamic != NULL) /* told to who has brought it, as what it threw */
            call_respond(c, &(struct call_head){.status = status,
                                                .status_text = text,
                                                .headers = SLICE(""),
                                                .content_length = 0,
                                                .flags = MSG_THREW,
                                                .end = true});
        else
            call_fail(c, status, "%.*s", SLICE_ARG(text));
    }
}

/* No new isolate comes: what waits goes to one that is there, or fails. */
static void queue_without(struct worker *w, int status, struct slice text)
{
    struct isolate_link *l = least_busy(w);

    if (l != NULL)
        queue_flush(w, l);
    else if (w->n_starting == 0)
        worker_queue_fail(w, status, text);
}

/* --- starting --- */

static void isolate_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args,
                         int fd);

/* A dynamic Worker that does not load: its code is not tried again unless somebody calls it. */
static void link_not_loaded(struct isolate_link *l)
{
    struct worker *w = l->worker;
    AUTO(buf_done) struct buf text = {0};

    l->loading = false;
    w->n_starting--;
    buf_append_slice(&text, SLICE("Error: Failed to start Worker:\n"));
    buf_append_slice(&text, buf_len(&w->dynamic->load_error) > 0
                                ? buf_slice(&w->dynamic->load_error)
                                : SLICE("Its process ended."));
    queue_without(w, 500, buf_slice(&text));
}

/* The process is gone; every stream was reset already, so every call has been answered. */
static void isolate_closed(struct wire *w, int reason UNUSED)
{
    struct isolate_link *l = wire_user(w);
    struct slice key;
    void *value;

    l->state = ISOLATE_LEAVING;
    link_unlist(l);
    if (l->loading)
        link_not_loaded(l);
    objects_leave(l, NULL);
    for (size_t at = 0; map_next(&l->events, &at, &key, &value);) {
        struct event *e = value;
        if (e->done != NULL)
            e->done(e->done_arg, e->home != NULL ? SLICE("lost") : SLICE("exception"));
        object_event_end(e);
        outbound_unref(e->outbound);
        mem_release(&e);
    }
    link_free(l);
}

static const struct wire_events isolate_events = {
    .open = gateway_isolate_open,
    .note = isolate_note,
    .closed = isolate_closed,
};

static void link_ready(struct isolate_link *l)
{
    struct worker *w = l->worker;

    w->n_starting--;
    l->state = ISOLATE_READY;
    l->heard_us = l->idle_since_us = loop_now_us(l->gateway->loop);
    queue_flush(w, l);
    if (w->retired)
        link_leave(l, "superseded");
}

static void want_reply(struct wire_stream *s, struct slice args, int fd, bool end UNUSED)
{
    struct isolate_link *l = wire_stream_user(s);
    struct worker *w = l->worker;
    struct msg_isolate_given m;

    CHECK(msg_isolate_given_unpack(args, &m) == 0); /* the supervisor is trusted */
    l->want = NULL;
    if (m.result < 0 || fd < 0) {
        w->n_starting--;
        AUTO(buf_done) struct buf text = {0};
        buf_append_slice(&text, m.text);
        wire_stream_close(s, 0);
        worker_ref(w);
        link_free(l);
        queue_without(w, m.result == -EBADMSG ? 500 : 503, buf_slice(&text));
        worker_unref(w);
        return;
    }
    l->id = m.isolate;
    l->wire = wire_create(l->gateway->loop, fd, 0, &isolate_events, l);
    wire_stream_close(s, 0);
    if (w->dynamic != NULL)
        dynamic_send_code(l);
    else
        link_ready(l);
}

static void want_reset(struct wire_stream *s, int reason UNUSED)
{
    struct isolate_link *l = wire_stream_user(s);
    struct worker *w = worker_ref(l->worker);

    w->n_starting--;
    l->want = NULL;
    wire_stream_close(s, 0);
    link_free(l);
    queue_without(w, 503, SLICE("The platform is restarting."));
    worker_unref(w);
}

static const struct wire_stream_events want_events = {.reply = want_reply, .reset = want_reset};

void isolate_start(struct worker *w)
{
    struct gateway *g = w->gateway;
    static struct buf out;

    if (w->dynamic != NULL && !w->dynamic->has_code)
        return; /* loader_call() starts it when the code has come */
    buf_clear(&out);
    msg_isolate_want_pack(
        &out, &(struct msg_isolate_want){
                  .script = slice_of(w->script),
                  .version = slice_of(w->version),
                  .spec = w->dynamic == NULL ? SLICE_NONE : buf_slice(&w->dynamic->spec)});
    struct isolate_link *l = mem_new(sizeof(*l));
    l->gateway = g;
    list_init(&l->homes);
    l->worker = worker_ref(w);
    list_push_back(&w->isolates, &l->in_worker);
    list_push_back(&g->isolates, &l->in_gateway);
    w->n_isolates++;
    w->n_starting++;
    g->n_isolates++;
    l->want =
        wire_open(g->rc->supervisor, OP_isolate_want, buf_slice(&out), -1, true, &want_events, l);
    CHECK(l->want != NULL);
    wire_flush(g->rc->supervisor);
}

/* All are silent and another one is coming, or may come: better to wait for it than behind a loop. */
static bool should_wait(const struct worker *w, const struct isolate_link *best)
{
    return best == NULL ||
           (is_silent(best) && !w->gateway->stopping &&
            (w->n_starting != 0 || w->n_isolates < w->gateway->isolates_per_worker));
}

/* An object that is nowhere begins where it is asked for, if that can be: state beside code. */
static struct isolate_link *link_for(struct call *c)
{
    struct isolate_link *near = TAKE(c->caller);

    if (c->request.object.len == 0)
        return least_busy(c->worker);
    if (near != NULL && near->worker == c->worker && near->state == ISOLATE_READY &&
        near->outcome[0] == '\0' && near->n_homes < GATEWAY_HOMES_MANY)
        return near;
    return fewest_objects(c->worker);
}

/* The next objects shall have a second home in time: those that are here stay. */
static bool is_crowded(const struct worker *w, const struct isolate_link *best)
{
    return best != NULL && best->n_homes >= GATEWAY_HOMES_MANY && w->n_starting == 0 &&
           w->n_isolates < w->gateway->isolates_per_worker && !w->gateway->stopping;
}

void isolate_call_start(struct call *c)
{
    struct worker *w = c->worker;
    struct isolate_link *best = link_for(c);

    if (c->request.object.len > 0 && object_call_send(c))
        return;
    if (c->request.object.len > 0 && is_crowded(w, best))
        isolate_start(w);
    if (!should_wait(w, best)) {
        link_touch(best);
        link_send(best, c);
        return;
    }
    if (w->gateway->stopping) {
        call_fail(c, 503, "The platform is stopping.");
        return;
    }
    if (w->n_queued == GATEWAY_QUEUE_MAX) {
        call_fail(c, 503, "Too many requests wait for this Worker.");
        return;
    }
    call_keep(c);
    list_push_back(&w->queue, &c->queued);
    c->is_queued = true;
    w->n_queued++;
    if (w->n_starting == 0)
        isolate_start(w);
}

void isolate_call_cancel(struct call *c)
{
    if (c->is_queued)
        c->worker->n_queued--;
    c->is_queued = false;
    list_remove(&c->queued);
}

/* --- notes of an isolate --- */

static void tail_send(struct isolate_link *l, struct slice trace)
{
    struct gateway *g = l->gateway;
    static struct buf out;

    if (trace.len == 0)
        return;
    gateway_tail(l->worker, trace);
    if (g->control == NULL || map_get(&g->watched, slice_of(l->worker->script)) == NULL)
        return;
    buf_clear(&out);
    msg_tail_event_pack(&out, &(struct msg_tail_event){.script = slice_of(l->worker->script),
                                                       .version = slice_of(l->worker->version),
                                                       .json = trace});
    wire_note(g->control, 0, OP_tail_event, buf_slice(&out), -1);
}

static void note_event_end(struct isolate_link *l, uint32_t stream_id, struct slice args)
{
    struct msg_event_end m;
    struct event *e = map_get_u64(&l->events, stream_id);

    if (msg_event_end_unpack(args, &m) < 0) {
        isolate_link_condemn(l, "sent a malformed note");
        return;
    }
    if (slice_starts(m.outcome, SLICE("exceeded")))
        snprintf(l->outcome, sizeof(l->outcome), "%.*s", SLICE_ARG(m.outcome));
    tail_send(l, m.trace);
    if (e != NULL) {
        map_remove_u64(&l->events, stream_id);
        event_over(e, m.outcome);
    }
}

static void note_event_part(struct isolate_link *l, struct slice args)
{
    struct msg_event_part m;

    if (msg_event_part_unpack(args, &m) < 0)
        isolate_link_condemn(l, "sent a malformed note");
    else
        tail_send(l, m.trace);
}

static void note_load_failed(struct isolate_link *l, struct slice args)
{
    struct msg_load_failed m;

    if (msg_load_failed_unpack(args, &m) < 0)
        return;
    snprintf(l->outcome, sizeof(l->outcome), "exception");
    if (l->loading) {
        buf_clear(&l->worker->dynamic->load_error);
        buf_append_slice(&l->worker->dynamic->load_error, m.text);
    }
    LOG(LOG_WARN, "load_failed", F("script", "%s", l->worker->script),
        F("version", "%s", l->worker->version));
}

static void isolate_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd)
{
    struct isolate_link *l = wire_user(w);

    fd_release(&fd);
    l->heard_us = loop_now_us(l->gateway->loop);
    switch (op) {
    case OP_event_end:
        note_event_end(l, stream_id, args);
        return;
    case OP_event_part:
        note_event_part(l, args);
        return;
    case OP_socket_read:
        join_release(l, stream_id);
        return;
    case OP_load_failed:
        note_load_failed(l, args);
        return;
    case OP_object_over:
        object_over(l, args);
        return;
    case OP_loaded:
        if (l->loading) {
            l->loading = false;
            link_ready(l);
        }
        return;
    case OP_isolate_retire:
        /* Over its soft limit of memory: it finishes what it has and ends. */
        link_leave(l, "memory");
        return;
    default:
        isolate_link_condemn(l, "sent a note that isolates may not send");
    }
}

/* --- leaving --- */

void isolate_link_condemn(struct isolate_link *l, const char *why)
{
    AUTO(buf_done) struct buf out = {0};

    LOG(LOG_WARN, "isolate_condemned", F("script", "%s", l->worker->script), F("why", "%s", why));
    if (l->state == ISOLATE_READY) {
        l->state = ISOLATE_LEAVING;
        link_unlist(l);
        objects_leave(l, NULL);
    }
    msg_isolate_drop_pack(&out, &(struct msg_isolate_drop){.isolate = l->id, .why = slice_of(why)});
    wire_note(l->gateway->rc->supervisor, 0, OP_isolate_drop, buf_slice(&out), -1);
    /* The supervisor kills it; the wire closes and every call is answered there. */
}

void isolate_gone(struct gateway *g, uint64_t isolate, struct slice outcome, struct slice text)
{
    char known[sizeof(((struct isolate_link *)NULL)->outcome)];

    LOG(LOG_INFO, "isolate_gone", F("isolate", "%llu", (unsigned long long)isolate),
        F("outcome", "%.*s", SLICE_ARG(outcome)), F("text", "%.*s", SLICE_ARG(text)));
    snprintf(known, sizeof(known), "%.*s", SLICE_ARG(outcome));
    LIST_FOR (at, &g->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_gateway);
        if (l->id == isolate && l->state == ISOLATE_READY && l->outcome[0] == '\0')
            memcpy(l->outcome, known, sizeof(l->outcome));
    }
    LIST_FOR_SAFE (at, &g->orphans) {
        struct call *c = LIST_ENTRY(at, struct call, queued);
        if (c->orphan_of != isolate)
            continue;
        list_remove(&c->queued);
        call_ended_by(c, known);
    }
}

void links_retire_idle(struct gateway *g)
{
    int64_t now = loop_now_us(g->loop);
    size_t too_many =
        g->n_isolates > GATEWAY_ISOLATES_MAX ? g->n_isolates - GATEWAY_ISOLATES_MAX : 0;

    loaders_sweep(g);
    LIST_FOR_SAFE (at, &g->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_gateway);
        if (l->state != ISOLATE_READY || l->n_events != 0)
            continue;
        if (too_many != 0) {
            too_many--;
            link_leave(l, "least recently used");
        } else if (now - l->idle_since_us > g->isolate_idle_us) {
            link_leave(l, "idle");
        }
    }
}

void links_stop(struct gateway *g)
{
    LIST_FOR_SAFE (at, &g->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_gateway);
        if (l->state == ISOLATE_READY)
            link_leave(l, "stopping");
    }
}
