/*
 * Landlock: the kernel's second opinion about files, networks and signals, where it is there.
 */
#pragma once

#include "core/err.h"

/* Version of the kernel's Landlock; 0 = none. */
int landlock_version(void);
struct landlock_rules {
    const char *writes_below; /* directory; reading is allowed everywhere */
    bool makes_files;         /* and removes and renames them there */
    bool network;             /* TCP */
};

/* Restricts the calling thread; also no execution, no signals and no abstract sockets outside. 0 also where
 * the kernel has no Landlock. */
NODISCARD int landlock_enter(const struct landlock_rules *rules, struct err *err);
