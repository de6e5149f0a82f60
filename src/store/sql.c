/*
 * Opening, transactions, checkpoints and errors of SQLite databases. Statements: sql_stmt.c; what
 * tenants may say: sql_guard.c.
 *
 * The transaction number lives in the header field user_version, so that it commits with the data.
 * Isolates read through read-only mounts: they need -wal and -shm to exist, so the writer keeps its
 * connection open and never deletes the log (PERSIST_WAL). A reader that arrives before the writer has
 * opened the database waits a moment.
 */
#include "store/sql_impl.h"

#include "core/file.h"
#include "store/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OBJECT_LOOKASIDE_SIZE = 256,
    OBJECT_LOOKASIDE_SLOTS = 64,
    SQL_BUSY_MS = 5000,
    SQL_OPEN_TRIES = 200,
    SQL_OPEN_PAUSE_US = 5000,
    SQL_MAP_SIZE = 256 * 1024 * 1024,
    SQL_LOG_FRAME = 4096 + 24,  /* a page in the log */
    SQL_LOG_AHEAD = 64 * 1024,  /* zeros that shall at least lie ahead */
    SQL_LOG_STEP = 1024 * 1024, /* how many are written at a time */
    SQL_LOG_PAGES_SOON = 1000,
    SQL_LOG_PAGES_NOW = 16000
};

struct sql_code {
    int code;
    int r;
    const char *name;
};

static const struct sql_code sql_codes[] = {
    {SQLITE_ERROR, -EINVAL, "SQLITE_ERROR"},
    {SQLITE_INTERNAL, -EIO, "SQLITE_INTERNAL"},
    {SQLITE_PERM, -EACCES, "SQLITE_PERM"},
    {SQLITE_ABORT, -ECANCELED, "SQLITE_ABORT"},
    {SQLITE_BUSY, -EAGAIN, "SQLITE_BUSY"},
    {SQLITE_LOCKED, -EAGAIN, "SQLITE_LOCKED"},
    {SQLITE_NOMEM, -ENOMEM, "SQLITE_NOMEM"},
    {SQLITE_READONLY, -EACCES, "SQLITE_READONLY"},
    {SQLITE_INTERRUPT, -ETIMEDOUT, "SQLITE_INTERRUPT"},
    {SQLITE_IOERR, -EIO, "SQLITE_IOERR"},
    {SQLITE_CORRUPT, -EUCLEAN, "SQLITE_CORRUPT"},
    {SQLITE_FULL, -ENOSPC, "SQLITE_FULL"},
    {SQLITE_CANTOPEN, -ENOENT, "SQLITE_CANTOPEN"},
    {SQLITE_SCHEMA, -EAGAIN, "SQLITE_SCHEMA"},
    {SQLITE_TOOBIG, -E2BIG, "SQLITE_TOOBIG"},
    {SQLITE_CONSTRAINT, -EEXIST, "SQLITE_CONSTRAINT"},
    {SQLITE_MISMATCH, -EINVAL, "SQLITE_MISMATCH"},
    {SQLITE_MISUSE, -EINVAL, "SQLITE_MISUSE"},
    {SQLITE_AUTH, -EACCES, "SQLITE_AUTH"},
    {SQLITE_RANGE, -EINVAL, "SQLITE_RANGE"},
    {SQLITE_NOTADB, -EUCLEAN, "SQLITE_NOTADB"},
};

static const struct sql_code *sql_code_of(int rc)
{
    for (size_t i = 0; i < ARRAY_LEN(sql_codes); i++) {
        if (sql_codes[i].code == (rc & 0xff))
            return &sql_codes[i];
    }
    return &sql_codes[0];
}

/* Constraints say which kind they are, as D1 does; ORMs look for it. */
static const char *sql_extended(struct sql *db)
{
    static const struct {
        int code;
        const char *name;
    } rows[] = {
        {SQLITE_CONSTRAINT_CHECK, " (extended: SQLITE_CONSTRAINT_CHECK)"},
        {SQLITE_CONSTRAINT_FOREIGNKEY, " (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"},
        {SQLITE_CONSTRAINT_NOTNULL, " (extended: SQLITE_CONSTRAINT_NOTNULL)"},
        {SQLITE_CONSTRAINT_PRIMARYKEY, " (extended: SQLITE_CONSTRAINT_PRIMARYKEY)"},
        {SQLITE_CONSTRAINT_ROWID, " (extended: SQLITE_CONSTRAINT_ROWID)"},
        {SQLITE_CONSTRAINT_TRIGGER, " (extended: SQLITE_CONSTRAINT_TRIGGER)"},
        {SQLITE_CONSTRAINT_UNIQUE, " (extended: SQLITE_CONSTRAINT_UNIQUE)"},
        {SQLITE_CONSTRAINT_DATATYPE, " (extended: SQLITE_CONSTRAINT_DATATYPE)"},
    };
    int extended = sqlite3_extended_errcode(db->db);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].code == extended)
            return rows[i].name;
    }
    return "";
}

int sql_failed(struct sql *db, int rc, struct err *err)
{
    const struct sql_code *code = sql_code_of(rc);
    const char *text = sqlite3_errmsg(db->db), *refusal = db->refusal;
    db->refusal = NULL;
    if (code->code == SQLITE_INTERRUPT && db->canceled != NULL && atomic_load(db->canceled))
        return err_set(err, -ECANCELED, rc, "the query was canceled");
    if (refusal != NULL)
        return err_set(err, code->r, rc, "%s", refusal);
    int offset = code->code == SQLITE_ERROR ? sqlite3_error_offset(db->db) : -1;
    if (code->code == SQLITE_INTERRUPT)
        return err_set(err, code->r, rc,
                       "%s storage operation exceeded timeout which caused object to be reset.",
                       db->flags & SQL_OBJECT ? "Durable Object" : "D1 DB");
    if (offset >= 0)
        return err_set(err, code->r, rc, "%s at offset %d: %s", text, offset, code->name);
    const char *extended = code->code == SQLITE_CONSTRAINT ? sql_extended(db) : "";
    return err_set(err, code->r, rc, "%s: %s%s", text, code->name, extended);
}

int sql_wal_hook(void *arg, sqlite3 *handle, const char *name, int pages)
{
    struct sql *db = arg;
    (void)handle;
    (void)name;
    db->log_pages = (uint32_t)pages;
    if (sql_commit_tell(db, (uint32_t)pages) < 0)
        db->untold = true;
    return SQLITE_OK;
}

/* Readable by isolates, which run under other user ids. */
static int sql_open_modes(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        char name[SQL_PATH_MAX + 8];
        snprintf(name, sizeof(name), "%s%s", path, endings[i]);
        if (chmod(name, 0644) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

int sql_exec(struct sql *db, const char *text, struct err *err)
{
    db->ours = true;
    int rc = sqlite3_exec(db->db, text, NULL, NULL, NULL);
    db->ours = false;
    return rc == SQLITE_OK ? 0 : sql_failed(db, rc, err);
}

static int sql_open_writer(struct sql *db, const char *path, struct err *err)
{
    int r = db->logged ? sql_log_pragmas(db, err)
                       : sql_exec(db,
                                  "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                                  "PRAGMA wal_autocheckpoint=0;",
                                  err);
    if (r < 0)
        return r;
    int on = 1;
    sqlite3_file_control(db->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    sqlite3_wal_hook(db->db, sql_wal_hook, db);
    sqlite3_preupdate_hook(db->db, sql_preupdate, db);
    r = sql_commit_open(db, err);
    if (r < 0)
        return r;
    /* Makes the -wal and -shm files that readers behind read-only mounts need. */
    r = sql_exec(db, "BEGIN IMMEDIATE; COMMIT;", err);
    if (r == 0)
        r = sql_log_catch_up(db, err);
    return r < 0 ? r : sql_open_modes(path);
}

static pthread_once_t sql_once = PTHREAD_ONCE_INIT;

/* Once, before SQLite is used: else each cache of pages begins with room for 20, 87 KB of which a small object needs
 * little. Where it is in use already the call does nothing. */
static void sql_init(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

static int sql_open_handle(struct sql *db, const char *path, struct err *err)
{
    pthread_once(&sql_once, sql_init);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    flags |=
        db->flags & SQL_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    if (db->flags & SQL_OBJECT) {
        int made = sql_object_prepare_file(db, err);
        if (made < 0)
            return made;
    }
    const char *vfs = db->flags & SQL_WRITE ? sql_vfs_name() : NULL;
    int rc = sqlite3_open_v2(path, &db->db, flags, vfs);
    if (db->db == NULL)
        return err_set(err, -ENOMEM, 0, "no memory for a database");
    if (rc != SQLITE_OK)
        return sql_failed(db, rc, err);
    if (db->flags & SQL_WRITE)
        sql_vfs_tap(db->db, &db->tap);
    if (db->logged && sql_log_heal(db, err) < 0)
        return -EIO;
    sqlite3_extended_result_codes(db->db, 1);
    /* Hundreds of objects are open in one process; the library's own choice is 120 KB for each. */
    if (db->flags & SQL_OBJECT)
        (void)sqlite3_db_config(db->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, OBJECT_LOOKASIDE_SIZE,
                                OBJECT_LOOKASIDE_SLOTS); /* without it the heap serves */
    sqlite3_busy_timeout(db->db, db->flags & SQL_OBJECT ? 0 : SQL_BUSY_MS);
    char text[160];
    snprintf(text, sizeof(text),
             "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=%d; PRAGMA foreign_keys=ON;",
             SQL_MAP_SIZE);
    int r = sql_exec(db, text, err);
    if (r < 0)
        return r;
    if (db->flags & SQL_OBJECT)
        return sql_object_open(db, err);
    /* A reader finds out here whether the file is there and its log can be read. */
    return db->flags & SQL_WRITE ? sql_open_writer(db, path, err)
                                 : sql_exec(db, "SELECT 1 FROM sqlite_master LIMIT 1", err);
}

/* The log was damaged where this database's commits lay. */
static int sql_open_quarantine(const char *path, struct err *err)
{
    char name[SQL_PATH_MAX + 16];
    snprintf(name, sizeof(name), "%s%s", path, LOG_QUARANTINE);
    if (access(name, F_OK) < 0)
        return 0;
    return err_set(
        err, -EUCLEAN, 0,
        "This database is quarantined: the durable log is damaged where its last commits lay. "
        "Restore it from a backup, then remove the file %s.",
        strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name);
}

int sql_open(const char *path, unsigned flags, struct sql **ret, struct err *err)
{
    struct sql_logging logging;
    bool logged = (flags & (SQL_WRITE | SQL_OBJECT)) == SQL_WRITE && sql_door_of(path, &logging);
    return sql_open_logged(path, flags, logged ? &logging : NULL, ret, err);
}

int sql_open_logged(const char *path, unsigned flags, const struct sql_logging *logging,
                    struct sql **ret, struct err *err)
{
    int r = sql_open_quarantine(path, err);
    if (r < 0)
        return r;
    r = -EIO;
    unsigned tries = flags & SQL_WRITE ? 1 : SQL_OPEN_TRIES;
    for (unsigned i = 0; i < tries; i++) {
        AUTO(sql_release) struct sql *db = mem_new(sizeof(*db));
        db->flags = flags;
        db->log_fd = -1;
        snprintf(db->path, sizeof(db->path), "%s", path);
        if (logging != NULL)
            sql_log_start(db, logging);
        r = sql_open_handle(db, path, err);
        if (r == 0) {
            if (flags & SQL_TENANT)
                sql_guard_install(db);
            *ret = TAKE(db);
            return 0;
        }
        if (i + 1 < tries)
            usleep(SQL_OPEN_PAUSE_US);
    }
    return r;
}

void sql_close(struct sql *db)
{
    if (db == NULL)
        return;
    sql_log_finish(db);
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&db->cached, &at, &key, &value))
        sql_finalize(value);
    map_done(&db->cached);
    sql_kept_drop(db);
    sqlite3_close_v2(db->db);
    buf_done(&db->tap.bytes);
    buf_done(&db->tap_scratch);
    fd_release(&db->log_fd);
    mem_release(&db);
}

void sql_release(struct sql **db)
{
    sql_close(*db);
    *db = NULL;
}

int64_t sql_memory(void)
{
    return sqlite3_memory_used();
}

/* --- transactions --- */

static int sql_run_ours(struct sql *db, const char *text, struct err *err)
{
    return sql_run(sql_cached(db, text), err);
}

int sql_begin(struct sql *db, struct err *err)
{
    int r = sql_run_ours(db, "BEGIN IMMEDIATE", err);
    db->wrote = false; /* to SQLite, beginning to write is no reading */
    return r;
}

/* user_version takes no parameter, hence the text; it is short and commits come in groups. */
static int sql_count_transaction(struct sql *db, struct err *err)
{
    char text[64];
    snprintf(text, sizeof(text), "PRAGMA user_version=%u", (sql_txn_number(db) + 1) & INT32_MAX);
    return sql_exec(db, text, err);
}

int sql_commit(struct sql *db, struct err *err)
{
    int r = db->wrote && !(db->flags & SQL_OBJECT) ? sql_count_transaction(db, err) : 0;
    if (r == 0)
        r = sql_run_ours(db, "COMMIT", err);
    return r == 0 && db->untold
               ? err_set(err, -EIO, 0, "the commit cannot be read back: SQLITE_IOERR")
               : r;
}

bool sql_in_transaction(const struct sql *db)
{
    return sqlite3_get_autocommit(db->db) == 0;
}

void sql_rollback(struct sql *db)
{
    if (sql_in_transaction(db))
        (void)sql_run_ours(db, "ROLLBACK", NULL); /* a failed ROLLBACK has rolled back already */
}

int sql_mark(struct sql *db)
{
    return sql_run_ours(db, "SAVEPOINT unit", NULL);
}

int sql_keep(struct sql *db)
{
    return sql_run_ours(db, "RELEASE unit", NULL);
}

void sql_undo(struct sql *db)
{
    if (!sql_in_transaction(db))
        return; /* SQLite gave the whole transaction up; the commit will say so */
    (void)sql_run_ours(db, "ROLLBACK TO unit", NULL);
    (void)sql_run_ours(db, "RELEASE unit", NULL);
}

int sql_read_start(struct sql *db, struct err *err)
{
    return sql_run_ours(db, "BEGIN", err);
}

void sql_read_end(struct sql *db)
{
    if (sql_in_transaction(db))
        (void)sql_run_ours(db, "COMMIT", NULL); /* nothing was written */
}

/* --- facts --- */

int64_t sql_changes(struct sql *db)
{
    return sqlite3_changes64(db->db);
}

int64_t sql_total_changes(struct sql *db)
{
    return sqlite3_total_changes64(db->db);
}

int64_t sql_last_rowid(struct sql *db)
{
    return sqlite3_last_insert_rowid(db->db);
}

static int64_t sql_pragma_int(struct sql *db, const char *text)
{
    struct sql_stmt *s = sql_cached(db, text);
    int64_t v = sql_step(s, NULL) == 1 ? sql_column_int(s, 0) : 0;
    sql_reset(s);
    return v;
}

int64_t sql_size(struct sql *db)
{
    unsigned version = 0;
    sqlite3_file_control(db->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    if (db->size != 0 && version == db->data_version && !(db->flags & SQL_WRITE))
        return db->size;
    db->data_version = version;
    db->size = sql_pragma_int(db, "PRAGMA page_count") * sql_pragma_int(db, "PRAGMA page_size");
    return db->size;
}

uint32_t sql_txn_number(struct sql *db)
{
    return (uint32_t)sql_pragma_int(db, "PRAGMA user_version");
}

void sql_deadline(struct sql *db, int64_t boot_us)
{
    db->deadline_us = boot_us;
    db->memory_before = sqlite3_memory_used();
}

void sql_cancel_by(struct sql *db, const atomic_bool *canceled)
{
    db->canceled = canceled;
}

/* --- housekeeping of the log --- */

static int64_t sql_log_end(const struct sql *db)
{
    return (int64_t)db->log_pages * SQL_LOG_FRAME;
}

bool sql_unsettled(const struct sql *db)
{
    return db->log_pages > SQL_LOG_PAGES_NOW ||
           (db->log_pages > 0 && !db->logged && sql_log_end(db) + SQL_LOG_AHEAD > db->log_filled);
}

/* SQLite stops reading a log at the first frame that is none, so zeros behind its end mean nothing to it. */
static void sql_log_fill(struct sql *db)
{
    static const char zeros[SQL_LOG_STEP];
    struct stat st;
    if (db->log_fd < 0) {
        char name[SQL_PATH_MAX + 8];
        snprintf(name, sizeof(name), "%s-wal", db->path);
        db->log_fd = open(name, O_WRONLY | O_CLOEXEC);
    }
    if (db->log_fd < 0 || fstat(db->log_fd, &st) < 0)
        return; /* appending works as well, only slower */
    int64_t missing = sql_log_end(db) + SQL_LOG_STEP - st.st_size;
    if (missing > 0 && missing <= SQL_LOG_STEP &&
        pwrite(db->log_fd, zeros, (size_t)missing, st.st_size) != missing)
        return;
    db->log_filled = MAX(st.st_size, st.st_size + missing);
}

uint32_t sql_log_pages(const struct sql *db)
{
    return db->log_pages;
}

int sql_sync_name(struct sql *db)
{
    char dir[SQL_PATH_MAX];
    snprintf(dir, sizeof(dir), "%s", db->path);
    char *slash = strrchr(dir, '/');
    if (!db->fresh || slash == NULL)
        return 0;
    *slash = '\0';
    int r = file_sync_dir(AT_FDCWD, dir);
    if (r < 0 && r != -ENOENT)
        return r;
    db->fresh = false;
    return 0;
}

void sql_checkpoint(struct sql *db)
{
    int total = 0, done = 0;
    if (sql_log_settle(db) < 0)
        return; /* the file must not get what the log does not have */
    int rc = sqlite3_wal_checkpoint_v2(db->db, "main", SQLITE_CHECKPOINT_PASSIVE, &total, &done);
    if (rc != SQLITE_OK || done < total || sql_sync_name(db) < 0)
        return; /* a reader still needs the older pages */
    db->log_pages = 0;
    if (db->log != NULL)
        log_checkpoint(db->log, buf_slice(&db->log_name));
}

void sql_settle(struct sql *db)
{
    if (db->log_pages > SQL_LOG_PAGES_NOW)
        sql_checkpoint(db);
    else if (sql_unsettled(db))
        sql_log_fill(db);
}

void sql_tidy(struct sql *db)
{
    if (db->log_pages > SQL_LOG_PAGES_SOON)
        sql_checkpoint(db);
}
