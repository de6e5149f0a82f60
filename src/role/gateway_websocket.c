/*
 * Front of a call whose client has changed to WebSocket (RFC 6455).
 *
 * The connection and everything that the protocol owes live here: frames, compression, pongs, keep-alive,
 * time limits. The Worker sees messages only (proc/wire_message.h, on the stream of its answer). A socket
 * is separate from its call, which stands for the event that serves it.
 *
 *     client --frames--> session --messages--> call --> isolate
 *     client <--frames-- session <--messages-- call <-- isolate
 *
 * Back-pressure: the client's window is returned when the isolate's wire has room again; the isolate gets
 * its credit back when the connection's queue has.
 */
#include "role/gateway.h"

#include "net/websocket_session.h"
#include "proc/wire_message.h"
#include "product/messages.h"

#include <errno.h>

enum {
    SOCKET_SWEEP_US = 5 * 1000 * 1000,
    SOCKET_IDLE_US = 60 * 1000 * 1000,   /* silence after which the client is asked */
    SOCKET_ANSWER_US = 30 * 1000 * 1000, /* time for its answer */
    SOCKET_CLOSE_US = 30 * 1000 * 1000,  /* time for its part of the closing handshake */
    SOCKET_STOP_US = 2 * 1000 * 1000,    /* the same while the gateway stops */
    SOCKET_BATCH_KEEP = 256 * 1024
};

struct socket {
    struct call *call;
    struct http_exchange *exchange;
    struct websocket_session session;
    struct wire_message_reader out; /* of the Worker's messages */
    struct link link;               /* gateway.sockets */
    size_t held;                    /* bytes of the client whose window waits for the Worker */
    int64_t heard_us, closing_us;   /* closing_us 0: no close frame was sent */
    bool pinged, ended;
};

/* Messages of one piece of input, for the Worker. */
static struct buf batch;

static struct socket *socket_of(const struct call *c)
{
    return c->front_data;
}

static void socket_end(struct socket *k)
{
    if (k->ended)
        return;
    k->ended = true;
    http_send(k->exchange, SLICE_NONE, true);
}

/* --- from the client --- */

static void socket_message(void *arg UNUSED, const struct websocket_message *m)
{
    if (m->type == WEBSOCKET_CLOSE)
        wire_message_put_close(
            &batch, m->close_code == WEBSOCKET_NO_CODE ? 0 : (uint16_t)m->close_code, m->payload);
    else
        wire_message_put(&batch, (enum wire_message_type)m->type, m->payload);
}

static void socket_send(void *arg, struct slice bytes)
{
    struct socket *k = arg;

    http_send(k->exchange, bytes, false);
}

void gateway_socket_failure(struct buf *out, int code, struct slice why)
{
    AUTO(buf_done) struct buf text = {0};

    buf_printf(&text,
               "WebSocket protocol error; protocolError.statusCode = %d; "
               "protocolError.description = %.*s",
               code, SLICE_ARG(why));
    wire_message_put(out, WIRE_MESSAGE_FAILED, buf_slice(&text));
}

static void socket_failed(void *arg UNUSED, int code, struct slice why)
{
    gateway_socket_failure(&batch, code, why);
}

static const struct websocket_session_events session_events = {socket_message, socket_send,
                                                               socket_failed};

void gateway_socket_input(struct call *c, struct slice bytes, bool end)
{
    struct socket *k = socket_of(c);

    k->heard_us = loop_now_us(c->gateway->loop);
    k->pinged = false;
    k->held += bytes.len;
    websocket_session_input(&k->session, bytes);
    if (buf_len(&batch) > 0)
        call_request_data(c, buf_slice(&batch), false);
    else if (c->held_request == 0)
        c->front->consumed(c, 0); /* part of a message, or the protocol's own */
    buf_clear(&batch);
    if (batch.cap > SOCKET_BATCH_KEEP)
        buf_done(&batch);

    if (k->session.failed || websocket_session_is_over(&k->session))
        socket_end(k);
    else if (end)
        http_abort(k->exchange);
}

/* --- from the Worker --- */

static void socket_close(struct socket *k, uint16_t code, struct slice reason)
{
    k->closing_us = loop_now_us(k->call->gateway->loop);
    websocket_session_close(&k->session, code == 0 ? WEBSOCKET_NO_CODE : code, reason);
}

static int socket_put(struct socket *k, const struct wire_message *m)
{
    struct slice reason;
    uint16_t code;

    switch (m->type) {
    case WIRE_MESSAGE_CLOSE:
        if (wire_message_close(m->bytes, &code, &reason) < 0)
            return -EBADMSG;
        socket_close(k, code, reason);
        return 0;
    case WIRE_MESSAGE_FAILED:
        return -EPIPE;
    case WIRE_MESSAGE_TEXT:
    case WIRE_MESSAGE_BINARY:
        websocket_session_send(&k->session,
                               &(struct websocket_part){.type = (enum websocket_type)m->type,
                                                        .length = m->length,
                                                        .first = m->first,
                                                        .last = m->last,
                                                        .bytes = m->bytes});
        return 0;
    }
    return -EBADMSG;
}

static void socket_data(struct call *c, struct slice bytes, bool end)
{
    struct socket *k = socket_of(c);
    struct wire_message m;
    int r;

    while ((r = wire_message_next(&k->out, &bytes, &m)) > 0 && r == 1) {
        r = socket_put(k, &m);
        if (r < 0)
            break;
    }
    /* A Worker that ends without a word is a lost connection; what it sent before still arrives. */
    if (websocket_session_is_over(&k->session) || r < 0 || end)
        socket_end(k);
}

static void socket_head(struct call *c UNUSED, const struct call_head *head UNUSED)
{
    CHECK(false); /* it came before there was a socket */
}

static size_t socket_room(struct call *c)
{
    return http_send_room(socket_of(c)->exchange);
}

static void socket_consumed(struct call *c, size_t n UNUSED)
{
    struct socket *k = socket_of(c);

    http_consumed(k->exchange, k->held);
    k->held = 0;
}

static void socket_fail(struct call *c, int status UNUSED, struct slice text UNUSED)
{
    socket_end(socket_of(c));
}

static const struct front_ops socket_front = {
    .head = socket_head,
    .data = socket_data,
    .room = socket_room,
    .consumed = socket_consumed,
    .fail = socket_fail,
    .is_client = true,
};

/* --- its life --- */

/* The Worker's fields, without those that the handshake writes itself. */
static void answer_headers(struct buf *out, struct slice block)
{
    static const char *const ours[] = {"sec-websocket-accept", "sec-websocket-extensions",
                                       "sec-websocket-key", "sec-websocket-version",
                                       "content-length"};
    struct slice name, value;

    while (http_header_next(&block, &name, &value)) {
        size_t i = 0;
        while (i < ARRAY_LEN(ours) && !slice_eq(name, slice_of(ours[i])))
            i++;
        if (i == ARRAY_LEN(ours))
            http_header_add(out, name, value);
    }
}

void gateway_socket_open(struct call *c, const struct call_head *head)
{
    AUTO(buf_done) struct buf headers = {0}, extension = {0};
    struct websocket_deflate_terms terms = {0};
    struct http_exchange *x = c->front_data;
    struct socket *k = mem_new(sizeof(*k));

    answer_headers(&headers, head->headers);
    int r = websocket_accept(http_request_of(x), &headers);
    CHECK(r == 0); /* looked at before the Worker was asked */
    if ((head->flags & MSG_COMPRESS) != 0)
        websocket_deflate_accept(http_request_of(x)->headers, &terms, &extension);
    if (terms.agreed)
        http_header_add(&headers, SLICE("sec-websocket-extensions"), buf_slice(&extension));
    http_switch(x, SLICE("websocket"), buf_slice(&headers));

    k->call = c;
    k->exchange = x;
    k->heard_us = loop_now_us(c->gateway->loop);
    websocket_session_init(&k->session, &session_events, k, false);
    websocket_session_compress(&k->session, &terms);
    list_push_back(&c->gateway->sockets, &k->link);
    buf_done(&c->kept); /* nobody asks for the request any more */
    c->front = &socket_front;
    c->front_data = k;
}

bool gateway_socket_is(const struct call *c)
{
    return c->front == &socket_front;
}

/* The exchange has closed. */
void gateway_socket_free(struct call *c)
{
    struct socket *k = socket_of(c);

    list_remove(&k->link);
    websocket_session_done(&k->session);
    wire_message_reader_done(&k->out);
    mem_release(&k);
}

/* --- time --- */

static void socket_look(struct socket *k, int64_t now_us)
{
    int64_t silent_us = now_us - k->heard_us;
    int64_t close_us = k->call->gateway->stopping ? SOCKET_STOP_US : SOCKET_CLOSE_US;

    if ((k->closing_us != 0 && now_us - k->closing_us > close_us) ||
        (k->pinged && silent_us > SOCKET_IDLE_US + SOCKET_ANSWER_US)) {
        http_abort(k->exchange);
    } else if (silent_us > SOCKET_IDLE_US && !k->pinged) {
        k->pinged = true;
        websocket_session_ping(&k->session);
    }
}

static void sockets_sweep(struct timer *t)
{
    struct gateway *g = CONTAINER_OF(t, struct gateway, socket_timer);
    int64_t now_us = loop_now_us(g->loop);

    LIST_FOR_SAFE (l, &g->sockets)
        socket_look(LIST_ENTRY(l, struct socket, link), now_us);
    timer_start(g->loop, t, g->stopping ? SOCKET_STOP_US / 4 : SOCKET_SWEEP_US, sockets_sweep);
}

void gateway_sockets_start(struct gateway *g)
{
    list_init(&g->sockets);
    timer_start(g->loop, &g->socket_timer, SOCKET_SWEEP_US, sockets_sweep);
}

/* Clients are told to come back elsewhere; who does not answer soon is cut off. */
void gateway_sockets_stop(struct gateway *g)
{
    LIST_FOR_SAFE (l, &g->sockets) {
        struct socket *k = LIST_ENTRY(l, struct socket, link);
        if (k->closing_us == 0)
            socket_close(k, 1001, SLICE("The server is stopping."));
        if (websocket_session_is_over(&k->session))
            socket_end(k);
    }
    timer_start(g->loop, &g->socket_timer, SOCKET_STOP_US / 4, sockets_sweep);
}
