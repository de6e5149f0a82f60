/*
 * Entering the sandbox, step by step.
 *
 * As root the process has what it needs and gives it up; as an ordinary user it first becomes the master
 * of a user namespace of its own. Sources are cloned as detached mounts while they can still be named;
 * then a small tmpfs becomes the root, they are attached to it, and everything else is gone. Never chroot:
 * it can be left, and user namespaces are refused inside.
 */
#include "proc/sandbox.h"

#include "proc/landlock.h"
#include "proc/mounts.h"
#include "proc/seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SANDBOX_THREADS_MAX = 64, SANDBOX_CAP_VERSION = 0x20080522 };

void sandbox_mount_add(struct sandbox *s, const char *source, const char *target,
                       enum sandbox_access access)
{
    CHECK(s->n_mounts < SANDBOX_MOUNTS_MAX);
    CHECK(strlen(source) < SANDBOX_PATH_MAX && strlen(target) < SANDBOX_PATH_MAX);
    CHECK(target[0] == '/');
    struct sandbox_mount *m = &s->mounts[s->n_mounts++];
    memcpy(m->source, source, strlen(source) + 1);
    memcpy(m->target, target, strlen(target) + 1);
    m->access = access;
}

/* --- namespaces --- */

static int sandbox_write_text(const char *path, const char *text)
{
    AUTO(fd_release) int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* The own number, mapped to itself: needs no helper program. */
static int sandbox_map_ids(uid_t uid, gid_t gid)
{
    char text[64];
    int r = sandbox_write_text("/proc/self/setgroups", "deny");
    if (r < 0 && r != -ENOENT)
        return r;
    snprintf(text, sizeof(text), "%u %u 1", uid, uid);
    r = sandbox_write_text("/proc/self/uid_map", text);
    if (r < 0)
        return r;
    snprintf(text, sizeof(text), "%u %u 1", gid, gid);
    return sandbox_write_text("/proc/self/gid_map", text);
}

/* Root that may mount needs no user namespace: a number of its own and no capabilities say more. */
static int sandbox_unshare(int flags)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0 && unshare(flags) == 0)
        return 0;
    if (unshare(flags | CLONE_NEWUSER) < 0)
        return -errno;
    return sandbox_map_ids(uid, gid);
}

static int sandbox_refused(int r, struct err *err)
{
    return err_set(
        err, r, 0,
        "the kernel refuses namespaces (%s). Selvedge needs root, or user namespaces for "
        "ordinary users: check the sysctls user.max_user_namespaces, "
        "kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns; "
        "in a container allow CAP_SYS_ADMIN or unshare(2)",
        strerror(-r));
}

static int sandbox_private_mounts(void)
{
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

static int sandbox_namespaces(const struct sandbox *s, struct err *err)
{
    int flags = CLONE_NEWNS;
    if (!s->template_child)
        flags |= CLONE_NEWIPC | CLONE_NEWUTS | (s->network ? 0 : CLONE_NEWNET);
    int r = sandbox_unshare(flags);
    if (r == 0)
        r = sandbox_private_mounts();
    return r < 0 ? sandbox_refused(r, err) : 0;
}

int sandbox_template_enter(struct err *err)
{
    int r = sandbox_unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
    if (r == 0)
        r = sandbox_private_mounts();
    return r < 0 ? sandbox_refused(r, err) : 0;
}

/* --- the file system --- */

static const enum mount_access sandbox_mount_access[] = {
    [SANDBOX_READ] = MOUNT_READ, [SANDBOX_WRITE] = MOUNT_WRITE, [SANDBOX_DEVICE] = MOUNT_DEVICE};

static int sandbox_open_trees(const struct sandbox *s, int *trees, struct err *err)
{
    for (unsigned i = 0; i < s->n_mounts; i++) {
        const struct sandbox_mount *m = &s->mounts[i];
        trees[i] = mount_tree_open(AT_FDCWD, m->source, sandbox_mount_access[m->access]);
        if (trees[i] < 0)
            return err_set(err, trees[i], 0, "cannot show %s to the sandbox: %s", m->source,
                           strerror(-trees[i]));
    }
    return 0;
}

static int sandbox_attach_trees(const struct sandbox *s, int *trees, struct err *err)
{
    for (unsigned i = 0; i < s->n_mounts; i++) {
        int r = mount_tree_attach(trees[i], s->mounts[i].target + 1);
        if (r < 0)
            return err_set(err, r, 0, "cannot mount %s in the sandbox: %s", s->mounts[i].target,
                           strerror(-r));
        fd_release(&trees[i]);
    }
    return 0;
}

/* Any directory that exists will do: it is covered, not changed. */
static int sandbox_new_root(void)
{
    static const char *const places[] = {"/tmp", "/proc", "/mnt", "/sys"};
    int r = -ENOENT;
    for (size_t i = 0; i < ARRAY_LEN(places) && r < 0; i++) {
        r = mount_small_tmpfs(places[i]);
        if (r == 0 && chdir(places[i]) < 0)
            r = -errno;
    }
    return r;
}

static int sandbox_make_late_place(void)
{
    if (mkdir("g", 0755) < 0)
        return -errno;
    return mount_small_tmpfs("g");
}

static int sandbox_pivot(void)
{
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    return mount_make_read_only("/");
}

static int sandbox_files(const struct sandbox *s, struct err *err)
{
    int trees[SANDBOX_MOUNTS_MAX];
    int r = sandbox_open_trees(s, trees, err);
    if (r < 0)
        return r;
    r = sandbox_new_root();
    if (r == 0 && s->profile == SANDBOX_ISOLATE)
        r = sandbox_make_late_place();
    if (r < 0)
        return err_set(err, r, 0, "cannot make the sandbox's root: %s", strerror(-r));
    r = sandbox_attach_trees(s, trees, err);
    if (r < 0)
        return r;
    r = sandbox_pivot();
    return r < 0 ? err_set(err, r, 0, "cannot enter the sandbox's root: %s", strerror(-r)) : 0;
}

/* --- rights --- */

static int sandbox_limit(int resource, uint64_t n)
{
    struct rlimit limit = {.rlim_cur = n, .rlim_max = n};
    return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

static int sandbox_limits(const struct sandbox *s)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return -errno;
    int r = sandbox_limit(RLIMIT_CORE, 0);
    if (r == 0 && s->n_files > 0)
        r = sandbox_limit(RLIMIT_NOFILE, MIN((uint64_t)s->n_files, (uint64_t)files.rlim_max));
    if (r == 0 && s->file_size_max > 0)
        r = sandbox_limit(RLIMIT_FSIZE, s->file_size_max);
    /* Counted per number as root and per user namespace otherwise: this process alone. */
    if (r == 0 && s->profile == SANDBOX_ISOLATE)
        r = sandbox_limit(RLIMIT_NPROC, SANDBOX_THREADS_MAX);
    return r;
}

static int sandbox_become(uint32_t uid)
{
    if (uid == 0 || geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    return 0;
}

static int sandbox_drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = SANDBOX_CAP_VERSION};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static int sandbox_rights(const struct sandbox *s)
{
    for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
        continue;
    int r = sandbox_become(s->uid);
    if (r == 0)
        r = sandbox_drop_capabilities();
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    /* Entering the namespaces of a warm isolate needs the right to look at it. */
    if (geteuid() != 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

static bool sandbox_is_single_threaded(void)
{
    struct stat st;
    return stat("/proc/self/task", &st) < 0 || st.st_nlink == 3;
}

int sandbox_enter(const struct sandbox *s, struct err *err)
{
    CHECK(sandbox_is_single_threaded());
    int r = seccomp_filter_prepare(s->profile, err);
    if (r == 0)
        r = sandbox_namespaces(s, err);
    if (r == 0)
        r = sandbox_files(s, err);
    if (r < 0)
        return r;
    r = sandbox_limits(s);
    if (r == 0)
        r = sandbox_rights(s);
    if (r < 0)
        return err_set(err, r, 0, "cannot give up rights: %s", strerror(-r));
    bool isolate = s->profile == SANDBOX_ISOLATE;
    const struct landlock_rules rules = {
        .writes_below = isolate ? "/g" : "/", .makes_files = true, .network = s->network};
    r = landlock_enter(&rules, err);
    if (r == 0)
        r = seccomp_filter_load(s->profile, err);
    return r < 0 ? r : 1;
}

/* --- probing --- */

static int sandbox_probe_child(void)
{
    struct sandbox s = {.profile = SANDBOX_ISOLATE, .n_files = 64};
    struct err err;
    sandbox_mount_add(&s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
    return sandbox_enter(&s, &err) < 0 ? 1 : 0;
}

int sandbox_probe(struct err *text)
{
    pid_t pid = fork();
    int status = 1;
    if (pid == 0)
        _exit(sandbox_probe_child());
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 1;
    (void)sandbox_refused(-EPERM, text);
    return landlock_version() > 0 ? 2 : 3;
}
