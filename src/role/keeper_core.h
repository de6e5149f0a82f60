/*
 * The keeper without its process: stores, peers, operations. One account's only writer of shared data.
 *
 * Everything on the loop's thread. role/keeper.c puts it into a sandboxed process; tests run it as it is.
 */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/loop.h"
#include "core/slice.h"
#include "product/durable/durable_plan.h"

struct keeper;

struct keeper_options {
    const char *root; /* directory that holds kv/, d1/, r2/, log/ of the account */
    const char *boot; /* names this start of the machine (store/log.h) */
    unsigned n_threads;
    /* Hears of stores whose files are damaged; an empty reason: they are not any more. NULL = nobody. */
    void (*damaged)(void *arg, struct slice store, struct slice reason);
    void *damaged_arg;
};

/* One at a time in a process. Recovers what a power cut has left; fails as log_open() does. */
NODISCARD int keeper_create(struct loop *loop, const struct keeper_options *options,
                            struct keeper **ret, struct err *err);
/* Waits for what runs. */
void keeper_destroy(struct keeper *k); /* accepts NULL */

/* Takes a connected socket. Control names stores itself. */
void keeper_add_control(struct keeper *k, int fd);
/* The gateway of a lane: is told when alarms of the Durable Objects that it owns are due. */
void keeper_add_gateway(struct keeper *k, unsigned lane, int fd);
void keeper_set_lanes(struct keeper *k, const struct lane_table *lanes);
/* Reads which alarms were set before this process; once, at start. */
void keeper_alarms_load(struct keeper *k);
/* An isolate may reach the stores of the spec's bindings, by index, and nothing else. -EBADMSG when the
 * spec is not what it must be; the socket is taken in any case. */
NODISCARD int keeper_add_isolate(struct keeper *k, int fd, uint64_t isolate, struct slice spec);
/* Takes no more operations; calls idle(arg) once everything queued is answered. */
void keeper_drain(struct keeper *k, void (*idle)(void *arg), void *arg);
/* Records that an isolate sends, under the keeper's name. -EBADMSG when anything about them is wrong. */
NODISCARD int keeper_object_records(struct slice bytes, struct slice name, uint64_t epoch,
                                    struct buf *ret);
