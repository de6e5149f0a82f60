/*
 * Versions and deployments of a script.
 */
#include "product/workers/workers_api_impl.h"

#include <errno.h>

/* --- versions --- */

int versions_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL;
    const char *name = script_param(req);
    int r = script_find(req, name, &script, err);
    if (r == 0)
        r = scripts_upload(req, name, &version, err);
    if (r == 0)
        r = previews_publish(req, script, err);
    return r < 0 ? r : api_ok(req, version_object(script, version));
}

/* Of newest first: {items: [...]}, a page of them. */
int versions_api_list(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *ids = NULL;
    json_t *items = json_array();
    int64_t page, per_page, total = 0;
    int r = script_find(req, script_param(req), &script, err);
    const char *name = json_str(script, "name", "");
    api_page_of(req, &page, &per_page);
    if (r == 0)
        r = db_int(req->api->db, &total, "SELECT count(*) FROM versions WHERE script = ?", "s",
                   name);
    if (r == 0)
        r = db_rows(
            req->api->db, &ids,
            "SELECT id FROM versions WHERE script = ? ORDER BY number DESC LIMIT ? OFFSET ?", "sll",
            name, per_page, (page - 1) * per_page);
    for (size_t i = 0; r == 0 && i < json_array_size(ids); i++) {
        AUTO(json_release) json_t *version = NULL;
        r = version_find(req, name, json_str(json_array_get(ids, i), "id", ""), &version, err);
        if (r == 0)
            json_array_append_new(items, version_object(script, version));
    }
    if (r < 0) {
        json_decref(items);
        return err->code != 0 ? r
                              : err_set(err, r, API_ERR_INTERNAL, "the versions cannot be read");
    }
    api_set_info(req, api_page_info(page, per_page, (int64_t)json_array_size(items), total));
    return api_ok(req, json_pack("{s:o}", "items", items));
}

int versions_api_info(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = version_find(req, json_str(script, "name", ""), api_param(req, "version"), &version,
                         err);
    return r < 0 ? r : api_ok(req, version_object(script, version));
}

/* --- deployments --- */

#define DEPLOYMENT_COLUMNS                                                                         \
    "id, source, 'percentage' AS strategy, author AS author_email, created_ms AS "                 \
    "\"created_on:time\", "                                                                        \
    "annotations AS \"annotations:json\", versions AS \"versions:json\""

int deployments_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *body = NULL;
    json_t *deployment = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    if (strcmp(json_str(body, "strategy", "percentage"), "percentage") != 0)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "strategy must be percentage");
    r = deployment_create(req, json_str(script, "name", ""), json_object_get(body, "versions"),
                          json_object_get(body, "annotations"), &deployment, err);
    return r < 0 ? r : api_ok(req, deployment);
}

int deployments_api_list(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *rows = NULL;
    int64_t page, per_page, total = 0;
    int r = script_find(req, script_param(req), &script, err);
    if (r < 0)
        return r;
    const char *name = json_str(script, "name", "");
    api_page_of(req, &page, &per_page);
    r = db_int(req->api->db, &total, "SELECT count(*) FROM deployments WHERE script = ?", "s",
               name);
    if (r == 0)
        r = db_rows(req->api->db, &rows,
                    "SELECT " DEPLOYMENT_COLUMNS
                    " FROM deployments WHERE script = ? ORDER BY number DESC "
                    "LIMIT ? OFFSET ?",
                    "sll", name, per_page, (page - 1) * per_page);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the deployments cannot be read");
    api_set_info(req, api_page_info(page, per_page, (int64_t)json_array_size(rows), total));
    return api_ok(req, json_pack("{s:O, s:O}", "deployments", rows, "items", rows));
}

static int deployment_find(struct api_request *req, json_t **ret, struct err *err)
{
    int r = db_row(
        req->api->db, ret,
        "SELECT " DEPLOYMENT_COLUMNS ", number = (SELECT max(number) FROM deployments d WHERE "
        "d.script = deployments.script) AS \"active:bool\" FROM deployments WHERE script = ? AND "
        "id = ?",
        "ss", script_param(req), api_param(req, "deployment"));
    return r < 0 ? err_set(err, r, 10089, "There is no such deployment.") : 0;
}

int deployments_api_info(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = deployment_find(req, &row, err);
    if (r < 0)
        return r;
    json_object_del(row, "active");
    return api_ok(req, row);
}

int deployments_api_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = deployment_find(req, &row, err);
    if (r < 0)
        return r;
    if (json_bool(row, "active", true))
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "the active deployment cannot be deleted");
    r = db_run(req->api->db, "DELETE FROM deployments WHERE id = ?", "s", json_str(row, "id", ""));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the deployment cannot be removed")
                 : api_ok(req, NULL);
}
