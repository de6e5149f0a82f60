/*
 * KV in the keeper: writes of Workers, and everything the REST API asks for.
 */
#include "product/kv/kv_product.h"

#include "core/base64.h"
#include "core/clock.h"
#include "product/keeper.h"

#include <errno.h>

enum {
    KV_TTL_MIN_S = 60,
    KV_SWEEP_S = 10,
    KV_SWEEP_BATCH = 1000,
    KV_BULK_GET_BYTES = 25 * 1024 * 1024
};

static int64_t kv_now_s(void)
{
    return clock_wall_ms() / 1000;
}

static struct kv *kv_of(struct keeper_call *call)
{
    return call->store->open;
}

static void kv_fail(struct keeper_call *call, int r, const char *text)
{
    call->result = err_set(&call->err, r, 0, "%s", text);
}

/* --- writes of Workers --- */

static int kv_check(struct keeper_call *call, struct slice key, struct slice metadata)
{
    uint8_t encoded[KV_ENCODED_MAX];
    if (kv_key_encode(key, encoded) < 0)
        return err_set(&call->err, -EINVAL, 0,
                       "414 UTF-8 encoded length of %zu exceeds key length limit of %d.", key.len,
                       KV_KEY_MAX);
    if (metadata.len > KV_METADATA_MAX)
        return err_set(&call->err, -E2BIG, 0, "413 Metadata length of %zu exceeds limit of %d.",
                       metadata.len, KV_METADATA_MAX);
    if (metadata.len == 0)
        return 0;
    AUTO(json_release) json_t *parsed = NULL;
    return json_parse(metadata, &parsed, NULL) < 0
               ? err_set(&call->err, -EINVAL, 0, "400 Metadata must be JSON.")
               : 0;
}

static void kv_op_put(struct keeper_call *call)
{
    struct msg_kv_put m;
    if (msg_kv_put_unpack(call->args, &m) < 0)
        return kv_fail(call, -EBADMSG, "400 malformed message");
    call->result = kv_check(call, m.key, m.metadata);
    if (call->result < 0)
        return;
    struct kv_value value = {
        .expiration_s = m.expiration_s, .metadata = m.metadata, .value = call->body};
    int r = kv_put(kv_of(call), m.key, &value);
    if (r < 0)
        kv_fail(call, r, r == -ENOSPC ? "507 the namespace is full" : "500 internal error");
}

static void kv_op_delete(struct keeper_call *call)
{
    struct msg_kv_delete m;
    if (msg_kv_delete_unpack(call->args, &m) < 0)
        return kv_fail(call, -EBADMSG, "400 malformed message");
    int r = kv_delete(kv_of(call), m.key);
    if (r < 0)
        kv_fail(call, r, r == -EINVAL ? "414 the key is too long" : "500 internal error");
}

/* --- reads of control --- */

static void kv_op_get_inside(struct keeper_call *call, const struct msg_kv_get *m)
{
    struct kv_value value;
    int r = kv_get(kv_of(call), m->key, kv_now_s(), &value);
    if (r < 0)
        return kv_fail(call, r, r == -ENOENT ? "key not found" : "500 internal error");
    buf_append_char(&call->json, '{');
    if (value.expiration_s != 0)
        buf_printf(&call->json, "\"expiration\":%lld,", (long long)value.expiration_s);
    buf_append_slice(&call->json, SLICE("\"metadata\":"));
    buf_append_slice(&call->json, value.metadata.len > 0 ? value.metadata : SLICE("null"));
    buf_append_char(&call->json, '}');
    buf_append_slice(&call->reply_body, value.value);
}

static void kv_op_get(struct keeper_call *call)
{
    struct msg_kv_get m;
    if (msg_kv_get_unpack(call->args, &m) < 0)
        return kv_fail(call, -EBADMSG, "400 malformed message");
    int r = kv_read_start(kv_of(call));
    if (r < 0)
        return kv_fail(call, r, "500 internal error");
    kv_op_get_inside(call, &m);
    kv_read_end(kv_of(call));
}

static void kv_op_list(struct keeper_call *call)
{
    struct msg_kv_list m;
    if (msg_kv_list_unpack(call->args, &m) < 0 || m.limit == 0 || m.limit > KV_LIST_MAX)
        return kv_fail(call, -EINVAL, "400 the limit must be from 1 to 1000");
    int r = kv_read_start(kv_of(call));
    if (r < 0)
        return kv_fail(call, r, "500 internal error");
    struct kv_listing l = {
        .prefix = m.prefix, .cursor = m.cursor, .limit = m.limit, .now_s = kv_now_s()};
    r = kv_list_json(kv_of(call), &l, &call->json);
    kv_read_end(kv_of(call));
    if (r < 0)
        kv_fail(call, r, "400 the cursor or the prefix is invalid");
}

/* --- bulk --- */

/* Seconds since 1970, 0 for never; -EINVAL when it is nearer than what is allowed. */
static int kv_bulk_expiration(const json_t *item, int64_t *ret)
{
    int64_t now = kv_now_s(), ttl_s = json_int(item, "expiration_ttl", 0);
    int64_t at = ttl_s != 0 ? now + ttl_s : json_int(item, "expiration", 0);
    if (ttl_s < 0 || (at != 0 && at < now + KV_TTL_MIN_S))
        return -EINVAL;
    *ret = at;
    return 0;
}

static int kv_bulk_value(struct keeper_call *call, const json_t *item, struct slice *ret)
{
    const json_t *value = json_object_get(item, "value");
    if (!json_is_string(value))
        return -EINVAL;
    *ret = slice_from(json_string_value(value), json_string_length(value));
    return json_bool(item, "base64", false) ? base64_decode(call->arena, *ret, BASE64_STANDARD, ret)
                                            : 0;
}

static int kv_bulk_put_one(struct keeper_call *call, const json_t *item)
{
    const json_t *key = json_object_get(item, "key");
    const json_t *metadata = json_object_get(item, "metadata");
    AUTO(buf_done) struct buf text = {0};
    struct kv_value value = {0};
    if (!json_is_string(key) || kv_bulk_expiration(item, &value.expiration_s) < 0 ||
        kv_bulk_value(call, item, &value.value) < 0)
        return -EINVAL;
    if (value.value.len > KV_VALUE_MAX)
        return -E2BIG;
    if (metadata != NULL && !json_is_null(metadata))
        json_print(&text, metadata);
    value.metadata = buf_slice(&text);
    if (value.metadata.len > KV_METADATA_MAX)
        return -E2BIG;
    return kv_put(kv_of(call), slice_from(json_string_value(key), json_string_length(key)), &value);
}

static int kv_bulk_delete_one(struct keeper_call *call, const json_t *item)
{
    const json_t *key = json_is_object(item) ? json_object_get(item, "name") : item;
    if (!json_is_string(key))
        return -EINVAL;
    return kv_delete(kv_of(call), slice_from(json_string_value(key), json_string_length(key)));
}

static void kv_bulk_write(struct keeper_call *call, const json_t *items, bool put)
{
    if (!json_is_array(items) || json_array_size(items) > KV_BULK_MAX)
        return kv_fail(call, -EINVAL, "400 the body must be an array of at most 10000 entries");
    size_t n_done = 0;
    AUTO(json_release) json_t *failed = json_array();
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        int r = put ? kv_bulk_put_one(call, item) : kv_bulk_delete_one(call, item);
        if (r == 0) {
            n_done++;
            continue;
        }
        if (r != -EINVAL && r != -E2BIG)
            return kv_fail(call, r, "500 internal error");
        const json_t *key = put ? json_object_get(item, "key") : item;
        json_array_append_new(failed, json_is_string(key) ? json_string(json_string_value(key))
                                                          : json_integer((json_int_t)i));
    }
    buf_printf(&call->json, "{\"successful_key_count\":%zu,\"unsuccessful_keys\":", n_done);
    json_print(&call->json, failed);
    buf_append_char(&call->json, '}');
}

static int kv_bulk_get_one(struct keeper_call *call, struct slice key, const json_t *query)
{
    struct buf *out = &call->json;
    struct kv_value value;
    json_quote(out, key);
    buf_append_char(out, ':');
    int r = kv_get(kv_of(call), key, kv_now_s(), &value);
    if (r < 0) {
        buf_append_slice(out, SLICE("null"));
        return r == -ENOENT || r == -EINVAL ? 0 : r;
    }
    bool as_json = strcmp(json_str(query, "type", "text"), "json") == 0;
    bool metadata = json_bool(query, "withMetadata", false);
    AUTO(json_release) json_t *parsed = NULL;
    if (as_json && json_parse_nul(value.value, &parsed, NULL) < 0)
        return -EBADMSG;
    if (metadata)
        buf_append_slice(out, SLICE("{\"value\":"));
    if (as_json)
        buf_append_slice(out, value.value);
    else
        json_quote(out, value.value);
    if (!metadata)
        return 0;
    buf_append_slice(out, SLICE(",\"metadata\":"));
    buf_append_slice(out, value.metadata.len > 0 ? value.metadata : SLICE("null"));
    if (value.expiration_s != 0)
        buf_printf(out, ",\"expiration\":%lld", (long long)value.expiration_s);
    buf_append_char(out, '}');
    return 0;
}

/* A key asked for twice is answered once: an object has each member once. */
static bool kv_bulk_asked_before(const json_t *keys, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (json_equal(json_array_get(keys, i), json_array_get(keys, at)))
            return true;
    }
    return false;
}

static bool kv_bulk_keys_ok(const json_t *keys)
{
    size_t i;
    json_t *key;
    json_array_foreach(keys, i, key)
    {
        if (!json_is_string(key))
            return false;
    }
    return json_is_array(keys);
}

static void kv_bulk_get(struct keeper_call *call, const json_t *query)
{
    const json_t *keys = json_object_get(query, "keys");
    size_t n = json_array_size(keys);
    if (!kv_bulk_keys_ok(keys) || n > KV_BULK_GET_MAX)
        return kv_fail(call, -EINVAL, "400 You can request a maximum of 100 keys");
    const char *type = json_str(query, "type", "text");
    if (strcmp(type, "text") != 0 && strcmp(type, "json") != 0) {
        call->result = err_set(&call->err, -EINVAL, 0,
                               "400 \"%s\" is not a valid type. Use \"json\" or \"text\"", type);
        return;
    }
    buf_append_slice(&call->json, SLICE("{\"values\":{"));
    for (size_t i = 0; i < n; i++) {
        const json_t *key = json_array_get(keys, i);
        if (kv_bulk_asked_before(keys, i))
            continue;
        if (i > 0)
            buf_append_char(&call->json, ',');
        int r = kv_bulk_get_one(call, slice_from(json_string_value(key), json_string_length(key)),
                                query);
        if (r < 0 || buf_len(&call->json) > KV_BULK_GET_BYTES) {
            buf_clear(&call->json);
            return r == -EBADMSG ? kv_fail(call, r,
                                           "400 At least one of the requested keys corresponds to "
                                           "a non-json value")
                   : r < 0       ? kv_fail(call, r, "500 internal error")
                                 : kv_fail(call, -E2BIG,
                                           "413 Total size of request exceeds the limit of 25MB");
        }
    }
    buf_append_slice(&call->json, SLICE("}}"));
}

static void kv_op_bulk(struct keeper_call *call)
{
    struct msg_kv_bulk m;
    AUTO(json_release) json_t *body = NULL;
    struct err err = {0};
    if (msg_kv_bulk_unpack(call->args, &m) < 0)
        return kv_fail(call, -EBADMSG, "400 malformed message");
    int r = json_parse_nul(call->body, &body, &err);
    if (r < 0) {
        call->result = err_set(&call->err, r, 0, "400 the body is no JSON: %s", err.text);
        return;
    }
    if (m.kind != KV_BULK_GET)
        return kv_bulk_write(call, body, m.kind == KV_BULK_PUT);
    r = kv_read_start(kv_of(call));
    if (r < 0)
        return kv_fail(call, r, "500 internal error");
    kv_bulk_get(call, body);
    kv_read_end(kv_of(call));
}

const struct keeper_op kv_ops[KV_N_OPS] = {
    {.op = OP_kv_put,
     .writes = true,
     .isolates = true,
     .body = BODY_MEMORY,
     .body_max = KV_VALUE_MAX,
     .run = kv_op_put},
    {.op = OP_kv_delete, .writes = true, .isolates = true, .run = kv_op_delete},
    {.op = OP_kv_get, .run = kv_op_get},
    {.op = OP_kv_list, .run = kv_op_list},
    {.op = OP_kv_bulk,
     .writes = true,
     .body = BODY_MEMORY,
     .body_max = KV_BULK_BODY_MAX,
     .run = kv_op_bulk},
};

/* --- the engine --- */

static int kv_engine_open(const char *path, void **ret, struct err *err)
{
    struct kv *kv = NULL;
    int r = kv_open(path, true, &kv);
    if (r < 0)
        return err_set(err, r, 0, "the namespace cannot be opened (%d)", r);
    *ret = kv;
    return 0;
}

static void kv_engine_close(void *open)
{
    kv_close(open);
}

static int kv_engine_begin(void *open)
{
    return kv_begin(open);
}

static int kv_engine_commit(void *open, struct err *err)
{
    int r = kv_commit(open);
    return r == -ENOSPC ? err_set(err, r, 0, "507 the namespace is full") : r;
}

static void kv_engine_rollback(void *open)
{
    kv_rollback(open);
}

/* Expired entries and the slots of readers that died (they would keep old pages alive). */
static void kv_engine_sweep(void *open)
{
    struct kv *kv = open;
    (void)kv_reap_readers(kv); /* tried again at the next sweep */
    int n;
    do {
        if (kv_begin(kv) < 0)
            return;
        n = kv_expire(kv, kv_now_s(), KV_SWEEP_BATCH);
        if (n <= 0 || kv_commit(kv) < 0)
            break;
    } while (n == KV_SWEEP_BATCH);
    kv_rollback(kv);
}

static void kv_engine_info(void *open, json_t *ret)
{
    struct kv_stat stat = {0};
    if (kv_read_start(open) == 0) {
        if (kv_stat(open, &stat) < 0)
            stat = (struct kv_stat){0};
        kv_read_end(open);
    }
    json_object_set_new(ret, "keys", json_integer((json_int_t)stat.n_keys));
    json_object_set_new(ret, "bytes", json_integer((json_int_t)stat.bytes));
}

const struct keeper_engine kv_engine = {
    .open = kv_engine_open,
    .close = kv_engine_close,
    .begin = kv_engine_begin,
    .commit = kv_engine_commit,
    .rollback = kv_engine_rollback,
    .sweep = kv_engine_sweep,
    .sweep_s = KV_SWEEP_S,
    .info = kv_engine_info,
};
