/*
 * Threads for code that blocks: SQLite, LMDB writes, file sync, key derivation.
 *
 * A job owns its input and output until its `done` runs on the loop's thread. Jobs with the same
 * non-zero `lane` run one after another, in the order they were started; others in parallel.
 */
#pragma once

#include "core/loop.h"

struct work_pool;

struct work {
    struct wake wake; /* pool's own */
    struct link link; /* pool's own */
    struct work_pool *pool;
    uint64_t lane;
    void (*run)(struct work *work);  /* on a pool thread */
    void (*done)(struct work *work); /* on the loop's thread */
};

/* The pool goes before its loop; the last `done`s come in the loop's next round. */
struct work_pool *work_pool_create(struct loop *loop, unsigned n_threads);
/* Waits for running jobs; queued ones run too. */
void work_pool_destroy(struct work_pool *pool);
void work_start(struct work_pool *pool, struct work *work);
