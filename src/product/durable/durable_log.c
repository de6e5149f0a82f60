/*
 * Commits of open objects on their way to the keeper's log.
 *
 * One message per object at a time; what is committed meanwhile goes with the next one, in order. The answer says that it is
 * on disk, or that the object is not ours any more, or that nobody knows: then the instance ends, and the next one
 * starts from what is there.
 */
#include "product/durable/durable.h"

#include "product/isolate.h"
#include "product/messages.h"
#include "store/log_record.h"

#include <errno.h>
#include <stdlib.h>

enum { SEND_MAX = 1024 * 1024 }; /* bytes of records in one message, which may be one record more */

static const char *log_text(int64_t result)
{
    switch (result) {
    case -ESTALE:
        return "Durable Object was reset because another instance of it has written.";
    case -ENOSPC:
        return "Durable Object storage has no space left on the disk; the object was reset.";
    default:
        return "Durable Object storage could not be written to disk; the object was reset.";
    }
}

static void log_reply(struct wire_stream *s, struct slice args, int fd, bool end UNUSED)
{
    struct durable_object *o = wire_stream_user(s);
    struct msg_done done;
    fd_release(&fd);
    int64_t result = msg_done_unpack(args, &done) < 0 ? -EBADMSG : done.result;
    wire_stream_close(TAKE(o->stream), 0);
    if (result < 0)
        durable_break(o, log_text(result));
    else if (buf_len(&o->out) == 0)
        o->stats[DURABLE_SYNCED] = o->sync_target;
    durable_sent(o);
}

static void log_reset(struct wire_stream *s, int reason UNUSED)
{
    struct durable_object *o = wire_stream_user(s);
    wire_stream_close(TAKE(o->stream), 0);
    durable_break(o, log_text(-EIO)); /* the keeper has ended: nobody knows */
    durable_sent(o);
}

static const struct wire_stream_events log_events = {.reply = log_reply, .reset = log_reset};

/* Whole records from the front. */
static struct slice log_chunk(const struct buf *out)
{
    struct slice all = buf_slice(out);
    size_t n = 0;
    while (n < all.len && n < SEND_MAX) {
        struct log_record r;
        log_record_head(all.ptr + n, &r);
        n += r.size;
    }
    return slice_from(all.ptr, n);
}

void durable_send(struct durable_object *o)
{
    struct wire *keeper = isolate_keeper(o->iso);
    AUTO(buf_done) struct buf args = {0};
    if (o->stream != NULL || o->broken)
        return;
    if (buf_len(&o->out) == 0) {
        int64_t reserved;
        buf_done(&o->out);
        sql_log_take(o->db, &o->out, &reserved);
        o->sync_target = o->stats[DURABLE_COMMITTED];
    }
    struct slice chunk = log_chunk(&o->out);
    if (chunk.len == 0) { /* a transaction that wrote nothing */
        o->stats[DURABLE_SYNCED] = o->sync_target;
        return;
    }
    msg_object_commit_pack(&args, &(struct msg_object_commit){.binding = o->index,
                                                              .object = slice_of(o->id),
                                                              .epoch = o->lease,
                                                              .records = chunk});
    o->stream = keeper == NULL ? NULL
                               : wire_open(keeper, OP_object_commit, buf_slice(&args), -1, true,
                                           &log_events, o);
    if (o->stream == NULL)
        durable_break(o, log_text(-EIO));
    else
        buf_consume(&o->out, chunk.len);
}

void durable_settled(struct durable_object *o, bool clean, bool over)
{
    struct wire *keeper = isolate_keeper(o->iso);
    AUTO(buf_done) struct buf args = {0};
    msg_object_settled_pack(&args, &(struct msg_object_settled){.binding = o->index,
                                                                .object = slice_of(o->id),
                                                                .epoch = o->lease,
                                                                .clean = clean,
                                                                .over = over});
    if (keeper != NULL)
        wire_note(keeper, 0, OP_object_settled, buf_slice(&args), -1);
}
