#include "api/text.h"

#include <errno.h>

static int text_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int text_percent_decode(struct arena *arena, struct slice in, bool plus, struct slice *ret)
{
    char *out = arena_alloc(arena, in.len + 1);
    if (out == NULL)
        return -ENOMEM;

    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (c == '%') {
            int high = in.len - i < 3 ? -1 : text_hex(in.ptr[i + 1]);
            int low = high < 0 ? -1 : text_hex(in.ptr[i + 2]);
            if (low < 0)
                return -EBADMSG;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[n++] = c;
    }
    *ret = slice_from(out, n);
    return 0;
}

static bool text_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

void text_percent_encode(struct buf *out, struct slice in)
{
    for (size_t i = 0; i < in.len; i++) {
        if (text_unreserved(in.ptr[i]))
            buf_append_char(out, in.ptr[i]);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)in.ptr[i]);
    }
}

bool text_query_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    while (rest->len > 0) {
        struct slice value = slice_cut(rest, '&');
        if (value.len == 0)
            continue;
        *ret_name = slice_cut(&value, '=');
        *ret_value = value;
        return true;
    }
    return false;
}

bool text_is_name(struct slice s, size_t max)
{
    if (s.len == 0 || s.len > max || s.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!text_unreserved(s.ptr[i]) || s.ptr[i] == '~')
            return false;
    }
    return true;
}
