/*
 * WebSocket frames and the opening handshake, both directions (RFC 6455). Knows no sockets.
 *
 * The reader gathers fragments and gives whole messages; control frames come in between as they
 * arrive. Reserved bits are an error, but for that of RFC 7692 where the owner has agreed on it
 * (websocket_deflate.h). Pure, any thread.
 */
#pragma once

#include "core/buf.h"
#include "net/http_server.h"

enum websocket_type {
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

enum {
    WEBSOCKET_MESSAGE_MAX = 1024 * 1024, /* default of message_max, bytes */
    WEBSOCKET_CONTROL_MAX = 125,
    WEBSOCKET_NO_CODE = 1005,
    WEBSOCKET_HEADER_MAX = 14,
    WEBSOCKET_RSV1 = 0x40, /* first byte of a frame */
    WEBSOCKET_FIN = 0x80
};

/* Zeroed but for the first three fields it stands before the first frame. */
struct websocket_reader {
    bool accepts_unmasked;   /* false: every frame must be masked, as clients' are */
    bool accepts_compressed; /* such messages are marked and not checked for UTF-8 */
    size_t message_max;      /* of the payload of one message; 0 = WEBSOCKET_MESSAGE_MAX */
    int error_code;          /* after an error: the close code that says it (1002, 1007, 1009) */
    uint64_t error_size;     /* with 1009: how long the message is at least */

    /* Private. */
    uint8_t header[WEBSOCKET_HEADER_MAX];
    uint8_t header_len;
    uint8_t message_type; /* of the message whose fragments are gathered, 0 = none */
    bool in_payload, is_given, is_compressed;
    uint64_t left;      /* of this frame's payload */
    uint64_t mask_at;   /* payload bytes of this frame that were unmasked */
    struct buf message; /* data gathered so far */
    struct buf control;
};

struct websocket_message {
    enum websocket_type type;
    struct slice payload; /* valid until the next call; for CLOSE the reason */
    int close_code;       /* CLOSE only; WEBSOCKET_NO_CODE when there was none */
    bool compressed;      /* TEXT and BINARY: the payload is as RFC 7692 has it */
};

/* Takes from *in. 1: a message; call again. 0: *in is used up. -EBADMSG (protocol error), -EILSEQ
 * (text that is not UTF-8), -E2BIG: the reader is of no further use. */
NODISCARD int websocket_read(struct websocket_reader *r, struct slice *in,
                             struct websocket_message *ret);
void websocket_reader_done(struct websocket_reader *r); /* accepts zeroed memory */

/* One whole frame. mask: 4 random bytes on the client's side, NULL on the server's. */
void websocket_write(struct buf *out, enum websocket_type type, struct slice payload,
                     const uint8_t *mask);
/* A frame with any first byte: opcode, WEBSOCKET_FIN, WEBSOCKET_RSV1. */
void websocket_write_frame(struct buf *out, uint8_t first, struct slice payload,
                           const uint8_t *mask);
/* The head alone, unmasked, for who sends the payload from where it lies; returns its length. */
size_t websocket_put_head(char out[WEBSOCKET_HEADER_MAX], uint8_t first, size_t len);
/* code WEBSOCKET_NO_CODE: empty. The reason is cut to what a control frame holds. */
void websocket_write_close(struct buf *out, int code, struct slice reason, const uint8_t *mask);

/* Checks the request for a handshake and appends the fields of the 101 answer to a header block.
 * -EINVAL: not one; -EOPNOTSUPP: another version than 13 (426 with sec-websocket-version: 13). */
NODISCARD int websocket_accept(const struct http_request *request, struct buf *ret_headers);
/* Sec-WebSocket-Accept for a key; ret has room for 28 characters and a zero byte. */
enum { WEBSOCKET_ACCEPT_SIZE = 29 };
void websocket_accept_key(struct slice key, char ret[WEBSOCKET_ACCEPT_SIZE]);

bool websocket_utf8_ok(struct slice text);
