/*
 * HTTP/1.1, reading side: from bytes to exchanges.
 *
 *            +------------- HEAD <--------------+
 *            | length   | chunked  | Upgrade    | body complete, or answered without a switch
 *            v          v          v            |
 *          LENGTH     CHUNKS     HOLD ----------+
 *            |          |          | http_switch()
 *            +-----+----+          v
 *   last request  v              RAW
 *              NO_MORE
 *
 * Requests are read ahead while earlier ones are answered; answers go out in order (http1_write.c).
 */
#include "net/http1_parse.h"
#include "net/http_conn.h"

#include <errno.h>

enum {
    HTTP1_AHEAD_MAX = 32,           /* exchanges per connection at once */
    HTTP1_DISCARD_MAX = 1024 * 1024 /* of a body that nobody wants, before the connection closes */
};

void http1_start(struct http_conn *c)
{
    c->ops = &http1_ops;
    c->started = true;
}

static bool http1_may_read(struct http_conn *c)
{
    const struct http_exchange *x = c->h1.reading;

    switch (c->h1.state) {
    case HTTP1_HEAD:
        return c->n_exchanges < HTTP1_AHEAD_MAX && buf_len(&c->out) < HTTP_SEND_HIGH;
    case HTTP1_LENGTH:
    case HTTP1_CHUNKS:
    case HTTP1_RAW:
        return x == NULL || x->window_used < HTTP_WINDOW;
    case HTTP1_HOLD:
        return false;
    case HTTP1_NO_MORE:
        return true;
    }
    return true;
}

static void http1_fill_request(struct http_exchange *x, const struct http1_head *head)
{
    struct http_conn *c = x->conn;

    x->request = (struct http_request){
        .method = head->method,
        .target = head->target,
        .authority = head->authority,
        .headers = head->headers,
        .remote_ip = slice_of(c->remote_ip),
        .remote_port = c->remote_port,
        .tls = c->io.ssl != NULL,
        .tls_version = transport_tls_version(&c->io),
        .tls_cipher = transport_tls_cipher(&c->io),
        .version = head->version,
        .has_body = head->chunked || head->content_length > 0,
        .content_length = head->chunked ? -1 : MAX(head->content_length, (int64_t)0),
        .upgrade = head->upgrade,
    };
    x->close_after = !head->keep_alive;
    x->expects = head->expect_continue && x->request.has_body;
}

static void http1_body_ends(struct http_conn *c)
{
    c->h1.reading = NULL;
    c->h1.state = c->h1.last ? HTTP1_NO_MORE : HTTP1_HEAD;
}

/* Chooses what comes after the head, before the owner hears of the request. */
static void http1_expect_body(struct http_exchange *x, const struct http1_head *head)
{
    struct http1_side *h1 = &x->conn->h1;

    h1->last = !head->keep_alive;
    h1->peer_last = h1->last;
    h1->discarded = 0;
    h1->reading = x;
    if (head->chunked) {
        h1->state = HTTP1_CHUNKS;
        http1_chunked_done(&h1->chunks);
        h1->chunks = (struct http1_chunked){0};
    } else if (head->content_length > 0) {
        h1->state = HTTP1_LENGTH;
        h1->body_left = (uint64_t)head->content_length;
    } else if (head->upgrade.len > 0) {
        h1->state = HTTP1_HOLD;
    } else {
        http1_body_ends(x->conn);
    }
}

static int http1_take_head(struct http_conn *c, struct slice text)
{
    struct http_exchange *x = http_exchange_new(c);
    struct http1_head head;

    x->arena.limit = 4 * c->server->limits.head_max;
    int r = http1_head_parse(text, &x->arena, &head);
    if (r == 0 && c->server->limits.body_max > 0 &&
        head.content_length > (int64_t)c->server->limits.body_max) {
        head.status = 413;
        r = -E2BIG;
    }
    if (r < 0) {
        http_exchange_end(x, r);
        http1_refuse(c, head.status);
        return 1;
    }
    http1_fill_request(x, &head);
    http1_place(x);
    http1_expect_body(x, &head);
    c->progress = true;
    http_exchange_announce(x);
    return 1;
}

/* The steps below: 1 went on, 0 needs more bytes, negative broken. */
static int http1_input_head(struct http_conn *c, struct slice *in)
{
    size_t head_max = c->server->limits.head_max;
    ssize_t n = http1_head_end(*in, &c->h1.head_at);

    if (n == 0 && in->len < head_max)
        return 0;
    if (n < 0) {
        http1_refuse(c, 400);
        return 1;
    }
    if (n == 0 || (size_t)n > head_max) {
        struct slice looked_at = {in->ptr, MIN(in->len, head_max)};
        http1_refuse(c, slice_find(looked_at, '\n') < 0 ? 414 : 431);
        return 1;
    }
    struct slice text = {in->ptr, (size_t)n};
    c->h1.head_at = 0;
    *in = slice_skip(*in, (size_t)n);
    return http1_take_head(c, text);
}

/* The body cannot be read to its end: what was announced is over. When nothing was answered yet, the
 * client hears why. */
static void http1_fail_body(struct http_conn *c, int status, int reason)
{
    struct http_exchange *x = c->h1.reading;

    if (x == NULL || x->responded) {
        http_conn_break(c, reason);
        return;
    }
    c->h1.reading = NULL;
    http_exchange_end(x, reason);
    http1_refuse(c, status);
}

/* Body bytes for the owner, or for nobody. */
static int http1_give(struct http_conn *c, struct slice bytes, bool end)
{
    struct http_exchange *x = c->h1.reading;
    uint64_t max = c->server->limits.body_max;

    if (x == NULL) {
        c->h1.discarded += bytes.len;
        c->progress = true;
        if (end)
            http1_body_ends(c);
        if (c->h1.discarded > HTTP1_DISCARD_MAX) {
            c->h1.state = HTTP1_NO_MORE;
            c->closing = true;
        }
        return 1;
    }
    if (max > 0 && x->received + bytes.len > max) {
        http1_fail_body(c, 413, -EBADMSG);
        return 1;
    }
    if (end)
        http1_body_ends(c);
    http_exchange_deliver(x, bytes, end);
    return 1;
}

static int http1_input_length(struct http_conn *c, struct slice *in)
{
    struct slice bytes = {in->ptr, MIN(in->len, c->h1.body_left)};

    *in = slice_skip(*in, bytes.len);
    c->h1.body_left -= bytes.len;
    return http1_give(c, bytes, c->h1.body_left == 0);
}

static int http1_input_chunks(struct http_conn *c, struct slice *in)
{
    struct slice bytes = SLICE_NONE;
    int r = http1_chunked_next(&c->h1.chunks, in, &bytes);

    switch (r) {
    case HTTP1_CHUNKED_MORE:
        return 0;
    case HTTP1_CHUNKED_DATA:
        return http1_give(c, bytes, false);
    case HTTP1_CHUNKED_END:
        return http1_give(c, SLICE_NONE, true);
    default:
        http1_fail_body(c, r == -E2BIG ? 431 : 400, -EBADMSG);
        return 1;
    }
}

static int http1_input_raw(struct http_conn *c, struct slice *in)
{
    struct slice bytes = *in;

    *in = SLICE_NONE;
    if (c->h1.reading != NULL)
        http_exchange_deliver(c->h1.reading, bytes, false);
    return 1;
}

static int http1_input_step(struct http_conn *c, struct slice *in)
{
    switch (c->h1.state) {
    case HTTP1_HEAD:
        return http1_input_head(c, in);
    case HTTP1_LENGTH:
        return http1_input_length(c, in);
    case HTTP1_CHUNKS:
        return http1_input_chunks(c, in);
    case HTTP1_RAW:
        return http1_input_raw(c, in);
    case HTTP1_HOLD:
        return 0;
    case HTTP1_NO_MORE:
        *in = SLICE_NONE;
        c->peer_is_done = false;
        return 0;
    }
    return 0;
}

static int http1_input(struct http_conn *c, struct slice *in)
{
    int r = 1;

    while (r > 0 && in->len > 0 && c->broken == 0 && http1_may_read(c))
        r = http1_input_step(c, in);
    return MIN(r, 0);
}

static void http1_end(struct http_conn *c)
{
    if (c->h1.state == HTTP1_RAW && c->h1.reading != NULL)
        http_exchange_deliver(c->h1.reading, SLICE_NONE, true);
}

static void http1_close_after(struct http_conn *c, const struct http_exchange *x)
{
    c->closing = true;
    c->h1.last = true;
    if (c->h1.state == HTTP1_HEAD)
        c->h1.state = HTTP1_NO_MORE;
    /* Who asked for the end itself sends nothing more: no need to wait for it. */
    c->peer_is_done = c->h1.peer_last && x->request_done && buf_len(&c->in) == 0;
    if (c->n_exchanges > 0)
        http_conn_break(c, -EPIPE); /* read ahead, and now without a way to answer */
}

/* The exchange is gone; whatever it kept from going on no longer does. */
static void http1_left(struct http_exchange *x)
{
    struct http_conn *c = x->conn;
    bool last_of_drain = c->server->draining && c->n_exchanges == 0;

    if (c->dead)
        return;
    if (c->h1.reading == x) {
        c->h1.reading = NULL;
        if (c->h1.state == HTTP1_HOLD || c->h1.state == HTTP1_RAW)
            http1_body_ends(c);
    }
    if (x->close_after || x->switched || last_of_drain)
        http1_close_after(c, x);
}

static enum http_wait http1_wait(struct http_conn *c)
{
    const struct http_exchange *x = c->h1.reading;
    bool in_body = c->h1.state == HTTP1_LENGTH || c->h1.state == HTTP1_CHUNKS;

    if (c->blocked)
        return HTTP_WAIT_WRITE;
    if (in_body && (x == NULL || (x->window_used < HTTP_WINDOW && !x->expects)))
        return HTTP_WAIT_BODY;
    if (c->n_exchanges > 0)
        return HTTP_WAIT_OWNER;
    return buf_len(&c->in) > 0 ? HTTP_WAIT_HEAD : HTTP_WAIT_IDLE;
}

static void http1_expired(struct http_conn *c)
{
    switch (c->wait) {
    case HTTP_WAIT_HEAD:
        http1_refuse(c, 408);
        break;
    case HTTP_WAIT_BODY:
        http1_fail_body(c, 408, -ETIMEDOUT);
        break;
    default:
        http_conn_break(c, -ETIMEDOUT);
    }
}

static void http1_drain(struct http_conn *c)
{
    bool is_idle = c->n_exchanges == 0 && buf_len(&c->in) == 0 && buf_len(&c->out) == 0;

    if (is_idle && c->h1.state == HTTP1_HEAD) {
        c->closing = true;
        c->h1.state = HTTP1_NO_MORE;
        c->h1.last = true;
    }
}

static void http1_finish(struct http_conn *c)
{
    http1_chunked_done(&c->h1.chunks);
}

/* The owner wants the body: a client that waits for the word gets it. */
static void http1_consumed(struct http_exchange *x, UNUSED size_t n)
{
    if (x->expects && !x->responded) {
        x->expects = false;
        http1_put(x, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    http_conn_mark(x->conn);
}

static void http1_abort(struct http_exchange *x)
{
    x->aborted = true;
    http_conn_break(x->conn, -ECANCELED);
}

const struct http_conn_ops http1_ops = {
    .input = http1_input,
    .may_read = http1_may_read,
    .end = http1_end,
    .flush = http1_flush,
    .wait = http1_wait,
    .expired = http1_expired,
    .drain = http1_drain,
    .left = http1_left,
    .finish = http1_finish,
    .respond = http1_respond,
    .send = http1_send,
    .send_file = http1_send_file,
    .consumed = http1_consumed,
    .abort = http1_abort,
};
