/*
 * REST routes of R2: buckets in control.db, objects by the keeper.
 * https://developers.cloudflare.com/api/resources/r2/
 */
#include "core/clock.h"
#include "product/products_api.h"
#include "product/r2/r2_config.h"
#include "product/r2/s3_impl.h"
#include "product/store_call.h"

#include <errno.h>
#include <inttypes.h>

enum {
    R2_ERR_EXISTS = 10004,
    R2_ERR_NAME = 10005,
    R2_ERR_MISSING = 10006,
    R2_ERR_KEY_MISSING = 10007,
    R2_ERR_NOT_EMPTY = 10008,
    R2_ERR_INPUT = 10001,
    R2_NAME_MIN = 3,
    R2_NAME_MAX = 63,
    R2_KEY_MAX = 1024,
    R2_LIST_MAX = 1000
};
#define R2_OBJECT_MAX ((uint64_t)5 * 1024 * 1024 * 1024)
#define R2_BUCKETS "/accounts/:account/r2/buckets"
#define R2_COLUMNS                                                                                 \
    "name, created_ms AS \"creation_date:time\", location, storage_class, jurisdiction"

static const char *const r2_schema[] = {
    "CREATE TABLE IF NOT EXISTS r2_buckets (name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, "
    "location TEXT, storage_class TEXT NOT NULL, jurisdiction TEXT NOT NULL DEFAULT 'default') "
    "STRICT",
    "CREATE TABLE IF NOT EXISTS r2_public (bucket TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, "
    "enabled "
    "INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS r2_domains (hostname TEXT PRIMARY KEY, bucket TEXT NOT NULL, "
    "zone_id "
    "TEXT NOT NULL, zone_name TEXT NOT NULL, min_tls TEXT NOT NULL, enabled INTEGER NOT NULL, "
    "created_ms INTEGER NOT NULL) STRICT",
    NULL,
};

/* --- settings, which the keeper has --- */

int r2_setting_call(struct api_request *req, const char *store, const char *name,
                    const json_t *value, json_t **ret, struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_setting, .code = R2_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    if (value != NULL)
        json_print(&text, value);
    struct msg_r2_setting m = {
        .store = slice_of(store), .name = slice_of(name), .value = buf_slice(&text)};
    msg_r2_setting_pack(&call.args, &m);
    int r = store_call(req, &call, &reply, err);
    if (r == 0 && ret != NULL)
        *ret = TAKE(reply.json);
    return r;
}

/* --- buckets --- */

static bool r2_name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n < R2_NAME_MIN || n > R2_NAME_MAX || name[0] == '-' || name[n - 1] == '-')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static int r2_class_of(const char *name, const char **ret, struct err *err)
{
    static const char *const classes[] = {"Standard", "InfrequentAccess"};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (strcmp(classes[i], name) == 0) {
            *ret = classes[i];
            return 0;
        }
    }
    return err_set(err, -EINVAL, R2_ERR_INPUT,
                   "the storage class must be Standard or InfrequentAccess");
}

static int r2_api_list(struct api_request *req, struct err *err)
{
    json_t *rows = NULL;
    int64_t limit = R2_LIST_MAX;
    const char *part = api_query(req, "name_contains", "");
    const char *after = api_query(req, "cursor", api_query(req, "start_after", ""));
    int r = api_query_int(req, "per_page", &limit, err);
    if (r < 0)
        return r;
    if (limit < 1 || limit > R2_LIST_MAX)
        limit = R2_LIST_MAX;
    r = db_rows(req->api->db, &rows,
                "SELECT " R2_COLUMNS
                " FROM r2_buckets WHERE instr(name, ?) > 0 AND name > ? ORDER BY "
                "name LIMIT ?",
                "ssl", part, after, limit + 1);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the buckets cannot be read");
    json_t *info = json_pack("{s:I}", "per_page", (json_int_t)limit);
    if (json_array_size(rows) > (size_t)limit) {
        json_array_remove(rows, (size_t)limit);
        json_object_set(info, "cursor",
                        json_object_get(json_array_get(rows, (size_t)limit - 1), "name"));
    }
    api_set_info(req, info);
    return api_ok(req, json_pack("{s:o}", "buckets", rows));
}

int r2_bucket_find(struct api_request *req, const char *name, json_t **ret, struct err *err)
{
    int r = db_row(req->api->db, ret, "SELECT " R2_COLUMNS " FROM r2_buckets WHERE name = ?", "s",
                   name);
    if (r == -ENOENT)
        return err_set(err, r, R2_ERR_MISSING, "The specified bucket does not exist.");
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the buckets cannot be read") : 0;
}

static const char *r2_jurisdiction(struct api_request *req)
{
    struct slice given = api_header(req, "cf-r2-jurisdiction");
    return given.len == 0 ? "default" : arena_printf(&req->arena, "%.*s", SLICE_ARG(given));
}

static int r2_insert(struct api_request *req, const json_t *body, const char **ret_name,
                     struct err *err)
{
    const char *class = NULL;
    const char *name = api_need_str(body, "name", err);
    if (name == NULL)
        return -EINVAL;
    if (!r2_name_ok(name))
        return err_set(
            err, -EINVAL, R2_ERR_NAME,
            "The specified bucket name is not valid: %d to %d lower-case letters, digits and "
            "hyphens, none of these at the ends",
            R2_NAME_MIN, R2_NAME_MAX);
    int r = r2_class_of(json_str(body, "storageClass", "Standard"), &class, err);
    if (r < 0)
        return r;
    r = db_run(
        req->api->db,
        "INSERT INTO r2_buckets (name, created_ms, location, storage_class, jurisdiction) VALUES "
        "(?,?,?,?,?)",
        "slsss", name, clock_wall_ms(), json_str(body, "locationHint", NULL), class,
        r2_jurisdiction(req));
    if (r == -EEXIST)
        return err_set(err, r, R2_ERR_EXISTS,
                       "The bucket you tried to create already exists, and you own it.");
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the bucket cannot be stored");
    *ret_name = name;
    return 0;
}

/* Objects that name no class get the bucket's. */
static int r2_class_set(struct api_request *req, const char *store, const char *class,
                        struct err *err)
{
    AUTO(json_release) json_t *value = json_pack("{s:s}", "storageClass", class);
    bool usual = strcmp(class, "Standard") == 0;
    AUTO(json_release) json_t *none = json_null();
    return r2_setting_call(req, store, "class", usual ? none : value, NULL, err);
}

int r2_bucket_make(struct api_request *req, const json_t *body, const char **ret_name,
                   struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    int r = r2_insert(req, body, ret_name, err);
    if (r < 0)
        return r;
    const char *store = arena_printf(&req->arena, "r2/%s", *ret_name);
    r = store_simple(req, OP_store_make, slice_of(store), &reply, err);
    if (r < 0) {
        int undone = db_run(req->api->db, "DELETE FROM r2_buckets WHERE name = ?", "s", *ret_name);
        return undone < 0 ? undone : r;
    }
    return r2_class_set(req, store, json_str(body, "storageClass", "Standard"), err);
}

static int r2_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    json_t *row = NULL;
    const char *name = NULL;
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = r2_bucket_make(req, body, &name, err);
    if (r == 0)
        r = r2_bucket_find(req, name, &row, err);
    return r < 0 ? r : api_ok(req, row);
}

static int r2_api_info(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = r2_bucket_find(req, api_param(req, "bucket"), &row, err);
    return r < 0 ? r : api_ok(req, row);
}

static int r2_store_name(struct api_request *req, char ret[STORE_NAME_MAX], struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = r2_bucket_find(req, api_param(req, "bucket"), &row, err);
    if (r == 0)
        snprintf(ret, STORE_NAME_MAX, "r2/%s", json_str(row, "name", ""));
    return r;
}

static int r2_api_update(struct api_request *req, struct err *err)
{
    const char *class = NULL;
    struct slice given = api_header(req, "cf-r2-storage-class");
    int r = r2_class_of(arena_printf(&req->arena, "%.*s", SLICE_ARG(given)), &class, err);
    char store[STORE_NAME_MAX];
    if (r == 0)
        r = r2_store_name(req, store, err);
    if (r == 0)
        r = r2_class_set(req, store, class, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db, "UPDATE r2_buckets SET storage_class = ? WHERE name = ?", "ss", class,
               api_param(req, "bucket"));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the bucket cannot be stored")
                 : r2_api_info(req, err);
}

static int r2_list(struct api_request *req, const char *store, const json_t *options, json_t **ret,
                   struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_list, .code = R2_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    json_print(&text, options);
    struct msg_r2_list m = {.store = slice_of(store), .options = buf_slice(&text)};
    msg_r2_list_pack(&call.args, &m);
    int r = store_call(req, &call, &reply, err);
    if (r == 0)
        *ret = TAKE(reply.json);
    return r;
}

int r2_bucket_drop(struct api_request *req, const char *name, struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *found = NULL;
    AUTO(json_release) json_t *row = NULL;
    AUTO(json_release) json_t *one = json_pack("{s:i}", "limit", 1);
    const char *store = arena_printf(&req->arena, "r2/%s", name);
    int r = r2_bucket_find(req, name, &row, err);
    if (r == 0)
        r = r2_list(req, store, one, &found, err);
    if (r < 0)
        return r;
    if (json_array_size(json_object_get(found, "objects")) > 0)
        return err_set(err, -EEXIST, R2_ERR_NOT_EMPTY,
                       "The bucket you tried to delete is not empty.");
    r = store_simple(req, OP_store_drop, slice_of(store), &reply, err);
    if (r < 0 && r != -ENOENT)
        return r;
    r = db_run(req->api->db, "DELETE FROM r2_buckets WHERE name = ?", "s", name);
    if (r >= 0)
        r2_domains_drop(req, name);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the bucket cannot be removed") : 0;
}

static int r2_api_delete(struct api_request *req, struct err *err)
{
    int r = r2_bucket_drop(req, api_param(req, "bucket"), err);
    return r < 0 ? r : api_ok(req, json_object());
}

/* --- objects --- */

/* HTTP fields that become an object's metadata and come back with it. */
static const struct r2_field {
    const char *header, *member;
} r2_fields[] = {
    {"content-type", "contentType"},
    {"content-language", "contentLanguage"},
    {"content-disposition", "contentDisposition"},
    {"content-encoding", "contentEncoding"},
    {"cache-control", "cacheControl"},
};

static json_t *r2_put_options(struct api_request *req)
{
    json_t *http = json_object();
    json_t *options = json_pack("{s:o, s:{}}", "httpMetadata", http, "customMetadata");
    int64_t expires_ms;
    for (size_t i = 0; i < ARRAY_LEN(r2_fields); i++) {
        struct slice value = api_header(req, r2_fields[i].header);
        if (value.len > 0)
            json_object_set_new(http, r2_fields[i].member, api_text(value));
    }
    if (clock_parse_http_date(api_header(req, "expires"), &expires_ms) == 0)
        json_object_set_new(http, "cacheExpiry", json_integer(expires_ms));
    struct slice class = api_header(req, "cf-r2-storage-class");
    if (class.len > 0)
        json_object_set_new(options, "storageClass", api_text(class));
    return options;
}

static int r2_key_of(struct api_request *req, struct slice *ret, struct err *err)
{
    *ret = api_param_slice(req, "key");
    if (ret->len == 0 || ret->len > R2_KEY_MAX)
        return err_set(err, -EINVAL, R2_ERR_INPUT, "the key has %zu bytes; it must have 1 to %d",
                       ret->len, R2_KEY_MAX);
    return 0;
}

/* The REST shape of an object as the keeper describes it. */
static json_t *r2_object(const json_t *o)
{
    static const struct r2_field members[] = {
        {"key", "key"},
        {"size", "size"},
        {"etag", "etag"},
        {"version", "version"},
        {"http_metadata", "httpMetadata"},
        {"custom_metadata", "customMetadata"},
        {"storage_class", "storageClass"},
    };
    char text[CLOCK_TEXT_SIZE];
    json_t *row = json_object();
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_t *value = json_object_get(o, members[i].member);
        if (value != NULL)
            json_object_set(row, members[i].header, value);
    }
    clock_rfc3339(json_int(o, "uploaded", 0), text);
    json_object_set_new(row, "uploaded", json_string(text));
    json_object_set_new(row, "last_modified", json_string(text));
    return row;
}

static int r2_api_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *options = r2_put_options(req);
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done)
    struct store_call call = {
        .op = OP_r2_put, .has_body = true, .by_file = true, .code = R2_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_r2_put m = {.binding = BINDING_NONE};
    char store[STORE_NAME_MAX];
    int r = r2_key_of(req, &m.key, err);
    if (r == 0)
        r = r2_store_name(req, store, err);
    if (r == 0)
        r = api_body(req, &call.body, err);
    if (r < 0)
        return r;
    json_print(&text, options);
    m.store = slice_of(store);
    m.options = buf_slice(&text);
    m.size = (int64_t)call.body.len;
    msg_r2_put_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    return r < 0 ? r : api_ok(req, r2_object(reply.json));
}

static void r2_answer_headers(struct api_request *req, const json_t *o)
{
    char text[CLOCK_TEXT_SIZE];
    const json_t *http = json_object_get(o, "httpMetadata");
    for (size_t i = 0; i < ARRAY_LEN(r2_fields); i++) {
        const char *value = json_str(http, r2_fields[i].member, NULL);
        if (value != NULL)
            api_answer_header(req, r2_fields[i].header, slice_of(value));
    }
    if (json_str(http, "contentType", NULL) == NULL)
        api_answer_header(req, "content-type", SLICE("application/octet-stream"));
    int64_t expires_ms = json_int(http, "cacheExpiry", 0);
    if (expires_ms != 0)
        api_answer_header(req, "expires", slice_of(clock_http_date(expires_ms, text)));
    const char *etag = arena_printf(&req->arena, "\"%s\"", json_str(o, "etag", ""));
    api_answer_header(req, "etag", slice_of(etag));
    api_answer_header(req, "last-modified",
                      slice_of(clock_http_date(json_int(o, "uploaded", 0), text)));
}

static int r2_api_get(struct api_request *req, struct err *err)
{
    AUTO(store_call_done)
    struct store_call call = {.op = OP_r2_get, .stream = true, .code = R2_ERR_KEY_MISSING};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_r2_get m = {.options = SLICE("{\"pass\":true}")};
    char store[STORE_NAME_MAX];
    int r = r2_key_of(req, &m.key, err);
    if (r == 0)
        r = r2_store_name(req, store, err);
    if (r < 0)
        return r;
    m.store = slice_of(store);
    msg_r2_get_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    if (r == -ENOENT)
        return err_set(err, r, R2_ERR_KEY_MISSING, "The specified key does not exist.");
    if (r < 0)
        return r;
    r2_answer_headers(req, reply.json);
    int64_t size = json_int(reply.json, "size", -1);
    return reply.fd > 0 ? api_file(req, TAKE_FD(reply.fd), 0, size)
                        : api_streamed(req, TAKE(reply.stream), size);
}

static int r2_api_remove(struct api_request *req, struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_delete, .code = R2_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct slice key;
    char store[STORE_NAME_MAX];
    int r = r2_key_of(req, &key, err);
    if (r == 0)
        r = r2_store_name(req, store, err);
    if (r < 0)
        return r;
    AUTO(json_release) json_t *keys = json_pack("[o]", api_text(key));
    json_print(&text, keys);
    struct msg_r2_delete m = {
        .binding = BINDING_NONE, .store = slice_of(store), .keys = buf_slice(&text)};
    msg_r2_delete_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:o}", "key", api_text(key)));
}

static json_t *r2_list_options(struct api_request *req)
{
    static const struct r2_field names[] = {
        {"prefix", "prefix"},
        {"delimiter", "delimiter"},
        {"cursor", "cursor"},
        {"start_after", "startAfter"},
    };
    json_t *options = json_object();
    int64_t limit = R2_LIST_MAX;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = api_query(req, names[i].header, "");
        if (*value != '\0')
            json_object_set_new(options, names[i].member, api_text(slice_of(value)));
    }
    if (api_query_int(req, "per_page", &limit, NULL) < 0 || limit < 1 || limit > R2_LIST_MAX)
        limit = R2_LIST_MAX;
    json_object_set_new(options, "limit", json_integer(limit));
    return options;
}

static int r2_api_objects(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *options = r2_list_options(req);
    AUTO(json_release) json_t *found = NULL;
    char store[STORE_NAME_MAX];
    int r = r2_store_name(req, store, err);
    if (r == 0)
        r = r2_list(req, store, options, &found, err);
    if (r < 0)
        return r;
    json_t *rows = json_array(), *object;
    size_t i;
    json_array_foreach(json_object_get(found, "objects"), i, object)
    {
        json_array_append_new(rows, r2_object(object));
    }
    bool more = json_bool(found, "truncated", false);
    json_t *prefixes = json_object_get(found, "delimitedPrefixes");
    api_set_info(req, json_pack("{s:s, s:b, s:I, s:o}", "cursor",
                                more ? json_str(found, "cursor", "") : "", "is_truncated", more,
                                "per_page", (json_int_t)json_int(options, "limit", 0), "delimited",
                                prefixes == NULL ? json_array() : json_incref(prefixes)));
    return api_ok(req, rows);
}

/* --- usage --- */

/* Sums over all buckets, by storage class of the bucket. */
static int r2_api_metrics(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *rows = NULL;
    int64_t objects[2] = {0}, bytes[2] = {0};
    json_t *row;
    size_t i;
    int r = db_rows(req->api->db, &rows, "SELECT name, storage_class FROM r2_buckets", NULL);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the buckets cannot be read");
    json_array_foreach(rows, i, row)
    {
        AUTO(store_reply_done) struct store_reply reply = {0};
        const char *store = arena_printf(&req->arena, "r2/%s", json_str(row, "name", ""));
        size_t class = strcmp(json_str(row, "storage_class", ""), "Standard") != 0;
        if (store_simple(req, OP_store_info, slice_of(store), &reply, err) < 0)
            continue;
        objects[class] += json_int(reply.json, "objects", 0);
        bytes[class] += json_int(reply.json, "bytes", 0);
    }
    json_t *result = json_object();
    static const char *const names[] = {"standard", "infrequentAccess"};
    for (size_t k = 0; k < ARRAY_LEN(names); k++)
        json_object_set_new(result, names[k],
                            json_pack("{s:{s:I, s:I, s:i}, s:{s:i, s:i, s:i}}", "published",
                                      "objects", (json_int_t)objects[k], "payloadSize",
                                      (json_int_t)bytes[k], "metadataSize", 0, "uploaded",
                                      "objects", 0, "payloadSize", 0, "metadataSize", 0));
    return api_ok(req, result);
}

/* --- tables --- */

#define R2_AREA "workers_r2_storage"
#define R2_NOTIFICATIONS "/accounts/:account/event_notifications/r2/:bucket/configuration"

static const struct api_route r2_routes[] = {
    {"GET", R2_BUCKETS, r2_api_list, R2_AREA, 0, 0, NULL},
    {"POST", R2_BUCKETS, r2_api_create, R2_AREA, 0, 0, NULL},
    {"POST", "/accounts/:account/r2/temp-access-credentials", s3_api_temporary, R2_AREA, 0, 0,
     NULL},
    {"GET", R2_BUCKETS "/:bucket", r2_api_info, R2_AREA, 0, 0, NULL},
    {"PATCH", R2_BUCKETS "/:bucket", r2_api_update, R2_AREA, 0, 0, NULL},
    {"DELETE", R2_BUCKETS "/:bucket", r2_api_delete, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/cors", r2_api_cors_get, R2_AREA, 0, 0, NULL},
    {"PUT", R2_BUCKETS "/:bucket/cors", r2_api_cors_put, R2_AREA, 0, 0, NULL},
    {"DELETE", R2_BUCKETS "/:bucket/cors", r2_api_cors_delete, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/lifecycle", r2_api_lifecycle_get, R2_AREA, 0, 0, NULL},
    {"PUT", R2_BUCKETS "/:bucket/lifecycle", r2_api_lifecycle_put, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/lock", r2_api_lock_get, R2_AREA, 0, 0, NULL},
    {"PUT", R2_BUCKETS "/:bucket/lock", r2_api_lock_put, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/domains/managed", r2_api_managed_get, R2_AREA, 0, 0, NULL},
    {"PUT", R2_BUCKETS "/:bucket/domains/managed", r2_api_managed_put, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/domains/custom", r2_api_domains_list, R2_AREA, 0, 0, NULL},
    {"POST", R2_BUCKETS "/:bucket/domains/custom", r2_api_domains_add, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/domains/custom/:domain", r2_api_domain_get, R2_AREA, 0, 0, NULL},
    {"PUT", R2_BUCKETS "/:bucket/domains/custom/:domain", r2_api_domain_put, R2_AREA, 0, 0, NULL},
    {"DELETE", R2_BUCKETS "/:bucket/domains/custom/:domain", r2_api_domain_delete, R2_AREA, 0, 0,
     NULL},
    {"GET", R2_BUCKETS "/:bucket/sippy", r2_api_unserved, R2_AREA, 0, 0, NULL},
    {"PUT", R2_BUCKETS "/:bucket/sippy", r2_api_unserved, R2_AREA, 0, 0, NULL},
    {"DELETE", R2_BUCKETS "/:bucket/sippy", r2_api_unserved, R2_AREA, 0, 0, NULL},
    {"GET", R2_NOTIFICATIONS, r2_api_notifications_get, R2_AREA, 0, 0, NULL},
    {"GET", R2_NOTIFICATIONS "/queues/:queue", r2_api_notification_get, R2_AREA, 0, 0, NULL},
    {"PUT", R2_NOTIFICATIONS "/queues/:queue", r2_api_notification_put, R2_AREA, 0, 0, NULL},
    {"DELETE", R2_NOTIFICATIONS "/queues/:queue", r2_api_notification_delete, R2_AREA, 0, 0, NULL},
    {"GET", "/accounts/:account/r2/metrics", r2_api_metrics, R2_AREA, 0, 0, NULL},
    {"POST", "/accounts/:account/r2-catalog/:bucket/enable", r2_api_unserved, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/objects", r2_api_objects, R2_AREA, 0, 0, NULL},
    {"GET", R2_BUCKETS "/:bucket/objects/*key", r2_api_get, R2_AREA, 0, 0, NULL},
    /* Objects are data: the audit is about what they are kept in, here as behind S3. */
    {"PUT", R2_BUCKETS "/:bucket/objects/*key", r2_api_put, R2_AREA, API_NO_AUDIT, R2_OBJECT_MAX,
     NULL},
    {"DELETE", R2_BUCKETS "/:bucket/objects/*key", r2_api_remove, R2_AREA, API_NO_AUDIT, 0, NULL},
};

static const struct api_area r2_areas[] = {{R2_AREA, "Workers R2 Storage"}};

const struct api_product r2_api = {
    .name = "r2",
    .routes = r2_routes,
    .n_routes = ARRAY_LEN(r2_routes),
    .areas = r2_areas,
    .n_areas = ARRAY_LEN(r2_areas),
    .schema = r2_schema,
};
