/*
 * Calls from lane to lane. Back: another lane, which answers. Front: another lane, which has passed a call on.
 *
 * Both bodies stream through the wire between the two gateways, with its credits. To who answers, the call looks like one
 * of its own; so a WebSocket, an RPC session or a file goes through as it would without the hop. When the other lane dies the
 * caller is told that the connection was lost, which it may try again.
 */
#include "role/gateway.h"

#include "product/messages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- back --- */

static struct wire_stream *back_stream(const struct call *c)
{
    return c->back_data;
}

static void lane_back_send(struct call *c, struct slice bytes, bool end)
{
    wire_send(back_stream(c), bytes, end);
}

static size_t lane_back_room(struct call *c)
{
    return wire_send_room(back_stream(c));
}

static void lane_back_consumed(struct call *c, size_t n)
{
    wire_consumed(back_stream(c), n);
}

static void lane_back_cancel(struct call *c, int reason)
{
    wire_stream_close(back_stream(c), reason);
}

static const struct wire_stream_events back_events;

static void lane_back_move(struct call *c, struct call *to)
{
    wire_stream_own(back_stream(c), &back_events, to);
    to->back = TAKE(c->back);
    to->back_data = TAKE(c->back_data);
}

static const struct back_ops lane_back = {.send = lane_back_send,
                                          .room = lane_back_room,
                                          .consumed = lane_back_consumed,
                                          .cancel = lane_back_cancel,
                                          .move = lane_back_move};

static void back_fail(struct call *c, int status, struct slice text)
{
    struct wire_stream *s = back_stream(c);

    call_back_done(c);
    call_fail(c, status, "%.*s", SLICE_ARG(text)); /* `text` may lie in what the stream holds */
    wire_stream_close(s, 0);
}

static void back_reply(struct wire_stream *s, struct slice args, int fd, bool end)
{
    struct call *c = wire_stream_user(s);
    struct msg_lane_answer m;

    fd_release(&fd);
    CHECK(msg_lane_answer_unpack(args, &m) == 0); /* another gateway is as trusted as this one */
    if (m.failed != 0) {
        back_fail(c, m.status, m.status_text);
        return;
    }
    struct call_head head = {.status = m.status,
                             .status_text = m.status_text,
                             .headers = m.headers,
                             .content_length = m.content_length,
                             .flags = m.flags,
                             .end = end};
    if (end) {
        call_back_done(c);
        wire_stream_close(s, 0);
    }
    call_respond(c, &head);
}

static void back_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct call *c = wire_stream_user(s);

    if (end)
        call_back_done(c);
    call_response_data(c, bytes, end);
    if (end)
        wire_stream_close(s, 0);
}

static void back_writable(struct wire_stream *s)
{
    call_back_writable(wire_stream_user(s));
}

static void back_reset(struct wire_stream *s, int reason)
{
    if (reason == -EAGAIN)
        back_fail(wire_stream_user(s), 503, SLICE("Too many requests wait for another lane."));
    else
        back_fail(wire_stream_user(s), 502, SLICE("Network connection lost."));
}

static const struct wire_stream_events back_events = {
    .reply = back_reply, .data = back_data, .writable = back_writable, .reset = back_reset};

void lane_forward(struct call *c, struct wire *to, struct slice args)
{
    static struct buf out;
    const struct call_request *r = &c->request;
    bool end = !r->has_body && !r->upgrade && !c->early_end;

    buf_clear(&out);
    msg_lane_call_pack(&out,
                       &(struct msg_lane_call){
                           .revision = c->gateway->lanes.table.revision,
                           .hops = (uint8_t)(c->lane.hops + 1),
                           .kind = (uint8_t)c->lane.kind,
                           .flags = call_request_flags(r),
                           .method = r->method,
                           .url = r->url,
                           .headers = r->headers,
                           .cf = r->cf,
                           .content_length = r->content_length,
                           .request_id = slice_of(r->id),
                           .depth = r->depth,
                           .ns = r->ns,
                           .object = r->object,
                           .object_name = r->object_name,
                           .cache_owner = slice_of(c->cache_owner == NULL ? "" : c->cache_owner),
                           .args = args,
                       });
    struct wire_stream *s = wire_open(to, OP_lane_call, buf_slice(&out), -1, end, &back_events, c);
    if (s == NULL)
        call_fail(c, 503, "Too many requests wait for another lane.");
    else
        call_set_back(c, &lane_back, s);
}

/* --- front --- */

struct lane_front {
    struct wire_stream *stream; /* owned */
    char *cache_owner;          /* owned; NULL: none */
};

static struct lane_front *front_of(const struct call *c)
{
    return c->front_data;
}

static void front_over(struct call *c, int reason)
{
    struct lane_front *f = front_of(c);

    call_destroy(c, -ECANCELED);
    wire_stream_close(f->stream, reason);
    mem_release(&f->cache_owner);
    mem_release(&f);
}

static void front_answer(struct call *c, const struct msg_lane_answer *m, bool end)
{
    static struct buf out;

    buf_clear(&out);
    msg_lane_answer_pack(&out, m);
    wire_reply(front_of(c)->stream, buf_slice(&out), -1, end);
}

static void lane_front_head(struct call *c, const struct call_head *head)
{
    front_answer(c,
                 &(struct msg_lane_answer){
                     .status = (uint16_t)head->status,
                     .flags = head->flags & ~(uint32_t)(MSG_JOIN | MSG_HIBERNATE),
                     .content_length = head->content_length,
                     .status_text = head->status_text,
                     .headers = head->headers,
                 },
                 head->end);
    if (head->end)
        front_over(c, 0);
}

static void lane_front_data(struct call *c, struct slice bytes, bool end)
{
    wire_send(front_of(c)->stream, bytes, end);
    if (end)
        front_over(c, 0);
}

static size_t lane_front_room(struct call *c)
{
    return wire_send_room(front_of(c)->stream);
}

static void lane_front_consumed(struct call *c, size_t n)
{
    wire_consumed(front_of(c)->stream, n);
}

static void lane_front_fail(struct call *c, int status, struct slice text)
{
    if (!c->head_sent)
        front_answer(
            c,
            &(struct msg_lane_answer){
                .status = (uint16_t)status, .failed = 1, .content_length = -1, .status_text = text},
            true);
    front_over(c, -EPIPE);
}

static const struct front_ops lane_front = {
    .head = lane_front_head,
    .data = lane_front_data,
    .room = lane_front_room,
    .consumed = lane_front_consumed,
    .fail = lane_front_fail,
};

static void front_body(struct wire_stream *s, struct slice bytes, bool end)
{
    call_request_data(wire_stream_user(s), bytes, end);
}

static void front_writable(struct wire_stream *s)
{
    call_front_writable(wire_stream_user(s));
}

static void front_reset(struct wire_stream *s, int reason UNUSED)
{
    front_over(wire_stream_user(s), 0);
}

static const struct wire_stream_events front_events = {
    .data = front_body, .writable = front_writable, .reset = front_reset};

static struct call *front_call(struct lane_peer *p, struct wire_stream *s,
                               const struct msg_lane_call *m)
{
    struct lane_front *f = mem_new(sizeof(*f));
    struct call *c = call_create(p->gateway, &lane_front, f);

    f->stream = s;
    if (m->cache_owner.len > 0)
        c->cache_owner = f->cache_owner = strndup(m->cache_owner.ptr, m->cache_owner.len);
    c->lane.revision = m->revision;
    c->lane.hops = m->hops;
    c->request = (struct call_request){
        .method = m->method,
        .url = m->url,
        .headers = m->headers,
        .cf = m->cf,
        .content_length = m->content_length,
        .has_body = (m->flags & MSG_HAS_BODY) != 0,
        .upgrade = (m->flags & MSG_WEBSOCKET) != 0,
        .rpc = (m->flags & MSG_RPC) != 0,
        .query = (m->flags & MSG_QUERY) != 0,
        .depth = m->depth,
        .ns = m->ns,
        .object = m->object,
        .object_name = m->object_name,
    };
    snprintf(c->request.id, sizeof(c->request.id), "%.*s", SLICE_ARG(m->request_id));
    wire_stream_own(s, &front_events, c);
    return c;
}

/* --- the wire --- */

static void lane_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args, int fd,
                      bool end UNUSED)
{
    struct msg_lane_call m;

    fd_release(&fd);
    if (op != OP_lane_call || msg_lane_call_unpack(args, &m) < 0 || m.kind >= LANE_KINDS) {
        wire_stream_close(s, -EBADMSG);
        return;
    }
    struct call *c = front_call(wire_user(w), s, &m);
    c->lane.kind = (enum lane_kind)m.kind;
    lane_call_again(c, m.args);
}

static void lane_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op,
                      struct slice args UNUSED, int fd)
{
    fd_release(&fd);
    if (op == OP_lane_drained)
        lane_note_drained(wire_user(w));
}

static void lane_closed(struct wire *w, int reason UNUSED)
{
    struct lane_peer *p = wire_user(w);

    p->wire = NULL;
    wire_destroy(w);
    lane_note_drained(p);
}

const struct wire_events lane_events = {
    .open = lane_open, .note = lane_note, .closed = lane_closed};
