/*
 * Large bodies: into a file of the store's spool as they arrive, out of a file as the receiver takes them.
 *
 * One job at a time per operation; the wire's window bounds what waits in memory, since bytes are given
 * back to the sender only when they are in the file.
 */
#include "role/keeper_impl.h"

#include "core/digest.h"
#include "core/file.h"
#include "store/blob.h"

#include <errno.h>
#include <unistd.h>

enum { SEND_PIECE = 256 * 1024, GIVEN_PIECE = 1024 * 1024 };

static int keeper_spool_begin(struct keeper_unit *u)
{
    struct keeper_call *c = &u->call;
    int r = u->op->prepare == NULL ? 0 : u->op->prepare(c);
    if (r < 0)
        return r;
    u->spool_md5 = digest_create(DIGEST_MD5);
    if (c->spool_fd < 0)
        c->spool_fd = blob_spool(u->stored->store.path, c->spool_id);
    return MIN(c->spool_fd, 0);
}

static void keeper_spool_run(struct work *work)
{
    struct keeper_unit *u = CONTAINER_OF(work, struct keeper_unit, spool_work);
    struct keeper_call *c = &u->call;
    struct slice bytes = buf_slice(&u->spool_buf);
    u->spool_result = u->spool_md5 == NULL ? keeper_spool_begin(u) : 0;
    if (u->spool_result < 0)
        return;
    digest_update(u->spool_md5, bytes);
    if (c->veil != NULL)
        c->veil(c, c->spool_id, u->spooled, u->spool_buf.data + u->spool_buf.start, bytes.len);
    u->spool_result = file_write_all(c->spool_fd, bytes);
    u->spooled += bytes.len;
    blob_write_back(c->spool_fd, u->spooled - bytes.len, u->spooled);
    if (u->spool_result < 0 || !u->spool_last)
        return;
    digest_value(u->spool_md5, c->md5);
    u->spool_result = blob_sync_content(c->spool_fd);
}

static void keeper_spool_done(struct work *work)
{
    struct keeper_unit *u = CONTAINER_OF(work, struct keeper_unit, spool_work);
    size_t n = buf_len(&u->spool_buf);
    u->spool_busy = false;
    buf_clear(&u->spool_buf);
    u->keeper->body_bytes -= MIN(n, u->counted);
    u->counted -= MIN(n, u->counted);
    if (u->stream == NULL || u->spool_result < 0) {
        if (u->stream != NULL && u->call.err.text[0] == '\0')
            (void)err_set(&u->call.err, u->spool_result, 0,
                          u->spool_result == -ENOSPC ? "no space left for this store"
                                                     : "the body could not be stored");
        u->call.result = u->spool_result;
        keeper_unit_answer(u);
        return;
    }
    if (n > 0)
        wire_consumed(u->stream, n);
    if (u->spool_last)
        keeper_unit_ready(u);
    else
        keeper_spool_more(u);
}

/* A file whose name is on the disk already, if there is one. */
static void keeper_spool_spare(struct keeper_unit *u)
{
    struct keeper_stored *s = u->stored;
    s->spools = true;
    if (s->n_spares == 0)
        return;
    const struct keeper_spare *spare = &s->spares[--s->n_spares];
    u->call.spool_fd = spare->fd;
    u->call.spool_named = true;
    memcpy(u->call.spool_id, spare->id, sizeof(spare->id));
}

void keeper_spool_more(struct keeper_unit *u)
{
    if (u->spool_busy || (buf_len(&u->body) == 0 && !u->body_end))
        return;
    struct buf empty = u->spool_buf;
    u->spool_buf = u->body;
    u->body = empty;
    u->spool_last = u->body_end;
    u->spool_busy = true;
    if (u->call.spool_fd < 0)
        keeper_spool_spare(u);
    u->spool_work = (struct work){.run = keeper_spool_run, .done = keeper_spool_done};
    work_start(u->keeper->pool, &u->spool_work);
}

/* --- a body in a file of control's: read once, hashed and written on the way --- */

static int keeper_given_copy(struct keeper_unit *u)
{
    struct keeper_call *c = &u->call;
    AUTO(mem_release) char *piece = mem_new(GIVEN_PIECE);
    for (;;) {
        ssize_t n = pread(u->given_fd, piece, GIVEN_PIECE, (off_t)u->spooled);
        if (n <= 0)
            return n < 0 ? -errno : 0;
        if (u->spooled + (uint64_t)n > u->op->body_max)
            return -E2BIG;
        digest_update(u->spool_md5, slice_from(piece, (size_t)n));
        if (c->veil != NULL)
            c->veil(c, c->spool_id, u->spooled, piece, (size_t)n);
        int r = file_write_all(c->spool_fd, slice_from(piece, (size_t)n));
        u->spooled += (uint64_t)n;
        blob_write_back(c->spool_fd, u->spooled - (uint64_t)n, u->spooled);
        if (r < 0)
            return r;
    }
}

static void keeper_given_run(struct work *work)
{
    struct keeper_unit *u = CONTAINER_OF(work, struct keeper_unit, spool_work);
    u->spool_result = keeper_spool_begin(u);
    if (u->spool_result == 0)
        u->spool_result = keeper_given_copy(u);
    if (u->spool_result < 0)
        return;
    u->call.body_size = u->spooled;
    digest_value(u->spool_md5, u->call.md5);
    u->spool_result = blob_sync_content(u->call.spool_fd);
}

void keeper_spool_given(struct keeper_unit *u)
{
    u->stage = UNIT_SPOOL;
    u->body_end = u->spool_last = true;
    u->spool_busy = true;
    keeper_spool_spare(u);
    u->spool_work = (struct work){.run = keeper_given_run, .done = keeper_spool_done};
    work_start(u->keeper->pool, &u->spool_work);
}

/* --- spares --- */

void keeper_spares_make(struct keeper_stored *s)
{
    unsigned missing = s->n_spares < KEEPER_SPARES_MIN ? KEEPER_SPARES_MAX - s->n_spares : 0;
    while (s->n_fresh < missing) {
        struct keeper_spare *spare = &s->fresh[s->n_fresh];
        spare->fd = blob_spool(s->store.path, spare->id);
        if (spare->fd < 0)
            break;
        s->n_fresh++;
    }
    if (s->n_fresh == 0 || blob_sync_names(s->store.path) == 0)
        return;
    for (; s->n_fresh > 0; s->n_fresh--) {
        close(s->fresh[s->n_fresh - 1].fd);
        blob_remove(s->store.path, s->fresh[s->n_fresh - 1].id); /* else at the next start */
    }
}

void keeper_spares_take(struct keeper_stored *s)
{
    for (; s->n_fresh > 0 && s->n_spares < KEEPER_SPARES_MAX; s->n_fresh--)
        s->spares[s->n_spares++] = s->fresh[s->n_fresh - 1];
}

void keeper_spares_drop(struct keeper_stored *s)
{
    for (; s->n_spares > 0; s->n_spares--) {
        close(s->spares[s->n_spares - 1].fd);
        blob_remove(s->store.path,
                    s->spares[s->n_spares - 1].id); /* gone already with a dropped store */
    }
}

/* --- the other way --- */

/* The next range that has bytes left becomes the file that is read. */
static int keeper_read_next(struct keeper_call *c)
{
    while (c->reply_length == 0 && c->n_reply_ranges > 0) {
        struct keeper_range range = *c->reply_ranges++;
        c->n_reply_ranges--;
        fd_release(&c->reply_fd);
        c->reply_fd = blob_open(c->store->path, range.id);
        if (c->reply_fd < 0)
            return c->reply_fd;
        memcpy(c->reply_id, range.id, sizeof(range.id));
        c->reply_offset = range.offset;
        c->reply_length = range.length;
    }
    return 0;
}

static void keeper_read_run(struct work *work)
{
    struct keeper_unit *u = CONTAINER_OF(work, struct keeper_unit, read_work);
    struct keeper_call *c = &u->call;
    u->read_result = keeper_read_next(c);
    if (u->read_result < 0)
        return;
    size_t want = (size_t)MIN((uint64_t)SEND_PIECE, c->reply_length);
    char *to = buf_reserve(&u->piece, want);
    ssize_t n = pread(c->reply_fd, to, want, (off_t)c->reply_offset);
    u->read_result = n < 0 ? -errno : n == 0 ? -EIO : 0;
    if (n <= 0)
        return;
    if (c->veil != NULL)
        c->veil(c, c->reply_id, c->reply_offset, to, (size_t)n);
    buf_added(&u->piece, (size_t)n);
    c->reply_offset += (uint64_t)n;
    c->reply_length -= (uint64_t)n;
}

static void keeper_read_done(struct work *work)
{
    struct keeper_unit *u = CONTAINER_OF(work, struct keeper_unit, read_work);
    u->reading = false;
    if (u->stream == NULL || u->read_result < 0) {
        if (u->stream != NULL)
            wire_stream_close(TAKE(u->stream), u->read_result);
        keeper_unit_answer(u);
        return;
    }
    keeper_send_more(u);
}

/* Sends from `out` what the window takes; true when nothing is left in it. */
static bool keeper_send_buf(struct keeper_unit *u, struct buf *out, bool last)
{
    size_t n = MIN(buf_len(out), wire_send_room(u->stream));
    bool all = n == buf_len(out);
    if (n > 0 || (all && last))
        wire_send(u->stream, slice_from(buf_slice(out).ptr, n), all && last);
    buf_consume(out, n);
    return all;
}

static void keeper_sent(struct keeper_unit *u)
{
    wire_stream_close(TAKE(u->stream), 0);
    keeper_unit_answer(u);
}

void keeper_send_more(struct keeper_unit *u)
{
    struct keeper_call *c = &u->call;
    if (u->reading)
        return;
    if (c->reply_fd < 0 && c->n_reply_ranges == 0) {
        if (keeper_send_buf(u, &c->reply_body, true))
            keeper_sent(u);
        return;
    }
    bool last = c->reply_length == 0 && c->n_reply_ranges == 0;
    if (!keeper_send_buf(u, &u->piece, last))
        return;
    if (last) {
        keeper_sent(u);
        return;
    }
    buf_clear(&u->piece);
    u->reading = true;
    u->read_work = (struct work){.run = keeper_read_run, .done = keeper_read_done};
    work_start(u->keeper->pool, &u->read_work);
}
