/*
 * _headers, _redirects and globs. The input is "path|_headers|_redirects" with zero bytes between: what
 * comes of the rules is a header block that may be sent.
 */
#include "fuzz.h"
#include "net/http.h"
#include "product/assets/assets_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf block = {0};
    struct slice rest = slice_from(data, size);
    struct slice path = slice_cut(&rest, '\0'), headers = slice_cut(&rest, '\0');
    struct slice query = path, target = slice_cut(&query, '?');
    struct assets_redirect redirect;

    struct assets_rules *rules = assets_rules_parse(headers, rest);
    CHECK(assets_redirect_match(&arena, rules, SLICE("a.example"), target, query, &redirect) == 0);
    CHECK(redirect.status == 0 || redirect.status == 200 || redirect.status / 100 == 3);
    http_header_add(&block, SLICE("etag"), SLICE("\"x\""));
    assets_headers_apply(rules, SLICE("a.example"), target, &block);
    assets_rules_destroy(rules);

    struct slice left = buf_slice(&block), name, value;
    while (http_header_next(&left, &name, &value))
        CHECK(http_name_ok(name) && http_value_ok(value));
    CHECK(left.len == 0);
    (void)assets_glob_match(headers, path); /* must only end */
    return 0;
}
