#include "product/account/graphql_d1.h"

#include "core/clock.h"
#include "product/store_call.h"

#include <stdio.h>
#include <stdlib.h>

enum { GRAPHQL_LIMIT_MAX = 10000, GRAPHQL_HOUR_MS = 3600 * 1000, GRAPHQL_ORDER_MAX = 64 };

/* What is asked of each database. */
struct graphql_d1 {
    const char *database; /* "" = all */
    int64_t from_hour, to_hour;
    struct slice order;
    uint32_t limit;
};

static int64_t graphql_hour(struct api_request *req, const json_t *filter, const char *name,
                            int64_t fallback)
{
    int64_t hour = 0;
    int r = db_int(req->api->db, &hour, "SELECT CAST(strftime('%s', ?) AS INTEGER) / 3600", "s",
                   json_str(filter, name, ""));
    return r < 0 || hour == 0 ? fallback : hour;
}

/* `limit: 5` of the query's text, which is the first of the field of that name. */
static uint32_t graphql_limit(const char *field)
{
    const char *limit = field == NULL ? NULL : strstr(field, "limit:");
    long n = limit == NULL ? 0 : strtol(limit + strlen("limit:"), NULL, 10);
    return n > 0 && n < GRAPHQL_LIMIT_MAX ? (uint32_t)n : GRAPHQL_LIMIT_MAX;
}

/* `orderBy: [sum_queryDurationMs_DESC]`; the first key decides. */
static struct slice graphql_order(const char *text)
{
    static const char blanks[] = " \t\r\n[";
    const char *order = strstr(text, "orderBy:");
    if (order == NULL)
        return SLICE("sum_queryDurationMs_DESC");
    order += strlen("orderBy:");
    order += strspn(order, blanks);
    return slice_from(order, strcspn(order, "],) \t\r\n"));
}

static void graphql_read(struct api_request *req, const json_t *filter, const char *text,
                         const char *member, struct graphql_d1 *ret)
{
    int64_t now = clock_wall_ms() / GRAPHQL_HOUR_MS;
    const json_t *all = json_object_get(filter, "AND");
    if (json_is_array(all))
        filter = json_array_get(all, 0);
    ret->database = json_str(filter, "databaseId", "");
    ret->from_hour = graphql_hour(req, filter, "datetimeHour_geq", now - 24);
    ret->to_hour = graphql_hour(req, filter, "datetimeHour_leq", now);
    ret->limit = graphql_limit(strstr(text, member));
}

/* The rows of one database; an array, also when it does not answer: the others' figures are worth showing. */
static json_t *graphql_ask(struct api_request *req, const struct graphql_d1 *q, const char *uuid)
{
    AUTO(store_call_done) struct store_call call = {.op = OP_d1_figures, .reply_max = 64 << 20};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_d1_figures m = {
        .from_hour = q->from_hour, .to_hour = q->to_hour, .order = q->order, .limit = q->limit};
    m.store = slice_of(arena_printf(&req->arena, "d1/%s", uuid));
    msg_d1_figures_pack(&call.args, &m);
    if (store_call(req, &call, &reply, NULL) < 0)
        return json_array();
    if (reply.json == NULL && json_parse_nul(reply.body, &reply.json, NULL) < 0)
        return json_array();
    return json_incref(reply.json);
}

static json_t *graphql_databases(struct api_request *req, const char *wanted)
{
    json_t *rows = NULL;
    int r = db_rows(req->api->db, &rows, "SELECT uuid FROM d1_databases WHERE ?1 = '' OR uuid = ?1",
                    "s", wanted);
    return r < 0 ? json_array() : rows;
}

json_t *graphql_d1_hours(struct api_request *req, const json_t *filter, const char *text)
{
    struct graphql_d1 q = {0};
    json_t *groups = json_array(), *database, *row;
    size_t i, k;
    graphql_read(req, filter, text, "d1AnalyticsAdaptiveGroups", &q);
    AUTO(json_release) json_t *databases = graphql_databases(req, q.database);
    json_array_foreach(databases, i, database)
    {
        const char *uuid = json_str(database, "uuid", "");
        AUTO(json_release) json_t *rows = graphql_ask(req, &q, uuid);
        json_array_foreach(rows, k, row)
        {
            char hour[CLOCK_TEXT_SIZE];
            clock_rfc3339(json_int(row, "hour", 0) * GRAPHQL_HOUR_MS, hour);
            json_object_del(row, "hour");
            json_array_append_new(groups, json_pack("{s:O, s:{s:s, s:s}}", "sum", row, "dimensions",
                                                    "datetimeHour", hour, "databaseId", uuid));
        }
    }
    return groups;
}

static json_t *graphql_query_row(json_t *row, const char *uuid)
{
    static const char *const names[] = {"queryDurationMs", "rowsRead", "rowsWritten",
                                        "rowsReturned"};
    AUTO(json_release) json_t *sum = json_object();
    AUTO(json_release) json_t *avg = json_object();
    double n = json_number_value(json_object_get(row, "count"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_t *value = json_object_get(row, names[i]);
        json_object_set(sum, names[i], value);
        json_object_set_new(avg, names[i], json_real(json_number_value(value) / n));
    }
    return json_pack("{s:O, s:O, s:O, s:O, s:{s:s, s:s}}", "sum", sum, "avg", avg, "count",
                     json_object_get(row, "count"), "key", json_object_get(row, "key"),
                     "dimensions", "query", json_str(row, "query", ""), "databaseId", uuid);
}

/* Where a row belongs among those that are there, which are in order. */
static size_t graphql_place(const json_t *groups, double key, bool descending)
{
    size_t i = 0;
    for (; i < json_array_size(groups); i++) {
        double other = json_number_value(json_object_get(json_array_get(groups, i), "key"));
        if (descending ? other < key : other > key)
            break;
    }
    return i;
}

json_t *graphql_d1_queries(struct api_request *req, const json_t *filter, const char *text)
{
    struct graphql_d1 q = {.order = graphql_order(text)};
    json_t *groups = json_array(), *database, *row;
    size_t i, k;
    graphql_read(req, filter, text, "d1QueriesAdaptiveGroups", &q);
    bool descending = !slice_ends(q.order, SLICE("_ASC"));
    AUTO(json_release) json_t *databases = graphql_databases(req, q.database);
    json_array_foreach(databases, i, database)
    {
        const char *uuid = json_str(database, "uuid", "");
        AUTO(json_release) json_t *rows = graphql_ask(req, &q, uuid);
        json_array_foreach(rows, k, row)
        {
            double key = json_number_value(json_object_get(row, "key"));
            json_array_insert_new(groups, graphql_place(groups, key, descending),
                                  graphql_query_row(row, uuid));
            if (json_array_size(groups) > q.limit)
                json_array_remove(groups, q.limit);
        }
    }
    json_array_foreach(groups, i, row)
    {
        json_object_del(row, "key");
    }
    return groups;
}
