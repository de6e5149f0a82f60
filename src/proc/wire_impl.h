/*
 * What wire.c, wire_pair.c, wire_frame.c and wire_stream.c share; private to proc/.
 */
#pragma once

#include "core/list.h"
#include "proc/wire.h"

#include <errno.h>

/* As it stands on the socket; both ends are the same program on the same machine. */
struct wire_head {
    uint32_t length; /* of the payload */
    uint32_t stream;
    uint16_t op;
    uint8_t kind, flags;
};
_Static_assert(sizeof(struct wire_head) == 12, "the frame's head has no padding");

enum wire_kind { WIRE_OPEN = 1, WIRE_REPLY, WIRE_DATA, WIRE_CREDIT, WIRE_RESET, WIRE_NOTE };
enum wire_flag { WIRE_END = 1, WIRE_FD = 2 };

enum {
    WIRE_IN_MIN = 16 * 1024, /* first read buffer; grows while reads fill it */
    WIRE_IN_MAX = 256 * 1024,
    WIRE_OUT_EAGER = 128 * 1024,        /* more than this leaves before the round is over */
    WIRE_CREDIT_STEP = WIRE_WINDOW / 4, /* consumed bytes are returned in such portions */
    WIRE_FDS_MAX = 64,                  /* received and not yet claimed by a frame */
    WIRE_POOL_MAX = 1024,               /* idle stream structs kept */
    WIRE_STREAM_ID_MAX = 0x7fffffff,    /* then numbers begin again */
    WIRE_SLOTS_MIN = 16
};

struct wire_stream {
    struct wire *wire; /* borrowed: lives at least as long as its streams */
    uint32_t id;
    bool opener;   /* we opened it */
    bool accepted; /* shown to an owner, who has not closed it yet */
    bool replied;
    bool local_ended, remote_ended;
    bool send_dead;   /* the other side wants no more bytes: they are dropped */
    bool was_reset;   /* by the other side, or by the loss of the wire */
    bool pending_end; /* the last of `pending` ends our direction */
    int reset_reason; /* of a closed stream that still sends its pending bytes */
    size_t send_credit;
    size_t recv_credit;                      /* what the other side may still send */
    size_t unread;                           /* delivered, not yet wire_consumed() */
    size_t consumed;                         /* not yet returned */
    struct buf pending;                      /* beyond the credit */
    const struct wire_stream_events *events; /* borrowed, constant */
    void *user;
    struct link link; /* wire.streams, wire.pool */
};

struct wire_slot {
    uint32_t id; /* 0 = empty */
    struct wire_stream *stream;
};

/* A descriptor leaves with the first byte of its frame. */
struct wire_mark {
    uint64_t at; /* bytes ever queued before the frame */
    int fd;      /* owned */
};

struct wire {
    struct loop *loop;
    int fd;            /* owned; -1 when gone, or of a pair */
    struct wire *peer; /* of a pair: the other end */
    bool is_alone;     /* of a pair: there is none any more */
    const struct wire_events *events;
    void *user;
    struct watch watch;
    struct loop_hook hook; /* in the loop's list while there is something to send */
    struct timer kick;     /* what must not happen inside a call happens here */
    bool paused, blocked, write_dead, dead, destroyed, watched;
    int fail_reason; /* to be reported by the kick */
    unsigned busy;   /* callbacks under way: the memory must stay */

    char *in; /* owned; live bytes are in[in_start, in_end) */
    size_t in_start, in_end, in_cap;
    int fds[WIRE_FDS_MAX]; /* owned; received in this order */
    unsigned n_fds;

    struct buf out;
    uint64_t out_total, out_sent;
    struct wire_mark *marks; /* owned; marks[mark_at, n_marks) wait */
    size_t mark_at, n_marks, marks_cap;

    struct wire_slot *slots; /* owned; open addressing by id */
    size_t n_slots, n_streams;
    size_t n_local, n_remote; /* streams opened by us, by them */
    uint32_t next_id;
    uint32_t local_parity; /* of the numbers that are ours */
    struct link streams;
    struct link pool;
    size_t n_pool;
};

/* wire.c */
void wire_init(struct wire *w, struct loop *loop, int side, const struct wire_events *events,
               void *user);
void wire_kick(struct wire *w);
/* Makes room for what comes next, and for the rest of a frame that has begun. */
void wire_in_prepare(struct wire *w);
void wire_frame_put(struct wire *w, struct wire_head head, struct slice payload, int fd);
void wire_fail(struct wire *w, int reason);
void wire_maybe_free(struct wire *w);

/* wire_pair.c */
void wire_pair_flush(struct wire *w);
void wire_pair_leave(struct wire *w);

/* wire_frame.c: 0, or a negative errno that ends the wire. fd is given away. */
int wire_frame_deliver(struct wire *w, const struct wire_head *head, struct slice payload, int fd);
void wire_stream_lost(struct wire_stream *s, int reason);

/* wire_stream.c */
struct wire_stream *wire_stream_find(struct wire *w, uint32_t id);
struct wire_stream *wire_stream_new(struct wire *w, uint32_t id, bool opener);
void wire_stream_free(struct wire_stream *s);
/* Sends what the credit allows. */
void wire_stream_pump(struct wire_stream *s);
