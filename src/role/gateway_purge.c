/*
 * What the API removes from the cache: {zone, others, everything?, files?, tags?, hosts?, prefixes?}. Only entries of
 * the zone go: those whose host is the zone's name or below it, and with `everything` also those of hosts that
 * belong to no zone of the account, `others` being the names of its other zones.
 */
#include "role/gateway.h"

#include "core/json.h"
#include "product/cache/cache_policy.h"

struct purge {
    const json_t *what;
    struct slice zone;
};

static struct slice host_of(struct slice url, struct slice *ret_rest)
{
    ssize_t at = slice_find_slice(url, SLICE("://"));
    struct slice rest = at < 0 ? url : slice_skip(url, (size_t)at + 3);
    size_t n = 0;

    while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?' && rest.ptr[n] != ':')
        n++;
    *ret_rest = rest;
    return slice_from(rest.ptr, n);
}

static bool host_in(struct slice host, struct slice zone)
{
    return slice_eq(host, zone) || (host.len > zone.len && slice_ends(host, zone) &&
                                    host.ptr[host.len - zone.len - 1] == '.');
}

static bool listed(const json_t *list, struct slice text, bool (*fits)(struct slice, struct slice))
{
    const json_t *value;
    size_t i;

    json_array_foreach(list, i, value)
    {
        const json_t *url = json_is_object(value) ? json_object_get(value, "url") : value;
        if (json_is_string(url) && fits(text, slice_of(json_string_value(url))))
            return true;
    }
    return false;
}

static bool begins(struct slice text, struct slice prefix)
{
    ssize_t at = slice_find_slice(prefix, SLICE("://"));

    return slice_starts(text, at < 0 ? prefix : slice_skip(prefix, (size_t)at + 3));
}

static bool tagged(const json_t *list, struct slice tags)
{
    struct slice tag;

    while (cache_list_next(&tags, &tag))
        if (listed(list, tag, slice_eq_nocase))
            return true;
    return false;
}

static bool purge_wants(void *arg, const struct cache_key *key, struct slice tags)
{
    const struct purge *p = arg;
    struct slice rest, host = host_of(key->url, &rest);
    bool here = host_in(host, p->zone);

    if (json_is_true(json_object_get(p->what, "everything")))
        return here || !listed(json_object_get(p->what, "others"), host, host_in);
    if (!here)
        return false;
    return listed(json_object_get(p->what, "files"), key->url, slice_eq) ||
           listed(json_object_get(p->what, "hosts"), host, slice_eq_nocase) ||
           listed(json_object_get(p->what, "prefixes"), rest, begins) ||
           tagged(json_object_get(p->what, "tags"), tags);
}

void cache_purge_run(struct gateway *g, struct slice json, struct buf *outcome)
{
    AUTO(json_release) json_t *what = NULL;

    if (g->cache == NULL || !cache_is_ready(g->cache) || json_parse(json, &what, NULL) < 0) {
        buf_append_slice(outcome, SLICE("The cache is not ready yet. Try again in a moment."));
        return;
    }
    struct purge p = {what, slice_of(json_str(what, "zone", ""))};
    (void)cache_purge(g->cache, slice_of(table_account(g->table)), purge_wants,
                      &p); /* the count is not asked for */
    buf_append_slice(outcome, SLICE("ok"));
}
