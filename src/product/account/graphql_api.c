/*
 * POST /graphql: the three queries that wrangler sends, told apart by operationName; and the health check.
 */
#include "core/clock.h"
#include "product/account/account_api_impl.h"
#include "product/account/graphql_d1.h"
#include "product/store_call.h"

#include <errno.h>

static json_t *graphql_r2(struct api_request *req, const json_t *filter, const char *text)
{
    (void)text;
    AUTO(store_reply_done) struct store_reply reply = {0};
    char now[CLOCK_TEXT_SIZE];
    const char *bucket = json_str(filter, "bucketName", "");
    int64_t n = 0;
    int r = db_int(req->api->db, &n, "SELECT 1 FROM r2_buckets WHERE name = ?", "s", bucket);
    if (r < 0)
        return json_array();
    const char *store = arena_printf(&req->arena, "r2/%s", bucket);
    r = store_simple(req, OP_store_info, slice_of(store), &reply, NULL);
    if (r < 0)
        return json_array();
    return json_pack("[{s:{s:I, s:I, s:i}, s:{s:s}}]", "max", "objectCount",
                     (json_int_t)json_int(reply.json, "objects", 0), "payloadSize",
                     (json_int_t)json_int(reply.json, "bytes", 0), "metadataSize", 0, "dimensions",
                     "datetime", clock_rfc3339(clock_wall_ms(), now));
}

static const struct graphql_query {
    const char *operation, *area, *member;
    json_t *(*run)(struct api_request *req, const json_t *filter, const char *text);
} graphql_queries[] = {
    {"getD1MetricsOverviewQuery", "d1", "d1AnalyticsAdaptiveGroups", graphql_d1_hours},
    {"getD1QueriesOverviewQuery", "d1", "d1QueriesAdaptiveGroups", graphql_d1_queries},
    {"getR2StorageMetrics", "workers_r2_storage", "r2StorageAdaptiveGroups", graphql_r2},
};

static bool graphql_may(const struct api_request *req, const char *area)
{
    int index = permission_index(req->api->products, area);
    return permission_has(&req->who.rights, index, API_READ);
}

static int graphql_answer(struct api_request *req, json_t *value)
{
    AUTO(buf_done) struct buf text = {0};
    json_print(&text, value);
    json_decref(value);
    return api_raw(req, 200, "application/json", buf_slice(&text));
}

int graphql_api(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    const char *operation = json_str(body, "operationName", "");
    const json_t *filter = json_object_get(json_object_get(body, "variables"), "filter");
    for (size_t i = 0; i < ARRAY_LEN(graphql_queries); i++) {
        const struct graphql_query *q = &graphql_queries[i];
        if (strcmp(q->operation, operation) != 0)
            continue;
        if (!graphql_may(req, q->area))
            return err_set(err, -EACCES, API_ERR_AUTH, "the token lacks a permission");
        return graphql_answer(
            req, json_pack("{s:{s:{s:[{s:o}]}}, s:n}", "data", "viewer", "accounts", q->member,
                           q->run(req, filter, json_str(body, "query", "")), "errors"));
    }
    return graphql_answer(req, json_pack("{s:n, s:[{s:s}]}", "data", "errors", "message",
                                         "this query is not served"));
}

int account_api_health(struct api_request *req, struct err *err)
{
    int64_t one;
    int r = db_int(req->api->db, &one, "SELECT 1", NULL);
    if (r < 0)
        return err_set(err, -EAGAIN, API_ERR_INTERNAL, "the database does not answer");
    return api_ok(req, json_pack("{s:s, s:s}", "status", "ok", "version", SELVEDGE_VERSION));
}
