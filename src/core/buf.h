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

/* Room for n more bytes; returns where to write, then call buf_added(). */
char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *ptr, size_t n);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_append_u64(struct buf *b, uint64_t n); /* decimal */
void buf_consume(struct buf *b, size_t n);      /* n <= buf_len */
void buf_clear(struct buf *b);                  /* keeps the memory */
/* Zero byte behind the content (not counted); valid until the next change. */
const char *buf_cstr(struct buf *b);
void buf_done(struct buf *b); /* for AUTO() */
