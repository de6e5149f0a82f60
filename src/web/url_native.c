/*
 * Group `url`: parse(input, base) and set(href, part, value).
 *
 * Each answers with the href, or undefined, and writes where the components lie into `places`, memory that
 * script sees as a Uint32Array; the order is that of js/url.js. Offsets count bytes, which are characters:
 * hrefs are ASCII. Nothing is allocated per call but what the engine makes of the href.
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

/* The one VM thread's. */
static uint32_t places[PLACES];
static struct arena call_arena = {.limit = URL_ARENA_MAX};

static uint32_t url_offset(const struct url *u, struct slice part, uint32_t otherwise)
{
    return part.ptr == NULL || part.ptr < u->href.ptr || part.ptr > u->href.ptr + u->href.len
               ? otherwise
               : (uint32_t)(part.ptr - u->href.ptr);
}

static void url_places(const struct url *u)
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

static js_value url_give(js_context ctx, const struct url *u)
{
    url_places(u);
    return js_latin1(ctx, u->href);
}

/* Starts a call: what the one before left is gone. */
static struct arena *url_arena(void)
{
    arena_reset(&call_arena);
    return &call_arena;
}

static JS_NATIVE(web_url_parse)
{
    struct arena *arena = url_arena();
    struct url base, u;
    struct slice input, base_text;
    if (n_args < 1)
        return js_throw(ctx, exception, "TypeError", "url.parse wants a text");
    bool has_base = n_args > 1 && !js_is_nullish(ctx, args[1]);
    if ((has_base && (js_to_utf8(ctx, args[1], arena, &base_text) < 0 ||
                      url_parse(arena, base_text, NULL, &base) < 0)) ||
        js_to_utf8(ctx, args[0], arena, &input) < 0 ||
        url_parse(arena, input, has_base ? &base : NULL, &u) < 0)
        return js_undefined(ctx);
    return url_give(ctx, &u);
}

static JS_NATIVE(web_url_set)
{
    struct arena *arena = url_arena();
    struct slice href, value;
    struct url u;
    if (n_args < 3)
        return js_throw(ctx, exception, "TypeError", "url.set wants a URL, a part and a value");
    double part = js_to_number(ctx, args[1], -1);
    if (!(part >= URL_HREF && part <= URL_HASH) || js_to_utf8(ctx, args[0], arena, &href) < 0 ||
        url_parse(arena, href, NULL, &u) < 0 || js_to_utf8(ctx, args[2], arena, &value) < 0 ||
        url_set(arena, &u, (enum url_part)part, value) < 0)
        return js_undefined(ctx);
    return url_give(ctx, &u);
}

static void places_release(UNUSED void *ptr, UNUSED void *arg) {} /* they stay */

js_value web_url_places(js_context ctx)
{
    return js_bytes_take(ctx, places, sizeof(places), places_release, NULL);
}

const struct js_native_row web_url_rows[] = {
    {"parse", web_url_parse},
    {"set", web_url_set},
};
const size_t web_url_n_rows = ARRAY_LEN(web_url_rows);
