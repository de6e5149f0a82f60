/* https://drafts.csswg.org/css-syntax-3/#tokenization, as much as selectors need. */
#include "web/html_css.h"

#include <errno.h>
#include <strings.h>

#include "web/encoding_impl.h"

enum { CSS_HEX_MAX = 6, CSS_NTH_MAX = 1000000000 };

static bool css_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool css_is_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

bool css_is_name(int c)
{
    return css_is_start(c) || (c >= '0' && c <= '9') || c == '-';
}

static bool css_is_escape(const struct css *c, size_t n)
{
    int next = css_peek(c, n + 1);
    return css_peek(c, n) == '\\' && next != '\n' && next != '\r' && next != '\f';
}

void css_comments(struct css *c)
{
    while (css_peek(c, 0) == '/' && css_peek(c, 1) == '*') {
        ssize_t end = slice_find_slice(slice_skip(c->in, c->pos + 2), SLICE("*/"));
        c->pos = end < 0 ? c->in.len : c->pos + 2 + (size_t)end + 2;
    }
}

bool css_space(struct css *c)
{
    bool any = false;
    for (;;) {
        css_comments(c);
        if (!css_is_space(css_peek(c, 0)))
            return any;
        any = true;
        c->pos++;
    }
}

bool css_at_ident(const struct css *c, size_t n)
{
    if (css_peek(c, n) == '-') {
        int next = css_peek(c, n + 1);
        return css_is_start(next) || next == '-' || css_is_escape(c, n + 1);
    }
    return css_is_start(css_peek(c, n)) || css_is_escape(c, n);
}

static int css_hex(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind the backslash. */
static void css_escape(struct css *c, struct buf *out)
{
    uint32_t code = 0;
    int n = 0;
    if (css_peek(c, 0) < 0) {
        encoding_append(out, 0xfffd);
        return;
    }
    for (; n < CSS_HEX_MAX && css_hex(css_peek(c, 0)) >= 0; n++, c->pos++)
        code = code * 16 + (uint32_t)css_hex(css_peek(c, 0));
    if (n == 0) {
        buf_append_char(out, c->in.ptr[c->pos++]);
        return;
    }
    if (css_is_space(css_peek(c, 0)))
        c->pos++;
    bool bad = code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
    encoding_append(out, bad ? 0xfffd : code);
}

static int css_keep(struct css *c, struct buf *text, struct slice *ret)
{
    return arena_copy(c->arena, buf_slice(text).ptr, buf_len(text), ret);
}

int css_name(struct css *c, struct slice *ret)
{
    AUTO(buf_done) struct buf text = {0};
    while (css_is_name(css_peek(c, 0)) || css_is_escape(c, 0)) {
        char byte = c->in.ptr[c->pos++];
        if (byte == '\\')
            css_escape(c, &text);
        else
            buf_append_char(&text, byte);
    }
    return css_keep(c, &text, ret);
}

int css_string(struct css *c, struct slice *ret)
{
    AUTO(buf_done) struct buf text = {0};
    int quote = css_peek(c, 0);
    for (c->pos++; css_peek(c, 0) >= 0 && css_peek(c, 0) != quote;) {
        char byte = c->in.ptr[c->pos++];
        if (byte == '\n' || byte == '\r' || byte == '\f')
            return -EBADMSG;
        if (byte != '\\')
            buf_append_char(&text, byte);
        else if (css_peek(c, 0) == '\n')
            c->pos++;
        else if (css_peek(c, 0) >= 0)
            css_escape(c, &text);
    }
    c->pos += css_peek(c, 0) >= 0;
    return css_keep(c, &text, ret);
}

static bool css_digits(struct css *c, int *ret)
{
    int64_t n = 0;
    bool any = false;
    for (; css_peek(c, 0) >= '0' && css_peek(c, 0) <= '9'; c->pos++, any = true)
        n = MIN(n * 10 + (css_peek(c, 0) - '0'), (int64_t)CSS_NTH_MAX);
    *ret = (int)n;
    return any;
}

/* What may follow the n: nothing, or a sign and a number. */
static int css_nth_offset(struct css *c, int *ret)
{
    size_t before = c->pos;
    css_space(c);
    int sign = css_peek(c, 0);
    *ret = 0;
    if (sign != '+' && sign != '-') {
        c->pos = before;
        return 0;
    }
    c->pos++;
    css_space(c);
    if (!css_digits(c, ret))
        return -EBADMSG;
    if (sign == '-')
        *ret = -*ret;
    return 0;
}

static bool css_keyword(struct css *c, const char *word)
{
    size_t n = strlen(word);
    if (c->in.len - c->pos < n || strncasecmp(c->in.ptr + c->pos, word, n) != 0 ||
        css_is_name(css_peek(c, n)))
        return false;
    c->pos += n;
    return true;
}

int css_nth(struct css *c, int *ret_step, int *ret_offset)
{
    css_space(c);
    if (css_peek(c, 0) < 0 || css_peek(c, 0) == ')')
        return -ENODATA;
    *ret_step = 2;
    *ret_offset = 0;
    if (css_keyword(c, "even"))
        return 0;
    *ret_offset = 1;
    if (css_keyword(c, "odd"))
        return 0;
    int sign = css_peek(c, 0) == '-' ? -1 : 1, n;
    c->pos += css_peek(c, 0) == '-' || css_peek(c, 0) == '+';
    bool digits = css_digits(c, &n);
    if ((css_peek(c, 0) | 0x20) != 'n') {
        *ret_step = 0;
        *ret_offset = sign * n;
        return digits && !css_is_name(css_peek(c, 0)) ? 0 : -EBADMSG;
    }
    c->pos++;
    *ret_step = sign * (digits ? n : 1);
    return css_is_name(css_peek(c, 0)) && css_peek(c, 0) != '-' ? -EBADMSG
                                                                : css_nth_offset(c, ret_offset);
}
