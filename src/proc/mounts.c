#include "proc/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOUNT_PATH_MAX = 512 };

/* <sys/mount.h> and <linux/mount.h> cannot be included together before glibc 2.37. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);

static int mount_set(int fd, const char *path, unsigned flags, uint64_t attributes)
{
    struct mount_attr attr = {.attr_set = attributes};
    long r = syscall(SYS_mount_setattr, fd, path, flags, &attr, sizeof(attr));
    return r < 0 ? -errno : 0;
}

/* A tree with mounts below it that this user namespace may not uncover is only given whole (EINVAL). */
static int mount_clone(int dir_fd, const char *path, unsigned *ret_flags)
{
    *ret_flags = AT_EMPTY_PATH;
    long fd = syscall(SYS_open_tree, dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0 && errno == EINVAL) {
        *ret_flags |= AT_RECURSIVE;
        fd = syscall(SYS_open_tree, dir_fd, path,
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    }
    return fd < 0 ? -errno : (int)fd;
}

int mount_tree_open(int dir_fd, const char *path, enum mount_access access)
{
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    if (access != MOUNT_DEVICE)
        attributes |= MOUNT_ATTR_NODEV;
    if (access != MOUNT_WRITE)
        attributes |= MOUNT_ATTR_RDONLY;
    unsigned flags;
    AUTO(fd_release) int fd = mount_clone(dir_fd, path, &flags);
    if (fd < 0)
        return fd;
    int r = mount_set(fd, "", flags, attributes);
    return r < 0 ? r : TAKE_FD(fd);
}

static int mount_make_parents(const char *target)
{
    char path[MOUNT_PATH_MAX];
    size_t len = strlen(target);
    if (len >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, target, len + 1);
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -errno;
        *at = '/';
    }
    return 0;
}

static int mount_make_point(int tree_fd, const char *target)
{
    struct stat st;
    if (fstat(tree_fd, &st) < 0)
        return -errno;
    int r = mount_make_parents(target);
    if (r < 0)
        return r;
    if (S_ISDIR(st.st_mode))
        return mkdir(target, 0755) < 0 && errno != EEXIST ? -errno : 0;
    AUTO(fd_release) int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : 0;
}

int mount_tree_move(int tree_fd, const char *target)
{
    long r = syscall(SYS_move_mount, tree_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? -errno : 0;
}

int mount_tree_attach(int tree_fd, const char *target)
{
    int r = mount_make_point(tree_fd, target);
    return r < 0 ? r : mount_tree_move(tree_fd, target);
}

int mount_small_tmpfs(const char *target)
{
    enum { NOSUID = 2, NODEV = 4, NOEXEC = 8 };
    int r =
        mount("tmpfs", target, "tmpfs", NOSUID | NODEV | NOEXEC, "size=64k,nr_inodes=128,mode=755");
    return r < 0 ? -errno : 0;
}

int mount_make_read_only(const char *path)
{
    return mount_set(AT_FDCWD, path, 0,
                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}
