/*
 * Panic and the few memory helpers.
 *
 * A panic report is plain text written piece by piece with write(2): it must come out even when the
 * heap is damaged. backtrace() loads a library on its first use, which a sandboxed process may not
 * do; log_init() therefore calls panic_prepare() while everything is still allowed.
 */
#include "core/base.h"

#include "core/log.h"
#include "core/loop_impl.h"

#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PANIC_FRAMES = 48, PANIC_LINE = 512 };

void panic_prepare(void)
{
    void *frame[1];
    (void)backtrace(frame, 1); /* only for its side effect: libgcc_s is loaded afterwards */
}

void panic(const char *file, int line, const char *what)
{
    char text[PANIC_LINE];
    int saved = errno;
    int n = snprintf(text, sizeof(text), "panic in %s at %s:%d: %s (errno %d)\n", log_role(), file,
                     line, what, saved);
    if (n > 0) {
        size_t len = MIN((size_t)n, sizeof(text) - 1);
        ssize_t w = write(STDERR_FILENO, text, len);
        (void)w; /* nobody is left to tell */
    }
    task_trace_report(STDERR_FILENO);

    void *frames[PANIC_FRAMES];
    backtrace_symbols_fd(frames, backtrace(frames, PANIC_FRAMES), STDERR_FILENO);
    abort();
}

void *mem_new(size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);
    CHECK(p != NULL);
    return p;
}

void *mem_try(size_t size)
{
    return calloc(1, size == 0 ? 1 : size);
}

void *mem_grow(void *ptr, size_t size)
{
    void *p = realloc(ptr, size == 0 ? 1 : size);
    CHECK(p != NULL);
    return p;
}

void mem_release(void *pp)
{
    void *p;
    memcpy(&p, pp, sizeof(p));
    free(p);
    p = NULL;
    memcpy(pp, &p, sizeof(p));
}

void fd_release(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd);
    errno = saved;
    *fd = -1;
}
