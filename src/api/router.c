#include "api/router.h"

#include "api/text.h"

#include <errno.h>

enum { ROUTER_SEGMENTS_MAX = 24 };

const char router_base[] = "/client/v4";

int router_split(struct slice target, struct slice *ret_path, struct slice *ret_query)
{
    struct slice rest = target;
    struct slice path = slice_cut(&rest, '?');
    if (path.len == 0 || path.ptr[0] != '/')
        return -EBADMSG;
    *ret_query = rest;
    struct slice base = slice_of(router_base);
    if (!slice_starts(path, base))
        return -ENOENT;
    path = slice_skip(path, base.len);
    if (path.len > 0 && path.ptr[0] != '/')
        return -ENOENT;
    *ret_path = path;
    return 0;
}

/*
 * How well a route's path fits: 0 not at all; else one bit pair per segment, the first one highest, so that
 * a literal (3) beats a parameter (2) and that beats a rest (1) at the first place where two routes differ.
 */
static uint64_t router_score(const char *pattern, struct slice path)
{
    struct slice want = slice_skip(slice_of(pattern), 1), have = slice_skip(path, 1);
    uint64_t score = 0;
    for (int i = 0; i < ROUTER_SEGMENTS_MAX; i++) {
        bool more_want = want.ptr != NULL && want.len > 0;
        bool more_have = have.ptr != NULL && (have.len > 0 || (more_want && want.ptr[0] == '*'));
        if (!more_want || !more_have)
            return !more_want && !more_have ? score << 2 * (ROUTER_SEGMENTS_MAX - i) | 1 : 0;
        if (want.ptr[0] == '*')
            return have.len == 0 ? 0 : (score << 2 | 1) << 2 * (ROUTER_SEGMENTS_MAX - i - 1) | 1;
        struct slice w = slice_cut(&want, '/'), h = slice_cut(&have, '/');
        bool parameter = w.ptr[0] == ':';
        if (h.len == 0 || (!parameter && !slice_eq(w, h)))
            return 0;
        score = score << 2 | (parameter ? 2u : 3u);
    }
    return 0;
}

static bool router_method_is(const struct api_route *route, struct slice method)
{
    return slice_eq(slice_of(route->method), method) ||
           (slice_eq(method, SLICE("HEAD")) && strcmp(route->method, "GET") == 0);
}

static const struct api_route *router_best(struct api_request *req, bool *ret_any)
{
    const struct api_route *best = NULL;
    uint64_t best_score = 0;
    *ret_any = false;
    for (const struct api_product *const *p = req->api->products; *p != NULL; p++) {
        for (size_t i = 0; i < (*p)->n_routes; i++) {
            const struct api_route *route = &(*p)->routes[i];
            uint64_t score = router_score(route->path, req->path);
            if (score == 0)
                continue;
            *ret_any = true;
            if (score > best_score && router_method_is(route, req->method)) {
                best = route;
                best_score = score;
            }
        }
    }
    return best;
}

static int router_params(struct api_request *req)
{
    struct slice want = slice_skip(slice_of(req->route->path), 1), have = slice_skip(req->path, 1);
    size_t n = 0;
    while (want.len > 0) {
        if (want.ptr[0] == '*')
            return text_percent_decode(&req->arena, have, false, &req->params[n]);
        struct slice w = slice_cut(&want, '/'), h = slice_cut(&have, '/');
        if (w.ptr[0] != ':')
            continue;
        CHECK(n < API_PARAMS_MAX);
        int r = text_percent_decode(&req->arena, h, false, &req->params[n++]);
        if (r < 0)
            return r;
    }
    return 0;
}

enum router_result router_match(struct api_request *req, int *ret_bad)
{
    bool any;
    *ret_bad = 0;
    req->route = router_best(req, &any);
    if (req->route == NULL)
        return any ? ROUTER_NO_METHOD : ROUTER_NO_PATH;
    *ret_bad = router_params(req);
    return ROUTER_FOUND;
}
