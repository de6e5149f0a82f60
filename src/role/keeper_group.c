/*
 * Runs what waits for a store: one job at a time, everything that is ready in one commit.
 *
 * While one group commits, the next gathers: under load the groups grow by themselves, and an operation
 * that is alone waits for nobody.
 */
#include "role/keeper_impl.h"

#include "store/log.h"
#include "store/sql.h"

#include <errno.h>

/* --- on a pool thread --- */

static void keeper_unit_reset_answer(struct keeper_call *c)
{
    c->result = 0;
    c->err = (struct err){0};
    c->spool_kept = false;
    buf_clear(&c->json);
    buf_clear(&c->reply_body);
    fd_release(&c->reply_fd);
    c->reply_fd = -1;
    c->n_reply_ranges = 0;
    c->reply_pass = false;
}

static void keeper_unit_run(struct keeper_unit *u)
{
    keeper_unit_reset_answer(&u->call);
    u->op->run(&u->call);
}

/* True when the group can go on: the op worked, or left nothing behind. */
static bool keeper_unit_run_marked(struct keeper_unit *u, const struct keeper_engine *e, void *open)
{
    if (!u->op->writes || e->mark == NULL) {
        keeper_unit_run(u);
        return !u->op->writes || u->call.result >= 0;
    }
    if (e->mark(open) < 0)
        return false;
    keeper_unit_run(u);
    if (u->call.result >= 0)
        return e->keep(open) == 0;
    e->undo(open);
    return true;
}

static void keeper_unit_uncommitted(struct keeper_unit *u, int r, const char *text)
{
    if (u->call.result < 0 || !(u->op->writes || u->op->exclusive))
        return;
    keeper_unit_reset_answer(&u->call);
    u->call.result = err_set(&u->call.err, r, 0, "%s", text);
}

static const char *keeper_commit_text(int r, const struct err *err)
{
    return err->text[0] != 0 ? err->text
           : r == -EIO       ? "the outcome of this write is unknown"
           : r == -ENOSPC    ? "no space left for this store"
                             : "the write could not be committed";
}

/* One transaction over the units from `first` up to n; 0, or -EAGAIN when nothing of it happened and the
 * units have to run alone. A unit that is alone gets its own error. */
static int keeper_run_together(struct keeper_stored *s, struct link *first, unsigned n)
{
    const struct keeper_engine *e = s->store.product->engine;
    struct link *l = first;
    int r = e->begin(s->store.open);
    if (r < 0) {
        for (unsigned i = 0; i < n; i++, l = l->next) {
            struct keeper_unit *u = LIST_ENTRY(l, struct keeper_unit, link);
            u->call.result = err_set(&u->call.err, r, 0, "the store cannot be written now");
        }
        return 0;
    }
    bool fine = true;
    for (unsigned i = 0; i < n && fine; i++, l = l->next)
        fine = keeper_unit_run_marked(LIST_ENTRY(l, struct keeper_unit, link), e, s->store.open);
    if (!fine) {
        e->rollback(s->store.open);
        return n > 1 ? -EAGAIN : 0;
    }
    struct err err = {0};
    r = e->commit(s->store.open, &err);
    if (r == 0)
        return 0;
    e->rollback(s->store.open);
    if (n > 1 && r != -EIO)
        return -EAGAIN;
    l = first;
    for (unsigned i = 0; i < n; i++, l = l->next)
        keeper_unit_uncommitted(LIST_ENTRY(l, struct keeper_unit, link), r,
                                keeper_commit_text(r, &err));
    return 0;
}

static void keeper_run_group(struct keeper_stored *s)
{
    unsigned n = 0;
    bool writes = false;
    LIST_FOR (l, &s->running) {
        writes |= LIST_ENTRY(l, struct keeper_unit, link)->op->writes;
        n++;
    }
    if (!writes) {
        LIST_FOR (l, &s->running)
            keeper_unit_run(LIST_ENTRY(l, struct keeper_unit, link));
        return;
    }
    if (keeper_run_together(s, s->running.next, n) == 0)
        return;
    LIST_FOR (l, &s->running)
        (void)keeper_run_together(s, l, 1); /* alone it never asks to run again */
}

static void keeper_group_logged(struct wake *wake);

static void keeper_group_fail(struct keeper_stored *s, int r, const struct err *err)
{
    LIST_FOR (l, &s->running) {
        struct keeper_unit *u = LIST_ENTRY(l, struct keeper_unit, link);
        u->call.result = err_set(&u->call.err, r, 0, "%s", err->text);
    }
}

/* On the log's thread. */
static void keeper_logged(struct log_append *append)
{
    struct keeper_stored *s = CONTAINER_OF(append, struct keeper_stored, append);
    s->logged.run = keeper_group_logged;
    loop_wake(s->keeper->loop, &s->logged);
}

/* What the group has committed goes to the log; the group is answered when it is on disk. */
static void keeper_group_send(struct keeper_stored *s)
{
    struct sql *db = keeper_store_sql(s);
    if (db == NULL || !sql_log_pending(db))
        return;
    s->append = (struct log_append){.done = keeper_logged};
    sql_log_take(db, &s->append.records, &s->append.reserved);
    atomic_fetch_add(&s->n_steps, 1);
    log_append(s->keeper->log, &s->append);
    if (s->store.product->engine->meanwhile != NULL)
        s->store.product->engine->meanwhile(s->store.open);
}

static void keeper_group_work(struct keeper_stored *s)
{
    struct err err = {0};
    int r = keeper_store_open(s, &err);
    if (r < 0) {
        keeper_group_fail(s, r, &err);
        return;
    }
    if (s->again && keeper_store_sql(s) != NULL)
        sql_log_again(keeper_store_sql(s), 0);
    s->again = false;
    bool alone = !list_empty(&s->running) &&
                 LIST_ENTRY(s->running.next, struct keeper_unit, link)->op->exclusive;
    if (alone)
        keeper_unit_run(LIST_ENTRY(s->running.next, struct keeper_unit, link));
    else
        keeper_run_group(s);
    if (s->sweep_due && s->store.open != NULL)
        s->store.product->engine->sweep(s->store.open);
    if (s->relief_due && keeper_store_sql(s) != NULL)
        sql_checkpoint(keeper_store_sql(s));
    if (s->close_due)
        keeper_store_close(s);
    else if (s->store.open != NULL)
        keeper_group_send(s);
}

static void keeper_group_run(struct work *work)
{
    keeper_group_work(CONTAINER_OF(work, struct keeper_stored, work));
}

/* --- on the loop --- */

static void keeper_settle_run(struct work *work)
{
    struct keeper_stored *s = CONTAINER_OF(work, struct keeper_stored, work);
    if (s->store.open == NULL)
        return;
    s->store.product->engine->settle(s->store.open);
    if (s->spools)
        keeper_spares_make(s);
}

static void keeper_group_next(struct keeper_stored *s)
{
    s->busy = false;
    if (!list_empty(&s->waiting))
        keeper_group_kick(s);
}

static bool keeper_settle_due(const struct keeper_stored *s)
{
    const struct keeper_engine *e = s->store.product->engine;
    if (e->settle == NULL || s->store.open == NULL)
        return false;
    return (s->spools && s->n_spares < KEEPER_SPARES_MIN) || e->unsettled(s->store.open);
}

static void keeper_settle_done(struct work *work)
{
    struct keeper_stored *s = CONTAINER_OF(work, struct keeper_stored, work);
    keeper_spares_take(s);
    keeper_group_next(s);
}

/* The log has failed to take it. Some of it may be there all the same: whoever has written must not believe either. */
static void keeper_group_unlogged(struct keeper_stored *s)
{
    s->again = true;
    LIST_FOR (l, &s->running)
        keeper_unit_uncommitted(LIST_ENTRY(l, struct keeper_unit, link), -EIO,
                                "the outcome of this write is unknown");
    keeper_log_check(s->keeper);
}

static void keeper_group_over(struct keeper_stored *s)
{
    if (atomic_fetch_sub(&s->n_steps, 1) > 1)
        return;
    if (s->append.outcome != LOG_OK)
        keeper_group_unlogged(s);
    s->used_us = loop_now_us(s->keeper->loop);
    if (s->sweep_due)
        s->swept_us = s->used_us;
    s->sweep_due = s->close_due = s->relief_due = s->create = false;
    if (s->store.open == NULL)
        keeper_spares_drop(s);
    bool wrote = false;
    LIST_FOR_SAFE (l, &s->running) {
        struct keeper_unit *u = LIST_ENTRY(l, struct keeper_unit, link);
        wrote |= u->op->writes;
        list_remove(l);
        if (u->op->op == OP_alarm_set && u->call.result >= 0)
            keeper_alarm_changed(u);
        keeper_damage_look(s, u);
        keeper_unit_answer(u);
    }
    if (!wrote || !keeper_settle_due(s)) {
        keeper_group_next(s);
        return;
    }
    s->work = (struct work){.run = keeper_settle_run, .done = keeper_settle_done};
    work_start(s->keeper->pool, &s->work);
}

static void keeper_group_done(struct work *work)
{
    keeper_group_over(CONTAINER_OF(work, struct keeper_stored, work));
}

static void keeper_group_logged(struct wake *wake)
{
    keeper_group_over(CONTAINER_OF(wake, struct keeper_stored, logged));
}

/* Moves to `running` what can share one commit: an exclusive op stands alone. */
static void keeper_group_gather(struct keeper_stored *s)
{
    unsigned n = 0;
    LIST_FOR_SAFE (l, &s->waiting) {
        const struct keeper_op *op = LIST_ENTRY(l, struct keeper_unit, link)->op;
        if (n == KEEPER_GROUP_MAX || (op->exclusive && n > 0))
            break;
        list_remove(l);
        list_push_back(&s->running, l);
        n++;
        if (op->exclusive) {
            s->create = op->op == OP_store_make;
            break;
        }
    }
}

void keeper_group_kick(struct keeper_stored *s)
{
    if (s->busy)
        return;
    s->busy = true;
    keeper_group_gather(s);
    s->append.outcome = LOG_OK;
    atomic_store(&s->n_steps, 1);
    s->work = (struct work){.run = keeper_group_run, .done = keeper_group_done};
    work_start(s->keeper->pool, &s->work);
}

void keeper_group_add(struct keeper_unit *u)
{
    list_push_back(&u->stored->waiting, &u->link);
    keeper_group_kick(u->stored);
}
