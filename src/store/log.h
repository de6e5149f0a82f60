/*
 * The durable log: what every commit of the program goes through before anybody hears of it.
 *
 * An append is asynchronous and ends in exactly one of four outcomes; *unknown* is one of its own: the
 * record may or may not be on disk (the disk failed while it was being written), and whoever asked must
 * not claim either. This driver, `local`, lets the store commit in its own file with a synchronous
 * write; a driver that ships records elsewhere takes its place without its callers noticing.
 *
 * log_append() may be called on any thread; `done` runs on the thread that finished the append.
 */
#pragma once

#include "core/err.h"

enum log_outcome {
    LOG_OK,
    LOG_CONFLICT,    /* another owner has written: nothing happened, drop the instance */
    LOG_UNKNOWN,     /* may be there or not */
    LOG_UNAVAILABLE, /* nothing happened */
};

struct log_append {
    uint64_t shard; /* who owns the database: log_shard_of() */
    uint32_t epoch; /* of the lease under which the caller writes */
    /* Makes the record durable in the store: 0, -EIO when the disk failed half-way, other negative
     * numbers when nothing was written. */
    int (*commit)(void *store, struct err *err);
    void *store;
    void (*done)(struct log_append *append);
    /* Filled before done(). */
    enum log_outcome outcome;
    int result; /* of commit() */
    struct err err;
    uint64_t position;
};

enum { LOG_SHARDS = 1024 };

void log_append(struct log_append *append);
/* Shard of a store's name, the same on every machine and in every version. */
unsigned log_shard_of(const char *store_name);
