/*
 * Filters as tables. An isolate that makes any other call is killed; the other roles, which run only our
 * code, get EPERM for calls their libraries try out, and are killed for those that only an attacker makes.
 *
 * Kept out everywhere: execve, fork, ptrace, mount, unshare, setns, kill of others, io_uring (its operations
 * are not seen by seccomp), bpf, userfaultfd, keyctl, perf_event_open, process_vm_*.
 */
#include "proc/seccomp_filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SECCOMP_PROGRAM_MAX = 4096, /* instructions; the kernel's own limit */
    /* Stands for the process's own number until the filter is loaded. */
    SECCOMP_OWN_PID = 0x5e1fed9e
};

/* clang-format off */
/* Everybody: plain files that are open already or visible, memory, threads, time, waiting. */
static const int calls_common[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(readv),
    SCMP_SYS(writev), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(close),
    SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(openat), SCMP_SYS(open),
    SCMP_SYS(fcntl), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fdatasync),
    SCMP_SYS(fsync), SCMP_SYS(msync), SCMP_SYS(sync_file_range), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(fchown), SCMP_SYS(fchmod),
    SCMP_SYS(flock), SCMP_SYS(sendfile), SCMP_SYS(copy_file_range), SCMP_SYS(fadvise64),
    SCMP_SYS(umask),
    /* memory */
    SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
    SCMP_SYS(brk), SCMP_SYS(mlock), SCMP_SYS(membarrier), SCMP_SYS(memfd_create),
    SCMP_SYS(mincore),
    /* threads and time */
    SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sched_setattr), SCMP_SYS(getpriority), SCMP_SYS(setpriority),
    SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid),
    SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(prlimit64),
    SCMP_SYS(getrlimit), SCMP_SYS(getcpu), SCMP_SYS(times),
    /* waiting and talking over what is open */
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(pipe2), SCMP_SYS(dup), SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg),
    SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(signalfd4),
};

static const int calls_network[] = {
    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(accept), SCMP_SYS(listen),
    SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(getcpu),
};

/* Who owns files on disk makes, names and removes them. */
static const int calls_disk[] = {
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(chmod), SCMP_SYS(fchmodat),
    SCMP_SYS(truncate), SCMP_SYS(utimensat), SCMP_SYS(syncfs), SCMP_SYS(preadv2),
    SCMP_SYS(pwritev2), SCMP_SYS(splice), SCMP_SYS(tee), SCMP_SYS(fchdir), SCMP_SYS(chdir),
};

/* No library of ours tries these out: a process that does is no longer ours. */
static const int calls_hostile[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns),
    SCMP_SYS(unshare), SCMP_SYS(bpf), SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(init_module),
    SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
    SCMP_SYS(mount_setattr), SCMP_SYS(io_uring_setup), SCMP_SYS(setuid), SCMP_SYS(setgid),
    SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(capset),
};
/* clang-format on */

struct call_list {
    const int *calls;
    size_t n;
};

enum { PROFILE_LISTS_MAX = 3, PROFILES = SANDBOX_KEEPER + 1 };
#define CALLS(list)                                                                                \
    {                                                                                              \
        list, ARRAY_LEN(list)                                                                      \
    }

struct profile {
    bool trusted; /* our own code only: unknown calls get EPERM instead of death */
    struct call_list lists[PROFILE_LISTS_MAX];
};

static const struct profile profiles[PROFILES] = {
    [SANDBOX_ISOLATE] = {false, {CALLS(calls_common)}},
    [SANDBOX_GATEWAY] = {true, {CALLS(calls_common), CALLS(calls_network), CALLS(calls_disk)}},
    [SANDBOX_CONTROL] = {true, {CALLS(calls_common), CALLS(calls_network), CALLS(calls_disk)}},
    [SANDBOX_KEEPER] = {true, {CALLS(calls_common), CALLS(calls_disk)}},
};

struct program {
    struct sock_filter code[SECCOMP_PROGRAM_MAX];
    unsigned short n;
};
static struct program *programs[PROFILES]; /* owned, for the life of the process */

/* Threads yes, processes and namespaces no. */
static int filter_add_clone(scmp_filter_ctx f)
{
    const scmp_datum_t mask = CLONE_THREAD | CLONE_VM | CLONE_VFORK | CLONE_NEWNS |
                              CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                              CLONE_NEWPID | CLONE_NEWNET;
    struct scmp_arg_cmp flags = {0, SCMP_CMP_MASKED_EQ, mask, CLONE_THREAD | CLONE_VM};
    int r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &flags);
    if (r == 0) /* its flags are behind a pointer; the C library falls back to clone */
        r = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
    return r;
}

static int filter_add_conditional(scmp_filter_ctx f)
{
    const struct {
        int call;
        struct scmp_arg_cmp arg;
    } rows[] = {
        {SCMP_SYS(tgkill), {0, SCMP_CMP_EQ, SECCOMP_OWN_PID, 0}},
        {SCMP_SYS(prctl), {0, SCMP_CMP_EQ, PR_SET_NAME, 0}},
        {SCMP_SYS(prctl), {0, SCMP_CMP_EQ, PR_GET_NAME, 0}},
        {SCMP_SYS(socketpair), {0, SCMP_CMP_EQ, AF_UNIX, 0}},
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows) && r == 0; i++)
        r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, rows[i].call, 1, &rows[i].arg);
    if (r == 0) /* stdio asks whether a stream is a terminal */
        r = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0, NULL);
    return r;
}

static int filter_add_list(scmp_filter_ctx f, uint32_t action, struct call_list list)
{
    for (size_t i = 0; i < list.n; i++) {
        int r = seccomp_rule_add_array(f, action, list.calls[i], 0, NULL);
        if (r < 0 && r != -EDOM) /* EDOM: this architecture has no such call */
            return r;
    }
    return 0;
}

static int filter_add_profile(scmp_filter_ctx f, const struct profile *p)
{
    int r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; i < PROFILE_LISTS_MAX && r == 0; i++)
        r = filter_add_list(f, SCMP_ACT_ALLOW, p->lists[i]);
    if (r == 0)
        r = filter_add_clone(f);
    if (r == 0)
        r = filter_add_conditional(f);
    if (r == 0 && p->trusted)
        r = filter_add_list(f, SCMP_ACT_KILL_PROCESS, (struct call_list)CALLS(calls_hostile));
    return r;
}

static int filter_export(scmp_filter_ctx f, struct program *ret)
{
    AUTO(fd_release) int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = seccomp_export_bpf(f, fd);
    if (r < 0)
        return r;
    ssize_t size = pread(fd, ret->code, sizeof(ret->code), 0);
    if (size <= 0 || (size_t)size % sizeof(ret->code[0]) != 0)
        return -EIO;
    ret->n = (unsigned short)((size_t)size / sizeof(ret->code[0]));
    return 0;
}

int seccomp_filter_prepare(enum sandbox_profile profile, struct err *err)
{
    if (programs[profile] != NULL)
        return 0;
    const struct profile *p = &profiles[profile];
    scmp_filter_ctx f = seccomp_init(p->trusted ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
    AUTO(mem_release) struct program *program = mem_new(sizeof(*program));
    int r = f == NULL ? -ENOMEM : filter_add_profile(f, p);
    if (r == 0)
        r = filter_export(f, program);
    seccomp_release(f);
    if (r < 0)
        return err_set(err, r, 0, "cannot build the system-call filter (error %d)", -r);
    programs[profile] = TAKE(program);
    return 0;
}

int seccomp_filter_load(enum sandbox_profile profile, struct err *err)
{
    int r = seccomp_filter_prepare(profile, err);
    if (r < 0)
        return r;
    struct program *p = programs[profile];
    for (unsigned i = 0; i < p->n; i++) {
        if (BPF_CLASS(p->code[i].code) == BPF_JMP && p->code[i].k == SECCOMP_OWN_PID)
            p->code[i].k = (uint32_t)getpid();
    }
    struct sock_fprog prog = {.len = p->n, .filter = p->code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
        return err_set(err, -errno, 0, "the kernel refused the system-call filter: %m");
    return 0;
}
