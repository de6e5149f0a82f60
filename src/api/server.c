#include "api/server.h"

#include "api/call.h"
#include "api/dispatch.h"
#include "core/file.h"
#include "core/work.h"
#include "net/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct api_server {
    struct api *api;
    struct http_server *http;
    api_take_fn take;
    void *arg;
    unsigned n_running; /* handlers on the pool */
    bool http_drained;
    void (*drained)(void *arg);
    void *drained_arg;
};

/* One exchange. It lives until the exchange is closed and its handler is done. */
struct api_exchange {
    struct api_server *server;
    struct http_exchange *x; /* NULL after `closed` */
    struct api_taker *taker; /* somebody else's exchange */
    struct api_request req;
    struct work work;
    struct api_sink sink;
    size_t unconsumed; /* bytes of the stream that wait for room */
    bool running, refused;
};

static void server_free(struct api_exchange *e)
{
    /* At once, so that no byte of it comes to a sink that is gone. */
    if (e->req.answer.stream != NULL)
        api_stream_close(TAKE(e->req.answer.stream));
    api_request_done(&e->req);
    free(e);
}

static void server_check_drained(struct api_server *server)
{
    if (server->drained != NULL && server->http_drained && server->n_running == 0)
        server->drained(server->drained_arg);
}

/* --- answers --- */

static void server_headers(struct api_exchange *e, struct buf *out)
{
    struct api_answer *answer = &e->req.answer;
    if (answer->kind == API_ANSWER_JSON)
        http_header_add(out, SLICE("content-type"), SLICE("application/json"));
    http_header_add(out, SLICE("cf-ray"), slice_of(e->req.id));
    buf_append_slice(out, buf_slice(&answer->headers));
}

static void server_on_stream(struct api_sink *sink, struct slice bytes, bool end, int reason)
{
    struct api_exchange *e = CONTAINER_OF(sink, struct api_exchange, sink);
    if (e->x == NULL)
        return;
    if (reason < 0) {
        http_abort(e->x); /* cut short, so that the client does not take it for whole */
        return;
    }
    http_send(e->x, bytes, end);
    e->unconsumed += bytes.len;
    if (http_send_room(e->x) > 0) {
        api_stream_consumed(e->req.answer.stream, e->unconsumed);
        e->unconsumed = 0;
    }
}

static void server_answer(struct api_exchange *e)
{
    struct api_answer *answer = &e->req.answer;
    AUTO(buf_done) struct buf headers = {0};
    server_headers(e, &headers);
    if (answer->kind == API_ANSWER_FILE) {
        http_respond(e->x, answer->status, buf_slice(&headers), answer->stream_length, false);
        http_send_file(e->x, TAKE_FD(answer->file), answer->file_offset, answer->stream_length,
                       true);
        return;
    }
    if (answer->kind == API_ANSWER_STREAM) {
        http_respond(e->x, answer->status, buf_slice(&headers), answer->stream_length, false);
        e->sink.data = server_on_stream;
        api_stream_start(answer->stream, &e->sink);
        return;
    }
    if (answer->kind == API_ANSWER_RAW && answer->stream_length > 0) {
        http_respond(e->x, answer->status, buf_slice(&headers), answer->stream_length, true);
        return;
    }
    if (answer->kind == API_ANSWER_JSON)
        api_envelope(answer, &answer->body);
    http_answer(e->x, answer->status, buf_slice(&headers), buf_slice(&answer->body));
}

/* --- handlers --- */

static void server_work_run(struct work *work)
{
    api_run(&CONTAINER_OF(work, struct api_exchange, work)->req);
}

static void server_work_done(struct work *work)
{
    struct api_exchange *e = CONTAINER_OF(work, struct api_exchange, work);
    struct api_server *server = e->server;
    e->running = false;
    server->n_running--;
    if (e->x == NULL)
        server_free(e);
    else
        server_answer(e);
    server_check_drained(server);
}

static void server_start(struct api_exchange *e)
{
    e->running = true;
    e->server->n_running++;
    e->work = (struct work){.run = server_work_run, .done = server_work_done};
    work_start(e->server->api->pool, &e->work);
}

static void server_refuse(struct api_exchange *e, int status, int code, const char *text)
{
    e->refused = true;
    api_refuse(&e->req, status, code, text);
    server_answer(e);
}

/* --- bodies --- */

static uint64_t server_body_max(const struct api_exchange *e)
{
    uint64_t max = e->req.route->body_max;
    return max == 0 ? API_BODY_DEFAULT : max;
}

static int server_spool(struct api_exchange *e, struct slice bytes)
{
    struct api_request *req = &e->req;
    if (req->body_fd < 0) {
        req->body_fd = open(req->api->spool_path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (req->body_fd < 0)
            return -errno;
        int r = file_write_all(req->body_fd, buf_slice(&req->body));
        buf_done(&req->body);
        if (r < 0)
            return r;
    }
    return file_write_all(req->body_fd, bytes);
}

static void server_take_body(struct api_exchange *e, struct slice bytes)
{
    struct api_request *req = &e->req;
    req->body_size += bytes.len;
    if (req->body_size > server_body_max(e)) {
        server_refuse(e, 413, API_ERR_TOO_LARGE, "The request body is too large.");
        return;
    }
    if (req->body_fd < 0 && req->body_size <= API_MEMORY_BODY_MAX) {
        buf_append_slice(&req->body, bytes);
        return;
    }
    if (server_spool(e, bytes) < 0)
        server_refuse(e, 507, API_ERR_INTERNAL, "The request body cannot be stored.");
}

static void server_on_body(struct http_exchange *x, struct slice bytes, bool end)
{
    struct api_exchange *e = http_exchange_user(x);
    if (e->taker != NULL) {
        e->taker->body(e->taker, bytes, end);
        return;
    }
    if (!e->refused && bytes.len > 0)
        server_take_body(e, bytes);
    http_consumed(x, bytes.len);
    if (end && !e->refused)
        server_start(e);
}

/* --- exchanges --- */

static void server_fill(struct api_request *req, const struct http_request *h)
{
    req->method = h->method;
    req->target = h->target;
    req->headers = h->headers;
    req->authority = h->authority;
    req->remote_ip = h->remote_ip;
    req->tls = h->tls;
    req->has_body = h->has_body;
    req->content_length = h->content_length;
}

/* The handler may outlive the exchange, so what it reads is copied. */
static int server_copy(struct api_request *req, const struct http_request *h)
{
    struct slice *fields[] = {&req->method, &req->target, &req->headers, &req->authority,
                              &req->remote_ip};
    server_fill(req, h);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        int r = arena_copy(&req->arena, fields[i]->ptr, fields[i]->len, fields[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static void server_on_request(struct http_exchange *x, void *arg)
{
    struct api_server *server = arg;
    const struct http_request *h = http_request_of(x);
    struct api_exchange *e = mem_new(sizeof(*e));
    e->server = server;
    e->x = x;
    api_request_init(&e->req, server->api);
    http_exchange_set_user(x, e);
    e->taker = server->take(server->arg, x);
    if (e->taker != NULL)
        return;

    if (server_copy(&e->req, h) < 0) {
        server_refuse(e, 500, API_ERR_INTERNAL, "no memory");
    } else if (!api_begin(&e->req)) {
        e->refused = true;
        server_answer(e);
    } else if (h->content_length > 0 && (uint64_t)h->content_length > server_body_max(e)) {
        server_refuse(e, 413, API_ERR_TOO_LARGE, "The request body is too large.");
    } else if (!h->has_body) {
        server_start(e);
    } else {
        http_consumed(x, 0); /* lets a client that waits for 100-continue go on */
    }
}

static void server_on_writable(struct http_exchange *x)
{
    struct api_exchange *e = http_exchange_user(x);
    if (e->taker != NULL) {
        e->taker->writable(e->taker);
        return;
    }
    if (e->unconsumed > 0 && e->req.answer.stream != NULL) {
        api_stream_consumed(e->req.answer.stream, e->unconsumed);
        e->unconsumed = 0;
    }
}

static void server_on_closed(struct http_exchange *x, int reason)
{
    struct api_exchange *e = http_exchange_user(x);
    e->x = NULL;
    if (e->taker != NULL)
        e->taker->closed(e->taker, reason);
    if (e->running)
        api_client_gone(&e->req);
    else
        server_free(e);
}

static const struct http_server_events server_events = {
    .request = server_on_request,
    .body = server_on_body,
    .writable = server_on_writable,
    .closed = server_on_closed,
};

/* --- the server --- */

struct api_server *api_server_create(struct api *api, api_take_fn take, void *arg)
{
    struct api_server *server = mem_new(sizeof(*server));
    server->api = api;
    server->take = take;
    server->arg = arg;
    struct http_server_options options = {
        .loop = api->loop, .events = &server_events, .arg = server};
    server->http = http_server_create(&options);
    return server;
}

int api_server_listen(struct api_server *server, int fd)
{
    return http_server_listen(server->http, fd, NULL);
}

static void server_on_drained(void *arg)
{
    struct api_server *server = arg;
    server->http_drained = true;
    server_check_drained(server);
}

void api_server_drain(struct api_server *server, void (*drained)(void *arg), void *arg)
{
    server->drained = drained;
    server->drained_arg = arg;
    http_server_drain(server->http, server_on_drained, server);
}

void api_server_destroy(struct api_server *server)
{
    if (server == NULL)
        return;
    http_server_destroy(server->http);
    free(server);
}
