#include "store/blob.h"

#include "core/file.h"
#include "core/id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOB_FILE_MAX = BLOB_PATH_MAX + 64, BLOB_WRITE_BACK = 8 * 1024 * 1024 };

static void blob_spool_path(char *buf, const char *dir, const char *id)
{
    snprintf(buf, BLOB_FILE_MAX, "%s/spool/%s", dir, id);
}

static void blob_final_path(char *buf, const char *dir, const char *id)
{
    snprintf(buf, BLOB_FILE_MAX, "%s/blobs/%.2s/%s", dir, id, id);
}

static int blob_make_dir(const char *dir, const char *name)
{
    char path[BLOB_FILE_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return -errno;
    return chmod(path, 0755) < 0 ? -errno : 0; /* whatever the umask says */
}

int blob_make(const char *dir)
{
    int r = blob_make_dir(dir, "spool");
    if (r < 0)
        return r;
    r = blob_make_dir(dir, "blobs");
    for (unsigned i = 0; i < 256 && r == 0; i++) {
        char name[16];
        snprintf(name, sizeof(name), "blobs/%02x", i);
        r = blob_make_dir(dir, name);
    }
    return r;
}

/* Locked and still named: blob_recover() may have come between opening and locking. */
static bool blob_owned(int fd)
{
    struct stat st;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int blob_spool(const char *dir, char id[BLOB_ID_SIZE])
{
    char path[BLOB_FILE_MAX];
    for (;;) {
        id_hex(id);
        blob_spool_path(path, dir, id);
        AUTO(fd_release) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
            return -errno;
        if (blob_owned(fd))
            return TAKE_FD(fd);
    }
}

/* Is somebody writing it? Then its lock is held; a process that has died holds none. */
static bool blob_written(const char *dir, const char *id)
{
    char path[BLOB_FILE_MAX];
    blob_spool_path(path, dir, id);
    AUTO(fd_release) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

int blob_link(const char *from, const char *id, const char *to, char ret_id[BLOB_ID_SIZE])
{
    char old[BLOB_FILE_MAX], new[BLOB_FILE_MAX];
    id_hex(ret_id);
    blob_spool_path(new, to, ret_id);
    for (int look = 0; look < 3; look++) { /* as in blob_open() */
        if (look == 1)
            blob_spool_path(old, from, id);
        else
            blob_final_path(old, from, id);
        if (link(old, new) == 0)
            return 0;
        if (errno != ENOENT)
            return -errno;
    }
    return -ENOENT;
}

int blob_sync_content(int fd)
{
    return fsync(fd) < 0 ? -errno : 0;
}

void blob_write_back(int fd, uint64_t from, uint64_t end)
{
    uint64_t begin = from / BLOB_WRITE_BACK * BLOB_WRITE_BACK;
    uint64_t until = end / BLOB_WRITE_BACK * BLOB_WRITE_BACK;
    if (until > begin) /* a hint: its failure is the sync's to tell */
        (void)sync_file_range(fd, (off_t)begin, (off_t)(until - begin), SYNC_FILE_RANGE_WRITE);
}

int blob_sync_names(const char *dir)
{
    char path[BLOB_FILE_MAX];
    snprintf(path, sizeof(path), "%s/spool", dir);
    return file_sync_dir(AT_FDCWD, path);
}

int blob_settle(const char *dir, const char *id)
{
    char from[BLOB_FILE_MAX], to[BLOB_FILE_MAX];
    blob_spool_path(from, dir, id);
    blob_final_path(to, dir, id);
    return rename(from, to) < 0 ? -errno : 0;
}

int blob_open(const char *dir, const char *id)
{
    char path[BLOB_FILE_MAX];
    /* It may be moving from the spool to its place between two looks. */
    for (int look = 0; look < 3; look++) {
        if (look == 1)
            blob_spool_path(path, dir, id);
        else
            blob_final_path(path, dir, id);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0)
            return fd;
        if (errno != ENOENT)
            return -errno;
    }
    return -ENOENT;
}

int blob_remove(const char *dir, const char *id)
{
    char path[BLOB_FILE_MAX];
    blob_final_path(path, dir, id);
    if (unlink(path) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    blob_spool_path(path, dir, id);
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static void blob_dir_release(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

int blob_recover(const char *dir, bool (*known)(void *arg, const char *id), void *arg)
{
    char path[BLOB_FILE_MAX];
    snprintf(path, sizeof(path), "%s/spool", dir);
    AUTO(blob_dir_release) DIR *spool = opendir(path);
    if (spool == NULL)
        return errno == ENOENT ? 0 : -errno;
    int n = 0;
    struct dirent *entry;
    while ((entry = readdir(spool)) != NULL) {
        if (!id_is_hex(slice_of(entry->d_name), BLOB_ID_SIZE - 1))
            continue;
        if (blob_written(dir, entry->d_name))
            continue;
        int r = known(arg, entry->d_name) ? blob_settle(dir, entry->d_name)
                                          : blob_remove(dir, entry->d_name);
        if (r < 0)
            return r;
        n++;
    }
    return n;
}
