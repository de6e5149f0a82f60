#include "power_disk.h"

#include "core/buf.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECTOR = 512, FILES_MAX = 256, PATH_MAX_LEN = 200, SHM_REGIONS = 16 };

struct power_file {
    char path[PATH_MAX_LEN];
    char *now, *disk; /* content as programs see it, as the disk has it */
    size_t n_now, n_disk, cap;
    uint8_t *dirty; /* per sector */
    bool named;     /* the name is on the disk */
    bool there;
    void *shm[SHM_REGIONS];
};

struct power power;
static struct power_file files[FILES_MAX];

/* xorshift64* */
uint64_t power_random(uint64_t below)
{
    power.random ^= power.random >> 12;
    power.random ^= power.random << 25;
    power.random ^= power.random >> 27;
    return (power.random * 2685821657736338717u >> 16) % below;
}

/* Counts; true when everything stops here. */
static bool event(void)
{
    if (!power.dead && ++power.n_events == power.cut_at)
        power.dead = true;
    return power.dead;
}

static struct power_file *find(const char *path, bool create)
{
    struct power_file *unused = NULL;
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].there && strcmp(files[i].path, path) == 0)
            return &files[i];
        if (!files[i].there && unused == NULL)
            unused = &files[i];
    }
    if (!create)
        return NULL;
    CHECK(unused != NULL && strlen(path) < PATH_MAX_LEN);
    *unused = (struct power_file){.there = true};
    snprintf(unused->path, sizeof(unused->path), "%s", path);
    return unused;
}

static void file_free(struct power_file *f)
{
    for (size_t i = 0; i < SHM_REGIONS; i++)
        free(f->shm[i]);
    free(f->now);
    free(f->disk);
    free(f->dirty);
    *f = (struct power_file){0};
}

static void room(struct power_file *f, size_t size)
{
    if (size <= f->cap)
        return;
    size_t cap = MAX(size + size / 2, (size_t)16384) / SECTOR * SECTOR + SECTOR;
    f->now = realloc(f->now, cap);
    f->disk = realloc(f->disk, cap);
    f->dirty = realloc(f->dirty, cap / SECTOR);
    memset(f->now + f->cap, 0, cap - f->cap);
    memset(f->disk + f->cap, 0, cap - f->cap);
    memset(f->dirty + f->cap / SECTOR, 0, (cap - f->cap) / SECTOR);
    f->cap = cap;
}

static int file_write(struct power_file *f, const void *buf, size_t n, int64_t at)
{
    size_t end = (size_t)at + n;
    if (event())
        return -EIO;
    if (end > f->n_now && power.full)
        return -ENOSPC;
    room(f, end);
    memcpy(f->now + at, buf, n);
    f->n_now = MAX(f->n_now, end);
    memset(f->dirty + at / SECTOR, 1, (end + SECTOR - 1) / SECTOR - (size_t)at / SECTOR);
    return 0;
}

static void file_read(const struct power_file *f, void *buf, size_t n, int64_t at)
{
    size_t have = (size_t)at >= f->n_now ? 0 : MIN(n, f->n_now - (size_t)at);
    if (have > 0)
        memcpy(buf, f->now + at, have);
    memset((char *)buf + have, 0, n - have);
}

static int file_truncate(struct power_file *f, int64_t size)
{
    if (event())
        return -EIO;
    if ((size_t)size > f->n_now && power.full)
        return -ENOSPC;
    room(f, (size_t)size);
    if ((size_t)size < f->n_now) {
        memset(f->now + size, 0, f->n_now - (size_t)size);
        memset(f->dirty + size / SECTOR, 1,
               (f->n_now + SECTOR - 1) / SECTOR - (size_t)size / SECTOR);
    }
    f->n_now = (size_t)size;
    return 0;
}

static void file_synced(struct power_file *f)
{
    for (size_t i = 0; i < f->cap / SECTOR; i++) {
        if (f->dirty[i])
            memcpy(f->disk + i * SECTOR, f->now + i * SECTOR, SECTOR);
        f->dirty[i] = 0;
    }
    f->n_disk = f->n_now;
    f->named = true; /* as Linux's file systems do it */
}

static bool is_segment(const struct power_file *f)
{
    return strstr(f->path, "/log/") != NULL;
}

static int file_sync(struct power_file *f)
{
    bool lie = is_segment(f) ? power.log_unsynced : power.database_unsynced;
    if (event())
        return -EIO;
    if (!lie)
        file_synced(f);
    return 0;
}

/* --- the cut --- */

static void sector_decide(struct power_file *f, size_t i)
{
    char *disk = f->disk + i * SECTOR;
    const char *now = f->now + i * SECTOR;
    uint64_t what = power_random(8);
    if (what < 3)
        memcpy(disk, now, SECTOR);
    else if (what == 3)
        memcpy(disk, now, power_random(SECTOR));
}

static void file_cut(struct power_file *f)
{
    if (!f->named && power_random(2) == 0) {
        file_free(f);
        return;
    }
    for (size_t i = 0; i < f->cap / SECTOR; i++) {
        if (f->dirty[i])
            sector_decide(f, i);
    }
    if (power_random(2) == 0)
        f->n_disk = f->n_now;
    if (f->cap > f->n_disk)
        memset(f->disk + f->n_disk, 0, f->cap - f->n_disk);
    if (f->cap > 0) {
        memcpy(f->now, f->disk, f->cap);
        memset(f->dirty, 0, f->cap / SECTOR);
    }
    f->n_now = f->n_disk;
    f->named = true;
}

void power_restart(void)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        for (size_t k = 0; k < SHM_REGIONS; k++) {
            free(files[i].shm[k]);
            files[i].shm[k] = NULL;
        }
    }
    power.dead = power.full = false;
    power.cut_at = 0;
}

void power_cut(void)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].there)
            file_cut(&files[i]);
    }
    power_restart();
}

void power_clear(void)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        file_free(&files[i]);
}

void power_damage(const char *path, int64_t at)
{
    struct power_file *f = find(path, false);
    CHECK(f != NULL && (size_t)at < f->n_now);
    f->now[at] ^= 0x40;
    f->disk[at] ^= 0x40;
}

int64_t power_size(const char *path)
{
    const struct power_file *f = find(path, false);
    return f == NULL ? -ENOENT : (int64_t)f->n_now;
}

/* --- for the log --- */

static int disk_open(const char *path, bool create, mode_t mode)
{
    (void)mode;
    if (power.dead)
        return -EIO;
    struct power_file *f = find(path, create);
    return f == NULL ? -ENOENT : (int)(f - files);
}

static void disk_close(int fd)
{
    (void)fd;
}

static int disk_read(int fd, void *buf, size_t n, int64_t at)
{
    if (power.dead)
        return -EIO;
    file_read(&files[fd], buf, n, at);
    return 0;
}

static int disk_write(int fd, const void *buf, size_t n, int64_t at)
{
    return file_write(&files[fd], buf, n, at);
}

static int64_t disk_size(int fd)
{
    return (int64_t)files[fd].n_now;
}

static int disk_truncate(int fd, int64_t size)
{
    return file_truncate(&files[fd], size);
}

static int disk_sync(int fd)
{
    return file_sync(&files[fd]);
}

static int disk_sync_dir(const char *path)
{
    (void)path;
    return event() ? -EIO : 0;
}

static int disk_sync_all(const char *path)
{
    (void)path;
    if (event())
        return -EIO;
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].there)
            file_synced(&files[i]);
    }
    return 0;
}

static int disk_replace(const char *path, struct slice content)
{
    if (event())
        return -EIO;
    struct power_file *f = find(path, true);
    room(f, content.len);
    memset(f->now, 0, f->cap);
    memcpy(f->now, content.ptr, content.len);
    memset(f->dirty, 1, f->cap / SECTOR);
    f->n_now = content.len;
    file_synced(f);
    return 0;
}

static int disk_rename(const char *from, const char *to)
{
    struct power_file *f = find(from, false);
    if (f == NULL)
        return -ENOENT;
    snprintf(f->path, sizeof(f->path), "%s", to);
    return 0;
}

static int disk_walk(const char *path, void (*visit)(void *arg, const char *path), void *arg)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].there && strncmp(files[i].path, path, strlen(path)) == 0)
            visit(arg, files[i].path);
    }
    return 0;
}

const struct disk power_disk = {
    .open = disk_open,
    .close = disk_close,
    .read = disk_read,
    .write = disk_write,
    .size = disk_size,
    .truncate = disk_truncate,
    .sync = disk_sync,
    .sync_dir = disk_sync_dir,
    .sync_all = disk_sync_all,
    .replace = disk_replace,
    .rename = disk_rename,
    .walk = disk_walk,
};

/* --- for SQLite --- */

struct vfs_file {
    sqlite3_file base;
    struct power_file *f;
};

static struct power_file *of(sqlite3_file *file)
{
    return ((struct vfs_file *)file)->f;
}

static int result_of(int r)
{
    return r == 0 ? SQLITE_OK : r == -ENOSPC ? SQLITE_FULL : SQLITE_IOERR;
}

static int vfs_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

static int vfs_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 at)
{
    const struct power_file *f = of(file);
    if (power.dead)
        return SQLITE_IOERR_READ;
    file_read(f, buf, (size_t)n, at);
    return (size_t)at + (size_t)n <= f->n_now ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 at)
{
    return result_of(file_write(of(file), buf, (size_t)n, at));
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return result_of(file_truncate(of(file), size));
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    return result_of(file_sync(of(file)));
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)of(file)->n_now;
    return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int vfs_check(sqlite3_file *file, int *ret)
{
    (void)file;
    *ret = 0;
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *file)
{
    (void)file;
    return SECTOR;
}

static int vfs_device(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static int vfs_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    struct power_file *f = of(file);
    CHECK(page < SHM_REGIONS);
    if (f->shm[page] == NULL && extend)
        f->shm[page] = calloc(1, (size_t)size);
    *ret = f->shm[page];
    return SQLITE_OK;
}

static int vfs_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    (void)file;
    (void)offset;
    (void)n;
    (void)flags;
    return SQLITE_OK;
}

static void vfs_shm_barrier(sqlite3_file *file)
{
    (void)file;
}

/* The last connection goes: the next one finds an index without content, and reads the log itself. */
static int vfs_shm_unmap(sqlite3_file *file, int delete)
{
    struct power_file *f = of(file);
    (void)delete;
    for (size_t i = 0; i < SHM_REGIONS; i++) {
        free(f->shm[i]);
        f->shm[i] = NULL;
    }
    return SQLITE_OK;
}

static int vfs_fetch(sqlite3_file *file, sqlite3_int64 at, int n, void **ret)
{
    (void)file;
    (void)at;
    (void)n;
    *ret = NULL;
    return SQLITE_OK;
}

static int vfs_unfetch(sqlite3_file *file, sqlite3_int64 at, void *page)
{
    (void)file;
    (void)at;
    (void)page;
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    3,           vfs_close,   vfs_read,     vfs_write,       vfs_truncate,  vfs_sync,
    vfs_size,    vfs_lock,    vfs_lock,     vfs_check,       vfs_control,   vfs_sector,
    vfs_device,  vfs_shm_map, vfs_shm_lock, vfs_shm_barrier, vfs_shm_unmap, vfs_fetch,
    vfs_unfetch,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
    struct vfs_file *f = (struct vfs_file *)file;
    (void)vfs;
    f->base.pMethods = NULL;
    if (power.dead)
        return SQLITE_CANTOPEN;
    CHECK(name != NULL); /* temporary files are in memory */
    f->f = find(name, flags & SQLITE_OPEN_CREATE);
    if (f->f == NULL)
        return SQLITE_CANTOPEN;
    f->base.pMethods = &methods;
    if (ret != NULL)
        *ret = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct power_file *f = find(name, false);
    (void)vfs;
    (void)sync;
    if (event())
        return SQLITE_IOERR_DELETE;
    if (f == NULL)
        return SQLITE_IOERR_DELETE_NOENT;
    file_free(f);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs;
    (void)flags;
    *ret = find(name, false) != NULL;
    return SQLITE_OK;
}

static int vfs_full(sqlite3_vfs *vfs, const char *name, int n, char *ret)
{
    (void)vfs;
    snprintf(ret, (size_t)n, "%s", name);
    return SQLITE_OK;
}

void power_register(void)
{
    static sqlite3_vfs vfs;
    vfs = *sqlite3_vfs_find(NULL);
    vfs.zName = "power";
    vfs.szOsFile = sizeof(struct vfs_file);
    vfs.mxPathname = PATH_MAX_LEN;
    vfs.pNext = NULL;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full;
    CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}
