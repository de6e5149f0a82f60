/*
 *     CONNECTING --> HEAD --101--> OPEN  --closing handshake--> done
 *                      |
 *                      +--other--> BODY --its end--> done
 */
#include "net/websocket_client.h"

#include "core/base64.h"
#include "core/id.h"
#include "net/http1_chunked.h"
#include "net/http1_parse.h"
#include "net/http_token.h"
#include "net/raw_connection.h"
#include "net/url.h"

#include <errno.h>
#include <stdlib.h>

enum {
    CLIENT_WINDOW = 256 * 1024, /* bytes that the owner may hold */
    CLIENT_URL_ARENA = 64 * 1024 + 8 * HTTP_TARGET_MAX,
    CLIENT_KEY_BYTES = 16,
    CLIENT_TICK_US = 15 * 1000 * 1000,
    CLIENT_IDLE_US = 60 * 1000 * 1000,
    CLIENT_ANSWER_US = 30 * 1000 * 1000 /* for a pong, and for the server's close frame */
};

enum websocket_client_state {
    CLIENT_CONNECTING,
    CLIENT_HEAD,
    CLIENT_OPEN,
    CLIENT_BODY,
    CLIENT_DONE
};

struct websocket_client {
    struct loop *loop;
    const struct websocket_client_events *events;
    void *user;
    enum websocket_client_state state;
    struct raw_connection *raw; /* NULL once it is gone */
    struct buf request;         /* until connected */
    struct buf in;              /* an incomplete head */
    size_t head_at;
    char accept[WEBSOCKET_ACCEPT_SIZE];
    size_t held;
    int64_t body_left; /* -1: until the end of the connection */
    bool chunked, body_over, pinged;
    struct http1_chunked chunks;
    struct websocket_session session;
    struct timer timer;
    int64_t heard_us, closing_us;
};

static void client_free(struct websocket_client *w)
{
    timer_stop(&w->timer);
    if (w->raw != NULL)
        raw_finish(TAKE(w->raw));
    websocket_session_done(&w->session);
    http1_chunked_done(&w->chunks);
    buf_done(&w->request);
    buf_done(&w->in);
    free(w);
}

static void client_done(struct websocket_client *w, int r, const struct err *err)
{
    w->state = CLIENT_DONE;
    w->events->done(w, r, err);
    client_free(w);
}

static int client_fail(struct err *err, const char *why)
{
    return err_set(err, -EBADMSG, 0, "Failed to establish the WebSocket connection: %s", why);
}

/* --- the request --- */

/* The handshake's own fields, and those that frame a message. */
static bool client_field_is_ours(struct slice name)
{
    static const char *const names[] = {"host",
                                        "sec-websocket-key",
                                        "sec-websocket-version",
                                        "sec-websocket-accept",
                                        "sec-websocket-extensions",
                                        "content-length"};

    if (http_field_is_framing(name))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq(name, slice_of(names[i])))
            return true;
    return false;
}

static void client_put_request(struct websocket_client *w, const struct url *u,
                               struct slice headers)
{
    AUTO(buf_done) struct buf key = {0};
    struct buf *out = &w->request;
    struct slice name, value;
    char random[CLIENT_KEY_BYTES];

    id_random(random, sizeof(random));
    base64_encode(&key, slice_from(random, sizeof(random)), BASE64_STANDARD);
    websocket_accept_key(buf_slice(&key), w->accept);
    buf_printf(out, "GET %.*s%.*s HTTP/1.1\r\nhost: %.*s\r\n", SLICE_ARG(url_pathname(u)),
               SLICE_ARG(url_search(u)), SLICE_ARG(url_host(u)));
    buf_printf(out,
               "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
               "sec-websocket-key: %.*s\r\nsec-websocket-extensions: " WEBSOCKET_DEFLATE_OFFER
               "\r\n",
               SLICE_ARG(buf_slice(&key)));
    while (http_header_next(&headers, &name, &value))
        if (!client_field_is_ours(name))
            http_header_add(out, name, value);
    buf_append_slice(out, SLICE("\r\n"));
}

/* --- the answer --- */

struct client_answer {
    int status;
    bool upgrade, connection, accepted, chunked;
    int64_t length;
};

static void client_read_field(struct websocket_client *w, struct slice name, struct slice value,
                              struct client_answer *a)
{
    struct slice list = value, member;
    uint64_t n;

    switch (http_field_of(name)) {
    case HTTP_FIELD_UPGRADE:
        a->upgrade = slice_eq_nocase(value, SLICE("websocket"));
        break;
    case HTTP_FIELD_CONNECTION:
        while (http_list_next(&list, &member))
            a->connection = a->connection || slice_eq_nocase(member, SLICE("upgrade"));
        break;
    case HTTP_FIELD_TRANSFER_ENCODING:
        a->chunked = slice_eq_nocase(value, SLICE("chunked"));
        break;
    case HTTP_FIELD_CONTENT_LENGTH:
        if (slice_to_u64(value, &n) == 0 && n <= INT64_MAX)
            a->length = (int64_t)n;
        break;
    default:
        if (slice_eq(name, SLICE("sec-websocket-accept")))
            a->accepted = slice_eq(value, slice_of(w->accept));
    }
}

/* "HTTP/1.1 101 reason" */
static int client_read_status(struct slice line, int *ret)
{
    struct slice rest = line, version = slice_cut(&rest, ' '), code = slice_cut(&rest, ' ');
    uint64_t status;

    if (!slice_starts(version, SLICE("HTTP/1.")) || code.len != 3 ||
        slice_to_u64(code, &status) < 0 || status < 100 || status > 599)
        return -EBADMSG;
    *ret = (int)status;
    return 0;
}

static int client_read_head(struct websocket_client *w, struct slice head,
                            struct client_answer *ret, struct buf *ret_block)
{
    unsigned n_fields = 0;
    struct slice line = slice_trim(slice_cut(&head, '\n'));

    *ret = (struct client_answer){.length = -1};
    if (client_read_status(line, &ret->status) < 0)
        return -EBADMSG;
    while (head.len > 0) {
        struct slice name, value, field;
        line = slice_cut(&head, '\n');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            return 0;
        char *at = buf_reserve(ret_block, line.len + 4);
        ssize_t n = http1_field_parse(line, at);
        if (n < 0 || ++n_fields > HTTP_FIELDS_MAX)
            return -EBADMSG;
        field = slice_from(at, (size_t)n);
        if (!http_header_next(&field, &name, &value))
            return -EBADMSG;
        client_read_field(w, name, value, ret);
        if (!http_field_is_framing(name))
            buf_added(ret_block, (size_t)n);
    }
    return -EBADMSG;
}

static void session_message(void *arg, const struct websocket_message *m)
{
    struct websocket_client *w = arg;

    w->events->message(w, m);
}

static void session_send(void *arg, struct slice bytes)
{
    struct websocket_client *w = arg;

    if (w->raw != NULL)
        raw_send(w->raw, bytes);
}

static void session_failed(void *arg, int code, struct slice why)
{
    struct websocket_client *w = arg;

    w->events->failed(w, code, why);
}

static const struct websocket_session_events client_session = {session_message, session_send,
                                                               session_failed};

static void client_tick(struct timer *t);

static int client_switch(struct websocket_client *w, const struct client_answer *a,
                         struct slice headers, struct err *err)
{
    struct websocket_deflate_terms terms;

    if (!a->upgrade || !a->connection || !a->accepted)
        return client_fail(err, "the server's answer is no WebSocket handshake.");
    if (websocket_deflate_agreed(headers, &terms) < 0)
        return client_fail(err, "the server chose an extension that was not offered.");
    websocket_session_init(&w->session, &client_session, w, true);
    websocket_session_compress(&w->session, &terms);
    w->state = CLIENT_OPEN;
    timer_start(w->loop, &w->timer, CLIENT_TICK_US, client_tick);
    return 0;
}

/* 1: a head was taken; 0: more is needed; negative: broken. */
static int client_take_head(struct websocket_client *w, struct slice *in, struct err *err)
{
    AUTO(buf_done) struct buf block = {0};
    struct client_answer a;

    buf_append_slice(&w->in, *in);
    *in = SLICE_NONE;
    ssize_t n = http1_head_end(buf_slice(&w->in), &w->head_at);
    if (n < 0 || (n == 0 && buf_len(&w->in) > HTTP_HEAD_MAX))
        return client_fail(err, "the server's answer is malformed or too large.");
    if (n == 0)
        return 0;
    int r = client_read_head(w, slice_from(buf_slice(&w->in).ptr, (size_t)n), &a, &block);
    if (r < 0)
        return client_fail(err, "the server's answer is malformed or too large.");
    buf_consume(&w->in, (size_t)n);
    w->head_at = 0;
    if (a.status < 200 && a.status != 101)
        return 1; /* an interim one: the next follows */
    if (a.status == 101) {
        r = client_switch(w, &a, buf_slice(&block), err);
        if (r < 0)
            return r;
    } else {
        w->state = CLIENT_BODY;
        w->chunked = a.chunked;
        w->body_left = a.chunked ? -1 : a.length;
        w->body_over = http_bodiless(SLICE("GET"), a.status) || w->body_left == 0;
    }
    w->events->head(w, a.status, buf_slice(&block), a.status == 101);
    return 1;
}

static int client_take_body(struct websocket_client *w, struct slice *in, struct err *err)
{
    struct slice bytes = *in;

    if (w->body_over || in->len == 0)
        return 0;
    if (w->chunked) {
        int r = http1_chunked_next(&w->chunks, in, &bytes);
        if (r < 0)
            return client_fail(err, "the body of the answer is malformed.");
        w->body_over = r == HTTP1_CHUNKED_END;
        if (r == HTTP1_CHUNKED_DATA)
            w->events->body(w, bytes);
        return r == HTTP1_CHUNKED_DATA;
    }
    if (w->body_left >= 0) {
        bytes.len = MIN(bytes.len, (size_t)w->body_left);
        w->body_left -= (int64_t)bytes.len;
        w->body_over = w->body_left == 0;
    }
    *in = SLICE_NONE;
    w->events->body(w, bytes);
    return 0;
}

/* --- the connection --- */

static bool client_is_over(const struct websocket_client *w)
{
    return w->state == CLIENT_BODY
               ? w->body_over
               : w->state == CLIENT_OPEN && websocket_session_is_over(&w->session);
}

static int client_take(struct websocket_client *w, struct slice in, struct err *err)
{
    int r = 1;

    while (r > 0 && w->state == CLIENT_HEAD) {
        r = client_take_head(w, &in, err);
        if (r > 0 && w->state != CLIENT_HEAD)
            in = buf_slice(&w->in); /* what came behind the head */
    }
    if (w->state == CLIENT_OPEN)
        websocket_session_input(&w->session, in);
    while (r >= 0 && w->state == CLIENT_BODY && (r = client_take_body(w, &in, err)) > 0)
        ;
    if (w->state != CLIENT_HEAD)
        buf_done(&w->in);
    return r;
}

static void client_data(struct raw_connection *raw, struct slice bytes)
{
    struct websocket_client *w = raw_user(raw);
    struct err err = {0};

    w->heard_us = loop_now_us(w->loop);
    w->pinged = false;
    w->held += bytes.len;
    int r = client_take(w, bytes, &err);
    if (r < 0) {
        client_done(w, r, &err);
        return;
    }
    if (w->state == CLIENT_HEAD)
        w->held = 0;
    else
        w->events->pause(w);
    if (w->state == CLIENT_OPEN && w->session.failed) {
        r = err_set(&err, -EBADMSG, 0, "the server broke the rules of the protocol");
        client_done(w, r, &err);
    } else if (client_is_over(w)) {
        client_done(w, 0, NULL);
    } else if (w->held >= CLIENT_WINDOW) {
        raw_pause(w->raw, true);
    }
}

static void client_connected(struct raw_connection *raw)
{
    struct websocket_client *w = raw_user(raw);

    w->state = CLIENT_HEAD;
    raw_send(raw, buf_slice(&w->request));
    buf_done(&w->request);
}

static void client_writable(struct raw_connection *raw)
{
    struct websocket_client *w = raw_user(raw);

    if (w->state == CLIENT_OPEN)
        w->events->writable(w);
}

static void client_closed(struct raw_connection *raw, int r, const struct err *err)
{
    struct websocket_client *w = raw_user(raw);
    struct err lost = {0};

    w->raw = NULL;
    if (r == 0 && w->state == CLIENT_BODY && w->body_left < 0 && !w->chunked) {
        client_done(w, 0, NULL);
        return;
    }
    if (r == 0) {
        r = err_set(&lost, -EPIPE, 0, "Network connection lost.");
        err = &lost;
    }
    client_done(w, r, err);
}

static const struct raw_events client_raw = {client_connected, client_data, client_writable,
                                             client_closed};

static void client_tick(struct timer *t)
{
    struct websocket_client *w = CONTAINER_OF(t, struct websocket_client, timer);
    int64_t now_us = loop_now_us(w->loop), silent_us = now_us - w->heard_us;
    struct err err = {0};

    if ((w->closing_us != 0 && now_us - w->closing_us > CLIENT_ANSWER_US) ||
        (w->pinged && silent_us > CLIENT_IDLE_US + CLIENT_ANSWER_US)) {
        int r = err_set(&err, -ETIMEDOUT, 0, "Network connection lost.");
        client_done(w, r, &err);
        return;
    }
    if (silent_us > CLIENT_IDLE_US && !w->pinged) {
        w->pinged = true;
        websocket_session_ping(&w->session);
    }
    timer_start(w->loop, t, CLIENT_TICK_US, client_tick);
}

static void client_refused(struct timer *t)
{
    struct websocket_client *w = CONTAINER_OF(t, struct websocket_client, timer);
    struct err err = {0};

    int r = err_set(&err, -EINVAL, 0, "not an address that a WebSocket can be opened to");
    client_done(w, r, &err);
}

/* --- calls of the owner --- */

static int client_start(struct websocket_client *w, struct http_client *client,
                        const struct websocket_client_request *request)
{
    AUTO(arena_done) struct arena arena = {.limit = CLIENT_URL_ARENA};
    struct url u;

    if (url_parse(&arena, request->url, NULL, &u) < 0)
        return -EINVAL;
    struct slice protocol = url_protocol(&u);
    bool tls = slice_eq(protocol, SLICE("https:"));
    if (!tls && !slice_eq(protocol, SLICE("http:")))
        return -EINVAL;
    client_put_request(w, &u, request->headers);
    w->raw = raw_connect(client, &client_raw, w, url_host(&u), tls);
    return 0;
}

struct websocket_client *websocket_client_start(struct http_client *client,
                                                const struct websocket_client_events *events,
                                                const struct websocket_client_request *request)
{
    struct websocket_client *w = mem_new(sizeof(*w));

    w->loop = http_client_loop(client);
    w->events = events;
    w->user = request->user;
    w->heard_us = loop_now_us(w->loop);
    if (client_start(w, client, request) < 0)
        timer_start(w->loop, &w->timer, 0, client_refused);
    return w;
}

void *websocket_client_user(struct websocket_client *w)
{
    return w->user;
}

void websocket_client_send(struct websocket_client *w, const struct websocket_part *part)
{
    if (w->state == CLIENT_OPEN)
        websocket_session_send(&w->session, part);
}

static void client_over(struct timer *t)
{
    client_done(CONTAINER_OF(t, struct websocket_client, timer), 0, NULL);
}

void websocket_client_close(struct websocket_client *w, int code, struct slice reason)
{
    if (w->state != CLIENT_OPEN)
        return;
    w->closing_us = loop_now_us(w->loop);
    websocket_session_close(&w->session, code, reason);
    if (websocket_session_is_over(&w->session))
        timer_start(w->loop, &w->timer, 0, client_over);
}

size_t websocket_client_room(struct websocket_client *w)
{
    return w->raw == NULL ? RAW_SEND_HIGH : raw_room(w->raw);
}

void websocket_client_consumed(struct websocket_client *w)
{
    w->held = 0;
    if (w->raw != NULL)
        raw_pause(w->raw, false);
}

void websocket_client_cancel(struct websocket_client *w)
{
    if (w->raw != NULL && !(w->state == CLIENT_OPEN && w->session.close_sent))
        raw_destroy(TAKE(w->raw));
    client_free(w);
}
