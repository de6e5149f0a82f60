/*
 * What product code in the keeper may use: operations on stores, one writer per store, group commit.
 *
 * An operation arrives as a stream (product/messages_data.h). The keeper checks the grant, opens the store
 * (cached), collects or spools the body as the op's row says, and runs the op on the work pool, so that
 * one store's operations run one after another while stores run in parallel.
 *
 * Group commit: ops of one store that are queued together run inside one begin()/commit() of the store; all
 * of them are answered after that one commit is durable. An op that fails is undone alone (mark/undo); where
 * an engine cannot do that, or the commit fails, the group is rolled back and its ops run again one by one.
 * So run() may be called twice, and must not do what rollback() does not take back.
 */
#pragma once

#include <stdatomic.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"

enum {
    KEEPER_NAME_MAX = 160,
    KEEPER_PATH_MAX = 400,
    KEEPER_SPOOL_ID_SIZE = 33,
    KEEPER_MD5_SIZE = 16
};

struct product;
struct sql;

struct keeper_store {
    char name[KEEPER_NAME_MAX]; /* "kv/<id>" */
    char path[KEEPER_PATH_MAX]; /* its directory, as this process sees it */
    void *open;                 /* product's own handle, made by the engine's open() */
    const struct product *product;
};

enum keeper_body {
    BODY_NONE,
    BODY_MEMORY, /* all of it in `body` */
    BODY_SPOOL /* up to memory_max bytes in `body`, more in a blob of the store's spool (store/blob.h) */
};

/* A piece of a blob of the store, opened when its turn comes. */
struct keeper_range {
    char id[KEEPER_SPOOL_ID_SIZE];
    uint64_t offset, length;
};

struct keeper_call {
    struct keeper_store *store;
    struct slice args; /* the packed message, after the keeper checked binding and store */
    bool control;      /* asked by control, not by an isolate */
    atomic_bool
        gone; /* nobody waits for the answer any more: work that takes long may stop, undone */
    struct slice body;
    uint64_t body_size;
    /* BODY_SPOOL beyond memory_max: content is synced, the name in the spool only if spool_named. Who keeps the
     * blob sets spool_kept; the keeper removes it otherwise. */
    int spool_fd; /* -1 = none */
    char spool_id[KEEPER_SPOOL_ID_SIZE];
    uint8_t md5[KEEPER_MD5_SIZE]; /* of a spooled body */
    bool spool_kept;
    bool spool_named; /* the name is durable already: it is one of the keeper's spares */
    /* Changes in place what stands at `offset` of the blob `id`, on its way into the spool (checksums are those of
     * the bytes before) and out of ranges of the answer; NULL = bytes stay as they are. */
    void (*veil)(const struct keeper_call *call, const char *id, uint64_t offset, char *bytes,
                 size_t n);
    void *veil_arg;
    struct arena *arena; /* goes after the answer */
    /* The answer: filled by run(). */
    int64_t result;
    struct err err;
    struct buf json;       /* large ones (KEEPER_JSON_MAX) travel as the body of the answer */
    struct buf reply_body; /* small bodies */
    int reply_fd;          /* or a file range, sent and closed by the keeper; -1 = none */
    bool
        reply_pass; /* the descriptor goes to the caller, which reads for itself: {"offset", "length"} in json */
    uint64_t reply_offset, reply_length;
    char reply_id
        [KEEPER_SPOOL_ID_SIZE];        /* of the blob behind reply_fd, where it came from a range */
    struct keeper_range *reply_ranges; /* or several, of the store's blobs, in `arena` */
    size_t n_reply_ranges;
};

enum { KEEPER_JSON_MAX = 1024 * 1024 };

struct keeper_op {
    uint16_t op;
    bool writes;
    bool isolates; /* isolates may call it, not only control: the message begins with u32 binding */
    bool exclusive; /* runs alone, outside begin/commit */
    bool
        leased; /* the message goes on with an object and u64 epoch: -ESTALE for who has not its lease */
    enum keeper_body body;
    uint64_t body_max, memory_max;
    /* Before the first byte is spooled, outside of the store's lane: reads the args, sets veil. NULL = nothing. */
    int (*prepare)(struct keeper_call *call);
    void (*run)(struct keeper_call *call); /* on the work pool, in the store's lane */
};

/* Per product, for the stores of its kind. All on the work pool, one at a time per store. */
struct keeper_engine {
    /* Opens for writing; makes what is missing inside the directory, which exists. */
    int (*open)(const char *path, void **ret, struct err *err);
    void (*close)(void *open);
    /* Its database, whose commits go to the durable log; NULL when the engine syncs by itself. */
    struct sql *(*sql)(void *open);
    int (*begin)(void *open);
    int (*commit)(void *open,
                  struct err *err); /* durable when it returns 0, or once the log has it */
    void (*rollback)(void *open);
    /* One op inside begin..commit; all three NULL when the engine cannot. */
    int (*mark)(void *open);
    int (*keep)(void *open);
    void (*undo)(void *open);
    /* While a commit is on its way to the disk: work of this thread's that the answer need not wait for. NULL = none. */
    void (*meanwhile)(void *open);
    /* Housekeeping after a commit was answered, if there is any; both or none. */
    bool (*unsettled)(void *open);
    void (*settle)(void *open);
    /* Periodic work, every sweep_s seconds, outside begin..commit; NULL = none. */
    void (*sweep)(void *open);
    unsigned sweep_s;
    /* Sizes and counts. */
    void (*info)(void *open, json_t *ret);
};
