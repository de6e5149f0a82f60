/*
 * Only with -Dhooks=true: `__syscall(number, ...args)` in a Worker makes that system call in the sealed isolate
 * and returns its result. Arguments are numbers or strings (a pointer to their bytes, zero-terminated).
 */
#include "role/isolate_hook.h"

#include "engine/vm.h"
#include "proc/syscall_hook.h"

#include <stdint.h>
#include <string.h>

enum { HOOK_TEXT_MAX = 4096 };

static JS_NATIVE(hook_syscall)
{
    static char texts[SYSCALL_HOOK_ARGS][HOOK_TEXT_MAX];
    long call[SYSCALL_HOOK_ARGS] = {0};
    for (size_t i = 1; i < n_args && i <= SYSCALL_HOOK_ARGS; i++) {
        AUTO(buf_done) struct buf text = {0};
        if (!js_is_string(ctx, args[i])) {
            call[i - 1] = (long)js_to_number(ctx, args[i], 0);
            continue;
        }
        if (js_append_utf8(ctx, args[i], &text) < 0 ||
            slice_to_cstr(buf_slice(&text), texts[i - 1], HOOK_TEXT_MAX) < 0)
            return js_throw(ctx, exception, "TypeError", "argument %zu does not fit", i);
        call[i - 1] = (long)(intptr_t)texts[i - 1];
    }
    long number = n_args == 0 ? -1 : (long)js_to_number(ctx, args[0], -1);
    return js_number(ctx, (double)syscall_hook(number, call));
}

void isolate_hook_install(struct vm *vm)
{
    js_context ctx = vm_context(vm);
    js_value global = vm_eval(vm, "hook", SLICE("globalThis"), NULL);
    js_set(ctx, global, "__syscall", js_function(ctx, "__syscall", hook_syscall));
}
