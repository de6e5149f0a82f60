/*
 * Back of a call: a WebSocket that a Worker opens to the world. The Worker speaks messages
 * (proc/wire_message.h), the rest is net/websocket_client.
 */
#include "role/gateway.h"

#include "net/websocket_client.h"
#include "proc/wire_message.h"
#include "product/messages.h"

#include <errno.h>

struct egress_socket {
    struct call *call;
    struct websocket_client *client;
    struct wire_message_reader out; /* of the Worker's messages */
    bool switched;
};

enum { EGRESS_BATCH_KEEP = 256 * 1024 };

/* Messages of one read, for the Worker. */
static struct buf batch;

static struct egress_socket *egress_of(const struct call *c)
{
    return c->back_data;
}

static struct egress_socket *egress_by(struct websocket_client *w)
{
    return websocket_client_user(w);
}

/* --- from the world --- */

static void egress_head(struct websocket_client *w, int status, struct slice headers, bool switched)
{
    struct egress_socket *k = egress_by(w);
    struct call_head head = {.status = status, .headers = headers, .content_length = -1};
    struct slice length;
    uint64_t n;

    k->switched = switched;
    if (switched)
        head.flags = MSG_WEBSOCKET;
    else if (http_header_get(headers, SLICE("content-length"), &length) &&
             slice_to_u64(length, &n) == 0 && n <= INT64_MAX)
        head.content_length = (int64_t)n;
    call_respond(k->call, &head);
}

static void egress_body(struct websocket_client *w, struct slice bytes)
{
    call_response_data(egress_by(w)->call, bytes, false);
}

static void egress_message(struct websocket_client *w UNUSED, const struct websocket_message *m)
{
    if (m->type == WEBSOCKET_CLOSE)
        wire_message_put_close(
            &batch, m->close_code == WEBSOCKET_NO_CODE ? 0 : (uint16_t)m->close_code, m->payload);
    else
        wire_message_put(&batch, (enum wire_message_type)m->type, m->payload);
}

static void egress_failed(struct websocket_client *w UNUSED, int code, struct slice why)
{
    gateway_socket_failure(&batch, code, why);
}

static void egress_pause(struct websocket_client *w)
{
    struct call *c = egress_by(w)->call;

    if (buf_len(&batch) > 0)
        call_response_data(c, buf_slice(&batch), false);
    else if (c->held_response == 0)
        websocket_client_consumed(w); /* part of a message, or the protocol's own */
    buf_clear(&batch);
    if (batch.cap > EGRESS_BATCH_KEEP)
        buf_done(&batch);
}

static void egress_writable(struct websocket_client *w)
{
    call_back_writable(egress_by(w)->call);
}

static void egress_free(struct egress_socket *k)
{
    wire_message_reader_done(&k->out);
    mem_release(&k);
}

static void egress_done(struct websocket_client *w, int r, const struct err *err)
{
    struct egress_socket *k = egress_by(w);
    struct call *c = k->call;

    call_back_done(c);
    egress_free(k);
    if (r >= 0)
        call_response_data(c, SLICE_NONE, true);
    else
        call_fail(c, r == -ETIMEDOUT ? 504 : 502, "%s", err->text);
}

static const struct websocket_client_events egress_events = {
    egress_head,  egress_body,     egress_message, egress_failed,
    egress_pause, egress_writable, egress_done};

/* --- from the Worker --- */

static int egress_put(struct egress_socket *k, const struct wire_message *m)
{
    struct slice reason;
    uint16_t code;

    switch (m->type) {
    case WIRE_MESSAGE_CLOSE:
        if (wire_message_close(m->bytes, &code, &reason) < 0)
            return -EBADMSG;
        websocket_client_close(k->client, code == 0 ? WEBSOCKET_NO_CODE : code, reason);
        return 0;
    case WIRE_MESSAGE_FAILED:
        return -EPIPE;
    case WIRE_MESSAGE_TEXT:
    case WIRE_MESSAGE_BINARY:
        websocket_client_send(k->client,
                              &(struct websocket_part){.type = (enum websocket_type)m->type,
                                                       .length = m->length,
                                                       .first = m->first,
                                                       .last = m->last,
                                                       .bytes = m->bytes});
        return 0;
    }
    return -EBADMSG;
}

/* The end of the Worker's direction says nothing: a socket is over with its close frames, or by a reset. */
static void egress_send(struct call *c, struct slice bytes, bool end UNUSED)
{
    struct egress_socket *k = egress_of(c);
    struct wire_message m;
    int r;

    if (!k->switched)
        return;
    while ((r = wire_message_next(&k->out, &bytes, &m)) > 0 && egress_put(k, &m) == 0)
        ;
}

static size_t egress_room(struct call *c)
{
    return websocket_client_room(egress_of(c)->client);
}

static void egress_consumed(struct call *c, size_t n UNUSED)
{
    websocket_client_consumed(egress_of(c)->client);
}

static void egress_cancel(struct call *c, int reason UNUSED)
{
    struct egress_socket *k = egress_of(c);

    websocket_client_cancel(k->client);
    egress_free(k);
}

static const struct back_ops egress_back = {
    .send = egress_send, .room = egress_room, .consumed = egress_consumed, .cancel = egress_cancel};

void egress_socket_start(struct call *c)
{
    struct egress_socket *k = mem_new(sizeof(*k));

    k->call = c;
    k->client = websocket_client_start(
        c->gateway->client, &egress_events,
        &(struct websocket_client_request){
            .url = c->request.url, .headers = c->request.headers, .user = k});
    call_set_back(c, &egress_back, k);
}
