/*
 * The newer resource A/workers/workers: the same scripts and versions in another shape.
 */
#include "core/base64.h"
#include "core/clock.h"
#include "product/workers/workers_api_impl.h"

#include <errno.h>

static json_t *beta_subdomain(struct api_request *req, const json_t *script)
{
    const char *name = json_str(script, "name", "");
    return json_pack("{s:b, s:b, s:s, s:s}", "enabled", json_bool(script, "workers_dev", false),
                     "previews_enabled", json_bool(script, "previews", false), "url",
                     worker_url(req, name), "preview_url_suffix", worker_preview_suffix(req, name));
}

static json_t *beta_consumers(const json_t *settings)
{
    json_t *list = json_array(), *consumer;
    size_t i;
    json_array_foreach(json_object_get(settings, "tail_consumers"), i, consumer)
    {
        const char *name = json_str(consumer, "name", json_str(consumer, "service", ""));
        json_array_append_new(list, json_pack("{s:s}", "name", name));
    }
    return list;
}

static json_t *or_default(const json_t *object, const char *key, json_t *fallback)
{
    json_t *value = json_object_get(object, key);
    if (value == NULL)
        return fallback;
    json_decref(fallback);
    return json_incref(value);
}

static json_t *beta_object(struct api_request *req, const json_t *script)
{
    char created[CLOCK_TEXT_SIZE], updated[CLOCK_TEXT_SIZE];
    const json_t *settings = json_object_get(script, "settings");
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:[], s:[], s:[], s:[], s:[]}}",
        "id", json_str(script, "tag", ""), "name", json_str(script, "name", ""), "created_on",
        clock_rfc3339(json_int(script, "created_ms", 0), created), "updated_on",
        clock_rfc3339(json_int(script, "modified_ms", 0), updated), "deployed_on", updated,
        "logpush", or_default(settings, "logpush", json_false()), "tags",
        or_default(settings, "tags", json_array()), "tail_consumers", beta_consumers(settings),
        "observability", or_default(settings, "observability", json_pack("{s:b}", "enabled", 0)),
        "subdomain", beta_subdomain(req, script), "references", "domains", "durable_objects",
        "queues", "workers", "dispatch_namespace_outbounds");
}

int beta_api_list(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *names = NULL;
    json_t *list = json_array();
    int r = db_rows(req->api->db, &names,
                    "SELECT name FROM scripts WHERE instr(name, '.') = 0 ORDER BY name", NULL);
    for (size_t i = 0; r == 0 && i < json_array_size(names); i++) {
        AUTO(json_release) json_t *script = NULL;
        r = script_find(req, json_str(json_array_get(names, i), "name", ""), &script, err);
        if (r == 0)
            json_array_append_new(list, beta_object(req, script));
    }
    if (r < 0) {
        json_decref(list);
        return err->code != 0 ? r : err_set(err, r, API_ERR_INTERNAL, "the Workers cannot be read");
    }
    return api_ok_array_page(req, list);
}

static int beta_answer(struct api_request *req, const char *name, struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(req, name, &script, err);
    return r < 0 ? r : api_ok(req, beta_object(req, script));
}

int beta_api_info(struct api_request *req, struct err *err)
{
    return beta_answer(req, script_param(req), err);
}

static int beta_store(struct api_request *req, const char *name, const json_t *body,
                      struct err *err)
{
    const json_t *subdomain = json_object_get(body, "subdomain");
    int r = script_settings_merge(req, name, body, err);
    if (r == 0 && json_is_object(subdomain)) {
        bool enabled = json_bool(subdomain, "enabled", false);
        r = db_run(req->api->db, "UPDATE scripts SET workers_dev = ?, previews = ? WHERE name = ?",
                   "iis", (int)enabled, (int)json_bool(subdomain, "previews_enabled", enabled),
                   name);
        if (r < 0)
            return err_set(err, r, API_ERR_INTERNAL, "the Worker cannot be stored");
    }
    return r < 0 ? r : table_publish(req, err);
}

int beta_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *script = NULL;
    int r = api_json_object(req, false, &body, err);
    const char *name = r < 0 ? NULL : api_need_str(body, "name", err);
    if (name == NULL)
        return -EINVAL;
    if (script_find(req, name, &script, NULL) == 0)
        return err_set(err, -EEXIST, 10040, "A Worker called %s already exists.", name);
    r = script_ensure(req, name, err);
    if (r == 0)
        r = beta_store(req, name, body, err);
    return r < 0 ? r : beta_answer(req, name, err);
}

int beta_api_update(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *script = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = beta_store(req, json_str(script, "name", ""), body, err);
    return r < 0 ? r : beta_answer(req, json_str(script, "name", ""), err);
}

int beta_api_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = script_delete(req, json_str(script, "name", ""), err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "id", json_str(script, "tag", "")));
}

/* --- versions --- */

static int beta_add_modules(struct api_request *req, const json_t *version, json_t *object,
                            struct err *err)
{
    AUTO(upload_done) struct upload upload = {0};
    json_t *list = json_array();
    int r = upload_load(req, version, &upload, err);
    for (size_t i = 0; r == 0 && i < upload.n_modules; i++) {
        AUTO(buf_done) struct buf text = {0};
        const struct upload_module *m = &upload.modules[i];
        base64_encode(&text, m->content, BASE64_STANDARD);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", m->name, "content_type",
                                              module_content_type(m->type), "content_base64",
                                              buf_cstr(&text)));
    }
    json_object_set_new(object, "modules", list);
    return r;
}

static int beta_version(struct api_request *req, const json_t *script, const json_t *version,
                        json_t **ret, struct err *err)
{
    static const char *const copied[] = {"compatibility_date", "compatibility_flags", "limits",
                                         "placement", "main_module"};
    json_t *object = json_pack(
        "{s:s, s:O, s:s, s:s, s:O, s:O, s:[], s:o, s:s}", "id", json_str(version, "id", ""),
        "number", json_object_get(version, "number"), "created_on",
        json_str(version, "created_on", ""), "source", json_str(version, "source", "api"),
        "startup_time_ms", json_object_get(version, "startup_ms"), "annotations",
        json_object_get(version, "annotations"), "urls", "bindings",
        bindings_public(json_str(script, "tag", ""), json_object_get(version, "bindings")),
        "usage_model", "standard");
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        json_t *value = json_object_get(json_object_get(version, "metadata"), copied[i]);
        if (value != NULL)
            json_object_set(object, copied[i], value);
    }
    if (json_object_get(script, "migration_tag") != NULL)
        json_object_set(object, "migration_tag", json_object_get(script, "migration_tag"));
    int r = 0;
    if (strcmp(api_query(req, "include", ""), "modules") == 0)
        r = beta_add_modules(req, version, object, err);
    *ret = object;
    return r;
}

static int beta_version_answer(struct api_request *req, const json_t *script, const json_t *version,
                               struct err *err)
{
    json_t *object = NULL;
    int r = beta_version(req, script, version, &object, err);
    if (r < 0) {
        json_decref(object);
        return r;
    }
    return api_ok(req, object);
}

int beta_api_version_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *body = NULL, *version = NULL;
    AUTO(upload_done) struct upload upload = {0};
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = upload_from_json(req, body, &upload, err);
    if (r == 0)
        r = version_create(req, json_str(script, "name", ""), &upload, "upload", &version, err);
    if (r == 0 && api_query_bool(req, "deploy", false))
        r = deployment_of(req, json_str(script, "name", ""), json_str(version, "id", ""), "upload",
                          err);
    else if (r == 0)
        r = previews_publish(req, script, err);
    return r < 0 ? r : beta_version_answer(req, script, version, err);
}

int beta_api_version_list(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *ids = NULL;
    json_t *list = json_array();
    int r = script_find(req, script_param(req), &script, err);
    const char *name = json_str(script, "name", "");
    if (r == 0)
        r = db_rows(req->api->db, &ids,
                    "SELECT id FROM versions WHERE script = ? ORDER BY number DESC", "s", name);
    for (size_t i = 0; r == 0 && i < json_array_size(ids); i++) {
        AUTO(json_release) json_t *version = NULL;
        json_t *object = NULL;
        r = version_find(req, name, json_str(json_array_get(ids, i), "id", ""), &version, err);
        if (r == 0)
            r = beta_version(req, script, version, &object, err);
        if (object != NULL)
            json_array_append_new(list, object);
    }
    if (r < 0) {
        json_decref(list);
        return err->code != 0 ? r
                              : err_set(err, r, API_ERR_INTERNAL, "the versions cannot be read");
    }
    return api_ok_array_page(req, list);
}

int beta_api_version_info(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL;
    int r = script_find(req, script_param(req), &script, err);
    const char *name = json_str(script, "name", "");
    if (r == 0 && strcmp(api_param(req, "version"), "latest") == 0) {
        r = version_latest(req, name, &version);
        if (r < 0)
            return err_set(err, -ENOENT, WORKER_ERR_NO_VERSION, "This Worker has no version.");
    } else if (r == 0) {
        r = version_find(req, name, api_param(req, "version"), &version, err);
    }
    return r < 0 ? r : beta_version_answer(req, script, version, err);
}
