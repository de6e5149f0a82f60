/*
 * HTTP/2 (RFC 9113) on nghttp2: a stream is an exchange.
 *
 * nghttp2 keeps the protocol: frames, HPACK, flow control, the rules about pseudo fields. Here its
 * callbacks become exchanges, and response bytes become frames when the connection settles. Windows
 * are opened only by http_consumed(), so what owners hold is bounded per stream and per connection.
 */
#include "net/http_conn.h"
#include "net/http_token.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <unistd.h>

enum {
    HTTP2_CONN_WINDOW = 1024 * 1024,
    HTTP2_PER_ROUND = 1024 * 1024, /* bytes written, so that others get their turn */
    HTTP2_RESETS_MAX = 1000,       /* given-up streams, less HTTP2_RESETS_PER_S for each second */
    HTTP2_RESETS_PER_S = 33,
    HTTP2_FIELDS_ADDED = 3 /* :status, date, content-length */
};

/* --- requests --- */

static int http2_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http_conn *c = arg;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http_exchange *x = http_exchange_new(c);
    x->stream_id = frame->hd.stream_id;
    x->arena.limit = 4 * c->server->limits.head_max;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, x);
}

static void http2_refuse_later(struct http_exchange *x, int status)
{
    if (x->bad_status == 0)
        x->bad_status = status;
}

static void http2_keep(struct http_exchange *x, struct slice value, struct slice *ret)
{
    if (arena_copy(&x->arena, value.ptr, value.len, ret) < 0)
        http2_refuse_later(x, 431);
}

static void http2_pseudo(struct http_exchange *x, struct slice name, struct slice value)
{
    if (slice_eq(name, SLICE(":method")))
        http2_keep(x, value, &x->request.method);
    else if (slice_eq(name, SLICE(":path")))
        http2_keep(x, value, &x->request.target);
    else if (slice_eq(name, SLICE(":authority")))
        http2_keep(x, value, &x->request.authority);
}

static void http2_host(struct http_exchange *x, struct slice value)
{
    if (x->request.authority.len == 0)
        http2_keep(x, value, &x->request.authority);
    else if (x->has_host_field || !slice_eq_nocase(value, x->request.authority))
        http2_refuse_later(x, 400);
    x->has_host_field = true;
}

static void http2_plain_field(struct http_exchange *x, struct slice name, struct slice value)
{
    switch (http_field_of(name)) {
    case HTTP_FIELD_HOST:
        http2_host(x, value);
        break;
    case HTTP_FIELD_EXPECT:
        x->expects |= slice_eq_nocase(value, SLICE("100-continue"));
        break;
    case HTTP_FIELD_OTHER:
    case HTTP_FIELD_CONTENT_LENGTH:
        /* Cookies may come in crumbs; together they are one field (RFC 9113 section 8.2.3). They
         * gather where later the response waits. */
        if (slice_eq(name, SLICE("cookie"))) {
            buf_append_slice(&x->out, buf_len(&x->out) > 0 ? SLICE("; ") : SLICE_NONE);
            buf_append_slice(&x->out, value);
        } else {
            http_header_add(&x->block, name, value);
        }
        break;
    default:
        break; /* of the connection */
    }
}

static int http2_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                        size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                        void *arg)
{
    struct http_conn *c = arg;
    struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    struct slice n = slice_from(name, name_len), v = slice_from(value, value_len);

    (void)flags;
    if (x == NULL || x->announced)
        return 0; /* trailers are checked by nghttp2 and dropped */
    size_t so_far = buf_len(&x->block) + buf_len(&x->out) + x->arena.used;
    if (++x->n_fields > HTTP_FIELDS_MAX || so_far + n.len + v.len > c->server->limits.head_max)
        http2_refuse_later(x, 431);
    else if (n.len == 0 || !http_value_ok(v))
        http2_refuse_later(x, 400);
    else if (n.ptr[0] == ':')
        http2_pseudo(x, n, v);
    else
        http2_plain_field(x, n, v);
    return 0;
}

static bool http2_target_ok(struct slice target)
{
    for (size_t i = 0; i < target.len; i++) {
        uint8_t c = (uint8_t)target.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return false;
    }
    return target.len > 0 && (target.ptr[0] == '/' || slice_eq(target, SLICE("*")));
}

/* What HTTP/1.1 requests are checked for, as far as nghttp2 does not. */
static int http2_check(struct http_exchange *x)
{
    struct http_request *q = &x->request;

    if (x->bad_status != 0)
        return x->bad_status;
    if (slice_eq(q->method, SLICE("CONNECT")))
        return 501;
    if (q->target.len > HTTP_TARGET_MAX)
        return 414;
    if (!http_name_ok(q->method) || !http2_target_ok(q->target) || !http_authority_ok(q->authority))
        return 400;
    if (q->target.ptr[0] == '*' && !slice_eq(q->method, SLICE("OPTIONS")))
        return 400;
    uint64_t max = x->conn->server->limits.body_max;
    return max > 0 && q->content_length > 0 && (uint64_t)q->content_length > max ? 413 : 0;
}

static void http2_lower(struct slice text)
{
    char *p = (char *)(uintptr_t)text.ptr; /* ours, in the arena */

    for (size_t i = 0; i < text.len; i++)
        p[i] = http_lower(p[i]);
}

static void http2_fill_request(struct http_exchange *x, bool has_body)
{
    struct http_conn *c = x->conn;
    struct http_request *q = &x->request;
    struct slice value;
    uint64_t length = 0;

    if (buf_len(&x->out) > 0)
        http_header_add(&x->block, SLICE("cookie"), buf_slice(&x->out));
    buf_clear(&x->out);
    http2_lower(q->authority);
    q->headers = buf_slice(&x->block);
    q->remote_ip = slice_of(c->remote_ip);
    q->remote_port = c->remote_port;
    q->tls = c->io.ssl != NULL;
    q->tls_version = transport_tls_version(&c->io);
    q->tls_cipher = transport_tls_cipher(&c->io);
    q->version = 20;
    q->has_body = has_body;
    q->content_length = has_body ? -1 : 0;
    if (http_header_get(q->headers, SLICE("content-length"), &value) &&
        slice_to_u64(value, &length) == 0 && length <= INT64_MAX)
        q->content_length = (int64_t)length;
}

static void http2_refuse(struct http_exchange *x, int status)
{
    struct slice reason = slice_of(http_reason(status));

    x->internal = true;
    http2_ops.respond(x, status, SLICE("content-type: text/plain\r\n"), (int64_t)reason.len);
    http2_ops.send(x, reason, true);
}

static void http2_request(struct http_exchange *x, bool end)
{
    http2_fill_request(x, !end);
    x->request_done = end;
    x->expects = x->expects && !end;
    x->conn->progress = true;
    int status = http2_check(x);
    if (status != 0) {
        http2_refuse(x, status);
        return;
    }
    if (!end)
        x->conn->h2.n_receiving++;
    http_exchange_announce(x);
}

static void http2_body_ends(struct http_exchange *x)
{
    if (!x->announced || x->request_done)
        return;
    x->conn->h2.n_receiving--;
    http_exchange_deliver(x, SLICE_NONE, true);
}

static int http2_frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    (void)arg;
    if (x == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        http2_request(x, end);
    else if (end && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS))
        http2_body_ends(x);
    return 0;
}

static int http2_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                      const uint8_t *data, size_t len, void *arg)
{
    struct http_conn *c = arg;
    struct http_exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);
    uint64_t max = c->server->limits.body_max;

    (void)flags;
    if (x == NULL || !x->announced || x->ended || x->aborted)
        return nghttp2_session_consume(session, stream_id, len);
    if (max > 0 && x->received + len > max) {
        http_abort(x);
        return nghttp2_session_consume(session, stream_id, len);
    }
    http_exchange_deliver(x, slice_from(data, len), false);
    return 0;
}

/* A client that opens streams only to give them up makes work for nothing (CVE-2023-44487). */
static void http2_count_reset(struct http_conn *c)
{
    int64_t now = loop_now_us(c->server->loop);
    uint64_t forgotten = (uint64_t)(now - c->h2.resets_since_us) * HTTP2_RESETS_PER_S / 1000000;

    if (forgotten > 0) {
        c->h2.n_resets -= MIN(c->h2.n_resets, forgotten);
        c->h2.resets_since_us = now;
    }
    if (++c->h2.n_resets > HTTP2_RESETS_MAX)
        http_conn_break(c, -EBADMSG);
}

static int http2_stream_closed(nghttp2_session *session, int32_t stream_id, uint32_t code,
                               void *arg)
{
    struct http_conn *c = arg;
    struct http_exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);

    if (x == NULL)
        return 0;
    bool whole = x->ended && buf_len(&x->out) == 0 && x->n_files == 0;
    if (!whole && !x->aborted && code != NGHTTP2_NO_ERROR)
        http2_count_reset(c);
    if (x->announced && !x->request_done)
        c->h2.n_receiving--;
    if (x->window_used > 0)
        (void)nghttp2_session_consume_connection(session, x->window_used); /* cannot overflow */
    http_exchange_end(x, x->aborted ? -ECANCELED : whole ? 0 : -EPIPE);
    return 0;
}

/* The answer is out while the client still sends: it may stop (RFC 9113 section 8.1). */
static int http2_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (x == NULL || x->request_done)
        return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                     NGHTTP2_NO_ERROR);
}

/* --- responses --- */

static nghttp2_nv http2_nv(struct slice name, struct slice value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.ptr,
                        .value = (uint8_t *)(uintptr_t)value.ptr,
                        .namelen = name.len,
                        .valuelen = value.len};
}

static size_t http2_fields(struct slice block, nghttp2_nv *nva, size_t max)
{
    struct slice name, value;
    size_t n = 0;

    while (n < max && http_header_next(&block, &name, &value)) {
        if (slice_eq(name, SLICE("content-length")) || slice_eq(name, SLICE("date")))
            continue;
        nva[n++] = http2_nv(name, value);
    }
    return n;
}

/* Bytes of a file, straight into the frame. */
static ssize_t http2_read_file(struct http_file *file, uint8_t *to, size_t room)
{
    ssize_t n = pread(file->fd, to, MIN(room, (size_t)file->left), file->offset);

    if (n <= 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* shorter than was promised: resets */
    file->offset += n;
    file->left -= n;
    if (file->left == 0)
        http_file_release(file);
    return n;
}

static ssize_t http2_read_bytes(struct http_exchange *x, uint8_t *to, size_t room)
{
    size_t n = MIN(buf_len(&x->out), room);

    if (!list_empty(&x->files)) {
        struct http_file *file = LIST_ENTRY(x->files.next, struct http_file, link);
        if (file->at == x->out_base)
            return http2_read_file(file, to, room);
        n = MIN(n, (size_t)(file->at - x->out_base));
    }
    if (n > 0)
        memcpy(to, x->out.data + x->out.start, n);
    buf_consume(&x->out, n);
    x->out_base += n;
    return (ssize_t)n;
}

static void http2_submit_trailers(struct http_exchange *x, uint32_t *flags)
{
    nghttp2_nv nva[HTTP_FIELDS_MAX];
    size_t n = http2_fields(buf_slice(&x->trailers), nva, ARRAY_LEN(nva));

    if (n > 0 && nghttp2_submit_trailer(x->conn->h2.session, x->stream_id, nva, n) == 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
}

static ssize_t http2_body(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room,
                          uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct http_exchange *x = source->ptr;

    (void)session;
    (void)stream_id;
    (void)arg;
    ssize_t n = http2_read_bytes(x, to, room);
    if (n < 0)
        return n;
    if (x->ended && buf_len(&x->out) == 0 && x->n_files == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        http2_submit_trailers(x, flags);
        return n;
    }
    return n > 0 ? n : NGHTTP2_ERR_DEFERRED;
}

static void http2_submit_interim(struct http_exchange *x, int status, struct slice headers)
{
    nghttp2_nv nva[HTTP_FIELDS_MAX + HTTP2_FIELDS_ADDED];
    char code[12];

    int len = snprintf(code, sizeof(code), "%d", status);
    nva[0] = http2_nv(SLICE(":status"), slice_from(code, (size_t)len));
    size_t n = http2_fields(headers, nva + 1, HTTP_FIELDS_MAX);
    /* Out of memory is the only failure; an interim answer may be left out. */
    (void)nghttp2_submit_headers(x->conn->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, NULL, nva,
                                 n + 1, NULL);
}

static void http2_respond(struct http_exchange *x, int status, struct slice headers, int64_t length)
{
    struct http_conn *c = x->conn;
    nghttp2_nv nva[HTTP_FIELDS_MAX + HTTP2_FIELDS_ADDED];
    char code[12], digits[24];

    if (status < 200) {
        http2_submit_interim(x, status, headers);
        return;
    }
    struct slice date = slice_trim(slice_skip(http_server_date(c->server), sizeof("date:") - 1));
    int len = snprintf(code, sizeof(code), "%d", status);
    size_t n = 0;
    nva[n++] = http2_nv(SLICE(":status"), slice_from(code, (size_t)len));
    nva[n++] = http2_nv(SLICE("date"), date);
    n += http2_fields(headers, nva + n, HTTP_FIELDS_MAX);
    if (length >= 0 && status != 204 && !(status == 304 && length == 0)) {
        len = snprintf(digits, sizeof(digits), "%lld", (long long)length);
        nva[n++] = http2_nv(SLICE("content-length"), slice_from(digits, (size_t)len));
    }

    x->responded = true;
    x->bodiless = http_bodiless(x->request.method, status);
    x->body_left = x->bodiless ? -1 : length;
    nghttp2_data_provider body = {.source.ptr = x, .read_callback = http2_body};
    if (nghttp2_submit_response(c->h2.session, x->stream_id, nva, n, x->bodiless ? NULL : &body) !=
        0)
        http_conn_break(c, -ENOMEM);
    if (x->bodiless)
        x->ended = true;
}

static void http2_reset(struct http_exchange *x, uint32_t code)
{
    x->aborted = true;
    if (nghttp2_submit_rst_stream(x->conn->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, code) != 0)
        http_conn_break(x->conn, -ENOMEM);
}

static void http2_go_on(struct http_exchange *x)
{
    /* Fails when the stream was not waiting, which is as good. */
    (void)nghttp2_session_resume_data(x->conn->h2.session, x->stream_id);
}

static void http2_send(struct http_exchange *x, struct slice bytes, bool end)
{
    if (x->bodiless)
        return;
    if (x->body_left >= 0) {
        bytes.len = MIN(bytes.len, (size_t)x->body_left);
        x->body_left -= (int64_t)bytes.len;
    }
    buf_append_slice(&x->out, bytes);
    if (end && x->body_left > 0) {
        http2_reset(x, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    x->ended = end;
    if (buf_len(&x->out) >= HTTP_SEND_HIGH)
        x->wants_writable = true;
    http2_go_on(x);
}

static void http2_send_file(struct http_exchange *x, struct http_file *file, bool end)
{
    if (x->body_left >= 0) {
        file->left = MIN(file->left, x->body_left);
        x->body_left -= file->left;
    }
    file->at = x->out_base + buf_len(&x->out);
    list_push_back(&x->files, &file->link);
    x->wants_writable = true;
    http2_send(x, SLICE_NONE, end);
}

static void http2_consumed(struct http_exchange *x, size_t n)
{
    if (x->expects && !x->responded) {
        x->expects = false;
        http2_submit_interim(x, 100, SLICE_NONE);
    }
    if (n > 0 && nghttp2_session_consume(x->conn->h2.session, x->stream_id, n) != 0)
        http_conn_break(x->conn, -ENOMEM);
    http_conn_mark(x->conn);
}

static void http2_abort(struct http_exchange *x)
{
    http2_reset(x, x->responded ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL);
}

/* --- the connection --- */

static int http2_input(struct http_conn *c, struct slice *in)
{
    ssize_t n = nghttp2_session_mem_recv(c->h2.session, (const uint8_t *)in->ptr, in->len);

    *in = SLICE_NONE;
    return n < 0 ? -EBADMSG : 0;
}

static bool http2_may_read(struct http_conn *c)
{
    return buf_len(&c->out) < HTTP_SEND_HIGH;
}

static void http2_end(struct http_conn *c)
{
    (void)c; /* http2_flush() looks at saw_end once what is ready was written */
}

static int http2_fill(struct http_conn *c)
{
    while (buf_len(&c->out) < HTTP_SEND_HIGH) {
        const uint8_t *data = NULL;
        ssize_t n = nghttp2_session_mem_send(c->h2.session, &data);
        if (n < 0)
            return -EBADMSG;
        if (n == 0)
            return 0;
        buf_append(&c->out, data, (size_t)n);
    }
    return 0;
}

static void http2_wake(struct http_conn *c)
{
    LIST_FOR (l, &c->exchanges) {
        struct http_exchange *x = LIST_ENTRY(l, struct http_exchange, link);
        http_exchange_wake(x, buf_len(&x->out));
    }
}

/* Fill and write until nothing is left, the socket is full, or others should get their turn. */
static int http2_write(struct http_conn *c)
{
    uint64_t until = c->out_base + HTTP2_PER_ROUND;

    for (;;) {
        int r = http2_fill(c);
        if (r < 0)
            return r;
        bool is_all = buf_len(&c->out) < HTTP_SEND_HIGH;
        r = http_conn_write(c, SIZE_MAX, false);
        if (r < 0 || c->blocked || is_all)
            return r;
        if (c->out_base >= until) {
            http_conn_mark(c);
            return 0;
        }
    }
}

static int http2_flush(struct http_conn *c)
{
    int r = http2_write(c);
    if (r < 0)
        return r;
    if (c->saw_end && c->n_exchanges > 0)
        return -EPIPE;
    http2_wake(c);
    if (!nghttp2_session_want_read(c->h2.session) && !nghttp2_session_want_write(c->h2.session))
        c->closing = true;
    return 0;
}

static enum http_wait http2_wait(struct http_conn *c)
{
    if (c->blocked)
        return HTTP_WAIT_WRITE;
    if (c->h2.n_receiving > 0) {
        LIST_FOR (l, &c->exchanges) {
            const struct http_exchange *x = LIST_ENTRY(l, struct http_exchange, link);
            if (!x->request_done && x->window_used < HTTP_WINDOW && !x->expects)
                return HTTP_WAIT_BODY;
        }
    }
    return c->n_exchanges > 0 ? HTTP_WAIT_OWNER : HTTP_WAIT_IDLE;
}

static void http2_expired(struct http_conn *c)
{
    http_conn_break(c, -ETIMEDOUT);
}

static void http2_drain(struct http_conn *c)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(c->h2.session);

    /* A failure leaves the connection open until its last exchange ended; the process ends then. */
    (void)nghttp2_submit_goaway(c->h2.session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

static void http2_finish(struct http_conn *c)
{
    nghttp2_session_del(c->h2.session);
}

static nghttp2_session_callbacks *http2_callbacks(void)
{
    nghttp2_session_callbacks *cb = NULL;

    CHECK(nghttp2_session_callbacks_new(&cb) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, http2_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, http2_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, http2_frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, http2_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, http2_stream_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, http2_frame_sent);
    return cb;
}

static int http2_session_create(struct http_conn *c)
{
    nghttp2_session_callbacks *callbacks = http2_callbacks();
    nghttp2_option *option = NULL;

    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    int r = nghttp2_session_server_new2(&c->h2.session, callbacks, c, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return r == 0 ? 0 : -ENOMEM;
}

int http2_start(struct http_conn *c)
{
    const struct http_limits *limits = &c->server->limits;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head_max},
    };

    int r = http2_session_create(c);
    if (r < 0)
        return r;
    c->ops = &http2_ops;
    c->started = true;
    c->h2.resets_since_us = loop_now_us(c->server->loop);
    if (nghttp2_submit_settings(c->h2.session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) ||
        nghttp2_session_set_local_window_size(c->h2.session, NGHTTP2_FLAG_NONE, 0,
                                              HTTP2_CONN_WINDOW))
        return -ENOMEM;
    return 0;
}

const struct http_conn_ops http2_ops = {
    .input = http2_input,
    .may_read = http2_may_read,
    .end = http2_end,
    .flush = http2_flush,
    .wait = http2_wait,
    .expired = http2_expired,
    .drain = http2_drain,
    .finish = http2_finish,
    .respond = http2_respond,
    .send = http2_send,
    .send_file = http2_send_file,
    .consumed = http2_consumed,
    .abort = http2_abort,
};
