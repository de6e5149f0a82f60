/*
 * The event loop of a process: descriptors, timers, wakeups and flows on one thread, over epoll.
 *
 * Everything here is called on the loop's thread except loop_wake(). Callbacks run from loop_run(),
 * never from inside the call that registered them. Level-triggered. Tests replace the clock with
 * loop_advance().
 *
 * A flow (docs/architecture.md, "Flows") is a struct that embeds `struct task` and a table of steps.
 * What it waits for is a `struct op`, which ends in exactly one op_done(); that stores the result
 * and queues the flow, it never runs it on the caller's stack.
 */
#pragma once

#include "core/list.h"

#include <sys/epoll.h>

struct loop;

struct loop *loop_create(void);
void loop_destroy(struct loop *loop);
void loop_release(struct loop **loop);
/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* One round: waits at most timeout_ms (-1 = until something happens), runs what is ready. */
void loop_turn(struct loop *loop, int timeout_ms);
/* Boot time in microseconds, read once per round. */
int64_t loop_now_us(struct loop *loop);
/* The epoll descriptor, for an outer loop. */
int loop_fd(struct loop *loop);

/* A function called at the end of every round that ran something, for instance to flush what the
 * round wrote (one system call for many answers). Kept in a list: register once. */
struct loop_hook {
    struct link link;
    void (*run)(struct loop_hook *hook);
};
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop_hook *hook);

/* --- descriptors --- */

struct watch {
    struct loop *loop;
    int fd;
    uint32_t events;
    void (*ready)(struct watch *w, uint32_t events); /* EPOLLIN | EPOLLOUT | EPOLLHUP ... */
};

/* The descriptor stays the caller's. events may be 0 (only errors are reported). */
void watch_start(struct loop *loop, struct watch *w, int fd, uint32_t events,
                 void (*ready)(struct watch *, uint32_t));
void watch_change(struct watch *w, uint32_t events);
/* Safe inside a callback and on a zeroed watch; no callback comes afterwards, and the memory may go
 * at once. Stop before closing the descriptor. */
void watch_stop(struct watch *w);
/* The same when somebody else has closed the descriptor already. */
void watch_abandon(struct watch *w);

/* --- timers --- */

struct timer {
    struct loop *loop; /* NULL = not running */
    int64_t due_us;
    size_t heap_index;
    void (*fire)(struct timer *t);
};

/* Restarts it if it is running. */
void timer_start(struct loop *loop, struct timer *t, int64_t delay_us,
                 void (*fire)(struct timer *));
void timer_stop(struct timer *t); /* safe on a zeroed timer */

/* --- wakeups from other threads --- */

/* Queues `run` on the loop's thread; the struct must live until then and is not queued twice
 * meanwhile. `run` may free it or queue it again. Any thread. */
struct wake {
    struct wake *next;
    void (*run)(struct wake *wake);
};
void loop_wake(struct loop *loop, struct wake *wake);

/* --- signals: blocked in all threads, delivered here --- */

/* Once per loop; handler is called with the signal number. Includes SIGCHLD when asked for. */
NODISCARD int loop_signals(struct loop *loop, const int *signals, size_t n,
                           void (*handler)(int signal, void *arg), void *arg);

/* --- flows --- */

struct task;

struct op {
    struct task *waiter; /* set by WAIT; NULL = nobody waits */
    int result;
    bool pending;
};

struct step {
    const char *name;
    int (*run)(struct task *task);
    uint32_t next; /* allowed successors: TO(A) | TO(B) */
};

struct task {
    struct loop *loop;
    const struct step *steps;
    const char *name;
    void (*finish)(struct task *task); /* called once after OVER; may free the flow */
    int step;                          /* the step to run next */
    struct op *op;                     /* what we wait for */
    struct link ready;
};

#define TO(step) (1u << (step))
#define GO(step) (step)
#define OVER (-1)
/* Wait for `op`, then continue at `step`. If the op is already done, the flow is queued at once. */
#define WAIT(task, op, step) task_wait((task), (op), (step))

/* Queues the flow at step `first`. */
void task_start(struct loop *loop, struct task *task, const char *name, const struct step *steps,
                int first, void (*finish)(struct task *));
int task_wait(struct task *task, struct op *op, int step);
/* Marks the op as under way: every function that takes an op calls this first. */
void op_start(struct op *op);
/* On the loop's thread. */
void op_done(struct op *op, int result);

/* Tests: virtual time. */
void loop_advance(struct loop *loop, int64_t us);
void loop_run_ready(struct loop *loop);
