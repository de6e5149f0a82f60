/*
 * S3: metadata in header fields, which are ASCII: everything else travels as encoded words.
 * https://www.rfc-editor.org/rfc/rfc2047, https://developers.cloudflare.com/r2/api/s3/extensions/
 */
#include "product/r2/s3_impl.h"

#include "core/base64.h"

static int s3_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Quoted-printable, "_" is a blank. */
static bool s3_word_quoted(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '=' && i + 2 < text.len && s3_digit(text.ptr[i + 1]) >= 0 &&
            s3_digit(text.ptr[i + 2]) >= 0) {
            c = (char)(s3_digit(text.ptr[i + 1]) * 16 + s3_digit(text.ptr[i + 2]));
            i += 2;
        } else if (c == '=') {
            return false;
        } else if (c == '_') {
            c = ' ';
        }
        buf_append_char(out, c);
    }
    return true;
}

/* "=?utf-8?B?…?=" at the beginning of *rest. */
static bool s3_word(struct s3 *s, struct slice *rest, struct buf *out)
{
    struct slice at = *rest, text;
    if (!slice_starts(at, SLICE("=?")))
        return false;
    at = slice_skip(at, 2);
    struct slice charset = slice_cut(&at, '?'), kind = slice_cut(&at, '?');
    ssize_t end = slice_find_slice(at, SLICE("?="));
    if (!slice_eq_nocase(charset, SLICE("utf-8")) || end < 0)
        return false;
    text = slice_from(at.ptr, (size_t)end);
    *rest = slice_skip(at, (size_t)end + 2);
    if (slice_eq_nocase(kind, SLICE("q")))
        return s3_word_quoted(out, text);
    if (!slice_eq_nocase(kind, SLICE("b")) ||
        base64_decode(&s->req->arena, text, BASE64_STANDARD, &text) < 0)
        return false;
    buf_append_slice(out, text);
    return true;
}

json_t *s3_text_decode(struct s3 *s, struct slice value)
{
    AUTO(buf_done) struct buf out = {0};
    struct slice rest = value;
    bool word = false; /* blanks between two words are none of the text's */
    while (rest.len > 0) {
        struct slice blank = rest;
        while (word && rest.len > 0 && rest.ptr[0] == ' ')
            rest = slice_skip(rest, 1);
        if (s3_word(s, &rest, &out)) {
            word = true;
            continue;
        }
        rest = blank;
        word = false;
        buf_append_char(&out, rest.ptr[0]);
        rest = slice_skip(rest, 1);
    }
    return api_text(buf_slice(&out));
}

const char *s3_text_encode(struct s3 *s, const char *value)
{
    AUTO(buf_done) struct buf out = {0};
    const char *at = value;
    while ((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f)
        at++;
    if (*at == '\0')
        return value;
    buf_append_slice(&out, SLICE("=?UTF-8?B?"));
    base64_encode(&out, slice_of(value), BASE64_STANDARD);
    buf_append_slice(&out, SLICE("?="));
    return arena_printf(&s->req->arena, "%s", buf_cstr(&out));
}
