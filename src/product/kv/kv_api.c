/*
 * REST routes of Workers KV: namespaces in control.db, keys and values by the keeper.
 * https://developers.cloudflare.com/api/resources/kv/
 */
#include "api/multipart.h"
#include "core/clock.h"
#include "product/products_api.h"
#include "product/store_call.h"

#include <errno.h>

enum {
    KV_ERR_KEY_MISSING = 10009,
    KV_ERR_NAMESPACE_MISSING = 10013,
    KV_ERR_TITLE_TAKEN = 10014,
    KV_ERR_INPUT = 10033,
    KV_KEY_MAX = 512,
    KV_METADATA_MAX = 1024,
    KV_TITLE_MAX = 512,
    KV_TTL_MIN_S = 60,
    KV_LIST_MAX = 1000,
    KV_VALUE_MAX = 25 * 1024 * 1024,
    KV_BULK_MAX = 100 * 1024 * 1024,
    KV_BULK_KEYS_MAX = 10000,
    KV_BULK_GET_MAX = 100
};
enum { KV_BULK_PUT = 1, KV_BULK_DELETE = 2, KV_BULK_GET = 3 };

#define KV_NAMESPACES "/accounts/:account/storage/kv/namespaces"
#define KV_COLUMNS "id, title, 1 AS \"supports_url_encoding:bool\""

static const char *const kv_schema[] = {
    "CREATE TABLE IF NOT EXISTS kv_namespaces (id TEXT PRIMARY KEY, title TEXT NOT NULL UNIQUE, "
    "created_ms INTEGER NOT NULL) STRICT",
    NULL,
};

/* --- namespaces --- */

static int kv_api_list(struct api_request *req, struct err *err)
{
    bool by_title = strcmp(api_query(req, "order", "id"), "title") == 0;
    bool desc = strcmp(api_query(req, "direction", "asc"), "desc") == 0;
    static const char *const sql[] = {
        "SELECT " KV_COLUMNS " FROM kv_namespaces ORDER BY id",
        "SELECT " KV_COLUMNS " FROM kv_namespaces ORDER BY id DESC",
        "SELECT " KV_COLUMNS " FROM kv_namespaces ORDER BY title",
        "SELECT " KV_COLUMNS " FROM kv_namespaces ORDER BY title DESC",
    };
    return api_ok_page(req, err, sql[by_title * 2 + desc], NULL);
}

static int kv_title_of(struct api_request *req, json_t **ret_body, const char **ret,
                       struct err *err)
{
    int r = api_json_object(req, false, ret_body, err);
    if (r < 0)
        return r;
    *ret = api_need_str(*ret_body, "title", err);
    if (*ret == NULL)
        return -EINVAL;
    if (strlen(*ret) > KV_TITLE_MAX)
        return err_set(err, -EINVAL, KV_ERR_INPUT, "title has more than %d bytes", KV_TITLE_MAX);
    return 0;
}

static int kv_row_error(int r, const char *title, struct err *err)
{
    if (r == -EEXIST)
        return err_set(err, -EINVAL, KV_ERR_TITLE_TAKEN,
                       "create namespace: a namespace with the title \"%s\" already exists", title);
    return err_set(err, r, API_ERR_INTERNAL, "the namespace cannot be stored");
}

static int kv_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    AUTO(store_reply_done) struct store_reply reply = {0};
    const char *title;
    char id[ID_HEX_SIZE];
    int r = kv_title_of(req, &body, &title, err);
    if (r < 0)
        return r;
    /* The store first: a row without a store would be a namespace that fails. */
    id_hex(id);
    r = db_run(req->api->db, "INSERT INTO kv_namespaces (id, title, created_ms) VALUES (?,?,?)",
               "ssl", id, title, clock_wall_ms());
    if (r < 0)
        return kv_row_error(r, title, err);
    AUTO(buf_done) struct buf store = {0};
    buf_printf(&store, "kv/%s", id);
    r = store_simple(req, OP_store_make, buf_slice(&store), &reply, err);
    if (r < 0) {
        int undone = db_run(req->api->db, "DELETE FROM kv_namespaces WHERE id = ?", "s", id);
        return undone < 0 ? undone : r;
    }
    return api_ok(
        req, json_pack("{s:s, s:s, s:b}", "id", id, "title", title, "supports_url_encoding", 1));
}

/* The namespace of the path, or 404. */
static int kv_find(struct api_request *req, json_t **ret, struct err *err)
{
    int r = db_row(req->api->db, ret, "SELECT " KV_COLUMNS " FROM kv_namespaces WHERE id = ?", "s",
                   api_param(req, "namespace"));
    if (r == -ENOENT)
        return err_set(err, r, KV_ERR_NAMESPACE_MISSING, "get namespace: namespace not found");
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the namespace cannot be read") : 0;
}

static int kv_api_info(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = kv_find(req, &row, err);
    return r < 0 ? r : api_ok(req, row);
}

static int kv_api_rename(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    const char *title;
    int r = kv_title_of(req, &body, &title, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db, "UPDATE kv_namespaces SET title = ? WHERE id = ?", "ss", title,
               api_param(req, "namespace"));
    return r < 0 ? kv_row_error(r, title, err) : kv_api_info(req, err);
}

static int kv_store_name(struct api_request *req, char ret[STORE_NAME_MAX], struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = kv_find(req, &row, err);
    if (r == 0)
        snprintf(ret, STORE_NAME_MAX, "kv/%s", json_str(row, "id", ""));
    return r;
}

static int kv_api_delete(struct api_request *req, struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    char store[STORE_NAME_MAX];
    int r = kv_store_name(req, store, err);
    if (r == 0)
        r = store_simple(req, OP_store_drop, slice_of(store), &reply, err);
    if (r < 0 && r != -ENOENT)
        return r;
    r = db_run(req->api->db, "DELETE FROM kv_namespaces WHERE id = ?", "s",
               api_param(req, "namespace"));
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the namespace cannot be removed");
    return r == 0 ? kv_api_info(req, err) : api_ok(req, NULL);
}

/* --- keys and values --- */

static int kv_key_of(struct api_request *req, struct slice *ret, struct err *err)
{
    *ret = api_param_slice(req, "key");
    if (ret->len == 0 || ret->len > KV_KEY_MAX)
        return err_set(err, ret->len == 0 ? -EINVAL : -E2BIG, KV_ERR_INPUT,
                       "key has %zu bytes; it must have 1 to %d", ret->len, KV_KEY_MAX);
    if (slice_eq(*ret, SLICE(".")) || slice_eq(*ret, SLICE("..")))
        return err_set(err, -EINVAL, KV_ERR_INPUT, "key must not be \".\" or \"..\"");
    return 0;
}

static int kv_expiration(struct api_request *req, int64_t *ret, struct err *err)
{
    int64_t at = 0, ttl = 0, now = clock_wall_ms() / 1000;
    int r = api_query_int(req, "expiration", &at, err);
    if (r == 0)
        r = api_query_int(req, "expiration_ttl", &ttl, err);
    if (r < 0)
        return r;
    if (ttl != 0)
        at = now + ttl;
    if ((ttl != 0 && ttl < KV_TTL_MIN_S) || (at != 0 && at < now + KV_TTL_MIN_S))
        return err_set(err, -EINVAL, KV_ERR_INPUT,
                       "invalid expiration: it must be at least %d seconds in the future",
                       KV_TTL_MIN_S);
    *ret = at;
    return 0;
}

/* A form has the fields value and metadata; the latter as text or flattened. */
static int kv_form(struct api_request *req, struct slice body, struct slice *ret_value,
                   struct buf *ret_metadata, struct err *err)
{
    struct multipart form;
    struct err why = {0};
    int r = multipart_parse(&req->arena, api_header(req, "content-type"), body, &form, &why);
    if (r < 0)
        return err_set(err, -EINVAL, API_ERR_BODY, "the form cannot be read: %s", why.text);
    const struct multipart_part *value = multipart_find(&form, "value");
    const struct multipart_part *metadata = multipart_find(&form, "metadata");
    if (value == NULL)
        return err_set(err, -EINVAL, KV_ERR_INPUT, "the form has no field \"value\"");
    *ret_value = value->content;
    if (metadata != NULL) {
        buf_append_slice(ret_metadata, metadata->content);
        return 0;
    }
    AUTO(json_release) json_t *flat = NULL;
    r = multipart_unflatten(&form, "metadata", &flat, err);
    if (r == 0 && flat != NULL)
        json_print(ret_metadata, flat);
    return r;
}

static int kv_check_metadata(struct slice text, struct err *err)
{
    AUTO(json_release) json_t *value = NULL;
    if (text.len > KV_METADATA_MAX)
        return err_set(err, -E2BIG, KV_ERR_INPUT, "metadata has %zu bytes; the most are %d",
                       text.len, KV_METADATA_MAX);
    if (text.len > 0 && json_parse(text, &value, NULL) < 0)
        return err_set(err, -EINVAL, KV_ERR_INPUT, "metadata must be JSON");
    return 0;
}

static int kv_api_put(struct api_request *req, struct err *err)
{
    AUTO(buf_done) struct buf metadata = {0};
    AUTO(store_call_done)
    struct store_call call = {.op = OP_kv_put, .has_body = true, .code = KV_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_kv_put m = {.binding = BINDING_NONE};
    char store[STORE_NAME_MAX];
    int r = kv_key_of(req, &m.key, err);
    if (r == 0)
        r = kv_expiration(req, &m.expiration_s, err);
    if (r == 0)
        r = kv_store_name(req, store, err);
    if (r == 0)
        r = api_body(req, &call.body, err);
    /* Only the content type tells a form from a value that happens to look like one. */
    struct slice type = api_header(req, "content-type");
    if (r == 0 && slice_starts(type, SLICE("multipart/form-data")))
        r = kv_form(req, call.body, &call.body, &metadata, err);
    if (r == 0)
        r = kv_check_metadata(buf_slice(&metadata), err);
    if (r < 0)
        return r;
    if (call.body.len > KV_VALUE_MAX)
        return err_set(err, -E2BIG, KV_ERR_INPUT, "value has %zu bytes; the most are %d",
                       call.body.len, KV_VALUE_MAX);

    m.store = slice_of(store);
    m.metadata = buf_slice(&metadata);
    msg_kv_put_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    return r < 0 ? r : api_ok(req, NULL);
}

/* Asks for one key; `stream` leaves the value on the wire. */
static int kv_get(struct api_request *req, bool stream, struct store_reply *ret, struct err *err)
{
    AUTO(store_call_done)
    struct store_call call = {
        .op = OP_kv_get, .stream = stream, .reply_max = KV_VALUE_MAX, .code = KV_ERR_KEY_MISSING};
    struct msg_kv_get m;
    char store[STORE_NAME_MAX];
    int r = kv_key_of(req, &m.key, err);
    if (r == 0)
        r = kv_store_name(req, store, err);
    if (r < 0)
        return r;
    m.store = slice_of(store);
    msg_kv_get_pack(&call.args, &m);
    r = store_call(req, &call, ret, err);
    return r == -ENOENT ? err_set(err, r, KV_ERR_KEY_MISSING, "get: 'key not found'") : r;
}

static int kv_api_get(struct api_request *req, struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    int r = kv_get(req, true, &reply, err);
    if (r < 0)
        return r;
    int64_t expiration = json_int(reply.json, "expiration", 0);
    if (expiration > 0) {
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)expiration);
        api_answer_header(req, "expiration", slice_of(text));
    }
    api_answer_header(req, "content-type", SLICE("application/octet-stream"));
    return api_streamed(req, TAKE(reply.stream), -1);
}

static int kv_api_metadata(struct api_request *req, struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    int r = kv_get(req, false, &reply, err);
    return r < 0 ? r : api_ok(req, json_incref(json_object_get(reply.json, "metadata")));
}

static int kv_api_remove(struct api_request *req, struct err *err)
{
    AUTO(store_call_done) struct store_call call = {.op = OP_kv_delete, .code = KV_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_kv_delete m = {.binding = BINDING_NONE};
    char store[STORE_NAME_MAX];
    int r = kv_key_of(req, &m.key, err);
    if (r == 0)
        r = kv_store_name(req, store, err);
    if (r < 0)
        return r;
    m.store = slice_of(store);
    msg_kv_delete_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    return r < 0 ? r : api_ok(req, NULL);
}

static int kv_api_keys(struct api_request *req, struct err *err)
{
    AUTO(store_call_done) struct store_call call = {.op = OP_kv_list, .code = KV_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    char store[STORE_NAME_MAX];
    int64_t limit = KV_LIST_MAX;
    int r = api_query_int(req, "limit", &limit, err);
    if (r == 0)
        r = kv_store_name(req, store, err);
    if (r < 0)
        return r;
    if (limit < 1 || limit > KV_LIST_MAX)
        return err_set(err, -EINVAL, KV_ERR_INPUT, "limit must be 1 to %d", KV_LIST_MAX);
    struct msg_kv_list m = {
        .store = slice_of(store),
        .prefix = slice_of(api_query(req, "prefix", "")),
        .cursor = slice_of(api_query(req, "cursor", "")),
        .limit = (uint32_t)limit,
    };
    msg_kv_list_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    if (r < 0)
        return r;
    json_t *keys = json_object_get(reply.json, "keys");
    api_set_info(req, json_pack("{s:I, s:s}", "count", (json_int_t)json_array_size(keys), "cursor",
                                json_str(reply.json, "cursor", "")));
    return api_ok(req, json_incref(keys));
}

/* --- bulk --- */

static int kv_bulk(struct api_request *req, uint8_t kind, struct slice body, json_t **ret,
                   struct err *err)
{
    AUTO(store_call_done)
    struct store_call call = {.op = OP_kv_bulk,
                              .body = body,
                              .has_body = true,
                              .reply_max = KV_BULK_MAX,
                              .code = KV_ERR_INPUT};
    AUTO(store_reply_done) struct store_reply reply = {0};
    char store[STORE_NAME_MAX];
    int r = kv_store_name(req, store, err);
    if (r < 0)
        return r;
    struct msg_kv_bulk m = {.store = slice_of(store), .kind = kind};
    msg_kv_bulk_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    if (r < 0)
        return r;
    /* Answers that do not fit one message come as the body. */
    if (reply.json == NULL && reply.body.len > 0 && json_parse(reply.body, &reply.json, NULL) < 0)
        return err_set(err, -EIO, API_ERR_INTERNAL, "the keeper's answer is not JSON");
    *ret = TAKE(reply.json);
    return 0;
}

static int kv_bulk_checked(struct api_request *req, uint8_t kind, size_t max, struct err *err)
{
    AUTO(json_release) json_t *list = NULL;
    json_t *result = NULL;
    struct slice body;
    int r = api_json(req, &list, err);
    if (r < 0)
        return r;
    json_t *entries = kind == KV_BULK_GET ? json_object_get(list, "keys") : list;
    if (!json_is_array(entries))
        return err_set(err, -EINVAL, KV_ERR_INPUT, "the body must hold an array");
    if (json_array_size(entries) > max)
        return err_set(err, -EINVAL, KV_ERR_INPUT, "%zu entries; the most are %zu",
                       json_array_size(entries), max);
    r = api_body(req, &body, err);
    if (r == 0)
        r = kv_bulk(req, kind, body, &result, err);
    if (r < 0)
        return r;
    if (kind != KV_BULK_GET && result == NULL)
        result = json_pack("{s:I, s:[]}", "successful_key_count",
                           (json_int_t)json_array_size(entries), "unsuccessful_keys");
    return api_ok(req, result);
}

static int kv_api_bulk_put(struct api_request *req, struct err *err)
{
    return kv_bulk_checked(req, KV_BULK_PUT, KV_BULK_KEYS_MAX, err);
}

static int kv_api_bulk_delete(struct api_request *req, struct err *err)
{
    return kv_bulk_checked(req, KV_BULK_DELETE, KV_BULK_KEYS_MAX, err);
}

static int kv_api_bulk_get(struct api_request *req, struct err *err)
{
    return kv_bulk_checked(req, KV_BULK_GET, KV_BULK_GET_MAX, err);
}

/* --- tables --- */

#define KV_AREA "workers_kv_storage"

static const struct api_route kv_routes[] = {
    {"GET", KV_NAMESPACES, kv_api_list, KV_AREA, 0, 0, NULL},
    {"POST", KV_NAMESPACES, kv_api_create, KV_AREA, 0, 0, NULL},
    {"GET", KV_NAMESPACES "/:namespace", kv_api_info, KV_AREA, 0, 0, NULL},
    {"PUT", KV_NAMESPACES "/:namespace", kv_api_rename, KV_AREA, 0, 0, NULL},
    {"DELETE", KV_NAMESPACES "/:namespace", kv_api_delete, KV_AREA, 0, 0, NULL},
    {"GET", KV_NAMESPACES "/:namespace/keys", kv_api_keys, KV_AREA, 0, 0, NULL},
    {"GET", KV_NAMESPACES "/:namespace/values/:key", kv_api_get, KV_AREA, 0, 0, NULL},
    {"PUT", KV_NAMESPACES "/:namespace/values/:key", kv_api_put, KV_AREA, 0,
     KV_VALUE_MAX + 64 * 1024, NULL},
    {"DELETE", KV_NAMESPACES "/:namespace/values/:key", kv_api_remove, KV_AREA, 0, 0, NULL},
    {"GET", KV_NAMESPACES "/:namespace/metadata/:key", kv_api_metadata, KV_AREA, 0, 0, NULL},
    {"PUT", KV_NAMESPACES "/:namespace/bulk", kv_api_bulk_put, KV_AREA, 0, KV_BULK_MAX, NULL},
    {"DELETE", KV_NAMESPACES "/:namespace/bulk", kv_api_bulk_delete, KV_AREA, 0, KV_BULK_MAX, NULL},
    {"POST", KV_NAMESPACES "/:namespace/bulk/delete", kv_api_bulk_delete, KV_AREA, 0, KV_BULK_MAX,
     NULL},
    {"POST", KV_NAMESPACES "/:namespace/bulk/get", kv_api_bulk_get, KV_AREA, API_READS, 0, NULL},
};

static const struct api_area kv_areas[] = {{KV_AREA, "Workers KV Storage"}};

const struct api_product kv_api = {
    .name = "kv",
    .routes = kv_routes,
    .n_routes = ARRAY_LEN(kv_routes),
    .areas = kv_areas,
    .n_areas = ARRAY_LEN(kv_areas),
    .schema = kv_schema,
};
