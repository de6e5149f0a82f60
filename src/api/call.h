/*
 * Blocking calls from a handler (work pool) to another process (a wire on the loop's thread).
 *
 * api_call() posts the call to the loop and waits for its end; the loop ends every call by its answer, by the
 * loss of the wire or by the time limit, which counts time without progress. A reply's body is collected, or
 * left on the wire under flow control (`stream`) to be piped to the client.
 *
 * Errors: -EPIPE the process is not there, -ETIMEDOUT, -E2BIG the reply is larger than allowed, and what the
 * other side reset the stream with.
 */
#pragma once

#include "api/request.h"
#include "proc/wire.h"

enum { API_CALL_TIMEOUT_MS = 60 * 1000, API_NOTE_MAX = 64 };

struct api_peer;
struct api_stream;

struct api_call {
    struct api_peer *peer;
    uint16_t op;
    struct slice args;
    struct slice body; /* sent when has_body */
    bool has_body;
    int body_fd_plus_1; /* the body is all of this file, which the other side reads by itself; 0 = none */
    bool stream;        /* leave the reply's body on the wire: api_reply.stream */
    size_t reply_max;      /* most bytes of a collected body */
    int timeout_ms;        /* 0 = API_CALL_TIMEOUT_MS */
    bool ends_with_client; /* -ECANCELED as soon as the client has gone: nobody wants the result */
};

struct api_reply {
    struct slice args, body;   /* in the request's arena */
    int fd;                    /* -1 or the caller's */
    struct api_stream *stream; /* the caller's: api_streamed() or api_stream_drop() */
};

NODISCARD int api_call(struct api_request *req, const struct api_call *call, struct api_reply *ret);
void api_client_gone(struct api_request *req); /* loop */

/* --- peers; loop thread except where said --- */

/* Called for every note; fd is the callee's. */
typedef void (*api_note_fn)(void *arg, uint16_t op, struct slice args, int fd);

struct api_peer *api_peer_create(struct loop *loop, api_note_fn note, void *arg);
void api_peer_destroy(struct api_peer *peer);
/* Takes the descriptor: this peer now speaks over it; what ran over the one before is broken. */
void api_peer_connect(struct api_peer *peer, int fd, int side);
/* A wire that belongs to somebody else, whose events do not come here. */
void api_peer_borrow(struct api_peer *peer, struct wire *wire);
struct wire *api_peer_wire(struct api_peer *peer); /* NULL while disconnected */
/* A role of this server, which is started again when it dies; not a job's isolate. */
bool api_peer_lasts(const struct api_peer *peer);

/* Work pool: a peer for one job over a descriptor that came with a reply. Takes fd; side 0. */
struct api_peer *api_peer_adopt(struct api *api, int fd);
/* Work pool: the next note. -EPIPE when the other side is gone, -ETIMEDOUT. */
NODISCARD int api_peer_wait(struct api_peer *peer, int timeout_ms, uint16_t *ret_op,
                            struct buf *ret_args);
void api_peer_dismiss(struct api_peer *peer); /* work pool; accepts NULL */
void api_peer_release(struct api_peer **peer);
/* Work pool: sends a note. */
void api_peer_note(struct api_peer *peer, uint16_t op, struct slice args);

/* --- streams --- */

/* Where a stream's bytes go (loop thread). reason < 0: broken, nothing follows. */
struct api_sink {
    void (*data)(struct api_sink *sink, struct slice bytes, bool end, int reason);
};

void api_stream_start(struct api_stream *stream, struct api_sink *sink); /* loop */
void api_stream_consumed(struct api_stream *stream, size_t n);           /* loop */
void api_stream_close(struct api_stream *stream);                        /* loop; frees it */
void api_stream_drop(struct api_stream *stream);                         /* any thread; frees it */
