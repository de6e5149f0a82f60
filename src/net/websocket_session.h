/*
 * One end of a WebSocket connection after its handshake: frames, compression, the answers that the
 * protocol owes (pong), and the rules about closing. Knows no sockets: bytes come by
 * websocket_session_input() and leave by the event `send`.
 *
 * CLOSE is not answered here: the owner does it with websocket_session_close() when it wants to. After
 * an error a close frame has been sent and nothing more is read.
 *
 * Events come from inside input and must not destroy the session. One thread.
 */
#pragma once

#include "net/websocket_deflate.h"
#include "net/websocket_frame.h"

enum {
    WEBSOCKET_SESSION_MESSAGE_MAX = 32 * 1024 * 1024,
    WEBSOCKET_COMPRESS_MIN = 128 /* shorter messages are sent as they are */
};

struct websocket_session_events {
    /* TEXT, BINARY (whole, uncompressed, checked) or CLOSE. The payload is valid during the call. */
    void (*message)(void *arg, const struct websocket_message *m);
    void (*send)(void *arg, struct slice bytes);
    /* The peer broke a rule; it was told so. At most once. */
    void (*failed)(void *arg, int code, struct slice why);
};

struct websocket_session {
    const struct websocket_session_events *events; /* borrowed, constant */
    void *arg;
    bool close_sent, close_received, failed;

    /* Private. */
    bool is_client, in_message, compressing;
    struct websocket_reader reader;
    struct websocket_deflate *deflate; /* owned; NULL: not agreed on */
};

void websocket_session_init(struct websocket_session *s,
                            const struct websocket_session_events *events, void *arg,
                            bool is_client);
void websocket_session_compress(struct websocket_session *s,
                                const struct websocket_deflate_terms *terms);
void websocket_session_done(struct websocket_session *s); /* accepts zeroed memory */

void websocket_session_input(struct websocket_session *s, struct slice bytes);

/* A part of a TEXT or BINARY message; parts become fragments. length: of the whole message, when known,
 * decides about compression. Dropped after close. */
struct websocket_part {
    enum websocket_type type;
    size_t length;
    bool first, last;
    struct slice bytes;
};
void websocket_session_send(struct websocket_session *s, const struct websocket_part *part);
/* code WEBSOCKET_NO_CODE: none. Once; nothing is sent afterwards. */
void websocket_session_close(struct websocket_session *s, int code, struct slice reason);
void websocket_session_ping(struct websocket_session *s);

/* CLOSE went both ways: the connection may go. */
static inline bool websocket_session_is_over(const struct websocket_session *s)
{
    return s->close_sent && s->close_received;
}
