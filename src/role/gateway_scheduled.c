/*
 * Scheduled events: the handler is run by hand or by a clock, and the outcome is told when waitUntil work
 * is over too.
 */
#include "role/gateway_isolate.h"

#include "product/messages.h"

static void scheduled_reply(struct wire_stream *s, struct slice args UNUSED, int fd,
                            bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, 0); /* the outcome comes with event_end, after waitUntil */
}

static void scheduled_reset(struct wire_stream *s, int reason UNUSED)
{
    wire_stream_close(s, 0);
}

static const struct wire_stream_events scheduled_events = {.reply = scheduled_reply,
                                                           .reset = scheduled_reset};

struct pending_schedule {
    struct worker *worker;
    int64_t ms;
    struct buf cron;
    void (*done)(void *arg, struct slice outcome);
    void *arg;
    struct timer retry;
    unsigned tries;
};

static void schedule_finish(struct pending_schedule *p)
{
    worker_unref(p->worker);
    buf_done(&p->cron);
    mem_release(&p);
}

static bool schedule_send(struct pending_schedule *p)
{
    struct isolate_link *l = least_busy(p->worker);
    AUTO(buf_done) struct buf out = {0};

    if (l == NULL)
        return false;
    msg_scheduled_pack(&out, &(struct msg_scheduled){.scheduled_ms = p->ms,
                                                     .cron = buf_slice(&p->cron),
                                                     .request_id = SLICE("scheduled")});
    struct event *e = event_create(l);
    e->done = p->done;
    e->done_arg = p->arg;
    struct wire_stream *s =
        wire_open(l->wire, OP_scheduled, buf_slice(&out), -1, true, &scheduled_events, NULL);
    if (s == NULL) {
        l->n_events--;
        mem_release(&e);
        return false;
    }
    event_number(e, s);
    return true;
}

/* A scheduled event is rare: instead of a queue of its own it looks again every few milliseconds while
 * an isolate starts. */
static void schedule_try(struct timer *t)
{
    struct pending_schedule *p = CONTAINER_OF(t, struct pending_schedule, retry);
    enum { TRY_US = 2000, TRIES = 5000 };

    if (schedule_send(p)) {
        schedule_finish(p);
        return;
    }
    if (p->tries++ == TRIES) {
        p->done(p->arg, SLICE("exception"));
        schedule_finish(p);
        return;
    }
    if (p->worker->n_starting == 0)
        isolate_start(p->worker);
    timer_start(p->worker->gateway->loop, &p->retry, TRY_US, schedule_try);
}

void gateway_scheduled(struct gateway *g, struct worker *w, int64_t scheduled_ms, struct slice cron,
                       void (*done)(void *arg, struct slice outcome), void *arg)
{
    struct pending_schedule *p = mem_new(sizeof(*p));

    p->worker = worker_ref(w);
    p->ms = scheduled_ms;
    buf_append_slice(&p->cron, cron);
    p->done = done;
    p->arg = arg;
    timer_start(g->loop, &p->retry, 0, schedule_try);
}
