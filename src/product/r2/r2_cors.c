#include "product/r2/r2_cors.h"

static struct slice r2_cors_text(const json_t *v)
{
    return json_is_string(v) ? slice_from(json_string_value(v), json_string_length(v)) : SLICE("");
}

/* One "*" stands for any text. */
static bool r2_cors_like(struct slice pattern, struct slice text, bool nocase)
{
    bool (*equal)(struct slice, struct slice) = nocase ? slice_eq_nocase : slice_eq;
    ssize_t star = slice_find(pattern, '*');
    if (star < 0)
        return equal(pattern, text);
    struct slice head = slice_from(pattern.ptr, (size_t)star);
    struct slice tail = slice_skip(pattern, (size_t)star + 1);
    return text.len >= head.len + tail.len && equal(slice_from(text.ptr, head.len), head) &&
           equal(slice_skip(text, text.len - tail.len), tail);
}

static bool r2_cors_among(const json_t *list, struct slice text, bool nocase)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (r2_cors_like(r2_cors_text(json_array_get(list, i)), text, nocase))
            return true;
    }
    return false;
}

static bool r2_cors_headers_ok(const json_t *allowed, struct slice wanted)
{
    while (wanted.len > 0) {
        struct slice one = slice_trim(slice_cut(&wanted, ','));
        if (one.len > 0 && !r2_cors_among(allowed, one, true))
            return false;
    }
    return true;
}

static bool r2_cors_rule_holds(const json_t *rule, const struct r2_cors_request *request)
{
    const json_t *allowed = json_object_get(rule, "allowed");
    return r2_cors_among(json_object_get(allowed, "origins"), request->origin, false) &&
           r2_cors_among(json_object_get(allowed, "methods"), request->method, false) &&
           (!request->preflight ||
            r2_cors_headers_ok(json_object_get(allowed, "headers"), request->headers));
}

static void r2_cors_list(struct buf *out, const char *name, const json_t *list)
{
    if (json_array_size(list) == 0)
        return;
    buf_printf(out, "%s: ", name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i > 0)
            buf_append_slice(out, SLICE(", "));
        buf_append_slice(out, r2_cors_text(json_array_get(list, i)));
    }
    buf_append_slice(out, SLICE("\r\n"));
}

static void r2_cors_write(const json_t *rule, const struct r2_cors_request *request,
                          struct buf *out)
{
    const json_t *allowed = json_object_get(rule, "allowed");
    const json_t *origins = json_object_get(allowed, "origins");
    bool any = json_array_size(origins) == 1 &&
               slice_eq(r2_cors_text(json_array_get(origins, 0)), SLICE("*"));
    buf_printf(out, "access-control-allow-origin: %.*s\r\nvary: Origin\r\n",
               SLICE_ARG(any ? SLICE("*") : request->origin));
    r2_cors_list(out, "access-control-allow-methods", json_object_get(allowed, "methods"));
    r2_cors_list(out, "access-control-expose-headers", json_object_get(rule, "exposeHeaders"));
    if (!request->preflight)
        return;
    if (request->headers.len > 0)
        buf_printf(out, "access-control-allow-headers: %.*s\r\n", SLICE_ARG(request->headers));
    int64_t age_s = json_int(rule, "maxAgeSeconds", 0);
    if (age_s > 0)
        buf_printf(out, "access-control-max-age: %lld\r\n", (long long)age_s);
}

bool r2_cors_answer(const json_t *cors, const struct r2_cors_request *request, struct buf *out)
{
    const json_t *rules = json_object_get(cors, "rules");
    for (size_t i = 0; i < json_array_size(rules) && request->origin.len > 0; i++) {
        const json_t *rule = json_array_get(rules, i);
        if (!r2_cors_rule_holds(rule, request))
            continue;
        r2_cors_write(rule, request, out);
        return true;
    }
    return false;
}
