/*
 * HTTP/1.1, writing side: from answers to bytes, in the order of the requests.
 *
 * The connection has one output. An exchange is *placed* when everything before it has ended; it then
 * writes straight into that output. Until then its bytes wait in its own buffer. An exchange has left
 * when it ended and the output was written past its end. Pieces of files stand in the output as marks:
 * position and descriptor, so that they go from file to socket inside the kernel.
 */
#include "net/http_conn.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    HTTP1_HEAD_ROOM = 256,              /* status line and the fields that are added here */
    HTTP1_FILE_PER_ROUND = 1024 * 1024, /* bytes of files, so that others get their turn */
    HTTP1_FILE_READ = 64 * 1024
};

static struct buf *http1_out(struct http_exchange *x)
{
    return x->placed ? &x->conn->out : &x->out;
}

void http1_put(struct http_exchange *x, struct slice bytes)
{
    buf_append_slice(http1_out(x), bytes);
}

/* --- order --- */

static void http1_move_files(struct http_exchange *x)
{
    struct http_conn *c = x->conn;
    uint64_t base = c->out_base + buf_len(&c->out);

    for (struct link *l; (l = list_pop_front(&x->files)) != NULL;) {
        LIST_ENTRY(l, struct http_file, link)->at += base;
        list_push_back(&c->files, l);
    }
}

static void http1_place_one(struct http_exchange *x)
{
    struct http_conn *c = x->conn;

    x->placed = true;
    if (x->n_files > 0)
        http1_move_files(x);
    if (buf_len(&x->out) > 0) {
        buf_append_slice(&c->out, buf_slice(&x->out));
        buf_clear(&x->out);
    }
    x->end_at = c->out_base + buf_len(&c->out);
}

/* x ended or was placed as ended: the next one may write, and so on. Nothing follows an answer after
 * which the connection closes. */
static void http1_place_next(struct http_exchange *x)
{
    struct link *head = &x->conn->exchanges;

    while (x->ended && !x->close_after && x->link.next != head) {
        x = LIST_ENTRY(x->link.next, struct http_exchange, link);
        http1_place_one(x);
    }
}

void http1_place(struct http_exchange *x)
{
    struct link *before = x->link.prev;

    if (before == &x->conn->exchanges) {
        x->placed = true;
        return;
    }
    const struct http_exchange *last = LIST_ENTRY(before, struct http_exchange, link);
    x->placed = last->placed && last->ended && !last->close_after;
}

/* --- the head --- */

static char *http1_copy(char *p, struct slice s)
{
    memcpy(p, s.ptr, s.len);
    return p + s.len;
}

static char *http1_copy_number(char *p, uint64_t n)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return http1_copy(p, slice_from(digits + at, sizeof(digits) - at));
}

static char *http1_copy_status(char *p, int status)
{
    if (status == 200)
        return http1_copy(p, SLICE("HTTP/1.1 200 OK\r\n"));
    p = http1_copy(p, SLICE("HTTP/1.1 "));
    p = http1_copy_number(p, (uint64_t)MAX(status, 0));
    *p++ = ' ';
    p = http1_copy(p, slice_of(http_reason(status)));
    return http1_copy(p, SLICE("\r\n"));
}

/* The owner's fields, except those that are ours to say. */
static char *http1_copy_fields(char *p, struct slice block)
{
    struct slice name, value;

    for (const char *from = block.ptr; http_header_next(&block, &name, &value); from = block.ptr) {
        bool ours = (name.ptr[0] == 'c' && slice_eq(name, SLICE("content-length"))) ||
                    (name.ptr[0] == 'd' && slice_eq(name, SLICE("date")));
        if (!ours)
            p = http1_copy(p, slice_from(from, (size_t)(block.ptr - from)));
    }
    return p;
}

/* RFC 9112 section 6.3: how the client will know where the body ends. */
static char *http1_copy_framing(char *p, struct http_exchange *x, int status, int64_t length)
{
    bool no_length = status < 200 || status == 204 || (status == 304 && length == 0);

    x->bodiless = http_bodiless(x->request.method, status);
    if (length >= 0 && !no_length) {
        p = http1_copy(p, SLICE("content-length: "));
        p = http1_copy_number(p, (uint64_t)length);
        p = http1_copy(p, SLICE("\r\n"));
    }
    if (x->bodiless)
        return p;
    x->body_left = length;
    if (length >= 0)
        return p;
    if (x->request.version < 11) {
        x->close_after = true;
        return p;
    }
    x->chunked = true;
    return http1_copy(p, SLICE("transfer-encoding: chunked\r\n"));
}

static char *http1_copy_connection(char *p, const struct http_exchange *x)
{
    if (x->close_after)
        return http1_copy(p, SLICE("connection: close\r\n"));
    if (x->request.version == 10)
        return http1_copy(p, SLICE("connection: keep-alive\r\n"));
    return p;
}

/* 103 and its like: a head without consequences. HTTP/1.0 knows none. */
static void http1_put_interim(struct http_exchange *x, int status, struct slice headers)
{
    if (x->request.version < 11)
        return;
    char *start = buf_reserve(http1_out(x), headers.len + HTTP1_HEAD_ROOM), *p = start;
    p = http1_copy_status(p, status);
    p = http1_copy_fields(p, headers);
    p = http1_copy(p, SLICE("\r\n"));
    buf_added(http1_out(x), (size_t)(p - start));
}

static void http1_decide_close(struct http_exchange *x)
{
    struct http1_side *h1 = &x->conn->h1;
    bool is_last = x->link.next == &x->conn->exchanges;

    /* A client that was not told to go on may send the body or not: only a new connection is safe. */
    if (x->expects || (x->conn->server->draining && is_last))
        x->close_after = true;
    if (!x->close_after || !is_last)
        return;
    h1->last = true;
    if (h1->state == HTTP1_HEAD)
        h1->state = HTTP1_NO_MORE;
}

void http1_respond(struct http_exchange *x, int status, struct slice headers, int64_t length)
{
    struct http_conn *c = x->conn;

    if (status < 200 && status != 101) {
        http1_put_interim(x, status, headers);
        return;
    }
    x->responded = true;
    http1_decide_close(x);

    char *start = buf_reserve(http1_out(x), headers.len + HTTP1_HEAD_ROOM), *p = start;
    p = http1_copy_status(p, status);
    p = http1_copy(p, http_server_date(c->server));
    p = http1_copy_fields(p, headers);
    p = http1_copy_framing(p, x, status, length);
    p = http1_copy_connection(p, x);
    p = http1_copy(p, SLICE("\r\n"));
    buf_added(http1_out(x), (size_t)(p - start));
}

void http1_refuse(struct http_conn *c, int status)
{
    struct http_exchange *x = http_exchange_new(c);

    x->request.version = 11;
    x->close_after = true;
    http1_place(x);
    c->h1.state = HTTP1_NO_MORE;
    c->h1.reading = NULL;
    http1_respond(x, status, SLICE("content-type: text/plain\r\n"), -1);
    http1_send(x, slice_of(http_reason(status)), false);
    http1_send(x, SLICE("\n"), true);
}

void http_switch(struct http_exchange *x, struct slice protocol, struct slice headers)
{
    struct http_conn *c = x->conn;

    if (c->broken != 0 || x->responded || c->ops != &http1_ops || c->h1.state != HTTP1_HOLD)
        return;
    struct buf *out = http1_out(x);
    buf_append_slice(out, SLICE("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n"));
    http_header_add(out, SLICE("upgrade"), protocol);
    buf_append_slice(out, headers);
    buf_append_slice(out, SLICE("\r\n"));
    x->responded = true;
    x->switched = true;
    x->request_done = false;
    c->h1.state = HTTP1_RAW;
    http_exchange_trim(x);
    http_conn_mark(c);
}

/* --- the body --- */

static void http1_put_chunk(struct http_exchange *x, struct slice bytes)
{
    char *start = buf_reserve(http1_out(x), bytes.len + 24), *p = start;
    int n = snprintf(p, 20, "%zx\r\n", bytes.len);

    p = http1_copy(p + n, bytes);
    p = http1_copy(p, SLICE("\r\n"));
    buf_added(http1_out(x), (size_t)(p - start));
}

static void http1_put_body(struct http_exchange *x, struct slice bytes)
{
    if (x->bodiless || bytes.len == 0)
        return;
    if (x->chunked) {
        http1_put_chunk(x, bytes);
        return;
    }
    if (x->body_left >= 0) {
        /* More than was promised would be read as the next answer. */
        bytes.len = MIN(bytes.len, (size_t)x->body_left);
        x->body_left -= (int64_t)bytes.len;
    }
    http1_put(x, bytes);
}

static void http1_put_end(struct http_exchange *x)
{
    struct http_conn *c = x->conn;

    if (!x->bodiless && x->chunked) {
        http1_put(x, SLICE("0\r\n"));
        http1_put(x, buf_slice(&x->trailers));
        http1_put(x, SLICE("\r\n"));
    }
    if (!x->bodiless && x->body_left > 0) {
        /* Less than was promised: only a cut connection tells the client so. */
        http_conn_break(c, -EBADMSG);
    }
    x->ended = true;
    if (x->placed) {
        x->end_at = c->out_base + buf_len(&c->out);
        http1_place_next(x);
    }
}

void http1_send(struct http_exchange *x, struct slice bytes, bool end)
{
    http1_put_body(x, bytes);
    if (end)
        http1_put_end(x);
    if (buf_len(http1_out(x)) >= HTTP_SEND_HIGH)
        x->wants_writable = true;
}

static uint64_t http1_position(const struct http_exchange *x)
{
    return x->placed ? x->conn->out_base + buf_len(&x->conn->out) : buf_len(&x->out);
}

void http1_send_file(struct http_exchange *x, struct http_file *file, bool end)
{
    if (x->body_left >= 0) {
        file->left = MIN(file->left, x->body_left);
        x->body_left -= file->left;
    }
    if (x->chunked) {
        char line[24];
        int n = snprintf(line, sizeof(line), "%llx\r\n", (unsigned long long)file->left);
        http1_put(x, slice_from(line, (size_t)n));
    }
    file->at = http1_position(x);
    list_push_back(x->placed ? &x->conn->files : &x->files, &file->link);
    x->wants_writable = true;
    if (x->chunked)
        http1_put(x, SLICE("\r\n"));
    if (end)
        http1_put_end(x);
}

/* --- writing --- */

/* Over TLS a file goes through memory: read a piece, and write what the socket takes of it. */
static ssize_t http1_copy_file(struct http_conn *c, struct http_file *file)
{
    char *piece = c->server->scratch;
    size_t want = MIN((size_t)file->left, (size_t)HTTP1_FILE_READ);
    ssize_t n = pread(file->fd, piece, want, file->offset);

    if (n <= 0)
        return n == 0 ? 0 : -EIO;
    ssize_t written = transport_write(&c->io, slice_from(piece, (size_t)n), false);
    if (written > 0)
        file->offset += written;
    return written;
}

static int http1_write_file(struct http_conn *c, struct http_file *file, size_t *budget)
{
    size_t want = MIN((size_t)file->left, *budget);
    ssize_t n = c->io.ssl != NULL ? http1_copy_file(c, file)
                                  : transport_send_file(&c->io, file->fd, &file->offset, want);

    if (n == -EAGAIN) {
        c->blocked = true;
        return 0;
    }
    if (n <= 0)
        return n == 0 ? -EIO : (int)n; /* the file is shorter than was promised */
    c->progress = true;
    file->left -= n;
    *budget -= MIN(*budget, (size_t)n);
    if (file->left == 0)
        http_file_release(file);
    return 0;
}

static int http1_write(struct http_conn *c)
{
    size_t budget = HTTP1_FILE_PER_ROUND;
    int r = 0;

    while (r == 0 && !c->blocked && !list_empty(&c->files) && budget > 0) {
        struct http_file *file = LIST_ENTRY(c->files.next, struct http_file, link);
        if (file->at > c->out_base)
            r = http_conn_write(c, (size_t)(file->at - c->out_base), true);
        else
            r = http1_write_file(c, file, &budget);
    }
    if (r == 0 && list_empty(&c->files))
        r = http_conn_write(c, SIZE_MAX, false);
    return r;
}

static void http1_reap(struct http_conn *c)
{
    while (!list_empty(&c->exchanges)) {
        struct http_exchange *x = LIST_ENTRY(c->exchanges.next, struct http_exchange, link);
        if (!x->ended || c->out_base < x->end_at || x->n_files > 0)
            return;
        http_exchange_end(x, 0);
    }
}

int http1_flush(struct http_conn *c)
{
    int r = http1_write(c);
    if (r < 0)
        return r;

    http1_reap(c);
    if (list_empty(&c->exchanges))
        return 0;
    /* The client is gone for an exchange that still waits for its answer. */
    const struct http_exchange *last = LIST_ENTRY(c->exchanges.prev, struct http_exchange, link);
    if (c->saw_end && c->h1.state != HTTP1_RAW && !last->ended)
        return -EPIPE;
    LIST_FOR (l, &c->exchanges) {
        struct http_exchange *x = LIST_ENTRY(l, struct http_exchange, link);
        if (x->placed)
            http_exchange_wake(x, buf_len(&c->out));
    }
    return 0;
}
