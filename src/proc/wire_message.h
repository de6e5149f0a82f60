/*
 * Messages on the DATA of a stream: what a WebSocket carries between gateway and isolate.
 *
 *   u8 type | u32 length of payload (little-endian) | payload
 *
 * Frames of DATA may cut them anywhere. CLOSE holds u16 code and the reason, or nothing (no code);
 * FAILED holds a sentence. After CLOSE or FAILED a side sends no more messages; it ends its direction
 * of the stream once CLOSE went both ways. An end or a reset before that is a peer that vanished.
 * Pure functions, any thread.
 */
#pragma once

#include "core/pack.h"

/* The first three are the opcodes of RFC 6455. */
enum wire_message_type {
    WIRE_MESSAGE_TEXT = 1, /* UTF-8 */
    WIRE_MESSAGE_BINARY = 2,
    WIRE_MESSAGE_CLOSE = 8,
    WIRE_MESSAGE_FAILED = 15
};

enum {
    WIRE_MESSAGE_HEAD = 5,
    WIRE_MESSAGE_GATHER = 64 * 1024, /* longer payloads are given in parts */
    WIRE_MESSAGE_MAX = 128 * 1024 * 1024,
    WIRE_MESSAGE_CONTROL_MAX = 1024 /* payload of CLOSE and FAILED */
};

struct wire_message {
    enum wire_message_type type;
    uint32_t length; /* of the whole payload */
    bool first, last;
    struct slice bytes; /* valid until the next call and as long as the input */
};

/* Takes parts of messages from bytes in any pieces. Zeroed it stands before the first message. */
struct wire_message_reader {
    struct buf held; /* a head or a short message that is not complete */
    uint32_t left;   /* of a long payload that is given in parts */
    uint32_t length; /* of that payload */
    uint8_t type;
    bool given; /* what the last call gave lies in `held` */
};

/* Takes from *in. 1: a part; call again. 0: *in is used up. -EBADMSG: the stream is of no use. */
NODISCARD int wire_message_next(struct wire_message_reader *r, struct slice *in,
                                struct wire_message *ret);
void wire_message_reader_done(struct wire_message_reader *r); /* accepts zeroed memory */

/* The whole message at the front of *in is taken from it: 1; 0: not all of it is there; -EBADMSG. */
NODISCARD int wire_message_whole(struct slice *in, struct wire_message *ret);

void wire_message_put(struct buf *out, enum wire_message_type type, struct slice payload);
/* code 0: none. */
void wire_message_put_close(struct buf *out, uint16_t code, struct slice reason);
/* Splits a CLOSE payload; code 0: none. -EBADMSG. */
NODISCARD int wire_message_close(struct slice payload, uint16_t *ret_code,
                                 struct slice *ret_reason);
