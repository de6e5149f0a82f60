/*
 * Databases of Durable Objects: one connection each, and its lock on the file is the object's lease.
 *
 * The index of the log lies in this process's memory (locking_mode=EXCLUSIVE before the log is first used), so
 * SQLite takes the file's exclusive lock when it opens the database and keeps it until it closes: a second
 * process cannot run the object, whatever it believes, and the kernel lets go when a process dies.
 *
 * Commits only append to SQLite's log; they are durable when the keeper's log has their records (sql_log_take()).
 */
#include "store/sql_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Other isolates will open it later, under other user ids; the directory above is what keeps others out. The
 * descriptor is closed before SQLite opens the file: closing one later would drop SQLite's locks. */
static int object_make(struct sql *db, struct err *err)
{
    struct stat st;
    if (stat(db->path, &st) == 0 && st.st_size > 0)
        return 0;
    AUTO(fd_release) int fd = open(db->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_set(err, -errno, 0, "unable to open database file: SQLITE_CANTOPEN");
    if (fchmod(fd, 0666) < 0 && errno != EPERM)
        return err_set(err, -errno, 0, "unable to open database file: SQLITE_CANTOPEN");
    db->fresh = true;
    return 0;
}

int sql_object_open(struct sql *db, struct err *err)
{
    int on = 1;
    int r = sql_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-512;", err);
    if (r == 0)
        r = sql_log_pragmas(db, err);
    if (r == 0)
        r = sql_exec(db, "BEGIN IMMEDIATE; COMMIT;", err);
    if (r < 0)
        return r;
    sqlite3_file_control(db->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_wal_hook(db->db, sql_wal_hook, db);
    sqlite3_preupdate_hook(db->db, sql_preupdate, db);
    r = sql_commit_open(db, err);
    return r == 0 ? sql_log_catch_up(db, err) : r;
}

int sql_object_prepare_file(struct sql *db, struct err *err)
{
    return object_make(db, err);
}

/* --- all else --- */

bool sql_object_settle(struct sql *db)
{
    int total = 0, done = 0;
    if (sql_log_pending(db))
        return false;
    if (db->log_pages == 0 && db->sequence == 0)
        return true; /* nothing was written, nor found */
    int rc = sqlite3_wal_checkpoint_v2(db->db, "main", SQLITE_CHECKPOINT_TRUNCATE, &total, &done);
    return rc == SQLITE_OK && sql_sync_name(db) == 0;
}

int sql_object_wipe(struct sql *db, struct err *err)
{
    int attached = sqlite3_limit(db->db, SQLITE_LIMIT_ATTACHED, 1); /* VACUUM needs one itself */
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_RESET_DATABASE, 1, NULL);
    int r = sql_exec(db, "VACUUM", err);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_RESET_DATABASE, 0, NULL);
    sqlite3_limit(db->db, SQLITE_LIMIT_ATTACHED, attached);
    return r;
}

bool sql_has_table(struct sql *db, const char *name)
{
    struct sql_stmt *s =
        sql_cached(db, "SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?");
    sql_bind_text(s, 1, slice_of(name));
    bool found = sql_step(s, NULL) == 1;
    sql_reset(s);
    return found;
}

int sql_recompiled(const struct sql_stmt *s)
{
    return sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
}
