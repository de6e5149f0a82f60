/*
 * A borrowed run of bytes: pointer and length, never zero-terminated by contract.
 *
 * Whoever holds a slice must know who owns the bytes; a struct field of this type says so.
 */
#pragma once

#include "core/base.h"

#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})
/* For printf: printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice slice_of(const char *cstr)
{
    return (struct slice){cstr, cstr == NULL ? 0 : strlen(cstr)};
}

static inline struct slice slice_from(const void *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Bytewise order, shorter first on a common prefix. */
int slice_compare(struct slice a, struct slice b);
/* ASCII case only. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* Index of the first `c`, or -1. */
ssize_t slice_find(struct slice s, char c);
ssize_t slice_find_slice(struct slice s, struct slice needle);
/* Drops `n` bytes from the front; n may exceed the length. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    n = n < s.len ? n : s.len;
    return (struct slice){n == 0 ? s.ptr : s.ptr + n, s.len - n}; /* NULL + 0 is undefined in C */
}
/* Without blanks (space, tab, CR, LF) at both ends. */
struct slice slice_trim(struct slice s);
/* Splits at the first `c`: returns what stands before, leaves what stands after in *rest; without
 * `c` returns everything and leaves nothing (ptr NULL). */
struct slice slice_cut(struct slice *rest, char c);
/* Decimal without sign, no blanks. -EINVAL when it is not one or does not fit. */
NODISCARD int slice_to_u64(struct slice s, uint64_t *ret);
/* Copies into buf and terminates. -E2BIG when it does not fit, -EINVAL when it holds a zero byte. */
NODISCARD int slice_to_cstr(struct slice s, char *buf, size_t size);
