#include "core/file_copy.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    COPY_DEPTH_MAX = 64,
    COPY_PATH_MAX = 1024,
    COPY_PIECE = 1 << 30,
    COPY_TRIES = 50,
    COPY_TICK_NS = 30 * 1000 * 1000, /* times of files are no finer than a tick of the kernel */
    COPY_LOG_HEADER = 32
};

static int copy_bytes(int in, int out)
{
    char piece[65536];
    ssize_t n;
    while ((n = copy_file_range(in, NULL, out, NULL, COPY_PIECE, 0)) > 0)
        ;
    if (n == 0)
        return 0;
    if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
        return -errno;
    while ((n = read(in, piece, sizeof(piece))) > 0) {
        int r = file_write_all(out, slice_from(piece, (size_t)n));
        if (r < 0)
            return r;
    }
    return n < 0 ? -errno : 0;
}

int file_copy(int from_dir, const char *from, int to_dir, const char *to)
{
    struct stat st;
    AUTO(fd_release) int in = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || fstat(in, &st) < 0)
        return -errno;
    AUTO(fd_release) int out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return -errno;
    int r = copy_bytes(in, out);
    if (r < 0)
        return r;
    if (fchown(out, st.st_uid, st.st_gid) < 0 && errno != EPERM && errno != EINVAL)
        return -errno;
    return fchmod(out, st.st_mode & 0777) < 0 ? -errno : 0;
}

/* --- databases --- */

/* Whether anything but appending to the log happened: the file's change, and the log's header, which a new log replaces. */
struct copy_state {
    struct timespec changed;
    off_t size;
    char log[COPY_LOG_HEADER];
};

static int copy_look(int dir, const char *name, const char *log, struct copy_state *ret)
{
    struct stat st;
    *ret = (struct copy_state){0};
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    ret->changed = st.st_mtim;
    ret->size = st.st_size;
    AUTO(fd_release) int fd = openat(dir, log, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && pread(fd, ret->log, sizeof(ret->log), 0) < 0)
        return -errno;
    return 0;
}

/* A change right before the look could be followed by one with the same time. */
static void copy_wait_a_tick(const struct copy_state *s)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age =
        (int64_t)(now.tv_sec - s->changed.tv_sec) * 1000000000 + (now.tv_nsec - s->changed.tv_nsec);
    if (age >= 0 && age < COPY_TICK_NS)
        nanosleep(&(struct timespec){.tv_nsec = COPY_TICK_NS}, NULL);
}

static int copy_pair(int from_dir, const char *name, const char *log, int to_dir)
{
    (void)unlinkat(to_dir, name, 0); /* of the try before */
    (void)unlinkat(to_dir, log, 0);
    int r = file_copy(from_dir, name, to_dir, name);
    if (r < 0)
        return r;
    r = file_copy(from_dir, log, to_dir, log);
    return r == -ENOENT ? 0 : r;
}

int file_copy_database(int from_dir, const char *name, int to_dir)
{
    char log[COPY_PATH_MAX];
    struct copy_state before, after;
    snprintf(log, sizeof(log), "%s-wal", name);
    for (int i = 0; i < COPY_TRIES; i++) {
        int r = copy_look(from_dir, name, log, &before);
        if (r < 0)
            return r;
        copy_wait_a_tick(&before);
        r = copy_pair(from_dir, name, log, to_dir);
        if (r == 0)
            r = copy_look(from_dir, name, log, &after);
        if (r < 0)
            return r;
        if (memcmp(&before, &after, sizeof(before)) == 0)
            return 0;
    }
    return -EAGAIN;
}

static bool copy_ends(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n >= k && strcmp(name + n - k, end) == 0;
}

int file_copy_store_file(int from_dir, const char *name, int to_dir, const char *path, bool link)
{
    static const char *const left[] = {"-wal", "-shm", ".new"};
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        if (copy_ends(name, left[i]))
            return 0;
    }
    if (copy_ends(name, ".sqlite"))
        return file_copy_database(from_dir, name, to_dir);
    bool fixed = strncmp(path, "blobs/", 6) == 0 || copy_ends(name, ".base");
    if (link && fixed && linkat(from_dir, name, to_dir, name, 0) == 0)
        return 0;
    return file_copy(from_dir, name, to_dir, name);
}

/* --- trees --- */

static void copy_dir_release(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

struct copy_walk {
    const struct file_tree *tree;
    char path[COPY_PATH_MAX]; /* of what is being looked at; empty at the top */
    unsigned depth;
};

static int copy_dir(struct copy_walk *w, int from_dir, const char *from, int to_dir,
                    const char *to);

static bool copy_skips(const struct copy_walk *w)
{
    for (const char *const *s = w->tree->skip; s != NULL && *s != NULL; s++) {
        if (strcmp(*s, w->path) == 0)
            return true;
    }
    return false;
}

static int copy_entry(struct copy_walk *w, int from_dir, const char *name, int to_dir)
{
    struct stat st;
    if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (copy_skips(w))
        return 0;
    int r = 0;
    if (S_ISDIR(st.st_mode))
        r = copy_dir(w, from_dir, name, to_dir, name);
    else if (S_ISREG(st.st_mode))
        r = w->tree->one(w->tree->arg, from_dir, name, to_dir, w->path);
    return r == -ENOENT ? 0 : r;
}

static int copy_content(struct copy_walk *w, DIR *dir, int to)
{
    size_t length = strlen(w->path);
    struct dirent *e;
    int r = 0;
    while (r == 0 && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int n = snprintf(w->path + length, sizeof(w->path) - length, "%s%s", length > 0 ? "/" : "",
                         e->d_name);
        r = (size_t)n >= sizeof(w->path) - length ? -ENAMETOOLONG
                                                  : copy_entry(w, dirfd(dir), e->d_name, to);
        w->path[length] = 0;
    }
    return r;
}

static int copy_dir(struct copy_walk *w, int from_dir, const char *from, int to_dir, const char *to)
{
    struct stat st;
    if (++w->depth > COPY_DEPTH_MAX)
        return -E2BIG;
    int in = openat(from_dir, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return -errno;
    AUTO(copy_dir_release) DIR *dir = fdopendir(in);
    if (dir == NULL || fstat(in, &st) < 0)
        return -errno;
    if (mkdirat(to_dir, to, 0700) < 0 && errno != EEXIST)
        return -errno;
    AUTO(fd_release) int out = openat(to_dir, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out < 0)
        return -errno;
    if ((fchown(out, st.st_uid, st.st_gid) < 0 && errno != EPERM && errno != EINVAL) ||
        fchmod(out, st.st_mode & 0777) < 0)
        return -errno;
    int r = copy_content(w, dir, out);
    w->depth--;
    return r;
}

int file_copy_tree(int from_dir, const char *from, int to_dir, const char *to,
                   const struct file_tree *tree)
{
    struct copy_walk w = {.tree = tree};
    return copy_dir(&w, from_dir, from, to_dir, to);
}
