/*
 * Sockets of Durable Objects that may sleep: frames of proc/wire_socket.h as calls of script, and back.
 *
 * The channel is an event that lasts as long as the object is awake. Each message of it is an entry with a budget of
 * CPU time of its own; what the script reports of one it says with eventPart().
 */
#include "role/isolate_impl.h"

#include <errno.h>

#include "proc/wire_socket.h"

enum { FRAMES_KEEP_MAX = 64 * 1024, FRAME_ARGS = 5 };

/* --- in --- */

/* callback(type, socket, ...): TEXT text; BINARY bytes; CLOSE reason, code; FAILED text; GONE; KNOWN tags,
 * attachment or null, ms of the last automatic answer; READY request or null, response; ANSWERED ms. */
static int frame_args(struct channel *ch, const struct wire_socket_frame *f, js_value args[])
{
    js_context ctx = ch->iso->ctx;
    struct wire_socket_known known;
    struct unpack u = {.rest = f->payload};
    struct slice a, b;
    uint16_t code = 0;
    bool has;

    args[0] = js_number(ctx, f->type);
    args[1] = js_number(ctx, f->socket);
    switch (f->type) {
    case WIRE_SOCKET_TEXT:
    case WIRE_SOCKET_FAILED:
        args[2] = js_string(ctx, f->payload);
        return 3;
    case WIRE_SOCKET_BINARY:
        args[2] = js_bytes(ctx, f->payload);
        return 3;
    case WIRE_SOCKET_CLOSE:
        if (wire_message_close(f->payload, &code, &a) < 0)
            return -EBADMSG;
        args[2] = js_string(ctx, a);
        args[3] = js_number(ctx, code);
        return 4;
    case WIRE_SOCKET_GONE:
        return 2;
    case WIRE_SOCKET_KNOWN:
        if (wire_socket_known(f->payload, &known) < 0)
            return -EBADMSG;
        args[2] = js_string(ctx, known.tags);
        args[3] = known.attachment.len == 0 ? js_null(ctx) : js_bytes(ctx, known.attachment);
        args[4] = js_number(ctx, known.close_out ? -1 : (double)known.answered_ms);
        return 5;
    case WIRE_SOCKET_READY:
        if (wire_socket_pair(f->payload, &has, &a, &b) < 0)
            return -EBADMSG;
        args[2] = has ? js_string(ctx, a) : js_null(ctx);
        args[3] = has ? js_string(ctx, b) : js_null(ctx);
        return 4;
    case WIRE_SOCKET_ANSWERED:
        args[2] = js_number(ctx, (double)unpack_i64(&u));
        return 3;
    default:
        return -EBADMSG;
    }
}

/* 1: one frame was given. */
static int frame_give(struct channel *ch)
{
    struct slice in = buf_slice(&ch->in);
    size_t before = in.len;
    struct wire_socket_frame f;
    js_value args[FRAME_ARGS];

    int n = wire_socket_next(&in, &f);
    if (n > 0)
        n = frame_args(ch, &f, args);
    if (n < 0)
        ch->in_error = n;
    if (n <= 0)
        return n;
    buf_consume(&ch->in, before - in.len);
    if (buf_len(&ch->in) == 0 && ch->in.cap > FRAMES_KEEP_MAX)
        buf_done(&ch->in);
    ch->n_frames++;
    isolate_refill(ch);
    isolate_callback(ch, ch->read_cb.v, args, (size_t)n);
    return 1;
}

void isolate_frames_settle(struct channel *ch)
{
    struct isolate *iso = ch->iso;
    uint32_t id = ch->id;

    /* The script may end the channel, or the process, in any of the calls. */
    while (iso->exit_status < 0 && channel_find(iso, id) == ch && ch->want == WANT_FRAMES)
        if (frame_give(ch) <= 0)
            return;
}

/* frames(ch, callback): every frame from now on. */
JS_NATIVE(isolate_frames)
{
    struct isolate *iso = js_user(ctx);
    struct channel *ch =
        n_args < 2 ? NULL : channel_find(iso, (uint32_t)js_to_number(ctx, args[0], 0));
    if (ch == NULL || ch->kind != CHANNEL_SOCKETS || !js_is_object(ctx, args[1]) ||
        ch->want != WANT_NOTHING)
        return js_bool(ctx, false);
    js_hold_set(&ch->read_cb, ctx, args[1]);
    ch->want = WANT_FRAMES;
    if (ch->stream != NULL && buf_len(&ch->in) > 0)
        wire_consumed(ch->stream, buf_len(&ch->in));
    if (buf_len(&ch->in) > 0)
        channel_ready(ch);
    return js_bool(ctx, true);
}

/* --- out --- */

static struct channel *sockets_channel(js_context ctx, size_t n_args, const js_value args[])
{
    struct channel *ch =
        n_args == 0 ? NULL : channel_find(js_user(ctx), (uint32_t)js_to_number(ctx, args[0], 0));

    return ch == NULL || ch->stream == NULL || ch->kind != CHANNEL_SOCKETS ? NULL : ch;
}

/* The payload of a frame in iso->scratch, or where the script has it. */
static int frame_payload(js_context ctx, enum wire_socket_type type, size_t n_args,
                         const js_value args[], struct slice *ret)
{
    struct isolate *iso = js_user(ctx);
    AUTO(buf_done) struct buf text = {0};
    int r = 0;

    if (n_args < 4 || js_is_nullish(ctx, args[3])) {
        *ret = SLICE_NONE;
        return 0;
    }
    if (!js_is_string(ctx, args[3]))
        return js_view(ctx, args[3], ret);
    buf_clear(&iso->scratch);
    r = js_append_utf8(ctx, args[3], &iso->scratch);
    if (r == 0 && type == WIRE_SOCKET_CLOSE) {
        double code = n_args < 5 ? 0 : js_to_number(ctx, args[4], 0);
        buf_append_slice(&text, buf_slice(&iso->scratch));
        struct slice reason = buf_slice(&text);
        reason.len = MIN(reason.len, (size_t)WIRE_MESSAGE_CONTROL_MAX - 2);
        buf_clear(&iso->scratch);
        if (code > 0) {
            pack_u16(&iso->scratch, (uint16_t)code);
            buf_append_slice(&iso->scratch, reason);
        }
    }
    *ret = buf_slice(&iso->scratch);
    return r;
}

/* sendFrame(ch, type, socket, text or bytes or null, code): false when nobody is there any more. */
JS_NATIVE(isolate_send_frame)
{
    struct channel *ch = sockets_channel(ctx, n_args, args);
    struct isolate *iso = js_user(ctx);
    struct slice payload;
    if (ch == NULL || n_args < 3)
        return js_bool(ctx, false);
    enum wire_socket_type type = (enum wire_socket_type)js_to_number(ctx, args[1], 0);
    if (frame_payload(ctx, type, n_args, args, &payload) < 0 || payload.len > WIRE_MESSAGE_MAX)
        return js_throw(ctx, exception, "TypeError", "a message is text or bytes, at most %d",
                        WIRE_MESSAGE_MAX);
    buf_clear(&iso->message);
    wire_socket_put(&iso->message, type, (uint32_t)js_to_number(ctx, args[2], 0), payload);
    wire_send(ch->stream, buf_slice(&iso->message), false);
    if (iso->message.cap > FRAMES_KEEP_MAX * 16)
        buf_done(&iso->message);
    return js_bool(ctx, true);
}

/* sleep(ch): the object would end. */
JS_NATIVE(isolate_sockets_sleep)
{
    struct channel *ch = sockets_channel(ctx, n_args, args);
    struct isolate *iso = js_user(ctx);
    AUTO(buf_done) struct buf n = {0};
    if (ch == NULL)
        return js_bool(ctx, false);
    pack_u64(&n, ch->n_frames);
    buf_clear(&iso->message);
    wire_socket_put(&iso->message, WIRE_SOCKET_SLEEP, 0, buf_slice(&n));
    wire_send(ch->stream, buf_slice(&iso->message), false);
    return js_bool(ctx, true);
}

/* eventPart(ch, trace): one message of it was an event of which somebody may want to hear. */
JS_NATIVE(isolate_event_part)
{
    struct channel *ch = sockets_channel(ctx, n_args, args);
    struct isolate *iso = js_user(ctx);
    if (ch == NULL || n_args < 2)
        return js_undefined(ctx);
    buf_clear(&iso->scratch);
    if (js_append_utf8(ctx, args[1], &iso->scratch) < 0)
        return js_undefined(ctx);
    buf_clear(&iso->message);
    msg_event_part_pack(&iso->message, &(struct msg_event_part){.trace = buf_slice(&iso->scratch)});
    wire_note(iso->main, ch->stream_id, OP_event_part, buf_slice(&iso->message), -1);
    return js_undefined(ctx);
}
