/*
 * Back of a call: a WebSocket of a Durable Object that need not be there.
 *
 * The connection and what the object wants to find again - tags, attachment - lie here, one *sleeper* per socket.
 * All sleepers of an object share one *hibernation*. While the object is awake they share one stream as well,
 * `sockets` to its isolate, which carries frames of proc/wire_socket.h and counts as an event of the object.
 *
 *     ASLEEP (no stream) --message, close, any event for the object--> AWAKE --it asks to sleep, nothing is new--> ASLEEP
 *                                                                        |
 *                                                    its stream breaks: all connections are dropped
 *
 * A message that equals the object's pair is answered here and wakes nobody. While the object is asleep or has not
 * taken what it was sent, clients get no more room, so what waits here is bounded by their windows.
 */
#include "role/gateway_isolate.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "proc/wire_socket.h"
#include "product/messages.h"

#include <errno.h>
#include <string.h>

enum {
    NS_LEN = 32,
    OBJECT_LEN = 64,
    HIBERNATION_KEY_SIZE = NS_LEN + OBJECT_LEN,
    SLEEPERS_MAX = 32768,                 /* of one object */
    SLEEPER_QUEUE_MAX = 64 * 1024 * 1024, /* bytes for a client that does not read: it is dropped */
    WAKE_TRY_US = 2000,
    WAKE_TRIES = 5000,
    FRAMES_KEEP = 64 * 1024
};

struct hibernation {
    char key[HIBERNATION_KEY_SIZE];
    struct gateway *gateway;
    struct worker *worker; /* referenced: the version that the object runs */
    char *class_name, *object_name;
    struct map sleepers; /* number -> struct sleeper */
    struct link order;   /* the same, as they came */
    size_t n_sleepers;
    bool has_pair;
    struct buf request, response; /* of the automatic answer */
    struct wire_stream *stream;   /* NULL: asleep */
    uint64_t n_sent;              /* frames on it */
    struct buf in;                /* part of a frame from the object */
    struct buf pending;           /* frames for when it is awake */
    size_t n_pending;
    struct timer wake; /* runs while it is to be woken */
    unsigned tries;
};

struct sleeper {
    struct hibernation *of;
    struct link in_order;
    struct call *call; /* NULL: the client has gone; the object has yet to hear of it */
    uint32_t number;
    int64_t answered_ms;
    bool close_in, close_out;
    bool broken; /* the front has sent what is no message */
    struct timer
        end; /* its front may let go of the call then: not inside of the call's own send() */
    struct buf tags, attachment;
    struct buf in; /* part of a message from the front */
};

static struct sleeper *sleeper_of(const struct call *c)
{
    return c->back_data;
}

static struct slice hibernation_ns(const struct hibernation *h)
{
    return slice_from(h->key, NS_LEN);
}

static struct slice hibernation_object(const struct hibernation *h)
{
    return slice_from(h->key + NS_LEN, OBJECT_LEN);
}

static struct hibernation *hibernation_find(struct gateway *g, struct slice key)
{
    return map_get(&g->hibernations, key);
}

/* --- their ends --- */

static void sleeper_free(struct sleeper *s)
{
    timer_stop(&s->end);
    map_remove_u64(&s->of->sleepers, s->number);
    list_remove(&s->in_order);
    s->of->n_sleepers--;
    buf_done(&s->tags);
    buf_done(&s->attachment);
    buf_done(&s->in);
    mem_release(&s);
}

/* The client's connection breaks off. */
static void sleeper_drop(struct sleeper *s)
{
    struct call *c = TAKE(s->call);

    sleeper_free(s);
    if (c == NULL)
        return;
    call_back_done(c);
    call_fail(c, 502, "Network connection lost.");
}

static void hibernation_free(struct hibernation *h)
{
    timer_stop(&h->wake);
    map_remove(&h->gateway->hibernations, slice_from(h->key, HIBERNATION_KEY_SIZE));
    while (!list_empty(&h->order))
        sleeper_drop(LIST_ENTRY(h->order.next, struct sleeper, in_order));
    if (h->stream != NULL)
        wire_stream_close(h->stream, -ECANCELED);
    map_done(&h->sleepers);
    buf_done(&h->request);
    buf_done(&h->response);
    buf_done(&h->in);
    buf_done(&h->pending);
    worker_unref(h->worker);
    mem_release(&h->class_name);
    mem_release(&h->object_name);
    mem_release(&h);
}

/* Asleep, and nobody could wake it. */
static void hibernation_look(struct hibernation *h)
{
    if (h->stream == NULL && h->n_sleepers == 0)
        hibernation_free(h);
}

/* --- to the object --- */

static void hibernation_wake(struct hibernation *h);

static void hibernation_put(struct hibernation *h, enum wire_socket_type type, uint32_t number,
                            struct slice payload)
{
    static struct buf out;

    if (h->stream == NULL) {
        wire_socket_put(&h->pending, type, number, payload);
        h->n_pending++;
        hibernation_wake(h);
        return;
    }
    buf_clear(&out);
    wire_socket_put(&out, type, number, payload);
    h->n_sent++;
    wire_send(h->stream, buf_slice(&out), false);
    if (out.cap > FRAMES_KEEP)
        buf_done(&out);
}

/* What the object has forgotten; then what it was woken for. */
static void hibernation_tell(struct hibernation *h)
{
    AUTO(buf_done) struct buf out = {0};

    LIST_FOR (at, &h->order) {
        struct sleeper *s = LIST_ENTRY(at, struct sleeper, in_order);
        wire_socket_put_known(&out, s->number,
                              &(struct wire_socket_known){.answered_ms = s->answered_ms,
                                                          .close_out = s->close_out,
                                                          .tags = buf_slice(&s->tags),
                                                          .attachment = buf_slice(&s->attachment)});
        h->n_sent++;
    }
    wire_socket_put_pair(&out, WIRE_SOCKET_READY, h->has_pair, buf_slice(&h->request),
                         buf_slice(&h->response));
    buf_append_slice(&out, buf_slice(&h->pending));
    h->n_sent += h->n_pending + 1;
    h->n_pending = 0;
    buf_done(&h->pending);
    wire_send(h->stream, buf_slice(&out), false);
    /* Those that vanished are in the hands of the object now. */
    LIST_FOR_SAFE (at, &h->order) {
        struct sleeper *s = LIST_ENTRY(at, struct sleeper, in_order);
        if (s->call == NULL)
            sleeper_free(s);
        else
            call_back_writable(s->call);
    }
}

/* --- a client's side --- */

/* The answer that the object has left behind; true when the message was answered. */
static bool sleeper_answer(struct sleeper *s, const struct wire_message *m)
{
    struct hibernation *h = s->of;
    static struct buf out;

    if (!h->has_pair || m->type != WIRE_MESSAGE_TEXT || s->close_out ||
        !slice_eq(m->bytes, buf_slice(&h->request)))
        return false;
    buf_clear(&out);
    wire_message_put(&out, WIRE_MESSAGE_TEXT, buf_slice(&h->response));
    s->answered_ms = clock_wall_ms();
    if (h->stream != NULL) {
        AUTO(buf_done) struct buf time = {0};
        pack_i64(&time, s->answered_ms);
        hibernation_put(h, WIRE_SOCKET_ANSWERED, s->number, buf_slice(&time));
    }
    call_response_data(s->call, buf_slice(&out), false);
    return true;
}

static void sleeper_finish(struct sleeper *s);

static void sleeper_on_end(struct timer *t)
{
    struct sleeper *s = CONTAINER_OF(t, struct sleeper, end);

    if (s->broken)
        sleeper_drop(s);
    else
        sleeper_finish(s);
}

static void sleeper_take(struct sleeper *s, const struct wire_message *m)
{
    if (s->close_in || sleeper_answer(s, m))
        return;
    hibernation_put(s->of, (enum wire_socket_type)m->type, s->number, m->bytes);
    if (m->type == WIRE_MESSAGE_FAILED) {
        s->close_in = s->close_out = true;
    } else if (m->type == WIRE_MESSAGE_CLOSE) {
        s->close_in = true;
        if (s->close_out)
            timer_start(s->of->gateway->loop, &s->end, 0, sleeper_on_end);
    }
}

/* Close went both ways, or one side broke: no more messages. */
static void sleeper_finish(struct sleeper *s)
{
    struct call *c = TAKE(s->call);

    sleeper_free(s);
    if (c == NULL)
        return;
    call_back_done(c);
    call_response_data(c, SLICE_NONE, true);
}

static void sleeper_send(struct call *c, struct slice bytes, bool end UNUSED)
{
    struct sleeper *s = sleeper_of(c);
    bool held = buf_len(&s->in) > 0;
    struct wire_message m;
    int r;

    if (held) {
        buf_append_slice(&s->in, bytes);
        bytes = buf_slice(&s->in);
    }
    size_t before = bytes.len;
    while ((r = wire_message_whole(&bytes, &m)) > 0)
        sleeper_take(s, &m);
    if (r < 0) {
        s->broken = s->close_in = true;
        buf_clear(&s->in);
        timer_start(s->of->gateway->loop, &s->end, 0, sleeper_on_end);
        return;
    }
    if (held)
        buf_consume(&s->in, before - bytes.len);
    else
        buf_append_slice(&s->in, bytes);
    if (buf_len(&s->in) == 0)
        buf_done(&s->in);
}

static size_t sleeper_room(struct call *c)
{
    const struct sleeper *s = sleeper_of(c);

    return s->of->stream == NULL ? buf_len(&s->of->pending) == 0 : wire_send_room(s->of->stream);
}

static void sleeper_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static void sleeper_cancel(struct call *c, int reason UNUSED)
{
    struct sleeper *s = sleeper_of(c);
    struct hibernation *h = s->of;

    s->call = NULL;
    buf_done(&s->in);
    if (h->gateway->stopping || (s->close_in && s->close_out)) {
        sleeper_free(s);
        hibernation_look(h);
        return;
    }
    bool awake = h->stream != NULL;
    hibernation_put(h, WIRE_SOCKET_GONE, s->number, SLICE_NONE);
    if (awake)
        sleeper_free(s);
}

static void sleeper_move(struct call *c, struct call *to)
{
    sleeper_of(c)->call = to;
    to->back = TAKE(c->back);
    to->back_data = TAKE(c->back_data);
}

static const struct back_ops sleeper_back = {.send = sleeper_send,
                                             .room = sleeper_room,
                                             .consumed = sleeper_consumed,
                                             .cancel = sleeper_cancel,
                                             .move = sleeper_move};

/* --- from the object --- */

static int frame_message(struct sleeper *s, const struct wire_socket_frame *f)
{
    static struct buf out;

    if (s->close_out)
        return 0;
    if (s->call->held_response > SLEEPER_QUEUE_MAX) {
        hibernation_put(s->of, WIRE_SOCKET_GONE, s->number, SLICE_NONE);
        sleeper_drop(s);
        return 0;
    }
    buf_clear(&out);
    wire_message_put(&out, (enum wire_message_type)f->type, f->payload);
    if (f->type == WIRE_SOCKET_CLOSE)
        s->close_out = true;
    bool over = s->close_out && s->close_in;
    call_response_data(s->call, buf_slice(&out), false);
    if (out.cap > FRAMES_KEEP)
        buf_done(&out);
    if (over)
        sleeper_finish(s);
    return 0;
}

static void frame_pair(struct hibernation *h, const struct wire_socket_frame *f)
{
    struct slice request, response;
    bool has;

    buf_clear(&h->request);
    buf_clear(&h->response);
    h->has_pair = wire_socket_pair(f->payload, &has, &request, &response) == 0 && has;
    if (!h->has_pair)
        return;
    buf_append_slice(&h->request, request);
    buf_append_slice(&h->response, response);
}

static void frame_keep(struct buf *to, struct slice payload)
{
    buf_done(to);
    buf_append_slice(to, payload);
}

/* The object would end: yes, when it has had everything and nothing else of it is under way. True: it sleeps. */
static bool frame_sleep(struct hibernation *h, const struct wire_socket_frame *f)
{
    struct isolate_link *l = wire_user(wire_stream_wire(h->stream));
    struct unpack u = {.rest = f->payload};
    uint64_t n_had = unpack_u64(&u);
    const struct home *home = object_find(l->gateway, hibernation_ns(h), hibernation_object(h));

    if (!unpack_ok(&u) || n_had != h->n_sent || home == NULL || home_link(home) != l ||
        home_events(home) != 1)
        return false;
    wire_stream_close(TAKE(h->stream), -ECANCELED);
    buf_done(&h->in);
    hibernation_look(h);
    return true;
}

/* 0, 1: it sleeps now, -EBADMSG. */
static int hibernation_frame(struct hibernation *h, const struct wire_socket_frame *f)
{
    struct sleeper *s = map_get_u64(&h->sleepers, f->socket);

    if (f->type == WIRE_SOCKET_SLEEP)
        return frame_sleep(h, f);
    if (f->type == WIRE_SOCKET_PAIR) {
        frame_pair(h, f);
        return 0;
    }
    if (s == NULL || s->call == NULL)
        return 0; /* it has gone meanwhile */
    switch (f->type) {
    case WIRE_SOCKET_TEXT:
    case WIRE_SOCKET_BINARY:
    case WIRE_SOCKET_CLOSE:
        return frame_message(s, f);
    case WIRE_SOCKET_FAILED:
        sleeper_drop(s);
        return 0;
    case WIRE_SOCKET_TAGS:
        frame_keep(&s->tags, f->payload);
        return 0;
    case WIRE_SOCKET_ATTACHMENT:
        frame_keep(&s->attachment, f->payload);
        return 0;
    default:
        return -EBADMSG;
    }
}

static void stream_reply(struct wire_stream *stream UNUSED, struct slice args UNUSED, int fd,
                         bool end UNUSED)
{
    fd_release(&fd); /* only says that frames may follow */
}

static void stream_data(struct wire_stream *stream, struct slice bytes, bool end UNUSED)
{
    struct hibernation *h = wire_stream_user(stream);
    struct isolate_link *l = wire_user(wire_stream_wire(stream));
    struct wire_socket_frame f;
    bool held = buf_len(&h->in) > 0;
    int r;

    l->heard_us = loop_now_us(l->gateway->loop);
    wire_consumed(stream, bytes.len);
    if (held) {
        buf_append_slice(&h->in, bytes);
        bytes = buf_slice(&h->in);
    }
    size_t before = bytes.len;
    while ((r = wire_socket_next(&bytes, &f)) > 0) {
        r = hibernation_frame(h, &f);
        if (r != 0)
            break;
    }
    if (r == 1)
        return; /* nothing follows that request */
    if (r < 0) {
        isolate_link_condemn(l, "sent a malformed frame of its sockets");
        return;
    }
    if (held)
        buf_consume(&h->in, before - bytes.len);
    else
        buf_append_slice(&h->in, bytes);
    if (buf_len(&h->in) == 0 && h->in.cap > FRAMES_KEEP)
        buf_done(&h->in);
}

static void stream_writable(struct wire_stream *stream)
{
    struct hibernation *h = wire_stream_user(stream);

    LIST_FOR_SAFE (at, &h->order) {
        struct sleeper *s = LIST_ENTRY(at, struct sleeper, in_order);
        if (s->call != NULL)
            call_back_writable(s->call);
    }
}

/* The object has ended with an error, or its process has. */
static void stream_reset(struct wire_stream *stream, int reason UNUSED)
{
    struct hibernation *h = wire_stream_user(stream);

    wire_stream_close(TAKE(h->stream), 0);
    hibernation_free(h);
}

static const struct wire_stream_events stream_events = {
    .reply = stream_reply, .data = stream_data, .writable = stream_writable, .reset = stream_reset};

/* --- waking --- */

static bool hibernation_open(struct hibernation *h, struct isolate_link *l)
{
    AUTO(buf_done) struct buf out = {0};
    struct isolate_link *at = l;
    struct home *home = object_home(&at, hibernation_ns(h), hibernation_object(h));

    msg_sockets_pack(&out, &(struct msg_sockets){.class_name = slice_of(h->class_name),
                                                 .object = hibernation_object(h),
                                                 .object_name = slice_of(h->object_name),
                                                 .request_id = SLICE("sockets")});
    struct event *e = event_create(at);
    struct wire_stream *s =
        wire_open(at->wire, OP_sockets, buf_slice(&out), -1, false, &stream_events, h);
    if (s == NULL) {
        at->n_events--;
        mem_release(&e);
        return false;
    }
    object_event_begin(e, home);
    e->is_socket = true;
    at->n_sockets++;
    event_number(e, s);
    timer_stop(&h->wake);
    h->stream = s;
    h->n_sent = 0;
    hibernation_tell(h);
    return true;
}

static void hibernation_try(struct timer *t)
{
    struct hibernation *h = CONTAINER_OF(t, struct hibernation, wake);
    struct gateway *g = h->gateway;
    const struct home *home = object_find(g, hibernation_ns(h), hibernation_object(h));
    struct isolate_link *l = home == NULL ? least_busy(h->worker) : home_link(home);

    if (l != NULL && hibernation_open(h, l))
        return;
    if (h->tries++ == WAKE_TRIES || g->stopping) {
        LOG(LOG_WARN, "object_not_woken", F("script", "%s", worker_script(h->worker)));
        hibernation_free(h);
        return;
    }
    if (l == NULL && h->worker->n_starting == 0)
        isolate_start(h->worker);
    timer_start(g->loop, t, WAKE_TRY_US, hibernation_try);
}

static void hibernation_wake(struct hibernation *h)
{
    if (h->wake.loop != NULL)
        return;
    h->tries = 0;
    timer_start(h->gateway->loop, &h->wake, 0, hibernation_try);
}

void hibernation_before(struct isolate_link *l, struct slice ns, struct slice object)
{
    char key[HIBERNATION_KEY_SIZE];

    if (l->gateway->hibernations.n == 0 || ns.len != NS_LEN || object.len != OBJECT_LEN)
        return;
    memcpy(key, ns.ptr, NS_LEN);
    memcpy(key + NS_LEN, object.ptr, OBJECT_LEN);
    struct hibernation *h = hibernation_find(l->gateway, slice_from(key, sizeof(key)));
    if (h != NULL && h->stream == NULL)
        (void)hibernation_open(h, l); /* else the event is refused as well */
}

/* --- beginning --- */

static struct hibernation *hibernation_make(struct isolate_link *l, const struct home *home)
{
    struct hibernation *h = mem_new(sizeof(*h));
    struct slice key = home_key_of(home), name = home_object_name(home);
    const struct durable_class *class =
        table_namespace(l->gateway->table, slice_from(key.ptr, NS_LEN));

    memcpy(h->key, key.ptr, HIBERNATION_KEY_SIZE);
    h->gateway = l->gateway;
    h->worker = worker_ref(l->worker);
    h->class_name = strdup(class == NULL ? "" : class->name);
    h->object_name = strndup(name.ptr == NULL ? "" : name.ptr, name.len);
    list_init(&h->order);
    map_put(&l->gateway->hibernations, slice_from(h->key, HIBERNATION_KEY_SIZE), h);
    return h;
}

int hibernation_adopt(struct isolate_link *l, const struct home *home, struct call *c,
                      uint32_t number)
{
    if (home_link(home) != l)
        return -EPIPE;
    struct hibernation *h = hibernation_find(l->gateway, home_key_of(home));

    if (h == NULL)
        h = hibernation_make(l, home);
    if (h->n_sleepers == SLEEPERS_MAX || map_get_u64(&h->sleepers, number) != NULL)
        return -EBADMSG;
    struct sleeper *s = mem_new(sizeof(*s));
    s->of = h;
    s->call = c;
    s->number = number;
    map_put_u64(&h->sleepers, number, s);
    list_push_back(&h->order, &s->in_order);
    h->n_sleepers++;
    c->back = &sleeper_back;
    c->back_data = s;
    if (h->stream == NULL)
        (void)hibernation_open(h, l); /* when it is full, the timer tries again */
    if (h->stream == NULL)
        hibernation_wake(h);
    return 0;
}

void hibernations_check(struct gateway *g)
{
    struct slice key;
    void *value;
    bool again = true;

    while (again) {
        again = false;
        for (size_t at = 0; map_next(&g->hibernations, &at, &key, &value);) {
            struct hibernation *h = value;
            if (lane_is_mine(g, hibernation_object(h)) &&
                object_worker_of(g, hibernation_ns(h), hibernation_object(h)) == h->worker)
                continue;
            hibernation_free(h); /* the map changes: from the beginning */
            again = true;
            break;
        }
    }
}
