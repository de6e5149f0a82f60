#include "proc/syscall_hook.h"

#include <errno.h>
#include <unistd.h>

long syscall_hook(long number, const long args[SYSCALL_HOOK_ARGS])
{
    long r = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    return r < 0 ? -errno : r;
}
