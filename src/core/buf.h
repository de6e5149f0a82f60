/*
 * A growable run of bytes: append at the end, consume at the front. Owns its memory.
 *
 * Growth for our own output panics without memory; bytes whose amount others choose are limited by
 * the caller before they are appended. A zeroed struct is a valid empty buffer.
 */
#pragma once

#include "core/slice.h"

struct buf {
    char *data;
    size_t start, end, cap; /* live bytes are data[start, end) */
};

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct slice buf_slice(const struct buf *b)
{
    /* NULL + 0 is undefined in C. */
    return (struct slice){b->data == NULL ? NULL : b->data + b->start, b->end - b->start};
}

/* The slow half of buf_reserve(). */
void buf_grow(struct buf *b, size_t n);

/* Room for n more bytes; returns where to write, then call buf_added(). */
static inline char *buf_reserve(struct buf *b, size_t n)
{
    if (UNLIKELY(b->cap - b->end < n || b->data == NULL))
        buf_grow(b, n);
    return b->data + b->end;
}

static inline void buf_added(struct buf *b, size_t n)
{
    CHECK(n <= b->cap - b->end);
    b->end += n;
}

static inline void buf_append(struct buf *b, const void *ptr, size_t n)
{
    if (n == 0)
        return;
    memcpy(buf_reserve(b, n), ptr, n);
    b->end += n;
}

static inline void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}

static inline void buf_append_char(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->end++;
}

void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_append_u64(struct buf *b, uint64_t n); /* decimal */
void buf_consume(struct buf *b, size_t n);      /* n <= buf_len */
void buf_clear(struct buf *b);                  /* keeps the memory */
/* Zero byte behind the content (not counted); valid until the next change. */
const char *buf_cstr(struct buf *b);
void buf_done(struct buf *b); /* for AUTO() */
