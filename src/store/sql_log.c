/*
 * Commits as records of the durable log.
 *
 * Room is reserved while SQLite writes the frames of a commit: without it the write fails and SQLite rolls back,
 * before anybody could have seen the commit.
 */
#include "store/sql_impl.h"

#include "store/log.h"
#include "store/log_record.h"

#include <errno.h>
#include <stdio.h>

enum {
    SQL_LOG_COMMIT_MAX = 256 * 1024 * 1024, /* bytes of pages that one commit may change */
    SQL_LOG_RECORD_OVER = 512,              /* of a record over its frames */
    SQL_LOG_HEALED_MAX = 4096, /* a file that never had a durable commit is at most this long */
    SQL_LOG_TREE_AT = 100      /* kind of the first page in it */
};

/* One log per process. */
static struct {
    struct log *log;
    char root[SQL_PATH_MAX];
} door;

void sql_door(struct log *log, const char *root)
{
    door.log = log;
    CHECK(strlen(root) < sizeof(door.root));
    snprintf(door.root, sizeof(door.root), "%s", root);
}

bool sql_door_of(const char *path, struct sql_logging *ret)
{
    size_t n = strlen(door.root);
    if (door.log == NULL || strncmp(path, door.root, n) != 0 || path[n] != '/')
        return false;
    *ret = (struct sql_logging){
        .log = door.log, .name = slice_of(path + n + 1), .epoch = log_epoch(door.log)};
    return true;
}

static void log_commit(void *arg, const struct sql_commit *c)
{
    struct sql *db = arg;
    log_record_pages(&db->outbox, buf_slice(&db->log_name), db->log_epoch, c);
}

static int log_room(void *arg, int64_t size)
{
    struct sql *db = arg;
    if (size > SQL_LOG_COMMIT_MAX) {
        db->refusal =
            "The transaction changes more than 256 MiB: split it into smaller ones: SQLITE_FULL";
        return -E2BIG;
    }
    if (db->log == NULL)
        return 0;
    int r = log_reserve(db->log, &db->reserved,
                        (int64_t)buf_len(&db->outbox) + size + SQL_LOG_RECORD_OVER);
    if (r == -ENOSPC)
        db->refusal =
            "No space left on the disk or in the durable log; nothing was written: SQLITE_FULL";
    return r;
}

void sql_log_start(struct sql *db, const struct sql_logging *logging)
{
    db->log = logging->log;
    db->log_epoch = logging->epoch;
    buf_append_slice(&db->log_name, logging->name);
    db->logged = true;
    db->tap.no_sync = true;
    db->tap.reserve = log_room;
    db->tap.arg = db;
    sql_on_commit(db, log_commit, db);
}

/* What never had a durable commit is at most SQLite's header and an empty tree, whole or not. */
int sql_log_heal(struct sql *db, struct err *err)
{
    char head[SQL_LOG_TREE_AT + 8] = {0};
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    sqlite3_file_control(db->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (file == NULL || file->pMethods->xFileSize(file, &size) != SQLITE_OK || size == 0 ||
        size > SQL_LOG_HEALED_MAX)
        return 0;
    int rc = file->pMethods->xRead(file, head, sizeof(head), 0);
    /* The last bytes of it that are not zero are where the tree's content begins: the sector may be torn before them. */
    bool whole = memcmp(head, "SQLite format 3", 16) == 0 &&
                 (head[SQL_LOG_TREE_AT] == 13 || head[SQL_LOG_TREE_AT] == 5) &&
                 (head[SQL_LOG_TREE_AT + 5] != 0 || head[SQL_LOG_TREE_AT + 6] != 0);
    if (whole || (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ))
        return 0;
    return file->pMethods->xTruncate(file, 0) == SQLITE_OK
               ? 0
               : err_set(err, -EIO, 0, "unable to open database file: SQLITE_CANTOPEN");
}

/* A file that is made is not synced: its first record has its first page. Without a journal beside it that a power cut could
 * leave. */
int sql_log_pragmas(struct sql *db, struct err *err)
{
    int r = sql_exec(db, "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0;", err);
    uint32_t n_pages = 0;
    if (r == 0)
        r = sql_pragma(db, "PRAGMA page_count", &n_pages, err);
    db->fresh |= n_pages == 0;
    if (r == 0 && n_pages == 0)
        r = sql_exec(db, "PRAGMA journal_mode=MEMORY", err);
    return r == 0 ? sql_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", err) : r;
}

/* A commit without content shows how long SQLite's log is, and that it is all there. */
int sql_log_catch_up(struct sql *db, struct err *err)
{
    char text[64];
    sqlite3_file *wal = db->tap.wal;
    sqlite3_int64 size = 0;
    if (!db->logged)
        return 0;
    if (wal != NULL && wal->pMethods->xFileSize(wal, &size) != SQLITE_OK)
        return err_set(err, -EIO, 0, "disk I/O error: SQLITE_IOERR");
    if (size == 0) {
        if (db->log != NULL && log_holds(db->log, buf_slice(&db->log_name)))
            log_checkpoint(db->log, buf_slice(&db->log_name)); /* its last owner had closed it */
        return 0;
    }
    snprintf(text, sizeof(text), "PRAGMA user_version=%u", (unsigned)db->tx);
    return sql_exec(db, text, err);
}

bool sql_logged(const struct sql *db)
{
    return db->logged;
}

bool sql_log_pending(const struct sql *db)
{
    return buf_len(&db->outbox) > 0;
}

void sql_log_take(struct sql *db, struct buf *ret_records, int64_t *ret_reserved)
{
    *ret_records = db->outbox;
    *ret_reserved = db->reserved;
    db->outbox = (struct buf){0};
    db->reserved = 0;
}

void sql_log_again(struct sql *db, uint64_t epoch)
{
    db->log_epoch = epoch != 0 ? epoch : log_epoch(db->log);
    db->sequence = 0;
    buf_clear(&db->outbox);
    sql_tap_next(&db->tap, TAP_WAL_HEADER);
    db->tap.spilled = true;
}

int sql_log_settle(struct sql *db)
{
    struct buf records;
    int64_t reserved;
    if (!sql_log_pending(db))
        return 0;
    if (db->log == NULL)
        return -EAGAIN;
    sql_log_take(db, &records, &reserved);
    int r = log_append_wait(db->log, &records, reserved);
    if (r < 0)
        sql_log_again(db, 0);
    return r;
}

/* Leaves an empty log of SQLite's behind, unless somebody still reads it. */
void sql_log_finish(struct sql *db)
{
    if (db->log != NULL && db->db != NULL && db->page_size != 0 && db->log_pages > 0) {
        sql_checkpoint(db);
        sqlite3_busy_timeout(db->db, 0);
        if (db->log_pages == 0)
            sqlite3_wal_checkpoint_v2(db->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    if (db->log != NULL && db->reserved > 0)
        log_unreserve(db->log, db->reserved);
    buf_done(&db->outbox);
    buf_done(&db->log_name);
}
