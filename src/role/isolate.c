/*
 * The isolate process: one JavaScript VM for one version of one Worker.
 *
 * A spare is warm before anybody needs it: VM made, built-in scripts evaluated. The supervisor then sends
 * what it is to be (isolate_assign) and, once its files are mounted, its wires (isolate_wire). Loading begins
 * from a timer of zero length, when the round with the wires is over.
 *
 * Everything happens on one thread of our making: the engine wants no main thread without /proc.
 */
#include "role/isolate_impl.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

/* --- what product/isolate.h promises --- */

struct loop *isolate_loop(struct isolate *iso)
{
    return iso->loop;
}

struct work_pool *isolate_pool(struct isolate *iso)
{
    if (iso->pool == NULL)
        iso->pool = work_pool_create(iso->loop, ISOLATE_POOL_THREADS);
    return iso->pool;
}

struct wire *isolate_gateway(struct isolate *iso)
{
    return iso->main;
}

struct wire *isolate_keeper(struct isolate *iso)
{
    return iso->keeper;
}

struct binding *isolate_binding(struct isolate *iso, double index)
{
    return index >= 0 && index < (double)iso->n_bindings ? &iso->bindings[(size_t)index] : NULL;
}

int isolate_mount_path(struct isolate *iso, const char *target, char *buf, size_t size)
{
    if (target[0] == 0 || strchr(target, '/') != NULL || strcmp(target, "..") == 0)
        return -EINVAL;
    int n = snprintf(buf, size, "%s/%s", iso->options->root, target);
    return n < 0 || (size_t)n >= size ? -E2BIG : 0;
}

/* --- the end --- */

static size_t isolate_backlog(const struct isolate *iso)
{
    return (iso->main == NULL ? 0 : wire_backlog(iso->main)) +
           (iso->keeper == NULL ? 0 : wire_backlog(iso->keeper));
}

/* The engine's threads are running: nothing but _exit() is safe, and nothing else is needed. */
void isolate_exit_check(struct isolate *iso)
{
    if (isolate_backlog(iso) == 0)
        _exit(iso->exit_status);
}

static void isolate_exit_late(struct timer *timer)
{
    struct isolate *iso = CONTAINER_OF(timer, struct isolate, exit_timer);
    _exit(iso->exit_status);
}

void isolate_exit(struct isolate *iso, int status)
{
    if (iso->exit_status >= 0)
        return;
    iso->exit_status = status;
    if (iso->main != NULL) {
        wire_pause(iso->main, true);
        wire_flush(iso->main);
    }
    if (iso->keeper != NULL)
        wire_flush(iso->keeper);
    isolate_exit_check(iso);
    timer_start(iso->loop, &iso->exit_timer, ISOLATE_FLUSH_MS * 1000, isolate_exit_late);
}

/* --- the control channel --- */

static void isolate_load_now(struct timer *timer)
{
    isolate_load(CONTAINER_OF(timer, struct isolate, load_timer));
}

static void isolate_on_assign(struct isolate *iso, struct slice args)
{
    struct msg_isolate_assign m;
    if (iso->assigned || msg_isolate_assign_unpack(args, &m) < 0)
        return isolate_exit(iso, ISOLATE_EXIT_PROTOCOL);
    iso->assigned = true;
    iso->kind = m.kind;
    buf_append_slice(&iso->spec_text, m.spec);
    isolate_prepare(iso);
}

static void isolate_keeper_closed(struct wire *wire, int reason UNUSED)
{
    struct isolate *iso = wire_user(wire);
    if (iso->keeper == wire)
        iso->keeper = NULL;
    wire_destroy(wire);
}

static void isolate_keeper_open(struct wire *wire UNUSED, struct wire_stream *s, uint16_t op UNUSED,
                                struct slice args UNUSED, int fd, bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, -EOPNOTSUPP);
}

static void isolate_keeper_note(struct wire *wire UNUSED, uint32_t stream_id UNUSED, uint16_t op,
                                struct slice args, int fd)
{
    fd_release(&fd);
    for (size_t i = 0; products[i] != NULL; i++) {
        if (products[i]->note != NULL)
            products[i]->note(op, args);
    }
}

static const struct wire_events isolate_keeper_events = {
    .open = isolate_keeper_open,
    .note = isolate_keeper_note,
    .closed = isolate_keeper_closed,
};

static void isolate_keeper_attach(struct isolate *iso, int fd)
{
    struct wire *old = iso->keeper;
    iso->keeper = wire_create(iso->loop, fd, 1, &isolate_keeper_events, iso);
    wire_destroy(old);
}

static void isolate_on_wire(struct isolate *iso, struct slice args, int fd)
{
    struct msg_isolate_wire m;
    if (msg_isolate_wire_unpack(args, &m) < 0 || fd < 0 || m.which < 1 || m.which > 2) {
        fd_release(&fd);
        return isolate_exit(iso, ISOLATE_EXIT_PROTOCOL);
    }
    if (m.which == 2)
        return isolate_keeper_attach(iso, fd);
    if (iso->main_fd >= 0 || iso->main != NULL) {
        fd_release(&fd);
        return isolate_exit(iso, ISOLATE_EXIT_PROTOCOL);
    }
    iso->main_fd = fd;
}

static void isolate_on_note(struct wire *wire, uint32_t stream_id UNUSED, uint16_t op,
                            struct slice args, int fd)
{
    struct isolate *iso = wire_user(wire);
    if (op == OP_isolate_wire) {
        isolate_on_wire(iso, args, TAKE_FD(fd));
    } else if (op == OP_isolate_assign) {
        isolate_on_assign(iso, args);
    } else if (op == OP_role_stop) {
        iso->draining_out = true;
        if (iso->n_events == 0)
            isolate_exit(iso, ISOLATE_EXIT_OK);
    }
    fd_release(&fd);
    if (iso->assigned && iso->main_fd >= 0 && !iso->loading) {
        iso->loading = true;
        timer_start(iso->loop, &iso->load_timer, 0, isolate_load_now);
    }
}

static void isolate_on_open(struct wire *wire UNUSED, struct wire_stream *s, uint16_t op UNUSED,
                            struct slice args UNUSED, int fd, bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, -EOPNOTSUPP);
}

static void isolate_on_closed(struct wire *wire UNUSED, int reason UNUSED)
{
    /* Without a supervisor there is nobody left who could limit or replace us. */
    _exit(ISOLATE_EXIT_OK);
}

static const struct wire_events isolate_control_events = {
    .open = isolate_on_open,
    .note = isolate_on_note,
    .closed = isolate_on_closed,
};

/* --- start --- */

static void *isolate_thread(void *arg)
{
    struct isolate *iso = arg;
    iso->loop = loop_create();
    isolate_boot(iso);
    if (iso->vm == NULL)
        _exit(ISOLATE_EXIT_ENGINE);
    int fd = iso->main_fd;
    iso->main_fd = -1;
    iso->control = wire_create(iso->loop, fd, 1, &isolate_control_events, iso);
    isolate_warm(iso);
    loop_run(iso->loop);
    return NULL;
}

/* The engine stops its threads with SIGUSR1 and catches WebAssembly's bounds with the other two. */
static void isolate_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGSEGV);
    sigaddset(&set, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int isolate_run(int control_fd, const struct isolate_options *options)
{
    isolate_signals();
    struct isolate *iso = mem_new(sizeof *iso);
    iso->options = options;
    iso->exit_status = -1;
    iso->main_fd = control_fd; /* until the thread has made it the control wire */
    list_init(&iso->ready);

    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, VM_STACK_SIZE);
    int r = pthread_create(&thread, &attr, isolate_thread, iso);
    pthread_attr_destroy(&attr);
    if (r != 0)
        return ISOLATE_EXIT_ENGINE;
    pthread_join(thread, NULL);
    return MAX(iso->exit_status, 0);
}
