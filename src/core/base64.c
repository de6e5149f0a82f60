/*
 * Base64 both ways, by table.
 *
 * Bits left over in the last digit are not required to be zero: browsers' atob() and Node's Buffer
 * accept such text, and clients send it.
 */
#include "core/base64.h"

#include <errno.h>

enum { BASE64_BAD = 64 };

static const char base64_digits[2][65] = {
    [BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

static unsigned base64_value(char c, enum base64_kind kind)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    if (c == base64_digits[kind][62])
        return 62;
    return c == base64_digits[kind][63] ? 63 : BASE64_BAD;
}

void base64_encode(struct buf *out, struct slice in, enum base64_kind kind)
{
    const char *digits = base64_digits[kind];
    const unsigned char *p = (const unsigned char *)in.ptr;
    size_t i = 0;
    CHECK(in.len <= SIZE_MAX / 2);
    char *start = buf_reserve(out, (in.len + 2) / 3 * 4), *o = start;

    for (; in.len - i >= 3; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        *o++ = digits[v >> 18];
        *o++ = digits[v >> 12 & 63];
        *o++ = digits[v >> 6 & 63];
        *o++ = digits[v & 63];
    }
    size_t left = in.len - i;
    if (left > 0) {
        uint32_t v = (uint32_t)p[i] << 16 | (left == 2 ? (uint32_t)p[i + 1] << 8 : 0);
        *o++ = digits[v >> 18];
        *o++ = digits[v >> 12 & 63];
        if (left == 2)
            *o++ = digits[v >> 6 & 63];
        for (size_t pad = left; pad < 3 && kind == BASE64_STANDARD; pad++)
            *o++ = '=';
    }
    buf_added(out, (size_t)(o - start));
}

/* Padding, when there is any, must complete the last group of four. */
static int base64_strip(struct slice *in)
{
    size_t pad = 0;
    while (pad < 2 && pad < in->len && in->ptr[in->len - 1 - pad] == '=')
        pad++;
    if (pad > 0 && in->len % 4 != 0)
        return -EINVAL;
    in->len -= pad;
    return in->len % 4 == 1 ? -EINVAL : 0;
}

int base64_decode(struct arena *arena, struct slice in, enum base64_kind kind, struct slice *ret)
{
    int r = base64_strip(&in);
    if (r < 0)
        return r;

    size_t len = in.len / 4 * 3 + in.len % 4 * 3 / 4;
    char *data = arena_alloc(arena, len + 1);
    if (data == NULL)
        return -ENOMEM;

    uint32_t bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < in.len; i++) {
        unsigned v = base64_value(in.ptr[i], kind);
        if (v == BASE64_BAD)
            return -EINVAL;
        bits = bits << 6 | v;
        /* Each digit after the first of its group completes one byte. */
        if (i % 4 != 0)
            data[at++] = (char)(uint8_t)(bits >> (6 - i % 4 * 2));
    }
    CHECK(at == len);
    *ret = (struct slice){data, len};
    return 0;
}
