/*
 * The wire: many requests at once over one Unix stream socket between two of our processes.
 *
 * Either side opens streams. A stream is one request (OPEN, then optional body) and one answer (REPLY,
 * then optional body); NOTEs are one-way messages beside them. Frames are batched: what a loop round
 * writes leaves in one system call at its end. A frame may carry one descriptor.
 *
 *   frame:  u32 length of payload | u32 stream | u16 op | u8 kind | u8 flags | payload
 *
 * Flow control: each direction of a stream may have WIRE_WINDOW bytes of DATA under way; the receiver
 * returns them with wire_consumed(). OPEN, REPLY and NOTE payloads are not counted; WIRE_PAYLOAD_MAX
 * bounds them. A frame that breaks these rules from the other side closes the wire (-EBADMSG): the less
 * trusted side loses its connection, and its owner decides what that means.
 *
 * Loop thread only. A `struct wire_stream *` is valid until its owner calls wire_stream_close(), which
 * everyone who opened or accepted one must do exactly once; closing an unfinished stream resets it.
 * Events never come from inside a call, and none after wire_stream_close().
 */
#pragma once

#include "core/loop.h"
#include "core/pack.h"

enum {
    WIRE_WINDOW = 256 * 1024,
    WIRE_PAYLOAD_MAX = 4 * 1024 * 1024,
    WIRE_DATA_MAX = 64 * 1024, /* bytes of DATA in one frame */
    WIRE_STREAMS_MAX =
        16384, /* open streams per wire and direction; OPEN beyond gets RESET(EAGAIN) */
    WIRE_BACKLOG_MAX = 64 * 1024 * 1024 /* bytes queued for a side that does not read: -ENOBUFS */
};

struct wire;
struct wire_stream;

struct wire_events {
    /* The other side opened a stream. end: no body follows. fd is -1 or now ours to close. The callee
     * must set events (wire_stream_own) or close the stream before it returns. */
    void (*open)(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args, int fd,
                 bool end);
    void (*note)(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd);
    /* Once: the connection is gone (0 = orderly, else negative errno). All streams got `reset` before.
     * The wire must be destroyed by the callee or later. */
    void (*closed)(struct wire *w, int reason);
};

struct wire_stream_events {
    void (*reply)(struct wire_stream *s, struct slice args, int fd, bool end);
    void (*data)(struct wire_stream *s, struct slice bytes, bool end);
    void (*writable)(struct wire_stream *s); /* wire_send_room() grew from zero */
    /* Negative errno; nothing comes after it. When the other side had already ended and nothing is owed
     * to it, there is no event: it only wants no more bytes, and later sends are dropped. */
    void (*reset)(struct wire_stream *s, int reason);
};

/* Takes the descriptor (a connected AF_UNIX SOCK_STREAM socket, made non-blocking here). side: 0 for the
 * end that the parent kept, 1 for the other; it decides who uses odd stream numbers. */
struct wire *wire_create(struct loop *loop, int fd, int side, const struct wire_events *events,
                         void *user);
/* Two ends of one wire inside this process: what one sends the other dispatches in the next round of the loop, without
 * a system call. Descriptors do not travel. */
void wire_create_pair(struct loop *loop, const struct wire_events *events, void *const users[2],
                      struct wire *ret_ends[2]);
/* The same stream at the other end of a pair; NULL when it is closed there. */
struct wire_stream *wire_pair_stream(const struct wire_stream *s);
void wire_destroy(struct wire *w); /* no events afterwards; its streams may still be closed */
void *wire_user(struct wire *w);
size_t wire_streams(const struct wire *w); /* open ones */
size_t wire_backlog(const struct wire *w); /* bytes that the socket did not take yet */
/* Pause reading everything (the process is overloaded). */
void wire_pause(struct wire *w, bool paused);
/* Writes now instead of at the end of the round. */
void wire_flush(struct wire *w);

/* NULL when the wire is closed or full. */
struct wire_stream *wire_open(struct wire *w, uint16_t op, struct slice args, int fd, bool end,
                              const struct wire_stream_events *events, void *user);
void wire_stream_own(struct wire_stream *s, const struct wire_stream_events *events, void *user);
void *wire_stream_user(struct wire_stream *s);
uint32_t wire_stream_id(const struct wire_stream *s);
struct wire *wire_stream_wire(struct wire_stream *s);
void wire_reply(struct wire_stream *s, struct slice args, int fd, bool end);
/* Takes everything; beyond wire_send_room() it is queued here, so callers stop at zero room. */
void wire_send(struct wire_stream *s, struct slice bytes, bool end);
size_t wire_send_room(const struct wire_stream *s);
/* Bytes that were sent and wait here for credit. */
size_t wire_send_queued(const struct wire_stream *s);
/* DATA bytes that the owner is done with. */
void wire_consumed(struct wire_stream *s, size_t n);
/* reason: negative errno told to the other side if the stream is unfinished. */
void wire_stream_close(struct wire_stream *s, int reason);
/* Closes a stream whose other side has ended it, without a word about our direction: for an other side that
 * closes the stream by itself once it is done, and is not woken for it. */
void wire_stream_leave(struct wire_stream *s);

/* fd is duplicated by the kernel on sending and closed here. stream_id 0 = about nothing in particular. */
void wire_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd);
/* Last words of a process that is about to exit while the loop's thread is stuck in a script: writes the note at
 * once, from any thread, past what is queued; does nothing when a frame is half sent. */
void wire_note_last(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args);
