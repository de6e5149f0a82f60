/*
 * CPU time of the VM's thread: the engine's limit, our watcher, accounting.
 *
 * The engine's limit counts per entry into the VM, and a microtask is an entry: a chain of microtasks that
 * never ends is never stopped by it (tried), nor is a regular expression. The watcher looks from outside:
 * it polls the VM's CPU clock while an entry runs and sleeps while none does.
 */
#include "engine/vm.h"

#include <errno.h>
#include <time.h>

#include "core/clock.h"
#include "engine/vm_impl.h"

enum {
    VM_WATCH_PERIOD_MS = 20,
    VM_WATCH_IDLE_ROUNDS = 50, /* then it sleeps until an entry wakes it */
    VM_EXACT_US = 500,         /* stretches longer than this are measured by the CPU clock */
    VM_LIMIT_MAX_S = 86400
};

void vm_cpu_init(struct vm *vm)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&vm->watcher.wakeup, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&vm->watcher.mutex, NULL);
    vm->base_cpu_us = clock_thread_cpu_us();
    vm_cpu_mark(vm);
}

static bool vm_limit_over(JSContextRef ctx UNUSED, void *arg)
{
    struct vm *vm = arg;
    vm->terminated = true;
    return true;
}

void vm_cpu_limit(struct vm *vm, int64_t cpu_us)
{
    if (cpu_us <= 0) {
        JSContextGroupClearExecutionTimeLimit(vm->group);
        return;
    }
    double seconds = MIN((double)cpu_us / 1e6, VM_LIMIT_MAX_S);
    JSContextGroupSetExecutionTimeLimit(vm->group, seconds, vm_limit_over, vm);
}

bool vm_terminated(struct vm *vm)
{
    return vm->terminated;
}

static int64_t watcher_cpu_us(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* With the mutex: waits one period, or for vm_watch_enter() when no entry ran for a while. */
static void watcher_wait(struct vm_watcher *w, unsigned idle_rounds)
{
    if (idle_rounds < VM_WATCH_IDLE_ROUNDS) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += VM_WATCH_PERIOD_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&w->wakeup, &w->mutex, &until);
        return;
    }
    atomic_store(&w->sleeping, true);
    while (!w->stop && (atomic_load(&w->entry) & 1) == 0)
        pthread_cond_wait(&w->wakeup, &w->mutex);
    atomic_store(&w->sleeping, false);
}

static void *watcher_run(void *arg)
{
    struct vm *vm = arg;
    struct vm_watcher *w = &vm->watcher;
    clockid_t clock;
    CHECK(pthread_getcpuclockid(w->subject, &clock) == 0);
    unsigned seen = 0, idle_rounds = 0;
    int64_t since_us = 0;

    pthread_mutex_lock(&w->mutex);
    while (!w->stop) {
        watcher_wait(w, idle_rounds);
        unsigned entry = atomic_load(&w->entry);
        if ((entry & 1) == 0) {
            idle_rounds++;
            seen = 0;
            continue;
        }
        idle_rounds = 0;
        int64_t now_us = watcher_cpu_us(clock), budget_us = atomic_load(&w->budget_us);
        if (entry != seen) {
            seen = entry;
            since_us = now_us;
        } else if (budget_us > 0 && now_us - since_us > budget_us) {
            w->over(vm->user);
        }
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

void vm_watch_start(struct vm *vm, void (*over)(void *user))
{
    struct vm_watcher *w = &vm->watcher;
    CHECK(!w->running);
    w->over = over;
    w->subject = pthread_self();
    w->running = pthread_create(&w->thread, NULL, watcher_run, vm) == 0;
    CHECK(w->running);
}

void vm_watch_enter(struct vm *vm, int64_t budget_us)
{
    struct vm_watcher *w = &vm->watcher;
    atomic_store_explicit(&w->budget_us, budget_us, memory_order_relaxed);
    /* Before `sleeping` is read; the watcher does the two in the other order. */
    atomic_fetch_add(&w->entry, 1);
    if (UNLIKELY(atomic_load(&w->sleeping))) {
        pthread_mutex_lock(&w->mutex);
        pthread_cond_signal(&w->wakeup);
        pthread_mutex_unlock(&w->mutex);
    }
}

void vm_watch_leave(struct vm *vm)
{
    atomic_fetch_add_explicit(&vm->watcher.entry, 1, memory_order_release);
}

void vm_cpu_finish(struct vm *vm)
{
    struct vm_watcher *w = &vm->watcher;
    if (w->running) {
        pthread_mutex_lock(&w->mutex);
        w->stop = true;
        pthread_cond_signal(&w->wakeup);
        pthread_mutex_unlock(&w->mutex);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->wakeup);
    pthread_mutex_destroy(&w->mutex);
}

void vm_cpu_mark(struct vm *vm)
{
    vm->mark_wall_us = clock_boot_us();
}

int64_t vm_cpu_take(struct vm *vm)
{
    int64_t now_us = clock_boot_us();
    int64_t used_us = now_us - vm->mark_wall_us;
    vm->mark_wall_us = now_us;
    if (used_us <= VM_EXACT_US) {
        vm->since_base_us += used_us;
        return used_us;
    }
    int64_t cpu_us = clock_thread_cpu_us();
    int64_t exact_us = cpu_us - vm->base_cpu_us - vm->since_base_us;
    vm->base_cpu_us = cpu_us;
    vm->since_base_us = 0;
    return MAX(0, MIN(exact_us, used_us));
}
