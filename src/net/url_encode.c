/*
 * Percent-encoding: the sets of the standard as bit maps, encoding and decoding.
 */
#include "net/url_impl.h"

#include <errno.h>

/* Two words for the bytes 0 to 127; bytes above are in every set. */
static const uint64_t url_sets[][2] = {
    [URL_SET_C0] = {0x00000000ffffffff, 0x8000000000000000},
    [URL_SET_FRAGMENT] = {0x50000005ffffffff, 0x8000000100000000},      /* space " < > ` */
    [URL_SET_QUERY] = {0x5000000dffffffff, 0x8000000000000000},         /* space " # < > */
    [URL_SET_SPECIAL_QUERY] = {0x5000008dffffffff, 0x8000000000000000}, /* and ' */
    [URL_SET_PATH] = {0xd000000dffffffff, 0xa800000140000000},          /* query and ? ^ ` { } */
    [URL_SET_USERINFO] = {0xfc00800dffffffff, 0xb800000178000001},  /* path and / : ; = @ [ \ ] | */
    [URL_SET_COMPONENT] = {0xfc00987dffffffff, 0xb800000178000001}, /* userinfo and $ % & + , */
    [URL_SET_FORM] = {0xfc009bffffffffff, 0xf800000178000001},      /* component and ! ' ( ) ~ */
};

static bool url_in_set(uint8_t c, enum url_set set)
{
    return c >= 0x80 || (url_sets[set][c >> 6] >> (c & 63) & 1) != 0;
}

static char *url_put_escape(char *p, uint8_t c)
{
    static const char digits[] = "0123456789ABCDEF";

    *p++ = '%';
    *p++ = digits[c >> 4];
    *p++ = digits[c & 15];
    return p;
}

static size_t url_count_escapes(struct slice in, enum url_set set)
{
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++)
        n += url_in_set((uint8_t)in.ptr[i], set);
    return n;
}

static char *url_put_encoded(char *p, struct slice in, enum url_set set)
{
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = (uint8_t)in.ptr[i];
        if (url_in_set(c, set))
            p = url_put_escape(p, c);
        else
            *p++ = (char)c;
    }
    return p;
}

int url_encode(struct arena *arena, struct slice in, enum url_set set, struct slice *ret)
{
    size_t n = url_count_escapes(in, set);

    if (n == 0) {
        *ret = in;
        return 0;
    }
    char *text = arena_alloc(arena, in.len + 2 * n);
    if (text == NULL)
        return -ENOMEM;
    *ret = slice_from(text, (size_t)(url_put_encoded(text, in, set) - text));
    return 0;
}

void url_percent_encode(struct buf *out, struct slice in, enum url_set set)
{
    char *p = buf_reserve(out, 3 * in.len);

    buf_added(out, (size_t)(url_put_encoded(p, in, set) - p));
}

static int url_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t url_percent_decode(struct slice in, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++) {
        int high = i + 2 < in.len && in.ptr[i] == '%' ? url_hex(in.ptr[i + 1]) : -1;
        int low = high >= 0 ? url_hex(in.ptr[i + 2]) : -1;
        if (low >= 0) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n++] = in.ptr[i];
        }
    }
    return n;
}

int url_without_newlines(struct arena *arena, struct slice in, struct slice *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++)
        n += in.ptr[i] == '\t' || in.ptr[i] == '\n' || in.ptr[i] == '\r';
    *ret = in;
    if (n == 0)
        return 0;

    char *text = arena_alloc(arena, in.len - n + 1), *p = text;
    if (text == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != '\t' && in.ptr[i] != '\n' && in.ptr[i] != '\r')
            *p++ = in.ptr[i];
    }
    *ret = slice_from(text, (size_t)(p - text));
    return 0;
}
