/*
 * For tests: makes system calls that the sandbox must stop, from native code inside a sealed process.
 *
 * Built always, linked into the program only with -Dhooks=true, where the native `hook.syscall` of an isolate
 * calls it.
 */
#pragma once

#include "core/base.h"

enum { SYSCALL_HOOK_ARGS = 6 };

/* The call's result or negative errno; does not return when the kernel kills the process. */
long syscall_hook(long number, const long args[SYSCALL_HOOK_ARGS]);
