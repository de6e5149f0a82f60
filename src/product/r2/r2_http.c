#include "product/r2/r2_http.h"

#include "core/clock.h"
#include "core/id.h"

#include <errno.h>
#include <stdio.h>

enum { R2_FIELD_NAME_MAX = 64 };

/* One field of a header block ("name: value\r\n"): "" when it is absent. */
static struct slice r2_http_field(struct slice headers, const char *prefix, const char *name)
{
    char wanted[R2_FIELD_NAME_MAX];
    snprintf(wanted, sizeof(wanted), "%s%s", prefix, name);
    while (headers.len > 0) {
        struct slice line = slice_trim(slice_cut(&headers, '\n')), value = line;
        if (slice_eq(slice_cut(&value, ':'), slice_of(wanted)))
            return slice_trim(value);
    }
    return SLICE("");
}

static json_t *r2_http_text(struct slice s)
{
    json_t *text = json_stringn(s.len == 0 ? "" : s.ptr, s.len);
    return text == NULL ? json_string("") : text; /* what is no UTF-8 equals no etag */
}

/* A list of entity tags, quoted or not. */
static json_t *r2_http_etags(struct slice text)
{
    json_t *list = json_array();
    while (text.len > 0) {
        struct slice item = slice_trim(slice_cut(&text, ','));
        bool weak = slice_starts(item, SLICE("W/"));
        item = slice_skip(item, weak ? 2 : 0);
        if (item.len >= 2 && item.ptr[0] == '"' && item.ptr[item.len - 1] == '"')
            item = slice_from(item.ptr + 1, item.len - 2);
        json_array_append_new(list, json_pack("{s:o, s:b}", "v", r2_http_text(item), "w", weak));
    }
    return list;
}

json_t *r2_http_condition(struct slice headers, const char *prefix)
{
    static const struct {
        const char *header, *member;
        bool date;
    } rows[] = {
        {"if-match", "etagMatches", false},
        {"if-none-match", "etagDoesNotMatch", false},
        {"if-modified-since", "uploadedAfter", true},
        {"if-unmodified-since", "uploadedBefore", true},
    };
    json_t *condition = json_object();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms;
        struct slice value = r2_http_field(headers, prefix, rows[i].header);
        if (value.len > 0 && !rows[i].date)
            json_object_set_new(condition, rows[i].member, r2_http_etags(value));
        else if (value.len > 0 && clock_parse_http_date(value, &ms) == 0)
            /* An object of this very second is not modified since, and unmodified since. */
            json_object_set_new(
                condition, rows[i].member,
                json_integer(strcmp(rows[i].member, "uploadedBefore") == 0 ? ms + 1000 : ms));
    }
    if (json_object_size(condition) == 0) {
        json_decref(condition);
        return NULL;
    }
    json_object_set_new(condition, "secondsGranularity", json_true());
    return condition;
}

/* "bytes=first-last", "bytes=first-", "bytes=-suffix". */
static enum r2_range_kind r2_range_parse(struct slice text, uint64_t *first, uint64_t *last)
{
    if (text.len == 0)
        return R2_RANGE_NONE;
    if (!slice_starts(text, SLICE("bytes=")))
        return R2_RANGE_MALFORMED;
    struct slice end = slice_skip(text, 6), begin = slice_trim(slice_cut(&end, '-'));
    end = slice_trim(end);
    bool from = begin.len > 0, to = end.len > 0;
    if ((from && slice_to_u64(begin, first) < 0) || (to && slice_to_u64(end, last) < 0) ||
        (!from && !to))
        return R2_RANGE_MALFORMED;
    if (from && to)
        return *last < *first ? R2_RANGE_BACKWARDS : R2_RANGE_PART;
    return from ? R2_RANGE_REST : R2_RANGE_SUFFIX;
}

enum r2_range_kind r2_http_range_kind(struct slice text)
{
    uint64_t first, last;
    return r2_range_parse(text, &first, &last);
}

json_t *r2_http_range(struct slice text)
{
    uint64_t first = 0, last = 0;
    switch (r2_range_parse(text, &first, &last)) {
    case R2_RANGE_SUFFIX:
        return json_pack("{s:f, s:b}", "suffix", (double)last, "some", 1);
    case R2_RANGE_REST:
        return json_pack("{s:f}", "offset", (double)first);
    case R2_RANGE_PART:
        return json_pack("{s:f, s:f}", "offset", (double)first, "length",
                         (double)last - (double)first + 1);
    default:
        return NULL;
    }
}

int r2_http_key(struct slice path, struct buf *ret)
{
    path = slice_skip(path, slice_starts(path, SLICE("/")) ? 1 : 0);
    for (size_t i = 0; i < path.len; i++) {
        uint8_t byte;
        char c = path.ptr[i];
        if (c == '%' &&
            (i + 2 >= path.len || hex_decode(slice_from(path.ptr + i + 1, 2), &byte, 1) < 0))
            return -EINVAL;
        buf_append_char(ret, c == '%' ? (char)byte : c);
        i += c == '%' ? 2 : 0;
    }
    return 0;
}

/* Values come from clients: what could end a line is left out. */
static void r2_http_add(struct buf *out, const char *name, const char *value)
{
    if (value == NULL || strpbrk(value, "\r\n") != NULL)
        return;
    buf_printf(out, "%s: %s\r\n", name, value);
}

void r2_http_fields(const json_t *object, struct buf *out)
{
    static const char *const rows[][2] = {
        {"contentLanguage", "content-language"},
        {"contentDisposition", "content-disposition"},
        {"contentEncoding", "content-encoding"},
        {"cacheControl", "cache-control"},
    };
    const json_t *http = json_object_get(object, "httpMetadata");
    const json_t *range = json_object_get(object, "range");
    int64_t expires_ms = json_int(http, "cacheExpiry", 0), offset = json_int(range, "offset", 0);
    char text[CLOCK_TEXT_SIZE];
    r2_http_add(out, "content-type", json_str(http, "contentType", "application/octet-stream"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        r2_http_add(out, rows[i][1], json_str(http, rows[i][0], NULL));
    if (expires_ms != 0)
        r2_http_add(out, "expires", clock_http_date(expires_ms, text));
    buf_printf(out, "etag: \"%s\"\r\nlast-modified: %s\r\naccept-ranges: bytes\r\n",
               json_str(object, "etag", ""),
               clock_http_date(json_int(object, "uploaded", 0), text));
    if (range != NULL)
        buf_printf(out, "content-range: bytes %lld-%lld/%lld\r\n", (long long)offset,
                   (long long)(offset + json_int(range, "length", 0) - 1),
                   (long long)json_int(object, "size", 0));
}
