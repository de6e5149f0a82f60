/*
 * Databases of Durable Objects: one connection each, and its lock on the file is the object's lease.
 *
 * The index of the log lies in this process's memory (locking_mode=EXCLUSIVE before the log is first used), so
 * SQLite takes the file's exclusive lock when it opens the database and keeps it until it closes: a second
 * process cannot run the object, whatever it believes, and the kernel lets go when a process dies.
 *
 * Commits only append to the log; who shows their effects to others calls sql_object_sync() first.
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
    /* A fresh file changes to the log without syncs; it is synced before anybody hears of it. */
    int r =
        sql_exec(db,
                 "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA cache_size=-512; "
                 "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; BEGIN IMMEDIATE; COMMIT; "
                 "PRAGMA synchronous=NORMAL;",
                 err);
    if (r < 0)
        return r;
    sqlite3_file_control(db->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_wal_hook(db->db, sql_wal_hook, db);
    sqlite3_preupdate_hook(db->db, sql_preupdate, db);
    return sql_commit_open(db, err);
}

int sql_object_prepare_file(struct sql *db, struct err *err)
{
    return object_make(db, err);
}

/* --- syncing --- */

enum {
    LOG_FRAME = 4096 + 24,
    LOG_AHEAD = 4 * LOG_FRAME,
    LOG_STEP_FIRST = 64 * 1024,
    LOG_STEP_MOST = 1024 * 1024
};

/* Zeros behind the log's end mean nothing to SQLite, and a sync that need not change the file's size takes half as
 * long. An object that writes much gets more of them. On the connection's thread: nobody appends meanwhile. */
static void object_log_fill(struct sql *db)
{
    static const char zeros[LOG_STEP_MOST];
    struct stat st;
    int64_t end = (int64_t)db->log_pages * LOG_FRAME;
    if (end + LOG_AHEAD <= db->log_filled || fstat(db->log_fd, &st) < 0)
        return;
    int64_t step = MIN(MAX(end, (int64_t)LOG_STEP_FIRST), (int64_t)LOG_STEP_MOST);
    ssize_t n =
        end + LOG_AHEAD <= st.st_size ? 0 : pwrite(db->log_fd, zeros, (size_t)step, st.st_size);
    db->log_filled = st.st_size + MAX(n, (ssize_t)0); /* appending works as well, only slower */
}

int sql_object_sync_prepare(struct sql *db)
{
    char name[SQL_PATH_MAX + 8];
    if (db->log_fd < 0) {
        snprintf(name, sizeof(name), "%s-wal", db->path);
        db->log_fd = open(name, O_RDWR | O_CLOEXEC);
    }
    if (db->log_fd < 0)
        return -EIO;
    object_log_fill(db);
    return 0;
}

/* The file itself (without its header SQLite would not look at the log) and both names. */
static int object_sync_fresh(struct sql *db)
{
    sqlite3_file *file = NULL;
    char dir[SQL_PATH_MAX];
    snprintf(dir, sizeof(dir), "%s", db->path);
    char *slash = strrchr(dir, '/');
    if (slash == NULL)
        return -EIO;
    *slash = '\0';
    sqlite3_file_control(db->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (file == NULL || file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return -EIO;
    AUTO(fd_release) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -EIO : 0;
}

int sql_object_sync(struct sql *db)
{
    if (fdatasync(db->log_fd) < 0)
        return -EIO;
    if (!db->fresh)
        return 0;
    int r = object_sync_fresh(db);
    if (r == 0)
        db->fresh = false;
    return r;
}

/* --- all else --- */

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
