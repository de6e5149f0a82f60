/*
 * Files for a warm isolate: mounts below /g of a process that is sandboxed already.
 *
 * Runs in a short-lived, single-threaded child of the template, which ends afterwards: it has entered the
 * isolate's namespaces. `source` is relative to the data directory.
 */
#pragma once

#include "core/err.h"
#include "core/json.h"

enum { GRANT_MOUNTS_MAX = 128, GRANT_SOURCE_MAX = 256, GRANT_TARGET_MAX = 128 };

enum grant_access {
    GRANT_READ,
    GRANT_LMDB, /* read-only, with lock.mdb inside it writable: readers register there */
    GRANT_WRITE /* files may be made, changed and removed in it: a Durable Object's own */
};

struct grant_mount {
    char source[GRANT_SOURCE_MAX];
    char target[GRANT_TARGET_MAX];
    enum grant_access access;
};

struct grant {
    struct grant_mount mounts[GRANT_MOUNTS_MAX];
    unsigned n;
};

/* From the spec's "mounts". -EINVAL for paths that leave the data directory or /g. */
NODISCARD int grant_parse(const json_t *mounts, struct grant *ret, struct err *err);
/* pidfd names the isolate. */
NODISCARD int grant_enter(const struct grant *g, int data_fd, int pidfd, struct err *err);
