/*
 * Memory of an idle session is the struct and what the peer's and our compression keep. Buffers that all
 * sessions share are static: one thread.
 */
#include "net/websocket_session.h"

#include "core/id.h"

#include <errno.h>
#include <stdio.h>

enum {
    SESSION_COPY_MAX = 4 * 1024,   /* longer payloads are not copied behind their head */
    SESSION_KEEP_MAX = 256 * 1024, /* of the shared buffers */
    SESSION_MASKS = 64             /* taken from the kernel at once */
};

void websocket_session_init(struct websocket_session *s,
                            const struct websocket_session_events *events, void *arg,
                            bool is_client)
{
    *s = (struct websocket_session){
        .events = events,
        .arg = arg,
        .is_client = is_client,
        .reader = {.accepts_unmasked = is_client, .message_max = WEBSOCKET_SESSION_MESSAGE_MAX},
    };
}

void websocket_session_compress(struct websocket_session *s,
                                const struct websocket_deflate_terms *terms)
{
    if (!terms->agreed)
        return;
    s->deflate = websocket_deflate_create(terms);
    s->reader.accepts_compressed = true;
}

void websocket_session_done(struct websocket_session *s)
{
    websocket_reader_done(&s->reader);
    websocket_deflate_destroy(TAKE(s->deflate));
}

/* --- out --- */

static void session_shrink(struct buf *b)
{
    if (b->cap > SESSION_KEEP_MAX)
        buf_done(b);
}

/* Unguessable, as section 10.3 wants it. */
static const uint8_t *session_mask(void)
{
    static uint8_t masks[SESSION_MASKS][4];
    static unsigned next = SESSION_MASKS;

    if (next == SESSION_MASKS) {
        id_random(masks, sizeof(masks));
        next = 0;
    }
    return masks[next++];
}

static void session_frame(struct websocket_session *s, uint8_t first, struct slice payload)
{
    static struct buf out;
    char head[WEBSOCKET_HEADER_MAX];

    if (!s->is_client && payload.len > SESSION_COPY_MAX) {
        s->events->send(s->arg, slice_from(head, websocket_put_head(head, first, payload.len)));
        s->events->send(s->arg, payload);
        return;
    }
    buf_clear(&out);
    websocket_write_frame(&out, first, payload, s->is_client ? session_mask() : NULL);
    s->events->send(s->arg, buf_slice(&out));
    session_shrink(&out);
}

void websocket_session_send(struct websocket_session *s, const struct websocket_part *part)
{
    static struct buf packed;
    uint8_t first = part->last ? WEBSOCKET_FIN : 0;
    struct slice bytes = part->bytes;

    if (s->close_sent || s->failed)
        return;
    if (part->first) {
        s->compressing = s->deflate != NULL && part->length >= WEBSOCKET_COMPRESS_MIN;
        first |= (uint8_t)part->type | (s->compressing ? WEBSOCKET_RSV1 : 0);
    }
    s->in_message = !part->last;
    if (s->compressing) {
        buf_clear(&packed);
        websocket_deflate(s->deflate, bytes, part->last, &packed);
        bytes = buf_slice(&packed);
    }
    session_frame(s, first, bytes);
    session_shrink(&packed);
}

void websocket_session_close(struct websocket_session *s, int code, struct slice reason)
{
    AUTO(buf_done) struct buf out = {0};

    if (s->close_sent || s->failed)
        return;
    s->close_sent = true;
    websocket_write_close(&out, code, reason, s->is_client ? session_mask() : NULL);
    s->events->send(s->arg, buf_slice(&out));
}

void websocket_session_ping(struct websocket_session *s)
{
    if (!s->close_sent && !s->failed)
        session_frame(s, WEBSOCKET_FIN | WEBSOCKET_PING, SLICE_NONE);
}

/* --- in --- */

static void session_fail(struct websocket_session *s, int code, struct slice why)
{
    websocket_session_close(s, code, why);
    s->failed = true;
    s->events->failed(s->arg, code, why);
}

static void session_too_large(struct websocket_session *s, uint64_t size)
{
    char text[80];
    int n = snprintf(text, sizeof(text), "Message is too large: %llu > %d",
                     (unsigned long long)size, WEBSOCKET_SESSION_MESSAGE_MAX);

    session_fail(s, 1009, slice_from(text, (size_t)n));
}

static void session_error(struct websocket_session *s, int code)
{
    switch (code) {
    case 1009:
        session_too_large(s, s->reader.error_size);
        break;
    case 1007:
        session_fail(s, code, SLICE("Text must be UTF-8."));
        break;
    default:
        session_fail(s, 1002, SLICE("A frame breaks the rules of the protocol."));
    }
}

static void session_give(struct websocket_session *s, struct websocket_message m)
{
    static struct buf plain;

    if (m.compressed) {
        buf_clear(&plain);
        int r = websocket_inflate(s->deflate, m.payload, WEBSOCKET_SESSION_MESSAGE_MAX, &plain);
        m.payload = buf_slice(&plain);
        if (r == -E2BIG)
            session_too_large(s, buf_len(&plain));
        else if (r < 0)
            session_fail(s, 1002, SLICE("A compressed message is broken."));
        else if (m.type == WEBSOCKET_TEXT && !websocket_utf8_ok(m.payload))
            session_error(s, 1007);
    }
    if (!s->failed)
        s->events->message(s->arg, &m);
    session_shrink(&plain);
}

static void session_take(struct websocket_session *s, const struct websocket_message *m)
{
    switch (m->type) {
    case WEBSOCKET_PING:
        if (!s->close_sent)
            session_frame(s, WEBSOCKET_FIN | WEBSOCKET_PONG, m->payload);
        break;
    case WEBSOCKET_PONG:
        break;
    case WEBSOCKET_CLOSE:
        s->close_received = true;
        s->events->message(s->arg, m);
        break;
    default:
        session_give(s, *m);
    }
}

void websocket_session_input(struct websocket_session *s, struct slice bytes)
{
    struct websocket_message m;

    while (!s->failed && !s->close_received) {
        int r = websocket_read(&s->reader, &bytes, &m);
        if (r == 0)
            return;
        if (r < 0)
            session_error(s, s->reader.error_code);
        else
            session_take(s, &m);
    }
}
