/*
 * Front of a call: a client of the HTTP server.
 *
 * The exchange's user pointer is the call. The exchange lives until `closed`, which always comes and
 * ends the call. `/cdn-cgi/` belongs to the platform on every host.
 */
#include "role/gateway.h"

#include "core/clock.h"
#include "core/id.h"
#include "net/websocket_frame.h"
#include "product/messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct http_exchange *http_of(const struct call *c)
{
    return c->front_data;
}

static void http_front_head(struct call *c, const struct call_head *head)
{
    if ((head->flags & MSG_WEBSOCKET) != 0) {
        gateway_socket_open(c, head);
        return;
    }
    http_respond(http_of(c), head->status, head->headers, head->content_length, head->end);
}

static void http_front_data(struct call *c, struct slice bytes, bool end)
{
    http_send(http_of(c), bytes, end);
}

static size_t http_front_room(struct call *c)
{
    return http_send_room(http_of(c));
}

static void http_front_consumed(struct call *c, size_t n)
{
    http_consumed(http_of(c), n);
}

static void http_front_file(struct call *c, int fd, int64_t offset, int64_t length)
{
    c->bytes_out += (uint64_t)length;
    c->ended = true;
    http_send_file(http_of(c), fd, offset, length, true);
}

/* Codes of the pages, as clients of this kind of platform know them. */
static const struct {
    int status;
    int code;
    const char *title;
} error_pages[] = {
    {404, 0, "Not found"},
    {405, 0, "Method not allowed"},
    {421, 0, "Misdirected request"},
    {500, 1101, "The Worker threw an exception"},
    {502, 1105, "The Worker's process ended while it handled this request"},
    {503, 1102, "The Worker is over its limits"},
    {508, 1019, "Too many Workers call each other"},
};

static void http_front_fail(struct call *c, int status, struct slice text)
{
    if (c->head_sent) {
        http_abort(http_of(c));
        return;
    }
    AUTO(buf_done) struct buf body = {0};
    const char *title = http_reason(status);
    int code = 0;
    for (size_t i = 0; i < ARRAY_LEN(error_pages); i++)
        if (error_pages[i].status == status) {
            title = error_pages[i].title;
            code = error_pages[i].code;
        }
    if (code != 0)
        buf_printf(&body, "error code: %d\n", code);
    buf_printf(&body, "%s\n%.*s\nrequest id: %s\n", title, SLICE_ARG(text), c->request.id);
    c->bytes_out = buf_len(&body);
    http_answer(http_of(c), status,
                SLICE("content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"),
                buf_slice(&body));
}

static const struct front_ops http_front = {
    .head = http_front_head,
    .data = http_front_data,
    .room = http_front_room,
    .consumed = http_front_consumed,
    .fail = http_front_fail,
    .file = http_front_file,
    .is_client = true,
};

/* Fields that the platform sets itself: what a client sends under these names is dropped. */
static bool field_is_ours(struct slice name)
{
    static const char *const names[] = {"cf-connecting-ip",  "cf-ray",   "cf-visitor", "cf-worker",
                                        "x-forwarded-proto", "x-real-ip"};

    if (name.len < 6 || (name.ptr[0] != 'c' && name.ptr[0] != 'x'))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq(name, slice_of(names[i])))
            return true;
    return false;
}

/* The Worker's header block: the client's fields, Host, and what the platform knows of the client.
 * Fields are copied in runs between those that are dropped. */
static void request_headers(struct buf *out, const struct http_request *r, const char *id)
{
    struct slice rest = r->headers, name, value;
    const char *run = rest.ptr, *before = rest.ptr;

    while (http_header_next(&rest, &name, &value)) {
        if (field_is_ours(name)) {
            buf_append(out, run, (size_t)(before - run));
            run = rest.ptr;
        }
        before = rest.ptr;
    }
    if (r->headers.len != 0)
        buf_append(out, run, (size_t)(r->headers.ptr + r->headers.len - run));
    buf_append_slice(out, SLICE("host: "));
    buf_append_slice(out, r->authority);
    buf_append_slice(out, SLICE("\r\ncf-connecting-ip: "));
    buf_append_slice(out, r->remote_ip);
    buf_append_slice(out, SLICE("\r\ncf-ray: "));
    buf_append(out, id, strlen(id));
    buf_append_slice(out, r->tls ? SLICE("\r\nx-forwarded-proto: https\r\n")
                                 : SLICE("\r\nx-forwarded-proto: http\r\n"));
}

/* 16 hex digits: unique in the process by a counter, unguessable by its random start. */
static void request_id(char out[24])
{
    static uint64_t next, step;

    if (step == 0) {
        id_random(&next, sizeof(next));
        step = 0x9e3779b97f4a7c15u; /* odd: walks through all 2^64 values */
    }
    next += step;
    hex_encode(&next, sizeof(next), out);
}

static bool is_loopback(struct slice ip)
{
    return slice_starts(ip, SLICE("127.")) || slice_eq(ip, SLICE("::1"));
}

struct trigger {
    struct call *call; /* NULL once the client has gone */
};

static void trigger_done(void *arg, struct slice outcome)
{
    struct trigger *t = arg;

    if (t->call != NULL) {
        bool ok = slice_eq(outcome, SLICE("ok"));
        t->call->back_data = NULL;
        t->call->status = ok ? 200 : 500;
        t->call->ended = true;
        http_answer(http_of(t->call), ok ? 200 : 500, SLICE("content-type: text/plain\r\n"),
                    outcome);
    }
    mem_release(&t);
}

static void trigger_cancel(struct call *c, int reason UNUSED)
{
    struct trigger *t = c->back_data;

    if (t != NULL)
        t->call = NULL;
}

static void trigger_send(struct call *c UNUSED, struct slice bytes UNUSED, bool end UNUSED) {}

static size_t trigger_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void trigger_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static const struct back_ops trigger_back = {.send = trigger_send,
                                             .room = trigger_room,
                                             .consumed = trigger_consumed,
                                             .cancel = trigger_cancel};

/* The value of a query member, percent-decoded with '+' as blank. */
static void query_value(struct slice query, struct slice name, struct buf *out)
{
    while (query.ptr != NULL && query.len != 0) {
        struct slice pair = slice_cut(&query, '&');
        struct slice key = slice_cut(&pair, '=');
        if (!slice_eq(key, name))
            continue;
        for (size_t i = 0; i < pair.len; i++) {
            uint8_t byte;
            if (pair.ptr[i] == '%' && i + 2 < pair.len &&
                hex_decode(slice_from(pair.ptr + i + 1, 2), &byte, 1) == 0) {
                buf_append_char(out, (char)byte);
                i += 2;
            } else {
                buf_append_char(out, pair.ptr[i] == '+' ? ' ' : pair.ptr[i]);
            }
        }
        return;
    }
}

/* GET /cdn-cgi/handler/scheduled?cron=...&time=...: runs the scheduled() handler by hand, as local
 * tools of the field do. Only from this machine. */
static void platform_scheduled(struct call *c, struct worker *w, struct slice query)
{
    AUTO(buf_done) struct buf cron = {0}, time = {0};
    uint64_t ms = 0;

    if (!is_loopback(http_request_of(http_of(c))->remote_ip) || !worker_has_code(w)) {
        call_fail(c, 404, "Nothing is here.");
        return;
    }
    query_value(query, SLICE("cron"), &cron);
    query_value(query, SLICE("time"), &time);
    if (buf_len(&time) == 0 || slice_to_u64(buf_slice(&time), &ms) < 0)
        ms = (uint64_t)clock_wall_ms();

    struct trigger *t = mem_new(sizeof(*t));
    t->call = c;
    call_set_back(c, &trigger_back, t);
    gateway_scheduled(c->gateway, w, (int64_t)ms, buf_slice(&cron), trigger_done, t);
}

static void platform_trace(struct call *c, const struct http_request *r)
{
    AUTO(buf_done) struct buf body = {0};

    buf_printf(&body, "h=%.*s\nip=%.*s\nts=%lld\nhttp=%s\nray=%s\n", SLICE_ARG(r->authority),
               SLICE_ARG(r->remote_ip), (long long)(clock_wall_ms() / 1000),
               r->version == 20 ? "http/2" : "http/1.1", c->request.id);
    c->status = 200;
    c->ended = true;
    http_answer(http_of(c), 200, SLICE("content-type: text/plain\r\n"), buf_slice(&body));
}

static void platform_request(struct call *c, struct worker *w, const struct http_request *r)
{
    struct slice query = r->target;
    struct slice path = slice_cut(&query, '?');

    if (slice_eq(path, SLICE("/cdn-cgi/trace")))
        platform_trace(c, r);
    else if (slice_eq(path, SLICE("/cdn-cgi/handler/scheduled")) && w != NULL)
        platform_scheduled(c, w, query);
    else
        call_fail(c, 404, "Paths below /cdn-cgi/ belong to the platform.");
}

/* Everything the Worker gets, built in two buffers that all requests share. */
static void request_fill(struct call *c, const struct http_request *r)
{
    static struct buf url, headers;
    struct slice mode;

    buf_clear(&url);
    buf_clear(&headers);
    buf_append_slice(&url, r->tls ? SLICE("https://") : SLICE("http://"));
    buf_append_slice(&url, r->authority);
    buf_append_slice(&url, r->target.ptr[0] == '/' ? r->target : SLICE("/"));
    request_headers(&headers, r, c->request.id);
    c->request.method = r->method;
    c->request.url = buf_slice(&url);
    c->request.headers = buf_slice(&headers);
    c->request.cf = gateway_cf(c->gateway, r);
    c->request.path = r->target;
    c->request.content_length = r->content_length;
    c->request.has_body = r->has_body;
    c->request.upgrade = r->upgrade.len != 0;
    c->request.navigate = http_header_get(r->headers, SLICE("sec-fetch-mode"), &mode) &&
                          slice_eq(mode, SLICE("navigate"));
}

/* Something else than a good WebSocket handshake is answered here. */
static bool upgrade_ok(struct call *c, const struct http_request *r)
{
    AUTO(buf_done) struct buf ignored = {0};

    if (!slice_eq(r->upgrade, SLICE("websocket"))) {
        call_fail(c, 426, "Protocol upgrades to %.*s are not offered here.", SLICE_ARG(r->upgrade));
        return false;
    }
    int n = websocket_accept(r, &ignored);
    if (n == -EOPNOTSUPP) {
        c->status = 426;
        c->ended = true;
        http_answer(http_of(c), 426, SLICE("sec-websocket-version: 13\r\n"), SLICE_NONE);
    } else if (n < 0) {
        call_fail(c, 400, "This is no WebSocket handshake.");
    }
    return n == 0;
}

static void http_request(struct http_exchange *x, void *arg)
{
    struct gateway *g = arg;
    const struct http_request *r = http_request_of(x);
    struct call *c = call_create(g, &http_front, x);

    http_exchange_set_user(x, c);
    request_id(c->request.id);

    struct slice path = r->target;
    path = slice_cut(&path, '?');
    struct worker *w = table_route(g->table, r->authority, r->target);
    const char *bucket = w == NULL ? table_bucket(g->table, r->authority) : NULL;
    if (slice_starts(path, SLICE("/cdn-cgi/"))) {
        platform_request(c, w, r);
    } else if (w == NULL && bucket != NULL) {
        request_fill(c, r);
        bucket_start(c, bucket);
    } else if (w == NULL) {
        call_fail(c, 404, "No Worker answers at %.*s%.*s.", SLICE_ARG(r->authority),
                  SLICE_ARG(path));
    } else if (r->upgrade.len == 0 || upgrade_ok(c, r)) {
        request_fill(c, r);
        call_dispatch(c, w);
    }
}

static void http_body(struct http_exchange *x, struct slice bytes, bool end)
{
    struct call *c = http_exchange_user(x);

    if (gateway_socket_is(c))
        gateway_socket_input(c, bytes, end);
    else
        call_request_data(c, bytes, end);
}

static void http_writable(struct http_exchange *x)
{
    call_front_writable(http_exchange_user(x));
}

static void http_closed(struct http_exchange *x, int reason)
{
    struct call *c = http_exchange_user(x);

    if (c->gateway->access != NULL)
        access_log_write(c->gateway->access, c, http_request_of(x));
    if (gateway_socket_is(c))
        gateway_socket_free(c);
    call_destroy(c, reason < 0 ? reason : -ECANCELED);
}

const struct http_server_events gateway_http_events = {
    .request = http_request,
    .body = http_body,
    .writable = http_writable,
    .closed = http_closed,
};
