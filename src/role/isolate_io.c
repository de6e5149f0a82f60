/*
 * Natives of group `io`: docs/architecture.md, "Inside the isolate". Errors are negative errnos.
 *
 * A number of a channel that is over is no mistake of the script's (the client may have gone meanwhile):
 * reads and waits on it end with -EPIPE at once, writes find no room.
 */
#include "role/isolate_impl.h"

#include <errno.h>
#include <math.h>

#include "core/clock.h"
#include "core/log.h"

static struct channel *io_channel(js_context ctx, size_t n_args, const js_value args[], size_t at)
{
    return n_args <= at ? NULL
                        : channel_find(js_user(ctx), (uint32_t)js_to_number(ctx, args[at], 0));
}

static int io_errno(js_context ctx, size_t n_args, const js_value args[], size_t at)
{
    double v = n_args <= at ? 0 : js_to_number(ctx, args[at], 0);
    return v == 0 || !(fabs(v) < 4096) ? -ECANCELED : -(int)fabs(v);
}

/* --- reading --- */

static js_value io_want(js_context ctx, size_t n_args, const js_value args[],
                        enum channel_want want)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (n_args < 2 || !js_is_object(ctx, args[1]))
        return js_undefined(ctx);
    if (ch == NULL || ch->want != WANT_NOTHING || ch->in_dropped) {
        js_value failed[] = {js_undefined(ctx), js_number(ctx, ch == NULL ? -EPIPE : -EBUSY)};
        js_call(ctx, args[1], failed, ARRAY_LEN(failed), NULL);
        return js_undefined(ctx);
    }
    js_hold_set(&ch->read_cb, ctx, args[1]);
    ch->want = want;
    /* The other side goes on sending only when it sees that its first bytes are wanted. */
    if (want == WANT_BYTES || want == WANT_TEXT) {
        if (ch->stream != NULL && buf_len(&ch->in) > 0)
            wire_consumed(ch->stream, buf_len(&ch->in));
    }
    if (buf_len(&ch->in) > 0 || ch->in_end || ch->in_error < 0)
        channel_ready(ch);
    return js_undefined(ctx);
}

static JS_NATIVE(io_read)
{
    return io_want(ctx, n_args, args, WANT_READ);
}

static JS_NATIVE(io_collect)
{
    return io_want(ctx, n_args, args, WANT_BYTES);
}

static JS_NATIVE(io_collect_text)
{
    return io_want(ctx, n_args, args, WANT_TEXT);
}

static JS_NATIVE(io_cancel)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (ch == NULL)
        return js_undefined(ctx);
    ch->in_dropped = true;
    ch->want = WANT_NOTHING;
    js_hold_clear(&ch->read_cb);
    buf_done(&ch->in);
    channel_ready(ch); /* it may be done, but not while its number is in use here */
    return js_undefined(ctx);
}

/* --- writing --- */

/* String or bytes to the stream. */
static int io_send(js_context ctx, struct channel *ch, js_value chunk, bool end)
{
    struct isolate *iso = ch->iso;
    struct slice bytes;
    int r = 0;
    if (js_is_string(ctx, chunk)) {
        buf_clear(&iso->scratch);
        r = js_append_utf8(ctx, chunk, &iso->scratch);
        bytes = buf_slice(&iso->scratch);
    } else {
        r = js_view(ctx, chunk, &bytes);
    }
    if (r == 0)
        wire_send(ch->stream, bytes, end);
    return r;
}

static JS_NATIVE(io_write)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (ch == NULL || ch->stream == NULL || !ch->out_open || n_args < 2)
        return js_number(ctx, 0);
    if (io_send(ctx, ch, args[1], false) < 0)
        return js_throw(ctx, exception, "TypeError", "io.write wants text or bytes");
    return js_number(ctx, (double)wire_send_room(ch->stream));
}

static JS_NATIVE(io_when_writable)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (n_args < 2 || !js_is_object(ctx, args[1]))
        return js_undefined(ctx);
    if (ch == NULL) {
        js_value failed[] = {js_number(ctx, -EPIPE)};
        js_call(ctx, args[1], failed, ARRAY_LEN(failed), NULL);
        return js_undefined(ctx);
    }
    js_hold_set(&ch->room_cb, ctx, args[1]);
    if (ch->stream == NULL || wire_send_room(ch->stream) > 0)
        channel_ready(ch);
    return js_undefined(ctx);
}

static JS_NATIVE(io_end)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (ch == NULL || !ch->out_open)
        return js_undefined(ctx);
    ch->out_open = false;
    if (ch->stream != NULL)
        wire_send(ch->stream, SLICE_NONE, true);
    channel_ready(ch);
    return js_undefined(ctx);
}

/* Breaks what goes out; a stream has no other way than to break whole. */
static JS_NATIVE(io_fail)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (ch == NULL)
        return js_undefined(ctx);
    int error = io_errno(ctx, n_args, args, 1);
    channel_close(ch, error);
    if (ch->answer_cb.v != NULL)
        ch->answer_error = error;
    if (ch->in_error == 0 && !ch->in_end)
        ch->in_error = error;
    channel_ready(ch);
    return js_undefined(ctx);
}

/* No callback of the channel is called any more. */
static JS_NATIVE(io_reset)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (ch == NULL)
        return js_undefined(ctx);
    struct channel *from = channel_find(ch->iso, ch->pipe_from);
    if (from != NULL)
        channel_ready(from);
    channel_close(ch, io_errno(ctx, n_args, args, 1));
    js_hold_clear(&ch->read_cb);
    js_hold_clear(&ch->room_cb);
    js_hold_clear(&ch->answer_cb);
    ch->want = WANT_NOTHING;
    ch->in_dropped = true;
    buf_done(&ch->in);
    if (ch->kind == CHANNEL_FETCH || ch->kind == CHANNEL_KEEPER)
        channel_destroy(ch);
    return js_undefined(ctx);
}

/* pipe(from, to, cb) */
static JS_NATIVE(io_pipe)
{
    struct channel *from = io_channel(ctx, n_args, args, 0), *to = io_channel(ctx, n_args, args, 1);
    if (n_args < 3 || !js_is_object(ctx, args[2]))
        return js_undefined(ctx);
    bool busy = from != NULL && (from->want != WANT_NOTHING || from->in_dropped);
    if (from == NULL || to == NULL || busy || !to->out_open || to->pipe_from != 0) {
        js_value failed[] = {js_number(ctx, busy ? -EBUSY : -EPIPE)};
        js_call(ctx, args[2], failed, ARRAY_LEN(failed), NULL);
        return js_undefined(ctx);
    }
    js_hold_set(&from->read_cb, ctx, args[2]);
    from->want = WANT_PIPE;
    isolate_socket_wanted(from);
    from->pipe_to = to->id;
    to->pipe_from = from->id;
    channel_ready(from);
    return js_undefined(ctx);
}

/* --- answers --- */

/* respond(ch, status, flags, contentLength, statusText, headers, body, socket?): socket is the channel of the fetch
 * (MSG_JOIN) or the number among the object's sockets (MSG_HIBERNATE). */
enum {
    RESPOND_CH,
    RESPOND_STATUS,
    RESPOND_FLAGS,
    RESPOND_LENGTH,
    RESPOND_TEXT,
    RESPOND_HEADERS,
    RESPOND_BODY,
    RESPOND_N,
    RESPOND_SOCKET = RESPOND_N
};

static int respond_body(js_context ctx, js_value body, struct slice *ret)
{
    struct isolate *iso = js_user(ctx);
    if (!js_is_string(ctx, body))
        return js_view(ctx, body, ret);
    size_t at = buf_len(&iso->scratch);
    int r = js_append_utf8(ctx, body, &iso->scratch);
    *ret = slice_skip(buf_slice(&iso->scratch), at);
    return r;
}

static int respond_pack(js_context ctx, const js_value args[], int64_t length, bool has_body,
                        uint32_t socket)
{
    struct isolate *iso = js_user(ctx);
    size_t at = buf_len(&iso->scratch);
    int r = js_append_latin1(ctx, args[RESPOND_TEXT], &iso->scratch);
    size_t headers_at = buf_len(&iso->scratch);
    if (r == 0)
        r = js_append_latin1(ctx, args[RESPOND_HEADERS], &iso->scratch);
    if (r < 0)
        return r;
    struct slice all = buf_slice(&iso->scratch);
    uint32_t flags = (uint32_t)js_to_number(ctx, args[RESPOND_FLAGS], 0) & ~(uint32_t)MSG_HAS_BODY;
    buf_clear(&iso->message);
    msg_response_pack(&iso->message,
                      &(struct msg_response){
                          .status = (uint16_t)js_to_number(ctx, args[RESPOND_STATUS], 200),
                          .flags = flags | (has_body ? MSG_HAS_BODY : 0),
                          .content_length = length,
                          .status_text = slice_from(all.ptr + at, headers_at - at),
                          .headers = slice_skip(all, headers_at),
                          .socket = socket,
                      });
    return buf_len(&iso->message) > WIRE_PAYLOAD_MAX ? -E2BIG : 0;
}

/* The number that the gateway knows the socket by. */
static uint32_t respond_socket(js_context ctx, size_t n_args, const js_value args[],
                               struct channel **ret_fetch)
{
    uint32_t flags = (uint32_t)js_to_number(ctx, args[RESPOND_FLAGS], 0);
    if (n_args <= RESPOND_SOCKET || (flags & (MSG_JOIN | MSG_HIBERNATE)) == 0)
        return 0;
    uint32_t n = (uint32_t)js_to_number(ctx, args[RESPOND_SOCKET], 0);
    if ((flags & MSG_JOIN) == 0)
        return n;
    *ret_fetch = channel_find(js_user(ctx), n);
    return *ret_fetch == NULL ? 0 : (*ret_fetch)->stream_id;
}

/* The socket is in the gateway's hands: neither stream carries anything any more. */
static void respond_hand_on(struct channel *ch, struct channel *fetch)
{
    ch->in_dropped = true;
    channel_close(ch, 0);
    if (fetch == NULL)
        return;
    channel_close(fetch, 0);
    channel_destroy(fetch);
}

static JS_NATIVE(io_respond)
{
    struct channel *ch = io_channel(ctx, n_args, args, RESPOND_CH);
    if (n_args < RESPOND_N)
        return js_throw(ctx, exception, "TypeError", "io.respond wants %d arguments", RESPOND_N);
    if (ch == NULL || ch->kind != CHANNEL_REQUEST || ch->replied)
        return js_bool(ctx, false);
    struct isolate *iso = ch->iso;
    js_value body = args[RESPOND_BODY];
    bool none = js_is_nullish(ctx, body), streamed = !none && js_is_bool(ctx, body);
    struct slice bytes = SLICE_NONE;
    int64_t length = (int64_t)js_to_number(ctx, args[RESPOND_LENGTH], -1);

    buf_clear(&iso->scratch);
    if (!none && !streamed && respond_body(ctx, body, &bytes) < 0)
        return js_throw(ctx, exception, "TypeError",
                        "io.respond: the body is neither text nor bytes");
    size_t body_len = bytes.len;
    bool in_scratch = js_is_string(ctx, body);
    if (!none && !streamed && length < 0)
        length = (int64_t)body_len;
    struct channel *fetch = NULL;
    uint32_t socket = respond_socket(ctx, n_args, args, &fetch);
    if (respond_pack(ctx, args, length, !none, socket) < 0)
        return js_throw(ctx, exception, "TypeError",
                        "response headers are too large or no byte strings");
    if (in_scratch)
        bytes = slice_from(buf_slice(&iso->scratch).ptr, body_len); /* it may have moved */

    ch->replied = true;
    if (ch->stream == NULL)
        return js_bool(ctx, false);
    bool data = body_len > 0;
    wire_reply(ch->stream, buf_slice(&iso->message), -1, !streamed && !data);
    if (data)
        wire_send(ch->stream, bytes, true);
    ch->out_open = streamed;
    if (((uint32_t)js_to_number(ctx, args[RESPOND_FLAGS], 0) & (MSG_JOIN | MSG_HIBERNATE)) != 0)
        respond_hand_on(ch, fetch);
    return js_bool(ctx, true);
}

static JS_NATIVE(io_fetch)
{
    return isolate_fetch(ctx, n_args, args, exception);
}

static JS_NATIVE(io_connect)
{
    return isolate_connect(ctx, n_args, args, exception);
}

static JS_NATIVE(io_cache)
{
    return isolate_cache(ctx, n_args, args, exception);
}

static JS_NATIVE(io_event_end)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (ch == NULL || (ch->kind != CHANNEL_REQUEST && ch->kind != CHANNEL_SCHEDULED &&
                       ch->kind != CHANNEL_SOCKETS))
        return js_undefined(ctx);
    struct isolate *iso = ch->iso;
    bool later = iso->current == ch && iso->depth == 1 && !iso->condemned;
    later = later || iso->ending == ch->id; /* said again, with more in the trace */
    struct buf *texts = later ? &iso->ending_text : &iso->scratch;
    buf_clear(texts);
    if (n_args > 1 && js_append_utf8(ctx, args[1], texts) < 0)
        return js_undefined(ctx);
    size_t outcome_len = buf_len(texts);
    if (n_args > 2 && !js_is_nullish(ctx, args[2]) && js_append_utf8(ctx, args[2], texts) < 0)
        return js_undefined(ctx);
    if (later) {
        iso->ending = ch->id;
        iso->ending_outcome_len = outcome_len;
        return js_undefined(ctx);
    }
    struct slice all = buf_slice(texts);
    isolate_event_end(ch, slice_from(all.ptr, outcome_len), slice_skip(all, outcome_len));
    return js_undefined(ctx);
}

/* cpuTime(ch): whole milliseconds that the event has used so far. */
static JS_NATIVE(io_cpu_time)
{
    struct channel *ch = io_channel(ctx, n_args, args, 0);
    if (ch == NULL)
        return js_number(ctx, 0);
    if (ch->iso->current == ch)
        isolate_account(ch->iso);
    return js_number(ctx, (double)((ch->cpu_past_us + ch->cpu_us) / 1000));
}

/* --- time, log --- */

static JS_NATIVE(io_timer_at)
{
    isolate_timer_set(js_user(ctx), n_args < 1 ? INFINITY : js_to_number(ctx, args[0], INFINITY));
    return js_undefined(ctx);
}

static JS_NATIVE(io_now)
{
    struct isolate *iso = js_user(ctx);
    return js_number(ctx, iso->clock[0]);
}

static JS_NATIVE(io_log)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
    AUTO(buf_done) struct buf text = {0};
    if (n_args < 2 || js_append_utf8(ctx, args[1], &text) < 0)
        return js_undefined(ctx);
    double level = js_to_number(ctx, args[0], 0);
    size_t at = level >= 0 && level < (double)ARRAY_LEN(levels) ? (size_t)level : 0;
    LOG(levels[at], "script", F("text", "%s", buf_cstr(&text)));
    return js_undefined(ctx);
}

const struct js_native_row isolate_io_rows[] = {
    {"read", io_read},
    {"collect", io_collect},
    {"collectText", io_collect_text},
    {"cancel", io_cancel},
    {"write", io_write},
    {"whenWritable", io_when_writable},
    {"end", io_end},
    {"fail", io_fail},
    {"reset", io_reset},
    {"pipe", io_pipe},
    {"respond", io_respond},
    {"fetch", io_fetch},
    {"connect", io_connect},
    {"cache", io_cache},
    {"messages", isolate_messages},
    {"sendMessage", isolate_send_message},
    {"sendClose", isolate_send_close},
    {"queued", isolate_queued},
    {"frames", isolate_frames},
    {"sendFrame", isolate_send_frame},
    {"sleep", isolate_sockets_sleep},
    {"eventPart", isolate_event_part},
    {"eventEnd", io_event_end},
    {"cpuTime", io_cpu_time},
    {"timerAt", io_timer_at},
    {"now", io_now},
    {"log", io_log},
};
const size_t isolate_io_n_rows = ARRAY_LEN(isolate_io_rows);
