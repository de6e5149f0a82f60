/* The cache's reading of HTTP: a request and a response, cut at the first zero byte; and heads of files. */
#include "fuzz.h"
#include "product/cache/cache_head.h"
#include "product/cache/cache_policy.h"

#include <errno.h>

static void policy(struct slice request, struct slice response)
{
    AUTO(buf_done) struct buf vary = {0}, renewed = {0}, without = {0};
    struct cache_rules rules;
    int64_t from = 0, to = 0;

    cache_rules_of(response, INT64_C(1700000000000), &rules);
    CHECK(rules.ttl_s >= -1 && rules.ttl_s <= CACHE_TTL_MAX_S && rules.age_s >= 0);
    CHECK(rules.stale_while_s >= 0 && rules.stale_if_error_s >= 0);
    for (int64_t size = 0; size < 20; size += 7) {
        int r = cache_range(request, response, size, &from, &to);
        CHECK(r == 0 || r == -ERANGE || (r == 1 && from >= 0 && from < to && to <= size));
    }
    (void)cache_not_modified(request, response); /* any answer will do */
    (void)cache_request_refuses(request);
    if (cache_vary_of(response, request, &vary) == 0)
        CHECK(cache_vary_matches(buf_slice(&vary), request));
    cache_headers_renew(response, request, &renewed);
    CHECK(http_header_check(buf_slice(&renewed)) == 0 || buf_len(&renewed) > HTTP_HEAD_MAX / 2 ||
          response.len + request.len > 1000);
    cache_headers_without(response, SLICE("set-cookie"), &without);
    CHECK(buf_len(&without) <= response.len);
}

static void head(struct slice bytes)
{
    AUTO(buf_done) struct buf again = {0};
    struct slice fixed = slice_from(bytes.ptr, MIN(bytes.len, (size_t)CACHE_FIXED_SIZE));
    struct slice rest = slice_skip(bytes, CACHE_FIXED_SIZE);
    struct cache_head h;
    uint32_t cap, len;
    int64_t size;

    if (cache_head_lengths(fixed, &cap, &len, &size) < 0 || len > rest.len ||
        cache_head_unpack(fixed, slice_from(rest.ptr, len), &h) < 0)
        return;
    CHECK(cache_head_pack(&again, &h, size, &cap) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice response = slice_from(data, size), request = slice_cut(&response, '\0');

    head(slice_from(data, size));
    if (http_header_check(request) == 0 && http_header_check(response) == 0)
        policy(request, response);
    return 0;
}
