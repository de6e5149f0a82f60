/*
 * Attacks from native code inside a sealed isolate: every one fails or costs the process its life.
 *
 * Each runs in a child of its own, once as the user of the test and, when that is root, once more as an
 * ordinary user.
 */
#include "proc/grant.h"
#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "proc/syscall_hook.h"

#include "unit/unit.h"

#include "core/file.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { NOBODY = 65534, ISOLATE_UID = 200007, PASSED = 0, SKIPPED = 77 };

enum verdict { KILLED, FAILS, EXACTLY };

struct attack {
    const char *name;
    long number;
    long args[SYSCALL_HOOK_ARGS];
    enum verdict verdict;
    int error; /* for EXACTLY */
};

#define PATH(text) (long)(text)
static char buffer[4096];

static const struct attack attacks[] = {
    {"open /etc/passwd", SYS_openat, {AT_FDCWD, PATH("/etc/passwd"), O_RDONLY}, EXACTLY, ENOENT},
    {"open ../../etc/passwd", SYS_open, {PATH("/../../etc/passwd"), O_RDONLY}, EXACTLY, ENOENT},
    {"open /proc", SYS_open, {PATH("/proc"), O_RDONLY}, EXACTLY, ENOENT},
    {"open /proc/self/mem", SYS_open, {PATH("/proc/self/mem"), O_RDWR}, EXACTLY, ENOENT},
    {"open /proc/1/environ", SYS_open, {PATH("/proc/1/environ"), O_RDONLY}, EXACTLY, ENOENT},
    {"open /sys", SYS_open, {PATH("/sys"), O_RDONLY}, EXACTLY, ENOENT},
    {"make a file in /", SYS_open, {PATH("/x"), O_WRONLY | O_CREAT, 0600}, FAILS, 0},
    {"raise RLIMIT_NOFILE",
     SYS_prlimit64,
     {0, 7, PATH("\xff\xff\xff\x0f\0\0\0\0\xff\xff\xff\x0f\0\0\0")},
     FAILS,
     0},
    {"terminal ioctl", SYS_ioctl, {0, 0x5412, PATH("x")}, EXACTLY, ENOTTY},
    {"clone3", SYS_clone3, {PATH(buffer), 88}, EXACTLY, ENOSYS},
    {"socket inet", SYS_socket, {AF_INET, SOCK_STREAM, 0}, KILLED, 0},
    {"socket unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, KILLED, 0},
    {"socket netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, KILLED, 0},
    {"socketpair inet", SYS_socketpair, {AF_INET, SOCK_STREAM, 0, PATH(buffer)}, KILLED, 0},
    {"connect", SYS_connect, {3, PATH(buffer), 16}, KILLED, 0},
    {"kill 1", SYS_kill, {1, 9}, KILLED, 0},
    {"kill all", SYS_kill, {-1, 9}, KILLED, 0},
    {"tgkill other", SYS_tgkill, {1, 1, 0}, KILLED, 0},
    {"tkill other", SYS_tkill, {1, 0}, KILLED, 0},
    {"ptrace", SYS_ptrace, {16, 1, 0, 0}, KILLED, 0},
    {"fork", SYS_fork, {0}, KILLED, 0},
    {"vfork", SYS_vfork, {0}, KILLED, 0},
    {"clone process", SYS_clone, {SIGCHLD}, KILLED, 0},
    {"clone namespaces", SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_NEWUSER}, KILLED, 0},
    {"execve", SYS_execve, {PATH("/bin/sh"), 0, 0}, KILLED, 0},
    {"execveat", SYS_execveat, {3, PATH(""), 0, 0, AT_EMPTY_PATH}, KILLED, 0},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}, KILLED, 0},
    {"setns", SYS_setns, {3, 0}, KILLED, 0},
    {"mount", SYS_mount, {PATH("x"), PATH("/g"), PATH("proc"), 0, 0}, KILLED, 0},
    {"umount", SYS_umount2, {PATH("/"), 2}, KILLED, 0},
    {"pivot_root", SYS_pivot_root, {PATH("/"), PATH("/")}, KILLED, 0},
    {"chroot", SYS_chroot, {PATH("/g")}, KILLED, 0},
    {"move_mount", SYS_move_mount, {3, PATH(""), AT_FDCWD, PATH("/g"), 4}, KILLED, 0},
    {"open_tree", SYS_open_tree, {AT_FDCWD, PATH("/"), 1}, KILLED, 0},
    {"mkdir", SYS_mkdir, {PATH("/g/x"), 0700}, KILLED, 0},
    {"symlink", SYS_symlink, {PATH("/etc"), PATH("/g/x")}, KILLED, 0},
    {"mknod", SYS_mknod, {PATH("/g/x"), 060600, 0x0800}, KILLED, 0},
    {"io_uring_setup", SYS_io_uring_setup, {8, PATH(buffer)}, KILLED, 0},
    {"bpf", SYS_bpf, {0, PATH(buffer), 64}, KILLED, 0},
    {"userfaultfd", SYS_userfaultfd, {1}, KILLED, 0},
    {"keyctl", SYS_keyctl, {0, -3, 0}, KILLED, 0},
    {"perf_event_open", SYS_perf_event_open, {PATH(buffer), 0, -1, -1, 0}, KILLED, 0},
    {"process_vm_readv", SYS_process_vm_readv, {1, PATH(buffer), 1, PATH(buffer), 1, 0}, KILLED, 0},
    {"pidfd_open", SYS_pidfd_open, {1, 0}, KILLED, 0},
    {"setuid", SYS_setuid, {0}, KILLED, 0},
    {"capset", SYS_capset, {PATH(buffer), 0}, KILLED, 0},
    {"prctl dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}, KILLED, 0},
    {"prctl seccomp", SYS_prctl, {PR_SET_SECCOMP, 0}, KILLED, 0},
    {"reboot", SYS_reboot, {0, 0, 0}, KILLED, 0},
    {"sethostname", SYS_sethostname, {PATH("x"), 1}, KILLED, 0},
    {"open_by_handle_at", SYS_open_by_handle_at, {3, PATH(buffer), 0}, KILLED, 0},
    {"openat2", SYS_openat2, {AT_FDCWD, PATH("/"), PATH(buffer), 24}, KILLED, 0},
    {"x32 call", 0x40000000L + SYS_getpid, {0}, KILLED, 0},
};

/* --- children --- */

static void become_nobody(void)
{
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(SKIPPED);
    prctl(PR_SET_DUMPABLE, 1);
}

static void seal(bool ordinary)
{
    struct sandbox s = {.profile = SANDBOX_ISOLATE, .n_files = 64, .uid = ISOLATE_UID};
    struct err err = {0};
    if (ordinary)
        become_nobody();
    sandbox_mount_add(&s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
    if (sandbox_enter(&s, &err) == 1)
        return;
    dprintf(STDERR_FILENO, "sandbox: %s\n", err.text);
    _exit(SKIPPED);
}

static bool attack_failed(const struct attack *a, int status)
{
    if (a->verdict == KILLED)
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    return WIFEXITED(status) && WEXITSTATUS(status) == PASSED;
}

static void attack_run(const struct attack *a, bool ordinary)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        seal(ordinary);
        long r = syscall_hook(a->number, a->args);
        bool failed = a->verdict == EXACTLY ? r == -a->error : r < 0;
        _exit(failed ? PASSED : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    if (!attack_failed(a, status))
        fail_msg("%s (%s): status %x", a->name, ordinary ? "ordinary user" : "as started", status);
}

static void test_attacks(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        attack_run(&attacks[i], false);
}

static void test_attacks_ordinary(UNUSED void **state)
{
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        attack_run(&attacks[i], true);
}

/* --- what must still work --- */

static void *thread_body(void *arg)
{
    prctl(PR_SET_NAME, "worker");
    return arg;
}

static void work_inside(void)
{
    char seed[8];
    pthread_t thread;
    void *joined = NULL;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, seed, sizeof(seed)) != sizeof(seed))
        _exit(1);
    void *code =
        mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED || pthread_create(&thread, NULL, thread_body, seed) != 0 ||
        pthread_join(thread, &joined) != 0 || joined != seed)
        _exit(2);
    if (syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) != 0)
        _exit(3);
    _exit(PASSED);
}

static void work_as(bool ordinary)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        seal(ordinary);
        work_inside();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

static void test_what_works(UNUSED void **state)
{
    work_as(false);
    if (geteuid() == 0)
        work_as(true);
}

/* --- late mounts --- */

static bool reads(const char *path, const char *text)
{
    AUTO(buf_done) struct buf content = {0};
    return file_read(AT_FDCWD, path, 100, &content) == 0 &&
           slice_eq(buf_slice(&content), slice_of(text));
}

static bool refuses_writes(const char *path)
{
    return open(path, O_WRONLY | O_CLOEXEC) < 0;
}

/* The isolate: says that it is sealed, waits for its files, looks at them. */
static void warm_isolate(int in, int out)
{
    struct sandbox s = {.profile = SANDBOX_ISOLATE, .n_files = 64, .template_child = true};
    struct err err = {0};
    char c = 0;
    s.uid = geteuid() == 0 ? ISOLATE_UID : 0;
    sandbox_mount_add(&s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
    if (sandbox_enter(&s, &err) != 1)
        _exit(SKIPPED);
    if (write(out, "r", 1) != 1 || read(in, &c, 1) != 1)
        _exit(1);
    if (!reads("/g/code/linked.js", "code") || !refuses_writes("/g/code/linked.js"))
        _exit(2);
    if (!reads("/g/kv-1/data.mdb", "data") || !refuses_writes("/g/kv-1/data.mdb"))
        _exit(3);
    int lock = open("/g/kv-1/lock.mdb", O_RDWR | O_CLOEXEC);
    if (lock < 0 || write(lock, "reader", 6) != 6)
        _exit(4);
    if (open("/g/kv-1/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0)
        _exit(5);
    if (open("/g/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0)
        _exit(6);
    _exit(PASSED);
}

static void make_data(char *dir)
{
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_make_dirs(fd, "code", 0755), 0);
    assert_int_equal(file_make_dirs(fd, "kv/1", 0755), 0);
    assert_int_equal(file_replace(fd, "code/linked.js", SLICE("code"), 0644), 0);
    assert_int_equal(file_replace(fd, "kv/1/data.mdb", SLICE("data"), 0644), 0);
    assert_int_equal(file_replace(fd, "kv/1/lock.mdb", SLICE("lock"), 0666), 0);
    close(fd);
}

struct late {
    struct grant grant;
    int data_fd, pidfd;
    struct err err;
};

static int grant_in_child(void *arg)
{
    struct late *late = arg;
    return grant_enter(&late->grant, late->data_fd, late->pidfd, &late->err);
}

static int grant_late(const char *dir, pid_t isolate)
{
    static const char mounts[] = "[{\"source\":\"code\",\"target\":\"code\",\"access\":\"read\"},"
                                 "{\"source\":\"kv/1\",\"target\":\"kv-1\",\"access\":\"lmdb\"}]";
    json_t *list = NULL;
    struct err err = {0};
    int data = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int pidfd = (int)syscall(SYS_pidfd_open, isolate, 0);
    struct late late = {.data_fd = data, .pidfd = pidfd};
    if (json_parse(SLICE(mounts), &list, &err) < 0 || grant_parse(list, &late.grant, &err) < 0)
        return -1;
    int r = spawn_call(grant_in_child, &late);
    if (r < 0)
        dprintf(STDERR_FILENO, "grant: %s\n", late.err.text);
    return r;
}

/* Plays the template. */
static int late_mounts(const char *dir, bool ordinary)
{
    int to[2], from[2], status = 0;
    char c;
    struct err err = {0};
    if (ordinary)
        become_nobody();
    if (sandbox_template_enter(&err) < 0)
        return SKIPPED;
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        return 20;
    pid_t pid = fork();
    if (pid == 0)
        warm_isolate(to[0], from[1]);
    close(from[1]);
    if (read(from[0], &c, 1) != 1)
        return SKIPPED;
    if (grant_late(dir, pid) != 0)
        return 21;
    if (write(to[1], "g", 1) != 1 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return 22;
    return WEXITSTATUS(status);
}

static void late_mounts_as(bool ordinary)
{
    char dir[] = "/tmp/selvedge-grant-XXXXXX";
    int status = 0;
    make_data(dir);
    if (ordinary)
        assert_int_equal(chmod(dir, 0777), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(late_mounts(dir, ordinary));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

static void test_late_mounts(UNUSED void **state)
{
    late_mounts_as(false);
}

static void test_late_mounts_ordinary(UNUSED void **state)
{
    if (geteuid() != 0)
        skip();
    late_mounts_as(true);
}

static void test_grant_refuses_paths(UNUSED void **state)
{
    static const char *const bad[] = {
        "[{\"source\":\"../x\",\"target\":\"code\",\"access\":\"read\"}]",
        "[{\"source\":\"/etc\",\"target\":\"code\",\"access\":\"read\"}]",
        "[{\"source\":\"a/../../b\",\"target\":\"code\",\"access\":\"read\"}]",
        "[{\"source\":\"a\",\"target\":\"../code\",\"access\":\"read\"}]",
        "[{\"source\":\"a\",\"target\":\"a/b\",\"access\":\"read\"}]",
        "[{\"source\":\"a\",\"target\":\"..\",\"access\":\"read\"}]",
        "[{\"source\":\"a\",\"target\":\"b\",\"access\":\"execute\"}]",
        "[{\"source\":\"workers/w/v\",\"target\":\"b\",\"access\":\"write\"}]",
        "[{\"source\":\"\",\"target\":\"b\",\"access\":\"read\"}]",
        "[{}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(json_release) json_t *list = NULL;
        struct grant grant;
        assert_int_equal(json_parse(slice_of(bad[i]), &list, NULL), 0);
        assert_true(grant_parse(list, &grant, NULL) < 0);
    }
}

static void test_probe(UNUSED void **state)
{
    struct err text = {0};
    int tier = sandbox_probe(&text);
    assert_in_range(tier, 1, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks),
        cmocka_unit_test(test_attacks_ordinary),
        cmocka_unit_test(test_what_works),
        cmocka_unit_test(test_late_mounts),
        cmocka_unit_test(test_late_mounts_ordinary),
        cmocka_unit_test(test_grant_refuses_paths),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
