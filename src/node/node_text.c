/*
 * Strings and bytes for Buffer. Short strings never come here: scripts do those faster than a call costs.
 */
#include "node/node_impl.h"

#include <errno.h>
#include <stdlib.h>

/* The part [start, end) of a view; args[i + 1], args[i + 2] are numbers. */
static struct slice view_part(js_context ctx, size_t n_args, const js_value args[], size_t i)
{
    struct slice bytes = node_view(ctx, n_args, args, i);
    size_t start = (size_t)node_number(ctx, n_args, args, i + 1, 0);
    size_t end = (size_t)node_number(ctx, n_args, args, i + 2, (double)bytes.len);
    end = MIN(end, bytes.len);
    return start >= end ? SLICE("") : slice_from(bytes.ptr + start, end - start);
}

/* utf8Slice(view, start, end) */
static JS_NATIVE(text_utf8_slice)
{
    return js_string(ctx, view_part(ctx, n_args, args, 0));
}

static JS_NATIVE(text_latin1_slice)
{
    return js_latin1(ctx, view_part(ctx, n_args, args, 0));
}

static JS_NATIVE(text_ascii_slice)
{
    struct slice s = view_part(ctx, n_args, args, 0);
    AUTO(buf_done) struct buf out = {0};
    char *to = buf_reserve(&out, s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        to[i] = (char)(s.ptr[i] & 0x7F);
    buf_added(&out, s.len);
    return js_latin1(ctx, buf_slice(&out));
}

/* utf8Bytes(string): ArrayBuffer */
static JS_NATIVE(text_utf8_bytes)
{
    AUTO(buf_done) struct buf out = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &out) < 0)
        return js_throw(ctx, exception, "TypeError", "not a string");
    return js_bytes_buf(ctx, &out);
}

static JS_NATIVE(text_utf8_length)
{
    AUTO(buf_done) struct buf out = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &out) < 0)
        return js_number(ctx, 0);
    return js_number(ctx, (double)buf_len(&out));
}

/* How much of s fits in `room` without cutting a character. */
static size_t utf8_fit(struct slice s, size_t room)
{
    if (s.len <= room)
        return s.len;
    size_t n = room;
    while (n > 0 && ((unsigned char)s.ptr[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* utf8Write(view, string, offset, length): bytes written. The caller has checked the bounds. */
static JS_NATIVE(text_utf8_write)
{
    AUTO(buf_done) struct buf text = {0};
    if (n_args < 4 || js_append_utf8(ctx, args[1], &text) < 0)
        return js_number(ctx, 0);
    struct slice bytes = node_view(ctx, n_args, args, 0);
    size_t offset = MIN((size_t)js_to_number(ctx, args[2], 0), bytes.len);
    size_t room = MIN((size_t)js_to_number(ctx, args[3], 0), bytes.len - offset);
    size_t n = utf8_fit(buf_slice(&text), room);
    if (n > 0)
        memcpy((char *)(uintptr_t)bytes.ptr + offset, buf_slice(&text).ptr, n);
    return js_number(ctx, (double)n);
}

/* latin1Write(view, string, offset, length): bytes written, or -1 when a code unit does not fit a byte. */
static JS_NATIVE(text_latin1_write)
{
    AUTO(buf_done) struct buf text = {0};
    if (n_args < 4 || js_append_latin1(ctx, args[1], &text) < 0)
        return js_number(ctx, -1);
    struct slice bytes = node_view(ctx, n_args, args, 0);
    size_t offset = MIN((size_t)js_to_number(ctx, args[2], 0), bytes.len);
    size_t n = MIN(MIN((size_t)js_to_number(ctx, args[3], 0), bytes.len - offset), buf_len(&text));
    if (n > 0)
        memcpy((char *)(uintptr_t)bytes.ptr + offset, buf_slice(&text).ptr, n);
    return js_number(ctx, (double)n);
}

/* --- base64 and hex, as forgiving as Node --- */

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* base64Bytes(string): stops at '=', skips everything that is no digit. */
static JS_NATIVE(text_base64_bytes)
{
    AUTO(buf_done) struct buf text = {0}, out = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &text) < 0)
        return js_bytes(ctx, SLICE(""));
    struct slice s = buf_slice(&text);
    unsigned char *to = (unsigned char *)buf_reserve(&out, s.len * 3 / 4 + 4);
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < s.len && s.ptr[i] != '='; i++) {
        int digit = base64_digit((unsigned char)s.ptr[i]);
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            to[n++] = (unsigned char)(bits >> n_bits);
        }
    }
    buf_added(&out, n);
    return js_bytes_buf(ctx, &out);
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* hexBytes(string): up to the first pair that is not hexadecimal. */
static JS_NATIVE(text_hex_bytes)
{
    AUTO(buf_done) struct buf text = {0}, out = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &text) < 0)
        return js_bytes(ctx, SLICE(""));
    struct slice s = buf_slice(&text);
    for (size_t i = 0; i + 1 < s.len; i += 2) {
        int high = hex_digit((unsigned char)s.ptr[i]), low = hex_digit((unsigned char)s.ptr[i + 1]);
        if (high < 0 || low < 0)
            break;
        buf_append_char(&out, (char)(high << 4 | low));
    }
    return js_bytes_buf(ctx, &out);
}

/* --- searching and comparing --- */

/* indexOf(view, needle, from, forward): -1 when absent. `from` lies in [0, len]. */
static JS_NATIVE(text_index_of)
{
    struct slice hay = node_view(ctx, n_args, args, 0), needle = node_view(ctx, n_args, args, 1);
    size_t from = (size_t)node_number(ctx, n_args, args, 2, 0);
    bool forward = n_args > 3 && js_is_true(ctx, args[3]);
    if (needle.len > hay.len)
        return js_number(ctx, -1);
    size_t last = hay.len - needle.len;
    if (forward) {
        if (from > last)
            return js_number(ctx, -1);
        const char *at = memmem(hay.ptr + from, hay.len - from, needle.ptr, needle.len);
        return js_number(ctx, at == NULL ? -1 : (double)(at - hay.ptr));
    }
    for (size_t i = MIN(from, last) + 1; i > 0; i--)
        if (memcmp(hay.ptr + i - 1, needle.ptr, needle.len) == 0)
            return js_number(ctx, (double)(i - 1));
    return js_number(ctx, -1);
}

/* compare(a, aStart, aEnd, b, bStart, bEnd): -1, 0, 1 */
static JS_NATIVE(text_compare)
{
    struct slice a = view_part(ctx, n_args, args, 0), b = view_part(ctx, n_args, args, 3);
    int r = slice_compare(a, b);
    return js_number(ctx, r < 0 ? -1 : r > 0 ? 1 : 0);
}

static bool is_utf8(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        unsigned char c = p[i];
        size_t more = c < 0x80                ? 0
                      : c >= 0xC2 && c < 0xE0 ? 1
                      : c >= 0xE0 && c < 0xF0 ? 2
                      : c >= 0xF0 && c < 0xF5 ? 3
                                              : 9;
        if (more == 9 || s.len - i <= more)
            return false;
        unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
        unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        for (size_t k = 1; k <= more; k++, low = 0x80, high = 0xBF)
            if (p[i + k] < low || p[i + k] > high)
                return false;
        i += more + 1;
    }
    return true;
}

static JS_NATIVE(text_is_utf8)
{
    return js_bool(ctx, is_utf8(node_view(ctx, n_args, args, 0)));
}

static JS_NATIVE(text_is_ascii)
{
    struct slice s = node_view(ctx, n_args, args, 0);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] >= 0x80)
            return js_bool(ctx, false);
    return js_bool(ctx, true);
}

const struct js_native_row node_text_rows[] = {
    {"utf8Slice", text_utf8_slice},     {"latin1Slice", text_latin1_slice},
    {"asciiSlice", text_ascii_slice},   {"utf8Bytes", text_utf8_bytes},
    {"utf8Length", text_utf8_length},   {"utf8Write", text_utf8_write},
    {"latin1Write", text_latin1_write}, {"base64Bytes", text_base64_bytes},
    {"hexBytes", text_hex_bytes},       {"indexOf", text_index_of},
    {"compare", text_compare},          {"isUtf8", text_is_utf8},
    {"isAscii", text_is_ascii},
};
const size_t node_text_n_rows = ARRAY_LEN(node_text_rows);
