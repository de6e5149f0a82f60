/*
 * What writers' databases are opened with: the system's VFS, and beside it a record of what a commit wrote.
 *
 * SQLite appends the pages of a commit to the `-wal` file as frames. The shim remembers those bytes, so that nobody has
 * to read them back: after a commit they become a `struct sql_commit`. It belongs to the folder; see sql.h for
 * what others get of it.
 */
#pragma once

#include "core/buf.h"
#include "store/sql.h"

#include <sqlite3.h>

enum {
    TAP_FRAME_HEADER = 24,
    TAP_WAL_HEADER = 32,
    TAP_FILE_MAX =
        1024 * 1024 /* bytes of a commit kept in memory; a larger one is read back from the file */
};

/* The record of one connection's writes. */
struct sql_tap {
    int64_t base;     /* where the next commit's frames begin in the log's file */
    int64_t end;      /* behind the last byte written since the last commit */
    struct buf bytes; /* what lies from base on, unless it was too much */
    bool spilled;
    bool held; /* `head`, that of the frame at `end`, waits for its page, to be written with it */
    char head[TAP_FRAME_HEADER];
    bool no_sync; /* the log's own file need not be synced: commits are durable elsewhere */
    /* Room for `size` bytes of one commit: 0, or negative: then SQLite rolls back (disk full). NULL = there is. */
    int (*reserve)(void *arg, int64_t size);
    void *arg;
    sqlite3_file *wal; /* borrowed; NULL while SQLite has not opened it */
};

/* The name for sqlite3_open_v2(). Any thread. */
const char *sql_vfs_name(void);
/* Tests: another VFS below instead of the system's; before the first database is opened. */
void sql_vfs_base(const char *name);
/* From now on writes to the log of this connection are remembered in `tap`, which must outlive it. */
void sql_vfs_tap(sqlite3 *db, struct sql_tap *tap);
/* Bytes of the commit that ended at `end`: in memory, or read into `scratch`. -EIO. */
NODISCARD int sql_tap_read(struct sql_tap *tap, int64_t from, size_t n, struct buf *scratch,
                           struct slice *ret);
/* What comes next is another commit, behind `end`. */
void sql_tap_next(struct sql_tap *tap, int64_t end);
