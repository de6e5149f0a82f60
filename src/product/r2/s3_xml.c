/*
 * XML for S3: written by hand, and a small strict reader for the two documents that clients send. No document
 * type, no entities but the five, no CDATA; attributes are passed over, namespaces ignored.
 */
#include "product/r2/s3_impl.h"

#include "core/clock.h"

#include <errno.h>
#include <stdlib.h>

void s3_xml_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '&')
            buf_append_slice(out, SLICE("&amp;"));
        else if (c == '<')
            buf_append_slice(out, SLICE("&lt;"));
        else if (c == '>')
            buf_append_slice(out, SLICE("&gt;"));
        else if (c == '"')
            buf_append_slice(out, SLICE("&quot;"));
        else if (c == '\'')
            buf_append_slice(out, SLICE("&apos;"));
        else if (c < 0x20)
            buf_printf(out, "&#x%X;", c);
        else
            buf_append_char(out, (char)c);
    }
}

void s3_xml_element(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "<%s>", name);
    s3_xml_text(out, slice_of(value));
    buf_printf(out, "</%s>", name);
}

void s3_xml_number(struct buf *out, const char *name, int64_t value)
{
    buf_printf(out, "<%s>%lld</%s>", name, (long long)value, name);
}

void s3_xml_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];
    s3_xml_element(out, name, clock_rfc3339(wall_ms, text));
}

void s3_xml_etag(struct buf *out, const char *etag)
{
    buf_printf(out, "<ETag>&quot;%s&quot;</ETag>", etag);
}

/* --- reading --- */

static bool s3_xml_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' ||
           c == '_' || c == '-' || c == '.';
}

static bool s3_xml_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void s3_xml_rune(struct buf *out, unsigned long c)
{
    if (c < 0x80) {
        buf_append_char(out, (char)c);
        return;
    }
    unsigned n = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    buf_append_char(out, (char)(leads[n] | (c >> (6 * n))));
    while (n-- > 0)
        buf_append_char(out, (char)(0x80 | ((c >> (6 * n)) & 0x3F)));
}

/* Behind "&", up to ";". */
static int s3_xml_entity(struct s3_xml_reader *x)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    char text[12];
    ssize_t at = slice_find(slice_from(x->rest.ptr, MIN(x->rest.len, sizeof(text))), ';');
    if (at < 1 || slice_to_cstr(slice_from(x->rest.ptr, (size_t)at), text, sizeof(text)) < 0)
        return -EBADMSG;
    x->rest = slice_skip(x->rest, (size_t)at + 1);
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        if (strcmp(text, named[i].name) == 0) {
            buf_append_char(&x->text, named[i].c);
            return 0;
        }
    }
    bool hex = text[1] == 'x';
    const char *digits = text + (hex ? 2 : 1);
    char *end = NULL;
    if (text[0] != '#' || strspn(digits, "0123456789abcdefABCDEF") != strlen(digits))
        return -EBADMSG;
    unsigned long c = strtoul(digits, &end, hex ? 16 : 10);
    if (*end != '\0' || c == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return -EBADMSG;
    s3_xml_rune(&x->text, c);
    return 0;
}

static int s3_xml_chars(struct s3_xml_reader *x)
{
    while (x->rest.len > 0 && x->rest.ptr[0] != '<') {
        char c = x->rest.ptr[0];
        x->rest = slice_skip(x->rest, 1);
        if (x->depth == 0 && !s3_xml_blank(c))
            return -EBADMSG; /* text outside of the root */
        if (c != '&') {
            buf_append_char(&x->text, c);
            continue;
        }
        int r = s3_xml_entity(x);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Attributes: name, "=", quoted value. Stands behind ">" afterwards. */
static int s3_xml_attributes(struct s3_xml_reader *x, bool *ret_empty)
{
    struct slice rest = x->rest;
    char quote = 0;
    size_t i = 0;
    for (; i < rest.len && (quote != 0 || rest.ptr[i] != '>'); i++) {
        char c = rest.ptr[i];
        if (c == '<')
            return -EBADMSG;
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
    }
    if (i == rest.len)
        return -EBADMSG;
    *ret_empty = i > 0 && rest.ptr[i - 1] == '/';
    x->rest = slice_skip(rest, i + 1);
    return 0;
}

static struct slice s3_xml_name(struct s3_xml_reader *x)
{
    size_t n = 0;
    while (n < x->rest.len && s3_xml_name_char(x->rest.ptr[n]))
        n++;
    struct slice name = slice_from(x->rest.ptr, n);
    x->rest = slice_skip(x->rest, n);
    ssize_t colon = slice_find(name, ':');
    return colon < 0 ? name : slice_skip(name, (size_t)colon + 1);
}

/* 1 when the element was empty, and so has ended too. */
static int s3_xml_open(struct s3_xml_reader *x)
{
    bool empty = false;
    struct slice name = s3_xml_name(x);
    if (name.len == 0 || x->depth == ARRAY_LEN(x->open) || (x->depth == 0 && x->seen_root) ||
        s3_xml_attributes(x, &empty) < 0)
        return -EBADMSG;
    x->seen_root = true;
    buf_clear(&x->text);
    x->open[x->depth++] = name;
    if (empty)
        x->name = name;
    return empty;
}

static int s3_xml_close(struct s3_xml_reader *x)
{
    struct slice name = s3_xml_name(x);
    if (x->depth == 0 || !slice_eq(name, x->open[x->depth - 1]))
        return -EBADMSG;
    while (x->rest.len > 0 && s3_xml_blank(x->rest.ptr[0]))
        x->rest = slice_skip(x->rest, 1);
    if (!slice_starts(x->rest, SLICE(">")))
        return -EBADMSG;
    x->rest = slice_skip(x->rest, 1);
    x->name = name;
    return 1;
}

/* "<?xml … ?>" at the very beginning, "<!-- … -->" anywhere. */
static int s3_xml_skip(struct s3_xml_reader *x)
{
    bool comment = slice_starts(x->rest, SLICE("!--"));
    struct slice end = comment ? SLICE("-->") : SLICE("?>");
    if (!comment && (!slice_starts(x->rest, SLICE("?")) || x->seen_root))
        return -EBADMSG;
    ssize_t at = slice_find_slice(slice_skip(x->rest, comment ? 3 : 1), end);
    if (at < 0)
        return -EBADMSG;
    x->rest = slice_skip(x->rest, (size_t)at + end.len + (comment ? 3 : 1));
    return 0;
}

int s3_xml_next(struct s3_xml_reader *x)
{
    int r;
    if (x->name.ptr != NULL) { /* the element that was given out is over */
        x->depth--;
        buf_clear(&x->text);
        x->name = SLICE_NONE;
    }
    do {
        r = s3_xml_chars(x);
        if (r < 0)
            return r;
        if (x->rest.len == 0)
            return x->depth == 0 && x->seen_root ? 0 : -EBADMSG;
        x->rest = slice_skip(x->rest, 1);
        bool closes = slice_starts(x->rest, SLICE("/"));
        if (closes)
            x->rest = slice_skip(x->rest, 1);
        r = closes ? s3_xml_close(x)
            : slice_starts(x->rest, SLICE("!")) || slice_starts(x->rest, SLICE("?"))
                ? s3_xml_skip(x)
                : s3_xml_open(x);
    } while (r == 0);
    return r;
}

void s3_xml_done(struct s3_xml_reader *x)
{
    buf_done(&x->text);
}
