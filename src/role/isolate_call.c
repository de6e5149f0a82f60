/*
 * Calls out of the isolate: fetch (to the gateway) and operations on stores (to the keeper).
 *
 * Each is a stream; its channel carries the body out and the answer's body in. The callback is called
 * exactly once, never from inside the call that made it.
 */
#include "role/isolate_impl.h"

#include <errno.h>

/* --- answers --- */

static void call_answered(struct channel *ch, const js_value *args, size_t n)
{
    struct isolate *iso = ch->iso;
    uint32_t id = ch->id;
    struct js_hold cb = ch->answer_cb;
    ch->answer_cb = (struct js_hold){0};
    isolate_callback(ch, cb.v, args, n);
    js_hold_clear(&cb);
    if (channel_find(iso, id) == ch)
        channel_maybe_done(ch);
}

void call_failed(struct channel *ch, int reason)
{
    js_context ctx = ch->iso->ctx;
    ch->in_end = true;
    ch->in_error = reason;
    buf_clear(&ch->in);
    channel_close(ch, reason);
    if (ch->kind == CHANNEL_KEEPER) {
        js_value args[] = {js_number(ctx, reason),
                           js_string(ctx, SLICE("The data service is unavailable.")), js_null(ctx),
                           js_bool(ctx, false)};
        return call_answered(ch, args, ARRAY_LEN(args));
    }
    js_value args[] = {js_string(ctx, SLICE("Network connection lost.")), js_number(ctx, reason),
                       js_number(ctx, MSG_RETRYABLE)};
    call_answered(ch, args, ARRAY_LEN(args));
}

static void call_fetched(struct channel *ch, struct slice payload)
{
    js_context ctx = ch->iso->ctx;
    struct msg_fetched m;
    isolate_away_end(ch);
    int r = ch->here ? isolate_here_fetched(ch, payload, &m) : msg_fetched_unpack(payload, &m);
    if (r < 0)
        return call_failed(ch, -EBADMSG);
    if (m.result < 0) {
        ch->in_end = true;
        channel_close(ch, -ECANCELED);
        js_value args[] = {js_string(ctx, m.error.len > 0 ? m.error : SLICE("internal error")),
                           js_number(ctx, (double)m.result), js_number(ctx, m.flags)};
        return call_answered(ch, args, ARRAY_LEN(args));
    }
    ch->joinable = (m.flags & MSG_JOINABLE) != 0;
    js_value args[] = {
        js_null(ctx),
        js_number(ctx, m.status),
        js_latin1(ctx, m.status_text),
        js_latin1(ctx, m.headers),
        js_number(ctx, m.flags),
        js_number(ctx, (double)m.content_length),
        js_bool(ctx, !ch->in_end),
    };
    call_answered(ch, args, ARRAY_LEN(args));
}

static void call_done(struct channel *ch, struct slice payload)
{
    js_context ctx = ch->iso->ctx;
    struct msg_done m;
    if (msg_done_unpack(payload, &m) < 0)
        return call_failed(ch, -EBADMSG);
    js_value args[] = {
        js_number(ctx, (double)m.result),
        js_string(ctx, m.text),
        m.json.len == 0 ? js_null(ctx) : js_string(ctx, m.json),
        js_bool(ctx, !ch->in_end),
    };
    call_answered(ch, args, ARRAY_LEN(args));
}

void call_reply(struct channel *ch, struct slice payload)
{
    if (ch->answer_cb.v == NULL)
        return;
    if (ch->kind == CHANNEL_FETCH)
        call_fetched(ch, payload);
    else
        call_done(ch, payload);
}

/* --- calls --- */

/* Appends what a body argument holds; 1 when bytes follow by io.write, 0 when that was all. */
static int call_body(js_context ctx, js_value body, struct buf *ret)
{
    if (js_is_nullish(ctx, body))
        return 0;
    if (js_is_bool(ctx, body))
        return js_is_true(ctx, body);
    if (js_is_string(ctx, body))
        return js_append_utf8(ctx, body, ret);
    struct slice bytes;
    int r = js_view(ctx, body, &bytes);
    if (r == 0)
        buf_append_slice(ret, bytes);
    return r;
}

/* The body was appended to iso->scratch behind the first `args_len` bytes, which are the message. */
static js_value call_start(struct isolate *iso, struct channel *ch, struct wire *wire, uint16_t op,
                           struct slice args)
{
    js_context ctx = iso->ctx;
    struct slice body = buf_slice(&iso->scratch);
    bool end = !ch->out_open && body.len == 0;
    struct wire_stream *s = wire == NULL || args.len > WIRE_PAYLOAD_MAX
                                ? NULL
                                : wire_open(wire, op, args, -1, end, &channel_events, ch);
    if (s == NULL) {
        ch->answer_error = args.len > WIRE_PAYLOAD_MAX ? -E2BIG : -EPIPE;
        ch->out_open = false;
        channel_ready(ch);
        return js_number(ctx, ch->id);
    }
    ch->stream = s;
    ch->stream_id = wire_stream_id(s);
    if (body.len > 0)
        wire_send(s, body, true);
    return js_number(ctx, ch->id);
}

static struct channel *call_create(struct isolate *iso, enum channel_kind kind, js_value callback)
{
    struct channel *ch = channel_create(iso, kind, NULL);
    if (ch == NULL)
        return NULL;
    ch->event = iso->current == NULL ? 0 : iso->current->id;
    js_hold_set(&ch->answer_cb, iso->ctx, callback);
    return ch;
}

js_value isolate_keeper_call(js_context ctx, uint16_t op, struct slice args, js_value body,
                             js_value callback)
{
    struct isolate *iso = js_user(ctx);
    struct channel *ch = call_create(iso, CHANNEL_KEEPER, callback);
    if (ch == NULL)
        return js_number(ctx, 0);
    buf_clear(&iso->scratch);
    int r = call_body(ctx, body, &iso->scratch);
    if (r < 0) {
        ch->answer_error = r;
        channel_ready(ch);
        return js_number(ctx, ch->id);
    }
    ch->out_open = r == 1;
    return call_start(iso, ch, iso->keeper, op, args);
}

/* Strings of one call, one after another in iso->scratch: buffers move while they grow, so offsets. */
struct call_texts {
    size_t at[8];
    unsigned n;
};

static struct slice call_text(struct isolate *iso, const struct call_texts *t, unsigned i)
{
    struct slice all = buf_slice(&iso->scratch);
    size_t end = i + 1 < t->n ? t->at[i + 1] : all.len;
    return slice_from(all.ptr + t->at[i], end - t->at[i]);
}

static int call_add(struct isolate *iso, struct call_texts *t, js_value v, bool latin1)
{
    t->at[t->n++] = buf_len(&iso->scratch);
    if (js_is_nullish(iso->ctx, v))
        return 0;
    return latin1 ? js_append_latin1(iso->ctx, v, &iso->scratch)
                  : js_append_utf8(iso->ctx, v, &iso->scratch);
}

/* fetch(binding, flags, method, url, headers, cf, body, cb, object?, its name?, class?); class is said with Durable
 * Objects alone: that of one that runs here, else "". */
enum {
    FETCH_BINDING,
    FETCH_FLAGS,
    FETCH_METHOD,
    FETCH_URL,
    FETCH_HEADERS,
    FETCH_CF,
    FETCH_BODY,
    FETCH_CB,
    FETCH_N,
    FETCH_OBJECT = FETCH_N,
    FETCH_OBJECT_NAME,
    FETCH_CLASS,
    FETCH_N_OBJECT
};
/* The texts among them, in iso->scratch. */
enum { TEXT_METHOD, TEXT_URL, TEXT_HEADERS, TEXT_CF, TEXT_OBJECT, TEXT_OBJECT_NAME, TEXT_CLASS };

static int fetch_texts(struct isolate *iso, const js_value args[], size_t n_args,
                       struct call_texts *t)
{
    buf_clear(&iso->scratch);
    for (unsigned i = FETCH_METHOD; i <= FETCH_CF; i++) {
        int r = call_add(iso, t, args[i], i == FETCH_HEADERS);
        if (r < 0)
            return r;
    }
    for (unsigned i = FETCH_OBJECT; i < FETCH_N_OBJECT; i++) {
        int r = call_add(iso, t, i < n_args ? args[i] : js_null(iso->ctx), false);
        if (r < 0)
            return r;
    }
    return 0;
}

static void fetch_pack(struct isolate *iso, const struct call_texts *t, double binding,
                       uint32_t flags)
{
    buf_clear(&iso->message);
    msg_fetch_pack(&iso->message,
                   &(struct msg_fetch){
                       .binding = binding < 0 ? BINDING_NONE : (uint32_t)binding,
                       .flags = flags,
                       .method = call_text(iso, t, TEXT_METHOD),
                       .url = call_text(iso, t, TEXT_URL),
                       .headers = call_text(iso, t, TEXT_HEADERS),
                       .cf = call_text(iso, t, TEXT_CF),
                       .parent = slice_of(iso->current == NULL ? "" : iso->current->request_id),
                       .object = call_text(iso, t, TEXT_OBJECT),
                       .object_name = call_text(iso, t, TEXT_OBJECT_NAME),
                   });
}

/* Of a facet, "@" and the class of what it belongs to: it is nowhere but here. */
static bool call_is_facet(struct isolate *iso, const struct call_texts *t)
{
    return slice_starts(call_text(iso, t, TEXT_CLASS), SLICE("@"));
}

static struct slice call_class(struct isolate *iso, const struct call_texts *t)
{
    return slice_skip(call_text(iso, t, TEXT_CLASS), call_is_facet(iso, t) ? 1 : 0);
}

/* What the gateway would make of it. */
static void fetch_pack_here(struct isolate *iso, const struct call_texts *t, uint32_t flags)
{
    char request_id[ISOLATE_REQUEST_ID_MAX];

    isolate_here_request_id(iso, request_id, sizeof(request_id));
    buf_clear(&iso->message);
    msg_request_pack(&iso->message,
                     &(struct msg_request){
                         .flags = (flags & (MSG_HAS_BODY | MSG_RPC)) |
                                  (iso->current != NULL && iso->current->traced ? MSG_TRACE : 0),
                         .method = call_text(iso, t, TEXT_METHOD),
                         .url = call_text(iso, t, TEXT_URL),
                         .headers = call_text(iso, t, TEXT_HEADERS),
                         .cf = call_text(iso, t, TEXT_CF),
                         .entrypoint = call_class(iso, t),
                         .request_id = slice_of(request_id),
                         .object = call_text(iso, t, TEXT_OBJECT),
                         .object_name = call_text(iso, t, TEXT_OBJECT_NAME),
                     });
}

js_value isolate_fetch(js_context ctx, size_t n_args, const js_value args[], js_value *exception)
{
    struct isolate *iso = js_user(ctx);
    struct call_texts t = {.n = 0};
    if (n_args < FETCH_N || !js_is_object(ctx, args[FETCH_CB]))
        return js_throw(ctx, exception, "TypeError", "io.fetch wants %d arguments", FETCH_N);
    if (fetch_texts(iso, args, n_args, &t) < 0)
        return js_throw(ctx, exception, "TypeError", "fetch: a field is not a byte string");
    uint32_t flags = (uint32_t)js_to_number(ctx, args[FETCH_FLAGS], 0) & ~(uint32_t)MSG_HAS_BODY;
    flags |= js_is_nullish(ctx, args[FETCH_BODY]) ? 0 : MSG_HAS_BODY;
    bool messages = (flags & MSG_WEBSOCKET) != 0;
    bool is_object = n_args >= FETCH_N_OBJECT && js_is_string(ctx, args[FETCH_CLASS]);
    char object[ISOLATE_REQUEST_ID_MAX + 1] = "";
    if (is_object && slice_to_cstr(call_text(iso, &t, TEXT_OBJECT), object, sizeof(object)) < 0)
        is_object = false;
    bool here = is_object && !messages && call_text(iso, &t, TEXT_CLASS).len > 0 &&
                (call_is_facet(iso, &t) || isolate_here_may(iso, slice_of(object)));
    if (here)
        fetch_pack_here(iso, &t, flags);
    else
        fetch_pack(iso, &t, js_to_number(ctx, args[FETCH_BINDING], -1), flags);
    buf_clear(&iso->scratch);
    int r = call_body(ctx, args[FETCH_BODY], &iso->scratch);
    if (r < 0)
        return js_throw(ctx, exception, "TypeError", "fetch: the body is neither text nor bytes");
    struct channel *ch = call_create(iso, CHANNEL_FETCH, args[FETCH_CB]);
    if (ch == NULL)
        return js_throw(ctx, exception, "Error", "Too many open connections.");
    ch->out_open = r == 1 || messages;
    ch->here = here;
    if (!here && is_object)
        isolate_away_begin(ch, slice_of(object));
    return call_start(iso, ch, here ? isolate_here_wire(iso) : iso->main,
                      here ? OP_request : OP_fetch, buf_slice(&iso->message));
}

/* cache(operation, name, url, headers, status, response headers, body, cb) */
enum {
    CACHE_ARG_OPERATION,
    CACHE_ARG_NAME,
    CACHE_ARG_URL,
    CACHE_ARG_HEADERS,
    CACHE_ARG_STATUS,
    CACHE_ARG_RESPONSE,
    CACHE_ARG_BODY,
    CACHE_ARG_CB,
    CACHE_ARG_N
};

static int cache_pack(struct isolate *iso, const js_value args[])
{
    js_context ctx = iso->ctx;
    struct call_texts t = {.n = 0};

    buf_clear(&iso->scratch);
    int r = call_add(iso, &t, args[CACHE_ARG_NAME], false);
    if (r == 0)
        r = call_add(iso, &t, args[CACHE_ARG_URL], false);
    if (r == 0)
        r = call_add(iso, &t, args[CACHE_ARG_HEADERS], true);
    if (r == 0)
        r = call_add(iso, &t, args[CACHE_ARG_RESPONSE], true);
    if (r < 0)
        return r;
    buf_clear(&iso->message);
    msg_cache_pack(&iso->message,
                   &(struct msg_cache){
                       .operation = (uint8_t)js_to_number(ctx, args[CACHE_ARG_OPERATION], 0),
                       .name = call_text(iso, &t, 0),
                       .url = call_text(iso, &t, 1),
                       .headers = call_text(iso, &t, 2),
                       .status = (uint16_t)js_to_number(ctx, args[CACHE_ARG_STATUS], 0),
                       .response = call_text(iso, &t, 3),
                   });
    return 0;
}

js_value isolate_cache(js_context ctx, size_t n_args, const js_value args[], js_value *exception)
{
    struct isolate *iso = js_user(ctx);
    if (n_args < CACHE_ARG_N || !js_is_object(ctx, args[CACHE_ARG_CB]))
        return js_throw(ctx, exception, "TypeError", "io.cache wants %d arguments", CACHE_ARG_N);
    if (cache_pack(iso, args) < 0)
        return js_throw(ctx, exception, "TypeError", "cache: a field is not a byte string");
    buf_clear(&iso->scratch);
    int r = call_body(ctx, args[CACHE_ARG_BODY], &iso->scratch);
    if (r < 0)
        return js_throw(ctx, exception, "TypeError", "cache: the body is neither text nor bytes");
    struct channel *ch = call_create(iso, CHANNEL_FETCH, args[CACHE_ARG_CB]);
    if (ch == NULL)
        return js_throw(ctx, exception, "Error", "Too many open connections.");
    ch->out_open = r == 1;
    return call_start(iso, ch, iso->main, OP_cache, buf_slice(&iso->message));
}

/* connect(address, "on" or "off", channel that goes over to TLS or 0, cb) */
enum { CONNECT_ADDRESS, CONNECT_SECURE, CONNECT_UPGRADE, CONNECT_CB, CONNECT_N };

js_value isolate_connect(js_context ctx, size_t n_args, const js_value args[], js_value *exception)
{
    struct isolate *iso = js_user(ctx);
    AUTO(buf_done) struct buf secure = {0};
    if (n_args < CONNECT_N || !js_is_object(ctx, args[CONNECT_CB]))
        return js_throw(ctx, exception, "TypeError", "io.connect wants %d arguments", CONNECT_N);
    struct channel *old = channel_find(iso, (uint32_t)js_to_number(ctx, args[CONNECT_UPGRADE], 0));
    bool upgrades = js_to_number(ctx, args[CONNECT_UPGRADE], 0) != 0;
    if (upgrades && (old == NULL || old->stream == NULL || !old->out_open))
        return js_throw(ctx, exception, "Error", "Network connection lost.");
    buf_clear(&iso->scratch);
    if (js_append_utf8(ctx, args[CONNECT_ADDRESS], &iso->scratch) < 0 ||
        js_append_utf8(ctx, args[CONNECT_SECURE], &secure) < 0)
        return js_throw(ctx, exception, "TypeError", "connect: a field is not a string");
    buf_clear(&iso->message);
    msg_connect_pack(&iso->message,
                     &(struct msg_connect){.address = buf_slice(&iso->scratch),
                                           .tls = slice_eq(buf_slice(&secure), SLICE("on")),
                                           .upgrade = old == NULL ? 0 : old->stream_id});
    struct channel *ch = call_create(iso, CHANNEL_FETCH, args[CONNECT_CB]);
    if (ch == NULL)
        return js_throw(ctx, exception, "Error", "Too many open connections.");
    buf_clear(&iso->scratch);
    ch->out_open = true;
    js_value id = call_start(iso, ch, iso->main, OP_connect, buf_slice(&iso->message));
    if (old != NULL) { /* the new stream is known by now; this end says that it may take over */
        old->out_open = false;
        wire_send(old->stream, SLICE_NONE, true);
    }
    return id;
}
