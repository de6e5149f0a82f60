/*
 * Listeners, the end of a round, and the calls of http_server.h. How a connection lives is in
 * http_conn.c.
 */
#include "net/http_conn.h"

#include "core/clock.h"

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
    BODY_MAX_DEFAULT = 0,  /* none */
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

/* --- listeners --- */

static void http_listeners_watch(struct http_server *server, uint32_t events)
{
    server->accept_paused = events == 0;
    LIST_FOR (l, &server->listeners)
        watch_change(&LIST_ENTRY(l, struct http_listener, link)->watch, events);
}

void http_server_resume_accept(struct http_server *server)
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
        http_conn_create(server, fd, listener->tls, &address);
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

static void http_listener_close(struct http_listener *listener)
{
    int fd = listener->watch.fd;

    list_remove(&listener->link);
    watch_stop(&listener->watch);
    fd_release(&fd);
    free(listener);
}

void http_server_unlisten(struct http_server *server, int fd)
{
    LIST_FOR_SAFE (l, &server->listeners) {
        struct http_listener *listener = LIST_ENTRY(l, struct http_listener, link);
        if (listener->watch.fd == fd)
            http_listener_close(listener);
    }
}

static void http_listeners_close(struct http_server *server)
{
    while (!list_empty(&server->listeners))
        http_listener_close(LIST_ENTRY(server->listeners.next, struct http_listener, link));
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
