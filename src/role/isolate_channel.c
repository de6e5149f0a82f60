/*
 * Channels: the streams of our wires as numbers in JavaScript.
 *
 * Bytes that arrive while nobody reads stay in `in`, at most one window of the wire, since credit is
 * returned only for what was handed on. A pipe hands bytes from stream to stream without entering the VM;
 * it owes the credit until the outgoing side has room again.
 *
 * A channel of an event lives until io.eventEnd(). One of a call lives until its answer was given, its
 * incoming bytes were read to the end and its outgoing bytes are finished; or until it was reset.
 */
#include "role/isolate_impl.h"

#include <errno.h>

enum { CHANNEL_INDEX_BITS = 16, CHANNEL_INDEX_MASK = 0xFFFF, CHANNEL_GENERATION_MASK = 0x3FFF };

/* --- the table --- */

static void channel_table_grow(struct isolate *iso)
{
    size_t n = iso->n_channels == 0 ? 64 : iso->n_channels * 2;
    iso->channels = mem_grow(iso->channels, n * sizeof *iso->channels);
    iso->free_list = mem_grow(iso->free_list, n * sizeof *iso->free_list);
    struct channel *fresh = mem_new((n - iso->n_channels) * sizeof *fresh);
    for (size_t i = iso->n_channels; i < n; i++) {
        iso->channels[i] = &fresh[i - iso->n_channels];
        /* Low numbers on top. */
        iso->free_list[iso->n_free++] = (uint16_t)(n - 1 - (i - iso->n_channels));
    }
    iso->n_channels = n;
}

struct channel *channel_create(struct isolate *iso, enum channel_kind kind,
                               struct wire_stream *stream)
{
    if (iso->n_free == 0) {
        if (iso->n_channels == ISOLATE_CHANNELS_MAX)
            return NULL;
        channel_table_grow(iso);
    }
    uint16_t index = iso->free_list[--iso->n_free];
    struct channel *ch = iso->channels[index];
    uint32_t generation = (ch->generation + 1) & CHANNEL_GENERATION_MASK;
    if (generation == 0)
        generation = 1; /* so that no id is 0 */
    *ch = (struct channel){
        .iso = iso,
        .id = generation << CHANNEL_INDEX_BITS | index,
        .generation = generation,
        .kind = kind,
        .stream = stream,
    };
    if (stream != NULL) {
        ch->stream_id = wire_stream_id(stream);
        wire_stream_own(stream, &channel_events, ch);
    }
    return ch;
}

void channel_destroy(struct channel *ch)
{
    struct isolate *iso = ch->iso;
    CHECK(ch->id != 0 && ch->stream == NULL);
    struct channel *to = channel_find(iso, ch->pipe_to), *from = channel_find(iso, ch->pipe_from);
    isolate_away_end(ch);
    if (to != NULL)
        to->pipe_from = 0;
    if (from != NULL)
        from->pipe_to = 0;
    js_hold_clear(&ch->read_cb);
    js_hold_clear(&ch->room_cb);
    js_hold_clear(&ch->answer_cb);
    list_remove(&ch->ready);
    buf_done(&ch->in);
    buf_done(&ch->options);
    iso->free_list[iso->n_free++] = ch->id & CHANNEL_INDEX_MASK;
    ch->id = 0;
}

struct channel *channel_find(struct isolate *iso, uint32_t id)
{
    size_t index = id & CHANNEL_INDEX_MASK;
    if (id == 0 || index >= iso->n_channels || iso->channels[index]->id != id)
        return NULL;
    return iso->channels[index];
}

struct channel *channel_event(struct channel *ch)
{
    return channel_find(ch->iso, ch->event);
}

void channel_ready(struct channel *ch)
{
    if (!link_is_in_list(&ch->ready))
        list_push_back(&ch->iso->ready, &ch->ready);
}

void channel_close(struct channel *ch, int reason)
{
    struct wire_stream *s = TAKE(ch->stream);
    ch->out_open = false;
    if (s != NULL)
        wire_stream_close(s, reason);
}

void channel_maybe_done(struct channel *ch)
{
    bool call = ch->kind == CHANNEL_FETCH || ch->kind == CHANNEL_KEEPER;
    bool incoming =
        !ch->in_dropped && (!ch->in_end || buf_len(&ch->in) > 0 || ch->want != WANT_NOTHING);
    if (ch->id == 0 || !call || ch->answer_cb.v != NULL || ch->out_open || incoming)
        return;
    channel_close(ch, -ECANCELED);
    channel_destroy(ch);
}

/* --- giving bytes to who waits --- */

static void channel_consumed(struct channel *ch, size_t n)
{
    if (ch->stream != NULL && n > 0)
        wire_consumed(ch->stream, n);
}

/* Ends the wait with a callback: (value), or (undefined, error). */
static void channel_read_done(struct channel *ch, js_value value, int error)
{
    js_context ctx = ch->iso->ctx;
    struct js_hold cb = ch->read_cb;
    ch->read_cb = (struct js_hold){0};
    ch->want = WANT_NOTHING;
    js_value args[] = {value, js_number(ctx, error)};
    isolate_callback(ch, cb.v, args, error == 0 ? 1 : 2);
    js_hold_clear(&cb);
}

static void channel_read_failed(struct channel *ch)
{
    int error = ch->in_error;
    uint32_t id = ch->id;
    struct isolate *iso = ch->iso;
    ch->in_end = true;
    buf_clear(&ch->in);
    channel_read_done(ch, js_undefined(iso->ctx), error);
    if (channel_find(iso, id) == ch)
        channel_maybe_done(ch);
}

static void channel_give_piece(struct channel *ch)
{
    struct isolate *iso = ch->iso;
    uint32_t id = ch->id;
    size_t n = buf_len(&ch->in);
    if (n > 0) {
        channel_consumed(ch, n);
        channel_read_done(ch, js_bytes_buf(iso->ctx, &ch->in), 0);
    } else if (ch->in_error < 0) {
        channel_read_failed(ch);
    } else if (ch->in_end) {
        channel_read_done(ch, js_null(iso->ctx), 0);
        if (channel_find(iso, id) == ch)
            channel_maybe_done(ch);
    }
}

static void channel_give_all(struct channel *ch)
{
    struct isolate *iso = ch->iso;
    uint32_t id = ch->id;
    if (ch->in_error < 0)
        return channel_read_failed(ch);
    if (!ch->in_end)
        return;
    js_value v;
    if (ch->want == WANT_TEXT) {
        if (slice_starts(buf_slice(&ch->in), SLICE("\xEF\xBB\xBF")))
            buf_consume(&ch->in, 3);
        v = js_string_buf(iso->ctx, &ch->in);
        buf_clear(&ch->in);
    } else {
        v = js_bytes_buf(iso->ctx, &ch->in);
    }
    channel_read_done(ch, v, 0);
    if (channel_find(iso, id) == ch)
        channel_maybe_done(ch);
}

/* --- pipes --- */

static void channel_pipe_end(struct channel *from, struct channel *to, int error)
{
    struct isolate *iso = from->iso;
    uint32_t from_id = from->id, to_id = to == NULL ? 0 : to->id;
    from->pipe_to = 0;
    if (to != NULL) {
        to->pipe_from = 0;
        if (to->stream != NULL && error == 0)
            wire_send(to->stream, SLICE_NONE, true);
        else if (to->stream != NULL)
            channel_close(to, error);
        to->out_open = false;
    }
    if (error < 0)
        from->in_dropped = true;
    from->want = WANT_NOTHING;
    struct js_hold cb = from->read_cb;
    from->read_cb = (struct js_hold){0};
    js_value args[] = {js_number(iso->ctx, error)};
    isolate_callback(from, cb.v, args, ARRAY_LEN(args));
    js_hold_clear(&cb);
    if (channel_find(iso, from_id) == from)
        channel_maybe_done(from);
    if (to != NULL && channel_find(iso, to_id) == to)
        channel_maybe_done(to);
}

void channel_pipe_credit(struct channel *to)
{
    struct channel *from = channel_find(to->iso, to->pipe_from);
    if (from == NULL || to->stream == NULL || wire_send_room(to->stream) == 0)
        return;
    channel_consumed(from, from->pipe_owed);
    from->pipe_owed = 0;
}

static void channel_pipe(struct channel *from)
{
    struct channel *to = channel_find(from->iso, from->pipe_to);
    if (to == NULL || to->stream == NULL)
        return channel_pipe_end(from, to, -EPIPE);
    size_t n = buf_len(&from->in);
    if (n > 0) {
        wire_send(to->stream, buf_slice(&from->in), false);
        buf_done(&from->in);
        from->pipe_owed += n;
        channel_pipe_credit(to);
    }
    if (from->in_error < 0)
        channel_pipe_end(from, to, from->in_error);
    else if (from->in_end)
        channel_pipe_end(from, to, 0);
}

/* --- what may be due --- */

static void channel_settle_room(struct channel *ch)
{
    js_context ctx = ch->iso->ctx;
    bool broken = ch->stream == NULL;
    if (!broken && wire_send_room(ch->stream) == 0)
        return;
    struct js_hold cb = ch->room_cb;
    ch->room_cb = (struct js_hold){0};
    js_value args[] = {js_number(ctx, ch->in_error < 0 ? ch->in_error : -EPIPE)};
    isolate_callback(ch, cb.v, args, broken ? 1 : 0);
    js_hold_clear(&cb);
}

void channel_settle(struct channel *ch)
{
    struct isolate *iso = ch->iso;
    uint32_t id = ch->id;
    if (ch->answer_cb.v != NULL && ch->answer_error < 0)
        return call_failed(ch, ch->answer_error);
    if (ch->room_cb.v != NULL)
        channel_settle_room(ch);
    if (channel_find(iso, id) != ch)
        return;
    if (ch->kind == CHANNEL_LINK && ch->in_end)
        isolate_link_run(ch);
    else if (ch->want == WANT_READ)
        channel_give_piece(ch);
    else if (ch->want == WANT_BYTES || ch->want == WANT_TEXT)
        channel_give_all(ch);
    else if (ch->want == WANT_PIPE)
        channel_pipe(ch);
    else if (ch->want == WANT_MESSAGES)
        isolate_messages_settle(ch);
    else if (ch->want == WANT_FRAMES)
        isolate_frames_settle(ch);
    else
        channel_maybe_done(ch);
}

/* --- from the wire --- */

static void channel_collect(struct channel *ch, struct slice bytes)
{
    if (buf_len(&ch->in) + bytes.len > ISOLATE_BODY_MAX) {
        ch->in_error = -E2BIG;
        return;
    }
    buf_append_slice(&ch->in, bytes);
    channel_consumed(ch, bytes.len);
}

static void channel_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct channel *ch = wire_stream_user(s);
    if (ch->in_dropped) {
        ch->in_end |= end;
        return channel_maybe_done(ch);
    }
    if (ch->kind == CHANNEL_LINK || ch->want == WANT_BYTES || ch->want == WANT_TEXT)
        channel_collect(ch, bytes);
    else if (ch->want == WANT_MESSAGES || ch->want == WANT_FRAMES)
        isolate_messages_data(ch, bytes);
    else
        buf_append_slice(&ch->in, bytes);
    ch->in_end |= end;
    if (ch->want != WANT_NOTHING || ch->kind == CHANNEL_LINK)
        channel_settle(ch);
}

static void channel_on_reply(struct wire_stream *s, struct slice args, int fd, bool end)
{
    struct channel *ch = wire_stream_user(s);
    fd_release(&fd);
    ch->in_end |= end;
    call_reply(ch, args);
}

static void channel_on_writable(struct wire_stream *s)
{
    struct channel *ch = wire_stream_user(s);
    channel_pipe_credit(ch);
    if (ch->room_cb.v != NULL)
        channel_settle_room(ch);
}

/* The other side gave up. For an event that is the client: the script is told, and goes on until it ends
 * the event itself. */
static void channel_on_reset(struct wire_stream *s, int reason)
{
    struct channel *ch = wire_stream_user(s);
    struct isolate *iso = ch->iso;
    uint32_t id = ch->id;
    ch->in_error = reason < 0 ? reason : -EPIPE;
    channel_close(ch, 0);
    if (ch->answer_cb.v != NULL)
        return call_failed(ch, ch->in_error);
    if (ch->kind == CHANNEL_LINK)
        return channel_destroy(ch);

    struct channel *from = channel_find(iso, ch->pipe_from);
    if (from != NULL)
        channel_ready(from);
    channel_ready(ch);
    if (ch->kind == CHANNEL_REQUEST || ch->kind == CHANNEL_SOCKETS) {
        js_value args[] = {js_number(iso->ctx, id)};
        isolate_enter(iso, ch, iso->cpu_limit_us);
        isolate_hook(iso, &iso->hooks.abort, args, ARRAY_LEN(args));
        isolate_leave(iso);
    } else {
        /* Settles it, unless something is being settled already, which then comes to it. */
        isolate_enter(iso, NULL, iso->cpu_limit_us);
        isolate_leave(iso);
    }
}

const struct wire_stream_events channel_events = {
    .reply = channel_on_reply,
    .data = channel_on_data,
    .writable = channel_on_writable,
    .reset = channel_on_reset,
};
