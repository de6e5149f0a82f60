/*
 * The GLib context of the VM's thread inside our epoll.
 *
 * The engine posts to it from its own threads (finished WebAssembly compilations, finalizers) and sets
 * timers on it (collector). Every such call writes to the context's eventfd, because we own the context
 * for good; so its descriptors and one timer are all that the loop must know.
 */
#include "engine/vm.h"

#include "engine/vm_impl.h"

enum { VM_TURN_MAX = 64 }; /* GLib iterations in one turn: it may not starve the loop */

static void vm_watch_fire(struct timer *timer)
{
    struct vm *vm = CONTAINER_OF(timer, struct vm, timer);
    vm->glib_ready = true;
    vm_turn(vm);
}

static void vm_watch_ready(struct watch *watch, uint32_t events UNUSED)
{
    /* The watch lies in an array of the VM of this thread. */
    struct vm *vm = vm_here();
    CHECK(watch >= vm->watches && watch < vm->watches + VM_GLIB_FDS);
    vm->glib_ready = true;
    vm_turn(vm);
}

static uint32_t vm_watch_events(const GPollFD *fd)
{
    return (uint32_t)((fd->events & G_IO_IN) != 0 ? EPOLLIN : 0) |
           (uint32_t)((fd->events & G_IO_OUT) != 0 ? EPOLLOUT : 0);
}

/* Asks the context what it waits for. The set of descriptors is one eventfd and stays so. */
static void vm_watch_update(struct vm *vm)
{
    GPollFD fds[VM_GLIB_FDS];
    int priority = 0, timeout_ms = -1;
    bool ready = g_main_context_prepare(vm->glib, &priority);
    int n = g_main_context_query(vm->glib, priority, &timeout_ms, fds, VM_GLIB_FDS);
    CHECK(n <= VM_GLIB_FDS);
    for (unsigned i = 0; i < (unsigned)n; i++) {
        if (i < vm->n_watches && vm->watches[i].fd == fds[i].fd)
            continue;
        watch_stop(&vm->watches[i]);
        watch_start(vm->loop, &vm->watches[i], fds[i].fd, vm_watch_events(&fds[i]), vm_watch_ready);
    }
    for (unsigned i = (unsigned)n; i < vm->n_watches; i++)
        watch_stop(&vm->watches[i]);
    vm->n_watches = (unsigned)n;
    /* The query must be answered, here with "nothing yet". */
    g_main_context_check(vm->glib, priority, fds, n);

    if (ready || timeout_ms == 0)
        timer_start(vm->loop, &vm->timer, 0, vm_watch_fire);
    else if (timeout_ms > 0)
        timer_start(vm->loop, &vm->timer, (int64_t)timeout_ms * 1000, vm_watch_fire);
    else
        timer_stop(&vm->timer);
}

void vm_attach_loop(struct vm *vm, struct loop *loop)
{
    vm->loop = loop;
    vm_watch_update(vm);
}

void vm_loop_finish(struct vm *vm)
{
    for (unsigned i = 0; i < vm->n_watches; i++)
        watch_stop(&vm->watches[i]);
    vm->n_watches = 0;
    timer_stop(&vm->timer);
    vm->loop = NULL;
}

static bool vm_turn_glib(struct vm *vm)
{
    bool ran = false;
    if (vm->loop != NULL && !vm->glib_ready)
        return false;
    vm->glib_ready = false;
    for (int i = 0; i < VM_TURN_MAX && !vm->terminated; i++) {
        if (!g_main_context_iteration(vm->glib, FALSE))
            break;
        ran = true;
    }
    if (vm->loop != NULL)
        vm_watch_update(vm);
    return ran;
}

bool vm_turn(struct vm *vm)
{
    bool ran = vm_turn_glib(vm);
    /* Handlers may reject more: those come in the same pass. */
    for (unsigned i = 0; i < vm->n_rejections; i++) {
        struct vm_rejection r = vm->rejections[i];
        vm->rejections[i] = (struct vm_rejection){0};
        if (vm->on_unhandled != NULL && !vm->terminated)
            vm->on_unhandled(vm->user, r.promise.v, r.reason.v);
        js_hold_clear(&r.promise);
        js_hold_clear(&r.reason);
        ran = true;
    }
    vm->n_rejections = 0;
    return ran;
}
