/*
 * One JavaScript VM: creation, limits, evaluation, the turn of the event loop.
 *
 * The VM belongs to one thread of our own making with VM_STACK_SIZE bytes of stack, never the main
 * thread (there the engine needs /proc). Its GLib context is created and made the thread's default
 * before the VM exists, and vm_turn() serves it. One VM per process in practice; nothing here is
 * static, though.
 */
#pragma once

#include "engine/js.h"

enum { VM_STACK_SIZE = 4 * 1024 * 1024 };

struct vm;

struct vm_memory {
    size_t heap_size, heap_capacity, extra;
};

/* user: what js_user() gives. */
NODISCARD int vm_create(void *user, struct vm **ret);
void vm_destroy(struct vm *vm); /* accepts NULL; in practice the process exits instead */
js_context vm_context(struct vm *vm);

/* Installs rows as functions on an object `native.<group>` that only built-in scripts receive. */
void vm_natives(struct vm *vm, const char *group, const struct js_native_row *rows, size_t n);
/* Evaluates a built-in script `(function (native, global) {...})` and calls it. Panics when it throws:
 * it is ours. */
void vm_bootstrap(struct vm *vm, const char *name, struct slice source);
/* The value of the last expression, or NULL with *exception. name appears in stack traces. */
js_value vm_eval(struct vm *vm, const char *name, struct slice source, js_value *exception);
/* Evaluated at most once, on first vm_builtin(): lazily loaded built-in scripts. */
void vm_eval_allow(struct vm *vm, bool allowed); /* eval and Function */

/* CPU limit for the entries that follow, in microseconds of thread time; 0 = none. When it is over the
 * running script ends, uncatchably, and vm_terminated() is true: the VM must not run tenants' code again. */
void vm_cpu_limit(struct vm *vm, int64_t cpu_us);
bool vm_terminated(struct vm *vm);

/* After each macrotask: runs what the engine's own threads posted (GLib context, non-blocking) and
 * reports unhandled rejections to the function set below. Returns true when something ran. */
bool vm_turn(struct vm *vm);
/* Descriptors and timeout of the GLib context for our epoll: see loop integration in vm_loop.c. */
struct loop;
void vm_attach_loop(struct vm *vm, struct loop *loop);
void vm_on_unhandled(struct vm *vm, void (*fn)(void *user, js_value promise, js_value reason));

struct vm_memory vm_memory(struct vm *vm);
void vm_collect(struct vm *vm);
void vm_report_extra(struct vm *vm, size_t bytes);
