/*
 * Flows: the driver that runs steps and checks every move against the table.
 *
 *      task_start --> ready --> step --GO----> next step, at once
 *                       ^        |----WAIT--> sleeping on an op
 *                       |        `----OVER--> finish
 *                       `------- op_done ------'
 *
 * The last moves of a thread are kept in a ring, which a panic prints.
 */
#include "core/loop_impl.h"

#include <stdio.h>
#include <unistd.h>

enum {
    TASK_WAITING = -2,
    TASK_STEPS_MAX = 32,  /* bits of `next` */
    TASK_MOVES_MAX = 64,  /* steps of one flow in a row before others get their turn */
    TASK_TRACE_SIZE = 64, /* a power of two */
};

struct task_trace {
    const char *task, *step;
};

static _Thread_local struct task_trace task_trace_ring[TASK_TRACE_SIZE];
static _Thread_local unsigned task_trace_next;

static void task_trace(const struct task *task)
{
    task_trace_ring[task_trace_next++ % TASK_TRACE_SIZE] =
        (struct task_trace){task->name, task->steps[task->step].name};
}

void task_trace_report(int fd)
{
    for (unsigned i = 0; i < TASK_TRACE_SIZE; i++) {
        const struct task_trace *t = &task_trace_ring[(task_trace_next + i) % TASK_TRACE_SIZE];
        if (t->task == NULL)
            continue;
        char line[128];
        int n = snprintf(line, sizeof(line), "  flow %s: %s\n", t->task, t->step);
        if (n > 0) {
            ssize_t w = write(fd, line, MIN((size_t)n, sizeof(line) - 1));
            (void)w; /* part of a panic report: nobody is left to tell */
        }
    }
}

static void task_check_move(const struct task *task, int step)
{
    CHECK(step >= 0 && step < TASK_STEPS_MAX);
    CHECK((task->steps[task->step].next & TO(step)) != 0);
}

static void task_queue(struct task *task)
{
    CHECK(!link_is_in_list(&task->ready));
    list_push_back(&task->loop->ready, &task->ready);
}

void task_start(struct loop *loop, struct task *task, const char *name, const struct step *steps,
                int first, void (*finish)(struct task *))
{
    CHECK(first >= 0 && first < TASK_STEPS_MAX);
    *task =
        (struct task){.loop = loop, .steps = steps, .name = name, .finish = finish, .step = first};
    task_queue(task);
}

int task_wait(struct task *task, struct op *op, int step)
{
    task_check_move(task, step);
    CHECK(op->waiter == NULL);
    task->step = step;
    if (op->pending) {
        op->waiter = task;
        task->op = op;
    } else {
        task_queue(task);
    }
    return TASK_WAITING;
}

void op_start(struct op *op)
{
    CHECK(!op->pending);
    op->pending = true;
    op->result = 0;
    op->waiter = NULL;
}

void op_done(struct op *op, int result)
{
    CHECK(op->pending);
    op->pending = false;
    op->result = result;
    struct task *task = op->waiter;
    if (task == NULL)
        return;
    op->waiter = NULL;
    task->op = NULL;
    task_queue(task);
}

static void task_run(struct task *task)
{
    for (int moves = 0; moves < TASK_MOVES_MAX; moves++) {
        task_trace(task);
        int next = task->steps[task->step].run(task);
        if (next == TASK_WAITING)
            return;
        if (next == OVER) {
            if (task->finish != NULL)
                task->finish(task); /* may free the flow */
            return;
        }
        task_check_move(task, next);
        task->step = next;
    }
    task_queue(task);
}

bool task_run_ready(struct loop *loop)
{
    int n = 0;
    while (n < LOOP_STEPS_MAX) {
        struct link *l = list_pop_front(&loop->ready);
        if (l == NULL)
            break;
        task_run(LIST_ENTRY(l, struct task, ready));
        n++;
    }
    return n > 0;
}
