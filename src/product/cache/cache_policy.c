#include "product/cache/cache_policy.h"

#include "core/clock.h"

#include <errno.h>

bool cache_list_next(struct slice *list, struct slice *ret)
{
    while (list->len > 0) {
        bool quoted = false;
        size_t n = 0;
        for (; n < list->len && (quoted || list->ptr[n] != ','); n++) {
            if (list->ptr[n] == '\\' && quoted)
                n++;
            else if (list->ptr[n] == '"')
                quoted = !quoted;
        }
        n = MIN(n, list->len);
        *ret = slice_trim(slice_from(list->ptr, n));
        *list = slice_skip(*list, n + 1);
        if (ret->len > 0)
            return true;
    }
    return false;
}

/* --- freshness --- */

static struct slice unquoted(struct slice s)
{
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        return slice_from(s.ptr + 1, s.len - 2);
    return s;
}

/* Whole seconds; a value that is none means stale (0), one that is too large the most. */
static int64_t seconds_of(struct slice text)
{
    uint64_t n;
    struct slice digits = unquoted(text);

    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return 0;
    if (digits.len == 0)
        return 0;
    return slice_to_u64(digits, &n) < 0 ? CACHE_TTL_MAX_S
                                        : (int64_t)MIN(n, (uint64_t)CACHE_TTL_MAX_S);
}

/* private and no-cache with field names limit those fields; the original knows Set-Cookie. */
static bool names_cookie(struct slice value)
{
    struct slice list = unquoted(slice_trim(value)), name;

    while (cache_list_next(&list, &name))
        if (slice_eq_nocase(name, SLICE("set-cookie")))
            return true;
    return false;
}

struct freshness {
    int64_t max_age, s_maxage; /* -1: not said */
};

static void rules_directive(struct cache_rules *r, struct freshness *f, struct slice name,
                            struct slice value)
{
    const struct {
        struct slice name;
        bool *flag;
        int64_t *seconds;
    } rows[] = {
        {SLICE("no-store"), &r->no_store, NULL},
        {SLICE("public"), &r->is_public, NULL},
        {SLICE("must-revalidate"), &r->must_revalidate, NULL},
        {SLICE("proxy-revalidate"), &r->must_revalidate, NULL},
        {SLICE("max-age"), NULL, &f->max_age},
        {SLICE("s-maxage"), NULL, &f->s_maxage},
        {SLICE("stale-while-revalidate"), NULL, &r->stale_while_s},
        {SLICE("stale-if-error"), NULL, &r->stale_if_error_s},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!slice_eq_nocase(name, rows[i].name))
            continue;
        if (rows[i].flag != NULL)
            *rows[i].flag = true;
        else
            *rows[i].seconds = seconds_of(value);
        return;
    }
    bool is_private = slice_eq_nocase(name, SLICE("private"));
    if (!is_private && !slice_eq_nocase(name, SLICE("no-cache")))
        return;
    if (value.len > 0 && names_cookie(value))
        r->cookie_private = true;
    else if (is_private)
        r->is_private = true;
    else
        r->no_cache = true;
}

static void rules_cache_control(struct cache_rules *r, struct freshness *f, struct slice list)
{
    struct slice value, name;

    while (cache_list_next(&list, &value)) {
        name = slice_cut(&value, '=');
        rules_directive(r, f, slice_trim(name), value.ptr == NULL ? SLICE_NONE : slice_trim(value));
    }
}

static void rules_expires(struct cache_rules *r, struct slice expires, int64_t date_ms)
{
    int64_t at_ms;

    if (clock_parse_http_date(expires, &at_ms) < 0)
        r->ttl_s = 0; /* "0" and other nonsense: stale already */
    else
        r->ttl_s = MIN(MAX((at_ms - date_ms) / 1000, 0), (int64_t)CACHE_TTL_MAX_S);
}

void cache_rules_of(struct slice headers, int64_t now_ms, struct cache_rules *ret)
{
    struct freshness f = {-1, -1};
    struct slice rest = headers, name, value, expires = SLICE_NONE;
    int64_t date_ms = now_ms;
    bool has_expires = false;

    *ret = (struct cache_rules){.ttl_s = -1};
    while (http_header_next(&rest, &name, &value)) {
        if (slice_eq(name, SLICE("cache-control"))) {
            rules_cache_control(ret, &f, value);
        } else if (slice_eq(name, SLICE("set-cookie"))) {
            ret->has_cookie = true;
        } else if (slice_eq(name, SLICE("age"))) {
            ret->age_s = seconds_of(value);
        } else if (slice_eq(name, SLICE("date"))) {
            if (clock_parse_http_date(value, &date_ms) < 0)
                date_ms = now_ms;
        } else if (slice_eq(name, SLICE("expires")) && !has_expires) {
            has_expires = true;
            expires = value;
        }
    }
    if (f.s_maxage >= 0)
        ret->ttl_s = f.s_maxage;
    else if (f.max_age >= 0)
        ret->ttl_s = f.max_age;
    else if (has_expires)
        rules_expires(ret, expires, date_ms);
}

int64_t cache_default_ttl(int status)
{
    static const struct {
        int status, seconds;
    } rows[] = {{200, 7200}, {206, 7200}, {301, 7200}, {302, 1200},
                {303, 1200}, {404, 180},  {410, 180}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].status == status)
            return rows[i].seconds;
    return -1;
}

bool cache_request_refuses(struct slice headers)
{
    struct slice name, value;

    while (http_header_next(&headers, &name, &value)) {
        if (slice_eq(name, SLICE("pragma")) && slice_eq_nocase(value, SLICE("no-cache")))
            return true;
        struct slice member;
        while (slice_eq(name, SLICE("cache-control")) && cache_list_next(&value, &member))
            if (slice_eq_nocase(member, SLICE("no-cache")) ||
                slice_eq_nocase(member, SLICE("no-store")) ||
                slice_eq_nocase(member, SLICE("max-age=0")))
                return true;
    }
    return false;
}

/* --- variants --- */

/* All values of a field, with ", " between them. */
static void joined_values(struct slice headers, struct slice wanted, struct buf *out)
{
    struct slice name, value;
    bool any = false;

    while (http_header_next(&headers, &name, &value)) {
        if (!slice_eq_nocase(name, wanted))
            continue;
        if (any)
            buf_append_slice(out, SLICE(", "));
        buf_append_slice(out, value);
        any = true;
    }
}

int cache_vary_of(struct slice response, struct slice request, struct buf *out)
{
    struct slice name, list, field;

    while (http_header_next(&response, &name, &list)) {
        while (slice_eq(name, SLICE("vary")) && cache_list_next(&list, &field)) {
            if (slice_eq(field, SLICE("*")))
                return -EINVAL;
            if (!http_name_ok(field))
                continue;
            for (size_t i = 0; i < field.len; i++) {
                char c = field.ptr[i];
                buf_append_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
            }
            buf_append_slice(out, SLICE(": "));
            joined_values(request, field, out);
            buf_append_char(out, '\n');
        }
    }
    return 0;
}

bool cache_vary_matches(struct slice vary, struct slice request)
{
    AUTO(buf_done) struct buf value = {0};

    while (vary.len > 0) {
        struct slice line = slice_cut(&vary, '\n');
        struct slice name = slice_cut(&line, ':');
        buf_clear(&value);
        joined_values(request, name, &value);
        if (!slice_eq(slice_skip(line, 1), buf_slice(&value)))
            return false;
    }
    return true;
}

/* --- conditions and ranges --- */

static struct slice strong_part(struct slice etag)
{
    return slice_starts(etag, SLICE("W/")) ? slice_skip(etag, 2) : etag;
}

static bool etag_listed(struct slice list, struct slice etag)
{
    struct slice member;

    while (cache_list_next(&list, &member))
        if (slice_eq(member, SLICE("*")) ||
            (etag.len > 0 && slice_eq(strong_part(member), strong_part(etag))))
            return true;
    return false;
}

bool cache_not_modified(struct slice request, struct slice response)
{
    struct slice list, since, etag = SLICE_NONE, modified;
    int64_t since_ms, modified_ms;

    if (http_header_get(request, SLICE("if-none-match"), &list)) {
        (void)http_header_get(response, SLICE("etag"), &etag); /* without one only "*" matches */
        return etag_listed(list, etag);
    }
    return http_header_get(request, SLICE("if-modified-since"), &since) &&
           http_header_get(response, SLICE("last-modified"), &modified) &&
           clock_parse_http_date(since, &since_ms) == 0 &&
           clock_parse_http_date(modified, &modified_ms) == 0 && modified_ms <= since_ms;
}

/* If-Range: the range counts only while the stored response is the one that the client has a part of. */
static bool if_range_holds(struct slice request, struct slice response)
{
    struct slice wanted, have;

    if (!http_header_get(request, SLICE("if-range"), &wanted))
        return true;
    bool is_etag = wanted.len > 0 && (wanted.ptr[0] == '"' || slice_starts(wanted, SLICE("W/")));
    if (is_etag && slice_starts(wanted, SLICE("W/")))
        return false;
    return http_header_get(response, is_etag ? SLICE("etag") : SLICE("last-modified"), &have) &&
           slice_eq(wanted, have);
}

static int range_of(struct slice spec, int64_t size, int64_t *ret_from, int64_t *ret_to)
{
    struct slice last_text = spec, first_text = slice_trim(slice_cut(&last_text, '-'));
    uint64_t first = 0, last = (uint64_t)INT64_MAX;

    if (last_text.ptr == NULL)
        return 0;
    last_text = slice_trim(last_text);
    if (first_text.len == 0) { /* the last n bytes */
        if (slice_to_u64(last_text, &last) < 0)
            return 0;
        if (last == 0 || size == 0)
            return -ERANGE;
        *ret_from = size - (int64_t)MIN(last, (uint64_t)size);
        *ret_to = size;
        return 1;
    }
    if (slice_to_u64(first_text, &first) < 0 ||
        (last_text.len > 0 && (slice_to_u64(last_text, &last) < 0 || last < first)))
        return 0;
    if (first >= (uint64_t)size)
        return -ERANGE;
    *ret_from = (int64_t)first;
    *ret_to = (int64_t)MIN(last, (uint64_t)size - 1) + 1;
    return 1;
}

int cache_range(struct slice request, struct slice response, int64_t size, int64_t *ret_from,
                int64_t *ret_to)
{
    struct slice range;

    if (!http_header_get(request, SLICE("range"), &range) || !if_range_holds(request, response))
        return 0;
    struct slice unit = slice_cut(&range, '=');
    /* Several ranges may be answered with everything (RFC 9110 section 14.2). */
    if (!slice_eq_nocase(slice_trim(unit), SLICE("bytes")) || range.ptr == NULL ||
        slice_find(range, ',') >= 0)
        return 0;
    return range_of(slice_trim(range), size, ret_from, ret_to);
}

/* --- header blocks --- */

void cache_headers_without(struct slice headers, struct slice unwanted, struct buf *out)
{
    struct slice name, value;

    while (http_header_next(&headers, &name, &value))
        if (!slice_eq(name, unwanted))
            http_header_add(out, name, value);
}

/* A 304 describes no body: these stay those of the stored response. */
static bool belongs_to_body(struct slice name)
{
    static const char *const names[] = {"content-length", "content-encoding", "content-type",
                                        "content-range", "transfer-encoding"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq(name, slice_of(names[i])))
            return true;
    return false;
}

void cache_headers_renew(struct slice stored, struct slice fresh, struct buf *out)
{
    struct slice rest = stored, name, value, found;

    while (http_header_next(&rest, &name, &value))
        if (belongs_to_body(name) || !http_header_get(fresh, name, &found))
            http_header_add(out, name, value);
    while (http_header_next(&fresh, &name, &value))
        if (!belongs_to_body(name))
            http_header_add(out, name, value);
}
