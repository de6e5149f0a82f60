#include "api/call.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

enum { CALL_RETRY_MS = 50, CALL_TRIES_MAX = 60 };

/* One call in flight; with `stream` it goes on living as the stream of the answer. */
struct api_stream {
    struct wake wake;
    struct loop *loop;
    struct api_request *req; /* the waiting thread's, as the next one */
    const struct api_call *call;
    struct wire_stream *stream;
    struct timer timer;
    struct slice rest; /* of the body to send */
    struct buf args, body;
    struct api_sink *sink;
    int64_t timeout_us;
    unsigned n_tries;
    int fd, result;             /* result: of the stream, after it was handed over */
    bool replied, ended, keeps; /* keeps: this is a streamed answer */
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished; /* under the lock, as the next one */
    int outcome;   /* what the waiting thread is told */
};

static void call_free(struct api_stream *s)
{
    fd_release(&s->fd);
    buf_done(&s->args);
    buf_done(&s->body);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->done);
    free(s);
}

/* --- on the loop's thread --- */

static void call_end_wire(struct api_stream *s, int reason)
{
    if (s->stream != NULL)
        wire_stream_close(TAKE(s->stream), reason);
}

/* The waiting thread goes on; it may free `s` at once. */
static void call_finish(struct api_stream *s, int result)
{
    timer_stop(&s->timer);
    if (s->req->call == s)
        s->req->call = NULL;
    if (result < 0 || !s->keeps)
        call_end_wire(s, result < 0 ? result : 0);
    pthread_mutex_lock(&s->lock);
    s->outcome = result;
    s->finished = true;
    pthread_cond_signal(&s->done);
    pthread_mutex_unlock(&s->lock);
}

static void call_on_timeout(struct timer *timer)
{
    call_finish(CONTAINER_OF(timer, struct api_stream, timer), -ETIMEDOUT);
}

static void call_progress(struct api_stream *s)
{
    if (!s->finished)
        timer_start(s->loop, &s->timer, s->timeout_us, call_on_timeout);
}

static void call_pump(struct api_stream *s)
{
    size_t room;
    while (s->rest.len > 0 && (room = wire_send_room(s->stream)) > 0) {
        size_t n = MIN(MIN(s->rest.len, room), (size_t)WIRE_DATA_MAX);
        struct slice piece = slice_from(s->rest.ptr, n);
        s->rest = slice_skip(s->rest, n);
        wire_send(s->stream, piece, s->rest.len == 0);
        call_progress(s);
    }
}

static void call_on_writable(struct wire_stream *stream)
{
    call_pump(wire_stream_user(stream));
}

static void call_on_reply(struct wire_stream *stream, struct slice args, int fd, bool end)
{
    struct api_stream *s = wire_stream_user(stream);
    buf_append_slice(&s->args, args);
    s->fd = fd;
    s->replied = true;
    s->ended = end;
    if (end || s->keeps)
        call_finish(s, 0);
    else
        call_progress(s);
}

static void call_on_data(struct wire_stream *stream, struct slice bytes, bool end)
{
    struct api_stream *s = wire_stream_user(stream);
    s->ended = end;
    if (s->sink != NULL) {
        s->sink->data(s->sink, bytes, end, 0);
        return;
    }
    if (!s->keeps && buf_len(&s->body) + bytes.len > s->call->reply_max) {
        call_finish(s, -E2BIG);
        return;
    }
    buf_append_slice(&s->body, bytes);
    if (s->keeps)
        return; /* at most a window: nothing is given back before the sink takes it */
    wire_consumed(stream, bytes.len);
    if (end)
        call_finish(s, 0);
    else
        call_progress(s);
}

static void call_on_reset(struct wire_stream *stream, int reason)
{
    struct api_stream *s = wire_stream_user(stream);
    if (!s->finished) {
        call_finish(s, reason < 0 ? reason : -EPIPE);
        return;
    }
    s->result = reason < 0 ? reason : -EPIPE;
    if (s->sink != NULL)
        s->sink->data(s->sink, SLICE_NONE, true, s->result);
}

static const struct wire_stream_events call_events = {
    .reply = call_on_reply,
    .data = call_on_data,
    .writable = call_on_writable,
    .reset = call_on_reset,
};

static void call_begin(struct api_stream *s);

static void call_on_retry(struct timer *timer)
{
    call_begin(CONTAINER_OF(timer, struct api_stream, timer));
}

/* A process that was lost is started again within moments, so a call that has not begun waits for it. */
static void call_wait_for_peer(struct api_stream *s)
{
    bool comes_back = s->call->peer != NULL && api_peer_lasts(s->call->peer);
    if (!comes_back || ++s->n_tries > CALL_TRIES_MAX)
        call_finish(s, -EPIPE);
    else
        timer_start(s->loop, &s->timer, CALL_RETRY_MS * 1000, call_on_retry);
}

static void call_begin(struct api_stream *s)
{
    const struct api_call *call = s->call;
    struct wire *wire = call->peer == NULL ? NULL : api_peer_wire(call->peer);
    if (wire == NULL) {
        call_wait_for_peer(s);
        return;
    }
    int fd = call->body_fd_plus_1 == 0 ? -1 : fcntl(call->body_fd_plus_1 - 1, F_DUPFD_CLOEXEC, 0);
    bool has_body = call->has_body && fd < 0;
    bool empty = !has_body || call->body.len == 0;
    s->stream = wire_open(wire, call->op, call->args, fd, !has_body, &call_events, s);
    if (s->stream == NULL) {
        call_finish(s, -EPIPE);
        return;
    }
    call_progress(s);
    if (has_body && empty)
        wire_send(s->stream, SLICE_NONE, true);
    s->rest = has_body ? call->body : SLICE_NONE;
    call_pump(s);
}

static void call_on_begin(struct wake *wake)
{
    struct api_stream *s = CONTAINER_OF(wake, struct api_stream, wake);
    if (s->call->ends_with_client && s->req->gone) {
        call_finish(s, -ECANCELED);
        return;
    }
    if (s->call->ends_with_client)
        s->req->call = s;
    call_begin(s);
}

void api_client_gone(struct api_request *req)
{
    req->gone = true;
    if (req->call != NULL)
        call_finish(req->call, -ECANCELED);
}

/* --- on the work pool --- */

/* Of a streamed answer the loop still owns result and body: only what came before is read here. */
static int call_take(struct api_request *req, struct api_stream *s, struct api_reply *ret)
{
    struct slice args = buf_slice(&s->args);
    int r = arena_copy(&req->arena, args.ptr, args.len, &ret->args);
    if (r == 0 && !s->keeps)
        r = arena_copy(&req->arena, buf_slice(&s->body).ptr, buf_len(&s->body), &ret->body);
    if (r == 0)
        ret->fd = TAKE_FD(s->fd);
    return r;
}

int api_call(struct api_request *req, const struct api_call *call, struct api_reply *ret)
{
    struct api_stream *s = mem_new(sizeof(*s));
    int timeout_ms = call->timeout_ms == 0 ? API_CALL_TIMEOUT_MS : call->timeout_ms;
    *ret = (struct api_reply){.fd = -1};
    s->loop = req->api->loop;
    s->req = req;
    s->call = call;
    s->fd = -1;
    s->keeps = call->stream;
    s->timeout_us = (int64_t)timeout_ms * 1000;
    s->wake.run = call_on_begin;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->done, NULL);

    loop_wake(s->loop, &s->wake);
    pthread_mutex_lock(&s->lock);
    while (!s->finished)
        pthread_cond_wait(&s->done, &s->lock);
    int r = s->outcome;
    pthread_mutex_unlock(&s->lock);

    if (r == 0)
        r = call_take(req, s, ret);
    if (s->keeps && r == 0)
        ret->stream = s;
    else if (s->stream != NULL)
        api_stream_drop(s);
    else
        call_free(s);
    return r;
}

/* --- streams --- */

void api_stream_start(struct api_stream *s, struct api_sink *sink)
{
    s->sink = sink;
    size_t n = buf_len(&s->body);
    if (s->result < 0)
        sink->data(sink, SLICE_NONE, true, s->result);
    else if (n > 0 || s->ended)
        sink->data(sink, buf_slice(&s->body), s->ended, 0);
}

void api_stream_consumed(struct api_stream *s, size_t n)
{
    if (s->stream != NULL)
        wire_consumed(s->stream, n);
}

void api_stream_close(struct api_stream *s)
{
    call_end_wire(s, -ECANCELED);
    call_free(s);
}

static void call_on_drop(struct wake *wake)
{
    api_stream_close(CONTAINER_OF(wake, struct api_stream, wake));
}

void api_stream_drop(struct api_stream *s)
{
    s->wake = (struct wake){.run = call_on_drop};
    loop_wake(s->loop, &s->wake);
}
