/*
 * permessage-deflate (RFC 7692): what two sides agree on, and the payload of messages.
 *
 * Both directions may keep their window from message to message ("context takeover"), which costs memory
 * for as long as a connection lives: our own side therefore uses a small window. Nothing is allocated
 * before the first compressed message. Pure, any thread.
 */
#pragma once

#include "net/http.h"

struct websocket_deflate_terms {
    bool agreed;
    bool ours_forgets, theirs_forgets; /* no context takeover */
    int our_bits;                      /* the window that we may use at most, 8..15 */
};

/* A client's offers, in all Sec-WebSocket-Extensions fields of its header block; takes the first good one
 * and appends the value of our answer. ret->agreed is false when there is none. */
void websocket_deflate_accept(struct slice headers, struct websocket_deflate_terms *ret,
                              struct buf *ret_answer);
/* What a client of ours offers. */
#define WEBSOCKET_DEFLATE_OFFER "permessage-deflate; client_max_window_bits"
/* The server's answer to that. -EBADMSG: the connection must fail. */
NODISCARD int websocket_deflate_agreed(struct slice headers, struct websocket_deflate_terms *ret);

struct websocket_deflate;

struct websocket_deflate *websocket_deflate_create(const struct websocket_deflate_terms *terms);
void websocket_deflate_destroy(struct websocket_deflate *d); /* accepts NULL */
/* Appends. -E2BIG: more than max bytes; -EBADMSG: broken. */
NODISCARD int websocket_inflate(struct websocket_deflate *d, struct slice in, size_t max,
                                struct buf *out);
/* A part of a message; last: its end, which must not be empty. */
void websocket_deflate(struct websocket_deflate *d, struct slice in, bool last, struct buf *out);
