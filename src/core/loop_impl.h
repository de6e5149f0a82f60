/*
 * What loop.c, timer.c, task.c and base.c share; private to core/.
 */
#pragma once

#include "core/loop.h"

#include <stdatomic.h>

enum {
    LOOP_EVENTS_MAX = 256,  /* per round */
    LOOP_STEPS_MAX = 4096,  /* flows run per round before descriptors are looked at again */
    LOOP_SETTLE_MAX = 1000, /* rounds of loop_run_ready() */
};

/* Due time and order stand beside the pointer, so that sifting touches no timer but the moved. */
struct timer_entry {
    int64_t due_us;
    uint64_t order;
    struct timer *timer; /* borrowed */
};

struct loop {
    int epoll_fd, wake_fd, signal_fd; /* owned */
    bool in_round, stopping, virtual_time;
    int64_t now_us;

    struct timer_entry *heap; /* owned */
    size_t n_timers, heap_cap;
    uint64_t timer_order; /* of the next timer that is started */

    struct link ready; /* tasks, first in, first out */
    struct link hooks;
    _Atomic(struct wake *) wakes; /* newest first, pushed by any thread */
    struct watch wake_watch, signal_watch;
    void (*on_signal)(int signal, void *arg);
    void *signal_arg; /* borrowed */

    int batch_n, batch_at; /* events[batch_at, batch_n) are still to be delivered */
    struct epoll_event events[LOOP_EVENTS_MAX];
};

/* timer.c */
void timer_stop_all(struct loop *loop);
/* Fires what is due and was started before the call. */
bool timer_run_due(struct loop *loop);

/* task.c */
bool task_run_ready(struct loop *loop);
void task_trace_report(int fd);

/* base.c */
void panic_prepare(void);
