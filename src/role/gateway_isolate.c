/*
 * Back of a call: the isolates of a version.
 *
 * A version has no isolate, or some. A call goes to the least busy one. When there is none, one is asked
 * for and calls wait in the version's bounded queue; when all are busy and the best of them has said
 * nothing for GATEWAY_HEARD_MS, a helper is started beside it, up to the limit per Worker.
 *
 * A call is over for the client when the response has been sent; for the isolate when `event_end` comes
 * (waitUntil). Only an isolate without events is idle, and only idle ones are retired.
 */
#include "role/gateway_isolate.h"

#include "core/clock.h"
#include "core/log.h"
#include "product/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    struct gateway *gateway;
    unsigned refs;
    char *key, *script, *version; /* key: "script/version" */
    json_t *bindings;
    struct assets *assets;
    bool has_code, retired;
    struct link isolates;
    size_t n_isolates, n_starting;
    struct link queue;
    size_t n_queued;
};

/* An event of an isolate: outlives its call when waitUntil work goes on. */
struct event {
    struct isolate_link *link;
    uint32_t stream_id;
    struct call *call; /* NULL: the client has been served or has gone */
    void (*done)(void *arg, struct slice outcome); /* scheduled events */
    void *done_arg;
};

/* --- versions --- */

struct worker *worker_get(struct gateway *g, struct slice script, const json_t *version)
{
    AUTO(buf_done) struct buf key = {0};
    const char *id = json_str(version, "id", "");

    buf_printf(&key, "%.*s/%s", SLICE_ARG(script), id);
    struct worker *w = map_get(&g->workers, buf_slice(&key));
    if (w != NULL)
        return worker_ref(w);

    w = mem_new(sizeof(*w));
    w->gateway = g;
    w->refs = 1;
    w->key = strdup(buf_cstr(&key));
    w->script = strndup(script.ptr, script.len);
    w->version = strdup(id);
    w->has_code = json_bool(version, "has_code", true);
    w->bindings = json_incref(json_object_get(version, "bindings"));
    const json_t *assets = json_object_get(version, "assets");
    if (json_is_object(assets))
        w->assets = assets_load(g, assets);
    list_init(&w->isolates);
    list_init(&w->queue);
    map_put(&g->workers, buf_slice(&key), w);
    return w;
}

struct worker *worker_ref(struct worker *w)
{
    w->refs++;
    return w;
}

void worker_unref(struct worker *w)
{
    if (--w->refs > 0)
        return;
    CHECK(list_empty(&w->queue) && w->n_isolates == 0);
    map_remove(&w->gateway->workers, slice_of(w->key));
    json_release(&w->bindings);
    assets_destroy(w->assets);
    mem_release(&w->key);
    mem_release(&w->script);
    mem_release(&w->version);
    mem_release(&w);
}

const char *worker_script(const struct worker *w)
{
    return w->script;
}

const char *worker_version(const struct worker *w)
{
    return w->version;
}

const struct assets *worker_assets(const struct worker *w)
{
    return w->assets;
}

bool worker_has_code(const struct worker *w)
{
    return w->has_code;
}

const json_t *worker_binding(const struct worker *w, uint32_t index)
{
    return json_array_get(w->bindings, index);
}

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
    if (l->want != NULL)
        wire_stream_close(l->want, -ECANCELED);
    if (l->wire != NULL)
        wire_destroy(l->wire);
    map_done(&l->events);
    worker_unref(l->worker);
    mem_release(&l);
}

/* Takes it out of service: no new calls. It is dropped when its last event has ended. */
static void link_leave(struct isolate_link *l, const char *why)
{
    AUTO(buf_done) struct buf out = {0};

    if (l->state == ISOLATE_LEAVING)
        return;
    l->state = ISOLATE_LEAVING;
    link_unlist(l);
    if (l->n_events != 0)
        return;
    msg_isolate_drop_pack(&out, &(struct msg_isolate_drop){.isolate = l->id, .why = slice_of(why)});
    wire_note(l->gateway->rc->supervisor, 0, OP_isolate_drop, buf_slice(&out), -1);
    link_free(l);
}

static void event_free(struct event *e)
{
    struct isolate_link *l = e->link;

    map_remove_u64(&l->events, e->stream_id);
    l->n_events--;
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

/* --- the isolate's side of a call --- */

struct isolate_back {
    struct wire_stream *stream;
    struct event *event;
};

static struct isolate_back *back_of(const struct call *c)
{
    return c->back_data;
}

/* The call's part of the event is over: the stream goes, the event may go on. */
static void back_detach(struct call *c, int reason)
{
    struct isolate_back *b = back_of(c);

    b->event->call = NULL;
    wire_stream_close(b->stream, reason);
    if (b->event->stream_id == 0)
        event_free(b->event);
    mem_release(&b);
}

static void back_send(struct call *c, struct slice bytes, bool end)
{
    wire_send(back_of(c)->stream, bytes, end);
}

static size_t back_room(struct call *c)
{
    return wire_send_room(back_of(c)->stream);
}

static void back_consumed(struct call *c, size_t n)
{
    wire_consumed(back_of(c)->stream, n);
}

static void back_cancel(struct call *c, int reason)
{
    back_detach(c, reason);
}

static const struct back_ops isolate_back = {back_send, back_room, back_consumed, back_cancel};

/* Fields that frame a message are ours to write: content-length is taken out of the Worker's block and
 * becomes a number. */
static struct slice response_headers(struct slice block, int64_t *length)
{
    static struct buf out;
    struct slice rest = block, name, value, found;
    const char *run = block.ptr, *before = block.ptr;
    uint64_t n;

    if (!http_header_get(block, SLICE("content-length"), &found))
        return block;
    buf_clear(&out);
    while (http_header_next(&rest, &name, &value)) {
        if (slice_eq(name, SLICE("content-length"))) {
            if (slice_to_u64(value, &n) == 0 && *length < 0)
                *length = (int64_t)n;
            buf_append(&out, run, (size_t)(before - run));
            run = rest.ptr;
        }
        before = rest.ptr;
    }
    buf_append(&out, run, (size_t)(block.ptr + block.len - run));
    return buf_slice(&out);
}

static void back_reply(struct wire_stream *s, struct slice args, int fd, bool end)
{
    struct call *c = wire_stream_user(s);
    struct isolate_link *l = back_of(c)->event->link;
    struct msg_response m;

    fd_release(&fd);
    l->heard_us = loop_now_us(l->gateway->loop);
    if (c->head_sent || msg_response_unpack(args, &m) < 0 || http_header_check(m.headers) < 0 ||
        m.status < 200 || m.status > 599) {
        isolate_link_condemn(l, "sent a malformed response");
        return;
    }

    struct call_head head = {.status = m.status,
                             .status_text = m.status_text,
                             .content_length = m.content_length,
                             .flags = m.flags,
                             .end = end};
    if ((m.flags & MSG_THREW) != 0 && c->front->is_client)
        head.status_text = SLICE_NONE; /* for Workers only: it is no reason phrase */
    head.headers = response_headers(m.headers, &head.content_length);
    if (end) {
        back_detach(c, 0);
        call_back_done(c);
    }
    call_respond(c, &head);
}

static void back_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct call *c = wire_stream_user(s);

    if (!c->head_sent) {
        isolate_link_condemn(back_of(c)->event->link, "sent a body before its response");
        return;
    }
    if (end) {
        struct isolate_back *b = back_of(c);
        call_back_done(c); /* forgets `b`, which still holds the stream whose bytes we pass on */
        call_response_data(c, bytes, true);
        b->event->call = NULL;
        wire_stream_close(b->stream, 0);
        if (b->event->stream_id == 0)
            event_free(b->event);
        mem_release(&b);
        return;
    }
    call_response_data(c, bytes, false);
}

static void back_writable(struct wire_stream *s)
{
    call_back_writable(wire_stream_user(s));
}

/* What a client sees when the process ended under its request. */
static const struct {
    const char *outcome;
    int status;
    const char *text;
} endings[] = {
    {"exceededCpu", 503, "The Worker exceeded its CPU time limit."},
    {"exceededMemory", 503, "The Worker exceeded its memory limit."},
    {"exception", 500, "The Worker threw an exception while it started."},
    {"", 502, "The Worker's process ended. It starts again with the next request."},
};

static void call_ended_by(struct call *c, const char *outcome)
{
    size_t i = 0;

    while (endings[i].outcome[0] != '\0' && strcmp(endings[i].outcome, outcome) != 0)
        i++;
    call_fail(c, endings[i].status, "%s", endings[i].text);
}

static void orphans_expire(struct timer *t)
{
    struct gateway *g = CONTAINER_OF(t, struct gateway, orphan_timer);
    struct link *at;

    while ((at = list_pop_front(&g->orphans)) != NULL)
        call_ended_by(LIST_ENTRY(at, struct call, queued), "");
}

/* The wire broke before the supervisor said why: the answer waits for that, though not for long. */
static void back_reset(struct wire_stream *s, int reason)
{
    enum { ORPHAN_US = 200 * 1000 };
    struct call *c = wire_stream_user(s);
    struct isolate_link *l = back_of(c)->event->link;
    struct gateway *g = l->gateway;
    char outcome[sizeof(l->outcome)];

    memcpy(outcome, l->outcome, sizeof(outcome));
    c->orphan_of = l->id;
    back_detach(c, 0);
    if (reason == -EAGAIN) {
        call_fail(c, 503, "The Worker has too many requests under way.");
    } else if (outcome[0] != '\0') {
        call_ended_by(c, outcome);
    } else {
        call_back_done(c);
        list_push_back(&g->orphans, &c->queued);
        if (g->orphan_timer.loop == NULL)
            timer_start(g->loop, &g->orphan_timer, ORPHAN_US, orphans_expire);
    }
}

static const struct wire_stream_events back_events = {
    .reply = back_reply,
    .data = back_data,
    .writable = back_writable,
    .reset = back_reset,
};

static struct event *event_create(struct isolate_link *l)
{
    struct event *e = mem_new(sizeof(*e));

    e->link = l;
    l->n_events++;
    if (l->n_events == 1)
        l->heard_us = loop_now_us(l->gateway->loop);
    return e;
}

static void event_number(struct event *e, struct wire_stream *s)
{
    e->stream_id = wire_stream_id(s);
    map_put_u64(&e->link->events, e->stream_id, e);
}

static void link_send(struct isolate_link *l, struct call *c)
{
    static struct buf out;
    const struct call_request *r = &c->request;
    bool watched = map_get(&l->gateway->watched, slice_of(l->worker->script)) != NULL;

    buf_clear(&out);
    msg_request_pack(&out,
                     &(struct msg_request){
                         .flags = (r->has_body ? MSG_HAS_BODY : 0) | (watched ? MSG_TRACE : 0),
                         .method = r->method,
                         .url = r->url,
                         .headers = r->headers,
                         .cf = r->cf,
                         .entrypoint = r->entrypoint,
                         .request_id = slice_of(r->id),
                     });
    struct isolate_back *b = mem_new(sizeof(*b));
    b->event = event_create(l);
    b->event->call = c;
    b->stream = wire_open(l->wire, OP_request, buf_slice(&out), -1, !r->has_body, &back_events, c);
    if (b->stream == NULL) {
        l->n_events--;
        mem_release(&b->event);
        mem_release(&b);
        call_fail(c, 503, "The Worker has too many requests under way.");
        return;
    }
    event_number(b->event, b->stream);
    call_set_back(c, &isolate_back, b);
}

static bool is_silent(const struct isolate_link *l)
{
    return l->n_events != 0 &&
           loop_now_us(l->gateway->loop) - l->heard_us > GATEWAY_HEARD_MS * 1000;
}

/* One that answers comes before one that has been silent for a while; then the fewest events decide. */
static bool is_better(const struct isolate_link *a, const struct isolate_link *b)
{
    bool silent_a = is_silent(a), silent_b = is_silent(b);

    return silent_a != silent_b ? silent_b : a->n_events < b->n_events;
}

static struct isolate_link *least_busy(struct worker *w)
{
    struct isolate_link *best = NULL;

    LIST_FOR (at, &w->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_worker);
        if (l->state == ISOLATE_READY && (best == NULL || is_better(l, best)))
            best = l;
    }
    return best;
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

static void queue_fail(struct worker *w, int status, struct slice text)
{
    struct link *at;

    while ((at = list_pop_front(&w->queue)) != NULL) {
        struct call *c = LIST_ENTRY(at, struct call, queued);
        isolate_call_cancel(c);
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
        queue_fail(w, status, text);
}

/* --- starting --- */

static void isolate_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args,
                         int fd);

/* The process is gone; every stream was reset already, so every call has been answered. */
static void isolate_closed(struct wire *w, int reason UNUSED)
{
    struct isolate_link *l = wire_user(w);
    struct slice key;
    void *value;

    l->state = ISOLATE_LEAVING;
    link_unlist(l);
    for (size_t at = 0; map_next(&l->events, &at, &key, &value);) {
        struct event *e = value;
        if (e->done != NULL)
            e->done(e->done_arg, SLICE("exception"));
        mem_release(&e);
    }
    link_free(l);
}

static const struct wire_events isolate_events = {
    .open = gateway_isolate_open,
    .note = isolate_note,
    .closed = isolate_closed,
};

static void want_reply(struct wire_stream *s, struct slice args, int fd, bool end UNUSED)
{
    struct isolate_link *l = wire_stream_user(s);
    struct worker *w = l->worker;
    struct msg_isolate_given m;

    CHECK(msg_isolate_given_unpack(args, &m) == 0); /* the supervisor is trusted */
    w->n_starting--;
    l->want = NULL;
    if (m.result < 0 || fd < 0) {
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
    l->state = ISOLATE_READY;
    l->heard_us = l->idle_since_us = loop_now_us(l->gateway->loop);
    l->wire = wire_create(l->gateway->loop, fd, 0, &isolate_events, l);
    wire_stream_close(s, 0);
    queue_flush(w, l);
    if (w->retired)
        link_leave(l, "superseded");
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

static void isolate_start(struct worker *w)
{
    struct gateway *g = w->gateway;
    static struct buf out;

    buf_clear(&out);
    msg_isolate_want_pack(&out, &(struct msg_isolate_want){.script = slice_of(w->script),
                                                           .version = slice_of(w->version)});
    struct isolate_link *l = mem_new(sizeof(*l));
    l->gateway = g;
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

void isolate_call_start(struct call *c)
{
    struct worker *w = c->worker;
    struct isolate_link *best = least_busy(w);

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

    if (trace.len == 0 || g->control == NULL ||
        map_get(&g->watched, slice_of(l->worker->script)) == NULL)
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

static void note_load_failed(struct isolate_link *l, struct slice args)
{
    struct msg_load_failed m;

    if (msg_load_failed_unpack(args, &m) < 0)
        return;
    snprintf(l->outcome, sizeof(l->outcome), "exception");
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
    case OP_load_failed:
        note_load_failed(l, args);
        return;
    case OP_loaded:
        return;
    case OP_isolate_retire:
        /* Over its soft limit of memory: it finishes what it has and ends. */
        link_leave(l, "retired");
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

void worker_retire(struct worker *w)
{
    w->retired = true;
    LIST_FOR_SAFE (at, &w->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_worker);
        if (l->state == ISOLATE_READY)
            link_leave(l, "superseded");
    }
}

void links_retire_idle(struct gateway *g)
{
    int64_t now = loop_now_us(g->loop);
    size_t too_many =
        g->n_isolates > GATEWAY_ISOLATES_MAX ? g->n_isolates - GATEWAY_ISOLATES_MAX : 0;

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

/* --- scheduled events --- */

static void scheduled_reply(struct wire_stream *s, struct slice args UNUSED, int fd,
                            bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, 0); /* the outcome comes with event_end, after waitUntil */
}

static void scheduled_reset(struct wire_stream *s, int reason UNUSED)
{
    wire_stream_close(s, 0);
}

static const struct wire_stream_events scheduled_events = {.reply = scheduled_reply,
                                                           .reset = scheduled_reset};

struct pending_schedule {
    struct worker *worker;
    int64_t ms;
    struct buf cron;
    void (*done)(void *arg, struct slice outcome);
    void *arg;
    struct timer retry;
    unsigned tries;
};

static void schedule_finish(struct pending_schedule *p)
{
    worker_unref(p->worker);
    buf_done(&p->cron);
    mem_release(&p);
}

static bool schedule_send(struct pending_schedule *p)
{
    struct isolate_link *l = least_busy(p->worker);
    AUTO(buf_done) struct buf out = {0};

    if (l == NULL)
        return false;
    msg_scheduled_pack(&out, &(struct msg_scheduled){.scheduled_ms = p->ms,
                                                     .cron = buf_slice(&p->cron),
                                                     .request_id = SLICE("scheduled")});
    struct event *e = event_create(l);
    e->done = p->done;
    e->done_arg = p->arg;
    struct wire_stream *s =
        wire_open(l->wire, OP_scheduled, buf_slice(&out), -1, true, &scheduled_events, NULL);
    if (s == NULL) {
        l->n_events--;
        mem_release(&e);
        return false;
    }
    event_number(e, s);
    return true;
}

/* A scheduled event is rare: instead of a queue of its own it looks again every few milliseconds while
 * an isolate starts. */
static void schedule_try(struct timer *t)
{
    struct pending_schedule *p = CONTAINER_OF(t, struct pending_schedule, retry);
    enum { TRY_US = 2000, TRIES = 5000 };

    if (schedule_send(p)) {
        schedule_finish(p);
        return;
    }
    if (p->tries++ == TRIES) {
        p->done(p->arg, SLICE("exception"));
        schedule_finish(p);
        return;
    }
    if (p->worker->n_starting == 0)
        isolate_start(p->worker);
    timer_start(p->worker->gateway->loop, &p->retry, TRY_US, schedule_try);
}

void gateway_scheduled(struct gateway *g, struct worker *w, int64_t scheduled_ms, struct slice cron,
                       void (*done)(void *arg, struct slice outcome), void *arg)
{
    struct pending_schedule *p = mem_new(sizeof(*p));

    p->worker = worker_ref(w);
    p->ms = scheduled_ms;
    buf_append_slice(&p->cron, cron);
    p->done = done;
    p->arg = arg;
    timer_start(g->loop, &p->retry, 0, schedule_try);
}
