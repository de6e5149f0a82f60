/*
 * cmocka with the includes it wants, and the check that a statement panics.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(cond) assert_true(cond)
#define EXPECT_EQ(a, b) assert_int_equal(a, b)
#define EXPECT_SLICE(s, literal)                                                                   \
    do {                                                                                           \
        struct slice expect_ = (s);                                                                \
        assert_int_equal(expect_.len, sizeof(literal) - 1);                                        \
        if (expect_.len > 0)                                                                       \
            assert_memory_equal(expect_.ptr, literal, expect_.len);                                \
    } while (0)

/* Runs the statement in a child, which must die by abort(); its report goes nowhere. */
#define EXPECT_PANIC(statement)                                                                    \
    do {                                                                                           \
        pid_t pid_ = fork();                                                                       \
        assert_true(pid_ >= 0);                                                                    \
        if (pid_ == 0) {                                                                           \
            int null_ = open("/dev/null", O_WRONLY | O_CLOEXEC);                                   \
            dup2(null_, STDERR_FILENO);                                                            \
            signal(SIGABRT, SIG_DFL);                                                              \
            statement;                                                                             \
            _exit(0);                                                                              \
        }                                                                                          \
        int status_ = 0;                                                                           \
        assert_int_equal(waitpid(pid_, &status_, 0), pid_);                                        \
        assert_true(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGABRT);                         \
    } while (0)
