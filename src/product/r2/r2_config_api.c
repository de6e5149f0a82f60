/*
 * REST routes of a bucket's settings: cross-origin rules, lifecycle, locks, notifications, and what is not served.
 */
#include "product/r2/r2_config.h"
#include "product/r2/s3_impl.h"

#include "core/clock.h"

#include <errno.h>

enum { R2_ERR_NO_CORS = 10059, R2_ERR_NO_NOTIFICATION = 11015, R2_ERR_UNSERVED = 10015 };

/* The store of the bucket in the path, which must exist. */
static const char *r2_config_store(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    const char *bucket = api_param(req, "bucket");
    if (r2_bucket_find(req, bucket, &row, err) < 0)
        return NULL;
    return arena_printf(&req->arena, "r2/%s", bucket);
}

static int r2_config_get(struct api_request *req, const char *name, json_t **ret, struct err *err)
{
    const char *store = r2_config_store(req, err);
    return store == NULL ? -ENOENT : r2_setting_call(req, store, name, NULL, ret, err);
}

static int r2_config_put(struct api_request *req, const char *name,
                         int (*check)(json_t *value, struct err *err), struct err *err)
{
    AUTO(json_release) json_t *value = NULL;
    const char *store = r2_config_store(req, err);
    int r = store == NULL ? -ENOENT : api_json_object(req, false, &value, err);
    if (r == 0)
        r = check(value, err);
    if (r == 0)
        r = r2_setting_call(req, store, name, value, NULL, err);
    return r < 0 ? r : api_ok(req, json_object());
}

int r2_api_cors_get(struct api_request *req, struct err *err)
{
    json_t *cors = NULL;
    int r = r2_config_get(req, "cors", &cors, err);
    if (r == 0 && cors == NULL)
        r = err_set(err, -ENOENT, R2_ERR_NO_CORS, "The CORS configuration does not exist.");
    return r < 0 ? r : api_ok(req, cors);
}

int r2_api_cors_put(struct api_request *req, struct err *err)
{
    return r2_config_put(req, "cors", r2_cors_check, err);
}

int r2_api_cors_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *none = json_null();
    const char *store = r2_config_store(req, err);
    int r = store == NULL ? -ENOENT : r2_setting_call(req, store, "cors", none, NULL, err);
    return r < 0 ? r : api_ok(req, json_object());
}

/* What holds for a bucket that nobody has set anything for. */
static json_t *r2_lifecycle_default(void)
{
    return json_pack("{s:[{s:s, s:b, s:{s:s}, s:{s:{s:s, s:i}}}]}", "rules", "id",
                     "Default Multipart Abort Rule", "enabled", 1, "conditions", "prefix", "",
                     "abortMultipartUploadsTransition", "condition", "type", "Age", "maxAge",
                     7 * 24 * 3600);
}

int r2_api_lifecycle_get(struct api_request *req, struct err *err)
{
    json_t *lifecycle = NULL, *rule;
    size_t i;
    int r = r2_config_get(req, "lifecycle", &lifecycle, err);
    if (r < 0)
        return r;
    json_array_foreach(json_object_get(lifecycle, "rules"), i, rule)
        json_object_del(rule, R2_LIFECYCLE_OLD);
    return api_ok(req, lifecycle == NULL ? r2_lifecycle_default() : lifecycle);
}

int r2_api_lifecycle_put(struct api_request *req, struct err *err)
{
    return r2_config_put(req, "lifecycle", r2_lifecycle_check, err);
}

int r2_api_lock_get(struct api_request *req, struct err *err)
{
    json_t *lock = NULL;
    int r = r2_config_get(req, "lock", &lock, err);
    return r < 0 ? r : api_ok(req, lock == NULL ? json_pack("{s:[]}", "rules") : lock);
}

int r2_api_lock_put(struct api_request *req, struct err *err)
{
    return r2_config_put(req, "lock", r2_lock_check, err);
}

/* --- event notifications --- */

static json_t *r2_queue_of(const json_t *all, const char *queue, size_t *ret_at)
{
    const json_t *queues = json_object_get(all, "queues");
    for (size_t i = 0; i < json_array_size(queues); i++) {
        json_t *one = json_array_get(queues, i);
        *ret_at = i;
        if (strcmp(json_str(one, "queueId", ""), queue) == 0)
            return one;
    }
    return NULL;
}

static json_t *r2_notifications_shown(struct api_request *req, json_t *all)
{
    return json_pack("{s:s, s:O}", "bucketName", api_param(req, "bucket"), "queues",
                     json_object_get(all, "queues"));
}

int r2_api_notifications_get(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *all = NULL;
    int r = r2_config_get(req, "notifications", &all, err);
    if (r == 0 && json_array_size(json_object_get(all, "queues")) == 0)
        r = err_set(err, -ENOENT, R2_ERR_NO_NOTIFICATION,
                    "No event notification is configured for this bucket.");
    return r < 0 ? r : api_ok(req, r2_notifications_shown(req, all));
}

int r2_api_notification_get(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *all = NULL;
    size_t at;
    int r = r2_config_get(req, "notifications", &all, err);
    json_t *queue = r < 0 ? NULL : r2_queue_of(all, api_param(req, "queue"), &at);
    if (r == 0 && queue == NULL)
        r = err_set(err, -ENOENT, R2_ERR_NO_NOTIFICATION,
                    "No event notification of this bucket goes to that queue.");
    return r < 0 ? r : api_ok(req, json_incref(queue));
}

static int r2_notification_add(json_t *queue, const json_t *wanted, struct err *err)
{
    json_t *rules = json_object_get(queue, "rules"), *rule;
    char id[ID_UUID_SIZE], now[CLOCK_TEXT_SIZE];
    size_t i;
    if (json_array_size(json_object_get(wanted, "rules")) == 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "rules must hold at least one rule");
    json_array_foreach(json_object_get(wanted, "rules"), i, rule)
    {
        int r = r2_notification_check(rule, err);
        if (r < 0)
            return r;
        json_object_set_new(rule, "ruleId", json_string(id_uuid(id)));
        json_object_set_new(rule, "createdAt", json_string(clock_rfc3339(clock_wall_ms(), now)));
        json_array_append(rules, rule);
    }
    return json_array_size(rules) > R2_RULES_MAX
               ? err_set(err, -EINVAL, API_ERR_INPUT, "there are too many rules")
               : 0;
}

int r2_api_notification_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *all = NULL, *body = NULL;
    const char *store = r2_config_store(req, err), *id = api_param(req, "queue");
    size_t at;
    int r = store == NULL ? -ENOENT : api_json_object(req, false, &body, err);
    if (r == 0)
        r = r2_setting_call(req, store, "notifications", NULL, &all, err);
    if (r < 0)
        return r;
    if (all == NULL)
        all = json_pack("{s:s, s:[]}", "account", req->api->account, "queues");
    json_t *queue = r2_queue_of(all, id, &at);
    if (queue == NULL) {
        queue = json_pack("{s:s, s:s, s:[]}", "queueId", id, "queueName", id, "rules");
        json_array_append_new(json_object_get(all, "queues"), queue);
    }
    r = r2_notification_add(queue, body, err);
    if (r == 0)
        r = r2_setting_call(req, store, "notifications", all, NULL, err);
    return r < 0 ? r : api_ok(req, json_object());
}

/* Removes the named rules of a queue, or (ids NULL) all. */
static void r2_notification_drop(json_t *all, json_t *queue, size_t at, const json_t *ids)
{
    json_t *rules = json_object_get(queue, "rules");
    for (size_t i = json_array_size(rules); i-- > 0 && ids != NULL;) {
        const char *id = json_str(json_array_get(rules, i), "ruleId", "");
        for (size_t k = 0; k < json_array_size(ids); k++) {
            const char *named = json_string_value(json_array_get(ids, k));
            if (named != NULL && strcmp(named, id) == 0) {
                json_array_remove(rules, i);
                break;
            }
        }
    }
    if (ids == NULL || json_array_size(rules) == 0)
        json_array_remove(json_object_get(all, "queues"), at);
}

int r2_api_notification_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *all = NULL, *body = NULL;
    const char *store = r2_config_store(req, err);
    size_t at;
    int r = store == NULL ? -ENOENT : api_json_object(req, true, &body, err);
    if (r == 0)
        r = r2_setting_call(req, store, "notifications", NULL, &all, err);
    json_t *queue = r < 0 ? NULL : r2_queue_of(all, api_param(req, "queue"), &at);
    if (r == 0 && queue == NULL)
        r = err_set(err, -ENOENT, R2_ERR_NO_NOTIFICATION,
                    "No event notification of this bucket goes to that queue.");
    if (r < 0)
        return r;
    r2_notification_drop(all, queue, at, json_object_get(body, "ruleIds"));
    r = r2_setting_call(req, store, "notifications", all, NULL, err);
    return r < 0 ? r : api_ok(req, json_object());
}

/* --- what is not served --- */

int r2_api_unserved(struct api_request *req, struct err *err)
{
    bool reads = slice_eq(req->method, SLICE("GET"));
    if (reads && strstr(req->route->path, "/sippy") != NULL)
        return api_ok(req, json_pack("{s:b}", "enabled", 0));
    return err_set(
        err, -EOPNOTSUPP, R2_ERR_UNSERVED,
        "This server neither migrates buckets incrementally nor keeps data catalogs. Copy "
        "the objects with an S3 client instead.");
}
