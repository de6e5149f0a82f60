/*
 * Processes and the descriptors that name them.
 *
 * A child runs on a copy of the parent's memory, those of spawn_role() until they execute; the supervisor is
 * single-threaded and small, so nothing cheaper is needed.
 */
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPAWN_EXIT_FAILED = 127, SPAWN_STACK = 128 * 1024 };

int spawn_pair(int ret[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

/* The signals of a terminal reach the whole group (Ctrl-C): the supervisor alone decides who stops when.
 * Ignored ones stay so over exec; every write to a socket wants EPIPE instead of death. */
static void spawn_reset_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything that was not given is closed. */
static void spawn_reset_fds(const struct spawn_fds *fds)
{
    int second = fds->second < 0 ? -1 : fcntl(fds->second, F_DUPFD_CLOEXEC, SPAWN_SECOND_FD + 1);
    int last = ROLE_CONTROL_FD;
    if (fds->stderr_fd >= 0 && dup2(fds->stderr_fd, STDERR_FILENO) < 0)
        _exit(SPAWN_EXIT_FAILED);
    if (fds->control == ROLE_CONTROL_FD)
        fcntl(fds->control, F_SETFD, 0);
    else if (dup2(fds->control, ROLE_CONTROL_FD) < 0)
        _exit(SPAWN_EXIT_FAILED);
    if (second >= 0 && dup2(second, last = SPAWN_SECOND_FD) < 0)
        _exit(SPAWN_EXIT_FAILED);
    if (syscall(SYS_close_range, last + 1, ~0U, 0) < 0)
        _exit(SPAWN_EXIT_FAILED);
}

struct process process_of(pid_t pid)
{
    return (struct process){pid, pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1};
}

/* fork() and not clone3(): the C library keeps the thread's number for robust mutexes (LMDB has them). */
static int spawn_clone(struct process *ret)
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        return 0;
    /* Nobody else reaps our children, so the number is still this process's. */
    *ret = process_of(pid);
    return 1;
}

int spawn_fork_with(const struct spawn_fds *fds, struct process *ret)
{
    pid_t parent = getpid();
    int r = spawn_clone(ret);
    if (r != 0)
        return r;
    spawn_reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(SPAWN_EXIT_FAILED);
    spawn_reset_fds(fds);
    return 0;
}

static struct {
    char *at; /* argv[0], followed by the other arguments */
    size_t size;
} spawn_args;

void spawn_title_room(int argc, char **argv)
{
    const char *last = argv[argc - 1];
    spawn_args.at = argv[0];
    spawn_args.size = (size_t)(last + strlen(last) + 1 - argv[0]);
}

void spawn_title(const char *role)
{
    static const char begins[] = "selvedge\0--role"; /* as in spawn_role(): zeros end arguments */
    size_t len = strlen(role) + 1;
    if (sizeof(begins) + len > spawn_args.size)
        return;
    memset(spawn_args.at, 0, spawn_args.size);
    memcpy(spawn_args.at, begins, sizeof(begins));
    memcpy(spawn_args.at + sizeof(begins), role, len);
}

struct spawn_called {
    int (*fn)(void *arg);
    void *arg;
    int result;
};

static int spawn_call_child(void *arg)
{
    struct spawn_called *c = arg;
    c->result = c->fn(c->arg);
    _exit(0);
}

int spawn_call(int (*fn)(void *arg), void *arg)
{
    static _Alignas(64) char stack[SPAWN_STACK];
    struct spawn_called c = {.fn = fn, .arg = arg, .result = -ECHILD};
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    int pid = clone(spawn_call_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &c);
    int r = pid < 0 ? -errno : 0;
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    sigprocmask(SIG_SETMASK, &old, NULL);
    return r < 0 ? r : c.result;
}

int spawn_role(const char *role, const struct spawn_fds *fds, struct process *ret)
{
    int r = spawn_fork_with(fds, ret);
    if (r != 0)
        return r < 0 ? r : 0;
    char *const argv[] = {(char *)"selvedge", (char *)"--role", (char *)role, NULL};
    execv("/proc/self/exe", argv);
    _exit(SPAWN_EXIT_FAILED);
}

void process_signal(const struct process *p, int signal)
{
    if (p->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0);
}

void process_done(struct process *p)
{
    fd_release(&p->pidfd);
}
