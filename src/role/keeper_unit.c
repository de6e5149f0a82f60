/*
 * One operation, from its first byte to its answer.
 */
#include "role/keeper_impl.h"

#include "core/digest.h"
#include "store/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void keeper_unit_free(struct keeper_unit *u)
{
    struct keeper *k = u->keeper;
    if (u->call.spool_fd >= 0 && !u->call.spool_kept)
        (void)blob_remove(u->stored->store.path, u->call.spool_id); /* else at the next start */
    if (u->stream != NULL)
        wire_stream_close(u->stream, -ECANCELED);
    list_remove(&u->peer_link);
    fd_release(&u->call.spool_fd);
    fd_release(&u->call.reply_fd);
    fd_release(&u->given_fd);
    buf_done(&u->call.json);
    buf_done(&u->call.reply_body);
    buf_done(&u->body);
    buf_done(&u->spool_buf);
    buf_done(&u->piece);
    digest_release(&u->spool_md5);
    arena_done(&u->arena);
    k->body_bytes -= u->counted;
    free(u);
    if (--k->n_units == 0 && k->idle != NULL)
        k->idle(k->idle_arg);
}

static void keeper_answer_pack(struct buf *out, int64_t result, const char *text, struct slice json)
{
    struct msg_done done = {.result = result, .text = slice_of(text), .json = json};
    msg_done_pack(out, &done);
}

static const struct wire_stream_events keeper_refused_events;

void keeper_refuse(struct wire_stream *s, int64_t result, const char *text)
{
    AUTO(buf_done) struct buf out = {0};
    keeper_answer_pack(&out, result, text, SLICE_NONE);
    wire_stream_own(s, &keeper_refused_events, NULL);
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, -EINVAL);
}

/* --- the body --- */

static void keeper_unit_fail(struct keeper_unit *u, int r, const char *text)
{
    u->call.result = err_set(&u->call.err, r, 0, "%s", text);
    keeper_unit_answer(u);
}

/* False when it was too much: then the unit is answered, and gone unless something of it still runs. */
static bool keeper_unit_take(struct keeper_unit *u, struct slice bytes)
{
    u->call.body_size += bytes.len;
    if (u->call.body_size > u->op->body_max) {
        keeper_unit_fail(u, -E2BIG, "the body is too large");
        return false;
    }
    if (u->keeper->body_bytes + bytes.len > KEEPER_BODIES_MAX) {
        keeper_unit_fail(u, -EAGAIN, "too many requests queued");
        return false;
    }
    u->keeper->body_bytes += bytes.len;
    u->counted += bytes.len;
    buf_append_slice(&u->body, bytes);
    return true;
}

static void keeper_unit_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct keeper_unit *u = wire_stream_user(s);
    u->body_end |= end;
    if (u->stage > UNIT_SPOOL) {
        wire_consumed(s, bytes.len); /* answered already */
        return;
    }
    if (!keeper_unit_take(u, bytes))
        return;
    bool spool = u->op->body == BODY_SPOOL && u->call.body_size > u->op->memory_max;
    if (spool) {
        u->stage = UNIT_SPOOL;
        keeper_spool_more(u); /* gives the bytes back to the sender when they are in the file */
        return;
    }
    wire_consumed(s, bytes.len);
    if (end)
        keeper_unit_ready(u);
}

void keeper_unit_ready(struct keeper_unit *u)
{
    u->call.body = u->call.spool_fd < 0 ? buf_slice(&u->body) : SLICE_NONE;
    u->stage = UNIT_QUEUED;
    keeper_group_add(u);
}

/* --- the answer --- */

/* Bodies of the answer: a large json, bytes, or a range of a file. */
static bool keeper_answer_has_body(const struct keeper_call *c)
{
    return buf_len(&c->reply_body) > 0 || c->reply_fd >= 0 || c->n_reply_ranges > 0;
}

void keeper_unit_answer(struct keeper_unit *u)
{
    struct keeper_call *c = &u->call;
    u->stage = UNIT_ANSWER;
    if (u->stream == NULL) {
        if (!u->spool_busy)
            keeper_unit_free(u);
        return;
    }
    if (buf_len(&c->json) > KEEPER_JSON_MAX && !keeper_answer_has_body(c)) {
        c->reply_body = c->json;
        c->json = (struct buf){0};
    }
    AUTO(buf_done) struct buf out = {0};
    keeper_answer_pack(&out, c->result, c->err.text, buf_slice(&c->json));
    bool pass = c->result >= 0 && c->reply_pass && c->reply_fd >= 0 && c->n_reply_ranges == 0;
    bool body = c->result >= 0 && keeper_answer_has_body(c) && !pass;
    wire_reply(u->stream, buf_slice(&out), pass ? TAKE_FD(c->reply_fd) : -1, !body);
    if (body) {
        keeper_send_more(u);
        return;
    }
    /* Where the sender has not finished yet, this tells it to stop. */
    wire_stream_close(TAKE(u->stream), u->body_end ? 0 : -ECANCELED);
    if (!u->spool_busy)
        keeper_unit_free(u);
}

static void keeper_unit_writable(struct wire_stream *s)
{
    struct keeper_unit *u = wire_stream_user(s);
    if (u->stage == UNIT_ANSWER)
        keeper_send_more(u);
}

void keeper_unit_gone(struct keeper_unit *u)
{
    list_remove(&u->peer_link);
    u->peer = NULL;
    atomic_store(&u->call.gone, true);
    if (u->stream != NULL)
        wire_stream_close(TAKE(u->stream), -ECANCELED);
    bool waits = u->stage == UNIT_COLLECT || u->stage == UNIT_ANSWER || u->stage == UNIT_SPOOL;
    if (waits && !u->spool_busy && !u->reading)
        keeper_unit_free(u);
}

static void keeper_unit_reset(struct wire_stream *s, int reason)
{
    (void)reason;
    keeper_unit_gone(wire_stream_user(s));
}

const struct wire_stream_events keeper_unit_events = {
    .data = keeper_unit_data,
    .writable = keeper_unit_writable,
    .reset = keeper_unit_reset,
};

void keeper_unit_start(struct keeper_peer *peer, struct wire_stream *s, const struct keeper_op *op,
                       struct keeper_stored *stored, struct slice args, int fd, bool end)
{
    struct keeper_unit *u = mem_new(sizeof(*u));
    u->keeper = peer->keeper;
    u->keeper->n_units++;
    u->arena.limit = KEEPER_ARENA_MAX;
    u->op = op;
    u->stored = stored;
    u->peer = peer;
    u->stream = s;
    u->call.store = &stored->store;
    u->call.control = peer->control;
    u->call.arena = &u->arena;
    u->call.spool_fd = u->call.reply_fd = -1;
    u->given_fd = fd;
    u->body_end = end;
    list_push_back(&peer->units, &u->peer_link);
    wire_stream_own(s, &keeper_unit_events, u);
    if (arena_copy(&u->arena, args.ptr, args.len, &u->call.args) < 0) {
        keeper_unit_fail(u, -ENOMEM, "out of memory");
        return;
    }
    if (fd >= 0 && op->body == BODY_SPOOL)
        keeper_spool_given(u);
    else if (end || op->body == BODY_NONE)
        keeper_unit_ready(u);
}
