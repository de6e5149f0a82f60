/*
 * Children, what they leave on stderr, and their control groups.
 */
#include "proc/cgroup.h"
#include "proc/spawn.h"
#include "proc/tail.h"

#include "unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { MEGABYTE = 1024 * 1024 };

static int add_to(void *arg)
{
    int *n = arg;
    *n += 5;
    close(STDIN_FILENO); /* the child's own table */
    return *n;
}

static int die(UNUSED void *arg)
{
    abort();
}

static void test_call(UNUSED void **state)
{
    int n = 37;
    assert_int_equal(spawn_call(add_to, &n), 42);
    assert_int_equal(n, 42);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    assert_int_equal(spawn_call(die, NULL), -ECHILD);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void child_of_fork(void)
{
    char c;
    int open_max = 0;
    for (int fd = 0; fd < 200; fd++)
        open_max = fcntl(fd, F_GETFD) >= 0 ? fd : open_max;
    if (open_max != SPAWN_SECOND_FD || read(ROLE_CONTROL_FD, &c, 1) != 1 || c != 'x')
        _exit(1);
    dprintf(STDERR_FILENO,
            "{\"event\":\"a log line\"}\npanic somewhere\n{\"event\":\"another\"}\n");
    _exit(write(SPAWN_SECOND_FD, "y", 1) == 1 ? 7 : 2);
}

static void test_fork(UNUSED void **state)
{
    struct loop *loop = loop_create();
    struct process p;
    struct tail tail;
    AUTO(buf_done) struct buf report = {0};
    int control[2], second[2], status = 0;
    char c = 0;
    assert_int_equal(spawn_pair(control), 0);
    assert_int_equal(pipe2(second, O_CLOEXEC), 0);
    int err_fd = tail_open(&tail, loop, 0);
    assert_true(err_fd >= 0);
    const struct spawn_fds fds = {control[1], second[1], err_fd};
    int r = spawn_fork_with(&fds, &p);
    if (r == 0)
        child_of_fork();
    assert_int_equal(r, 1);
    close(err_fd);
    assert_int_equal(write(control[0], "x", 1), 1);
    assert_int_equal(read(second[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    tail_report(&tail, &report);
    EXPECT_SLICE(buf_slice(&report), "panic somewhere\n");
    tail_close(&tail);
    process_done(&p);
    for (int i = 0; i < 2; i++) {
        close(control[i]);
        close(second[i]);
    }
    loop_destroy(loop);
}

static void test_tail_limit(UNUSED void **state)
{
    struct loop *loop = loop_create();
    struct tail tail;
    int fd = tail_open(&tail, loop, 10000);
    char block[4096];
    signal(SIGPIPE, SIG_IGN);
    memset(block, 'z', sizeof(block));
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    ssize_t n = 0;
    for (int i = 0; i < 10 && n >= 0; i++) {
        n = write(fd, block, sizeof(block));
        loop_turn(loop, 0);
    }
    dup2(saved, STDERR_FILENO);
    assert_int_equal(n, -1);
    assert_true(buf_len(&tail.kept) <= TAIL_KEPT);
    tail_close(&tail);
    close(fd);
    close(saved);
    close(null);
    loop_destroy(loop);
}

static void eat_memory(int go)
{
    char c;
    if (read(go, &c, 1) != 1)
        _exit(1);
    for (int i = 0; i < 256; i++) {
        char *p = mmap(NULL, MEGABYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            _exit(2);
        memset(p, 1, MEGABYTE);
    }
    _exit(0);
}

static void test_memory_limit(UNUSED void **state)
{
    struct cgroup *cg;
    struct err text = {0};
    int go[2], status = 0;
    if (cgroup_open(&cg, &text) < 0)
        skip();
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        eat_memory(go[0]);
    assert_int_equal(cgroup_add(cg, "i1", pid), 0);
    assert_int_equal(cgroup_limit_memory(cg, "i1", 64 * (uint64_t)MEGABYTE), 0);
    assert_int_equal(cgroup_oom_kills(cg, "i1"), 0);
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_true(cgroup_oom_kills(cg, "i1") > 0);
    cgroup_remove(cg, "i1");
    cgroup_close(cg);
    close(go[0]);
    close(go[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_tail_limit),
        cmocka_unit_test(test_memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
