/*
 * Both versions behind the same calls: a constant table says which file of which hierarchy means what.
 */
#include "proc/cgroup.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CGROUP_PATH_MAX = 512,
    CGROUP_FILE_MAX = 4096,
    CGROUP_HIERARCHIES = 2,
    CGROUP_REMOVE_TRIES = 50,
    CGROUP_REMOVE_WAIT_US = 2000
};

struct cgroup {
    bool v2;
    /* v2: [0] only. v1: memory, pids. -1 = not there. */
    int dirs[CGROUP_HIERARCHIES]; /* owned */
    char paths[CGROUP_HIERARCHIES][CGROUP_PATH_MAX];
    char text[CGROUP_PATH_MAX + 64];
};

static int cgroup_write(int dir, const char *group, const char *file, const char *text)
{
    char path[CGROUP_PATH_MAX];
    snprintf(path, sizeof(path), "%s%s%s", group, group[0] == '\0' ? "" : "/", file);
    AUTO(fd_release) int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* The number behind `key` in a file of lines "key number". */
static uint64_t cgroup_read_key(int dir, const char *group, const char *file, struct slice key)
{
    char path[CGROUP_PATH_MAX];
    AUTO(buf_done) struct buf text = {0};
    uint64_t n;
    snprintf(path, sizeof(path), "%s/%s", group, file);
    if (file_read(dir, path, CGROUP_FILE_MAX, &text) < 0)
        return 0;
    for (struct slice rest = buf_slice(&text); rest.len > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&line, ' ');
        if (slice_eq(name, key) && slice_to_u64(line, &n) == 0)
            return n;
    }
    return 0;
}

/* --- finding a place --- */

/* Where this process stands in a hierarchy: the line "N:controllers:path" of /proc/self/cgroup. */
static int cgroup_own_path(struct slice controller, char *ret, size_t size)
{
    AUTO(buf_done) struct buf text = {0};
    int r = file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text);
    if (r < 0)
        return r;
    for (struct slice rest = buf_slice(&text); rest.len > 0;) {
        struct slice path = slice_cut(&rest, '\n');
        (void)slice_cut(&path, ':');
        struct slice names = slice_cut(&path, ':');
        if (controller.len == 0 && names.len == 0)
            return slice_to_cstr(path, ret, size);
        while (names.len > 0) {
            if (controller.len > 0 && slice_eq(slice_cut(&names, ','), controller))
                return slice_to_cstr(path, ret, size);
        }
    }
    return -ENOENT;
}

/* Removes a group and those in it. The processes in them are dead or dying: the kernel needs a moment. */
static void cgroup_remove_all(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL)
        return fd_release(&fd);
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        for (int i = 0;
             i < CGROUP_REMOVE_TRIES && unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0 && errno == EBUSY;
             i++)
            usleep(CGROUP_REMOVE_WAIT_US);
    }
    closedir(list);
    unlinkat(dir, name, AT_REMOVEDIR);
}

/* What servers left that were killed themselves. */
static void cgroup_sweep(const char *path)
{
    int pid;
    DIR *list = opendir(path);
    if (list == NULL)
        return;
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        if (sscanf(e->d_name, "selvedge-%d", &pid) == 1 && kill(pid, 0) < 0 && errno == ESRCH)
            cgroup_remove_all(dirfd(list), e->d_name);
    }
    closedir(list);
}

static int cgroup_make_parent(struct cgroup *cg, unsigned i, const char *mount, const char *own)
{
    char above[CGROUP_PATH_MAX];
    snprintf(above, sizeof(above), "%s%s", mount, strcmp(own, "/") == 0 ? "" : own);
    cgroup_sweep(above);
    int n = snprintf(cg->paths[i], CGROUP_PATH_MAX, "%s%s/selvedge-%d", mount,
                     strcmp(own, "/") == 0 ? "" : own, (int)getpid());
    if (n < 0 || n >= CGROUP_PATH_MAX)
        return -ENAMETOOLONG;
    if (mkdir(cg->paths[i], 0755) < 0 && errno != EEXIST)
        return -errno;
    cg->dirs[i] = open(cg->paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return cg->dirs[i] < 0 ? -errno : 0;
}

/* Processes may not stand beside children with controllers: ours moves into a leaf where they do. */
static int cgroup_enable_v2(int dir)
{
    char pid[32];
    int r = cgroup_write(dir, "", "cgroup.subtree_control", "+memory +pids");
    if (r != -EBUSY)
        return r;
    if (mkdirat(dir, "selvedge-main", 0755) < 0 && errno != EEXIST)
        return -errno;
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    r = cgroup_write(dir, "selvedge-main", "cgroup.procs", pid);
    return r < 0 ? r : cgroup_write(dir, "", "cgroup.subtree_control", "+memory +pids");
}

static int cgroup_open_v2(struct cgroup *cg)
{
    char own[CGROUP_PATH_MAX], base[2 * CGROUP_PATH_MAX];
    static const char mount[] = "/sys/fs/cgroup";
    if (access("/sys/fs/cgroup/cgroup.controllers", R_OK) < 0)
        return -ENOENT;
    int r = cgroup_own_path(SLICE_NONE, own, sizeof(own));
    if (r < 0)
        return r;
    cg->v2 = true;
    snprintf(base, sizeof(base), "%s%s", mount, own);
    AUTO(fd_release) int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    r = cgroup_enable_v2(dir);
    if (r == 0)
        r = cgroup_make_parent(cg, 0, mount, own);
    return r < 0 ? r : cgroup_write(cg->dirs[0], "", "cgroup.subtree_control", "+memory +pids");
}

static int cgroup_open_v1(struct cgroup *cg)
{
    static const struct {
        struct slice controller;
        const char *mount;
    } rows[CGROUP_HIERARCHIES] = {{{"memory", 6}, "/sys/fs/cgroup/memory"},
                                  {{"pids", 4}, "/sys/fs/cgroup/pids"}};
    for (unsigned i = 0; i < CGROUP_HIERARCHIES; i++) {
        char own[CGROUP_PATH_MAX];
        int r = cgroup_own_path(rows[i].controller, own, sizeof(own));
        if (r == 0)
            r = cgroup_make_parent(cg, i, rows[i].mount, own);
        /* In a container the path is the host's, while the mount shows the own group as its root. */
        if (r < 0)
            r = cgroup_make_parent(cg, i, rows[i].mount, "/");
        if (r < 0 && i == 0)
            return r;
    }
    return 0;
}

int cgroup_open(struct cgroup **ret, struct err *text)
{
    struct cgroup *cg = mem_new(sizeof(*cg));
    cg->dirs[0] = cg->dirs[1] = -1;
    int r = cgroup_open_v2(cg);
    if (r < 0) {
        cg->v2 = false;
        fd_release(&cg->dirs[0]);
        r = cgroup_open_v1(cg);
    }
    if (r < 0) {
        cgroup_close(cg);
        return err_set(text, r, 0,
                       "no writable control group (error %d); memory is watched by polling", -r);
    }
    snprintf(cg->text, sizeof(cg->text), "version %d, %s", cg->v2 ? 2 : 1, cg->paths[0]);
    *ret = cg;
    return 0;
}

void cgroup_close(struct cgroup *cg)
{
    if (cg == NULL)
        return;
    for (unsigned i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (cg->dirs[i] >= 0)
            cgroup_remove_all(AT_FDCWD, cg->paths[i]);
        fd_release(&cg->dirs[i]);
    }
    free(cg);
}

const char *cgroup_describe(const struct cgroup *cg)
{
    return cg->text;
}

/* --- groups --- */

int cgroup_add(struct cgroup *cg, const char *name, pid_t pid)
{
    char text[32], most[32];
    snprintf(text, sizeof(text), "%d", (int)pid);
    snprintf(most, sizeof(most), "%d", CGROUP_PIDS_MAX);
    for (unsigned i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (cg->dirs[i] < 0)
            continue;
        if (mkdirat(cg->dirs[i], name, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (cg->v2 || i == 1)
            (void)cgroup_write(cg->dirs[i], name, "pids.max", most); /* rlimits say it as well */
        int r = cgroup_write(cg->dirs[i], name, "cgroup.procs", text);
        if (r < 0)
            return r;
    }
    return 0;
}

int cgroup_limit_memory(struct cgroup *cg, const char *name, uint64_t bytes)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, bytes);
    if (!cg->v2) {
        int r = cgroup_write(cg->dirs[0], name, "memory.limit_in_bytes", text);
        /* Absent where the kernel does not account swap. */
        (void)cgroup_write(cg->dirs[0], name, "memory.memsw.limit_in_bytes", text);
        return r;
    }
    (void)cgroup_write(cg->dirs[0], name, "memory.swap.max", "0");
    (void)cgroup_write(cg->dirs[0], name, "memory.oom.group", "1");
    return cgroup_write(cg->dirs[0], name, "memory.max", text);
}

uint64_t cgroup_oom_kills(struct cgroup *cg, const char *name)
{
    const char *file = cg->v2 ? "memory.events" : "memory.oom_control";
    return cgroup_read_key(cg->dirs[0], name, file, SLICE("oom_kill"));
}

void cgroup_remove(struct cgroup *cg, const char *name)
{
    for (unsigned i = 0; i < CGROUP_HIERARCHIES; i++) {
        if (cg->dirs[i] >= 0)
            unlinkat(cg->dirs[i], name, AT_REMOVEDIR);
    }
}
