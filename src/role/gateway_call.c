/*
 * One request under way in the gateway.
 *
 * A call joins a front (a client, or an isolate that fetches) with a back (an isolate, the world, an
 * asset). Bodies stream both ways with back-pressure: bytes that the other side cannot take yet are
 * "held" - the sender gets its credit back only when the receiver has room again. What a front sends
 * before there is a back is buffered here; the front's own window bounds it.
 */
#include "role/gateway_isolate.h"

#include "core/clock.h"
#include "core/id.h"

#include <stdarg.h>
#include <stdio.h>

struct call *call_create(struct gateway *g, const struct front_ops *front, void *front_data)
{
    struct call *c = mem_new(sizeof(*c));

    c->gateway = g;
    c->front = front;
    c->front_data = front_data;
    c->start_us = loop_now_us(g->loop);
    c->request.content_length = -1;
    return c;
}

void call_destroy(struct call *c, int reason)
{
    const struct back_ops *back = TAKE(c->back);

    if (back != NULL)
        back->cancel(c, reason);
    isolate_call_cancel(c);
    join_forget(c);
    if (c->worker != NULL)
        worker_unref(c->worker);
    outbound_unref(c->outbound);
    buf_done(&c->early);
    buf_done(&c->kept);
    buf_done(&c->held_out);
    buf_done(&c->lane.args);
    mem_release(&c);
}

void call_dispatch(struct call *c, struct worker *worker)
{
    c->worker = worker_ref(worker);

    const struct assets *assets = worker_assets(worker);
    if (assets != NULL && assets_take(assets, &c->request, worker_has_code(worker))) {
        assets_start(c);
        return;
    }
    if (!worker_has_code(worker)) {
        call_fail(c, 404, "Nothing is here.");
        return;
    }
    isolate_call_start(c);
}

void call_keep(struct call *c)
{
    struct slice *fields[] = {&c->request.method,     &c->request.url,        &c->request.headers,
                              &c->request.cf,         &c->request.entrypoint, &c->request.path,
                              &c->request.props,      &c->request.ns,         &c->request.object,
                              &c->request.object_name};
    AUTO(buf_done) struct buf before = c->kept;
    size_t at = 0;

    c->kept = (struct buf){0};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        buf_append_slice(&c->kept, *fields[i]);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        fields[i]->ptr = buf_slice(&c->kept).ptr + at;
        at += fields[i]->len;
    }
}

void call_set_back(struct call *c, const struct back_ops *back, void *data)
{
    CHECK(c->back == NULL);
    c->back = back;
    c->back_data = data;

    size_t n = buf_len(&c->early);
    if (n == 0 && !c->early_end) {
        if (c->request.has_body)
            c->front->consumed(c, 0); /* "100 Continue": somebody is there to read the body */
        return;
    }
    back->send(c, buf_slice(&c->early), c->early_end);
    buf_clear(&c->early);
    c->held_request += n;
    call_back_writable(c);
}

void call_request_data(struct call *c, struct slice bytes, bool end)
{
    if (c->back == NULL) {
        if (c->ended) { /* answered already: what still comes is dropped, the front may go on */
            c->front->consumed(c, bytes.len);
            return;
        }
        buf_append_slice(&c->early, bytes);
        c->early_end = end;
        return;
    }
    c->back->send(c, bytes, end);
    c->held_request += bytes.len;
    call_back_writable(c);
}

void call_back_writable(struct call *c)
{
    size_t n = c->held_request;

    if (n == 0 || (c->back != NULL && c->back->room(c) == 0))
        return;
    c->held_request = 0;
    c->front->consumed(c, n);
}

void call_respond(struct call *c, const struct call_head *head)
{
    CHECK(!c->head_sent);
    c->head_sent = true;
    c->ended = head->end;
    c->status = head->status;
    c->front->head(c, head);
}

void call_response_data(struct call *c, struct slice bytes, bool end)
{
    c->bytes_out += bytes.len;
    c->ended = end;
    c->held_response += bytes.len;
    /* A front may destroy the call when it gets the end: nothing may touch `c` after that. */
    c->front->data(c, bytes, end);
    if (!end)
        call_front_writable(c);
}

void call_front_writable(struct call *c)
{
    size_t n = c->held_response;

    if (n == 0 || c->back == NULL || c->front->room(c) == 0)
        return;
    c->held_response = 0;
    c->back->consumed(c, n);
}

void call_back_done(struct call *c)
{
    c->back = NULL;
    c->back_data = NULL;
    call_back_writable(c); /* what is held of the request body goes nowhere now */
}

void call_fail(struct call *c, int status, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->back = NULL;
    c->back_data = NULL;
    c->ended = true;
    if (!c->head_sent)
        c->status = status;
    c->front->fail(c, status, slice_from(text, MIN((size_t)MAX(n, 0), sizeof(text) - 1)));
}
