/*
 * Purging: what of a zone leaves the cache. The gateway does it (role/gateway_purge.c) and answers when it is done.
 */
#include "api/call.h"
#include "product/messages.h"
#include "product/products_api.h"

#include <errno.h>

enum { CACHE_ERR_PURGE = 1012, CACHE_ERR_ZONE = 1001, CACHE_PURGE_MAX = 500 };

/* The lists that a purge may name; at least one, or purge_everything. */
static const char *const lists[] = {"files", "tags", "hosts", "prefixes"};

/* "tags" is what the others look like too; files may be objects with the headers of a variant. */
static int list_check(const char *name, const json_t *list, struct err *err)
{
    const json_t *value;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > CACHE_PURGE_MAX)
        return err_set(err, -EINVAL, CACHE_ERR_PURGE, "\"%s\" must have 1 to %d members", name,
                       CACHE_PURGE_MAX);
    json_array_foreach(list, i, value)
    {
        bool file = json_is_object(value) && json_is_string(json_object_get(value, "url"));
        if (!json_is_string(value) && !file)
            return err_set(err, -EINVAL, CACHE_ERR_PURGE, "\"%s\" must be a list of strings", name);
    }
    return 0;
}

static int purge_wanted(const json_t *body, json_t *what, struct err *err)
{
    bool everything = json_is_true(json_object_get(body, "purge_everything"));
    unsigned n = everything;

    json_object_set_new(what, "everything", json_boolean(everything));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_t *list = json_object_get(body, lists[i]);
        if (list == NULL)
            continue;
        int r = list_check(lists[i], list, err);
        if (r < 0)
            return r;
        json_object_set(what, lists[i], list);
        n++;
    }
    if (n == 1)
        return 0;
    return err_set(err, -EINVAL, CACHE_ERR_PURGE,
                   "Request must contain one of \"purge_everything\", \"files\", \"tags\", "
                   "\"hosts\" or \"prefixes\"");
}

/* The zone's name, and those of the account's other zones. */
static int purge_zone(struct api_request *req, json_t *what, struct err *err)
{
    AUTO(json_release) json_t *zone = NULL, *rows = NULL;
    json_t *others = json_array();
    const json_t *row;
    size_t i;

    json_object_set_new(what, "others", others);
    int r = db_row(req->api->db, &zone, "SELECT name FROM zones WHERE id = ?", "s",
                   api_param(req, "zone"));
    if (r == -ENOENT)
        return err_set(err, r, CACHE_ERR_ZONE, "Invalid zone identifier");
    if (r == 0)
        r = db_rows(req->api->db, &rows, "SELECT name FROM zones WHERE id <> ?", "s",
                    api_param(req, "zone"));
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the zone cannot be read");
    json_object_set(what, "zone", json_object_get(zone, "name"));
    json_array_foreach(rows, i, row) json_array_append(others, json_object_get(row, "name"));
    return 0;
}

static int purge_send(struct api_request *req, const json_t *what, struct err *err)
{
    AUTO(buf_done) struct buf args = {0}, text = {0};
    struct msg_outcome outcome;
    struct api_reply reply;

    json_print(&text, what);
    msg_cache_purge_pack(&args, &(struct msg_cache_purge){.json = buf_slice(&text)});
    int r = api_call(req,
                     &(struct api_call){.peer = req->api->peers[API_GATEWAY],
                                        .op = OP_cache_purge,
                                        .args = buf_slice(&args)},
                     &reply);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the gateway does not answer");
    fd_release(&reply.fd);
    if (msg_outcome_unpack(reply.args, &outcome) < 0)
        return err_set(err, -EBADMSG, API_ERR_INTERNAL, "the gateway's answer cannot be read");
    if (!slice_eq(outcome.outcome, SLICE("ok")))
        return err_set(err, -EAGAIN, API_ERR_INTERNAL, "%.*s", SLICE_ARG(outcome.outcome));
    return 0;
}

/* POST /zones/:zone/purge_cache */
static int cache_api_purge(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *what = json_object();
    int r = api_json_object(req, false, &body, err);

    if (r == 0)
        r = purge_wanted(body, what, err);
    if (r == 0)
        r = purge_zone(req, what, err);
    if (r == 0)
        r = purge_send(req, what, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "id", api_param(req, "zone")));
}

static const struct api_route cache_routes[] = {
    {"POST", "/zones/:zone/purge_cache", cache_api_purge, "cache_purge", 0, 0, NULL},
};

static const struct api_area cache_areas[] = {{"cache_purge", "Cache Purge"}};

const struct api_product cache_api = {
    .name = "cache",
    .routes = cache_routes,
    .n_routes = ARRAY_LEN(cache_routes),
    .areas = cache_areas,
    .n_areas = ARRAY_LEN(cache_areas),
};
