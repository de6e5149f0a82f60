/*
 * The one SQLite door: every database of the program opens here.
 *
 * The door sets the pragmas (WAL, synchronous=FULL or commits through the durable log, no automatic checkpoints), owns checkpoints, counts
 * transactions (persisted, for bookmarks), and for tenants' SQL sets limits and an authorizer: no ATTACH,
 * no transaction statements, only known functions, pragmas and virtual tables, no tables named _cf_*.
 *
 * A connection belongs to one thread at a time; calls may block on the disk. Errors: -EINVAL what the
 * statement's author did wrong (err has "message: SQLITE_CODE"), -EEXIST a constraint, -ETIMEDOUT past
 * sql_deadline(), -EAGAIN locked, -ENOSPC, -E2BIG, -EUCLEAN the file is damaged, -EIO. Error texts are those of D1
 * (developers.cloudflare.com/d1): SQLite's message, " at offset N" where known, ": SQLITE_NAME".
 */
#pragma once

#include <stdatomic.h>

#include "core/buf.h"
#include "core/err.h"

enum {
    SQL_STATEMENT_MAX = 100000, /* bytes of one tenant's statement */
    SQL_VALUE_MAX = 2200000,    /* a row, string or blob: 2 MB and what SQLite adds */
    SQL_PARAMETERS_MAX = 100
};

struct sql;
struct sql_stmt;

enum sql_open_flags {
    SQL_WRITE = 1,  /* else read-only; the writer makes the file when absent */
    SQL_TENANT = 2, /* statements come from tenants: limits and authorizer */
    /* With SQL_WRITE: the database of a Durable Object. The connection is the only one (the lock on the file is
     * the lease: -EAGAIN while another process has it), nobody else reads, no transaction number is kept, and
     * commits are durable when the log has them: sql_open_logged(). */
    SQL_OBJECT = 4,
};

NODISCARD int sql_open(const char *path, unsigned flags, struct sql **ret, struct err *err);

struct log;
/* Where commits of a writer become durable when it does not sync them itself (store/log.h). */
struct sql_logging {
    struct log *log;   /* NULL: in another process */
    struct slice name; /* of the database: its path below the account's directory */
    uint64_t epoch;    /* log_epoch(), or what that process said */
};
/* In the process that has the log of an account: writers of files below `root` commit through it from now on, whoever opens
 * them. NULL = no longer. */
void sql_door(struct log *log, const char *root);
/* A writer whose commits become records. Before a commit may be called durable, what sql_log_take() gives has to be in the
 * log. `logging` NULL = sql_open(). Also -ENOSPC when there is no room in the log; nothing was committed then. */
NODISCARD int sql_open_logged(const char *path, unsigned flags, const struct sql_logging *logging,
                              struct sql **ret, struct err *err);
/* Records of commits since the last call, and what was reserved for them: for log_append(). One that is opened while its
 * `-wal` file is not empty begins with a record of all that is in there. */
bool sql_logged(const struct sql *db);
bool sql_log_pending(const struct sql *db);
void sql_log_take(struct sql *db, struct buf *ret_records, int64_t *ret_reserved);
/* What was taken has not become durable, or nobody knows: the next commit carries everything again. `epoch` 0 = the log's
 * next. */
void sql_log_again(struct sql *db, uint64_t epoch);
void sql_close(struct sql *db); /* accepts NULL; finalizes cached statements */
void sql_release(struct sql **db);
/* Bytes that all connections of this process take. */
int64_t sql_memory(void);

/* --- statements --- */
/* The first statement of `text`, which needs a zero byte behind it; *ret_rest is what follows. *ret is NULL
 * when there is none (blanks, comments). */
NODISCARD int sql_prepare(struct sql *db, struct slice text, struct sql_stmt **ret,
                          struct slice *ret_rest, struct err *err);
void sql_finalize(struct sql_stmt *s); /* accepts NULL */
void sql_stmt_release(struct sql_stmt **s);
/* Ours, prepared once per connection; `text` is a literal. Panics when it does not compile. Comes reset. */
struct sql_stmt *sql_cached(struct sql *db, const char *text);
/* The last statements whose text may come again: find gives NULL or a statement that stays the connection's, reset and
 * unbound; add takes it. */
struct sql_stmt *sql_kept_find(struct sql *db, struct slice text);
void sql_kept_add(struct sql *db, struct slice text, struct sql_stmt *s);
/* The statement neither writes nor asks for counters of the writing connection. */
bool sql_in_place(const struct sql_stmt *s);
bool sql_readonly(const struct sql_stmt *s);
struct slice sql_text(const struct sql_stmt *s); /* as long as the statement */
int sql_n_parameters(const struct sql_stmt *s);
bool sql_has_named_parameters(const struct sql_stmt *s);

/* Parameters count from 1. Bytes must stay until the statement is reset or bound again. */
void sql_bind_null(struct sql_stmt *s, int i);
void sql_bind_int(struct sql_stmt *s, int i, int64_t v);
void sql_bind_double(struct sql_stmt *s, int i, double v);
void sql_bind_text(struct sql_stmt *s, int i, struct slice v);
void sql_bind_blob(struct sql_stmt *s, int i, struct slice v);
void sql_clear(struct sql_stmt *s); /* all parameters NULL */
/* 1 = a row, 0 = done (and reset). */
NODISCARD int sql_step(struct sql_stmt *s, struct err *err);
/* Runs to the end, dropping rows. */
NODISCARD int sql_run(struct sql_stmt *s, struct err *err);
void sql_reset(struct sql_stmt *s);

enum sql_type { SQL_INT, SQL_DOUBLE, SQL_TEXT, SQL_BLOB, SQL_NULL };
int sql_n_columns(const struct sql_stmt *s);
const char *sql_column_name(const struct sql_stmt *s, int i);
enum sql_type sql_column_type(struct sql_stmt *s, int i);
int64_t sql_column_int(struct sql_stmt *s, int i);
double sql_column_double(struct sql_stmt *s, int i);
struct slice sql_column_bytes(struct sql_stmt *s, int i); /* text or blob; until the next step */
/* All of it in one crossing, for who reads many. */
struct sql_value {
    enum sql_type type;
    int64_t integer;
    double real;
    struct slice bytes; /* until the next step */
};
struct sql_value sql_column(struct sql_stmt *s, int i);
/* Figures of one run, as upstream bills them: start before the first step, ask after any step; n_given is how many rows
 * have come. How exact they are: sql_cost.c. */
void sql_counts_start(struct sql_stmt *s);
uint64_t sql_rows_read(struct sql_stmt *s, uint64_t n_given);
uint64_t sql_rows_written(struct sql_stmt *s); /* entries of indexes included */

/* --- transactions of the writer --- */
NODISCARD int sql_begin(struct sql *db, struct err *err);
/* Durable when it returns 0. With anything written the transaction number grows by one. */
NODISCARD int sql_commit(struct sql *db, struct err *err);
void sql_rollback(struct sql *db);
bool sql_in_transaction(const struct sql *db);
/* One level inside begin..commit. */
NODISCARD int sql_mark(struct sql *db);
NODISCARD int sql_keep(struct sql *db);
void sql_undo(struct sql *db);
/* A snapshot over several reads. */
NODISCARD int sql_read_start(struct sql *db, struct err *err);
void sql_read_end(struct sql *db);

/* --- what commits wrote --- */
struct sql_page {
    uint32_t number; /* from 1 */
    const char *bytes;
};
/* One commit, or a piece of a large one. A page may come twice in one commit: the later image holds. */
struct sql_commit {
    uint64_t sequence; /* commits of this connection, from 1 */
    uint64_t tx; /* sql_txn_number() after it; only meaningful in the last piece. Commits outside
                        * sql_begin()..sql_commit() do not count. */
    int64_t time_ms; /* wall clock */
    uint32_t page_size;
    uint32_t pages_after;         /* size of the database; in the last piece */
    const struct sql_page *pages; /* until the call returns */
    size_t n_pages;
    bool first, last;
};
/* committed() is told of every commit of this writer, also of those outside sql_begin()..sql_commit(), on the connection's
 * thread, when SQLite has committed and before sql_commit() returns: nothing is durable yet, and what a power cut
 * undoes was told all the same. It must not use the connection. There is room for two. */
void sql_on_commit(struct sql *db, void (*committed)(void *arg, const struct sql_commit *c),
                   void *arg);

/* --- whole databases --- */
/* Makes `path` a copy of what is committed, page by page; not synced. */
NODISCARD int sql_copy(struct sql *db, const char *path, struct err *err);
/* The content of the database file `path` (which changes) becomes this one's in one commit; outside a transaction. */
NODISCARD int sql_replace(struct sql *db, const char *path, struct err *err);

/* --- facts --- */
int64_t sql_changes(struct sql *db); /* of the last statement that wrote */
int64_t sql_total_changes(struct sql *db);
int64_t sql_last_rowid(struct sql *db);
int64_t sql_size(struct sql *db); /* bytes of the database */
uint32_t sql_txn_number(struct sql *db);
/* Until this boot time (us) statements may run; 0 = no limit. Statements that need too much memory meanwhile end too:
 * -ETIMEDOUT with the platform's sentence for either. */
void sql_deadline(struct sql *db, int64_t boot_us);
/* A statement ends with -ECANCELED soon after *canceled became true, which any thread may do. NULL = nobody can. */
void sql_cancel_by(struct sql *db, const atomic_bool *canceled);
/* After a commit was answered: is there housekeeping to do, and doing it. The log is filled with zeros
 * ahead of its end (a sync that need not change the file's size takes half as long), and put back into the
 * database when it has grown large. */
bool sql_unsettled(const struct sql *db);
void sql_settle(struct sql *db);
/* When nobody waits: puts the log back earlier. */
void sql_tidy(struct sql *db);
/* The pieces, for who decides otherwise. All block on the disk. */
void sql_checkpoint(struct sql *db);
uint32_t sql_log_pages(const struct sql *db);

/* --- Durable Objects (SQL_OBJECT) --- */
/* Before it is closed, when everything is durable in the log: its own file has it all afterwards, synced. Any thread,
 * alone. False when it was not done. */
bool sql_object_settle(struct sql *db);
/* Everything goes, tables of ours included; cached statements stay valid objects. Outside a transaction. */
NODISCARD int sql_object_wipe(struct sql *db, struct err *err);
/* A table of ours or of the tenant's exists. */
bool sql_has_table(struct sql *db, const char *name);
/* How often the statement was compiled again because the schema changed. */
int sql_recompiled(const struct sql_stmt *s);
