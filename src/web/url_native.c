/*
 * Group `url`: parse(input, base, places) and set(href, part, value, places).
 *
 * Each answers with the href, or undefined, and writes where the components lie into `places`, a
 * Uint32Array; the order is that of js/url.js. Offsets count bytes, which are characters: hrefs are ASCII.
 */
#include "net/url.h"
#include "web/web_impl.h"

enum {
    PLACE_SCHEME_END,
    PLACE_USERNAME_END,
    PLACE_HOST_START,
    PLACE_HOST_END,
    PLACE_PATH_START,
    PLACE_QUERY_START,
    PLACE_FRAGMENT_START,
    PLACE_HAS_HOST,
    PLACES
};
enum { URL_ARENA_MAX = 16 * 1024 * 1024 };

static uint32_t url_offset(const struct url *u, struct slice part, uint32_t otherwise)
{
    return part.ptr == NULL || part.ptr < u->href.ptr || part.ptr > u->href.ptr + u->href.len
               ? otherwise
               : (uint32_t)(part.ptr - u->href.ptr);
}

static void url_places(const struct url *u, uint32_t *places)
{
    uint32_t scheme_end = (uint32_t)url_protocol(u).len;
    struct slice username = url_username(u), host = url_hostname(u), path = url_pathname(u);
    uint32_t begin = u->has_host ? scheme_end + 2 : scheme_end;
    places[PLACE_SCHEME_END] = scheme_end;
    places[PLACE_USERNAME_END] = begin + (uint32_t)username.len;
    places[PLACE_HOST_START] = u->has_host ? url_offset(u, host, begin) : begin;
    places[PLACE_HOST_END] = places[PLACE_HOST_START] + (uint32_t)host.len;
    places[PLACE_PATH_START] = url_offset(u, path, u->path_start);
    places[PLACE_QUERY_START] = u->query_start;
    places[PLACE_FRAGMENT_START] = u->fragment_start;
    places[PLACE_HAS_HOST] = u->has_host;
}

static js_value url_give(js_context ctx, const struct url *u, uint32_t *places)
{
    url_places(u, places);
    return js_latin1(ctx, u->href);
}

static int url_text(js_context ctx, js_value v, struct arena *arena, struct url *ret)
{
    struct slice text;
    int r = js_to_utf8(ctx, v, arena, &text);
    return r < 0 ? r : url_parse(arena, text, NULL, ret);
}

static JS_NATIVE(web_url_parse)
{
    AUTO(arena_done) struct arena arena = {.limit = URL_ARENA_MAX};
    uint32_t *places = web_scratch(ctx, n_args, args, 2, PLACES);
    struct url base, u;
    struct slice input;
    if (places == NULL)
        return js_throw(ctx, exception, "TypeError", "url.parse wants a place for its result");
    bool has_base = !js_is_nullish(ctx, args[1]);
    if ((has_base && url_text(ctx, args[1], &arena, &base) < 0) ||
        js_to_utf8(ctx, args[0], &arena, &input) < 0 ||
        url_parse(&arena, input, has_base ? &base : NULL, &u) < 0)
        return js_undefined(ctx);
    return url_give(ctx, &u, places);
}

static JS_NATIVE(web_url_set)
{
    AUTO(arena_done) struct arena arena = {.limit = URL_ARENA_MAX};
    uint32_t *places = web_scratch(ctx, n_args, args, 3, PLACES);
    struct slice value;
    struct url u;
    if (places == NULL)
        return js_throw(ctx, exception, "TypeError", "url.set wants a place for its result");
    double part = js_to_number(ctx, args[1], -1);
    if (!(part >= URL_HREF && part <= URL_HASH) || url_text(ctx, args[0], &arena, &u) < 0 ||
        js_to_utf8(ctx, args[2], &arena, &value) < 0 ||
        url_set(&arena, &u, (enum url_part)part, value) < 0)
        return js_undefined(ctx);
    return url_give(ctx, &u, places);
}

const struct js_native_row web_url_rows[] = {
    {"parse", web_url_parse},
    {"set", web_url_set},
};
const size_t web_url_n_rows = ARRAY_LEN(web_url_rows);
