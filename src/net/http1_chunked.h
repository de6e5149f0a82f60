/*
 * The chunked transfer coding, reading side (RFC 9112 section 7.1).
 *
 * Takes bytes in any pieces and gives runs of body bytes that point into them. Strict: CRLF only, no
 * blanks around the size, extensions are checked for control bytes and skipped, trailers must be
 * good field lines and are dropped. Pure, any thread. A zeroed struct stands before the first chunk.
 */
#pragma once

#include "net/http.h"

struct http1_chunked {
    uint64_t left;     /* of the size being read, then of the chunk */
    uint32_t line_len; /* of the chunk-size line */
    uint32_t trailer_len, n_trailers;
    uint8_t state;
    uint8_t n_digits;
    bool saw_cr;
    struct buf line; /* a trailer line that came in pieces */
};

enum { HTTP1_CHUNKED_MORE, HTTP1_CHUNKED_DATA, HTTP1_CHUNKED_END };

/* Takes from *in. DATA: *ret_data points into it, call again; MORE: *in is used up; END: what is left
 * in *in belongs to the next message. -EBADMSG; -E2BIG over a limit of http.h. */
NODISCARD int http1_chunked_next(struct http1_chunked *c, struct slice *in, struct slice *ret_data);
void http1_chunked_done(struct http1_chunked *c); /* accepts zeroed memory */
