/*
 * The growable buffer.
 *
 * Room is made by moving the live bytes to the front when that moves no more than was consumed
 * before (so each byte is moved a constant number of times), else by doubling. Doubling copies only
 * the live bytes, so it compacts as well.
 */
#include "core/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_CAP_MIN = 256, BUF_DECIMAL_MAX = 20 };

void buf_grow(struct buf *b, size_t n)
{
    size_t len = buf_len(b);
    CHECK(n <= SIZE_MAX / 4 - len);

    if (b->data != NULL && b->start >= len && b->cap - len >= n) {
        if (len > 0)
            memcpy(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = len;
        return;
    }

    size_t cap = MAX(b->cap, (size_t)BUF_CAP_MIN);
    while (cap - len < n)
        cap *= 2;
    if (cap == b->cap)
        cap *= 2; /* room enough, but moving would cost more than was freed */
    if (b->start == 0) {
        b->data = mem_grow(b->data, cap);
    } else {
        char *data = mem_grow(NULL, cap);
        memcpy(data, b->data + b->start, len);
        free(b->data);
        b->data = data;
        b->start = 0;
        b->end = len;
    }
    b->cap = cap;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    char *at = buf_reserve(b, 1);
    size_t room = b->cap - b->end;
    int n = vsnprintf(at, room, fmt, args);
    CHECK(n >= 0);
    if ((size_t)n >= room) {
        at = buf_reserve(b, (size_t)n + 1);
        n = vsnprintf(at, (size_t)n + 1, fmt, again);
    }
    b->end += (size_t)n;
    va_end(again);
    va_end(args);
}

void buf_append_u64(struct buf *b, uint64_t n)
{
    char digits[BUF_DECIMAL_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= buf_len(b));
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->data + b->start;
}

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
