/*
 * System-call filters: one table per profile, compiled once per process and loaded by its children.
 */
#pragma once

#include "core/err.h"
#include "proc/sandbox.h"

/* Builds the profile's filter and keeps it. Later calls are free. */
NODISCARD int seccomp_filter_prepare(enum sandbox_profile profile, struct err *err);
/* Loads it into the calling thread; children inherit it. no_new_privs must be set. */
NODISCARD int seccomp_filter_load(enum sandbox_profile profile, struct err *err);
