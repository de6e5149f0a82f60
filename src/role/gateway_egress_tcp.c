/*
 * Back of a call: a TCP connection of `cloudflare:sockets`. Both bodies are its bytes; the answer's head comes when it
 * is open and has two fields, local and remote.
 *
 * STARTTLS: the isolate opens a second stream that names the first. When the first stream's direction to the world has
 * ended, its call is over and the connection goes on, over TLS, as that of the second.
 */
#include "role/gateway_isolate.h"

#include "net/tcp_connection.h"
#include "product/messages.h"

#include <errno.h>
#include <stdio.h>

enum {
    PORT_SMTP = 25,                 /* what sends mail in others' names is refused, as upstream */
    TCP_STUCK_US = 60 * 1000 * 1000 /* nobody reads and nothing more is written: given up */
};

struct egress_tcp {
    struct call *call;
    struct tcp_connection *tcp;
    struct gateway *gateway;
    uint64_t key;      /* in g->tcp: isolate and stream */
    struct call *next; /* goes on over TLS when this call has ended */
    struct buf next_host, next_bytes;
    struct timer timer;         /* a call does not end inside its own send() */
    bool paused, ending, ended; /* ending: by the Worker, ended: by the peer */
};

static struct egress_tcp *egress_of(const struct call *c)
{
    return c->back_data;
}

static void egress_free(struct egress_tcp *t)
{
    if (map_get_u64(&t->gateway->tcp, t->key) == t)
        map_remove_u64(&t->gateway->tcp, t->key);
    timer_stop(&t->timer);
    buf_done(&t->next_host);
    buf_done(&t->next_bytes);
    mem_release(&t);
}

/* Both directions have ended. */
static void egress_over(struct timer *timer)
{
    struct egress_tcp *t = CONTAINER_OF(timer, struct egress_tcp, timer);
    struct call *c = t->call;

    call_back_done(c);
    tcp_finish(t->tcp);
    egress_free(t);
    call_response_data(c, SLICE_NONE, true);
}

/* --- from the world --- */

static void egress_opened(struct tcp_connection *tcp, const char *local, const char *remote)
{
    struct egress_tcp *t = tcp_user(tcp);
    char headers[2 * TCP_ADDRESS_SIZE + 32];

    if (t->call->head_sent)
        return;
    int n = snprintf(headers, sizeof(headers), "local: %s\r\nremote: %s\r\n", local, remote);
    call_respond(t->call, &(struct call_head){.status = 200,
                                              .headers = slice_from(headers, (size_t)n),
                                              .content_length = -1});
}

static void egress_data(struct tcp_connection *tcp, struct slice bytes)
{
    struct egress_tcp *t = tcp_user(tcp);

    call_response_data(t->call, bytes, false);
    if (t->call->held_response > 0) {
        t->paused = true;
        tcp_pause(tcp, true);
    }
}

static void egress_ended(struct tcp_connection *tcp)
{
    struct egress_tcp *t = tcp_user(tcp);

    t->ended = true;
    if (t->ending)
        timer_start(t->gateway->loop, &t->timer, 0, egress_over);
    else
        call_response_data(t->call, SLICE_NONE, true); /* the call stays: the Worker may go on */
}

static void egress_writable(struct tcp_connection *tcp)
{
    struct egress_tcp *t = tcp_user(tcp);

    call_back_writable(t->call);
}

static void egress_failed(struct tcp_connection *tcp, int r, const struct err *err)
{
    struct egress_tcp *t = tcp_user(tcp);
    struct call *c = t->call, *next = t->next;

    egress_free(t);
    call_fail(c, r == -ETIMEDOUT ? 504 : 502, "%s", err->text);
    if (next != NULL)
        call_fail(next, 502, "%s", err->text);
}

static const struct tcp_events egress_events = {egress_opened, egress_data, egress_ended,
                                                egress_writable, egress_failed};

/* --- from the Worker --- */

static void egress_stuck(struct timer *timer)
{
    struct egress_tcp *t = CONTAINER_OF(timer, struct egress_tcp, timer);
    struct call *c = t->call;

    if (!t->paused) {
        timer_start(t->gateway->loop, &t->timer, TCP_STUCK_US, egress_stuck);
        return;
    }
    tcp_destroy(t->tcp);
    egress_free(t);
    call_fail(c, 504, "Nobody reads what this connection sends.");
}

static void egress_move(struct timer *timer);

static void egress_send(struct call *c, struct slice bytes, bool end)
{
    struct egress_tcp *t = egress_of(c);

    tcp_send(t->tcp, bytes);
    if (!end)
        return;
    t->ending = true;
    if (t->next != NULL) {
        timer_start(t->gateway->loop, &t->timer, 0, egress_move);
        return;
    }
    tcp_end(t->tcp);
    timer_start(t->gateway->loop, &t->timer, t->ended ? 0 : TCP_STUCK_US,
                t->ended ? egress_over : egress_stuck);
}

static size_t egress_room(struct call *c)
{
    return tcp_room(egress_of(c)->tcp);
}

static void egress_consumed(struct call *c, size_t n UNUSED)
{
    struct egress_tcp *t = egress_of(c);

    t->paused = false;
    tcp_pause(t->tcp, false);
}

static void egress_cancel(struct call *c, int reason UNUSED)
{
    struct egress_tcp *t = egress_of(c);
    struct call *next = t->next;

    tcp_destroy(t->tcp);
    egress_free(t);
    if (next != NULL)
        call_fail(next, 502, "The connection was lost.");
}

static const struct back_ops egress_back = {
    .send = egress_send, .room = egress_room, .consumed = egress_consumed, .cancel = egress_cancel};

/* --- STARTTLS: the second call, until the first has ended --- */

static void next_send(struct call *c, struct slice bytes, bool end UNUSED)
{
    buf_append_slice(&egress_of(c)->next_bytes, bytes); /* at most a window: next_room() says so */
}

static size_t next_room(struct call *c UNUSED)
{
    return 0;
}

static void next_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static void next_cancel(struct call *c, int reason UNUSED)
{
    egress_of(c)->next = NULL;
}

static const struct back_ops next_back = {
    .send = next_send, .room = next_room, .consumed = next_consumed, .cancel = next_cancel};

static void egress_move(struct timer *timer)
{
    struct egress_tcp *t = CONTAINER_OF(timer, struct egress_tcp, timer);
    struct call *before = t->call, *c = TAKE(t->next);

    if (c == NULL) { /* it has gone in the meantime */
        egress_over(timer);
        return;
    }
    call_back_done(before);
    t->call = c;
    t->ending = false;
    t->paused = false;
    tcp_start_tls(t->tcp, buf_slice(&t->next_host));
    tcp_send(t->tcp, buf_slice(&t->next_bytes));
    buf_done(&t->next_bytes);
    call_back_done(c);
    call_set_back(c, &egress_back, t);
    tcp_pause(t->tcp, false);
    call_response_data(before, SLICE_NONE, true);
}

static uint64_t stream_key(const struct isolate_link *l, uint32_t stream)
{
    return l->id << 32 | stream;
}

static void upgrade(struct call *c, struct isolate_link *l, const struct msg_connect *m)
{
    struct egress_tcp *t = map_get_u64(&c->gateway->tcp, stream_key(l, m->upgrade));

    if (t == NULL || t->next != NULL || t->ending) {
        call_fail(c, 502, "There is no open connection that could go over to TLS.");
        return;
    }
    buf_append_slice(&t->next_host, m->address);
    t->next = c;
    call_set_back(c, &next_back, t);
}

/* The port of "host:port" or "[v6]:port". The isolate may be hostile: nothing else is let through to who parses the
 * address again, so that both see the same port. */
static int port_of(struct slice authority)
{
    ssize_t bracket = slice_find(authority, ']');
    struct slice port_text = bracket < 0 ? authority : slice_skip(authority, (size_t)bracket);
    uint64_t port;

    for (size_t i = 0; i < authority.len; i++) {
        char c = authority.ptr[i];
        bool in_v6 = (ssize_t)i <= bracket && (c == ':' || (c == '[' && i == 0) || c == ']');
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        if (!plain && !in_v6 && c != ':')
            return -EINVAL;
    }
    (void)slice_cut(&port_text, ':'); /* the host */
    if (slice_to_u64(port_text, &port) < 0 || port == 0 || port > 65535)
        return -EINVAL;
    return (int)port;
}

void egress_tcp_start(struct call *c, struct isolate_link *l, uint32_t stream,
                      const struct msg_connect *m)
{
    int port = m->upgrade == 0 ? port_of(m->address) : 0;

    if (c->gateway->client == NULL) {
        call_fail(c, 503, "Outgoing requests are off.");
    } else if (m->upgrade != 0) {
        upgrade(c, l, m);
    } else if (port < 0 || port == PORT_SMTP) {
        call_fail(c, 403,
                  port < 0 ? "This is no address with a port."
                           : "Connections to port 25 are refused: mail leaves another way.");
    } else {
        struct egress_tcp *t = mem_new(sizeof(*t));
        t->gateway = c->gateway;
        t->call = c;
        t->key = stream_key(l, stream);
        map_put_u64(&c->gateway->tcp, t->key, t);
        t->tcp = tcp_connect(c->gateway->client, &egress_events, t, m->address, m->tls != 0);
        call_set_back(c, &egress_back, t);
    }
}
