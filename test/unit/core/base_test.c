#include "core/err.h"
#include "core/list.h"
#include "core_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void panic_reports_and_aborts(UNUSED void **state)
{
    int fds[2];
    EXPECT_EQ(pipe(fds), 0);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    close(fds[1]);
    char text[4096] = {0};
    size_t len = 0;
    for (ssize_t n; len < sizeof(text) - 1; len += (size_t)n) {
        n = read(fds[0], text + len, sizeof(text) - 1 - len);
        if (n <= 0)
            break;
    }
    close(fds[0]);
    int status;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT(strstr(text, "base_test.c") != NULL);
    EXPECT(strstr(text, "1 + 1 == 3") != NULL);
}

static void memory_is_zeroed(UNUSED void **state)
{
    AUTO(mem_release) char *a = mem_new(100);
    AUTO(mem_release) char *b = mem_try(100);
    AUTO(mem_release) char *c = mem_new(0);
    EXPECT(a[0] == 0 && a[99] == 0 && b[0] == 0 && b[99] == 0 && c != NULL);
    a = mem_grow(a, 10000);
    a[9999] = 1;
    volatile size_t absurd = SIZE_MAX / 2;
    EXPECT(mem_try(absurd) == NULL);
    char *given = TAKE(b);
    EXPECT(b == NULL);
    mem_release(&given);
    EXPECT(given == NULL);
    mem_release(&given);
}

static void descriptors_close_once(UNUSED void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;
    errno = EDOM;
    fd_release(&fd);
    EXPECT_EQ(fd, -1);
    EXPECT_EQ(errno, EDOM);
    EXPECT(fcntl(copy, F_GETFD) < 0);
    fd_release(&fd);
    int given = 5, taken = TAKE_FD(given);
    EXPECT(given == -1 && taken == 5);
}

static void err_keeps_code_and_text(UNUSED void **state)
{
    struct err err = {0};
    EXPECT_EQ(err_set(&err, -EINVAL, 10001, "bad %s", "name"), -EINVAL);
    EXPECT_EQ(err.code, 10001);
    assert_string_equal(err.text, "bad name");
    EXPECT_EQ(err_set(NULL, -EIO, 1, "unseen"), -EIO);
    EXPECT_EQ(err_set(&err, -EIO, 1, "%02000d", 7), -EIO);
    EXPECT_EQ(strlen(err.text), ERR_TEXT_MAX - 1);
    EXPECT_PANIC(err_set(&err, 0, 1, "success is no error"));
}

struct element {
    int value;
    struct link link;
};

static void lists_keep_order(UNUSED void **state)
{
    struct link head;
    struct element e[4] = {{0, {0}}, {1, {0}}, {2, {0}}, {3, {0}}};
    list_init(&head);
    EXPECT(list_empty(&head) && list_pop_front(&head) == NULL);
    for (int i = 1; i < 4; i++)
        list_push_back(&head, &e[i].link);
    list_push_front(&head, &e[0].link);
    int n = 0;
    LIST_FOR (l, &head)
        EXPECT_EQ(LIST_ENTRY(l, struct element, link)->value, n++);
    LIST_FOR_SAFE (l, &head) {
        if (LIST_ENTRY(l, struct element, link)->value % 2 == 1)
            list_remove(l);
    }
    list_remove(&e[1].link); /* in no list any more */
    EXPECT(!link_is_in_list(&e[1].link) && link_is_in_list(&e[2].link));
    EXPECT(list_pop_front(&head) == &e[0].link && list_pop_front(&head) == &e[2].link);
    EXPECT(list_empty(&head));
}

int base_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(panic_reports_and_aborts), cmocka_unit_test(memory_is_zeroed),
        cmocka_unit_test(descriptors_close_once),   cmocka_unit_test(err_keeps_code_and_text),
        cmocka_unit_test(lists_keep_order),
    };
    return RUN("base", tests);
}
