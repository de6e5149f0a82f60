/*
 * Starts this program again, or forks it. The only place besides the sandbox's probe that makes
 * processes. Blocks; the supervisor's and the template's thread only.
 */
#pragma once

#include "core/base.h"

enum { ROLE_CONTROL_FD = 3, SPAWN_SECOND_FD = 4 };

struct process {
    pid_t pid;
    int pidfd; /* owned */
};

/* A pair of connected sockets for a wire. Owned by the caller. */
NODISCARD int spawn_pair(int ret[2]);
/* Descriptors of a child, all the caller's; -1 = none. stderr_fd replaces the standard one. */
struct spawn_fds {
    int control, second, stderr_fd;
};

/* Executes /proc/self/exe with `--role role`; control becomes descriptor 3. The child dies with the caller's
 * thread. */
NODISCARD int spawn_role(const char *role, const struct spawn_fds *fds, struct process *ret);
/* Forks without executing; the caller must be single-threaded. Returns 0 in the child, 1 in the parent. The
 * child has default signals and, of descriptors, the standard ones, control as 3 and second as 4. */
NODISCARD int spawn_fork_with(const struct spawn_fds *fds, struct process *ret);
/* The command line's memory, so that a forked role can show in ps what it is: once, from main(). */
void spawn_title_room(int argc, char **argv);
/* The command line of this process becomes that of spawn_role(); nothing happens where it does not fit. */
void spawn_title(const char *role);
/* Calls fn in a child that has its own descriptors and namespaces but shares our memory (so nothing is
 * copied), waits for it and returns fn's result. Our thread stands still meanwhile. -ECHILD when the child
 * died. fn needs little stack and must not touch anything that a signal or thread could. */
int spawn_call(int (*fn)(void *arg), void *arg);
/* For a process that somebody else reaps: a grandchild. pidfd -1 when it is gone. */
struct process process_of(pid_t pid);
/* SIGKILL or another signal; a process that is gone is fine. */
void process_signal(const struct process *p, int signal);
void process_done(struct process *p); /* closes the pidfd */
