/*
 * Scripts: upload, code, list, delete, and the older `services` view.
 */
#include "product/workers/workers_api_impl.h"

#include "core/file.h"
#include "product/durable_plan.h"

#include <errno.h>

/* --- upload --- */

/* Durable Object migrations: stored, so that clients know which steps were taken. */
static int script_migrate(struct api_request *req, const char *name, const json_t *metadata,
                          struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    const json_t *migrations = json_object_get(metadata, "migrations");
    const char *tag = json_str(migrations, "new_tag", NULL);
    if (tag == NULL)
        return 0;
    int r = script_find(req, name, &script, err);
    if (r < 0)
        return r;
    const char *had = json_str(script, "migration_tag", "");
    const char *wanted = json_str(migrations, "old_tag", had);
    if (strcmp(had, wanted) != 0)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "migration old_tag is \"%s\", but the Worker stands at \"%s\"", wanted, had);
    r = db_run(req->api->db, "UPDATE scripts SET migration_tag = ? WHERE name = ?", "ss", tag,
               name);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the migration cannot be stored") : 0;
}

static int scripts_store(struct api_request *req, const char *name, struct upload *upload,
                         json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *settings = json_copy(upload->metadata);
    bool existed = false;
    AUTO(json_release) json_t *script = NULL;
    int r = script_name_check(name, err);
    if (r == 0)
        existed = script_find(req, name, &script, NULL) == 0;
    if (r == 0)
        r = script_ensure(req, name, err);
    if (r < 0)
        return r;
    r = version_create(req, name, upload, "upload", ret, err);
    if (r == 0)
        r = script_migrate(req, name, settings, err);
    if (r == 0)
        r = script_settings_merge(req, name, settings, err);
    /* A Worker whose first upload fails never was. */
    if (r < 0 && !existed) {
        int removed = db_run(req->api->db,
                             "DELETE FROM scripts WHERE name = ? AND NOT EXISTS (SELECT 1 "
                             "FROM versions WHERE script = ?1)",
                             "s", name);
        return removed < 0 ? removed : r;
    }
    return r;
}

int scripts_upload(struct api_request *req, const char *name, json_t **ret, struct err *err)
{
    AUTO(upload_done) struct upload upload = {0};
    int r = upload_read(req, &upload, err);
    return r < 0 ? r : scripts_store(req, name, &upload, ret, err);
}

static int scripts_deploy_answer(struct api_request *req, const char *name, const json_t *version,
                                 struct err *err)
{
    json_t *object = NULL;
    int r = deployment_of(req, name, json_str(version, "id", ""), "upload", err);
    if (r == 0)
        r = script_object(req, name, version, &object, err);
    return r < 0 ? r : api_ok(req, object);
}

int scripts_api_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *version = NULL;
    const char *name = script_param(req);
    int r = scripts_upload(req, name, &version, err);
    return r < 0 ? r : scripts_deploy_answer(req, name, version, err);
}

/* New code, all else as before. */
int scripts_api_content_put(struct api_request *req, struct err *err)
{
    AUTO(upload_done) struct upload upload = {0};
    AUTO(json_release) json_t *before = NULL, *version = NULL;
    const char *name = script_param(req);
    int r = upload_read(req, &upload, err);
    if (r == 0 && version_latest(req, name, &before) < 0)
        r = err_set(err, -ENOENT, WORKER_ERR_MISSING,
                    "This Worker does not exist on your account.");
    if (r < 0)
        return r;
    json_t *metadata = json_deep_copy(json_object_get(before, "metadata"));
    json_object_del(metadata, "main_module");
    json_object_del(metadata, "body_part");
    json_object_update_missing(upload.metadata, metadata);
    json_object_set(upload.metadata, "bindings", json_object_get(metadata, "bindings"));
    json_decref(metadata);
    r = version_create(req, name, &upload, "upload", &version, err);
    return r < 0 ? r : scripts_deploy_answer(req, name, version, err);
}

/* --- code --- */

static void content_part(struct buf *out, const char *boundary, const struct upload_module *m)
{
    buf_printf(out,
               "--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
               "Content-Type: %s\r\n\r\n",
               boundary, m->name, m->name, module_content_type(m->type));
    buf_append_slice(out, m->content);
    buf_append_slice(out, SLICE("\r\n"));
}

static int content_multipart(struct api_request *req, const struct upload *upload)
{
    AUTO(buf_done) struct buf body = {0};
    char id[ID_HEX_SIZE];
    const char *boundary = arena_printf(&req->arena, "----selvedge%s", id_hex(id));
    content_part(&body, boundary, upload->main);
    for (size_t i = 0; i < upload->n_modules; i++) {
        if (&upload->modules[i] != upload->main)
            content_part(&body, boundary, &upload->modules[i]);
    }
    buf_printf(&body, "--%s--\r\n", boundary);
    const char *type = arena_printf(&req->arena, "multipart/form-data; boundary=%s", boundary);
    api_answer_header(req, "cf-entrypoint", slice_of(upload->main->name));
    return api_raw(req, 200, type, buf_slice(&body));
}

int scripts_api_content(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *version = NULL;
    AUTO(upload_done) struct upload upload = {0};
    bool wants_form = strstr(req->route->path, "/content") != NULL;
    int r = version_deployed(req, script_param(req), &version);
    if (r < 0)
        return err_set(err, r, WORKER_ERR_MISSING, "This Worker does not exist on your account.");
    r = upload_load(req, version, &upload, err);
    if (r < 0)
        return r;
    if (upload.main == NULL)
        return err_set(err, -ENOENT, WORKER_ERR_MISSING, "This Worker has no code, only assets.");
    api_answer_header(req, "etag", slice_of(json_str(version, "etag", "")));
    if (wants_form && strcmp(upload.format, "service-worker") != 0)
        return content_multipart(req, &upload);
    return api_raw(req, 200, module_content_type(upload.main->type), upload.main->content);
}

/* --- lists --- */

int scripts_api_list(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *names = NULL;
    json_t *list = json_array();
    int r = db_rows(req->api->db, &names,
                    "SELECT name FROM scripts WHERE instr(name, '.') = 0 ORDER BY name", NULL);
    for (size_t i = 0; r == 0 && i < json_array_size(names); i++) {
        json_t *object = NULL;
        r = script_object(req, json_str(json_array_get(names, i), "name", ""), NULL, &object, err);
        if (r == 0)
            json_array_append_new(list, object);
    }
    if (r < 0) {
        json_decref(list);
        return r;
    }
    return api_ok_all(req, list);
}

int scripts_api_service(struct api_request *req, struct err *err)
{
    json_t *object = NULL;
    const char *name = script_param(req);
    AUTO(json_release) json_t *latest = NULL;
    if (version_latest(req, name, &latest) < 0)
        return err_set(err, -ENOENT, WORKER_ERR_SERVICE_MISSING,
                       "workers.api.error.service_not_found");
    int r = script_object(req, name, latest, &object, err);
    if (r < 0)
        return r;
    json_t *created = json_object_get(object, "created_on");
    json_t *modified = json_object_get(object, "modified_on");
    json_t *environment = json_pack("{s:s, s:o, s:O, s:O}", "environment", "production", "script",
                                    object, "created_on", created, "modified_on", modified);
    return api_ok(req,
                  json_pack("{s:s, s:O, s:[o], s:O, s:O, s:s}", "id", name, "default_environment",
                            environment, "environments", environment, "created_on", created,
                            "modified_on", modified, "usage_model", "standard"));
}

/* --- delete --- */

static json_t *reference_rows(struct api_request *req, const char *name)
{
    json_t *rows = NULL;
    int r =
        db_rows(req->api->db, &rows,
                "SELECT v.script AS service, 'production' AS environment, json_extract(b.value, "
                "'$.name') AS name FROM versions v, json_each(v.metadata, '$.bindings') b WHERE "
                "v.number = (SELECT max(number) FROM versions w WHERE w.script = v.script) AND "
                "v.script <> ?1 AND json_extract(b.value, '$.type') = 'service' AND "
                "json_extract(b.value, '$.service') = ?1",
                "s", name);
    return r < 0 ? json_array() : rows;
}

int scripts_api_references(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    const char *name = script_param(req);
    int r = script_find(req, name, &script, err);
    if (r < 0)
        return r;
    return api_ok(req, json_pack("{s:{s:o, s:[], s:b}, s:[], s:[]}", "services", "incoming",
                                 reference_rows(req, name), "outgoing", "pages_function", 0,
                                 "durable_objects", "dispatch_outbounds"));
}

int scripts_api_tails_by_consumer(struct api_request *req, struct err *err)
{
    json_t *rows = NULL;
    int r = db_rows(
        req->api->db, &rows,
        "SELECT json_object('service', s.name, 'environment', 'production') AS "
        "\"producer:json\" FROM scripts s, json_each(s.settings, '$.tail_consumers') t WHERE "
        "json_extract(t.value, '$.service') = ?",
        "s", script_param(req));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the Workers cannot be read")
                 : api_ok_all(req, rows);
}

int script_delete(struct api_request *req, const char *name, struct err *err)
{
    static const char *const statements[] = {
        "DELETE FROM deployments WHERE script = ?",
        "DELETE FROM versions WHERE script = ?",
        "DELETE FROM worker_routes WHERE script = ?",
        "DELETE FROM worker_domains WHERE service = ?",
        "DELETE FROM worker_schedules WHERE script = ?",
        "DELETE FROM worker_tails WHERE script = ?",
        "DELETE FROM scripts WHERE name = ?",
    };
    AUTO(db_end) struct db *tx = NULL;
    AUTO(json_release) json_t *referers = reference_rows(req, name);
    if (json_array_size(referers) > 0 && !api_query_bool(req, "force", false))
        return err_set(err, -EINVAL, 10064,
                       "Worker %s is bound by other Workers; delete with force=true", name);
    int r = db_begin(req->api->db, &tx);
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(statements); i++)
        r = db_run(req->api->db, statements[i], "s", name);
    if (r >= 0)
        r = db_commit(&tx);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the Worker cannot be removed");
    durable_script_deleted(req, name);
    r = table_publish(req, err);
    const char *dir = arena_printf(&req->arena, "workers/%s", name);
    int removed = file_remove_tree(req->api->data_fd, dir);
    if (r == 0 && removed < 0)
        return err_set(err, removed, API_ERR_INTERNAL, "the files of the Worker cannot be removed");
    return r;
}

int scripts_api_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = script_delete(req, json_str(script, "name", ""), err);
    return r < 0 ? r : api_ok(req, NULL);
}
