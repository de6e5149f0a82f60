/*
 * A role is one constant struct: how a process of this kind is set up, sandboxed and run.
 *
 * The supervisor forks it, or executes the binary again with `--role NAME`, with descriptor 3 as the control
 * channel (a wire). role_main() receives settings and descriptors (role_start, role_fd..., role_begin), calls
 * setup() while rights are still there, enters the sandbox, answers role_ready, then calls run(). Not one
 * byte that others wrote is read before that.
 */
#pragma once

#include "core/err.h"
#include "core/loop.h"
#include "core/slice.h"
#include "proc/sandbox.h"

struct wire;
struct role_context;

struct role {
    const char *name;
    /* Opens what needs rights. Paths are still those of the machine; data_fd is the data directory. */
    int (*setup)(struct role_context *rc, struct err *err);
    /* What stays visible after setup: filled by the role from its settings. */
    void (*sandbox)(struct role_context *rc, struct sandbox *ret);
    /* Registers everything on rc->loop; role_main() then runs the loop until role_stop has been served. */
    int (*run)(struct role_context *rc, struct err *err);
    /* A note or stream from the supervisor other than role_*. */
    const struct wire_events *events;
    /* Stop serving, finish what runs; call role_finished() when done. */
    void (*stop)(struct role_context *rc, unsigned grace_ms);
    bool restart;       /* supervisor restarts it when it dies */
    unsigned n_threads; /* of its work pool */
};

struct role_context {
    const struct role *role;
    struct loop *loop;
    struct wire *supervisor; /* user pointer: this context */
    struct json_t *settings;
    int data_fd; /* data directory; -1 after the sandbox is entered */
    void *state; /* the role's own */
};

/* Takes the descriptor that the supervisor sent under this name; -1 when it was not sent. */
int role_take_fd(struct role_context *rc, const char *name);
/* The same for "<prefix><lane>". */
int role_take_lane_fd(struct role_context *rc, const char *prefix, unsigned lane);
/* Whether `name` is "<prefix><lane>". */
bool role_name_lane(struct slice name, const char *prefix, unsigned *ret_lane);
/* Keeps DATA/<name> visible at /data/<name> after the sandbox is entered; for the role's sandbox(). */
void role_mount(struct role_context *rc, struct sandbox *s, const char *name,
                enum sandbox_access access);
void role_finished(struct role_context *rc);
/* Does not return normally: exit status of the process. */
int role_main(const struct role *role);
