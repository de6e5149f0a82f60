/*
 * Limits of memory and threads per isolate by control groups, version 2 or 1, where we may write them.
 *
 * Supervisor only; every call is a few small writes. Without a writable hierarchy cgroup_open() says so and
 * the supervisor watches memory itself.
 */
#pragma once

#include "core/err.h"

enum { CGROUP_NAME_MAX = 32, CGROUP_PIDS_MAX = 64 };

struct cgroup; /* the parent of all isolates' groups of one server */

/* -EROFS, -EACCES ... when there is none to be had; text says what was tried. */
NODISCARD int cgroup_open(struct cgroup **ret, struct err *text);
/* Removes the parent and what is left in it; waits a moment for processes that are dying. */
void cgroup_close(struct cgroup *cg);
const char *cgroup_describe(const struct cgroup *cg);

/* A group of this name with the process in it. */
NODISCARD int cgroup_add(struct cgroup *cg, const char *name, pid_t pid);
NODISCARD int cgroup_limit_memory(struct cgroup *cg, const char *name, uint64_t bytes);
/* How often the kernel killed for lack of memory there. */
uint64_t cgroup_oom_kills(struct cgroup *cg, const char *name);
void cgroup_remove(struct cgroup *cg, const char *name);
