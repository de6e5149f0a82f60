/* Whole files: read, replace, make and remove directories. */
#include "core/file.h"

#include "core/id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_CHUNK = 64 * 1024, FILE_DEPTH_MAX = 256 };

static int file_open(int dir_fd, const char *path, int flags, mode_t mode)
{
    int fd;
    do {
        fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int file_read(int dir_fd, const char *path, size_t size_max, struct buf *ret)
{
    AUTO(fd_release) int fd = file_open(dir_fd, path, O_RDONLY, 0);
    if (fd < 0)
        return fd;

    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > size_max)
        return -E2BIG;

    /* The size is a hint only: files of /proc have none, others grow while we read. */
    AUTO(buf_done) struct buf content = {0};
    size_t chunk = st.st_size > 0 ? (size_t)st.st_size + 1 : FILE_CHUNK;
    for (;;) {
        ssize_t n = read(fd, buf_reserve(&content, chunk), chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        buf_added(&content, (size_t)n);
        if (buf_len(&content) > size_max)
            return -E2BIG;
        chunk = MIN(chunk, (size_t)FILE_CHUNK);
    }
    buf_append_slice(ret, buf_slice(&content));
    return 0;
}

int file_write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        content = slice_skip(content, (size_t)n);
    }
    return 0;
}

int file_sync_dir(int dir_fd, const char *path)
{
    const char *name = path[0] == '\0' ? "." : path;
    AUTO(fd_release) int fd = file_open(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    return fsync(fd) < 0 ? -errno : 0;
}

/* The directory part of path, "." when there is none. */
static int file_dir_of(const char *path, char *ret, size_t size)
{
    const char *end = strrchr(path, '/');
    if (end == NULL)
        return slice_to_cstr(SLICE("."), ret, size);
    size_t len = end == path ? 1 : (size_t)(end - path);
    return slice_to_cstr((struct slice){path, len}, ret, size);
}

static int file_write_new(int dir_fd, const char *path, struct slice content, mode_t mode)
{
    AUTO(fd_release) int fd = file_open(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd < 0)
        return fd;
    if (fchmod(fd, mode) < 0) /* past the umask */
        return -errno;
    int r = file_write_all(fd, content);
    if (r < 0)
        return r;
    return fsync(fd) < 0 ? -errno : 0;
}

int file_replace(int dir_fd, const char *path, struct slice content, mode_t mode)
{
    char temp[PATH_MAX], dir[PATH_MAX], id[ID_HEX_SIZE];
    int r = file_dir_of(path, dir, sizeof(dir));
    if (r < 0)
        return r;
    /* Not derived from the last name, which may already be as long as a name can be. */
    int n = snprintf(temp, sizeof(temp), "%s/.new-%s", dir, id_hex(id));
    if (n < 0 || (size_t)n >= sizeof(temp))
        return -E2BIG;

    r = file_write_new(dir_fd, temp, content, mode);
    if (r == 0 && renameat(dir_fd, temp, dir_fd, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dir_fd, temp, 0); /* may not exist; the first error counts */
        return r;
    }
    return file_sync_dir(dir_fd, dir);
}

static int file_make_dir(int dir_fd, const char *path, mode_t mode)
{
    if (mkdirat(dir_fd, path, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    struct stat st;
    if (fstatat(dir_fd, path, &st, 0) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_make_dirs(int dir_fd, const char *path, mode_t mode)
{
    char part[PATH_MAX];
    int r = slice_to_cstr(slice_of(path), part, sizeof(part));
    if (r < 0)
        return r;

    for (char *p = part + 1; part[0] != '\0' && *p != '\0'; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        r = file_make_dir(dir_fd, part, mode);
        *p = '/';
        if (r < 0)
            return r;
    }
    return file_make_dir(dir_fd, part, mode);
}

static void file_dir_release(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

static int file_remove(int dir_fd, const char *path, unsigned depth);

static int file_remove_content(int fd, unsigned depth)
{
    AUTO(file_dir_release) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int r = -errno;
        fd_release(&fd);
        return r;
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(dir);
        if (e == NULL)
            return -errno;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int r = file_remove(dirfd(dir), e->d_name, depth + 1);
        if (r < 0)
            return r;
    }
}

/* Symbolic links are removed, never followed. */
static int file_remove(int dir_fd, const char *path, unsigned depth)
{
    if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (depth >= FILE_DEPTH_MAX)
        return -E2BIG;

    int fd = file_open(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return fd;
    int r = file_remove_content(fd, depth);
    if (r < 0)
        return r;
    return unlinkat(dir_fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int file_remove_tree(int dir_fd, const char *path)
{
    return file_remove(dir_fd, path, 0);
}
