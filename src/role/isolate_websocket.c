/*
 * WebSockets in the isolate: messages on a channel's stream (proc/wire_message.h) as calls of script.
 *
 * Bytes of a message are credited as they arrive, since a message may be longer than the stream's window;
 * what bounds them is the longest message that a wire may carry. Each message is an entry of its own, and
 * each gets the whole limit of CPU time.
 */
#include "role/isolate_impl.h"

#include <errno.h>

#include "proc/wire_message.h"

enum { SOCKET_COPY_MAX = 64 * 1024, SOCKET_KEEP_MAX = 64 * 1024 };
/* First argument of the callback when there is no message any more; then errno, 0 for an orderly end. */
enum { SOCKET_ENDED = -1 };

/* --- in --- */

static void socket_credit(struct channel *ch, size_t n)
{
    if (ch->stream != NULL && n > 0)
        wire_consumed(ch->stream, n);
}

void isolate_messages_data(struct channel *ch, struct slice bytes)
{
    buf_append_slice(&ch->in, bytes);
    socket_credit(ch, bytes.len);
}

static void socket_ended(struct channel *ch)
{
    js_context ctx = ch->iso->ctx;
    struct isolate *iso = ch->iso;
    struct js_hold cb = ch->read_cb;
    uint32_t id = ch->id;

    ch->read_cb = (struct js_hold){0};
    ch->want = WANT_NOTHING;
    ch->in_dropped = true;
    buf_done(&ch->in);
    js_value args[] = {js_number(ctx, SOCKET_ENDED), js_number(ctx, ch->in_error)};
    isolate_callback(ch, cb.v, args, ARRAY_LEN(args));
    js_hold_clear(&cb);
    if (channel_find(iso, id) == ch)
        channel_maybe_done(ch);
}

/* callback(type, text or bytes) or callback(CLOSE, reason, code); code 0: none. */
static int socket_args(struct channel *ch, const struct wire_message *m, js_value args[3])
{
    js_context ctx = ch->iso->ctx;
    struct slice reason;
    uint16_t code = 0;

    args[0] = js_number(ctx, m->type);
    switch (m->type) {
    case WIRE_MESSAGE_BINARY:
        args[1] = js_bytes(ctx, m->bytes);
        return 2;
    case WIRE_MESSAGE_CLOSE:
        if (wire_message_close(m->bytes, &code, &reason) < 0)
            return -EBADMSG;
        args[1] = js_string(ctx, reason);
        args[2] = js_number(ctx, code);
        return 3;
    case WIRE_MESSAGE_TEXT:
    case WIRE_MESSAGE_FAILED:
        args[1] = js_string(ctx, m->bytes);
        return 2;
    }
    return -EBADMSG;
}

/* A new budget of CPU time for the event; what it has used is kept for its account. */
void isolate_refill(struct channel *ch)
{
    struct channel *event = channel_event(ch);

    if (event == NULL)
        return;
    event->cpu_past_us += event->cpu_us;
    event->cpu_us = 0;
}

/* 1: one message was given. */
static int socket_give(struct channel *ch)
{
    struct slice in = buf_slice(&ch->in);
    size_t before = in.len;
    struct wire_message m;
    js_value args[3];

    int n = wire_message_whole(&in, &m);
    if (n > 0)
        n = socket_args(ch, &m, args);
    if (n < 0)
        ch->in_error = n;
    if (n <= 0)
        return n;
    buf_consume(&ch->in, before - in.len);
    if (buf_len(&ch->in) == 0 && ch->in.cap > SOCKET_KEEP_MAX)
        buf_done(&ch->in);
    isolate_refill(ch);
    isolate_callback(ch, ch->read_cb.v, args, (size_t)n);
    return 1;
}

void isolate_messages_settle(struct channel *ch)
{
    struct isolate *iso = ch->iso;
    uint32_t id = ch->id;

    /* The script may end the channel, or the process, in any of the calls. */
    while (iso->exit_status < 0 && channel_find(iso, id) == ch && ch->want == WANT_MESSAGES) {
        if (socket_give(ch) > 0)
            continue;
        if (ch->in_error < 0 || ch->in_end)
            socket_ended(ch);
        return;
    }
}

void isolate_socket_wanted(struct channel *ch)
{
    struct isolate *iso = ch->iso;

    if (!ch->joinable || ch->stream == NULL)
        return;
    ch->joinable = false;
    buf_clear(&iso->message);
    msg_socket_read_pack(&iso->message, &(struct msg_socket_read){0});
    wire_note(iso->main, ch->stream_id, OP_socket_read, buf_slice(&iso->message), -1);
}

/* messages(ch, callback): every message from now on, until callback(-1, errno). */
JS_NATIVE(isolate_messages)
{
    struct isolate *iso = js_user(ctx);
    struct channel *ch =
        n_args < 2 ? NULL : channel_find(iso, (uint32_t)js_to_number(ctx, args[0], 0));
    if (ch == NULL || !js_is_object(ctx, args[1]) || ch->want != WANT_NOTHING || ch->in_dropped)
        return js_bool(ctx, false);
    js_hold_set(&ch->read_cb, ctx, args[1]);
    ch->want = WANT_MESSAGES;
    isolate_socket_wanted(ch);
    socket_credit(ch, buf_len(&ch->in));
    if (buf_len(&ch->in) > 0 || ch->in_end || ch->in_error < 0)
        channel_ready(ch);
    return js_bool(ctx, true);
}

/* --- out --- */

static struct channel *socket_open(js_context ctx, size_t n_args, const js_value args[])
{
    struct isolate *iso = js_user(ctx);
    struct channel *ch =
        n_args == 0 ? NULL : channel_find(iso, (uint32_t)js_to_number(ctx, args[0], 0));

    return ch == NULL || ch->stream == NULL || !ch->out_open ? NULL : ch;
}

static void socket_send(struct channel *ch, enum wire_message_type type, struct slice payload)
{
    struct buf *out = &ch->iso->message;

    buf_clear(out);
    pack_u8(out, (uint8_t)type);
    pack_u32(out, (uint32_t)payload.len);
    if (payload.len <= SOCKET_COPY_MAX) {
        buf_append_slice(out, payload);
        wire_send(ch->stream, buf_slice(out), false);
        return;
    }
    wire_send(ch->stream, buf_slice(out), false);
    wire_send(ch->stream, payload, false);
}

/* sendMessage(ch, string or bytes): bytes that wait here because the other side is slow; -1: it is gone. */
JS_NATIVE(isolate_send_message)
{
    struct channel *ch = socket_open(ctx, n_args, args);
    struct isolate *iso = js_user(ctx);
    enum wire_message_type type = WIRE_MESSAGE_BINARY;
    struct slice payload = SLICE_NONE;
    int r = -EINVAL;
    if (ch == NULL)
        return js_number(ctx, -1);
    if (n_args > 1 && js_is_string(ctx, args[1])) {
        type = WIRE_MESSAGE_TEXT;
        buf_clear(&iso->scratch);
        r = js_append_utf8(ctx, args[1], &iso->scratch);
        payload = buf_slice(&iso->scratch);
    } else if (n_args > 1) {
        r = js_view(ctx, args[1], &payload);
    }
    if (r < 0 || payload.len > WIRE_MESSAGE_MAX)
        return js_throw(ctx, exception, "TypeError", "a message is text or bytes, at most %d",
                        WIRE_MESSAGE_MAX);
    socket_send(ch, type, payload);
    return js_number(ctx, (double)wire_send_queued(ch->stream));
}

/* sendClose(ch, code, reason); code 0: none. */
JS_NATIVE(isolate_send_close)
{
    struct channel *ch = socket_open(ctx, n_args, args);
    struct isolate *iso = js_user(ctx);
    if (ch == NULL || n_args < 3)
        return js_bool(ctx, false);
    buf_clear(&iso->scratch);
    if (js_append_utf8(ctx, args[2], &iso->scratch) < 0)
        buf_clear(&iso->scratch);
    struct slice reason = buf_slice(&iso->scratch);
    reason.len = MIN(reason.len, (size_t)WIRE_MESSAGE_CONTROL_MAX - 2);
    buf_clear(&iso->message);
    wire_message_put_close(&iso->message, (uint16_t)js_to_number(ctx, args[1], 0), reason);
    wire_send(ch->stream, buf_slice(&iso->message), false);
    return js_bool(ctx, true);
}

/* queued(ch): bytes that wait here. */
JS_NATIVE(isolate_queued)
{
    struct channel *ch = socket_open(ctx, n_args, args);

    return js_number(ctx, ch == NULL ? 0 : (double)wire_send_queued(ch->stream));
}
