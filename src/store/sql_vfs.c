#include "store/sql_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct vfs_file {
    sqlite3_file base;
    struct vfs_file *main; /* of a log: the database's file, which has the tap; borrowed */
    struct sql_tap *tap;   /* of a database's file; borrowed */
    bool wal;
    sqlite3_file *real; /* behind this struct */
};

static const char *vfs_base_name; /* NULL = the default */
static sqlite3_vfs vfs_shim;
static pthread_once_t vfs_once = PTHREAD_ONCE_INIT;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct vfs_file *)file)->real;
}

static struct sql_tap *tap_of(sqlite3_file *file)
{
    const struct vfs_file *f = (struct vfs_file *)file;
    return f->wal && f->main != NULL ? f->main->tap : NULL;
}

/* --- the record --- */

/* A frame may be written again within its transaction (a page that changed once more), and what a transaction that was
 * rolled back has left is overwritten by the next one. */
static void tap_note(struct sql_tap *tap, const void *bytes, size_t n, int64_t at)
{
    if (at == 0) { /* the header: the log begins anew */
        sql_tap_next(tap, TAP_WAL_HEADER);
        return;
    }
    if (at < tap->base)
        return;
    size_t from = (size_t)(at - tap->base), have = buf_len(&tap->bytes);
    tap->end = MAX(tap->end, at + (int64_t)n);
    /* A gap: what lies before was written by an earlier connection. */
    if (tap->spilled || from > have || tap->end - tap->base > TAP_FILE_MAX) {
        tap->spilled = true;
        buf_clear(&tap->bytes);
        return;
    }
    if (from + n > have) {
        (void)buf_reserve(&tap->bytes, from + n - have);
        buf_added(&tap->bytes, from + n - have);
    }
    memcpy(tap->bytes.data + tap->bytes.start + from, bytes, n);
}

void sql_tap_next(struct sql_tap *tap, int64_t end)
{
    tap->base = tap->end = end;
    tap->spilled = tap->held = false;
    buf_clear(&tap->bytes);
}

/* SQLite writes a new frame in two pieces that follow each other at once: half of the system calls of a small commit. */
static bool tap_hold(struct sql_tap *tap, const void *bytes, int n, int64_t at)
{
    if (n != TAP_FRAME_HEADER || at == 0 || at != tap->end || tap->spilled)
        return false;
    memcpy(tap->head, bytes, TAP_FRAME_HEADER);
    return tap->held = true;
}

/* The page of the head that is held: both in one piece, which lies in the record. */
static int tap_write(struct sql_tap *tap, sqlite3_file *real, const void *page, int n, int64_t at)
{
    int64_t head_at = at - TAP_FRAME_HEADER;
    tap->held = false;
    tap_note(tap, tap->head, TAP_FRAME_HEADER, head_at);
    tap_note(tap, page, (size_t)n, at);
    if (!tap->spilled)
        return real->pMethods->xWrite(real,
                                      tap->bytes.data + tap->bytes.start + head_at - tap->base,
                                      TAP_FRAME_HEADER + n, head_at);
    int rc = real->pMethods->xWrite(real, tap->head, TAP_FRAME_HEADER, head_at);
    return rc == SQLITE_OK ? real->pMethods->xWrite(real, page, n, at) : rc;
}

int sql_tap_read(struct sql_tap *tap, int64_t from, size_t n, struct buf *scratch,
                 struct slice *ret)
{
    if (!tap->spilled && from >= tap->base &&
        (size_t)(from - tap->base) + n <= buf_len(&tap->bytes)) {
        *ret = slice_from(buf_slice(&tap->bytes).ptr + (from - tap->base), n);
        return 0;
    }
    if (tap->wal == NULL)
        return -EIO;
    buf_clear(scratch);
    char *room = buf_reserve(scratch, n);
    int rc = tap->wal->pMethods->xRead(tap->wal, room, (int)n, from);
    if (rc != SQLITE_OK)
        return -EIO;
    buf_added(scratch, n);
    *ret = buf_slice(scratch);
    return 0;
}

/* --- the methods: all but writing and syncing a log go straight through --- */

static int vfs_close(sqlite3_file *file)
{
    struct sql_tap *tap = tap_of(file);
    if (tap != NULL && tap->wal == file)
        tap->wal = NULL;
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int vfs_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), buf, n, at);
}

static int vfs_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 at)
{
    struct sql_tap *tap = tap_of(file);
    if (tap != NULL && tap->reserve != NULL && at >= tap->base &&
        tap->reserve(tap->arg, at + n - tap->base) < 0)
        return SQLITE_FULL;
    if (tap != NULL && tap->held && at == tap->end + TAP_FRAME_HEADER)
        return tap_write(tap, real_of(file), buf, n, at);
    if (tap != NULL && tap_hold(tap, buf, n, at))
        return SQLITE_OK;
    int rc = real_of(file)->pMethods->xWrite(real_of(file), buf, n, at);
    if (tap != NULL && rc == SQLITE_OK)
        tap_note(tap, buf, (size_t)n, at);
    return rc;
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    const struct sql_tap *tap = tap_of(file);
    if (tap != NULL && tap->no_sync)
        return SQLITE_OK;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int vfs_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int vfs_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int vfs_check_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int vfs_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int vfs_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int vfs_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int vfs_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void vfs_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int vfs_shm_unmap(sqlite3_file *file, int delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static int vfs_fetch(sqlite3_file *file, sqlite3_int64 at, int n, void **ret)
{
    return real_of(file)->pMethods->xFetch(real_of(file), at, n, ret);
}

static int vfs_unfetch(sqlite3_file *file, sqlite3_int64 at, void *page)
{
    return real_of(file)->pMethods->xUnfetch(real_of(file), at, page);
}

static const sqlite3_io_methods vfs_methods = {
    .iVersion = 3,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_lock,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_device,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
    .xFetch = vfs_fetch,
    .xUnfetch = vfs_unfetch,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    struct vfs_file *f = (struct vfs_file *)file;
    sqlite3_vfs *base = vfs->pAppData;
    *f = (struct vfs_file){.real = (sqlite3_file *)(f + 1)};
    if (flags & SQLITE_OPEN_WAL) {
        f->wal = true;
        f->main = (struct vfs_file *)sqlite3_database_file_object(name);
    }
    int rc = base->xOpen(base, name, f->real, flags, ret_flags);
    if (f->real->pMethods != NULL)
        f->base.pMethods = &vfs_methods;
    struct sql_tap *tap = tap_of(file);
    if (rc == SQLITE_OK && tap != NULL)
        tap->wal = file;
    return rc;
}

static void vfs_init(void)
{
    sqlite3_vfs *base = sqlite3_vfs_find(vfs_base_name);
    CHECK(base != NULL);
    /* Everything that is not about one file is the base's own; its functions find their data by pAppData. */
    vfs_shim = *base;
    vfs_shim.zName = "selvedge";
    vfs_shim.szOsFile = (int)sizeof(struct vfs_file) + base->szOsFile;
    vfs_shim.pNext = NULL;
    vfs_shim.xOpen = vfs_open;
    vfs_shim.pAppData = base;
    CHECK(sqlite3_vfs_register(&vfs_shim, 0) == SQLITE_OK);
}

const char *sql_vfs_name(void)
{
    pthread_once(&vfs_once, vfs_init);
    return vfs_shim.zName;
}

void sql_vfs_base(const char *name)
{
    vfs_base_name = name;
}

void sql_vfs_tap(sqlite3 *db, struct sql_tap *tap)
{
    sqlite3_file *file = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    /* Databases in memory have no file. */
    if (file != NULL && file->pMethods == &vfs_methods)
        ((struct vfs_file *)file)->tap = tap;
    sql_tap_next(tap, TAP_WAL_HEADER);
}
