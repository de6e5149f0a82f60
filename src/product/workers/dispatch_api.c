/*
 * Dispatch namespaces (Workers for Platforms): Workers that no route leads to, called by name through a
 * binding of a dispatching Worker.
 *
 * Their scripts are scripts like all others; within, each is called "<id of the namespace>.<name>", which no
 * name that a client gives can be, so that two namespaces may have Workers of the same name.
 * https://developers.cloudflare.com/api/resources/workers_for_platforms/
 */
#include "product/workers/workers_api_impl.h"

#include <errno.h>

enum { DISPATCH_NAME_MAX = 63, DISPATCH_ERR_MISSING = 100119, DISPATCH_ERR_TAKEN = 100118 };

#define DISPATCH_COLUMNS                                                                           \
    "id AS namespace_id, name AS namespace_name, created_ms AS \"created_on:time\", created_by, "  \
    "modified_ms AS \"modified_on:time\", created_by AS modified_by, trusted AS "                  \
    "\"trusted_workers:bool\", (SELECT count(*) FROM scripts WHERE name GLOB "                     \
    "dispatch_namespaces.id || '.*') AS script_count"

const char *script_shown(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

/* "" names no script. */
static const char *dispatch_script(struct api_request *req, const char *script)
{
    AUTO(json_release) json_t *row = NULL;
    int r = db_row(req->api->db, &row, "SELECT id FROM dispatch_namespaces WHERE name = ?", "s",
                   api_param(req, "dispatch"));
    return r < 0 ? "" : arena_printf(&req->arena, "%s.%s", json_str(row, "id", ""), script);
}

const char *script_param(struct api_request *req)
{
    const char *script = api_param(req, "script");
    if (strchr(script, '.') != NULL)
        return "";
    return strstr(req->route->path, "/:dispatch/") == NULL ? script : dispatch_script(req, script);
}

/* --- namespaces --- */

int dispatch_api_list(struct api_request *req, struct err *err)
{
    return api_ok_page(req, err,
                       "SELECT " DISPATCH_COLUMNS " FROM dispatch_namespaces ORDER BY name", NULL);
}

static int dispatch_find(struct api_request *req, const char *name, json_t **ret, struct err *err)
{
    int r =
        db_row(req->api->db, ret,
               "SELECT " DISPATCH_COLUMNS " FROM dispatch_namespaces WHERE name = ?", "s", name);
    if (r == -ENOENT)
        return err_set(err, r, DISPATCH_ERR_MISSING,
                       "workers.api.error.dispatch_namespace_not_found: there is no dispatch "
                       "namespace \"%s\"",
                       name);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the namespace cannot be read") : 0;
}

static int dispatch_answer(struct api_request *req, const char *name, struct err *err)
{
    json_t *row = NULL;
    int r = dispatch_find(req, name, &row, err);
    return r < 0 ? r : api_ok(req, row);
}

int dispatch_api_info(struct api_request *req, struct err *err)
{
    return dispatch_answer(req, api_param(req, "dispatch"), err);
}

static int dispatch_name_check(const char *name, struct err *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > DISPATCH_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != n)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "Invalid name of a dispatch namespace: 1 to %d lower-case letters, digits, "
                       "'-' and '_'",
                       DISPATCH_NAME_MAX);
    return 0;
}

static int dispatch_row_error(int r, const char *name, struct err *err)
{
    if (r == -EEXIST)
        return err_set(err, -EINVAL, DISPATCH_ERR_TAKEN,
                       "there is a dispatch namespace \"%s\" already", name);
    return err_set(err, r, API_ERR_INTERNAL, "the namespace cannot be stored");
}

int dispatch_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    char id[ID_HEX_SIZE];
    int r = api_json_object(req, false, &body, err);
    const char *name = json_str(body, "name", "");
    if (r == 0)
        r = dispatch_name_check(name, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db,
               "INSERT INTO dispatch_namespaces (id, name, created_ms, modified_ms, created_by, "
               "trusted) VALUES (?,?,?,?,?,0)",
               "sslls", id_hex(id), name, workers_now(), workers_now(), req->who.name);
    if (r < 0)
        return dispatch_row_error(r, name, err);
    r = table_publish(req, err);
    return r < 0 ? r : dispatch_answer(req, name, err);
}

/* A new name, or what its Workers are trusted with; bindings name a namespace, not its id. */
int dispatch_api_update(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *row = NULL;
    const char *before = api_param(req, "dispatch");
    int r = dispatch_find(req, before, &row, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    const char *name = json_str(body, "name", before);
    if (r == 0)
        r = dispatch_name_check(name, err);
    if (r < 0)
        return r;
    bool trusted = json_bool(body, "trusted_workers", json_bool(row, "trusted_workers", false));
    r = db_run(
        req->api->db,
        "UPDATE dispatch_namespaces SET name = ?, trusted = ?, modified_ms = ? WHERE name = ?",
        "sils", name, (int)trusted, workers_now(), before);
    if (r < 0)
        return dispatch_row_error(r, name, err);
    r = table_publish(req, err);
    return r < 0 ? r : dispatch_answer(req, name, err);
}

static int dispatch_scripts(struct api_request *req, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = dispatch_find(req, api_param(req, "dispatch"), &row, err);
    if (r < 0)
        return r;
    r = db_rows(req->api->db, ret,
                "SELECT name FROM scripts WHERE name GLOB ? || '.*' ORDER BY name", "s",
                json_str(row, "namespace_id", ""));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the Workers cannot be read") : 0;
}

int dispatch_api_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *scripts = NULL;
    int r = dispatch_scripts(req, &scripts, err);
    for (size_t i = 0; r == 0 && i < json_array_size(scripts); i++)
        r = script_delete(req, json_str(json_array_get(scripts, i), "name", ""), err);
    if (r < 0)
        return r;
    r = db_run(req->api->db, "DELETE FROM dispatch_namespaces WHERE name = ?", "s",
               api_param(req, "dispatch"));
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the namespace cannot be removed");
    r = table_publish(req, err);
    return r < 0 ? r : api_ok(req, NULL);
}

/* --- their scripts --- */

static int dispatch_script_object(struct api_request *req, const char *name, json_t **ret,
                                  struct err *err)
{
    json_t *script = NULL;
    int r = script_object(req, name, NULL, &script, err);
    if (r < 0)
        return r;
    *ret = json_pack("{s:s, s:O, s:O, s:o}", "dispatch_namespace", api_param(req, "dispatch"),
                     "created_on", json_object_get(script, "created_on"), "modified_on",
                     json_object_get(script, "modified_on"), "script", script);
    return 0;
}

int dispatch_api_scripts(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *names = NULL, *list = json_array();
    int r = dispatch_scripts(req, &names, err);
    for (size_t i = 0; r == 0 && i < json_array_size(names); i++) {
        json_t *object = NULL;
        r = dispatch_script_object(req, json_str(json_array_get(names, i), "name", ""), &object,
                                   err);
        if (r == 0)
            json_array_append_new(list, object);
    }
    return r < 0 ? r : api_ok_all(req, TAKE(list));
}

int dispatch_api_script_info(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL, *script = NULL;
    json_t *object = NULL;
    int r = dispatch_find(req, api_param(req, "dispatch"), &row, err);
    if (r == 0 && script_find(req, script_param(req), &script, NULL) < 0)
        r = err_set(err, -ENOENT, 10092, "workers.api.error.script_not_found");
    if (r == 0)
        r = dispatch_script_object(req, script_param(req), &object, err);
    return r < 0 ? r : api_ok(req, object);
}

int dispatch_api_script_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = dispatch_find(req, api_param(req, "dispatch"), &row, err);
    return r < 0 ? r : scripts_api_put(req, err);
}
