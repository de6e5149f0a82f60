/* JSON string escaping: control characters, quote, backslash; broken UTF-8 becomes U+FFFD. */
#include "core/text_impl.h"

/* Bytes of the well-formed UTF-8 character at p (RFC 3629), 0 when there is none. */
static size_t text_utf8_len(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates, and what lies past U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static size_t text_escape_short(unsigned char c, char *out)
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = named; *p != '\0'; p += 2) {
        if ((unsigned char)*p == c) {
            out[0] = '\\';
            out[1] = p[1];
            return 2;
        }
    }
    memcpy(out, "\\u00", 4);
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    return 6;
}

size_t text_escape(struct slice *rest, char *out, size_t size)
{
    const unsigned char *p = (const unsigned char *)rest->ptr;
    size_t n = rest->len, at = 0, i = 0;
    while (i < n && size - at >= TEXT_ESCAPE_MAX) {
        unsigned char c = p[i];
        if (LIKELY(c >= 0x20 && c < 0x80 && c != '"' && c != '\\')) {
            out[at++] = (char)c;
            i++;
        } else if (c < 0x80) {
            at += text_escape_short(c, out + at);
            i++;
        } else {
            size_t len = text_utf8_len(p + i, n - i);
            const void *from = len == 0 ? (const void *)"\\ufffd" : p + i;
            size_t n_out = len == 0 ? 6 : len;
            memcpy(out + at, from, n_out);
            at += n_out;
            i += MAX(len, (size_t)1);
        }
    }
    *rest = slice_skip(*rest, i);
    return at;
}
