/*
 * Starts this program again, or forks it. The only place besides the sandbox's probe that makes
 * processes. Blocks; the supervisor's and the template's thread only.
 */
#pragma once

#include "core/base.h"

enum { ROLE_CONTROL_FD = 3 };

struct process {
    pid_t pid;
    int pidfd; /* owned */
};

/* A pair of connected sockets for a wire. Owned by the caller. */
NODISCARD int spawn_pair(int ret[2]);
/* Executes /proc/self/exe with `--role role`; control_fd becomes descriptor 3, standard ones are kept.
 * control_fd stays the caller's. The child dies with the caller's thread. */
NODISCARD int spawn_role(const char *role, int control_fd, struct process *ret);
/* Forks without executing. The child returns 0 with default signals and only standard descriptors
 * and keep_fd, which becomes descriptor 3; the parent gets the process. */
NODISCARD int spawn_fork(int keep_fd, struct process *ret);
/* SIGKILL or another signal; a process that is gone is fine. */
void process_signal(const struct process *p, int signal);
void process_done(struct process *p); /* closes the pidfd */
