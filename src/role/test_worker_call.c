/*
 * What isolates of the test command fetch: other services by the bindings of their spec, and files of web
 * platform tests (every http URL, served from the tests' root). Bodies are passed on without
 * back-pressure: tests are small.
 */
#include "role/test_worker.h"

#include "core/file.h"
#include "net/http.h"
#include "product/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_DEPTH_MAX = 32 };

/* One fetch passed on. Each side is NULL once it is closed. */
struct call {
    struct wire_stream *front, *back;
    bool answered;
};

static void call_over(struct call *c, int reason)
{
    if (c->front != NULL)
        wire_stream_close(TAKE(c->front), reason);
    if (c->back != NULL)
        wire_stream_close(TAKE(c->back), reason);
    free(c);
}

static void call_refuse(struct wire_stream *s, int result, const char *text)
{
    AUTO(buf_done) struct buf out = {0};
    static const struct wire_stream_events ignore = {0};
    msg_fetched_pack(&out, &(struct msg_fetched){
                               .result = result, .error = slice_of(text), .content_length = -1});
    wire_stream_own(s, &ignore, NULL);
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, 0);
}

/* --- the caller --- */

static void front_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct call *c = wire_stream_user(s);
    wire_consumed(s, bytes.len);
    wire_send(c->back, bytes, end);
}

static void front_on_reset(struct wire_stream *s, int reason)
{
    call_over(wire_stream_user(s), reason);
}

static const struct wire_stream_events front_events = {.data = front_on_data,
                                                       .reset = front_on_reset};

/* --- the callee --- */

static void back_on_reply(struct wire_stream *s, struct slice args, UNUSED int fd, bool end)
{
    struct call *c = wire_stream_user(s);
    struct msg_response m;
    AUTO(buf_done) struct buf out = {0};
    if (msg_response_unpack(args, &m) < 0)
        return call_over(c, -EBADMSG);
    if (m.flags & MSG_THREW)
        msg_fetched_pack(&out, &(struct msg_fetched){.result = -EREMOTEIO,
                                                     .error = m.status_text,
                                                     .content_length = -1});
    else
        msg_fetched_pack(&out, &(struct msg_fetched){.status = m.status,
                                                     .flags = m.flags,
                                                     .content_length = m.content_length,
                                                     .status_text = m.status_text,
                                                     .headers = m.headers});
    c->answered = true;
    wire_reply(c->front, buf_slice(&out), -1, end);
    if (end)
        call_over(c, 0);
}

static void back_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct call *c = wire_stream_user(s);
    wire_consumed(s, bytes.len);
    wire_send(c->front, bytes, end);
    if (end)
        call_over(c, 0);
}

static void back_on_reset(struct wire_stream *s, int reason)
{
    struct call *c = wire_stream_user(s);
    if (!c->answered)
        call_refuse(TAKE(c->front), -EPIPE, "Error: Network connection lost.");
    call_over(c, reason);
}

static const struct wire_stream_events back_events = {
    .reply = back_on_reply, .data = back_on_data, .reset = back_on_reset};

static unsigned call_depth(struct slice parent)
{
    ssize_t dot = slice_find(parent, '.');
    uint64_t depth = 0;
    if (dot < 0 || slice_to_u64(slice_skip(parent, (size_t)dot + 1), &depth) < 0)
        return 0;
    return (unsigned)depth;
}

static void call_service(struct test_service *callee, const char *entrypoint,
                         struct wire_stream *front, const struct msg_fetch *m, bool end)
{
    AUTO(buf_done) struct buf args = {0};
    char id[64];
    unsigned depth = call_depth(m->parent) + 1;
    if (depth > CALL_DEPTH_MAX)
        return call_refuse(front, -ELOOP, "Subrequest depth limit exceeded.");
    if (callee->wire == NULL || !callee->running)
        return call_refuse(front, -EPIPE, "Error: Network connection lost.");
    snprintf(id, sizeof(id), "0123456789abcdef.%u", depth);
    msg_request_pack(&args,
                     &(struct msg_request){.flags = (m->flags & ~(uint32_t)MSG_REDIRECT_MANUAL) |
                                                    (end ? 0 : MSG_HAS_BODY),
                                           .method = m->method,
                                           .url = m->url,
                                           .headers = m->headers,
                                           .cf = m->cf.len == 0 ? SLICE("{}") : m->cf,
                                           .entrypoint = slice_of(entrypoint),
                                           .request_id = slice_of(id)});
    struct call *c = mem_new(sizeof(*c));
    c->front = front;
    wire_stream_own(front, &front_events, c);
    c->back = wire_open(callee->wire, OP_request, buf_slice(&args), -1, end, &back_events, c);
    if (c->back == NULL) {
        call_refuse(TAKE(c->front), -EPIPE, "Error: Network connection lost.");
        free(c);
    }
}

/* --- files --- */

static int call_read_file(struct test_runner *r, struct slice url, struct buf *ret)
{
    char path[TEST_WORKER_PATH_MAX], full[2 * TEST_WORKER_PATH_MAX];
    ssize_t scheme = slice_find_slice(url, SLICE("://"));
    url = slice_skip(url, scheme < 0 ? url.len : (size_t)scheme + 3);
    ssize_t slash = slice_find(url, '/');
    url = slice_skip(url, slash < 0 ? url.len : (size_t)slash);
    struct slice plain = slice_cut(&url, '?');
    if (slice_find_slice(plain, SLICE("/../")) >= 0 || slice_to_cstr(plain, path, sizeof(path)) < 0)
        return -EINVAL;
    const char *place = path;
    if (strcmp(path, "/resources/WebIDLParser.js") == 0) /* a name that the tests' server maps */
        place = "/resources/webidl2/lib/webidl2.js";
    snprintf(full, sizeof(full), "%s%s", r->wpt_root, place);
    return file_read(AT_FDCWD, full, TEST_WORKER_FILE_MAX, ret);
}

static void call_file(struct test_runner *r, struct wire_stream *s, const struct msg_fetch *m)
{
    static const struct wire_stream_events ignore = {0};
    AUTO(buf_done) struct buf content = {0}, out = {0};
    bool found = call_read_file(r, m->url, &content) == 0;
    msg_fetched_pack(
        &out, &(struct msg_fetched){.status = found ? 200 : 404,
                                    .flags = MSG_HAS_BODY,
                                    .content_length = (int64_t)buf_len(&content),
                                    .status_text = found ? SLICE("OK") : SLICE("Not Found")});
    wire_stream_own(s, &ignore, NULL);
    wire_reply(s, buf_slice(&out), -1, false);
    wire_send(s, buf_slice(&content), true);
    wire_stream_close(s, 0);
}

/* --- what an isolate opens --- */

void call_open(struct test_service *s, struct wire_stream *stream, uint16_t op, struct slice args,
               bool end)
{
    struct msg_fetch m;
    if (op != OP_fetch || msg_fetch_unpack(args, &m) < 0)
        return wire_stream_close(stream, -EOPNOTSUPP);
    if (m.binding == BINDING_NONE && s->runner->wpt)
        return call_file(s->runner, stream, &m);
    const json_t *binding = json_array_get(s->bindings, m.binding);
    const char *name = m.binding == BINDING_NONE ? json_str(s->config, "globalOutbound", "")
                                                 : json_str(binding, "service", "");
    struct test_service *callee = config_find(s->runner, name);
    if (callee == NULL)
        return call_refuse(stream, -ECONNREFUSED, "Error: Network connection lost.");
    call_service(callee, json_str(binding, "entrypoint", ""), stream, &m, end);
}
