/*
 * Frames on the DATA of a stream `sockets`: all hibernating WebSockets of one Durable Object.
 *
 *   u8 type | u32 socket | u32 length of payload (little-endian) | payload
 *
 * The connections live in the gateway; the object knows them by number. Frames of DATA may cut these frames
 * anywhere. TEXT, BINARY, CLOSE and FAILED are those of proc/wire_message.h, for one socket: from the gateway what
 * the client sent, to the gateway what the object sends (FAILED: the connection is to be dropped).
 *
 * From the gateway: KNOWN for each socket when the object wakes, then READY with the pair of the automatic
 * answer; ANSWERED when such an answer was given; GONE when a client vanished without a word.
 * To the gateway: TAGS and ATTACHMENT as the gateway shall keep them, PAIR, SLEEP (u64: how many frames the object
 * has had): the object would end. The gateway agrees by resetting the stream, or has sent more.
 * Pure functions, any thread.
 */
#pragma once

#include "proc/wire_message.h"

enum wire_socket_type {
    WIRE_SOCKET_TEXT = WIRE_MESSAGE_TEXT,
    WIRE_SOCKET_BINARY = WIRE_MESSAGE_BINARY,
    WIRE_SOCKET_CLOSE = WIRE_MESSAGE_CLOSE,
    WIRE_SOCKET_FAILED = WIRE_MESSAGE_FAILED,
    WIRE_SOCKET_GONE = 16,
    WIRE_SOCKET_KNOWN = 17,      /* wire_socket_put_known() */
    WIRE_SOCKET_READY = 18,      /* as PAIR */
    WIRE_SOCKET_ANSWERED = 19,   /* i64: wall time, ms */
    WIRE_SOCKET_TAGS = 20,       /* text that only the object understands */
    WIRE_SOCKET_ATTACHMENT = 21, /* bytes, the same */
    WIRE_SOCKET_PAIR = 22,       /* request and response as bytes of core/pack.h; empty: none */
    WIRE_SOCKET_SLEEP = 23       /* u64 */
};

enum {
    WIRE_SOCKET_HEAD = 9,
    WIRE_SOCKET_TAGS_MAX = 32 * 1024,
    WIRE_SOCKET_ATTACHMENT_MAX = 16 * 1024,
    WIRE_SOCKET_PAIR_MAX = 8 * 1024,
    WIRE_SOCKET_KNOWN_MAX = WIRE_SOCKET_TAGS_MAX + WIRE_SOCKET_ATTACHMENT_MAX + 64
};

struct wire_socket_frame {
    enum wire_socket_type type;
    uint32_t socket;
    struct slice payload; /* as long as the input */
};

/* What the gateway keeps of one socket. */
struct wire_socket_known {
    int64_t answered_ms; /* of the last automatic answer; 0: none yet */
    bool close_out;      /* the object has sent its close */
    struct slice tags, attachment;
};

/* The whole frame at the front of *in is taken from it: 1; 0: not all of it is there; -EBADMSG. */
NODISCARD int wire_socket_next(struct slice *in, struct wire_socket_frame *ret);
void wire_socket_put(struct buf *out, enum wire_socket_type type, uint32_t socket,
                     struct slice payload);
void wire_socket_put_known(struct buf *out, uint32_t socket, const struct wire_socket_known *known);
NODISCARD int wire_socket_known(struct slice payload, struct wire_socket_known *ret);
/* has: there is a pair. */
void wire_socket_put_pair(struct buf *out, enum wire_socket_type type, bool has,
                          struct slice request, struct slice response);
NODISCARD int wire_socket_pair(struct slice payload, bool *ret_has, struct slice *ret_request,
                               struct slice *ret_response);
