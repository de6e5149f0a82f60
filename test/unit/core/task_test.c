#include "core/loop.h"
#include "core_test.h"

#include <stdlib.h>

enum { FIRST, SECOND, THIRD };

struct flow {
    struct task task;
    struct op op;
    int id, turns, result;
    bool finished;
};

static struct {
    struct loop *loop;
    int trace[64], n;
    struct flow a, b;
} f;

static int setup(UNUSED void **state)
{
    memset(&f, 0, sizeof(f));
    f.loop = loop_create();
    f.a.id = 1;
    f.b.id = 2;
    return 0;
}

static int teardown(UNUSED void **state)
{
    loop_release(&f.loop);
    return 0;
}

static struct flow *flow_of(struct task *task)
{
    return CONTAINER_OF(task, struct flow, task);
}

static void note(const struct flow *flow, int step)
{
    if (f.n < (int)ARRAY_LEN(f.trace))
        f.trace[f.n++] = flow->id * 10 + step;
}

static void on_finish(struct task *task)
{
    EXPECT(!flow_of(task)->finished);
    flow_of(task)->finished = true;
}

static int step_wait(struct task *task)
{
    struct flow *flow = flow_of(task);
    note(flow, FIRST);
    op_start(&flow->op);
    return WAIT(task, &flow->op, SECOND);
}

static int step_go(struct task *task)
{
    note(flow_of(task), SECOND);
    flow_of(task)->result = flow_of(task)->op.result;
    return GO(THIRD);
}

static int step_over(struct task *task)
{
    note(flow_of(task), THIRD);
    return OVER;
}

static const struct step steps[] = {
    [FIRST] = {"first", step_wait, TO(SECOND)},
    [SECOND] = {"second", step_go, TO(THIRD)},
    [THIRD] = {"third", step_over, 0},
};

static void runs_waits_and_finishes(UNUSED void **state)
{
    task_start(f.loop, &f.a.task, "a", steps, FIRST, on_finish);
    EXPECT_EQ(f.n, 0); /* never on the caller's stack */
    loop_run_ready(f.loop);
    EXPECT_EQ(f.n, 1);
    EXPECT(f.a.op.pending && f.a.op.waiter == &f.a.task && f.a.task.op == &f.a.op);
    op_done(&f.a.op, -7);
    EXPECT_EQ(f.n, 1);
    EXPECT(!f.a.finished);
    loop_run_ready(f.loop);
    EXPECT_EQ(f.n, 3);
    EXPECT_EQ(f.a.result, -7);
    EXPECT(f.a.finished && f.a.task.op == NULL);
}

static void first_in_first_out(UNUSED void **state)
{
    static const int expected[] = {10, 20, 21, 22, 11, 12};
    task_start(f.loop, &f.a.task, "a", steps, FIRST, on_finish);
    task_start(f.loop, &f.b.task, "b", steps, FIRST, on_finish);
    loop_run_ready(f.loop);
    op_done(&f.b.op, 0);
    op_done(&f.a.op, 0);
    loop_run_ready(f.loop);
    EXPECT_EQ(f.n, ARRAY_LEN(expected));
    assert_memory_equal(f.trace, expected, sizeof(expected));
}

static int step_done_before_wait(struct task *task)
{
    struct flow *flow = flow_of(task);
    note(flow, FIRST);
    op_start(&flow->op);
    op_done(&flow->op, 42);
    return WAIT(task, &flow->op, SECOND);
}

static void an_op_may_be_done_before_the_wait(UNUSED void **state)
{
    struct step own[] = {steps[0], steps[1], steps[2]};
    own[FIRST].run = step_done_before_wait;
    task_start(f.loop, &f.a.task, "a", own, FIRST, on_finish);
    loop_run_ready(f.loop);
    EXPECT(f.a.finished);
    EXPECT_EQ(f.a.result, 42);
}

static int step_forbidden_go(UNUSED struct task *task)
{
    return GO(THIRD);
}

static int step_forbidden_wait(struct task *task)
{
    return WAIT(task, &flow_of(task)->op, THIRD);
}

static int step_nonsense(UNUSED struct task *task)
{
    return -22;
}

static void forbidden_moves_panic(UNUSED void **state)
{
    static int (*const bad[])(struct task *) = {step_forbidden_go, step_forbidden_wait,
                                                step_nonsense};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct step own[] = {{"bad", bad[i], TO(SECOND)}, steps[1], steps[2]};
        f.a.task = (struct task){0};
        task_start(f.loop, &f.a.task, "a", own, FIRST, on_finish);
        EXPECT_PANIC(loop_run_ready(f.loop));
        list_remove(&f.a.task.ready);
    }
}

static void misused_ops_panic(UNUSED void **state)
{
    struct op op = {0};
    EXPECT_PANIC(op_done(&op, 0));
    op_start(&op);
    EXPECT_PANIC(op_start(&op));
    op_done(&op, 0);
    EXPECT_PANIC(op_done(&op, 0));
    op_start(&op); /* again, after it ended */
    op_done(&op, 1);
    EXPECT_EQ(op.result, 1);
}

static int step_spin(struct task *task)
{
    return ++flow_of(task)->turns < 1000 ? GO(FIRST) : OVER;
}

static void a_long_flow_lets_others_in(UNUSED void **state)
{
    static const struct step spin[] = {{"spin", step_spin, TO(FIRST)}};
    task_start(f.loop, &f.a.task, "spin", spin, FIRST, on_finish);
    task_start(f.loop, &f.b.task, "b", steps, FIRST, on_finish);
    loop_turn(f.loop, 0);
    EXPECT_EQ(f.n, 1);
    loop_run_ready(f.loop);
    EXPECT(f.a.finished);
    EXPECT_EQ(f.a.turns, 1000);
}

static void on_finish_free(struct task *task)
{
    f.n = 99;
    free(flow_of(task));
}

static void finish_may_free_the_flow(UNUSED void **state)
{
    struct flow *flow = mem_new(sizeof(*flow));
    task_start(f.loop, &flow->task, "freed", steps, THIRD, on_finish_free);
    loop_turn(f.loop, -1);
    EXPECT_EQ(f.n, 99);
}

static void on_timer_done(struct timer *t)
{
    EXPECT(t != NULL);
    op_done(&f.a.op, -110);
}

static void a_timer_may_end_an_op(UNUSED void **state)
{
    struct timer timer = {0};
    task_start(f.loop, &f.a.task, "a", steps, FIRST, on_finish);
    loop_run_ready(f.loop);
    timer_start(f.loop, &timer, 1000, on_timer_done);
    loop_advance(f.loop, 999);
    EXPECT(!f.a.finished);
    loop_advance(f.loop, 1);
    EXPECT(f.a.finished);
    EXPECT_EQ(f.a.result, -110);
}

#define TASK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int task_tests(void)
{
    static const struct CMUnitTest tests[] = {
        TASK_TEST(runs_waits_and_finishes),
        TASK_TEST(first_in_first_out),
        TASK_TEST(an_op_may_be_done_before_the_wait),
        TASK_TEST(forbidden_moves_panic),
        TASK_TEST(misused_ops_panic),
        TASK_TEST(a_long_flow_lets_others_in),
        TASK_TEST(finish_may_free_the_flow),
        TASK_TEST(a_timer_may_end_an_op),
    };
    return RUN("task", tests);
}
