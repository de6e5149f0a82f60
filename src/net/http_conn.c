/*
 * Exchanges and connections, whatever the protocol version.
 *
 * A connection works in rounds: read once, let its protocol take the bytes (which calls the owner),
 * then *settle*: write what the round produced, end what went out, decide what to wait for. Answers
 * that come later (from another process) mark their connection, and the server's hook settles all
 * marked ones at the end of the round. So a round costs a connection one read and one write, however
 * many requests were in it.
 */
#include "net/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum {
    EXCHANGES_SPARE_MAX = 256,
    EXCHANGE_ARENA_SIZE = 4096, /* most heads fit, so that the arena never grows */
    LINGER_MS = 2000,
};

/* --- exchanges --- */

struct http_exchange *http_exchange_new(struct http_conn *c)
{
    struct http_server *server = c->server;
    struct link *l = list_pop_front(&server->spare);
    struct http_exchange *x;

    if (l != NULL) {
        x = LIST_ENTRY(l, struct http_exchange, link);
        server->n_spare--;
    } else {
        x = mem_new(sizeof(*x));
        CHECK(arena_alloc(&x->arena, EXCHANGE_ARENA_SIZE) != NULL); /* makes its first block */
        arena_reset(&x->arena);
    }
    x->conn = c;
    x->body_left = -1;
    list_init(&x->files);
    list_push_back(&c->exchanges, &x->link);
    c->n_exchanges++;
    return x;
}

static void http_buf_empty(struct buf *b)
{
    if (b->cap > HTTP_BUF_KEEP_MAX)
        buf_done(b);
    else
        buf_clear(b);
}

void http_exchange_free(struct http_exchange *x)
{
    arena_done(&x->arena);
    buf_done(&x->out);
    buf_done(&x->trailers);
    buf_done(&x->block);
    free(x);
}

/* The bytes of all of them in an arena that is no larger than they are. */
void http_exchange_trim(struct http_exchange *x)
{
    struct slice *kept[] = {&x->request.method, &x->request.target, &x->request.authority};
    struct arena small = {0};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        n += kept[i]->len;
    char *at = arena_alloc(&small, n);
    CHECK(at != NULL);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        memcpy(at, kept[i]->ptr, kept[i]->len);
        kept[i]->ptr = at;
        at += kept[i]->len;
    }
    x->request.headers = x->request.upgrade = SLICE_NONE;
    arena_done(&x->arena);
    x->arena = small;
    x->trimmed = true;
}

static void http_exchange_recycle(struct http_server *server, struct http_exchange *x)
{
    if (server->n_spare >= EXCHANGES_SPARE_MAX || x->trimmed) {
        http_exchange_free(x);
        return;
    }
    arena_reset(&x->arena);
    http_buf_empty(&x->out);
    http_buf_empty(&x->trailers);
    http_buf_empty(&x->block);
    *x = (struct http_exchange){
        .arena = x->arena, .out = x->out, .trailers = x->trailers, .block = x->block};
    list_push_front(&server->spare, &x->link);
    server->n_spare++;
}

void http_file_release(struct http_file *file)
{
    file->exchange->n_files--;
    list_remove(&file->link);
    fd_release(&file->fd);
    free(file);
}

static void http_files_drop(struct link *files, const struct http_exchange *x)
{
    LIST_FOR_SAFE (l, files) {
        struct http_file *file = LIST_ENTRY(l, struct http_file, link);
        if (file->exchange == x)
            http_file_release(file);
    }
}

void http_exchange_end(struct http_exchange *x, int reason)
{
    struct http_conn *c = x->conn;
    struct http_server *server = c->server;

    CHECK(link_is_in_list(&x->link));
    list_remove(&x->link);
    c->n_exchanges--;
    if (x->n_files > 0) {
        http_files_drop(&x->files, x);
        http_files_drop(&c->files, x);
    }
    if (x->announced) {
        server->n_exchanges--;
        server->events->closed(x, reason);
    }
    if (c->ops->left != NULL)
        c->ops->left(x);
    http_exchange_recycle(server, x);
}

void http_exchange_announce(struct http_exchange *x)
{
    struct http_server *server = x->conn->server;

    x->announced = true;
    x->request_done = !x->request.has_body;
    server->n_exchanges++;
    server->events->request(x, server->arg);
}

void http_exchange_deliver(struct http_exchange *x, struct slice bytes, bool end)
{
    x->received += bytes.len;
    x->window_used += bytes.len;
    x->expects = false;
    x->request_done = end;
    x->conn->progress = true;
    x->conn->server->events->body(x, bytes, end);
}

void http_exchange_wake(struct http_exchange *x, size_t queued)
{
    if (!x->wants_writable || x->ended || x->n_files > 0 || queued > HTTP_SEND_HIGH / 2)
        return;
    x->wants_writable = false;
    if (x->announced)
        x->conn->server->events->writable(x);
}

/* --- the life of a connection --- */

void http_server_again(struct timer *t)
{
    (void)t; /* that the round ran something is enough: the hook follows */
}

/* Owners may call between rounds as well; the timer then sees to it that there is one. */
void http_conn_mark(struct http_conn *c)
{
    struct http_server *server = c->server;

    if (c->dead || link_is_in_list(&c->dirty))
        return;
    list_push_back(&server->dirty, &c->dirty);
    if (server->again_timer.loop == NULL)
        timer_start(server->loop, &server->again_timer, 0, http_server_again);
}

void http_conn_break(struct http_conn *c, int reason)
{
    if (c->broken == 0)
        c->broken = reason;
    http_conn_mark(c);
}

void http_conn_close(struct http_conn *c)
{
    struct http_server *server = c->server;
    int reason = c->broken == 0 ? -EPIPE : c->broken;

    c->dead = true;
    c->broken = reason;
    watch_stop(&c->watch);
    timer_stop(&c->timer);
    list_remove(&c->dirty);
    list_remove(&c->link);
    while (!list_empty(&c->exchanges))
        http_exchange_end(LIST_ENTRY(c->exchanges.next, struct http_exchange, link), reason);
    if (c->started)
        c->ops->finish(c);
    transport_done(&c->io);
    buf_done(&c->in);
    buf_done(&c->out);
    server->n_conns--;
    free(c);
    http_server_resume_accept(server);
}

int http_conn_write(struct http_conn *c, size_t limit, bool more)
{
    size_t left = MIN(limit, buf_len(&c->out));

    while (left > 0 && !c->blocked) {
        struct slice bytes = {c->out.data + c->out.start, left};
        ssize_t n = transport_write(&c->io, bytes, more);
        if (n == -EAGAIN) {
            c->blocked = true;
            return 0;
        }
        if (n < 0)
            return (int)n;
        buf_consume(&c->out, (size_t)n);
        c->out_base += (uint64_t)n;
        c->progress = true;
        left -= (size_t)n;
    }
    bool long_lived = c->ops == &http1_ops && c->h1.state == HTTP1_RAW;
    if ((c->out.cap > HTTP_BUF_KEEP_MAX || long_lived) && buf_len(&c->out) == 0)
        buf_done(&c->out);
    return 0;
}

/* The first bytes in clear text decide between the versions (RFC 9113 section 3.3). */
static int http_conn_choose(struct http_conn *c, struct slice in)
{
    struct slice preface = {"PRI", MIN(in.len, (size_t)3)};

    if (!slice_starts(in, preface)) {
        http1_start(c);
        return 1;
    }
    if (in.len < 3)
        return 0;
    int r = http2_start(c);
    return r < 0 ? r : 1;
}

/* Lets the protocol take what it wants from the front of *in. */
static int http_conn_take(struct http_conn *c, struct slice *in)
{
    if (c->lingering) {
        *in = SLICE_NONE;
        return 0;
    }
    if (!c->started) {
        int r = http_conn_choose(c, *in);
        if (r <= 0)
            return r;
    }
    return c->ops->input(c, in);
}

static void http_conn_saw_end(struct http_conn *c)
{
    c->saw_end = true;
    if (c->started)
        c->ops->end(c);
}

static void http_conn_got(struct http_conn *c, int r)
{
    if (r < 0)
        http_conn_break(c, r);
}

/* What was read before and left alone. */
static void http_conn_take_left(struct http_conn *c)
{
    struct slice in = buf_slice(&c->in);
    size_t before = in.len;

    http_conn_got(c, http_conn_take(c, &in));
    buf_consume(&c->in, before - in.len);
    if (buf_len(&c->in) == 0)
        http_buf_empty(&c->in);
}

/* One read. Usually all of it is taken, and the connection needs no buffer of its own. */
static bool http_conn_read_once(struct http_conn *c)
{
    bool has_left = buf_len(&c->in) > 0;
    char *to = has_left ? buf_reserve(&c->in, HTTP_READ_SIZE) : c->server->scratch;
    ssize_t n = transport_read(&c->io, to, HTTP_READ_SIZE);

    if (n == -EAGAIN)
        return false;
    if (n < 0) {
        http_conn_break(c, (int)n);
        return false;
    }
    if (n == 0) {
        http_conn_saw_end(c);
        return false;
    }
    if (has_left) {
        buf_added(&c->in, (size_t)n);
        http_conn_take_left(c);
        return true;
    }
    struct slice in = {to, (size_t)n};
    http_conn_got(c, http_conn_take(c, &in));
    buf_append_slice(&c->in, in);
    return true;
}

static bool http_conn_may_read(struct http_conn *c)
{
    return c->broken == 0 && !c->saw_end && (!c->started || c->lingering || c->ops->may_read(c));
}

static void http_conn_read(struct http_conn *c)
{
    while (http_conn_may_read(c) && http_conn_read_once(c)) {
        if (!transport_has_pending(&c->io))
            break;
    }
}

static bool http_conn_has_left(struct http_conn *c)
{
    return buf_len(&c->in) > 0 && http_conn_may_read(c);
}

/* Left-over input may be taken once answers went out, and makes more answers. */
static void http_conn_work(struct http_conn *c)
{
    size_t before;
    bool tried;

    do {
        before = buf_len(&c->in);
        tried = http_conn_has_left(c);
        if (tried)
            http_conn_take_left(c);
        if (transport_has_pending(&c->io))
            http_conn_read(c);
        list_remove(&c->dirty);
        if (c->started && c->broken == 0)
            http_conn_got(c, c->ops->flush(c));
    } while (http_conn_has_left(c) && (!tried || buf_len(&c->in) != before));
}

/* The last answer is out. A client that still writes would lose it to a reset, so it gets time to
 * read (RFC 9112 section 9.6). */
static void http_conn_linger(struct http_conn *c)
{
    if (c->lingering)
        return;
    c->lingering = true;
    c->progress = true; /* its time starts now */
    buf_clear(&c->in);
    transport_shutdown(&c->io);
}

static bool http_conn_is_over(struct http_conn *c)
{
    if (c->broken != 0)
        return true;
    if (c->blocked || buf_len(&c->out) > 0 || c->n_exchanges > 0)
        return false;
    if (c->saw_end || (c->closing && c->peer_is_done))
        return true;
    if (c->closing)
        http_conn_linger(c);
    return false;
}

static int http_wait_ms(const struct http_conn *c)
{
    const struct http_limits *limits = &c->server->limits;

    switch (c->wait) {
    case HTTP_WAIT_IDLE:
        return limits->idle_timeout_ms;
    case HTTP_WAIT_HEAD:
        return limits->head_timeout_ms;
    case HTTP_WAIT_BODY:
        return limits->body_timeout_ms;
    case HTTP_WAIT_WRITE:
        return limits->write_timeout_ms;
    case HTTP_WAIT_OWNER:
        break;
    }
    return 0;
}

static enum http_wait http_conn_wait_for(struct http_conn *c)
{
    return c->started ? c->ops->wait(c) : HTTP_WAIT_HEAD;
}

static void http_conn_expired(struct timer *t)
{
    struct http_conn *c = CONTAINER_OF(t, struct http_conn, timer);
    int64_t now = loop_now_us(c->server->loop);

    if (c->deadline_us > now) {
        /* It moved while the timer ran; nearly always so. */
        if (c->deadline_us != INT64_MAX)
            timer_start(c->server->loop, t, c->deadline_us - now, http_conn_expired);
        return;
    }
    if (!c->started || c->lingering)
        http_conn_break(c, -ETIMEDOUT);
    else
        c->ops->expired(c);
    http_conn_settle(c);
}

/* The timer only moves when a limit comes nearer; otherwise it finds out when it fires. */
static void http_conn_set_deadline(struct http_conn *c)
{
    enum http_wait wait = http_conn_wait_for(c);
    int64_t now = loop_now_us(c->server->loop);

    if (wait != c->wait || c->progress) {
        c->wait = wait;
        c->wait_since_us = now;
        c->progress = false;
    }
    int64_t ms = c->lingering ? LINGER_MS : http_wait_ms(c);
    c->deadline_us = ms <= 0 ? INT64_MAX : c->wait_since_us + ms * 1000;
    if (c->deadline_us != INT64_MAX && (c->timer.loop == NULL || c->timer.due_us > c->deadline_us))
        timer_start(c->server->loop, &c->timer, c->deadline_us - now, http_conn_expired);
}

static bool http_conn_wants_write(const struct http_conn *c)
{
    return c->blocked || c->io.wants_write || buf_len(&c->out) > 0 || !list_empty(&c->files);
}

/* What callbacks of the settling itself produce marks the connection again and waits for the next
 * round, so that a fast reader cannot hold the loop. */
void http_conn_settle(struct http_conn *c)
{
    list_remove(&c->dirty);
    if (!c->handshaking)
        http_conn_work(c);
    if (http_conn_is_over(c)) {
        http_conn_close(c);
        return;
    }
    uint32_t events = http_conn_may_read(c) ? EPOLLIN : 0;
    if (http_conn_wants_write(c))
        events |= EPOLLOUT;
    watch_change(&c->watch, events);
    http_conn_set_deadline(c);
}

static int http_conn_handshake(struct http_conn *c)
{
    int r = transport_handshake(&c->io);

    if (r == -EAGAIN)
        return 0;
    if (r < 0)
        return r;
    c->handshaking = false;
    if (slice_eq(transport_protocol(&c->io), SLICE("h2")))
        return http2_start(c);
    if (transport_protocol(&c->io).len > 0)
        http1_start(c);
    return 0;
}

static void http_conn_ready(struct watch *w, uint32_t events)
{
    struct http_conn *c = CONTAINER_OF(w, struct http_conn, watch);

    if (events & EPOLLOUT)
        c->blocked = false;
    if (c->handshaking)
        http_conn_got(c, http_conn_handshake(c));
    if (!c->handshaking && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && c->broken == 0) {
        if (http_conn_may_read(c))
            http_conn_read(c);
        else if (events & (EPOLLHUP | EPOLLERR))
            http_conn_break(c, -EPIPE);
    }
    http_conn_settle(c);
}

static void http_conn_set_remote(struct http_conn *c, const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        (void)inet_ntop(AF_INET, &in->sin_addr, c->remote_ip, sizeof(c->remote_ip));
        c->remote_port = ntohs(in->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;
        if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr))
            (void)inet_ntop(AF_INET, &in->sin6_addr.s6_addr[12], c->remote_ip,
                            sizeof(c->remote_ip));
        else
            (void)inet_ntop(AF_INET6, &in->sin6_addr, c->remote_ip, sizeof(c->remote_ip));
        c->remote_port = ntohs(in->sin6_port);
    }
}

void http_conn_create(struct http_server *server, int fd, struct tls_context *tls,
                      const struct sockaddr_storage *address)
{
    struct http_conn *c = mem_new(sizeof(*c));

    if (transport_init(&c->io, fd, tls) < 0) {
        free(c);
        return;
    }
    c->server = server;
    c->handshaking = tls != NULL;
    c->wait = HTTP_WAIT_HEAD;
    list_init(&c->exchanges);
    list_init(&c->files);
    http_conn_set_remote(c, address);
    list_push_back(&server->conns, &c->link);
    server->n_conns++;
    watch_start(server->loop, &c->watch, fd, EPOLLIN, http_conn_ready);
    c->progress = true;
    http_conn_set_deadline(c);
}
