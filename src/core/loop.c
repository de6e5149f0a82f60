/*
 * The loop: one round is wait, descriptors, timers, flows, hooks.
 *
 * A callback may stop any watch and free its memory, also one whose event waits in the same batch:
 * watch_stop() looks through the undelivered rest of the batch and crosses the watch out. That is a
 * scan of at most 256 entries, and needs neither deferred frees nor generation numbers.
 */
#include "core/loop_impl.h"

#include "core/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void loop_on_wake(struct watch *w, uint32_t events);

struct loop *loop_create(void)
{
    struct loop *loop = mem_new(sizeof(*loop));
    list_init(&loop->ready);
    list_init(&loop->hooks);
    loop->signal_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(loop->epoll_fd >= 0);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(loop->wake_fd >= 0);
    loop->now_us = clock_boot_us();
    watch_start(loop, &loop->wake_watch, loop->wake_fd, EPOLLIN, loop_on_wake);
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    CHECK(!loop->in_round);
    timer_stop_all(loop);
    fd_release(&loop->signal_fd);
    fd_release(&loop->wake_fd);
    fd_release(&loop->epoll_fd);
    free(loop);
}

void loop_release(struct loop **loop)
{
    loop_destroy(*loop);
    *loop = NULL;
}

/* --- descriptors --- */

static void watch_control(struct watch *w, int operation)
{
    struct epoll_event e = {.events = w->events, .data.ptr = w};
    CHECK(epoll_ctl(w->loop->epoll_fd, operation, w->fd, &e) == 0);
}

void watch_start(struct loop *loop, struct watch *w, int fd, uint32_t events,
                 void (*ready)(struct watch *, uint32_t))
{
    CHECK(w->loop == NULL);
    w->loop = loop;
    w->fd = fd;
    w->events = events;
    w->ready = ready;
    watch_control(w, EPOLL_CTL_ADD);
}

void watch_change(struct watch *w, uint32_t events)
{
    CHECK(w->loop != NULL);
    if (w->events == events)
        return;
    w->events = events;
    watch_control(w, EPOLL_CTL_MOD);
}

void watch_stop(struct watch *w)
{
    if (w->loop == NULL)
        return;
    watch_control(w, EPOLL_CTL_DEL);
    watch_abandon(w);
}

void watch_abandon(struct watch *w)
{
    struct loop *loop = w->loop;
    if (loop == NULL)
        return;
    w->loop = NULL;
    for (int i = loop->batch_at; i < loop->batch_n; i++) {
        if (loop->events[i].data.ptr == w)
            loop->events[i].data.ptr = NULL;
    }
}

static void loop_deliver(struct loop *loop, int n)
{
    loop->batch_n = n;
    loop->batch_at = 0;
    while (loop->batch_at < loop->batch_n) {
        const struct epoll_event *e = &loop->events[loop->batch_at++];
        struct watch *w = e->data.ptr;
        if (w != NULL)
            w->ready(w, e->events);
    }
    loop->batch_n = loop->batch_at = 0;
}

/* --- rounds --- */

static int loop_timeout_ms(const struct loop *loop, int timeout_ms)
{
    if (!list_empty(&loop->ready) || loop->stopping)
        return 0;
    if (loop->virtual_time || loop->n_timers == 0)
        return timeout_ms;

    int64_t wait_us = loop->heap[0].due_us - clock_boot_us();
    if (wait_us <= 0)
        return 0;
    /* Rounded up: waking early would spin until the timer is due. */
    int64_t wait_ms = wait_us > (int64_t)INT32_MAX * 1000 ? INT32_MAX : (wait_us + 999) / 1000;
    return timeout_ms < 0 ? (int)wait_ms : (int)MIN(wait_ms, (int64_t)timeout_ms);
}

/* Each hook goes back into the list before it runs, so any hook may be removed by any other. */
static void loop_run_hooks(struct loop *loop)
{
    if (list_empty(&loop->hooks))
        return;
    struct link due = loop->hooks;
    due.next->prev = due.prev->next = &due;
    list_init(&loop->hooks);
    for (struct link *l; (l = list_pop_front(&due)) != NULL;) {
        list_push_back(&loop->hooks, l);
        struct loop_hook *hook = LIST_ENTRY(l, struct loop_hook, link);
        hook->run(hook);
    }
}

static bool loop_round(struct loop *loop, int timeout_ms)
{
    CHECK(!loop->in_round);
    int wait_ms = loop_timeout_ms(loop, timeout_ms);
    int n = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, wait_ms);
    CHECK(n >= 0 || errno == EINTR);
    if (!loop->virtual_time)
        loop->now_us = clock_boot_us();

    loop->in_round = true;
    bool ran = n > 0;
    if (n > 0)
        loop_deliver(loop, n);
    ran |= timer_run_due(loop);
    ran |= task_run_ready(loop);
    if (ran)
        loop_run_hooks(loop);
    loop->in_round = false;
    return ran;
}

void loop_turn(struct loop *loop, int timeout_ms)
{
    (void)loop_round(loop, timeout_ms); /* whether something ran is of no interest here */
}

void loop_run(struct loop *loop)
{
    while (!loop->stopping)
        loop_turn(loop, -1);
    loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

int64_t loop_now_us(struct loop *loop)
{
    if (!loop->in_round && !loop->virtual_time)
        loop->now_us = clock_boot_us();
    return loop->now_us;
}

int loop_fd(struct loop *loop)
{
    return loop->epoll_fd;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
    CHECK(!link_is_in_list(&hook->link));
    list_push_back(&loop->hooks, &hook->link);
}

void loop_hook_remove(struct loop_hook *hook)
{
    list_remove(&hook->link);
}

/* --- wakeups --- */

void loop_wake(struct loop *loop, struct wake *wake)
{
    struct wake *head = atomic_load_explicit(&loop->wakes, memory_order_relaxed);
    do {
        wake->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->wakes, &head, wake, memory_order_release,
                                                    memory_order_relaxed));
    /* Who finds others before him knows that the first of them rings. */
    if (head != NULL)
        return;
    uint64_t one = 1;
    ssize_t n;
    do {
        n = write(loop->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    CHECK(n == sizeof(one) || errno == EAGAIN); /* EAGAIN: the counter is full, so it rings */
}

static void loop_on_wake(struct watch *w, UNUSED uint32_t events)
{
    struct loop *loop = CONTAINER_OF(w, struct loop, wake_watch);
    uint64_t count;
    ssize_t n = read(loop->wake_fd, &count, sizeof(count));
    CHECK(n == sizeof(count) || errno == EAGAIN || errno == EINTR);

    /* Only after the bell is quiet: what is pushed from here on rings anew. */
    struct wake *newest = atomic_exchange_explicit(&loop->wakes, NULL, memory_order_acquire);
    struct wake *oldest = NULL;
    while (newest != NULL) {
        struct wake *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct wake *next = oldest->next;
        oldest->next = NULL;
        oldest->run(oldest); /* may free or queue it again */
        oldest = next;
    }
}

/* --- signals --- */

static void loop_on_signal(struct watch *w, UNUSED uint32_t events)
{
    struct loop *loop = CONTAINER_OF(w, struct loop, signal_watch);
    struct signalfd_siginfo info;
    while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info))
        loop->on_signal((int)info.ssi_signo, loop->signal_arg);
}

int loop_signals(struct loop *loop, const int *signals, size_t n,
                 void (*handler)(int signal, void *arg), void *arg)
{
    CHECK(loop->signal_fd < 0);
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < n; i++) {
        if (sigaddset(&set, signals[i]) < 0)
            return -EINVAL;
    }
    int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r != 0)
        return -r;
    loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signal_fd < 0)
        return -errno;
    loop->on_signal = handler;
    loop->signal_arg = arg;
    watch_start(loop, &loop->signal_watch, loop->signal_fd, EPOLLIN, loop_on_signal);
    return 0;
}

/* --- virtual time, for tests --- */

void loop_run_ready(struct loop *loop)
{
    loop->virtual_time = true;
    /* Bounded, since a level-triggered descriptor that nobody reads stays ready for ever. */
    for (int i = 0; i < LOOP_SETTLE_MAX && loop_round(loop, 0); i++)
        continue;
}

void loop_advance(struct loop *loop, int64_t us)
{
    CHECK(us >= 0);
    loop_run_ready(loop);
    int64_t until = loop->now_us + us;
    while (loop->n_timers > 0 && loop->heap[0].due_us <= until) {
        loop->now_us = MAX(loop->now_us, loop->heap[0].due_us);
        loop_run_ready(loop);
    }
    loop->now_us = until;
    loop_run_ready(loop);
}
