/*
 * Shared by sql.c, sql_stmt.c and sql_guard.c only.
 */
#pragma once

#include <stdatomic.h>

#include "core/map.h"
#include "store/sql.h"

/* Debian's library has the hook; the header shows it on request. */
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include <sqlite3.h>

#include "store/sql_vfs.h"

enum { SQL_WRITTEN_TABLES = 16, SQL_NAME_MAX = 128, SQL_PATH_MAX = 512, SQL_OBSERVERS = 2 };

struct sql_observer {
    void (*committed)(void *arg, const struct sql_commit *c);
    void *arg;
};

struct sql_written {
    char table[SQL_NAME_MAX];
    uint64_t n_inserted, n_updated, n_deleted;
    uint64_t columns; /* bits of those that an update changed */
};

struct sql {
    sqlite3 *db; /* owned */
    unsigned flags;
    char path[SQL_PATH_MAX];
    struct map cached; /* literal text -> struct sql_stmt, owned */
    struct map kept;   /* tenant's text -> struct sql_stmt, owned */
    unsigned n_kept;
    bool ours;           /* a statement of ours is being prepared: no authorizer */
    bool wrote;          /* something was written since begin */
    bool counters;       /* the statement being prepared asks for changes() and the like */
    const char *refusal; /* sentence that replaces SQLite's, or NULL */
    int64_t deadline_us;
    const atomic_bool *canceled; /* borrowed; NULL = nobody can */
    int64_t memory_before;       /* what SQLite had allocated when the deadline was set */
    uint32_t log_pages;
    bool fresh;            /* an object's file that was made by this connection and never synced */
    int log_fd;            /* owned; -1 = not opened: the log, to fill it ahead */
    int64_t log_filled;    /* its size */
    uint32_t data_version; /* for which `size` holds */
    int64_t size;
    struct sql_written
        written[SQL_WRITTEN_TABLES]; /* rows written per table since sql_counts_start() */
    unsigned n_written;
    uint64_t written_elsewhere;
    int64_t changes_before; /* all changes of the connection when the count began */
    /* of a writer: */
    struct sql_tap tap;
    struct buf tap_scratch;
    struct sql_observer observers[SQL_OBSERVERS];
    unsigned n_observers;
    uint32_t page_size;
    uint64_t sequence, tx;
    struct log *log;     /* borrowed */
    bool logged;         /* commits become records */
    struct buf log_name; /* of the database in the log */
    uint64_t log_epoch;
    struct buf outbox; /* records that nobody has taken */
    int64_t reserved;  /* in the log */
    bool untold;       /* a commit could not be told: nothing is durable any more */
};

struct sql_stmt {
    sqlite3_stmt *stmt; /* owned */
    struct sql *db;     /* borrowed */
    bool counters;
    bool pragma;
    bool ours;             /* from sql_cached() */
    bool one_column;       /* its results have one */
    int64_t only_int;      /* the first row, where it is one integer */
    struct sql_cost *cost; /* owned; NULL = not looked at yet */
    int cost_of;           /* which compilation it describes */
};

/* Maps a result code and fills err from the connection's last error. */
int sql_failed(struct sql *db, int rc, struct err *err);
void sql_kept_drop(struct sql *db);
void sql_guard_install(struct sql *db);
/* Several statements of ours, without parameters. */
int sql_exec(struct sql *db, const char *text, struct err *err);
/* After each commit. */
int sql_wal_hook(void *arg, sqlite3 *handle, const char *name, int pages);
/* sql_cost.c: counts rows written. */
void sql_preupdate(void *arg, sqlite3 *handle, int op, const char *database, const char *table,
                   sqlite3_int64 old_row, sqlite3_int64 new_row);
/* A file that was made is found after a power cut. */
NODISCARD int sql_sync_name(struct sql *db);
/* sql_object.c: before and after SQLite has opened the file */
int sql_object_prepare_file(struct sql *db, struct err *err);
int sql_object_open(struct sql *db, struct err *err);
/* sql_commit.c */
NODISCARD int sql_commit_open(struct sql *db, struct err *err);
/* A number that the database says of itself, which may be damaged. */
NODISCARD int sql_pragma(struct sql *db, const char *text, uint32_t *ret, struct err *err);
/* The log's file has n_frames frames now, those of the last commit included. -EIO. */
NODISCARD int sql_commit_tell(struct sql *db, uint32_t n_frames);
/* sql_log.c */
bool sql_door_of(const char *path, struct sql_logging *ret);
void sql_log_start(struct sql *db, const struct sql_logging *logging);
/* Pragmas of a writer that does not sync. */
NODISCARD int sql_log_pragmas(struct sql *db, struct err *err);
/* After the pragmas: everything that is in the `-wal` file becomes a record, when there was anything in it. */
NODISCARD int sql_log_catch_up(struct sql *db, struct err *err);
/* Before SQLite reads the file: one that a power cut has left before its first commit was durable is made anew. */
NODISCARD int sql_log_heal(struct sql *db, struct err *err);
/* Everything is in the log. */
NODISCARD int sql_log_settle(struct sql *db);
void sql_log_finish(struct sql *db);
