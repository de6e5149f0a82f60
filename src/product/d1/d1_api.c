/*
 * REST routes of D1: databases in control.db, statements by the keeper.
 * https://developers.cloudflare.com/api/resources/d1/
 */
#include "api/text.h"
#include "core/clock.h"
#include "product/d1/d1_api_impl.h"
#include "product/products_api.h"

#include <errno.h>

#define D1_DATABASES "/accounts/:account/d1/database"

static const char *const d1_schema[] = {
    "CREATE TABLE IF NOT EXISTS d1_databases (uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
    "created_ms INTEGER NOT NULL, location TEXT, jurisdiction TEXT, replication TEXT NOT NULL "
    "DEFAULT 'disabled') STRICT",
    "DROP TABLE IF EXISTS d1_imports", /* of earlier versions */
    "CREATE TABLE IF NOT EXISTS d1_import_jobs (filename TEXT PRIMARY KEY, uuid TEXT NOT NULL, "
    "etag TEXT NOT NULL, at_ms INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'init', at_bookmark "
    "TEXT NOT NULL DEFAULT '', result TEXT, error TEXT) STRICT",
    /* An import that was under way when control ended has no job any more. */
    "UPDATE d1_import_jobs SET status = 'lost' WHERE status = 'active'",
    NULL,
};

#define D1_COLUMNS                                                                                 \
    "uuid, name, 'production' AS version, created_ms AS \"created_at:time\", jurisdiction, "       \
    "location AS created_in_region, location AS primary_location_hint, location AS "               \
    "running_in_region, json_object('mode', replication) AS \"read_replication:json\""

int d1_find(struct api_request *req, json_t **ret, struct err *err)
{
    const char *id = api_param(req, "database");
    int r =
        db_row(req->api->db, ret,
               "SELECT " D1_COLUMNS " FROM d1_databases WHERE uuid = ? OR name = ?", "ss", id, id);
    if (r == -ENOENT)
        return err_set(err, r, D1_ERR_MISSING, "The database %s could not be found", id);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the databases cannot be read") : 0;
}

int d1_store_name(struct api_request *req, char ret[STORE_NAME_MAX], struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = d1_find(req, &row, err);
    if (r == 0)
        snprintf(ret, STORE_NAME_MAX, "d1/%s", json_str(row, "uuid", ""));
    return r;
}

/* What only the file knows. A store that does not answer leaves zeros: the listing must not fail. */
static void d1_add_info(struct api_request *req, json_t *row)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(buf_done) struct buf store = {0};
    buf_printf(&store, "d1/%s", json_str(row, "uuid", ""));
    int r = store_simple(req, OP_store_info, buf_slice(&store), &reply, NULL);
    json_t *info = r < 0 ? NULL : reply.json;
    json_object_set_new(row, "num_tables", json_integer(json_int(info, "num_tables", 0)));
    json_object_set_new(row, "file_size", json_integer(json_int(info, "file_size", 0)));
}

static int d1_api_list(struct api_request *req, struct err *err)
{
    const char *name = api_query(req, "name", "");
    int r =
        api_ok_page(req, err,
                    "SELECT " D1_COLUMNS " FROM d1_databases WHERE ? = '' OR instr(name, ?) > 0 "
                    "ORDER BY created_ms DESC, uuid",
                    "ss", name, name);
    size_t i;
    json_t *row;
    json_array_foreach(req->answer.result, i, row)
    {
        d1_add_info(req, row);
    }
    return r;
}

static int d1_api_info(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = d1_find(req, &row, err);
    if (r < 0)
        return r;
    d1_add_info(req, row);
    return api_ok(req, row);
}

static int d1_insert(struct api_request *req, const json_t *body, const char *uuid, struct err *err)
{
    const char *name = api_need_str(body, "name", err);
    if (name == NULL)
        return -EINVAL;
    if (!text_is_name(slice_of(name), D1_NAME_MAX))
        return err_set(err, -EINVAL, D1_ERR_NAME,
                       "Invalid database name: 1 to %d letters, digits, '-', '_' or '.'",
                       D1_NAME_MAX);
    const json_t *replication = json_object_get(body, "read_replication");
    int r =
        db_run(req->api->db,
               "INSERT INTO d1_databases (uuid, name, created_ms, location, jurisdiction, "
               "replication) VALUES (?,?,?,?,?,?)",
               "sslsss", uuid, name, clock_wall_ms(), json_str(body, "primary_location_hint", NULL),
               json_str(body, "jurisdiction", NULL), json_str(replication, "mode", "disabled"));
    if (r == -EEXIST)
        return err_set(err, -EINVAL, D1_ERR_TAKEN, "A database with the name '%s' already exists",
                       name);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the database cannot be stored") : 0;
}

static int d1_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(buf_done) struct buf store = {0};
    char uuid[ID_UUID_SIZE];
    id_uuid(uuid);
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = d1_insert(req, body, uuid, err);
    if (r < 0)
        return r;
    buf_printf(&store, "d1/%s", uuid);
    r = store_simple(req, OP_store_make, buf_slice(&store), &reply, err);
    if (r < 0) {
        int undone = db_run(req->api->db, "DELETE FROM d1_databases WHERE uuid = ?", "s", uuid);
        return undone < 0 ? undone : r;
    }
    req->params[1] = slice_of(uuid);
    json_t *row = NULL;
    r = db_row(req->api->db, &row, "SELECT " D1_COLUMNS " FROM d1_databases WHERE uuid = ?", "s",
               uuid);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the database cannot be read");
    d1_add_info(req, row);
    return api_ok(req, row);
}

static int d1_api_update(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    AUTO(json_release) json_t *row = NULL;
    int r = api_json_object(req, true, &body, err);
    if (r == 0)
        r = d1_find(req, &row, err);
    if (r < 0)
        return r;
    const char *mode = json_str(json_object_get(body, "read_replication"), "mode", NULL);
    if (mode != NULL && strcmp(mode, "auto") != 0 && strcmp(mode, "disabled") != 0)
        return err_set(err, -EINVAL, API_ERR_INPUT,
                       "read_replication.mode must be auto or disabled");
    if (mode != NULL)
        r = db_run(req->api->db, "UPDATE d1_databases SET replication = ? WHERE uuid = ?", "ss",
                   mode, json_str(row, "uuid", ""));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the database cannot be stored")
                 : d1_api_info(req, err);
}

static int d1_api_delete(struct api_request *req, struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    char store[STORE_NAME_MAX];
    int r = d1_store_name(req, store, err);
    if (r < 0)
        return r;
    r = store_simple(req, OP_store_drop, slice_of(store), &reply, err);
    if (r < 0 && r != -ENOENT)
        return r;
    r = db_run(req->api->db, "DELETE FROM d1_databases WHERE uuid = ?", "s", store + 3);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the database cannot be removed")
                 : api_ok(req, NULL);
}

/* --- statements --- */

int d1_run(struct api_request *req, const char *store, const json_t *statements,
           const struct d1_running *how, json_t **ret, struct err *err)
{
    AUTO(buf_done) struct buf body = {0};
    AUTO(store_call_done)
    struct store_call call = {.op = OP_d1_run,
                              .has_body = true,
                              .ends_with_client = how->ends_with_client,
                              .timeout_ms = how->timeout_ms,
                              .reply_max = D1_RESULT_MAX,
                              .code = D1_ERR_SQL};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_d1_run m = {.binding = BINDING_NONE, .store = slice_of(store), .flags = how->flags};
    json_print(&body, statements);
    call.body = buf_slice(&body);
    msg_d1_run_pack(&call.args, &m);
    int r = store_call(req, &call, &reply, err);
    if (r < 0)
        return r == -ENOENT || r == -EEXIST ? -EINVAL
                                            : r; /* a statement's mistake, not a missing path */
    if (reply.json == NULL && json_parse_nul(reply.body, &reply.json, NULL) < 0)
        return err_set(err, -EIO, API_ERR_INTERNAL, "the keeper's answer is not JSON");
    *ret = TAKE(reply.json);
    return 0;
}

/* {sql, params} or {batch: [{sql, params}]} or an array of such objects, as one array. */
static int d1_statements(struct api_request *req, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json(req, &body, err);
    if (r < 0)
        return r;
    json_t *batch = json_is_array(body) ? body : json_object_get(body, "batch");
    AUTO(json_release)
    json_t *list = json_is_array(batch) ? json_incref(batch) : json_pack("[O]", body);
    size_t i;
    json_t *statement;
    json_array_foreach(list, i, statement)
    {
        if (*json_str(statement, "sql", "") == '\0')
            return err_set(err, -EINVAL, D1_ERR_SQL, "No SQL statements detected.");
    }
    if (i == 0)
        return err_set(err, -EINVAL, D1_ERR_SQL, "No SQL statements detected.");
    *ret = TAKE(list);
    return 0;
}

static int d1_api_statements(struct api_request *req, uint32_t flags, struct err *err)
{
    AUTO(json_release) json_t *statements = NULL;
    json_t *results = NULL;
    char store[STORE_NAME_MAX];
    int r = d1_store_name(req, store, err);
    if (r == 0)
        r = d1_statements(req, &statements, err);
    if (r == 0)
        r = d1_run(req, store, statements,
                   &(struct d1_running){.flags = flags, .ends_with_client = true}, &results, err);
    return r < 0 ? r : api_ok(req, results);
}

static int d1_api_query(struct api_request *req, struct err *err)
{
    return d1_api_statements(req, 0, err);
}

static int d1_api_raw(struct api_request *req, struct err *err)
{
    return d1_api_statements(req, D1_ROWS_AND_COLUMNS, err);
}

/* --- tables --- */

#define D1_AREA "d1"

static const struct api_route d1_routes[] = {
    {"GET", D1_DATABASES, d1_api_list, D1_AREA, 0, 0, NULL},
    {"POST", D1_DATABASES, d1_api_create, D1_AREA, 0, 0, NULL},
    {"GET", D1_DATABASES "/:database", d1_api_info, D1_AREA, 0, 0, NULL},
    {"PUT", D1_DATABASES "/:database", d1_api_update, D1_AREA, 0, 0, NULL},
    {"PATCH", D1_DATABASES "/:database", d1_api_update, D1_AREA, 0, 0, NULL},
    {"DELETE", D1_DATABASES "/:database", d1_api_delete, D1_AREA, 0, 0, NULL},
    {"POST", D1_DATABASES "/:database/query", d1_api_query, D1_AREA, 0, D1_QUERY_MAX, NULL},
    {"POST", D1_DATABASES "/:database/raw", d1_api_raw, D1_AREA, 0, D1_QUERY_MAX, NULL},
    {"POST", D1_DATABASES "/:database/import", d1_api_import, D1_AREA, 0, 0, NULL},
    {"POST", D1_DATABASES "/:database/export", d1_api_export, D1_AREA, API_READS, 0, NULL},
    {"GET", D1_DATABASES "/:database/time_travel/bookmark", d1_api_bookmark, D1_AREA, 0, 0, NULL},
    {"POST", D1_DATABASES "/:database/time_travel/restore", d1_api_restore, D1_AREA, 0, 0, NULL},
    {"PUT", "/d1-upload/:ticket", d1_api_upload, NULL, API_PUBLIC | API_NO_AUDIT, D1_IMPORT_MAX,
     d1_api_upload_guard},
    {"GET", "/d1-download/:ticket/:filename", d1_api_download, NULL, API_PUBLIC, 0, NULL},
};

static const struct api_area d1_areas[] = {{D1_AREA, "D1"}};

const struct api_product d1_api = {
    .name = "d1",
    .routes = d1_routes,
    .n_routes = ARRAY_LEN(d1_routes),
    .areas = d1_areas,
    .n_areas = ARRAY_LEN(d1_areas),
    .schema = d1_schema,
};
