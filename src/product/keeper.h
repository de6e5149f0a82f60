/*
 * What product code in the keeper may use: operations on stores, one writer per store, group commit.
 *
 * An operation arrives as a stream (product/messages_data.h). The keeper checks the grant, opens the store
 * (cached), collects or spools the body as the op's row says, and runs the op on the work pool in the
 * store's lane, so that one store's operations run one after another while stores run in parallel.
 *
 * Group commit: ops marked `writes` of one store that are queued together run inside one begin()/commit()
 * of the store; all of them are answered after that one commit is durable. An op that fails is rolled back
 * alone (savepoint or nested transaction), the others go on.
 */
#pragma once

#include "core/buf.h"
#include "product/product.h"

struct keeper_store {
    char name[160];   /* "kv/<id>" */
    int dir_fd;       /* its directory */
    void *open;       /* product's own handle, opened by the row's open() */
    const struct product *product;
    uint64_t lane;
};

enum keeper_body { BODY_NONE, BODY_MEMORY, BODY_SPOOL };

struct keeper_call {
    struct keeper_store *store;
    struct slice args;     /* the packed message, after the keeper checked binding and store */
    struct slice body;     /* BODY_MEMORY */
    int spool_fd;          /* BODY_SPOOL: an unnamed file in the store's file system, at its end */
    uint64_t body_size;
    struct arena *arena;   /* goes after the answer */
    /* The answer: filled by run(). */
    int64_t result;
    struct err err;
    struct buf json;
    struct buf reply_body; /* small bodies */
    int reply_fd;          /* or a file range, sent by the keeper; -1 = none */
    uint64_t reply_offset, reply_length;
};

struct keeper_op {
    uint16_t op;
    bool writes;
    bool isolates; /* isolates may call it, not only control */
    enum keeper_body body;
    uint64_t body_max;
    void (*run)(struct keeper_call *call); /* on the work pool, in the store's lane */
};

/* Per product, for the stores of its kind. All on the work pool. */
struct keeper_engine {
    int (*open)(int dir_fd, void **ret, struct err *err);
    void (*close)(void *open);
    int (*begin)(void *open);
    int (*commit)(void *open); /* durable when it returns 0 */
    void (*rollback)(void *open);
    /* Periodic work in the store's lane (expiry sweeps), every sweep_s seconds; NULL = none. */
    void (*sweep)(struct keeper_store *store);
    unsigned sweep_s;
};
