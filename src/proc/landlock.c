/*
 * Rules stand on "/" and "/g" and not on single mounts: what is mounted into a warm isolate later is covered by a
 * rule on a directory above the mount point, never by one on the mount point itself. Which files exist at
 * all is the mount namespace's business; Landlock says what may be done with them.
 */
#include "proc/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers stop at version 2, so the numbers of the interface stand here. */
enum {
    LANDLOCK_VERSION_FLAG = 1,
    LANDLOCK_BENEATH = 1,
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    NET_ALL = 3,  /* bind, connect */
    SCOPE_ALL = 3 /* abstract sockets, signals */
};

struct ruleset {
    uint64_t fs, net, scoped;
};

struct beneath {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

int landlock_version(void)
{
    long r = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
    return r < 0 ? 0 : (int)r;
}

static uint64_t landlock_fs_known(int version)
{
    unsigned bits = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
    return (1ULL << bits) - 1;
}

static int landlock_create(int version, bool network)
{
    struct ruleset set = {.fs = landlock_fs_known(version)};
    size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    if (version >= 4 && !network)
        set.net = NET_ALL;
    if (version >= 6)
        set.scoped = SCOPE_ALL;
    long fd = syscall(SYS_landlock_create_ruleset, &set, size, 0);
    return fd < 0 ? -errno : (int)fd;
}

static int landlock_allow(int ruleset, const char *path, uint64_t access)
{
    AUTO(fd_release) int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    struct beneath rule = {.access = access, .fd = dir};
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_BENEATH, &rule, 0) < 0)
        return -errno;
    return 0;
}

int landlock_enter(const struct landlock_rules *rules, struct err *err)
{
    int version = landlock_version();
    if (version == 0)
        return 0;
    uint64_t known = landlock_fs_known(version);
    uint64_t reads = FS_READ_FILE | FS_READ_DIR;
    uint64_t writes = reads | FS_WRITE_FILE;
    if (rules->makes_files)
        writes |=
            FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE;
    AUTO(fd_release) int ruleset = landlock_create(version, rules->network);
    if (ruleset < 0)
        return err_set(err, ruleset, 0, "cannot make a Landlock ruleset (error %d)", -ruleset);
    int r = landlock_allow(ruleset, "/", reads);
    if (r == 0)
        r = landlock_allow(ruleset, rules->writes_below, writes & known);
    if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        r = -errno;
    return r < 0 ? err_set(err, r, 0, "cannot enter Landlock (error %d)", -r) : 0;
}
