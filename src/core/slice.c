/* What slices can do beyond the inline functions of the header. */
#include "core/slice.h"

#include <errno.h>

static unsigned char slice_lower(char c)
{
    unsigned char u = (unsigned char)c;
    return (unsigned char)(u >= 'A' && u <= 'Z' ? u + ('a' - 'A') : u);
}

static bool slice_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int slice_compare(struct slice a, struct slice b)
{
    size_t n = MIN(a.len, b.len);
    int r = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    if (r != 0)
        return r;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] != b.ptr[i] && slice_lower(a.ptr[i]) != slice_lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq((struct slice){s.ptr, prefix.len}, prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    if (s.len < suffix.len)
        return false;
    return slice_eq(slice_skip(s, s.len - suffix.len), suffix);
}

ssize_t slice_find(struct slice s, char c)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);
    return at == NULL ? -1 : at - s.ptr;
}

ssize_t slice_find_slice(struct slice s, struct slice needle)
{
    if (needle.len == 0)
        return 0;
    const char *at = s.len < needle.len ? NULL : memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at == NULL ? -1 : at - s.ptr;
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && slice_is_blank(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len > 0 && slice_is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_cut(struct slice *rest, char c)
{
    struct slice s = *rest;
    ssize_t at = slice_find(s, c);
    if (at < 0) {
        *rest = SLICE_NONE;
        return s;
    }
    *rest = slice_skip(s, (size_t)at + 1);
    return (struct slice){s.ptr, (size_t)at};
}

int slice_to_u64(struct slice s, uint64_t *ret)
{
    if (s.len == 0)
        return -EINVAL;

    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, digit, &n))
            return -EINVAL;
    }
    *ret = n;
    return 0;
}

int slice_to_cstr(struct slice s, char *buf, size_t size)
{
    if (s.len >= size)
        return -E2BIG;
    if (slice_find(s, '\0') >= 0)
        return -EINVAL;
    if (s.len > 0)
        memcpy(buf, s.ptr, s.len);
    buf[s.len] = '\0';
    return 0;
}
