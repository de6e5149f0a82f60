/*
 * Whole databases: copied to a file, and replaced by the content of a file, page by page.
 */
#include "store/sql_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void handle_release(sqlite3 **db)
{
    sqlite3_close(*db);
    *db = NULL;
}

static int copy_open(const char *path, int flags, sqlite3 **ret)
{
    int rc = sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL);
    /* The file is built beside and takes its name when it is whole. */
    return rc == SQLITE_OK
               ? sqlite3_exec(*ret, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY", NULL,
                              NULL, NULL)
               : rc;
}

static int copy_pages(sqlite3 *to, sqlite3 *from)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (b == NULL)
        return sqlite3_errcode(to);
    int rc = sqlite3_backup_step(b, -1);
    int finished = sqlite3_backup_finish(b);
    return rc == SQLITE_DONE ? finished : rc;
}

static int copy_failed(int rc, struct err *err)
{
    int r = (rc & 0xff) == SQLITE_FULL ? -ENOSPC : (rc & 0xff) == SQLITE_CORRUPT ? -EUCLEAN : -EIO;
    return err_set(err, r, rc, "the database cannot be copied: %s", sqlite3_errstr(rc));
}

int sql_copy(struct sql *db, const char *path, struct err *err)
{
    AUTO(handle_release) sqlite3 *to = NULL;
    if (unlink(path) < 0 && errno != ENOENT)
        return err_set(err, -errno, 0, "the copy cannot be made");
    int rc = copy_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to);
    if (rc == SQLITE_OK)
        rc = copy_pages(to, db->db);
    return rc == SQLITE_OK ? 0 : copy_failed(rc, err);
}

/* The content comes with the transaction number that follows ours, so that numbers never go back, whatever happens. */
static int replace_number(sqlite3 *from, uint32_t number)
{
    char text[64];
    snprintf(text, sizeof(text), "PRAGMA user_version=%u", number & INT32_MAX);
    return sqlite3_exec(from, text, NULL, NULL, NULL);
}

/* Copies are in WAL mode, which would want more files. */
static int replace_no_wal(const char *path)
{
    AUTO(fd_release) int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    return st.st_size < 100 || pwrite(fd, "\1\1", 2, 18) == 2 ? 0 : -EIO;
}

int sql_replace(struct sql *db, const char *path, struct err *err)
{
    AUTO(handle_release) sqlite3 *from = NULL;
    int r = replace_no_wal(path);
    if (r < 0)
        return err_set(err, r, 0, "the earlier state cannot be read");
    uint32_t number = sql_txn_number(db);
    int rc = copy_open(path, SQLITE_OPEN_READWRITE, &from);
    if (rc == SQLITE_OK)
        rc = replace_number(from, number + 1);
    if (rc == SQLITE_OK)
        rc = copy_pages(db->db, from);
    if (rc != SQLITE_OK)
        return copy_failed(rc, err);
    /* The library tells nobody of a commit made by a copy; the one behind it brings its pages along. */
    r = sql_begin(db, err);
    if (r < 0)
        return r;
    db->wrote = true;
    return sql_commit(db, err);
}
