/*
 * What a process may still see and do: namespaces, mounts, seccomp, Landlock, rlimits, capabilities.
 *
 * sandbox_enter() is called once, single-threaded, before a byte from outside is read. Tiers, told by
 * sandbox_probe(): 1 namespaces + seccomp + Landlock where present; 2 Landlock + seccomp when namespaces
 * are refused; 3 neither. Only tier 1 keeps tenants' files apart by what they can name, and late mounts
 * into warm isolates need it, so the others are refused with a sentence that says what to allow.
 */
#pragma once

#include "core/err.h"

enum { SANDBOX_MOUNTS_MAX = 32, SANDBOX_PATH_MAX = 256 };

enum sandbox_access { SANDBOX_READ, SANDBOX_WRITE, SANDBOX_DEVICE };

struct sandbox_mount {
    char source[SANDBOX_PATH_MAX]; /* as the process sees it now */
    char target[SANDBOX_PATH_MAX]; /* as it will see it: "/data" */
    enum sandbox_access access;
};

/* System-call profiles: constant tables in proc/seccomp.c. */
enum sandbox_profile { SANDBOX_ISOLATE, SANDBOX_GATEWAY, SANDBOX_CONTROL, SANDBOX_KEEPER };

struct sandbox {
    enum sandbox_profile profile;
    struct sandbox_mount mounts[SANDBOX_MOUNTS_MAX];
    unsigned n_mounts;
    bool network;           /* keeps the machine's network namespace */
    bool template_child;    /* network, IPC and UTS namespaces are the template's already */
    unsigned n_files;       /* RLIMIT_NOFILE */
    uint64_t file_size_max; /* RLIMIT_FSIZE, bytes; 0 = unlimited */
    uint32_t uid;           /* when started by root: the id outside; 0 = keep */
};

void sandbox_mount_add(struct sandbox *s, const char *source, const char *target,
                       enum sandbox_access access);
/* The tier (1), or a negative errno after which the process must end. All descriptors stay open. */
NODISCARD int sandbox_enter(const struct sandbox *s, struct err *err);
/* For the template, once: the namespaces that its isolates share. As an ordinary user also a user namespace
 * of its own, in which it may mount. */
NODISCARD int sandbox_template_enter(struct err *err);
/* 1, 2 or 3; text says what is missing. */
int sandbox_probe(struct err *text);
