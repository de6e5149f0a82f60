/*
 * Listeners, the life of connections, and the calls of http_server.h.
 *
 * A connection works in rounds: read once, let its protocol take the bytes (which calls the owner),
 * then *settle*: write what the round produced, end what went out, decide what to wait for. Answers
 * that come later (from another process) mark their connection, and the loop's hook settles all
 * marked ones at the end of the round. So a round costs a connection one read and one write, however
 * many requests were in it.
 */
#include "net/http_conn.h"

#include "core/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_ROUND = 64,
    ACCEPT_PAUSE_MS = 100, /* out of descriptors: others must close first */
    EXCHANGES_SPARE_MAX = 256,
    EXCHANGE_ARENA_SIZE = 4096, /* most heads fit, so that the arena never grows */
    LINGER_MS = 2000,
    BODY_MAX_DEFAULT = 0, /* none */
    HEAD_TIMEOUT_MS = 15 * 1000,
    IDLE_TIMEOUT_MS = 75 * 1000,
    BODY_TIMEOUT_MS = 60 * 1000,
    WRITE_TIMEOUT_MS = 60 * 1000,
    CONNECTIONS_MAX = 10000,
    STREAMS_MAX = 128,
};

struct http_listener {
    struct link link;
    struct watch watch;
    struct http_server *server;
    struct tls_context *tls; /* borrowed */
};

static void http_conn_settle(struct http_conn *c);
static void http_server_resume_accept(struct http_server *server);

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

static void http_exchange_free(struct http_exchange *x)
{
    arena_done(&x->arena);
    buf_done(&x->out);
    buf_done(&x->trailers);
    buf_done(&x->block);
    free(x);
}

static void http_exchange_recycle(struct http_server *server, struct http_exchange *x)
{
    if (server->n_spare >= EXCHANGES_SPARE_MAX) {
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

static void http_server_again(struct timer *t)
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

static void http_conn_close(struct http_conn *c)
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
    if (c->out.cap > HTTP_BUF_KEEP_MAX && buf_len(&c->out) == 0)
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
static void http_conn_settle(struct http_conn *c)
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

static void http_conn_create(struct http_listener *listener, int fd,
                             const struct sockaddr_storage *address)
{
    struct http_server *server = listener->server;
    struct http_conn *c = mem_new(sizeof(*c));

    if (transport_init(&c->io, fd, listener->tls) < 0) {
        free(c);
        return;
    }
    c->server = server;
    c->handshaking = listener->tls != NULL;
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

/* --- listeners --- */

static void http_listeners_watch(struct http_server *server, uint32_t events)
{
    server->accept_paused = events == 0;
    LIST_FOR (l, &server->listeners)
        watch_change(&LIST_ENTRY(l, struct http_listener, link)->watch, events);
}

static void http_server_resume_accept(struct http_server *server)
{
    if (server->accept_paused && !server->draining && server->accept_timer.loop == NULL &&
        server->n_conns < server->limits.connections_max)
        http_listeners_watch(server, EPOLLIN);
}

static void http_accept_again(struct timer *t)
{
    http_server_resume_accept(CONTAINER_OF(t, struct http_server, accept_timer));
}

static void http_accept_failed(struct http_server *server, int error)
{
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM)
        return; /* nothing waits, or the client left before we looked */
    http_listeners_watch(server, 0);
    timer_start(server->loop, &server->accept_timer, ACCEPT_PAUSE_MS * 1000, http_accept_again);
}

static void http_listener_ready(struct watch *w, UNUSED uint32_t events)
{
    struct http_listener *listener = CONTAINER_OF(w, struct http_listener, watch);
    struct http_server *server = listener->server;

    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        if (server->n_conns >= server->limits.connections_max) {
            http_listeners_watch(server, 0);
            return;
        }
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof(address);
        int fd = accept4(w->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            http_accept_failed(server, errno);
            return;
        }
        http_conn_create(listener, fd, &address);
    }
}

int http_server_listen(struct http_server *server, int fd, struct tls_context *tls)
{
    struct http_listener *listener = mem_new(sizeof(*listener));
    int one = 1;

    /* Accepted sockets inherit it, which saves a call for each; a Unix socket has no such option. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    listener->server = server;
    listener->tls = tls;
    list_push_back(&server->listeners, &listener->link);
    watch_start(server->loop, &listener->watch, fd, EPOLLIN, http_listener_ready);
    return 0;
}

static void http_listeners_close(struct http_server *server)
{
    for (struct link *l; (l = list_pop_front(&server->listeners)) != NULL;) {
        struct http_listener *listener = LIST_ENTRY(l, struct http_listener, link);
        int fd = listener->watch.fd;
        watch_stop(&listener->watch);
        fd_release(&fd);
        free(listener);
    }
}

/* --- the server --- */

static void http_server_check_drained(struct http_server *server)
{
    if (!server->draining || server->drained == NULL || server->n_exchanges > 0)
        return;
    void (*drained)(void *arg) = server->drained;
    server->drained = NULL;
    drained(server->drained_arg);
}

static void http_server_round_ends(struct loop_hook *hook)
{
    struct http_server *server = CONTAINER_OF(hook, struct http_server, hook);
    struct link *last = server->dirty.prev;

    while (!list_empty(&server->dirty)) {
        struct link *l = list_pop_front(&server->dirty);
        http_conn_settle(LIST_ENTRY(l, struct http_conn, dirty));
        if (l == last)
            break; /* marked while we settled: their turn is the next round */
    }
    if (list_empty(&server->dirty))
        timer_stop(&server->again_timer);
    else if (server->again_timer.loop == NULL)
        timer_start(server->loop, &server->again_timer, 0, http_server_again);
    http_server_check_drained(server);
}

static void http_limits_default(struct http_limits *l)
{
#define DEFAULT(field, value) l->field = l->field == 0 ? (value) : l->field
    DEFAULT(head_max, HTTP_HEAD_MAX);
    DEFAULT(body_max, BODY_MAX_DEFAULT);
    DEFAULT(head_timeout_ms, HEAD_TIMEOUT_MS);
    DEFAULT(idle_timeout_ms, IDLE_TIMEOUT_MS);
    DEFAULT(body_timeout_ms, BODY_TIMEOUT_MS);
    DEFAULT(write_timeout_ms, WRITE_TIMEOUT_MS);
    DEFAULT(connections_max, CONNECTIONS_MAX);
    DEFAULT(streams_max, STREAMS_MAX);
#undef DEFAULT
}

struct http_server *http_server_create(const struct http_server_options *options)
{
    struct http_server *server = mem_new(sizeof(*server));

    /* A client that is gone is an error of the write; sendfile(2) and OpenSSL have no flag for it. */
    (void)signal(SIGPIPE, SIG_IGN);
    server->loop = options->loop;
    server->events = options->events;
    server->arg = options->arg;
    server->limits = options->limits;
    http_limits_default(&server->limits);
    server->date_second = -1;
    server->scratch = mem_new(HTTP_READ_SIZE);
    list_init(&server->listeners);
    list_init(&server->conns);
    list_init(&server->dirty);
    list_init(&server->spare);
    server->hook.run = http_server_round_ends;
    loop_hook_add(server->loop, &server->hook);
    return server;
}

void http_server_drain(struct http_server *server, void (*drained)(void *arg), void *arg)
{
    server->draining = true;
    server->drained = drained;
    server->drained_arg = arg;
    http_listeners_close(server);
    LIST_FOR (l, &server->conns) {
        struct http_conn *c = LIST_ENTRY(l, struct http_conn, link);
        if (c->started)
            c->ops->drain(c);
        else
            http_conn_break(c, -ECANCELED);
        http_conn_mark(c);
    }
    timer_start(server->loop, &server->again_timer, 0, http_server_again);
}

void http_server_destroy(struct http_server *server)
{
    if (server == NULL)
        return;
    server->draining = true;
    server->drained = NULL;
    http_listeners_close(server);
    while (!list_empty(&server->conns)) {
        struct http_conn *c = LIST_ENTRY(server->conns.next, struct http_conn, link);
        c->broken = -ECANCELED;
        http_conn_close(c);
    }
    for (struct link *l; (l = list_pop_front(&server->spare)) != NULL;)
        http_exchange_free(LIST_ENTRY(l, struct http_exchange, link));
    timer_stop(&server->again_timer);
    timer_stop(&server->accept_timer);
    loop_hook_remove(&server->hook);
    free(server->scratch);
    free(server);
}

struct slice http_server_date(struct http_server *server)
{
    int64_t second = loop_now_us(server->loop) / 1000000;

    if (second != server->date_second) {
        char text[CLOCK_TEXT_SIZE];
        server->date_second = second;
        server->date_len = (size_t)snprintf(server->date_line, sizeof(server->date_line),
                                            "date: %s\r\n", clock_http_date(clock_wall_ms(), text));
    }
    return slice_from(server->date_line, server->date_len);
}

/* --- the calls of an owner --- */

const struct http_request *http_request_of(struct http_exchange *x)
{
    return &x->request;
}

void *http_exchange_user(struct http_exchange *x)
{
    return x->user;
}

void http_exchange_set_user(struct http_exchange *x, void *user)
{
    x->user = user;
}

/* After the connection broke, and until `closed` says so, calls have no effect. */
static bool http_exchange_is_open(const struct http_exchange *x)
{
    return x->conn->broken == 0 && !x->aborted && !x->ended;
}

void http_respond(struct http_exchange *x, int status, struct slice headers, int64_t content_length,
                  bool end)
{
    if (!http_exchange_is_open(x) || x->responded)
        return;
    if (end && content_length < 0 && !slice_eq(x->request.method, SLICE("HEAD")))
        content_length = 0;
    x->conn->ops->respond(x, status, headers, content_length);
    if (end)
        x->conn->ops->send(x, SLICE_NONE, true);
    http_conn_mark(x->conn);
}

void http_send(struct http_exchange *x, struct slice bytes, bool end)
{
    if (!http_exchange_is_open(x) || !x->responded || (bytes.len == 0 && !end))
        return;
    x->conn->ops->send(x, bytes, end);
    http_conn_mark(x->conn);
}

void http_answer(struct http_exchange *x, int status, struct slice headers, struct slice body)
{
    if (!http_exchange_is_open(x) || x->responded)
        return;
    x->conn->ops->respond(x, status, headers, (int64_t)body.len);
    x->conn->ops->send(x, body, true);
    http_conn_mark(x->conn);
}

void http_send_file(struct http_exchange *x, int fd, int64_t offset, int64_t length, bool end)
{
    if (!http_exchange_is_open(x) || !x->responded || x->bodiless || length <= 0) {
        fd_release(&fd);
        if (end)
            http_send(x, SLICE_NONE, true);
        return;
    }
    struct http_file *file = mem_new(sizeof(*file));
    *file = (struct http_file){.exchange = x, .offset = offset, .left = length, .fd = fd};
    x->n_files++;
    x->conn->ops->send_file(x, file, end);
    http_conn_mark(x->conn);
}

void http_send_trailers(struct http_exchange *x, struct slice block)
{
    if (http_exchange_is_open(x))
        buf_append_slice(&x->trailers, block);
}

size_t http_send_room(struct http_exchange *x)
{
    if (!http_exchange_is_open(x))
        return HTTP_SEND_HIGH; /* whatever is sent now is dropped: nobody should wait */

    size_t queued = buf_len(x->placed ? &x->conn->out : &x->out);
    if (queued < HTTP_SEND_HIGH && x->n_files == 0)
        return HTTP_SEND_HIGH - queued;
    x->wants_writable = true;
    return 0;
}

void http_consumed(struct http_exchange *x, size_t n)
{
    if (x->conn->broken != 0)
        return;
    n = MIN(n, x->window_used);
    x->window_used -= n;
    x->conn->ops->consumed(x, n);
}

void http_abort(struct http_exchange *x)
{
    if (x->conn->broken != 0 || x->aborted)
        return;
    x->conn->ops->abort(x);
    http_conn_mark(x->conn);
}
