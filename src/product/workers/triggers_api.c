/*
 * How requests and times reach a script: workers.dev subdomain, routes of zones, cron schedules.
 */
#include "product/workers/cron.h"
#include "product/workers/workers_api_impl.h"

#include <errno.h>

enum { ROUTE_ERR_TAKEN = 10020, ROUTE_ERR_PATTERN = 10022, SUBDOMAIN_ERR_FREE = 10032 };

/* --- the account's subdomain --- */

static int subdomain_read(struct api_request *req, char *buf, size_t size, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = db_row(req->api->db, &row, "SELECT subdomain FROM accounts WHERE id = ?", "s",
                   req->api->account);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the account cannot be read");
    snprintf(buf, size, "%s", json_str(row, "subdomain", ""));
    return 0;
}

int subdomain_api_account_get(struct api_request *req, struct err *err)
{
    char name[WORKER_NAME_MAX + 1];
    int r = subdomain_read(req, name, sizeof(name), err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "subdomain", name));
}

int subdomain_api_account_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json_object(req, false, &body, err);
    const char *name = r < 0 ? NULL : api_need_str(body, "subdomain", err);
    if (name == NULL || script_name_check(name, err) < 0)
        return -EINVAL;
    r = db_run(req->api->db, "UPDATE accounts SET subdomain = ? WHERE id = ?", "ss", name,
               req->api->account);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the account cannot be stored")
                 : subdomain_api_account_get(req, err);
}

int subdomain_api_check(struct api_request *req, struct err *err)
{
    char name[WORKER_NAME_MAX + 1];
    int r = subdomain_read(req, name, sizeof(name), err);
    if (r < 0)
        return r;
    if (strcmp(name, api_param(req, "name")) == 0)
        return err_set(err, -EEXIST, 10031, "This subdomain is taken.");
    return err_set(err, -ENOENT, SUBDOMAIN_ERR_FREE, "This subdomain is available.");
}

/* --- a script's own --- */

static json_t *subdomain_object(struct api_request *req, const json_t *script)
{
    return json_pack("{s:b, s:b, s:s}", "enabled", json_bool(script, "workers_dev", false),
                     "previews_enabled", json_bool(script, "previews", false), "preview_url_suffix",
                     worker_preview_suffix(req, json_str(script, "name", "")));
}

int subdomain_api_get(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(req, script_param(req), &script, err);
    return r < 0 ? r : api_ok(req, subdomain_object(req, script));
}

static int subdomain_store(struct api_request *req, const json_t *script, bool enabled,
                           bool previews, struct err *err)
{
    int r = db_run(req->api->db, "UPDATE scripts SET workers_dev = ?, previews = ? WHERE name = ?",
                   "iis", (int)enabled, (int)previews, json_str(script, "name", ""));
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the Worker cannot be stored");
    r = table_publish(req, err);
    return r < 0 ? r : subdomain_api_get(req, err);
}

int subdomain_api_post(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *body = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    bool enabled = json_bool(body, "enabled", json_bool(script, "workers_dev", false));
    return subdomain_store(req, script, enabled, json_bool(body, "previews_enabled", enabled), err);
}

int subdomain_api_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(req, script_param(req), &script, err);
    return r < 0 ? r : subdomain_store(req, script, false, false, err);
}

/* --- routes --- */

/* host/path without a scheme; '*' may begin the host and end the path. */
static int route_pattern_check(const char *pattern, struct err *err)
{
    size_t host = strcspn(pattern, "/");
    const char *star = memchr(pattern, '*', host);
    bool bad = host == 0 || strlen(pattern) > WORKER_PATH_MAX ||
               (star != NULL && star != pattern) || strstr(pattern, "://") != NULL ||
               strpbrk(pattern, " ?#") != NULL;
    if (bad)
        return err_set(err, -EINVAL, ROUTE_ERR_PATTERN,
                       "\"%s\" is not a route: it must look like example.com/path*", pattern);
    return 0;
}

static const char *route_zone(struct api_request *req, const json_t *route)
{
    int64_t n = 0;
    const char *id = json_str(route, "zone_id", NULL);
    if (id != NULL && db_int(req->api->db, &n, "SELECT 1 FROM zones WHERE id = ?", "s", id) == 0)
        return id;
    AUTO(json_release) json_t *row = NULL;
    if (db_row(req->api->db, &row, "SELECT id FROM zones WHERE name = ?", "s",
               json_str(route, "zone_name", "")) < 0)
        return "";
    return arena_printf(&req->arena, "%s", json_str(row, "id", ""));
}

static int route_insert(struct api_request *req, const char *zone, const char *pattern,
                        const char *script, char ret_id[ID_HEX_SIZE], struct err *err)
{
    int r = route_pattern_check(pattern, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db,
               "INSERT INTO worker_routes (id, zone, pattern, script) VALUES (?,?,?,?)", "ssss",
               id_hex(ret_id), zone, pattern, script);
    if (r == -EEXIST)
        return err_set(err, r, ROUTE_ERR_TAKEN, "A route with the pattern \"%s\" already exists.",
                       pattern);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the route cannot be stored") : 0;
}

/* Replaces all routes of the script. */
int routes_api_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *body = NULL, *patterns = json_array();
    AUTO(db_end) struct db *tx = NULL;
    char id[ID_HEX_SIZE];
    size_t i;
    json_t *route;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = api_json(req, &body, err);
    if (r < 0)
        return r;
    if (!json_is_array(body))
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "the body must be an array of routes");
    const char *name = json_str(script, "name", "");
    r = db_begin(req->api->db, &tx);
    if (r == 0)
        r = db_run(req->api->db, "DELETE FROM worker_routes WHERE script = ?", "s", name);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the routes cannot be stored");
    json_array_foreach(body, i, route)
    {
        const char *pattern =
            json_is_string(route) ? json_string_value(route) : json_str(route, "pattern", "");
        r = route_insert(req, route_zone(req, route), pattern, name, id, err);
        if (r < 0)
            return r;
        json_array_append_new(patterns, json_string(pattern));
    }
    r = db_commit(&tx);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the routes cannot be stored");
    r = table_publish(req, err);
    return r < 0 ? r : api_ok(req, TAKE(patterns));
}

#define ROUTE_COLUMNS "id, pattern, script"

int routes_api_of_script(struct api_request *req, struct err *err)
{
    return api_ok_page(req, err,
                       "SELECT r.id, pattern, script, zone AS zone_id, z.name AS zone_name FROM "
                       "worker_routes r LEFT JOIN zones z ON z.id = r.zone WHERE script = ?",
                       "s", script_param(req));
}

int routes_api_list(struct api_request *req, struct err *err)
{
    json_t *rows = NULL;
    int r = db_rows(req->api->db, &rows,
                    "SELECT " ROUTE_COLUMNS " FROM worker_routes WHERE zone = ? ORDER BY pattern",
                    "s", api_param(req, "zone"));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the routes cannot be read")
                 : api_ok_all(req, rows);
}

static int route_answer(struct api_request *req, const char *id, struct err *err)
{
    json_t *row = NULL;
    int r = db_row(req->api->db, &row,
                   "SELECT " ROUTE_COLUMNS " FROM worker_routes WHERE id = ? AND zone = ?", "ss",
                   id, api_param(req, "zone"));
    return r < 0 ? err_set(err, r, 10009, "There is no such route.") : api_ok(req, row);
}

static int route_wanted(struct api_request *req, json_t **ret, struct err *err)
{
    int64_t n = 0;
    int r = api_json_object(req, false, ret, err);
    if (r < 0)
        return r;
    if (api_need_str(*ret, "pattern", err) == NULL)
        return -EINVAL;
    if (db_int(req->api->db, &n, "SELECT 1 FROM zones WHERE id = ?", "s", api_param(req, "zone")) <
        0)
        return err_set(err, -ENOENT, 1001, "Invalid zone identifier");
    return 0;
}

int routes_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    char id[ID_HEX_SIZE];
    int r = route_wanted(req, &body, err);
    if (r == 0)
        r = route_insert(req, api_param(req, "zone"), json_str(body, "pattern", ""),
                         json_str(body, "script", ""), id, err);
    if (r == 0)
        r = table_publish(req, err);
    return r < 0 ? r : route_answer(req, id, err);
}

int routes_api_info(struct api_request *req, struct err *err)
{
    return route_answer(req, api_param(req, "route"), err);
}

int routes_api_update(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = route_wanted(req, &body, err);
    if (r == 0)
        r = route_pattern_check(json_str(body, "pattern", ""), err);
    if (r < 0)
        return r;
    r = db_run(req->api->db,
               "UPDATE worker_routes SET pattern = ?, script = ? WHERE id = ? AND zone = ?", "ssss",
               json_str(body, "pattern", ""), json_str(body, "script", ""), api_param(req, "route"),
               api_param(req, "zone"));
    if (r == -EEXIST)
        return err_set(err, r, ROUTE_ERR_TAKEN, "A route with this pattern already exists.");
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the route cannot be stored");
    r = table_publish(req, err);
    return r < 0 ? r : routes_api_info(req, err);
}

int routes_api_delete(struct api_request *req, struct err *err)
{
    int r = db_run(req->api->db, "DELETE FROM worker_routes WHERE id = ? AND zone = ?", "ss",
                   api_param(req, "route"), api_param(req, "zone"));
    if (r <= 0)
        return err_set(err, r < 0 ? r : -ENOENT, 10009, "There is no such route.");
    r = table_publish(req, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "id", api_param(req, "route")));
}

/* --- cron --- */

int schedules_api_get(struct api_request *req, struct err *err)
{
    json_t *rows = NULL;
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r < 0)
        return r;
    r = db_rows(
        req->api->db, &rows,
        "SELECT cron, created_ms AS \"created_on:time\", modified_ms AS \"modified_on:time\" FROM "
        "worker_schedules WHERE script = ? ORDER BY rowid",
        "s", json_str(script, "name", ""));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the schedules cannot be read")
                 : api_ok(req, json_pack("{s:o}", "schedules", rows));
}

int schedules_api_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *body = NULL;
    AUTO(db_end) struct db *tx = NULL;
    size_t i;
    json_t *schedule;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = api_json(req, &body, err);
    if (r < 0)
        return r;
    json_t *list = json_is_array(body) ? body : json_object_get(body, "schedules");
    const char *name = json_str(script, "name", "");
    r = db_begin(req->api->db, &tx);
    if (r == 0)
        r = db_run(req->api->db, "DELETE FROM worker_schedules WHERE script = ?", "s", name);
    json_array_foreach(list, i, schedule)
    {
        const char *cron = json_str(schedule, "cron", "");
        struct cron parsed;
        if (cron_parse(slice_of(cron), &parsed) < 0)
            return err_set(err, -EINVAL, 10100, "\"%s\" is not a cron expression", cron);
        if (r >= 0)
            r = db_run(
                req->api->db,
                "INSERT OR IGNORE INTO worker_schedules (script, cron, created_ms, modified_ms) "
                "VALUES (?,?,?,?)",
                "ssll", name, cron, workers_now(), workers_now());
    }
    if (r >= 0)
        r = db_commit(&tx);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the schedules cannot be stored")
                 : schedules_api_get(req, err);
}
