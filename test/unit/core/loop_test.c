#include "core/loop.h"
#include "core_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

enum { FDS = 300, THREADS = 4, WAKES = 2000 };

static struct {
    struct loop *loop;
    int n, hook_runs, signal;
    uint32_t events;
} f;

static int setup(UNUSED void **state)
{
    memset(&f, 0, sizeof(f));
    f.loop = loop_create();
    return 0;
}

static int teardown(UNUSED void **state)
{
    loop_release(&f.loop);
    return 0;
}

static void on_ready(struct watch *w, uint32_t events)
{
    uint64_t count;
    f.n++;
    f.events = events;
    if ((events & EPOLLIN) != 0)
        EXPECT_EQ(read(w->fd, &count, sizeof(count)), sizeof(count));
}

static void reports_what_was_asked_for(UNUSED void **state)
{
    struct watch w = {0};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch_start(f.loop, &w, fd, EPOLLIN, on_ready);
    loop_turn(f.loop, 0);
    EXPECT_EQ(f.n, 0);
    eventfd_write(fd, 1);
    loop_turn(f.loop, 1000);
    EXPECT_EQ(f.n, 1);
    EXPECT_EQ(f.events, EPOLLIN);

    watch_change(&w, EPOLLOUT);
    loop_turn(f.loop, 1000);
    EXPECT_EQ(f.events, EPOLLOUT);
    watch_change(&w, 0);
    loop_turn(f.loop, 0);
    EXPECT_EQ(f.n, 2);
    watch_stop(&w);
    watch_stop(&w);
    EXPECT_PANIC(watch_change(&w, EPOLLIN));
    EXPECT_PANIC(watch_start(f.loop, &w, -1, EPOLLIN, on_ready));
    close(fd);
}

static void reports_hangups_unasked(UNUSED void **state)
{
    int fds[2];
    struct watch w = {0};
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    watch_start(f.loop, &w, fds[0], 0, on_ready);
    close(fds[1]);
    loop_turn(f.loop, 1000);
    EXPECT_EQ(f.events, EPOLLHUP);
    watch_stop(&w);
    close(fds[0]);
}

/* Every watch is ready in one batch; the first one delivered stops and frees all. */
static struct watch *many[FDS];
static int many_fds[FDS];

static void on_ready_stop_all(UNUSED struct watch *w, UNUSED uint32_t events)
{
    f.n++;
    for (int i = 0; i < FDS; i++) {
        watch_stop(many[i]);
        free(many[i]);
        many[i] = NULL;
    }
}

static void a_callback_may_free_the_whole_batch(UNUSED void **state)
{
    for (int i = 0; i < FDS; i++) {
        many_fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        many[i] = mem_new(sizeof(struct watch));
        watch_start(f.loop, many[i], many_fds[i], EPOLLIN, on_ready_stop_all);
    }
    loop_turn(f.loop, 1000);
    loop_turn(f.loop, 0);
    EXPECT_EQ(f.n, 1);
    for (int i = 0; i < FDS; i++)
        close(many_fds[i]);
}

/* Stopped and started again within a batch: the old event must not come. */
static struct watch pair[2];

static void on_ready_restart_other(struct watch *w, UNUSED uint32_t events)
{
    struct watch *other = w == &pair[0] ? &pair[1] : &pair[0];
    int fd = other->fd;
    f.n++;
    watch_stop(w);
    watch_stop(other);
    watch_start(f.loop, other, fd, EPOLLOUT, on_ready);
}

static void restart_forgets_the_old_event(UNUSED void **state)
{
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        pair[i] = (struct watch){0};
        watch_start(f.loop, &pair[i], fds[i], EPOLLIN, on_ready_restart_other);
    }
    loop_turn(f.loop, 1000);
    EXPECT_EQ(f.n, 1);
    loop_turn(f.loop, 1000);
    EXPECT_EQ(f.n, 2);
    EXPECT_EQ(f.events, EPOLLOUT);
    watch_stop(&pair[0]);
    watch_stop(&pair[1]);
    close(fds[0]);
    close(fds[1]);
}

static void on_hook(UNUSED struct loop_hook *hook)
{
    f.hook_runs++;
}

static struct loop_hook hooks[3];

static void on_hook_remove_others(UNUSED struct loop_hook *hook)
{
    f.hook_runs++;
    loop_hook_remove(&hooks[0]);
    loop_hook_remove(&hooks[2]);
}

static void hooks_run_once_per_busy_round(UNUSED void **state)
{
    struct watch w = {0};
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    memset(hooks, 0, sizeof(hooks));
    loop_hook_add(f.loop, &hooks[0]);
    hooks[0].run = hooks[2].run = on_hook;
    hooks[1].run = on_hook_remove_others;
    loop_turn(f.loop, 0);
    EXPECT_EQ(f.hook_runs, 0);
    watch_start(f.loop, &w, fd, EPOLLIN, on_ready);
    loop_turn(f.loop, 1000);
    EXPECT_EQ(f.hook_runs, 1);

    loop_hook_add(f.loop, &hooks[1]);
    loop_hook_add(f.loop, &hooks[2]);
    EXPECT_PANIC(loop_hook_add(f.loop, &hooks[2]));
    eventfd_write(fd, 1);
    loop_turn(f.loop, 1000);
    EXPECT_EQ(f.hook_runs, 3);
    watch_stop(&w);
    close(fd);
}

/* --- wakeups --- */

struct wake_case {
    struct wake wake;
    int thread, number;
};

static struct wake_case wakes[THREADS][WAKES];
static int woken[THREADS], woken_in_all;

static void on_wake(struct wake *wake)
{
    struct wake_case *c = CONTAINER_OF(wake, struct wake_case, wake);
    EXPECT_EQ(c->number, woken[c->thread]++); /* in the order that the thread pushed */
    if (++woken_in_all == THREADS * WAKES)
        loop_stop(f.loop);
}

static void *wake_thread(void *arg)
{
    struct wake_case *mine = arg;
    for (int i = 0; i < WAKES; i++)
        loop_wake(f.loop, &mine[i].wake);
    return NULL;
}

static void wakes_from_many_threads(UNUSED void **state)
{
    pthread_t threads[THREADS];
    woken_in_all = 0;
    memset(woken, 0, sizeof(woken));
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < WAKES; i++)
            wakes[t][i] = (struct wake_case){{NULL, on_wake}, t, i};
        EXPECT_EQ(pthread_create(&threads[t], NULL, wake_thread, wakes[t]), 0);
    }
    loop_run(f.loop);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    EXPECT_EQ(woken_in_all, THREADS * WAKES);
}

static void on_wake_again(struct wake *wake)
{
    if (++f.n < 5)
        loop_wake(f.loop, wake);
    else
        loop_stop(f.loop);
}

static void a_wake_may_be_queued_again(UNUSED void **state)
{
    struct wake wake = {NULL, on_wake_again};
    loop_wake(f.loop, &wake);
    loop_run(f.loop);
    EXPECT_EQ(f.n, 5);
}

/* --- signals --- */

static void on_signal(int signal, void *arg)
{
    EXPECT(arg == &f);
    f.signal = signal;
    loop_stop(f.loop);
}

static void delivers_signals(UNUSED void **state)
{
    static const int wanted[] = {SIGUSR1, SIGTERM};
    static const int none[] = {4711};
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    EXPECT_EQ(loop_signals(f.loop, none, 1, on_signal, &f), -EINVAL);
    EXPECT_EQ(loop_signals(f.loop, wanted, 2, on_signal, &f), 0);
    raise(SIGUSR1);
    loop_run(f.loop);
    EXPECT_EQ(f.signal, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void on_ready_turn(UNUSED struct watch *w, UNUSED uint32_t events)
{
    loop_turn(f.loop, 0);
}

static void a_round_inside_a_round_panics(UNUSED void **state)
{
    struct watch w = {0};
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    watch_start(f.loop, &w, fd, EPOLLIN, on_ready_turn);
    EXPECT_PANIC(loop_turn(f.loop, 1000));
    watch_stop(&w);
    close(fd);
}

static void an_outer_loop_sees_readiness(UNUSED void **state)
{
    struct loop *outer = loop_create();
    struct watch w = {0};
    struct wake wake = {NULL, on_wake_again};
    f.n = 5; /* the wake stops at once */
    watch_start(outer, &w, loop_fd(f.loop), EPOLLIN, on_ready_turn);
    loop_turn(outer, 0);
    EXPECT_EQ(f.n, 5);
    loop_wake(f.loop, &wake);
    loop_turn(outer, 1000);
    EXPECT_EQ(f.n, 6);
    watch_stop(&w);
    loop_destroy(outer);
    loop_destroy(NULL);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int loop_tests(void)
{
    static const struct CMUnitTest tests[] = {
        LOOP_TEST(reports_what_was_asked_for),          LOOP_TEST(reports_hangups_unasked),
        LOOP_TEST(a_callback_may_free_the_whole_batch), LOOP_TEST(restart_forgets_the_old_event),
        LOOP_TEST(hooks_run_once_per_busy_round),       LOOP_TEST(wakes_from_many_threads),
        LOOP_TEST(a_wake_may_be_queued_again),          LOOP_TEST(delivers_signals),
        LOOP_TEST(a_round_inside_a_round_panics),       LOOP_TEST(an_outer_loop_sees_readiness),
    };
    return RUN("loop", tests);
}
