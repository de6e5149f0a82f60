/*
 * What a child writes to stderr: passed on to ours, and its end kept for the crash report.
 *
 * Loop thread. A child that writes more than its limit loses its pipe and goes on without.
 */
#pragma once

#include "core/buf.h"
#include "core/loop.h"

enum { TAIL_KEPT = 8 * 1024 };

struct tail {
    struct watch watch;
    int fd;        /* owned reading end; -1 = closed */
    uint64_t left; /* bytes that may still come */
    struct buf kept;
};

/* The writing end for the child, owned by the caller, or negative errno. limit 0 = none. */
NODISCARD int tail_open(struct tail *t, struct loop *loop, uint64_t limit);
/* Reads what is there already and appends everything that is no log line (panic reports, messages of
 * libraries) to out. */
void tail_report(struct tail *t, struct buf *out);
void tail_close(struct tail *t); /* accepts zeroed memory with fd -1 */
