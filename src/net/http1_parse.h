/*
 * HTTP/1.1 request heads: where one ends, and what it says (RFC 9112 sections 2 to 6).
 *
 * Strict: whatever two implementations might read differently is refused, never repaired. Two steps,
 * so that bytes may come in any pieces: http1_head_end() finds the end and refuses stray control
 * bytes as soon as they arrive; http1_head_parse() then reads the complete head in one pass. Pure
 * functions, any thread.
 */
#pragma once

#include "core/arena.h"
#include "net/http.h"

enum { HTTP1_METHOD_MAX = 64 };

struct http1_head {
    /* In the arena. */
    struct slice method, target, authority, headers, upgrade;
    int64_t content_length; /* -1: none */
    int version;            /* 10 or 11 */
    bool chunked;
    bool keep_alive;
    bool expect_continue;
    int status; /* when parsing failed: what to answer */
};

/* Length of the head with its blank line; 0: more is needed, *at remembers how far we looked (start
 * with 0); -EBADMSG: a control byte, a bare CR or a bare LF. */
NODISCARD ssize_t http1_head_end(struct slice in, size_t *at);

/* `head` as delimited by http1_head_end(). 0; -EBADMSG with ret->status set to 400, 414, 431, 501
 * or 505; -ENOMEM over the arena's limit (status 431). */
NODISCARD int http1_head_parse(struct slice head, struct arena *arena, struct http1_head *ret);

/* One field line "Name: value" without its CRLF, as the trailer reader needs it. Writes the normal
 * form to `out`, which has room for line.len + 4 bytes; returns the bytes written or -EBADMSG. */
NODISCARD ssize_t http1_field_parse(struct slice line, char *out);
