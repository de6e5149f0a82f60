/*
 * Strings between C (UTF-8 or bytes) and the engine (one byte or UTF-16 per code unit).
 *
 * The C API takes zero-terminated UTF-8 or UTF-16 and tells nobody which of the two a string holds, so
 * ASCII, the common case, is tried first and everything else goes through UTF-16.
 */
#include "engine/js.h"

#include <errno.h>

#include "engine/vm_impl.h"

enum {
    JS_SCRATCH_KEEP = 1024 * 1024, /* bytes of scratch memory kept between calls */
    JS_REPLACEMENT = 0xFFFD
};

static bool ascii_only(struct slice s)
{
    uint64_t word = 0;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        memcpy(&word, s.ptr + i, 8);
        if ((word & 0x8080808080808080u) != 0)
            return false;
    }
    unsigned rest = 0;
    for (; i < s.len; i++)
        rest |= (unsigned char)s.ptr[i];
    return rest < 0x80;
}

/* One code point by the rules of the Encoding Standard: a broken sequence gives one U+FFFD per maximal
 * valid prefix. Returns how many bytes it took. */
static size_t utf8_next(const unsigned char *p, size_t len, uint32_t *ret)
{
    static const struct {
        unsigned char first, last, second_low, second_high, n_more;
    } rows[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 1}, {0xE0, 0xE0, 0xA0, 0xBF, 2}, {0xE1, 0xEC, 0x80, 0xBF, 2},
        {0xED, 0xED, 0x80, 0x9F, 2}, {0xEE, 0xEF, 0x80, 0xBF, 2}, {0xF0, 0xF0, 0x90, 0xBF, 3},
        {0xF1, 0xF3, 0x80, 0xBF, 3}, {0xF4, 0xF4, 0x80, 0x8F, 3},
    };
    *ret = p[0];
    if (p[0] < 0x80)
        return 1;
    *ret = JS_REPLACEMENT;
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        if (p[0] < rows[r].first || p[0] > rows[r].last)
            continue;
        uint32_t c = p[0] & (0x3Fu >> rows[r].n_more);
        unsigned char low = rows[r].second_low, high = rows[r].second_high;
        for (size_t i = 1; i <= rows[r].n_more; i++) {
            if (i >= len || p[i] < low || p[i] > high)
                return i;
            c = c << 6 | (p[i] & 0x3F);
            low = 0x80;
            high = 0xBF;
        }
        *ret = c;
        return rows[r].n_more + 1u;
    }
    return 1;
}

static void scratch_trim(struct vm *vm)
{
    if (vm->scratch.cap > JS_SCRATCH_KEEP)
        buf_done(&vm->scratch);
}

static JSStringRef string_from_units(struct vm *vm, size_t n)
{
    JSStringRef s = JSStringCreateWithCharacters((const JSChar *)(const void *)vm->scratch.data, n);
    scratch_trim(vm);
    return s;
}

static JSStringRef string_wide_utf8(struct vm *vm, struct slice utf8)
{
    buf_clear(&vm->scratch);
    JSChar *out = (JSChar *)(void *)buf_reserve(&vm->scratch, utf8.len * sizeof(JSChar));
    size_t n = 0;
    for (size_t at = 0; at < utf8.len;) {
        uint32_t c = 0;
        at += utf8_next((const unsigned char *)utf8.ptr + at, utf8.len - at, &c);
        if (c >= 0x10000) {
            out[n++] = (JSChar)(0xD7C0 + (c >> 10));
            out[n++] = (JSChar)(0xDC00 | (c & 0x3FF));
        } else {
            out[n++] = (JSChar)c;
        }
    }
    return string_from_units(vm, n);
}

static JSStringRef string_wide_latin1(struct vm *vm, struct slice bytes)
{
    buf_clear(&vm->scratch);
    JSChar *out = (JSChar *)(void *)buf_reserve(&vm->scratch, bytes.len * sizeof(JSChar));
    for (size_t i = 0; i < bytes.len; i++)
        out[i] = (unsigned char)bytes.ptr[i];
    return string_from_units(vm, bytes.len);
}

static bool plain_ascii(struct slice s)
{
    return ascii_only(s) && (s.len == 0 || memchr(s.ptr, 0, s.len) == NULL);
}

static JSStringRef string_ascii(struct vm *vm, struct slice s)
{
    buf_clear(&vm->scratch);
    buf_append_slice(&vm->scratch, s);
    JSStringRef text = JSStringCreateWithUTF8CString(buf_cstr(&vm->scratch));
    scratch_trim(vm);
    return text;
}

JSStringRef js_string_make(struct slice utf8)
{
    struct vm *vm = vm_here();
    return plain_ascii(utf8) ? string_ascii(vm, utf8) : string_wide_utf8(vm, utf8);
}

static js_value string_value(js_context ctx, JSStringRef s)
{
    js_value v = JSValueMakeString(ctx, s);
    JSStringRelease(s);
    return v;
}

js_value js_string(js_context ctx, struct slice utf8)
{
    return string_value(ctx, js_string_make(utf8));
}

js_value js_string_buf(js_context ctx, struct buf *utf8)
{
    struct slice s = buf_slice(utf8);
    if (!plain_ascii(s))
        return string_value(ctx, string_wide_utf8(vm_here(), s));
    return string_value(ctx, JSStringCreateWithUTF8CString(buf_cstr(utf8)));
}

js_value js_latin1(js_context ctx, struct slice bytes)
{
    struct vm *vm = vm_here();
    return string_value(ctx, plain_ascii(bytes) ? string_ascii(vm, bytes)
                                                : string_wide_latin1(vm, bytes));
}

/* --- out of the engine --- */

static void append_utf8_units(struct buf *out, const JSChar *units, size_t n)
{
    unsigned char *p = (unsigned char *)buf_reserve(out, n * 3);
    unsigned char *start = p;
    for (size_t i = 0; i < n; i++) {
        uint32_t c = units[i];
        bool paired = (c & 0xFC00) == 0xD800 && i + 1 < n && (units[i + 1] & 0xFC00) == 0xDC00;
        if (paired)
            c = 0x10000 + ((c & 0x3FF) << 10) + (units[++i] & 0x3FF);
        else if ((c & 0xF800) == 0xD800)
            c = JS_REPLACEMENT;
        if (c < 0x80) {
            *p++ = (unsigned char)c;
        } else if (c < 0x800) {
            *p++ = (unsigned char)(0xC0 | c >> 6);
            *p++ = (unsigned char)(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            *p++ = (unsigned char)(0xE0 | c >> 12);
            *p++ = (unsigned char)(0x80 | (c >> 6 & 0x3F));
            *p++ = (unsigned char)(0x80 | (c & 0x3F));
        } else {
            *p++ = (unsigned char)(0xF0 | c >> 18);
            *p++ = (unsigned char)(0x80 | (c >> 12 & 0x3F));
            *p++ = (unsigned char)(0x80 | (c >> 6 & 0x3F));
            *p++ = (unsigned char)(0x80 | (c & 0x3F));
        }
    }
    buf_added(out, (size_t)(p - start));
}

/* True when the string was ASCII and is in `out` now. */
static bool append_ascii(JSStringRef s, size_t n, struct buf *out)
{
    char *p = buf_reserve(out, n + 1);
    /* Exactly as many bytes as characters, and none above 0x7F: then nothing was cut or replaced. */
    if (JSStringGetUTF8CString(s, p, n + 1) != n + 1 || !ascii_only(slice_from(p, n)))
        return false;
    buf_added(out, n);
    return true;
}

static JSStringRef string_of(js_context ctx, js_value v)
{
    js_value exception = NULL;
    return JSValueToStringCopy(ctx, v, &exception);
}

int js_append_utf8(js_context ctx, js_value v, struct buf *out)
{
    AUTO(jsc_string_release) JSStringRef s = string_of(ctx, v);
    if (s == NULL)
        return -EINVAL;
    size_t n = JSStringGetLength(s);
    if (!append_ascii(s, n, out))
        append_utf8_units(out, JSStringGetCharactersPtr(s), n);
    return 0;
}

int js_append_latin1(js_context ctx, js_value v, struct buf *out)
{
    AUTO(jsc_string_release) JSStringRef s = string_of(ctx, v);
    if (s == NULL)
        return -EINVAL;
    size_t n = JSStringGetLength(s);
    if (append_ascii(s, n, out))
        return 0;
    const JSChar *units = JSStringGetCharactersPtr(s);
    char *p = buf_reserve(out, n);
    for (size_t i = 0; i < n; i++) {
        if (units[i] > 0xFF)
            return -EINVAL;
        p[i] = (char)units[i];
    }
    buf_added(out, n);
    return 0;
}

int js_to_utf8(js_context ctx, js_value v, struct arena *arena, struct slice *ret)
{
    struct vm *vm = vm_here();
    buf_clear(&vm->scratch);
    int r = js_append_utf8(ctx, v, &vm->scratch);
    if (r == 0)
        r = arena_copy(arena, buf_slice(&vm->scratch).ptr, buf_len(&vm->scratch), ret);
    scratch_trim(vm);
    return r;
}
