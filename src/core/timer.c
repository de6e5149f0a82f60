/*
 * Timers: a binary heap ordered by due time, equal times in the order they were started.
 */
#include "core/loop_impl.h"

#include "core/clock.h"

#include <stdlib.h>

enum { TIMER_HEAP_MIN = 64 };

static bool timer_before(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void timer_place(struct loop *loop, size_t at, struct timer_entry e)
{
    loop->heap[at] = e;
    e.timer->heap_index = at;
}

static void timer_sift_up(struct loop *loop, size_t at, struct timer_entry e)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!timer_before(&e, &loop->heap[parent]))
            break;
        timer_place(loop, at, loop->heap[parent]);
        at = parent;
    }
    timer_place(loop, at, e);
}

static void timer_sift_down(struct loop *loop, size_t at, struct timer_entry e)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= loop->n_timers)
            break;
        if (child + 1 < loop->n_timers && timer_before(&loop->heap[child + 1], &loop->heap[child]))
            child++;
        if (!timer_before(&loop->heap[child], &e))
            break;
        timer_place(loop, at, loop->heap[child]);
        at = child;
    }
    timer_place(loop, at, e);
}

/* Puts `e` where a hole is. */
static void timer_settle(struct loop *loop, size_t at, struct timer_entry e)
{
    if (at > 0 && timer_before(&e, &loop->heap[(at - 1) / 2]))
        timer_sift_up(loop, at, e);
    else
        timer_sift_down(loop, at, e);
}

void timer_start(struct loop *loop, struct timer *t, int64_t delay_us, void (*fire)(struct timer *))
{
    CHECK(t->loop == NULL || t->loop == loop);
    /* Between rounds the clock of the last round may be old. */
    if (!loop->in_round && !loop->virtual_time)
        loop->now_us = clock_boot_us();

    t->fire = fire;
    int64_t delay = MAX(delay_us, (int64_t)0);
    t->due_us = delay > INT64_MAX - loop->now_us ? INT64_MAX : loop->now_us + delay;
    struct timer_entry e = {t->due_us, loop->timer_order++, t};
    if (t->loop != NULL) {
        timer_settle(loop, t->heap_index, e);
        return;
    }

    t->loop = loop;
    if (loop->n_timers == loop->heap_cap) {
        loop->heap_cap = MAX(loop->heap_cap * 2, (size_t)TIMER_HEAP_MIN);
        loop->heap = mem_grow(loop->heap, loop->heap_cap * sizeof(*loop->heap));
    }
    timer_sift_up(loop, loop->n_timers++, e);
}

void timer_stop(struct timer *t)
{
    struct loop *loop = t->loop;
    if (loop == NULL)
        return;

    size_t at = t->heap_index;
    CHECK(at < loop->n_timers && loop->heap[at].timer == t);
    t->loop = NULL;
    struct timer_entry last = loop->heap[--loop->n_timers];
    if (last.timer != t)
        timer_settle(loop, at, last);
}

bool timer_run_due(struct loop *loop)
{
    uint64_t until = loop->timer_order;
    bool ran = false;
    while (loop->n_timers > 0) {
        struct timer_entry e = loop->heap[0];
        /* One started meanwhile waits for the next round, else a timer that restarts itself with
         * no delay would never let this one end. It stands behind every older one that is due. */
        if (e.due_us > loop->now_us || e.order >= until)
            break;
        timer_stop(e.timer);
        e.timer->fire(e.timer);
        ran = true;
    }
    return ran;
}

void timer_stop_all(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_timers; i++)
        loop->heap[i].timer->loop = NULL;
    loop->n_timers = 0;
    free(loop->heap);
    loop->heap = NULL;
    loop->heap_cap = 0;
}
