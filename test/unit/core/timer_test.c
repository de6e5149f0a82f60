#include "core/loop.h"
#include "core_test.h"

#include <stdlib.h>

enum { TIMERS = 300 };

static struct {
    struct loop *loop;
    int fired, order[4 * TIMERS];
    int64_t last_due_us;
    struct timer_case {
        struct timer timer;
        int id, again;
    } t[TIMERS];
} f;

static int setup(UNUSED void **state)
{
    memset(&f, 0, sizeof(f));
    f.loop = loop_create();
    for (int i = 0; i < TIMERS; i++)
        f.t[i].id = i;
    return 0;
}

static int teardown(UNUSED void **state)
{
    loop_release(&f.loop);
    return 0;
}

static void on_fire(struct timer *t)
{
    struct timer_case *c = CONTAINER_OF(t, struct timer_case, timer);
    EXPECT(t->loop == NULL); /* stopped before it fires, so it may restart itself */
    EXPECT(t->due_us >= f.last_due_us && t->due_us <= loop_now_us(f.loop));
    f.last_due_us = t->due_us;
    f.order[f.fired++] = c->id;
    if (c->again-- > 0)
        timer_start(f.loop, t, 0, on_fire);
}

static void fires_exactly_when_due(UNUSED void **state)
{
    loop_run_ready(f.loop);
    timer_start(f.loop, &f.t[0].timer, 2000, on_fire);
    loop_advance(f.loop, 1999);
    EXPECT_EQ(f.fired, 0);
    loop_advance(f.loop, 1);
    EXPECT_EQ(f.fired, 1);
    loop_advance(f.loop, 10000);
    EXPECT_EQ(f.fired, 1);
}

static void fires_in_order_of_time(UNUSED void **state)
{
    unsigned seed = 3;
    for (int i = 0; i < TIMERS; i++) {
        seed = seed * 1103515245u + 12345u;
        timer_start(f.loop, &f.t[i].timer, seed >> 20, on_fire);
    }
    /* A third restarts, a third stops. */
    for (int i = 0; i < TIMERS; i += 3) {
        seed = seed * 1103515245u + 12345u;
        timer_start(f.loop, &f.t[i].timer, seed >> 20, on_fire);
        timer_stop(&f.t[i + 1].timer);
        timer_stop(&f.t[i + 1].timer);
    }
    loop_advance(f.loop, 1 << 20);
    EXPECT_EQ(f.fired, TIMERS / 3 * 2);
    for (int i = 0; i < f.fired; i++)
        EXPECT(f.order[i] % 3 != 1);
}

static void equal_times_fire_in_order_of_start(UNUSED void **state)
{
    loop_run_ready(f.loop);
    for (int i = 0; i < TIMERS; i++)
        timer_start(f.loop, &f.t[(i * 7) % TIMERS].timer, 5, on_fire);
    loop_advance(f.loop, 5);
    EXPECT_EQ(f.fired, TIMERS);
    for (int i = 0; i < TIMERS; i++)
        EXPECT_EQ(f.order[i], (i * 7) % TIMERS);
}

static void zero_delay_waits_for_the_next_round(UNUSED void **state)
{
    f.t[0].again = 3;
    timer_start(f.loop, &f.t[0].timer, -5, on_fire);
    for (int i = 1; i <= 4; i++) {
        loop_turn(f.loop, 1000);
        EXPECT_EQ(f.fired, i);
    }
    loop_turn(f.loop, 0);
    EXPECT_EQ(f.fired, 4);
}

static void on_fire_stop_next(struct timer *t)
{
    f.fired++;
    timer_stop(&CONTAINER_OF(t, struct timer_case, timer)[1].timer);
}

static void a_callback_may_stop_a_due_timer(UNUSED void **state)
{
    loop_run_ready(f.loop);
    timer_start(f.loop, &f.t[0].timer, 1, on_fire_stop_next);
    timer_start(f.loop, &f.t[1].timer, 1, on_fire);
    loop_advance(f.loop, 10);
    EXPECT_EQ(f.fired, 1);
}

static void real_time_waits(UNUSED void **state)
{
    int64_t start = loop_now_us(f.loop);
    timer_start(f.loop, &f.t[0].timer, 3000, on_fire);
    while (f.fired == 0)
        loop_turn(f.loop, -1);
    EXPECT(loop_now_us(f.loop) - start >= 3000);
}

static void far_future_does_not_overflow(UNUSED void **state)
{
    timer_start(f.loop, &f.t[0].timer, INT64_MAX, on_fire);
    EXPECT(f.t[0].timer.due_us == INT64_MAX);
    loop_turn(f.loop, 0);
    EXPECT_EQ(f.fired, 0);
    struct timer zeroed = {0};
    timer_stop(&zeroed);
}

#define TIMER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int timer_tests(void)
{
    static const struct CMUnitTest tests[] = {
        TIMER_TEST(fires_exactly_when_due),
        TIMER_TEST(fires_in_order_of_time),
        TIMER_TEST(equal_times_fire_in_order_of_start),
        TIMER_TEST(zero_delay_waits_for_the_next_round),
        TIMER_TEST(a_callback_may_stop_a_due_timer),
        TIMER_TEST(real_time_waits),
        TIMER_TEST(far_future_does_not_overflow),
    };
    return RUN("timer", tests);
}
