/*
 * Group `text`: strings to bytes and back, base64, percent-encoding. https://encoding.spec.whatwg.org/
 *
 * The engine's strings are Latin-1 or UTF-16; ASCII, nearly everything, goes through js_latin1() without a
 * conversion.
 */
#include <errno.h>

#include "core/base64.h"
#include "web/encoding_impl.h"
#include "web/web_impl.h"

enum { KIND_UTF8, KIND_WINDOWS_1252, KIND_UTF16LE, KIND_UTF16BE };
enum { DECODE_FATAL = 1, DECODE_KEEP_BOM = 2 };
enum { REPLACEMENT = 0xfffd };

/* --- UTF-8 --- */

static bool utf8_is_ascii(struct slice s)
{
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word;
        memcpy(&word, s.ptr + i, 8);
        if ((word & 0x8080808080808080u) != 0)
            return false;
    }
    for (; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

/* Bytes of the well-formed character at p; 0 when there is none. */
static size_t utf8_char(const unsigned char *p, size_t n)
{
    static const unsigned char low[] = {[0xe0] = 0xa0, [0xf0] = 0x90, [0xff] = 0};
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (len > n || (len > 2 && p[1] < low[c]) || (c == 0xed && p[1] > 0x9f) ||
        (c == 0xf4 && p[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

static bool utf8_valid(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        size_t len = utf8_char(p + i, s.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

static void utf8_append(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_append_char(out, (char)c);
    } else if (c < 0x800) {
        buf_append_char(out, (char)(0xc0 | c >> 6));
        buf_append_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_append_char(out, (char)(0xe0 | c >> 12));
        buf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_append_char(out, (char)(0xf0 | c >> 18));
        buf_append_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

static js_value utf8_decode(js_context ctx, struct slice s, unsigned flags)
{
    if (utf8_is_ascii(s))
        return js_latin1(ctx, s);
    if ((flags & DECODE_KEEP_BOM) == 0 && slice_starts(s, SLICE("\xef\xbb\xbf")))
        s = slice_skip(s, 3);
    if ((flags & DECODE_FATAL) != 0 && !utf8_valid(s))
        return js_undefined(ctx);
    return js_string(ctx, s);
}

/* --- UTF-16 --- */

static uint32_t utf16_unit(const unsigned char *p, bool big)
{
    return big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

/* Appends as UTF-8; false when something was malformed. */
static bool utf16_convert(struct slice s, bool big, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    bool fine = s.len % 2 == 0;
    size_t i = 0;
    for (; i + 2 <= s.len; i += 2) {
        uint32_t c = utf16_unit(p + i, big);
        if (c >= 0xd800 && c <= 0xdbff && i + 4 <= s.len) {
            uint32_t d = utf16_unit(p + i + 2, big);
            if (d >= 0xdc00 && d <= 0xdfff) {
                utf8_append(out, 0x10000 + ((c - 0xd800) << 10) + (d - 0xdc00));
                i += 2;
                continue;
            }
        }
        bool lone = c >= 0xd800 && c <= 0xdfff;
        fine = fine && !lone;
        utf8_append(out, lone ? REPLACEMENT : c);
    }
    if (i < s.len)
        utf8_append(out, REPLACEMENT);
    return fine;
}

static js_value utf16_decode(js_context ctx, struct slice s, bool big, unsigned flags)
{
    AUTO(buf_done) struct buf out = {0};
    if ((flags & DECODE_KEEP_BOM) == 0 && s.len >= 2 &&
        utf16_unit((const unsigned char *)s.ptr, big) == 0xfeff)
        s = slice_skip(s, 2);
    if (!utf16_convert(s, big, &out) && (flags & DECODE_FATAL) != 0)
        return js_undefined(ctx);
    return js_string(ctx, buf_slice(&out));
}

/* --- windows-1252, which the standard means by "latin1" --- */

const uint16_t encoding_windows_1252[32] = {
    0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};

static js_value windows_1252_decode(js_context ctx, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;
    while (i < s.len && (p[i] < 0x80 || p[i] > 0x9f))
        i++;
    if (i == s.len)
        return js_latin1(ctx, s);
    AUTO(buf_done) struct buf out = {0};
    for (i = 0; i < s.len; i++)
        utf8_append(&out, p[i] >= 0x80 && p[i] <= 0x9f ? encoding_windows_1252[p[i] - 0x80] : p[i]);
    return js_string(ctx, buf_slice(&out));
}

/* decode(bytes, kind, flags): a string, or undefined when it is malformed and that is fatal. */
static JS_NATIVE(web_text_decode)
{
    struct slice s;
    if (web_bytes(ctx, n_args, args, 0, &s) < 0)
        return js_throw(ctx, exception, "TypeError", "The ArrayBuffer is detached.");
    unsigned flags = (unsigned)web_number(ctx, n_args, args, 2);
    switch ((int)web_number(ctx, n_args, args, 1)) {
    case KIND_UTF8:
        return utf8_decode(ctx, s, flags);
    case KIND_WINDOWS_1252:
        return windows_1252_decode(ctx, s);
    case KIND_UTF16LE:
        return utf16_decode(ctx, s, false, flags);
    default:
        return utf16_decode(ctx, s, true, flags);
    }
}

static JS_NATIVE(web_text_encode)
{
    AUTO(buf_done) struct buf out = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &out) < 0)
        return js_throw(ctx, exception, "TypeError", "The value cannot become a string.");
    return js_bytes_buf(ctx, &out);
}

/* Counts the UTF-16 units of whole characters that fit. */
static size_t utf8_fit(struct slice s, size_t room, uint32_t *ret_units)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;
    uint32_t units = 0;
    while (i < s.len) {
        size_t len = p[i] < 0x80 ? 1 : p[i] < 0xe0 ? 2 : p[i] < 0xf0 ? 3 : 4;
        if (i + len > room)
            break;
        i += len;
        units += len == 4 ? 2 : 1;
    }
    *ret_units = units;
    return i;
}

/* encodeInto(string, bytes, counts): counts[0] = units read, counts[1] = bytes written. */
static JS_NATIVE(web_text_encode_into)
{
    AUTO(buf_done) struct buf text = {0};
    uint32_t *counts = web_scratch(ctx, n_args, args, 2, 2);
    struct slice room;
    if (counts == NULL || js_append_utf8(ctx, args[0], &text) < 0 ||
        web_bytes(ctx, n_args, args, 1, &room) < 0)
        return js_throw(ctx, exception, "TypeError",
                        "encodeInto() wants a string and a Uint8Array.");
    size_t n = utf8_fit(buf_slice(&text), room.len, &counts[0]);
    if (n > 0)
        memcpy((char *)(uintptr_t)room.ptr, buf_slice(&text).ptr, n);
    counts[1] = (uint32_t)n;
    return js_undefined(ctx);
}

static JS_NATIVE(web_text_latin1)
{
    struct slice s;
    if (web_bytes(ctx, n_args, args, 0, &s) < 0)
        return js_throw(ctx, exception, "TypeError", "latin1() wants bytes.");
    return js_latin1(ctx, s);
}

/* --- base64 --- */

static JS_NATIVE(web_text_btoa)
{
    AUTO(buf_done) struct buf bytes = {0}, out = {0};
    if (n_args < 1 || js_append_latin1(ctx, args[0], &bytes) < 0)
        return js_undefined(ctx);
    base64_encode(&out, buf_slice(&bytes), BASE64_STANDARD);
    return js_latin1(ctx, buf_slice(&out));
}

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void base64_strip(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (memchr("\t\n\f\r ", s.ptr[i], 5) == NULL)
            buf_append_char(out, s.ptr[i]);
    }
}

/* "Forgiving" base64: https://infra.spec.whatwg.org/#forgiving-base64-decode */
static int base64_forgiving(struct slice text, struct buf *out)
{
    AUTO(buf_done) struct buf stripped = {0};
    base64_strip(text, &stripped);
    struct slice s = buf_slice(&stripped);
    bool padded = s.len % 4 == 0;
    for (int i = 0; i < 2 && padded && s.len > 0 && s.ptr[s.len - 1] == '='; i++)
        s.len--;
    uint32_t bits = 0;
    unsigned n = 0;
    if (s.len % 4 == 1)
        return -EINVAL;
    for (size_t i = 0; i < s.len; i++) {
        int digit = base64_digit((unsigned char)s.ptr[i]);
        if (digit < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)digit;
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_append_char(out, (char)(bits >> n & 0xff));
        }
    }
    return 0;
}

static JS_NATIVE(web_text_atob)
{
    AUTO(buf_done) struct buf text = {0}, out = {0};
    if (n_args < 1 || js_append_latin1(ctx, args[0], &text) < 0 ||
        base64_forgiving(buf_slice(&text), &out) < 0)
        return js_undefined(ctx);
    return js_latin1(ctx, buf_slice(&out));
}

/* --- percent-encoding --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void percent_decode(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
        buf_append_char(out, (char)(low >= 0 ? high << 4 | low : s.ptr[i]));
        if (low >= 0)
            i += 2;
    }
}

static bool percent_argument(js_context ctx, size_t n_args, const js_value args[], struct buf *out)
{
    AUTO(buf_done) struct buf text = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &text) < 0)
        return false;
    percent_decode(buf_slice(&text), out);
    return true;
}

static JS_NATIVE(web_text_percent_decode)
{
    AUTO(buf_done) struct buf out = {0};
    if (!percent_argument(ctx, n_args, args, &out))
        return js_throw(ctx, exception, "TypeError", "The value cannot become a string.");
    return js_string(ctx, buf_slice(&out));
}

static JS_NATIVE(web_text_percent_bytes)
{
    AUTO(buf_done) struct buf out = {0};
    if (!percent_argument(ctx, n_args, args, &out))
        return js_throw(ctx, exception, "TypeError", "The value cannot become a string.");
    return js_bytes_buf(ctx, &out);
}

const struct js_native_row web_text_rows[] = {
    {"decode", web_text_decode},
    {"encode", web_text_encode},
    {"encodeInto", web_text_encode_into},
    {"latin1", web_text_latin1},
    {"label", web_text_label},
    {"decodeLegacy", web_text_decode_legacy},
    {"btoa", web_text_btoa},
    {"atob", web_text_atob},
    {"percentDecode", web_text_percent_decode},
    {"percentBytes", web_text_percent_bytes},
};
const size_t web_text_n_rows = ARRAY_LEN(web_text_rows);
