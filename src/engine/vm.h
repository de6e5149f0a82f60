/*
 * One JavaScript VM: creation, limits, evaluation, the turn of the event loop.
 *
 * The VM belongs to one thread of our own making with VM_STACK_SIZE bytes of stack, never the main
 * thread (there the engine needs /proc), and a thread has one VM. Its GLib context is created and made
 * the thread's default before the VM exists, and vm_turn() serves it. The engine uses SIGUSR1 to stop
 * threads for its collector and handles SIGSEGV and SIGBUS (WebAssembly bounds): nothing else may use
 * SIGUSR1 or block these signals, and /dev/urandom must be there to be opened.
 */
#pragma once

#include "engine/js.h"

enum { VM_STACK_SIZE = 4 * 1024 * 1024 };

struct vm;

struct vm_memory {
    size_t heap_size, heap_capacity, extra;
};

/* user: what js_user() gives. -EOPNOTSUPP when the library lacks a function that we need. */
NODISCARD int vm_create(void *user, struct vm **ret);
void vm_destroy(struct vm *vm); /* accepts NULL; in practice the process exits instead */
js_context vm_context(struct vm *vm);

/* Installs rows as functions on an object `native.<group>` that only built-in scripts receive. */
void vm_natives(struct vm *vm, const char *group, const struct js_native_row *rows, size_t n);
/* Another value there. */
void vm_native_value(struct vm *vm, const char *group, const char *name, js_value v);
/* Evaluates a built-in script `(function (native, global) {...})` and calls it; returns what it returned,
 * which the caller must hold. `source` is ASCII and stays for good. Panics when it throws: it is ours. */
js_value vm_bootstrap(struct vm *vm, const char *name, struct slice source);
/* Scripts of the same form that are evaluated when they are first needed, all in one text. */
struct vm_script {
    const char *name;
    size_t offset, len;
};
struct vm_scripts {
    const char *text;             /* ASCII, for good */
    const struct vm_script *rows; /* sorted by name */
    size_t n;
};
/* Empty when there is no such script. */
struct slice vm_script_text(const struct vm_scripts *scripts, const char *name);
/* Gives built-in scripts native.script(name): evaluates that one and returns what it returned, or throws what it
 * threw (the stack or the time of a tenant may be over). scripts stay for good. */
void vm_scripts_install(struct vm *vm, const struct vm_scripts *scripts);
/* The value of the last expression, or NULL with *exception. name appears in stack traces. UTF-8. */
js_value vm_eval(struct vm *vm, const char *name, struct slice source, js_value *exception);
void vm_eval_allow(struct vm *vm, bool allowed); /* eval and Function */

/* Everything between is one entry: microtasks run in vm_leave(). May be nested. */
void vm_enter(struct vm *vm);
void vm_leave(struct vm *vm);

/* --- CPU time --- */

/* Limit for one entry (synchronous part), in microseconds of thread time; 0 = none. When it is over the
 * running script ends, uncatchably, and vm_terminated() is true: the VM must not run tenants' code again.
 * While a limit is set every microtask costs 0.5 us more, so it is taken back before vm_leave(). */
void vm_cpu_limit(struct vm *vm, int64_t cpu_us);
bool vm_terminated(struct vm *vm);
/* What the engine's own limit does not see (endless chains of microtasks, regular expressions): a thread
 * of ours looks at the VM's CPU clock and calls over(user) *on that thread* once an entry used more than its
 * budget. There is no way back into the script from there: over() ends the process. */
void vm_watch_start(struct vm *vm, void (*over)(void *user));
void vm_watch_enter(struct vm *vm, int64_t budget_us);
void vm_watch_leave(struct vm *vm);
/* CPU time of this thread since the last call, in microseconds. Short stretches are measured by the wall
 * clock, which is ten times cheaper to read; call vm_cpu_mark() after waiting. */
int64_t vm_cpu_take(struct vm *vm);
void vm_cpu_mark(struct vm *vm);

/* --- the event loop --- */

/* After each macrotask: runs what the engine's own threads posted (GLib context, non-blocking) and
 * reports unhandled rejections to the function set below. Returns true when something ran. */
bool vm_turn(struct vm *vm);
/* Puts the GLib context into our epoll: its descriptors and its timeout call vm_turn() from then on. */
struct loop;
void vm_attach_loop(struct vm *vm, struct loop *loop);
void vm_on_unhandled(struct vm *vm, void (*fn)(void *user, js_value promise, js_value reason));

/* --- memory --- */

/* Walks the heap: milliseconds. heap_size is what the last collection found alive and what was added since,
 * heap_capacity the same with pages half empty; both include `extra`, the bytes of array buffers, long strings
 * and WebAssembly memories. */
struct vm_memory vm_memory(struct vm *vm);
void vm_collect(struct vm *vm);
/* Collects and gives free pages back to the system: for a VM that will be idle. Milliseconds. */
void vm_trim(struct vm *vm);
void vm_report_extra(struct vm *vm, size_t bytes);
