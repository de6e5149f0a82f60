/*
 * Events without a body that nobody waits for at a socket: scheduled ones, run by hand or by a clock, and
 * those of tail Workers. The outcome is told when waitUntil work is over too.
 */
#include "role/gateway_isolate.h"

#include "product/messages.h"

#include <string.h>

enum {
    TAILS_MAX = 1000
}; /* that wait for an isolate; more are dropped, as traces are no promise */

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

struct pending_event {
    struct worker *worker;
    uint16_t op;
    struct buf message;
    void (*done)(void *arg, struct slice outcome);
    void *arg;
    struct timer retry;
    unsigned tries;
};

static void pending_finish(struct pending_event *p)
{
    if (p->op == OP_tailed)
        p->worker->gateway->n_tails--;
    worker_unref(p->worker);
    buf_done(&p->message);
    mem_release(&p);
}

static bool pending_send(struct pending_event *p)
{
    struct isolate_link *l = least_busy(p->worker);

    if (l == NULL)
        return false;
    struct event *e = event_create(l);
    e->done = p->done;
    e->done_arg = p->arg;
    struct wire_stream *s =
        wire_open(l->wire, p->op, buf_slice(&p->message), -1, true, &scheduled_events, NULL);
    if (s == NULL) {
        l->n_events--;
        mem_release(&e);
        return false;
    }
    event_number(e, s);
    return true;
}

/* These are rare: instead of a queue of their own they look again every few milliseconds while an
 * isolate starts. */
static void pending_try(struct timer *t)
{
    struct pending_event *p = CONTAINER_OF(t, struct pending_event, retry);
    enum { TRY_US = 2000, TRIES = 5000 };

    if (pending_send(p)) {
        pending_finish(p);
        return;
    }
    if (p->tries++ == TRIES) {
        if (p->done != NULL)
            p->done(p->arg, SLICE("exception"));
        pending_finish(p);
        return;
    }
    if (p->worker->n_starting == 0)
        isolate_start(p->worker);
    timer_start(p->worker->gateway->loop, &p->retry, TRY_US, pending_try);
}

static struct pending_event *pending_create(struct worker *w, uint16_t op)
{
    struct pending_event *p = mem_new(sizeof(*p));

    p->worker = worker_ref(w);
    p->op = op;
    timer_start(w->gateway->loop, &p->retry, 0, pending_try);
    return p;
}

void gateway_scheduled(struct gateway *g UNUSED, struct worker *w, int64_t scheduled_ms,
                       struct slice cron, void (*done)(void *arg, struct slice outcome), void *arg)
{
    struct pending_event *p = pending_create(w, OP_scheduled);

    msg_scheduled_pack(&p->message, &(struct msg_scheduled){.scheduled_ms = scheduled_ms,
                                                            .cron = cron,
                                                            .request_id = SLICE("scheduled")});
    p->done = done;
    p->arg = arg;
}

/* --- tail Workers --- */

/* A script of a dispatch namespace as its owner knows it. */
static struct slice script_shown(const char *script)
{
    const char *dot = strchr(script, '.');

    return slice_of(dot == NULL ? script : dot + 1);
}

void gateway_tail(struct worker *producer, struct slice trace)
{
    struct gateway *g = producer->gateway;
    size_t i;
    json_t *name;

    json_array_foreach(producer->consumers, i, name)
    {
        struct script *script = table_script(g->table, slice_of(json_string_value(name)));
        struct worker *w = script == NULL ? NULL : script_pick(script);
        if (w == NULL || strcmp(w->script, producer->script) == 0 || g->n_tails == TAILS_MAX)
            continue;
        struct pending_event *p = pending_create(w, OP_tailed);
        g->n_tails++;
        msg_tailed_pack(&p->message, &(struct msg_tailed){.script = script_shown(producer->script),
                                                          .version = slice_of(producer->version),
                                                          .trace = trace,
                                                          .request_id = SLICE("tail")});
    }
}
