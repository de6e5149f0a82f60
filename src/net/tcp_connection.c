/*
 * raw_connection.h resolves and connects; then the socket is ours alone, and net/transport moves the bytes.
 */
#include "net/tcp_connection.h"

#include "net/http_client_impl.h"
#include "net/raw_connection.h"
#include "net/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

enum tcp_state { TCP_CONNECTING, TCP_HANDSHAKING, TCP_OPEN };

enum { TCP_READ_SIZE = 64 * 1024, TCP_READS_PER_ROUND = 16 };

struct tcp_connection {
    struct http_client *client;
    const struct tcp_events *events; /* NULL once the owner is gone */
    void *user;
    enum tcp_state state;
    struct raw_connection *raw; /* while connecting */
    struct transport transport;
    struct watch watch;
    struct timer timer;    /* what must not happen inside a call */
    struct timer limit;    /* of the handshake */
    struct buf out, later; /* later: what follows behind the beginning of TLS */
    char host[CLIENT_HOST_MAX];
    char local[TCP_ADDRESS_SIZE], remote[TCP_ADDRESS_SIZE];
    bool tls, paused, ended, ending, said_end, starts_tls, wants_writable, finishing;
};

static void tcp_free(struct tcp_connection *c)
{
    if (c->raw != NULL)
        raw_destroy(c->raw);
    watch_stop(&c->watch);
    timer_stop(&c->timer);
    timer_stop(&c->limit);
    if (c->state != TCP_CONNECTING)
        transport_done(&c->transport);
    buf_done(&c->out);
    buf_done(&c->later);
    free(c);
}

static void tcp_fail(struct tcp_connection *c, int r, const struct err *err)
{
    if (c->events != NULL)
        c->events->failed(c, r, err);
    tcp_free(c);
}

static void tcp_lost(struct tcp_connection *c, int r)
{
    struct err err = {0};

    r = err_set(&err, r, 0, "the connection to %s was lost", c->host);
    tcp_fail(c, r, &err);
}

static void tcp_watch(struct tcp_connection *c)
{
    bool reads = c->state == TCP_HANDSHAKING || (!c->paused && !c->ended && c->events != NULL);
    bool writes = c->transport.wants_write || (c->state == TCP_OPEN && buf_len(&c->out) > 0);

    watch_change(&c->watch, (reads ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0));
}

/* --- TLS --- */

static void tcp_handshake_late(struct timer *t)
{
    struct tcp_connection *c = CONTAINER_OF(t, struct tcp_connection, limit);
    struct err err = {0};

    tcp_fail(c, err_set(&err, -ETIMEDOUT, 0, "TLS with %s took too long", c->host), &err);
}

/* 0, or negative after the connection was freed. */
static int tcp_handshake(struct tcp_connection *c)
{
    struct err err = {0};
    int r = transport_handshake(&c->transport);

    if (r == -EAGAIN)
        return 0;
    if (r < 0) {
        r = err_set(&err, r, 0, "TLS to %s failed: %s", c->host,
                    transport_verify_text(&c->transport));
        tcp_fail(c, r, &err);
        return r;
    }
    timer_stop(&c->limit);
    c->state = TCP_OPEN;
    if (c->events != NULL)
        c->events->opened(c, c->local, c->remote);
    return 0;
}

static int tcp_tls_begin(struct tcp_connection *c)
{
    struct err err = {0};

    c->starts_tls = false;
    c->out = c->later;
    c->later = (struct buf){0};
    if (transport_connect_tls(&c->transport, c->client->authorities, c->host) < 0) {
        int r = err_set(&err, -EBADMSG, 0, "TLS to %s failed: no certificate can have such a name",
                        c->host);
        tcp_fail(c, r, &err);
        return r;
    }
    c->state = TCP_HANDSHAKING;
    timer_start(c->client->loop, &c->limit, TCP_HANDSHAKE_US, tcp_handshake_late);
    return tcp_handshake(c);
}

/* --- bytes --- */

static int tcp_write(struct tcp_connection *c)
{
    while (buf_len(&c->out) > 0) {
        ssize_t n = transport_write(&c->transport, buf_slice(&c->out), false);
        if (n == -EAGAIN)
            return 0;
        if (n < 0) {
            tcp_lost(c, (int)n);
            return -EPIPE;
        }
        buf_consume(&c->out, (size_t)n);
    }
    buf_done(&c->out);
    if (c->starts_tls)
        return tcp_tls_begin(c);
    if (c->ending && !c->said_end) {
        c->said_end = true;
        transport_shutdown(&c->transport);
    }
    return 0;
}

static void tcp_wake_owner(struct tcp_connection *c)
{
    if (c->wants_writable && c->events != NULL && buf_len(&c->out) <= TCP_SEND_HIGH / 2) {
        c->wants_writable = false;
        c->events->writable(c);
    }
}

static void tcp_again(struct timer *t);

/* The owner may end the connection in any call, which only marks it. */
static int tcp_read(struct tcp_connection *c)
{
    static char bytes[TCP_READ_SIZE];

    for (int i = 0; i < TCP_READS_PER_ROUND; i++) {
        if (c->paused || c->ended || c->events == NULL || c->state != TCP_OPEN)
            return 0;
        ssize_t n = transport_read(&c->transport, bytes, sizeof(bytes));
        if (n == -EAGAIN)
            return 0;
        if (n < 0) {
            tcp_lost(c, (int)n);
            return -EPIPE;
        }
        if (n == 0) {
            c->ended = true;
            c->events->ended(c);
            return 0;
        }
        c->events->data(c, slice_from(bytes, (size_t)n));
    }
    timer_start(c->client->loop, &c->timer, 0, tcp_again);
    return 0;
}

static void tcp_work(struct tcp_connection *c)
{
    if (c->events == NULL && !c->finishing) {
        tcp_free(c);
        return;
    }
    if (c->state == TCP_HANDSHAKING && tcp_handshake(c) < 0)
        return;
    if (c->state == TCP_OPEN && (tcp_write(c) < 0 || tcp_read(c) < 0))
        return;
    if (c->events == NULL && (!c->finishing || c->said_end)) {
        tcp_free(c);
        return;
    }
    tcp_wake_owner(c);
    tcp_watch(c);
}

static void tcp_ready(struct watch *w, uint32_t events)
{
    struct tcp_connection *c = CONTAINER_OF(w, struct tcp_connection, watch);

    bool deaf = c->paused || c->ended || c->events == NULL;
    if (deaf && (events & EPOLLERR) != 0) {
        tcp_lost(c, -EPIPE);
        return;
    }
    if (deaf && (events & EPOLLHUP) != 0 && (events & EPOLLOUT) == 0) {
        watch_stop(&c->watch); /* both directions are over; who resumes or ends finds out */
        return;
    }
    tcp_work(c);
}

static void tcp_again(struct timer *t)
{
    struct tcp_connection *c = CONTAINER_OF(t, struct tcp_connection, timer);

    if (c->state != TCP_CONNECTING && c->watch.loop == NULL)
        watch_start(c->client->loop, &c->watch, c->transport.fd, 0, tcp_ready);
    if (c->state != TCP_CONNECTING || c->events == NULL)
        tcp_work(c);
}

static void tcp_soon(struct tcp_connection *c)
{
    if (c->timer.loop == NULL)
        timer_start(c->client->loop, &c->timer, 0, tcp_again);
}

/* --- connecting --- */

static void address_text(const struct sockaddr_storage *at, char text[TCP_ADDRESS_SIZE])
{
    char ip[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const void *)at;
    const struct sockaddr_in6 *v6 = (const void *)at;

    if (at->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
        snprintf(text, TCP_ADDRESS_SIZE, "%s:%u", ip, ntohs(v4->sin_port));
    } else if (at->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
        snprintf(text, TCP_ADDRESS_SIZE, "[%s]:%u", ip, ntohs(v6->sin6_port));
    }
}

static void tcp_addresses(struct tcp_connection *c, int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof(at);
    int one = 1;

    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
        address_text(&at, c->local);
    len = sizeof(at);
    if (getpeername(fd, (struct sockaddr *)&at, &len) == 0)
        address_text(&at, c->remote);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
                     sizeof(one)); /* slower, not broken, without */
}

static void tcp_raw_connected(struct raw_connection *raw)
{
    struct tcp_connection *c = raw_user(raw);
    int fd = raw_detach(TAKE(c->raw));

    if (fd < 0 || transport_init(&c->transport, fd, NULL) < 0) {
        tcp_lost(c, -EPIPE);
        return;
    }
    tcp_addresses(c, fd);
    c->state = TCP_OPEN;
    watch_start(c->client->loop, &c->watch, fd, 0, tcp_ready);
    if (c->tls) {
        if (tcp_tls_begin(c) < 0)
            return;
    } else {
        c->events->opened(c, c->local, c->remote);
    }
    tcp_soon(c);
}

static void tcp_raw_data(struct raw_connection *raw UNUSED, struct slice bytes UNUSED) {}
static void tcp_raw_writable(struct raw_connection *raw UNUSED) {}

static void tcp_raw_closed(struct raw_connection *raw, int r, const struct err *err)
{
    struct tcp_connection *c = raw_user(raw);

    c->raw = NULL;
    if (r == 0)
        tcp_lost(c, -EPIPE);
    else
        tcp_fail(c, r, err);
}

static const struct raw_events tcp_raw_events = {tcp_raw_connected, tcp_raw_data, tcp_raw_writable,
                                                 tcp_raw_closed};

/* Without port and brackets. */
static void tcp_set_host(struct tcp_connection *c, struct slice authority)
{
    struct slice host = authority;
    ssize_t end = authority.len > 0 && authority.ptr[0] == '[' ? slice_find(authority, ']') : -1;

    if (end > 0)
        host = slice_from(authority.ptr + 1, (size_t)end - 1);
    else
        host = slice_cut(&authority, ':');
    if (slice_to_cstr(host, c->host, sizeof(c->host)) < 0)
        c->host[0] = '\0'; /* raw_connect() refuses it */
}

struct tcp_connection *tcp_connect(struct http_client *client, const struct tcp_events *events,
                                   void *user, struct slice authority, bool tls)
{
    struct tcp_connection *c = mem_new(sizeof(*c));

    c->client = client;
    c->events = events;
    c->user = user;
    c->tls = tls;
    tcp_set_host(c, authority);
    c->raw = raw_connect(client, &tcp_raw_events, c, authority, false);
    return c;
}

/* --- for the owner --- */

void *tcp_user(const struct tcp_connection *c)
{
    return c->user;
}

void tcp_set_user(struct tcp_connection *c, void *user)
{
    c->user = user;
}

void tcp_send(struct tcp_connection *c, struct slice bytes)
{
    if (c->ending)
        return;
    buf_append_slice(c->starts_tls ? &c->later : &c->out, bytes);
    tcp_soon(c);
}

size_t tcp_room(struct tcp_connection *c)
{
    size_t queued = buf_len(&c->out) + buf_len(&c->later);

    if (queued < TCP_SEND_HIGH)
        return TCP_SEND_HIGH - queued;
    c->wants_writable = true;
    return 0;
}

void tcp_pause(struct tcp_connection *c, bool paused)
{
    if (c->paused == paused)
        return;
    c->paused = paused;
    tcp_soon(c);
}

void tcp_end(struct tcp_connection *c)
{
    c->ending = true;
    tcp_soon(c);
}

void tcp_start_tls(struct tcp_connection *c, struct slice host)
{
    if (host.len > 0 && slice_to_cstr(host, c->host, sizeof(c->host)) < 0)
        c->host[0] = '\0';
    c->starts_tls = true;
    tcp_soon(c);
}

static void tcp_linger_late(struct timer *t)
{
    tcp_free(CONTAINER_OF(t, struct tcp_connection, limit));
}

void tcp_finish(struct tcp_connection *c)
{
    if (c->state == TCP_CONNECTING) {
        tcp_destroy(c);
        return;
    }
    c->events = NULL;
    c->finishing = c->ending = true;
    timer_start(c->client->loop, &c->limit, TCP_LINGER_US, tcp_linger_late);
    tcp_soon(c);
}

void tcp_destroy(struct tcp_connection *c)
{
    c->finishing = false;
    c->events = NULL;
    if (c->raw != NULL)
        raw_destroy(TAKE(c->raw));
    timer_start(c->client->loop, &c->timer, 0, tcp_again);
}
