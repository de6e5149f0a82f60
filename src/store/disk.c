#include "store/disk.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int disk_open(const char *path, bool create, mode_t mode)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 || errno != ENOENT || !create)
        return fd < 0 ? -errno : fd;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, mode) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static void disk_close(int fd)
{
    close(fd);
}

static int disk_read(int fd, void *buf, size_t n, int64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = pread(fd, (char *)buf + done, n - done, at + (int64_t)done);
        if (r < 0 && errno != EINTR)
            return -errno;
        if (r == 0) {
            memset((char *)buf + done, 0, n - done);
            return 0;
        }
        done += r > 0 ? (size_t)r : 0;
    }
    return 0;
}

static int disk_write(int fd, const void *buf, size_t n, int64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = pwrite(fd, (const char *)buf + done, n - done, at + (int64_t)done);
        if (r < 0 && errno != EINTR)
            return -errno;
        done += r > 0 ? (size_t)r : 0;
    }
    return 0;
}

static int64_t disk_size(int fd)
{
    struct stat st;
    return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

static int disk_truncate(int fd, int64_t size)
{
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

static int disk_sync(int fd)
{
    return fdatasync(fd) < 0 ? -errno : 0;
}

static int disk_sync_dir(const char *path)
{
    return file_sync_dir(AT_FDCWD, path);
}

static int disk_sync_all(const char *path)
{
    AUTO(fd_release) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return syncfs(fd) < 0 ? -errno : 0;
}

static int disk_replace(const char *path, struct slice content)
{
    return file_replace(AT_FDCWD, path, content, 0600);
}

static int disk_rename(const char *from, const char *to)
{
    return rename(from, to) < 0 ? -errno : 0;
}

static int disk_walk(const char *path, void (*visit)(void *arg, const char *path), void *arg)
{
    char *const roots[] = {(char *)path, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *entry;
    if (fts == NULL)
        return -errno;
    while ((entry = fts_read(fts)) != NULL) {
        if (entry->fts_info == FTS_F)
            visit(arg, entry->fts_path);
    }
    fts_close(fts);
    return 0;
}

const struct disk disk_system = {
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
