/*
 * Back of a call: one stream to an isolate.
 *
 * A call is over for the client when the response has been sent; for the isolate when `event_end` comes
 * (waitUntil). What comes from the isolate is checked before it goes on: it may be hostile.
 */
#include "role/gateway_isolate.h"

#include "product/messages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* The same when the isolate has ended its part. An RPC session is over for both then: the event closes the
 * stream by itself when it ends, and is not woken for it. */
static void back_ended(struct call *c)
{
    struct isolate_back *b = back_of(c);

    if (!c->request.rpc) {
        back_detach(c, 0);
        return;
    }
    b->event->call = NULL;
    wire_stream_leave(b->stream);
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

uint32_t call_request_flags(const struct call_request *r)
{
    return (r->has_body ? MSG_HAS_BODY : 0) | (r->upgrade ? MSG_WEBSOCKET : 0) |
           (r->rpc ? MSG_RPC : 0) | (r->query ? MSG_QUERY : 0) |
           (r->variables ? MSG_VARIABLES : 0) | (r->packed ? MSG_PACKED : 0);
}

static const struct wire_stream_events back_events;

static void back_move(struct call *c, struct call *to)
{
    struct isolate_back *b = back_of(c);

    b->event->call = to;
    wire_stream_own(b->stream, &back_events, to);
    to->back = TAKE(c->back);
    to->back_data = TAKE(c->back_data);
}

static const struct back_ops isolate_back = {.send = back_send,
                                             .room = back_room,
                                             .consumed = back_consumed,
                                             .cancel = back_cancel,
                                             .move = back_move};

static bool status_ok(const struct call *c, const struct msg_response *m, bool end)
{
    bool join = (m->flags & MSG_JOIN) != 0, hibernate = (m->flags & MSG_HIBERNATE) != 0;

    if ((m->flags & MSG_WEBSOCKET) != 0)
        return m->status == 101 && c->request.upgrade && !end && !(join && hibernate) &&
               (!hibernate || back_of(c)->event->home != NULL);
    if (join || hibernate)
        return false; /* only a socket goes on elsewhere */
    return m->status >= 200 && m->status <= 599;
}

/* The socket goes on elsewhere: the isolate's streams are over, its event goes on as long as it wants. */
static void back_hand_on(struct call *c, const struct call_head *head)
{
    struct isolate_back *b = back_of(c);
    struct isolate_link *l = b->event->link;
    int r = 0;

    call_back_done(c);
    if ((head->flags & MSG_HIBERNATE) != 0)
        r = hibernation_adopt(l, b->event->home, c, head->socket);
    b->event->call = NULL;
    wire_stream_close(b->stream, 0);
    mem_release(&b);
    if ((head->flags & MSG_JOIN) != 0) {
        join_calls(l, head->socket, c, head);
        return;
    }
    call_respond(c, head);
    if (r < 0)
        call_fail(c, 502, "Network connection lost.");
    if (r == -EBADMSG)
        isolate_link_condemn(l, "answered with a socket that it has already");
}

static void back_reply(struct wire_stream *s, struct slice args, int fd, bool end)
{
    struct call *c = wire_stream_user(s);
    struct isolate_link *l = back_of(c)->event->link;
    struct msg_response m;
    static struct buf headers;

    fd_release(&fd);
    l->heard_us = loop_now_us(l->gateway->loop);
    if (c->head_sent || msg_response_unpack(args, &m) < 0 || http_header_check(m.headers) < 0 ||
        !status_ok(c, &m, end)) {
        isolate_link_condemn(l, "sent a malformed response");
        return;
    }

    struct call_head head = {.status = m.status,
                             .status_text = m.status_text,
                             .content_length = m.content_length,
                             .flags = m.flags,
                             .socket = m.socket,
                             .end = end};
    if ((m.flags & MSG_THREW) != 0 && c->front->is_client)
        head.status_text = SLICE_NONE; /* for Workers only: it is no reason phrase */
    /* Fields that frame a message are ours to write. */
    head.headers = http_header_without_length(m.headers, &headers, &head.content_length);
    if ((m.flags & (MSG_JOIN | MSG_HIBERNATE)) != 0) {
        back_hand_on(c, &head);
        return;
    }
    if ((m.flags & MSG_WEBSOCKET) != 0) {
        back_of(c)->event->is_socket = true;
        l->n_sockets++;
    } else if (c->request.upgrade) {
        wire_send(s, SLICE_NONE, true); /* no messages follow */
    }
    if (end) {
        back_ended(c);
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
        bool rpc = c->request.rpc;
        call_back_done(c); /* forgets `b`, which still holds the stream whose bytes we pass on */
        call_response_data(c, bytes, true);
        b->event->call = NULL;
        if (rpc)
            wire_stream_leave(
                b->stream); /* the session is over for both, the event ends by itself */
        else
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

void call_ended_by(struct call *c, const char *outcome)
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
    } else if (outcome[0] != '\0' || c->head_sent) {
        call_ended_by(c, outcome); /* after the head nobody is told why */
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

void link_send(struct isolate_link *l, struct call *c)
{
    static struct buf out;
    const struct call_request *r = &c->request;
    struct home *home = r->object.len == 0 ? NULL : object_home(&l, r->ns, r->object);
    bool watched = l->worker->consumers != NULL ||
                   map_get(&l->gateway->watched, slice_of(l->worker->script)) != NULL;

    if (home != NULL) {
        home_set_object_name(home, r->object_name);
        hibernation_before(l, r->ns, r->object);
    }
    buf_clear(&out);
    msg_request_pack(&out, &(struct msg_request){
                               .flags = call_request_flags(r) | (watched ? MSG_TRACE : 0),
                               .method = r->method,
                               .url = r->url,
                               .headers = r->headers,
                               .cf = r->cf,
                               .entrypoint = r->entrypoint,
                               .request_id = slice_of(r->id),
                               .props = r->props,
                               .cpu_ms = r->cpu_ms,
                               .subrequests = r->subrequests,
                               .object = r->object,
                               .object_name = r->object_name,
                           });
    struct isolate_back *b = mem_new(sizeof(*b));
    b->event = event_create(l);
    b->event->call = c;
    event_set_outbound(b->event, c);
    b->stream = wire_open(l->wire, OP_request, buf_slice(&out), -1, !r->has_body && !r->upgrade,
                          &back_events, c);
    if (b->stream == NULL) {
        l->n_events--;
        outbound_unref(b->event->outbound);
        mem_release(&b->event);
        mem_release(&b);
        call_fail(c, 503, "The Worker has too many requests under way.");
        return;
    }
    if (home != NULL)
        object_event_begin(b->event, home);
    event_number(b->event, b->stream);
    call_set_back(c, &isolate_back, b);
}
