/*
 * Front of a call: an isolate that fetches - a service, its assets, a Worker by its public name, the world.
 *
 * The isolate names a binding index; what stands behind it comes from the deployed version. The front's
 * stream is closed, and the call destroyed, as soon as the response has been passed on.
 */
#include "role/gateway.h"

#include "product/messages.h"
#include "role/gateway_isolate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wire_stream *stream_of(const struct call *c)
{
    return c->front_data;
}

static void wire_front_over(struct call *c)
{
    struct wire_stream *s = stream_of(c);

    call_destroy(c, -ECANCELED);
    wire_stream_close(s, 0);
}

static void wire_front_head(struct call *c, const struct call_head *head)
{
    static struct buf out;
    bool joinable = (head->flags & MSG_WEBSOCKET) != 0 && c->back != NULL && c->back->move != NULL;

    buf_clear(&out);
    if ((head->flags & MSG_THREW) != 0 && head->end) {
        msg_fetched_pack(&out, &(struct msg_fetched){.result = -EREMOTEIO,
                                                     .error = head->status_text,
                                                     .flags = head->flags & MSG_ERROR_FLAGS,
                                                     .content_length = -1});
        wire_reply(stream_of(c), buf_slice(&out), -1, true);
        wire_front_over(c);
        return;
    }
    msg_fetched_pack(&out,
                     &(struct msg_fetched){
                         .status = (uint16_t)head->status,
                         .flags = (head->flags & ~(uint32_t)(MSG_JOIN | MSG_HIBERNATE)) |
                                  (head->end ? 0 : MSG_HAS_BODY) | (joinable ? MSG_JOINABLE : 0),
                         .content_length = head->content_length,
                         .status_text = head->status_text,
                         .headers = head->headers,
                     });
    wire_reply(stream_of(c), buf_slice(&out), -1, head->end);
    if (head->end)
        wire_front_over(c);
    else if (joinable)
        join_hold(wire_user(wire_stream_wire(stream_of(c))), wire_stream_id(stream_of(c)), c);
}

static void wire_front_data(struct call *c, struct slice bytes, bool end)
{
    if (c->holder != NULL) {
        buf_append_slice(&c->held_out, bytes);
        c->held_end |= end;
        return;
    }
    if (!c->response_over)
        wire_send(stream_of(c), bytes, end);
    c->response_over = end;
    if (end && !(c->request.socket && c->back != NULL))
        wire_front_over(c);
}

static size_t wire_front_room(struct call *c)
{
    return c->holder != NULL ? 0 : wire_send_room(stream_of(c));
}

static void wire_front_consumed(struct call *c, size_t n)
{
    wire_consumed(stream_of(c), n);
}

/* What a caller of a Durable Object is told instead. */
static uint32_t object_failure(int status, struct slice *text)
{
    static const struct {
        const char *begins, *becomes;
        uint32_t flags;
    } rows[] = {
        {"Too many requests", "Durable Object is overloaded. Too many requests queued.",
         MSG_OVERLOADED},
        {"The Worker has too many", "Durable Object is overloaded. Too many requests queued.",
         MSG_OVERLOADED},
        {"The Worker exceeded its CPU", "Durable Object exceeded its CPU time limit and was reset.",
         MSG_OBJECT_RESET},
        {"The Worker exceeded its memory",
         "Durable Object's isolate exceeded its memory limit and was reset.", MSG_OBJECT_RESET},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_starts(*text, slice_of(rows[i].begins))) {
            *text = slice_of(rows[i].becomes);
            return rows[i].flags;
        }
    if (status == 502)
        *text = SLICE("Network connection lost.");
    return status == 502 || status == 503 ? MSG_RETRYABLE : 0;
}

/* Pages for people become errors for programs: a fetch that never got an answer rejects. Statuses that
 * a Worker or the platform answers with (404, 500, ...) stay responses. */
static void wire_front_fail(struct call *c, int status, struct slice text)
{
    struct wire_stream *s = stream_of(c);
    static struct buf out;

    if (!c->head_sent) {
        buf_clear(&out);
        uint32_t flags = c->request.object.len > 0 ? object_failure(status, &text) : 0;
        msg_fetched_pack(&out, &(struct msg_fetched){.result = status == 504 ? -ETIMEDOUT : -EPIPE,
                                                     .error = text,
                                                     .flags = flags,
                                                     .status = (uint16_t)status,
                                                     .content_length = -1});
        wire_reply(s, buf_slice(&out), -1, true);
    }
    call_destroy(c, -ECANCELED);
    wire_stream_close(s, -EPIPE);
}

static const struct front_ops wire_front = {
    .head = wire_front_head,
    .data = wire_front_data,
    .room = wire_front_room,
    .consumed = wire_front_consumed,
    .fail = wire_front_fail,
};

static void wire_front_body(struct wire_stream *s, struct slice bytes, bool end)
{
    call_request_data(wire_stream_user(s), bytes, end);
}

static void wire_front_writable(struct wire_stream *s)
{
    call_front_writable(wire_stream_user(s));
}

static void wire_front_reset(struct wire_stream *s, int reason)
{
    call_destroy(wire_stream_user(s), reason);
    wire_stream_close(s, 0);
}

static const struct wire_stream_events wire_front_events = {
    .data = wire_front_body,
    .writable = wire_front_writable,
    .reset = wire_front_reset,
};

/* scheme://authority/path of a URL that the isolate has serialised: no parsing needed. */
static void url_split(struct slice url, struct slice *ret_authority, struct slice *ret_path)
{
    ssize_t at = slice_find_slice(url, SLICE("://"));
    struct slice rest = at < 0 ? url : slice_skip(url, (size_t)at + 3);
    ssize_t slash = slice_find(rest, '/');

    *ret_authority = slash < 0 ? rest : slice_from(rest.ptr, (size_t)slash);
    *ret_path = slash < 0 ? SLICE("/") : slice_skip(rest, (size_t)slash);
    struct slice authority = *ret_authority;
    ssize_t user = slice_find(authority, '@');
    if (user >= 0)
        *ret_authority = slice_skip(authority, (size_t)user + 1);
}

/* "<16 hex>" of a client's request, "<16 hex>.<depth>" of a Worker called by a Worker. */
static unsigned depth_of(struct slice parent)
{
    ssize_t dot = slice_find(parent, '.');
    uint64_t depth = 0;

    if (dot >= 0 && slice_to_u64(slice_skip(parent, (size_t)dot + 1), &depth) < 0)
        return MSG_DEPTH_MAX;
    return (unsigned)MIN(depth, MSG_DEPTH_MAX);
}

/* ctx.props of the entrypoint: valid until the next call. */
static struct slice binding_props(const json_t *binding)
{
    static struct buf text;
    const json_t *props = json_object_get(binding, "props");

    if (!json_is_object(props))
        return SLICE_NONE;
    buf_clear(&text);
    json_print(&text, props);
    return buf_slice(&text);
}

static void fetch_service(struct call *c, const json_t *binding)
{
    struct script *script =
        table_script(c->gateway->table, slice_of(json_str(binding, "service", "")));
    struct worker *w = script == NULL ? NULL : script_pick(script);

    if (w == NULL) {
        call_fail(c, 503, "The Worker \"%s\" behind this service binding is not deployed.",
                  json_str(binding, "service", ""));
        return;
    }
    c->request.entrypoint = slice_of(json_str(binding, "entrypoint", ""));
    c->request.props = binding_props(binding);
    c->request.packed = json_bool(binding, "packed", false);
    c->worker = worker_ref(w);
    if (worker_has_code(w))
        isolate_call_start(c);
    else
        assets_start(c);
}

static void fetch_assets(struct call *c, struct worker *self)
{
    if (worker_assets(self) == NULL) {
        call_fail(c, 503, "This version has no static assets.");
        return;
    }
    c->worker = worker_ref(self);
    assets_start(c);
}

static void fetch_cached(struct call *c, uint32_t flags)
{
    AUTO(buf_done) struct buf args = {0};

    pack_u32(&args, flags);
    lane_call(c, LANE_CACHE_FETCH, buf_slice(&args));
}

static void fetch_world(struct call *c, struct slice authority, uint32_t flags)
{
    struct worker *w = table_route(c->gateway->table, authority, c->request.path);

    if (c->gateway->world != NULL)
        c->gateway->world(c);
    else if (w != NULL)
        call_dispatch(c, w);
    else if (cache_fetch_wanted(c, flags))
        fetch_cached(c, flags);
    else
        egress_start(c);
}

static void bound_service(struct call *c, UNUSED struct worker *self, const json_t *binding,
                          UNUSED const struct msg_fetch *m)
{
    fetch_service(c, binding);
}

static void bound_assets(struct call *c, struct worker *self, UNUSED const json_t *binding,
                         UNUSED const struct msg_fetch *m)
{
    fetch_assets(c, self);
}

static void bound_object(struct call *c, UNUSED struct worker *self, const json_t *binding,
                         const struct msg_fetch *m)
{
    const char *object = json_str(binding, "object", NULL); /* of a stub that was passed on */

    if (object != NULL)
        object_call(c, binding, slice_of(object), slice_of(json_str(binding, "object_name", "")));
    else
        object_call(c, binding, m->object, m->object_name);
}

static void bound_loader(struct call *c, struct worker *self, const json_t *binding UNUSED,
                         const struct msg_fetch *m)
{
    const struct isolate_link *l = wire_user(wire_stream_wire(stream_of(c)));

    c->outbound = outbound_ref(l->outbound); /* what it brings has no way around it either */
    loader_call(c, self, m->binding, m->object, m->object_name);
}

static void bound_dispatch(struct call *c, UNUSED struct worker *self, const json_t *binding,
                           const struct msg_fetch *m)
{
    dispatch_call(c, binding, m->object, m->object_name);
}

static void bound_rate(struct call *c, struct worker *self UNUSED, const json_t *binding,
                       const struct msg_fetch *m UNUSED)
{
    rate_call(c, binding);
}

static void bound_none(struct call *c, struct worker *self UNUSED, const json_t *binding UNUSED,
                       const struct msg_fetch *m UNUSED)
{
    call_fail(c, 403,
              "This worker is not permitted to access the internet via global functions like "
              "fetch(). It must use capabilities (such as bindings in 'env') to talk to the "
              "outside world.");
}

static void fetch_bound(struct call *c, struct worker *self, const json_t *binding,
                        const struct msg_fetch *m)
{
    static const struct {
        const char *type;
        void (*fetch)(struct call *c, struct worker *self, const json_t *binding,
                      const struct msg_fetch *m);
    } kinds[] = {{"service", bound_service},
                 {"assets", bound_assets},
                 {"durable_object_namespace", bound_object},
                 {"dispatch_namespace", bound_dispatch},
                 {"ratelimit", bound_rate},
                 {"worker_loader", bound_loader},
                 {"none", bound_none}};
    const char *type = binding == NULL ? "" : json_str(binding, "type", "");

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].type, type) == 0) {
            kinds[i].fetch(c, self, binding, m);
            return;
        }
    call_fail(c, 403, "Binding %u of this version cannot be fetched.", m->binding);
}

static void open_connect(struct isolate_link *l, struct wire_stream *s, struct slice args, bool end)
{
    struct msg_connect m;

    if (end || msg_connect_unpack(args, &m) < 0) {
        wire_stream_close(s, -EBADMSG);
        isolate_link_condemn(l, "sent a malformed or forbidden message");
        return;
    }
    struct call *c = call_create(l->gateway, &wire_front, s);
    wire_stream_own(s, &wire_front_events, c);
    c->request.socket = true;
    c->request.has_body = true;
    if (l->outbound != NULL || l->worker->world != NULL) {
        call_fail(c, 403,
                  "Sockets are refused: an outbound Worker answers what this Worker fetches.");
        return;
    }
    egress_tcp_start(c, l, wire_stream_id(s), &m);
}

static void open_cache(struct isolate_link *l, struct wire_stream *s, struct slice args, bool end)
{
    struct msg_cache m;

    if (msg_cache_unpack(args, &m) < 0 || http_header_check(m.headers) < 0 ||
        http_header_check(m.response) < 0 || m.operation < CACHE_MATCH ||
        m.operation > CACHE_DELETE ||
        (m.operation == CACHE_PUT && (m.status < 200 || m.status > 599))) {
        wire_stream_close(s, -EBADMSG);
        isolate_link_condemn(l, "sent a malformed or forbidden message");
        return;
    }
    struct call *c = call_create(l->gateway, &wire_front, s);
    if (table_is_untrusted(l->gateway->table, l->worker->script))
        c->cache_owner = l->worker->script;
    wire_stream_own(s, &wire_front_events, c);
    c->request = (struct call_request){.method = SLICE("GET"),
                                       .url = m.url,
                                       .headers = m.headers,
                                       .content_length = -1,
                                       .has_body = !end};
    if (end)
        call_request_data(c, SLICE_NONE, true);
    lane_call(c, LANE_CACHE, args);
}

void gateway_isolate_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                          int fd, bool end)
{
    struct isolate_link *l = wire_user(w);
    struct msg_fetch m;

    fd_release(&fd);
    if (op == OP_connect) {
        open_connect(l, s, args, end);
        return;
    }
    if (op == OP_cache) {
        open_cache(l, s, args, end);
        return;
    }
    if (op != OP_fetch || msg_fetch_unpack(args, &m) < 0 || http_header_check(m.headers) < 0) {
        wire_stream_close(s, -EBADMSG);
        isolate_link_condemn(l, "sent a malformed or forbidden message");
        return;
    }

    struct gateway *g = l->gateway;
    struct call *c = call_create(g, &wire_front, s);
    struct slice authority;
    unsigned depth = depth_of(m.parent) + 1;
    c->caller = l;
    l->heard_us = loop_now_us(g->loop);
    wire_stream_own(s, &wire_front_events, c);
    c->request = (struct call_request){
        .method = m.method,
        .url = m.url,
        .headers = m.headers,
        .cf = m.cf,
        .content_length = end || (m.flags & MSG_WEBSOCKET) != 0 ? 0 : -1,
        .has_body = !end && (m.flags & MSG_WEBSOCKET) == 0,
        .upgrade = (m.flags & MSG_WEBSOCKET) != 0,
        .rpc = (m.flags & MSG_RPC) != 0,
        .depth = depth,
    };
    snprintf(c->request.id, sizeof(c->request.id), "%.*s.%u", (int)MIN(m.parent.len, 16),
             m.parent.ptr == NULL ? "" : m.parent.ptr, depth);
    url_split(m.url, &authority, &c->request.path);
    struct slice length;
    uint64_t n;
    if (!end && http_header_get(m.headers, SLICE("content-length"), &length) &&
        slice_to_u64(length, &n) == 0)
        c->request.content_length = (int64_t)n;

    if (depth >= MSG_DEPTH_MAX && m.binding != BINDING_NONE)
        call_fail(c, 508, "Subrequest depth limit exceeded: more than %d Workers in one chain.",
                  MSG_DEPTH_MAX);
    else if (m.binding != BINDING_NONE)
        fetch_bound(c, l->worker, worker_binding(l->worker, m.binding), &m);
    else if (l->worker->world != NULL)
        fetch_bound(c, l->worker, l->worker->world, &m);
    else if (!outbound_take(l, c, m.parent))
        fetch_world(c, authority, m.flags);
}
