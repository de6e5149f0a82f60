/*
 * URLs: what parses serialises to text that parses to the same URL, alone and after a setter. The
 * input is "part|base|input|value" with newlines between; missing ones are empty.
 */
#include "fuzz.h"
#include "net/url.h"

static void check_again(struct arena *arena, const struct url *u)
{
    struct url again;

    CHECK(url_parse(arena, u->href, NULL, &again) == 0);
    CHECK(slice_eq(u->href, again.href));
    CHECK(u->scheme_end == again.scheme_end && u->host_end == again.host_end);
    CHECK(u->path_start == again.path_start && u->query_start == again.query_start);
    CHECK(u->fragment_start == again.fragment_start && u->port == again.port);
    CHECK(slice_eq(url_username(u), url_username(&again)));
    CHECK(slice_eq(url_password(u), url_password(&again)));
    CHECK(u->has_host == again.has_host && u->opaque_path == again.opaque_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    AUTO(arena_done) struct arena arena = {.limit = 64 * 1024 * 1024};
    struct slice rest = slice_from(data + 1, size - 1), origin;
    struct slice base_text = slice_cut(&rest, '\n'), input = slice_cut(&rest, '\n');
    struct url base, u;

    bool has_base = url_parse(&arena, base_text, NULL, &base) == 0;
    if (has_base)
        check_again(&arena, &base);
    if (url_parse(&arena, input, has_base ? &base : NULL, &u) < 0)
        return 0;
    check_again(&arena, &u);
    CHECK(url_origin(&arena, &u, &origin) == 0);
    if (url_set(&arena, &u, (enum url_part)(data[0] % (URL_HASH + 1)), rest) == 0)
        check_again(&arena, &u);
    return 0;
}
