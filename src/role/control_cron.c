/*
 * The clock of cron triggers. At every full minute (UTC) the events that are due become rows of control.db,
 * in the same transaction that moves the clock on; a row goes when the gateway has told how its event
 * ended. So what was due when the server stopped, or while it was away for a short time, still
 * happens: at least once.
 *
 *     minute --> CLAIM (pool: rows of what is due) --> sent to the gateway --> outcome --> row deleted (pool)
 *        ^                                               |  no gateway: again after a while
 *        +-----------------------------------------------+
 */
#include "role/control_impl.h"

#include "core/clock.h"
#include "core/log.h"
#include "product/messages.h"
#include "product/workers/cron.h"

#include <errno.h>
#include <stdlib.h>

enum {
    CRON_MINUTE_MS = 60 * 1000,
    CRON_CATCH_UP_MS = 15 * CRON_MINUTE_MS, /* minutes that were missed for longer are over */
    CRON_RETRY_US = 1000 * 1000,
    CRON_TRIES_MAX = 300
};

const char *const cron_schema[] = {
    "CREATE TABLE IF NOT EXISTS cron_clock (one INTEGER PRIMARY KEY CHECK (one = 1), minute_ms "
    "INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS cron_due (script TEXT NOT NULL, cron TEXT NOT NULL, scheduled_ms "
    "INTEGER NOT NULL, UNIQUE (script, cron, scheduled_ms)) STRICT",
    NULL,
};

struct cron_clock {
    struct control *control; /* borrowed */
    struct timer timer;
    struct work work;
    json_t *due; /* of the job: rows to send */
    bool first;  /* also those that an earlier run left */
};

/* One event on its way. */
struct cron_event {
    struct cron_clock *clock; /* borrowed: lives as long as the process */
    char *script, *cron;
    int64_t scheduled_ms;
    struct wire_stream *stream;
    struct timer retry;
    struct work work;
    unsigned tries;
};

static void event_free(struct cron_event *e)
{
    timer_stop(&e->retry);
    free(e->script);
    free(e->cron);
    free(e);
}

/* --- an event --- */

static void event_forget(struct work *work)
{
    struct cron_event *e = CONTAINER_OF(work, struct cron_event, work);

    if (db_run(e->clock->control->api.db,
               "DELETE FROM cron_due WHERE script = ? AND cron = ? AND scheduled_ms = ?", "ssl",
               e->script, e->cron, e->scheduled_ms) < 0)
        LOG(LOG_ERROR, "cron_not_settled", F("script", "%s", e->script));
}

static void event_forgotten(struct work *work)
{
    event_free(CONTAINER_OF(work, struct cron_event, work));
}

static void event_over(struct cron_event *e, struct slice outcome)
{
    LOG(LOG_INFO, "cron", F("script", "%s", e->script), F("cron", "%s", e->cron),
        F("outcome", "%.*s", SLICE_ARG(outcome)));
    e->work = (struct work){.run = event_forget, .done = event_forgotten};
    work_start(e->clock->control->api.pool, &e->work);
}

static void event_send(struct timer *t);

static void event_again(struct cron_event *e)
{
    if (++e->tries == CRON_TRIES_MAX)
        event_over(e, SLICE("canceled"));
    else
        timer_start(e->clock->control->rc->loop, &e->retry, CRON_RETRY_US, event_send);
}

static void event_on_reply(struct wire_stream *s, struct slice args, int fd, bool end UNUSED)
{
    struct cron_event *e = wire_stream_user(s);
    struct msg_outcome m;

    fd_release(&fd);
    if (msg_outcome_unpack(args, &m) < 0)
        m.outcome = SLICE("unknown");
    wire_stream_close(TAKE(e->stream), 0);
    event_over(e, m.outcome);
}

static void event_on_reset(struct wire_stream *s, int reason)
{
    struct cron_event *e = wire_stream_user(s);

    wire_stream_close(TAKE(e->stream), 0);
    if (reason == -ENOENT) /* the script is not there any more */
        event_over(e, SLICE("scriptNotFound"));
    else
        event_again(e);
}

static const struct wire_stream_events event_events = {.reply = event_on_reply,
                                                       .reset = event_on_reset};

static void event_send(struct timer *t)
{
    struct cron_event *e = CONTAINER_OF(t, struct cron_event, retry);
    struct wire *wire = api_peer_wire(e->clock->control->api.peers[API_GATEWAY]);
    AUTO(buf_done) struct buf out = {0};

    msg_cron_run_pack(&out, &(struct msg_cron_run){.script = slice_of(e->script),
                                                   .scheduled_ms = e->scheduled_ms,
                                                   .cron = slice_of(e->cron)});
    if (wire != NULL)
        e->stream = wire_open(wire, OP_cron_run, buf_slice(&out), -1, true, &event_events, e);
    if (e->stream == NULL)
        event_again(e);
}

static void event_start(struct cron_clock *c, const json_t *row)
{
    struct cron_event *e = mem_new(sizeof(*e));

    e->clock = c;
    e->script = strdup(json_str(row, "script", ""));
    e->cron = strdup(json_str(row, "cron", ""));
    e->scheduled_ms = json_int(row, "scheduled_ms", 0);
    timer_start(c->control->rc->loop, &e->retry, 0, event_send);
}

/* --- the clock --- */

static int clock_claim_minute(struct db *db, const json_t *schedules, int64_t minute_ms,
                              json_t *due)
{
    const json_t *row;
    size_t i;

    json_array_foreach(schedules, i, row)
    {
        const char *script = json_str(row, "script", ""), *text = json_str(row, "cron", "");
        struct cron cron;
        if (cron_parse(slice_of(text), &cron) < 0 || !cron_matches(&cron, minute_ms) ||
            json_int(row, "created_ms", 0) > minute_ms + CRON_MINUTE_MS)
            continue;
        int r =
            db_run(db, "INSERT OR IGNORE INTO cron_due (script, cron, scheduled_ms) VALUES (?,?,?)",
                   "ssl", script, text, minute_ms);
        if (r < 0)
            return r;
        if (r > 0)
            json_array_append_new(due, json_pack("{s:s, s:s, s:I}", "script", script, "cron", text,
                                                 "scheduled_ms", (json_int_t)minute_ms));
    }
    return 0;
}

static int clock_claim(struct cron_clock *c, struct db *db)
{
    AUTO(json_release) json_t *schedules = NULL, *due = json_array();
    AUTO(db_end) struct db *tx = NULL;
    int64_t now = clock_wall_ms() / CRON_MINUTE_MS * CRON_MINUTE_MS, last = 0;
    int r = db_begin(db, &tx);

    if (r >= 0)
        r = db_int(db, &last, "SELECT minute_ms FROM cron_clock", NULL);
    if (r == -ENOENT) { /* the very first minute is not over yet */
        last = now - CRON_MINUTE_MS;
        r = 0;
    }
    if (r >= 0 && c->first) {
        json_release(&due);
        r = db_rows(db, &due, "SELECT script, cron, scheduled_ms FROM cron_due", NULL);
    }
    if (r >= 0)
        r = db_rows(db, &schedules, "SELECT script, cron, created_ms FROM worker_schedules", NULL);
    for (int64_t at = MAX(last + CRON_MINUTE_MS, now - CRON_CATCH_UP_MS); r >= 0 && at <= now;
         at += CRON_MINUTE_MS)
        r = clock_claim_minute(db, schedules, at, due);
    if (r >= 0)
        r = db_run(db, "INSERT OR REPLACE INTO cron_clock (one, minute_ms) VALUES (1, ?)", "l",
                   now);
    if (r >= 0)
        r = db_commit(&tx);
    if (r >= 0)
        c->due = TAKE(due);
    return r;
}

static void clock_job(struct work *work)
{
    struct cron_clock *c = CONTAINER_OF(work, struct cron_clock, work);
    int r = clock_claim(c, c->control->api.db);

    if (r < 0)
        LOG(LOG_ERROR, "cron_not_read", F("error", "%d", r));
}

static void clock_tick(struct timer *t)
{
    struct cron_clock *c = CONTAINER_OF(t, struct cron_clock, timer);

    work_start(c->control->api.pool, &c->work);
}

static void clock_job_done(struct work *work)
{
    struct cron_clock *c = CONTAINER_OF(work, struct cron_clock, work);
    const json_t *row;
    size_t i;

    json_array_foreach(c->due, i, row) event_start(c, row);
    c->first =
        c->first && c->due == NULL; /* what is left is asked for again when it could not be */
    json_release(&c->due);
    int64_t rest_ms = CRON_MINUTE_MS - clock_wall_ms() % CRON_MINUTE_MS;
    timer_start(c->control->rc->loop, &c->timer, (rest_ms + 1) * 1000, clock_tick);
}

void cron_start(struct control *control)
{
    struct cron_clock *c = mem_new(sizeof(*c));

    c->control = control;
    c->first = true;
    c->work = (struct work){.run = clock_job, .done = clock_job_done};
    control->cron = c;
    work_start(control->api.pool, &c->work);
}

void cron_stop(struct control *control)
{
    if (control->cron != NULL)
        timer_stop(&control->cron->timer);
}
