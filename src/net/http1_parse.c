/*
 * The request head. The scan for its end looks at 16 bytes at a time for bytes below space and DEL,
 * of which a head has only its line ends; reading the lines then never meets a stray CR or LF.
 */
#include "net/http1_parse.h"

#include "net/http_token.h"

#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Index of the first control byte at or after i, or len. */
static size_t http1_find_control(const char *ptr, size_t i, size_t len)
{
#ifdef __SSE2__
    const __m128i low = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f);

    for (; i + 16 <= len; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(ptr + i));
        __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, low), v), _mm_cmpeq_epi8(v, del));
        unsigned mask = (unsigned)_mm_movemask_epi8(bad);
        if (mask != 0)
            return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i < len; i++) {
        uint8_t c = (uint8_t)ptr[i];
        if (c < 0x20 || c == 0x7f)
            return i;
    }
    return len;
}

ssize_t http1_head_end(struct slice in, size_t *at)
{
    size_t i = *at;

    for (;;) {
        i = http1_find_control(in.ptr, i, in.len);
        *at = i;
        if (i == in.len)
            return 0;
        if (in.ptr[i] == '\t') {
            i++;
            continue;
        }
        if (in.ptr[i] != '\r')
            return -EBADMSG;
        if (i + 1 == in.len)
            return 0;
        if (in.ptr[i + 1] != '\n')
            return -EBADMSG;
        if (i >= 2 && in.ptr[i - 1] == '\n')
            return (ssize_t)(i + 2);
        i += 2;
    }
}

/* What the fields of one head have said so far. */
struct http1_fields {
    struct http1_head *head;
    struct slice upgrade;
    struct slice host;
    unsigned n_host, n_length, n_encoding;
    unsigned n_nominated; /* Connection members that name other fields */
    bool close, keep_alive, asks_upgrade;
};

static int http1_fail(struct http1_head *head, int status)
{
    head->status = status;
    return -EBADMSG;
}

static int http1_read_length(struct http1_fields *f, struct slice value)
{
    uint64_t n = 0;

    /* Two lengths, even equal ones, are a sign of somebody who hopes that two parsers disagree. */
    if (++f->n_length > 1 || slice_to_u64(value, &n) < 0 || n > INT64_MAX)
        return http1_fail(f->head, 400);
    f->head->content_length = (int64_t)n;
    return 0;
}

static int http1_read_encoding(struct http1_fields *f, struct slice value)
{
    if (++f->n_encoding > 1 || !http_name_ok(value))
        return http1_fail(f->head, slice_find(value, ',') > 0 ? 501 : 400);
    if (!slice_eq_nocase(value, SLICE("chunked")))
        return http1_fail(f->head, 501);
    f->head->chunked = true;
    return 0;
}

static int http1_read_connection(struct http1_fields *f, struct slice value)
{
    struct slice member;

    while (http_list_next(&value, &member)) {
        if (!http_name_ok(member))
            return http1_fail(f->head, 400);
        if (slice_eq_nocase(member, SLICE("close")))
            f->close = true;
        else if (slice_eq_nocase(member, SLICE("keep-alive")))
            f->keep_alive = true;
        else if (slice_eq_nocase(member, SLICE("upgrade")))
            f->asks_upgrade = true;
        else
            f->n_nominated++;
    }
    return 0;
}

static int http1_read_host(struct http1_fields *f, struct slice value)
{
    if (++f->n_host > 1 || !http_authority_ok(value))
        return http1_fail(f->head, 400);
    f->host = value;
    return 0;
}

/* 1: the field belongs into the block; 0: it does not. */
static int http1_read_field(struct http1_fields *f, struct slice name, struct slice value)
{
    switch (http_field_of(name)) {
    case HTTP_FIELD_OTHER:
        return 1;
    case HTTP_FIELD_HOST:
        return http1_read_host(f, value);
    case HTTP_FIELD_CONTENT_LENGTH: {
        int r = http1_read_length(f, value);
        return r < 0 ? r : 1;
    }
    case HTTP_FIELD_TRANSFER_ENCODING:
        return http1_read_encoding(f, value);
    case HTTP_FIELD_CONNECTION:
        return http1_read_connection(f, value);
    case HTTP_FIELD_EXPECT:
        /* Others are passed over, which RFC 9110 section 10.1.1 allows: S3 servers do, and clients count on it. */
        f->head->expect_continue |= slice_eq_nocase(value, SLICE("100-continue"));
        return 0;
    case HTTP_FIELD_UPGRADE:
        f->upgrade = value;
        return 0;
    case HTTP_FIELD_HOP:
        return 0;
    }
    return 0;
}

/* Splits a line into name (written in lower case to `out`) and value. */
static int http1_split_field(struct slice line, char *out, struct slice *ret_name,
                             struct slice *ret_value)
{
    const char *p = line.ptr, *end = line.ptr + line.len;
    size_t n = 0;
    uint8_t c;

    while (p < end && (c = http_token_lower[(uint8_t)*p]) != 0) {
        out[n++] = (char)c;
        p++;
    }
    /* Covers blanks before the colon, folded lines and empty names alike. */
    if (n == 0 || p == end || *p != ':')
        return -EBADMSG;
    p++;
    while (p < end && http_is_blank(*p))
        p++;
    while (p < end && http_is_blank(end[-1]))
        end--;
    *ret_name = slice_from(out, n);
    *ret_value = slice_from(p, (size_t)(end - p));
    return 0;
}

static size_t http1_put_value(char *out, struct slice value)
{
    out[0] = ':';
    out[1] = ' ';
    memcpy(out + 2, value.ptr, value.len);
    out[value.len + 2] = '\r';
    out[value.len + 3] = '\n';
    return value.len + 4;
}

ssize_t http1_field_parse(struct slice line, char *out)
{
    struct slice name, value;

    int r = http1_split_field(line, out, &name, &value);
    if (r < 0)
        return r;
    if (!http_value_ok(value))
        return -EBADMSG;
    return (ssize_t)(name.len + http1_put_value(out + name.len, value));
}

static int http1_parse_fields(struct http1_fields *f, struct slice in, char **out)
{
    unsigned n = 0;
    char *block = *out;

    while (in.len > 2) {
        const char *cr = memchr(in.ptr, '\r', in.len);
        struct slice line = {in.ptr, (size_t)(cr - in.ptr)}, name, value;
        if (++n > HTTP_FIELDS_MAX)
            return http1_fail(f->head, 431);
        if (http1_split_field(line, *out, &name, &value) < 0)
            return http1_fail(f->head, 400);

        int r = http1_read_field(f, name, value);
        if (r < 0)
            return r;
        if (r > 0)
            *out += name.len + http1_put_value(*out + name.len, value);
        in = slice_skip(in, line.len + 2);
    }
    f->head->headers = slice_from(block, (size_t)(*out - block));
    return 0;
}

/* RFC 9110 section 7.6.1: fields that Connection names end here. Rare, so it looks a second time. */
static bool http1_is_nominated(struct slice fields, struct slice name)
{
    while (fields.len > 2) {
        const char *cr = memchr(fields.ptr, '\r', fields.len);
        struct slice line = {fields.ptr, (size_t)(cr - fields.ptr)};
        struct slice list, member, head = slice_cut(&line, ':');
        list = line;
        while (slice_eq_nocase(head, SLICE("connection")) && http_list_next(&list, &member)) {
            if (slice_eq_nocase(member, name))
                return true;
        }
        fields = slice_skip(fields, (size_t)(cr + 2 - fields.ptr));
    }
    return false;
}

static void http1_drop_nominated(struct http1_head *head, struct slice fields)
{
    struct slice block = head->headers, name, value;
    char *to = (char *)(uintptr_t)head->headers.ptr;

    for (const char *from = block.ptr; http_header_next(&block, &name, &value); from = block.ptr) {
        size_t len = (size_t)(block.ptr - from);
        bool keeps = http_field_of(name) == HTTP_FIELD_CONTENT_LENGTH;
        if (!keeps && http1_is_nominated(fields, name))
            continue;
        memmove(to, from, len);
        to += len;
    }
    head->headers.len = (size_t)(to - head->headers.ptr);
}

static int http1_parse_version(struct slice text, struct http1_head *head)
{
    if (text.len != 8 || memcmp(text.ptr, "HTTP/", 5) != 0 || text.ptr[6] != '.' ||
        !http_is_digit(text.ptr[5]) || !http_is_digit(text.ptr[7]))
        return http1_fail(head, 400);
    if (text.ptr[5] != '1' || text.ptr[7] > '1')
        return http1_fail(head, 505);
    head->version = text.ptr[7] == '1' ? 11 : 10;
    return 0;
}

/* http://host:port/path?query: what a proxy would get; the authority must agree with Host. */
static int http1_split_absolute(struct http1_head *head)
{
    static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};
    struct slice rest = SLICE_NONE;

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct slice start = {head->target.ptr, MIN(schemes[i].len, head->target.len)};
        if (slice_eq_nocase(start, schemes[i]))
            rest = slice_skip(head->target, schemes[i].len);
    }
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    head->authority = slice_from(rest.ptr, len);
    if (!http_authority_ok(head->authority))
        return http1_fail(head, 400);

    head->target = slice_skip(rest, len);
    if (head->target.len == 0)
        head->target = SLICE("/");
    /* "http://host?query" would need a slash that is not there. */
    return head->target.ptr[0] == '/' ? 0 : http1_fail(head, 400);
}

static int http1_check_target(struct http1_head *head)
{
    struct slice t = head->target;

    if (t.len == 0)
        return http1_fail(head, 400);
    if (t.len > HTTP_TARGET_MAX)
        return http1_fail(head, 414);
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return http1_fail(head, 400);
    }
    if (slice_eq(head->method, SLICE("CONNECT")))
        return http1_fail(head, 501);
    if (t.ptr[0] == '/')
        return 0;
    if (t.len == 1 && t.ptr[0] == '*')
        return slice_eq(head->method, SLICE("OPTIONS")) ? 0 : http1_fail(head, 400);
    return http1_split_absolute(head);
}

/* method SP target SP version; copies method and target to *out. */
static int http1_parse_line(struct http1_head *head, struct slice line, char **out)
{
    struct slice rest = line;
    struct slice method = slice_cut(&rest, ' '), target = slice_cut(&rest, ' ');

    if (method.len > HTTP1_METHOD_MAX || !http_name_ok(method))
        return http1_fail(head, 400);
    if (target.len > HTTP_TARGET_MAX)
        return http1_fail(head, 414);
    int r = http1_parse_version(rest, head);
    if (r < 0)
        return r;

    memcpy(*out, method.ptr, method.len);
    head->method = slice_from(*out, method.len);
    *out += method.len;
    memcpy(*out, target.ptr, target.len);
    head->target = slice_from(*out, target.len);
    *out += target.len;
    return http1_check_target(head);
}

static struct slice http1_put_lower(char **out, struct slice text)
{
    char *start = *out;

    for (size_t i = 0; i < text.len; i++)
        *(*out)++ = http_lower(text.ptr[i]);
    return slice_from(start, text.len);
}

/* The rules that need the whole head. */
static int http1_finish(struct http1_fields *f, struct slice fields, char **out)
{
    struct http1_head *head = f->head;

    if (f->n_encoding > 0 && (f->n_length > 0 || head->version == 10))
        return http1_fail(head, 400);
    if (f->n_host == 0 && head->version == 11)
        return http1_fail(head, 400);
    if (head->authority.len > 0 && f->n_host > 0 && !slice_eq_nocase(head->authority, f->host))
        return http1_fail(head, 400);

    if (head->authority.len == 0)
        head->authority = f->host;
    head->authority = http1_put_lower(out, head->authority);
    head->keep_alive = !f->close && (head->version == 11 || f->keep_alive);
    if (head->version == 10)
        head->expect_continue = false; /* RFC 9110 section 10.1.1 */
    if (f->asks_upgrade && head->version == 11)
        head->upgrade = http1_put_lower(out, f->upgrade);
    if (f->n_nominated > 0)
        http1_drop_nominated(head, fields);
    return 0;
}

/* A client may send one empty line before a request (RFC 9112 section 2.2). */
static struct slice http1_skip_empty_line(struct slice in)
{
    return in.len >= 2 && in.ptr[0] == '\r' ? slice_skip(in, 2) : in;
}

int http1_head_parse(struct slice in, struct arena *arena, struct http1_head *ret)
{
    *ret = (struct http1_head){.content_length = -1, .status = 431};
    struct http1_fields f = {.head = ret};

    in = http1_skip_empty_line(in);
    const char *cr = memchr(in.ptr, '\r', in.len);
    if (cr == NULL)
        return http1_fail(ret, 400);

    /* Every field line grows by at most one blank; authority and upgrade are copied once more. */
    char *out = arena_alloc(arena, 2 * in.len + HTTP_FIELDS_MAX);
    if (out == NULL)
        return -ENOMEM;
    struct slice line = {in.ptr, (size_t)(cr - in.ptr)};
    int r = http1_parse_line(ret, line, &out);
    if (r < 0)
        return r;

    struct slice fields = slice_skip(in, line.len + 2);
    r = http1_parse_fields(&f, fields, &out);
    if (r < 0)
        return r;
    return http1_finish(&f, fields, &out);
}
