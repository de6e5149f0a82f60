/*
 * Durable Objects in the keeper: who may write which one, and their commits on the way to the log.
 *
 *     lease --> epoch     commit(epoch) --> log --> answer     settled(epoch): the log need not keep what came before
 *
 * A lease is a number: the last one given counts. An isolate that has an older one is answered -ESTALE and drops its
 * instance. When the keeper begins anew it knows of no leases; the first commit with a number from before is
 * taken for the owner's, unless somebody has asked for a lease meanwhile. Records come from tenants' processes: their
 * pages are checked here, the name is the keeper's own. An isolate can spoil its own objects, which it writes anyway.
 */
#include "role/keeper_impl.h"

#include "core/id.h"
#include "core/log.h"
#include "product/durable/durable.h"
#include "product/durable/durable_plan.h"
#include "store/log_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    OBJECT_PAGE_SIZE = 4096,
    OBJECT_PAGES_MAX = 4 * 1024 * 1024 /* 16 GiB */,
    OBJECT_NAME_MAX = 240
};

struct keeper_lease {
    uint64_t epoch;
    struct keeper_peer *peer; /* borrowed */
    char name[];              /* of the database in the log */
};

/* What an isolate said about one of its objects. */
struct object_call {
    struct keeper_peer *peer;
    struct keeper_stored *stored;
    uint32_t binding;
    struct slice object, rest; /* what follows in the message */
    char name[OBJECT_NAME_MAX];
};

/* False when the message is malformed or names what the isolate does not own. */
static bool object_call_take(struct keeper_peer *peer, struct slice args, struct object_call *ret)
{
    struct unpack u = {.rest = args};
    *ret = (struct object_call){.peer = peer, .binding = unpack_u32(&u)};
    (void)unpack_bytes(&u); /* stores are named by control only */
    ret->object = unpack_bytes(&u);
    ret->rest = u.rest;
    if (u.bad || peer->control || ret->binding >= peer->n_grants ||
        peer->grants[ret->binding].product != &product_durable_class ||
        !id_is_hex(ret->object, DURABLE_ID_LEN))
        return false;
    ret->stored = peer->grants[ret->binding].stored;
    int n = snprintf(ret->name, sizeof(ret->name), "%s/objects/%.*s.sqlite",
                     ret->stored->store.name, SLICE_ARG(ret->object));
    return n > 0 && (size_t)n < sizeof(ret->name);
}

/* --- leases --- */

static struct keeper_lease *lease_put(struct object_call *c, uint64_t epoch)
{
    struct keeper *k = c->peer->keeper;
    struct keeper_lease *lease = map_get(&k->leases, slice_of(c->name));
    if (lease == NULL) {
        lease = mem_new(sizeof(*lease) + strlen(c->name) + 1);
        memcpy(lease->name, c->name, strlen(c->name) + 1);
        map_put(&k->leases, slice_of(c->name), lease);
    }
    lease->peer = c->peer;
    lease->epoch = epoch;
    return lease;
}

static bool lease_holds(struct object_call *c, uint64_t epoch)
{
    struct keeper *k = c->peer->keeper;
    const struct keeper_lease *lease = map_get(&k->leases, slice_of(c->name));
    struct lease_plan plan = {.epoch = lease == NULL ? 0 : lease->epoch,
                              .owner = lease == NULL ? 0 : (uintptr_t)lease->peer};
    enum lease_answer answer =
        lease_check(lease == NULL ? NULL : &plan, (uintptr_t)c->peer, epoch, k->first_epoch);
    if (answer == LEASE_ADOPT)
        (void)lease_put(c, epoch); /* the caller needs only the answer */
    return answer != LEASE_REFUSED;
}

static void lease_drop(struct keeper *k, struct keeper_lease *lease)
{
    map_remove(&k->leases, slice_of(lease->name));
    free(lease);
}

void keeper_leases_drop(struct keeper *k, const struct keeper_peer *peer)
{
    bool again = true;
    while (again) {
        size_t at = 0;
        struct slice name;
        void *value;
        struct keeper_lease *found[64];
        unsigned n = 0;
        while (n < ARRAY_LEN(found) && map_next(&k->leases, &at, &name, &value)) {
            struct keeper_lease *lease = value;
            if (peer == NULL || lease->peer == peer)
                found[n++] = lease;
        }
        again = n == ARRAY_LEN(found);
        while (n > 0)
            lease_drop(k, found[--n]);
    }
}

/* Its last owner closed it and could not say so: an empty `-wal` file shows it. */
static void object_look(struct object_call *c)
{
    struct keeper *k = c->peer->keeper;
    char path[KEEPER_PATH_MAX + OBJECT_NAME_MAX];
    struct stat st;
    if (!log_holds(k->log, slice_of(c->name)))
        return;
    snprintf(path, sizeof(path), "%s/%s-wal", k->root, c->name);
    if (stat(path, &st) < 0 || st.st_size == 0)
        log_checkpoint(k->log, slice_of(c->name));
}

/* --- answers --- */

static void object_reset(struct wire_stream *s, int reason UNUSED)
{
    wire_stream_close(s, 0);
}

static const struct wire_stream_events object_over_events = {.reset = object_reset};

static void object_answer(struct wire_stream *s, int64_t result, const char *text)
{
    AUTO(buf_done) struct buf out = {0};
    msg_done_pack(&out, &(struct msg_done){.result = result, .text = slice_of(text)});
    wire_stream_own(s, &object_over_events, NULL);
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, 0);
}

static void object_lease(struct object_call *c, struct wire_stream *s)
{
    uint64_t epoch = log_epoch(c->peer->keeper->log);
    object_look(c);
    lease_put(c, epoch);
    object_answer(s, (int64_t)epoch, "");
}

/* --- commits --- */

struct object_commit {
    struct log_append append;
    struct wake wake;
    struct keeper *keeper;
    struct wire_stream *stream; /* owned; NULL when it went away */
};

static const char *object_text(enum log_outcome outcome)
{
    static const char *const texts[] = {
        [LOG_OK] = "",
        [LOG_CONFLICT] = "another instance of this object has written",
        [LOG_UNKNOWN] = "the outcome of this write is unknown",
        [LOG_UNAVAILABLE] = "the write could not be committed",
    };
    return texts[outcome];
}

static void object_commit_over(struct wake *wake)
{
    static const int results[] = {
        [LOG_OK] = 0, [LOG_CONFLICT] = -ESTALE, [LOG_UNKNOWN] = -EIO, [LOG_UNAVAILABLE] = -EAGAIN};
    struct object_commit *m = CONTAINER_OF(wake, struct object_commit, wake);
    if (m->stream != NULL)
        object_answer(m->stream, results[m->append.outcome], object_text(m->append.outcome));
    if (m->append.outcome != LOG_OK)
        keeper_log_check(m->keeper);
    m->keeper->n_units--;
    if (m->keeper->n_units == 0 && m->keeper->idle != NULL)
        m->keeper->idle(m->keeper->idle_arg);
    free(m);
}

static void object_logged(struct log_append *append)
{
    struct object_commit *m = CONTAINER_OF(append, struct object_commit, append);
    m->wake.run = object_commit_over;
    loop_wake(m->keeper->loop, &m->wake);
}

static void object_commit_gone(struct wire_stream *s, int reason UNUSED)
{
    struct object_commit *m = wire_stream_user(s);
    wire_stream_close(TAKE(m->stream), 0);
}

static const struct wire_stream_events object_commit_events = {.reset = object_commit_gone};

int keeper_object_records(struct slice bytes, struct slice name, uint64_t epoch, struct buf *ret)
{
    while (bytes.len > 0) {
        struct log_record r;
        int result = log_record_parse(bytes, &r);
        if (result < 0 || r.kind != LOG_PAGES || r.name.len != 0 || r.epoch != epoch ||
            r.page_size != OBJECT_PAGE_SIZE || !log_record_sound(&r, OBJECT_PAGES_MAX))
            return -EBADMSG;
        bytes = slice_skip(bytes, r.size);
        r.name = name;
        log_record_append(ret, &r);
    }
    return buf_len(ret) > 0 ? 0 : -EBADMSG;
}

static bool object_commit(struct object_call *c, struct wire_stream *s, struct slice args)
{
    struct keeper *k = c->peer->keeper;
    struct msg_object_commit msg;
    AUTO(buf_done) struct buf records = {0};
    int64_t held = 0;
    if (msg_object_commit_unpack(args, &msg) < 0 ||
        keeper_object_records(msg.records, slice_of(c->name), msg.epoch, &records) < 0)
        return false;
    if (!lease_holds(c, msg.epoch)) {
        object_answer(s, -ESTALE, object_text(LOG_CONFLICT));
        return true;
    }
    if (log_reserve(k->log, &held, (int64_t)buf_len(&records)) < 0) {
        keeper_log_check(k);
        object_answer(s, -ENOSPC, "no space left on the disk or in the durable log");
        return true;
    }
    struct object_commit *m = mem_new(sizeof(*m));
    m->keeper = k;
    m->stream = s;
    m->append = (struct log_append){.records = records, .reserved = held, .done = object_logged};
    records = (struct buf){0};
    wire_stream_own(s, &object_commit_events, m);
    k->n_units++;
    log_append(k->log, &m->append);
    return true;
}

bool keeper_object_open(struct keeper_peer *peer, struct wire_stream *s, uint16_t op,
                        struct slice args)
{
    struct object_call c;
    if (!object_call_take(peer, args, &c))
        return false;
    if (op == OP_object_commit)
        return object_commit(&c, s, args);
    object_lease(&c, s);
    return true;
}

bool keeper_object_note(struct keeper_peer *peer, struct slice args)
{
    struct object_call c;
    struct msg_object_settled msg;
    if (!object_call_take(peer, args, &c) || msg_object_settled_unpack(args, &msg) < 0)
        return false;
    if (!lease_holds(&c, msg.epoch))
        return true;
    if (msg.clean)
        log_checkpoint(peer->keeper->log, slice_of(c.name));
    if (msg.over)
        lease_drop(peer->keeper, map_get(&peer->keeper->leases, slice_of(c.name)));
    return true;
}

bool keeper_object_leased(struct keeper_peer *peer, struct slice args, bool *ret_holds)
{
    struct object_call c;
    if (!object_call_take(peer, args, &c))
        return false;
    struct unpack u = {.rest = c.rest};
    uint64_t epoch = unpack_u64(&u);
    if (!u.bad)
        *ret_holds = lease_holds(&c, epoch);
    return !u.bad;
}

/* --- the log waits for an object --- */

struct object_relief {
    struct work work;
    struct keeper *keeper;
    char name[OBJECT_NAME_MAX];
};

/* Nobody has it: what its last owner left is put into its file here. */
static void object_relief_run(struct work *work)
{
    struct object_relief *relief = CONTAINER_OF(work, struct object_relief, work);
    char path[KEEPER_PATH_MAX + OBJECT_NAME_MAX];
    struct log *log = relief->keeper->log;
    struct sql_logging logging = {
        .log = log, .name = slice_of(relief->name), .epoch = log_epoch(log)};
    struct sql *db;
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", relief->keeper->root, relief->name);
    if (stat(path, &st) < 0) {
        log_checkpoint(log, logging.name); /* removed */
        return;
    }
    if (sql_open_logged(path, SQL_WRITE | SQL_OBJECT, &logging, &db, NULL) == 0)
        sql_close(db);
}

static void object_relief_done(struct work *work)
{
    struct object_relief *relief = CONTAINER_OF(work, struct object_relief, work);
    relief->keeper->n_reliefs--;
    free(relief);
}

void keeper_object_relieve(struct keeper *k, struct slice name)
{
    const struct keeper_lease *lease = map_get(&k->leases, name);
    if (lease != NULL) {
        AUTO(buf_done) struct buf out = {0};
        struct slice id = name;
        id.len -= MIN(id.len, strlen(".sqlite"));
        if (id.len < DURABLE_ID_LEN)
            return;
        id = slice_skip(id, id.len - DURABLE_ID_LEN);
        msg_object_settle_pack(&out, &(struct msg_object_settle){.object = id});
        wire_note(lease->peer->wire, 0, OP_object_settle, buf_slice(&out), -1);
        return;
    }
    if (name.len >= OBJECT_NAME_MAX || k->n_reliefs >= KEEPER_RELIEFS_MAX)
        return;
    struct object_relief *relief = mem_new(sizeof(*relief));
    relief->keeper = k;
    memcpy(relief->name, name.ptr, name.len);
    relief->work = (struct work){.run = object_relief_run, .done = object_relief_done};
    k->n_reliefs++;
    work_start(k->pool, &relief->work);
}
