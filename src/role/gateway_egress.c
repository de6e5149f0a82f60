/*
 * Back of a call: the world, through the one outbound client and its policy.
 */
#include "role/gateway.h"

#include "product/messages.h"

static struct http_fetch *fetch_of(const struct call *c)
{
    return c->back_data;
}

static void egress_head(struct http_fetch *f, int status, struct slice headers)
{
    struct call *c = http_fetch_user(f);
    struct slice length;
    uint64_t n;
    struct call_head head = {.status = status, .headers = headers, .content_length = -1};

    if (http_header_get(headers, SLICE("content-length"), &length) && slice_to_u64(length, &n) == 0)
        head.content_length = (int64_t)n;
    call_respond(c, &head);
}

static void egress_body(struct http_fetch *f, struct slice bytes)
{
    call_response_data(http_fetch_user(f), bytes, false);
}

static void egress_done(struct http_fetch *f, int r, const struct err *err)
{
    struct call *c = http_fetch_user(f);

    call_back_done(c);
    if (r >= 0)
        call_response_data(c, SLICE_NONE, true);
    else
        call_fail(c, r == -ETIMEDOUT ? 504 : 502, "%s", err->text);
}

static void egress_writable(struct http_fetch *f)
{
    call_back_writable(http_fetch_user(f));
}

static const struct http_fetch_events egress_events = {egress_head, egress_body, egress_done,
                                                       egress_writable};

static void egress_send(struct call *c, struct slice bytes, bool end)
{
    http_fetch_send(fetch_of(c), bytes, end);
}

static size_t egress_room(struct call *c)
{
    return http_fetch_room(fetch_of(c));
}

static void egress_consumed(struct call *c, size_t n)
{
    http_fetch_consumed(fetch_of(c), n);
}

static void egress_cancel(struct call *c, int reason UNUSED)
{
    http_fetch_cancel(fetch_of(c));
}

static const struct back_ops egress_back = {
    .send = egress_send, .room = egress_room, .consumed = egress_consumed, .cancel = egress_cancel};

void egress_start(struct call *c)
{
    if (c->gateway->client == NULL) {
        call_fail(c, 503, "Outgoing requests are off.");
        return;
    }
    if (c->request.upgrade) {
        egress_socket_start(c);
        return;
    }
    struct http_fetch_request request = {
        .method = c->request.method,
        .url = c->request.url,
        .headers = c->request.headers,
        .has_body = c->request.has_body,
        .content_length = c->request.content_length,
        .user = c,
    };
    struct http_fetch *f = http_fetch_start(c->gateway->client, &egress_events, &request);
    call_set_back(c, &egress_back, f);
}
