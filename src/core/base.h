/*
 * The few macros every file uses. No function here can fail.
 *
 * CHECK() is for our own mistakes: it stays on in release builds and panics with file, line and
 * condition. Never CHECK() bytes that a client, a peer or a disk sent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* AUTO(x_release) struct x *x = NULL;  runs x_release(&x) when the scope ends. */
#define AUTO(release) __attribute__((cleanup(release)))
/* Gives an AUTO() value away: *ret = TAKE(x). */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })
/* The same for descriptors. */
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int taken_fd_ = (fd);                                                                      \
        (fd) = -1;                                                                                 \
        taken_fd_;                                                                                 \
    })

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (UNLIKELY(!(cond)))                                                                     \
            panic(__FILE__, __LINE__, #cond);                                                      \
    } while (0)

/* Writes a report (role, place, condition, backtrace) to stderr and aborts. */
NORETURN void panic(const char *file, int line, const char *what);

/* Never NULL: out of memory for a size that we chose is a panic. Zeroed. */
void *mem_new(size_t size);
/* For sizes that come from outside: NULL when there is no memory. Zeroed. */
NODISCARD void *mem_try(size_t size);
void *mem_grow(void *ptr, size_t size); /* realloc that panics */
void mem_release(void *pp);             /* free(*pp), for AUTO() */
void fd_release(int *fd);               /* close when >= 0, for AUTO() */
