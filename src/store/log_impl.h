/*
 * Shared by log.c (appending, checkpoints), log_segment.c (the ring of files) and log_recover.c.
 */
#pragma once

#include "core/map.h"
#include "store/log.h"
#include "store/log_record.h"

#include <pthread.h>

enum {
    LOG_SECTOR = 512, /* batches begin at sectors: none that was synced is ever written again */
    LOG_PATH_MAX = 640,
    LOG_SEGMENTS_MAX = 1024,
    LOG_SEGMENT_FIRST = 4 * 1024 * 1024, /* so that an instance that hardly writes stays small */
    LOG_BATCH_MAX = 8 * 1024 * 1024
};

/* A file of the ring. */
struct log_segment {
    int fd;
    int64_t size;
    uint64_t number; /* 0 = free */
};

/* A database that the log knows of. */
struct log_db {
    struct link link;         /* in log.pending, oldest first, while `first` != 0 */
    uint64_t first;           /* segment of its oldest record without a checkpoint */
    uint64_t epoch, sequence; /* of the last append */
    unsigned n_queued;        /* records that have no place yet */
    char name[];
};

struct log {
    struct log_options options;
    const struct disk *disk;
    char dir[LOG_ROOT_MAX + 8], root[LOG_ROOT_MAX];
    pthread_mutex_t lock;
    pthread_cond_t work, idle, made;
    pthread_t thread, maker;
    bool starting, stopping, busy, making;
    struct link queue; /* struct log_append */
    int64_t n_queued;  /* bytes of them */
    int64_t reserved;
    int failed;
    struct map dbs; /* name -> struct log_db, owned */
    struct link pending;
    struct log_segment segments[LOG_SEGMENTS_MAX];
    unsigned n_segments;
    struct log_segment *current; /* NULL before the first append */
    int64_t at;                  /* where the next batch goes in it */
    uint64_t last_segment, batch;
    struct buf out; /* the batch being written */
    uint64_t position, epoch;
    struct log_facts facts;
};

/* --- log_segment.c; under the lock unless it says so --- */
/* Bytes that can be appended without making files. */
int64_t log_room(const struct log *log);
/* One more file, if the size allows; gives the lock up meanwhile. -ENOSPC, -EIO. */
NODISCARD int log_segment_make(struct log *log);
/* The next free file becomes the current one. -ENOSPC. */
NODISCARD int log_segment_next(struct log *log);
/* Opens the files that are there. */
NODISCARD int log_segments_open(struct log *log);
void log_segments_close(struct log *log);
/* Segments that nobody needs become free. */
void log_segments_free(struct log *log);
void log_segments_empty(struct log *log); /* nobody needs any of them */
uint64_t log_oldest_segment(const struct log *log);

/* --- log_recover.c --- */
/* Reads what is there. `fresh`: there was no log. `cut`: the power may have been cut: writes what it has into the
 * databases, empties it. Else takes it over. */
NODISCARD int log_recover(struct log *log, bool fresh, bool cut);

/* --- log.c --- */
struct log_db *log_db_of(struct log *log, struct slice name);
/* Writes and syncs one record before anything else does: into a file that nobody needs, since a power cut meanwhile must not
 * spoil what would then be read again. `applied`: all that the log has is in the databases, so that without room its
 * files may be written anew all the same. */
NODISCARD int log_resume(struct log *log, struct buf *record, bool applied);
void log_db_needs(struct log *log, struct log_db *db, uint64_t segment);
