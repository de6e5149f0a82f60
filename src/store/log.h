/*
 * The durable log: what every commit of a SQLite database of an account goes through before anybody hears of it.
 *
 * Databases commit in their own files without syncing; what a commit wrote is appended here as records
 * (log_record.h), and one sync covers everybody who waits. After a power cut the pages of all records that are
 * later than their database's last checkpoint are written into its file: the log, not the `-wal` file, says what was
 * committed. So a database's file must not get a page by a checkpoint before the log has it.
 *
 *     commit --> log_append() --> sync --> done()          many databases, one sync
 *     checkpoint: (all appends done) --> SQLite copies and syncs --> log_checkpoint()
 *
 * The log is a ring of files `0`, `1`, ... in <root>/log: a segment whose records are all checkpointed is written anew.
 * Its size is bounded; when it is half full, log_oldest() says which databases hold it up.
 *
 * An append ends in exactly one of four outcomes; *unknown* is one of its own: the record may or may not be on
 * disk (the disk failed while it was being written), and whoever asked must not claim either. After that nothing is
 * accepted any more: the process has to begin anew, which finds out.
 *
 * Functions may be called on any thread; `done` runs on the log's own thread (without one, in log_flush()).
 */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/list.h"
#include "store/disk.h"

enum log_outcome {
    LOG_OK,
    LOG_CONFLICT, /* another owner has written, or something is missing in between: nothing happened */
    LOG_UNKNOWN,     /* may be there or not */
    LOG_UNAVAILABLE, /* nothing happened */
};

enum { LOG_SHARDS = 1024, LOG_ROOT_MAX = 256 };

struct log;

struct log_options {
    const struct disk *disk;
    const char *root; /* the account's directory */
    const char *
        boot; /* names this start of the machine: with another one, power may have been cut in between */
    int64_t size_max; /* bytes of all segments */
    int64_t segment_size;
    bool threaded; /* else the caller runs log_flush() */
    /* Tests: what becomes of an append instead of what would; LOG_OK = leave it, LOG_UNKNOWN = write it and say so. */
    enum log_outcome (*fault)(void *arg, const struct log *log);
    void *arg;
};

/* Recovers what a power cut has left, then is ready. -ENOSPC, -EIO. */
NODISCARD int log_open(const struct log_options *options, struct log **ret, struct err *err);
/* Waits for what is queued. */
void log_close(struct log *log); /* accepts NULL */

struct log_append {
    struct buf
        records; /* owned; one commit or several of one database, in order; gone when done() runs */
    int64_t reserved; /* from log_reserve(), given back */
    void (*done)(struct log_append *append);
    enum log_outcome outcome;
    uint64_t position; /* grows with each append that is OK */
    struct link link;  /* the log's */
};

void log_append(struct log *log, struct log_append *append);
/* The same, and waits; frees the records. 0, -ESTALE, -EIO (unknown), -ENOSPC. */
NODISCARD int log_append_wait(struct log *log, struct buf *records, int64_t reserved);
/* Everything of the database that was appended before is in its file, and synced; or the file is gone. Nothing of it may
 * be under way. Durable with the next sync; not waited for. */
void log_checkpoint(struct log *log, struct slice name);
/* The same for every database whose name begins so; waits until it is durable. */
void log_forget(struct log *log, struct slice prefix);
/* The log has records of it that are not checkpointed. */
bool log_holds(struct log *log, struct slice name);
/* Makes sure that there is room for a commit of `size` bytes, *held of which are reserved already. Before SQLite commits: an
 * append for which there is room fails only with the disk. -ENOSPC. */
NODISCARD int log_reserve(struct log *log, int64_t *held, int64_t size);
void log_unreserve(struct log *log, int64_t held);

/* Numbers of owners: each is larger than those given before, also by earlier processes. */
uint64_t log_epoch(struct log *log);
/* Names of databases without a checkpoint for the longest time, each with a zero byte behind it, while the log is more
 * than half full; nothing otherwise. */
void log_oldest(struct log *log, struct buf *ret);
/* 0, or what the disk said when it failed. */
int log_failed(struct log *log);

struct log_facts {
    int64_t bytes; /* of segments in use */
    uint64_t syncs, appends;
    unsigned databases;   /* with records that are not checkpointed */
    unsigned quarantined; /* at recovery */
};
void log_facts(struct log *log, struct log_facts *ret);

/* Without a thread: writes and syncs what is queued. */
void log_flush(struct log *log);

/* Shard of a store's name, the same on every machine and in every version. */
unsigned log_shard_of(const char *store_name);
/* The file beside a database that says that it must not be opened, and why. */
#define LOG_QUARANTINE ".quarantined"
